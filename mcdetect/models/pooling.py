"""Groups of an image or a patient put together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["GROUPS", "LEVELS", "POOLINGS", "Pooled", "pool"]

POOLINGS = ("max", "log-sum")
LEVELS = ("group", "image", "patient")
"""What a label of the training belonged to."""

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pooled:
    """What the labels of a training belonged to, and how the groups of it make one score.

    Parameters
    ----------
    level : {"group", "image", "patient"}
    by : {"none", "max", "log-sum"}
        The highest log-odds, or the logarithm of the summed odds; "none" for groups.
    """

    level: str = "group"
    by: str = "none"

    def __post_init__(self) -> None:
        if self.level not in LEVELS or self.by not in (("none",) if self.level == "group" else POOLINGS):
            raise ValueError(
                f"level must be one of {', '.join(LEVELS)}, and images and patients are pooled by "
                f"{' or '.join(POOLINGS)}, got {self.level!r} and {self.by!r}"
            )


def pool(log_odds: _Floats, unit: npt.NDArray[np.int64], by: str) -> _Floats:
    """Return the log-odds of each unit, in rising order of its number.

    Parameters
    ----------
    log_odds : (n,) float64 array
        Of groups.
    unit : (n,) int64 array
        Number of the image or patient of each.
    by : {"max", "log-sum"}

    Returns
    -------
    (u,) float64 array
    """
    order = np.argsort(unit, kind="stable")
    starts = np.flatnonzero(np.diff(unit[order], prepend=unit[order[0]] - 1)) if unit.size else order
    with_all: np.ufunc = np.maximum if by == "max" else np.logaddexp
    out: _Floats = with_all.reduceat(log_odds[order], starts) if unit.size else np.empty(0)
    return out


GROUPS = Pooled()
"""Labels of groups, which are not pooled."""
