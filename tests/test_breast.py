"""Outline, frame, searched part and skin distance on breasts whose outline is known."""

from __future__ import annotations

import dataclasses
import logging
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from breast_phantom import Phantom, draw_breast, overlap
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcdetect.breast import BreastRegion, find_breast
from mcdetect.config import BreastConfig
from mcdetect.errors import UnusableImageError
from mcdetect.image.mammogram import Mammogram

CONFIG = BreastConfig()


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return draw_breast()


@cache
def plain_region() -> BreastRegion:
    return draw_breast().region()


def drawn_on(phantom: Phantom, *marks: tuple[tuple[slice, slice], float]) -> Phantom:
    pixels = phantom.pixels.copy()
    for box, level in marks:
        pixels[box] = level
    return dataclasses.replace(phantom, pixels=pixels)


def test_outline_is_the_true_one(phantom: Phantom) -> None:
    region = phantom.region()
    assert overlap(region.mask, phantom.breast) > 0.97
    assert region.mask.shape == region.searched.shape == region.pectoral.shape == phantom.pixels.shape
    assert {region.mask.dtype, region.searched.dtype, region.pectoral.dtype} == {np.dtype(bool)}
    assert not (region.searched & ~region.mask).any()
    assert 0.85 < region.searched.sum() / region.mask.sum() < 0.98
    assert not region.pectoral.any()


@pytest.mark.parametrize("spacing", [(0.05, 0.05), (0.1, 0.1), (0.2, 0.1), (0.08, 0.19)])
def test_outline_at_other_spacings(spacing: tuple[float, float]) -> None:
    phantom = draw_breast(spacing)
    region = phantom.region()
    assert overlap(region.mask, phantom.breast) > 0.97
    searched_mm2 = region.searched.sum() * spacing[0] * spacing[1]
    assert searched_mm2 == pytest.approx(plain_region().searched.sum() * 0.04, rel=0.03)


def test_strips_are_as_wide_as_configured(phantom: Phantom) -> None:
    narrow = find_breast(phantom.mammogram(), BreastConfig(border_mm=0.0, skin_mm=0.0)).searched
    wide = find_breast(phantom.mammogram(), BreastConfig(border_mm=6.0, skin_mm=4.0)).searched
    row = phantom.position(80.0, 0.0)[0]
    for searched, border, skin in ((narrow, 0.0, 0.0), (wide, 6.0, 4.0)):
        found = np.flatnonzero(searched[row]) * 0.2
        assert found[0] == pytest.approx(border, abs=0.7)
        assert found[-1] == pytest.approx(70.0 - skin, abs=1.5)


def test_skin_distance_is_euclidean_and_ignores_the_chest_wall(phantom: Phantom) -> None:
    region = phantom.region()
    rows, cols = np.array([[80.0, 30.0], [80.0, 60.0], [80.0, 1.0], [80.0, 100.0]]).T / 0.2
    distance = region.skin_distance_at(rows, cols)
    assert distance[0] == pytest.approx(38.0, abs=2.5)
    assert distance[1] == pytest.approx(10.0, abs=1.0)
    assert distance[2] > 50.0
    assert distance[3] == 0.0
    assert region.skin_distance_mm.dtype == np.float32
    step = region.grid_step_px
    assert region.skin_distance_mm.shape == tuple(
        round(n / s) for n, s in zip(phantom.pixels.shape, step, strict=True)
    )


def test_labels_and_stickers_are_no_breast(phantom: Phantom) -> None:
    letters = [(phantom.box(10.0, 80.0 + 6.0 * i, 12.0, 2.5), 4000.0) for i in range(4)]
    sticker = (phantom.box(0.0, 60.0, 15.0, 12.0), 4095.0)
    marked = drawn_on(phantom, *letters, sticker)
    region = marked.region()
    for box, _ in [*letters, sticker]:
        assert not region.mask[box].any()
    assert overlap(region.mask, phantom.breast) > 0.96


