"""Individual score: how much a spot looks like a calcification, by a small boosted ensemble kept as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.trees import sum_leaves

__all__ = ["SpotModel", "default_spot_model"]

_FORMAT = "mcdetect spot model 1"


@dataclass(frozen=True)
class SpotModel:
    """A boosted ensemble of decision trees over the features of a spot.

    Parameters
    ----------
    features : tuple of str
        Columns it expects, in order.
    base : float
        Log-odds before the first tree, shifted so that 0 is the operating point.
    roots, feature, left, right : int32 arrays
        The trees, see `mcdetect.kernels.trees.sum_leaves`.
    threshold, value : float64 arrays
        Thresholds of the nodes and values of the leaves.
    about : dict
        How it was fitted.
    """

    features: tuple[str, ...]
    base: float
    roots: npt.NDArray[np.int32]
    feature: npt.NDArray[np.int32]
    threshold: npt.NDArray[np.float64]
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    value: npt.NDArray[np.float64]
    about: dict[str, Any]

    @classmethod
    def from_json(cls, text: str) -> SpotModel:
        """Read a model; only numbers and names are read, nothing is run."""
        data = json.loads(text)
        if not isinstance(data, dict) or data.get("format") != _FORMAT:
            raise ValueError(f"not a spot model (expected format {_FORMAT!r})")
        trees = data["trees"]
        sizes = [len(tree["feature"]) for tree in trees]
        roots = np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.int32)

        def joined(key: str, dtype: type) -> npt.NDArray[Any]:
            return np.concatenate([np.asarray(tree[key], dtype) for tree in trees])

        shift = np.repeat(roots, sizes)
        model = cls(
            features=tuple(str(name) for name in data["features"]),
            base=float(data["base"]),
            roots=roots,
            feature=joined("feature", np.int32),
            threshold=joined("threshold", np.float64),
            left=(joined("left", np.int32) + shift).astype(np.int32),
            right=(joined("right", np.int32) + shift).astype(np.int32),
            value=joined("value", np.float64),
            about=dict(data.get("about", {})),
        )
        model._check(np.repeat(roots + np.asarray(sizes), sizes))
        return model

    def _check(self, end: npt.NDArray[np.int64]) -> None:
        """Every walk must end: children lie behind their parent and inside its tree."""
        inner = self.feature >= 0
        here = np.arange(self.feature.size)
        for child in (self.left, self.right):
            if np.any(inner & ((child <= here) | (child >= end))):
                raise ValueError("a tree of the spot model is not in order")
        if self.feature.max(initial=-1) >= len(self.features):
            raise ValueError("the spot model uses a feature that it does not name")

    def log_odds(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return the score on the log-odds scale; 0 is the operating point.

        Parameters
        ----------
        features : (n, len(self.features)) float32 array

        Returns
        -------
        (n,) float64 array
        """
        if features.ndim != 2 or features.shape[1] != len(self.features):
            raise ValueError(f"expected {len(self.features)} features, got shape {features.shape}")
        out = np.empty(features.shape[0], np.float64)
        rows = np.ascontiguousarray(features, np.float32)
        sum_leaves(rows, self.roots, self.feature, self.threshold, self.left, self.right, self.value, out)
        return out + self.base


@cache
def default_spot_model() -> SpotModel:
    """Return the model that comes with the package (`benchmarks/fit_spot_model.py` made it)."""
    text = resources.files("mcdetect.models").joinpath("spot_model.json").read_text(encoding="utf-8")
    return SpotModel.from_json(text)
