"""Arteries told by their plaques: dashes that point along one smooth curve, on one wall or on both."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import cKDTree

__all__ = ["PlaqueRows", "find_plaque_rows"]

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]

# Standard: BI-RADS, 5th edition: vascular calcifications are parallel tracks, or lines along a vessel.
CALIBRE_MM = 4.4
"""Distance of the two walls of an artery of the breast, at most."""

# Judged: on tram tracks drawn into real backgrounds, and on groups of every kind, none of which may be taken.
# Two dashes of one wall lie on one circle: the chord makes the same angle with both.
GAP_MM = 8.0
"""Dashes of one wall follow one another at most this far apart, from end to end."""
ACROSS_GAP_MM = 4.0  # those of two walls accompany one another, or nearly
FAR_GAP_MM = 14.0
"""What follows one wall of an artery up to this far away, and fits two of its dashes, belongs to it."""
EVIDENCE = 1.4  # of its dashes together, at least: rows of ligaments reach less
ACCOMPANIED, ALONGSIDE_GAP_MM = 1.0, 1.0
"""Evidence of a dash that has another alongside, or so near to it, on the other wall: ligaments run alone."""
BEND_PER_MM = 0.06  # radians: how tightly an artery bends, at most
TURN = 0.2  # radians: how far two dashes may point apart beyond that
ASIDE_MM, ASIDE_SHARE = 0.35, 0.1  # from the circle: at once, and more with distance
_TWO_WALLS_MM = 0.8  # and certainly, when nothing else is known of them
SIDE_BY_SIDE_MM = 0.6  # dashes farther beside one another lie on two walls
WALL_MM = 1.2  # outside its outermost dash: what lies so near belongs to the artery
MOST_MM = 2.9  # to either side of the middle, at most: half the calibre, and some for the course
AHEAD_MM = 4.0  # beyond its ends, too
ON_MM = 0.8  # and what lies so near to points on its dashes
BESIDE_MM = 7.0  # around it, where
PURITY = 0.7  # most calcifications and dashes are its own; and most dashes in its width point along it
LENGTH_MM = 10.0  # of the artery, at least: casts of ducts are shorter, or crowded
DASHES = 4  # at least
ALIGNED = 0.7  # mean of the cosine of twice the angle between dashes and course
NARROW = 0.2  # RMS distance from the middle over the length, at most
POINTS_ALONG = 0.9  # cosine of the angle to the course, of a dash beside it that belongs to it
COVERED = 0.15  # length of all dashes over that of the artery, at least: fewer are chance
_SMOOTHING_MM = 5.0  # SD of the Gaussian along the course: the middle line does not go from wall to wall
_REACH_MM = 15.0  # steps by which one gets from end to end

# Technical: how finely middle lines are computed.
_STEP_MM, _ROUNDS = 0.5, 4
_SAME = 1e-6  # mm: points that coincide stay linked
_POINTS = 5  # on each dash
_GROWN = 2  # rounds in which dashes beside it are added


@dataclass(frozen=True)
class PlaqueRows:
    """Arteries that their plaques tell, the longest first.

    Parameters
    ----------
    label : (n,) int64 array
        Artery of each dash, from 1; 0 for none.
    lines_mm : tuple of (k, 2) float64 array
        Middle line of each artery, (row, col) in mm, with what lies just ahead of its ends.
    half_mm : tuple of float
        What lies so near to it belongs to it.
    dashes_mm : tuple of (k, 2) float64 array
        Points on the dashes of each.
    """

    label: _Ints
    lines_mm: tuple[_Floats, ...]
    half_mm: tuple[float, ...]
    dashes_mm: tuple[_Floats, ...]

    def holds(self, number: int, places_mm: _Floats) -> npt.NDArray[np.bool_]:
        """Tell which places (m, 2) lie in the width of an artery, or on its dashes, by its number."""
        away = np.asarray(cKDTree(self.lines_mm[number - 1]).query(places_mm)[0])
        beside = np.asarray(cKDTree(self.dashes_mm[number - 1]).query(places_mm)[0])
        inside: npt.NDArray[np.bool_] = (away <= self.half_mm[number - 1]) | (beside <= ON_MM)
        return inside


def find_plaque_rows(
    row_mm: _Floats,
    col_mm: _Floats,
    angle: _Floats,
    length_mm: _Floats,
    evidence: _Floats,
    others_mm: _Floats | None = None,
) -> PlaqueRows:
    """Join dashes that point along one smooth curve.

    Two dashes of one wall are linked when both touch one circle that bends no tighter than an artery, two of
    different walls when they accompany one another. What is linked is an artery when it is long and narrow,
    its dashes point along it, cover a share of it and look like calcium together, and little else lies
    beside it. Dashes alongside one another on two walls speak for one. An artery then takes up what fits two
    of its dashes, up to 14 mm beyond its ends.

    Parameters
    ----------
    row_mm, col_mm : (n,) float64 array
        Middles of the dashes, in mm.
    angle : (n,) float64 array
        Their directions, in radians from columns to rows.
    length_mm : (n,) float64 array
        Their lengths.
    evidence : (n,) float64 array
        How far each looks like calcium, 0 neither way.
    others_mm : (m, 2) float64 array, optional
        Calcifications, (row, col) in mm, which may lie on dashes or elsewhere.

    Returns
    -------
    PlaqueRows
    """
    middle = np.column_stack([row_mm, col_mm])
    label = np.zeros(len(middle), np.int64)
    if len(middle) < DASHES:
        return PlaqueRows(label, (), (), ())
    others = np.concatenate([middle, np.zeros((0, 2)) if others_mm is None else others_mm])
    ahead = np.column_stack([np.sin(angle), np.cos(angle)])
    tips = np.linspace(-0.5, 0.5, _POINTS)[None, :, None] * (length_mm[:, None] * ahead)[:, None]
    points = middle[:, None] + tips
    links = _links(middle, angle, 0.5 * length_mm)
    component = links.components(len(middle))
    found = []
    for number in np.flatnonzero(np.bincount(component) >= DASHES):
        members = np.flatnonzero(component == number)
        accompanied = np.isin(members, links.alongside).sum()
        if evidence[members].sum() + ACCOMPANIED * accompanied >= EVIDENCE:
            row = _row(members, middle, ahead, points, others, links)
            found += [row] if row is not None else []
    found.sort(key=lambda one: -one[0])
    for artery, (_, members, *_) in enumerate(found, start=1):
        label[members] = artery
    return PlaqueRows(
        label,
        tuple(line for _, _, line, _ in found),
        tuple(half for *_, half in found),
        tuple(points[members].reshape(-1, 2) for _, members, *_ in found),
    )


def _row(
    members: _Ints, middle: _Floats, ahead: _Floats, points: _Floats, others: _Floats, links: _Links
) -> tuple[float, _Ints, _Floats, float] | None:
    """Return length, dashes, middle line and half the width of the artery that dashes make, or None."""
    line = _middle_line(points[members].reshape(-1, 2))
    _, cosine = _lies(line, middle[members], ahead[members])
    members = members[np.abs(cosine) >= POINTS_ALONG]  # others cross it, as ligaments and edges do
    if members.size < DASHES:
        return None
    line = _middle_line(points[members].reshape(-1, 2))
    length = float(np.hypot(*np.diff(line, axis=0).T).sum())
    long_mm = np.hypot(*(points[members, -1] - points[members, 0]).T).sum()
    if length < LENGTH_MM or long_mm < COVERED * length:
        return None
    if not _fits(line, length, middle[members], ahead[members]):
        return None
    for _ in range(_GROWN):  # dashes beside it, which no link had reached, say more of its course
        away, cosine = _lies(_lengthened(line, GAP_MM), middle, ahead)
        beside = np.flatnonzero((away <= MOST_MM + ASIDE_MM) & (np.abs(cosine) >= POINTS_ALONG))
        further = links.fitting(members, len(middle))
        _, cosine = _lies(_lengthened(line, FAR_GAP_MM), middle[further], ahead[further])
        further = further[np.abs(cosine) >= POINTS_ALONG]
        members = np.union1d(members, np.union1d(beside, further))
        line = _middle_line(points[members].reshape(-1, 2))
    away, cosine = _lies(line, middle, ahead)
    half = min(float(away[members].max()) + WALL_MM, MOST_MM)
    along = np.abs(cosine[away <= half]) >= POINTS_ALONG
    if np.count_nonzero(along) < PURITY * along.size or not _is_alone(line, half, others):
        return None
    return length, members, _lengthened(line, AHEAD_MM), half


@dataclass(frozen=True)
class _Links:
    """Pairs of dashes that may belong to one artery.

    Parameters
    ----------
    pairs : (n, 2) int64 array
        Dashes that follow one another on one wall or accompany one another on two.
    near : (n,) bool array
        Those that tell an artery; the others only add to one.
    alongside : (m, 2) int64 array
        Dashes that lie alongside one another on two walls.
    """

    pairs: _Ints
    near: npt.NDArray[np.bool_]
    alongside: _Ints

    def components(self, count: int) -> _Ints:
        """Number the sets of dashes that near pairs join."""
        one, two = self.pairs[self.near].T
        graph = coo_array((np.ones(one.size), (one, two)), shape=(count, count))
        component: _Ints = connected_components(graph, directed=False)[1].astype(np.int64)
        return component

    def fitting(self, members: _Ints, count: int) -> _Ints:
        """Return the dashes that fit two of these at least, or are among them."""
        of = np.zeros(count, np.bool_)
        of[members] = True
        one, two = self.pairs.T
        fits = np.bincount(two[of[one]], minlength=count) + np.bincount(one[of[two]], minlength=count)
        return np.flatnonzero(of | (fits > 1))


def _links(middle: _Floats, angle: _Floats, half_mm: _Floats) -> _Links:
    """Tell which dashes follow or accompany one another."""
    reach = math.hypot(FAR_GAP_MM + 2.0 * float(half_mm.max()), CALIBRE_MM)
    pairs = cKDTree(middle).query_pairs(reach, output_type="ndarray").astype(np.int64)
    one, two = pairs[:, 0], pairs[:, 1]
    apart = (angle[two] - angle[one] + 0.5 * np.pi) % np.pi - 0.5 * np.pi
    course = angle[one] + 0.5 * apart  # the chord of a circle points halfway between its tangents
    step = middle[two] - middle[one]
    along = np.abs(step[:, 0] * np.sin(course) + step[:, 1] * np.cos(course))
    aside = np.abs(step[:, 0] * np.cos(course) - step[:, 1] * np.sin(course))
    gap = along - half_mm[one] - half_mm[two]
    slack = ASIDE_SHARE * along
    on_wall = (gap <= FAR_GAP_MM) & (aside <= ASIDE_MM + slack)
    beside = (gap <= FAR_GAP_MM) & (aside > SIDE_BY_SIDE_MM) & (aside <= CALIBRE_MM + slack)
    alike = np.abs(apart) <= TURN + BEND_PER_MM * along
    fits = (on_wall | beside) & alike
    near = (on_wall & (gap <= GAP_MM)) | (beside & (gap <= ACROSS_GAP_MM))
    alongside = beside & (gap <= ALONGSIDE_GAP_MM) & (aside >= _TWO_WALLS_MM) & (np.abs(apart) <= TURN)
    return _Links(pairs[fits], near[fits], pairs[alongside])


def _middle_line(points: _Floats) -> _Floats:
    """Smooth line through points on one or two walls: a principal curve, from places along the way.

    The first places are distances from one end, in steps that need not follow a wall.
    """
    tree = cKDTree(points)
    pairs = tree.query_pairs(_REACH_MM, output_type="ndarray")
    far = np.maximum(np.hypot(*(points[pairs[:, 0]] - points[pairs[:, 1]]).T), _SAME)
    graph = coo_array((far, (pairs[:, 0], pairs[:, 1])), shape=(len(points), len(points)))
    away = dijkstra(graph, directed=False, indices=[0])[0]
    end = int(np.argmax(np.where(np.isfinite(away), away, -1.0)))
    place = np.nan_to_num(dijkstra(graph, directed=False, indices=[end])[0], posinf=0.0)
    line = _along(points, place)
    for _ in range(_ROUNDS):
        way = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
        line = _along(points, way[np.asarray(cKDTree(line).query(points)[1])])
    return line


def _along(points: _Floats, place: _Floats) -> _Floats:
    """Local straight fits to points by their places along a line, at even places."""
    even = np.arange(place.min(), place.max() + _STEP_MM, _STEP_MM)
    away = place[None] - even[:, None]
    weight = np.exp(-0.5 * (away / _SMOOTHING_MM) ** 2)
    zero, one = np.maximum(weight.sum(axis=1), 1e-9), (weight * away).sum(axis=1)
    # A ridge keeps the slope finite where all points lie at one place.
    two = (weight * away**2).sum(axis=1) + 0.1 * _SMOOTHING_MM**2 * zero
    fit = weight * (two[:, None] - away * one[:, None]) / (zero * two - one**2)[:, None]
    line: _Floats = fit @ points
    return line


def _lies(line: _Floats, middle: _Floats, ahead: _Floats) -> tuple[_Floats, _Floats]:
    """Return how far dashes lie from a line, and the cosine of the angle between it and them."""
    tangent = np.gradient(line, axis=0)
    away, nearest = (np.asarray(part) for part in cKDTree(line).query(middle))
    course = tangent[nearest] / np.maximum(np.hypot(*tangent[nearest].T), 1e-9)[:, None]
    return away, (course * ahead).sum(axis=1)


def _fits(line: _Floats, length: float, middle: _Floats, ahead: _Floats) -> bool:
    """Tell whether dashes point along a line and lie near it."""
    away, cosine = _lies(line, middle, ahead)
    aligned = float(np.mean(2.0 * cosine**2 - 1.0))
    return aligned >= ALIGNED and float(np.sqrt(np.mean(away**2))) <= min(0.5 * CALIBRE_MM, NARROW * length)


def _is_alone(line: _Floats, half_mm: float, others: _Floats) -> bool:
    away = np.asarray(cKDTree(line).query(others)[0])
    return bool(np.count_nonzero(away <= half_mm) >= PURITY * np.count_nonzero(away <= BESIDE_MM))


def _lengthened(line: _Floats, by_mm: float) -> _Floats:
    """Return a line that goes on straight beyond its ends."""
    steps = np.arange(1, round(by_mm / _STEP_MM) + 1)[:, None]
    back = round(AHEAD_MM / _STEP_MM)
    first, last = line[0] - line[min(back, len(line) - 1)], line[-1] - line[max(-back - 1, -len(line))]
    ways = [_STEP_MM * way / max(float(np.hypot(*way)), 1e-9) for way in (first, last)]
    longer: _Floats = np.concatenate([(line[0] + steps * ways[0])[::-1], line, line[-1] + steps * ways[1]])
    return longer
