"""Extent of the involved region and where it lies: what surgery and biopsy need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mcdetect.clusters.descriptors.outline_shapes import grown_hull_area, largest_distance

__all__ = ["Extent", "describe_extent"]

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Extent:
    """Size and place of a region of one or several groups.

    Parameters
    ----------
    region_id : int
        Number of the region within the image, from 1.
    extent_mm : float
        Largest distance between two of its calcifications, in mm.
    area_mm2 : float
        Area of the convex hull of all, grown by half a millimetre, in mm2.
    n_foci : int
        Groups in the region.
    n_calcifications : int
        Calcifications in those groups.
    nipple_mm, skin_mm, chest_mm : float
        Smallest distance of a calcification to the nipple, the skin line and the chest wall, in mm; NaN where
        unknown.
    """

    region_id: int
    extent_mm: float
    area_mm2: float
    n_foci: int
    n_calcifications: int
    nipple_mm: float
    skin_mm: float
    chest_mm: float


def describe_extent(
    region_id: int,
    points: _Floats,
    n_foci: int,
    *,
    nipple_mm: tuple[float, float] | None,
    skin_distance_mm: _Floats,
    chest_distance_mm: _Floats,
) -> Extent:
    """Measure a region.

    Parameters
    ----------
    region_id : int
    points : (n, 2) float64 array
        (row, col) of its calcifications, in mm; n at least 1.
    n_foci : int
        Groups in it.
    nipple_mm : (float, float), optional
        Position of the nipple, in mm.
    skin_distance_mm, chest_distance_mm : (n,) float64 arrays
        Of its calcifications, in mm; NaN where unknown.
    """
    to_nipple = float("nan")
    if nipple_mm is not None:
        to_nipple = float(np.hypot(*(points - np.asarray(nipple_mm)).T).min())
    return Extent(
        region_id=region_id,
        extent_mm=largest_distance(points),
        area_mm2=grown_hull_area(points),
        n_foci=n_foci,
        n_calcifications=len(points),
        nipple_mm=to_nipple,
        skin_mm=_least(skin_distance_mm),
        chest_mm=_least(chest_distance_mm),
    )


def _least(values: _Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.min()) if known.size else float("nan")
