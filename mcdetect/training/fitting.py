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
from mcdetect.training.weights import balanced_weights

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
    "select",
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
        taken = _filled(values[:, self.columns], np.ones(len(values)))
        ranks = rankdata(np.column_stack([taken, self.log_odds(values)]), axis=0)
        ranks -= ranks.mean(axis=0)
        return np.where(used > 0, np.sign(ranks[:, :-1].T @ ranks[:, -1]), 0.0)


def select(
    values: _Floats, label: _Ints, count: int, weight: _Floats | None = None, fixed: tuple[int, ...] = ()
) -> _Ints:
    """Choose features that separate the classes and do not repeat each other.

    Features are taken by falling separation: how far apart the mean ranks of the classes lie, which without
    weights is the distance of the area under the ROC curve from one half. One whose rank correlation with a
    feature already taken reaches `REDUNDANT` is passed over. Missing values count as the median.

    Parameters
    ----------
    values : (n, features) float64 array
        Not-a-number for missing.
    label : (n,) int64 array
        0 and 1, both present.
    count : int
        Most features to take; 0 for all that vary, or none beside fixed ones.
    weight : (n,) float64 array, optional
    fixed : tuple of int
        Columns that are taken in any case; the others come on top.

    Returns
    -------
    (k,) int64 array
        Their columns, rising.
    """
    if fixed and count == 0:
        return np.array(sorted(fixed), np.int64)
    weight = np.ones(label.size) if weight is None else weight
    filled = _filled(values, weight)
    varies = np.flatnonzero(np.ptp(filled, axis=0) > 0)
    if count == 0 or varies.size <= 1:
        return varies
    ranks = _ranks(filled[:, varies], weight)
    means = [
        weight[label == value] @ ranks[label == value] / weight[label == value].sum() for value in (0, 1)
    ]
    order = np.argsort(-np.abs(np.round(means[1] - means[0], 9)), kind="stable")
    unit = (ranks - weight @ ranks / weight.sum()) * np.sqrt(weight)[:, None]
    unit /= np.sqrt((unit**2).sum(axis=0))
    taken = [int(index) for index in np.flatnonzero(np.isin(varies, fixed))]
    most = len(taken) + count
    for index in order:
        if len(taken) == most:
            break
        if index not in taken and (not taken or np.abs(unit[:, taken].T @ unit[:, index]).max() < REDUNDANT):
            taken.append(int(index))
    chosen: _Ints = np.union1d(varies[taken], np.array(fixed, np.int64)).astype(np.int64)
    return chosen


def _filled(values: _Floats, weight: _Floats) -> _Floats:
    """Put the median for what is missing, and zero where everything is."""
    return np.where(np.isfinite(values), values, _medians(values, weight))


def _medians(values: _Floats, weight: _Floats) -> _Floats:
    """Return the weighted median of each column, zero where nothing is known."""
    out = np.zeros(values.shape[1])
    for column, of_column in enumerate(values.T):
        known = np.isfinite(of_column)
        if known.any():
            out[column] = _median(of_column[known], weight[known])
    return out


def _median(values: _Floats, weight: _Floats) -> float:
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order])
    half = 0.5 * reached[-1]
    low = int(np.searchsorted(reached, half * (1.0 - 1e-12)))
    high = int(np.searchsorted(reached, half * (1.0 + 1e-12)))
    return float(0.5 * (values[order[low]] + values[order[min(high, order.size - 1)]]))


def _ranks(values: _Floats, weight: _Floats) -> _Floats:
    """Return the share of the weight below each value of its column, and half of what equals it."""
    reached = np.cumsum(weight[np.argsort(values, axis=0, kind="stable")], axis=0)
    reached = np.vstack([np.zeros(values.shape[1]), reached]) / weight.sum()
    first, last = (rankdata(values, "min", axis=0), rankdata(values, "max", axis=0))
    below = np.take_along_axis(reached, first.astype(np.int64) - 1, axis=0)
    with_it = np.take_along_axis(reached, last.astype(np.int64), axis=0)
    out: _Floats = 0.5 * (below + with_it)
    return out


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
    of_unit = balanced_weights(rows.unit_label, rows.unit_patient)
    index = rows.unit_index
    weight = (of_unit / np.bincount(index))[index]
    columns = select(rows.values, rows.label, recipe.n_features, weight, recipe.fixed)
    if columns.size == 0:  # nothing varies: the model is the prevalence
        columns = np.zeros(1, np.int64)
    chosen = rows.values[:, columns]
    if recipe.kind == "boosting":
        boosting = _boosting(recipe, chosen, rows.label, weight, seed)
        return Fitted(columns, _forest(boosting), boosting)
    return Fitted(columns, _logistic(recipe, chosen, rows, weight, of_unit, columns))


def _logistic(
    recipe: Recipe, values: _Floats, rows: Rows, weight: _Floats, of_unit: _Floats, columns: _Ints
) -> Linear:
    medians = _medians(values, weight)
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
        found = fit_pools(x, rows.unit_label, of_unit, prior, strength, rows.pools, rows.pooled.by, found)
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
