"""Magnification views: their pixel spacing in the breast, where sizes are measured."""

from __future__ import annotations

import dataclasses

from pydicom.dataset import Dataset

from mcdetect.errors import MissingSpacingError
from mcdetect.image.mammogram import SPACING_LIMITS_MM, PixelSpacing, Plane
from mcdetect.readers.dicom.remarks import MAGNIFIED_FROM, header_factor
from mcdetect.readers.examination import MAGNIFICATION_LIMITS

__all__ = ["magnified_spacing"]

# Physics: pixel pitches of mammographic detectors, in mm (makers' data sheets), and films scanned at 0.05.
_PITCHES_MM = (0.049, 0.05, 0.054, 0.065, 0.068, 0.07, 0.075, 0.083, 0.085, 0.094, 0.0941, 0.1)

_SAME = 0.012  # Judged: relative difference within which a spacing is a pitch, as headers round it
_REMEDY = "give the factor with --magnification FACTOR (1.5 to 2; 1 if the spacing holds in the breast)"


def magnified_spacing(
    header: Dataset, spacing: PixelSpacing, *, given_factor: float | None = None, by_user: bool = False
) -> tuple[PixelSpacing, list[str]]:
    """Return the spacing of a magnification view in the plane of the breast.

    Parameters
    ----------
    header : Dataset
        The image's attributes.
    spacing : PixelSpacing
        As `mcdetect.readers.dicom.geometry.find_spacing` found it.
    given_factor : float, optional
        Magnification that the user gave; what the header says wins.
    by_user : bool
        `spacing` itself was given by the user.

    Returns
    -------
    PixelSpacing
        Its plane is the object plane.
    list of str
        Remarks.

    Raises
    ------
    MissingSpacingError
        If neither header nor user tells the magnification.
    """
    factor = header_factor(header)
    if spacing.plane is Plane.OBJECT:
        if factor is None or factor >= MAGNIFIED_FROM or not spacing.source.startswith("Imager"):
            return spacing, []
        # What a contact view states: it was not meant for this one.
        spacing = PixelSpacing(
            spacing.row_mm * factor, spacing.col_mm * factor, "Imager Pixel Spacing", Plane.DETECTOR
        )
    if by_user and given_factor is None:
        in_breast = dataclasses.replace(spacing, plane=Plane.OBJECT)
        return in_breast, ["the given pixel spacing is taken as that in the magnified breast"]
    _, high = MAGNIFICATION_LIMITS
    if factor is not None and not MAGNIFIED_FROM <= factor <= high:
        factor = None  # in contact there is none; what is beyond is impossible, which was said
    if factor is not None and spacing.plane is Plane.UNKNOWN and not by_user:
        at_detector, in_breast_already = _is_pitch(spacing.mean_mm), _is_pitch(spacing.mean_mm * factor)
        if in_breast_already and not at_detector:
            source = f"{spacing.source}, a detector's pitch / the magnification of {factor:g}"
            return dataclasses.replace(spacing, source=source, plane=Plane.OBJECT), []
        if at_detector == in_breast_already:
            factor = None
    if factor is not None:
        return _divided(spacing, factor, "magnification"), []
    if given_factor is not None:
        return _divided(spacing, given_factor, "given magnification"), []
    what = (
        "its Pixel Spacing does not tell whether it holds at the detector or in the breast"
        if spacing.plane is Plane.UNKNOWN
        else "its header does not tell the magnification"
    )
    raise MissingSpacingError(f"it is a magnification view, and {what}", _REMEDY)


def _is_pitch(spacing_mm: float) -> bool:
    return any(abs(spacing_mm / pitch - 1.0) <= _SAME for pitch in _PITCHES_MM)


def _divided(spacing: PixelSpacing, factor: float, how: str) -> PixelSpacing:
    row_mm, col_mm = spacing.row_mm / factor, spacing.col_mm / factor
    if min(row_mm, col_mm) < SPACING_LIMITS_MM[0]:
        raise MissingSpacingError(
            f"divided by the {how} of {factor:g} its pixel spacing would be {min(row_mm, col_mm):.4g} mm",
            "give the true factor with --magnification FACTOR",
        )
    return PixelSpacing(row_mm, col_mm, f"{spacing.source} / {how} of {factor:g}", Plane.OBJECT)
