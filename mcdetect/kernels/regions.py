"""The part of a small window that belongs to one summit, and its outline."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.jit import kernel

__all__ = ["BARRED", "FOREIGN", "OWN", "flood", "pop", "push", "trace_outline"]

_Floats = npt.NDArray[np.float64]
_Singles = npt.NDArray[np.float32]
_Ints = npt.NDArray[np.int64]
_Labels = npt.NDArray[np.int8]

BARRED, OWN, FOREIGN = -1, 1, 2
"""Technical: labels of points that must not be entered, of the summit's own points and of other summits'."""


@kernel(inline=True)
def push(heap_value: _Singles, heap_place: _Ints, size: int, value: float, place: int) -> None:
    """Add to a binary heap whose largest value is on top; ties go to the smaller place."""
    k = size
    while k > 0:
        above = (k - 1) >> 1
        if heap_value[above] >= value:
            break
        heap_value[k], heap_place[k] = heap_value[above], heap_place[above]
        k = above
    heap_value[k], heap_place[k] = value, place


@kernel(inline=True)
def pop(heap_value: _Singles, heap_place: _Ints, size: int) -> None:
    """Remove the top of the heap."""
    last = size - 1
    value, place = heap_value[last], heap_place[last]
    k = 0
    while True:
        below = 2 * k + 1
        if below >= last:
            break
        if below + 1 < last and heap_value[below + 1] > heap_value[below]:
            below += 1
        if heap_value[below] <= value:
            break
        heap_value[k], heap_place[k] = heap_value[below], heap_place[below]
        k = below
    heap_value[k], heap_place[k] = value, place


@kernel(inline=True)
def flood(
    window: _Singles,
    label: _Labels,
    start_row: int,
    start_col: int,
    level: float,
    depth: float,
    heap_value: _Singles,
    heap_place: _Ints,
    pushed: _Ints,
) -> int:
    """Label the part of a window above `level` that belongs to one summit.

    The highest reachable point is always taken next. Once the way has climbed more than `depth` above
    the lowest point passed, it has crossed a saddle to another summit: all points beyond that saddle
    become `FOREIGN`, and from there on the two claim what they reach first.

    Parameters
    ----------
    window : (n, n) float32 array
        Values.
    label : (n, n) int8 array
        0 on free points and -1 on barred ones; on return `OWN` or `FOREIGN` on points reached. Points
        below the level may be labelled too.
    heap_value, heap_place, pushed : (n * n,) arrays
        Scratch.

    Returns
    -------
    int
        Number of points pushed, listed in `pushed` as flat places.
    """
    n = window.shape[0]
    flat = label.reshape(-1)
    values = window.reshape(-1)
    start = start_row * n + start_col
    flat[start] = OWN
    heap_value[0], heap_place[0] = values[start], start
    pushed[0] = start
    size, count = 1, 1
    water = values[start]
    mark = 1
    while size > 0:
        value, place = heap_value[0], heap_place[0]
        if value < level:
            break
        pop(heap_value, heap_place, size)
        size -= 1
        lower = False
        if flat[place] == OWN:
            if value < water:
                water = value
                lower = True
            elif value > water + depth:
                for k in range(mark, count):
                    flat[pushed[k]] = FOREIGN
        own = flat[place]
        row, col = place // n, place % n
        # Lower neighbours come first: they do not lie beyond this point if it proves to be a saddle.
        for higher in range(2):
            if higher == 1 and lower:
                mark = count
            for side in range(4):
                r = row + (side == 0) - (side == 1)
                c = col + (side == 2) - (side == 3)
                if r < 0 or c < 0 or r >= n or c >= n:
                    continue
                near = r * n + c
                if flat[near] != 0 or (values[near] > value) != (higher == 1):
                    continue
                flat[near] = own
                push(heap_value, heap_place, size, values[near], near)
                size += 1
                pushed[count] = near
                count += 1
    return count


@kernel
def trace_outline(
    window: _Singles, label: _Labels, level: float, start_row: int, start_col: int, out: _Floats
) -> int:
    """Follow the outer outline of the points labelled `OWN` at or above `level`.

    Parameters
    ----------
    window : (n, n) float32 array
        Values.
    label : (n, n) int8 array
        Labels, `OWN` for the region.
    level : float
        Level of the outline.
    start_row, start_col : int
        A point of the region's first row.
    out : (m, 2) float64 array
        Written to: corners (row, col) in grid steps, in order; m at least 4 times the points of the region.

    Returns
    -------
    int
        Number of corners. They lie between neighbouring points where linear interpolation meets the
        level (marching squares; Lorensen and Cline 1987, doi:10.1145/37402.37422). Points of other
        regions are mirrored below the level, so that the outline passes midway.
    """
    n = window.shape[0]
    row, col, d_row, d_col = start_row, start_col, -1, 0
    count = 0
    while True:
        value = window[row, col]
        r, c = row + d_row, col + d_col
        if 0 <= r < n and 0 <= c < n:
            outer = window[r, c]
            if outer >= level:
                outer = 2.0 * level - outer
        else:
            outer = 2.0 * level - value
        fall = value - outer
        share = (value - level) / fall if fall > 0.0 else 0.5
        out[count, 0] = row + share * d_row
        out[count, 1] = col + share * d_col
        count += 1
        # Clockwise: the tangent is the outward direction turned by 90 degrees.
        t_row, t_col = d_col, -d_row
        ahead_r, ahead_c = row + t_row, col + t_col
        if not _belongs(window, label, level, ahead_r, ahead_c):
            d_row, d_col = t_row, t_col
        elif not _belongs(window, label, level, ahead_r + d_row, ahead_c + d_col):
            row, col = ahead_r, ahead_c
        else:
            row, col = ahead_r + d_row, ahead_c + d_col
            d_row, d_col = -t_row, -t_col
        if (row == start_row and col == start_col and d_row == -1 and d_col == 0) or count == out.shape[0]:
            return count


@kernel(inline=True)
def _belongs(window: _Singles, label: _Labels, level: float, r: int, c: int) -> bool:
    n = window.shape[0]
    if r < 0 or c < 0 or r >= n or c >= n:
        return False
    return bool(label[r, c] == OWN and window[r, c] >= level)
