"""From two results to depths in mm, with their uncertainty."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mcdetect.errors import NotComparableError
from mcdetect.exams.stereo.geometry import StereoGeometry
from mcdetect.exams.stereo.pairing import MarkPairs, pair_marks
from mcdetect.result import Result
from mcdetect.schema import STEREO_GROUPS, STEREO_MARKS, make_table

__all__ = ["Stereo", "measure_stereo"]

_Floats = npt.NDArray[np.float64]

# Judged: error of a mark's place along one axis, in pixels and in mm, added in squares; checked on phantoms.
_PLACE_SD_PX, _PLACE_SD_MM = 0.25, 0.02


@dataclass(frozen=True)
class Stereo:
    """What a stereotactic pair tells.

    Parameters
    ----------
    groups, marks : DataFrame
        Columns `mcdetect.schema.STEREO_GROUPS` and `STEREO_MARKS`: a row for each group and each
        calcification of the first image.
    geometry : StereoGeometry
        The geometry that was used, with the direction and sides that fit.
    """

    groups: pd.DataFrame
    marks: pd.DataFrame
    geometry: StereoGeometry

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables by name."""
        return {"stereo_groups": self.groups, "stereo_marks": self.marks}

    def summary(self) -> dict[str, Any]:
        """Return the geometry and what was assumed, for a record."""
        first, second = self.geometry.first, self.geometry.second
        return {
            "angles_deg": [first.angle_deg, second.angle_deg],
            "moves_along": self.geometry.along,
            "source_detector_mm": first.source_detector_mm,
            "pivot_mm": first.pivot_mm,
            "support_mm": None if math.isnan(self.geometry.support_mm) else self.geometry.support_mm,
            "assumed": list(self.geometry.assumed),
            "n_matched": int((self.marks["other_calcification_id"] > 0).sum()),
        }


def measure_stereo(first: Result, second: Result, geometry: StereoGeometry) -> Stereo:
    """Measure how deep the calcifications and groups of a stereotactic pair lie.

    Parameters
    ----------
    first, second : Result
        What was found in either image.
    geometry : StereoGeometry
        See `mcdetect.exams.stereo.stereo_geometry`.

    Returns
    -------
    Stereo
        Heights over the detector; those over the support and below the paddle follow where the headers tell.
        The standard error of a group's height is that of the median of its members, and of the geometry.

    Raises
    ------
    NotComparableError
        When the images have different sizes.
    """
    if first.mammogram.shape != second.mammogram.shape:
        raise NotComparableError("the images have different sizes", "give both images of one pair, uncropped")
    pairs = pair_marks(first.calcifications, second.calcifications, geometry, first.mammogram.shape)
    used = pairs.geometry
    pixel_mm = used.detector_mm[1] if used.along == "cols" else used.detector_mm[0]
    place_mm = math.hypot(_PLACE_SD_PX * pixel_mm, _PLACE_SD_MM)
    marks = _marks(first, second, pairs, place_mm)
    return Stereo(_groups(first, second, pairs, marks, place_mm), marks, used)


def _marks(first: Result, second: Result, pairs: MarkPairs, place_mm: float) -> pd.DataFrame:
    one, two = first.calcifications, second.calcifications
    n = len(one)
    height, sd = np.full(n, np.nan), np.full(n, np.nan)
    other = np.zeros(n, np.int64)
    places = np.full((n, 2), np.nan)
    height[pairs.first] = pairs.height_mm
    sd[pairs.first] = [
        math.hypot(_slope(pairs.geometry, u, w) * place_mm, pairs.geometry.height_sd_mm(u, w))
        for u, w in zip(pairs.along_first, pairs.along_second, strict=True)
    ]
    other[pairs.first] = two["calcification_id"].to_numpy(np.int64)[pairs.second]
    places[pairs.first] = two[["row_px", "col_px"]].to_numpy(np.float64)[pairs.second]
    above, below = _references(height, pairs.geometry)
    return make_table(
        STEREO_MARKS,
        {
            "file": first.mammogram.source,
            "calcification_id": one["calcification_id"].to_numpy(),
            "cluster_id": one["cluster_id"].to_numpy(),
            "other_file": second.mammogram.source,
            "other_calcification_id": other,
            "row_px": one["row_px"].to_numpy(),
            "col_px": one["col_px"].to_numpy(),
            "other_row_px": places[:, 0],
            "other_col_px": places[:, 1],
            "height_mm": height,
            "height_sd_mm": sd,
            "above_support_mm": above,
            "below_paddle_mm": below,
        },
    )


def _groups(
    first: Result, second: Result, pairs: MarkPairs, marks: pd.DataFrame, place_mm: float
) -> pd.DataFrame:
    label = first.calcifications["cluster_id"].to_numpy(np.int64)[pairs.first]
    partner = second.calcifications["cluster_id"].to_numpy(np.int64)[pairs.second]
    rows = []
    for cluster in first.clusters.to_dict("records"):
        there = np.flatnonzero(label == cluster["cluster_id"])
        height = pairs.height_mm[there]
        level, sd, extent, shift = (math.nan,) * 4
        if there.size:
            level = float(np.median(height))
            middle = there[int(np.argmin(np.abs(height - level)))]
            u, w = float(pairs.along_first[middle]), float(pairs.along_second[middle])
            # the median of n is known 1.25 times less well than their mean
            own = _slope(pairs.geometry, u, w) * place_mm
            spread = max(own, float(height.std(ddof=1)) if there.size > 1 else own)
            by_places = (1.0 if there.size == 1 else 1.25) * spread / math.sqrt(there.size)
            sd = math.hypot(by_places, pairs.geometry.height_sd_mm(u, w))
            extent = float(height.max() - height.min())
            shift = float(np.median(pairs.along_second[there] - pairs.along_first[there]))
        numbers, counts = np.unique(partner[there][partner[there] > 0], return_counts=True)
        above, below = _references(np.array([level]), pairs.geometry)
        rows.append(
            {
                "cluster_id": cluster["cluster_id"],
                "flagged": cluster["flagged"],
                "other_cluster_id": int(numbers[np.argmax(counts)]) if numbers.size else 0,
                "n_calcifications": cluster["n_calcifications"],
                "n_matched": int(there.size),
                "row_px": cluster["row_px"],
                "col_px": cluster["col_px"],
                "height_mm": level,
                "height_sd_mm": sd,
                "above_support_mm": float(above[0]),
                "below_paddle_mm": float(below[0]),
                "extent_depth_mm": extent,
                "shift_mm": shift,
            }
        )
    files = {"file": first.mammogram.source, "other_file": second.mammogram.source}
    data = {
        c.name: [files[c.name]] * len(rows) if c.name in files else [row[c.name] for row in rows]
        for c in STEREO_GROUPS
    }
    return make_table(STEREO_GROUPS, data)


def _slope(geometry: StereoGeometry, u: float, w: float) -> float:
    """Return how much a height changes with errors of 1 mm in both places, which are independent."""
    step = 0.01
    here = float(geometry.heights(u, w))
    by_first = (float(geometry.heights(u + step, w)) - here) / step
    by_second = (float(geometry.heights(u, w + step)) - here) / step
    return math.hypot(by_first, by_second)


def _references(height: _Floats, geometry: StereoGeometry) -> tuple[_Floats, _Floats]:
    """Return heights over the support and depths below the paddle; not-a-number where unknown."""
    above = height - geometry.support_mm
    return above, geometry.thickness_mm - above
