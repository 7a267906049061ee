"""White top-hat in mm: keeps what is narrower than about a millimetre."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.image.mammogram import PixelSpacing

__all__ = ["tophat_image", "white_tophat"]


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
    height, width = (
        2 * max(1, round(0.5 * width_mm / step)) + 1 for step in (spacing.row_mm, spacing.col_mm)
    )
    return white_tophat(pixels, height, width)


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
