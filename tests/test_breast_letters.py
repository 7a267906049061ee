"""Letters burnt into the breast carry no mark; calcifications as bright do."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from tissue_scenes import SIDE, STEP_MM, add_specks, tissue

from mcdetect import detect
from mcdetect.breast.bright import bright_places, grey_range
from mcdetect.breast.letters import LEVELS, find_letters

TOP = 4095.0
SPACING = (STEP_MM, STEP_MM)
ALL = np.ones((SIDE, SIDE), bool)


def letters(image: np.ndarray, mask: np.ndarray, spacing_mm: tuple[float, float]) -> np.ndarray:
    levels = grey_range(image, mask)
    if levels is None:
        return np.zeros(mask.shape, bool)
    return find_letters(bright_places(image, mask, levels, min(LEVELS)), spacing_mm)


FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX)


def written(image: np.ndarray, text: str, height_mm: float, font: int, place_mm=(38.0, 20.0)) -> np.ndarray:
    """Write text of full-scale grey; return where it stands."""
    size = cv2.getTextSize("L", font, 1.0, 1)[0][1]
    wide = max(1, round(0.1 * height_mm / STEP_MM))
    at = (round(place_mm[1] / STEP_MM), round(place_mm[0] / STEP_MM))
    ink = np.zeros(image.shape, np.uint8)
    cv2.putText(ink, text, at, font, height_mm / STEP_MM / size, 255, wide, cv2.LINE_AA)
    image += (TOP - image) * (ink / 255.0).astype(np.float32)
    return ink > 127


@pytest.mark.parametrize("font", FONTS)
@pytest.mark.parametrize("height_mm", [2.0, 3.0, 4.0, 5.0])
def test_letters_carry_no_mark(height_mm: float, font: int) -> None:
    image = tissue(6)
    ink = written(image, "R MLO 27", height_mm, font)
    assert letters(image, ALL, SPACING)[ink].mean() > 0.98
    if height_mm > 3.0:
        return  # so much ink is taken for the breast of a scene that is all tissue
    marks = detect(image, STEP_MM).calcifications
    near = cv2.dilate(ink.astype(np.uint8), np.ones((29, 29), np.uint8)) > 0
    assert not near[marks.row_px.round().astype(int), marks.col_px.round().astype(int)].any()


@pytest.mark.parametrize("step_mm", [0.05, 0.14])
def test_letters_on_fine_and_on_coarse_pixels(step_mm: float) -> None:
    image = tissue(8)
    ink = written(image, "LCC 35", 2.5 * STEP_MM / step_mm, FONTS[0])
    assert letters(image, ALL, (step_mm, step_mm))[ink].mean() > 0.98


def test_calcifications_and_rods_that_saturate_are_no_letters() -> None:
    image = tissue(6)
    places = np.random.default_rng(1).uniform(10.0, 60.0, (40, 2))
    add_specks(image, places, 8000.0, sd_mm=0.15)
    rod = np.zeros((SIDE, SIDE))
    cv2.line(rod, (300, 500), (400, 560), 1.0, 6)
    cv2.ellipse(rod, (700, 700), (25, 20), 0.0, 0.0, 360.0, 1.0, 5)  # a rim
    image += (5000.0 * gaussian_filter(rod, 0.08 / STEP_MM)).astype(np.float32)
    assert not letters(np.minimum(image, TOP), ALL, SPACING).any()


def test_a_group_beside_a_letter_is_found() -> None:
    image = tissue(7)
    written(image, "L", 4.0, FONTS[0])
    places = np.random.default_rng(2).uniform((45.0, 20.0), (50.0, 25.0), (8, 2))
    add_specks(image, places, 130.0)
    assert len(detect(image, STEP_MM).calcifications) >= 7


def test_an_image_without_anything_bright() -> None:
    assert not letters(tissue(1), ALL, SPACING).any()
    assert not letters(tissue(1), ~ALL, SPACING).any()
