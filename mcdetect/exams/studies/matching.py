"""Which groups of two views of one breast are the same: a globally optimal assignment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mcdetect.config import StudyConfig

__all__ = ["MATCHING_COLUMNS", "NO_PAIRS", "Pairing", "best_pairs", "match_views", "ratio_terms"]

# Judged: smaller deviations tell groups apart better, and lose pairs that the other view shows changed.
_RATIO_SD = {"n_calcifications": 0.3, "extent_mm": 0.5, "diameter_mm_mean": 0.2, "contrast_mean": 0.4}
"""Standard deviation of the natural logarithm of the ratio of a measure between two views of one group."""
_UNKNOWN, _UNKNOWN_DISTANCE = 1.0, 2.0  # deviation, in SD, of a measure and of a distance not known

MATCHING_COLUMNS = ("flagged", "score", "nipple_distance_mm", *_RATIO_SD)
"""Columns of the clusters that are looked at; `nipple_distance_mm` and the measures may be missing."""

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pairing:
    """Pairs of groups.

    Parameters
    ----------
    first, second : (p,) int64 arrays
        Row numbers of the groups in either table, rising in `first`.
    mismatch : (p,) float64 array
        Root mean square of the deviations, in standard deviations.
    distance_difference_mm : (p,) float64 array
        Distance to the nipple in the second view minus that in the first; not-a-number where one is unknown.
    """

    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    mismatch: _Floats
    distance_difference_mm: _Floats


NO_PAIRS = Pairing(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0))
"""Of tables without rows."""


def match_views(first: pd.DataFrame, second: pd.DataFrame, config: StudyConfig | None = None) -> Pairing:
    """Find the groups that two views of one breast both show.

    Two groups are compared by five measures: the distance to the nipple, and the number, extent, size and
    contrast of the members. The distance is nearly the same in every view, since the breast is turned about
    an axis through the nipple. The others change little.

    1. Each measure gives a deviation, in standard deviations. Where a measure is unknown it is taken as 1,
       for the distance as 2. The mismatch of a pair is the root mean square of the five.
    2. A pair is acceptable when its mismatch is below ``config.max_mismatch``. Distances that are known must
       not differ by more than ``config.max_distance_mm``.
    3. Of all ways to pair acceptable groups, each group at most once, the best is taken: the one with the
       largest sum of ``config.max_mismatch ** 2 - mismatch ** 2`` (Hungarian method). Pairs with a flagged
       group are settled first, so that two unflagged groups cannot take a partner from a flagged one.

    Parameters
    ----------
    first, second : DataFrame
        Groups of a craniocaudal and of an oblique or lateral view, with the columns of
        `mcdetect.schema.CLUSTERS`; of these `MATCHING_COLUMNS` are used where they are there.
    config : StudyConfig, optional
        The limits.

    Returns
    -------
    Pairing
        The same pairs whatever the order of rows, and of the two tables, but for exact ties.
    """
    config = config or StudyConfig()
    if not len(first) or not len(second):
        return NO_PAIRS
    difference = (
        _values(second, "nipple_distance_mm")[None, :] - _values(first, "nipple_distance_mm")[:, None]
    )
    apart = (difference / config.distance_sd_mm) ** 2
    terms = [np.where(np.isfinite(apart), apart, _UNKNOWN_DISTANCE**2)]
    terms += ratio_terms(first, second, _RATIO_SD)
    mismatch = np.sqrt(np.mean(terms, axis=0))
    far = np.isfinite(difference) & (np.abs(difference) > config.max_distance_mm)
    return best_pairs(first, second, mismatch, difference, far, config.max_mismatch)


def ratio_terms(first: pd.DataFrame, second: pd.DataFrame, spread: Mapping[str, float]) -> list[_Floats]:
    """Return squared deviations of measures of all pairs, in standard deviations of the log of their ratio.

    Parameters
    ----------
    first, second : DataFrame
        Groups.
    spread : mapping of str to float
        Standard deviation by column; what is unknown counts as one.

    Returns
    -------
    list of (a, b) float64 arrays
    """
    terms = []
    for name, sd in spread.items():
        ratio = _log(_values(first, name))[:, None] - _log(_values(second, name))[None, :]
        terms.append(np.where(np.isfinite(ratio), (ratio / sd) ** 2, _UNKNOWN**2))
    return terms


def best_pairs(
    first: pd.DataFrame,
    second: pd.DataFrame,
    mismatch: _Floats,
    difference: _Floats,
    barred: npt.NDArray[np.bool_],
    most: float,
) -> Pairing:
    """Return the pairs of the best assignment of groups, those with a flagged group settled first.

    Parameters
    ----------
    first, second : DataFrame
        Groups; `flagged` is read where it is there.
    mismatch, difference : (a, b) float64 arrays
        Of all pairs.
    barred : (a, b) bool array
        Pairs that are none.
    most : float
        Pairs of this mismatch are none, either.
    """
    a, b = mismatch.shape
    gain = np.where(barred, 0.0, np.maximum(most**2 - mismatch**2, 0.0))
    flagged = _flags(first)[:, None] | _flags(second)[None, :]
    pairs = _assign(np.where(flagged, gain, 0.0))
    taken_rows, taken_cols = {i for i, _ in pairs}, {j for _, j in pairs}
    free_rows = np.array([i for i in range(a) if i not in taken_rows], np.int64)
    free_cols = np.array([j for j in range(b) if j not in taken_cols], np.int64)
    rest = _assign(np.where(flagged, 0.0, gain)[np.ix_(free_rows, free_cols)])
    pairs = sorted([*pairs, *((int(free_rows[i]), int(free_cols[j])) for i, j in rest)])
    i = np.array([pair[0] for pair in pairs], np.int64)
    j = np.array([pair[1] for pair in pairs], np.int64)
    return Pairing(i, j, mismatch[i, j], difference[i, j])


def _assign(gain: _Floats) -> list[tuple[int, int]]:
    if not (gain > 0).any():
        return []
    from scipy.optimize import linear_sum_assignment  # here, as it takes half a second to import

    rows, cols = linear_sum_assignment(gain, maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, cols, strict=True) if gain[i, j] > 0]


def _values(table: pd.DataFrame, name: str) -> _Floats:
    if name not in table.columns:
        return np.full(len(table), np.nan)
    column = table[name]
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "fiub":  # much faster, for many tables
        plain: _Floats = column.to_numpy().astype(np.float64)
        return plain
    found: _Floats = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return found


def _flags(table: pd.DataFrame) -> npt.NDArray[np.bool_]:
    if "flagged" not in table.columns:
        return np.ones(len(table), np.bool_)
    return table["flagged"].to_numpy(dtype=np.bool_)


def _log(values: _Floats) -> _Floats:
    positive = np.where(np.isfinite(values) & (values > 0), values, 1.0)
    return np.where(np.isfinite(values) & (values > 0), np.log(positive), np.nan)
