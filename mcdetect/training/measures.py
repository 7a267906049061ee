"""How well predictions separate and how true their probabilities are, with intervals over patients."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mcdetect.training.calibration import fit_line
from mcdetect.validation.evaluation.bootstrap import interval, patient_weights

__all__ = ["Measure", "auc", "measure", "reliability_bins", "roc_curve", "weighted_auc"]

CONFIDENCE = 0.95  # Standard: of intervals, as is usual in medicine

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Measure:
    """A figure with its interval over patients; not-a-number where it does not exist."""

    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float | None]:
        """Return it for JSON."""
        return {key: (value if np.isfinite(value) else None) for key, value in asdict(self).items()}


def weighted_auc(score: _Floats, label: _Ints, weight: _Floats) -> _Floats:
    """Return the area under the ROC curve for many weightings of the same rows; ties count half.

    Parameters
    ----------
    score : (n,) float64 array
    label : (n,) int64 array
        0 and 1.
    weight : (n, b) float64 array
        Not negative.

    Returns
    -------
    (b,) float64 array
        Not-a-number where a class has no weight.
    """
    _, level = np.unique(score, return_inverse=True)
    shape = (int(level.max(initial=-1)) + 1, weight.shape[1])
    ones, zeros = np.zeros(shape), np.zeros(shape)
    np.add.at(ones, level[label == 1], weight[label == 1])
    np.add.at(zeros, level[label == 0], weight[label == 0])
    below = np.cumsum(zeros, axis=0) - 0.5 * zeros
    pairs = ones.sum(axis=0) * zeros.sum(axis=0)
    won = (ones * below).sum(axis=0)
    out: _Floats = np.divide(won, pairs, out=np.full(shape[1], np.nan), where=pairs > 0)
    return out


def auc(score: _Floats, label: _Ints) -> float:
    """Return the area under the ROC curve; not-a-number for one class only."""
    return float(weighted_auc(score, label, np.ones((score.size, 1)))[0])


def roc_curve(score: _Floats, label: _Ints) -> tuple[_Floats, _Floats]:
    """Return false-positive and true-positive fractions from (0, 0) to (1, 1), one point per score."""
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), score.size - 1)
    hits = np.cumsum(label[order] == 1)[ends]
    false = np.cumsum(label[order] == 0)[ends]
    return np.append(0.0, false / max(false[-1], 1)), np.append(0.0, hits / max(hits[-1], 1))


def reliability_bins(
    probability: _Floats, label: _Ints, bins: int = 10, fewest: int = 10
) -> dict[str, _Floats]:
    """Return mean prediction and observed share in bins of equal number.

    Parameters
    ----------
    probability : (n,) float64 array
    label : (n,) int64 array
    bins, fewest : int
        Most bins, and fewest rows in one.

    Returns
    -------
    dict of str to (bins,) float64
        "predicted", "observed", "low", "high" (Wilson's 95 % interval, which takes rows for independent) and
        "n".
    """
    count = int(np.clip(label.size // fewest, 1, bins))
    parts = np.array_split(np.argsort(probability, kind="stable"), count)
    n = np.array([part.size for part in parts], dtype=np.float64)
    observed = np.array([label[part].mean() for part in parts])
    z = 1.959964
    centre = (observed + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(observed * (1 - observed) / n + z * z / (4 * n * n))
    return {
        "predicted": np.array([probability[part].mean() for part in parts]),
        "observed": observed,
        "low": centre - half,
        "high": centre + half,
        "n": n,
    }


def measure(
    log_odds: _Floats, probability: _Floats, label: _Ints, patient: _Ints, *, samples: int, seed: int
) -> dict[str, Measure]:
    """Measure predictions, with percentile intervals over a bootstrap of patients.

    Parameters
    ----------
    log_odds : (n,) float64 array
        What ranks.
    probability : (n,) float64 array
    label : (n,) int64 array
    patient : (n,) int64 array
        Numbers of the patients from 0, none left out.
    samples : int
        Bootstrap samples; 0 for no intervals.
    seed : int

    Returns
    -------
    dict of str to Measure
        "auc"; "auc_patient", of the highest log-odds of every patient against whether any of their clusters
        is positive; "brier"; "brier_skill", 1 - Brier score over that of the prevalence;
        "calibration_slope" and "calibration_intercept", of the logistic regression of the label on the
        log-odds of the probability, 1 and 0 when it is true (Cox 1958); "calibration_in_the_large", mean
        prediction minus prevalence.
    """
    n_patients = int(patient.max()) + 1
    weight = np.ones((n_patients, 1))
    if samples > 0:
        weight = np.column_stack([weight, patient_weights(n_patients, samples, seed)])
    rows = weight[patient]
    top, any_positive = np.full(n_patients, -np.inf), np.zeros(n_patients, np.int64)
    np.maximum.at(top, patient, log_odds)
    np.maximum.at(any_positive, patient, label)
    total = rows.sum(axis=0)
    prevalence = rows.T @ label / total
    brier = rows.T @ (probability - label) ** 2 / total
    chance = prevalence * (1.0 - prevalence)
    found: dict[str, Any] = {
        "auc": weighted_auc(log_odds, label, rows),
        "auc_patient": weighted_auc(top, any_positive, weight),
        "brier": brier,
        "brier_skill": 1.0 - np.divide(brier, chance, out=np.full(chance.size, np.nan), where=chance > 0),
        "calibration_in_the_large": rows.T @ probability / total - prevalence,
    }
    clipped = np.clip(probability, 1e-9, 1.0 - 1e-9)
    logit = np.log(clipped / (1.0 - clipped))
    lines = np.array([fit_line(logit, label.astype(np.float64), column) for column in rows.T])
    found["calibration_slope"], found["calibration_intercept"] = lines[:, 0], lines[:, 1]
    out = {}
    for name, numbers in found.items():
        low, high = interval(numbers[1:], CONFIDENCE) if samples > 0 else (np.nan, np.nan)
        out[name] = Measure(float(numbers[0]), float(low), float(high))
    return out
