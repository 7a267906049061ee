"""Robust spread of the bands of a scale space in every tile of an image."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.constants import MAD_TO_SD
from mcdetect.kernels.jit import kernel
from mcdetect.kernels.scales import WHOLE, Space, levels_of_row
from mcdetect.kernels.threads import in_parts

__all__ = ["middle", "sample_tiles"]

_Singles = npt.NDArray[np.float32]

# Technical: to be quick.
_WIDTH = 1024  # columns at once: what they are made of stays in the second-level cache
_HALVINGS = 15  # of the range in which a median lies


def sample_tiles(
    space: Space,
    mask: npt.NDArray[np.bool_],
    tile: tuple[int, int],
    stride: int,
    thinned: int,
) -> tuple[_Singles, npt.NDArray[np.int64], _Singles]:
    """Robust spread (1.4826 MAD about the median) of every band in every tile, and some of its values.

    Band k lies between the levels k and k + 1.

    Parameters
    ----------
    space : Space
    mask : (rows, cols) bool array
        Pixels that count.
    tile : (int, int)
        Rows and columns of a tile.
    stride : int
        Every stride-th pixel of a tile along both axes is looked at, from its first one on.
    thinned : int
        Every so-manieth of these is given back, too.

    Returns
    -------
    spread : (bands, tiles down, tiles across) float32 array
        0 where no pixel counts.
    count : (tiles down, tiles across) int64 array
        Pixels looked at.
    values : (bands, tiles down, kept down, tiles across, kept across) float32 array
        NaN where a pixel does not count.
    """
    rows, cols = mask.shape
    grid = (-(-rows // tile[0]), -(-cols // tile[1]))
    bands = space.scales.lengths.shape[0] - 1
    kept = tuple(-(-side // (stride * thinned)) for side in tile)
    spread, count = np.zeros((bands, *grid), np.float32), np.zeros(grid, np.int64)
    values = np.full((bands, grid[0], kept[0], grid[1], kept[1]), np.nan, np.float32)
    scales = space.scales

    def sample(first: int, last: int) -> None:
        _sample_tiles(
            space.image, space.half, scales.fine, scales.margin, scales.taps, scales.lengths,
            scales.between, mask, tile[0], tile[1], stride, thinned, first, last, spread, count, values,
        )  # fmt: skip

    in_parts(sample, grid[0])
    return spread, count, values


@kernel(fast="all")  # pragma: no cover - compiled
def middle(values, count):  # type: ignore[no-untyped-def]
    """Return the median of the first few values, the lower one of an even count, to 0.01 % of their SD.

    By bisection: unlike a sort, its passes over the values are vectorised. A median lies within one SD of
    the mean.
    """
    total = squares = np.float32(0.0)
    for k in range(count):
        total += values[k]
    mean = total / np.float32(count)
    for k in range(count):
        squares += (values[k] - mean) * (values[k] - mean)
    reach = np.float32(1.001) * np.float32(math.sqrt(squares / np.float32(count)))
    low, high = mean - reach, mean + reach
    rank = np.float32((count - 1) // 2)
    one, none = np.float32(1.0), np.float32(0.0)
    for _ in range(_HALVINGS):
        limit = np.float32(0.5) * (low + high)
        below = none
        for k in range(count):
            below += one if values[k] <= limit else none
        if below > rank:
            high = limit
        else:
            low = limit
    return np.float32(0.5) * (low + high)


@kernel(fast="sums")  # pragma: no cover - compiled
def _sample_tiles(  # type: ignore[no-untyped-def]
    image, half, fine, margin, taps, lengths, between,
    mask, tile_rows, tile_cols, stride, thinned, first, last, out_spread, out_count, out_values,
):  # fmt: skip
    rows, cols = mask.shape
    bands, across = out_spread.shape[0], out_spread.shape[2]
    at_once = max(1, _WIDTH // tile_cols)
    width = (at_once * tile_cols + 1 + WHOLE) // WHOLE * WHOLE
    most = ((tile_rows - 1) // stride + 1) * ((tile_cols - 1) // stride + 1)
    line = np.empty(2 * width + 16 * taps.shape[2], np.float32)
    level = np.empty((bands + 1, width), np.float32)
    held = np.empty((at_once, bands, most), np.float32)
    where = np.empty(width, np.int32)
    for a in range(first, last):
        for group in range(0, across, at_once):
            here = min(at_once, across - group)
            start = group * tile_cols // 2 * 2
            for i in range(a * tile_rows, min(rows, (a + 1) * tile_rows), stride):
                down = (i - a * tile_rows) // stride
                ready = False
                for b in range(group, group + here):
                    m = np.int64(0)
                    for j in range(b * tile_cols, min(cols, (b + 1) * tile_cols), stride):
                        where[m] = j - start
                        m += mask[i, j]
                    if m == 0:
                        continue
                    if not ready:
                        levels_of_row(
                            image, half, fine, margin, taps, lengths, between, i, start, width, line, level
                        )
                        ready = True
                    n = out_count[a, b]
                    out_count[a, b] = n + m
                    for k in range(bands):
                        for q in range(m):
                            held[b - group, k, n + q] = level[k, where[q]] - level[k + 1, where[q]]
                    if down % thinned == 0:
                        for q in range(m):
                            right = (start + where[q] - b * tile_cols) // stride
                            if right % thinned == 0:
                                for k in range(bands):
                                    value = held[b - group, k, n + q]
                                    out_values[k, a, down // thinned, b, right // thinned] = value
            for b in range(group, group + here):
                n = out_count[a, b]
                for k in range(bands):
                    if n > 0:
                        values = held[b - group, k]
                        centre = middle(values, n)
                        for q in range(n):
                            values[q] = abs(values[q] - centre)
                        out_spread[k, a, b] = np.float32(MAD_TO_SD) * middle(values, n)
