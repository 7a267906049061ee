"""Growth downhill and the slope of its border against plain twins."""

from __future__ import annotations

import heapq

import numpy as np
import pytest
from scipy import ndimage as ndi

from mcdetect.kernels.growth import border_slopes, grow


def grow_plainly(window: np.ndarray, start: int, most: int) -> tuple[list[int], list[float]]:
    """Take the brightest neighbour again and again; grey levels must differ."""
    rows, cols = window.shape
    seen, heap, place, level = {start}, [(-float(window.flat[start]), start)], [], []
    while heap and len(place) < most:
        value, here = heapq.heappop(heap)
        level.append(min(-value, level[-1]) if level else -value)
        place.append(here)
        row, col = divmod(here, cols)
        if row in (0, rows - 1) or col in (0, cols - 1):
            break
        for r in range(row - 1, row + 2):
            for c in range(col - 1, col + 2):
                if r * cols + c not in seen:
                    seen.add(r * cols + c)
                    heapq.heappush(heap, (-float(window[r, c]), r * cols + c))
    return place, level


def slope_plainly(window: np.ndarray, place: np.ndarray, row_mm: float, col_mm: float) -> float:
    inside = np.zeros(window.shape, bool)
    inside.flat[place] = True
    inner = np.zeros(window.shape, bool)
    inner[1:-1, 1:-1] = inside[1:-1, 1:-1]
    falls: list[np.ndarray] = []
    for shift, axis, step in ((-1, 0, row_mm), (1, 0, row_mm), (-1, 1, col_mm), (1, 1, col_mm)):
        outside = inner & ~np.roll(inside, shift, axis)
        falls.append(((window.astype(np.float64) - np.roll(window, shift, axis)) / step)[outside])
    every = np.concatenate(falls)
    return float(every.mean()) if every.size else 0.0


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("most", [1, 7, 400])
def test_growth_equals_its_twin(seed: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    window = ndi.gaussian_filter(rng.normal(size=(31, 24)), 1.5).astype(np.float32)
    start = int(rng.integers(1, 30)) * 24 + int(rng.integers(1, 23))
    place, level = grow(window, start, most)
    expected, levels = grow_plainly(window, start, most)
    assert place.tolist() == expected
    np.testing.assert_array_equal(level, np.array(levels, np.float32))
    assert np.all(np.diff(level) <= 0)


@pytest.mark.parametrize(("row_mm", "col_mm"), [(0.07, 0.07), (0.05, 0.1)])
def test_slopes_equal_their_twin(row_mm: float, col_mm: float) -> None:
    rng = np.random.default_rng(3)
    window = ndi.gaussian_filter(rng.normal(size=(40, 30)), 2.0).astype(np.float32)
    place, _ = grow(window, 20 * 30 + 15, 600)
    counts = np.unique(np.linspace(1, place.size, 6).astype(np.int64))
    slopes = border_slopes(window, place, counts, row_mm, col_mm)
    expected = [slope_plainly(window, place[:count], row_mm, col_mm) for count in counts]
    np.testing.assert_allclose(slopes, expected, rtol=1e-5)


def test_a_start_on_the_border_takes_one_pixel() -> None:
    place, level = grow(np.ones((5, 5), np.float32), 2, 25)
    assert place.tolist() == [2]
    assert level.tolist() == [1.0]
    assert border_slopes(np.ones((5, 5), np.float32), place, np.array([1]), 0.1, 0.1).tolist() == [0.0]
