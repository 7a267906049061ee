"""Which calcification of one image of a stereotactic pair is which of the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mcdetect.exams.stereo.geometry import StereoGeometry

__all__ = ["MarkPairs", "pair_marks"]

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]

# Physics: nothing of a compressed breast lies lower than the detector, or higher than this over it.
_LOWEST_MM, _HIGHEST_MM = -3.0, 140.0

# Judged: how far the two sights of one calcification differ. More pairs strangers, less loses pairs.
_ACROSS_SD_MM = 0.25  # across the movement, where nothing shifts but the breast itself
_RATIO_SD = {"diameter_mm": 0.35, "contrast": 0.5}  # of natural logarithms
_PEAK_SD_MM = 1.0  # smoothing of the heights of a group's pairs before the highest peak is taken
_LEAST_SD_MM = 1.0  # spread of heights within a group, to which a quarter of its extent is added
_WORST = 14.0  # a pair that deviates by more, as a sum of squares, is none
_LONE_WORST, _APART = 6.0, 4.0  # the same for single marks, and how much worse any other partner must be


@dataclass(frozen=True, eq=False)
class MarkPairs:
    """Calcifications that both images show.

    Parameters
    ----------
    first, second : (p,) int64 arrays
        Row numbers in either table, rising in `first`.
    height_mm : (p,) float64 array
        Height over the detector.
    along_first, along_second : (p,) float64 arrays
        Positions along the movement, in mm at the detector.
    geometry : StereoGeometry
        With the direction and the sides that were found.
    gain : float
        How well all of it fits; larger is better.
    """

    first: _Ints
    second: _Ints
    height_mm: _Floats
    along_first: _Floats
    along_second: _Floats
    geometry: StereoGeometry
    gain: float


def pair_marks(
    first: pd.DataFrame, second: pd.DataFrame, geometry: StereoGeometry, shape: tuple[int, int]
) -> MarkPairs:
    """Find the calcifications that both images of a stereotactic pair show.

    A calcification shifts along the movement of the source only, by what its height gives. Members of a group
    lie at nearly one height: the one that gives most of them a partner of like size and contrast. With it
    each is paired at most once (Hungarian method). Single calcifications are paired where there is one
    partner only. Direction and sides of the movement, where the headers do not tell them, are those that fit
    best.

    Parameters
    ----------
    first, second : DataFrame
        Columns row_px, col_px, cluster_id, diameter_mm and contrast of `mcdetect.schema.CALCIFICATIONS`.
    geometry : StereoGeometry
    shape : (int, int)
        Rows and columns of the images.

    Returns
    -------
    MarkPairs
    """
    tried = [_paired(first, second, case) for case in _cases(geometry, shape)]
    return max(tried, key=lambda pairs: pairs.gain)


def _cases(geometry: StereoGeometry, shape: tuple[int, int]) -> Iterator[StereoGeometry]:
    for along in ("cols", "rows") if geometry.along is None else (geometry.along,):
        here = geometry.centred(shape, along)
        yield here
        if not geometry.signed:
            yield here.turned()


def _paired(first: pd.DataFrame, second: pd.DataFrame, geometry: StereoGeometry) -> MarkPairs:
    (along_1, across_1), (along_2, across_2) = (_places(table, geometry) for table in (first, second))
    height = geometry.heights(along_1[:, None], along_2[None, :])
    possible = np.isfinite(height) & (height > _LOWEST_MM) & (height < _HIGHEST_MM)
    height = np.where(possible, height, 0.0)
    one, two = geometry.first.above_mm, geometry.second.above_mm
    middle = geometry.first.centre_mm[1]
    enlarged = (two / (two - height)) / (one / (one - height))
    expected = middle + (across_1[:, None] - middle) * enlarged
    cost = ((across_2[None, :] - expected) / _ACROSS_SD_MM) ** 2
    for name, sd in _RATIO_SD.items():
        ratio = _log(first, name)[:, None] - _log(second, name)[None, :]
        cost = cost + np.where(np.isfinite(ratio), (ratio / sd) ** 2, 1.0)
    cost = np.where(possible, cost, np.inf)
    partner = np.full(len(first), -1, np.int64)
    free = np.ones(len(second), np.bool_)
    gain = 0.0
    label = first["cluster_id"].to_numpy(np.int64)
    numbers, counts = np.unique(label[label > 0], return_counts=True)
    places = np.column_stack([along_1, across_1])
    for number in numbers[np.argsort(-counts, kind="stable")]:
        members = np.flatnonzero(label == number)
        gain += _pair_group(members, places[members], height, cost, partner, free)
    gain += _pair_singles(np.flatnonzero(partner < 0), cost, partner, free)
    found = np.flatnonzero(partner >= 0)
    others = partner[found]
    return MarkPairs(found, others, height[found, others], along_1[found], along_2[others], geometry, gain)


def _pair_group(
    members: _Ints,
    places: _Floats,
    height: _Floats,
    cost: _Floats,
    partner: _Ints,
    free: npt.NDArray[np.bool_],
) -> float:
    """Pair the members of one group at the height that fits most of them; return how well it fits."""
    there = np.flatnonzero(free)
    if there.size == 0:
        return 0.0
    part, heights = cost[np.ix_(members, there)], height[np.ix_(members, there)]
    weight = np.exp(-0.5 * np.minimum(part, 100.0)) * (part < _WORST)
    if not weight.any():
        return 0.0
    levels = np.arange(_LOWEST_MM, _HIGHEST_MM, 0.25 * _PEAK_SD_MM)
    flat, heavy = heights[weight > 0], weight[weight > 0]
    fit = np.exp(-0.5 * ((levels[:, None] - flat[None, :]) / _PEAK_SD_MM) ** 2) @ heavy
    level = levels[int(np.argmax(fit))]
    extent = float(np.hypot(*(places.max(axis=0) - places.min(axis=0))))
    total = part + ((heights - level) / (_LEAST_SD_MM + extent / 4.0)) ** 2
    gain = np.where(total < _WORST, _WORST - np.minimum(total, _WORST), 0.0)
    from scipy.optimize import linear_sum_assignment  # here, as it takes half a second to import

    rows, cols = linear_sum_assignment(gain, maximize=True)
    kept = gain[rows, cols] > 0
    partner[members[rows[kept]]] = there[cols[kept]]
    free[there[cols[kept]]] = False
    return float(gain[rows[kept], cols[kept]].sum())


def _pair_singles(lone: _Ints, cost: _Floats, partner: _Ints, free: npt.NDArray[np.bool_]) -> float:
    """Pair what is left where either is the only partner of the other; return how well it fits."""
    there = np.flatnonzero(free)
    if lone.size == 0 or there.size == 0:
        return 0.0
    part = cost[np.ix_(lone, there)]
    total = 0.0
    for i, j in zip(*np.nonzero(part < _LONE_WORST), strict=True):
        rivals = np.concatenate([np.delete(part[i], j), np.delete(part[:, j], i)])
        if rivals.size == 0 or rivals.min() > part[i, j] + _APART:
            partner[lone[i]] = there[j]
            free[there[j]] = False
            total += float(_LONE_WORST - part[i, j])
    return total


def _places(table: pd.DataFrame, geometry: StereoGeometry) -> tuple[_Floats, _Floats]:
    """Return positions along and across the movement, in mm at the detector."""
    rows = (table["row_px"].to_numpy(np.float64) + 0.5) * geometry.detector_mm[0]
    cols = (table["col_px"].to_numpy(np.float64) + 0.5) * geometry.detector_mm[1]
    return (cols, rows) if geometry.along == "cols" else (rows, cols)


def _log(table: pd.DataFrame, name: str) -> _Floats:
    values: _Floats = table[name].to_numpy(dtype=np.float64, na_value=np.nan)
    known = np.isfinite(values) & (values > 0)
    return np.where(known, np.log(np.where(known, values, 1.0)), np.nan)
