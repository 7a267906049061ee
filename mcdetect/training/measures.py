"""How well predictions separate and how true their probabilities are, with intervals over patients."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mcdetect.training.areas import PairCount, group_pairs, unit_pairs
from mcdetect.training.calibration import fit_line
from mcdetect.training.crossval import OutOfFold
from mcdetect.training.rows import Rows
from mcdetect.training.weights import plain_weights
from mcdetect.validation.evaluation.bootstrap import interval, patient_weights

if TYPE_CHECKING:
    from mcdetect.training.null import Null

__all__ = ["Measure", "areas", "figures", "measure", "reliability_bins"]

CONFIDENCE = 0.95  # Standard: of intervals, as is usual in medicine

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Measure:
    """A figure; not-a-number where something does not exist.

    Parameters
    ----------
    value : float
    low, high : float
        Its interval over patients.
    null, null_low, null_high : float
        Mean and interval of the same figure when labels are shuffled between patients.
    p : float
        Share of the shufflings (with the figure itself) that reach the value.
    """

    value: float
    low: float
    high: float
    null: float = float("nan")
    null_low: float = float("nan")
    null_high: float = float("nan")
    p: float = float("nan")

    def as_dict(self) -> dict[str, float | None]:
        """Return it for JSON."""
        return {key: (value if np.isfinite(value) else None) for key, value in asdict(self).items()}


def reliability_bins(
    probability: _Floats, label: _Ints, patient: _Ints | None = None, bins: int = 10, fewest: int = 10
) -> dict[str, _Floats]:
    """Return mean prediction and observed share in bins of about equal weight.

    Parameters
    ----------
    probability : (n,) float64 array
    label : (n,) int64 array
    patient : (n,) int64 array, optional
        Each patient weighs one; without, each row.
    bins, fewest : int
        Most bins, and fewest patients (or rows) to one.

    Returns
    -------
    dict of str to (bins,) float64
        "predicted", "observed", "low", "high" (Wilson's 95 % interval for as many independent rows as there
        are patients in the bin) and "n", these patients.
    """
    patient = np.arange(label.size) if patient is None else patient
    weight = plain_weights(patient)
    count = int(np.clip(np.unique(patient).size // fewest, 1, bins))
    order = np.argsort(probability, kind="stable")
    reached = np.cumsum(weight[order]) - 0.5 * weight[order]
    of_row = np.minimum((reached / weight.sum() * count).astype(np.int64), count - 1)
    parts = [order[of_row == number] for number in np.unique(of_row)]
    n = np.array([np.unique(patient[part]).size for part in parts], dtype=np.float64)
    observed = np.array([np.average(label[part], weights=weight[part]) for part in parts])
    z = 1.959964
    centre = (observed + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(observed * (1 - observed) / n + z * z / (4 * n * n))
    return {
        "predicted": np.array([np.average(probability[part], weights=weight[part]) for part in parts]),
        "observed": observed,
        "low": centre - half,
        "high": centre + half,
        "n": n,
    }


def areas(tested: OutOfFold, rows: Rows) -> dict[str, PairCount]:
    """Count the pairs won within the folds, over all partitions.

    Returns
    -------
    dict of str to PairCount
        "auc" of what the labels belong to; "auc_patient" of patients, unless they are the same. Images and
        patients are compared by their highest group at equal numbers of groups.
    """
    units: dict[str, _Ints | None] = {"auc": None if rows.pooled.level == "group" else rows.unit}
    if rows.pooled.level != "patient":
        units["auc_patient"] = rows.patient
    found: dict[str, PairCount] = {}
    for score, fold in zip(tested.log_odds, tested.fold, strict=True):
        for name, unit in units.items():
            if unit is None:
                count = group_pairs(score, rows.label, rows.patient, fold)
            else:
                count = unit_pairs(score, rows.label, rows.patient, unit, fold)
            found[name] = found[name] + count if name in found else count
    return found


def figures(tested: OutOfFold, rows: Rows) -> dict[str, float]:
    """Return the figures of `measure` without intervals."""
    found = {name: count.area for name, count in areas(tested, rows).items()}
    weight = plain_weights(rows.unit_patient)[:, None]
    known = _of_probabilities(tested.probability, rows.unit_label, weight)
    return found | {name: float(value[0]) for name, value in known.items()}


def measure(
    tested: OutOfFold, rows: Rows, null: Null | None = None, *, samples: int, seed: int
) -> dict[str, Measure]:
    """Measure predictions, with intervals over patients and what chance alone gives.

    Parameters
    ----------
    tested : OutOfFold
    rows : Rows
        What was tested.
    null : Null, optional
        The same figures of shuffled labels.
    samples : int
        Bootstrap samples of patients for the figures of probabilities; 0 for no intervals of any figure.
    seed : int

    Returns
    -------
    dict of str to Measure
        "auc" and "auc_patient" (see `areas`), whose intervals are no narrower than chance is wide; "brier";
        "brier_skill", 1 - Brier score over that of the prevalence; "calibration_slope" and
        "calibration_intercept", of the logistic regression of the label on the log-odds of the probability,
        1 and 0 when it is true (Cox 1958); "calibration_in_the_large", mean prediction minus prevalence. In
        all of them each patient weighs one.
    """
    out = {}
    for name, count in areas(tested, rows).items():
        by_chance = np.empty(0) if null is None else null.figures.get(name, np.empty(0))
        spread = float(np.nanstd(by_chance)) if by_chance.size > 1 else 0.0
        ends = count.interval(CONFIDENCE, spread) if samples > 0 else (np.nan, np.nan)
        out[name] = _with_null(count.area, ends, by_chance)
    patient = rows.unit_patient
    names, index = np.unique(patient, return_inverse=True)
    weight = np.ones((names.size, 1))
    if samples > 0:
        weight = np.column_stack([weight, patient_weights(names.size, samples, seed)])
    found = _of_probabilities(
        tested.probability, rows.unit_label, weight[index] * plain_weights(patient)[:, None]
    )
    for name, numbers in found.items():
        low, high = interval(numbers[1:], CONFIDENCE) if samples > 0 else (np.nan, np.nan)
        by_chance = np.empty(0) if null is None else null.figures.get(name, np.empty(0))
        out[name] = _with_null(float(numbers[0]), (float(low), float(high)), by_chance)
    return out


def _with_null(value: float, ends: tuple[float, float], by_chance: _Floats) -> Measure:
    known = by_chance[np.isfinite(by_chance)]
    if known.size < 2:
        return Measure(value, *ends)
    low, high = interval(known, CONFIDENCE)
    p = (1.0 + float((known >= value - 1e-12).sum())) / (known.size + 1.0) if np.isfinite(value) else np.nan
    return Measure(value, *ends, float(known.mean()), float(low), float(high), p)


def _of_probabilities(probability: _Floats, label: _Ints, weight: _Floats) -> dict[str, _Floats]:
    """Return the figures of probabilities for many weightings of the rows; (n, b) in, (b,) out."""
    total = weight.sum(axis=0)
    prevalence = weight.T @ label / total
    brier = weight.T @ (probability - label) ** 2 / total
    chance = prevalence * (1.0 - prevalence)
    clipped = np.clip(probability, 1e-9, 1.0 - 1e-9)
    logit = np.log(clipped / (1.0 - clipped))
    lines = np.array([fit_line(logit, label.astype(np.float64), column) for column in weight.T])
    return {
        "brier": brier,
        "brier_skill": 1.0 - np.divide(brier, chance, out=np.full(chance.size, np.nan), where=chance > 0),
        "calibration_in_the_large": weight.T @ probability / total - prevalence,
        "calibration_slope": lines[:, 0],
        "calibration_intercept": lines[:, 1],
    }
