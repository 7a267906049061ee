"""Which breast, which view, and what is special about the image."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pydicom.dataset import Dataset

from mcdetect.image.mammogram import Intent
from mcdetect.image.views import VIEWS
from mcdetect.readers.dicom.claims import contradictions, side_claims, view_claims
from mcdetect.readers.dicom.remarks import remarks
from mcdetect.readers.dicom.tags import text, texts

__all__ = ["Identity", "identify", "patient_pseudonym", "study_pseudonym"]

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

_NOBODY = frozenset(
    {"", "anon", "anonym", "anonymised", "anonymized", "anonymous", "deidentified", "na", "n/a"}
)
_NOBODY |= {"none", "null", "patient", "phantom", "removed", "test", "unknown", "xxx", "xxxx"}
"""What anonymisers write where a patient's identifier was."""


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
    sides, views = side_claims(header), view_claims(header)
    side = sides[0] if sides else None
    view = views[0] if views else None
    flags += contradictions(sides)
    flags += contradictions(views)
    if texts(header, "ImageLaterality")[:1] == ["B"]:
        flags.append("both breasts in one image")
    flags += remarks(header)
    direction = text(header, "PatientOrientation")[:1]
    return Identity(
        side.value if side else None,
        side.source if side else "",
        view.value if view else None,
        view.source if view else "",
        _intent(header),
        direction if direction in ("A", "P") and text(header, "PatientOrientation") not in VIEWS else "",
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


def patient_pseudonym(header: Dataset) -> str:
    """Return a hash of the patient; empty when the header names none, or a word that stands for anybody.

    It is to be kept in memory only: who knows all identifiers of a hospital finds the patient by trying.
    """
    patient = text(header, "PatientID")
    if patient.strip("0-_ ").casefold() in _NOBODY:
        return ""
    parts = (patient, text(header, "IssuerOfPatientID"))
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


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
