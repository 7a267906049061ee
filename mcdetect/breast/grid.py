"""The coarse grid on which the breast is outlined, and the way back to full resolution."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.image.mammogram import Mammogram

__all__ = ["CoarseImage", "coarsen", "disc", "refine"]

FloatImage = npt.NDArray[np.float32]
BoolImage = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class CoarseImage:
    """Block means of a mammogram.

    Parameters
    ----------
    values : (grid rows, grid cols) float32 array
        Mean grey level of each cell (mean of the log attenuation for linear raw images).
    exposed : (grid rows, grid cols) bool array
        False where a cell holds padding.
    step_px : (float, float)
        Pixels per cell along rows and columns.
    step_mm : (float, float)
        The same in mm.
    """

    values: FloatImage
    exposed: BoolImage
    step_px: tuple[float, float]
    step_mm: tuple[float, float]

    @property
    def cell_mm(self) -> float:
        """Geometric mean of the two steps in mm."""
        return float(np.sqrt(self.step_mm[0] * self.step_mm[1]))

    def to_pixels(self, row: float, col: float) -> tuple[float, float]:
        """Return the pixel position of a place on the grid; 0 is the centre of the first cell."""
        return (row + 0.5) * self.step_px[0] - 0.5, (col + 0.5) * self.step_px[1] - 0.5

    @property
    def cell_mm2(self) -> float:
        """Area of a cell in mm2."""
        return self.step_mm[0] * self.step_mm[1]


def coarsen(mammogram: Mammogram, grid_mm: float) -> CoarseImage:
    """Average a mammogram over cells of about `grid_mm`.

    Linear raw signals are averaged first and then turned into log attenuation, so that noise at
    low signals does not bias the mean.

    Parameters
    ----------
    mammogram : Mammogram
        The image.
    grid_mm : float
        Wanted size of a cell in mm; never finer than a pixel.

    Returns
    -------
    CoarseImage
    """
    rows, cols = mammogram.shape
    spacing = mammogram.spacing
    grid_rows = max(1, min(rows, round(rows * spacing.row_mm / grid_mm)))
    grid_cols = max(1, min(cols, round(cols * spacing.col_mm / grid_mm)))
    size = (grid_cols, grid_rows)
    values = cv2.resize(mammogram.pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32, copy=False)
    if mammogram.valid is None:
        exposed = np.ones((grid_rows, grid_cols), np.bool_)
    else:
        share = cv2.resize(mammogram.valid.view(np.uint8) * np.uint8(255), size, interpolation=cv2.INTER_AREA)
        exposed = share >= 253
    if mammogram.zero_exposure_level is not None:
        values = _log_attenuation(np.float32(mammogram.zero_exposure_level) - values, exposed)
    step = (rows / grid_rows, cols / grid_cols)
    return CoarseImage(values, exposed, step, (step[0] * spacing.row_mm, step[1] * spacing.col_mm))


def _log_attenuation(signal: FloatImage, exposed: BoolImage) -> FloatImage:
    known = signal[exposed]
    bright = float(np.percentile(known, 99.0)) if known.size else 1.0
    floor = max(bright, 1e-6) * 1e-4
    return -np.log(np.maximum(signal, np.float32(floor)))


def refine(coarse: BoolImage, shape: tuple[int, int]) -> BoolImage:
    """Bring a mask from the coarse grid to full resolution with a smooth outline.

    Parameters
    ----------
    coarse : (grid rows, grid cols) bool array
        The mask on the coarse grid.
    shape : (int, int)
        Rows and columns of the full image.

    Returns
    -------
    (rows, cols) bool array
    """
    refined = np.zeros(shape, np.bool_)  # what stays empty takes no memory
    if not coarse.any():
        return refined
    grey = coarse.view(np.uint8) * np.uint8(255)
    full = cv2.resize(grey, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    sides = []
    for axis, pixels in enumerate(shape):
        there = np.flatnonzero(coarse.any(axis=1 - axis))
        step = pixels / coarse.shape[axis]
        sides.append(slice(max(0, math.floor((there[0] - 1) * step)), math.ceil((there[-1] + 2) * step)))
    box = tuple(sides)
    np.greater(full[box], 127, out=refined[box])
    return refined


def disc(radius_mm: float, step_mm: tuple[float, float]) -> npt.NDArray[np.uint8]:
    """Return a disc of `radius_mm` as a structuring element on the grid (an ellipse if it must be)."""
    ry, rx = (max(1, round(radius_mm / step)) for step in step_mm)
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rx + 1, 2 * ry + 1)), np.uint8)
