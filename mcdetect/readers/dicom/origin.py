"""What tells that two images are copies of one exposure, as pseudonyms."""

from __future__ import annotations

import hashlib

from pydicom.dataset import Dataset

from mcdetect.image.mammogram import Origin
from mcdetect.readers.dicom.tags import items, text

__all__ = ["find_origin"]


def find_origin(header: Dataset, laterality: str | None, view: str | None) -> Origin:
    """Return pseudonyms of the instance, of those it was made from, and of the exposure.

    Parameters
    ----------
    header : Dataset
    laterality, view : str or None
        As identified; where either is unknown, no exposure is told by its time, which all views of an
        anonymised examination may share.

    Notes
    -----
    DICOM PS3.3: C.12.1 (SOP Instance UID), C.7.6.1 (Source Image Sequence, Acquisition DateTime),
    C.7.6.1.1.6 (Irradiation Event UID).
    """
    sources = {
        text(item, "ReferencedSOPInstanceUID")
        for keyword in ("SourceImageSequence", "DerivationImageSequence")
        for item in items(header, keyword)
    }
    return Origin(
        instance=_pseudonym(text(header, "SOPInstanceUID")),
        sources=tuple(sorted(_pseudonym(one) for one in sources if one)),
        event=_event(header, laterality, view),
    )


def _event(header: Dataset, laterality: str | None, view: str | None) -> str:
    if not (laterality and view):
        return ""
    event = text(header, "IrradiationEventUID")
    if not event:
        time = text(header, "AcquisitionDateTime")[8:] or text(header, "AcquisitionTime")
        study = text(header, "StudyInstanceUID")
        if not study or not time[:6].strip("0"):
            return ""
        event = f"{study} {time.partition('.')[0][:6]}"
    return _pseudonym(f"{event} {laterality} {view}")


def _pseudonym(text_: str) -> str:
    return hashlib.sha256(text_.encode("utf-8", "surrogatepass")).hexdigest() if text_ else ""
