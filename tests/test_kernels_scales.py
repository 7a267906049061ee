"""The scale space, its peaks and their shadows against plain NumPy and SciPy twins."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from scipy import ndimage

from mcdetect.kernels.gaussian import discrete_gaussian
from mcdetect.kernels.peaks import PEAK_COLUMNS, not_shadowed, scale_peaks
from mcdetect.kernels.scales import Scales, Space, levels_of_row, midway, scale_space, spans_of
from mcdetect.kernels.tiles import middle, sample_tiles

SIGMA = 0.7 * 1.4 ** np.arange(8)


def noise(rows: int, cols: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, cols)).astype(np.float32)


def full(half: np.ndarray) -> np.ndarray:
    return np.concatenate((half[:0:-1], half)).astype(np.float64)


def smoothed(image: np.ndarray, down: np.ndarray, across: np.ndarray) -> np.ndarray:
    image = ndimage.correlate1d(image.astype(np.float64), full(down), axis=0, mode="reflect")
    return ndimage.correlate1d(image, full(across), axis=1, mode="reflect")


def doubled(half: np.ndarray, weights: np.ndarray, axis: int) -> np.ndarray:
    """Put values midway between the points along one axis; the three outermost are left out."""
    half = np.moveaxis(half, axis, 0)
    n = len(half)
    odd = sum(w * (half[2 - k : n - 3 - k] + half[3 + k : n - 2 + k]) for k, w in enumerate(weights))
    return np.moveaxis(np.stack([half[2 : n - 3], odd], axis=1).reshape(-1, *half.shape[1:]), 0, axis)


def twin(image: np.ndarray, scales: Scales) -> np.ndarray:
    """All levels of a whole image."""
    levels = []
    margin = 2 * scales.margin
    wide = np.pad(image, margin, mode="symmetric")
    taps = [
        [t[:n] for t, n in zip(*pair, strict=True)] for pair in zip(scales.taps, scales.lengths, strict=True)
    ]
    half = smoothed(wide, *taps[scales.fine])[::2, ::2]
    for k in range(len(taps)):
        if k <= scales.fine:
            levels.append(smoothed(image, *taps[k]))
        else:
            level = smoothed(half, *taps[k])
            level = doubled(doubled(level, scales.between[k, 0], 0), scales.between[k, 1], 1)
            levels.append(level[margin - 4 :, margin - 4 :][: image.shape[0], : image.shape[1]])
    return np.stack(levels)


@numba.njit
def every_row(image, half, fine, margin, taps, lengths, between, width):  # type: ignore[no-untyped-def]
    out = np.empty((taps.shape[0], image.shape[0], width), np.float32)
    line = np.empty(2 * width + 16 * taps.shape[2], np.float32)
    one = np.empty((taps.shape[0], width), np.float32)
    for i in range(image.shape[0]):
        levels_of_row(image, half, fine, margin, taps, lengths, between, i, 0, width, line, one)
        out[:, i] = one
    return out


def levels_of(space: Space) -> np.ndarray:
    s, cols = space.scales, space.image.shape[1]
    arguments = (s.fine, s.margin, s.taps, s.lengths, s.between, (cols + 1) // 2 * 2)
    return every_row(space.image, space.half, *arguments)[:, :, :cols]


def space_of(
    image: np.ndarray, mask: np.ndarray, down: np.ndarray = SIGMA, across: np.ndarray = SIGMA
) -> Space:
    return scale_space(image, Scales.of(down, across), spans_of(mask))


@pytest.mark.parametrize("stretch", [(1.0, 1.0), (0.3, 0.3), (4.0, 4.0), (1.0, 0.5)])
@pytest.mark.parametrize("shape", [(150, 131), (40, 300), (3, 9), (1, 1)])
def test_levels_equal_scipy(shape: tuple[int, int], stretch: tuple[float, float]) -> None:
    image = noise(*shape)
    space = space_of(image, np.ones(shape, bool), stretch[0] * SIGMA, stretch[1] * SIGMA)
    np.testing.assert_allclose(levels_of(space), twin(image, space.scales), atol=5e-6)


def test_levels_are_made_where_something_is_looked_for() -> None:
    image = noise(400, 300)
    mask = np.zeros(image.shape, bool)
    mask[130:190, 100:140] = True
    made, whole = (levels_of(space_of(image, m)) for m in (mask, np.ones_like(mask)))
    np.testing.assert_array_equal(made[:, 129:191, 99:141], whole[:, 129:191, 99:141])


@pytest.mark.parametrize("at", [(60, 60), (61, 60), (60, 61), (61, 61)])
def test_the_half_grid_gives_what_all_pixels_would(at: tuple[int, int]) -> None:
    image = np.zeros((121, 121), np.float32)
    image[at] = 1.0
    space = space_of(image, np.ones(image.shape, bool))
    assert space.scales.fine == 3
    for level, sigma in zip(levels_of(space), SIGMA, strict=True):
        taps = discrete_gaussian(sigma, tail=1e-6)
        want = smoothed(image, taps, taps)
        assert np.abs(level - want).max() < 0.01 * want.max()


def test_bands_of_noise_are_those_of_all_pixels() -> None:
    image = noise(200, 200)
    levels = levels_of(space_of(image, np.ones(image.shape, bool)))
    want = np.stack([smoothed(image, *[discrete_gaussian(s, tail=1e-6)] * 2) for s in SIGMA])
    bands, want = -np.diff(levels, axis=0), -np.diff(want, axis=0)
    assert ((bands - want).std(axis=(1, 2)) / want.std(axis=(1, 2))).max() < 0.015


@pytest.mark.parametrize("sigma", [2.0, 3.0, 8.0])
def test_a_value_midway_keeps_constants_and_slopes(sigma: float) -> None:
    weights = midway(sigma)
    assert 2.0 * weights.sum() == pytest.approx(1.0, abs=1e-6)


def test_spans_hold_the_mask() -> None:
    mask = np.zeros((200, 90), bool)
    mask[3, 20:50] = mask[60, 70] = mask[130, 89] = True
    np.testing.assert_array_equal(spans_of(mask), [[20, 71], [0, 0], [89, 90], [0, 0]])


def lower_median(values: np.ndarray) -> float:
    return float(np.quantile(values, 0.5, method="lower"))


@pytest.mark.parametrize("count", [1, 2, 3, 64, 785])
def test_the_middle_is_that_of_numpy(count: int) -> None:
    for seed in range(20):
        values = np.random.default_rng(seed).normal(3.0, 2.0, count).astype(np.float32)
        values[: count // 50] = 300.0
        there = middle(values, count)
        assert there == pytest.approx(lower_median(values), abs=float(1.2e-4 * max(values.std(), 1e-3)))


def test_spread_of_tiles_equals_numpy() -> None:
    image = noise(130, 170, 1)
    mask = noise(130, 170, 3) > -0.5
    mask[:50, :60] = False
    space = space_of(image, mask)
    tile, stride = (50, 60), 2
    spread, count, values = sample_tiles(space, mask, tile, stride, 3)
    bands = -np.diff(levels_of(space), axis=0)
    assert values.shape == (7, 3, 9, 3, 10)
    for a in range(3):
        for b in range(3):
            part = (slice(50 * a, min(130, 50 * a + 50), 2), slice(60 * b, min(170, 60 * b + 60), 2))
            inside = mask[part]
            assert count[a, b] == np.count_nonzero(inside)
            for k in range(7):
                there = bands[k][part]
                held = there[inside]
                want = 1.4826 * lower_median(np.abs(held - lower_median(held))) if held.size else 0.0
                assert spread[k, a, b] == pytest.approx(want, rel=5e-4)
                kept = np.where(inside, there, np.nan)[::3, ::3]
                np.testing.assert_allclose(values[k, a, : kept.shape[0], b, : kept.shape[1]], kept, atol=1e-5)


def peaks_twin(
    levels: np.ndarray, gain: np.ndarray, tile: tuple[int, int], mask: np.ndarray, least: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, cols = mask.shape
    place = np.meshgrid(
        (np.arange(rows) + 0.5) / tile[0] - 0.5, (np.arange(cols) + 0.5) / tile[1] - 0.5, indexing="ij"
    )
    local = [ndimage.map_coordinates(one.astype(float), place, order=1, mode="nearest") for one in gain]
    bands = -np.diff(levels, axis=0) * np.stack(local)
    best = bands.max(axis=0)
    peak = (best == ndimage.maximum_filter(best, 3, mode="nearest")) & mask & (best >= least)
    return np.argwhere(peak), best, bands.argmax(axis=0)


@pytest.mark.parametrize("shape", [(150, 130), (70, 700), (130, 1), (1, 40)])
def test_peaks_equal_a_maximum_filter(shape: tuple[int, int]) -> None:
    image = noise(*shape)
    mask = noise(*shape, 1) > -1.5
    space = space_of(image, mask)
    tile = (50, 60)
    gain = (
        np.random.default_rng(3)
        .uniform(2.0, 3.0, (7, -(-shape[0] // 50), -(-shape[1] // 60)))
        .astype(np.float32)
    )
    peaks = scale_peaks(space, gain, tile, mask, 0.3, 0.4, 4)
    peaks = peaks[np.lexsort((peaks[:, 1], peaks[:, 0]))]
    for fine, least, bands in ((0, 0.3, 7), (1, 0.4, 4)):
        found = dict(zip(PEAK_COLUMNS, peaks[peaks[:, PEAK_COLUMNS.index("fine")] == fine].T, strict=True))
        want, best, band = peaks_twin(levels_of(space)[: bands + 1], gain[:bands], tile, mask, least)
        row, col = (found[name].astype(int) for name in ("row", "col"))
        np.testing.assert_array_equal(np.stack([row, col], axis=1), want)
        np.testing.assert_allclose(found["value"], best[row, col], rtol=1e-5)
        assert np.mean(found["band"] == band[row, col]) > 0.99
        for name, axis in (("row_px", 0), ("col_px", 1)):
            whole = found[name[:3]]
            at = [(row + s, col) if axis == 0 else (row, col + s) for s in (-1, 1)]
            inside = np.logical_and.reduce(
                [(r >= 0) & (r < shape[0]) & (c >= 0) & (c < shape[1]) for r, c in at]
            )
            before, after = (best[np.clip(r, 0, shape[0] - 1), np.clip(c, 0, shape[1] - 1)] for r, c in at)
            shift = 0.5 * (before - after) / np.minimum(before - 2 * best[row, col] + after, -1e-12)
            shift = np.where(inside, np.clip(shift, -0.5, 0.5), 0.0)
            np.testing.assert_allclose(found[name] - whole, shift, atol=2e-3)


def test_nothing_depends_on_the_number_of_threads() -> None:
    image = noise(700, 600, 5)
    row, col = np.mgrid[:700, :600]
    mask = (row - 350.0) ** 2 + col**2 < 340.0**2
    gain = np.full((7, 7, 6), 2.0, np.float32)
    threads = numba.get_num_threads()

    def everything() -> list[np.ndarray]:
        space = space_of(image, mask)
        return [
            *sample_tiles(space, mask, (100, 100), 3, 2),
            scale_peaks(space, gain, (100, 100), mask, 0.4, 0.4, 4),
        ]

    try:
        numba.set_num_threads(1)
        one = everything()
        numba.set_num_threads(min(2, numba.config.NUMBA_NUM_THREADS))
        several = everything()
    finally:
        numba.set_num_threads(threads)
    assert len(one[-1]) > 1000
    for first, second in zip(one, several, strict=True):
        np.testing.assert_array_equal(first, second)


def test_many_peaks_are_all_kept() -> None:
    image = np.zeros((160, 160), np.float32)
    image[::2, ::2] = 1.0
    mask = np.ones(image.shape, bool)
    space = space_of(image, mask, 0.2 * SIGMA, 0.2 * SIGMA)
    peaks = scale_peaks(space, np.ones((7, 1, 1), np.float32), (160, 160), mask, 1e-3, 1e9, 4)
    assert len(peaks) == 6400


@pytest.mark.parametrize("kept", [0, 40])
def test_shadows_equal_a_plain_search(kept: int) -> None:
    rng = np.random.default_rng(0)
    place, reach = rng.uniform(0.0, 10.0, (400, 2)), rng.uniform(0.0, 0.8, 400)
    lit = np.ones(400, bool)
    for k in range(400):
        if lit[k]:
            distance = np.hypot(*(place - place[k]).T)
            lit[max(k + 1, kept) :] &= distance[max(k + 1, kept) :] >= reach[k]
    np.testing.assert_array_equal(not_shadowed(place, reach, kept), lit)


def test_of_no_points_none_is_shadowed() -> None:
    assert not_shadowed(np.empty((0, 2)), np.empty(0)).size == 0
