"""Which breast, which view, and what is special about the image."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pydicom.dataset import Dataset

from mcdetect.image.mammogram import Intent
from mcdetect.image.views import VIEWS, parse_view_name
from mcdetect.readers.dicom.remarks import remarks
from mcdetect.readers.dicom.tags import code, items, text, texts

__all__ = ["Identity", "identify", "study_pseudonym"]

VIEW_CODES = {
    "399162004": "CC",
    "R-10242": "CC",
    "399368009": "MLO",
    "R-10226": "MLO",
    "399260004": "ML",
    "R-10224": "ML",
    "399352003": "LM",
    "R-10228": "LM",
    "399099002": "LMO",
    "R-10230": "LMO",
    "399192008": "XCCL",
    "R-1024A": "XCCL",
    "399101009": "XCCM",
    "R-1024B": "XCCM",
    "399348003": "XCC",
    "R-10206": "XCC",
    "399196006": "FB",
    "R-10244": "FB",
    "399188001": "SIO",
    "R-102D0": "SIO",
    "441555000": "ISO",
}
"""View codes, SNOMED CT and the older SNOMED-RT (DICOM PS3.16, CID 4014)."""

PROCESSING_CLASSES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.1.2.1",
        "1.2.840.10008.5.1.4.1.1.1.1.1",
        "1.2.840.10008.5.1.4.1.1.13.1.5",
    }
)
PRESENTATION_CLASSES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.1.2",
        "1.2.840.10008.5.1.4.1.1.1.1",
        "1.2.840.10008.5.1.4.1.1.13.1.4",
    }
)
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


@dataclass(frozen=True)
class Identity:
    """What the header says about the image, apart from its pixels.

    Parameters
    ----------
    laterality : {"L", "R"} or None
    laterality_source : str
        Attribute it was taken from; empty when unknown.
    view : str or None
        One of `mcdetect.image.views.VIEWS`.
    view_source : str
        Attribute it was taken from; empty when unknown.
    intent : Intent
    row_direction : {"A", "P", ""}
        Patient Orientation along the rows; anterior or posterior, when given.
    flags : tuple of str
        Magnification, spot, implant, synthetic, contrast and other remarks.
    """

    laterality: str | None
    laterality_source: str
    view: str | None
    view_source: str
    intent: Intent
    row_direction: str
    flags: tuple[str, ...]


def identify(header: Dataset) -> Identity:
    """Read laterality, view, intent and remarks from the header.

    Notes
    -----
    DICOM PS3.3, C.8.11.7 (Mammography Image); view codes of PS3.16, CID 4014 and 4015.
    """
    flags: list[str] = []
    laterality, laterality_source = _laterality(header)
    view, view_source = _view(header)
    if laterality is None or view is None:
        side, name = parse_view_name(text(header, "SeriesDescription"))
        if laterality is None and side is not None:
            laterality, laterality_source = side, "Series Description"
        if view is None and name is not None:
            view, view_source = name, "Series Description"
    if texts(header, "ImageLaterality")[:1] == ["B"]:
        flags.append("both breasts in one image")
    flags += remarks(header)
    direction = text(header, "PatientOrientation")[:1]
    return Identity(
        laterality,
        laterality_source,
        view,
        view_source,
        _intent(header),
        direction if direction in ("A", "P") and view != text(header, "PatientOrientation") else "",
        tuple(dict.fromkeys(flags)),
    )


def study_pseudonym(header: Dataset) -> str:
    """Return a hash of the examination and the patient; empty when the header names no examination.

    The UID of the examination alone would join images of different patients where an anonymiser gave
    all of them the same; the patient's identifier alone could be found by trying out all of them.
    """
    study = text(header, "StudyInstanceUID")
    if not study:
        return ""
    parts = (study, text(header, "PatientID"), text(header, "IssuerOfPatientID"))
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _laterality(header: Dataset) -> tuple[str | None, str]:
    for keyword, name in (("ImageLaterality", "Image Laterality"), ("Laterality", "Laterality")):
        if (value := text(header, keyword)) in ("L", "R"):
            return value, name
    for group in _groups(header):
        for anatomy in items(group, "FrameAnatomySequence"):
            if (value := text(anatomy, "FrameLaterality")) in ("L", "R"):
                return value, "Frame Laterality"
    return None, ""


def _view(header: Dataset) -> tuple[str | None, str]:
    for item in items(header, "ViewCodeSequence"):
        if (view := VIEW_CODES.get(code(item))) is not None:
            return view, "View Code Sequence"
    written = text(header, "ViewPosition")
    if written in VIEWS:
        return written, "View Position"
    for part in written.replace("/", " ").split():
        if part in VIEWS:
            return part, "View Position"
    orientation = texts(header, "PatientOrientation")
    if len(orientation) == 1 and orientation[0] in VIEWS:
        return orientation[0], "Patient Orientation"
    return None, ""


def _intent(header: Dataset) -> Intent:
    sop_class = text(header, "SOPClassUID")
    stated = text(header, "PresentationIntentType")
    if text(header, "ConversionType") in ("DF", "SD") or text(header, "DetectorType") == "FILM":
        return Intent.FILM
    if stated == Intent.FOR_PROCESSING or (not stated and sop_class in PROCESSING_CLASSES):
        return Intent.FOR_PROCESSING
    if stated == Intent.FOR_PRESENTATION or (not stated and sop_class in PRESENTATION_CLASSES):
        return Intent.FOR_PRESENTATION
    # A secondary capture that states no intent is a digitised film far more often than not.
    return Intent.FILM if sop_class == SECONDARY_CAPTURE else Intent.UNKNOWN


def _groups(header: Dataset) -> list[Dataset]:
    groups = list(items(header, "SharedFunctionalGroupsSequence"))
    return groups + list(items(header, "PerFrameFunctionalGroupsSequence"))[:1]
