"""The geometry of an exposure: where the x-ray source stands, and where it projects a point of the breast."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Beam", "BeamFacts", "height_mm"]

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BeamFacts:
    """What a header says of the geometry of an exposure; None where it says nothing.

    Parameters
    ----------
    rows, cols : int
        Size of the image.
    detector_mm : (float, float), optional
        Spacing of rows and of columns at the detector.
    tilt_deg : (float, float), optional
        Angle of the beam to the normal of the detector, towards higher rows and towards higher columns.
    gantry_deg : float, optional
        Angle of the gantry about the patient.
    source_detector_mm, source_support_mm, source_pivot_mm : float, optional
        Distances of the source to the detector, to the breast support, and to the centre of rotation.
    thickness_mm : float, optional
        Of the compressed breast.
    """

    rows: int
    cols: int
    detector_mm: tuple[float, float] | None = None
    tilt_deg: tuple[float, float] | None = None
    gantry_deg: float | None = None
    source_detector_mm: float | None = None
    source_support_mm: float | None = None
    source_pivot_mm: float | None = None
    thickness_mm: float | None = None


@dataclass(frozen=True)
class Beam:
    """One exposure by a source that was moved on an arc over a detector that stayed.

    Positions in the plane of the detector are (along, across): along the movement of the source, and across.

    Parameters
    ----------
    angle_deg : float
        Angle of the source to the normal of the detector, positive when it stands over higher positions.
    source_detector_mm : float
        Distance of source and detector at 0 degrees.
    pivot_mm : float
        Height of the centre of the arc over the detector.
    centre_mm : (float, float)
        Where the beam meets the detector at 0 degrees.
    """

    angle_deg: float
    source_detector_mm: float
    pivot_mm: float = 0.0
    centre_mm: tuple[float, float] = (0.0, 0.0)

    @property
    def along_mm(self) -> float:
        """Where the source stands, along its movement."""
        radius = self.source_detector_mm - self.pivot_mm
        return self.centre_mm[0] + radius * math.sin(math.radians(self.angle_deg))

    @property
    def above_mm(self) -> float:
        """How high the source stands over the detector."""
        radius = self.source_detector_mm - self.pivot_mm
        return self.pivot_mm + radius * math.cos(math.radians(self.angle_deg))

    def project(
        self, along_mm: npt.ArrayLike, across_mm: npt.ArrayLike, height: npt.ArrayLike
    ) -> tuple[_Floats, _Floats]:
        """Return where points over the detector are seen on it.

        Parameters
        ----------
        along_mm, across_mm : (n,) array-like of float
            The foot of each point on the detector.
        height : (n,) array-like of float
            Its height over the detector, in mm.

        Returns
        -------
        along_mm, across_mm : (n,) float64 arrays
        """
        enlarged = self.above_mm / (self.above_mm - np.asarray(height, np.float64))
        along = self.along_mm + (np.asarray(along_mm, np.float64) - self.along_mm) * enlarged
        across = self.centre_mm[1] + (np.asarray(across_mm, np.float64) - self.centre_mm[1]) * enlarged
        return along, across


def height_mm(first: Beam, second: Beam, seen_first: npt.ArrayLike, seen_second: npt.ArrayLike) -> _Floats:
    """Return how high over the detector a point lies that two exposures show at these positions.

    The lines from either source to where it shows the point meet there. With sources of one height h, a
    distance b apart, and a shift d this is h d / (b + d).

    Parameters
    ----------
    first, second : Beam
    seen_first, seen_second : array-like of float
        Positions along the movement, in mm; they are broadcast against each other.

    Returns
    -------
    float64 array
    """
    u, w = np.asarray(seen_first, np.float64), np.asarray(seen_second, np.float64)
    one, two = first.above_mm, second.above_mm
    across: _Floats = one * (w - second.along_mm) - two * (u - first.along_mm)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: _Floats = one * two * (w - u) / across
    return found
