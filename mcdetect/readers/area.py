"""Checks the pixel spacing against the area that the breast would have."""

from __future__ import annotations

from mcdetect.errors import UnusableImageError
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.image.plausible import check_area
from mcdetect.image.views import SEVERAL_BREASTS
from mcdetect.readers.air_edge import BreastShare
from mcdetect.readers.examination import Examiner

__all__ = ["BREASTS", "note_breasts", "plausible_spacing"]

BREASTS = "breasts"
"""The fact that tells how many there are, where it is not one."""


def note_breasts(examiner: Examiner, breast: BreastShare | None) -> None:
    """Note that a picture seems to show several breasts; the search flags those that it finds."""
    if breast is not None and breast.several:
        examiner.note(BREASTS, SEVERAL_BREASTS)


def plausible_spacing(
    breast: BreastShare | None, pixels: int, spacing: PixelSpacing, given: PixelSpacing | None
) -> tuple[PixelSpacing, str]:
    """Return the pixel spacing to use, and a remark on the area of the breast.

    Parameters
    ----------
    breast : BreastShare or None
        What share of the image the breast covers; None where that is not seen.
    pixels : int
        Pixels of the image.
    spacing : PixelSpacing
        That of the header, or the given one.
    given : PixelSpacing or None
        What the user gave; it serves where that of the header makes a breast that does not exist.

    Raises
    ------
    UnusableImageError
        If no breast is as large or as small at the pixel spacing.
    """
    if breast is None:
        return spacing, ""
    try:
        return spacing, _remark(breast, pixels, spacing)
    except UnusableImageError:
        if given is None or given is spacing:
            raise
        remark = _remark(breast, pixels, given)
        told = "the header's pixel spacing is impossible for a breast: the given one is used"
        return given, f"{told}; {remark}" if remark else told


def _remark(breast: BreastShare, pixels: int, spacing: PixelSpacing) -> str:
    count = breast.share * pixels
    area_cm2 = count * spacing.row_mm * spacing.col_mm / 100.0
    return check_area(area_cm2, count, whole=breast.whole, breasts=2 if breast.two else 1)
