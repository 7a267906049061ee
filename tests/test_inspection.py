"""What `mcdetect inspect` reports."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from dicom_factory import BIRTH, PATIENT, PATIENT_ID, breast_image, encode, write_dicom
from pydicom import uid

from mcdetect.errors import UnreadableFileError
from mcdetect.readers.inspection import inspect

IMAGE = breast_image()


def test_a_good_file(tmp_path: Path) -> None:
    path = write_dicom(
        tmp_path / "a.dcm",
        IMAGE,
        uid.JPEG2000Lossless,
        [encode(IMAGE, uid.JPEG2000Lossless)],
        WindowCenter="2000",
        WindowWidth="1001",
        EstimatedRadiographicMagnificationFactor="1.4",
        PaddleDescription="MAG",
    )
    report = inspect(path)
    assert report.eligible
    assert report.reasons == ()
    rows = dict(report.rows())
    assert rows["View"] == "CC (View Position)"
    assert rows["Laterality"] == "L (Image Laterality)"
    assert rows["Intent"] == "FOR PRESENTATION"
    assert rows["Transfer syntax"] == uid.JPEG2000Lossless.name
    assert rows["Size"] == "160 x 128 pixels (rows x columns)"
    assert rows["Bits"] == "12 of 16, unsigned"
    assert rows["Pixel spacing"] == (
        "0.05 x 0.05 mm (rows x columns), "
        "Imager Pixel Spacing / Estimated Radiographic Magnification Factor of 1.4, object plane"
    )
    assert rows["Display window"] == "1499.5 to 2499.5"
    assert rows["Flags"] == "magnification view"
    assert rows["Would be processed"] == "yes"


def test_every_obstacle_is_listed(tmp_path: Path) -> None:
    path = write_dicom(
        tmp_path / "a.dcm",
        np.zeros((100, 100), np.uint16),
        Modality="CT",
        SOPClassUID=uid.CTImageStorage,
        ImagerPixelSpacing=None,
    )
    report = inspect(path)
    assert not report.eligible
    rows = report.rows()
    assert ("Would be processed", "no") in rows
    reasons = [value for name, value in rows if name in ("Because", "Also")]
    assert len(reasons) == 3
    assert "a CT image" in reasons[0]
    assert "--force" in reasons[0]
    assert "--pixel-spacing" in reasons[1]
    assert "blank" in reasons[2]
    given = inspect(path, pixel_spacing_mm=0.1, force=True)
    assert len(given.reasons) == 1
    assert "blank" in given.reasons[0]
    assert not given.eligible


def test_linear_raw_steps_are_told(tmp_path: Path) -> None:
    from dicom_factory import raw_image

    path = write_dicom(
        tmp_path / "a.dcm",
        raw_image(),
        BitsStored=14,
        PresentationIntentType="FOR PROCESSING",
        PhotometricInterpretation="MONOCHROME1",
        PixelIntensityRelationship="LIN",
        PixelIntensityRelationshipSign=1,
    )
    rows = dict(inspect(path).rows())
    assert rows["Grey scale"] == "LIN, sign +1: inverted; linear raw, signal zero at 16383"
    assert rows["Chest wall"] == "left"


def test_truncated_and_stacked_files_are_reported(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", IMAGE)
    path.write_bytes(path.read_bytes()[:-500])
    report = inspect(path)
    assert not report.eligible
    assert "truncated" in report.reasons[0]
    stack = write_dicom(tmp_path / "b.dcm", np.stack([IMAGE] * 3), Rows=160, Columns=128, NumberOfFrames=3)
    assert "3 frames" in inspect(stack).reasons[0]


def test_pictures(tmp_path: Path) -> None:
    path = tmp_path / "1_L_CC.png"
    cv2.imwrite(str(path), IMAGE)
    report = inspect(path)
    assert not report.eligible
    assert "--pixel-spacing" in report.reasons[0]
    report = inspect(path, pixel_spacing_mm=0.07)
    assert report.eligible
    rows = dict(report.rows())
    assert rows["Format"] == "PNG"
    assert rows["View"] == "CC (file name)"
    assert rows["Pixel spacing"].startswith("0.07 x 0.07 mm (rows x columns), given by the user")


def test_unreadable_files_raise(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError):
        inspect(tmp_path / "nowhere.dcm")
    text = tmp_path / "a.dcm"
    text.write_text("hello " * 100)
    with pytest.raises(UnreadableFileError, match="text"):
        inspect(text)


def test_no_identity_is_shown(tmp_path: Path) -> None:
    shown = str(inspect(write_dicom(tmp_path / "a.dcm")).rows())
    for secret in (PATIENT, PATIENT_ID, BIRTH, "20200229", "1.2.826"):
        assert secret not in shown
