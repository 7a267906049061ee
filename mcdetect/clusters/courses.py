"""Courses of arteries: pieces that go on one in the other are one, and take up the few marks beside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from mcdetect.clusters.arteries import GAP_MM
from mcdetect.clusters.plaques import CALIBRE_MM
from mcdetect.clusters.reach import links_within

__all__ = ["joined_courses", "strays_beside"]

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]
_Yes = npt.NDArray[np.bool_]

# Judged: on tram tracks drawn into real backgrounds and on the arteries of real mammograms. Looser bounds
# join arteries that only pass one another, and take up calcifications of a group beside one.
HEADING_MM = 6.0
"""The end of a course points as its last stretch of this length does."""
TURN = 0.85
"""Cosine of the angle between the ends of two courses that go on one in the other, at least."""
OVERLAP_MM = 10.0  # how far such courses may accompany one another: each may follow a wall of its own
ASIDE_SHARE = 0.25  # of the gap between them: so far aside may the second lie, beyond the artery's width
PLAQUE_MM = 0.6  # width of a plaque: so much farther may a mark on it lie than the wall
STRAYS = 0.25
"""Marks near each other beside an artery are its plaques, when they are at most this share of its own."""
FEW = 4  # and at most: five are a group


def joined_courses(lines_mm: Sequence[_Floats]) -> tuple[_Ints, list[_Floats]]:
    """Tell which courses go on one in the other, over at most 14 mm.

    Parameters
    ----------
    lines_mm : sequence of (k, 2) float64 array
        Middle lines, (row, col) in mm.

    Returns
    -------
    number : (n,) int64 array
        Which of them are one, from 0.
    between : list of (k, 2) float64 array
        Straight lines over the gaps.
    """
    n = len(lines_mm)
    pairs: list[tuple[int, int]] = []
    between: list[_Floats] = []
    for i in range(n):
        for j in range(i + 1, n):
            gap = _gap(lines_mm[i], lines_mm[j])
            if gap is not None:
                pairs.append((i, j))
                between.append(gap)
    one, two = np.array(pairs, np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(one.size), (one, two)), shape=(n, n))
    number = connected_components(graph, directed=False)[1].astype(np.int64) if n else np.zeros(0, np.int64)
    return number, between


def _gap(one: _Floats, two: _Floats) -> _Floats | None:
    """Return the straight line from the end of a course to that of another which goes on from there."""
    for first in (one, one[::-1]):
        for second in (two, two[::-1]):
            step = second[0] - first[-1]
            ahead, onward = _heading(first), -_heading(second[::-1])
            course = ahead + onward
            course /= max(float(np.hypot(*course)), 1e-9)
            along, aside = float(step @ course), abs(float(step[0] * course[1] - step[1] * course[0]))
            if ahead @ onward < TURN or not -OVERLAP_MM <= along <= GAP_MM:
                continue
            if aside > CALIBRE_MM + ASIDE_SHARE * max(along, 0.0):
                continue
            return np.linspace(first[-1], second[0], max(2, round(2.0 * float(np.hypot(*step)))))
    return None


def _heading(line: _Floats) -> _Floats:
    """Direction in which a line ends."""
    away = np.hypot(*(line - line[-1]).T)
    behind = np.flatnonzero(away >= HEADING_MM)
    way = line[-1] - line[behind[-1] if behind.size else 0]
    unit: _Floats = way / max(float(np.hypot(*way)), 1e-9)
    return unit


def strays_beside(places_mm: _Floats, vessel: _Ints, lines_mm: Sequence[_Floats], link_mm: float) -> _Ints:
    """Return the artery of calcifications that lie beside one in small number, 0 for all others.

    They are marks of its other wall, of its fainter plaques, or of a branch. Where more lie together, or some
    of them farther away, they are a finding of their own.

    Parameters
    ----------
    places_mm : (n, 2) float64 array
        Calcifications, (row, col) in mm.
    vessel : (n,) int64 array
        Artery of each, from 1; 0 for none.
    lines_mm : sequence of (k, 2) float64 array
        Middle lines of the arteries, in any order.
    link_mm : float
        Calcifications this near to each other lie together.
    """
    added = np.zeros(vessel.size, np.int64)
    free, on = np.flatnonzero(vessel == 0), np.flatnonzero(vessel > 0)
    if free.size == 0 or on.size == 0 or not lines_mm:
        return added
    one, two = links_within(places_mm[free], link_mm).T
    graph = coo_array((np.ones(one.size), (one, two)), shape=(free.size, free.size))
    together = connected_components(graph, directed=False)[1]
    count = np.bincount(together)
    course = np.concatenate([*lines_mm, places_mm[on]])
    near = np.asarray(cKDTree(course).query(places_mm[free])[0]) <= CALIBRE_MM + PLAQUE_MM
    inside = np.bincount(together, weights=near) == count
    nearest = vessel[on[np.asarray(cKDTree(places_mm[on]).query(places_mm[free])[1])]]
    most = np.minimum(FEW, STRAYS * np.bincount(vessel)[nearest])
    taken = inside[together] & (count[together] <= most)
    added[free[taken]] = nearest[taken]
    return added
