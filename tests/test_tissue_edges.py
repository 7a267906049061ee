"""Long edges of tissue, and marks that are part of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from tissue_scenes import SIDE, STEP_MM, add_specks, tissue

from mcdetect import detect
from mcdetect.breast import BreastRegion
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.spots.coarse import coarsen
from mcdetect.spots.edges import MUSCLE_SHARE, SHARE, least_contrast, lowered_on_edges

SPACING = PixelSpacing(STEP_MM, STEP_MM, "given")


def coarse_of(image: np.ndarray, spacing: PixelSpacing = SPACING):
    return coarsen(image.astype(np.float32), (0, 0), spacing, lambda r, c: np.full(r.size, 200.0))


def half_plane(angle_deg: float, height: float) -> np.ndarray:
    row, col = np.mgrid[:SIDE, :SIDE] * STEP_MM
    angle = np.radians(angle_deg)
    away = (row - 38.0) * np.cos(angle) - (col - 38.0) * np.sin(angle)
    return (height * (away > 0)).astype(np.float32)


@pytest.mark.parametrize("angle_deg", [0.0, 17.0, 45.0, 90.0, 131.0])
def test_the_step_of_an_edge_in_any_direction(angle_deg: float) -> None:
    step = least_contrast(coarse_of(half_plane(angle_deg, 50.0)), np.array([38.0]), np.array([38.0]))
    assert step[0] == pytest.approx(50.0 * SHARE[0], rel=0.1)


def test_pixels_need_not_be_square() -> None:
    image = half_plane(30.0, 50.0)[:, ::2]
    step = least_contrast(
        coarse_of(image, PixelSpacing(STEP_MM, 2 * STEP_MM, "given")), np.array([38.0]), np.array([38.0])
    )
    assert step[0] == pytest.approx(50.0 * SHARE[0], rel=0.1)


def test_the_halo_takes_what_stands_out_least() -> None:
    places = np.array([37.0, 35.0])
    least = least_contrast(coarse_of(half_plane(0.0, 50.0)), places, np.array([38.0, 38.0]))
    assert least == pytest.approx([50.0 * share for share in SHARE], rel=0.1)


def test_far_from_the_edge_there_is_none() -> None:
    step = least_contrast(coarse_of(half_plane(0.0, 50.0)), np.array([30.0, 46.0]), np.array([38.0, 38.0]))
    assert (step == 0.0).all()


def test_the_slope_of_a_breast_is_no_edge() -> None:
    col = np.arange(SIDE) * STEP_MM
    image = np.broadcast_to(np.clip(30.0 * (col - 30.0), 0.0, 600.0), (SIDE, SIDE))  # over 20 mm
    least = least_contrast(coarse_of(image), np.full(3, 38.0), np.array([38.0, 40.0, 42.0]))
    assert (least == 0.0).all()


def test_a_body_has_no_long_edge() -> None:
    row, col = np.mgrid[:SIDE, :SIDE] * STEP_MM
    image = 50.0 * (np.hypot(row - 38.0, col - 38.0) < 1.5)
    step = least_contrast(coarse_of(image), np.array([38.0, 36.5]), np.array([38.0, 38.0]))
    assert (step == 0.0).all()


def test_only_what_stands_out_little_beside_a_high_step_is_lowered() -> None:
    log_odds = np.array([2.0, 2.0, 2.0, -9.0])
    lowered = lowered_on_edges(log_odds, np.array([10.0, 30.0, 5.0, 1.0]), np.array([20.0, 20.0, 0.0, 20.0]))
    assert lowered.tolist() == [-6.0, 2.0, 2.0, -9.0]


def test_a_muscle_edge_with_a_noisy_halo_has_no_mark_and_calcium_beside_it_stays() -> None:
    image = tissue(4)
    edge = gaussian_filter(half_plane(60.0, 450.0), 4.0)
    rng = np.random.default_rng(2)
    row, col = np.mgrid[:SIDE, :SIDE] * STEP_MM
    away = (row - 38.0) * np.cos(np.radians(60.0)) - (col - 38.0) * np.sin(np.radians(60.0))
    halo = np.exp(-0.5 * ((away + 2.0) / 1.0) ** 2)
    image += edge - (60.0 * halo).astype(np.float32)
    image += (halo * gaussian_filter(rng.standard_normal(image.shape), 1.6) * 90.0).astype(np.float32)
    calcium = np.array([[20.0, 50.0], [22.0, 51.0]])
    add_specks(image, calcium, 300.0)
    found = detect(image, STEP_MM).calcifications
    at_mm = found[["row_px", "col_px"]].to_numpy() * STEP_MM
    from_calcium = np.hypot(*(at_mm[:, None] - calcium[None]).transpose(2, 0, 1))
    assert (from_calcium.min(axis=0) < 0.3).all()
    on_it = np.abs((at_mm[:, 0] - 38.0) * 0.5 - (at_mm[:, 1] - 38.0) * np.sin(np.radians(60.0))) < 4.0
    assert not (on_it & (from_calcium.min(axis=1) > 0.5)).any()


def test_at_the_muscle_more_must_stand_out() -> None:
    coarse = coarse_of(half_plane(0.0, 25.0))
    places = np.array([37.0, 35.0, 30.0]), np.full(3, 38.0)
    assert (least_contrast(coarse, *places) == 0.0).all()  # too low a step for an edge of any tissue
    least = least_contrast(coarse, *places, np.array([True, True, True]))
    assert least[:2] == pytest.approx(25.0 * MUSCLE_SHARE, rel=0.1)
    assert least[2] == 0.0
    assert (least_contrast(coarse, *places, np.zeros(3, bool)) == 0.0).all()


def test_where_the_edge_of_the_muscle_is() -> None:
    pectoral = np.zeros((400, 300), bool)
    pectoral[:200, :100] = True
    breast = BreastRegion(
        np.ones_like(pectoral),
        np.ones_like(pectoral),
        pectoral,
        np.full((100, 75), 50.0, np.float32),
        (4.0, 4.0),
    )
    row, col = np.array([100.0, 100.0, 100.0, 205.0, 0.0]), np.array([95.0, 110.0, 180.0, 50.0, 10.0])
    near = breast.near_muscle_edge(row, col, 4.0, (0.1, 0.1))
    assert near.tolist() == [True, True, False, True, False]
    none = dataclasses.replace(breast, pectoral=np.zeros_like(pectoral))
    assert not none.near_muscle_edge(row, col, 4.0, (0.1, 0.1)).any()
