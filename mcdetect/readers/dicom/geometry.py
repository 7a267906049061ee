"""Pixel spacing: which attribute holds it, what was done to it, in which plane it is valid."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pydicom.dataset import Dataset

from mcdetect.errors import MissingSpacingError
from mcdetect.image.mammogram import SPACING_LIMITS_MM, PixelSpacing, Plane
from mcdetect.readers.dicom.tags import items, number, numbers, text
from mcdetect.readers.examination import MAGNIFICATION_LIMITS

__all__ = ["find_spacing"]

# Judged: wider than the rounding of digits, narrower than what tells one detector from another.
_SAME = 0.005
"""Spacings closer than this relative difference are the same, written with other digits."""

_REMEDY = "give the true one with --pixel-spacing MM"
_CBIS_REMEDY = (
    "give it with --pixel-spacing MM (CBIS-DDSM films: 0.0435 for Howtek, 0.05 for Lumisys digitisers)"
)

_NAMES = {
    "PixelSpacing": "Pixel Spacing",
    "ImagerPixelSpacing": "Imager Pixel Spacing",
    "NominalScannedPixelSpacing": "Nominal Scanned Pixel Spacing",
}


@dataclass(frozen=True)
class _Pair:
    """Row and column spacing in mm as an attribute holds them; invalid ones are kept apart."""

    keyword: str
    row_mm: float
    col_mm: float

    @property
    def valid(self) -> bool:
        low, high = SPACING_LIMITS_MM
        return all(math.isfinite(v) and low <= v <= high for v in (self.row_mm, self.col_mm))

    def same_as(self, other: _Pair) -> bool:
        return math.isclose(self.row_mm, other.row_mm, rel_tol=_SAME) and math.isclose(
            self.col_mm, other.col_mm, rel_tol=_SAME
        )


def find_spacing(
    header: Dataset, given: PixelSpacing | None = None, *, frame: int = 0
) -> tuple[PixelSpacing, list[str]]:
    """Return the pixel spacing of an image and remarks about it.

    The header wins where it has a usable spacing; `given` serves the images whose header has none
    or an impossible one. Detector Element Spacing is never used, since detectors bin.

    Parameters
    ----------
    header : Dataset
        The image's attributes.
    given : PixelSpacing, optional
        What the user gave.
    frame : int
        Frame whose functional groups count, from 0.

    Returns
    -------
    PixelSpacing
        Row and column spacing in mm, its source and its plane.
    list of str
        Remarks.

    Raises
    ------
    MissingSpacingError
        If the header has no usable spacing and none was given.

    Notes
    -----
    DICOM PS3.3, 10.7 (Basic Pixel Spacing Calibration) and C.8.11.4 (DX Detector), C.7.6.16.2.1
    (Pixel Measures), C.8.19.6.4 (Frame Pixel Data Properties).
    """
    flags: list[str] = []
    found: dict[str, _Pair] = {}
    broken: list[str] = []
    for pair in _pairs(header, frame):
        if pair.valid:
            found.setdefault(pair.keyword, pair)
        else:
            broken.append(_NAMES[pair.keyword])
    if broken and found:
        flags.append(f"impossible {' and '.join(dict.fromkeys(broken))} ignored")
    spacing = _choose(header, found, flags)
    if spacing is not None:
        return spacing, flags
    if given is not None:
        if broken:
            flags.append(f"impossible {' and '.join(dict.fromkeys(broken))}: the given spacing is used")
        return given, flags
    if broken:
        low, high = SPACING_LIMITS_MM
        raise MissingSpacingError(
            f"{' and '.join(dict.fromkeys(broken))} in the header is not a number from {low} to {high} mm",
            _REMEDY,
        )
    looks_cbis = text(header, "StudyID") == "DDSM" or _is_cbis_private(header)
    raise MissingSpacingError("the header has no pixel spacing", _CBIS_REMEDY if looks_cbis else _REMEDY)


def _choose(header: Dataset, found: dict[str, _Pair], flags: list[str]) -> PixelSpacing | None:
    calibrated = found.get("PixelSpacing")
    imager = found.get("ImagerPixelSpacing")
    scanned = found.get("NominalScannedPixelSpacing")
    reference = imager or scanned
    if calibrated is not None and reference is not None and not calibrated.same_as(reference):
        kind = text(header, "PixelSpacingCalibrationType")
        differs = f"differs from {_NAMES[reference.keyword]}"
        if kind in ("GEOMETRY", "FIDUCIAL"):
            return _spacing(calibrated, f"Pixel Spacing (calibrated, {kind}; {differs})", Plane.OBJECT)
        flags.append(f"Pixel Spacing {differs} without a calibration type")
        return _spacing(calibrated, f"Pixel Spacing ({differs})", Plane.UNKNOWN)
    if imager is not None:
        return _projected(header, imager, flags)
    if calibrated is not None and scanned is None:
        return _spacing(calibrated, "Pixel Spacing", Plane.UNKNOWN)
    if scanned is not None:
        return _spacing(scanned, "Nominal Scanned Pixel Spacing", Plane.FILM)
    return None


def _projected(header: Dataset, imager: _Pair, flags: list[str]) -> PixelSpacing:
    """Bring the spacing at the detector into the object plane where the magnification is known."""
    low, high = MAGNIFICATION_LIMITS
    factor = number(header, "EstimatedRadiographicMagnificationFactor")
    how = "Estimated Radiographic Magnification Factor"
    if factor is not None and not low <= factor <= high:
        flags.append(f"impossible {how} ignored")
        factor = None
    if factor is None:
        detector = number(header, "DistanceSourceToDetector")
        patient = number(header, "DistanceSourceToPatient")
        if detector and patient and detector > 0 and patient > 0 and low <= detector / patient <= high:
            factor = detector / patient
            how = "(Distance Source to Detector / Distance Source to Patient)"
    if factor is None:
        return _spacing(imager, "Imager Pixel Spacing", Plane.DETECTOR)
    row_mm, col_mm = imager.row_mm / factor, imager.col_mm / factor
    source = (
        f"Imager Pixel Spacing / {how} of {factor:g}" if how[0] == "E" else f"Imager Pixel Spacing / {how}"
    )
    if min(row_mm, col_mm) < SPACING_LIMITS_MM[0]:
        flags.append("magnification ignored: it would make the pixels impossibly small")
        return _spacing(imager, "Imager Pixel Spacing", Plane.DETECTOR)
    return PixelSpacing(row_mm, col_mm, source, Plane.OBJECT)


def _spacing(pair: _Pair, source: str, plane: Plane) -> PixelSpacing:
    return PixelSpacing(pair.row_mm, pair.col_mm, source, plane)


def _pairs(header: Dataset, frame: int) -> list[_Pair]:
    """Return every spacing in the header, the functional groups of multi-frame images first."""
    pairs = []
    groups = list(items(header, "SharedFunctionalGroupsSequence"))
    groups += list(items(header, "PerFrameFunctionalGroupsSequence"))[frame : frame + 1]
    for group in groups:
        for measures in items(group, "PixelMeasuresSequence"):
            pairs += _pair(measures, "PixelSpacing")
        for properties in items(group, "FramePixelDataPropertiesSequence"):
            pairs += _pair(properties, "ImagerPixelSpacing")
    for keyword in _NAMES:
        pairs += _pair(header, keyword)
    return pairs


def _pair(ds: Dataset, keyword: str) -> list[_Pair]:
    values = numbers(ds, keyword)
    if not values:
        return []
    if len(values) == 2:
        return [_Pair(keyword, values[0], values[1])]
    return [_Pair(keyword, math.nan, math.nan)]


def _is_cbis_private(header: Dataset) -> bool:
    """Return whether the Clinical Trial Processor wrote "CBIS-DDSM" into its private group."""
    value = header.get((0x0013, 0x1010))
    raw = getattr(value, "value", b"")
    return (raw if isinstance(raw, bytes) else str(raw).encode()).strip().startswith(b"CBIS-DDSM")
