"""The nipple, the depth and the density of tissue, on drawn breasts and on real images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from breast_phantom import draw_breast

from mcdetect.breast import BreastRegion, find_breast
from mcdetect.config import BreastConfig
from mcdetect.image.mammogram import Mammogram
from mcdetect.phantom import frame as phantom_frame

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared test data is absent")


def region_of(pixels: np.ndarray, spacing: float, view: str | None = None) -> BreastRegion:
    return find_breast(Mammogram.from_array(pixels, spacing, view=view), BreastConfig())


@pytest.mark.parametrize(("view", "laterality"), [("CC", "R"), ("MLO", "L")])
def test_nipple_of_drawn_breasts(view: str, laterality: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, original = [], phantom_frame.draw_outline

    def keep(*args: object) -> object:
        drawn.append(original(*args))
        return drawn[-1]

    monkeypatch.setattr(phantom_frame, "draw_outline", keep)
    spacing, shape = 0.4, (573, 478)
    phantom = phantom_frame.draw_mammogram(shape, spacing, seed=1, view=view, laterality=laterality)
    found = find_breast(phantom.to_mammogram(), BreastConfig())
    row, col = (mm / spacing - 0.5 for mm in drawn[-1].nipple_mm)
    col = col if laterality == "L" else shape[1] - 1 - col
    assert found.nipple_px is not None
    away = spacing * np.hypot(found.nipple_px[0] - row, found.nipple_px[1] - col)
    assert away < 2.0, f"{away:.1f} mm from the nipple"


@pytest.mark.parametrize(("turns", "mirror"), [(1, False), (2, False), (3, False), (0, True)])
def test_landmarks_turn_with_the_image(turns: int, mirror: bool) -> None:
    pixels = draw_breast(muscle_mm=(70.0, 30.0), seed=3).pixels
    shape = pixels.shape
    place = np.array([[shape[0] * 0.55, shape[1] * 0.3]])

    def turned(values: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.rot90(values[::-1] if mirror else values, turns))

    before, after = region_of(pixels, 0.2), region_of(turned(pixels), 0.2)
    marks = np.zeros(shape, np.uint8)
    marks[round(before.nipple_px[0]), round(before.nipple_px[1])] = 1
    marks[tuple(place[0].astype(int))] = 2
    marks = turned(marks)
    nipple, there = np.argwhere(marks == 1)[0], np.argwhere(marks == 2)[0].astype(float)
    assert 0.2 * np.hypot(*(nipple - after.nipple_px)) < 1.5
    old, new = place.astype(int).astype(float).T, there[:, None]
    for name in ("skin_distance_at", "chest_distance_at"):
        assert getattr(after, name)(*new) == pytest.approx(getattr(before, name)(*old), abs=1.5), name
    for name in ("depth_fraction_at", "density_rank_at"):
        assert getattr(after, name)(*new) == pytest.approx(getattr(before, name)(*old), abs=0.05), name


def test_depth_runs_from_skin_to_chest_wall() -> None:
    phantom = draw_breast()
    region = phantom.region()
    assert region.nipple_px == pytest.approx(phantom.position(80.0, 70.0), abs=2.0 / 0.2)
    col = np.array([1.0, 15.0, 35.0, 55.0, 69.0]) / 0.2
    row = np.full(col.size, 80.0 / 0.2)
    depth = region.depth_fraction_at(row, col)
    assert (np.diff(depth) < 0).all()
    assert depth[0] > 0.97
    assert depth[-1] < 0.05
    np.testing.assert_allclose(region.chest_distance_at(row, col), 0.2 * col, atol=0.5)


def test_the_chest_wall_of_an_oblique_view_is_the_muscle() -> None:
    phantom = draw_breast(muscle_mm=(90.0, 40.0))
    region = phantom.region("MLO")
    assert region.pectoral.any()
    inside = np.argwhere(region.pectoral).mean(axis=0)
    assert region.chest_distance_at(*inside[:, None])[0] == 0
    assert region.depth_fraction_at(*inside[:, None])[0] == 1
    # 10 mm off the middle of the muscle's edge, along its normal
    normal = np.array([40.0, 90.0]) / np.hypot(90.0, 40.0)
    off = (np.array([45.0, 20.0]) + 10.0 * normal) / 0.2
    assert region.chest_distance_at(*off[:, None])[0] == pytest.approx(10.0, abs=2.0)


def test_density_ranks_tissue_and_not_grey_levels() -> None:
    phantom = draw_breast()
    pixels = phantom.pixels.copy()
    dense, fat = phantom.box(55, 20, 20, 20), phantom.box(85, 20, 20, 20)
    pixels[dense] += 800
    pixels[fat] -= 500
    for image in (pixels, 300.0 * np.sqrt(pixels + 200)):
        region = region_of(image.astype(np.float32), 0.2)
        row, col = np.array([[65.0, 95.0], [30.0, 30.0]]) / 0.2
        found = region.density_rank_at(row, col)
        assert found[0] > 0.9
        assert found[1] < 0.1


def test_a_crop_has_no_landmarks() -> None:
    pixels = draw_breast().pixels[200:400, 50:250]
    region = region_of(pixels, 0.2)
    middle = np.array([100.0]), np.array([100.0])
    assert region.nipple_px is None
    assert not region.has_skin
    assert np.isnan(region.chest_distance_at(*middle)).all()
    assert np.isnan(region.depth_fraction_at(*middle)).all()
    assert 0 <= region.density_rank_at(*middle)[0] <= 1


def test_a_breast_cut_off_in_front_shows_no_nipple() -> None:
    pixels = draw_breast().pixels
    assert region_of(pixels[:, : round(45 / 0.2)], 0.2).nipple_px is None


# rows and columns read off the pictures by eye
SEEN = {
    "mini_mias/mdb003.pgm": (0.2, 608, 358),
    "mini_mias/mdb049.pgm": (0.2, 572, 195),
    "mini_mias/mdb248.pgm": (0.2, 575, 703),
    "nyu_1/1_L_CC.png": (0.07, 1575, 1205),
    "nyu_1/1_R_CC.png": (0.07, 1800, 1455),
}


@needs_shared
@pytest.mark.parametrize("name", SEEN)
def test_nipple_of_real_breasts(name: str) -> None:
    spacing, row, col = SEEN[name]
    pixels = cv2.imread(str(SHARED / name), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    region = region_of(pixels if pixels.ndim == 2 else pixels[..., 0], spacing)
    assert region.nipple_px is not None
    assert spacing * np.hypot(region.nipple_px[0] - row, region.nipple_px[1] - col) < 8.0
