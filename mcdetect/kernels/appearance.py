"""What a spot looks like: band responses, curvature, rings and directions around its centre."""

from __future__ import annotations

import math

import numba as nb
import numpy as np
import numpy.typing as npt

from mcdetect.kernels.constants import LEAST_SIGMA_PX
from mcdetect.kernels.jit import kernel
from mcdetect.kernels.threads import in_parts

__all__ = ["CURVATURE_MM", "DIRECTIONS", "RING_MM", "measure_spots"]

# Judged: from within the smallest calcifications to their surroundings. More samples cost time, fewer miss
# what a spot looks like. The score is fitted to them (python -m benchmarks spot_model): fit it again after a
# change.
RING_MM = np.array([0.06, 0.10, 0.15, 0.22, 0.30, 0.40, 0.52, 0.66, 0.82, 1.0], np.float32)
"""Radii of the rings, in mm."""
CURVATURE_MM = np.array([0.10, 0.16, 0.26], np.float32)
"""Gaussian scales at which curvature is measured, in mm; the spot's own scale comes first."""
DIRECTIONS = 16
"""Directions sampled on every ring, evenly over a full turn."""

_Singles = npt.NDArray[np.float32]
_Floats = npt.NDArray[np.float64]

_LEAST_SPOTS = 32  # Technical: fewest spots that are worth a thread

# Judged: a longer reach costs time, a shorter one cuts off more than half a per cent of the weight.
_REACH_SIGMA = 2.8  # reach of a sampled Gaussian, in its SD; fit the score again after a change (spot_model)


@kernel  # pragma: no cover - compiled
def _within(value, low, high):  # type: ignore[no-untyped-def]
    """Value brought between bounds, to the letter: fast arithmetic may not fold it into what comes before."""
    if value < low:
        return low
    return high if value > high else value


@kernel(fast="all")  # pragma: no cover - compiled
def _at(image, row, col):  # type: ignore[no-untyped-def]
    """Bilinear value; beyond the border the nearest pixel counts."""
    rows, cols = image.shape
    row = _within(row, 0.0, rows - 1.0)
    col = _within(col, 0.0, cols - 1.0)
    i = min(int(row), rows - 2) if rows > 1 else 0
    j = min(int(col), cols - 2) if cols > 1 else 0
    i_next, j_next = min(i + 1, rows - 1), min(j + 1, cols - 1)
    fr = np.float32(row - i)
    fc = np.float32(col - j)
    one = np.float32(1.0)
    top = image[i, j] * (one - fc) + image[i, j_next] * fc
    low = image[i_next, j] * (one - fc) + image[i_next, j_next] * fc
    return top * (one - fr) + low * fr


@kernel(inline=True)  # pragma: no cover - compiled
def _span(centre, sigma):  # type: ignore[no-untyped-def]
    """First pixel and number of pixels within reach of a Gaussian."""
    half = math.ceil(_REACH_SIGMA * sigma) + 1
    return round(centre) - half, 2 * half + 1


@kernel(fast="all")  # pragma: no cover - compiled
def _weights(centre, first, count, sigma, smooth, slope, bend):  # type: ignore[no-untyped-def]
    """Sampled Gaussian (sum 1), its first derivative, and its second (no response to a constant)."""
    total = np.float32(0.0)
    for k in range(count):
        x = np.float32((first + k - centre) / sigma)
        smooth[k] = math.exp(np.float32(-0.5) * x * x)
        total += smooth[k]
    moment = np.float32(0.0)
    for k in range(count):
        x = np.float32((first + k - centre) / sigma)
        smooth[k] /= total
        slope[k] = x * smooth[k]
        bend[k] = x * slope[k]
        moment += bend[k]
    for k in range(count):
        bend[k] -= moment * smooth[k]


