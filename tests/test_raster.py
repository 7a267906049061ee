"""Pictures other than DICOM."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile
from dicom_factory import SHARED, breast_image

from mcdetect.errors import InputFileError, MissingSpacingError, UnreadableFileError, UnusableImageError
from mcdetect.image.mammogram import Intent
from mcdetect.readers.read import read_mammogram

IMAGE = breast_image()
SMALL = (IMAGE >> 4).astype(np.uint8)


def write_with_cv2(path: Path, image: np.ndarray[Any, Any]) -> Path:
    assert cv2.imwrite(str(path), image)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
@pytest.mark.parametrize("image", [IMAGE, SMALL], ids=["16", "8"])
def test_lossless_pictures_are_exact(tmp_path: Path, name: str, image: np.ndarray[Any, Any]) -> None:
    found = read_mammogram(write_with_cv2(tmp_path / name, image), pixel_spacing_mm=0.07)
    assert found.pixels.dtype == np.float32
    np.testing.assert_array_equal(found.pixels, image)
    assert found.intent is Intent.UNKNOWN
    assert found.source == name
    assert found.spacing.source == "given by the user"
    assert ("8-bit grey scale" in found.flags) == (image is SMALL)


def test_bmp_and_jpeg(tmp_path: Path) -> None:
    found = read_mammogram(write_with_cv2(tmp_path / "a.bmp", SMALL), pixel_spacing_mm=(0.07, 0.08))
    np.testing.assert_array_equal(found.pixels, SMALL)
    assert (found.spacing.row_mm, found.spacing.col_mm) == (0.07, 0.08)
    found = read_mammogram(write_with_cv2(tmp_path / "a.jpg", SMALL), pixel_spacing_mm=0.07)
    assert np.abs(found.pixels - SMALL).max() < 20
    assert "lossy compression" in found.flags


def test_jpeg_2000_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.jp2"
    path.write_bytes(imagecodecs.jpeg2k_encode(IMAGE, codecformat="jp2", reversible=True))
    found = read_mammogram(path, pixel_spacing_mm=0.07)
    np.testing.assert_array_equal(found.pixels, IMAGE)
    assert found.flags == ()


def test_plain_pgm_with_comments(tmp_path: Path) -> None:
    path = tmp_path / "a.pgm"
    body = "\n".join(" ".join(map(str, row)) for row in IMAGE)
    path.write_text(f"P2\n# a comment\n{IMAGE.shape[1]} {IMAGE.shape[0]}\n# more\n4095\n{body}\n")
    np.testing.assert_array_equal(read_mammogram(path, pixel_spacing_mm=0.07).pixels, IMAGE)


def test_raw_pgm_with_comment_and_first_sample_that_looks_like_space(tmp_path: Path) -> None:
    image = IMAGE.copy()
    image[0, 0] = 0x2020
    path = tmp_path / "a.pgm"
    head = f"P5\n# scanned\n{IMAGE.shape[1]} {IMAGE.shape[0]}\n65535\n".encode()
    path.write_bytes(head + image.astype(">u2").tobytes())
    np.testing.assert_array_equal(read_mammogram(path, pixel_spacing_mm=0.07).pixels, image)


def test_spacing_is_required_even_where_the_file_states_a_resolution(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, IMAGE, resolution=(142.857, 142.857), resolutionunit="CENTIMETER")
    with pytest.raises(MissingSpacingError, match=r"a\.tif: .*--pixel-spacing"):
        read_mammogram(path)


def test_grey_colour_is_read_and_real_colour_refused(tmp_path: Path) -> None:
    grey = np.repeat(SMALL[..., None], 3, axis=2)
    for name in ("a.png", "a.tif", "a.bmp"):
        found = read_mammogram(write_with_cv2(tmp_path / name, grey), pixel_spacing_mm=0.07)
        np.testing.assert_array_equal(found.pixels, SMALL)
    grey[50:60, 20:40, 0] = 250
    with pytest.raises(UnusableImageError, match="colour"):
        read_mammogram(write_with_cv2(tmp_path / "b.png", grey), pixel_spacing_mm=0.07)


def test_alpha_channel(tmp_path: Path) -> None:
    picture = np.dstack([SMALL, SMALL, SMALL, np.full_like(SMALL, 255)])
    found = read_mammogram(write_with_cv2(tmp_path / "a.png", picture), pixel_spacing_mm=0.07)
    np.testing.assert_array_equal(found.pixels, SMALL)
    picture[0, 0, 3] = 0
    with pytest.raises(UnusableImageError, match="transparent"):
        read_mammogram(write_with_cv2(tmp_path / "a.png", picture), pixel_spacing_mm=0.07)


def test_tiff_variants(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, (65535 - IMAGE).astype(np.uint16), photometric="miniswhite")
    np.testing.assert_array_equal(read_mammogram(path, pixel_spacing_mm=0.07).pixels, IMAGE)
    tifffile.imwrite(path, IMAGE, compression="lzw", tile=(64, 64))
    np.testing.assert_array_equal(read_mammogram(path, pixel_spacing_mm=0.07).pixels, IMAGE)
    holes = IMAGE.astype(np.float32)
    holes[:9] = np.nan
    tifffile.imwrite(path, holes)
    found = read_mammogram(path, pixel_spacing_mm=0.07)
    assert found.valid is not None
    assert not found.valid[:9].any()
    assert np.isfinite(found.pixels).all()
    tifffile.imwrite(path, np.stack([IMAGE, IMAGE[::-1]]), photometric="minisblack")
    with pytest.raises(InputFileError, match="2 pictures"):
        read_mammogram(path, pixel_spacing_mm=0.07)
    second = read_mammogram(path, pixel_spacing_mm=0.07, force=True, frame=1)
    np.testing.assert_array_equal(second.pixels, IMAGE[::-1])


def test_inverted_pictures_are_put_right_and_flagged(tmp_path: Path) -> None:
    path = write_with_cv2(tmp_path / "a.png", (255 - SMALL).astype(np.uint8))
    found = read_mammogram(path, pixel_spacing_mm=0.07)
    np.testing.assert_array_equal(found.pixels, SMALL)
    assert "air was brighter than the breast: inverted" in found.flags


def test_view_and_side_come_from_the_name(tmp_path: Path) -> None:
    found = read_mammogram(write_with_cv2(tmp_path / "1_R_MLO.png", IMAGE), pixel_spacing_mm=0.07)
    assert (found.laterality, found.view) == ("R", "MLO")
    found = read_mammogram(write_with_cv2(tmp_path / "mdb1.png", IMAGE), pixel_spacing_mm=0.07)
    assert (found.laterality, found.view) == (None, None)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm", "a.bmp", "a.jpg"])
@pytest.mark.parametrize("keep", [0.7, 0.03])
def test_truncated_pictures(tmp_path: Path, name: str, keep: float) -> None:
    path = write_with_cv2(tmp_path / name, SMALL)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(UnreadableFileError, match=f"{name}: .*; "):
        read_mammogram(path, pixel_spacing_mm=0.07)


def test_png_that_claims_to_be_huge(tmp_path: Path) -> None:
    path = write_with_cv2(tmp_path / "a.png", SMALL)
    data = bytearray(path.read_bytes())
    data[16:24] = (60000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    path.write_bytes(bytes(data))
    with pytest.raises(UnusableImageError, match="million accepted"):
        read_mammogram(path, pixel_spacing_mm=0.07)


@pytest.mark.parametrize(
    "image", [np.zeros((99, 99), np.uint8), np.eye(99, dtype=np.uint8) * 255, SMALL[:20]]
)
def test_useless_pictures(tmp_path: Path, image: np.ndarray[Any, Any]) -> None:
    with pytest.raises(UnusableImageError):
        read_mammogram(write_with_cv2(tmp_path / "a.png", image), pixel_spacing_mm=0.07)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared test data is absent")
def test_public_sets_load_without_being_turned_over() -> None:
    names = {"fda_p0/p0_01.png": 0.085, "nyu_1/1_L_CC.png": 0.07}
    names |= {f"mini_mias/{path.name}": 0.2 for path in (SHARED / "mini_mias").glob("*.pgm")}
    for name, spacing in names.items():
        found = read_mammogram(SHARED / name, pixel_spacing_mm=spacing)
        assert not any("inverted" in flag for flag in found.flags), name
