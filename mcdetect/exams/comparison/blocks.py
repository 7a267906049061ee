"""Where each block of one texture lies in another, and the smooth field that agrees with most of them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.interpolate import RBFInterpolator
from scipy.spatial import cKDTree

from mcdetect.exams.comparison.texture import STEP_MM

__all__ = ["Matches", "match_blocks", "smooth_field", "trusted"]

_Floats = npt.NDArray[np.float32]
_Doubles = npt.NDArray[np.float64]
_Mask = npt.NDArray[np.bool_]

# Standard: normalised median test, Westerweel and Scarano 2005, doi:10.1007/s00348-005-0016-6. Its numbers
# are judged: a stricter test keeps false displacements out, and true ones where tissue moves unevenly.
_NEIGHBOURS = 8  # blocks that each is compared with
_NOISE_MM = 0.3  # of one block's displacement, in the normalised median test
_REJECT = 2.5  # a block farther than so many normalised medians from its neighbours is left out

# Judged: a larger share loses blocks at the skin line, a smaller one lets blocks of little tissue in.
_LEAST_INSIDE = 0.55  # share of a block that must lie in the breast


@dataclass(frozen=True)
class Matches:
    """Displacements of blocks.

    Parameters
    ----------
    points_mm : (n, 2) float64 array
        Centres of the blocks, (row, col) in mm from the corner of the current image.
    shift_mm : (n, 2) float64 array
        What lies at a point lies at ``point + shift`` in the other picture.
    similarity : (n,) float64 array
        Normalised correlation at the best place.
    unmoved : (n,) float64 array
        Normalised correlation without any shift.
    """

    points_mm: _Doubles
    shift_mm: _Doubles
    similarity: _Doubles
    unmoved: _Doubles


def match_blocks(
    here: _Floats,
    there: _Floats,
    mask: _Mask,
    *,
    block_mm: float,
    reach_mm: float,
    every_mm: float,
) -> Matches:
    """Look for each block of `here` in `there`, by normalised cross-correlation.

    Parameters
    ----------
    here, there : (rows, cols) float32 arrays
        Textures on one grid of `STEP_MM`.
    mask : (rows, cols) bool array
        Where `here` shows the breast and `there` is known; blocks with too little of it are left out.
    block_mm, reach_mm, every_mm : float
        Side of a block, farthest shift along each axis, and distance between blocks, in mm.
    """
    half = max(3, round(0.5 * block_mm / STEP_MM))
    reach = max(2, round(reach_mm / STEP_MM))
    every = max(1, round(every_mm / STEP_MM))
    rows, cols = here.shape
    share = cv2.boxFilter(mask.astype(np.float32), -1, (2 * half + 1, 2 * half + 1), borderType=0)
    border = half + reach
    wide = cv2.copyMakeBorder(there, border, border, border, border, cv2.BORDER_CONSTANT, value=(0.0,))
    near = cv2.copyMakeBorder(here, half, half, half, half, cv2.BORDER_CONSTANT, value=(0.0,))
    points, shifts, peaks, unmoved = [], [], [], []
    for i in range(every // 2, rows, every):
        for j in range(every // 2, cols, every):
            if share[i, j] < _LEAST_INSIDE or not mask[i, j]:
                continue
            block = near[i : i + 2 * half + 1, j : j + 2 * half + 1]
            window = wide[i : i + 2 * border + 1, j : j + 2 * border + 1]
            found = np.asarray(cv2.matchTemplate(window, block, cv2.TM_CCOEFF_NORMED), dtype=np.float32)
            found = np.where(np.isfinite(found), found, -1.0).clip(-1.0, 1.0)
            top, left = np.unravel_index(int(np.argmax(found)), found.shape)
            points.append(((i + 0.5) * STEP_MM, (j + 0.5) * STEP_MM))
            shifts.append(_refine(found, int(top), int(left), reach))
            peaks.append(float(found[top, left]))
            unmoved.append(float(found[reach, reach]))
    shape = (len(points), 2)
    return Matches(
        np.array(points, dtype=np.float64).reshape(shape),
        np.array(shifts, dtype=np.float64).reshape(shape) * STEP_MM,
        np.array(peaks, dtype=np.float64),
        np.array(unmoved, dtype=np.float64),
    )


def _refine(found: _Floats, top: int, left: int, reach: int) -> tuple[float, float]:
    """Sub-pixel place of a peak: parabola through its neighbours along each axis."""
    place = []
    for axis, k in enumerate((top, left)):
        line = found[:, left] if axis == 0 else found[top]
        shift = float(k - reach)
        if 0 < k < line.size - 1:
            before, peak, after = (float(line[k + step]) for step in (-1, 0, 1))
            bend = before - 2 * peak + after
            if bend < 0:
                shift += 0.5 * (before - after) / bend
        place.append(shift)
    return place[0], place[1]


def trusted(matches: Matches, least_similarity: float) -> _Mask:
    """Tell which displacements agree with their neighbours.

    Normalised median test of particle image velocimetry (Westerweel and Scarano 2005,
    doi:10.1007/s00348-005-0016-6), after the neighbours' affine trend is taken away.
    """
    n = len(matches.points_mm)
    good = matches.similarity >= least_similarity
    if good.sum() < _NEIGHBOURS + 2:
        return np.zeros(n, np.bool_)
    points, shift = matches.points_mm[good], matches.shift_mm[good]
    k = _NEIGHBOURS + 1
    near = np.asarray(cKDTree(points).query(points, k=k)[1])
    around = shift[near[:, 1:]]
    middle = np.median(around, axis=1)
    spread = np.median(np.abs(around - middle[:, None]), axis=1)
    test = np.abs(shift - middle) / (spread + _NOISE_MM)
    keep = np.zeros(n, np.bool_)
    keep[np.flatnonzero(good)] = np.hypot(test[:, 0], test[:, 1]) <= _REJECT
    return keep


def smooth_field(
    points_mm: _Doubles,
    shift_mm: _Doubles,
    weight: _Doubles,
    shape: tuple[int, int],
    *,
    every_mm: float,
    smoothing: float,
) -> _Floats:
    """Return a thin-plate smoothing spline through displacements, on the coarse grid.

    Parameters
    ----------
    points_mm, shift_mm : (n, 2) float64 arrays
    weight : (n,) float64 array
        Trust, positive.
    shape : (int, int)
        Rows and columns of the grid.
    every_mm : float
        Distance between the points, which scales the smoothing.
    smoothing : float
        0 goes through every point.

    Returns
    -------
    (rows, cols, 2) float32 array
        Displacement in mm.
    """
    spline = RBFInterpolator(
        points_mm / every_mm,
        shift_mm,
        smoothing=smoothing / np.maximum(weight, 1e-3),
        kernel="thin_plate_spline",
        degree=1,
    )
    coarse = max(2, round(shape[0] / 6)), max(2, round(shape[1] / 6))
    row = (np.arange(coarse[0]) + 0.5) * shape[0] * STEP_MM / coarse[0]
    col = (np.arange(coarse[1]) + 0.5) * shape[1] * STEP_MM / coarse[1]
    grid = np.stack(np.meshgrid(row, col, indexing="ij"), axis=-1).reshape(-1, 2)
    field = spline(grid / every_mm).reshape(*coarse, 2).astype(np.float32)
    full = cv2.resize(field, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(full, dtype=np.float32)
