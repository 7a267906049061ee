"""Smooth membership functions: how far a measure speaks for a word, without a hard threshold."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import expit

__all__ = ["falling", "rising"]

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
    steepness = 2.0 * math.log(9.0) / (high - low)
    step: _Floats = np.asarray(expit(steepness * (np.asarray(value, dtype=np.float64) - 0.5 * (low + high))))
    return step


def falling(value: npt.ArrayLike, low: float, high: float) -> _Floats:
    """Logistic step down: 0.9 at `low`, 0.1 at `high`."""
    return 1.0 - rising(value, low, high)
