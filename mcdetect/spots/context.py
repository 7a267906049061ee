"""Context of calcifications: among clear ones a fainter spot is more likely to be one too."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from scipy.special import expit

from mcdetect.config import CalcificationConfig

__all__ = ["SAME_BODY_MM", "in_context", "nearest_mm"]

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
) -> npt.NDArray[np.float64]:
    """Raise the scores of spots that have calcifications around them.

    Every other spot within `near_mm` counts as much as it is likely to be a calcification itself; the first
    neighbour counts nothing. The root of what is left, times `context_weight`, is added: counts spread as
    their roots do not, so that each step up is as unlikely by chance as the one before. They add 3 at most
    (a factor of 20 in the odds) in a usual image. A spot without neighbours keeps its score.

    What neighbours say depends on how often chance brings some: in an image full of doubtful spots some are
    near anything, in one of little noise and no dust hardly ever. So the limit rises or falls with the
    logarithm of the usual over the image's own number of doubtful spots per cm2, and the weight with it.
    Only spots with less than a neighbour are counted: the faint members of a group are not of chance.

    Noise is independent from spot to spot, so neighbours settle doubts that noise makes. They cannot settle
    whether a spot that stands far above the noise is dust: its neighbours then are as doubtful for the same
    reason. From an SNR of 8 on they count the less, the higher it is.

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

    Returns
    -------
    (n,) float64 array
        Log-odds, nowhere below the individual ones.
    """
    clear = np.flatnonzero(log_odds > _LEAST_LOG_ODDS)
    if clear.size < 2 or config.context_weight == 0.0:
        return log_odds.copy()
    place = np.stack([row_mm, col_mm], axis=1)
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
