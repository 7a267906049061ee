"""What was found in each of the two images, placed in the frame of the current one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from mcdetect.exams.comparison.registration import Registration
from mcdetect.result import Result

__all__ = ["FAINT_SCORE", "Points", "current_points", "in_view", "prior_points"]

_Doubles = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]
_Mask = npt.NDArray[np.bool_]

# Judged: a lower score calls fewer of the faint calcifications new, and lets more noise stand for them.
FAINT_SCORE = 0.02
"""Candidates from this own score on count as seen wherever they lie, though too faint to be called."""

# Judged: about one calcification, and about the error of the inverse map.
_SAME_MM = 0.3  # a candidate this near to a calcification is the same
_ROUND_TRIP_MM = 0.5  # a place that maps to and fro farther off than this is outside what both images show


@dataclass(frozen=True)
class Points:
    """Calcifications of one image, then its fainter candidates.

    Parameters
    ----------
    own_mm : (n, 2) float64 array
        (row, col) in mm from the corner of their own image.
    here_mm : (n, 2) float64 array
        The same places in the current image.
    called : (n,) bool array
        Calcifications; the others are candidates below the threshold.
    trace : (n,) bool array
        Candidates that count as seen only at the very place of a member of a group that both show.
    number : (n,) int64 array
        calcification_id or candidate_id.
    cluster : (n,) int64 array
        Group, 0 for none.
    diameter_mm, area_mm2 : (n,) float64 arrays
        NaN for candidates.
    in_view : (n,) bool array
        The other image shows and searches this place.
    error_mm : (n,) float64 array
        Standard error of the mapped place along each axis, in mm.
    """

    own_mm: _Doubles
    here_mm: _Doubles
    called: _Mask
    trace: _Mask
    number: _Ints
    cluster: _Ints
    diameter_mm: _Doubles
    area_mm2: _Doubles
    in_view: _Mask
    error_mm: _Doubles

    def __len__(self) -> int:
        return len(self.number)


def current_points(result: Result, other: Result, registration: Registration) -> Points:
    """Return the points of the current image; they are looked for in the prior one."""
    points = _own_points(result)
    there = registration.to_prior(points.own_mm)
    return replace(points, in_view=in_view(other, there), error_mm=registration.error_at(points.own_mm))


def prior_points(result: Result, other: Result, registration: Registration) -> Points:
    """Return the points of the prior image, mapped to the current one."""
    points = _own_points(result)
    here = registration.to_current(points.own_mm)
    back = registration.to_prior(here)
    found = np.hypot(*(back - points.own_mm).T) < _ROUND_TRIP_MM
    return replace(
        points, here_mm=here, in_view=in_view(other, here) & found, error_mm=registration.error_at(here)
    )


def _own_points(result: Result) -> Points:
    """Return the points of an image in its own frame, as if the other image showed all of them."""
    sure, faint = result.calcifications, result.candidates
    spacing = np.array([result.mammogram.spacing.row_mm, result.mammogram.spacing.col_mm])
    place = (sure[["row_px", "col_px"]].to_numpy(np.float64) + 0.5) * spacing
    other = (faint[["row_px", "col_px"]].to_numpy(np.float64) + 0.5) * spacing
    if len(place) and len(other):
        apart = np.asarray(cKDTree(place).query(other)[0]) > _SAME_MM
        faint, other = faint[apart], other[apart]
    n, m = len(sure), len(faint)
    gap = np.full(m, np.nan)
    own = np.concatenate([place, other])
    return Points(
        own_mm=own,
        here_mm=own,
        called=np.arange(n + m) < n,
        trace=np.concatenate([np.zeros(n, np.bool_), faint["own_score"].to_numpy() < FAINT_SCORE]),
        number=np.concatenate([sure["calcification_id"], faint["candidate_id"]]).astype(np.int64),
        cluster=np.concatenate([sure["cluster_id"].to_numpy(np.int64), np.zeros(m, np.int64)]),
        diameter_mm=np.concatenate([sure["diameter_mm"].to_numpy(np.float64), gap]),
        area_mm2=np.concatenate([sure["area_mm2"].to_numpy(np.float64), gap]),
        in_view=np.ones(n + m, np.bool_),
        error_mm=np.zeros(n + m),
    )


def in_view(result: Result, points_mm: _Doubles) -> _Mask:
    """Tell which (n, 2) points, in mm from the corner, lie in the searched part of an image."""
    spacing = np.array([result.mammogram.spacing.row_mm, result.mammogram.spacing.col_mm])
    place = np.rint(points_mm / spacing - 0.5).astype(np.int64)
    shape = np.array(result.breast.searched.shape)
    inside = ((place >= 0) & (place < shape)).all(axis=1)
    seen = np.zeros(len(place), np.bool_)
    seen[inside] = result.breast.searched[place[inside, 0], place[inside, 1]]
    return seen
