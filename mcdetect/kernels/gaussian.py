"""Separable smoothing with a symmetric kernel, both passes in one visit of the image."""

from __future__ import annotations

import math

import numba as nb
import numpy as np
import numpy.typing as npt
from scipy.special import ive

from mcdetect.kernels.jit import kernel
from mcdetect.kernels.threads import in_parts

__all__ = ["discrete_gaussian", "smooth"]

# Technical: division of the work.
_LEAST = 32  # fewest rows that are worth a thread
_UNROLL = 4  # taps on either side that are added in one visit of a line; `_smooth` is written out for so many


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
    down, across = _padded(taps_rows), _padded(taps_cols)
    in_parts(lambda first, last: _smooth(image, down, across, first, last, out), image.shape[0], least=_LEAST)


def _padded(taps: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Fill the taps after the first with zeros up to a multiple of the unrolling."""
    tail = -(taps.size - 1) % _UNROLL
    return np.concatenate((taps, np.zeros(tail, np.float32))).astype(np.float32)


@kernel(inline=True)  # pragma: no cover - compiled
def _reflect(index: int, length: int) -> int:
    period = 2 * length
    index = index % period
    return index if index < length else period - 1 - index


@kernel(fast="all")  # pragma: no cover - compiled
def _smooth(image, taps_rows, taps_cols, top, bottom, out):  # type: ignore[no-untyped-def]
    # Unsigned indices: a signed one may count from the end, and that test stops vectorisation.
    rows, cols = image.shape
    reach_rows = taps_rows.size - 1
    reach = taps_cols.size - 1
    line = np.empty(cols + 2 * reach, np.float32)
    result = np.empty(cols, np.float32)
    n = nb.uintp(cols)
    first = nb.uintp(reach)
    for i in range(top, bottom):
        here = nb.uintp(i)
        w0 = taps_rows[0]
        for j in range(n):
            line[first + j] = w0 * image[here, j]
        for k in range(1, reach_rows + 1, _UNROLL):
            a0, b0 = nb.uintp(_reflect(i - k, rows)), nb.uintp(_reflect(i + k, rows))
            a1, b1 = nb.uintp(_reflect(i - k - 1, rows)), nb.uintp(_reflect(i + k + 1, rows))
            a2, b2 = nb.uintp(_reflect(i - k - 2, rows)), nb.uintp(_reflect(i + k + 2, rows))
            a3, b3 = nb.uintp(_reflect(i - k - 3, rows)), nb.uintp(_reflect(i + k + 3, rows))
            w0, w1, w2, w3 = taps_rows[k], taps_rows[k + 1], taps_rows[k + 2], taps_rows[k + 3]
            for j in range(n):
                line[first + j] += (
                    w0 * (image[a0, j] + image[b0, j])
                    + w1 * (image[a1, j] + image[b1, j])
                    + w2 * (image[a2, j] + image[b2, j])
                    + w3 * (image[a3, j] + image[b3, j])
                )
        for k in range(reach):
            line[k] = line[reach + _reflect(k - reach, cols)]
            line[reach + cols + k] = line[reach + _reflect(cols + k, cols)]
        w0 = taps_cols[0]
        for j in range(n):
            result[j] = w0 * line[first + j]
        for k in range(1, reach + 1, _UNROLL):
            w0, w1, w2, w3 = taps_cols[k], taps_cols[k + 1], taps_cols[k + 2], taps_cols[k + 3]
            a0, b0 = nb.uintp(reach - k), nb.uintp(reach + k)
            a1, b1 = nb.uintp(reach - k - 1), nb.uintp(reach + k + 1)
            a2, b2 = nb.uintp(reach - k - 2), nb.uintp(reach + k + 2)
            a3, b3 = nb.uintp(reach - k - 3), nb.uintp(reach + k + 3)
            for j in range(n):
                result[j] += (
                    w0 * (line[a0 + j] + line[b0 + j])
                    + w1 * (line[a1 + j] + line[b1 + j])
                    + w2 * (line[a2 + j] + line[b2 + j])
                    + w3 * (line[a3 + j] + line[b3 + j])
                )
        for j in range(n):
            out[here, j] = result[j]
