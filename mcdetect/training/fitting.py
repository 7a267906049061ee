"""Fits one model by one recipe, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from mcdetect.errors import MissingLibraryError
from mcdetect.models.linear import Linear
from mcdetect.models.trees import Forest, Tree
from mcdetect.training.logistic import fit_groups, fit_pools
from mcdetect.training.rows import Rows
from mcdetect.training.selection import filled

__all__ = [
    "FEW",
    "KINDS",
    "Fitted",
    "MissingSklearnError",
    "Recipe",
    "few_features",
    "fit",
    "recipes",
    "require_sklearn",
]

KINDS = ("logistic", "boosting")

# Judged: on tables drawn as uneven as real ones (tests/test_training_few.py). With fewer patients choosing
# features only adds chance; weaker penalties learn strong effects better, and noise as well.
FEW = 20
"""Patients of the rarer class below which features are fixed, not chosen."""
_MORE_FEATURES = (10, 15)  # patients of the rarer class from which there are three, four
_FEW_STRENGTHS = (0.25, 0.5)  # variance of a coefficient about what is known before
_STRENGTHS = (0.1, 1.0)
_PATIENTS_PER_FEATURE = 5  # of the rarer class

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
        Most features that are taken by their separation; 0 for all that vary, unless there are fixed ones.
    strength : float
        Logistic: variance of the standardised coefficients about what is known before (the inverse of the
        ridge penalty, `C` of scikit-learn).
    n_trees, n_leaves : int
        Boosting: number of trees, and most leaves of each.
    fixed : tuple of int
        Columns that are taken in any case.
    """

    kind: str
    n_features: int = 0
    strength: float = 1.0
    n_trees: int = 0
    n_leaves: int = 0
    fixed: tuple[int, ...] = ()

    def __str__(self) -> str:
        if self.kind == "boosting":
            return f"{self.n_trees} trees of {self.n_leaves} leaves"
        fixed = f"{len(self.fixed)} fixed features" if self.fixed else ""
        more = f"up to {self.n_features} {'more' if fixed else 'features'}" if self.n_features else ""
        return (
            f"{' and '.join(part for part in (fixed, more) if part) or 'all features'}, C = {self.strength:g}"
        )


def recipes(
    kind: str, n_features: int, patients: int, fixed: tuple[int, ...] = (), *, given: bool = False
) -> tuple[Recipe, ...]:
    """Return the recipes among which inner cross-validation chooses, from simple to complex.

    Parameters
    ----------
    kind : {"logistic", "boosting"}
    n_features : int
        Features of the table.
    patients : int
        Of the rarer class: they allow for so many features.
    fixed : tuple of int
        Columns that are taken in any case, if any.
    given : bool
        The features were named by the user: with few patients all of them are taken, none chosen.
    """
    if kind == "boosting":
        return tuple(
            Recipe(kind, n_trees=trees, n_leaves=leaves) for leaves, trees in ((3, 40), (3, 120), (6, 80))
        )
    if patients < FEW:
        count = 0 if fixed or given else few_features(patients)
        return tuple(Recipe(kind, count, strength, fixed=fixed) for strength in _FEW_STRENGTHS)
    simple = tuple(Recipe(kind, 0, strength, fixed=fixed) for strength in _FEW_STRENGTHS) if fixed else ()
    allowed = patients // _PATIENTS_PER_FEATURE
    counts = [count for count in (4, 8, 16) if count < n_features and count <= allowed]
    wider = tuple(Recipe(kind, count, strength, fixed=fixed) for count in counts for strength in _STRENGTHS)
    if n_features <= allowed or not (simple or wider):
        wider += tuple(Recipe(kind, 0, strength) for strength in _STRENGTHS)
    return simple + wider


def few_features(patients: int) -> int:
    """Return how many features a number of patients of the rarer class below `FEW` allows for."""
    return 2 + sum(patients >= limit for limit in _MORE_FEATURES)


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted model.

    Parameters
    ----------
    columns : (k,) int64 array
        Columns of the table that it takes.
    rule : Linear or Forest
        From those columns to log-odds.
    estimator : object
        Trees: of scikit-learn, over those columns; missing values are not-a-number.
    """

    columns: _Ints
    rule: Linear | Forest
    estimator: Any = None

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
        taken = filled(values[:, self.columns], np.ones(len(values)))
        ranks = rankdata(np.column_stack([taken, self.log_odds(values)]), axis=0)
        ranks -= ranks.mean(axis=0)
        return np.where(used > 0, np.sign(ranks[:, :-1].T @ ranks[:, -1]), 0.0)


def fit(recipe: Recipe, rows: Rows, seed: int = 0) -> Fitted:
    """Fit a model; all patients of a class weigh the same, and both classes.

    Parameters
    ----------
    recipe : Recipe
    rows : Rows
        With both classes.
    seed : int

    Returns
    -------
    Fitted
    """
    if recipe.fixed and recipe.n_features == 0:  # nothing to rank
        columns = np.array(sorted(recipe.fixed), np.int64)
    else:
        columns = rows.ranking.take(recipe.n_features, recipe.fixed)
    if columns.size == 0:  # nothing varies: the model is the prevalence
        columns = np.zeros(1, np.int64)
    chosen = rows.values[:, columns]
    if recipe.kind == "boosting":
        boosting = _boosting(recipe, chosen, rows.label, rows.weight, seed)
        return Fitted(columns, _forest(boosting), boosting)
    return Fitted(columns, _logistic(recipe, chosen, rows, columns))


def _logistic(recipe: Recipe, values: _Floats, rows: Rows, columns: _Ints) -> Linear:
    weight, medians = rows.weight, rows.medians[columns]
    filled = np.where(np.isfinite(values), values, medians)
    share = weight / weight.sum()
    means = share @ filled
    scales = np.sqrt(share @ (filled - means) ** 2)
    varies = scales > 1e-12 * np.maximum(1.0, np.abs(means))
    scales = np.where(varies, scales, 1.0)
    prior = np.where(varies, rows.prior[columns], 0.0)
    strength = recipe.strength * rows.freedom[columns]
    x = (filled - means) / scales
    found = fit_groups(x, rows.label, weight, prior, strength)
    if rows.pooled.level != "group":
        found = fit_pools(
            x, rows.unit_label, rows.unit_weight, prior, strength, rows.pools, rows.pooled.by, found
        )
    return Linear(medians, means, scales, *found, filled.min(axis=0), filled.max(axis=0))


def _boosting(recipe: Recipe, values: _Floats, label: _Ints, weight: _Floats, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=recipe.n_trees,
        max_leaf_nodes=recipe.n_leaves,
        learning_rate=0.08,
        min_samples_leaf=max(5, min(20, len(label) // 20)),
        l2_regularization=2.0,
        early_stopping=False,
        random_state=seed,
    ).fit(values, label, sample_weight=weight * (label.size / weight.sum()))


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
