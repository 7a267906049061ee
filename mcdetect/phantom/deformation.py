"""Smooth deformations: the same breast, compressed and placed a second time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from mcdetect.image.mammogram import PixelSpacing
from mcdetect.phantom.calcifications import spacing_pair_mm

__all__ = ["Deformation", "deform_image", "random_deformation"]

# Judged: more freedom folds tissue, less looks like no new compression.
_LEAST_VOLUME = 0.35  # of the Jacobian determinant: no fold, and no tissue pressed to a line

# Technical: grid and patience.
_STEP_MM = 2.0  # grid of the field
_TRIES = 50  # draws before a deformation is given up as impossible


@dataclass(frozen=True)
class Deformation:
    """Where each point of the second picture was in the first.

    Parameters
    ----------
    displacement_mm : (grid rows, grid cols, 2) float32 array
        A point p of the second picture shows what lay at ``p + displacement(p)`` in the first, rows
        then columns, in mm. Grid point (i, j) lies at ``(i + 0.5) * step, (j + 0.5) * step`` from the
        image's corner.
    step_mm : (float, float)
        Distance between grid points.
    """

    displacement_mm: npt.NDArray[np.float32]
    step_mm: tuple[float, float]

    @property
    def largest_mm(self) -> float:
        """Largest displacement, in mm."""
        return float(np.hypot(self.displacement_mm[..., 0], self.displacement_mm[..., 1]).max())

    def at(self, points_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the displacement at (n, 2) points of the second picture, in mm from its corner."""
        place = (points_mm / np.asarray(self.step_mm) - 0.5).T
        found = [
            map_coordinates(self.displacement_mm[..., k], place, order=1, mode="nearest") for k in (0, 1)
        ]
        return np.stack(found, axis=1).astype(np.float64)

    def forward(self, points_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return where (n, 2) points of the first picture lie in the second, in mm from the corner."""
        moved = points_mm.copy()
        for _ in range(60):
            moved = points_mm - self.at(moved)
        return moved


def random_deformation(
    size_mm: tuple[float, float],
    rng: np.random.Generator,
    *,
    largest_mm: float = 10.0,
    smoothness_mm: float = 25.0,
) -> Deformation:
    """Draw a smooth deformation without folds: a Gaussian random field, a turn and a shift.

    Parameters
    ----------
    size_mm : (float, float)
        Height and width of the picture, in mm.
    rng : numpy.random.Generator
    largest_mm : float
        Largest displacement anywhere in the picture, in mm.
    smoothness_mm : float
        Sigma of the Gaussian with which white noise is smoothed, in mm.

    Returns
    -------
    Deformation

    Raises
    ------
    ValueError
        When no draw of that size and smoothness is free of folds.
    """
    shape = max(8, math.ceil(size_mm[0] / _STEP_MM)), max(8, math.ceil(size_mm[1] / _STEP_MM))
    step = size_mm[0] / shape[0], size_mm[1] / shape[1]
    margin = math.ceil(3 * smoothness_mm / _STEP_MM)
    for _ in range(_TRIES):
        noise = rng.standard_normal((shape[0] + 2 * margin, shape[1] + 2 * margin, 2)).astype(np.float32)
        sigma = smoothness_mm / step[1], smoothness_mm / step[0]
        smooth = cv2.GaussianBlur(noise, (0, 0), sigmaX=sigma[0], sigmaY=sigma[1])
        field = np.asarray(smooth)[margin : margin + shape[0], margin : margin + shape[1]]
        field = field / np.float32(max(float(field.std()), 1e-12))
        row = ((np.arange(shape[0]) + 0.5) * step[0] - size_mm[0] / 2)[:, None]
        col = ((np.arange(shape[1]) + 0.5) * step[1] - size_mm[1] / 2)[None, :]
        # A shift of about the field's own spread, and half as much at 50 mm from the centre of a turn.
        turn = np.float32(rng.normal(0.0, 0.01))
        field[..., 0] += turn * col.astype(np.float32) + np.float32(rng.normal())
        field[..., 1] += -turn * row.astype(np.float32) + np.float32(rng.normal())
        field *= np.float32(largest_mm / max(float(np.hypot(field[..., 0], field[..., 1]).max()), 1e-12))
        if _least_volume(field, step) >= _LEAST_VOLUME:
            return Deformation(np.ascontiguousarray(field, dtype=np.float32), step)
    raise ValueError(
        f"no deformation of {largest_mm} mm with a smoothness of {smoothness_mm} mm is free of folds"
    )


def _least_volume(field: npt.NDArray[np.float32], step: tuple[float, float]) -> float:
    rr, rc = np.gradient(field[..., 0], *step)
    cr, cc = np.gradient(field[..., 1], *step)
    return float(((1 + rr) * (1 + cc) - rc * cr).min())


def deform_image(
    image: npt.NDArray[np.float32],
    spacing: PixelSpacing | float | tuple[float, float],
    deformation: Deformation,
) -> npt.NDArray[np.float32]:
    """Return the second picture of what `image` shows, over the same field of view.

    What comes from beyond the border is the picture mirrored there.

    Parameters
    ----------
    image : (rows, cols) float32 array
    spacing : PixelSpacing, float or (float, float)
        Pixel spacing in mm.
    """
    row_mm, col_mm = spacing_pair_mm(spacing)
    rows, cols = image.shape
    full = cv2.resize(deformation.displacement_mm, (cols, rows), interpolation=cv2.INTER_CUBIC)
    row_map = np.asarray(full)[..., 0] / np.float32(row_mm) + np.arange(rows, dtype=np.float32)[:, None]
    col_map = np.asarray(full)[..., 1] / np.float32(col_mm) + np.arange(cols, dtype=np.float32)[None, :]
    moved = cv2.remap(image, col_map, row_map, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved, dtype=np.float32)
