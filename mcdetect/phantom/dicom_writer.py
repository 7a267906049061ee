"""Write a phantom as a Digital Mammography X-Ray Image, or a digitised film as Secondary Capture.

Attributes follow the information object definitions of DICOM PS3.3 A.26 (Digital Mammography X-Ray
Image) and A.8.1 (Secondary Capture Image). The patient is synthetic and every UID is derived from
the content, so the same phantom gives the same file.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from pathlib import Path

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import RLELosslessEncoder
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalMammographyXRayImageStorageForProcessing,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from mcdetect.image.beam import BeamFacts
from mcdetect.image.mammogram import Intent
from mcdetect.phantom.frame import PhantomMammogram

__all__ = ["ORIENTATION", "VIEWS", "Encoding", "code_item", "encode_frame", "uid_of", "write_dicom"]


class Encoding(StrEnum):
    """How the pixels are stored."""

    IMPLICIT = ImplicitVRLittleEndian
    EXPLICIT = ExplicitVRLittleEndian
    BIG_ENDIAN = ExplicitVRBigEndian
    DEFLATED = DeflatedExplicitVRLittleEndian
    RLE = RLELossless
    JPEG_LOSSLESS = JPEGLosslessSV1
    JPEG_LS = JPEGLSLossless
    JPEG_2000 = JPEG2000Lossless


VIEWS = {
    "CC": ("399162004", "cranio-caudal"),
    "MLO": ("399368009", "medio-lateral oblique"),
}
# Direction of the rows and of the columns of the picture (PS3.3 C.7.6.1.1.1).
ORIENTATION = {
    ("CC", "L"): ["A", "R"],
    ("CC", "R"): ["P", "L"],
    ("MLO", "L"): ["A", "F"],
    ("MLO", "R"): ["P", "F"],
}
_SOP_CLASS = {
    Intent.FOR_PRESENTATION: DigitalMammographyXRayImageStorageForPresentation,
    Intent.FOR_PROCESSING: DigitalMammographyXRayImageStorageForProcessing,
    Intent.FILM: SecondaryCaptureImageStorage,
}


def write_dicom(
    phantom: PhantomMammogram,
    path: str | Path,
    *,
    encoding: Encoding = Encoding.EXPLICIT,
    photometric: str = "MONOCHROME2",
    padding_value: int | None = None,
    write_spacing: bool = True,
) -> npt.NDArray[np.uint16]:
    """Write a phantom as DICOM.

    With MONOCHROME1 dense tissue is stored dark, with MONOCHROME2 bright; the Pixel Intensity
    Relationship Sign says the same.

    Parameters
    ----------
    phantom : PhantomMammogram
    path : path-like
        The file to write.
    encoding : Encoding
        Transfer syntax; all of them are lossless.
    photometric : {"MONOCHROME1", "MONOCHROME2"}
    padding_value : int, optional
        Stored value that Pixel Padding Value declares to be no image; the pixels are not changed.
    write_spacing : bool
        False leaves out the pixel spacing of a digitised film, as public film sets do.

    Returns
    -------
    (rows, cols) uint16 array
        The stored values.
    """
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise ValueError(f"photometric must be 'MONOCHROME1' or 'MONOCHROME2', got {photometric!r}")
    if not write_spacing and phantom.intent is not Intent.FILM:
        raise ValueError("only a digitised film may lack the pixel spacing (Imager Pixel Spacing is type 1)")
    encoding = Encoding(encoding)
    dense_is_dark = photometric == "MONOCHROME1"
    already_dark = phantom.intent is Intent.FOR_PROCESSING
    # The JPEG-LS encoder writes streams of 16 bit precision; the header must agree with the stream.
    bits = 16 if encoding is Encoding.JPEG_LS else phantom.bits
    stored = phantom.pixels
    if dense_is_dark != already_dark:
        stored = np.asarray(2**bits - 1 - stored.astype(np.int32), dtype=np.uint16)

    digest = hashlib.sha256(np.ascontiguousarray(stored, dtype="<u2").tobytes()).hexdigest()
    ds = Dataset()
    _patient_and_study(ds, phantom)
    _series(ds, phantom)
    ds.SOPClassUID = _SOP_CLASS[phantom.intent]
    ds.SOPInstanceUID = uid_of("instance", phantom.seed, phantom.view, photometric, digest)
    _image(ds, phantom, photometric, bits)
    if padding_value is not None:
        ds.add_new("PixelPaddingValue", "US", int(padding_value))
    if phantom.intent is Intent.FILM:
        _secondary_capture(ds, phantom, write_spacing)
    else:
        _mammography(ds, phantom, dense_is_dark, bits)
    _save(ds, stored, bits, encoding, Path(path))
    return stored


def uid_of(*parts: object) -> UID:
    """A UID below 2.25 made of the first 128 bits of a hash."""
    digest = hashlib.sha256("|".join(str(part) for part in ("mcdetect phantom", *parts)).encode()).digest()
    return UID(f"2.25.{int.from_bytes(digest[:16], 'big')}")


def code_item(value: str, meaning: str, scheme: str = "SCT") -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _patient_and_study(ds: Dataset, phantom: PhantomMammogram) -> None:
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName = "PHANTOM^Synthetic"
    ds.PatientID = f"PHANTOM-{phantom.seed}"
    ds.PatientBirthDate = ""
    ds.PatientSex = "F"
    ds.PatientIdentityRemoved = "YES"
    ds.DeidentificationMethod = "Synthetic image without a patient"
    ds.StudyInstanceUID = uid_of("study", phantom.seed)
    ds.StudyDate = ds.StudyTime = ""
    ds.ReferringPhysicianName = ""
    ds.StudyID = "1"
    ds.AccessionNumber = ""


def _series(ds: Dataset, phantom: PhantomMammogram) -> None:
    ds.Modality = "MG"
    ds.SeriesInstanceUID = uid_of("series", phantom.seed, phantom.intent, phantom.view, phantom.laterality)
    ds.SeriesNumber = 1
    ds.SeriesDescription = f"Phantom {phantom.laterality} {phantom.view}"
    ds.Manufacturer = "mcdetect"
    ds.ManufacturerModelName = "phantom"
    ds.InstanceNumber = 1
    ds.ContentDate = ds.ContentTime = ""


def _image(ds: Dataset, phantom: PhantomMammogram, photometric: str, bits: int) -> None:
    ds.ImageType = ["DERIVED" if phantom.intent is Intent.FOR_PRESENTATION else "ORIGINAL", "PRIMARY"]
    ds.PatientOrientation = ORIENTATION[phantom.view, phantom.laterality]
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = photometric
    ds.Rows, ds.Columns = phantom.pixels.shape
    ds.BitsAllocated = 16
    ds.BitsStored = bits
    ds.HighBit = bits - 1
    ds.PixelRepresentation = 0
    ds.BurnedInAnnotation = "NO"
    ds.LossyImageCompression = "00"
    ds.ImageComments = "Simulated mammogram, not a patient"


def _mammography(ds: Dataset, phantom: PhantomMammogram, dense_is_dark: bool, bits: int) -> None:
    """Modules of the Digital Mammography X-Ray Image."""
    processing = phantom.intent is Intent.FOR_PROCESSING
    ds.PresentationIntentType = str(phantom.intent)
    ds.PixelIntensityRelationship = "LIN" if processing else "LOG"
    ds.PixelIntensityRelationshipSign = 1 if dense_is_dark else -1
    ds.RescaleIntercept = "0"
    ds.RescaleSlope = "1"
    ds.RescaleType = "US"
    ds.PresentationLUTShape = "INVERSE" if dense_is_dark else "IDENTITY"
    if not processing:
        ds.DerivationDescription = "Logarithm, thickness equalisation, S-shaped curve"
        middle = 2 ** (phantom.bits - 1)
        ds.WindowCenter = str(2**bits - middle if dense_is_dark else middle)
        ds.WindowWidth = str(2**phantom.bits)
        ds.VOILUTFunction = "LINEAR"
    ds.DetectorType = "DIRECT"
    ds.DetectorID = "PHANTOM"
    factor = phantom.magnification
    at_detector = phantom.spacing.row_mm * factor, phantom.spacing.col_mm * factor
    ds.ImagerPixelSpacing = [f"{mm:.10g}" for mm in at_detector]
    if factor > 1.0:
        ds.EstimatedRadiographicMagnificationFactor = f"{factor:g}"
    ds.ImageLaterality = phantom.laterality
    region = code_item("76752008", "Breast")
    ds.AnatomicRegionSequence = Sequence([region])
    view = code_item(*VIEWS[phantom.view])
    magnified = [code_item("399163009", "Magnification")] if factor > 1.0 else []
    view.ViewModifierCodeSequence = Sequence(magnified)
    ds.ViewCodeSequence = Sequence([view])
    ds.PositionerType = "MAMMOGRAPHIC"
    if phantom.beam is not None:
        _beam(ds, phantom.beam)
    ds.OrganExposed = "BREAST"
    ds.BodyPartExamined = "BREAST"
    ds.BreastImplantPresent = "NO"
    ds.PartialView = "NO"
    ds.AcquisitionContextSequence = Sequence([])


def _beam(ds: Dataset, beam: BeamFacts) -> None:
    """Write the geometry of an exposure of a stereotactic pair (DX Positioning, PS3.3 C.8.11.5)."""
    ds.ImageType = [*ds.ImageType, "", "STEREOTACTIC"]
    if beam.tilt_deg is not None:
        ds.DetectorSecondaryAngle, ds.DetectorPrimaryAngle = f"{-beam.tilt_deg[0]:g}", f"{beam.tilt_deg[1]:g}"
    for keyword, value in (
        ("PositionerPrimaryAngle", beam.gantry_deg),
        ("DistanceSourceToDetector", beam.source_detector_mm),
        ("DistanceSourceToPatient", beam.source_support_mm),
        ("DistanceSourceToIsocenter", beam.source_pivot_mm),
        ("BodyPartThickness", beam.thickness_mm),
    ):
        if value is not None:
            setattr(ds, keyword, f"{value:g}" if keyword != "DistanceSourceToIsocenter" else float(value))


def _secondary_capture(ds: Dataset, phantom: PhantomMammogram, write_spacing: bool) -> None:
    """Modules of a digitised film."""
    ds.ConversionType = "DF"
    ds.Laterality = phantom.laterality
    ds.ViewPosition = phantom.view
    ds.BodyPartExamined = "BREAST"
    if write_spacing:
        ds.NominalScannedPixelSpacing = [
            f"{phantom.spacing.row_mm:.10g}",
            f"{phantom.spacing.col_mm:.10g}",
        ]
    ds.SecondaryCaptureDeviceManufacturer = "mcdetect"


def encode_frame(stored: npt.NDArray[np.uint16], bits: int, encoding: Encoding) -> bytes:
    """Return one encoded frame."""
    if encoding is Encoding.JPEG_LOSSLESS:
        # The size of the stored bits is kept: predictor 1 is the selection value of the SV1 syntax.
        return bytes(imagecodecs.jpeg_encode(stored, lossless=True, predictor=1, bitspersample=bits))
    if encoding is Encoding.JPEG_LS:
        stream = bytes(imagecodecs.jpegls_encode(stored, level=0))
        # Without the SPIFF header in front, which not every DICOM reader expects.
        return stream[max(stream.find(b"\xff\xd8\xff\xf7"), 0) :]
    if encoding is Encoding.JPEG_2000:
        return bytes(
            imagecodecs.jpeg2k_encode(
                stored, level=0, codecformat="j2k", reversible=True, bitspersample=bits, mct=False
            )
        )
    raise ValueError(f"{encoding.name} is not an encapsulated syntax")


def _save(ds: Dataset, stored: npt.NDArray[np.uint16], bits: int, encoding: Encoding, path: Path) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = UID(encoding.value)
    meta.ImplementationClassUID = uid_of("implementation")
    meta.ImplementationVersionName = "MCDETECT"
    ds.file_meta = meta
    if encoding is Encoding.RLE:
        frame = RLELosslessEncoder.encode(
            np.ascontiguousarray(stored),
            encoding_plugin="pydicom",
            rows=ds.Rows,
            columns=ds.Columns,
            samples_per_pixel=1,
            number_of_frames=1,
            bits_allocated=16,
            bits_stored=bits,
            pixel_representation=0,
            photometric_interpretation=ds.PhotometricInterpretation,
        )
        ds.PixelData = encapsulate([frame], has_bot=True)
    elif meta.TransferSyntaxUID.is_encapsulated:
        ds.PixelData = encapsulate([encode_frame(np.ascontiguousarray(stored), bits, encoding)], has_bot=True)
    else:
        order = ">u2" if encoding is Encoding.BIG_ENDIAN else "<u2"
        ds.PixelData = np.ascontiguousarray(stored, dtype=order).tobytes()
    ds["PixelData"].VR = "OB" if meta.TransferSyntaxUID.is_encapsulated else "OW"
    ds.save_as(path, enforce_file_format=True)
