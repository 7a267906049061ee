"""DICOM files, good and bad, for tests of the command line."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import config as pydicom_config
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
)

SPACING_MM = 0.1
NAME = "QUIXOTTERMANN^JANE"
PATIENT_ID = "ID-4711-SECRET"
BIRTH_DATE = "19480229"


def breast_pixels(rows: int = 1000, cols: int = 800) -> npt.NDArray[np.uint16]:
    """Return a bright half disc on air with noise, and six bright specks within a centimetre."""
    rng = np.random.default_rng(11)
    row, col = np.mgrid[:rows, :cols]
    distance = np.hypot(row - rows / 2, col) / (0.42 * rows)
    tissue = 1500.0 * np.sqrt(np.clip(1.0 - distance, 0.0, 1.0))
    pixels = 100.0 + tissue + rng.normal(0.0, 12.0, tissue.shape) * (tissue > 0)
    for dr, dc in ((0, 0), (30, 5), (-20, 25), (15, -30), (-35, -10), (5, 40)):
        r, c = rows // 2 + dr, 180 + dc
        pixels[r - 1 : r + 3, c - 1 : c + 2] += 450.0
    return np.clip(pixels, 0, 4095).astype(np.uint16)


def write_dicom(path: Path, pixels: npt.NDArray[np.uint16] | None = None, **elements: Any) -> Path:
    """Write a mammogram FOR PRESENTATION; `elements` replace or, when None, remove elements."""
    pixels = breast_pixels() if pixels is None else pixels
    ds = Dataset()
    ds.SOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    ds.SOPInstanceUID = ds.StudyInstanceUID = "1.2.3.4"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.StudyDate = NAME, PATIENT_ID, BIRTH_DATE, "20200101"
    ds.Modality, ds.PresentationIntentType = "MG", "FOR PRESENTATION"
    ds.ImageLaterality, ds.ViewPosition, ds.PatientOrientation = "L", "CC", ["A", "R"]
    ds.ImagerPixelSpacing = [SPACING_MM, SPACING_MM]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = pixels.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelData = pixels.astype("<u2").tobytes()
    with warnings.catch_warnings(), pydicom_config.disable_value_validation():
        warnings.simplefilter("ignore")
        for keyword, value in elements.items():
            if value is None:
                delattr(ds, keyword)
            else:
                setattr(ds, keyword, value)
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        path.parent.mkdir(parents=True, exist_ok=True)
        ds.save_as(path, enforce_file_format=True)
    return path


def write_bad_files(folder: Path) -> dict[str, str]:
    """Write the bad inputs of every day; return a word that each message must hold, by file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "text.dcm").write_text("this is no image\n" * 20)
    whole = write_dicom(folder / "truncated.dcm")
    whole.write_bytes(whole.read_bytes()[:-400_000])
    write_dicom(folder / "ct.dcm", Modality="CT", SOPClassUID=CTImageStorage, PresentationIntentType=None)
    write_dicom(folder / "black.dcm", np.zeros((1000, 800), np.uint16))
    write_dicom(folder / "tiny.dcm", np.arange(100, dtype=np.uint16).reshape(10, 10))
    write_dicom(folder / "nan.dcm", ImagerPixelSpacing=["NaN", "NaN"])
    write_dicom(folder / "nospacing.dcm", ImagerPixelSpacing=None)
    (folder / "empty.dcm").write_bytes(b"")
    return {
        "text.dcm": "text",
        "truncated.dcm": "truncated",
        "ct.dcm": "CT",
        "black.dcm": "",
        "tiny.dcm": "10",
        "nan.dcm": "--pixel-spacing",
        "nospacing.dcm": "--pixel-spacing",
        "empty.dcm": "empty",
    }
