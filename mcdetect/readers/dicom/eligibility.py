"""Whether a DICOM object is a mammogram that should be searched, and why not."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.uid import UID

from mcdetect.errors import NotEligibleError
from mcdetect.readers.dicom.claims import VIEW_CODES
from mcdetect.readers.dicom.identity import Identity
from mcdetect.readers.dicom.stack import stack_problem
from mcdetect.readers.dicom.tags import code, integer, items, text
from mcdetect.readers.signatures import DICOMDIR_CLASS

__all__ = ["eligibility_problem", "frame_count"]

BREAST_CODES = frozenset({"T-04000", "76752008", "T-04080", "181131000"})
MAMMOGRAPHY_CLASSES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.1.2",
        "1.2.840.10008.5.1.4.1.1.1.2.1",
        "1.2.840.10008.5.1.4.1.1.13.1.3",
        "1.2.840.10008.5.1.4.1.1.13.1.4",
        "1.2.840.10008.5.1.4.1.1.13.1.5",
    }
)
PROJECTION_MODALITIES = frozenset({"DX", "CR", "RG", "RF", "OT", "SC", "XC"})
"""Modalities under which projection images of the breast are filed besides MG."""

OTHER_MODALITIES = {
    "CT": "a CT image",
    "MR": "an MR image",
    "US": "an ultrasound image",
    "PT": "a PET image",
    "NM": "a nuclear medicine image",
    "SR": "a structured report",
    "PR": "a presentation state",
    "KO": "a key object selection",
    "SEG": "a segmentation",
    "REG": "a registration",
    "DOC": "a document",
}
_CONTRAST_ONLY = {
    "recombined image": (
        "the recombined image of a contrast-enhanced mammogram, in which uptake of contrast agent stands out "
        "and calcifications do not"
    ),
    "high-energy image": "the high-energy image of a contrast-enhanced mammogram, made to be recombined",
}
_FORCE = "use --force to process it all the same"


def frame_count(header: Dataset) -> int:
    """Return Number of Frames; 1 when it is missing or not a positive number."""
    frames = integer(header, "NumberOfFrames")
    return frames if frames is not None and frames > 0 else 1


def eligibility_problem(
    header: Dataset, identity: Identity, *, whole: bool = True, specimens: bool = False
) -> NotEligibleError | None:
    """Return why an image is passed over by default, or None when it is to be searched.

    Modality MG is taken in whatever class it is stored; other projection modalities when the header
    says that they show a breast.

    Parameters
    ----------
    header : Dataset
        The image's attributes.
    identity : Identity
        What was made of them.
    whole : bool
        The image is asked for, not one frame of it.
    specimens : bool
        Radiographs of specimens are to be searched, too.
    """
    modality = text(header, "Modality")
    sop_class = text(header, "SOPClassUID")
    media_class = text(getattr(header, "file_meta", None) or Dataset(), "MediaStorageSOPClassUID")
    if DICOMDIR_CLASS in (sop_class, media_class):
        return NotEligibleError("it is a DICOMDIR index, not an image", "give the folder or its image files")
    mammographic = modality == "MG" or (not modality and sop_class in MAMMOGRAPHY_CLASSES)
    if not mammographic:
        if modality not in PROJECTION_MODALITIES and (modality or sop_class):
            what = OTHER_MODALITIES.get(modality) or _class_name(modality, sop_class)
            return NotEligibleError(f"it is {what}, not a mammogram", _FORCE)
        wanted = specimens and "specimen" in identity.flags
        if not wanted and not shows_breast(header, identity):
            return NotEligibleError(
                f"nothing in the header says that it shows a breast (Modality {modality or 'missing'})",
                _FORCE,
            )
    return _kind_problem(header, identity, whole, specimens)


def _kind_problem(
    header: Dataset, identity: Identity, whole: bool, specimens: bool
) -> NotEligibleError | None:
    frames = frame_count(header)
    if frames > 1 and (problem := stack_problem(header, frames, whole=whole)) is not None:
        return problem
    series = text(header, "SeriesDescription")
    if "ROI MASK" in series or "CROPPED IMAGE" in series:
        return NotEligibleError(
            "it is a region-of-interest mask or a cropped patch, not a whole mammogram", _FORCE
        )
    if "quality control image" in identity.flags:
        return NotEligibleError("it is a quality control image", _FORCE)
    if "specimen" in identity.flags and not specimens:
        return NotEligibleError(
            "it shows a tissue specimen, not a breast", "use --specimens to search specimens, too"
        )
    for remark, shown in _CONTRAST_ONLY.items():
        if remark in identity.flags:
            return NotEligibleError(f"it is {shown}", f"the low-energy image is searched; {_FORCE}")
    if text(header, "ImageType") and "LOCALIZER" in str(header.get("ImageType")).upper():
        return NotEligibleError("it is a localizer image", _FORCE)
    return None


def shows_breast(header: Dataset, identity: Identity) -> bool:
    """Return whether body part, anatomy, view or positioner say that a breast is shown."""
    for keyword in ("BodyPartExamined", "OrganExposed"):
        if text(header, keyword) in ("BREAST", "MAMMA"):
            return True
    if any(code(item) in BREAST_CODES for item in items(header, "AnatomicRegionSequence")):
        return True
    if any(code(item) in VIEW_CODES for item in items(header, "ViewCodeSequence")):
        return True
    if identity.view in ("CC", "MLO", "LMO", "XCCL", "XCCM", "XCC", "SIO"):
        return True  # no other organ is imaged in these
    return text(header, "PositionerType").startswith("MAMMOGRAPHIC")


def _class_name(modality: str, sop_class: str) -> str:
    if modality:
        return f"of modality {modality[:16]}"
    name = UID(sop_class).name
    return f"of class {name}" if name != sop_class else "of an unknown class"
