"""The spot detector finds spots of known size where they are, at any spacing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from mcdetect.config import SpotConfig
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.spots.appearance import FEATURE_NAMES, describe_spots, refined_scale_mm
from mcdetect.spots.find import Spots, find_spots

SIDE_MM = 24.0


def disc_image(
    spacing: PixelSpacing,
    centres_mm: list[tuple[float, float]],
    diameter_mm: float,
    height: float,
    seed: int = 0,
) -> np.ndarray:
    """White noise of unit density per 0.1 mm pixel, with discs blurred by 0.04 mm."""
    shape = (round(SIDE_MM / spacing.row_mm), round(SIDE_MM / spacing.col_mm))
    rng = np.random.default_rng(seed)
    image = rng.normal(0, 0.1 / spacing.mean_mm, shape)
    y = np.arange(shape[0])[:, None] * spacing.row_mm
    x = np.arange(shape[1])[None, :] * spacing.col_mm
    for row, col in centres_mm:
        distance = np.hypot(y - row, x - col)
        image += height * expit((diameter_mm / 2 - distance) / 0.03)
    return image.astype(np.float32)


def find(image: np.ndarray, spacing: PixelSpacing, min_snr: float = 3.0) -> Spots:
    return find_spots(image, np.ones(image.shape, bool), spacing, SpotConfig(min_snr=min_snr))


@pytest.mark.parametrize(
    "spacing", [PixelSpacing(s, s) for s in (0.03, 0.05, 0.07, 0.1, 0.2)] + [PixelSpacing(0.05, 0.1)]
)
def test_discs_are_the_strongest_spots_at_any_spacing(spacing: PixelSpacing) -> None:
    centres = [(5.03, 6.11), (12.0, 12.0), (17.77, 8.2), (9.4, 18.66), (20.1, 20.3)]
    spots = find(disc_image(spacing, centres, 0.4, 12.0), spacing)
    found = np.stack([spots.row_px[:5] * spacing.row_mm, spots.col_px[:5] * spacing.col_mm], axis=1)
    distance = np.linalg.norm(found[:, None] - np.array(centres)[None], axis=2)
    assert sorted(distance.argmin(axis=1)) == [0, 1, 2, 3, 4]
    assert distance.min(axis=1).max() < max(0.06, 0.5 * spacing.mean_mm)
    assert spots.snr[4] > 1.5 * spots.snr[5]


@pytest.mark.parametrize("diameter_mm", [0.2, 0.35, 0.6])
def test_scale_follows_size(diameter_mm: float) -> None:
    spacing = PixelSpacing(0.05, 0.05)
    spots = find(disc_image(spacing, [(12.0, 12.0)], diameter_mm, 60.0), spacing)
    scale = np.sqrt(spots.levels_mm[spots.band[0]] * spots.levels_mm[spots.band[0] + 1])
    # White noise makes a matched filter of the detector: it prefers wider scales than 1 / sqrt(8).
    assert 0.3 * diameter_mm < scale < 0.85 * diameter_mm


def test_white_noise_gives_few_strong_candidates() -> None:
    spacing = PixelSpacing(0.07, 0.07)
    spots = find(disc_image(spacing, [], 0.3, 0.0), spacing)
    per_cm2 = np.count_nonzero(spots.snr > 5.0) / (SIDE_MM / 10) ** 2
    assert per_cm2 < 1.0
    assert spots.snr.size > 20


def test_spots_outside_the_searched_region_are_not_reported() -> None:
    spacing = PixelSpacing(0.07, 0.07)
    image = disc_image(spacing, [(6.0, 6.0), (18.0, 18.0)], 0.4, 15.0)
    searched = np.ones(image.shape, bool)
    searched[: image.shape[0] // 2] = False
    spots = find_spots(image, searched, spacing, SpotConfig())
    assert spots.row_px.min() >= image.shape[0] // 2 - 0.5
    assert np.hypot(spots.row_px[0] * 0.07 - 18.0, spots.col_px[0] * 0.07 - 18.0) < 0.1


@pytest.mark.parametrize("turn", [np.flipud, np.fliplr, np.transpose, lambda a: a[::-1, ::-1]])
def test_flips_and_transposition_move_the_spots_and_nothing_else(turn: object) -> None:
    spacing = PixelSpacing(0.1, 0.1)
    image = disc_image(spacing, [(6.0, 6.0), (9.0, 15.0)], 0.4, 15.0)
    index = np.arange(image.size, dtype=np.float64).reshape(image.shape)
    one = find(image, spacing, 4.0)
    other = find(np.ascontiguousarray(turn(image)), spacing, 4.0)  # type: ignore[operator]
    turned = turn(index)[  # type: ignore[operator]
        np.rint(other.row_px).astype(int), np.rint(other.col_px).astype(int)
    ]
    here = index[np.rint(one.row_px).astype(int), np.rint(one.col_px).astype(int)]
    strong = min(10, one.snr.size)
    # Tiles are laid from the first pixel, so that a turned image has slightly other spreads.
    assert len(set(here[:2]) & set(turned[:2])) == 2
    np.testing.assert_allclose(np.sort(one.snr)[-2:], np.sort(other.snr)[-2:], rtol=0.05)
    assert strong >= 2


@settings(max_examples=8)
@given(st.floats(0.2, 5.0), st.floats(-100.0, 100.0))
def test_gain_and_offset_leave_the_snr(gain: float, offset: float) -> None:
    spacing = PixelSpacing(0.1, 0.1)
    image = disc_image(spacing, [(8.0, 9.0)], 0.4, 12.0)
    one, other = find(image, spacing, 4.0), find((gain * image + offset).astype(np.float32), spacing, 4.0)
    np.testing.assert_allclose(other.snr[:1], one.snr[:1], rtol=2e-3)
    np.testing.assert_allclose(other.row_px[:1], one.row_px[:1], atol=0.02)


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (40, 3), (16, 16)])
def test_small_and_constant_images_give_no_spots(shape: tuple[int, int]) -> None:
    spots = find(np.zeros(shape, np.float32), PixelSpacing(0.1, 0.1))
    assert spots.snr.size == 0
    features = describe(np.zeros(shape, np.float32), spots, PixelSpacing(0.1, 0.1))
    assert features.shape == (0, len(FEATURE_NAMES))


def test_nothing_searched_gives_no_spots() -> None:
    image = disc_image(PixelSpacing(0.1, 0.1), [(8.0, 9.0)], 0.4, 12.0)
    spots = find_spots(image, np.zeros(image.shape, bool), PixelSpacing(0.1, 0.1), SpotConfig())
    assert spots.snr.size == 0


def test_the_number_of_candidates_is_limited_to_the_strongest() -> None:
    spacing = PixelSpacing(0.07, 0.07)
    image = disc_image(spacing, [(8.0, 9.0)], 0.4, 12.0)
    every = find(image, spacing)
    config = SpotConfig(max_candidates=100)
    few = find_spots(image, np.ones(image.shape, bool), spacing, config)
    assert every.snr.size > 100
    np.testing.assert_array_equal(few.snr, every.snr[:100])


def describe(image: np.ndarray, spots: Spots, spacing: PixelSpacing) -> np.ndarray:
    return describe_spots(image, spots, spacing)


def test_a_disc_and_a_line_look_different() -> None:
    spacing = PixelSpacing(0.07, 0.07)
    image = disc_image(spacing, [(6.0, 6.0)], 0.4, 15.0)
    x = np.arange(image.shape[1])[None, :] * spacing.col_mm
    image += (15.0 * np.exp(-0.5 * ((x - 18.0) / 0.12) ** 2)).astype(np.float32)
    spots = find(image, spacing, 5.0)
    features = describe(image, spots, spacing)
    column = {name: features[:, k] for k, name in enumerate(FEATURE_NAMES)}
    row, col = spots.row_px * 0.07, spots.col_px * 0.07
    disc = np.argmin(np.hypot(row - 6.0, col - 6.0))
    line = np.abs(col - 18.0) < 0.15
    assert line.sum() > 5
    assert column["roundness_own"][disc] > 0.7 > 0.4 > np.median(column["roundness_own"][line])
    assert column["line_near"][disc] < 0.3 < 0.6 < np.median(column["line_near"][line])


def test_features_do_not_depend_on_the_unit_of_the_grey_levels() -> None:
    spacing = PixelSpacing(0.1, 0.1)
    image = disc_image(spacing, [(8.0, 9.0), (14.0, 14.0)], 0.4, 12.0)
    spots = find(image, spacing, 5.0)
    one = describe(image, spots, spacing)
    other = describe(image + np.float32(50.0), spots, spacing)
    np.testing.assert_allclose(other, one, atol=0.02)


def test_features_are_finite_at_the_border() -> None:
    spacing = PixelSpacing(0.1, 0.1)
    image = disc_image(spacing, [(0.0, 0.0), (0.1, 12.0), (23.9, 23.9)], 0.5, 25.0)
    spots = find(image, spacing, 4.0)
    assert np.isfinite(describe(image, spots, spacing)).all()
    assert np.any((spots.row_px < 2) & (spots.col_px < 2))


def test_scale_is_refined_between_bands() -> None:
    spacing = PixelSpacing(0.05, 0.05)
    diameters = np.linspace(0.25, 0.6, 8)
    scales, centres = [], []
    for diameter in diameters:
        image = disc_image(spacing, [(12.0, 12.0)], float(diameter), 60.0)
        spots = find(image, spacing)
        scales.append(refined_scale_mm(describe(image, spots, spacing), spots.band, spots.levels_mm)[0])
        centres.append(np.sqrt(spots.levels_mm[spots.band[0]] * spots.levels_mm[spots.band[0] + 1]))
    assert np.all(np.diff(scales) > 0)
    assert len(set(centres)) < len(diameters)
    np.testing.assert_allclose(np.log(scales), np.log(centres), atol=0.51 * np.log(1.3831))


def bodies(spacing: PixelSpacing, centres_mm: list[tuple[float, float]], diameter_mm: float) -> Spots:
    return find(disc_image(spacing, centres_mm, diameter_mm, 25.0), spacing, 4.0)


def near(spots: Spots, spacing: PixelSpacing, place_mm: tuple[float, float], within_mm: float) -> int:
    distance = np.hypot(
        spots.row_px * spacing.row_mm - place_mm[0], spots.col_px * spacing.col_mm - place_mm[1]
    )
    return int(np.count_nonzero(distance < within_mm))


@pytest.mark.parametrize("spacing_mm", [0.05, 0.07, 0.085])
@pytest.mark.parametrize("apart_mm", [0.5, 0.56, 0.62])
def test_bodies_that_touch_have_a_spot_each(spacing_mm: float, apart_mm: float) -> None:
    spacing = PixelSpacing(spacing_mm, spacing_mm)
    pair = [(12.0, 12.0), (12.0, 12.0 + apart_mm)]
    spots = bodies(spacing, pair, 0.5)
    assert all(near(spots, spacing, place, 0.2) for place in pair)


@pytest.mark.parametrize("diameter_mm", [0.2, 0.3, 0.4])
def test_a_single_small_body_has_one_spot(diameter_mm: float) -> None:
    spacing = PixelSpacing(0.07, 0.07)
    spots = bodies(spacing, [(12.0, 12.0)], diameter_mm)
    assert near(spots, spacing, (12.0, 12.0), 0.3) == 1
