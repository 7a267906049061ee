"""What the functional groups of a multi-frame image say: kind of frames, their order, depth and angle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from mcdetect.errors import NotEligibleError
from mcdetect.readers.dicom.tags import integer, items, number, numbers, text, texts

__all__ = [
    "Kind",
    "StackOrder",
    "half_angle_deg",
    "kind_of_frames",
    "order_of_slices",
    "stack_problem",
]

# Standard: DICOM PS3.4, B.5.
TOMOSYNTHESIS_CLASS = "1.2.840.10008.5.1.4.1.1.13.1.3"
PROJECTION_CLASSES = frozenset({"1.2.840.10008.5.1.4.1.1.13.1.4", "1.2.840.10008.5.1.4.1.1.13.1.5"})
CAPTURE_CLASSES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.7",
        "1.2.840.10008.5.1.4.1.1.7.2",
        "1.2.840.10008.5.1.4.1.1.7.3",
    }
)

# Physics: slices of a breast are about 1 mm apart, slabs up to 10 mm; sweeps are 11 to 60 degrees wide.
_SPACING_LIMITS_MM = (0.1, 15.0)
_USUAL_SPACING_MM = 1.0
_ANGLE_LIMITS_DEG = (2.0, 45.0)


class Kind(StrEnum):
    """What the frames of a multi-frame image are."""

    SLICES = "tomosynthesis slices"
    PROJECTIONS = "projection images of a tomosynthesis acquisition"
    UNKNOWN = "frames of unknown kind"


@dataclass(frozen=True)
class StackOrder:
    """Slices in the order of depth.

    Parameters
    ----------
    frames : tuple of int
        Frame of each slice in the file, from 0.
    depth_mm : tuple of float
        Depth below the first slice, in mm.
    source : str
        Where order and depth came from.
    flags : tuple of str
        Remarks.
    """

    frames: tuple[int, ...]
    depth_mm: tuple[float, ...]
    source: str
    flags: tuple[str, ...] = ()


def kind_of_frames(header: Dataset) -> Kind:
    """Tell slices from projections, by class, image type and functional groups."""
    sop_class = text(header, "SOPClassUID")
    if sop_class in PROJECTION_CLASSES:
        return Kind.PROJECTIONS
    if sop_class == TOMOSYNTHESIS_CLASS:
        return Kind.SLICES
    if sop_class not in CAPTURE_CLASSES:
        return Kind.UNKNOWN
    # Vendors stored slices as secondary captures before there was a class for them.
    words = " ".join([*texts(header, "ImageType"), text(header, "SeriesDescription")])
    if "PROJ" in words:
        return Kind.PROJECTIONS
    if _plane_positions(header) is not None or _stated_spacing(header)[0] is not None:
        return Kind.SLICES
    return Kind.SLICES if "TOMO" in words or "SLICE" in words else Kind.UNKNOWN


def stack_problem(header: Dataset, frames: int, *, whole: bool) -> NotEligibleError | None:
    """Return why a multi-frame image is not searched as it is, or None where it is.

    Parameters
    ----------
    header : Dataset
    frames : int
        Number of its frames.
    whole : bool
        Whether the image as a whole is asked for, not one frame of it.
    """
    kind = kind_of_frames(header)
    if kind is Kind.UNKNOWN:
        return NotEligibleError(
            f"it holds {frames} frames, and nothing says whether they are slices (tomosynthesis or another "
            "stack)",
            "export it as Breast Tomosynthesis Image Storage, or use --force to search its first frame",
        )
    if kind is Kind.PROJECTIONS and whole:
        return NotEligibleError(
            f"it holds {frames} projection images of a tomosynthesis acquisition, which show the same "
            "breast again and again",
            "give the slices made of them, or read one frame: read_mammogram(path, frame=0)",
        )
    return None


def order_of_slices(header: Dataset, frames: int) -> StackOrder:
    """Return the slices in the order of depth: by plane positions, by stack position, else by file.

    Depth rises along the normal of the slices (row direction times column direction), which looks from the
    tube to the detector.

    Notes
    -----
    DICOM PS3.3, C.7.6.16.2.3 (Plane Position), C.7.6.16.2.2 (Frame Content), C.7.6.16.2.1 (Pixel Measures).
    """
    stated, what = _stated_spacing(header)
    depth = _plane_positions(header)
    if depth is not None and depth.size == frames:
        order = np.argsort(depth, kind="stable")
        sorted_mm = depth[order] - depth[order[0]]
        gaps = np.diff(sorted_mm)
        if gaps.size == 0 or (_plausible(float(gaps.min())) and _plausible(float(gaps.max()))):
            flags = []
            if gaps.size and stated is not None and abs(float(np.median(gaps)) - stated) > 0.2 * stated:
                flags.append(f"slices lie {np.median(gaps):.3g} mm apart, not {stated:g} mm ({what})")
            return StackOrder(
                tuple(map(int, order)), tuple(map(float, sorted_mm)), "Plane Position", tuple(flags)
            )
    flags = []
    if depth is not None:
        flags.append("impossible plane positions ignored")
    step = stated
    if step is None:
        step = _USUAL_SPACING_MM
        flags.append(f"distance of the slices unknown: {step:g} mm assumed")
    place = _stack_positions(header)
    if place is not None and place.size == frames:
        order, source = np.argsort(place, kind="stable"), "In-Stack Position Number"
    else:
        order, source = np.arange(frames), "order in the file"
        flags.append("slices taken in the order of the file")
    return StackOrder(
        tuple(map(int, order)), tuple(float(k * step) for k in range(frames)), source, tuple(flags)
    )


def half_angle_deg(header: Dataset) -> float | None:
    """Return how far the tube went to either side, in degrees, where the header says so."""
    low, high = _ANGLE_LIMITS_DEG
    holders = [header, *items(header, "XRay3DAcquisitionSequence")]
    for holder in holders:
        for keyword in ("PrimaryPositionerScanArc", "TomoAngle"):
            arc = number(holder, keyword)
            if arc is not None and low <= 0.5 * abs(arc) <= high:
                return 0.5 * abs(arc)
    for holder in holders:
        start = number(holder, "PrimaryPositionerScanStartAngle")
        step = number(holder, "PrimaryPositionerIncrement")
        if start is not None and step is not None and low <= abs(start) <= high:
            return abs(start)
    return None


def _plausible(gap_mm: float) -> bool:
    return _SPACING_LIMITS_MM[0] <= gap_mm <= _SPACING_LIMITS_MM[1]


def _shared(header: Dataset) -> list[Dataset]:
    return list(items(header, "SharedFunctionalGroupsSequence"))[:1]


def _per_frame(header: Dataset) -> list[Dataset]:
    return list(items(header, "PerFrameFunctionalGroupsSequence"))


def _stated_spacing(header: Dataset) -> tuple[float | None, str]:
    """Return Spacing Between Slices, else Slice Thickness, and which of them it was."""
    groups = [*_shared(header), *_per_frame(header)[:1]]
    holders = [measure for group in groups for measure in items(group, "PixelMeasuresSequence")]
    for keyword, name in (
        ("SpacingBetweenSlices", "Spacing Between Slices"),
        ("SliceThickness", "Slice Thickness"),
    ):
        for holder in [*holders, header]:
            value = number(holder, keyword)
            if value is not None and _plausible(abs(value)):
                return abs(value), name
    return None, ""


def _plane_positions(header: Dataset) -> npt.NDArray[np.float64] | None:
    """Return the position of each frame along the normal of the slices, None where one has none."""
    frames = _per_frame(header)
    if not frames:
        return None
    places, normal = [], None
    for group in frames:
        place = None
        for sequence, keyword in (
            ("PlanePositionSequence", "ImagePositionPatient"),
            ("PlanePositionVolumeSequence", "ImagePositionVolume"),
        ):
            for item in items(group, sequence):
                values = numbers(item, keyword)
                if place is None and len(values) == 3 and all(map(math.isfinite, values)):
                    place = values
        if place is None:
            return None
        places.append(place)
    for group in [*_shared(header), *frames[:1]]:
        for sequence, keyword in (
            ("PlaneOrientationSequence", "ImageOrientationPatient"),
            ("PlaneOrientationVolumeSequence", "ImageOrientationVolume"),
        ):
            for item in items(group, sequence):
                values = numbers(item, keyword)
                if normal is None and len(values) == 6 and all(map(math.isfinite, values)):
                    normal = np.cross(values[:3], values[3:])
    spots = np.array(places, np.float64)
    if normal is None or not np.linalg.norm(normal) > 0.5:
        normal = spots[-1] - spots[0]  # the way the frames go
        if not np.linalg.norm(normal) > 0:
            return np.zeros(len(spots))
    along: npt.NDArray[np.float64] = spots @ (normal / np.linalg.norm(normal))
    return along


def _stack_positions(header: Dataset) -> npt.NDArray[np.int64] | None:
    """Return the place of each frame in its stack, None where they are not told apart."""
    found = []
    for group in _per_frame(header):
        content = next(iter(items(group, "FrameContentSequence")), None)
        place = None if content is None else integer(content, "InStackPositionNumber")
        if place is None:
            return None
        found.append(place)
    if not found or len(set(found)) != len(found):
        return None
    return np.array(found, np.int64)
