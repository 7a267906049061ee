"""Calcified arteries on the way: found before groups, so that their pieces form none and feed none."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from mcdetect.clusters.arteries import find_arteries, length_along
from mcdetect.clusters.plaques import find_plaque_rows
from mcdetect.clusters.rule import Groups, find_groups
from mcdetect.config import Config, GroupConfig
from mcdetect.pipeline.searching import Searched
from mcdetect.result import Calcifications, Marks
from mcdetect.spots.bands import find_bands
from mcdetect.spots.context import in_context

__all__ = ["find_groups_and_vessels", "follow_vessels", "join_plaques", "measure_vessels"]

_Ints = npt.NDArray[np.int64]

_DOUBTFUL = -2.5  # Judged: individual score from which a spot helps to follow a vessel
_WHOLE_MM = 50.0  # Technical: the largest link distance; an artery's gaps are far below it


def follow_vessels(
    candidates: Marks, accepted: _Ints, found: Searched, config: Config
) -> tuple[Marks, _Ints]:
    """Tell the calcifications on arteries, and score all others anew without them as neighbours.

    Parameters
    ----------
    candidates : Marks
        Everything that was considered, by falling score.
    accepted : (n,) int64 array
        Which of them are calcifications.
    found : Searched
        What was searched.
    config : Config
        Options.

    Returns
    -------
    candidates : Marks
        By falling score, with the vessel of each.
    accepted : (m,) int64 array
        Which of them are calcifications: without those that only a vessel's pieces had lifted.
    """
    sure = np.zeros(len(candidates), np.bool_)
    sure[accepted] = True
    tried = np.flatnonzero(sure | (candidates.own_log_odds > _DOUBTFUL))
    marks = candidates.take(tried)
    skin_mm = found.breast.skin_distance_at(marks.row_px, marks.col_px)
    arteries = find_arteries(marks.row_mm, marks.col_mm, skin_mm, find_bands(found.coarse), sure[tried])
    if len(arteries) == 0:
        return candidates, accepted
    vessel = np.zeros(len(candidates), np.int64)
    vessel[tried] = arteries.label
    beside = np.flatnonzero(arteries.beside(candidates.row_mm, candidates.col_mm) == 0)
    log_odds = candidates.log_odds.copy()
    log_odds[beside] = in_context(
        candidates.row_mm[beside],
        candidates.col_mm[beside],
        candidates.own_log_odds[beside],
        candidates.snr[beside],
        found.area_cm2,
        config.calcifications,
    )
    whole = candidates.body > 0  # a large body is certain by its border, whatever lies around
    log_odds[whole] = np.maximum(log_odds[whole], candidates.log_odds[whole])
    scored = dataclasses.replace(candidates, log_odds=log_odds, vessel=vessel.astype(np.float64))
    kept = np.zeros(len(candidates), np.bool_)
    kept[accepted] = (vessel[accepted] > 0) | (scored.score[accepted] >= config.calcifications.min_score)
    order = np.argsort(-log_odds, kind="stable")
    return scored.take(order), np.flatnonzero(kept[order])


def join_plaques(calcifications: Calcifications) -> Calcifications:
    """Return the calcifications with those on arteries that their plaques tell, though no band shows.

    Parameters
    ----------
    calcifications : Calcifications
        Measured, with the vessels that bands tell.
    """
    marks, measures = calcifications.marks, calcifications.measures
    places = marks.row_mm, marks.col_mm
    rows = find_plaque_rows(
        *places, *(measures[name] for name in ("orientation_deg", "major_axis_mm", "aspect"))
    )
    vessel = marks.vessel.copy()
    for number in range(1, int(rows.max(initial=0)) + 1):
        members = rows == number
        known = vessel[members & (vessel > 0)]
        own = np.bincount(known.astype(np.int64)).argmax() if known.size else vessel.max() + 1.0
        vessel[members & (vessel == 0)] = own
    return dataclasses.replace(calcifications, marks=dataclasses.replace(marks, vessel=vessel))


def find_groups_and_vessels(marks: Marks, objects: npt.NDArray[np.bool_], config: GroupConfig) -> Groups:
    """Group the calcifications that lie on no artery; every artery is a group of its own.

    Parameters
    ----------
    marks : Marks
        Calcifications, with the vessel of each.
    objects : (n,) bool array
        Clips and the like, which belong to no group.
    config : GroupConfig
        The rule, which flags arteries as it flags groups.
    """
    n = len(marks)
    free = np.flatnonzero((marks.vessel == 0) & ~objects)
    groups = find_groups(marks.row_mm[free], marks.col_mm[free], config).spread_over(free, n)
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
