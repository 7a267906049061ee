"""Scale-space maxima: running maximum of normalised band-pass responses, and its peaks."""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

from mcdetect.kernels.constants import MAD_TO_SD
from mcdetect.kernels.jit import kernel
from mcdetect.kernels.threads import in_parts
from mcdetect.kernels.tiles import middle

__all__ = ["keep_strongest", "local_maxima", "tile_spread"]

_Singles = npt.NDArray[np.float32]

_LEAST_ROWS = 64  # Technical: fewest rows that are worth a thread


def tile_spread(
    finer: _Singles,
    coarser: _Singles,
    mask: npt.NDArray[np.bool_],
    tile_rows: int,
    tile_cols: int,
    stride: int,
    out_spread: _Singles,
    out_count: npt.NDArray[np.int64],
) -> None:
    """Robust spread (1.4826 MAD about the median) of ``finer - coarser`` in every tile.

    Parameters
    ----------
    finer, coarser : (rows, cols) float32 arrays
        Two successive levels of the scale space.
    mask : (rows, cols) bool array
        Pixels that count.
    tile_rows, tile_cols : int
        Size of a tile in pixels.
    stride : int
        Every stride-th pixel along both axes is looked at.
    out_spread : (tiles down, tiles across) float32 array
        Written; 0 where no pixel counts.
    out_count : (tiles down, tiles across) int64 array
        Written; pixels looked at.
    """
    in_parts(
        lambda first, last: _tile_spread(
            finer, coarser, mask, tile_rows, tile_cols, stride, first, last, out_spread, out_count
        ),
        out_spread.size,
    )


@kernel  # pragma: no cover - compiled
def _tile_spread(  # type: ignore[no-untyped-def]
    finer, coarser, mask, tile_rows, tile_cols, stride, first, last, out_spread, out_count
):
    across = out_spread.shape[1]
    rows, cols = finer.shape
    values = np.empty((tile_rows // stride + 1) * (tile_cols // stride + 1), np.float32)
    for tile in range(first, last):
        a = tile // across
        b = tile % across
        n = np.int64(0)
        for i in range(a * tile_rows, min(rows, (a + 1) * tile_rows), stride):
            for j in range(b * tile_cols, min(cols, (b + 1) * tile_cols), stride):
                if mask[i, j]:
                    values[n] = finer[i, j] - coarser[i, j]
                    n += 1
        out_count[a, b] = n
        if n == 0:
            out_spread[a, b] = np.float32(0.0)
        else:
            centre = middle(values, n)
            for k in range(n):
                values[k] = abs(values[k] - centre)
            out_spread[a, b] = np.float32(MAD_TO_SD) * middle(values, n)


def keep_strongest(
    finer: _Singles,
    coarser: _Singles,
    gain: _Singles,
    tile_rows: int,
    tile_cols: int,
    level: int,
    best: _Singles,
    best_level: npt.NDArray[np.uint8],
) -> None:
    """Where ``(finer - coarser) * gain`` beats `best`, replace it and remember the level.

    Parameters
    ----------
    finer, coarser : (rows, cols) float32 arrays
    gain : (tiles down, tiles across) float32 array
        One over the spread, at tile centres; interpolated bilinearly, constant beyond the outermost.
    tile_rows, tile_cols : int
        Size of a tile in pixels.
    level : int
        Number of this band.
    best, best_level : (rows, cols) float32 and uint8 arrays
        Updated.
    """
    in_parts(
        lambda first, last: _keep_strongest(
            finer, coarser, gain, tile_rows, tile_cols, level, first, last, best, best_level
        ),
        finer.shape[0],
        least=_LEAST_ROWS,
    )


@kernel(fast="all")  # pragma: no cover - compiled
def _keep_strongest(  # type: ignore[no-untyped-def]
    finer, coarser, gain, tile_rows, tile_cols, level, first, last, best, best_level
):
    cols = finer.shape[1]
    down, across = gain.shape
    along = np.empty(across, np.float32)
    for i in range(first, last):
        y = min(max((i + 0.5) / tile_rows - 0.5, 0.0), down - 1.0)
        a = min(int(y), max(down - 2, 0))
        a_next = min(a + 1, down - 1)
        fy = np.float32(y - a)
        for b in range(across):
            along[b] = gain[a, b] * (np.float32(1.0) - fy) + gain[a_next, b] * fy
        row = nb.uintp(i)
        step = np.float32(1.0 / tile_cols)
        for b in range(-1, across):
            left, right = along[max(b, 0)], along[min(b + 1, across - 1)]
            centre = np.float32((b + 0.5) * tile_cols - 0.5)
            start = max(0, int(np.ceil((b + 0.5) * tile_cols - 0.5)))
            stop = min(cols, int(np.ceil((b + 1.5) * tile_cols - 0.5)))
            slope = (right - left) * step
            for j in range(nb.uintp(start), nb.uintp(max(start, stop))):
                value = (finer[row, j] - coarser[row, j]) * (left + slope * (np.float32(j) - centre))
                if value > best[row, j]:
                    best[row, j] = value
                    best_level[row, j] = level


def local_maxima(best: _Singles, mask: npt.NDArray[np.bool_], threshold: float) -> npt.NDArray[np.int64]:
    """Pixels of `mask` at or above `threshold` that no neighbour (of eight) exceeds.

    Of equal neighbours the first in reading order counts.

    Parameters
    ----------
    best : (rows, cols) float32 array
    mask : (rows, cols) bool array
    threshold : float

    Returns
    -------
    (n, 2) int64 array
        Row and column of each, in reading order.
    """
    rows, cols = best.shape
    row, col = np.divmod(np.flatnonzero((best >= np.float32(threshold)) & mask), cols)
    for down, right in ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)):
        i, j = row + down, col + right
        inside = (i >= 0) & (i < rows) & (j >= 0) & (j < cols)
        here = best[row, col]
        other = best[np.where(inside, i, row), np.where(inside, j, col)]
        earlier = (down, right) < (0, 0)
        kept = ~inside | ((other < here) if earlier else (other <= here))
        row, col = row[kept], col[kept]
    peaks: npt.NDArray[np.int64] = np.stack((row, col), axis=1).astype(np.int64)
    return peaks
