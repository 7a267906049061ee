"""Bright pixels of a breast as places, and their connected parts, against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from mcdetect.breast.bright import GreyRange, bright_places
from mcdetect.shapes.figures import connected, on_its_box

EIGHT = np.ones((3, 3))


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 1.0])
@pytest.mark.parametrize("shape", [(600, 45), (31, 80), (1, 9), (7, 1)])
def test_parts_are_the_connected_parts(shape: tuple[int, int], share: float) -> None:
    rng = np.random.default_rng(shape[0])
    pixels, mask = rng.random(shape).astype(np.float32), rng.random(shape) < 0.9
    bright = bright_places(pixels, mask, GreyRange(0.0, 1.0), 1.0 - share)
    level = 1.0 - 0.8 * share
    parts = bright.parts(level)
    number, count = ndimage.label(mask & (pixels >= np.float32(level)), EIGHT)
    assert parts.area.size == count
    assert sorted(parts.area.tolist()) == sorted(np.bincount(number.ravel())[1:].tolist())
    for part in range(count):
        top, left, one = int(parts.top[part]), int(parts.left[part]), parts.mask(part)
        own = number[top : top + one.shape[0], left : left + one.shape[1]]
        label = own[one][0]
        np.testing.assert_array_equal(own == label, one)
        assert np.count_nonzero(number == label) == parts.area[part] == np.count_nonzero(one)
        assert one[0].any()
        assert one[-1].any()
        assert one[:, 0].any()
        assert one[:, -1].any()
    places = parts.of_pixels()
    assert len(set(zip(number[parts.row, parts.col].tolist(), places.tolist(), strict=True))) == count


def test_a_box_around_what_is_bright() -> None:
    pixels = np.zeros((50, 60), np.float32)
    pixels[20:23, 30:32] = 1.0
    bright = bright_places(pixels, np.ones(pixels.shape, bool), GreyRange(0.0, 1.0), 0.5)
    box = bright.box((4, 40))
    assert box == (slice(16, 27), slice(0, 60))
    inner = bright.within((slice(16, 27), slice(10, 60)))
    assert (inner.row.min(), inner.col.min(), inner.pixels[inner.row, inner.col].min()) == (4, 20, 1.0)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_connected_to_a_place_on_its_box(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((23, 31)) < 0.5
    number, _ = ndimage.label(mask, EIGHT)
    for row, col in zip(rng.integers(0, 23, 20), rng.integers(0, 31, 20), strict=True):
        part, top, left = connected(mask, (int(row), int(col)))
        if not mask[row, col]:
            assert part.size == 0
            continue
        whole = np.zeros(mask.shape, bool)
        whole[top : top + part.shape[0], left : left + part.shape[1]] = part
        np.testing.assert_array_equal(whole, number == number[row, col])
        again, first, second = on_its_box(np.flatnonzero(whole), mask.shape[1])
        np.testing.assert_array_equal(again, part)
        assert (first, second) == (top, left)
