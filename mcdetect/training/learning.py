"""From labelled clusters to a tested, calibrated model."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

import mcdetect
from mcdetect.models.cluster_model import ClusterModel
from mcdetect.models.linear import Linear
from mcdetect.models.pooling import Pooled
from mcdetect.schema import SCHEMA_VERSION
from mcdetect.training.crossval import Chosen, OutOfFold, TrainingError, choose, cross_validate
from mcdetect.training.design import Design, make_design
from mcdetect.training.fitting import FEW, KINDS, Fitted, Recipe, fit, recipes, require_sklearn
from mcdetect.training.joins import CHANGE_COLUMNS
from mcdetect.training.measures import Measure, measure
from mcdetect.training.memo import Memo, key_of
from mcdetect.training.null import Null, shuffled_figures
from mcdetect.training.stability import feature_stability
from mcdetect.training.tables import Examples
from mcdetect.training.weights import plain_weights

__all__ = ["MIN_PATIENTS", "Training", "train", "weights_of"]

logger = logging.getLogger(__name__)

# Judged: with fewer patients figures only mislead.
MIN_PATIENTS = 10
"""Fewest patients with which anything can be learned and tested."""
_FEWEST = 3  # patients of each class: one to test on, and two to choose with
_FEW = 50  # patients of the rarer class below which the page warns
_MORE_REPEATS = (20, 20, 50)  # patients of the rarer class below which one more partition is made
_PERMUTATIONS = {"group": 200, "image": 100, "patient": 100, "boosting": 20}  # by how long each takes
_LARGE, _LEAST = 20_000_000, 20  # values of a table above which labels are shuffled less often, and how often
_CHANCE = 0.05  # share of shufflings that reach the area, above which the page warns


@dataclass(frozen=True, eq=False)
class Training:
    """A model and how it was tested.

    Parameters
    ----------
    model : ClusterModel
        Fitted on everything; what to use.
    fitted : Fitted
        The same before it was named.
    examples : Examples
        What it was fitted on.
    design : Design
        Columns that it could choose from, as numbers.
    out_of_fold : OutOfFold
        Predictions for clusters of patients that the model of their fold had not seen.
    null : Null
        The same figures on labels shuffled between patients.
    measures : dict of str to Measure
        Of those predictions; see `mcdetect.training.measures.measure`.
    chosen : Chosen
        What was chosen for the final model.
    stability : DataFrame
        See `mcdetect.training.stability.feature_stability`.
    shares : DataFrame
        What each feature of a logistic model weighs; see `weights_of`.
    notes : tuple of str
        What was left out, assumed, or should be known.
    settings : dict of str to object
        Folds, partitions, samples, shufflings, seed.
    """

    model: ClusterModel
    fitted: Fitted
    examples: Examples
    design: Design
    out_of_fold: OutOfFold
    null: Null
    measures: dict[str, Measure]
    chosen: Chosen
    stability: pd.DataFrame
    shares: pd.DataFrame
    notes: tuple[str, ...]
    settings: dict[str, Any]

    @property
    def features(self) -> tuple[str, ...]:
        """Columns that it could choose from."""
        return self.design.names

    @property
    def predictions(self) -> pd.DataFrame:
        """One row per cluster: where it is, its label, and what the model of its fold said.

        Fold and log-odds are those of the first partition of the patients; the probability, of the image or
        patient where labels are theirs, is the mean over the partitions.
        """
        found, rows = self.out_of_fold, self.design.rows
        data = {
            "file": self.examples.clusters["file"].to_numpy(),
            "cluster_id": self.examples.clusters["cluster_id"].to_numpy(),
            "patient_number": self.examples.patient + 1,
            "fold": found.fold[0] + 1,
            "label": self.examples.label,
            "log_odds": found.log_odds[0],
        }
        if self.model.calibration is not None:
            data["probability"] = found.probability[rows.unit_index]
        return pd.DataFrame(data)


def train(
    examples: Examples,
    *,
    model: str = "logistic",
    features: Sequence[str] = (),
    leave_out: Sequence[str] = (),
    level: str = "group",
    pooling: str = "max",
    calibrate: bool = True,
    target: str = "malignant",
    folds: int = 5,
    inner_folds: int = 4,
    repeats: int | None = None,
    samples: int = 1000,
    permutations: int | None = None,
    stability_samples: int = 100,
    candidates: Sequence[Recipe] = (),
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    memo: Memo | None = None,
) -> Training:
    """Train a model of clusters and test it on patients kept apart.

    Every choice (recipe, features, calibration) is made inside the training part of each fold, and once
    more on everything for the final model. All patients of a class weigh the same, however many clusters
    each has.

    Parameters
    ----------
    examples : Examples
        From `mcdetect.training.join_labels`.
    model : {"logistic", "boosting"}
        Logistic regression drawn towards the suspicion index, or boosted trees.
    features, leave_out : sequence of str
        Columns to use instead of those that are usual, and columns not to use.
    level : {"group", "image", "patient"}
        What the labels belong to.
    pooling : {"max", "log-sum"}
        How the clusters of an image or patient make one score.
    calibrate : bool
        False gives a model that only ranks.
    target : str
        What a high score speaks for.
    folds, inner_folds : int
        At least 2.
    repeats : int, optional
        Partitions of the patients into folds; more the fewer patients there are when not given.
    samples : int
        Bootstrap samples of patients for the intervals.
    permutations : int, optional
        How often the labels are shuffled between patients, to tell what chance alone gives; 200 when not
        given, 100 for labels of images and patients, 20 for trees and large tables, which take longer.
    stability_samples : int
        Bootstrap samples of patients for the stability of the features.
    candidates : sequence of Recipe
        Among which is chosen; those of `mcdetect.training.fitting.recipes` when empty.
    seed : int
    progress : callable, optional
        Called with the steps done and the steps in all.
    memo : Memo, optional
        Keeps steps that take long, and has those that an earlier training on the same did.

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
    if min(folds, inner_folds) < 2 or min(samples, stability_samples, permutations or 0) < 0:
        raise ValueError("folds and inner_folds must be at least 2, samples must not be negative")
    if repeats is not None and repeats < 1:
        raise ValueError("repeats must be at least 1")
    pooled = Pooled(level, "none" if level == "group" else pooling)
    if level != "group" and model != "logistic":
        raise ValueError("labels of images and patients are for logistic models")
    label, patient = examples.label, examples.patient
    n_patients = int(np.unique(patient).size)
    if n_patients < MIN_PATIENTS:
        raise TrainingError(
            f"the labelled clusters come from {n_patients} patients; give at least {MIN_PATIENTS}, "
            "far more for a model worth using"
        )
    if np.unique(label).size < 2:
        raise TrainingError("all labels are the same; give positive and negative ones")
    rarer = min(np.unique(patient[label == value]).size for value in (0, 1))
    if rarer < _FEWEST:
        raise TrainingError(
            f"a class has clusters of {rarer} patients only; to choose and to test takes at least {_FEWEST}"
        )
    design = make_design(examples, features, leave_out, pooled, all_columns=model == "boosting")
    rows = design.rows
    options = tuple(candidates) or recipes(
        model, len(design.names), design.patients, design.fixed, given=design.given
    )
    if any(recipe.kind != model for recipe in options):
        raise ValueError(f"every candidate must be of the kind {model!r}")
    turns = _repeats(design.patients) if repeats is None else repeats
    if permutations is None:
        most = _PERMUTATIONS["boosting" if model == "boosting" else pooled.level]
        permutations = int(np.clip(_LARGE / rows.values.size, _LEAST, most))
    bar = _Steps(progress, turns + permutations + stability_samples)

    how = {"folds": folds, "inner_folds": inner_folds, "repeats": turns, "seed": seed}
    tested = cross_validate(options, rows, **how, step=bar.one)
    if memo is not None:  # first when all is known to make sense
        memo.begin(key_of(options, rows, how))
    null = shuffled_figures(options, rows, permutations=permutations, **how, step=bar.one, memo=memo)
    chosen = choose(options, rows, folds=folds, seed=seed)
    final = fit(chosen.recipe, rows, seed)
    measures = measure(tested, rows, null, samples=samples, seed=seed)
    stability = feature_stability(
        design.names,
        chosen.recipe,
        final,
        tested.fitted,
        rows,
        samples=stability_samples,
        seed=seed,
        step=bar.one,
        memo=memo,
    )
    bar.end()
    notes = [*examples.notes, *design.notes, *_warnings(measures, chosen, tested, design, calibrate)]
    calibration = chosen.calibration if calibrate else None
    about = {
        "mcdetect": mcdetect.__version__,
        "schema": SCHEMA_VERSION,
        "recipe": str(chosen.recipe),
        "clusters": int(label.size),
        "patients": n_patients,
        "positive": int(label.sum()),
        "prevalence": float(np.average(rows.unit_label, weights=plain_weights(rows.unit_patient))),
        "auc": measures["auc"].as_dict(),
        "auc_from": f"pairs within folds, {int(tested.fold.max()) + 1}-fold cross-validation by patient",
    }
    return Training(
        model=_as_model(final, design, target, calibration, about),
        fitted=final,
        examples=examples,
        design=design,
        out_of_fold=tested,
        null=null,
        measures=measures,
        chosen=chosen,
        stability=stability,
        shares=weights_of(final, design),
        notes=tuple(notes),
        settings={
            "model": model,
            "level": level,
            "pooling": pooled.by,
            "folds": int(tested.fold.max()) + 1,
            "inner_folds": inner_folds,
            "repeats": turns,
            "samples": samples,
            "permutations": null.samples,
            "stability_samples": stability_samples,
            "seed": seed,
        },
    )


