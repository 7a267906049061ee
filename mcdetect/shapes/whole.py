"""Measures and kind of a whole large body."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage as ndi
from skimage import measure

from mcdetect.image.mammogram import PixelSpacing
from mcdetect.shapes.figures import Figure, window

__all__ = ["BODY_KINDS", "body_kind", "measure_body"]

_Mask = npt.NDArray[np.bool_]

# Standard: kinds of BI-RADS, 5th edition (coarse takes in popcorn and dystrophic), and what no body grows.
BODY_KINDS: tuple[str, ...] = ("rim", "rod", "coarse", "object")
"""What a large body may be; object is a clip or the like."""

# Judged: on real bodies. Lower bounds name lobed bodies rods and mottled ones rims.
_ROD_ASPECT = 2.2  # length over width of a rod
_RIM_RATIO = 1.0  # brightness of the rim over that of the centre
_RIM_ASPECT = 2.0  # length over width of a rim, at most: no rod with a bright border

# Physics: metal stops all rays, so that its top is flat; clips are cut from wire, with straight sides.
_FLAT = 0.04  # standard deviation inside over the height
_RECTANGULAR = 0.82  # area over that of the smallest rectangle around it
_CLIP_ASPECT = 2.5
_INSIDE_MM = 0.2  # from the border inward to what counts as inside


def measure_body(
    figure: Figure, smooth: npt.NDArray[np.float32], spacing: PixelSpacing
) -> tuple[float, float, dict[str, float]]:
    """Return the centroid in pixels, and the measures of the whole body.

    Parameters
    ----------
    figure : Figure
        The body on the pixels.
    smooth : (rows, cols) float32 array
        Equalised grey levels, smoothed.
    spacing : PixelSpacing
        Pixel spacing in mm.

    Returns
    -------
    row_px, col_px : float
        Centroid, in pixels.
    measures : dict of str to float
        By the names of `mcdetect.schema.MEASURES`; lengths in mm, contrast in SD of the noise.
    """
    values = window(smooth, figure.top, figure.left, figure.mask.shape)
    found = _properties(figure.mask, (spacing.row_mm, spacing.col_mm))
    area, solidity = float(found.area), float(found.solidity)
    perimeter = _perimeter_mm(figure.mask, spacing)
    major, minor = float(found.axis_major_length), float(found.axis_minor_length)
    circularity = min(4.0 * math.pi * area / perimeter**2, 1.0)
    depth = ndi.distance_transform_edt(np.pad(figure.mask, 1), sampling=(spacing.row_mm, spacing.col_mm))
    depth = depth[1:-1, 1:-1]
    inner, outer = depth >= 0.66 * depth.max(), figure.mask & (depth <= 0.5 * depth.max())
    over = values - figure.surroundings
    centre, rim = (_mean(over[part]) for part in (inner, outer))
    row, col = (
        float(c) / step for c, step in zip(found.centroid, (spacing.row_mm, spacing.col_mm), strict=True)
    )
    measures = {
        "area_mm2": area,
        "diameter_mm": math.sqrt(4.0 * area / math.pi),
        "perimeter_mm": perimeter,
        "major_axis_mm": major,
        "minor_axis_mm": minor,
        "aspect": major / minor if minor > 0.0 else math.nan,
        "circularity": circularity,
        "compactness": 1.0 - circularity,
        "eccentricity": float(found.eccentricity),
        "solidity": min(solidity, 1.0),
        "roughness": math.nan,
        "moment_irregularity": math.nan,
        "orientation_deg": _orientation_deg(float(found.orientation)),
        "contrast": figure.height,
        "integrated_contrast_mm2": float(np.nansum(over[figure.mask])) * spacing.row_mm * spacing.col_mm,
        "edge_sharpness_per_mm": figure.slope / figure.height,
        "rim_ratio": rim / max(centre, 0.05 * figure.height),
    }
    return figure.top + row, figure.left + col, measures


def _mean(values: npt.NDArray[np.float64]) -> float:
    """Mean of what is known; NaN for nothing."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else math.nan


def body_kind(
    figure: Figure, smooth: npt.NDArray[np.float32], measures: Mapping[str, float], spacing: PixelSpacing
) -> str:
    """Return what a large body is, one of `BODY_KINDS`.

    Parameters
    ----------
    figure : Figure
        The body on the pixels.
    smooth : (rows, cols) float32 array
        Equalised grey levels, smoothed.
    measures : mapping of str to float
        As `measured` returns them.
    spacing : PixelSpacing
        Pixel spacing in mm.
    """
    if measures["aspect"] >= _CLIP_ASPECT and _is_cut(figure, smooth, spacing):
        return "object"
    if measures["rim_ratio"] >= _RIM_RATIO and measures["aspect"] < _RIM_ASPECT:
        return "rim"
    return "rod" if measures["aspect"] >= _ROD_ASPECT else "coarse"


def _is_cut(figure: Figure, smooth: npt.NDArray[np.float32], spacing: PixelSpacing) -> bool:
    """Tell whether a body has straight sides and a flat top."""
    outlines, _ = cv2.findContours(figure.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    centres = np.concatenate([np.asarray(outline) for outline in outlines]).reshape(-1, 2)
    _, (width, height), _ = cv2.minAreaRect(
        (centres * (spacing.col_mm, spacing.row_mm)).astype(np.float32).reshape(-1, 1, 2)
    )
    pixel = 0.5 * (spacing.row_mm + spacing.col_mm)
    area = float(np.count_nonzero(figure.mask)) * spacing.row_mm * spacing.col_mm
    depth = ndi.distance_transform_edt(np.pad(figure.mask, 1), sampling=(spacing.row_mm, spacing.col_mm))
    inside = window(smooth, figure.top, figure.left, figure.mask.shape)[depth[1:-1, 1:-1] > _INSIDE_MM]
    inside = inside[np.isfinite(inside)]
    if inside.size == 0 or area < _RECTANGULAR * (width + pixel) * (height + pixel):
        return False
    return float(inside.std()) <= _FLAT * figure.height


def _perimeter_mm(mask: _Mask, spacing: PixelSpacing) -> float:
    """Length of the outer outline, in mm, through the corners of pixels smoothed by an opening angle "
    "of one pixel."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    longest = max(outlines, key=len).reshape(-1, 2).astype(np.float64)
    smooth = ndi.uniform_filter1d(longest, 5, axis=0, mode="wrap")
    step = np.diff(np.vstack([smooth, smooth[:1]]), axis=0) * (spacing.col_mm, spacing.row_mm)
    return float(np.hypot(step[:, 0], step[:, 1]).sum()) + math.pi * 0.5 * (spacing.row_mm + spacing.col_mm)


def _properties(mask: _Mask, spacing: tuple[float, float] = (1.0, 1.0)) -> Any:
    (found,) = measure.regionprops(mask.astype(np.uint8), spacing=spacing)  # type: ignore[no-untyped-call]
    return found


def _orientation_deg(angle: float) -> float:
    """Turn skimage's angle (of the major axis to the rows' axis) into degrees against the rows, -90 to 90."""
    degrees = math.degrees(angle) + 90.0
    return degrees - 180.0 if degrees > 90.0 else degrees
