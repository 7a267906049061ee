"""Grey scale: padding, rescale, polarity, linear raw, saturation and windows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_factory import breast_image, raw_image, write_dicom
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from mcdetect.errors import UnusableImageError
from mcdetect.image.mammogram import Intent
from mcdetect.readers.grey import saturation_level
from mcdetect.readers.polarity import judge_polarity
from mcdetect.readers.read import read_mammogram

IMAGE = breast_image()
RAW = raw_image()
RAW_TOP = (1 << 14) - 1
PROCESSING: dict[str, Any] = {
    "SOPClassUID": uid.DigitalMammographyXRayImageStorageForProcessing,
    "PresentationIntentType": "FOR PROCESSING",
    "BitsStored": 14,
}
INVERTED_FLAG = "air was brighter than the breast: inverted against the header"


def test_monochrome1_is_inverted_about_the_stored_range(tmp_path: Path) -> None:
    stored = (4095 - IMAGE).astype(np.uint16)
    image = read_mammogram(write_dicom(tmp_path / "a.dcm", stored, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(image.pixels, IMAGE)
    assert image.flags == ()
    assert "MONOCHROME1" in image.details["grey scale"]


def test_signed_monochrome1(tmp_path: Path) -> None:
    signed = (2047 - IMAGE.astype(np.int32)).astype(np.int16)
    image = read_mammogram(write_dicom(tmp_path / "a.dcm", signed, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(image.pixels, -1.0 - signed)


def test_rescale_and_its_impossible_values(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", IMAGE, RescaleSlope="0.5", RescaleIntercept="-100")
    np.testing.assert_array_equal(read_mammogram(path).pixels, 0.5 * IMAGE - 100)
    path = write_dicom(tmp_path / "b.dcm", IMAGE, RescaleSlope="0", RescaleIntercept="-100")
    image = read_mammogram(path)
    np.testing.assert_array_equal(image.pixels, IMAGE)
    assert "impossible Rescale Slope ignored" in image.flags


def test_negative_slope_turns_the_scale(tmp_path: Path) -> None:
    stored = (4095 - IMAGE).astype(np.uint16)
    path = write_dicom(tmp_path / "a.dcm", stored, RescaleSlope="-1", RescaleIntercept="4095")
    np.testing.assert_array_equal(read_mammogram(path).pixels, IMAGE)


def test_modality_lut(tmp_path: Path) -> None:
    item = Dataset()
    item.LUTDescriptor = [4096, 0, 16]
    item.ModalityLUTType = "US"
    item.LUTData = (np.arange(4096) * 3 + 7).astype("<u2").tobytes()
    path = write_dicom(tmp_path / "a.dcm", IMAGE, ModalityLUTSequence=Sequence([item]))
    image = read_mammogram(path)
    np.testing.assert_array_equal(image.pixels, IMAGE * 3.0 + 7)
    assert "modality LUT of 4096 entries" in image.details["grey scale"]


@pytest.mark.parametrize("limits", [(10, 40), (40, 10), (25, None)])
def test_padding_is_masked_before_the_rescale(tmp_path: Path, limits: tuple[int, int | None]) -> None:
    stored = IMAGE.copy()
    stored[stored <= 40] = 41
    stored[:20, 100:] = 25
    path = write_dicom(
        tmp_path / "a.dcm",
        stored,
        PixelPaddingValue=limits[0],
        PixelPaddingRangeLimit=limits[1],
        RescaleSlope="2",
        RescaleIntercept="5",
    )
    image = read_mammogram(path)
    assert image.valid is not None
    np.testing.assert_array_equal(image.valid, stored != 25)
    np.testing.assert_array_equal(image.pixels[image.valid], 2.0 * stored[image.valid] + 5)
    assert image.pixels[~image.valid].max() == image.pixels[image.valid].min()


def test_both_ends_of_the_padding_range_are_padding(tmp_path: Path) -> None:
    stored = IMAGE.copy()
    stored[stored <= 60] = 61
    for k, value in enumerate((9, 10, 11, 39, 40, 41)):
        stored[10 * k : 10 * k + 10, 100:] = value
    for limits in ((10, 40), (40, 10)):
        path = write_dicom(
            tmp_path / "a.dcm", stored, PixelPaddingValue=limits[0], PixelPaddingRangeLimit=limits[1]
        )
        valid = read_mammogram(path).valid
        assert valid is not None
        assert [bool(valid[10 * k + 5, 110]) for k in range(6)] == [True, False, False, False, False, True]
        assert valid[:, :100].all()


def test_padding_of_inverted_images_stays_dark(tmp_path: Path) -> None:
    stored = (4095 - IMAGE).astype(np.uint16)
    stored[:30] = 0
    path = write_dicom(
        tmp_path / "a.dcm", stored, PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=0
    )
    image = read_mammogram(path)
    assert image.valid is not None
    assert not image.valid[:30].any()
    assert image.pixels[:30].max() == image.pixels.min()


def test_padding_value_that_never_occurs_gives_no_mask(tmp_path: Path) -> None:
    assert read_mammogram(write_dicom(tmp_path / "a.dcm", IMAGE, PixelPaddingValue=0)).valid is None


@pytest.mark.parametrize("relationship", ["LIN", None])
@pytest.mark.parametrize("sign", [1, None])
def test_linear_raw_stays_linear(tmp_path: Path, relationship: str | None, sign: int | None) -> None:
    path = write_dicom(
        tmp_path / "a.dcm",
        RAW,
        **PROCESSING,
        PhotometricInterpretation="MONOCHROME1",
        PixelIntensityRelationship=relationship,
        PixelIntensityRelationshipSign=sign,
    )
    image = read_mammogram(path)
    assert image.intent is Intent.FOR_PROCESSING
    assert image.zero_exposure_level == RAW_TOP
    np.testing.assert_array_equal(image.zero_exposure_level - image.pixels, RAW)
    assert image.flags == ()
    assert image.display_window is None


def test_linear_raw_stored_already_bright(tmp_path: Path) -> None:
    path = write_dicom(
        tmp_path / "a.dcm",
        (RAW_TOP - RAW).astype(np.uint16),
        **PROCESSING,
        PixelIntensityRelationship="LIN",
        PixelIntensityRelationshipSign=-1,
    )
    image = read_mammogram(path)
    assert image.zero_exposure_level == RAW_TOP
    np.testing.assert_array_equal(RAW_TOP - image.pixels, RAW)


def test_rescaled_linear_raw_keeps_the_zero_of_the_signal(tmp_path: Path) -> None:
    path = write_dicom(
        tmp_path / "a.dcm",
        RAW,
        **PROCESSING,
        PixelIntensityRelationship="LIN",
        PixelIntensityRelationshipSign=1,
        RescaleSlope="2",
        RescaleIntercept="-30",
    )
    image = read_mammogram(path)
    assert image.zero_exposure_level is not None
    np.testing.assert_array_equal(image.zero_exposure_level - image.pixels, 2.0 * RAW - 30)


@pytest.mark.parametrize(("sign", "flip"), [(1, True), (-1, False)])
def test_log_raw_has_no_zero_level(tmp_path: Path, sign: int, flip: bool) -> None:
    bright = np.rint(16000 - 1500 * np.log(RAW)).astype(np.uint16)
    stored = (RAW_TOP - bright).astype(np.uint16) if flip else bright
    path = write_dicom(
        tmp_path / "a.dcm",
        stored,
        **PROCESSING,
        PixelIntensityRelationship="LOG",
        PixelIntensityRelationshipSign=sign,
    )
    image = read_mammogram(path)
    assert image.zero_exposure_level is None
    np.testing.assert_array_equal(image.pixels, bright)
    assert image.flags == ()


def test_linear_raw_with_the_wrong_sign_is_put_right(tmp_path: Path) -> None:
    path = write_dicom(
        tmp_path / "a.dcm",
        RAW,
        **PROCESSING,
        PixelIntensityRelationship="LIN",
        PixelIntensityRelationshipSign=-1,
    )
    image = read_mammogram(path)
    assert INVERTED_FLAG in image.flags
    assert image.zero_exposure_level is not None
    np.testing.assert_array_equal(image.zero_exposure_level - image.pixels, RAW)


def test_processing_label_on_processed_pixels_is_noticed(tmp_path: Path) -> None:
    # A processed image with little range between air and breast: no detector signal looks like this.
    processed = np.rint(6000 + 0.8 * IMAGE).astype(np.uint16)
    path = write_dicom(
        tmp_path / "a.dcm",
        (RAW_TOP - processed).astype(np.uint16),
        **PROCESSING,
        PixelIntensityRelationship="LIN",
        PixelIntensityRelationshipSign=1,
    )
    image = read_mammogram(path)
    assert image.zero_exposure_level is None
    assert "FOR PROCESSING, but the grey levels are not linear in exposure" in image.flags
    np.testing.assert_array_equal(image.pixels, processed)


def test_wrong_photometric_interpretation_is_put_right(tmp_path: Path) -> None:
    image = read_mammogram(write_dicom(tmp_path / "a.dcm", IMAGE, PhotometricInterpretation="MONOCHROME1"))
    assert INVERTED_FLAG in image.flags
    np.testing.assert_array_equal(image.pixels, IMAGE)


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_air_is_found_on_every_side_and_in_both_polarities(turns: int, mirrored: bool) -> None:
    image = np.rot90(IMAGE[:, ::-1] if mirrored else IMAGE, turns).astype(np.float32)
    sides = ["right", "top", "left", "bottom"]
    expected = sides[(turns + (2 if mirrored else 0)) % 4]
    for pixels, brighter in ((image, False), (4095 - image, True)):
        air = judge_polarity(pixels).air
        assert air is not None
        assert air.side == expected
        assert air.brighter is brighter


def test_air_is_not_invented() -> None:
    rng = np.random.default_rng(0)
    assert judge_polarity(rng.normal(size=(200, 200))).air is None
    assert judge_polarity(np.zeros((200, 200))).air is None
    y, x = np.mgrid[:200, :200]
    assert judge_polarity(np.cos(x / 9.0) + np.sin(y / 7.0)).air is None
    assert judge_polarity(IMAGE, np.zeros(IMAGE.shape, dtype=bool)).air is None


@settings(max_examples=25)
@given(gain=st.floats(0.01, 100.0), offset=st.floats(-1e4, 1e4))
def test_air_does_not_depend_on_gain_and_offset(gain: float, offset: float) -> None:
    reference = judge_polarity(IMAGE).air
    air = judge_polarity(IMAGE * gain + offset).air
    assert reference is not None
    assert air is not None
    assert (air.side, air.brighter) == (reference.side, reference.brighter)


@pytest.mark.parametrize(
    ("attributes", "window"),
    [
        ({"WindowCenter": "2048", "WindowWidth": "4096"}, (0.0, 4095.0)),
        ({"WindowCenter": ["1000", "2048"], "WindowWidth": ["201", "4096"]}, (899.5, 1099.5)),
        (
            {"WindowCenter": "1000", "WindowWidth": "200", "VOILUTFunction": "LINEAR_EXACT"},
            (900.0, 1100.0),
        ),
        ({"WindowCenter": "1000", "WindowWidth": "200", "VOILUTFunction": "SIGMOID"}, (900.0, 1100.0)),
        ({"WindowCenter": "1000", "WindowWidth": "0"}, None),
        ({"WindowCenter": "1000"}, None),
        ({"WindowCenter": "1000", "WindowWidth": "200", "VOILUTFunction": "OTHER"}, None),
        ({}, None),
    ],
)
def test_display_window(
    tmp_path: Path, attributes: dict[str, Any], window: tuple[float, float] | None
) -> None:
    image = read_mammogram(write_dicom(tmp_path / "a.dcm", IMAGE, **attributes))
    assert image.display_window == window
    np.testing.assert_array_equal(image.pixels, IMAGE)
    stored = (4095 - IMAGE).astype(np.uint16)
    inverted = read_mammogram(
        write_dicom(tmp_path / "b.dcm", stored, PhotometricInterpretation="MONOCHROME1", **attributes)
    )
    expected = None if window is None else (4095 - window[1], 4095 - window[0])
    assert inverted.display_window == expected


def test_saturation_is_reported_only_where_levels_pile_up(tmp_path: Path) -> None:
    assert read_mammogram(write_dicom(tmp_path / "a.dcm", IMAGE)).saturation_level is None
    clipped = np.minimum(IMAGE, np.uint16(2300))
    image = read_mammogram(write_dicom(tmp_path / "b.dcm", clipped))
    assert image.saturation_level == 2300.0
    ramp = np.tile(np.arange(200, dtype=np.float32), (200, 1))
    assert saturation_level(ramp, None) is None


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((100, 100), np.uint16), "blank"),
        (np.full((100, 100), 700, np.uint16), "blank"),
        (np.where(IMAGE > 1000, 255, 0).astype(np.uint8), "two grey levels"),
        (np.zeros((10, 10), np.uint16), "only 10 x 10 pixels"),
        (breast_image(40, 40), r"only 2\.8 x 2\.8 mm"),
    ],
)
def test_images_with_nothing_in_them(tmp_path: Path, pixels: np.ndarray[Any, Any], message: str) -> None:
    with pytest.raises(UnusableImageError, match=message):
        read_mammogram(write_dicom(tmp_path / "a.dcm", pixels))


def test_all_padding(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", IMAGE, PixelPaddingValue=0, PixelPaddingRangeLimit=4095)
    with pytest.raises(UnusableImageError, match="padding"):
        read_mammogram(path)


def test_8_bit_is_flagged(tmp_path: Path) -> None:
    image = read_mammogram(write_dicom(tmp_path / "a.dcm", (IMAGE >> 4).astype(np.uint8)))
    assert image.flags == ("8-bit grey scale",)
    assert image.details["bits"] == "8 of 8, unsigned"


def test_lossy_history_is_flagged_whatever_the_syntax(tmp_path: Path) -> None:
    image = read_mammogram(write_dicom(tmp_path / "a.dcm", IMAGE, LossyImageCompression="01"))
    assert "lossy compression" in image.flags