def weights_of(fitted: Fitted, design: Design) -> pd.DataFrame:
    """Tell what each feature of a logistic model weighs.

    Returns
    -------
    DataFrame
        By falling share: `feature`, `source` ("image", "patient" or "comparison"), `coefficient` (log-odds
        per standard deviation) and `share`, of the variance of the log-odds over the clusters, each patient
        weighing one; shares add up to 1, and one that works against the others is negative. Empty for trees.
    """
    columns = ["feature", "source", "coefficient", "share"]
    if not isinstance(fitted.rule, Linear):
        return pd.DataFrame({name: [] for name in columns})
    parts = fitted.rule.contributions(design.rows.values[:, fitted.columns])
    weight = plain_weights(design.rows.patient)
    weight = weight / weight.sum()
    parts = parts - weight @ parts
    total = parts.sum(axis=1)
    variance = float(weight @ total**2)
    share = (weight * total) @ parts / variance if variance > 0 else np.zeros(parts.shape[1])
    names = [design.names[column] for column in fitted.columns]
    table = pd.DataFrame(
        {
            "feature": names,
            "source": [_source(name, design.joined) for name in names],
            "coefficient": fitted.rule.coefficients,
            "share": share,
        }
    )
    return table.sort_values(["share", "feature"], ascending=[False, True]).reset_index(drop=True)


