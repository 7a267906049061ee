"""Noise equalisation gives unit noise whatever the grey scale."""

from __future__ import annotations

import numpy as np
import pytest

from mcdetect.config import NoiseConfig
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.spots.noise import equalise

SPACING = PixelSpacing(0.07, 0.07)
CONFIG = NoiseConfig()


def ramp(low: float, high: float) -> np.ndarray:
    return np.broadcast_to(np.linspace(low, high, 500), (400, 500))


def local_spread(image: np.ndarray) -> np.ndarray:
    """Standard deviation of differences between neighbours, in ten vertical bands."""
    steps = np.diff(image.astype(float), axis=0)
    return np.array([part.std() for part in np.array_split(steps, 10, axis=1)])


@pytest.mark.parametrize("parametric", [True, False])
def test_poisson_noise_becomes_even(parametric: bool) -> None:
    signal = np.random.default_rng(0).poisson(ramp(200, 8000)).astype(np.float32)
    pixels = (10000.0 - signal).astype(np.float32)
    before = local_spread(pixels)
    equal = equalise(
        pixels,
        np.ones(pixels.shape, bool),
        SPACING,
        CONFIG,
        zero_exposure_level=10000.0 if parametric else None,
    )
    after = local_spread(equal.pixels)
    assert equal.parametric is parametric
    assert before.max() / before.min() > 3.0
    assert after[1:-1].max() / after[1:-1].min() < 1.25
    assert np.all(np.diff(equal.levels) > 0)


def test_brighter_stays_brighter() -> None:
    signal = np.random.default_rng(0).poisson(ramp(200, 8000)).astype(np.float32)
    pixels = 10000.0 - signal
    equal = equalise(pixels, np.ones(pixels.shape, bool), SPACING, CONFIG, zero_exposure_level=10000.0)
    order = np.argsort(pixels, axis=None)
    assert np.all(np.diff(equal.pixels.ravel()[order]) >= 0)


def test_signal_without_detector_noise_falls_back_to_the_curve() -> None:
    rng = np.random.default_rng(0)
    level = ramp(1000, 8000)
    pixels = (level + rng.normal(size=level.shape) * np.linspace(5, 60, 500)).astype(np.float32)
    # Noise rising with density contradicts a linear detector.
    equal = equalise(pixels, np.ones(pixels.shape, bool), SPACING, CONFIG, zero_exposure_level=9000.0)
    assert not equal.parametric
    after = local_spread(equal.pixels)
    assert after[1:-1].max() / after[1:-1].min() < 1.35


@pytest.mark.parametrize(("gain", "offset"), [(16.0, 0.0), (0.01, -3.0), (1.0, 1000.0)])
def test_gain_and_offset_do_not_matter(gain: float, offset: float) -> None:
    pixels = np.random.default_rng(0).poisson(ramp(100, 2000)).astype(np.float32)
    mask = np.ones(pixels.shape, bool)
    one = equalise(pixels, mask, SPACING, CONFIG).pixels
    two = equalise((gain * pixels + offset).astype(np.float32), mask, SPACING, CONFIG).pixels
    np.testing.assert_allclose(two, one, atol=0.02)


def test_bright_specks_do_not_bias_the_noise() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.normal(1000, 10, (300, 300)).astype(np.float32)
    specks = pixels.copy()
    specks[::15, ::15] += 500.0
    mask = np.ones(pixels.shape, bool)
    clean, dirty = (equalise(p, mask, SPACING, CONFIG).noise for p in (pixels, specks))
    assert np.median(dirty) == pytest.approx(np.median(clean), rel=0.1)


@pytest.mark.parametrize("value", [0.0, 5.0])
def test_a_constant_image_gives_finite_values(value: float) -> None:
    pixels = np.full((60, 60), value, np.float32)
    equal = equalise(pixels, np.ones(pixels.shape, bool), SPACING, CONFIG)
    assert np.isfinite(equal.pixels).all()
    assert np.ptp(equal.pixels) == 0.0


def test_clipped_black_is_not_taken_for_quiet() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.normal(0, 20, (300, 400)) + ramp(-100, 400)[:300, :400]
    pixels = np.maximum(pixels, 0.0).astype(np.float32)
    equal = equalise(pixels, np.ones(pixels.shape, bool), SPACING, CONFIG)
    assert equal.noise.min() >= 0.2 * np.median(equal.noise)


def test_a_noisy_pocket_as_dark_as_quiet_fat_does_not_stand_out() -> None:
    """Processing decouples noise from the grey level: most of what is dark is quiet, a pocket is not."""
    rng = np.random.default_rng(4)
    level = np.full((600, 600), 3000.0)
    level[:, :250] = 500.0 + 200.0 * np.sin(np.arange(250) / 20.0)
    spread = np.where(level < 1000.0, 6.0, 24.0)
    pocket = np.s_[280:320, 400:440]
    level[pocket], spread[pocket] = 500.0 + 200.0 * np.sin(np.arange(40) / 13.0), 24.0
    more = np.s_[50:550, 100:190]  # noisy places are a third of what is dark
    spread[more] = 24.0
    pixels = (level + spread * rng.standard_normal(level.shape)).astype(np.float32)
    equal = equalise(pixels, np.ones(level.shape, bool), SPACING, CONFIG).pixels
    steps = np.abs(np.diff(equal, axis=0))
    inner = np.median(steps[285:315, 405:435])
    assert inner < 1.6 * np.median(steps[50:250, 500:])
