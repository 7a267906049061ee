"""Log-odds as a weighted sum: the rule of a logistic model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["BOUNDS", "LISTS", "Linear", "sigmoid"]

LISTS, BOUNDS = ("medians", "means", "scales", "coefficients"), ("lows", "highs")

_Floats = npt.NDArray[np.float64]


def sigmoid(log_odds: _Floats) -> _Floats:
    """Return 1 / (1 + exp(-x)), without overflow."""
    out: _Floats = 0.5 + 0.5 * np.tanh(0.5 * log_odds)
    return out


@dataclass(frozen=True, eq=False)
class Linear:
    """Log-odds as a weighted sum of standardised features.

    Parameters
    ----------
    medians : (k,) float64 array
        What stands for a missing value, in the unit of the feature.
    means, scales : (k,) float64 arrays
        A feature is standardised as (value - mean) / scale.
    coefficients : (k,) float64 array
        Log-odds per standardised unit.
    intercept : float
    lows, highs : (k,) float64 arrays
        Least and greatest value of the training: what lies beyond counts as these.
    """

    medians: _Floats
    means: _Floats
    scales: _Floats
    coefficients: _Floats
    intercept: float
    lows: _Floats
    highs: _Floats

    def contributions(self, values: _Floats) -> _Floats:
        """Return what every feature adds to the log-odds; (n, k) float64 in and out."""
        filled = np.clip(np.where(np.isfinite(values), values, self.medians), self.lows, self.highs)
        out: _Floats = (filled - self.means) / self.scales * self.coefficients
        return out

    def log_odds(self, values: _Floats) -> _Floats:
        """Return the log-odds; (n, k) float64 in, (n,) float64 out."""
        out: _Floats = self.contributions(values).sum(axis=1) + self.intercept
        return out

    def as_dict(self) -> dict[str, Any]:
        """Return what goes into the file."""
        names = (*LISTS, *BOUNDS)
        return {name: getattr(self, name).tolist() for name in names} | {"intercept": self.intercept}
