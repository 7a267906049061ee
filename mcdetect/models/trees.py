"""Boosted decision trees as arrays of numbers, followed in float64 and with missing values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mcdetect.models.checking import Checker, FormatError

__all__ = ["Forest", "Tree"]

# Technical: larger ensembles are refused; no fit comes near.
_MOST_TREES = 5000
_MOST_NODES = 10_000  # of one tree
_LISTS = ("feature", "threshold", "missing_left", "left", "right", "value")

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Tree:
    """One tree; node 0 is its root and children lie behind their parent.

    Parameters
    ----------
    feature : (nodes,) int64 array
        Column that a node looks at; -1 in a leaf.
    threshold : (nodes,) float64 array
        A row goes left when its value is at most this.
    missing_left : (nodes,) int64 array
        1 where a missing value goes left.
    left, right : (nodes,) int64 arrays
        Next nodes; 0 in a leaf.
    value : (nodes,) float64 array
        What a leaf adds to the log-odds.
    """

    feature: _Ints
    threshold: _Floats
    missing_left: _Ints
    left: _Ints
    right: _Ints
    value: _Floats

    def leaves(self, values: _Floats) -> _Floats:
        """Return the value of the leaf that every row reaches; (n, k) float64 in, (n,) float64 out."""
        node = np.zeros(len(values), np.int64)
        rows = np.arange(len(values))
        while rows.size:
            rows = rows[self.feature[node[rows]] >= 0]
            here = node[rows]
            seen = values[rows, self.feature[here]]
            missing = np.isnan(seen)
            goes_left = np.where(missing, self.missing_left[here] == 1, seen <= self.threshold[here])
            node[rows] = np.where(goes_left, self.left[here], self.right[here])
        return self.value[node]

    def as_dict(self) -> dict[str, Any]:
        """Return what goes into the file."""
        return {name: getattr(self, name).tolist() for name in _LISTS}


@dataclass(frozen=True, eq=False)
class Forest:
    """Log-odds as a sum over trees.

    Parameters
    ----------
    base : float
        Log-odds before the first tree.
    trees : tuple of Tree
    """

    base: float
    trees: tuple[Tree, ...]

    def log_odds(self, values: _Floats) -> _Floats:
        """Return the log-odds; (n, k) float64 with not-a-number for missing in, (n,) float64 out."""
        total = np.full(len(values), self.base)
        for tree in self.trees:
            total += tree.leaves(values)
        return total

    def used(self) -> _Ints:
        """Return how often each column is looked at, by its number; (columns up to the last used,) int64."""
        features = np.concatenate([tree.feature for tree in self.trees] or [np.empty(0, np.int64)])
        return np.bincount(features[features >= 0])

    def as_dict(self) -> dict[str, Any]:
        """Return what goes into the file."""
        return {"base": self.base, "trees": [tree.as_dict() for tree in self.trees]}

    @classmethod
    def from_dict(cls, data: dict[str, Any], n_features: int) -> Forest:
        """Check and build an ensemble that looks at `n_features` columns."""
        top = Checker(data, "boosting", {"base", "trees"})
        trees = top.items("trees", _MOST_TREES)
        return cls(top.number("base"), tuple(_tree(tree, n_features) for tree in trees))


def _tree(data: Any, n_features: int) -> Tree:
    part = Checker(data, "a tree", set(_LISTS))
    size = len(part.items("feature", _MOST_NODES))
    if size == 0:
        raise FormatError("a tree has no nodes")
    feature = part.integers("feature", size, -1, n_features - 1)
    left = part.integers("left", size, 0, size - 1)
    right = part.integers("right", size, 0, size - 1)
    inner = feature >= 0
    here = np.arange(size)
    # Children behind their parent: every walk ends.
    if np.any(inner & ((left <= here) | (right <= here))):
        raise FormatError("the nodes of a tree are not in order")
    return Tree(
        feature=feature,
        threshold=part.numbers("threshold", size),
        missing_left=part.integers("missing_left", size, 0, 1),
        left=left,
        right=right,
        value=part.numbers("value", size),
    )
