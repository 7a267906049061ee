"""The filter kernels against plain NumPy and SciPy twins."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from mcdetect.image.mammogram import PixelSpacing
from mcdetect.kernels.gaussian import discrete_gaussian, smooth
from mcdetect.kernels.lookup import apply_lookup
from mcdetect.kernels.spots import keep_strongest, local_maxima, tile_spread
from mcdetect.kernels.trees import compare_by_feature, sum_leaves
from mcdetect.shapes.tophat import tophat_around, tophat_image, white_tophat


def noise(rows: int, cols: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, cols)).astype(np.float32)


def full(half: np.ndarray) -> np.ndarray:
    return np.concatenate((half[:0:-1], half)).astype(np.float64)


@pytest.mark.parametrize(("sigma_row", "sigma_col"), [(0.0, 0.0), (0.25, 1.0), (2.0, 0.7), (6.0, 8.0)])
@pytest.mark.parametrize("shape", [(70, 45), (33, 130), (3, 5), (1, 1)])
def test_smoothing_equals_scipy(shape: tuple[int, int], sigma_row: float, sigma_col: float) -> None:
    image = noise(*shape)
    rows, cols = discrete_gaussian(sigma_row), discrete_gaussian(sigma_col)
    out = np.empty_like(image)
    smooth(image, rows, cols, out)
    twin = ndimage.correlate1d(image.astype(float), full(rows), axis=0, mode="reflect")
    twin = ndimage.correlate1d(twin, full(cols), axis=1, mode="reflect")
    np.testing.assert_allclose(out, twin, atol=2e-6)


@pytest.mark.parametrize("sigma", [0.0, 0.2, 0.5, 1.0, 3.3, 9.0])
def test_gaussian_has_unit_sum_and_the_variance_asked_for(sigma: float) -> None:
    taps = full(discrete_gaussian(sigma, tail=1e-9))
    x = np.arange(taps.size) - taps.size // 2
    assert taps.sum() == pytest.approx(1.0, abs=1e-6)
    assert (taps * x**2).sum() == pytest.approx(sigma**2, rel=1e-4, abs=1e-7)


@settings(max_examples=20)
@given(st.floats(0.1, 3.0), st.floats(0.1, 3.0))
def test_two_smoothings_equal_one(a: float, b: float) -> None:
    one = full(discrete_gaussian(math.hypot(a, b), tail=1e-9))
    two = np.convolve(full(discrete_gaussian(a, tail=1e-9)), full(discrete_gaussian(b, tail=1e-9)))
    short, long = sorted((one, two), key=len)
    np.testing.assert_allclose(np.pad(short, (long.size - short.size) // 2), long, atol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 9), (15, 15), (31, 5)])
@pytest.mark.parametrize("shape", [(64, 65), (20, 200), (7, 3), (1, 1)])
def test_tophat_equals_scipy(shape: tuple[int, int], height: int, width: int) -> None:
    image = noise(*shape)
    out = white_tophat(image, height, width)
    eroded = ndimage.grey_erosion(image, (height, width), mode="constant", cval=np.inf)
    opened = ndimage.grey_dilation(eroded, (height, width), mode="constant", cval=-np.inf)
    np.testing.assert_array_equal(out, image - opened)
    assert out.min() >= 0.0


def test_tophat_wants_odd_sides() -> None:
    image = noise(5, 5)
    with pytest.raises(ValueError, match="odd"):
        white_tophat(image, 4, 3)


@pytest.mark.parametrize("places", [0, 1, 7, 200])
def test_tophat_around_places_is_that_of_the_image(places: int) -> None:
    image, rng = noise(500, 610), np.random.default_rng(places)
    spacing, reach_mm = PixelSpacing(0.05, 0.1), 1.3
    row, col = rng.uniform(-0.5, 499.5, places), rng.uniform(-0.5, 609.5, places)
    whole, found = (
        tophat_image(image, spacing, 1.0),
        tophat_around(image, spacing, 1.0, row, col, reach_mm),
    )
    y, x = np.indices(image.shape)
    near = np.zeros(image.shape, bool)
    for r, c in zip(row, col, strict=True):
        near |= (np.abs(y - r) * 0.05 <= reach_mm) & (np.abs(x - c) * 0.1 <= reach_mm)
    np.testing.assert_array_equal(found[near], whole[near])
    assert places > 0 or not found.any()


def lower_median(values: np.ndarray) -> float:
    return float(np.quantile(values, 0.5, method="lower"))


def test_tile_spread_equals_numpy() -> None:
    finer, coarser = noise(50, 70, 1), noise(50, 70, 2)
    mask = noise(50, 70, 3) > -0.5
    mask[:20, :30] = False
    spread, count = np.empty((3, 3), np.float32), np.empty((3, 3), np.int64)
    tile_spread(finer, coarser, mask, 20, 30, 2, spread, count)
    for a in range(3):
        for b in range(3):
            part = (slice(20 * a, min(50, 20 * a + 20), 2), slice(30 * b, min(70, 30 * b + 30), 2))
            values = (finer[part] - coarser[part])[mask[part]]
            assert count[a, b] == values.size
            want = 1.4826 * lower_median(np.abs(values - lower_median(values))) if values.size else 0.0
            assert spread[a, b] == pytest.approx(want, rel=5e-4)


@pytest.mark.parametrize("grid", [(1, 1), (3, 2), (4, 5)])
def test_keep_strongest_interpolates_the_gain(grid: tuple[int, int]) -> None:
    rows, cols = 61, 83
    tile = (-(-rows // grid[0]), -(-cols // grid[1]))
    finer, coarser = noise(rows, cols, 1), noise(rows, cols, 2)
    gain = np.random.default_rng(3).uniform(0.5, 2.0, grid).astype(np.float32)
    best, level = noise(rows, cols, 4), np.zeros((rows, cols), np.uint8)
    before = best.copy()
    keep_strongest(finer, coarser, gain, *tile, 5, best, level)
    y = (np.arange(rows) + 0.5) / tile[0] - 0.5
    x = (np.arange(cols) + 0.5) / tile[1] - 0.5
    place = np.meshgrid(y, x, indexing="ij")
    value = (finer - coarser) * ndimage.map_coordinates(gain.astype(float), place, order=1, mode="nearest")
    np.testing.assert_allclose(best, np.maximum(before, value), atol=1e-5)
    clear = np.abs(value - before) > 1e-4
    np.testing.assert_array_equal(level[clear], np.where(value > before, 5, 0)[clear])


def test_local_maxima_equal_a_maximum_filter() -> None:
    image = noise(90, 110)
    mask = noise(90, 110, 1) > -1.0
    found = local_maxima(image, mask, 0.5)
    twin = (image == ndimage.maximum_filter(image, 3, mode="nearest")) & mask & (image >= 0.5)
    np.testing.assert_array_equal(found, np.argwhere(twin))


def test_a_plateau_has_one_maximum() -> None:
    image = np.zeros((9, 9), np.float32)
    image[3:6, 3:6] = 2.0
    np.testing.assert_array_equal(local_maxima(image, np.ones((9, 9), bool), 1.0), [[3, 3]])


def test_many_maxima_are_all_kept() -> None:
    image = np.zeros((120, 120), np.float32)
    image[::2, ::2] = 1.0
    assert len(local_maxima(image, np.ones(image.shape, bool), 0.5)) == 3600


def test_lookup_equals_interp() -> None:
    image = 10.0 * noise(40, 30)
    table = np.cumsum(np.random.default_rng(0).uniform(0.1, 1.0, 50)).astype(np.float32)
    out = np.empty_like(image)
    apply_lookup(image, -12.0, 0.5, table, out)
    np.testing.assert_allclose(out, np.interp(image, -12.0 + 0.5 * np.arange(50), table), atol=1e-4)


def grown(rng: np.random.Generator, leaves: int, features: int) -> list[tuple[int, float, int, int, float]]:
    """Draw a tree of so many leaves: column, threshold, next nodes and value of each node."""
    if leaves == 1:
        return [(-1, 0.0, 0, 0, float(rng.normal()))]
    left = grown(rng, int(rng.integers(1, leaves)), features)
    held = sum(node[0] < 0 for node in left)
    right = grown(rng, leaves - held, features)

    def moved(
        tree: list[tuple[int, float, int, int, float]], by: int
    ) -> list[tuple[int, float, int, int, float]]:
        return [(f, t, a + by, b + by, v) if f >= 0 else (f, t, a, b, v) for f, t, a, b, v in tree]

    # thresholds that float32 rows hit, and others that it cannot hold
    threshold = float(np.float32(rng.integers(-3, 4)) if rng.random() < 0.5 else rng.normal())
    root = (int(rng.integers(features)), threshold, 1, 1 + len(left), 0.0)
    return [root, *moved(left, 1), *moved(right, 1 + len(left))]


def walked(trees: list[list[tuple[int, float, int, int, float]]], row: np.ndarray) -> float:
    total = 0.0
    for tree in trees:
        node = 0
        while tree[node][0] >= 0:
            node = tree[node][2] if row[tree[node][0]] <= tree[node][1] else tree[node][3]
        total += tree[node][4]
    return total


@pytest.mark.parametrize("leaves", [[1], [2, 1, 3], [12] * 5, [32, 31, 2, 32]])
@pytest.mark.parametrize("rows", [1, 31, 32, 33, 200])
def test_leaves_are_summed_as_a_walk_does(leaves: list[int], rows: int) -> None:
    rng = np.random.default_rng(rows)
    trees = [grown(rng, count, 4) for count in leaves]
    values = rng.normal(size=(rows, 4)).astype(np.float32)
    values[rng.random(values.shape) < 0.3] = np.float32(rng.integers(-3, 4))
    values[rng.random(values.shape) < 0.1] = np.nan
    roots = np.cumsum([0, *map(len, trees)])[:-1].astype(np.int32)
    nodes = [node for tree in trees for node in tree]
    shift = np.repeat(roots, [len(tree) for tree in trees])
    feature, threshold, left, right, value = (np.array([node[k] for node in nodes]) for k in range(5))
    made = compare_by_feature(
        roots, feature.astype(np.int32), threshold, left + shift, right + shift, value, features=4
    )
    out = np.empty(rows)
    sum_leaves(values, made, out)
    np.testing.assert_array_equal(out, [walked(trees, row) for row in values])


def test_a_tree_of_too_many_leaves_is_refused() -> None:
    tree = grown(np.random.default_rng(0), 33, 2)
    columns = [np.array([node[k] for node in tree]) for k in range(5)]
    with pytest.raises(ValueError, match="more than 32 leaves"):
        compare_by_feature(np.zeros(1, np.int32), *columns, features=2)
