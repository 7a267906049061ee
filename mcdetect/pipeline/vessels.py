"""Calcified arteries on the way: found before groups, so that their pieces form none and feed none."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from mcdetect.clusters.arteries import SKIN_MM, find_arteries, length_along
from mcdetect.clusters.courses import joined_courses, strays_beside
from mcdetect.clusters.depth import find_groups_in_depth
from mcdetect.clusters.plaques import find_plaque_rows
from mcdetect.clusters.rule import Groups, find_groups
from mcdetect.config import Config, GroupConfig
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.pipeline.bodies import least_log_odds
from mcdetect.pipeline.searching import Searched
from mcdetect.result import Marks
from mcdetect.spots.bands import find_bands
from mcdetect.spots.context import in_context
from mcdetect.spots.dashes import find_dashes

__all__ = ["find_groups_and_vessels", "follow_vessels", "measure_vessels"]

_Ints = npt.NDArray[np.int64]
_Yes = npt.NDArray[np.bool_]
_Courses = list[tuple[int, npt.NDArray[np.float64]]]
"""Vessel and its middle line, (row, col) in mm."""

_DOUBTFUL = -2.5  # Judged: individual score from which a spot helps to follow a vessel
_DASH_DOUBTFUL = -5.0  # Judged: the same from which it may be a dash: dashes look little like specks
_PER_LOG_ODDS, _USUAL = 0.1, (-3.0, -2.0, 4.0)
"""Judged: evidence for calcium by how far a dash's individual score is from the usual one, within bounds."""
_CERTAIN = 2  # Judged: of its marks are certain, at least: rows of pieces of one ligament have none
_APART_MM = 0.5  # Judged: farther from every certain mark, a plaque gets one of its own
_WHOLE_MM = 50.0  # Technical: the largest link distance; an artery's gaps are far below it


def follow_vessels(
    candidates: Marks,
    accepted: _Ints,
    found: Searched,
    spacing: PixelSpacing,
    config: Config,
    *,
    twice: bool = False,
) -> tuple[Marks, _Ints]:
    """Tell the calcifications on arteries, and score all others anew without them as neighbours.

    An artery is followed along its soft band, or along the plaques in its walls, which need not be certain
    one by one.

    Parameters
    ----------
    candidates : Marks
        Everything that was considered, by falling score.
    accepted : (n,) int64 array
        Which of them are calcifications.
    found : Searched
        What was searched.
    spacing : PixelSpacing
        Pixel spacing in mm.
    config : Config
        Options.
    twice : bool
        Candidates were looked at twice: what the vessel's pieces gave them by context is taken off.

    Returns
    -------
    candidates : Marks
        By falling score, with the vessel of each.
    accepted : (m,) int64 array
        Which of them are calcifications: without those that only a vessel's pieces had lifted, with the
        plaques of vessels.
    """
    sure = np.zeros(len(candidates), np.bool_)
    sure[accepted] = True
    vessel, taken, courses = _on_bands(candidates, sure, found)
    plaque, courses = _on_plaques(candidates, sure, found, spacing, vessel, taken, courses)
    if not vessel.any():
        return candidates, accepted
    _join(candidates, sure | plaque, vessel, taken, courses, config.groups.link_mm)
    beside = np.flatnonzero(~taken)
    log_odds = candidates.log_odds.copy()
    alone = _in_context(candidates, beside, found, config)
    if twice:
        among = _in_context(candidates, np.arange(len(candidates)), found, config)
        log_odds[beside] += np.minimum(alone - among[beside], 0.0)
    else:
        log_odds[beside] = alone
    whole = candidates.body > 0  # a large body is certain by its border, whatever lies around
    log_odds[whole] = np.maximum(log_odds[whole], candidates.log_odds[whole])
    log_odds[plaque] = np.maximum(log_odds[plaque], least_log_odds(config))
    scored = dataclasses.replace(candidates, log_odds=log_odds, vessel=vessel.astype(np.float64))
    kept = plaque | (sure & ((vessel > 0) | (scored.score >= config.calcifications.min_score)))
    order = np.argsort(-log_odds, kind="stable")
    return scored.take(order), np.flatnonzero(kept[order])


def _in_context(candidates: Marks, chosen: _Ints, found: Searched, config: Config) -> npt.NDArray[np.float64]:
    """Return the scores of some candidates with each other as neighbours."""
    part = candidates.take(chosen)
    return in_context(
        part.row_mm,
        part.col_mm,
        part.own_log_odds,
        part.snr,
        found.area_cm2,
        config.calcifications,
        found.depths(part.row_px, part.col_px),
        found.breast.at_skin_at(part.row_px, part.col_px),
    )


def _on_bands(candidates: Marks, sure: _Yes, found: Searched) -> tuple[_Ints, _Yes, _Courses]:
    """Return the vessel of each candidate by the soft bands, which lie in the width of one, and courses."""
    tried = np.flatnonzero(sure | (candidates.own_log_odds > _DOUBTFUL))
    marks = candidates.take(tried)
    skin_mm = found.breast.skin_distance_at(marks.row_px, marks.col_px)
    arteries = find_arteries(marks.row_mm, marks.col_mm, skin_mm, find_bands(found.coarse), sure[tried])
    vessel = np.zeros(len(candidates), np.int64)
    vessel[tried] = arteries.label
    beside = arteries.beside(candidates.row_mm, candidates.col_mm) > 0
    return vessel, beside, list(enumerate(arteries.lines_mm, start=1))


