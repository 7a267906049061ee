"""Rows and columns have spacings of their own, pixels have a half on either side: stage by stage."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
from breast_phantom import draw_breast

from mcdetect.breast import BreastRegion, find_breast
from mcdetect.breast.grid import CoarseImage
from mcdetect.breast.landmarks import chest_distance
from mcdetect.config import BreastConfig, NoiseConfig, SpotConfig
from mcdetect.image.mammogram import Mammogram, PixelSpacing
from mcdetect.spots.appearance import FEATURE_NAMES, describe_spots
from mcdetect.spots.find import LEVELS_MM, Spots, find_spots
from mcdetect.spots.noise import equalise
from mcdetect.spots.observer import spread_at

FLAT = PixelSpacing(0.04, 0.1)  # pixels wider than high


def blob(spacing: PixelSpacing, shape: tuple[int, int], sigma_mm: float) -> npt.NDArray[np.float64]:
    """Return a round Gaussian of unit height at the middle pixel."""
    row = (np.arange(shape[0])[:, None] - shape[0] // 2) * spacing.row_mm
    col = (np.arange(shape[1])[None, :] - shape[1] // 2) * spacing.col_mm
    return np.asarray(np.exp(-0.5 * (row**2 + col**2) / sigma_mm**2))


# ------------------------------------------------------------------------------------ noise and spots


@pytest.mark.parametrize("along", [0, 1])
def test_noise_is_measured_in_mm_along_each_axis(along: int) -> None:
    """Noise that varies along one axis only does not see the other one's spacing."""
    line = np.random.default_rng(1).normal(1000.0, 10.0, 600)
    image = np.repeat(line[:, None], 300, axis=1).astype(np.float32)

    def noise(other_mm: float) -> npt.NDArray[np.float64]:
        spacing = PixelSpacing(*((0.04, other_mm) if along == 0 else (other_mm, 0.04)))
        pixels = image if along == 0 else np.ascontiguousarray(image.T)
        return equalise(pixels, np.ones(pixels.shape, bool), spacing, NoiseConfig()).noise

    np.testing.assert_allclose(noise(0.15), noise(0.04), rtol=1e-3)


def test_responses_of_a_round_blob_are_those_of_theory() -> None:
    """A Gaussian smoothed by a Gaussian stays one, so that every band's answer is known."""
    sigma, height = 0.2, 1000.0
    shape = (500, 200)
    noise = np.random.default_rng(0).normal(size=shape)
    image = (noise + height * blob(FLAT, shape, sigma)).astype(np.float32)
    everywhere = np.ones(shape, bool)
    spots = find_spots(image, everywhere, FLAT, SpotConfig(tile_mm=40.0))
    assert spots.spread.shape[1:] == (1, 1)
    kept = sigma**2 / (sigma**2 + LEVELS_MM**2)
    expected = height * (kept[:-1] - kept[1:]) / spots.spread[:, 0, 0]
    assert spots.snr[0] == pytest.approx(expected.max(), rel=0.03)
    assert spots.band[0] == expected.argmax()
    assert (spots.row_px[0], spots.col_px[0]) == pytest.approx((250, 100), abs=0.1)


def test_no_tile_is_taken_for_much_quieter_than_the_image() -> None:
    spacing = PixelSpacing(0.1, 0.1)
    image = np.random.default_rng(0).normal(size=(320, 320)).astype(np.float32)
    image[80:240, 80:240] *= 0.01  # four tiles of sixteen, and only the innermost of their neighbours
    spots = find_spots(image, np.ones(image.shape, bool), spacing, SpotConfig())
    assert spots.spread.shape == (7, 4, 4)
    for spread in spots.spread:
        assert spread.min() == pytest.approx(0.4 * np.median(spread[[0, 0, 3, 3], [0, 3, 0, 3]]), rel=0.15)


