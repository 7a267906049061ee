"""A coarse picture of a mammogram that looks alike whatever took it: local texture and outline."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.breast import BreastRegion
from mcdetect.image.mammogram import Mammogram

__all__ = ["STEP_MM", "Sheet", "chest_side", "make_sheet"]

_Floats = npt.NDArray[np.float32]
_Mask = npt.NDArray[np.bool_]

# Technical: the grid of the registration; texture of 1 mm and more survives on it.
STEP_MM = 0.5
"""Grid on which two mammograms are registered."""

# Judged: what is left is texture of some millimetres, alike on any grey scale.
_MEAN_MM = 6.0  # sigma of the local mean that is taken away
_SPREAD_MM = 10.0  # sigma of the local spread that is divided by
_SMOOTH_MM = 0.5  # sigma of the smoothing against noise
_MOST = 2.5  # texture is clipped there, in local SD: calcifications and clips must not steer
_FLOOR = 0.35  # of the median local spread: flat places are not blown up to noise
_FARTHEST_MM = 40.0  # distance to the outline is clipped there
_RIM_MM = 4.0  # texture fades out over this distance from the outline


@dataclass(frozen=True)
class Sheet:
    """A mammogram on a coarse square grid.

    Parameters
    ----------
    texture : (rows, cols) float32 array
        Local mean taken away, divided by the local spread, clipped; 0 outside the breast.
    mask : (rows, cols) bool array
        The breast.
    depth_mm : (rows, cols) float32 array
        Distance to the outline of the breast in mm, positive inside, clipped at 40. The border of
        the image is no outline.

    Notes
    -----
    Grid point (i, j) lies at ``((i + 0.5) * STEP_MM, (j + 0.5) * STEP_MM)`` from the corner of the image.
    """

    texture: _Floats
    mask: _Mask
    depth_mm: _Floats


def make_sheet(mammogram: Mammogram, breast: BreastRegion) -> Sheet:
    """Bring a mammogram to the coarse grid and take away what differs between machines.

    Parameters
    ----------
    mammogram : Mammogram
        Linear raw ones are taken to the logarithm first.
    breast : BreastRegion

    Notes
    -----
    Any smooth monotonic grey scale is, over a few millimetres, nearly a gain and an offset, and
    these are taken away; so is the roll-off of the thickness at the edge.
    """
    spacing = mammogram.spacing
    rows = max(8, round(mammogram.shape[0] * spacing.row_mm / STEP_MM))
    cols = max(8, round(mammogram.shape[1] * spacing.col_mm / STEP_MM))
    levels = cv2.resize(mammogram.pixels, (cols, rows), interpolation=cv2.INTER_AREA)
    levels = np.asarray(levels, dtype=np.float32)
    share = cv2.resize(breast.mask.astype(np.float32), (cols, rows), interpolation=cv2.INTER_AREA)
    mask = np.asarray(share) > 0.5
    if mammogram.zero_exposure_level is not None:
        signal = np.float32(mammogram.zero_exposure_level) - levels
        floor = max(float(np.percentile(signal, 99.0)) * 1e-4, 1e-6)
        levels = -np.log(np.maximum(signal, np.float32(floor)))
    if not mask.any():
        return Sheet(np.zeros_like(levels), mask, np.full_like(levels, -_FARTHEST_MM))
    depth = _signed_depth(mask)
    levels = np.asarray(levels - np.float32(np.median(levels[mask])), dtype=np.float32)
    levels = np.asarray(cv2.medianBlur(levels, 3), dtype=np.float32)
    levels = _without_roll_off(np.asarray(levels, dtype=np.float32), mask, depth)
    weight = mask.astype(np.float32)
    excess = np.where(mask, levels - _mean_inside(levels, weight, _MEAN_MM), np.float32(0))
    excess = np.where(mask, _mean_inside(excess.astype(np.float32), weight, _SMOOTH_MM), np.float32(0))
    spread = np.sqrt(_mean_inside((excess**2).astype(np.float32), weight, _SPREAD_MM).clip(0))
    typical = float(np.median(spread[mask]))
    if typical > 0:
        texture = excess / np.maximum(spread, np.float32(_FLOOR * typical))
    else:
        texture = np.zeros_like(excess)
    texture = texture.clip(-_MOST, _MOST) * (depth / np.float32(_RIM_MM)).clip(0, 1)
    return Sheet(np.ascontiguousarray(texture, dtype=np.float32), mask, depth)


def _without_roll_off(levels: _Floats, mask: _Mask, depth_mm: _Floats) -> _Floats:
    """Take away the median level at each distance from the skin line: machines show it or level it."""
    distance = depth_mm[mask]
    bins = np.minimum(distance, _FARTHEST_MM - 1e-3).astype(np.intp)
    profile = np.zeros(math.ceil(_FARTHEST_MM))
    last = 0.0
    for k in range(profile.size - 1, -1, -1):
        inside = levels[mask][bins == k]
        last = float(np.median(inside)) if inside.size >= 20 else last
        profile[k] = last
    expected = np.interp(depth_mm, np.arange(profile.size) + 0.5, profile)
    return np.asarray(levels - expected, dtype=np.float32)


def _mean_inside(image: _Floats, weight: _Floats, sigma_mm: float) -> _Floats:
    """Gaussian mean over the pixels of weight 1 only (normalised convolution)."""
    sigma = sigma_mm / STEP_MM
    size = 2 * math.ceil(3 * sigma) + 1
    top = cv2.GaussianBlur(image * weight, (size, size), sigmaX=sigma)
    under = cv2.GaussianBlur(weight, (size, size), sigmaX=sigma)
    return np.asarray(np.asarray(top) / np.maximum(np.asarray(under), np.float32(1e-3)), dtype=np.float32)


def _signed_depth(mask: _Mask) -> _Floats:
    margin = math.ceil(_FARTHEST_MM / STEP_MM)
    wide = np.pad(mask, margin, mode="edge").astype(np.uint8)
    inside = np.asarray(cv2.distanceTransform(wide, cv2.DIST_L2, 5), dtype=np.float32)
    outside = np.asarray(cv2.distanceTransform(1 - wide, cv2.DIST_L2, 5), dtype=np.float32)
    depth = (inside - outside) * np.float32(STEP_MM)
    depth = depth[margin:-margin, margin:-margin].clip(-_FARTHEST_MM, _FARTHEST_MM)
    return np.ascontiguousarray(depth, dtype=np.float32)


def chest_side(mask: _Mask) -> str | None:
    """Return the side of the image, "left" or "right", that cuts through the breast; None if unclear."""
    width = max(1, round(0.03 * mask.shape[1]))
    left, right = float(mask[:, :width].mean()), float(mask[:, -width:].mean())
    if max(left, right) < 0.1 or min(left, right) > 0.6 * max(left, right):
        return None
    return "left" if left > right else "right"
