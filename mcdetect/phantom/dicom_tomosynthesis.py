"""Write drawn tomosynthesis as Breast Tomosynthesis Image, its projections as Breast Projection X-Ray Image.

Attributes follow DICOM PS3.3 A.55 and A.74; frames are made and written one at a time.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from mcdetect.phantom.dicom_writer import ORIENTATION, VIEWS, Encoding, code_item, encode_frame, uid_of
from mcdetect.phantom.tomosynthesis import PhantomTomosynthesis

__all__ = ["write_projections", "write_tomosynthesis"]

_SLICES = UID("1.2.840.10008.5.1.4.1.1.13.1.3")
_PROJECTIONS = UID("1.2.840.10008.5.1.4.1.1.13.1.5")
_DIRECTION = {"A": (0, -1, 0), "P": (0, 1, 0), "L": (1, 0, 0), "R": (-1, 0, 0), "F": (0, 0, -1)}
"""Standard: directions of the patient (PS3.3 C.7.6.2.1.1)."""


def write_tomosynthesis(
    phantom: PhantomTomosynthesis,
    path: str | Path,
    *,
    encoding: Encoding = Encoding.EXPLICIT,
    reverse: bool = False,
    per_frame_spacing: bool = False,
    positions: bool = True,
) -> tuple[int, ...]:
    """Write the slices of a phantom.

    Parameters
    ----------
    phantom : PhantomTomosynthesis
    path : path-like
        The file to write.
    encoding : Encoding
        EXPLICIT, or one of the compressed transfer syntaxes.
    reverse : bool
        The deepest slice comes first in the file.
    per_frame_spacing : bool
        The pixel measures stand in the functional groups of every frame, not in those they share.
    positions : bool
        Say where the plane of each frame lies.

    Returns
    -------
    tuple of int
        Slice of the phantom in each frame.
    """
    order = tuple(range(phantom.slices))[:: -1 if reverse else 1]
    ds = _header(phantom, "slices")
    ds.SOPClassUID = _SLICES
    ds.ImageType = ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "NONE"]
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.VolumetricProperties = "VOLUME"
    ds.PixelRepresentation = 0
    bits = 16 if Encoding(encoding) is Encoding.JPEG_LS else phantom.bits
    _pixels(ds, phantom, phantom.slices, bits)
    measures = Dataset()
    measures.PixelSpacing = [f"{phantom.spacing.row_mm:.10g}", f"{phantom.spacing.col_mm:.10g}"]
    measures.SliceThickness = measures.SpacingBetweenSlices = f"{phantom.slice_spacing_mm:.10g}"
    down, across = _axes(phantom)
    plane = Dataset()
    plane.ImageOrientationPatient = [f"{value:g}" for value in (*across, *down)]
    anatomy = Dataset()
    anatomy.FrameLaterality = phantom.laterality
    anatomy.AnatomicRegionSequence = Sequence([code_item("76752008", "Breast")])
    shared = Dataset()
    shared.FrameAnatomySequence = Sequence([anatomy])
    if positions:
        shared.PlaneOrientationSequence = Sequence([plane])
    if not per_frame_spacing:
        shared.PixelMeasuresSequence = Sequence([measures])
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    normal = np.cross(across, down)
    frames = []
    for place, own in enumerate(order):
        group = Dataset()
        content = Dataset()
        content.StackID, content.InStackPositionNumber = "1", own + 1
        content.DimensionIndexValues = [1, own + 1]
        content.FrameAcquisitionNumber = place + 1
        group.FrameContentSequence = Sequence([content])
        if positions:
            position = Dataset()
            spot = own * phantom.slice_spacing_mm * normal
            position.ImagePositionPatient = [f"{value:.6g}" for value in spot]
            group.PlanePositionSequence = Sequence([position])
        if per_frame_spacing:
            group.PixelMeasuresSequence = Sequence([measures])
        frames.append(group)
    ds.PerFrameFunctionalGroupsSequence = Sequence(frames)
    acquisition = Dataset()
    acquisition.PrimaryPositionerScanArc = 2.0 * phantom.sweep.half_angle_deg
    acquisition.PrimaryPositionerScanStartAngle = -float(phantom.sweep.half_angle_deg)
    ds.XRay3DAcquisitionSequence = Sequence([acquisition])
    _save(ds, lambda place: phantom.slice(order[place]), bits, Encoding(encoding), Path(path))
    return order


def write_projections(
    phantom: PhantomTomosynthesis, path: str | Path, *, encoding: Encoding = Encoding.EXPLICIT
) -> None:
    """Write the projections of a phantom as they leave the detector, linear and for processing.

    Parameters
    ----------
    phantom : PhantomTomosynthesis
    path : path-like
        The file to write.
    encoding : Encoding
        EXPLICIT, or one of the compressed transfer syntaxes.
    """
    ds = _header(phantom, "projections")
    ds.SOPClassUID = _PROJECTIONS
    ds.ImageType = ["ORIGINAL", "PRIMARY", "", "NONE"]
    ds.PresentationIntentType = "FOR PROCESSING"
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LIN", 1
    count = phantom.sweep.projections
    bits = 16 if Encoding(encoding) is Encoding.JPEG_LS else 14
    _pixels(ds, phantom, count, bits)
    ds.PhotometricInterpretation = "MONOCHROME1"
    ds.ImagerPixelSpacing = [f"{phantom.spacing.row_mm:.10g}", f"{phantom.spacing.col_mm:.10g}"]
    ds.SharedFunctionalGroupsSequence = Sequence([Dataset()])
    angles = np.linspace(-phantom.sweep.half_angle_deg, phantom.sweep.half_angle_deg, count)
    frames = []
    for angle in angles:
        position = Dataset()
        position.PositionerPrimaryAngle = float(angle)
        group = Dataset()
        group.PositionerPositionSequence = Sequence([position])
        frames.append(group)
    ds.PerFrameFunctionalGroupsSequence = Sequence(frames)
    _save(ds, phantom.projection, bits, Encoding(encoding), Path(path))


def _axes(phantom: PhantomTomosynthesis) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the directions down the columns and along the rows."""
    along, down = ORIENTATION[phantom.view, phantom.laterality]
    return np.array(_DIRECTION[down], np.float64), np.array(_DIRECTION[along], np.float64)


