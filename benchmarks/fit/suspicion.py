"""Fit how much the crowding of a group adds to the suspicion index, on real groups.

The published odds of words and kinds are the prior: their log-odds enter with fixed shares (`PUBLISHED`,
`BENIGN`), since on real groups, named by the detector, they discriminate less than in reports. What is
fitted is the base and the coefficient of the reason crowding: a logistic regression of the flagged groups
of suspicious against all other images, each woman's groups weighed by one over the root of their number,
with a weak ridge. What breadth adds is set, not fitted: two fits, after a change of the score, gave it
coefficients of either sign, and between 0.2 and 0.8 it hardly matters to women kept apart. Suspicious groups
count `SUSPICIOUS` times as much as all others together: at 50 a reader looks again, and most groups that are
flagged are benign.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize

from mcdetect.clusters.scoring import Feature, Scorer, default_scorer

__all__ = ["FITTED", "fit_index", "held_out_index"]

FITTED = ("crowding",)
"""Reasons whose coefficients are fitted."""
SET = {"breadth": 0.25}
"""Reasons whose coefficients are set: a pull towards none of what a fit to few women cannot tell."""
SUSPICIOUS = 0.7
"""Weight of all suspicious groups over that of all others."""
_RIDGE = 0.3


def _reasons(groups: pd.DataFrame, scorer: Scorer) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the scaled values of the fitted reasons, and what all others add."""
    unit = dataclasses.replace(scorer, features=tuple(_with(f, 1.0) for f in scorer.features))
    parts = unit.score(groups)
    values = np.column_stack([parts[f"suspicion_{name}"] for name in FITTED])
    others = [f"suspicion_{f.name}" for f in scorer.features if f.name not in FITTED]
    return values, parts[others].sum(axis=1).to_numpy()


def _with(feature: Feature, coefficient: float) -> Feature:
    if feature.name not in FITTED and feature.name not in SET:
        return feature
    coefficient = SET.get(feature.name, coefficient)
    (term,) = feature.terms
    return dataclasses.replace(feature, terms=(dataclasses.replace(term, coefficient=coefficient),))


def fit_index(groups: pd.DataFrame, suspicious: Sequence[bool], woman: Sequence[str]) -> Scorer:
    """Return the index with base and fitted reasons from these groups.

    Parameters
    ----------
    groups : DataFrame
        Flagged groups.
    suspicious : (n,) sequence of bool
        Whether the image of each group was called suspicious for its calcifications.
    woman : (n,) sequence of str
        Whose they are.
    """
    scorer = default_scorer()
    if len(set(suspicious)) < 2:  # a trial run: there is nothing to learn from
        return scorer
    values, others = _reasons(groups, scorer)
    design = np.column_stack([np.ones(len(values)), values])
    sign = np.where(np.asarray(suspicious), 1.0, -1.0)
    owner = pd.Series(list(woman))
    weight = 1.0 / np.sqrt(owner.map(owner.value_counts()).to_numpy(dtype=np.float64))
    weight[sign > 0] *= SUSPICIOUS * weight[sign < 0].sum() / weight[sign > 0].sum()
    weight /= weight.mean()

    def loss(b: npt.NDArray[np.float64]) -> float:
        margin = sign * (design @ b + others)
        return float(weight @ np.logaddexp(0.0, -margin) + 0.5 * _RIDGE * (b[1:] ** 2).sum())

    base, *slopes = (round(float(b), 3) for b in minimize(loss, np.zeros(design.shape[1])).x)
    by_name = dict(zip(FITTED, slopes, strict=True))
    features = tuple(_with(f, by_name.get(f.name, 1.0)) for f in scorer.features)
    return dataclasses.replace(scorer, base=base, features=features)


def held_out_index(
    groups: pd.DataFrame,
    suspicious: npt.NDArray[np.bool_],
    woman: npt.NDArray[np.str_],
    fitted_on: npt.NDArray[np.bool_],
) -> npt.NDArray[np.float64]:
    """Return the index of each group by coefficients that did not see its woman.

    Parameters
    ----------
    groups, suspicious, woman
        As for `fit_index`.
    fitted_on : (n,) bool array
        Groups whose outcome is clear enough to fit on.
    """
    index = np.full(len(groups), np.nan)
    for name in np.unique(woman):
        own = woman == name
        others = fitted_on & ~own
        scorer = fit_index(groups[others], suspicious[others].tolist(), woman[others].tolist())
        index[own] = scorer.score(groups[own])["suspicion"]
    return index
