"""White top-hat with a rectangle: what is brighter than its surroundings and narrower."""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

__all__ = ["white_tophat"]

_COLUMNS = 64


def white_tophat(
    image: npt.NDArray[np.float32], height: int, width: int, out: npt.NDArray[np.float32]
) -> None:
    """Image less its opening with a rectangle of odd sides.

    Beyond the border nothing is smaller (erosion) and nothing larger (dilation) than inside.

    Parameters
    ----------
    image : (rows, cols) float32 array
    height, width : int
        Sides of the rectangle in pixels, odd.
    out : (rows, cols) float32 array
        Written; must not overlap `image`.

    References
    ----------
    van Herk, Pattern Recognition Letters 13 (1992) 517-521, doi:10.1016/0167-8655(92)90069-C
    """
    if height % 2 == 0 or width % 2 == 0:
        raise ValueError("the sides of the rectangle must be odd")
    eroded = np.empty_like(image)
    _extreme_rows(image, width, np.float32(1.0), eroded)
    _extreme_columns(eroded, height, np.float32(1.0))
    _extreme_columns(eroded, height, np.float32(-1.0))
    _extreme_rows(eroded, width, np.float32(-1.0), out)
    _subtract_from(image, out)


@nb.njit(cache=True, nogil=True, parallel=True, fastmath=True)  # pragma: no cover - compiled
def _subtract_from(image, out):  # type: ignore[no-untyped-def]
    rows, cols = image.shape
    for i in nb.prange(rows):
        for j in range(cols):
            out[i, j] = image[i, j] - out[i, j]


@nb.njit(cache=True, nogil=True, parallel=True)  # pragma: no cover - compiled
def _extreme_rows(image, width, sign, out):  # type: ignore[no-untyped-def]
    """Running minimum (sign 1) or maximum (sign -1) of `width` pixels along every row, by doubling."""
    rows, cols = image.shape
    reach = width // 2
    for i in nb.prange(rows):
        line = np.empty(cols + 2 * reach, np.float32)
        row = nb.uintp(i)
        for j in range(nb.uintp(reach)):
            line[j] = np.float32(np.inf)
            line[nb.uintp(cols + reach) + j] = np.float32(np.inf)
        for j in range(nb.uintp(cols)):
            line[nb.uintp(reach) + j] = sign * image[row, j]
        span = 1
        while span < width:
            step = nb.uintp(min(span, width - span))
            last = nb.uintp(cols + 2 * reach - span - int(step) + 1)
            for j in range(last):
                line[j] = min(line[j], line[j + step])
            span += int(step)
        for j in range(nb.uintp(cols)):
            out[row, j] = sign * line[j]


@nb.njit(cache=True, nogil=True, parallel=True)  # pragma: no cover - compiled
def _extreme_columns(image, height, sign):  # type: ignore[no-untyped-def]
    """Running minimum (sign 1) or maximum (sign -1) of `height` pixels down every column, in place."""
    rows, cols = image.shape
    reach = height // 2
    padded = rows + 2 * reach
    blocks = (padded + height - 1) // height
    strips = (cols + _COLUMNS - 1) // _COLUMNS
    for strip in nb.prange(strips):
        first = strip * _COLUMNS
        n = nb.uintp(min(_COLUMNS, cols - first))
        from_col = nb.uintp(first)
        forward = np.empty((blocks * height, _COLUMNS), np.float32)
        backward = np.empty((blocks * height, _COLUMNS), np.float32)
        for i in range(nb.uintp(blocks * height)):
            source = int(i) - reach
            if 0 <= source < rows:
                for j in range(n):
                    forward[i, j] = sign * image[nb.uintp(source), from_col + j]
                    backward[i, j] = forward[i, j]
            else:
                for j in range(n):
                    forward[i, j] = np.float32(np.inf)
                    backward[i, j] = np.float32(np.inf)
        for block in range(blocks):
            top = block * height
            for i in range(nb.uintp(top + 1), nb.uintp(top + height)):
                for j in range(n):
                    forward[i, j] = min(forward[i, j], forward[i - nb.uintp(1), j])
            for k in range(height - 1):
                i = nb.uintp(top + height - 2 - k)
                for j in range(n):
                    backward[i, j] = min(backward[i, j], backward[i + nb.uintp(1), j])
        for i in range(nb.uintp(rows)):
            for j in range(n):
                image[i, from_col + j] = sign * min(backward[i, j], forward[i + nb.uintp(height - 1), j])