def test_film_border_is_cut_away_and_chest_wall_line_is_not_searched(phantom: Phantom) -> None:
    bands = [
        (np.s_[: round(3 / 0.2), :], 3900.0),
        (np.s_[-round(4 / 0.2) :, :], 3800.0),
        (np.s_[:, : round(1.6 / 0.2)], 4095.0),
    ]
    region = drawn_on(phantom, *bands).region()
    for box, _ in bands:
        assert not region.mask[box].any()
        assert not region.searched[box].any()
    assert overlap(region.mask, phantom.breast) > 0.94
    middle = phantom.position(80.0, 0.0)[0]
    assert not region.searched[middle, : round(2.2 / 0.2)].any()
    assert region.searched[middle, round(4.0 / 0.2)]


def test_a_scan_line_is_not_a_film_border(phantom: Phantom) -> None:
    row = phantom.position(30.0, 0.0)[0]
    cut = dataclasses.replace(phantom, pixels=phantom.pixels[row:], breast=phantom.breast[row:])
    line = drawn_on(cut, (np.s_[round(5.0 / 0.2) : round(5.0 / 0.2) + 2, :], 3500.0))
    region = line.region()
    assert overlap(region.mask, cut.breast) > 0.95


@pytest.mark.parametrize("axis", [0, 1])
def test_scan_lines_are_not_searched(phantom: Phantom, axis: int) -> None:
    pixels = phantom.pixels.copy()
    at = phantom.position(85.0, 35.0)[1 - axis]
    line = (slice(None), slice(at, at + 1)) if axis == 0 else (slice(at, at + 1), slice(None))
    before = phantom.region().searched
    pixels[line] += 40.0
    after = dataclasses.replace(phantom, pixels=pixels).region().searched
    assert before[line].mean() > 0.3
    assert not after[line].any()
    assert before.sum() - after.sum() < 0.05 * before.sum()


def test_without_lines_none_is_found(phantom: Phantom) -> None:
    region = phantom.region()
    inner = phantom.box(60.0, 10.0, 40.0, 40.0)
    assert region.searched[inner].all()


def test_short_bright_line_is_tissue(phantom: Phantom) -> None:
    """A straight vessel or a duct of 12 mm is not a scan line."""
    box = phantom.box(75.0, 35.0, 12.0, 0.2)
    pixels = phantom.pixels.copy()
    pixels[box] += 300.0
    assert dataclasses.replace(phantom, pixels=pixels).region().searched[box].all()


def test_marker_ball_at_the_nipple_is_not_searched(phantom: Phantom) -> None:
    row = (np.arange(phantom.pixels.shape[0])[:, None] + 0.5) * 0.2
    col = (np.arange(phantom.pixels.shape[1])[None, :] + 0.5) * 0.2
    ball = np.hypot(row - 80.0, col - 66.0) < 1.0
    pixels = np.where(ball, np.float32(4095), phantom.pixels)
    region = dataclasses.replace(phantom, pixels=pixels).region()
    assert phantom.region().searched[ball].all()
    assert not region.searched[ball].any()
    assert overlap(region.mask, phantom.breast) > 0.97


def test_saturated_label_over_the_breast_is_not_searched(phantom: Phantom) -> None:
    label, speck = phantom.box(80.0, 20.0, 8.0, 10.0), phantom.box(100.0, 20.0, 0.6, 0.6)
    marked = drawn_on(phantom, (label, 4095.0), (speck, 4095.0)).mammogram()
    region = find_breast(dataclasses.replace(marked, saturation_level=4095.0), CONFIG)
    assert not region.searched[label].any()
    assert region.searched[speck].all()


