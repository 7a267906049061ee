"""The noun for groups: where they are and everything that was found out about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mcdetect.clusters.rule import Groups

__all__ = ["Clusters"]


@dataclass(frozen=True)
class Clusters:
    """Groups of calcifications, flagged ones first, by falling score; typically benign ones after others.

    Parameters
    ----------
    groups : Groups
        Members, places in mm, and whether the rule flags them.
    score : (g,) float64 array
        How sure the detector is of each, 0 to 1; not a probability.
    columns : mapping of str to (g,) array or sequence
        Features, words and suspicion index, by the names of `mcdetect.schema.CLUSTERS`.
    vascular : (n,) float64 array
        How far each calcification is taken to lie on a calcified artery, 0 to 1.
    scatter_distribution : str
        BI-RADS word for the calcifications outside flagged groups and arteries; empty below ten of them.
    """

    groups: Groups
    score: npt.NDArray[np.float64]
    columns: Mapping[str, Sequence[Any] | npt.NDArray[Any]]
    vascular: npt.NDArray[np.float64]
    scatter_distribution: str = ""

    def __len__(self) -> int:
        return len(self.groups)

    def benign_last(self, *, hidden: bool) -> Clusters:
        """Return the same groups, those of a typically benign kind after all other flagged ones.

        Parameters
        ----------
        hidden : bool
            Whether these are flagged no more.
        """
        benign = np.array([kind != "" for kind in self.columns["benign_kind"]], np.bool_)
        order = np.lexsort((benign, ~self.groups.flagged))
        groups = self.groups.in_order(order)
        if hidden:
            groups = replace(groups, flagged=groups.flagged & ~benign[order])
        columns = {name: _in_order(values, order) for name, values in self.columns.items()}
        columns["region_id"] = _numbered(np.asarray(columns["region_id"], np.int64))
        return replace(self, groups=groups, score=self.score[order], columns=columns)


def _in_order(values: Sequence[Any] | npt.NDArray[Any], order: npt.NDArray[np.int64]) -> Any:
    return values[order] if isinstance(values, np.ndarray) else [values[k] for k in order]


def _numbered(number: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Number anew, from 1, by the first that has each number."""
    _, first, place = np.unique(number, return_index=True, return_inverse=True)
    rank = np.empty(first.size, np.int64)
    rank[np.argsort(first)] = np.arange(1, first.size + 1)
    return rank[place]
