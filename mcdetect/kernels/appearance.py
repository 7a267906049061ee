"""What a spot looks like: band responses, curvature, rings and directions around its centre."""

from __future__ import annotations

import math

import numba as nb
import numpy as np

__all__ = ["CURVATURE_MM", "DIRECTIONS", "RING_MM", "measure_spots"]

RING_MM = np.array([0.06, 0.10, 0.15, 0.22, 0.30, 0.40, 0.52, 0.66, 0.82, 1.0], np.float32)
"""Radii of the rings, in mm."""
CURVATURE_MM = np.array([0.10, 0.16, 0.26], np.float32)
"""Gaussian scales at which curvature is measured, in mm; the spot's own scale comes first."""
DIRECTIONS = 16
"""Directions sampled on every ring."""

_REACH_SIGMA = 2.8


@nb.njit(cache=True, nogil=True, fastmath=True)  # pragma: no cover - compiled
def _at(image, row, col):  # type: ignore[no-untyped-def]
    """Bilinear value; beyond the border the nearest pixel counts."""
    rows, cols = image.shape
    row = min(max(row, 0.0), rows - 1.0)
    col = min(max(col, 0.0), cols - 1.0)
    i = min(int(row), rows - 2) if rows > 1 else 0
    j = min(int(col), cols - 2) if cols > 1 else 0
    i_next, j_next = min(i + 1, rows - 1), min(j + 1, cols - 1)
    fr = np.float32(row - i)
    fc = np.float32(col - j)
    one = np.float32(1.0)
    top = image[i, j] * (one - fc) + image[i, j_next] * fc
    low = image[i_next, j] * (one - fc) + image[i_next, j_next] * fc
    return top * (one - fr) + low * fr


@nb.njit(cache=True, nogil=True, fastmath=True)  # pragma: no cover - compiled
def _weights(centre, first, count, sigma, smooth, bend):  # type: ignore[no-untyped-def]
    """Sampled Gaussian (sum 1) and its second derivative (no response to a constant or a slope)."""
    total = np.float32(0.0)
    sigma = max(sigma, 0.35)
    for k in range(count):
        x = np.float32((first + k - centre) / sigma)
        g = math.exp(np.float32(-0.5) * x * x)
        smooth[k] = g
        bend[k] = x * x * g
        total += g
    moment = np.float32(0.0)
    for k in range(count):
        smooth[k] /= total
        bend[k] /= total
        moment += bend[k]
    for k in range(count):
        bend[k] -= moment * smooth[k]


@nb.njit(cache=True, nogil=True, fastmath=True)  # pragma: no cover - compiled
def _first(centre, first, count, sigma, smooth, slope):  # type: ignore[no-untyped-def]
    sigma = max(sigma, 0.35)
    for k in range(count):
        slope[k] = smooth[k] * np.float32((first + k - centre) / sigma)


@nb.njit(cache=True, nogil=True, fastmath=True)  # pragma: no cover - compiled
def _window(image, i0, j0, n, m, out):  # type: ignore[no-untyped-def]
    rows, cols = image.shape
    for i in range(n):
        a = min(max(i0 + i, 0), rows - 1)
        for j in range(m):
            out[i, j] = image[a, min(max(j0 + j, 0), cols - 1)]


@nb.njit(cache=True, nogil=True, fastmath=True)  # pragma: no cover - compiled
def _project(window, n, m, down, across):  # type: ignore[no-untyped-def]
    total = np.float32(0.0)
    for i in range(n):
        line = np.float32(0.0)
        for j in range(m):
            line += across[j] * window[i, j]
        total += down[i] * line
    return total


@nb.njit(cache=True, nogil=True, parallel=True, fastmath=True)  # pragma: no cover - compiled
def measure_spots(image, row, col, scale_mm, row_mm, col_mm, levels_mm, ring_mm, curvature_mm, out):  # type: ignore[no-untyped-def]
    """Measure every spot of a noise-equalised image.

    Parameters
    ----------
    image : (rows, cols) float32 array
    row, col : (n,) float64 arrays
        Centres in pixels.
    scale_mm : (n,) float64 array
        Each spot's own Gaussian scale.
    row_mm, col_mm : float
        Pixel spacing.
    levels_mm : (levels,) float64 array
        Gaussian scales whose means at the centre are wanted.
    ring_mm, curvature_mm : float32 arrays
        `RING_MM` and `CURVATURE_MM`.
    out : (n, levels + 3 * (1 + curvatures) + rings * DIRECTIONS) float32 array
        Written: Gaussian means; then for the spot's own scale and each curvature scale
        the second derivatives along rows, along columns and mixed, times the squared scale;
        then the values on the rings, direction by direction (from +row towards +col).
    """
    levels = levels_mm.size
    bends = curvature_mm.size + 1
    reach_mm = max(_REACH_SIGMA * levels_mm[-1], 0.6)
    half_n, half_m = math.ceil(reach_mm / row_mm), math.ceil(reach_mm / col_mm)
    n, m = 2 * half_n + 1, 2 * half_m + 1
    for spot in nb.prange(row.size):
        window = np.empty((n, m), np.float32)
        down, across = np.empty(n, np.float32), np.empty(m, np.float32)
        down2, across2 = np.empty(n, np.float32), np.empty(m, np.float32)
        down1, across1 = np.empty(n, np.float32), np.empty(m, np.float32)
        r, c = row[spot], col[spot]
        i0, j0 = round(r) - half_n, round(c) - half_m
        _window(image, i0, j0, n, m, window)
        place = 0
        for k in range(levels):
            _weights(r, i0, n, levels_mm[k] / row_mm, down, down2)
            _weights(c, j0, m, levels_mm[k] / col_mm, across, across2)
            out[spot, place] = _project(window, n, m, down, across)
            place += 1
        for k in range(bends):
            sigma = scale_mm[spot] if k == 0 else curvature_mm[k - 1]
            _weights(r, i0, n, sigma / row_mm, down, down2)
            _weights(c, j0, m, sigma / col_mm, across, across2)
            _first(r, i0, n, sigma / row_mm, down, down1)
            _first(c, j0, m, sigma / col_mm, across, across1)
            out[spot, place] = _project(window, n, m, down2, across)
            out[spot, place + 1] = _project(window, n, m, down, across2)
            out[spot, place + 2] = _project(window, n, m, down1, across1)
            place += 3
        for k in range(ring_mm.size):
            for d in range(DIRECTIONS):
                angle = 2.0 * math.pi * d / DIRECTIONS
                out[spot, place] = _at(
                    image,
                    r + ring_mm[k] * math.cos(angle) / row_mm,
                    c + ring_mm[k] * math.sin(angle) / col_mm,
                )
                place += 1