def _header(phantom: PhantomTomosynthesis, what: str) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName, ds.PatientID, ds.PatientSex = "PHANTOM^Synthetic", f"PHANTOM-{phantom.seed}", "F"
    ds.PatientBirthDate = ds.StudyDate = ds.StudyTime = ds.ReferringPhysicianName = ""
    ds.PatientIdentityRemoved = "YES"
    ds.DeidentificationMethod = "Synthetic image without a patient"
    ds.StudyID, ds.AccessionNumber, ds.Modality = "1", "", "MG"
    name = phantom.seed, phantom.view, phantom.laterality, phantom.slices, what
    ds.StudyInstanceUID = uid_of("study", phantom.seed)
    ds.SeriesInstanceUID = uid_of("series", *name)
    ds.SOPInstanceUID = uid_of("instance", *name)
    ds.FrameOfReferenceUID = uid_of("frame of reference", phantom.seed)
    ds.SeriesNumber = ds.InstanceNumber = 1
    ds.SeriesDescription = f"Phantom {phantom.laterality} {phantom.view} {what}"
    ds.Manufacturer, ds.ManufacturerModelName = "mcdetect", "phantom"
    ds.ContentDate = ds.ContentTime = ""
    ds.ImageLaterality = phantom.laterality
    ds.PatientOrientation = ORIENTATION[phantom.view, phantom.laterality]
    ds.ViewCodeSequence = Sequence([code_item(*VIEWS[phantom.view])])
    ds.AnatomicRegionSequence = Sequence([code_item("76752008", "Breast")])
    ds.BodyPartExamined = ds.OrganExposed = "BREAST"
    ds.PositionerType = "MAMMOGRAPHIC"
    ds.ImageComments = "Simulated tomosynthesis, not a patient"
    return ds


def _pixels(ds: Dataset, phantom: PhantomTomosynthesis, frames: int, bits: int) -> None:
    ds.NumberOfFrames = frames
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = phantom.breast.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, bits, bits - 1, 0
    ds.BurnedInAnnotation, ds.LossyImageCompression = "NO", "00"


def _save(
    ds: Dataset,
    frame: Callable[[int], npt.NDArray[np.uint16]],
    bits: int,
    encoding: Encoding,
    path: Path,
) -> None:
    """Write the header, then frame after frame."""
    if encoding in (Encoding.IMPLICIT, Encoding.BIG_ENDIAN, Encoding.DEFLATED, Encoding.RLE):
        raise ValueError(f"tomosynthesis is not written as {encoding.name}")
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    meta.TransferSyntaxUID = UID(encoding.value)
    meta.ImplementationClassUID, meta.ImplementationVersionName = uid_of("implementation"), "MCDETECT"
    ds.file_meta = meta
    ds.save_as(path, enforce_file_format=True)
    count = int(ds.NumberOfFrames)
    with path.open("ab") as file:
        if encoding is Encoding.EXPLICIT:
            length = count * ds.Rows * ds.Columns * 2
            file.write(struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, length))
            for place in range(count):
                file.write(np.ascontiguousarray(frame(place), dtype="<u2").tobytes())
            return
        file.write(struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF))
        file.write(struct.pack("<HHI", 0xFFFE, 0xE000, 0))
        for place in range(count):
            data = encode_frame(np.ascontiguousarray(frame(place)), bits, encoding)
            data += b"\0" * (len(data) % 2)
            file.write(struct.pack("<HHI", 0xFFFE, 0xE000, len(data)) + data)
        file.write(struct.pack("<HHI", 0xFFFE, 0xE0DD, 0))
