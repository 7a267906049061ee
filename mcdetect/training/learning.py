"""From labelled clusters to a tested, calibrated model."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

import mcdetect
from mcdetect.models.cluster_model import ClusterModel
from mcdetect.schema import SCHEMA_VERSION
from mcdetect.training.crossval import Chosen, OutOfFold, TrainingError, choose, cross_validate
from mcdetect.training.fitting import KINDS, Fitted, Recipe, fit, recipes, require_sklearn
from mcdetect.training.measures import Measure, measure
from mcdetect.training.stability import feature_stability
from mcdetect.training.tables import Examples, feature_columns

__all__ = ["MIN_PATIENTS", "Training", "train"]

logger = logging.getLogger(__name__)

# Judged: with fewer patients figures only mislead.
MIN_PATIENTS = 10
"""Fewest patients with which anything can be learned and tested."""
_FEW = 50  # patients of the rarer class below which the page warns


@dataclass(frozen=True, eq=False)
class Training:
    """A model and how it was tested.

    Parameters
    ----------
    model : ClusterModel
        Fitted on everything; what to use.
    fitted : Fitted
        The same model with its scikit-learn estimator.
    examples : Examples
        What it was fitted on.
    features : tuple of str
        Columns that it could choose from.
    out_of_fold : OutOfFold
        Predictions for clusters of patients that the model of their fold had not seen.
    measures : dict of str to Measure
        Of those predictions; see `mcdetect.training.measures.measure`.
    chosen : Chosen
        What was chosen for the final model.
    stability : DataFrame
        See `mcdetect.training.stability.feature_stability`.
    notes : tuple of str
        What was left out, assumed, or should be known.
    settings : dict of str to object
        Folds, samples, seed.
    """

    model: ClusterModel
    fitted: Fitted
    examples: Examples
    features: tuple[str, ...]
    out_of_fold: OutOfFold
    measures: dict[str, Measure]
    chosen: Chosen
    stability: pd.DataFrame
    notes: tuple[str, ...]
    settings: dict[str, Any]

    @property
    def predictions(self) -> pd.DataFrame:
        """One row per cluster: where it is, its label, and what the model of its fold said."""
        found = self.out_of_fold
        data = {
            "file": self.examples.clusters["file"].to_numpy(),
            "cluster_id": self.examples.clusters["cluster_id"].to_numpy(),
            "patient_number": self.examples.patient + 1,
            "fold": found.fold + 1,
            "label": self.examples.label,
            "log_odds": found.log_odds,
        }
        if self.model.calibration is not None:
            data["probability"] = found.probability
        return pd.DataFrame(data)


def train(
    examples: Examples,
    *,
    model: str = "logistic",
    features: Sequence[str] = (),
    leave_out: Sequence[str] = (),
    calibrate: bool = True,
    target: str = "malignant",
    folds: int = 5,
    inner_folds: int = 4,
    samples: int = 1000,
    stability_samples: int = 100,
    candidates: Sequence[Recipe] = (),
    seed: int = 0,
) -> Training:
    """Train a model of clusters and test it on patients kept apart.

    Every choice (recipe, features, calibration) is made inside the training part of each fold, and once
    more on everything for the final model.

    Parameters
    ----------
    examples : Examples
        From `mcdetect.training.join_labels`.
    model : {"logistic", "boosting"}
        Ridge logistic regression on few features that do not repeat each other, or boosted trees.
    features, leave_out : sequence of str
        Columns to use instead of all that are features, and columns not to use.
    calibrate : bool
        False gives a model that only ranks.
    target : str
        What a high score speaks for.
    folds, inner_folds : int
        At least 2.
    samples : int
        Bootstrap samples of patients for the intervals.
    stability_samples : int
        Bootstrap samples of patients for the stability of the features.
    candidates : sequence of Recipe
        Among which is chosen; those of `mcdetect.training.fitting.recipes` when empty.
    seed : int

    Returns
    -------
    Training

    Raises
    ------
    MissingSklearnError
        If scikit-learn is not installed.
    TrainingError
        If there are too few patients or one class only.
    ValueError
        If an option makes no sense.
    """
    require_sklearn()
    if model not in KINDS:
        raise ValueError(f"model must be one of {', '.join(KINDS)}, got {model!r}")
    if min(folds, inner_folds) < 2 or min(samples, stability_samples) < 0:
        raise ValueError("folds and inner_folds must be at least 2, samples must not be negative")
    label, patient = examples.label, examples.patient
    n_patients = int(np.unique(patient).size)
    if n_patients < MIN_PATIENTS:
        raise TrainingError(
            f"the labelled clusters come from {n_patients} patients; give at least {MIN_PATIENTS}, "
            "far more for a model worth using"
        )
    if np.unique(label).size < 2:
        raise TrainingError("all labels are the same; give positive and negative ones")
    names = feature_columns(examples.clusters, features, leave_out)
    values, names, notes = _usable(examples.clusters, names)
    notes = [*examples.notes, *notes]
    options = tuple(candidates) or recipes(model, len(names))
    if any(recipe.kind != model for recipe in options):
        raise ValueError(f"every candidate must be of the kind {model!r}")

    tested = cross_validate(options, values, label, patient, folds=folds, inner_folds=inner_folds, seed=seed)
    chosen = choose(options, values, label, patient, folds=folds, seed=seed)
    final = fit(chosen.recipe, values, label, seed)
    measures = measure(tested.log_odds, tested.probability, label, patient, samples=samples, seed=seed)
    stability = feature_stability(
        names,
        chosen.recipe,
        final,
        tested.fitted,
        values,
        label,
        patient,
        samples=stability_samples,
        seed=seed,
    )
    notes += _warnings(measures, chosen, tested, label, patient, calibrate)
    calibration = chosen.calibration if calibrate else None
    about = {
        "mcdetect": mcdetect.__version__,
        "schema": SCHEMA_VERSION,
        "recipe": str(chosen.recipe),
        "clusters": int(label.size),
        "patients": n_patients,
        "positive": int(label.sum()),
        "prevalence": float(label.mean()),
        "auc": measures["auc"].as_dict(),
        "auc_from": f"{int(tested.fold.max()) + 1}-fold cross-validation and bootstrap over patients",
    }
    return Training(
        model=_as_model(final, names, target, calibration, about),
        fitted=final,
        examples=examples,
        features=tuple(names),
        out_of_fold=tested,
        measures=measures,
        chosen=chosen,
        stability=stability,
        notes=tuple(notes),
        settings={
            "model": model,
            "folds": int(tested.fold.max()) + 1,
            "inner_folds": inner_folds,
            "samples": samples,
            "stability_samples": stability_samples,
            "seed": seed,
        },
    )


def _usable(
    clusters: pd.DataFrame, names: Sequence[str]
) -> tuple[npt.NDArray[np.float64], list[str], list[str]]:
    """Return the values of the columns that vary, their names, and notes on the others."""
    values = np.column_stack([clusters[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in names])
    values = np.where(np.isfinite(values), values, np.nan)
    known = np.isfinite(values)
    low = np.where(known, values, np.inf).min(axis=0)
    high = np.where(known, values, -np.inf).max(axis=0)
    varies = high > low
    notes = []
    if not varies.all():
        dropped = [name for name, good in zip(names, varies, strict=True) if not good]
        notes.append(f"left out, since they never vary: {', '.join(dropped)}")
    if not varies.any():
        raise TrainingError("no feature varies between the labelled clusters; give other features")
    missing = (~known[:, varies]).mean()
    if missing > 0:
        notes.append(f"{100 * missing:.1f} % of the values are missing")
    return values[:, varies], [name for name, good in zip(names, varies, strict=True) if good], notes


def _as_model(
    fitted: Fitted,
    names: Sequence[str],
    target: str,
    calibration: tuple[float, float] | None,
    about: dict[str, Any],
) -> ClusterModel:
    rule = fitted.rule
    chosen = tuple(names[column] for column in fitted.columns)
    return ClusterModel(features=chosen, rule=rule, target=target, calibration=calibration, about=about)


def _warnings(
    measures: dict[str, Measure],
    chosen: Chosen,
    tested: OutOfFold,
    label: npt.NDArray[np.int64],
    patient: npt.NDArray[np.int64],
    calibrate: bool,
) -> list[str]:
    found = []
    rarer = min(np.unique(patient[label == value]).size for value in (0, 1))
    if rarer < _FEW:
        found.append(
            f"the rarer class has {rarer} patients only: expect the figures to change with more data"
        )
    if calibrate and chosen.calibration is None:
        found.append("the model ranks unseen clusters no better than chance, so it is not calibrated")
    without = sum(each.calibration is None for each in tested.chosen)
    if without:
        found.append(f"in {without} of {len(tested.chosen)} folds nothing was learned")
    if not measures["auc"].low > 0.5:
        found.append("the interval of the AUC holds 0.5: the features may tell nothing about the labels")
    for note in found:
        logger.warning("%s", note)
    return found
