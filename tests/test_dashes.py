"""Dashes: bars with clear sides and ends, told from specks, ligaments and edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from tissue_scenes import SIDE, STEP_MM, course, tissue

from mcdetect import detect
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.spots.dashes import find_dashes

SPACING = PixelSpacing(STEP_MM, STEP_MM, "given")
SIZE = 201
MIDDLE = 0.5 * (SIZE - 1) * STEP_MM


def bar(length: float, width: float, angle: float, height: float = 20.0, spacing=SPACING) -> np.ndarray:
    """A bar with its middle at (MIDDLE, MIDDLE) in mm, slightly blurred."""
    row, col = np.meshgrid(np.arange(SIZE) * spacing.row_mm, np.arange(SIZE) * spacing.col_mm, indexing="ij")
    along = (row - MIDDLE) * math.sin(angle) + (col - MIDDLE) * math.cos(angle)
    across = (row - MIDDLE) * math.cos(angle) - (col - MIDDLE) * math.sin(angle)
    inside = (np.abs(along) < 0.5 * length) & (np.abs(across) < 0.5 * width)
    image = gaussian_filter(height * inside, 0.05 / np.array([spacing.row_mm, spacing.col_mm]))
    return (image + np.random.default_rng(0).normal(0.0, 1.0, image.shape)).astype(np.float32)


def found(image: np.ndarray, spacing=SPACING, origin=(0, 0)):
    place = np.array([MIDDLE / spacing.row_mm]), np.array([MIDDLE / spacing.col_mm])
    return find_dashes(image, *place, spacing, origin)


@pytest.mark.parametrize("angle", [0.0, 0.4, 1.0, math.pi / 2, 2.5])
@pytest.mark.parametrize("length", [1.5, 3.0, 5.0])
def test_a_bar_is_measured(length: float, angle: float) -> None:
    dashes = found(bar(length, 0.4, angle))
    assert len(dashes) == 1
    turn = (dashes.angle[0] - angle + math.pi / 2) % math.pi - math.pi / 2
    assert abs(turn) < math.radians(3.0)
    assert dashes.length_mm[0] == pytest.approx(length, abs=0.4)
    assert (dashes.row_mm[0], dashes.col_mm[0]) == pytest.approx((MIDDLE, MIDDLE), abs=0.25)


@pytest.mark.parametrize("angle", [0.2, 1.2])
def test_pixels_need_not_be_square_and_the_part_begins_where_it_does(angle: float) -> None:
    wide = PixelSpacing(STEP_MM, 0.1, "given")
    dashes = found(bar(3.0, 0.4, angle, spacing=wide), wide, origin=(10, 20))
    assert dashes.length_mm[0] == pytest.approx(3.0, abs=0.5)
    at = (MIDDLE + 10 * STEP_MM, MIDDLE + 20 * 0.1)
    assert (dashes.row_mm[0], dashes.col_mm[0]) == pytest.approx(at, abs=0.25)


def test_what_is_no_dash() -> None:
    assert len(found(bar(0.3, 0.3, 0.0))) == 0  # a speck
    assert len(found(bar(30.0, 0.4, 0.7))) == 0  # a line that does not end
    assert len(found(bar(4.0, 2.0, 0.7))) == 0  # a body
    assert len(found(bar(4.0, 0.4, 0.7, height=4.0))) == 0  # too faint
    edge = np.zeros((SIZE, SIZE), np.float32)
    edge[: SIZE // 2] = 40.0
    assert len(found(edge)) == 0


def test_a_line_that_is_only_fainter_further_on_is_none() -> None:
    assert len(found(bar(3.0, 0.4, 0.7) + bar(30.0, 0.4, 0.7, height=30.0))) == 0
    assert len(found(bar(3.0, 0.4, 0.7) + bar(30.0, 0.4, 0.7, height=4.0))) == 1


def test_high_and_thin_dashes_speak_more_for_calcium() -> None:
    low, high = (found(bar(3.0, 0.4, 0.0, height)).evidence[0] for height in (15.0, 40.0))
    thin, wide = (found(bar(3.0, width, 0.0)).evidence[0] for width in (0.3, 0.7))
    assert high > low
    assert thin > wide


def test_one_for_each_bar_and_in_parts_as_at_once() -> None:
    image = bar(3.0, 0.4, 0.0)
    col = np.linspace(MIDDLE - 1.2, MIDDLE + 1.2, 1500) / STEP_MM
    row = np.full(col.size, MIDDLE / STEP_MM)
    assert len(find_dashes(image, row, col, SPACING, (0, 0))) == 1
    none = np.empty(0)
    assert len(find_dashes(image, none, none, SPACING, (0, 0))) == 0


def test_a_tram_track_of_faint_dashes_without_a_band_is_one_finding() -> None:
    """Dashes of 2 to 3 mm on two walls over 5 cm, each half as high as a certain calcification."""
    rng = np.random.default_rng(5)
    drawn = np.zeros((SIDE, SIDE))
    cols = np.arange(SIDE) * STEP_MM
    for wall in (-1.0, 1.0):
        start = 10.0 + rng.uniform(0.0, 3.0)
        while start < 60.0:
            stop = start + rng.uniform(2.0, 3.0)
            inside = (cols >= start) & (cols <= stop)
            away = np.arange(SIDE)[:, None] * STEP_MM - course(cols)[None, :] - wall
            drawn += (np.abs(away) < 0.2) & inside
            start = stop + rng.uniform(2.0, 5.0)
    image = tissue(3) + 120.0 * gaussian_filter(np.minimum(drawn, 1.0), 0.7).astype(np.float32)
    result = detect(image, STEP_MM)
    vessels = result.clusters[result.clusters.vascular_length_mm > 0]
    assert len(vessels) == 1
    assert vessels.vascular_length_mm.iloc[0] > 40.0
    assert vessels.benign_kind.iloc[0] == "vascular"
    assert set(result.calcifications.cluster_id) == set(vessels.cluster_id)
