"""What the figures are worth by chance alone: the whole procedure on labels shuffled between patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mcdetect.training.areas import fold_curve
from mcdetect.training.crossval import TrainingError, cross_validate
from mcdetect.training.fitting import Recipe
from mcdetect.training.measures import figures
from mcdetect.training.rows import Rows

if TYPE_CHECKING:
    from mcdetect.training.memo import Memo

__all__ = ["GRID", "Null", "shuffled_figures"]

# Technical: false-positive fractions at which curves are kept.
GRID = np.linspace(0.0, 1.0, 101)

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Null:
    """Figures of models trained on shuffled labels.

    Parameters
    ----------
    figures : dict of str to (b,) float64 array
        By name, one for each shuffling.
    curves : (b, g) float64 array
        ROC curves at `GRID`.
    """

    figures: Mapping[str, _Floats]
    curves: _Floats

    @property
    def samples(self) -> int:
        """How often labels were shuffled."""
        return len(self.curves)


def shuffled_figures(
    candidates: Sequence[Recipe],
    rows: Rows,
    *,
    permutations: int,
    folds: int,
    inner_folds: int,
    repeats: int,
    seed: int,
    step: Callable[[], None] | None = None,
    memo: Memo | None = None,
) -> Null:
    """Shuffle the labels between patients, cross-validate anew, and measure; as often as asked for.

    Parameters
    ----------
    candidates, rows, folds, inner_folds, repeats
        As for `mcdetect.training.crossval.cross_validate`.
    permutations : int
        How often.
    seed : int
        Of the shuffling; that of the folds follows.
    step : callable, optional
        Called after each.
    memo : Memo, optional
        Keeps each, and has those that were done before.

    Returns
    -------
    Null
    """
    found: list[dict[str, float]] = []
    curves: list[_Floats] = []
    for number in range(permutations):
        known = None if memo is None else memo.known(f"shuffling {number}")
        if known is None:
            known = _shuffled(candidates, rows, number, folds, inner_folds, repeats, seed)
            if memo is not None:
                memo.keep(f"shuffling {number}", known)
        if known:
            found.append(known["figures"])
            curves.append(np.array(known["curve"]))
        if step is not None:
            step()
    names = found[0] if found else {}
    return Null(
        {name: np.array([one[name] for one in found]) for name in names},
        np.array(curves).reshape(len(curves), GRID.size),
    )


def _shuffled(
    candidates: Sequence[Recipe],
    rows: Rows,
    number: int,
    folds: int,
    inner_folds: int,
    repeats: int,
    seed: int,
) -> dict[str, Any]:
    """Return figures and curve of one shuffling; empty where some training part had one class only."""
    other = rows.shuffled(seed + 7919 * (number + 1))
    try:
        tested = cross_validate(
            candidates,
            other,
            folds=folds,
            inner_folds=inner_folds,
            repeats=repeats,
            seed=seed + number + 1,
        )
    except TrainingError:  # by chance a class of some training part was of one patient
        return {}
    drawn = curve(tested.log_odds, other, tested.fold)
    measured = {name: float(value) for name, value in figures(tested, other).items()}
    return {"figures": measured, "curve": drawn.tolist()}


def curve(log_odds: _Floats, rows: Rows, fold: npt.NDArray[np.int64]) -> _Floats:
    """Return the ROC curve at `GRID`, the mean over the partitions; (g,) float64.

    Of groups; for labels of images and patients, of these by their pooled log-odds.
    """
    all_curves = []
    for score, part in zip(log_odds, fold, strict=True):
        x, first = rows.of_units(score), rows.pools.first
        of_unit = part if rows.pooled.level == "group" else part[first]
        all_curves.append(fold_curve(x, rows.unit_label, rows.unit_patient, of_unit, GRID))
    mean: _Floats = np.mean(all_curves, axis=0)
    return mean
