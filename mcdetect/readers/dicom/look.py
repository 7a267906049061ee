"""A look at the header of a DICOM file, for finding images that belong together."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from pydicom.dataset import Dataset

from mcdetect.image.views import PART_VIEWS
from mcdetect.readers.dicom.eligibility import eligibility_problem, frame_count
from mcdetect.readers.dicom.glance import opened_header
from mcdetect.readers.dicom.identity import identify, patient_pseudonym
from mcdetect.readers.dicom.origin import find_origin
from mcdetect.readers.dicom.tags import text
from mcdetect.readers.look import Look

__all__ = ["look_at_dicom"]


def look_at_dicom(path: Path) -> Look:
    """Read the header of a DICOM file; its pixels are not touched.

    Raises
    ------
    UnreadableFileError
        If the file cannot be parsed.
    """
    with opened_header(path) as header:
        identity = identify(header)
        problem = eligibility_problem(header, identity)
        return Look(
            patient=patient_pseudonym(header),
            laterality=identity.laterality or "",
            view=identity.view or "",
            day=_day(header),
            intent=str(identity.intent),
            instance=find_origin(header, None, None).instance,
            part=not PART_VIEWS.isdisjoint(identity.flags),
            slices=frame_count(header) > 1,
            problem=problem,
        )


def _day(header: Dataset) -> int:
    """Return the day of the image or of its examination as a number, 0 where there is none."""
    for keyword in ("AcquisitionDate", "ContentDate", "StudyDate", "AcquisitionDateTime", "SeriesDate"):
        given = text(header, keyword)[:8]
        if len(given) == 8 and given.isdecimal():
            try:
                return date(int(given[:4]), int(given[4:6]), int(given[6:])).toordinal()
            except ValueError:
                continue
    return 0
