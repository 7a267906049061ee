"""Identifiers, maker and exposure of an image, for tables on request."""

from __future__ import annotations

from pydicom.dataset import Dataset

from mcdetect.readers.dicom.tags import number, written

__all__ = ["header_columns"]

_TEXTS = {
    "sop_instance_uid": "SOPInstanceUID",
    "series_instance_uid": "SeriesInstanceUID",
    "study_instance_uid": "StudyInstanceUID",
    "manufacturer": "Manufacturer",
    "model": "ManufacturerModelName",
}
_LONGEST = 128  # Technical: characters of a value; UIDs have at most 64


def header_columns(header: Dataset) -> dict[str, str | float]:
    """Return what a header says, by the names of `mcdetect.schema.DICOM_COLUMNS`; nothing where it does not.

    Notes
    -----
    DICOM PS3.3, C.8.7.2.1.1 (X-Ray Acquisition): Exposure in mAs, Exposure in uAs; or X-Ray Tube Current (mA)
    and Exposure Time (ms), or their finer forms in uA and us.
    """
    found: dict[str, str | float] = {}
    for name, keyword in _TEXTS.items():
        if value := written(header, keyword)[:_LONGEST]:
            found[name] = value
    for name, measure in (
        ("kvp", number(header, "KVP")),
        ("exposure_mas", _exposure_mas(header)),
        ("thickness_mm", number(header, "BodyPartThickness")),
    ):
        if measure is not None and measure > 0:
            found[name] = measure
    return found


def _exposure_mas(header: Dataset) -> float | None:
    fine = number(header, "ExposureInuAs")
    if fine:
        return fine / 1000.0
    if coarse := number(header, "Exposure"):
        return coarse
    current = number(header, "XRayTubeCurrent")
    if current is None and (in_ua := number(header, "XRayTubeCurrentInuA")):
        current = in_ua / 1000.0
    time = number(header, "ExposureTime")
    if time is None and (in_us := number(header, "ExposureTimeInuS")):
        time = in_us / 1000.0
    return current * time / 1000.0 if current and time else None
