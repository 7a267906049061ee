"""Arteries told by their plaques: dashes that point along one smooth curve, on one wall or on both."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from mcdetect.clusters.descriptors.curves import middle_line, place_on

__all__ = ["find_plaque_rows"]

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]

# Standard: BI-RADS, 5th edition: vascular calcifications are parallel tracks, or lines along a vessel.
ASPECT, LONG_MM = 1.8, 0.8
"""Length over width, and length, of what counts as a dash."""
CALIBRE_MM = 4.2
"""Distance of the two walls of an artery of the breast, at most."""

# Judged: on tram tracks drawn into real backgrounds, and on groups of every kind, none of which may be taken.
GAP_MM = 12.0
"""Dashes of one artery follow one another at most this far apart, from end to end."""
BEND_PER_MM = 0.06  # radians: how tightly an artery bends, at most
TURN = 0.45  # radians: how far two dashes side by side may point apart
NEAR_MM = 0.5 * CALIBRE_MM + 0.4  # from the middle line: what lies so near belongs to the artery
BESIDE_MM = 7.0  # around it, where
PURITY = 0.7  # most calcifications are its own
LENGTH_MM = 14.0  # of the artery, at least: casts of ducts are shorter, or crowded
ALONG_MM = 5.0  # to both sides, over which the course of the artery is taken
DASHES = 3  # at least
ALIGNED = 0.6  # mean of the cosine of twice the angle between dashes and course
NARROW = 0.25  # RMS distance from the middle over the length, at most
COVERED = 0.12  # length of all dashes over that of the artery, at least: fewer are chance


def find_plaque_rows(
    row_mm: _Floats, col_mm: _Floats, orientation_deg: _Floats, major_mm: _Floats, aspect: _Floats
) -> _Ints:
    """Join dashes that point along one smooth curve, with all that lies between them.

    Two dashes are linked when each points at most so far aside of the other as an artery bends over their
    distance, and lies no farther beside it than the other wall. What is linked is an artery when it is long
    and narrow, its dashes point along it and cover a share of it, and few calcifications lie beside it.

    Parameters
    ----------
    row_mm, col_mm : (n,) float64 arrays
        Centres, in mm.
    orientation_deg : (n,) float64 array
        Direction of the long axis, as in `mcdetect.schema.CALCIFICATIONS`; NaN where unknown.
    major_mm : (n,) float64 array
        Length of the long axis, in mm.
    aspect : (n,) float64 array
        Length over width.

    Returns
    -------
    (n,) int64 array
        Artery of each calcification, from 1, the longest first; 0 for none.
    """
    points = np.column_stack([row_mm, col_mm])
    label = np.zeros(len(points), np.int64)
    known = np.isfinite(orientation_deg) & np.isfinite(major_mm) & np.isfinite(aspect)
    dashes = np.flatnonzero(known & (np.nan_to_num(aspect) >= ASPECT) & (np.nan_to_num(major_mm) >= LONG_MM))
    if dashes.size < DASHES:
        return label
    angle = np.radians(orientation_deg[dashes])
    component = _linked(points[dashes], angle, 0.5 * major_mm[dashes])
    found = []
    for number in np.flatnonzero(np.bincount(component) >= DASHES):
        inside = component == number
        line = middle_line(points[dashes[inside]])
        length = float(np.hypot(*np.diff(line, axis=0).T).sum()) if len(line) > 1 else 0.0
        if length >= LENGTH_MM and _is_row(
            points, dashes[inside], line, length, angle[inside], major_mm[dashes[inside]]
        ):
            found.append((length, line))
    for artery, (_, line) in enumerate(sorted(found, key=lambda one: -one[0]), start=1):
        near = np.asarray(cKDTree(line).query(points)[0]) <= NEAR_MM
        label[near & (label == 0)] = artery
    return label


def _linked(points: _Floats, angle: _Floats, half_mm: _Floats) -> _Ints:
    """Number the sets of dashes that follow or accompany one another."""
    reach = GAP_MM + 2.0 * float(half_mm.max())
    pairs = cKDTree(points).query_pairs(reach, output_type="ndarray")
    one, two = pairs[:, 0], pairs[:, 1]
    step = points[two] - points[one]
    far = np.hypot(step[:, 0], step[:, 1])
    apart = np.abs((angle[one] - angle[two] + 0.5 * np.pi) % np.pi - 0.5 * np.pi)
    fits = (far - half_mm[one] - half_mm[two] <= GAP_MM) & (apart <= TURN + BEND_PER_MM * far)
    for k in (one, two):
        # Displayed directions: columns to the right, rows downwards.
        along = np.abs(step[:, 1] * np.cos(angle[k]) - step[:, 0] * np.sin(angle[k]))
        aside = np.abs(step[:, 1] * np.sin(angle[k]) + step[:, 0] * np.cos(angle[k]))
        fits &= aside <= CALIBRE_MM + 0.5 * BEND_PER_MM * along**2
    pairs = pairs[fits]
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(points), len(points)))
    component: _Ints = connected_components(graph, directed=False)[1].astype(np.int64)
    return component


def _course(points: _Floats, line: _Floats) -> _Floats:
    """Return the direction of a line where points lie, in radians as orientations are, over some millimetres.

    Between two walls the line itself goes to and fro.
    """
    place = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    here = place[np.asarray(cKDTree(line).query(points)[1])]
    ends = [
        np.column_stack([np.interp(here + way, place, line[:, k]) for k in (0, 1)])
        for way in (-ALONG_MM, ALONG_MM)
    ]
    step = ends[1] - ends[0]
    course: _Floats = np.arctan2(-step[:, 0], step[:, 1])
    return course


def _is_row(
    points: _Floats, dashes: _Ints, line: _Floats, length: float, angle: _Floats, major_mm: _Floats
) -> bool:
    offset, _ = place_on(points[dashes], line)
    aligned = float(np.mean(np.cos(2.0 * (angle - _course(points[dashes], line)))))
    away = np.asarray(cKDTree(line).query(points)[0])
    own, beside = np.count_nonzero(away <= NEAR_MM), np.count_nonzero(away <= BESIDE_MM)
    return bool(
        aligned >= ALIGNED
        and np.sqrt(np.mean(offset**2)) <= min(0.5 * CALIBRE_MM, NARROW * length)
        and major_mm.sum() >= COVERED * length
        and own >= PURITY * beside
    )
