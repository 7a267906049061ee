"""What lies above the value in the stored words is masked; width and sign are told from the pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from dicom_factory import breast_image, make_dataset, save, write_dicom
from hypothesis import given, settings
from hypothesis import strategies as st

from mcdetect.readers.dicom.bits import settle_bits
from mcdetect.readers.read import read_mammogram

IMAGE = breast_image()
DROPPED = "bits above Bits Stored hold something else: dropped"
EXCEED = "pixel values exceed Bits Stored"
UNSIGNED = "Pixel Representation says signed, but the pixels are unsigned"
SIGNED = "Pixel Representation says unsigned, but the pixels are signed"


def words_of_text(shape: tuple[int, int], bit: int) -> npt.NDArray[np.uint16]:
    picture = np.zeros(shape, np.uint8)
    cv2.putText(picture, "ABC 12", (5, shape[0] // 2), cv2.FONT_HERSHEY_SIMPLEX, 0.9, 1, 2)
    return picture.astype(np.uint16) << bit


@pytest.mark.parametrize("bit", [12, 13, 15])
@pytest.mark.parametrize("declared", [False, True])
@pytest.mark.parametrize("signed", [False, True])
def test_text_in_spare_bits(tmp_path: Path, bit: int, declared: bool, signed: bool) -> None:
    values = IMAGE.astype(np.int32) - (2048 if signed else 0)
    words = (values & 0xFFF).astype(np.uint16) | words_of_text(IMAGE.shape, bit)
    ds = make_dataset(IMAGE, PixelRepresentation=int(signed))
    if declared:
        ds.add_new(0x60000102, "US", bit)
    ds.PixelData = words.tobytes()
    image = read_mammogram(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(image.pixels, values)
    assert image.flags == (() if declared else (DROPPED,))
    assert "dropped" in image.details["grey scale"]


@pytest.mark.parametrize("stored", [10, 12, 14])
def test_garbage_in_spare_bits(tmp_path: Path, stored: int) -> None:
    values = breast_image(bits=stored)
    garbage = np.random.default_rng(stored).integers(0, 1 << (16 - stored), values.shape).astype(np.uint16)
    path = write_dicom(tmp_path / "a.dcm", values | (garbage << stored), BitsStored=stored)
    image = read_mammogram(path)
    np.testing.assert_array_equal(image.pixels, values)
    assert DROPPED in image.flags


def test_differences_that_wrapped_in_the_codec(tmp_path: Path) -> None:
    # Lossless JPEG predicts modulo 65536; where an encoder did it modulo 4096, carries stay in the high bits.
    steps = np.diff(IMAGE.astype(np.int32), axis=1, prepend=0) % 4096
    words = np.cumsum(steps, axis=1) % 65536
    image = read_mammogram(write_dicom(tmp_path / "a.dcm", words.astype(np.uint16)))
    np.testing.assert_array_equal(image.pixels, IMAGE)
    assert DROPPED in image.flags


@pytest.mark.parametrize(("stated", "true"), [(10, 12), (12, 14), (8, 10), (12, 16)])
def test_values_that_need_more_bits_than_stated(tmp_path: Path, stated: int, true: int) -> None:
    values = breast_image(bits=true)
    values[2:12, 90:110] = (1 << true) - 1  # a burnt-in label
    image = read_mammogram(write_dicom(tmp_path / "a.dcm", values, BitsStored=stated))
    np.testing.assert_array_equal(image.pixels, values)
    assert EXCEED in image.flags


def test_more_bits_than_stated_and_text_above(tmp_path: Path) -> None:
    words = IMAGE | words_of_text(IMAGE.shape, 15)
    image = read_mammogram(write_dicom(tmp_path / "a.dcm", words, BitsStored=10))
    np.testing.assert_array_equal(image.pixels, IMAGE)
    assert EXCEED in image.flags


@pytest.mark.parametrize("bits", [12, 14, 16])
def test_sign_by_mistake(tmp_path: Path, bits: int) -> None:
    values = breast_image(bits=bits)
    path = write_dicom(tmp_path / "a.dcm", values, BitsStored=bits, PixelRepresentation=1)
    image = read_mammogram(path)
    np.testing.assert_array_equal(image.pixels, values)
    assert image.flags == (UNSIGNED,)


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("bits", [12, 14])
def test_sign_left_out(tmp_path: Path, bits: int, extended: bool) -> None:
    values = breast_image(bits=bits).astype(np.int32) - (1 << (bits - 1))
    words = (values if extended else values & ((1 << bits) - 1)).astype(np.uint16)
    image = read_mammogram(write_dicom(tmp_path / "a.dcm", words, BitsStored=bits))
    np.testing.assert_array_equal(image.pixels, values)
    assert SIGNED in image.flags


@pytest.mark.parametrize("signed", [False, True])
def test_labels_and_borders_do_not_decide_on_the_sign(tmp_path: Path, signed: bool) -> None:
    values = (breast_image() // 3).astype(np.int32)  # tissue far below half of the range
    noise = np.random.default_rng(1)
    values[:, -12:] = 4050 + noise.integers(
        -30, 30, (len(values), 12)
    )  # a border beside black air, with grain
    values[20:40, 90:110] = 4095
    values[:, 100:112] = noise.integers(1, 60, (len(values), 12))
    stored = (values - 2048).astype(np.int16) if signed else values.astype(np.uint16)
    image = read_mammogram(write_dicom(tmp_path / "a.dcm", stored))
    np.testing.assert_array_equal(image.pixels, stored)
    assert not any("Pixel Representation" in flag for flag in image.flags)


@pytest.mark.parametrize("padding", [65535, 40000])
def test_padding_above_bits_stored_is_padding(tmp_path: Path, padding: int) -> None:
    words = IMAGE.copy()
    words[:30] = padding
    image = read_mammogram(write_dicom(tmp_path / "a.dcm", words, PixelPaddingValue=padding))
    assert image.valid is not None
    np.testing.assert_array_equal(image.valid, words != padding)
    np.testing.assert_array_equal(image.pixels[30:], IMAGE[30:])
    assert image.flags == ()


@settings(max_examples=60)
@given(
    stored=st.integers(8, 15),
    signed=st.booleans(),
    low=st.floats(0.0, 0.3),
    high=st.floats(0.5, 1.0),
    seed=st.integers(0, 5),
    junk=st.sampled_from(["none", "bit", "random"]),
)
def test_stated_values_are_never_changed(
    stored: int, signed: bool, low: float, high: float, seed: int, junk: str
) -> None:
    top = (1 << stored) - 1
    shape = breast_image(80, 64, seed=seed).astype(np.float64) / 4095
    values = np.rint((low + (high - low) * shape) * top).astype(np.int64) - (1 << (stored - 1)) * signed
    words = values & top
    noise = np.random.default_rng(seed)
    spare = 16 - stored
    junk_words: dict[str, Any] = {
        "none": 0,
        "bit": (noise.random(words.shape) < 0.2).astype(np.int64) << (spare - 1),
        "random": noise.integers(0, 1 << spare, words.shape),
    }
    found = settle_bits((words | (junk_words[junk] << stored)).astype(np.uint16), stored, signed)
    assert (found.bits, found.signed) == (stored, signed)
    np.testing.assert_array_equal(found.values.astype(np.int64), values)
