"""Gaussian scale space of an image, row by row: fine levels on its pixels, coarse ones on half the grid.

From some two pixels on, a smoothed image holds nothing that every other pixel along both axes would not
tell. Its coarser levels are made there, at a quarter of the cost, and are interpolated where a row of pixels
is read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba as nb
import numpy as np
import numpy.typing as npt
from scipy.special import ive

from mcdetect.kernels.gaussian import discrete_gaussian, padded, smooth_row
from mcdetect.kernels.jit import kernel
from mcdetect.kernels.threads import in_parts

__all__ = ["Scales", "Space", "levels_of_row", "scale_space", "spans_of"]

_Singles = npt.NDArray[np.float32]
_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]

HALF_FROM_PX = 1.75
"""Judged: from this scale on, every other pixel is enough. Lower is quicker, and folds in finer detail."""

# Technical: division of the work.
STRIP = 64  # rows of the image that have one span of columns
_SIDE = 3  # points of the half grid on either side that a value between them is made of; written out
_LEAST = 32  # rows of the half grid that are worth a thread
_TAIL = 1e-7  # mass that is cut off a Gaussian before its length is known
WHOLE = 32  # columns are taken in whole vectors, so that all are rounded alike


@dataclass(frozen=True)
class Scales:
    """Filters that make the levels of a scale space.

    Parameters
    ----------
    fine : int
        The last level that is made on all pixels. The coarser ones are made from it on the half grid.
    taps : (levels, 2, longest) float32 array
        Weights at distances 0, 1, ... along rows and columns, see `mcdetect.kernels.gaussian.padded`: of
        pixels, or of points of the half grid.
    lengths : (levels, 2) int64 array
        How many there are.
    between : (levels, 2, 3) float32 array
        Weights, nearest first, of the points on either side that give the value midway between two.
    """

    fine: int
    taps: _Singles
    lengths: _Ints
    between: _Singles

    @classmethod
    def of(cls, down_px: _Floats, across_px: _Floats) -> Scales:
        """Return the filters of levels whose SD along rows and along columns are given in pixels, rising."""
        levels = down_px.size
        fine = min(int(np.searchsorted(np.minimum(down_px, across_px), HALF_FROM_PX)), levels - 1)
        made = [
            [
                _taps(math.sqrt(sigma**2 - sigmas[fine] ** 2), 2) if k > fine else _taps(sigma, 1)
                for k, sigma in enumerate(sigmas)
            ]
            for sigmas in (down_px, across_px)
        ]
        longest = max(taps.size for axis in made for taps in axis)
        taps = np.zeros((levels, 2, longest), np.float32)
        lengths = np.zeros((levels, 2), np.int64)
        between = np.zeros((levels, 2, _SIDE), np.float32)
        for axis, (all_taps, sigmas) in enumerate(zip(made, (down_px, across_px), strict=True)):
            for k, one in enumerate(all_taps):
                taps[k, axis, : one.size] = one
                lengths[k, axis] = one.size
                if k > fine:
                    between[k, axis] = midway(sigmas[k])
        return cls(fine, taps, lengths, between)

    @property
    def margin(self) -> int:
        """Points of the half grid beyond the image that its levels reach."""
        return int(self.lengths[self.fine + 1 :].max(initial=1)) + _SIDE + WHOLE


def _taps(sigma_px: float, step: int) -> _Singles:
    """Half of a Gaussian on every pixel or on each `step`-th, as long as whole groups of taps are."""
    length = padded(discrete_gaussian(sigma_px)[::step]).size
    taps = padded(discrete_gaussian(sigma_px, tail=_TAIL)[::step][:length]).astype(np.float64)
    taps = np.pad(taps, (0, max(0, length - taps.size)))[:length]
    single: _Singles = (taps / (taps[0] + 2.0 * taps[1:].sum())).astype(np.float32)
    return single


def midway(sigma_px: float) -> _Singles:
    """Weights, nearest first, that best give a smoothed image midway between points of the half grid.

    Best for white noise that was smoothed (the least mean square error, as in kriging), with sum 1.
    """
    place = 2.0 * np.arange(-_SIDE, _SIDE) + 1.0
    variance = 2.0 * sigma_px**2
    known = ive(np.abs(np.subtract.outer(place, place)), variance)
    weights = np.linalg.solve(known + 1e-7 * known[0, 0] * np.eye(place.size), ive(np.abs(place), variance))
    nearest: _Singles = (weights[_SIDE:] / weights.sum()).astype(np.float32)
    return nearest


@dataclass(frozen=True)
class Space:
    """The scale space of one image.

    Parameters
    ----------
    image : (rows, cols) float32 array
    scales : Scales
    half : (levels - fine, rows, cols) float32 array
        The last fine level and all coarser ones on the half grid, which begins `Scales.margin` points before
        the first pixel. Only made where the spans reach.
    spans : (strips, 2) int64 array
        First column, and the one after the last, in which something is looked for, of every strip of rows.
    """

    image: _Singles
    scales: Scales
    half: _Singles
    spans: _Ints


def spans_of(mask: npt.NDArray[np.bool_]) -> _Ints:
    """Return the first column, and the one after the last, of each strip of `STRIP` rows; none: twice 0."""
    rows = len(mask)
    strips = -(-rows // STRIP)
    spans = np.zeros((strips, 2), np.int64)
    for k in range(strips):
        there = np.flatnonzero(np.bitwise_or.reduce(mask[k * STRIP : (k + 1) * STRIP], axis=0))
        if there.size:
            spans[k] = there[0], there[-1] + 1
    return spans


def scale_space(image: _Singles, scales: Scales, spans: _Ints) -> Space:
    """Make the levels of the half grid.

    Parameters
    ----------
    image : (rows, cols) float32 array
    scales : Scales
    spans : (strips, 2) int64 array
        See `spans_of`.

    Returns
    -------
    Space
    """
    rows, cols = image.shape
    margin, fine = scales.margin, scales.fine
    levels = scales.lengths.shape[0] - fine
    if levels == 1:
        return Space(image, scales, np.empty((1, 1, 1), np.float32), spans)
    half = np.empty((levels, (rows + 1) // 2 + 2 * margin, (cols + 1) // 2 + 2 * margin), np.float32)
    read = _half_spans(spans, half.shape[1], half.shape[2], margin, _SIDE + 2)
    made = _half_spans(spans, half.shape[1], half.shape[2], margin, margin)

    def halve(first: int, last: int) -> None:
        _halve(image, scales.taps[fine], scales.lengths[fine], made, margin, first, last, half[0])

    def coarsen(first: int, last: int) -> None:
        _coarsen(half, scales.taps[fine:], scales.lengths[fine:], read, first, last)

    in_parts(halve, half.shape[1], least=_LEAST)
    in_parts(coarsen, half.shape[1], least=_LEAST)
    return Space(image, scales, half, spans)


def _half_spans(spans: _Ints, rows: int, cols: int, margin: int, reach: int) -> _Ints:
    """Columns of the half grid that lie within reach of what is looked for, row by row."""
    first, last = np.full(rows, cols), np.zeros(rows, np.int64)
    for k, (start, stop) in enumerate(spans):
        if start < stop:
            part = slice(max(0, k * STRIP // 2 + margin - reach), ((k + 1) * STRIP + 1) // 2 + margin + reach)
            first[part] = np.minimum(first[part], max(0, start // 2 + margin - reach))
            last[part] = np.maximum(last[part], min(cols, (stop + 1) // 2 + margin + reach))
    return np.stack([first, np.maximum(last, first)], axis=1)


@kernel(fast="all")  # pragma: no cover - compiled
def _halve(image, taps, lengths, spans, margin, first, last, out):  # type: ignore[no-untyped-def]
    """Smooth, and keep every other pixel along both axes."""
    down, across = taps[0, : lengths[0]], taps[1, : lengths[1]]
    widest = 2 * out.shape[1] + WHOLE
    line, row = np.empty(2 * widest + 8 * across.size, np.float32), np.empty((1, widest), np.float32)
    for i in range(first, last):
        start = spans[i, 0]
        n = spans[i, 1] - start
        if n > 0:
            left = 2 * (start - margin)
            smooth_row(image, 2 * (i - margin), left, left + 2 * n, down, across, line, row, 0)
            here, begin = nb.uintp(i), nb.uintp(start)
            for j in range(nb.uintp(n)):
                out[here, begin + j] = row[0, 2 * j]


@kernel(fast="all")  # pragma: no cover - compiled
def _coarsen(half, taps, lengths, spans, first, last):  # type: ignore[no-untyped-def]
    """Smooth the first level further, to each of the others."""
    levels, _, cols = half.shape
    finest = half[0]
    line, row = np.empty(4 * cols + 8 * taps.shape[2], np.float32), np.empty((1, cols), np.float32)
    for i in range(first, last):
        start = spans[i, 0]
        n = spans[i, 1] - start
        if n > 0:
            here, begin = nb.uintp(i), nb.uintp(start)
            for k in range(1, levels):
                down, across = taps[k, 0, : lengths[k, 0]], taps[k, 1, : lengths[k, 1]]
                smooth_row(finest, i, start, start + n, down, across, line, row, 0)
                level = nb.uintp(k)
                for j in range(nb.uintp(n)):
                    half[level, here, begin + j] = row[0, j]


@kernel(fast="all")  # pragma: no cover - compiled
def levels_of_row(image, half, fine, margin, taps, lengths, between, row, start, width, line, out):  # type: ignore[no-untyped-def]
    """All levels of some pixels of one row; `start` and `width` are even.

    `out` gets one row for each level; `line` has room for twice the width and sixteen times the longest taps.
    """
    levels = taps.shape[0]
    for k in range(fine + 1):
        down, across = taps[k, 0, : lengths[k, 0]], taps[k, 1, : lengths[k, 1]]
        smooth_row(image, row, start, start + width, down, across, line, out, k)
    n, wide = nb.uintp(width // 2), nb.uintp(width // 2 + 2 * _SIDE - 1)
    left = nb.uintp(start // 2 + margin - _SIDE + 1)
    i0 = row // 2 + margin
    a0, a1, a2 = nb.uintp(i0), nb.uintp(i0 - 1), nb.uintp(i0 - 2)
    b0, b1, b2 = nb.uintp(i0 + 1), nb.uintp(i0 + 2), nb.uintp(i0 + 3)
    for k in range(fine + 1, levels):
        here, level = nb.uintp(k - fine), nb.uintp(k)
        if row % 2 == 0:
            for j in range(wide):
                line[j] = half[here, a0, left + j]
        else:
            w0, w1, w2 = between[k, 0, 0], between[k, 0, 1], between[k, 0, 2]
            for j in range(wide):
                line[j] = (
                    w0 * (half[here, a0, left + j] + half[here, b0, left + j])
                    + w1 * (half[here, a1, left + j] + half[here, b1, left + j])
                    + w2 * (half[here, a2, left + j] + half[here, b2, left + j])
                )
        w0, w1, w2 = between[k, 1, 0], between[k, 1, 1], between[k, 1, 2]
        for j in range(n):
            out[level, 2 * j] = line[j + 2]
            out[level, 2 * j + 1] = (
                w0 * (line[j + 2] + line[j + 3])
                + w1 * (line[j + 1] + line[j + 4])
                + w2 * (line[j] + line[j + 5])
            )
