"""Drawn tissue without breast outline, for tests of vessels, edges and objects: 0.07 mm pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

STEP_MM = 0.07
SIDE = 1100
Image = npt.NDArray[np.float32]


def tissue(seed: int = 0) -> Image:
    """Soft texture with detector noise, in grey levels: the noise has an SD of about 8."""
    rng = np.random.default_rng(seed)
    coarse = gaussian_filter(rng.standard_normal((SIDE, SIDE)), 40.0)
    noise = gaussian_filter(rng.standard_normal((SIDE, SIDE)), 0.6) * 16.0
    return (1000.0 + 30.0 * coarse / coarse.std() + noise).astype(np.float32)


def add_specks(image: Image, places_mm: npt.NDArray[np.float64], height: float, sd_mm: float = 0.11) -> None:
    """Add round specks at (row, col) in mm."""
    rows, cols = np.mgrid[:SIDE, :SIDE][0][:, 0], np.arange(SIDE)
    for row, col in places_mm:
        down = np.exp(-0.5 * ((rows * STEP_MM - row) / sd_mm) ** 2)
        across = np.exp(-0.5 * ((cols * STEP_MM - col) / sd_mm) ** 2)
        image += (height * down[:, None] * across[None, :]).astype(np.float32)


def course(col_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Row, in mm, of the middle of the drawn vessel at columns in mm."""
    return 30.0 + 0.008 * (col_mm - 38.0) ** 2


def add_band(image: Image, first_mm: float, last_mm: float, height: float, sd_mm: float = 0.8) -> None:
    """Add the soft band of a vessel between two columns."""
    cols = np.arange(SIDE) * STEP_MM
    inside = (cols >= first_mm) & (cols <= last_mm)
    away = np.arange(SIDE)[:, None] * STEP_MM - course(cols)[None, :]
    image += (height * np.exp(-0.5 * (away / sd_mm) ** 2) * inside).astype(np.float32)


def tram_track(first_mm: float, last_mm: float, gap_mm: tuple[float, float]) -> npt.NDArray[np.float64]:
    """Places of dashes along both walls of the drawn vessel, none within a gap, (row, col) in mm."""
    places = []
    for wall, start in ((-0.7, first_mm), (0.7, first_mm + 0.8)):
        for col in np.arange(start, last_mm, 1.6):
            if not gap_mm[0] <= col <= gap_mm[1]:
                places += [(float(course(np.array(col + d))) + wall, col + d) for d in (0.0, 0.2)]
    return np.array(places)
