"""A breast with a known outline, drawn for the tests of the breast region."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt, gaussian_filter

from mcdetect.breast import BreastRegion, find_breast
from mcdetect.config import BreastConfig
from mcdetect.image.mammogram import Mammogram


@dataclass(frozen=True)
class Phantom:
    """Grey levels (0 to 4095) with the true breast, all at `spacing_mm` (row, column)."""

    pixels: npt.NDArray[np.float32]
    breast: npt.NDArray[np.bool_]
    spacing_mm: tuple[float, float]

    def position(self, row_mm: float, col_mm: float) -> tuple[int, int]:
        """Return the pixel at a place given in mm."""
        return round(row_mm / self.spacing_mm[0]), round(col_mm / self.spacing_mm[1])

    def box(self, row_mm: float, col_mm: float, height_mm: float, width_mm: float) -> tuple[slice, slice]:
        """Return the slices of a rectangle given in mm."""
        (top, left), (bottom, right) = (
            self.position(row_mm, col_mm),
            self.position(row_mm + height_mm, col_mm + width_mm),
        )
        return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))

    def mammogram(self, view: str | None = None) -> Mammogram:
        return Mammogram.from_array(self.pixels, self.spacing_mm, view=view)

    def region(self, view: str | None = None) -> BreastRegion:
        return find_breast(self.mammogram(view), BreastConfig())


def draw_breast(
    spacing_mm: tuple[float, float] = (0.2, 0.2),
    size_mm: tuple[float, float] = (160.0, 110.0),
    muscle_mm: tuple[float, float] | None = None,
    seed: int = 1,
) -> Phantom:
    """Draw a breast at the left edge; with a muscle it also touches the top edge (oblique view)."""
    drawn = _drawn(spacing_mm, size_mm, muscle_mm, seed)
    return Phantom(drawn.pixels.copy(), drawn.breast.copy(), spacing_mm)


@cache
def _drawn(
    spacing_mm: tuple[float, float],
    size_mm: tuple[float, float],
    muscle_mm: tuple[float, float] | None,
    seed: int,
) -> Phantom:
    rng = np.random.default_rng(seed)
    rows, cols = (round(size / step) for size, step in zip(size_mm, spacing_mm, strict=True))
    row = (np.arange(rows)[:, None] + 0.5) * spacing_mm[0]
    col = (np.arange(cols)[None, :] + 0.5) * spacing_mm[1]
    breast = ((row - 80.0) / 55.0) ** 2 + (col / 70.0) ** 2 < 1.0
    if muscle_mm is not None:
        breast |= (row < 80.0) & (col < 35.0 + 0.43 * row)
    depth = distance_transform_edt(np.pad(breast, ((9, 9), (9, 0)), "edge"), sampling=spacing_mm)[9:-9, 9:]
    # tissue drawn at 1 mm, so that it looks alike at every spacing
    coarse = np.random.default_rng(seed).normal(size=(round(size_mm[0]), round(size_mm[1])))
    cloud = gaussian_filter(coarse, 3.0)
    tissue = cv2.resize((cloud / cloud.std()).astype(np.float32), (cols, rows), interpolation=cv2.INTER_CUBIC)
    level = 1500.0 + 250.0 * tissue
    if muscle_mm is not None:
        muscle = row / muscle_mm[0] + col / muscle_mm[1] < 1.0
        level = np.where(muscle, 2900.0, level)
    thickness = 1.0 - np.exp(-(depth + 0.4) / 4.0)
    pixels = 120.0 + np.where(breast, level * thickness, 0.0) + rng.normal(0.0, 12.0, (rows, cols))
    return Phantom(pixels.astype(np.float32), breast, spacing_mm)


def overlap(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> float:
    """Intersection over union."""
    return float((a & b).sum() / max(int((a | b).sum()), 1))