ORIENTATIONS = {
    "mirrored": lambda a: a[:, ::-1],
    "upside down": lambda a: a[::-1],
    "rotated by 180": lambda a: a[::-1, ::-1],
    "chest wall at the top": lambda a: a.T,
    "chest wall at the bottom": lambda a: a.T[::-1],
}


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_equivariant_under_flips_and_turns(name: str) -> None:
    turn = ORIENTATIONS[name]
    oblique = draw_breast(muscle_mm=(75.0, 32.0))
    plain = oblique.region()
    turned = dataclasses.replace(oblique, pixels=np.ascontiguousarray(turn(oblique.pixels))).region()
    for part in ("mask", "searched", "pectoral"):
        assert overlap(turn(getattr(plain, part)), getattr(turned, part)) > 0.98, part


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(gain=st.floats(1e-3, 1e3), offset=st.floats(-1e3, 1e3))
def test_gain_and_offset_do_not_matter(phantom: Phantom, gain: float, offset: float) -> None:
    pixels = phantom.pixels * np.float32(gain) + np.float32(offset * gain)
    region = dataclasses.replace(phantom, pixels=pixels).region()
    plain = plain_region()
    assert overlap(region.mask, plain.mask) > 0.999
    assert overlap(region.searched, plain.searched) > 0.998


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float64])
def test_dtype_does_not_matter(phantom: Phantom, dtype: npt.DTypeLike) -> None:
    whole = np.rint(phantom.pixels)
    plain = find_breast(Mammogram.from_array(whole.astype(np.float32), 0.2), CONFIG)
    other = find_breast(Mammogram.from_array(whole.astype(dtype), 0.2), CONFIG)
    np.testing.assert_array_equal(plain.mask, other.mask)
    np.testing.assert_array_equal(plain.searched, other.searched)