def _on_plaques(
    candidates: Marks,
    sure: _Yes,
    found: Searched,
    spacing: PixelSpacing,
    vessel: _Ints,
    taken: _Yes,
    courses: _Courses,
) -> tuple[_Yes, _Courses]:
    """Add the vessels that dashes tell to `vessel` and `taken`.

    Returns which candidates are their plaques, and the courses of all vessels.
    """
    plaque = np.zeros(len(candidates), np.bool_)
    tried = np.flatnonzero(sure | (candidates.own_log_odds > _DASH_DOUBTFUL))
    row, col = found.in_part(candidates.take(tried))
    dashes = find_dashes(found.equalised, row, col, spacing, found.origin_px)
    places = np.column_stack([candidates.row_mm, candidates.col_mm])
    skin_mm = found.breast.skin_distance_at(candidates.row_px, candidates.col_px)
    own = candidates.own_log_odds[tried[dashes.mark]]
    evidence = dashes.evidence + _PER_LOG_ODDS * np.clip(own - _USUAL[0], *_USUAL[1:])
    rows = find_plaque_rows(
        dashes.row_mm, dashes.col_mm, dashes.angle, dashes.length_mm, evidence, places[sure]
    )
    away = np.asarray(cKDTree(places[sure]).query(places)[0]) if sure.any() else np.full(len(places), np.inf)
    for number in range(1, len(rows.lines_mm) + 1):
        near = rows.holds(number, places)
        if np.count_nonzero(sure & near) < _CERTAIN:
            continue
        own_plaques = np.zeros(len(candidates), np.bool_)
        own_plaques[tried[dashes.mark[rows.label == number]]] = True
        own_plaques &= away > _APART_MM
        members = own_plaques | (sure & near)
        if np.median(skin_mm[members]) <= SKIN_MM:
            continue
        plaque |= own_plaques
        taken |= near
        known = vessel[members & (vessel > 0)]
        same = int(np.bincount(known).argmax() if known.size else vessel.max() + 1)
        vessel[np.isin(vessel, known)] = same
        vessel[members] = same
        courses = [(same if other in known else other, line) for other, line in courses]
        courses.append((same, rows.lines_mm[number - 1]))
    return plaque, courses


def _join(
    candidates: Marks, sure: _Yes, vessel: _Ints, taken: _Yes, courses: _Courses, link_mm: float
) -> None:
    """Make one in `vessel` of those that go on one in the other; add to it and `taken` the few beside."""
    number, between = joined_courses([line for _, line in courses])
    own = np.array([of for of, _ in courses])
    for one in np.unique(number):
        vessel[np.isin(vessel, own[number == one])] = own[number == one].min()
    lines = [line for _, line in courses]
    places = np.column_stack([candidates.row_mm, candidates.col_mm])
    added = strays_beside(places[sure], vessel[sure], lines + between, link_mm)
    vessel[sure] += added
    taken[sure] |= added > 0


def find_groups_and_vessels(
    marks: Marks,
    objects: npt.NDArray[np.bool_],
    config: GroupConfig,
    depth_mm: npt.NDArray[np.float64] | None = None,
) -> Groups:
    """Group the calcifications that lie on no artery; every artery is a group of its own.

    Parameters
    ----------
    marks : Marks
        Calcifications, with the vessel of each.
    objects : (n,) bool array
        Clips and the like, which belong to no group.
    config : GroupConfig
        The rule, which flags arteries as it flags groups.
    depth_mm : (n,) float64 array, optional
        Depth of each in a stack of slices: what lies at other depths belongs to another group.
    """
    n = len(marks)
    free = np.flatnonzero((marks.vessel == 0) & ~objects)
    if depth_mm is None:
        groups = find_groups(marks.row_mm[free], marks.col_mm[free], config)
    else:
        groups = find_groups_in_depth(marks.row_mm[free], marks.col_mm[free], depth_mm[free], config)
    groups = groups.spread_over(free, n)
    for number in range(1, int(marks.vessel.max(initial=0)) + 1):
        members = np.flatnonzero((marks.vessel == number) & ~objects)
        whole = dataclasses.replace(config, link_mm=_WHOLE_MM)
        groups = groups.joined(
            find_groups(marks.row_mm[members], marks.col_mm[members], whole).spread_over(members, n)
        )
    return groups


def measure_vessels(
    label: _Ints, marks: Marks, area_mm2: npt.NDArray[np.float64]
) -> dict[str, npt.NDArray[np.float64]]:
    """Return length and calcified area of every group that is an artery, 0 for the others.

    Parameters
    ----------
    label : (n,) int64 array
        Group of each calcification, 0 for none.
    marks : Marks
        The calcifications.
    area_mm2 : (n,) float64 array
        Area of each, NaN without an outline.
    """
    count = int(label.max(initial=0))
    length, area = np.zeros(count), np.zeros(count)
    for group in np.unique(label[(marks.vessel > 0) & (label > 0)]):
        members = label == group
        length[group - 1] = length_along(marks.row_mm[members], marks.col_mm[members])
        area[group - 1] = np.nansum(area_mm2[members])
    return {"vascular_length_mm": length, "vascular_area_mm2": area}
