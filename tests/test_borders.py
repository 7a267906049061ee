"""The border of a figure: how it stands out all along it, and what falls beyond."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

from mcdetect.image.mammogram import PixelSpacing
from mcdetect.shapes.borders import border_of

SPACING = PixelSpacing(0.07, 0.1)


def disc(blur_mm: float, height: float = 40.0) -> tuple[np.ndarray, np.ndarray]:
    """Return a disc of 3 mm behind blur, and where it is more than half as high."""
    row, col = np.indices((120, 90))
    inside = np.hypot((row - 60) * SPACING.row_mm, (col - 45) * SPACING.col_mm) <= 1.5
    sigma = (blur_mm / SPACING.row_mm, blur_mm / SPACING.col_mm)
    image = height * ndi.gaussian_filter(inside.astype(np.float64), sigma)
    return image.astype(np.float32), image > 0.5 * height


def measured(image: np.ndarray, mask: np.ndarray):
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    part = mask[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    return border_of(image, part, int(rows[0]), int(cols[0]), SPACING)


def test_a_sharp_border_falls_at_once_and_a_soft_one_goes_on() -> None:
    sharp, soft = measured(*disc(0.05)), measured(*disc(0.5))
    assert sharp.step == pytest.approx(40.0, rel=0.05)
    assert sharp.weakest > 0.85 * sharp.step
    assert abs(sharp.outside) < 2.0
    assert sharp.beyond < 0.05
    assert soft.step < 0.4 * sharp.step
    assert soft.beyond > 0.5


def test_the_weakest_tells_where_it_goes_on() -> None:
    image, mask = disc(0.05)
    image[50:70, 45:] = 40.0  # a band as bright leaves to one side
    border = measured(image, mask)
    assert border.step > 30.0
    assert border.weakest < 5.0


def test_too_few_pixels_have_no_border() -> None:
    assert border_of(np.zeros((9, 9), np.float32), np.ones((2, 2), np.bool_), 3, 3, SPACING) is None


def test_flips_change_nothing() -> None:
    image, mask = disc(0.1)
    image += ndi.gaussian_filter(np.random.default_rng(0).normal(size=image.shape), 2.0).astype(np.float32)
    one, two = measured(image, mask), measured(image[::-1, ::-1].copy(), mask[::-1, ::-1])
    assert one.step == pytest.approx(two.step, rel=0.01)
    assert one.weakest == pytest.approx(two.weakest, rel=0.05)
