"""White top-hat in mm: keeps what is narrower than about a millimetre."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mcdetect.image.mammogram import PixelSpacing
from mcdetect.kernels.tophat import white_tophat

__all__ = ["tophat_image"]


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
    out = np.empty_like(pixels)
    white_tophat(pixels, height, width, out)
    return out
