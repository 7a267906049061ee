"""Separable smoothing with a symmetric kernel, both passes in one visit of the image."""

from __future__ import annotations

import math

import numba as nb
import numpy as np
import numpy.typing as npt
from scipy.special import ive

from mcdetect.kernels.jit import kernel
from mcdetect.kernels.threads import in_parts

__all__ = ["discrete_gaussian", "padded", "smooth", "smooth_row"]

# Technical: division of the work.
_LEAST = 32  # fewest rows that are worth a thread
_UNROLL = (
    3  # taps on either side that are added in one visit of a line; `smooth_row` is written out for so many
)


def discrete_gaussian(sigma_px: float, tail: float = 1e-3) -> npt.NDArray[np.float32]:
    """Half of the discrete analogue of the Gaussian kernel.

    Sampling a Gaussian is wrong below about one pixel; this kernel is exact at every scale, and
    smoothing with s1 and then s2 equals smoothing once with ``hypot(s1, s2)``.

    Parameters
    ----------
    sigma_px : float
        Standard deviation in pixels, >= 0.
    tail : float
        Mass that may be cut off at both ends together; the rest is normalised to 1.

    Returns
    -------
    (radius + 1,) float32 array
        Weights at distances 0, 1, ..., radius.

    References
    ----------
    Lindeberg, IEEE PAMI 12 (1990) 234-254, doi:10.1109/34.49051
    """
    variance = sigma_px * sigma_px
    longest = math.ceil(6.0 * sigma_px) + 4
    weights = ive(np.arange(longest + 1), variance)
    mass = weights[0] + 2.0 * np.cumsum(np.concatenate(([0.0], weights[1:])))
    radius = int(np.searchsorted(mass, 1.0 - tail))
    radius = min(radius, longest)
    kept = weights[: radius + 1]
    half: npt.NDArray[np.float32] = (kept / (kept[0] + 2.0 * kept[1:].sum())).astype(np.float32)
    return half


def smooth(
    image: npt.NDArray[np.float32],
    taps_rows: npt.NDArray[np.float32],
    taps_cols: npt.NDArray[np.float32],
    out: npt.NDArray[np.float32],
) -> None:
    """Convolve along rows and columns with symmetric kernels; borders are reflected (d c b a | a b c d).

    Parameters
    ----------
    image : (rows, cols) float32 array
    taps_rows, taps_cols : float32 arrays
        Weights at distances 0, 1, ... along the first and the second axis.
    out : (rows, cols) float32 array
        Written; must not overlap `image`.
    """
    down, across = padded(taps_rows), padded(taps_cols)
    in_parts(lambda first, last: _smooth(image, down, across, first, last, out), image.shape[0], least=_LEAST)


def padded(taps: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Fill the taps after the first with zeros up to a multiple of the unrolling."""
    tail = -(taps.size - 1) % _UNROLL if taps.size > 1 else _UNROLL
    return np.concatenate((taps, np.zeros(tail, np.float32))).astype(np.float32)


@kernel(fast="all")  # pragma: no cover - compiled
def _smooth(image, taps_rows, taps_cols, top, bottom, out):  # type: ignore[no-untyped-def]
    cols = image.shape[1]
    line = np.empty(cols + 2 * taps_cols.size, np.float32)
    for i in range(top, bottom):
        smooth_row(image, i, 0, cols, taps_rows, taps_cols, line, out, i)


@kernel(inline=True)  # pragma: no cover - compiled
def _reflect(index: int, length: int) -> int:
    if index < 0 or index >= length:  # seldom: a division takes as long as a dozen pixels
        period = 2 * length
        index = index % period
        index = index if index < length else period - 1 - index
    return index


@kernel(fast="all")  # pragma: no cover - compiled
def smooth_row(image, row, start, stop, taps_rows, taps_cols, line, out, into):  # type: ignore[no-untyped-def]
    """Smooth the pixels from `start` to before `stop` of one row, into the first columns of a row of `out`.

    Pixels may lie beyond the border: the reflected image is smoothed there. The taps are those of `padded`;
    `line` has room for twice as many pixels as are asked for, and eight times as many as there are taps.
    """
    # Unsigned indices: a signed one may count from the end, and that test stops vectorisation.
    rows, cols = image.shape
    reach_rows, reach = taps_rows.size - 1, taps_cols.size - 1
    low, high = start - reach, stop + reach
    a, b = max(low, 0), min(high, cols)
    if low < 0:
        b = max(b, min(cols, -low))
    if high > cols:
        a = min(a, max(0, 2 * cols - high))
    begin = min(a, low)
    left, first, n = nb.uintp(a), nb.uintp(a - begin), nb.uintp(b - a)
    here = nb.uintp(_reflect(row, rows))
    centre = taps_rows[0]
    for k in range(1, reach_rows + 1, _UNROLL):
        a0, b0 = nb.uintp(_reflect(row - k, rows)), nb.uintp(_reflect(row + k, rows))
        a1, b1 = nb.uintp(_reflect(row - k - 1, rows)), nb.uintp(_reflect(row + k + 1, rows))
        a2, b2 = nb.uintp(_reflect(row - k - 2, rows)), nb.uintp(_reflect(row + k + 2, rows))
        w0, w1, w2 = taps_rows[k], taps_rows[k + 1], taps_rows[k + 2]
        if k == 1:
            for j in range(n):
                line[first + j] = (
                    centre * image[here, left + j]
                    + w0 * (image[a0, left + j] + image[b0, left + j])
                    + w1 * (image[a1, left + j] + image[b1, left + j])
                    + w2 * (image[a2, left + j] + image[b2, left + j])
                )
        else:
            for j in range(n):
                line[first + j] += (
                    w0 * (image[a0, left + j] + image[b0, left + j])
                    + w1 * (image[a1, left + j] + image[b1, left + j])
                    + w2 * (image[a2, left + j] + image[b2, left + j])
                )
    for j in range(low, min(high, 0)):
        line[j - begin] = line[_reflect(j, cols) - begin]
    for j in range(max(low, cols), high):
        line[j - begin] = line[_reflect(j, cols) - begin]
    m, middle, target = nb.uintp(stop - start), start - begin, nb.uintp(into)
    first = nb.uintp(middle)
    centre = taps_cols[0]
    for k in range(1, reach + 1, _UNROLL):
        # Never below 0: said, since LLVM takes plain sums of two counters for a reason not to vectorise.
        a0, b0 = nb.uintp(max(middle - k, 0)), nb.uintp(middle + k)
        a1, b1 = nb.uintp(max(middle - k - 1, 0)), nb.uintp(middle + k + 1)
        a2, b2 = nb.uintp(max(middle - k - 2, 0)), nb.uintp(middle + k + 2)
        w0, w1, w2 = taps_cols[k], taps_cols[k + 1], taps_cols[k + 2]
        if k == 1:
            for j in range(m):
                out[target, j] = (
                    centre * line[first + j]
                    + w0 * (line[a0 + j] + line[b0 + j])
                    + w1 * (line[a1 + j] + line[b1 + j])
                    + w2 * (line[a2 + j] + line[b2 + j])
                )
        else:
            for j in range(m):
                out[target, j] += (
                    w0 * (line[a0 + j] + line[b0 + j])
                    + w1 * (line[a1 + j] + line[b1 + j])
                    + w2 * (line[a2 + j] + line[b2 + j])
                )