def test_the_spread_of_a_tile_holds_at_its_centre() -> None:
    spread = np.random.default_rng(0).uniform(1.0, 3.0, (2, 3, 4)).astype(np.float32)
    tile = (10, 14)
    i, j = np.meshgrid(np.arange(3), np.arange(4), indexing="ij")
    row, col = (i.ravel() + 0.5) * tile[0] - 0.5, (j.ravel() + 0.5) * tile[1] - 0.5
    np.testing.assert_allclose(spread_at(spread, row, col, tile), spread.reshape(2, -1).T, rtol=1e-6)
    # and midway between two its inverse is the mean of theirs
    between = spread_at(spread, np.array([9.5, 4.5]), np.array([6.5, 13.5]), tile)
    gain = 1.0 / spread.astype(float)
    expected = [(gain[:, 0, 0] + gain[:, 1, 0]) / 2.0, (gain[:, 0, 0] + gain[:, 0, 1]) / 2.0]
    np.testing.assert_allclose(1.0 / between, expected, rtol=1e-6)


# ---------------------------------------------------------------------------------------- appearance


@pytest.mark.parametrize(
    ("radius_mm", "near", "far"),
    [
        (0.12, False, False),
        (0.22, True, False),
        (0.40, True, False),
        (0.52, True, True),
        (0.66, False, True),
        (1.0, False, True),
        (1.2, False, False),
    ],
)
def test_near_is_a_quarter_to_half_a_millimetre_and_far_from_there_to_one(
    radius_mm: float, near: bool, far: bool
) -> None:
    """A short arc at some distance from a spot is an arm near it, far from it, or neither."""
    spacing = PixelSpacing(0.02, 0.02)
    shape = (201, 201)
    plain = 100.0 * blob(spacing, shape, 0.02)
    row, col = (np.indices(shape) - 100) * 0.02
    away = np.hypot(row, col)
    arc = 20.0 * np.exp(-0.5 * ((away - radius_mm) / 0.025) ** 2) * (np.abs(np.arctan2(row, col)) < 0.6)
    one = np.ones(1)
    spread = np.ones((7, 1, 1), np.float32)
    spots = Spots(100.0 * one, 100.0 * one, one, np.array([1]), LEVELS_MM, spread, shape, np.eye(7))
    without, within = (
        dict(zip(FEATURE_NAMES, describe_spots(image.astype(np.float32), spots, spacing)[0], strict=True))
        for image in (plain, plain + arc)
    )
    for name, answers in (("near", near), ("far", far)):
        for kind in ("arm", "uneven"):
            change = within[f"{kind}_{name}"] - without[f"{kind}_{name}"]
            assert (change > 0.01) == answers, f"{kind}_{name} {change:.4f}"


# -------------------------------------------------------------------------------------------- breast


@pytest.mark.parametrize("spacing", [(0.1, 0.3), (0.3, 0.1)])
def test_the_strip_along_the_border_is_as_wide_along_each_axis(spacing: tuple[float, float]) -> None:
    """On a grid of 0.2 mm cells are as large as the larger pixels."""
    phantom = draw_breast(spacing, muscle_mm=(90.0, 40.0))
    region = find_breast(phantom.mammogram("MLO"), BreastConfig(grid_mm=0.2, border_mm=6.0))
    row, col = phantom.position(80.0, 20.0)
    below = np.flatnonzero(region.searched[:, col])[0]
    beside = np.flatnonzero(region.searched[row])[0]
    assert (below * spacing[0], beside * spacing[1]) == pytest.approx((6.0, 6.0), abs=0.01)


