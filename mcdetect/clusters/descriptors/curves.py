"""Long smooth curves among calcifications: what calcified arteries leave, across groups."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from mcdetect.clusters.descriptors.spanning import longest_path
from mcdetect.kernels.strips import strip_directions

__all__ = ["Curves", "find_curves", "middle_line", "place_on"]

_Floats = npt.NDArray[np.float64]

# Judged: after the calibre and course of arteries. A wider reach joins broken walls, and chance rows too.
REACH_MM = 8.0
"""How far along a curve a calcification looks for others."""
HALF_WIDTH_MM = 1.2
"""Half the width of the strip that counts as one curve: a wall lies at most one calibre from the other.

Arteries that the mammogram shows calcified are about 1 to 2 mm wide.
"""
BEND_RADIUS_MM = 25.0
"""The strip widens with the square of the distance, as a curve of this radius leaves its tangent."""
LINK_MM = 5.0  # two calcifications of one curve lie at most this far apart
TURN_DEG = 35.0  # and their directions differ by at most this
_SMOOTHING_MM = 2.0  # SD of the Gaussian along the curve that the middle line is smoothed with

# Technical: how finely curves are computed.
_DIRECTIONS = 36  # tried for each calcification, over half a turn
_ROUNDS = 3  # of smoothing the middle line
_STEP_MM = 0.5  # between the points of the middle line
_MOST = 2000  # members that a middle line is drawn through; of more, evenly as many
_CROWD = 5000  # calcifications beyond which no curves are looked for: noise over the whole breast has so many
_CELLS = 1 << 22  # distances that are held at once


@dataclass(frozen=True)
class Curves:
    """Curves found among the calcifications of an image.

    Parameters
    ----------
    label : (n,) int64 array
        Curve of each calcification, from 1; 0 for none.
    direction_deg : (n,) float64 array
        Direction of the curve at each calcification, as displayed (against the rows,
        counter-clockwise, -90 to 90); NaN without a curve.
    offset_mm : (n,) float64 array
        Signed distance of each calcification to the middle of its curve, in mm; NaN without.
    length_mm : (c,) float64 array
        Length along the smooth middle line, in mm.
    purity : (c,) float64 array
        Share of the calcifications within 4 mm of a curve's members that are members, 0 to 1.
    """

    label: npt.NDArray[np.int64]
    direction_deg: _Floats
    offset_mm: _Floats
    length_mm: _Floats
    purity: _Floats


def find_curves(row_mm: _Floats, col_mm: _Floats, least: int = 5) -> Curves:
    """Join calcifications that follow one another along smooth curves.

    Each calcification takes the direction in which a strip of 2.4 mm through it holds most others; those
    that lie in one another's strips, at most 5 mm apart and with similar directions, belong to one curve.

    Parameters
    ----------
    row_mm, col_mm : (n,) float64 array
        Centres, in mm.
    least : int
        Members of a curve, at least.

    Returns
    -------
    Curves
    """
    n = row_mm.size
    label = np.zeros(n, np.int64)
    heading, offset = np.full(n, np.nan), np.full(n, np.nan)
    none = Curves(label, heading, offset, np.zeros(0), np.zeros(0))
    if n < least or n > _CROWD:
        return none
    points = np.column_stack([row_mm, col_mm])
    tree = cKDTree(points)
    pairs = tree.query_pairs(LINK_MM, output_type="ndarray")
    if len(pairs) == 0:
        return none
    angle = strip_directions(points, REACH_MM, HALF_WIDTH_MM, BEND_RADIUS_MM, _DIRECTIONS)
    step = points[pairs[:, 1]] - points[pairs[:, 0]]
    inside = np.ones(len(pairs), np.bool_)
    for end in (0, 1):
        along, across = _in_frame(step, angle[pairs[:, end]])
        inside &= np.abs(across) <= _strip(along)
    turn = np.abs((angle[pairs[:, 0]] - angle[pairs[:, 1]] + math.pi / 2) % math.pi - math.pi / 2)
    # Each must lie in the strip of the other.
    links = pairs[inside & (turn <= math.radians(TURN_DEG))]
    graph = coo_array((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(n, n))
    _, component = connected_components(graph, directed=False)
    size = np.bincount(component)
    lengths: list[float] = []
    purity: list[float] = []
    for number in np.flatnonzero(size >= least):
        members = np.flatnonzero(component == number)
        label[members] = len(lengths) + 1
        line = middle_line(points[members])
        side, course = place_on(points[members], line)
        offset[members] = side
        heading[members] = course
        lengths.append(float(np.hypot(*np.diff(line, axis=0).T).sum()))
        about = np.unique(
            np.concatenate([np.asarray(a) for a in tree.query_ball_point(points[members], 4.0)])
        )
        purity.append(members.size / about.size)
    return Curves(label, heading, offset, np.array(lengths), np.array(purity))


def _strip(along: _Floats) -> _Floats:
    return HALF_WIDTH_MM + along**2 / (2.0 * BEND_RADIUS_MM)


def _in_frame(step: _Floats, angle: _Floats) -> tuple[_Floats, _Floats]:
    """Components of steps (row, col) along directions (from +col towards -row) and across them."""
    cos, sin = np.cos(angle), np.sin(angle)
    return step[:, 1] * cos - step[:, 0] * sin, step[:, 1] * sin + step[:, 0] * cos


def middle_line(points: _Floats) -> _Floats:
    """Principal curve, from the longest path of the spanning tree (Hastie and Stuetzle 1989).

    doi:10.2307/2289936
    """
    points = points[:: -(-len(points) // _MOST)]
    walk = points[longest_path(np.ascontiguousarray(points))]
    for _ in range(_ROUNDS):
        walk = _smoothed(points, walk)
    return walk


def _smoothed(points: _Floats, line: _Floats) -> _Floats:
    """One round of a principal curve: places along the line, then a local straight fit at each place."""
    arc = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    if arc[-1] < _STEP_MM:
        return line
    even = np.linspace(0.0, arc[-1], max(3, math.ceil(arc[-1] / _STEP_MM)))
    sampled = np.column_stack([np.interp(even, arc, line[:, k]) for k in (0, 1)])
    place = even[_nearest_on(points, sampled)]
    even = even[(even >= place.min()) & (even <= place.max())]
    away = place[None] - even[:, None]
    weight = np.exp(-0.5 * (away / _SMOOTHING_MM) ** 2)
    zero, one = np.maximum(weight.sum(axis=1), 1e-9), (weight * away).sum(axis=1)
    # A ridge keeps the slope finite where all calcifications lie at one place.
    two = (weight * away**2).sum(axis=1) + 0.1 * _SMOOTHING_MM**2 * zero
    fit = weight * (two[:, None] - away * one[:, None]) / (zero * two - one**2)[:, None]
    smooth: _Floats = fit @ points
    return smooth


def place_on(points: _Floats, line: _Floats) -> tuple[_Floats, _Floats]:
    """Signed distance of points to a line, and its displayed direction (degrees) there."""
    ahead = np.gradient(line, axis=0) if len(line) > 1 else np.array([[0.0, 1.0]])
    nearest = _nearest_on(points, line)
    tangent = ahead[nearest]
    tangent = tangent / np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-12)[:, None]
    step = points - line[nearest]
    side = step[:, 0] * tangent[:, 1] - step[:, 1] * tangent[:, 0]
    degrees = np.degrees(np.arctan2(-tangent[:, 0], tangent[:, 1]))
    return side, (degrees + 90.0) % 180.0 - 90.0


def _nearest_on(points: _Floats, line: _Floats) -> npt.NDArray[np.int64]:
    """Return the nearest point of a line to each point, in parts, so that memory stays flat."""
    nearest = np.empty(len(points), np.int64)
    at_once = max(1, _CELLS // len(line))
    for start in range(0, len(points), at_once):
        part = slice(start, start + at_once)
        nearest[part] = np.argmin(((points[part, None] - line[None]) ** 2).sum(axis=2), axis=1)
    return nearest