def test_half_resolution_gives_the_same_outline() -> None:
    fine = draw_breast((0.1, 0.1))
    rows, cols = fine.pixels.shape
    halved = fine.pixels.reshape(rows // 2, 2, cols // 2, 2).mean((1, 3))
    coarse = Phantom(halved, fine.breast[::2, ::2], (0.2, 0.2))
    assert overlap(fine.region().mask[::2, ::2], coarse.region().mask) > 0.98


def test_digital_image_with_clean_background() -> None:
    phantom = draw_breast((0.1, 0.1))
    pixels = np.where(phantom.breast, phantom.pixels, np.float32(0))
    pixels[phantom.box(8.0, 80.0, 6.0, 20.0)] = 4095.0
    region = dataclasses.replace(phantom, pixels=pixels).region()
    assert overlap(region.mask, phantom.breast) > 0.98
    # the flat air beside the breast is air, and its border is the skin line
    assert region.skin_distance_at(np.array([800.0]), np.array([690.0]))[0] < 2.5


def test_scan_laid_into_a_black_square() -> None:
    """Flat margins with straight edges are no air: no skin line there."""
    phantom = draw_breast()
    pixels = np.pad(phantom.pixels + 100.0, ((0, 0), (150, 220)))
    region = find_breast(Mammogram.from_array(pixels, 0.2), CONFIG)
    breast = np.pad(phantom.breast, ((0, 0), (150, 220)))
    assert overlap(region.mask, breast) > 0.96
    chest_wall = region.skin_distance_at(np.array([400.0]), np.array([158.0]))[0]
    assert chest_wall > 30.0
    assert not region.searched[:, :153].any()


def test_padding_beside_the_film_is_no_skin_line() -> None:
    phantom = draw_breast()
    pixels = np.pad(phantom.pixels.astype(np.float64), ((0, 0), (100, 60)), constant_values=np.nan)
    region = find_breast(Mammogram.from_array(pixels, 0.2), CONFIG)
    assert overlap(region.mask, np.pad(phantom.breast, ((0, 0), (100, 60)))) > 0.96
    assert not region.searched[:, :104].any()
    assert region.skin_distance_at(np.array([400.0]), np.array([108.0]))[0] > 30.0


def test_padding_in_place_of_air_is_air() -> None:
    """Some vendors fill the air around the breast with the padding value."""
    phantom = draw_breast()
    pixels = np.where(phantom.breast, phantom.pixels.astype(np.float64), np.nan)
    region = find_breast(Mammogram.from_array(pixels, 0.2), CONFIG)
    assert overlap(region.mask, phantom.breast) > 0.95
    assert region.skin_distance_at(np.array([400.0]), np.array([335.0]))[0] < 5.0


def test_linear_raw_image() -> None:
    """On a linear detector air is far brighter than tissue, and its noise is not small."""
    phantom = draw_breast((0.1, 0.1))
    clean = np.where(phantom.breast, np.maximum(phantom.pixels - 120.0, 0.0), 0.0)
    signal = 12000.0 * np.exp(-clean / 900.0) * (1.0 + 0.1 * np.linspace(-1, 1, clean.shape[0]))[:, None]
    signal = np.random.default_rng(0).poisson(signal).astype(np.float32)
    raw = Mammogram.from_array(16000.0 - signal, 0.1)
    region = find_breast(dataclasses.replace(raw, zero_exposure_level=16000.0), CONFIG)
    assert overlap(region.mask, phantom.breast) > 0.96


@pytest.mark.parametrize("share", [0.97, 0.995])
def test_breast_that_fills_the_frame(share: float) -> None:
    """Little air is still air."""
    phantom = draw_breast()
    rows = phantom.box(35.0, 0.0, 90.0, 67.0 if share > 0.98 else 70.0)
    part = dataclasses.replace(phantom, pixels=phantom.pixels[rows], breast=phantom.breast[rows])
    assert overlap(part.region().mask, part.breast) > 0.95


@pytest.mark.parametrize(("pixels", "spacing"), [(60, 0.05), (256, 0.05), (512, 0.07)])
def test_crop_of_tissue_is_breast_throughout(pixels: int, spacing: float) -> None:
    rng = np.random.default_rng(pixels)
    frequency = np.hypot(np.fft.fftfreq(pixels)[:, None], np.fft.fftfreq(pixels)[None, :])
    frequency[0, 0] = np.inf
    texture = np.fft.ifft2(np.fft.fft2(rng.normal(size=(pixels, pixels))) / frequency**1.5).real
    image = 1000.0 + 150.0 * texture / texture.std() + rng.normal(0.0, 10.0, texture.shape)
    region = find_breast(Mammogram.from_array(image, spacing), CONFIG)
    assert region.mask.all()
    assert region.searched.mean() > 0.95
    assert not region.pectoral.any()
    assert region.skin_distance_mm.min() > 10.0


NOISE = np.random.default_rng(3).normal(100.0, 5.0, (600, 500))


@pytest.mark.parametrize(
    ("image", "cause"),
    [
        (np.zeros((600, 500)), "blank"),
        (np.full((600, 500), 4095, np.uint16), "blank"),
        (np.full((600, 500), np.nan), "padding"),
        (NOISE, "noise"),
        (np.ones((10, 10)), "10 x 10"),
    ],
)
def test_unusable_images_are_refused(image: npt.NDArray[np.float64], cause: str) -> None:
    with pytest.raises(UnusableImageError, match=cause) as caught:
        find_breast(Mammogram.from_array(image, 0.2), CONFIG)
    assert caught.value.remedy


def test_label_alone_is_no_breast() -> None:
    image = NOISE.copy()
    image[50:110, 300:380] = 4000.0
    with pytest.raises(UnusableImageError, match="no breast"):
        find_breast(Mammogram.from_array(image, 0.2), CONFIG)


def test_says_when_laterality_and_chest_wall_disagree(
    phantom: Phantom, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="mcdetect")
    find_breast(dataclasses.replace(phantom.mammogram(), laterality="L"), CONFIG)
    assert not caplog.records
    find_breast(dataclasses.replace(phantom.mammogram(), laterality="R"), CONFIG)
    assert "chest wall is at the left" in caplog.text
