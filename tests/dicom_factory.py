"""Draws small mammograms and writes them as DICOM files, for tests.

Everything is made with pydicom and imagecodecs; the truth of the pixels is known.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders import RLELosslessEncoder

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"

PATIENT = "Doe^Jane"
PATIENT_ID = "SECRET-4711"
BIRTH = "19610203"


def breast_image(
    rows: int = 160, cols: int = 128, *, bits: int = 12, seed: int = 0
) -> npt.NDArray[np.uint16]:
    """Return a dense-bright mammogram: breast on the left, dark air elsewhere, one bright speck."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :cols]
    inside = np.clip(1.0 - (x / (0.6 * cols)) ** 2 - ((y - rows / 2) / (0.45 * rows)) ** 2, 0.0, None)
    top = (1 << bits) - 1
    image = 0.03 * top + 0.6 * top * np.sqrt(inside) + rng.normal(0.0, 0.004 * top, (rows, cols))
    image[rows // 2 - 1 : rows // 2 + 1, cols // 5 : cols // 5 + 2] += 0.2 * top
    return np.clip(np.rint(image), 1, top - 1).astype(np.uint16)


def raw_image(rows: int = 160, cols: int = 128, *, bits: int = 14, seed: int = 0) -> npt.NDArray[np.uint16]:
    """Return the linear detector signal behind a breast on the left: air bright, tissue dark."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :cols]
    inside = np.clip(1.0 - (x / (0.6 * cols)) ** 2 - ((y - rows / 2) / (0.45 * rows)) ** 2, 0.0, None)
    thickness_cm = 4.5 * np.sqrt(inside)
    top = (1 << bits) - 1
    signal = 0.8 * top * np.exp(-0.7 * thickness_cm)
    return np.clip(np.rint(rng.normal(signal, np.sqrt(signal))), 1, top - 1).astype(np.uint16)


def make_dataset(pixels: npt.NDArray[Any] | None = None, **attributes: Any) -> Dataset:
    """Return a for-presentation CC mammogram; attributes override, None deletes.

    Parameters
    ----------
    pixels : (rows, cols) uint8, uint16 or int16 array, optional
        Stored values.
    **attributes
        DICOM keywords and values.
    """
    image = breast_image() if pixels is None else pixels
    ds = Dataset()
    ds.SOPClassUID = uid.DigitalMammographyXRayImageStorageForPresentation
    ds.SOPInstanceUID = "1.2.826.0.1.3680043.8.498.1"
    ds.Modality = "MG"
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.PatientName = PATIENT
    ds.PatientID = PATIENT_ID
    ds.PatientBirthDate = BIRTH
    ds.StudyDate = "20200229"
    ds.BodyPartExamined = "BREAST"
    ds.ImageLaterality = "L"
    ds.ViewPosition = "CC"
    ds.ImagerPixelSpacing = [0.07, 0.07]
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = image.shape[-2:] if image.ndim == 2 else image.shape[:2]
    ds.BitsAllocated = 8 * image.dtype.itemsize
    ds.BitsStored = 12 if image.dtype.itemsize == 2 else 8
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(image.dtype.kind == "i")
    for keyword, value in attributes.items():
        if value is None:
            if keyword in ds:
                delattr(ds, keyword)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # some tests write what the standard forbids
                setattr(ds, keyword, value)
    if "BitsStored" in attributes and attributes["BitsStored"] and "HighBit" not in attributes:
        ds.HighBit = ds.BitsStored - 1
    ds.PixelData = image.tobytes()
    ds["PixelData"].VR = "OW" if image.dtype.itemsize == 2 else "OB"
    return ds


def code_item(value: str, scheme: str, meaning: str = "x", **more: Any) -> Dataset:
    """Return an item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    for keyword, content in more.items():
        setattr(item, keyword, content)
    return item


def save(
    ds: Dataset, path: Path, syntax: uid.UID = uid.ExplicitVRLittleEndian, frames: list[bytes] | None = None
) -> Path:
    """Write a data set with file meta information; compressed `frames` are encapsulated."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.get("SOPClassUID", uid.SecondaryCaptureImageStorage)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.get("SOPInstanceUID", "1.2.3")
    ds.file_meta.TransferSyntaxUID = syntax
    if frames is not None:
        ds.PixelData = encapsulate(frames)
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
    if syntax.is_private:
        ds.save_as(path, enforce_file_format=True, implicit_vr=False, little_endian=True)
    else:
        ds.save_as(path, enforce_file_format=True)
    return path


def write_dicom(
    path: Path,
    pixels: npt.NDArray[Any] | None = None,
    syntax: uid.UID = uid.ExplicitVRLittleEndian,
    frames: list[bytes] | None = None,
    **attributes: Any,
) -> Path:
    """Make a data set and save it; see `make_dataset` and `save`."""
    image = breast_image() if pixels is None else pixels
    if syntax == uid.ExplicitVRBigEndian and frames is None:
        ds = make_dataset(image, **attributes)
        ds.PixelData = image.astype(image.dtype.newbyteorder(">")).tobytes()
        return save(ds, path, syntax)
    return save(make_dataset(image, **attributes), path, syntax, frames)


def encode(image: npt.NDArray[Any], syntax: uid.UID, bits: int = 12) -> bytes:
    """Compress one grey frame for a transfer syntax."""
    if syntax == uid.RLELossless:
        encoded: bytes = RLELosslessEncoder.encode(
            image,
            rows=image.shape[0],
            columns=image.shape[1],
            samples_per_pixel=1,
            number_of_frames=1,
            bits_allocated=8 * image.dtype.itemsize,
            bits_stored=8 * image.dtype.itemsize,
            pixel_representation=int(image.dtype.kind == "i"),
            photometric_interpretation="MONOCHROME2",
            encoding_plugin="pydicom",
        )
        return encoded
    if syntax in (uid.JPEGLossless, uid.JPEGLosslessSV1):
        predictor = 1 if syntax == uid.JPEGLosslessSV1 else 6
        return bytes(imagecodecs.jpeg8_encode(image, lossless=True, predictor=predictor, bitspersample=bits))
    if syntax == uid.JPEGBaseline8Bit:
        return bytes(imagecodecs.jpeg8_encode(image, 95))
    if syntax == uid.JPEGExtended12Bit:
        return bytes(imagecodecs.jpeg8_encode(image, 98, bitspersample=12))
    if syntax in (uid.JPEGLSLossless, uid.JPEGLSNearLossless):
        return bytes(imagecodecs.jpegls_encode(image, 0 if syntax == uid.JPEGLSLossless else 2))
    if syntax in (uid.JPEG2000Lossless, uid.JPEG2000):
        if syntax == uid.JPEG2000:
            return bytes(
                imagecodecs.jpeg2k_encode(image, 60, codecformat="j2k", reversible=False, bitspersample=bits)
            )
        return bytes(imagecodecs.jpeg2k_encode(image, codecformat="j2k", reversible=True, bitspersample=bits))
    if syntax in (uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL):
        return bytes(imagecodecs.htj2k_encode(image, reversible=True))
    if syntax == uid.HTJ2K:
        return bytes(imagecodecs.htj2k_encode(image, 0.0001, reversible=False))
    raise ValueError(f"no encoder for {syntax}")
