"""The image that flows through every stage: pixels, spacing, view and how they were known."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from mcdetect.errors import MissingSpacingError
from mcdetect.image.views import PART_VIEWS

__all__ = ["MIN_SIDE_PX", "Intent", "Mammogram", "Origin", "PixelSpacing", "Plane"]

# Physics: detectors and digitisers sample mammograms at about 0.025 to 0.2 mm; the limits leave room.
SPACING_LIMITS_MM = (0.01, 0.5)

# Technical: filters and grids need some pixels.
MIN_SIDE_PX = 32
"""Images with a side shorter than this are refused by the loader and by the search for the breast."""


class Plane(StrEnum):
    """Plane in which a pixel spacing holds."""

    OBJECT = "object"
    DETECTOR = "detector"
    FILM = "film"
    UNKNOWN = "unknown"


class Intent(StrEnum):
    """What the grey levels were made for."""

    FOR_PROCESSING = "FOR PROCESSING"
    FOR_PRESENTATION = "FOR PRESENTATION"
    FILM = "DIGITISED FILM"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class PixelSpacing:
    """Distance between pixel centres.

    Parameters
    ----------
    row_mm, col_mm : float
        Distance between rows and between columns, in mm; each within 0.01 to 0.5.
    source : str
        Where the values came from: a DICOM keyword with what was done to it
        ("Imager Pixel Spacing / Estimated Radiographic Magnification Factor"),
        or "given by the user".
    plane : Plane
        Plane in which the spacing holds.
    """

    row_mm: float
    col_mm: float
    source: str = "given by the user"
    plane: Plane = Plane.UNKNOWN

    def __post_init__(self) -> None:
        low, high = SPACING_LIMITS_MM
        for name, value in (("row", self.row_mm), ("column", self.col_mm)):
            if not math.isfinite(value) or not low <= value <= high:
                raise MissingSpacingError(
                    f"the {name} pixel spacing of {value} mm ({self.source}) is outside {low} to {high} mm",
                    "give the true one with --pixel-spacing MM",
                )

    @property
    def mean_mm(self) -> float:
        """Geometric mean of the two spacings, in mm."""
        return math.sqrt(self.row_mm * self.col_mm)


@dataclass(frozen=True)
class Origin:
    """Pseudonyms that tell which images are copies of one exposure.

    Parameters
    ----------
    instance : str
        Of the SOP instance; empty when unknown, as are the others.
    sources : tuple of str
        Of the instances that it was made from.
    event : str
        Of the exposure: its irradiation event, or its moment, side and view.
    """

    instance: str = ""
    sources: tuple[str, ...] = ()
    event: str = ""


@dataclass(frozen=True)
class Mammogram:
    """One mammogram, calcification bright.

    Parameters
    ----------
    pixels : (rows, cols) float32 array, C-contiguous
        Grey levels, monotonic in attenuation: denser tissue is brighter. Never rescaled to
        a display window; finite everywhere.
    spacing : PixelSpacing
        Distance between pixel centres, in mm, and where it came from.
    valid : (rows, cols) bool array, optional
        False on padding. None when every pixel was exposed.
    zero_exposure_level : float, optional
        For linear raw (FOR PROCESSING) images, the value of `pixels` at which the x-ray signal
        is zero: the detector signal is ``zero_exposure_level - pixels``. None for every other
        grey scale (film, log, for presentation).
    saturation_level : float, optional
        The value of `pixels` from which on the digitiser or the grey scale saturates.
    intent : Intent
        What the grey levels were made for.
    laterality : {"L", "R"} or None
        The breast.
    view : str or None
        "CC", "MLO", "ML", "LM", "LMO", "XCCL", ... or None.
    display_window : (float, float), optional
        Grey levels to draw black and white, in units of `pixels`; for pictures only.
    polarity_source : str
        Why bright is taken as dense: "header", "header and skin line", "skin line", "skin line against the
        header", "assumed", or "given" with an array.
    study : str
        Pseudonym of the examination, to tell which images belong together; empty when unknown. It is
        kept in memory only and stands in no output.
    header : dict of str to (str or float)
        Identifiers, maker and exposure, by the names of `mcdetect.schema.DICOM_COLUMNS`. They are kept in
        memory only, and written on request.
    origin : Origin
        What tells its copies; kept like `study`.
    source : str
        Name of the file, relative to the input it was found in; empty for arrays.
    flags : tuple of str
        Remarks of the loader ("lossy compression", "8-bit", "magnification view", ...).
    details : dict of str to str
        Further facts without patient identity, for `inspect` and the tables
        (transfer syntax, bits stored, manufacturer model, grey-scale steps, ...).
    """

    pixels: npt.NDArray[np.float32]
    spacing: PixelSpacing
    valid: npt.NDArray[np.bool_] | None = None
    zero_exposure_level: float | None = None
    saturation_level: float | None = None
    intent: Intent = Intent.UNKNOWN
    laterality: str | None = None
    view: str | None = None
    display_window: tuple[float, float] | None = None
    source: str = ""
    polarity_source: str = field(default="given", kw_only=True)
    study: str = field(default="", repr=False, kw_only=True)
    header: dict[str, str | float] = field(default_factory=dict, repr=False, kw_only=True)
    origin: Origin = field(default=Origin(), repr=False, kw_only=True)
    flags: tuple[str, ...] = ()
    details: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.pixels.ndim != 2 or self.pixels.dtype != np.float32:
            raise ValueError("pixels must be a 2-D float32 array; use Mammogram.from_array")
        if self.valid is not None and self.valid.shape != self.pixels.shape:
            raise ValueError("valid must have the shape of pixels")

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols) of the image."""
        rows, cols = self.pixels.shape
        return rows, cols

    @property
    def shows_part(self) -> bool:
        """Whether it shows a part of a breast: a magnification, spot or stereotactic view, a specimen."""
        return not PART_VIEWS.isdisjoint(self.flags)

    @property
    def shows_specimen(self) -> bool:
        """Whether it is the radiograph of a specimen."""
        return "specimen" in self.flags

    @classmethod
    def from_array(
        cls,
        array: npt.ArrayLike,
        pixel_spacing_mm: float | tuple[float, float],
        *,
        view: str | None = None,
        laterality: str | None = None,
        intent: Intent = Intent.UNKNOWN,
        source: str = "",
    ) -> Mammogram:
        """Make a mammogram from an array in which calcifications are bright.

        Parameters
        ----------
        array : (rows, cols) array of any real dtype
            Non-finite values are treated as padding.
        pixel_spacing_mm : float or (float, float)
            Pixel spacing in mm, or (row spacing, column spacing).

        Returns
        -------
        Mammogram
        """
        raw = np.asarray(array)
        if raw.ndim != 2 or 0 in raw.shape:
            raise ValueError(f"expected a non-empty 2-D array (rows, cols), got shape {raw.shape}")
        if raw.dtype == np.bool_ or not np.issubdtype(raw.dtype, np.number) or np.iscomplexobj(raw):
            raise ValueError(f"expected real grey levels, got dtype {raw.dtype}")
        given = pixel_spacing_mm
        row_mm, col_mm = given if isinstance(given, tuple) else (given, given)
        spacing = PixelSpacing(float(row_mm), float(col_mm))
        pixels = np.ascontiguousarray(raw, dtype=np.float32)
        valid: npt.NDArray[np.bool_] | None = None
        if np.issubdtype(raw.dtype, np.floating):
            finite = np.isfinite(pixels)
            if not finite.all():
                floor = pixels[finite].min() if finite.any() else np.float32(0)
                pixels = np.where(finite, pixels, floor).astype(np.float32)
                valid = finite
        return cls(
            pixels=pixels,
            spacing=spacing,
            valid=valid,
            view=view,
            laterality=laterality,
            intent=intent,
            source=source,
        )
