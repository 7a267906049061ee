"""Which mark found which lesion: what every matching rule has in common, and the rules for calcifications.

A rule says which marks may stand for which lesions. Marks and lesions are then told apart once, for all
thresholds: taking away the marks below any threshold leaves the verdict on the others as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from mcdetect.validation.evaluation.cases import Bools, Floats, Ints, Marks, Points, Regions

__all__ = [
    "CALCIFICATION_RULES",
    "FALSE",
    "NOT_COUNTED",
    "TRUE",
    "CalcificationRule",
    "Matching",
    "Pairs",
    "disc_iou",
    "in_dont_care",
    "match_calcifications",
    "settle",
]

# Technical: verdicts on a mark.
TRUE, FALSE, NOT_COUNTED = 1, 0, -1

# Standard: Marasinou et al., J. Digit. Imaging 2023.
HDOGREG_DISTANCE_MM = 0.35  # between the centres of mark and calcification
HDOGREG_IOU = 0.3  # or overlap of their discs, intersection over union

# Judged: 7, 15 and 14 pixels of 0.07 mm. Longer reaches forgive marks and truth set by hand, and chance hits.
CALCDET_DISC_MM = 0.49  # diameter of the disc on the mark
CALCDET_LARGEST_MM = 1.05  # diameter of a calcification, above which it does not count
LENIENT_DISTANCE_MM = 0.98  # between the centres of mark and calcification

# Technical: rounding.
_ROUNDING_MM = 1e-9


@dataclass(frozen=True)
class Pairs:
    """Marks that may stand for lesions, p pairs.

    Attributes
    ----------
    mark, lesion : (p,) int64
        Numbers of the two.
    cost : (p,) float64
        Of two lesions a mark may stand for, it takes that of lower cost, of equal ones the first (one-to-one
        rules only).
    """

    mark: Ints
    lesion: Ints
    cost: Floats


@dataclass(frozen=True)
class Matching:
    """The verdict on every mark and every lesion.

    Attributes
    ----------
    status : (m,) int8
        `TRUE`, `FALSE` or `NOT_COUNTED` (on something that neither counts as found nor as false).
    lesion : (m,) int64
        A lesion that the mark stands for, -1 for none.
    rating : (k,) float64
        Highest score of the marks that found the lesion, minus infinity when it was missed.
    counted : (k,) bool
        Lesions that count.
    """

    status: npt.NDArray[np.int8]
    lesion: Ints
    rating: Floats
    counted: Bools


@dataclass(frozen=True)
class CalcificationRule:
    """One way to decide that a mark stands for a calcification.

    Attributes
    ----------
    name, meaning : str
    one_to_one : bool
        A mark finds one lesion at most, and further marks on a found lesion are false.
    largest_mm : float
        Larger lesions do not count.
    pairs : callable
        From marks and lesions to `Pairs`.
    """

    name: str
    meaning: str
    one_to_one: bool
    largest_mm: float
    pairs: Callable[[Marks, Points], Pairs]


def disc_iou(distance: Floats, first: Floats, second: Floats) -> Floats:
    """Return the intersection of two discs over their union.

    Parameters
    ----------
    distance : (p,) float64
        Between the centres.
    first, second : (p,) float64
        Diameters; not-a-number and 0 give 0.
    """
    one, two = np.minimum(first, second) / 2.0, np.maximum(first, second) / 2.0
    with np.errstate(invalid="ignore", divide="ignore"):
        d = np.clip(distance, two - one, two + one)
        alpha = np.arccos(np.clip((d**2 + one**2 - two**2) / (2 * d * one), -1.0, 1.0))
        beta = np.arccos(np.clip((d**2 + two**2 - one**2) / (2 * d * two), -1.0, 1.0))
        lens = one**2 * (alpha - np.sin(2 * alpha) / 2) + two**2 * (beta - np.sin(2 * beta) / 2)
        shared = np.where(distance <= two - one, np.pi * one**2, lens)
        shared = np.where(distance >= two + one, 0.0, shared)
        iou = shared / (np.pi * (one**2 + two**2) - shared)
    return np.where((one > 0) & np.isfinite(iou), iou, 0.0)


def _near(marks: Marks, lesions: Points, reach_mm: float) -> tuple[Ints, Ints, Floats]:
    """Return marks and lesions of one image at most `reach_mm` apart, and their distances."""
    first, second, apart = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0)]
    for image in np.unique(lesions.image):
        m0, m1 = np.searchsorted(marks.image, [image, image + 1])
        k0, k1 = np.searchsorted(lesions.image, [image, image + 1])
        if m0 == m1:
            continue
        near = cKDTree(marks.place_mm[m0:m1]).sparse_distance_matrix(
            cKDTree(lesions.place_mm[k0:k1]), reach_mm + _ROUNDING_MM, output_type="ndarray"
        )
        first.append(near["i"].astype(np.int64) + m0)
        second.append(near["j"].astype(np.int64) + k0)
        apart.append(near["v"])
    return np.concatenate(first), np.concatenate(second), np.concatenate(apart)


def _largest(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.max()) if known.size else 0.0


def _within(reach_mm: float) -> Callable[[Marks, Points], Pairs]:
    def pairs(marks: Marks, lesions: Points) -> Pairs:
        return Pairs(*_near(marks, lesions, reach_mm))

    return pairs


def _hdogreg(marks: Marks, lesions: Points) -> Pairs:
    overlap = (_largest(marks.diameter_mm) + _largest(lesions.diameter_mm)) / 2.0
    mark, lesion, apart = _near(marks, lesions, max(HDOGREG_DISTANCE_MM, overlap))
    iou = disc_iou(apart, marks.diameter_mm[mark], lesions.diameter_mm[lesion])
    near = apart <= HDOGREG_DISTANCE_MM + _ROUNDING_MM
    keep = near | (iou >= HDOGREG_IOU)
    # Every distance beats every overlap: the overlap is asked only where no centroid is near.
    cost = np.where(near, apart, 1e6 - iou)
    return Pairs(mark[keep], lesion[keep], cost[keep])


def _calcdet(marks: Marks, lesions: Points) -> Pairs:
    reach = (CALCDET_DISC_MM + _largest(lesions.diameter_mm)) / 2.0
    mark, lesion, apart = _near(marks, lesions, reach)
    size = np.nan_to_num(lesions.diameter_mm[lesion])
    keep = apart <= (CALCDET_DISC_MM + size) / 2.0 + _ROUNDING_MM
    return Pairs(mark[keep], lesion[keep], apart[keep])


CALCIFICATION_RULES: dict[str, CalcificationRule] = {
    rule.name: rule
    for rule in (
        CalcificationRule(
            "hdogreg",
            "one mark, one lesion, by falling score: centres within 0.35 mm, else discs with IoU >= 0.3; "
            "further marks on a found lesion are false",
            True,
            np.inf,
            _hdogreg,
        ),
        CalcificationRule(
            "calcdet",
            "a disc of 0.49 mm on the mark touches the lesion; one mark may find several; "
            "lesions over 1.05 mm do not count",
            False,
            CALCDET_LARGEST_MM,
            _calcdet,
        ),
        CalcificationRule(
            "lenient",
            "centres within 0.98 mm; one mark may find several",
            False,
            np.inf,
            _within(LENIENT_DISTANCE_MM),
        ),
    )
}
"""Matching rules for single calcifications by name."""


def in_dont_care(marks: Marks, regions: Regions) -> Bools:
    """Tell which marks have their centre in a region in which marks do not count; (m,) bool."""
    inside = np.zeros(len(marks), dtype=bool)
    for number in np.flatnonzero(regions.ignore):
        m0, m1 = np.searchsorted(marks.image, [regions.image[number], regions.image[number] + 1])
        box, radius = regions.box_mm[number], regions.radius_mm[number]
        place = marks.place_mm[m0:m1]
        if np.isnan(radius):
            inside[m0:m1] |= ((place >= box[:2]) & (place <= box[2:])).all(axis=1)
        else:
            inside[m0:m1] |= np.hypot(*(place - (box[:2] + box[2:]) / 2.0).T) <= radius
    return inside


def settle(score: Floats, pairs: Pairs, ignore: Bools, *, one_to_one: bool, dont_care: Bools) -> Matching:
    """Decide from the possible pairs what every mark is worth.

    Parameters
    ----------
    score : (m,) float64
        Of the marks.
    pairs : Pairs
        What the rule allows.
    ignore : (k,) bool
        Lesions that do not count; a mark that may stand for one of them is not false.
    one_to_one : bool
        By falling score, every mark takes the free lesion of lowest cost; of marks of equal score that of
        lower cost comes first. Otherwise a mark finds all lesions it may stand for, and all marks on a
        lesion are true.
    dont_care : (m,) bool
        Marks that are not false, wherever they are.
    """
    status = np.zeros(len(score), dtype=np.int8)
    lesion = np.full(len(score), -1, dtype=np.int64)
    rating = np.full(len(ignore), -np.inf)
    real = ~ignore[pairs.lesion]
    mark, found, cost = pairs.mark[real], pairs.lesion[real], pairs.cost[real]
    if one_to_one:
        order = np.lexsort((found, mark, cost, -score[mark]))
        for m, k in zip(mark[order].tolist(), found[order].tolist(), strict=True):
            if lesion[m] < 0 and rating[k] == -np.inf:
                lesion[m], rating[k], status[m] = k, score[m], TRUE
    else:
        np.maximum.at(rating, found, score[mark])
        order = np.argsort(-cost, kind="stable")
        lesion[mark[order]] = found[order]
        status[mark] = TRUE
    left = status == FALSE
    beside = np.zeros(len(score), dtype=bool)
    beside[pairs.mark[~real]] = True
    status[left & (beside | dont_care)] = NOT_COUNTED
    return Matching(status, lesion, rating, ~ignore)


def match_calcifications(marks: Marks, lesions: Points, regions: Regions, rule: str) -> Matching:
    """Match marks with single calcifications.

    Parameters
    ----------
    marks : Marks
    lesions : Points
    regions : Regions
        Those to be ignored are regions in which marks do not count.
    rule : str
        A key of `CALCIFICATION_RULES`.
    """
    if rule not in CALCIFICATION_RULES:
        raise ValueError(
            f"unknown rule {rule!r} for calcifications; choose from {', '.join(CALCIFICATION_RULES)}"
        )
    chosen = CALCIFICATION_RULES[rule]
    with np.errstate(invalid="ignore"):
        ignore = lesions.ignore | (lesions.diameter_mm > chosen.largest_mm)
    return settle(
        marks.score,
        chosen.pairs(marks, lesions),
        ignore,
        one_to_one=chosen.one_to_one,
        dont_care=in_dont_care(marks, regions),
    )
