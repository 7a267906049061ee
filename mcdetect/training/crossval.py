"""Nested cross-validation whose folds never part the clusters of one patient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mcdetect.errors import McdetectError
from mcdetect.models.linear import sigmoid
from mcdetect.training.calibration import fit_sigmoid
from mcdetect.training.fitting import Fitted, Recipe, fit
from mcdetect.training.rows import Rows
from mcdetect.training.weights import balanced_weights, patient_labels, plain_weights

__all__ = ["Chosen", "OutOfFold", "TrainingError", "choose", "cross_validate", "folds_of"]

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


class TrainingError(McdetectError):
    """The clusters and labels given do not suffice to train and test a model."""


def folds_of(label: _Ints, patient: _Ints, folds: int, seed: int) -> _Ints:
    """Return the fold of every row; all rows of a patient share one.

    Patients with and without something positive are dealt out at random, each kind evenly. Nothing else
    steers it, so that which patients of a fold are positive remains a matter of chance, if labels are. There
    are fewer folds than asked for when the rarer class has fewer patients.

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
    fewest = min(np.unique(patient[label == value]).size for value in (0, 1))
    if fewest < 2:
        raise TrainingError(
            "a class has clusters of fewer than two patients; label more clusters, of more patients"
        )
    names, positive = patient_labels(label, patient)
    rng = np.random.default_rng(seed)
    count = min(folds, fewest)
    dealt = np.concatenate([rng.permutation(np.flatnonzero(positive == value)) for value in (1, 0)])
    of_patient = np.empty(names.size, np.int64)
    of_patient[dealt] = np.arange(names.size) % count
    fold = of_patient[np.searchsorted(names, patient)]
    for number in range(count):
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
        Mean log-loss of every recipe; both classes, and all patients of a class, weigh the same.
    calibration : (float, float) or None
        Slope and intercept fitted to the log-odds of rows not seen, each patient weighing one; None where
        the recipe ranked them no better than chance.
    log_odds : (u,) float64 array
        Those log-odds, of groups, images or patients.
    """

    recipe: Recipe
    losses: dict[Recipe, float]
    calibration: tuple[float, float] | None
    log_odds: _Floats


def choose(candidates: Sequence[Recipe], rows: Rows, *, folds: int, seed: int) -> Chosen:
    """Choose a recipe by cross-validation over patients, and calibrate it on the same unseen rows.

    Parameters
    ----------
    candidates : sequence of Recipe
        From simple to complex.
    rows : Rows
        To train on.
    folds, seed : int
    """
    fold = folds_of(rows.label, rows.patient, folds, seed)
    unseen = {recipe: np.empty(rows.label.size) for recipe in candidates}
    for number in np.unique(fold):
        test = fold == number
        rest = rows.take(~test)
        for recipe in candidates:
            unseen[recipe][test] = fit(recipe, rest, seed).log_odds(rows.values[test])
    label, patient = rows.unit_label, rows.unit_patient
    weight = balanced_weights(label, patient)
    losses, of_units = {}, {}
    for recipe, log_odds in unseen.items():
        of_units[recipe] = x = rows.of_units(log_odds)
        losses[recipe] = float(weight @ (np.logaddexp(0.0, x) - label * x) / weight.sum())
    best = min(candidates, key=lambda recipe: round(losses[recipe], 9))
    slope, intercept = fit_sigmoid(of_units[best], label, plain_weights(patient))
    return Chosen(best, losses, (slope, intercept) if slope > 0 else None, of_units[best])


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Predictions for every row by models that never saw its patient.

    Parameters
    ----------
    fold : (repeats, n) int64 array
        For each partition of the patients.
    log_odds : (repeats, n) float64 array
        Of groups, before calibration. Those of different folds come from different models and do not
        compare.
    probability : (u,) float64 array
        Of groups, images or patients: calibrated within the fold's own training rows, the prevalence there
        where nothing was learned; the mean over the partitions.
    chosen : tuple of Chosen
        By partition and fold.
    fitted : tuple of Fitted
        The same.
    """

    fold: _Ints
    log_odds: _Floats
    probability: _Floats
    chosen: tuple[Chosen, ...]
    fitted: tuple[Fitted, ...]


def cross_validate(
    candidates: Sequence[Recipe],
    rows: Rows,
    *,
    folds: int = 5,
    inner_folds: int = 4,
    repeats: int = 1,
    seed: int = 0,
    step: Callable[[], None] | None = None,
) -> OutOfFold:
    """Test the whole procedure (choice, fit and calibration) on patients kept apart.

    Parameters
    ----------
    candidates : sequence of Recipe
    rows : Rows
    folds, inner_folds : int
        Of the test, and of the choice within each of its training parts.
    repeats : int
        Partitions of the patients into folds: with few patients one alone is a matter of luck.
    seed : int
    step : callable, optional
        Called after each partition.

    Returns
    -------
    OutOfFold
    """
    n, names = rows.label.size, rows.pools.names
    fold, log_odds = np.empty((repeats, n), np.int64), np.empty((repeats, n))
    probability = np.zeros((repeats, names.size))
    all_chosen, all_fitted = [], []
    for turn in range(repeats):
        fold[turn] = folds_of(rows.label, rows.patient, folds, seed + 1000 * turn)
        for number in np.unique(fold[turn]):
            test = fold[turn] == number
            known, asked = rows.take(~test), rows.take(test)
            inner = seed + 1000 * turn + 1 + int(number)
            chosen = choose(candidates, known, folds=inner_folds, seed=inner)
            fitted = fit(chosen.recipe, known, seed)
            log_odds[turn, test] = fitted.log_odds(asked.values)
            unit = np.searchsorted(names, asked.pools.names)
            if chosen.calibration is None:
                weight = plain_weights(known.unit_patient)
                probability[turn, unit] = weight @ known.unit_label / weight.sum()
            else:
                slope, intercept = chosen.calibration
                x = asked.of_units(log_odds[turn, test])
                probability[turn, unit] = sigmoid(slope * x + intercept)
            all_chosen.append(chosen)
            all_fitted.append(fitted)
        if step is not None:
            step()
    return OutOfFold(fold, log_odds, probability.mean(axis=0), tuple(all_chosen), tuple(all_fitted))
