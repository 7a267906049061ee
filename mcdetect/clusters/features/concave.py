"""The concave area of a group: what its members cover without the bays between them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import Delaunay, QhullError

from mcdetect.clusters.features.hull import FLAT, convex_hull, smallest_rectangle

__all__ = ["concave_area"]

_Floats = npt.NDArray[np.float64]
_TIE = 1.0 + 1e-9  # Technical: circles that exceed the reach by rounding only count too


def concave_area(points: _Floats, reach_mm: float) -> float:
    """Return the area of the alpha shape of points.

    Parameters
    ----------
    points : (n, 2) float64 array
        Points in mm; may coincide or lie on a line.
    reach_mm : float
        Radius of the largest circle that a triangle of neighbours may have. With the longest edge of
        the minimum spanning tree the shape follows the bays of a bent or branched group and yet
        leaves no gap that the tree does not have, at any density.

    Returns
    -------
    float
        In mm², at most the area of the convex hull; 0 for points on a line.

    References
    ----------
    H. Edelsbrunner, D. Kirkpatrick, R. Seidel, IEEE Trans. Inf. Theory 29 (1983) 551,
    doi:10.1109/TIT.1983.1056714.
    """
    places = np.unique(points, axis=0)
    if len(places) < 3:
        return 0.0
    long, short = smallest_rectangle(convex_hull(places))
    if short <= FLAT * long:
        return 0.0
    try:
        corner = places[Delaunay(places).simplices]
    except QhullError:
        return 0.0  # too flat for Qhull, though not for `FLAT`
    a = np.hypot(*(corner[:, 1] - corner[:, 2]).T)
    b = np.hypot(*(corner[:, 2] - corner[:, 0]).T)
    c = np.hypot(*(corner[:, 0] - corner[:, 1]).T)
    side, other = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    area = 0.5 * np.abs(side[:, 0] * other[:, 1] - side[:, 1] * other[:, 0])
    # the circle about a triangle has the radius a b c / (4 area)
    small = a * b * c <= 4.0 * area * reach_mm * _TIE
    return float(area[small].sum())
