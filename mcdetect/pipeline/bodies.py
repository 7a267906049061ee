"""Large bodies on the way: found before vessels and groups; each counts once and is measured whole."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt
from scipy.special import logit

from mcdetect.config import Config
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.pipeline.searching import Searched
from mcdetect.result import Marks
from mcdetect.result.marks import SCALE_TO_DIAMETER
from mcdetect.shapes.large import LargeBody, find_large_bodies, one_mark_per_large_body

__all__ = ["find_bodies", "least_log_odds", "measured_whole"]

_Ints = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]

_SKIN_MM = 4.0  # Judged: skin is 1 to 3 mm thick, and its outline is known to about a millimetre
_UNMARKED = -20.0  # Technical: log-odds by the filters for specks of what they do not see
_LEAST_SCORE = 1e-9  # Technical: an operating point of 0 or 1 has no finite log-odds


def find_bodies(
    candidates: Marks, likely: _Ints, found: Searched, spacing: PixelSpacing, config: Config
) -> tuple[Marks, _Ints, list[LargeBody]]:
    """Find the large bodies, and keep one mark for each, in its middle.

    Parameters
    ----------
    candidates : Marks
        Everything that was considered.
    likely : (n,) int64 array
        Which of them are calcifications by the filters for specks.
    found : Searched
        What was searched.
    spacing : PixelSpacing
        Pixel spacing in mm.
    config : Config
        Options.

    Returns
    -------
    candidates : Marks
        With the body of each; those that stand for a body reach the operating point.
    accepted : (m,) int64 array
        Which of them are calcifications.
    bodies : list of LargeBody
        In the order of their numbers.
    """
    certain = np.zeros(len(candidates), np.bool_)
    certain[likely] = True
    row, col = found.in_part(candidates)
    top, left = found.origin_px
    rows, cols = found.equalised.shape
    searched = found.breast.searched[top : top + rows, left : left + cols]
    if found.breast.hidden is not None:
        searched = searched | found.breast.hidden[top : top + rows, left : left + cols]
    bodies = find_large_bodies(found.equalised, row, col, candidates.log_odds, certain, spacing, searched)
    bodies = [body for body in bodies if certain[body.marks].any() or not _doubtful(body, found)]
    candidates, bodies = _all_marked(candidates, bodies, found, spacing)
    certain = np.pad(certain, (0, len(candidates) - certain.size))
    keep, number = one_mark_per_large_body(bodies, candidates.log_odds, certain)
    on = np.flatnonzero(keep & (number >= 0))
    body = np.zeros(len(candidates))
    body[on] = number[on] + 1.0
    log_odds = candidates.log_odds.copy()
    log_odds[on] = np.maximum(log_odds[on], least_log_odds(config))
    row_px, col_px = candidates.row_px.copy(), candidates.col_px.copy()
    last = np.array(found.breast.mask.shape) - 1.0
    for k in on:
        middle = bodies[number[k]]
        place = np.array([middle.row_px + found.origin_px[0], middle.col_px + found.origin_px[1]])
        row_px[k], col_px[k] = np.clip(place, 0.0, last)
    moved = dataclasses.replace(
        candidates,
        row_px=row_px,
        col_px=col_px,
        row_mm=row_px * spacing.row_mm,
        col_mm=col_px * spacing.col_mm,
        log_odds=log_odds,
        body=body,
    )
    order = np.argsort(-log_odds, kind="stable")
    return moved.take(order), np.flatnonzero(keep[order]), bodies


def least_log_odds(config: Config) -> float:
    """Return the log-odds that reach the operating point."""
    return float(logit(np.clip(config.calcifications.min_score, _LEAST_SCORE, 1.0 - _LEAST_SCORE)))


def _all_marked(
    candidates: Marks, bodies: list[LargeBody], found: Searched, spacing: PixelSpacing
) -> tuple[Marks, list[LargeBody]]:
    """Give a mark to each body on which the filters for specks left none."""
    bare = [body for body in bodies if body.marks.size == 0]
    if not bare:
        return candidates, bodies
    row_px = np.array([body.row_px + found.origin_px[0] for body in bare])
    col_px = np.array([body.col_px + found.origin_px[1] for body in bare])
    none = np.zeros(len(bare))
    added = Marks(
        row_px=row_px,
        col_px=col_px,
        row_mm=row_px * spacing.row_mm,
        col_mm=col_px * spacing.col_mm,
        snr=np.array([body.measures["contrast"] for body in bare]),
        scale_mm=np.array([body.measures["diameter_mm"] for body in bare]) / SCALE_TO_DIAMETER,
        line=none,
        log_odds=none + _UNMARKED,
        own_log_odds=none + _UNMARKED,
        body=none,
        vessel=none,
    )
    number = iter(range(len(candidates), len(candidates) + len(bare)))
    marked = [
        body if body.marks.size else dataclasses.replace(body, marks=np.array([next(number)], np.int64))
        for body in bodies
    ]
    return candidates.joined(added), marked


def _doubtful(body: LargeBody, found: Searched) -> bool:
    """Tell whether a body without a certain mark is none: where skin and folds, too, are bright and steep,
    and in a picture of several slices, which shows parts of lines.
    """
    if found.focus is not None:
        return True
    place = np.array([body.row_px]) + found.origin_px[0], np.array([body.col_px]) + found.origin_px[1]
    return bool(found.breast.skin_distance_at(*place)[0] < _SKIN_MM)


def measured_whole(
    marks: Marks, bodies: list[LargeBody], measures: dict[str, _Floats]
) -> tuple[dict[str, _Floats], npt.NDArray[np.object_]]:
    """Return the measures with those of whole large bodies in their places, and the kind of each mark.

    Parameters
    ----------
    marks : Marks
        Calcifications, with the body of each.
    bodies : list of LargeBody
        In the order of their numbers.
    measures : dict of str to (n,) float64 array
        Measures of the marks as specks.
    """
    whole = {name: values.copy() for name, values in measures.items()}
    kind = np.full(len(marks), "", dtype=object)
    for k in np.flatnonzero(marks.body > 0):
        body = bodies[int(marks.body[k]) - 1]
        kind[k] = body.kind
        for name, value in body.measures.items():
            whole[name][k] = value
        # of the axes that are given, which reach to the border of the body
        share = body.measures["minor_axis_mm"] / body.measures["major_axis_mm"]
        whole["eccentricity"][k] = math.sqrt(max(0.0, 1.0 - share**2))
    return whole, kind
