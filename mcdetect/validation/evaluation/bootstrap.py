"""Resampling of patients, and intervals from what the samples give."""

from __future__ import annotations

import math

import numpy as np

from mcdetect.validation.evaluation.cases import Floats

__all__ = ["difference_p_value", "interval", "patient_weights"]


def patient_weights(n_patients: int, samples: int, seed: int) -> Floats:
    """Draw patients with replacement.

    All images of a patient come together, since they are not independent.

    Parameters
    ----------
    n_patients : int
    samples : int
        Number of bootstrap samples.
    seed : int

    Returns
    -------
    (n_patients, samples) float64
        How often every patient is in every sample; each column sums to `n_patients`.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(n_patients, np.full(n_patients, 1.0 / n_patients), size=samples)
    return np.ascontiguousarray(drawn.T, dtype=np.float64)


def interval(samples: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Return the percentile interval over the last axis.

    Samples that have no value (no lesion was drawn, say) are left out; where fewer than two are left there
    is no interval.

    Parameters
    ----------
    samples : (..., b) float64
    confidence : float
        Such as 0.95.

    Returns
    -------
    low, high : (...) float64
    """
    tail = (1.0 - confidence) / 2.0
    flat = samples.reshape(math.prod(samples.shape[:-1]), samples.shape[-1])
    known = np.isfinite(flat)
    ends = np.full((2, len(flat)), np.nan)
    whole = known.all(axis=1) & (flat.shape[1] > 1)
    if whole.any():
        ends[:, whole] = np.quantile(flat[whole], [tail, 1.0 - tail], axis=1)
    for row in np.flatnonzero(~whole):
        values = flat[row, known[row]]
        if len(values) > 1:
            ends[:, row] = np.quantile(values, [tail, 1.0 - tail])
    low, high = ends.reshape(2, *samples.shape[:-1])
    return low, high


def difference_p_value(samples: Floats) -> float:
    """Return twice the share of samples on the far side of zero, at most 1; (b,) float64 in."""
    known = samples[np.isfinite(samples)]
    if len(known) < 2:
        return float("nan")
    below, above = (known <= 0).sum() + 1, (known >= 0).sum() + 1
    return float(min(1.0, 2.0 * min(below, above) / (len(known) + 1)))
