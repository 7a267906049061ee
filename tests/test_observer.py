"""The observer weighs all bands together: sizes, signal-to-noise ratio, remainder."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcdetect.spots.observer import BODY_MM, OBSERVER_NAMES, band_covariance, observe, spread_at

LEVELS_MM = 0.05 * (0.35 / 0.05) ** (np.arange(8) / 6.0)
BANDS = LEVELS_MM.size - 1
BEST = OBSERVER_NAMES.index("body_best")
MISFIT = OBSERVER_NAMES.index("body_misfit")
SIZE = OBSERVER_NAMES.index("body_size")


def correlated(n: int, seed: int = 0) -> np.ndarray:
    mix = np.eye(BANDS) + 0.5 * np.eye(BANDS, k=1)
    return np.random.default_rng(seed).standard_normal((n, BANDS)) @ mix


def profile(diameter_mm: float, pixel_mm: float = 0.07) -> np.ndarray:
    """Bands of a blurred body of unit peak, one at a time."""
    variance = (diameter_mm / 4.0) ** 2 + 0.05**2 + pixel_mm**2 / 12.0
    means = []
    for level in LEVELS_MM:
        reach = max(level, 0.35 * pixel_mm)
        means.append(variance / (variance + reach * reach))
    return np.array([means[k] - means[k + 1] for k in range(BANDS)])


def naive(bands: np.ndarray, local: np.ndarray, covariance: np.ndarray, pixel_mm: float) -> list[float]:
    """Solve for one spot and one size after the other."""
    ratios = []
    for diameter in BODY_MM:
        expected = profile(diameter, pixel_mm) / local
        weights = np.linalg.solve(covariance, expected)
        ratios.append(float(weights @ bands) / math.sqrt(float(weights @ expected)))
    best = max(ratios)
    energy = float(bands @ np.linalg.solve(covariance, bands))
    misfit = math.sqrt(max(energy - best * best, 0.0))
    return [*ratios, best, misfit, math.log(BODY_MM[int(np.argmax(ratios))]), misfit / max(best, 0.5)]


@pytest.mark.parametrize("pixel_mm", [0.04, 0.07, 0.2])
def test_equals_the_plain_sum_for_every_spot(pixel_mm: float) -> None:
    rng = np.random.default_rng(3)
    bands, local = correlated(40), rng.uniform(0.5, 2.0, (40, BANDS))
    covariance = band_covariance(correlated(4000, 1))
    table = observe(bands, local, covariance, LEVELS_MM, pixel_mm)
    assert table.shape == (40, len(OBSERVER_NAMES))
    for k in range(40):
        np.testing.assert_allclose(table[k], naive(bands[k], local[k], covariance, pixel_mm), rtol=1e-8)


@pytest.mark.parametrize("k", range(len(BODY_MM)))
def test_a_body_of_a_known_size_is_recognised_and_leaves_no_remainder(k: int) -> None:
    covariance = band_covariance(correlated(4000))
    bands = 30.0 * profile(BODY_MM[k])[None]
    found = observe(bands, np.ones((1, BANDS)), covariance, LEVELS_MM, 0.07)[0]
    assert found[SIZE] == pytest.approx(math.log(BODY_MM[k]))
    assert found[MISFIT] < 1e-4 * found[BEST]


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from(BODY_MM))
def test_no_weighting_of_the_bands_has_a_higher_signal_to_noise_ratio(seed: int, diameter: float) -> None:
    rng = np.random.default_rng(seed)
    covariance = band_covariance(correlated(2000, seed))
    signal, weights = profile(diameter), rng.standard_normal(BANDS)
    best = observe(signal[None], np.ones((1, BANDS)), covariance, LEVELS_MM, 0.07)[0, BEST]
    other = float(weights @ signal) / math.sqrt(float(weights @ covariance @ weights))
    assert best >= other - 1e-9


def test_the_ratio_has_unit_noise() -> None:
    samples = correlated(20_000)
    covariance = band_covariance(correlated(20_000, 1))
    ones = np.ones_like(samples)
    ratios = observe(samples, ones, covariance, LEVELS_MM, 0.07)[:, : len(BODY_MM)]
    np.testing.assert_allclose(ratios.std(axis=0), 1.0, atol=0.1)


def test_what_fits_no_body_is_a_remainder() -> None:
    covariance = band_covariance(correlated(4000))
    jagged = np.where(np.arange(BANDS) % 2 == 0, 6.0, -6.0)[None]
    found = observe(jagged, np.ones((1, BANDS)), covariance, LEVELS_MM, 0.07)[0]
    assert found[MISFIT] > 3.0 * found[BEST]


def test_covariance_is_that_of_the_noise_whatever_lies_in_it() -> None:
    clean = correlated(8000)
    with_bodies = clean.copy()
    with_bodies[:80] += 40.0
    one, other = band_covariance(clean), band_covariance(with_bodies)
    np.testing.assert_allclose(other, one, atol=0.15)
    np.testing.assert_allclose(one, np.cov(clean.T), atol=0.2)


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_few_or_constant_samples_give_a_covariance_that_can_be_inverted(n: int) -> None:
    for samples in (correlated(n), np.zeros((n, BANDS))):
        covariance = band_covariance(samples)
        assert np.linalg.eigvalsh(covariance).min() > 0.01
        assert covariance[0, 1] > covariance[0, 2] > 0.0


def test_spread_between_tiles_is_interpolated_as_a_gain() -> None:
    spread = np.array([[[1.0, 2.0]]], np.float32)
    row, col = np.array([3.5, 3.5, 3.5, 3.5]), np.array([0.0, 3.5, 7.5, 11.5])
    local = spread_at(spread, row, col, (8, 8))[:, 0]
    np.testing.assert_allclose(local, [1.0, 1.0, 1.0 / 0.75, 2.0])


def test_no_spots_give_no_rows() -> None:
    none = np.empty((0, BANDS))
    assert observe(none, none, band_covariance(none), LEVELS_MM, 0.07).shape == (0, len(OBSERVER_NAMES))
