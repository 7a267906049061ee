"""What the figures are worth by chance alone: the whole procedure on labels shuffled between patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mcdetect.training.areas import fold_curve
from mcdetect.training.crossval import TrainingError, cross_validate
from mcdetect.training.fitting import Recipe
from mcdetect.training.measures import figures
from mcdetect.training.rows import Rows

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

    Returns
    -------
    Null
    """
    found: list[dict[str, float]] = []
    curves: list[_Floats] = []
    for number in range(permutations):
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
            continue
        finally:
            if step is not None:
                step()
        found.append(figures(tested, other))
        curves.append(curve(tested.log_odds, other, tested.fold))
    names = found[0] if found else {}
    return Null(
        {name: np.array([one[name] for one in found]) for name in names},
        np.array(curves).reshape(len(curves), GRID.size),
    )


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
