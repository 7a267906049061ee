"""Free-response curves, for one set of images and for many weighted ones at once.

The empirical curve is a staircase: every distinct score is a threshold, and all marks of one score count
together. The sensitivity "at" a rate of false positives is that of the lowest threshold whose rate does not
exceed it, so there is always a threshold that does what the figure says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from mcdetect.validation.evaluation.cases import Floats, Ints
from mcdetect.validation.evaluation.tally import Axis, Tally

__all__ = ["MOST_THRESHOLDS", "Counts", "count", "found_at", "partial_area", "rates", "thresholds"]

# Technical: time and rounding.
MOST_THRESHOLDS = 4096
"""With more distinct scores than these, resampled curves are drawn on a thinned set of thresholds."""
_SLACK = 1e-9  # marks above the number allowed that rounding may add


@dataclass(frozen=True)
class Counts:
    """Counts above every threshold in b weighted sets of images.

    Attributes
    ----------
    threshold : (g,) float64
        Falling.
    found : (g, b) float64
        Lesions rated at least so high.
    lesions : (b,) float64
        All lesions.
    false : dict of Axis to (g, b) float64
        False marks scored at least so high.
    amount : dict of Axis to (b,) float64
        Images or cm2 to divide them by.
    """

    threshold: Floats
    found: Floats
    lesions: Floats
    false: dict[Axis, Floats]
    amount: dict[Axis, Floats]


def thresholds(tally: Tally, most: int | None = None) -> Floats:
    """Return the distinct scores of a tally, falling, thinned to about `most`.

    Thinning keeps ratings evenly by rank, and false marks evenly by the logarithm of their rank, so that
    the rate of false positives moves by an equal small factor from one threshold to the next.
    """
    rated = np.sort(tally.rating[np.isfinite(tally.rating)])[::-1]
    false = np.sort(tally.false_score)[::-1]
    scores = np.unique(np.concatenate([rated, false]))[::-1]
    if most is None or len(scores) <= most:
        return scores
    half = most // 2
    kept = []
    if len(rated):
        kept.append(rated[np.unique(np.linspace(0, len(rated) - 1, half).astype(np.int64))])
    if len(false):
        kept.append(false[np.unique(np.geomspace(1, len(false), half).astype(np.int64) - 1)])
    return np.unique(np.concatenate(kept))[::-1]


def _above(threshold: Floats, score: Floats, group: Ints, weight: Floats) -> Floats:
    """Sum weights of scores at or above every threshold; `weight` is (groups, b), the result (g, b)."""
    place = np.searchsorted(-threshold, -score, side="left")
    keep = place < len(threshold)
    table = sparse.csr_matrix(
        (np.ones(int(keep.sum())), (place[keep], group[keep])), shape=(len(threshold), weight.shape[0])
    )
    return np.cumsum(np.asarray(table @ weight, dtype=np.float64), axis=0)


def count(tally: Tally, weight: Floats, threshold: Floats, axes: list[Axis]) -> Counts:
    """Count lesions and false marks above every threshold.

    Parameters
    ----------
    tally : Tally
    weight : (patients, b) float64
        How often every patient is in every set; ones for the set itself.
    threshold : (g,) float64
        Falling.
    axes : list of Axis
    """
    patient = tally.images.patient
    per_patient = np.bincount(patient[tally.rating_image], minlength=weight.shape[0]).astype(np.float64)
    false: dict[Axis, Floats] = {}
    amount: dict[Axis, Floats] = {}
    by_pool: dict[str, Floats] = {}
    for axis in axes:
        if axis.pool not in by_pool:
            inside = tally.in_pool(axis.pool)[tally.false_image]
            by_pool[axis.pool] = _above(
                threshold, tally.false_score[inside], patient[tally.false_image[inside]], weight
            )
        false[axis] = by_pool[axis.pool]
        share = np.bincount(patient, weights=tally.amount(axis), minlength=weight.shape[0])
        amount[axis] = share @ weight
    found = _above(threshold, tally.rating, patient[tally.rating_image], weight)
    return Counts(threshold, found, per_patient @ weight, false, amount)


def found_at(counts: Counts, axis: Axis, rate: Floats) -> tuple[Floats, Ints]:
    """Return sensitivity at given rates of false positives.

    Parameters
    ----------
    counts : Counts
    axis : Axis
    rate : (r,) float64
        Rates; infinity is the end of the curve, where every mark counts.

    Returns
    -------
    sensitivity : (r, b) float64
        Not-a-number where a set has no lesion, or nothing to divide by.
    steps : (r, b) int64
        Number of thresholds used, so that ``threshold[steps - 1]`` is the operating threshold.
    """
    false, amount = counts.false[axis], counts.amount[axis]
    sets = len(amount)
    allowed = rate[:, None] * np.where(amount > 0, amount, np.nan) + _SLACK
    steps = np.empty((len(rate), sets), dtype=np.int64)
    for b in range(sets):
        steps[:, b] = np.searchsorted(false[:, b], np.nan_to_num(allowed[:, b], posinf=np.inf), side="right")
    padded = np.concatenate([np.zeros((1, sets)), counts.found])
    with np.errstate(invalid="ignore", divide="ignore"):
        sensitivity = np.take_along_axis(padded, steps, axis=0) / counts.lesions
    sensitivity[:, ~(amount > 0)] = np.nan
    return sensitivity, steps


def rates(counts: Counts, axis: Axis) -> Floats:
    """Return false positives per unit at every threshold; (g, b) float64."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(counts.false[axis] / counts.amount[axis])


def partial_area(counts: Counts, axis: Axis, limit: float) -> Floats:
    """Return the area under the staircase from 0 to `limit` false positives, divided by `limit`.

    A curve that ends before the limit goes on level, as further marks cannot be had.

    Parameters
    ----------
    counts : Counts
    axis : Axis
    limit : float

    Returns
    -------
    (b,) float64
        Mean sensitivity over the range, 0 to 1.
    """
    if not limit > 0:
        raise ValueError(f"the limit of the partial area must be positive, not {limit}")
    sets = len(counts.lesions)
    at = np.concatenate(
        [np.zeros((1, sets)), np.clip(rates(counts, axis), 0.0, limit), np.full((1, sets), limit)]
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        height = np.concatenate([np.zeros((1, sets)), counts.found]) / counts.lesions
    return np.asarray((height * np.diff(at, axis=0)).sum(axis=0) / limit)
