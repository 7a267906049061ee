"""What is special about an image by its header: magnified, contrast-enhanced, stereotactic, specimen, ..."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydicom.dataset import Dataset

from mcdetect.readers.dicom.tags import code, items, number, text, texts

__all__ = ["MAGNIFIED_FROM", "header_factor", "remarks"]

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

TOMOSYNTHESIS_CLASSES = frozenset(f"1.2.840.10008.5.1.4.1.1.13.1.{number}" for number in (3, 4, 5))
"""Slices, and the projections that they are made of (DICOM PS3.4, B.5)."""
SYNTHETIC_NAMES = ("CVIEW", "SVIEW", "VPREVIEW", "INSIGHT2D", "INTELLIGENT2D", "SYNTHETIC2D", "SYNTHESIZED2D")
"""What makers call a 2D image made of slices, in Series Description, without spaces and hyphens."""

# Physics: in contact the detector lies 20 to 50 mm behind the breast at 650 mm from the source: 1.03 to 1.25.
# Stands for magnification begin at 1.4.
MAGNIFIED_FROM = 1.3
"""Magnification from which on a view is one, whatever its header calls it."""

# Physics: 22 to 35 kV below the K-edge of iodine at 33.2 keV, 45 to 49 kV above it.
_HIGH_ENERGY_KV = 40.0
"""Tube voltage from which on an image with contrast agent is one of high energy."""

_CONTRAST_WORDS = re.compile(
    r"(?<![A-Z])(CESM|CEDM|CEM|CE2D|TICEM|SENO ?BRIGHT|I-?VIEW|CONTRAST[ -]?ENHANCED|DUAL[ -]?ENERGY)"
    r"(?![A-Z])"
)
_LOW_WORDS = re.compile(r"(?<![A-Z])(LOW[ _-]?ENERGY|LOWENERGY|LE)(?![A-Z])")
_HIGH_WORDS = re.compile(r"(?<![A-Z])(HIGH[ _-]?ENERGY|HIGHENERGY|HE)(?![A-Z])")
_RECOMBINED_WORDS = re.compile(
    r"(?<![A-Z])(RECOMBINED|RECOMBINATION|RECON?B|SUBTRACTED|SUBTRACTION|SUB(TR?)?|DES|IODINE)(?![A-Z])"
)
_MAGNIFIED_WORDS = re.compile(
    r"(?<![A-Z])(MAG|MAGN|MAGNIFIED|MAGNIFICATION|[LR]?M(CC|MLO|ML|LM|LMO))(?![A-Z])"
)
_SPOT_WORDS = re.compile(r"(?<![A-Z])(SPOT|SPT|[LR]S(CC|MLO|ML|LM|LMO))(?![A-Z])")

_SUBTRACTED_CODE = "113062"
"""Standard: the derivation "pixel by pixel subtraction" (DICOM PS3.16, CID 7203)."""


def remarks(header: Dataset) -> Iterator[str]:
    """Yield what a header says of an image beyond side and view, in words that flags use.

    Notes
    -----
    DICOM PS3.3, C.8.11.7 (Mammography Image); PS3.16, CID 4015 (view modifiers).
    """
    yield from _modifiers(header)
    yield from _magnification(header)
    yield from _contrast(header)
    yield from _others(header)


def header_factor(header: Dataset) -> float | None:
    """Return the geometric magnification that a header states, or follows from its distances."""
    factor = number(header, "EstimatedRadiographicMagnificationFactor")
    if factor is not None and factor > 0:
        return factor
    detector = number(header, "DistanceSourceToDetector")
    patient = number(header, "DistanceSourceToPatient")
    return detector / patient if detector and patient and detector > 0 and patient > 0 else None


def _modifiers(header: Dataset) -> Iterator[str]:
    views = list(items(header, "ViewCodeSequence"))
    for holder in [header, *views]:
        for item in items(holder, "ViewModifierCodeSequence"):
            if (remark := MODIFIER_CODES.get(code(item))) is not None:
                yield remark
    if any(code(item) in SPECIMEN_CODES for item in views):
        yield "specimen"


def _magnification(header: Dataset) -> Iterator[str]:
    paddle = text(header, "PaddleDescription")
    described = [text(header, name) for name in ("ViewPosition", "SeriesDescription", "ProtocolName")]
    factor = header_factor(header)
    if (
        "MAG" in paddle
        or any(_MAGNIFIED_WORDS.search(words) for words in described)
        or (factor is not None and MAGNIFIED_FROM <= factor <= 2.5)
    ):
        yield "magnification view"
    if "SPOT" in paddle or "SPT" in paddle or any(_SPOT_WORDS.search(words) for words in described):
        yield "spot compression view"


def _contrast(header: Dataset) -> Iterator[str]:
    """Tell the images of a contrast-enhanced examination apart: low energy, high energy, recombined."""
    kinds = " ".join(texts(header, "ImageType"))
    names = ("SeriesDescription", "ProtocolName", "AcquisitionDeviceProcessingDescription", "ImageComments")
    described = " ".join([*(text(header, name) for name in names), text(header, "DerivationDescription")])
    agent = text(header, "ContrastBolusAgent")
    known = bool(agent and agent != "NONE") or any(items(header, "ContrastBolusAgentSequence"))
    by_type = [
        name
        for name, words in (
            ("recombined image", _RECOMBINED_WORDS),
            ("low-energy image", _LOW_WORDS),
            ("high-energy image", _HIGH_WORDS),
        )
        if words.search(kinds)
    ]
    known = known or bool(by_type) or _CONTRAST_WORDS.search(described) is not None
    if not known:
        return
    yield "contrast-enhanced"
    if any(code(item) == _SUBTRACTED_CODE for item in items(header, "DerivationCodeSequence")):
        yield "recombined image"
    elif by_type:
        yield by_type[0]
    elif _RECOMBINED_WORDS.search(described):
        yield "recombined image"
    elif _LOW_WORDS.search(described):
        yield "low-energy image"
    elif _HIGH_WORDS.search(described) or (number(header, "KVP") or 0.0) >= _HIGH_ENERGY_KV:
        yield "high-energy image"
    elif number(header, "KVP"):
        yield "low-energy image"


def _others(header: Dataset) -> Iterator[str]:
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
