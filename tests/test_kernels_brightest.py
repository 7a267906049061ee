"""The tree of bright regions, and the choice of regions in it, against plain twins."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

from mcdetect.kernels.brightest import best_regions, region_tree

EIGHT = np.ones((3, 3))


def image(seed: int, rows: int = 19, cols: int = 23) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return grey levels that all differ, their usual steps, and the order of the pixels inside."""
    rng = np.random.default_rng(seed)
    values = ndi.gaussian_filter(rng.normal(size=(rows, cols)), 1.3).astype(np.float32)
    usual = rng.uniform(0.5, 2.0, values.shape).astype(np.float32)
    inside = np.zeros(values.shape, bool)
    inside[1:-1, 1:-1] = rng.random((rows - 2, cols - 2)) < 0.9
    place = np.flatnonzero(inside)
    return values, usual, place[np.argsort(-values.ravel()[place], kind="stable")].astype(np.int32)


def region_of(values: np.ndarray, order: np.ndarray, k: int) -> np.ndarray:
    """Return what the k-th pixel touches of those taken by then."""
    taken = np.zeros(values.size, bool)
    taken[order[: k + 1]] = True
    number, _ = ndi.label(taken.reshape(values.shape), EIGHT)
    return number == number.flat[order[k]]


def border_plainly(
    values: np.ndarray, usual: np.ndarray, region: np.ndarray, row_mm: float, col_mm: float, steep: float
) -> tuple[float, float]:
    steps = []
    for shift, axis, pitch in ((-1, 0, row_mm), (1, 0, row_mm), (-1, 1, col_mm), (1, 1, col_mm)):
        out = region & ~np.roll(region, shift, axis)
        step = np.abs(values - np.roll(values, shift, axis)) / pitch
        steps.append((step * 2.0 / (usual + np.roll(usual, shift, axis)))[out])
    every = np.concatenate(steps)
    return float(every.mean()), float((every >= steep).mean())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("row_mm", "col_mm"), [(0.2, 0.2), (0.1, 0.25)])
@pytest.mark.parametrize("most", [19 * 23, 40])
def test_regions_equal_their_twins(seed: int, row_mm: float, col_mm: float, most: int) -> None:
    values, usual, order = image(seed)
    parent, area, fall, border = region_tree(values, usual, order, row_mm, col_mm, 1.5, most)
    regions = [region_of(values, order, k) for k in range(order.size)]
    for k, here in enumerate(order):
        if np.count_nonzero(regions[k]) > most:
            assert area[k] == most + 1
            continue
        mean, share = border_plainly(values, usual, regions[k], row_mm, col_mm, 1.5)
        assert area[k] == np.count_nonzero(regions[k])
        assert fall[k] / border[k, 0] == pytest.approx(mean, rel=1e-3, abs=1e-3)
        assert border[k, 1] / border[k, 0] == pytest.approx(share, abs=1e-6)
        above = [m for m in range(k + 1, order.size) if regions[m].flat[here]]
        assert parent[k] == (above[0] if above else k)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [0.7, 1.0])
def test_the_chosen_are_the_largest_that_are_no_worse_than_their_parts(seed: int, share: float) -> None:
    values, usual, order = image(seed)
    parent, *_ = region_tree(values, usual, order, 0.2, 0.2, 1.5, values.size)
    score = np.random.default_rng(seed).uniform(-1.0, 1.0, order.size).astype(np.float32)
    regions = {k: region_of(values, order, k) for k in range(order.size)}

    def is_good(here: int) -> bool:
        parts = [part for part in regions if part != here and regions[here].flat[order[part]]]
        inside = [score[part] for part in parts if good[part]]
        return bool(score[here] > 0.0 and score[here] >= share * max(inside, default=0.0))

    good: dict[int, bool] = {}
    for here in regions:
        good[here] = False
        good[here] = is_good(here)
    expected = {
        here
        for here in regions
        if good[here]
        and not any(
            good[other]
            and other != here
            and regions[other].flat[order[here]]
            and regions[other].sum() > regions[here].sum()
            for other in regions
        )
    }
    assert set(best_regions(parent, score, share).tolist()) == expected


def test_nothing_to_choose() -> None:
    none = np.empty(0, np.int32)
    values = np.zeros((3, 3), np.float32)
    parent, *_ = region_tree(values, values + 1, none, 0.1, 0.1, 1.0, 9)
    assert parent.size == 0
    assert best_regions(parent, values.ravel()[:0], 0.8).size == 0
