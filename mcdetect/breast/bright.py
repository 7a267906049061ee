"""The brightest parts of a breast: where clips and letters are looked for."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["BrightParts", "GreyRange", "bright_box", "bright_parts", "grey_range"]

FloatImage = npt.NDArray[np.float32]
BoolImage = npt.NDArray[np.bool_]

_EVERY = 10  # Technical: px along rows and columns from which the median is taken


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


def bright_box(
    pixels: FloatImage, mask: BoolImage, level: float, margin_px: tuple[int, int]
) -> tuple[slice, slice]:
    """Return the rows and columns that hold all of the breast that reaches a level, and a margin."""
    bright = _reached(pixels, mask, level)
    col, row, wide, high = cv2.boundingRect(bright)
    (down, across), (rows, cols) = margin_px, mask.shape
    return (
        slice(max(0, row - down), min(rows, row + high + down)),
        slice(max(0, col - across), min(cols, col + wide + across)),
    )


@dataclass(frozen=True)
class BrightParts:
    """Connected parts of the breast that reach a grey level.

    Parameters
    ----------
    labels : (rows, cols) int32 array
        Number of the part of each pixel of the box that holds them all, 0 for none.
    stats : (parts + 1, 5) int32 array
        As OpenCV gives them: left, top, width and height in that box, and area, of every number.
    first : (int, int)
        Row and column of the image where the box begins.
    """

    labels: npt.NDArray[np.int32]
    stats: npt.NDArray[np.int32]
    first: tuple[int, int]

    def part(self, label: int) -> tuple[BoolImage, int, int]:
        """Return one part on its own box, and the row and column of the image where that begins."""
        left, up, width, height = (int(value) for value in self.stats[label, :4])
        whole = self.labels[up : up + height, left : left + width] == label
        return whole, up + self.first[0], left + self.first[1]


def bright_parts(pixels: FloatImage, mask: BoolImage, level: float) -> BrightParts:
    """Return the parts of the breast that are at least as bright as a level.

    Parameters
    ----------
    pixels : (rows, cols) float32 array
        Grey levels.
    mask : (rows, cols) bool array
        The breast.
    level : float
        Grey level.
    """
    bright = _reached(pixels, mask, level)
    col, row, wide, high = cv2.boundingRect(bright)
    box = np.ascontiguousarray(bright[row : row + high, col : col + wide])
    found = cv2.connectedComponentsWithStats(box, connectivity=8, ltype=cv2.CV_32S)
    labels, stats = (np.asarray(array, np.int32) for array in found[1:3])
    return BrightParts(labels, stats, (row, col))


def _reached(pixels: FloatImage, mask: BoolImage, level: float) -> npt.NDArray[np.uint8]:
    bright = np.greater_equal(pixels, np.float32(level))
    bright &= mask
    return bright.view(np.uint8)
