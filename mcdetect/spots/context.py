"""Context of calcifications: among clear ones a fainter spot is more likely to be one too."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from scipy.special import expit

from mcdetect.config import CalcificationConfig

__all__ = ["SAME_BODY_MM", "in_context", "nearest_mm"]

# Judged: on calcifications inserted with other seeds than the fit's (python -m benchmarks insertion). More
# trust in neighbours finds fainter members of groups, and fills dense groups and dusty films too.
SAME_BODY_MM = 0.35
"""Marks nearer than this may lie on one body: they do not vouch for each other."""
_CHANCE = 1.0
"""Neighbours that say nothing: a scattered calcification has as many by chance."""
_LEAST_LOG_ODDS = -5.0  # of a neighbour that counts at all
_MOST = 3.0
"""Log-odds that neighbours add at most: noise in the midst of a dense group stays noise."""
_USUAL_PER_CM2 = 1.0
"""Doubtful spots per cm2, away from others, where neighbours count as said: film has about as many."""
_RARE = 0.9
"""Logarithm of how much rarer than usual doubtful spots are, at most: 2.5 times."""
_RARE_WEIGHT = 0.5
"""Growth of the weight of neighbours for each unit of that logarithm."""
_NOISE_SNR = 8.0
"""Above this, doubt about a spot is about its kind, not about noise."""


def in_context(
    row_mm: npt.NDArray[np.float64],
    col_mm: npt.NDArray[np.float64],
    log_odds: npt.NDArray[np.float64],
    snr: npt.NDArray[np.float64],
    area_cm2: float,
    config: CalcificationConfig,
    depth_mm: npt.NDArray[np.float64] | None = None,
    alone: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.float64]:
    """Raise the scores of spots that have calcifications around them.

    A spot without neighbours keeps its score. For all others:

    1. The neighbours are counted: all other spots within `near_mm`, each by its own probability. Spots
       nearer than `SAME_BODY_MM` do not count, since they may be parts of one calcification.
    2. One neighbour is taken off, since chance alone brings about one.
    3. The square root of the rest, times `context_weight`, is added to the log-odds, but at most 3. That
       makes the odds 20 times higher at most. (The root, since chance spreads it as much among many
       neighbours as among few.)
    4. From a signal-to-noise ratio of 8 on, the gain shrinks as 8 over that ratio. Neighbours tell a
       calcification from noise. They do not tell it from dust, which stands out clearly and lies in
       groups too.

    Steps 2 and 3 fit an image of the usual quality. Chance brings more neighbours in an image full of
    doubtful spots, and fewer in a clean one. So doubtful spots away from others are counted. Where they are
    rarer than usual (1 per cm2), the weight and the limit of 3 rise with the logarithm of that ratio. Where
    they are more frequent, both fall.

    Parameters
    ----------
    row_mm, col_mm : (n,) float64 arrays
        Centres, in mm.
    log_odds : (n,) float64 array
        Individual scores on the log-odds scale, 0 at the operating point.
    snr : (n,) float64 array
        Signal-to-noise ratios.
    area_cm2 : float
        Area that was searched.
    config : CalcificationConfig
        Distance and weight.
    depth_mm : (n,) float64 array, optional
        Depth in a stack of slices; distances are then those in space.
    alone : (n,) bool array, optional
        Spots that neighbours do not raise: those at the skin, where pores and its inner border lie in rows.

    Returns
    -------
    (n,) float64 array
        Scores on the log-odds scale, none lower than it was.
    """
    clear = np.flatnonzero(log_odds > _LEAST_LOG_ODDS)
    if clear.size < 2 or config.context_weight == 0.0:
        return log_odds.copy()
    place = np.stack([row_mm, col_mm] if depth_mm is None else [row_mm, col_mm, depth_mm], axis=1)
    near = cKDTree(place).sparse_distance_matrix(
        cKDTree(place[clear]), config.near_mm, output_type="coo_matrix"
    )
    apart = near.data >= SAME_BODY_MM
    spot, neighbour = near.row[apart], near.col[apart]
    count = np.bincount(spot, weights=expit(log_odds[clear])[neighbour], minlength=log_odds.size)
    doubtful = int(np.count_nonzero((log_odds > -_MOST) & (log_odds < 0.0) & (count < _CHANCE)))
    usual = _USUAL_PER_CM2 * max(area_cm2, 1.0)
    rarity = min(math.log(usual / doubtful), _RARE) if doubtful else _RARE
    most = max(_MOST + rarity, 0.0)
    weight = config.context_weight * max(1.0 + _RARE_WEIGHT * rarity, 0.0)
    gain = np.minimum(weight * np.sqrt(np.maximum(count - _CHANCE, 0.0)), most)
    if alone is not None:
        gain[alone] = 0.0
    raised: npt.NDArray[np.float64] = log_odds + gain * _NOISE_SNR / np.maximum(snr, _NOISE_SNR)
    return raised


def nearest_mm(row_mm: npt.NDArray[np.float64], col_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Distance of each calcification to the nearest other one.

    Parameters
    ----------
    row_mm, col_mm : (n,) float64 arrays
        Centres, in mm.

    Returns
    -------
    (n,) float64 array
        Distances, in mm; NaN for a single calcification.
    """
    if row_mm.size < 2:
        return np.full(row_mm.size, np.nan)
    place = np.stack([row_mm, col_mm], axis=1)
    distance = np.asarray(cKDTree(place).query(place, k=2)[0], dtype=np.float64)
    return distance[:, 1]
