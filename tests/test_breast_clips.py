"""Surgical clips are not searched; rods and coarse calcifications are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from tissue_scenes import SIDE, STEP_MM, tissue

from mcdetect import detect
from mcdetect.breast.bright import bright_places, grey_range
from mcdetect.breast.marks import CLIP_LEVELS, find_clips

SPACING = (STEP_MM, STEP_MM)


def bar(length_mm: float, width_mm: float, angle_deg: float) -> np.ndarray:
    """A bar with straight sides about the centre of the scene, 1 on it."""
    row, col = (np.mgrid[:SIDE, :SIDE] * STEP_MM) - 38.0
    angle = np.radians(angle_deg)
    along, across = col * np.cos(angle) + row * np.sin(angle), row * np.cos(angle) - col * np.sin(angle)
    return ((np.abs(along) <= length_mm / 2) & (np.abs(across) <= width_mm / 2)).astype(np.float32)


def rod(length_mm: float, width_mm: float) -> np.ndarray:
    """Thickness of a round rod, as the beam meets it."""
    row, col = (np.mgrid[:SIDE, :SIDE] * STEP_MM) - 38.0
    room = 1.0 - (2.0 * row / width_mm) ** 2
    return np.sqrt(np.maximum(room, 0.0) * (np.abs(col) <= length_mm / 2)).astype(np.float32)


def with_object(shape: np.ndarray, height: float = 1500.0) -> np.ndarray:
    return tissue() + gaussian_filter(shape, 0.7) * np.float32(height)


def clips(image: np.ndarray) -> np.ndarray:
    mask = np.ones(image.shape, np.bool_)
    levels = grey_range(image, mask)
    assert levels is not None
    return find_clips(bright_places(image, mask, levels, min(CLIP_LEVELS)), SPACING)


@pytest.mark.parametrize("angle_deg", [0.0, 25.0, 45.0, 90.0, 140.0])
def test_a_clip_in_any_direction(angle_deg: float) -> None:
    shape = bar(4.0, 0.9, angle_deg)
    found = clips(with_object(shape))
    assert found[shape > 0].all()
    assert np.count_nonzero(found) * STEP_MM**2 < 45.0


@pytest.mark.parametrize(
    "shape", [rod(4.0, 0.9), bar(1.2, 0.9, 0.0), bar(4.0, 3.0, 0.0), np.zeros((SIDE, SIDE), np.float32)]
)
def test_what_is_no_clip(shape: np.ndarray) -> None:
    assert not clips(with_object(shape)).any()


def test_no_breast() -> None:
    assert grey_range(tissue(), np.zeros((SIDE, SIDE), np.bool_)) is None


def test_a_clip_is_one_object_and_what_is_not_searched_is_reported() -> None:
    shape = bar(4.0, 0.9, 30.0)
    with_clip, without = detect(with_object(shape), STEP_MM), detect(tissue(), STEP_MM)
    at_mm = with_clip.calcifications[["row_px", "col_px"]].to_numpy() * STEP_MM
    near = with_clip.calcifications[np.hypot(*(at_mm - 38.0).T) < 3.0]
    assert near["kind"].tolist() == ["object"]
    assert (near["cluster_id"] == 0).all()
    less = without.summary().searched_area_cm2[0] - with_clip.summary().searched_area_cm2[0]
    assert 0.1 < less < 0.5
