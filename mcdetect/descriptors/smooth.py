"""Smooth membership functions: how far a measure speaks for a word, without a hard threshold."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["falling", "rising", "shares"]

_Floats = npt.NDArray[np.float64]


def rising(value: npt.ArrayLike, low: float, high: float) -> _Floats:
    """Logistic step: 0.1 at `low`, 0.5 half way, 0.9 at `high`; NaN stays NaN.

    Parameters
    ----------
    value : array-like of float
        The measure.
    low, high : float
        Where the membership is a tenth and nine tenths, in the unit of the measure; low < high.
    """
    measured = np.asarray(value, dtype=np.float64)
    steepness = 2.0 * math.log(9.0) / (high - low)
    with np.errstate(invalid="ignore"):
        argument = np.clip(steepness * (measured - 0.5 * (low + high)), -60.0, 60.0)
    step: _Floats = 1.0 / (1.0 + np.exp(-argument))
    return step


def falling(value: npt.ArrayLike, low: float, high: float) -> _Floats:
    """Logistic step down: 0.9 at `low`, 0.1 at `high`."""
    return 1.0 - rising(value, low, high)


def shares(weights: npt.ArrayLike) -> _Floats:
    """Divide weights by their sum along the last axis; equal shares where all are 0."""
    given = np.asarray(weights, dtype=np.float64)
    total = given.sum(axis=-1, keepdims=True)
    equal = np.full_like(given, 1.0 / given.shape[-1])
    return np.divide(given, total, out=equal, where=total > 0.0)
