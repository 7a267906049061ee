"""Fits one model by one recipe with scikit-learn, and turns it into data."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from mcdetect.errors import MissingLibraryError
from mcdetect.models.cluster_model import Linear
from mcdetect.models.trees import Forest, Tree

__all__ = ["KINDS", "Fitted", "MissingSklearnError", "Recipe", "fit", "recipes", "require_sklearn", "select"]

KINDS = ("logistic", "boosting")
# Judged: a lower bound keeps fewer features, which say more each and are steadier.
REDUNDANT = 0.9
"""Rank correlation from which on a feature says the same as one that is already taken."""

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


class MissingSklearnError(MissingLibraryError):
    """scikit-learn is not installed."""

    def __init__(self) -> None:
        super().__init__("training needs scikit-learn (using a model does not)", "train")


def require_sklearn() -> None:
    """Raise `MissingSklearnError` when models cannot be fitted."""
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise MissingSklearnError from error


@dataclass(frozen=True)
class Recipe:
    """What is chosen before a model is fitted.

    Parameters
    ----------
    kind : {"logistic", "boosting"}
    n_features : int
        Most features that are taken; 0 for all that vary.
    strength : float
        Logistic: inverse of the ridge penalty (`C` of scikit-learn).
    n_trees, n_leaves : int
        Boosting: number of trees, and most leaves of each.
    """

    kind: str
    n_features: int = 0
    strength: float = 1.0
    n_trees: int = 0
    n_leaves: int = 0

    def __str__(self) -> str:
        if self.kind == "boosting":
            return f"{self.n_trees} trees of {self.n_leaves} leaves"
        taken = f"up to {self.n_features} features" if self.n_features else "all features"
        return f"{taken}, C = {self.strength:g}"


def recipes(kind: str, n_features: int) -> tuple[Recipe, ...]:
    """Return the recipes among which inner cross-validation chooses, from simple to complex.

    Parameters
    ----------
    kind : {"logistic", "boosting"}
    n_features : int
        Features of the table.
    """
    if kind == "boosting":
        return tuple(
            Recipe(kind, n_trees=trees, n_leaves=leaves) for leaves, trees in ((3, 40), (3, 120), (6, 80))
        )
    counts = [count for count in (4, 8, 16) if count < n_features] + [0]
    return tuple(Recipe(kind, count, strength) for count in counts for strength in (0.03, 1.0))


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted model.

    Parameters
    ----------
    columns : (k,) int64 array
        Columns of the table that it takes.
    estimator : object
        Of scikit-learn, over those columns; missing values are not-a-number.
    rule : Linear or Forest
        The same as data, over the same columns.
    """

    columns: _Ints
    estimator: Any
    rule: Linear | Forest

    def log_odds(self, values: _Floats) -> _Floats:
        """Return the log-odds of rows of the whole table; (n, features) in, (n,) out."""
        return self.rule.log_odds(values[:, self.columns])

    def directions(self, values: _Floats) -> _Floats:
        """Return the sign with which every taken column enters; (k,) float64 of -1, 0, 1.

        Of a linear model that is the sign of the coefficient, of trees that of the rank correlation between
        the feature and the log-odds.
        """
        if isinstance(self.rule, Linear):
            return np.sign(self.rule.coefficients)
        used = np.zeros(self.columns.size)
        counts = self.rule.used()
        used[: counts.size] = counts
        taken = _filled(values[:, self.columns])
        ranks = rankdata(np.column_stack([taken, self.log_odds(values)]), axis=0)
        ranks -= ranks.mean(axis=0)
        return np.where(used > 0, np.sign(ranks[:, :-1].T @ ranks[:, -1]), 0.0)


