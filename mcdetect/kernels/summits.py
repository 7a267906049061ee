"""The summit by the centre of a small window, its height, and what belongs to it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.jit import kernel
from mcdetect.kernels.regions import BARRED, OWN, flood

__all__ = ["DEPTH_FRACTION", "DEPTH_NOISE", "region_of", "summit"]

_Singles = npt.NDArray[np.float32]
_Ints = npt.NDArray[np.int64]
_Labels = npt.NDArray[np.int8]

# Judged: how far a way must climb from its lowest point to have come to another summit. More takes neighbours
# that touch for one body, less cuts a noisy body in pieces.
DEPTH_FRACTION = 0.15  # at least this share of the contrast,
DEPTH_NOISE = 2.0  # and this many SD of the background ring,
DEPTH_LIMIT = 0.8  # but at most this share of the height of the summit above the outline's level

# Physics: optics of a disc behind a Gaussian blur. Values are rounded to four digits.
CORE_RADIUS = (1.25, 1.45, 1.56, 1.72, 1.90, 2.34, 2.84, 3.87, 5.92)
CORE_MEAN = (0.7205, 0.7226, 0.7246, 0.7290, 0.7363, 0.7545, 0.7784, 0.8240, 0.8784)
"""Mean height of a blurred disc above its half maximum, over its maximum, by the radius of that part
in units of the blur. Computed once from discs convolved with a Gaussian."""


@kernel(inline=True)
def summit(window: _Singles, label: _Labels, reach: float) -> tuple[int, int]:
    """Highest local maximum within `reach` grid steps of the centre, or within half more, or the centre."""
    n = window.shape[0]
    for turn in range(2):
        row, col, there = _summit_within(window, label, reach * (1.0 + 0.5 * turn))
        if there:
            return row, col
    return n // 2, n // 2


@kernel(inline=True)
def _summit_within(window: _Singles, label: _Labels, reach: float) -> tuple[int, int, bool]:
    n = window.shape[0]
    half = n // 2
    best_r, best_c = half, half
    best = -math.inf
    extent = min(int(reach), half - 1)
    for r in range(half - extent, half + extent + 1):
        for c in range(half - extent, half + extent + 1):
            value = window[r, c]
            if (r - half) ** 2 + (c - half) ** 2 > reach * reach or label[r, c] == BARRED or value <= best:
                continue
            top = True
            for near_r in range(r - 1, r + 2):
                for near_c in range(c - 1, c + 2):
                    top = top and value >= window[near_r, near_c]
            if top:
                best, best_r, best_c = value, r, c
    return best_r, best_c, best > -math.inf


@kernel(inline=True)
def _steady_contrast(
    window: _Singles,
    label: _Labels,
    pushed: _Ints,
    reached: int,
    level: float,
    background: float,
    sigma: float,
    peak: float,
) -> float:
    """Height of a summit from the mean of the part above its half maximum, at most the summit itself."""
    n = window.shape[0]
    total, points = 0.0, 0
    for k in range(reached):
        r, c = pushed[k] // n, pushed[k] % n
        if label[r, c] == OWN and window[r, c] >= level:
            total += window[r, c] - background
            points += 1
    if points == 0:
        return peak
    radius = math.sqrt(points / math.pi) / sigma
    last = len(CORE_RADIUS) - 1
    k = 0
    while k < last - 1 and CORE_RADIUS[k + 1] < radius:
        k += 1
    share = (radius - CORE_RADIUS[k]) / (CORE_RADIUS[k + 1] - CORE_RADIUS[k])
    share = min(max(share, 0.0), 1.0)
    mean = CORE_MEAN[k] + share * (CORE_MEAN[k + 1] - CORE_MEAN[k])
    return float(min(peak, total / points / mean))


@kernel
def region_of(
    window: _Singles,
    label: _Labels,
    top: int,
    background: float,
    peak: float,
    fraction: float,
    depths: tuple[float, float],
    sigma: float,
    heap_value: _Singles,
    heap_place: _Ints,
    pushed: _Ints,
) -> tuple[float, float, int]:
    """Label what belongs to the summit at the flat place `top`; return contrast, level and points reached.

    A way that climbs by more than both `depths`, the first in shares of the contrast, has come to another
    summit.
    """
    n = window.shape[0]
    contrast, level = peak, 0.0
    reached = 0
    # First the half maximum, whose mean height gives a contrast that single noisy points do not
    # inflate; then the outline asked for.
    for turn in range(2):
        share = 0.5 if turn == 0 else fraction
        level = background + share * contrast
        depth = min(max(depths[0] * contrast, depths[1]), DEPTH_LIMIT * (1.0 - share) * contrast)
        reached = flood(window, label, top // n, top % n, level, depth, heap_value, heap_place, pushed)
        if turn == 0:
            contrast = _steady_contrast(window, label, pushed, reached, level, background, sigma, peak)
            for k in range(reached):
                label[pushed[k] // n, pushed[k] % n] = 0
    return contrast, level, reached
