"""How often every feature is selected, and with which sign, when other patients had been drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from mcdetect.models.linear import Linear
from mcdetect.training.fitting import Fitted, Recipe, fit
from mcdetect.training.rows import Rows
from mcdetect.validation.evaluation.bootstrap import patient_weights

if TYPE_CHECKING:
    from mcdetect.training.memo import Memo

__all__ = ["feature_stability"]

_TRIES = 20  # Technical: samples drawn beyond twice what is asked for, since some miss a class

_Floats = npt.NDArray[np.float64]


def feature_stability(
    names: Sequence[str],
    recipe: Recipe,
    final: Fitted,
    folds: Sequence[Fitted],
    rows: Rows,
    *,
    samples: int,
    seed: int,
    step: Callable[[], None] | None = None,
    memo: Memo | None = None,
) -> pd.DataFrame:
    """Refit the chosen recipe on bootstrap samples of patients and count what each feature does.

    Parameters
    ----------
    names : sequence of str
        Columns of `values`.
    recipe : Recipe
        Of the final model.
    final : Fitted
        The final model.
    folds : sequence of Fitted
        The models of the outer folds.
    rows : Rows
        What the final model was fitted to; patients numbered from 0.
    samples : int
        Bootstrap samples.
    seed : int
    step : callable, optional
        Called after each.
    memo : Memo, optional
        Keeps each, and has those that were done before.

    Returns
    -------
    DataFrame
        One row per feature that any of the models used, by falling share of the samples: `selected` and
        `positive`, `negative` (shares of the samples that use it, with either sign), `selected_folds`
        (share of the outer folds), `in_model`, and `weight`: the standardised coefficient of the final
        model, or the share of its splits.
    """
    n, values = len(names), rows.values
    signs = _refits(recipe, rows, samples, seed, step, memo, n)
    fold_signs = _signs(folds, n, values)
    final_sign = _signs([final], n, values)
    weight = np.zeros(n)
    if isinstance(final.rule, Linear):
        weight[final.columns] = final.rule.coefficients
    else:
        counts = final.rule.used()
        weight[final.columns[: counts.size]] = counts / max(int(counts.sum()), 1)
    table = pd.DataFrame(
        {
            "feature": list(names),
            "selected": _share(signs, [-1, 1]),
            "positive": _share(signs, [1]),
            "negative": _share(signs, [-1]),
            "selected_folds": _share(fold_signs, [-1, 1]),
            "in_model": final_sign[0] != 0,
            "weight": weight,
        }
    )
    used = (table["selected"] > 0) | (table["selected_folds"] > 0) | table["in_model"]
    table = table[used].assign(size=lambda t: t["weight"].abs())
    table = table.sort_values(["selected", "size", "feature"], ascending=[False, False, True])
    return table.drop(columns="size").reset_index(drop=True)


def _refits(
    recipe: Recipe,
    rows: Rows,
    samples: int,
    seed: int,
    step: Callable[[], None] | None,
    memo: Memo | None,
    features: int,
) -> _Floats:
    """Return the sign of each feature in each refit; (samples, features)."""
    # Samples that miss a class tell nothing; more are drawn than needed.
    weights = patient_weights(int(rows.patient.max()) + 1, samples * 2 + _TRIES, seed)
    found: list[list[float]] = []
    for number, column in enumerate(weights.T):
        if len(found) == samples:
            break
        signs = None if memo is None else memo.known(f"refit {number} of {samples}")
        if signs is None:
            drawn = rows.again(column.astype(np.int64))
            whole = np.unique(drawn.label).size == 2
            signs = _signs([fit(recipe, drawn, seed)], features, rows.values)[0].tolist() if whole else []
            if memo is not None:
                memo.keep(f"refit {number} of {samples}", signs)
        if signs:
            found.append(signs)
            if step is not None:
                step()
    return np.array(found).reshape(len(found), features)


def _signs(models: Sequence[Fitted], n: int, values: _Floats) -> _Floats:
    out = np.zeros((len(models), n))
    for row, model in zip(out, models, strict=True):
        row[model.columns] = model.directions(values)
    return out


def _share(signs: _Floats, wanted: list[int]) -> _Floats:
    return np.isin(signs, wanted).mean(axis=0) if len(signs) else np.zeros(signs.shape[1])
