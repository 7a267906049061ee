"""A small window on a fine grid about one point of an image, and its background."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.constants import MAD_TO_SD
from mcdetect.kernels.jit import kernel
from mcdetect.kernels.regions import BARRED

__all__ = ["RING", "ring_level", "smooth_window"]

_Floats = npt.NDArray[np.float64]
_Singles = npt.NDArray[np.float32]
_Ints = npt.NDArray[np.int64]
_Labels = npt.NDArray[np.int8]

# Judged: nearer takes in the body itself, farther another background. More samples cost time, fewer are
# noisier.
RING = (0.6, 0.95)
"""Inner and outer radius of the ring that gives the background, in half windows."""
RING_RADII = 4  # circles sampled, evenly from the inner to the outer radius
RING_ANGLES = 24  # samples on each, evenly over a full turn


@kernel
def _weights(
    centre: float, spacing: float, sigma: float, step: float, n: int, size: int
) -> tuple[_Ints, npt.NDArray[np.float32]]:
    """Gaussian weights that carry pixels of one axis onto the fine grid.

    Returns the first pixel of each fine point, and its (n, taps) weights, normalised over the image.
    """
    taps = 2 * math.ceil(3.0 * sigma / spacing) + 1
    first = np.empty(n, np.int64)
    weight = np.empty((n, taps), np.float32)
    half = n // 2
    for k in range(n):
        place = centre + (k - half) * step / spacing
        low = math.floor(place + 0.5) - taps // 2
        first[k] = low
        total = 0.0
        for t in range(taps):
            if 0 <= low + t < size:
                z = (low + t - place) * spacing / sigma
                w = math.exp(-0.5 * z * z)
            else:
                w = 0.0
            weight[k, t] = w
            total += w
        if total > 0.0:
            for t in range(taps):
                weight[k, t] /= total
    return first, weight


@kernel
def smooth_window(
    image: _Singles,
    row: float,
    col: float,
    row_mm: float,
    col_mm: float,
    sigma_row: float,
    sigma_col: float,
    step: float,
    n: int,
    out: _Singles,
) -> None:
    """Resample an image by Gaussian weights on an (n, n) grid about a point.

    Parameters
    ----------
    image : (rows, cols) float32 array
        Image.
    row, col : float
        Centre of the grid, in pixels.
    row_mm, col_mm : float
        Pixel spacing, in mm.
    sigma_row, sigma_col : float
        Standard deviation of the weights along each axis, in mm.
    step : float
        Spacing of the grid, in mm.
    n : int
        Points along each axis, odd.
    out : (n, n) float32 array
        Written to. Weights are normalised over the pixels inside the image.
    """
    rows, cols = image.shape
    first_row, row_weight = _weights(row, row_mm, sigma_row, step, n, rows)
    first_col, col_weight = _weights(col, col_mm, sigma_col, step, n, cols)
    top = max(0, first_row[0])
    height = max(0, min(rows, first_row[n - 1] + row_weight.shape[1]) - top)
    left = max(0, first_col[0])
    width = max(0, min(cols, first_col[n - 1] + col_weight.shape[1]) - left)
    # Both passes run along contiguous memory: hence the turned patch and the turned lines.
    patch = np.empty((width, height), np.float32)
    for r in range(height):
        for c in range(width):
            patch[c, r] = image[top + r, left + c]
    turned = np.empty((n, height), np.float32)
    for k in range(n):
        for r in range(height):
            turned[k, r] = 0.0
        for t in range(col_weight.shape[1]):
            c = first_col[k] + t - left
            if 0 <= c < width:
                w = col_weight[k, t]
                for r in range(height):
                    turned[k, r] += w * patch[c, r]
    lines = np.empty((height, n), np.float32)
    for r in range(height):
        for k in range(n):
            lines[r, k] = turned[k, r]
    for k in range(n):
        for m in range(n):
            out[k, m] = 0.0
        for t in range(row_weight.shape[1]):
            r = first_row[k] + t - top
            if 0 <= r < height:
                w = row_weight[k, t]
                for m in range(n):
                    out[k, m] += w * lines[r, m]


@kernel
def _median(values: _Floats, count: int) -> float:
    """Median of the first few values, which are sorted in place (by insertion: they are under a hundred)."""
    for k in range(1, count):
        moved = values[k]
        m = k
        while m > 0 and values[m - 1] > moved:
            values[m] = values[m - 1]
            m -= 1
        values[m] = moved
    return float(0.5 * (values[(count - 1) // 2] + values[count // 2]))


@kernel
def ring_level(window: _Singles, label: _Labels) -> tuple[float, float]:
    """Median and robust standard deviation of a window in a ring about its centre.

    Parameters
    ----------
    window : (n, n) float32 array
        Values.
    label : (n, n) int8 array
        -1 where the window has no values.

    Returns
    -------
    median, spread : float
        The spread is 1.4826 times the median absolute deviation; both NaN when the ring is empty.
    """
    half = window.shape[0] // 2
    values = np.empty(RING_RADII * RING_ANGLES, np.float64)
    count = np.int64(0)
    for k in range(RING_RADII):
        radius = half * (RING[0] + (RING[1] - RING[0]) * k / (RING_RADII - 1))
        for m in range(RING_ANGLES):
            angle = 2.0 * math.pi * (m + 0.5 * (k % 2)) / RING_ANGLES
            r = half + math.floor(radius * math.sin(angle) + 0.5)
            c = half + math.floor(radius * math.cos(angle) + 0.5)
            if label[r, c] != BARRED:
                values[count] = window[r, c]
                count += 1
    if count == 0:
        return math.nan, math.nan
    median = _median(values, count)
    for k in range(count):
        values[k] = abs(values[k] - median)
    return median, MAD_TO_SD * _median(values, count)
