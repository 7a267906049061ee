"""The convex hull of a group: its corners, sides, area, density and largest distance."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.constants import HULL_GROWTH_MM

__all__ = ["FLAT", "convex_hull", "hull_measures", "smallest_rectangle"]

_Floats = npt.NDArray[np.float64]

# Technical: rounding.
FLAT = 1e-9
"""A hull narrower than this fraction of its length is a line."""


def convex_hull(points: _Floats) -> _Floats:
    """Return the corners of the convex hull.

    Parameters
    ----------
    points : (n, 2) float64 array
        Points; may coincide or lie on a line.

    Returns
    -------
    (h, 2) float64 array
        Corners in order, without repetition; one for a single place, two for a line.

    Notes
    -----
    Monotone chain (Andrew 1979, doi:10.1016/0020-0190(79)90072-3).
    """
    ordered = np.unique(points, axis=0).tolist()
    if len(ordered) < 3:
        return np.array(ordered, dtype=np.float64).reshape(-1, 2)

    def chain(way: list[list[float]]) -> list[list[float]]:
        kept: list[list[float]] = []
        for p in way:
            while len(kept) >= 2:
                (ar, ac), (br, bc) = kept[-2], kept[-1]
                if (br - ar) * (p[1] - ac) - (bc - ac) * (p[0] - ar) > 0.0:
                    break
                kept.pop()
            kept.append(p)
        return kept

    return np.array(chain(ordered)[:-1] + chain(ordered[::-1])[:-1], dtype=np.float64)


def smallest_rectangle(corners: _Floats) -> tuple[float, float]:
    """Return the sides of the smallest rectangle around a convex polygon.

    Parameters
    ----------
    corners : (h, 2) float64 array
        Corners of the polygon, in order.

    Returns
    -------
    long, short : float
        Sides, in the unit of the corners; the smallest rectangle has one side along an edge
        of the polygon (Freeman and Shapira 1975, doi:10.1145/360881.360919). Of several as small, the
        longest.
    """
    if len(corners) < 2:
        return 0.0, 0.0
    edges = np.roll(corners, -1, axis=0) - corners
    edges /= np.hypot(edges[:, 0], edges[:, 1])[:, None]
    along = corners @ edges.T
    across = corners @ np.stack([-edges[:, 1], edges[:, 0]])
    length, width = np.ptp(along, axis=0), np.ptp(across, axis=0)
    area = length * width
    least = area <= area.min() * (1.0 + FLAT)
    long, short = np.maximum(length, width), np.minimum(length, width)
    best = int(np.argmax(np.where(least, long, -1.0)))
    return float(long[best]), float(short[best])


def hull_measures(points: _Floats) -> dict[str, float]:
    """Measure the convex hull of one group.

    Parameters
    ----------
    points : (n, 2) float64 array
        Centres of the members in mm, near the origin; n at least 1.

    Returns
    -------
    dict of str to float
        hull_area_mm2, hull_perimeter_mm, hull_circularity, hull_elongation, extent_mm and
        density_per_cm2. The elongation is NaN when all members lie on one line, the circularity when
        all lie at one place.

    Notes
    -----
    The density divides by the area of the hull grown by `HULL_GROWTH_MM`, so that it is finite for any
    group: area + growth * perimeter + pi * growth² (Steiner's formula).
    """
    corners = convex_hull(points)
    after = np.roll(corners, -1, axis=0)
    area = 0.5 * abs(float(np.sum(corners[:, 0] * after[:, 1] - after[:, 0] * corners[:, 1])))
    perimeter = float(np.hypot(*(after - corners).T).sum())
    grown = area + HULL_GROWTH_MM * perimeter + math.pi * HULL_GROWTH_MM**2
    long, short = smallest_rectangle(corners)
    circularity = math.nan
    if perimeter > 0.0:
        circularity = min(4.0 * math.pi * area / perimeter**2, 1.0)
    return {
        "hull_area_mm2": area,
        "hull_perimeter_mm": perimeter,
        "hull_circularity": circularity,
        "hull_elongation": long / short if short > FLAT * long else math.nan,
        "extent_mm": _diameter(corners),
        "density_per_cm2": 100.0 * len(points) / grown,
    }


def _diameter(corners: _Floats) -> float:
    """Largest distance between two corners."""
    largest = 0.0
    for k in range(len(corners) - 1):
        step = corners[k + 1 :] - corners[k]
        largest = max(largest, float(np.max(step[:, 0] ** 2 + step[:, 1] ** 2)))
    return math.sqrt(largest)
