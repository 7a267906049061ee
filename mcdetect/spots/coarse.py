"""The equalised image on a coarse grid: what tissue does over millimetres, without specks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.image.mammogram import PixelSpacing

__all__ = ["CELL_MM", "Coarse", "coarsen"]

_Floats = npt.NDArray[np.float64]
_Image = npt.NDArray[np.float32]

# Judged: wide enough to be quick, fine enough for a band of 1 mm.
CELL_MM = 0.5
"""Side of a cell."""
_FINE_MM = 0.25  # cells of which the median over 5 x 5 takes specks up to some 0.6 mm away
SKIN_MM = 4.0
"""The fall of grey levels within this distance of the skin line is the breast's own, and no edge."""


@dataclass(frozen=True)
class Coarse:
    """The searched part of an image on cells of about half a millimetre.

    Parameters
    ----------
    values : (rows, cols) float32 array
        Equalised grey levels, in SD of the noise; outside the breast and near its skin the nearest value
        from within.
    step_mm : (float, float)
        Size of a cell along rows and columns, in mm.
    origin_mm : (float, float)
        Outer corner of the first cell, (row, col) in mm from the centre of the image's first pixel.
    """

    values: _Image
    step_mm: tuple[float, float]
    origin_mm: tuple[float, float]

    def cells(self, row_mm: _Floats, col_mm: _Floats) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Return row and column of the cells that hold given places."""
        rows, cols = self.values.shape
        i = np.floor((row_mm - self.origin_mm[0]) / self.step_mm[0]).astype(np.intp)
        j = np.floor((col_mm - self.origin_mm[1]) / self.step_mm[1]).astype(np.intp)
        return np.clip(i, 0, rows - 1), np.clip(j, 0, cols - 1)


def coarsen(
    pixels: _Image,
    origin_px: tuple[int, int],
    spacing: PixelSpacing,
    skin_distance_at: Callable[[_Floats, _Floats], _Floats],
) -> Coarse:
    """Bring an equalised image to the coarse grid.

    Parameters
    ----------
    pixels : (rows, cols) float32 array
        Noise-equalised grey levels of the part that holds the breast.
    origin_px : (int, int)
        Where that part begins in the image.
    spacing : PixelSpacing
        Pixel spacing in mm.
    skin_distance_at : callable
        Distance to the skin line in mm at rows and columns of the image in px; 0 outside the breast.

    Returns
    -------
    Coarse
    """
    size_mm = pixels.shape[0] * spacing.row_mm, pixels.shape[1] * spacing.col_mm
    fine = _resize(pixels, size_mm, _FINE_MM)
    values = _resize(np.asarray(cv2.medianBlur(fine, 5), np.float32), size_mm, CELL_MM)
    rows, cols = values.shape
    step = size_mm[0] / rows, size_mm[1] / cols
    row_px = (np.arange(rows) + 0.5) * step[0] / spacing.row_mm - 0.5 + origin_px[0]
    col_px = (np.arange(cols) + 0.5) * step[1] / spacing.col_mm - 0.5 + origin_px[1]
    depth = skin_distance_at(np.repeat(row_px, cols), np.tile(col_px, rows)).reshape(rows, cols)
    origin = (origin_px[0] - 0.5) * spacing.row_mm, (origin_px[1] - 0.5) * spacing.col_mm
    return Coarse(_filled(values, depth > SKIN_MM), step, origin)


def _resize(pixels: _Image, size_mm: tuple[float, float], cell_mm: float) -> _Image:
    """Mean over cells; an image that is coarser already keeps its pixels."""
    rows, cols = (
        min(side, max(1, round(length / cell_mm))) for side, length in zip(pixels.shape, size_mm, strict=True)
    )
    return np.asarray(cv2.resize(pixels, (cols, rows), interpolation=cv2.INTER_AREA), np.float32)


def _filled(values: _Image, known: npt.NDArray[np.bool_]) -> _Image:
    """Every unknown cell takes the value of the nearest known one."""
    if known.all() or not known.any():
        return values
    _, nearest = cv2.distanceTransformWithLabels(
        (~known).view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros(int(nearest.max()) + 1, np.float32)
    of_label[nearest[known]] = values[known]
    filled: _Image = of_label[nearest]
    return filled
