"""White top-hat in mm: keeps what is narrower than about a millimetre."""

from __future__ import annotations

import math
from itertools import product

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.image.mammogram import PixelSpacing
from mcdetect.kernels.threads import in_parts

__all__ = ["tophat_around", "tophat_image", "white_tophat"]

_TILE_PX = 128  # Technical: least side of the tiles that are computed


def tophat_image(
    pixels: npt.NDArray[np.float32], spacing: PixelSpacing, width_mm: float
) -> npt.NDArray[np.float32]:
    """Remove everything wider than a rectangle of `width_mm` by `width_mm`.

    Parameters
    ----------
    pixels : (rows, cols) float32 array
        Grey levels, calcification bright.
    spacing : PixelSpacing
        Pixel spacing in mm.
    width_mm : float
        Side of the structuring element in mm; each side becomes the nearest odd number of pixels.

    Returns
    -------
    (rows, cols) float32 array
        Height over the opening, >= 0, in units of `pixels`.
    """
    return white_tophat(pixels, *_sides(spacing, width_mm))


def _sides(spacing: PixelSpacing, width_mm: float) -> tuple[int, int]:
    height, width = (
        2 * max(1, round(0.5 * width_mm / step)) + 1 for step in (spacing.row_mm, spacing.col_mm)
    )
    return height, width


def tophat_around(
    pixels: npt.NDArray[np.float32],
    spacing: PixelSpacing,
    width_mm: float,
    row_px: npt.NDArray[np.float64],
    col_px: npt.NDArray[np.float64],
    reach_mm: float,
) -> npt.NDArray[np.float32]:
    """Return `tophat_image` within a reach of places, along rows and columns; farther off it may be 0.

    Parameters
    ----------
    pixels, spacing, width_mm
        As for `tophat_image`.
    row_px, col_px : (n,) float64 arrays
        Places, in pixels.
    reach_mm : float
        How far around them it is needed, in mm.

    Returns
    -------
    (rows, cols) float32 array
    """
    out = np.zeros(pixels.shape, np.float32)
    sides = _sides(spacing, width_mm)
    reach = [reach_mm / step for step in (spacing.row_mm, spacing.col_mm)]
    tile = max(_TILE_PX, math.ceil(2.0 * max(reach)))  # so that a place needs four at most
    needed = np.zeros([-(-side // tile) for side in pixels.shape], np.bool_)
    for down, across in product((-1.0, 1.0), repeat=2):
        corners = zip((row_px + down * reach[0], col_px + across * reach[1]), needed.shape, strict=True)
        needed[tuple(np.clip((at / tile).astype(np.intp), 0, most - 1) for at, most in corners)] = True
    runs = [
        (row, int(first), int(last))
        for row, line in enumerate(np.pad(needed, ((0, 0), (1, 1))).astype(np.int8))
        for first, last in zip(*(np.flatnonzero(np.diff(line) == way) for way in (1, -1)), strict=True)
    ]

    def work(first: int, last: int) -> None:
        for row, left, right in runs[first:last]:
            inner = slice(row * tile, (row + 1) * tile), slice(left * tile, right * tile)
            room = [min(side - 1, part.start) for side, part in zip(sides, inner, strict=True)]
            outer = tuple(
                slice(part.start - before, part.stop + side - 1)
                for part, before, side in zip(inner, room, sides, strict=True)
            )
            found = white_tophat(pixels[outer], *sides)[room[0] :, room[1] :]
            target = out[inner]
            target[...] = found[: target.shape[0], : target.shape[1]]

    in_parts(work, len(runs))
    return out


def white_tophat(pixels: npt.NDArray[np.float32], height: int, width: int) -> npt.NDArray[np.float32]:
    """Return an image less its opening with a rectangle of odd sides.

    Beyond the border nothing is smaller (erosion) and nothing larger (dilation) than inside.

    Parameters
    ----------
    pixels : (rows, cols) float32 array
    height, width : int
        Sides of the rectangle in pixels, odd.

    Returns
    -------
    (rows, cols) float32 array

    Raises
    ------
    ValueError
        When a side is even.
    """
    if height % 2 == 0 or width % 2 == 0:
        raise ValueError("the sides of the rectangle must be odd")
    rectangle = np.ones((height, width), np.uint8)
    tophat: npt.NDArray[np.float32] = cv2.morphologyEx(pixels, cv2.MORPH_TOPHAT, rectangle)  # type: ignore[assignment]
    return tophat
