"""Growth from a summit downhill, and how steep the border is of what has grown."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.jit import kernel
from mcdetect.kernels.regions import pop, push

__all__ = ["border_slopes", "grow"]

_Singles = npt.NDArray[np.float32]
_Ints = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]


@kernel
def grow(window: _Singles, start: int, most: int) -> tuple[_Ints, _Singles]:
    """Take the pixels of a window one by one, always the brightest that touches what was taken.

    Parameters
    ----------
    window : (rows, cols) float32 array
        Grey levels.
    start : int
        Place of the first pixel: row * cols + col.
    most : int
        Stop at so many pixels. Growth also stops at the border of the window.

    Returns
    -------
    place : (n,) int64 array
        The pixels taken, in order, as row * cols + col; 8-connected at every moment.
    level : (n,) float32 array
        Lowest grey level taken so far.
    """
    rows, cols = window.shape
    seen = np.zeros(rows * cols, np.bool_)
    heap_value = np.empty(8 * most + 8, np.float32)
    heap_place = np.empty(8 * most + 8, np.int64)
    place = np.empty(most, np.int64)
    level = np.empty(most, np.float32)
    push(heap_value, heap_place, 0, window[start // cols, start % cols], start)
    size = 1
    seen[start] = True
    lowest = heap_value[0]
    taken = 0
    while size > 0 and taken < most:
        here = heap_place[0]
        lowest = min(lowest, heap_value[0])
        pop(heap_value, heap_place, size)
        size -= 1
        place[taken], level[taken] = here, lowest
        taken += 1
        row, col = here // cols, here % cols
        if row == 0 or col == 0 or row == rows - 1 or col == cols - 1:
            break
        for r in range(row - 1, row + 2):
            for c in range(col - 1, col + 2):
                there = r * cols + c
                if not seen[there]:
                    seen[there] = True
                    push(heap_value, heap_place, size, window[r, c], there)
                    size += 1
    return place[:taken], level[:taken]


@kernel
def border_slopes(window: _Singles, place: _Ints, counts: _Ints, row_mm: float, col_mm: float) -> _Floats:
    """Measure how steep the border of a growth is at several of its moments.

    Parameters
    ----------
    window : (rows, cols) float32 array
        Grey levels.
    place : (n,) int64 array
        Pixels in the order in which they were taken (`grow`).
    counts : (k,) int64 array
        Numbers of pixels taken at these moments, rising.
    row_mm, col_mm : float
        Pixel spacing, in mm.

    Returns
    -------
    (k,) float64 array
        Mean fall of the grey levels across the border, from each pixel inside to its neighbours outside (of
        four), per mm; 0 where there is none inside the window.
    """
    rows, cols = window.shape
    inside = np.zeros(rows * cols, np.bool_)
    slopes = np.zeros(counts.size)
    done = 0
    for m in range(counts.size):
        for k in range(done, counts[m]):
            inside[place[k]] = True
        done = max(done, counts[m])
        total, border = 0.0, 0
        for k in range(counts[m]):
            here = place[k]
            row, col = here // cols, here % cols
            if row == 0 or col == 0 or row == rows - 1 or col == cols - 1:
                continue
            value = window[row, col]
            for side in (-1, 1):
                if not inside[here + side * cols]:
                    total += (value - window[row + side, col]) / row_mm
                    border += 1
                if not inside[here + side]:
                    total += (value - window[row, col + side]) / col_mm
                    border += 1
        if border > 0:
            slopes[m] = total / border
    return slopes
