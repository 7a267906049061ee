"""What lies around a spot: how many likely calcifications, how near and how likely, and whether in line."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from scipy.special import expit

from mcdetect.spots.context import SAME_BODY_MM

__all__ = ["NEIGHBOUR_NAMES", "describe_neighbours"]

_Floats = npt.NDArray[np.float64]

# Judged: distances over which calcifications of a group, of a breast's quarter and of scattered ones lie. The
# second look is fitted to them (python -m benchmarks second_look): fit it again after a change.
WITHIN_MM = (1.0, 2.0, 3.5, 6.0, 10.0)
"""Neighbours within these distances are counted, each by its probability."""
BEST_WITHIN_MM = (3.5, 8.0)
"""The likeliest neighbour within these distances is looked for."""
FEW_MM = 3.5
"""Neighbours within this distance may lie in line; they are also counted one by one, as those in all are."""
LEAST_LOG_ODDS = -4.0
"""Of a neighbour, by its looks: what is less likely is no neighbour."""
NONE_LOG_ODDS = -8.0
"""What stands for the likeliest neighbour where there is none."""
SPOTS_WITHIN_MM = (3.0, 6.0)
"""All spots within these distances are counted,"""
SPOT_LOG_ODDS = -8.0
"""but for what is hopeless: texture and noise that look like calcifications come in crowds."""

_MOST = 3000  # Technical: neighbours that are looked at, the likeliest: more are a broken image, and slow

NEIGHBOUR_NAMES: tuple[str, ...] = (
    *(f"likely_{within:g}" for within in WITHIN_MM),
    *(f"likeliest_{within:g}" for within in BEST_WITHIN_MM),
    "in_line",
    *(f"count_{within:g}" for within in (FEW_MM, WITHIN_MM[-1])),
    *(f"spots_{within:g}" for within in SPOTS_WITHIN_MM),
)
"""Names of the columns that `describe_neighbours` returns."""


def describe_neighbours(
    row_mm: _Floats,
    col_mm: _Floats,
    log_odds: _Floats,
    on_edge: npt.NDArray[np.bool_],
    asked: npt.NDArray[np.intp],
) -> npt.NDArray[np.float32]:
    """Describe what lies around some spots of an image.

    Parameters
    ----------
    row_mm, col_mm : (n,) float64 arrays
        Centres of all spots, in mm.
    log_odds : (n,) float64 array
        How much each looks like a calcification, 0 at the operating point.
    on_edge : (n,) bool array
        Which are part of a long edge, and nobody's likely neighbour.
    asked : (m,) int array
        Numbers of the spots that are described.

    Returns
    -------
    (m, len(NEIGHBOUR_NAMES)) float32 array
        ``likely_*``: sum of the probabilities of the neighbours within so many mm. ``likeliest_*``: the
        highest log-odds of them. ``in_line``: 1 where the neighbours within 3.5 mm lie on a line through the
        spot, 0 where they lie all around it. ``count_*``: their number. ``spots_*``: logarithm of the number
        of all spots there, and 1. Spots nearer than `SAME_BODY_MM` are no neighbours: they may be
        parts of the same body.
    """
    count = asked.size
    out = {name: np.zeros(count) for name in NEIGHBOUR_NAMES}
    others = np.flatnonzero((log_odds > LEAST_LOG_ODDS) & ~on_edge)
    if others.size > _MOST:
        others = others[np.argsort(-log_odds[others], kind="stable")[:_MOST]]
    place = np.stack([row_mm, col_mm], axis=1)
    all_spots = cKDTree(place[log_odds > SPOT_LOG_ODDS])
    for within in SPOTS_WITHIN_MM:
        out[f"spots_{within:g}"] = np.log1p(
            all_spots.query_ball_point(place[asked], within, return_length=True)
        )
    spot, other, away = _pairs(place[asked], place[others], WITHIN_MM[-1])
    odds = log_odds[others][other]
    likely = expit(odds)
    for within in WITHIN_MM:
        out[f"likely_{within:g}"] = _sums(spot, likely, away < within, count)
    for within in BEST_WITHIN_MM:
        best = np.full(count, NONE_LOG_ODDS)
        np.maximum.at(best, spot[away < within], odds[away < within])
        out[f"likeliest_{within:g}"] = best
    for within in (FEW_MM, WITHIN_MM[-1]):
        out[f"count_{within:g}"] = _sums(spot, np.ones(spot.size), away < within, count)
    down, across = (place[others][other] - place[asked][spot]).T
    twice = 2.0 * np.arctan2(down, across)
    turned = [_sums(spot, likely * part, away < FEW_MM, count) for part in (np.cos(twice), np.sin(twice))]
    out["in_line"] = np.hypot(*turned) / np.maximum(_sums(spot, likely, away < FEW_MM, count), 1e-3)
    return np.stack([out[name] for name in NEIGHBOUR_NAMES], axis=1).astype(np.float32)


def _pairs(
    spots: _Floats, others: _Floats, within_mm: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], _Floats]:
    """Return spot, neighbour and distance of all that lie near each other, but not on one body."""
    if not len(spots) or not len(others):
        nothing = np.zeros(0, np.intp)
        return nothing, nothing, np.zeros(0)
    near = cKDTree(spots).sparse_distance_matrix(cKDTree(others), within_mm, output_type="coo_matrix")
    apart = near.data >= SAME_BODY_MM
    return near.row[apart].astype(np.intp), near.col[apart].astype(np.intp), near.data[apart]


def _sums(spot: npt.NDArray[np.intp], weight: _Floats, chosen: npt.NDArray[np.bool_], count: int) -> _Floats:
    sums: _Floats = np.bincount(spot[chosen], weight[chosen], count).astype(np.float64)
    return sums
