"""Calcified arteries: how far each calcification lies on one, from the curve that it is part of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mcdetect.clusters.descriptors.curves import Curves, find_curves
from mcdetect.clusters.descriptors.smooth import falling, rising

__all__ = ["Vessels", "find_vessels", "judge_groups"]

_Floats = npt.NDArray[np.float64]

# Judged: checked on phantoms and on a film with many calcified arteries. Log-odds that a curve is an artery:
# more of them name more arteries, and more ducts and chance rows with them.
_BASE = -7.7  # of a curve without any of the signs
_LENGTH, _PURITY, _ALONG, _LINE, _TRACKS, _OTHERS = 3.0, 1.5, 1.5, 1.5, 2.0, 2.0  # of each sign, fully given

# Judged: the same check. Where each sign begins to count, and where it counts fully.
LENGTH_MM = (8.0, 20.0)  # of the curve
PURITY = (0.5, 0.9)  # share of the calcifications about it that lie on it
ALONG = (0.1, 0.4)  # how well its members point along it
LINE = (0.1, 0.35)  # share of its contrast that a line through a member keeps
TRACKS_MM = (0.15, 0.45)  # RMS distance of the members from the middle: two walls, no single file
CALIBRE_MM = (1.0, 1.8)  # the same distance: no artery is so wide; the sign fades out
OTHERS_MM = (10.0, 40.0)  # length of other such curves in the image
PIECES_MM = (40.0, 80.0)  # length of all curves, from which on single pieces count as artery
_PIECE = 0.8  # grade of such a piece at most
GROUP = (0.25, 0.45)
"""Mean grade of a group below and above which its members are not, or are, taken to lie on an artery."""
GROUP_ARTERIAL = 0.5
"""Mean grade from which a group is a stretch of artery, not a finding that others may continue."""


@dataclass(frozen=True)
class Vessels:
    """Calcified arteries among the calcifications of an image.

    Parameters
    ----------
    grade : (n,) float64 array
        How far each calcification is taken to lie on an artery, 0 to 1.
    curves : Curves
        The curves that were judged.
    curve_grade : (c,) float64 array
        How far each curve looks like an artery, 0 to 1.
    along, line, tracks_mm : (c,) float64 arrays
        What spoke for it, with the curve's length and purity: how well members point along the curve
        (-1 to 1), how much of a line passes through them (0 to 1), and their spread about the middle in mm.
        NaN where it was not measured.
    """

    grade: _Floats
    curves: Curves
    curve_grade: _Floats
    along: _Floats
    line: _Floats
    tracks_mm: _Floats


def find_vessels(
    row_mm: _Floats,
    col_mm: _Floats,
    orientation_deg: _Floats | None = None,
    eccentricity: _Floats | None = None,
    line: _Floats | None = None,
) -> Vessels:
    """Judge every smooth curve among the calcifications of an image.

    Parameters
    ----------
    row_mm, col_mm : (n,) float64 arrays
        Centres, in mm.
    orientation_deg, eccentricity : (n,) float64 arrays, optional
        Of each calcification, as in `mcdetect.schema.CALCIFICATIONS`.
    line : (n,) float64 array, optional
        Share of its contrast that a line through each calcification keeps on both sides, 0 to 1.

    Returns
    -------
    Vessels

    Notes
    -----
    BI-RADS calls vascular what follows an artery, as parallel tracks or as a line of tubes. Six signs speak
    for an artery, and their log-odds are added:

    - the curve is long: arteries calcify over centimetres;
    - few calcifications lie beside it;
    - its members point along it;
    - a line passes through its members;
    - its members lie in two tracks, as far apart as an artery is wide, and not in single file;
    - the image shows other such curves.

    Calcifications in single file in a duct lack the last two signs. A tight group lacks the first ones. A
    sign that is unknown counts half. The weights are a judgement, checked on phantoms and on a film with
    many calcified arteries.

    Where the curves of an image add up to some 6 cm, single calcifications with a line through them are
    taken for pieces of arteries too.
    """
    curves = find_curves(row_mm, col_mm)
    count = curves.length_mm.size
    grade = np.zeros(row_mm.size)
    along, through, tracks = (np.full(count, np.nan) for _ in range(3))
    if count == 0:
        return Vessels(grade, curves, np.zeros(0), along, through, tracks)
    for k in range(count):
        members = curves.label == k + 1
        tracks[k] = np.sqrt(np.mean(curves.offset_mm[members] ** 2))
        if orientation_deg is not None and eccentricity is not None:
            turn = np.radians(orientation_deg[members] - curves.direction_deg[members])
            pull = eccentricity[members] ** 2 * np.cos(2.0 * turn)
            along[k] = _mean(np.where(np.isfinite(eccentricity[members]) & ~np.isfinite(pull), 0.0, pull))
        if line is not None:
            through[k] = _median(np.clip(line[members], 0.0, 1.0))
    odds = _BASE + _LENGTH * rising(curves.length_mm, *LENGTH_MM) + _PURITY * rising(curves.purity, *PURITY)
    odds += _TRACKS * rising(tracks, *TRACKS_MM) * falling(tracks, *CALIBRE_MM)
    odds += _ALONG * _half_if_unknown(rising(along, *ALONG)) + _LINE * _half_if_unknown(
        rising(through, *LINE)
    )
    likely = curves.length_mm * rising(odds, -1.0, 1.0)
    odds += _OTHERS * rising(likely.sum() - likely, *OTHERS_MM)
    curve_grade: _Floats = 1.0 / (1.0 + np.exp(-odds))
    inside = curves.label > 0
    grade[inside] = curve_grade[curves.label[inside] - 1]
    if line is not None:
        # Where arteries are calcified, so are their branches: pieces too short for a curve of their own.
        arteries = rising((curves.length_mm * curve_grade).sum(), *PIECES_MM)
        piece = _PIECE * arteries * np.nan_to_num(rising(line, *LINE))
        grade = np.maximum(grade, piece)
    return Vessels(grade, curves, curve_grade, along, through, tracks)


def judge_groups(
    grade: _Floats, inside: list[npt.NDArray[np.bool_]]
) -> tuple[_Floats, npt.NDArray[np.bool_]]:
    """Judge groups by the mean grade of their members, as a wall calcifies over a length.

    Parameters
    ----------
    grade : (n,) float64 array
        Of each calcification, as in `Vessels`.
    inside : list of (n,) bool arrays
        Members of each group, at least one.

    Returns
    -------
    grade : (n,) float64 array
        Lower for members whose group as a whole lies on no artery.
    arterial : (g,) bool array
        Which groups are stretches of an artery.
    """
    mean = np.array([grade[chosen].mean() for chosen in inside], np.float64)
    shared = grade.copy()
    for chosen, weight in zip(inside, rising(mean, *GROUP), strict=True):
        shared[chosen] *= weight
    return shared, mean >= GROUP_ARTERIAL


def _half_if_unknown(share: _Floats) -> _Floats:
    return np.where(np.isnan(share), 0.5, share)


def _mean(values: _Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _median(values: _Floats) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else float("nan")
