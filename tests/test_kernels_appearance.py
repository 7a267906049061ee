"""The kernel that measures spots against a plain twin."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from mcdetect.kernels.appearance import CURVATURE_MM, DIRECTIONS, RING_MM, measure_spots
from mcdetect.spots.observer import LEVELS_MM

REACH, LEAST = 2.8, 0.35


def weights(centre: float, sigma_px: float) -> tuple[np.ndarray, list[np.ndarray]]:
    """Pixels within reach of a Gaussian, and its weights: smooth, slope, bend."""
    sigma = max(sigma_px, LEAST)
    half = int(np.ceil(REACH * sigma)) + 1
    pixels = np.arange(round(centre) - half, round(centre) + half + 1)
    x = (pixels - centre) / sigma
    smooth = np.exp(-0.5 * x**2)
    smooth /= smooth.sum()
    bend = x**2 * smooth
    return pixels, [smooth, x * smooth, bend - bend.sum() * smooth]


def twin(
    image: np.ndarray, row: float, col: float, scale_mm: float, row_mm: float, col_mm: float
) -> np.ndarray:
    """All measures of one spot, by sums over the image with repeated borders."""
    values = []
    scales = [*LEVELS_MM, min(scale_mm, LEVELS_MM[-1]), *CURVATURE_MM.astype(float)]
    for k, sigma in enumerate(scales):
        i, down = weights(row, sigma / row_mm)
        j, across = weights(col, sigma / col_mm)
        part = image[np.ix_(i.clip(0, image.shape[0] - 1), j.clip(0, image.shape[1] - 1))].astype(float)
        orders = [(0, 0)] if k < LEVELS_MM.size else [(2, 0), (0, 2), (1, 1)]
        values += [down[a] @ part @ across[b] for a, b in orders]
    for radius in RING_MM.astype(float):
        angle = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
        place = np.stack([row + radius * np.cos(angle) / row_mm, col + radius * np.sin(angle) / col_mm])
        values += list(map_coordinates(image.astype(float), place, order=1, mode="nearest"))
    return np.array(values)


@pytest.mark.parametrize("spacing", [(0.05, 0.05), (0.07, 0.1), (0.2, 0.2)])
def test_every_measure_equals_its_twin(spacing: tuple[float, float]) -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(size=(90, 110)).astype(np.float32)
    row = np.array([45.3, 0.0, 89.0, 10.5, 88.7, 3.2])
    col = np.array([55.8, 0.4, 109.0, 100.1, 2.0, 60.0])
    scale = np.array([0.06, 0.1, 0.2, 0.41, 0.15, 0.3])
    width = LEVELS_MM.size + 3 * (1 + CURVATURE_MM.size) + RING_MM.size * DIRECTIONS
    out = np.full((row.size, width), np.nan, np.float32)
    measure_spots(image, row, col, scale, *spacing, LEVELS_MM, RING_MM, CURVATURE_MM, out)
    want = np.array([twin(image, r, c, s, *spacing) for r, c, s in zip(row, col, scale, strict=True)])
    np.testing.assert_allclose(out, want, atol=3e-5)


def test_an_image_of_one_pixel() -> None:
    out = np.full((1, LEVELS_MM.size + 12 + RING_MM.size * DIRECTIONS), np.nan, np.float32)
    image = np.full((1, 1), 4.0, np.float32)
    zero = np.zeros(1)
    measure_spots(image, zero, zero, zero + 0.1, 0.1, 0.1, LEVELS_MM, RING_MM, CURVATURE_MM, out)
    np.testing.assert_allclose(out[0, : LEVELS_MM.size], 4.0, rtol=1e-5)
    np.testing.assert_allclose(out[0, LEVELS_MM.size + 12 :], 4.0, rtol=1e-5)
