"""Links between near points: as many as join what all near pairs would join, in little memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import Delaunay, QhullError, cKDTree

from mcdetect.kernels.spanning import spanning_net

__all__ = ["MANY", "links_within"]

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]

MANY = 2000
"""Technical: points from which on pairs are too many to list (memory); an ordinary image has fewer marks."""


def links_within(points: _Floats, reach_mm: float) -> _Ints:
    """Return pairs of points at most so far apart that join the same sets as all such pairs do.

    Parameters
    ----------
    points : (n, 2) float64 array
        (row, col) in mm; points may coincide.
    reach_mm : float
        Largest distance.

    Returns
    -------
    (m, 2) int64 array
        Up to `MANY` points all pairs, beyond that those of them that are sides of Delaunay triangles, which
        hold the shortest net over the points and therefore join the same.
    """
    if len(points) <= MANY:
        pairs: _Ints = cKDTree(points).query_pairs(reach_mm, output_type="ndarray").astype(np.int64)
        return pairs
    places, first, number = np.unique(points, axis=0, return_index=True, return_inverse=True)
    same = np.flatnonzero(first[number.ravel()] != np.arange(len(points)))
    twins = np.column_stack([first[number.ravel()[same]], same])
    sides = first[_sides(places)]
    apart = np.hypot(*(points[sides[:, 0]] - points[sides[:, 1]]).T)
    return np.concatenate([twins, sides[apart <= reach_mm]])


def _sides(places: _Floats) -> _Ints:
    """Pairs of different places among which is a shortest net over all of them."""
    n = len(places)
    if n > 2:
        try:
            triangles = Delaunay(places - places.mean(axis=0))
        except QhullError:  # all on one line
            pass
        else:
            if len(triangles.coplanar) == 0:
                corners = triangles.simplices.astype(np.int64)
                return np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    edges, length = np.empty((n - 1, 2), np.int64), np.empty(n - 1)
    spanning_net(places, np.zeros(n), edges, length)
    return edges
