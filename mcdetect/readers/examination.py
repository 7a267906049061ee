"""What a loader learned about one file, whether or not the file can be processed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from mcdetect.errors import InputFileError, UnusableImageError
from mcdetect.image.mammogram import MIN_SIDE_PX, Mammogram, PixelSpacing, Plane
from mcdetect.image.volume import Volume

__all__ = [
    "MAGNIFICATION_LIMITS",
    "MAX_PIXELS",
    "MIN_SIDE_MM",
    "MIN_SIDE_PX",
    "Examination",
    "Examiner",
    "check_extent",
    "check_size",
    "describe_spacing",
    "given_magnification",
    "given_spacing",
]

# Physics: source over object distance is 1 in contact and hardly above 2 on a magnification stand.
MAGNIFICATION_LIMITS = (1.0, 2.5)
"""Least and greatest magnification."""

# Judged: what is smaller is no mammogram, what is larger is a damaged header.
MIN_SIDE_MM = 5.0
MAX_PIXELS = 150_000_000  # no digitised film has more


@dataclass(frozen=True)
class Examination:
    """Outcome of reading one file.

    Parameters
    ----------
    facts : dict of str to str
        What was understood, in the order in which it was learned; no patient identity.
    flags : tuple of str
        Remarks that the user should know.
    problems : tuple of InputFileError
        Every reason why the file would not be processed; empty when it would be.
    image : Mammogram, Volume or None
        The image, or a stack of slices; None when a problem prevented it from being built, or pixels were not
        asked for.
    header : dict of str to (str or float)
        Identifiers, maker and exposure, see `mcdetect.schema.DICOM_COLUMNS`.
    study : str
        Pseudonym of the examination, empty when unknown.
    """

    facts: dict[str, str]
    flags: tuple[str, ...]
    problems: tuple[InputFileError, ...]
    image: Mammogram | Volume | None
    header: dict[str, str | float] = field(default_factory=dict)
    study: str = field(default="", repr=False)

    @property
    def mammogram(self) -> Mammogram | None:
        """The image, where it is no stack of slices."""
        return self.image if isinstance(self.image, Mammogram) else None


@dataclass
class Examiner:
    """Collects facts, flags and problems while a file is read.

    Parameters
    ----------
    thorough : bool
        False raises at the first problem; True keeps it and lets reading go on.
    """

    thorough: bool = False
    facts: dict[str, str] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    problems: list[InputFileError] = field(default_factory=list)
    header: dict[str, str | float] = field(default_factory=dict)
    study: str = ""

    def note(self, name: str, value: object) -> None:
        """Record a fact; empty ones are left out."""
        text = str(value).strip() if value is not None else ""
        if text:
            self.facts[name] = text

    def flag(self, *remarks: str) -> None:
        """Record remarks, each once."""
        self.flags.extend(remark for remark in remarks if remark not in self.flags)

    def problem(self, error: InputFileError) -> None:
        """Raise `error`, or keep it when the examination is thorough."""
        if not self.thorough:
            raise error
        self.problems.append(error)

    def finish(self, image: Mammogram | Volume | None) -> Examination:
        """Return what was collected."""
        usable = None if self.problems else image
        problems, flags = tuple(self.problems), tuple(self.flags)
        return Examination(dict(self.facts), flags, problems, usable, dict(self.header), self.study)


def given_spacing(pixel_spacing_mm: float | tuple[float, float] | None) -> PixelSpacing | None:
    """Return the spacing that the user gave, or None.

    Raises
    ------
    ValueError
        If it is not one or two finite numbers within the limits of `PixelSpacing`.
    """
    if pixel_spacing_mm is None:
        return None
    values = pixel_spacing_mm if isinstance(pixel_spacing_mm, tuple) else (pixel_spacing_mm,) * 2
    if len(values) != 2 or not all(
        isinstance(value, (int, float)) and math.isfinite(value) for value in values
    ):
        raise ValueError(f"pixel_spacing_mm must be one number or (row, column), in mm; got {values!r}")
    try:
        return PixelSpacing(float(values[0]), float(values[1]))
    except InputFileError as error:
        raise ValueError(f"pixel_spacing_mm: {error.cause}") from error


def given_magnification(factor: float | None) -> float | None:
    """Return the magnification that the user gave, or None.

    Raises
    ------
    ValueError
        If it is not a number within `MAGNIFICATION_LIMITS`.
    """
    low, high = MAGNIFICATION_LIMITS
    if factor is None:
        return None
    if isinstance(factor, bool) or not isinstance(factor, (int, float)) or not low <= factor <= high:
        raise ValueError(f"magnification must be a number from {low:g} to {high:g}, got {factor!r}")
    return float(factor)


def check_size(rows: int, cols: int) -> None:
    """Raise when an image of `rows` x `cols` pixels is too small or absurdly large to work on."""
    if min(rows, cols) < MIN_SIDE_PX:
        raise UnusableImageError(
            f"the image is only {rows} x {cols} pixels",
            f"give a whole mammogram (at least {MIN_SIDE_PX} pixels and {MIN_SIDE_MM:g} mm a side)",
        )
    if rows * cols > MAX_PIXELS:
        raise UnusableImageError(
            f"the header claims {rows} x {cols} pixels, more than the {MAX_PIXELS // 10**6} million accepted",
            "the header is probably corrupt; obtain the file again",
        )


def check_extent(rows: int, cols: int, spacing: PixelSpacing) -> None:
    """Raise when an image is smaller than any breast that could be searched."""
    height, width = rows * spacing.row_mm, cols * spacing.col_mm
    if min(height, width) < MIN_SIDE_MM:
        raise UnusableImageError(
            f"the image covers only {height:.1f} x {width:.1f} mm at its pixel spacing",
            "check the pixel spacing, or give a whole mammogram",
        )


def describe_spacing(spacing: PixelSpacing) -> str:
    """Return a spacing with its source and plane, for people."""
    values = f"{spacing.row_mm:.4g} x {spacing.col_mm:.4g} mm (rows x columns)"
    plane = "unknown plane" if spacing.plane is Plane.UNKNOWN else f"{spacing.plane} plane"
    return f"{values}, {spacing.source}, {plane}"
