"""The geometry of an exposure as the header tells it."""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset

from mcdetect.errors import UnreadableFileError
from mcdetect.image.beam import BeamFacts
from mcdetect.readers.dicom.glance import opened_header
from mcdetect.readers.dicom.tags import integer, number, numbers

__all__ = ["beam_facts", "read_beam"]


def read_beam(path: Path) -> BeamFacts:
    """Read the geometry of an exposure from a DICOM file; its pixels are not touched.

    Raises
    ------
    UnreadableFileError
        If the file cannot be parsed or holds no image.
    """
    with opened_header(path) as header:
        return beam_facts(header)


def beam_facts(header: Dataset) -> BeamFacts:
    """Return the geometry of an exposure.

    Notes ----- DICOM PS3.3, C.8.11.5 (DX Positioning): Detector Primary Angle is positive when the beam is
    tilted toward higher columns, Detector Secondary Angle when it is tilted toward lower rows. Positioner
    Primary Angle is that of the gantry (C.8.11.7).
    """
    rows, cols = integer(header, "Rows"), integer(header, "Columns")
    if rows is None or cols is None:
        raise UnreadableFileError("it is no DICOM image", "give the image files only")
    spacing = numbers(header, "ImagerPixelSpacing")
    usable = len(spacing) == 2 and all(0.01 <= value <= 0.5 for value in spacing)
    primary, secondary = number(header, "DetectorPrimaryAngle"), number(header, "DetectorSecondaryAngle")
    tilt = None
    if primary is not None or secondary is not None:
        tilt = -(secondary or 0.0), primary or 0.0
    return BeamFacts(
        rows=rows,
        cols=cols,
        detector_mm=(spacing[0], spacing[1]) if usable else None,
        tilt_deg=tilt,
        gantry_deg=number(header, "PositionerPrimaryAngle"),
        source_detector_mm=_distance(header, "DistanceSourceToDetector"),
        source_support_mm=_distance(header, "DistanceSourceToPatient"),
        source_pivot_mm=_distance(header, "DistanceSourceToIsocenter"),
        thickness_mm=_distance(header, "BodyPartThickness"),
    )


def _distance(header: Dataset, keyword: str) -> float | None:
    value = number(header, keyword)
    return value if value is not None and value > 0 else None
