"""The brightest parts of a breast: where clips and letters are looked for."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph

from mcdetect.kernels.threads import in_parts

__all__ = ["BrightParts", "BrightPlaces", "GreyRange", "bright_places", "grey_range"]

FloatImage = npt.NDArray[np.float32]
BoolImage = npt.NDArray[np.bool_]
_Places = npt.NDArray[np.int64]

_EVERY = 10  # Technical: px along rows and columns from which the median is taken
_LEAST_ROWS = 256  # Technical: for a thread


@dataclass(frozen=True)
class GreyRange:
    """Median and largest grey level of the breast.

    Parameters
    ----------
    median, top : float
    """

    median: float
    top: float

    def level(self, share: float) -> float:
        """Return the grey level at a share of the range."""
        return self.median + share * (self.top - self.median)


def grey_range(pixels: FloatImage, mask: BoolImage) -> GreyRange | None:
    """Return the median and the largest grey level of the breast; None where there is none to tell by."""
    some = pixels[::_EVERY, ::_EVERY][mask[::_EVERY, ::_EVERY]]
    if some.size == 0:
        return None
    return GreyRange(float(np.median(some)), float(cv2.minMaxLoc(pixels, mask.view(np.uint8))[1]))


@dataclass(frozen=True)
class BrightPlaces:
    """Pixels of the breast that reach a grey level, row by row.

    Parameters
    ----------
    pixels : (rows, cols) float32 array
        Grey levels.
    levels : GreyRange
        Those of the whole breast; `pixels` may show a part of it.
    row, col : (n,) int64 arrays
        Where they are.
    """

    pixels: FloatImage
    levels: GreyRange
    row: _Places
    col: _Places

    def box(self, margin_px: tuple[int, int]) -> tuple[slice, slice]:
        """Return the rows and columns that hold all of them, and a margin."""
        sides = zip((self.row, self.col), self.pixels.shape, margin_px, strict=True)
        rows, cols = (
            slice(max(0, int(place.min()) - margin), min(side, int(place.max()) + 1 + margin))
            for place, side, margin in sides
        )
        return rows, cols

    def within(self, box: tuple[slice, slice]) -> BrightPlaces:
        """Return the same on a part of the image that holds them all."""
        first = box[0].start, box[1].start
        return BrightPlaces(self.pixels[box], self.levels, self.row - first[0], self.col - first[1])

    def parts(self, level: float) -> BrightParts:
        """Return the connected parts, also at corners, of those that reach a level."""
        there = self.pixels[self.row, self.col] >= np.float32(level)
        return _connected(self.row[there], self.col[there])


def bright_places(pixels: FloatImage, mask: BoolImage, levels: GreyRange, share: float) -> BrightPlaces:
    """Return the pixels of the breast that reach a share of its range.

    Parameters
    ----------
    pixels : (rows, cols) float32 array
        Grey levels.
    mask : (rows, cols) bool array
        The breast.
    levels : GreyRange
        Its grey levels.
    share : float
        Share of the range from its median to its largest grey level.
    """
    level = np.float32(levels.level(share))
    found: dict[int, tuple[_Places, ...]] = {}

    def look(first: int, last: int) -> None:
        bright = np.greater_equal(pixels[first:last], level)
        bright &= mask[first:last]
        found[first] = divmod(np.flatnonzero(bright), pixels.shape[1])

    in_parts(look, pixels.shape[0], least=_LEAST_ROWS)
    row = np.concatenate([first + found[first][0] for first in sorted(found)])
    return BrightPlaces(pixels, levels, row, np.concatenate([found[first][1] for first in sorted(found)]))


@dataclass(frozen=True)
class BrightParts:
    """Connected parts of bright pixels, in the order of their first pixels, row by row.

    Parameters
    ----------
    top, left, height, width, area : (parts,) int64 arrays
        Box of each, in px, and its pixels.
    row, col : (n,) int64 arrays
        The pixels, part by part.
    """

    top: _Places
    left: _Places
    height: _Places
    width: _Places
    area: _Places
    row: _Places
    col: _Places

    def mask(self, part: int) -> BoolImage:
        """Return one part on its own box."""
        last = int(self.area[: part + 1].sum())
        pixels = slice(last - int(self.area[part]), last)
        mask = np.zeros((int(self.height[part]), int(self.width[part])), np.bool_)
        mask[self.row[pixels] - self.top[part], self.col[pixels] - self.left[part]] = True
        return mask

    def of_pixels(self) -> _Places:
        """Return the number of the part of each pixel."""
        return np.repeat(np.arange(self.area.size), self.area)


def _connected(row: _Places, col: _Places) -> BrightParts:
    """Return the connected parts of pixels that are given row by row."""
    if row.size == 0:
        return BrightParts(*(np.zeros(0, np.int64) for _ in range(7)))
    # Runs along rows; each touches those of the row before that begin and end beside it.
    follows = (row[1:] == row[:-1]) & (col[1:] == col[:-1] + 1)
    first = np.concatenate(([0], 1 + np.flatnonzero(~follows)))
    length = np.diff(np.append(first, row.size))
    begin, across = col[first], int(col.max()) + 3
    place = row[first] * across + begin + 1
    above = place - across
    low = np.searchsorted(place + length - 1, above - 1)
    count = np.searchsorted(place, above + length, side="right") - low
    run = np.repeat(np.arange(first.size), count)
    other = np.arange(run.size) - np.repeat(np.cumsum(count) - count, count) + low[run]
    touching = sparse.csr_array((np.ones(run.size, np.bool_), (run, other)), shape=(first.size,) * 2)
    n, label = csgraph.connected_components(touching, directed=False)
    order = np.argsort(label, kind="stable")
    start = np.searchsorted(label[order], np.arange(n))
    top, bottom = row[first][order][start], np.maximum.reduceat(row[first][order], start)
    left = np.minimum.reduceat(begin[order], start)
    right = np.maximum.reduceat((begin + length)[order], start)
    pixels = np.argsort(np.repeat(label, length), kind="stable")
    area = np.add.reduceat(length[order], start)
    return BrightParts(top, left, bottom - top + 1, right - left, area, row[pixels], col[pixels])