@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
def test_the_chest_wall_is_the_edge_of_the_outermost_cells(
    side: Literal["left", "right", "top", "bottom"],
) -> None:
    step = (0.4, 0.6)
    mask = np.ones((20, 30), bool)
    muscle = np.zeros_like(mask)
    distance = chest_distance(mask, muscle, (2, 18, 3, 27), side, step)
    row, col = (np.arange(20) + 0.5) * 0.4, (np.arange(30) + 0.5) * 0.6
    along, edge = (row, (0.8, 7.2)) if side in ("top", "bottom") else (col, (1.8, 16.2))
    expected = along - edge[0] if side in ("top", "left") else edge[1] - along
    here = distance[:, 15] if side in ("top", "bottom") else distance[10]
    np.testing.assert_allclose(here, expected.clip(0.0), rtol=1e-5, atol=1e-6)
    muscle[8:12, 13:17] = True
    beside = chest_distance(mask, muscle, (2, 18, 3, 27), side, step)
    assert beside[10, 15] == 0.0
    assert beside[10, 17] == pytest.approx(0.5 * np.sqrt(0.4 * 0.6))  # half a cell off the muscle's edge


def test_the_skin_is_the_edge_of_the_outermost_cells() -> None:
    phantom = draw_breast()
    skin = phantom.region().skin_distance_mm
    assert skin[skin > 0].min() == pytest.approx(0.5 * 0.4)


def test_places_on_the_grid_are_centres_of_cells() -> None:
    cells = CoarseImage(np.zeros((5, 7), np.float32), np.ones((5, 7), bool), (10.0, 20.0), (1.0, 2.0))
    assert cells.to_pixels(0.0, 0.0) == (4.5, 9.5)  # the middle of the first 10 rows and 20 columns
    assert cells.to_pixels(3.0, 2.0) == (34.5, 49.5)


def test_the_nipple_is_the_centre_of_a_cell() -> None:
    region = find_breast(draw_breast().mammogram(), BreastConfig(grid_mm=2.0))
    assert region.nipple_px is not None
    cell = (np.array(region.nipple_px) + 0.5) / region.grid_step_px - 0.5
    np.testing.assert_allclose(cell, np.rint(cell), atol=1e-6)


@pytest.mark.parametrize("share", [-0.49, 0.0, 0.49])
def test_maps_hold_for_the_whole_cell(share: float) -> None:
    rng = np.random.default_rng(0)
    step = (10.0, 14.0)
    skin, chest, density = rng.uniform(0.0, 50.0, (3, 6, 4)).astype(np.float32)
    everywhere = np.ones((60, 56), bool)
    region = BreastRegion(
        everywhere, everywhere, ~everywhere, skin, step, chest_distance_mm=chest, density_rank=density
    )
    i, j = np.indices(skin.shape)
    row, col = (i + 0.5 + share) * step[0] - 0.5, (j + 0.5 + share) * step[1] - 0.5
    np.testing.assert_array_equal(region.skin_distance_at(row, col), skin)
    np.testing.assert_array_equal(region.chest_distance_at(row, col), chest)
    np.testing.assert_array_equal(region.density_rank_at(row, col), density)
    np.testing.assert_allclose(region.depth_fraction_at(row, col), skin / (skin + chest), rtol=1e-5)


def test_scan_lines_are_left_out_with_as_wide_a_margin_on_either_axis() -> None:
    spacing = (0.1, 0.2)
    phantom = draw_breast(spacing)
    row, col = phantom.position(70.0, 30.0)
    pixels = phantom.pixels.copy()
    pixels[row] += 900.0
    pixels[:, col] += 900.0
    plain = phantom.region().searched
    marked = dataclasses.replace(phantom, pixels=pixels)
    searched = find_breast(Mammogram.from_array(marked.pixels, spacing), BreastConfig()).searched
    below, beside = phantom.position(90.0, 45.0)
    # a line also stands out two pixels to either side of itself; the margin of 0.2 mm comes on top
    lost_rows = np.flatnonzero(plain[:, beside] & ~searched[:, beside])
    lost_cols = np.flatnonzero(plain[below] & ~searched[below])
    assert lost_rows.tolist() == list(range(row - 4, row + 5))
    assert lost_cols.tolist() == list(range(col - 3, col + 4))
