"""Peaks of the strongest band of a scale space, in one visit of the image; and those in others' shadow."""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

from mcdetect.kernels.jit import kernel
from mcdetect.kernels.scales import STRIP, WHOLE, Space, levels_of_row
from mcdetect.kernels.threads import in_parts

__all__ = ["PEAK_COLUMNS", "not_shadowed", "scale_peaks"]

_Singles = npt.NDArray[np.float32]
_Floats = npt.NDArray[np.float64]

PEAK_COLUMNS = ("row", "col", "value", "band", "row_px", "col_px", "fine")
"""Columns of `scale_peaks`: the pixel; its value; which band gave it; the centre of a parabola through three
pixels along either axis; 1 for a peak of the fine bands alone, 0 for one of all bands."""

# Technical: sizes.
_WIDTH = 2048  # columns at once: what they are made of stays in the second-level cache
_PIXELS_PER_PEAK = 64  # room for so many is made at first
_CELLS = 128  # along the longer side, in which points are kept
_NOTHING = np.float32(-1e38)  # beyond the border
_BAND_BITS = 7  # the lowest bits of a value are where the number of its band is kept meanwhile


def scale_peaks(
    space: Space,
    gain: _Singles,
    tile: tuple[int, int],
    mask: npt.NDArray[np.bool_],
    least: float,
    least_fine: float,
    fine_bands: int,
) -> _Floats:
    """Peaks of the strongest band, each over its local spread.

    A peak is a pixel of `mask` that no neighbour (of eight) exceeds; of equal neighbours the first in
    reading order counts. Peaks of all bands and of the first few are found apart.

    Parameters
    ----------
    space : Space
    gain : (bands, tiles down, tiles across) float32 array
        One over the spread, at tile centres; interpolated bilinearly, constant beyond the outermost. At most
        seven bands.
    tile : (int, int)
        Rows and columns of a tile.
    mask : (rows, cols) bool array
        Nothing lies outside of the spans of `space`.
    least, least_fine : float
        Lowest value of a peak of all bands, and of one of the fine bands; above 0.
    fine_bands : int
        How many bands, from the finest on, are searched apart.

    Returns
    -------
    (n, len(PEAK_COLUMNS)) float64 array
        Strip by strip of rows. Values are exact to one part in a million.
    """
    if gain.shape[0] > _BAND_BITS:
        raise ValueError(f"at most {_BAND_BITS} bands, not {gain.shape[0]}")
    found: dict[int, _Floats] = {}
    scales = space.scales

    def search(first: int, last: int) -> None:
        room = 64 + _pixels(space.spans[first:last]) // _PIXELS_PER_PEAK
        while True:
            out = np.empty((room, len(PEAK_COLUMNS)))
            count = _scale_peaks(
                space.image, space.half, scales.fine, scales.margin, scales.taps, scales.lengths,
                scales.between, space.spans, gain, tile[0], tile[1], mask, least, least_fine, fine_bands,
                first, last, out,
            )  # fmt: skip
            if count <= room:
                break
            room = count
        found[first] = out[:count]

    in_parts(search, len(space.spans))
    return np.concatenate([found[first] for first in sorted(found)])


def _pixels(spans: npt.NDArray[np.int64]) -> int:
    return STRIP * int((spans[:, 1] - spans[:, 0]).sum())


@kernel(inline=True)  # pragma: no cover - compiled
def _is_peak(best, above, here, below, j):  # type: ignore[no-untyped-def]
    value = best[here, j]
    return (
        best[above, j - 1] < value
        and best[above, j] < value
        and best[above, j + 1] < value
        and best[here, j - 1] < value
        and best[here, j + 1] <= value
        and best[below, j - 1] <= value
        and best[below, j] <= value
        and best[below, j + 1] <= value
    )


@kernel(inline=True)  # pragma: no cover - compiled
def _summit(before, here, after):  # type: ignore[no-untyped-def]
    """Centre of a parabola through three values; 0 by the border."""
    bend = np.float64(before) - 2.0 * np.float64(here) + np.float64(after)
    if bend >= -1e-12 or min(before, after) <= _NOTHING:
        return 0.0
    return min(max(0.5 * (np.float64(before) - np.float64(after)) / bend, -0.5), 0.5)


