"""Scales on which a model of clusters reads a column."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["TRANSFORMS", "transform"]

TRANSFORMS = ("none", "log", "logit", "logit percent")
"""As it is; its natural logarithm; log-odds of a share from 0 to 1; log-odds of 0 to 100."""

# Technical: so that logarithms are finite.
_SMALLEST = 1e-6
_FARTHEST = 1e-3  # share from 0 or 1, beyond which nothing changes


def transform(values: npt.NDArray[np.float64], name: str) -> npt.NDArray[np.float64]:
    """Return values on the scale of that name; float64 in and out, not-a-number stays."""
    if name == "none":
        return values
    if name == "log":
        return np.log(np.maximum(values, _SMALLEST))
    share = np.clip(values / (100.0 if name == "logit percent" else 1.0), _FARTHEST, 1.0 - _FARTHEST)
    return np.log(share / (1.0 - share))
