"""Context of calcifications: near clear ones a fainter spot is more likely to be one too."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from mcdetect.config import CalcificationConfig

__all__ = ["accept_spots", "nearest_mm"]


def accept_spots(
    row_mm: npt.NDArray[np.float64],
    col_mm: npt.NDArray[np.float64],
    score: npt.NDArray[np.float64],
    config: CalcificationConfig,
) -> npt.NDArray[np.bool_]:
    """Decide which spots are calcifications.

    Those of at least `min_score` are. Those of at least `min_score_near` are when at least `near_count`
    of the former lie within `near_mm`.

    Parameters
    ----------
    row_mm, col_mm : (n,) float64 arrays
        Centres, in mm.
    score : (n,) float64 array
        Individual scores, 0 to 1.
    config : CalcificationConfig
        Thresholds and distance.

    Returns
    -------
    (n,) bool array
    """
    accepted = score >= config.min_score
    weak = np.flatnonzero(~accepted & (score >= config.min_score_near))
    strong = np.flatnonzero(accepted)
    if weak.size and strong.size:
        place = np.stack([row_mm, col_mm], axis=1)
        near = cKDTree(place[strong]).query_ball_point(place[weak], config.near_mm, return_length=True)
        accepted[weak[np.asarray(near) >= config.near_count]] = True
    return accepted


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