@kernel(fast="all")  # pragma: no cover - compiled
def _scale_peaks(  # type: ignore[no-untyped-def]
    image, half, fine, margin, taps, lengths, between,
    spans, gain, tile_rows, tile_cols, mask, least, least_fine, fine_bands, first, last, out,
):  # fmt: skip
    rows, cols = mask.shape
    bands, down, _ = gain.shape
    line = np.empty(2 * _WIDTH + 16 * taps.shape[2], np.float32)
    level = np.empty((bands + 1, _WIDTH), np.float32)
    gains = np.empty((2 * bands, _WIDTH), np.float32)
    best = np.empty((6, _WIDTH), np.float32)
    limits = (np.float32(least), np.float32(least_fine))
    count = np.int64(0)
    for strip in range(first, last):
        span_first, span_last = spans[strip, 0], spans[strip, 1]
        if span_first == span_last:
            continue
        top, bottom = strip * STRIP, min(rows, (strip + 1) * STRIP)
        blocks = -(-(span_last - span_first) // (_WIDTH - WHOLE))
        inner = -(-(span_last - span_first) // blocks)
        width = (inner + 3 + WHOLE) // WHOLE * WHOLE
        n = nb.uintp(width)
        for block in range(blocks):
            begin = span_first + block * inner
            end = min(begin + inner, span_last)
            start = (begin - 1) // 2 * 2  # even, and one column before the first
            tiles = -1
            for i in range(top - 1, bottom + 1):
                slot = (i + 3) % 3
                all_bands, fine_only = nb.uintp(slot), nb.uintp(slot + 3)
                if i < 0 or i == rows:
                    for j in range(n):
                        best[all_bands, j] = _NOTHING
                        best[fine_only, j] = _NOTHING
                else:
                    y = min(max((i + 0.5) / tile_rows - 0.5, 0.0), down - 1.0)
                    a = min(int(y), max(down - 2, 0))
                    if a != tiles:
                        tiles = a
                        _gains(gain, a, tile_cols, start, width, gains)
                    levels_of_row(
                        image, half, fine, margin, taps, lengths, between, i, start, width, line, level
                    )
                    along = np.float32(y - a)
                    for band in range(bands):
                        if band == 0:
                            for j in range(n):
                                best[fine_only, j] = _NOTHING
                        if band == fine_bands:
                            for j in range(n):
                                best[all_bands, j] = best[fine_only, j]
                        target = fine_only if band < fine_bands else all_bands
                        k, k_next = nb.uintp(band), nb.uintp(band + 1)
                        code = np.int32(_BAND_BITS - band)
                        for j in range(n):
                            value = (level[k, j] - level[k_next, j]) * (
                                gains[nb.uintp(2) * k, j] + along * gains[nb.uintp(2) * k + nb.uintp(1), j]
                            )
                            bits = (np.float32(value).view(np.int32) & np.int32(-8)) | code
                            best[target, j] = max(best[target, j], np.int32(bits).view(np.float32))
                    if start < 0:
                        best[slot, -1 - start] = best[slot + 3, -1 - start] = _NOTHING
                    if start + width > cols:
                        best[slot, cols - start] = best[slot + 3, cols - start] = _NOTHING
                row = i - 1
                if row < top:
                    continue
                for kind in range(2):
                    above, here, below = 3 * kind + (row + 2) % 3, 3 * kind + (row + 3) % 3, 3 * kind + slot
                    limit = limits[kind]
                    for j in range(nb.uintp(begin - start), nb.uintp(end - start)):
                        if best[nb.uintp(here), j] >= limit and _is_peak(best, above, here, below, j):
                            col = start + np.int64(j)
                            if mask[row, col]:
                                if count < out.shape[0]:
                                    value = best[here, j]
                                    out[count, 0] = row
                                    out[count, 1] = col
                                    out[count, 2] = value
                                    out[count, 3] = _BAND_BITS - (np.float32(value).view(np.int32) & 7)
                                    out[count, 4] = row + _summit(best[above, j], value, best[below, j])
                                    out[count, 5] = col + _summit(best[here, j - 1], value, best[here, j + 1])
                                    out[count, 6] = kind
                                count += 1
    return count


@kernel(inline=True)  # pragma: no cover - compiled
def _gains(gain, a, tile_cols, start, width, out):  # type: ignore[no-untyped-def]
    """Gain of every band along a row of tile centres, and what is added on the way to the next row."""
    bands, down, across = gain.shape
    following = min(a + 1, down - 1)
    for j in range(width):
        x = min(max((start + j + 0.5) / tile_cols - 0.5, 0.0), across - 1.0)
        b = min(int(x), max(across - 2, 0))
        b_next = min(b + 1, across - 1)
        f = np.float32(x - b)
        for k in range(bands):
            upper = gain[k, a, b] + f * (gain[k, a, b_next] - gain[k, a, b])
            lower = gain[k, following, b] + f * (gain[k, following, b_next] - gain[k, following, b])
            out[2 * k, j] = upper
            out[2 * k + 1, j] = lower - upper


def not_shadowed(place: _Floats, reach: _Floats, kept: int = 0) -> npt.NDArray[np.bool_]:
    """Tell which points lie within the reach of no earlier point that is itself kept.

    Parameters
    ----------
    place : (n, 2) float64 array
        Points, in the order in which they go before others.
    reach : (n,) float64 array
        Distance within which each takes the place of later ones.
    kept : int
        So many points are kept in any case.

    Returns
    -------
    (n,) bool array
    """
    n = len(place)
    lit = np.ones(n, np.bool_)
    if n == 0 or reach.max() <= 0.0:
        return lit
    low = place.min(axis=0)
    # Cells at least as large as the longest reach: what is near lies in the same or a neighbouring one.
    side = max(float(reach.max()), float((place.max(axis=0) - low).max()) / _CELLS)
    cell = np.floor((place - low) / side).astype(np.int64)
    across = int(cell[:, 1].max()) + 3
    number = (cell[:, 0] + 1) * across + cell[:, 1] + 1
    order = np.argsort(
        number.astype(np.uint16), kind="stable"
    )  # as short as they are, they are sorted at once
    held = np.bincount(number, minlength=(int(cell[:, 0].max()) + 3) * across)
    first = np.concatenate(([0], np.cumsum(held)))
    _shadows(place, reach, kept, number, across, order, first, lit)
    return lit


@kernel  # pragma: no cover - compiled
def _shadows(place, reach, kept, number, across, order, first, lit):  # type: ignore[no-untyped-def]
    for k in range(place.shape[0]):
        if not lit[k] or reach[k] <= 0.0:
            continue
        for row in range(-1, 2):
            cell = number[k] + row * across
            for m in range(first[cell - 1], first[cell + 2]):
                other = order[m]
                if other > k and other >= kept and lit[other]:
                    down, right = place[other, 0] - place[k, 0], place[other, 1] - place[k, 1]
                    if down * down + right * right < reach[k] * reach[k]:
                        lit[other] = False
