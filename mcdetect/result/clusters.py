"""The noun for groups: where they are and everything that was found out about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mcdetect.clusters.rule import Groups

__all__ = ["Clusters"]


@dataclass(frozen=True)
class Clusters:
    """Groups of calcifications, flagged ones first, by falling score.

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