def _source(name: str, joined: Sequence[str]) -> str:
    if name in CHANGE_COLUMNS:
        return "comparison"
    return "patient" if name in joined else "image"


def _repeats(patients: int) -> int:
    return 1 + sum(patients < limit for limit in _MORE_REPEATS)


class _Steps:
    """Counts what is done and tells it."""

    def __init__(self, tell: Callable[[int, int], None] | None, total: int) -> None:
        self.tell = tell
        self.total = total
        self.done = 0

    def one(self) -> None:
        """One more."""
        self.done = min(self.done + 1, self.total)
        if self.tell is not None:
            self.tell(self.done, self.total)

    def end(self) -> None:
        """All is done."""
        if self.tell is not None:
            self.tell(self.total, self.total)


def _as_model(
    fitted: Fitted,
    design: Design,
    target: str,
    calibration: tuple[float, float] | None,
    about: dict[str, Any],
) -> ClusterModel:
    chosen = tuple(design.names[column] for column in fitted.columns)
    return ClusterModel(
        features=chosen,
        rule=fitted.rule,
        target=target,
        calibration=calibration,
        about=about,
        transforms=tuple(design.transforms[column] for column in fitted.columns),
        joined=tuple(name for name in chosen if name in design.joined),
        pooled=design.rows.pooled,
    )


def _warnings(
    measures: dict[str, Measure], chosen: Chosen, tested: OutOfFold, design: Design, calibrate: bool
) -> list[str]:
    found = []
    if design.patients < FEW and design.fixed and chosen.recipe.kind == "logistic":
        found.append(
            f"with {design.patients} patients of the rarer class only few features can be told apart: "
            f"{', '.join(design.names[:6])}; --use names others"
        )
    if design.patients < _FEW:
        found.append(
            f"the rarer class has {design.patients} patients only: with more the figures will change"
        )
    if len(design.names) > design.patients and chosen.recipe.kind == "logistic":
        found.append(
            f"{len(design.names)} features for {design.patients} patients of the rarer class are many: "
            "leave out what is not needed"
        )
    if calibrate and chosen.calibration is None:
        found.append("the model ranks unseen clusters no better than chance, so it is not calibrated")
    without = sum(each.calibration is None for each in tested.chosen)
    if without:
        found.append(f"in {without} of {len(tested.chosen)} folds nothing was learned")
    area = measures["auc"]
    if area.p > _CHANCE or (not np.isfinite(area.p) and not area.low > 0.5):
        found.append("the AUC is one that chance gives, too: the features may tell nothing about the labels")
    for note in found:
        logger.warning("%s", note)
    return found
