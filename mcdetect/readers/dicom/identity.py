"""Which breast, which view, and what is special about the image."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset

from mcdetect.image.mammogram import Intent
from mcdetect.image.views import VIEWS
from mcdetect.readers.dicom.claims import contradictions, side_claims, view_claims
from mcdetect.readers.dicom.tags import code, items, text, texts

__all__ = ["Identity", "identify", "study_pseudonym"]

MODIFIER_CODES = {
    "399163009": "magnification view",
    "R-102D6": "magnification view",
    "399055006": "spot compression view",
    "R-102D7": "spot compression view",
    "399209000": "implant displaced",
    "R-102D5": "implant displaced",
    "399161006": "cleavage view",
    "R-102D2": "cleavage view",
    "399011000": "axillary tail view",
    "R-102D1": "axillary tail view",
    "399110001": "tangential view",
    "R-102C2": "tangential view",
    "399197002": "rolled lateral",
    "R-102D3": "rolled lateral",
    "399226006": "rolled medial",
    "R-102D4": "rolled medial",
    "415670009": "rolled superior",
    "414493004": "rolled inferior",
}
"""View modifier codes (DICOM PS3.16, CID 4015)."""

SPECIMEN_CODES = frozenset({"127457009", "G-8310"})
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
TOMOSYNTHESIS_CLASSES = frozenset(f"1.2.840.10008.5.1.4.1.1.13.1.{number}" for number in (3, 4, 5))
"""Slices, and the projections that they are made of (DICOM PS3.4, B.5)."""
SYNTHETIC_NAMES = ("CVIEW", "SVIEW", "VPREVIEW", "INSIGHT2D", "INTELLIGENT2D", "SYNTHETIC2D", "SYNTHESIZED2D")
"""What makers call a 2D image made of slices, in Series Description, without spaces and hyphens."""
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
    sides, views = side_claims(header), view_claims(header)
    side = sides[0] if sides else None
    view = views[0] if views else None
    flags += contradictions(sides)
    flags += contradictions(views)
    if texts(header, "ImageLaterality")[:1] == ["B"]:
        flags.append("both breasts in one image")
    flags += _modifiers(header)
    flags += _remarks(header)
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


def _modifiers(header: Dataset) -> Iterator[str]:
    views = list(items(header, "ViewCodeSequence"))
    for holder in [header, *views]:
        for item in items(holder, "ViewModifierCodeSequence"):
            if (remark := MODIFIER_CODES.get(code(item))) is not None:
                yield remark
    if any(code(item) in SPECIMEN_CODES for item in views):
        yield "specimen"


def _remarks(header: Dataset) -> Iterator[str]:
    paddle = text(header, "PaddleDescription")
    if "MAG" in paddle:
        yield "magnification view"
    if "SPOT" in paddle or "SPT" in paddle or "SPOT" in text(header, "ViewPosition"):
        yield "spot compression view"
    series = text(header, "SeriesDescription")
    image_type = texts(header, "ImageType")
    squeezed = series.replace("-", "").replace(" ", "").replace("_", "")
    if (
        any(name in squeezed for name in SYNTHETIC_NAMES)
        or "GENERATED_2D" in image_type
        or _made_of_tomosynthesis(header)
    ):
        yield "synthetic 2D image"
    if "TOMOSYNTHESIS" in image_type or "TOMOSYNTHESIS" in series:
        yield "from a tomosynthesis acquisition"
    agent = text(header, "ContrastBolusAgent")
    if (agent and agent != "NONE") or {"RECOMBINED", "SUBTRACTED", "SUBTRACTION"} & set(image_type):
        yield "contrast-enhanced"
    if "STEREO" in series or "STEREOTACTIC" in image_type or "STEREO" in text(header, "PositionerType"):
        yield "stereotactic image"
    if "SPECIMEN" in series or "SPECIMEN" in text(header, "BodyPartExamined") or "SPECIMEN" in image_type:
        yield "specimen"
    if text(header, "BreastImplantPresent") == "YES":
        yield "breast implant"
    if text(header, "PartialView") == "YES":
        yield "partial view"
    if text(header, "BurnedInAnnotation") == "YES":
        yield "burned-in annotation"
    if text(header, "QualityControlImage") == "YES":
        yield "quality control image"


def _made_of_tomosynthesis(header: Dataset) -> bool:
    """Tell whether one image was made of slices or projections."""
    frames = text(header, "NumberOfFrames") or "1"
    sources = {text(item, "ReferencedSOPClassUID") for item in items(header, "SourceImageSequence")}
    return frames == "1" and bool(sources & TOMOSYNTHESIS_CLASSES)


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