@kernel(inline=True)  # pragma: no cover - compiled
def _window(image, i0, j0, n, m, out):  # type: ignore[no-untyped-def]
    rows, cols = image.shape
    inside = i0 >= 0 and j0 >= 0 and i0 + n <= rows and j0 + m <= cols
    if inside:
        top, left = nb.uintp(i0), nb.uintp(j0)
        for i in range(nb.uintp(n)):
            for j in range(nb.uintp(m)):
                out[i, j] = image[top + i, left + j]
    else:
        for i in range(n):
            a = min(max(i0 + i, 0), rows - 1)
            for j in range(m):
                out[i, j] = image[a, min(max(j0 + j, 0), cols - 1)]


@kernel(inline=True)  # pragma: no cover - compiled
def _project(window, top, left, n, m, down, across):  # type: ignore[no-untyped-def]
    """Weighted sum over the part of the window that begins at (top, left)."""
    total = np.float32(0.0)
    first = nb.uintp(left)
    for i in range(nb.uintp(n)):
        line = np.float32(0.0)
        row = nb.uintp(top) + i
        for j in range(nb.uintp(m)):
            line += across[j] * window[row, first + j]
        total += down[i] * line
    return total


def measure_spots(
    image: _Singles,
    row: _Floats,
    col: _Floats,
    scale_mm: _Floats,
    row_mm: float,
    col_mm: float,
    levels_mm: _Floats,
    ring_mm: _Singles,
    curvature_mm: _Singles,
    out: _Singles,
) -> None:
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

    def measure(first: int, last: int) -> None:
        part = slice(first, last)
        _measure_spots(
            image,
            row[part],
            col[part],
            scale_mm[part],
            row_mm,
            col_mm,
            levels_mm,
            ring_mm,
            curvature_mm,
            out[part],
        )

    in_parts(measure, row.size, least=_LEAST_SPOTS)


@kernel(fast="all")  # pragma: no cover - compiled
def _measure_spots(image, row, col, scale_mm, row_mm, col_mm, levels_mm, ring_mm, curvature_mm, out):  # type: ignore[no-untyped-def]
    levels = levels_mm.size
    steps = levels + curvature_mm.size + 1
    widest = max(levels_mm[-1], curvature_mm[-1])
    half_n = math.ceil(_REACH_SIGMA * max(widest / row_mm, LEAST_SIGMA_PX)) + 1
    half_m = math.ceil(_REACH_SIGMA * max(widest / col_mm, LEAST_SIGMA_PX)) + 1
    for spot in range(row.size):
        n, m = 2 * half_n + 1, 2 * half_m + 1
        window = np.empty((n, m), np.float32)
        down, across = np.empty((3, n), np.float32), np.empty((3, m), np.float32)
        r, c = row[spot], col[spot]
        i0, j0 = round(r) - half_n, round(c) - half_m
        _window(image, i0, j0, n, m, window)
        place = 0
        for k in range(steps):
            if k < levels:
                sigma = levels_mm[k]
            elif k == levels:
                sigma = _within(scale_mm[spot], 0.0, widest)
            else:
                sigma = np.float64(curvature_mm[k - levels - 1])
            sigma_row = _within(sigma / row_mm, LEAST_SIGMA_PX, math.inf)
            sigma_col = _within(sigma / col_mm, LEAST_SIGMA_PX, math.inf)
            a, n = _span(r, sigma_row)
            b, m = _span(c, sigma_col)
            _weights(r, a, n, sigma_row, down[0], down[1], down[2])
            _weights(c, b, m, sigma_col, across[0], across[1], across[2])
            a, b = a - i0, b - j0
            if k < levels:
                out[spot, place] = _project(window, a, b, n, m, down[0], across[0])
                place += 1
            else:
                out[spot, place] = _project(window, a, b, n, m, down[2], across[0])
                out[spot, place + 1] = _project(window, a, b, n, m, down[0], across[2])
                out[spot, place + 2] = _project(window, a, b, n, m, down[1], across[1])
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