def select(values: _Floats, label: _Ints, count: int) -> _Ints:
    """Choose features that separate the classes and do not repeat each other.

    Features are taken by falling separation, the distance of the area under their ROC curve from one half.
    One whose rank correlation with a feature already taken reaches `REDUNDANT` is passed over. Missing values
    count as the median.

    Parameters
    ----------
    values : (n, features) float64 array
        Not-a-number for missing.
    label : (n,) int64 array
        0 and 1, both present.
    count : int
        Most features to take; 0 for all that vary.

    Returns
    -------
    (k,) int64 array
        Their columns, rising.
    """
    filled = _filled(values)
    varies = np.flatnonzero(np.ptp(filled, axis=0) > 0)
    if count == 0 or varies.size <= 1:
        return varies
    ranks = rankdata(filled[:, varies], axis=0)
    positive = label == 1
    n1, n0 = int(positive.sum()), int((~positive).sum())
    auc = (ranks[positive].sum(axis=0) - n1 * (n1 + 1) / 2) / (n1 * n0)
    order = np.argsort(-np.abs(auc - 0.5), kind="stable")
    unit = ranks - ranks.mean(axis=0)
    unit /= np.sqrt((unit**2).sum(axis=0))
    taken: list[int] = []
    for index in order:
        if not taken or np.abs(unit[:, taken].T @ unit[:, index]).max() < REDUNDANT:
            taken.append(int(index))
            if len(taken) == count:
                break
    chosen: _Ints = varies[np.sort(taken)]
    return chosen


def _filled(values: _Floats) -> _Floats:
    """Put the median for what is missing, and zero where everything is."""
    known = np.isfinite(values)
    out = np.where(known, values, np.nan)
    empty = ~known.any(axis=0)
    out[:, empty] = 0.0
    medians = np.nanmedian(out, axis=0) if len(out) else np.zeros(out.shape[1])
    return np.where(np.isfinite(out), out, medians)


def fit(recipe: Recipe, values: _Floats, label: _Ints, seed: int = 0) -> Fitted:
    """Fit a model.

    Parameters
    ----------
    recipe : Recipe
    values : (n, features) float64 array
        Not-a-number for missing.
    label : (n,) int64 array
        0 and 1, both present.
    seed : int

    Returns
    -------
    Fitted
    """
    columns = select(values, label, recipe.n_features)
    if columns.size == 0:  # nothing varies: the model is the prevalence
        columns = np.zeros(1, np.int64)
    chosen = values[:, columns]
    if recipe.kind == "boosting":
        boosting = _boosting(recipe, chosen, label, seed)
        return Fitted(columns, boosting, _forest(boosting))
    pipeline = _logistic(recipe, chosen, label)
    return Fitted(columns, pipeline, _linear(pipeline))


def _logistic(recipe: Recipe, values: _Floats, label: _Ints) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipeline = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(C=recipe.strength, max_iter=1000),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return pipeline.fit(values, label)


def _linear(pipeline: Any) -> Linear:
    imputer, scaler, logistic = (step for _, step in pipeline.steps)
    return Linear(
        medians=np.nan_to_num(imputer.statistics_.astype(np.float64)),
        means=scaler.mean_.astype(np.float64),
        scales=scaler.scale_.astype(np.float64),
        coefficients=logistic.coef_[0].astype(np.float64),
        intercept=float(logistic.intercept_[0]),
    )


def _boosting(recipe: Recipe, values: _Floats, label: _Ints, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=recipe.n_trees,
        max_leaf_nodes=recipe.n_leaves,
        learning_rate=0.08,
        min_samples_leaf=max(5, min(20, len(label) // 20)),
        l2_regularization=2.0,
        early_stopping=False,
        random_state=seed,
    ).fit(values, label)


def _forest(boosting: Any) -> Forest:
    trees = []
    for (predictor,) in boosting._predictors:
        nodes = predictor.nodes
        leaf = nodes["is_leaf"].astype(bool)
        # A split that only parts missing from known values has an infinite threshold.
        threshold = np.minimum(nodes["num_threshold"], np.finfo(np.float64).max)
        trees.append(
            Tree(
                feature=np.where(leaf, -1, nodes["feature_idx"]).astype(np.int64),
                threshold=np.where(leaf, 0.0, threshold),
                missing_left=np.where(leaf, 0, nodes["missing_go_to_left"]).astype(np.int64),
                left=np.where(leaf, 0, nodes["left"]).astype(np.int64),
                right=np.where(leaf, 0, nodes["right"]).astype(np.int64),
                value=np.where(leaf, nodes["value"], 0.0),
            )
        )
    return Forest(float(np.ravel(boosting._baseline_prediction)[0]), tuple(trees))
