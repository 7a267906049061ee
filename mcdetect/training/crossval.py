"""Nested cross-validation whose folds never part the clusters of one patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mcdetect.errors import McdetectError
from mcdetect.models.cluster_model import sigmoid
from mcdetect.training.calibration import fit_sigmoid
from mcdetect.training.fitting import Fitted, Recipe, fit

__all__ = ["Chosen", "OutOfFold", "TrainingError", "choose", "cross_validate", "folds_of"]

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


class TrainingError(McdetectError):
    """The clusters and labels given do not suffice to train and test a model."""


def folds_of(label: _Ints, patient: _Ints, folds: int, seed: int) -> _Ints:
    """Return the fold of every row; all rows of a patient share one.

    Folds are of similar size and prevalence. There are fewer than asked for when the rarer class has fewer
    patients.

    Parameters
    ----------
    label : (n,) int64 array
        0 and 1.
    patient : (n,) int64 array
    folds : int
        At least 2.
    seed : int

    Returns
    -------
    (n,) int64 array
        From 0.

    Raises
    ------
    TrainingError
        When a class has fewer than two patients, or the rest of some fold would lack a class.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    fewest = min(np.unique(patient[label == value]).size for value in (0, 1))
    if fewest < 2:
        raise TrainingError(
            "a class has clusters of fewer than two patients; label more clusters, of more patients"
        )
    splitter = StratifiedGroupKFold(min(folds, fewest), shuffle=True, random_state=seed)
    fold = np.full(label.size, -1, np.int64)
    for number, (_, test) in enumerate(splitter.split(np.zeros((label.size, 1)), label, patient)):
        fold[test] = number
    for number in np.unique(fold):
        if np.unique(label[fold != number]).size < 2:
            raise TrainingError(
                "nearly all clusters of one class come from one patient; label clusters of more patients"
            )
    return fold


@dataclass(frozen=True, eq=False)
class Chosen:
    """What inner cross-validation settled on.

    Parameters
    ----------
    recipe : Recipe
        Of the smallest log-loss on rows not seen; of equals, the simplest.
    losses : dict of Recipe to float
        Mean log-loss of every recipe.
    calibration : (float, float) or None
        Slope and intercept fitted to the log-odds of rows not seen; None where the recipe ranked them no
        better than chance.
    log_odds : (n,) float64 array
        Those log-odds.
    """

    recipe: Recipe
    losses: dict[Recipe, float]
    calibration: tuple[float, float] | None
    log_odds: _Floats


def choose(
    candidates: Sequence[Recipe],
    values: _Floats,
    label: _Ints,
    patient: _Ints,
    *,
    folds: int,
    seed: int,
) -> Chosen:
    """Choose a recipe by cross-validation over patients, and calibrate it on the same unseen rows.

    Parameters
    ----------
    candidates : sequence of Recipe
        From simple to complex.
    values, label, patient
        Rows to train on, as for `cross_validate`.
    folds, seed : int
    """
    fold = folds_of(label, patient, folds, seed)
    unseen = {recipe: np.empty(label.size) for recipe in candidates}
    for number in np.unique(fold):
        test = fold == number
        for recipe in candidates:
            fitted = fit(recipe, values[~test], label[~test], seed)
            unseen[recipe][test] = fitted.log_odds(values[test])
    losses = {
        recipe: float(np.mean(np.logaddexp(0.0, log_odds) - label * log_odds))
        for recipe, log_odds in unseen.items()
    }
    best = min(candidates, key=lambda recipe: round(losses[recipe], 9))
    slope, intercept = fit_sigmoid(unseen[best], label)
    return Chosen(best, losses, (slope, intercept) if slope > 0 else None, unseen[best])


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Predictions for every row by a model that never saw its patient.

    Parameters
    ----------
    fold : (n,) int64 array
    log_odds : (n,) float64 array
        Before calibration.
    probability : (n,) float64 array
        Calibrated within the fold's own training rows; their prevalence where nothing was learned.
    chosen : tuple of Chosen
        By fold.
    fitted : tuple of Fitted
        By fold.
    """

    fold: _Ints
    log_odds: _Floats
    probability: _Floats
    chosen: tuple[Chosen, ...]
    fitted: tuple[Fitted, ...]


def cross_validate(
    candidates: Sequence[Recipe],
    values: _Floats,
    label: _Ints,
    patient: _Ints,
    *,
    folds: int = 5,
    inner_folds: int = 4,
    seed: int = 0,
) -> OutOfFold:
    """Test the whole procedure (choice, fit and calibration) on patients kept apart.

    Parameters
    ----------
    candidates : sequence of Recipe
    values : (n, features) float64 array
        Not-a-number for missing.
    label : (n,) int64 array
        0 and 1.
    patient : (n,) int64 array
        Number of the patient of each row.
    folds, inner_folds : int
        Of the test, and of the choice within each of its training parts.
    seed : int

    Returns
    -------
    OutOfFold
    """
    fold = folds_of(label, patient, folds, seed)
    log_odds, probability = np.empty(label.size), np.empty(label.size)
    all_chosen, all_fitted = [], []
    for number in np.unique(fold):
        test = fold == number
        rows, known, whose = values[~test], label[~test], patient[~test]
        chosen = choose(candidates, rows, known, whose, folds=inner_folds, seed=seed + 1 + int(number))
        fitted = fit(chosen.recipe, rows, known, seed)
        log_odds[test] = fitted.log_odds(values[test])
        if chosen.calibration is None:
            probability[test] = known.mean()
        else:
            slope, intercept = chosen.calibration
            probability[test] = sigmoid(slope * log_odds[test] + intercept)
        all_chosen.append(chosen)
        all_fitted.append(fitted)
    return OutOfFold(fold, log_odds, probability, tuple(all_chosen), tuple(all_fitted))
