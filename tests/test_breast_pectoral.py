"""Pectoral muscle: found on oblique views, never elsewhere."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from breast_phantom import draw_breast, overlap

from mcdetect.breast.pectoral import chest_wall_side, find_pectoral

OBLIQUE = draw_breast(muscle_mm=(75.0, 32.0))


def true_muscle(height_mm: float, width_mm: float) -> np.ndarray:
    row = (np.arange(OBLIQUE.pixels.shape[0])[:, None] + 0.5) * 0.2
    col = (np.arange(OBLIQUE.pixels.shape[1])[None, :] + 0.5) * 0.2
    return row / height_mm + col / width_mm < 1.0


@pytest.mark.parametrize("view", ["MLO", "mlo", "ML", "LMO", None])
@pytest.mark.parametrize("size", [(75.0, 32.0), (100.0, 30.0), (60.0, 26.0)])
def test_muscle_is_outlined(view: str | None, size: tuple[float, float]) -> None:
    region = draw_breast(muscle_mm=size).region(view)
    assert overlap(region.pectoral, true_muscle(*size)) > 0.88
    assert not (region.pectoral & ~region.mask).any()


def test_muscle_stays_in_mask_and_searched() -> None:
    region = OBLIQUE.region("MLO")
    assert region.searched[OBLIQUE.box(20.0, 5.0, 10.0, 10.0)].all()
    assert region.pectoral[OBLIQUE.box(20.0, 5.0, 10.0, 10.0)].all()


@pytest.mark.parametrize("view", ["CC", "XCCL"])
def test_craniocaudal_views_show_none(view: str) -> None:
    assert not OBLIQUE.region(view).pectoral.any()


@pytest.mark.parametrize("view", [None, "MLO"])
@pytest.mark.parametrize("seed", range(4))
def test_no_muscle_where_there_is_none(view: str | None, seed: int) -> None:
    assert not draw_breast(seed=seed).region(view).pectoral.any()


def test_curved_edge_is_followed() -> None:
    """A muscle that bulges 4 mm beyond the straight line is outlined with its bulge."""
    row = (np.arange(OBLIQUE.pixels.shape[0]) + 0.5) * 0.2
    edge = np.where(row < 80.0, 30.0 * (1.0 - row / 80.0) + 4.0 * np.sin(np.pi * row / 80.0), -1.0)
    col = (np.arange(OBLIQUE.pixels.shape[1]) + 0.5) * 0.2
    muscle = col[None, :] < edge[:, None]
    plain = draw_breast(muscle_mm=(1.0, 1.0))
    pixels = np.where(muscle, np.float32(2900.0), plain.pixels).astype(np.float32)
    pixels = cv2.GaussianBlur(pixels, (0, 0), 2.0)
    found = type(plain)(pixels, plain.breast, plain.spacing_mm).region("MLO").pectoral
    assert overlap(found, muscle) > 0.92


def test_a_strong_edge_is_followed_where_it_is_steepest() -> None:
    """A muscle much brighter than the breast, its border some millimetres wide and bulging."""
    row, col = (np.arange(n) * 0.4 for n in (300, 150))
    edge = np.where(row < 90.0, 35.0 * (1.0 - row / 90.0) + 5.0 * np.sin(np.pi * row / 90.0), -5.0)
    share = np.float32(0.3) + np.float32(0.65) * (col[None, :] < edge[:, None]).astype(np.float32)
    share = cv2.GaussianBlur(share, (0, 0), 1.0 / 0.4)
    found = find_pectoral(share, np.ones(share.shape, np.bool_), "left", "MLO", (0.4, 0.4))
    inside = slice(10, 180)  # where neither border of the image is near
    away = found.sum(axis=1)[inside] * 0.4 - edge[inside]
    assert np.abs(away).mean() < 0.5


@pytest.mark.parametrize(
    ("cut", "side"),
    [
        (np.s_[10:50, :30], "left"),
        (np.s_[10:50, -30:], "right"),
        (np.s_[:30, 10:50], "top"),
        (np.s_[-30:, 10:50], "bottom"),
        (np.s_[:, :], None),
        (np.s_[20:30, 20:30], None),
    ],
)
def test_chest_wall_side(cut: tuple[slice, slice], side: str | None) -> None:
    mask = np.zeros((60, 60), bool)
    mask[cut] = True
    assert chest_wall_side(mask) == side
