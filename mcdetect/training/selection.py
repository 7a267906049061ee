"""Features that separate the classes and do not repeat each other, by ranks in which patients weigh alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

__all__ = ["Ranking", "filled", "medians_of"]

# Judged: a lower bound keeps fewer features, which say more each and are steadier.
REDUNDANT = 0.9
"""Rank correlation from which on a feature says the same as one that is already taken."""

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Ranking:
    """The columns of a table by how well each separates the classes.

    Parameters
    ----------
    varies : (v,) int64 array
        Columns that vary.
    order : (v,) int64 array
        Places among these, by falling separation: how far apart the mean ranks of the classes lie, which
        without weights is the distance of the area under the ROC curve from one half.
    unit : (n, v) float64 array
        Their ranks as unit vectors, whose products are rank correlations.
    """

    varies: _Ints
    order: _Ints
    unit: _Floats

    @classmethod
    def of(cls, values: _Floats, label: _Ints, weight: _Floats) -> Ranking:
        """Rank the columns; missing values count as the median.

        Parameters
        ----------
        values : (n, features) float64 array
            Not-a-number for missing.
        label : (n,) int64 array
            0 and 1, both present.
        weight : (n,) float64 array
        """
        known = filled(values, weight)
        varies = np.flatnonzero(np.ptp(known, axis=0) > 0)
        ranks = _ranks(known[:, varies], weight)
        low, high = (
            weight[label == value] @ ranks[label == value] / weight[label == value].sum() for value in (0, 1)
        )
        order = np.argsort(-np.abs(np.round(high - low, 9)), kind="stable")
        unit = (ranks - weight @ ranks / weight.sum()) * np.sqrt(weight)[:, None]
        unit /= np.sqrt((unit**2).sum(axis=0))
        return cls(varies, order, unit)

    def take(self, count: int, fixed: tuple[int, ...] = ()) -> _Ints:
        """Choose columns.

        Parameters
        ----------
        count : int
            Most to take; 0 for all that vary. One whose rank correlation with a
            column already taken reaches `REDUNDANT` is passed over.
        fixed : tuple of int
            Columns that are taken in any case; the others come on top.

        Returns
        -------
        (k,) int64 array
            Rising.
        """
        if count == 0 or self.varies.size <= 1:
            return np.union1d(self.varies, np.array(fixed, np.int64)).astype(np.int64)
        taken = [int(index) for index in np.flatnonzero(np.isin(self.varies, fixed))]
        most = len(taken) + count
        for index in self.order:
            if len(taken) == most:
                break
            alike = np.abs(self.unit[:, taken].T @ self.unit[:, index]).max() if taken else 0.0
            if index not in taken and alike < REDUNDANT:
                taken.append(int(index))
        chosen: _Ints = np.union1d(self.varies[taken], np.array(fixed, np.int64)).astype(np.int64)
        return chosen


def filled(values: _Floats, weight: _Floats) -> _Floats:
    """Put the median for what is missing, and zero where everything is."""
    return np.where(np.isfinite(values), values, medians_of(values, weight))


def medians_of(values: _Floats, weight: _Floats) -> _Floats:
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
