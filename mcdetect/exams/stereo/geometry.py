"""The two beams of a stereotactic pair, and how well they are known."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mcdetect.errors import NotComparableError
from mcdetect.image.beam import Beam, BeamFacts, height_mm

__all__ = ["StereoGeometry", "stereo_geometry"]

_Floats = npt.NDArray[np.float64]

# Physics: distances of mammography systems, which lie within 600 to 720 mm.
_USUAL_SOURCE_MM = 660.0
_USUAL_SOURCE_SD_MM = 25.0
"""Taken, with its error, for the distance of source and detector where the header has none."""
_PIVOT_MM = 0.0
_PIVOT_SD_MM = 15.0
"""Taken for the height of the centre of rotation over the detector: 0 on many systems, 45 mm on others."""

# Judged: what headers and scales state is good to this.
_STATED_SD_MM = 2.0
_ANGLE_SD_DEG = 0.15
_CENTRE_SD_MM = 10.0  # where the beam meets the detector at 0 degrees; matters with unequal angles only
LEAST_DEG = 2.0
"""Exposures whose angles differ by less are no pair: an error of a pixel would be one of millimetres."""
MOST_DEG = 60.0


@dataclass(frozen=True)
class StereoGeometry:
    """Two beams over one detector.

    Parameters
    ----------
    first, second : Beam
    along : {"rows", "cols"} or None
        Direction of the movement: "cols" when positions along it are columns; None when it is not known.
    signed : bool
        Which of the two sources stands over the higher positions is known.
    detector_mm : (float, float)
        Spacing of rows and columns at the detector.
    support_mm : float
        Height of the breast support over the detector; not-a-number when unknown.
    thickness_mm : float
        Of the compressed breast; not-a-number when unknown.
    angle_sd_deg, source_sd_mm, pivot_sd_mm : float
        Standard errors.
    assumed : tuple of str
        What was assumed.
    """

    first: Beam
    second: Beam
    along: str | None
    signed: bool
    detector_mm: tuple[float, float]
    support_mm: float = float("nan")
    thickness_mm: float = float("nan")
    angle_sd_deg: float = _ANGLE_SD_DEG
    source_sd_mm: float = _STATED_SD_MM
    pivot_sd_mm: float = _STATED_SD_MM
    assumed: tuple[str, ...] = ()

    def turned(self) -> StereoGeometry:
        """Return the same with both sources on the other side."""
        beams = [dataclasses.replace(beam, angle_deg=-beam.angle_deg) for beam in (self.first, self.second)]
        return dataclasses.replace(self, first=beams[0], second=beams[1])

    def centred(self, shape: tuple[int, int], along: str) -> StereoGeometry:
        """Return the same for one direction of movement, with the beam over the middle of an image."""
        rows, cols = shape[0] * self.detector_mm[0] / 2, shape[1] * self.detector_mm[1] / 2
        centre = (cols, rows) if along == "cols" else (rows, cols)
        beams = [dataclasses.replace(beam, centre_mm=centre) for beam in (self.first, self.second)]
        return dataclasses.replace(self, first=beams[0], second=beams[1], along=along)

    def heights(self, seen_first: npt.ArrayLike, seen_second: npt.ArrayLike) -> _Floats:
        """Return heights over the detector in mm, from positions along the movement in mm."""
        return height_mm(self.first, self.second, seen_first, seen_second)

    def height_sd_mm(self, seen_first: float, seen_second: float) -> float:
        """Return the standard error of a height by what is not known of the geometry, in mm.

        It is the same for all marks of a height: depths within a group are known better than that.
        """
        here = float(self.heights(seen_first, seen_second))
        changes = [float(other.heights(seen_first, seen_second)) - here for other in self._disturbed()]
        return float(np.sqrt(np.sum(np.square(changes))))

    def _disturbed(self) -> Iterator[StereoGeometry]:
        def both(**change: object) -> StereoGeometry:
            beams = [dataclasses.replace(b, **change) for b in (self.first, self.second)]  # type: ignore[arg-type]
            return dataclasses.replace(self, first=beams[0], second=beams[1])

        by = self.angle_sd_deg
        first, second = self.first, self.second
        yield dataclasses.replace(self, first=dataclasses.replace(first, angle_deg=first.angle_deg + by))
        yield dataclasses.replace(self, second=dataclasses.replace(second, angle_deg=second.angle_deg + by))
        yield both(source_detector_mm=self.first.source_detector_mm + self.source_sd_mm)
        yield both(pivot_mm=self.first.pivot_mm + self.pivot_sd_mm)
        along, across = self.first.centre_mm
        yield both(centre_mm=(along + _CENTRE_SD_MM, across))


def stereo_geometry(
    first: BeamFacts,
    second: BeamFacts,
    *,
    angles_deg: tuple[float, float] | None = None,
    source_detector_mm: float | None = None,
    pivot_mm: float | None = None,
    detector_mm: float | None = None,
) -> StereoGeometry:
    """Put together what two headers and the user say of a stereotactic pair.

    Angles are, in this order: those given; Detector Primary or Secondary Angle, which also tell the direction
    of the movement; Positioner Primary Angle, which is that of the gantry, so that only the difference counts
    and the two are taken as equally far to either side.

    Parameters
    ----------
    first, second : BeamFacts
        Of either image.
    angles_deg : (float, float), optional
        Angles of the source to the normal of the detector.
    source_detector_mm, pivot_mm : float, optional
        Distance of source and detector, and height of the centre of rotation over the detector.
    detector_mm : float, optional
        Pixel spacing at the detector, where the header has none.

    Returns
    -------
    StereoGeometry

    Raises
    ------
    NotComparableError
        If angles or spacing are not known, or the images cannot be a pair.
    """
    if (first.rows, first.cols) != (second.rows, second.cols):
        raise NotComparableError(
            f"the images have {first.rows} x {first.cols} and {second.rows} x {second.cols} pixels",
            "give both images of one stereotactic pair, uncropped",
        )
    assumed: list[str] = []
    angles, along, signed = _angles(first, second, angles_deg, assumed)
    if not LEAST_DEG <= abs(angles[1] - angles[0]) <= MOST_DEG:
        raise NotComparableError(
            f"the angles of the images differ by {abs(angles[1] - angles[0]):.1f} degrees",
            f"give exposures {LEAST_DEG:g} to {MOST_DEG:g} degrees apart, or their angles with --angles A B",
        )
    spacing = first.detector_mm or second.detector_mm
    if spacing is None and detector_mm is not None:
        spacing = detector_mm, detector_mm
    if spacing is None:
        raise NotComparableError(
            "the header has no Imager Pixel Spacing",
            "give the spacing at the detector with --pixel-spacing MM",
        )
    stated = first.source_detector_mm or second.source_detector_mm
    source = source_detector_mm or stated or _USUAL_SOURCE_MM
    if source_detector_mm is None and stated is None:
        assumed.append(f"source {_USUAL_SOURCE_MM:g} mm over the detector")
    isocentre = first.source_pivot_mm or second.source_pivot_mm
    pivot = pivot_mm
    if pivot is None and isocentre is not None and 0.0 <= source - isocentre < 0.5 * source:
        pivot = source - isocentre
    if pivot is None:
        assumed.append("centre of rotation at the detector")
    support = first.source_support_mm or second.source_support_mm
    known = support is not None and stated is not None and 0.0 <= stated - support < 0.5 * stated
    beams = [Beam(angle, source, _PIVOT_MM if pivot is None else pivot) for angle in angles]
    return StereoGeometry(
        beams[0],
        beams[1],
        along,
        signed,
        spacing,
        support_mm=stated - support if known and stated and support else float("nan"),
        thickness_mm=first.thickness_mm or second.thickness_mm or float("nan"),
        source_sd_mm=_USUAL_SOURCE_SD_MM if source_detector_mm is None and stated is None else _STATED_SD_MM,
        pivot_sd_mm=_PIVOT_SD_MM if pivot is None else _STATED_SD_MM,
        assumed=tuple(assumed),
    )


def _angles(
    first: BeamFacts, second: BeamFacts, given: tuple[float, float] | None, assumed: list[str]
) -> tuple[tuple[float, float], str | None, bool]:
    """Return the angles of the sources, the direction of the movement, and whether their sides are known."""
    if given is not None:
        return given, None, False
    if first.tilt_deg is not None and second.tilt_deg is not None:
        apart = [abs(b - a) for a, b in zip(first.tilt_deg, second.tilt_deg, strict=True)]
        axis = int(np.argmax(apart))
        if apart[axis] >= LEAST_DEG or first.gantry_deg is None or second.gantry_deg is None:
            # a beam that is tilted towards higher positions comes from a source over lower ones
            tilts = -first.tilt_deg[axis], -second.tilt_deg[axis]
            return tilts, ("rows", "cols")[axis], True
    if first.gantry_deg is not None and second.gantry_deg is not None:
        half = (second.gantry_deg - first.gantry_deg) / 2
        if abs(half) * 2 >= LEAST_DEG:
            assumed.append("both angles equally far from the normal of the detector")
            return (-half, half), None, False
        return (first.gantry_deg, second.gantry_deg), None, False
    raise NotComparableError(
        "the headers do not tell the angles of the exposures", "give them with --angles A B, in degrees"
    )
