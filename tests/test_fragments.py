"""One mark for each body."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from mcdetect.image.mammogram import PixelSpacing
from mcdetect.spots.duplicates import one_mark_per_body

SPACING = 0.05


def picture(
    bodies: list[tuple[float, float, float, float]], *, spacing: tuple[float, float] = (SPACING, SPACING)
) -> np.ndarray:
    """Draw ellipses (row_mm, col_mm, radius along rows, along columns) of height 30 into noise of unit SD."""
    shape = (round(8.0 / spacing[0]), round(8.0 / spacing[1]))
    row, col = np.meshgrid(np.arange(shape[0]) * spacing[0], np.arange(shape[1]) * spacing[1], indexing="ij")
    image = np.zeros(shape)
    for r, c, a, b in bodies:
        image[((row - r) / a) ** 2 + ((col - c) / b) ** 2 <= 1.0] = 30.0
    image = gaussian_filter(image, (0.05 / spacing[0], 0.05 / spacing[1]))
    return (image + np.random.default_rng(0).normal(size=shape)).astype(np.float32)


def keep(
    image: np.ndarray, places_mm: list[tuple[float, float]], strength: list[float], **spacing: float
) -> list[bool]:
    rows, cols = np.array(places_mm).T
    given = PixelSpacing(spacing.get("row_mm", SPACING), spacing.get("col_mm", SPACING))
    return one_mark_per_body(
        image, rows / given.row_mm, cols / given.col_mm, np.array(strength, float), given
    ).tolist()


def test_a_coarse_body_counts_once_by_its_strongest_mark() -> None:
    image = picture([(4.0, 4.0, 1.0, 0.7)])
    marks = [(3.4, 4.0), (4.0, 4.3), (4.5, 3.8), (4.0, 3.7), (6.5, 6.5)]
    assert keep(image, marks, [1.0, 2.0, 5.0, 0.0, 1.0]) == [False, False, True, False, True]


@pytest.mark.parametrize("gap", [0.35, 0.6, 1.0])
def test_separate_calcifications_stay_apart(gap: float) -> None:
    image = picture([(4.0, 4.0 - gap / 2, 0.12, 0.12), (4.0, 4.0 + gap / 2, 0.12, 0.12)])
    assert keep(image, [(4.0, 4.0 - gap / 2), (4.0, 4.0 + gap / 2)], [1.0, 2.0]) == [True, True]


def test_a_mark_on_the_shoulder_between_two_calcifications_does_not_join_them() -> None:
    image = picture([(4.0, 3.5, 0.3, 0.3), (4.0, 4.5, 0.3, 0.3)])
    image += 10.0 * picture([(4.0, 4.0, 0.25, 0.35)]) / 30.0  # a faint bridge, lower than both
    marks = [(4.0, 3.5), (4.0, 4.0), (4.0, 4.5)]
    assert keep(image, marks, [2.0, 0.0, 1.0]) == [True, False, True]


def test_faint_marks_are_left_alone() -> None:
    image = picture([(4.0, 4.0, 1.0, 0.7)]) * np.float32(0.05)
    assert all(keep(image, [(3.6, 4.0), (4.4, 4.0)], [1.0, 2.0]))


def test_spacing_may_differ_between_axes() -> None:
    image = picture([(4.0, 4.0, 1.0, 0.7)], spacing=(0.1, 0.05))
    assert keep(image, [(3.6, 4.0), (4.4, 4.0)], [1.0, 2.0], row_mm=0.1) == [False, True]


@pytest.mark.parametrize("count", [0, 1])
def test_few_marks(count: int) -> None:
    image = picture([])
    place = np.full(count, 50.0)
    assert (
        one_mark_per_body(image, place, place, place, PixelSpacing(SPACING, SPACING)).tolist()
        == [True] * count
    )


@settings(max_examples=30)
@given(st.permutations(range(5)), st.booleans())
def test_neither_order_nor_a_transpose_matters(order: list[int], turned: bool) -> None:
    image = picture([(4.0, 4.0, 1.0, 0.7)])
    marks = [(3.4, 4.0), (4.0, 4.3), (4.5, 3.8), (4.0, 3.7), (6.5, 6.5)]
    strength = [1.0, 2.0, 5.0, 0.0, 1.0]
    expected = [False, False, True, False, True]
    chosen = [marks[k] for k in order]
    if turned:
        image, chosen = np.ascontiguousarray(image.T), [(c, r) for r, c in chosen]
    assert keep(image, chosen, [strength[k] for k in order]) == [expected[k] for k in order]
