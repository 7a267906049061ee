"""Calcified arteries, each one finding: calcifications in a row along the soft band of a vessel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from mcdetect.clusters.descriptors.curves import middle_line, place_on

__all__ = ["Arteries", "find_arteries", "length_along"]

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]

# Judged: on real mammograms; pieces of one wall lie up to this far apart. Farther joins strangers.
GAP_MM = 14.0
"""Calcifications of one artery follow one another at most this far apart."""
SIDE_BY_SIDE_MM = 1.0  # nearer ones may lie on the two walls: the direction between them says nothing
_NEIGHBOURS = 24  # nearest others that each is tried with

# Judged: the same. A path from one to the other that runs along a band.
LINK_SHARE = 0.8  # curvature across the path, of the largest in any direction
LINK_HEIGHT = (2.0, 1.0)  # curvature over the image's clutter: median along the path, lower fifth

# Judged: the same; what an artery shows and crowded, ductal or scattered groups do not.
HALF_WIDTH_MM = 1.3
"""Both walls lie this near to the middle."""
BESIDE_MM = 4.0  # around it, where
LEAST_PURITY = 0.75  # most calcifications are those on it
LENGTH_MM = 10.0  # at least
LEAST_MEMBERS = 6
LEAST_PER_MM = 0.25  # members: sparser rows are chance
TURN_DEG_PER_MM = 9.0  # mean bend of the middle line at most: a radius of about 6 mm, or a branch
SHARE = 0.75  # of the band along the whole middle line
HEIGHT = (2.0, 16.0)  # and its height over clutter: above, it is skin, a fold or an object
SKIN_MM = 4.0  # median distance of the members to the skin: nearer, the band is the skin's
_STEP_MM = 2.0  # the middle line is compared with the band in steps of this


class _Bands(Protocol):
    """What is read of `mcdetect.spots.bands.Bands`."""

    def along(self, start_mm: _Floats, end_mm: _Floats) -> tuple[_Floats, _Floats]: ...


@dataclass(frozen=True)
class Arteries:
    """Calcified arteries of an image.

    Parameters
    ----------
    label : (n,) int64 array
        Artery of each calcification, from 1; 0 for none.
    lines_mm : tuple of (m, 2) float64 array
        Middle line of each, (row, col) in mm.
    """

    label: _Ints
    lines_mm: tuple[_Floats, ...]

    def __len__(self) -> int:
        return len(self.lines_mm)

    def beside(self, row_mm: _Floats, col_mm: _Floats) -> _Ints:
        """Return the artery in whose width each place lies, from 1; 0 for none."""
        at = np.zeros(row_mm.size, np.int64)
        for number, line in reversed(list(enumerate(self.lines_mm, start=1))):
            at[_away(np.column_stack([row_mm, col_mm]), line) <= HALF_WIDTH_MM] = number
        return at


def find_arteries(
    row_mm: _Floats,
    col_mm: _Floats,
    skin_distance_mm: _Floats,
    bands: _Bands,
    sure: npt.NDArray[np.bool_] | None = None,
) -> Arteries:
    """Join calcifications that follow one another along the soft band of one vessel.

    Two of them, at most 14 mm apart, are linked when the tissue between them shows a band that runs from one
    to the other. What is linked is an artery when it is long, bends little, has few calcifications beside it,
    and follows a band over its whole length. All calcifications within 1.3 mm of its middle line are its
    members. Fine linear and segmental groups are shorter, crowded or bent, or follow no band.

    Parameters
    ----------
    row_mm, col_mm : (n,) float64 arrays
        Centres, in mm from the centre of the image's first pixel.
    skin_distance_mm : (n,) float64 array
        Distance to the skin line, in mm.
    bands : mcdetect.spots.bands.Bands
        Soft bands of the same image.
    sure : (n,) bool array, optional
        Which are calcifications; the others are doubtful, and help to follow a band but do not count. By
        default all are.

    Returns
    -------
    Arteries
        Longest first; none shares a calcification with another.
    """
    points = np.column_stack([row_mm, col_mm])
    label = np.zeros(len(points), np.int64)
    sure = np.ones(len(points), np.bool_) if sure is None else sure
    found = []
    component = _linked(points, bands)
    for number in np.flatnonzero(np.bincount(component, minlength=1) >= LEAST_MEMBERS - 1):
        line = middle_line(points[component == number])
        length = _length(line)
        if length < LENGTH_MM:
            continue
        away = np.where(sure, _away(points, line), np.inf)
        members = np.flatnonzero(away <= HALF_WIDTH_MM)
        if _is_artery(away, line, length, bands) and np.median(skin_distance_mm[members]) > SKIN_MM:
            found.append((length, members, line))
    lines: list[_Floats] = []
    for _, members, line in sorted(found, key=lambda one: -one[0]):
        free = members[label[members] == 0]
        if free.size >= LEAST_MEMBERS:
            lines.append(line)
            label[free] = len(lines)
    return Arteries(label, tuple(lines))


def length_along(row_mm: _Floats, col_mm: _Floats) -> float:
    """Return the length of the smooth middle line of points, in mm.

    Parameters
    ----------
    row_mm, col_mm : (n,) float64 arrays
        At least one point.
    """
    return _length(middle_line(np.column_stack([row_mm, col_mm])))


def _length(line: _Floats) -> float:
    return float(np.hypot(*np.diff(line, axis=0).T).sum())


def _away(points: _Floats, line: _Floats) -> _Floats:
    """Distance of each point to the nearest point of a line."""
    return np.asarray(cKDTree(line).query(points)[0], np.float64)


def _linked(points: _Floats, bands: _Bands) -> _Ints:
    """Number the sets of calcifications that bands join."""
    n = len(points)
    if n < LEAST_MEMBERS:
        return np.zeros(0, np.int64)
    distance, neighbour = map(np.asarray, cKDTree(points).query(points, k=min(n, _NEIGHBOURS + 1)))
    first = np.repeat(np.arange(n), neighbour.shape[1])
    second, apart = neighbour.ravel(), distance.ravel()
    fits = (apart > SIDE_BY_SIDE_MM) & (apart <= GAP_MM)
    pairs = np.unique(np.sort(np.column_stack([first, second])[fits], axis=1), axis=0)
    share, height = bands.along(points[pairs[:, 0]], points[pairs[:, 1]])
    pairs = pairs[(share >= LINK_SHARE) & (height >= LINK_HEIGHT).all(axis=1)]
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    component: _Ints = connected_components(graph, directed=False)[1].astype(np.int64)
    return component


def _is_artery(away: _Floats, line: _Floats, length: float, bands: _Bands) -> bool:
    """Judge a middle line and the distances of the calcifications to it."""
    members = np.count_nonzero(away <= HALF_WIDTH_MM)
    if members < max(LEAST_MEMBERS, LEAST_PER_MM * length):
        return False
    if members < LEAST_PURITY * np.count_nonzero(away <= BESIDE_MM):
        return False
    _, course = place_on(line, line)
    turn = np.abs((np.diff(course) + 90.0) % 180.0 - 90.0).sum() / length
    if turn > TURN_DEG_PER_MM:
        return False
    steps = line[np.linspace(0, len(line) - 1, max(2, math.ceil(length / _STEP_MM) + 1)).round().astype(int)]
    share, height = bands.along(steps[:-1], steps[1:])
    return bool(share.mean() >= SHARE and HEIGHT[0] <= np.median(height[:, 0]) <= HEIGHT[1])
