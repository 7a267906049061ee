"""How a measure varies within each group: moments, order statistics, entropy and the worst members."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mcdetect.schema.spread import BIN_OCTAVES, BIN_SHARE

__all__ = ["group_spread"]

_Floats = npt.NDArray[np.float64]


def group_spread(
    label: npt.NDArray[np.int64],
    values: npt.ArrayLike,
    n_groups: int,
    *,
    worst_is_low: bool = False,
    log_bins: bool = False,
) -> dict[str, _Floats]:
    """Describe how a measure spreads within each group.

    Parameters
    ----------
    label : (n,) int64 array
        Group of each member, from 1; 0 for none.
    values : (n,) array-like of float
        The measure. Values that are not finite are left out.
    n_groups : int
        Number of groups.
    worst_is_low : bool
        Whether the lowest value is the worst, and not the highest.
    log_bins : bool
        Whether the bins of the entropy are `BIN_OCTAVES` wide in log2 of the value (values that are not
        positive share one bin), and not `BIN_SHARE` in the value, where 1 belongs to the last bin below
        it: many shapes have a share of 1 but for rounding.

    Returns
    -------
    dict of str to (n_groups,) float64 array
        "mean", "sd" (n - 1), "cv" (sd over mean), "iqr" (linear interpolation between order statistics),
        "range", "entropy" (Shannon's, in bits, of the histogram with fixed bins), "worst",
        "second_worst", "min" and "max". Without any value all are NaN; with one, sd, cv and second_worst
        are NaN, and iqr, range and entropy are 0; cv is NaN when the mean is 0.
    """
    measured = np.asarray(values, dtype=np.float64)
    keep = (label > 0) & np.isfinite(measured)
    group, measured = label[keep] - 1, measured[keep]
    order = np.lexsort((measured, group))
    group, measured = group[order], measured[order]
    count = np.bincount(group, minlength=n_groups)
    start = np.cumsum(count) - count
    some, several = count > 0, count > 1

    def over(top: npt.NDArray[Any], bottom: npt.NDArray[Any], where: npt.NDArray[np.bool_]) -> _Floats:
        result: _Floats = np.divide(top, bottom, out=np.full(n_groups, np.nan), where=where)
        return result

    def at(share: float) -> _Floats:
        result = np.full(n_groups, np.nan)
        place = share * (count[some] - 1)
        low = np.floor(place).astype(np.int64)
        high = np.minimum(low + 1, count[some] - 1)
        first, second = measured[start[some] + low], measured[start[some] + high]
        result[some] = first + (place - low) * (second - first)
        return result

    def nth(place: int, where: npt.NDArray[np.bool_]) -> _Floats:
        """Value at a place of the sorted members, from the end when negative."""
        result = np.full(n_groups, np.nan)
        result[where] = measured[(start + place + (count if place < 0 else 0))[where]]
        return result

    mean = over(np.bincount(group, weights=measured, minlength=n_groups), count, some)
    squares = np.bincount(group, weights=(measured - mean[group]) ** 2, minlength=n_groups)
    sd = np.sqrt(over(squares, count - 1, several))
    low, high = nth(0, some), nth(-1, some)
    return {
        "mean": mean,
        "sd": sd,
        "cv": over(sd, mean, several & (mean != 0.0)),
        "iqr": at(0.75) - at(0.25),
        "range": high - low,
        "entropy": _entropy(group, measured, count, log_bins),
        "worst": low if worst_is_low else high,
        "second_worst": nth(1 if worst_is_low else -2, several),
        "min": low,
        "max": high,
    }


def _entropy(
    group: npt.NDArray[np.int64], measured: _Floats, count: npt.NDArray[np.int64], log_bins: bool
) -> _Floats:
    """Entropy of the histogram of each group; members sorted by group, then by value."""
    found = np.where(count > 0, 0.0, np.nan)
    if measured.size == 0:
        return found
    if log_bins:
        lowest = np.finfo(np.float64).tiny
        bins = np.floor(np.log2(np.maximum(measured, lowest)) / BIN_OCTAVES)
    else:
        bins = np.floor(measured / BIN_SHARE) - (measured == 1.0)
    new = np.ones(measured.size, np.bool_)
    new[1:] = (bins[1:] != bins[:-1]) | (group[1:] != group[:-1])
    first = np.flatnonzero(new)
    size = np.diff(np.append(first, measured.size))
    share = size / count[group[first]]
    total = np.bincount(group[first], weights=share * np.log2(share), minlength=count.size)
    found[count > 0] = np.abs(total[count > 0])
    return found
