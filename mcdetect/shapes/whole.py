"""Measures and kind of a whole large body."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from skimage import measure

from mcdetect.image.mammogram import PixelSpacing
from mcdetect.shapes.figures import Figure, depth_mm, outlines_of, perimeter_mm, solidity, window

__all__ = ["BODY_KINDS", "body_kind", "is_wire", "measure_body"]

_Mask = npt.NDArray[np.bool_]

# Standard: kinds of BI-RADS, 5th edition (coarse takes in popcorn and dystrophic), and what no body grows.
BODY_KINDS: tuple[str, ...] = ("rim", "rod", "coarse", "object")
"""What a large body may be; object is a clip or the like."""

# Judged: on real bodies and on drawn ones. Rods are long and thin; plates may be as long, but are wider. Rims
# are round and smooth and have a darker centre; popcorn and plates are mottled, too, but not round.
_LONG, _THIN, _THIN_MM = 3.0, 1.7, 1.1
"""Length over width of a rod: of any, and of one that is no wider than this."""
_ROD_MM, _EVEN = 1.7, 0.965
"""So wide may a short rod be when its outline is even: circularity over that of a straight one."""
_FILLED, _FILLED_MM = 0.765, 0.78
"""Least share of the smallest rectangle around it that a short rod of so much width fills: an ellipse fills
pi / 4, less a little on pixels; plates are no fuller."""
_RIM_RATIO, _RIM_ASPECT, _RIM_WAVES = 1.05, 1.5, 0.055
"""Least brightness of the shell over that of the centre; greatest aspect, and most by which the outline may
stray from an ellipse: chosen on bodies inserted into half of the backgrounds, as good on the others."""
_HOLLOW_RATIO, _HOLLOW_CIRCULARITY, _HOLLOW_SOLIDITY = 1.6, 0.8, 0.85
_HOLLOW_ASPECT, _HOLLOW_WAVES = 2.0, 0.08
"""One whose centre is all but empty may be less round and even."""
_WAVES, _DIRECTIONS = slice(3, 9), 64  # waves around the middle that are no ellipse's: from lobes to notches

# Physics: metal stops all rays: its top is flat, and its border as steep as blur leaves it.
_FLAT, _FLAT_SHARE = 0.05, 0.8
"""So near to the median inside, over the height, lies so much of it."""
_METAL_EDGE = 3.0  # mean slope of the border over the height, per mm

# Judged: clips are bent from wire, on real and drawn ones; rods that saturate are thicker, uneven or longer.
_WIRE_MM, _WIRE_LONG_MM, _WIRE_ASPECT = 1.2, 6.0, 3.0
"""Greatest width and extent of a clip, and its least length over the width, along the wire."""
_WIRE_UNEVEN = 0.3  # standard deviation of its width over the mean
_STRAIGHT, _PARALLEL = 0.87, 0.85  # area over that of the convex hull, and of the rectangle around it
_RIDGE = 0.4  # of the greatest depth, from which a local maximum lies on the middle line

# Judged: layers of a body, by their depth.
_LAYER, _LAYER_MM, _FINE_LAYER = 0.2, 0.15, 0.05  # thickness of layers: share of the depth, mm, least share
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
    area = float(found.area)
    perimeter = perimeter_mm(figure.mask, spacing)
    major, minor = float(found.axis_major_length), float(found.axis_minor_length)
    circularity = min(4.0 * math.pi * area / perimeter**2, 1.0)
    over = values - figure.surroundings
    centre, rim = _profile(over, depth_mm(figure.mask, spacing))
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
        "solidity": min(float(found.solidity), 1.0),
        "roughness": math.nan,
        "moment_irregularity": math.nan,
        "orientation_deg": _orientation_deg(float(found.orientation)),
        "contrast": figure.height,
        "integrated_contrast_mm2": float(np.nansum(over[figure.mask])) * spacing.row_mm * spacing.col_mm,
        "edge_sharpness_per_mm": figure.slope / figure.height,
        "rim_ratio": rim / max(centre, 0.05 * figure.height),
    }
    return figure.top + row, figure.left + col, measures


def _profile(over: npt.NDArray[np.float64], depth: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return the brightness of the centre, and that of the brightest of the layers around it."""
    deepest = float(depth.max())
    layer = min(_LAYER, max(_LAYER_MM / deepest, _FINE_LAYER))
    share = depth / deepest
    layers = [
        _mean(over[(share > low) & (share <= low + layer)]) for low in np.arange(0.0, 1.0 - layer, layer)
    ]
    layers.append(_mean(over[share > 1.0 - _LAYER]))
    known = [layer for layer in layers if math.isfinite(layer)]
    return (known[-1], max(known)) if known else (math.nan, math.nan)


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
        As `measure_body` returns them.
    spacing : PixelSpacing
        Pixel spacing in mm.
    """
    if is_wire(figure, smooth, spacing):
        return "object"
    if figure.ring:
        return "rim"
    if _is_rim(measures, figure, spacing):
        return "rim"
    aspect, width = measures["aspect"], measures["minor_axis_mm"]
    even = measures["circularity"] >= _EVEN * _circularity_of_rod(aspect)
    thin = width <= _THIN_MM or (even and width <= _ROD_MM)
    if aspect >= _THIN and thin and (width <= _FILLED_MM or _filled(figure, spacing) >= _FILLED):
        return "rod"
    return "rod" if aspect >= _LONG else "coarse"


def _is_rim(measures: Mapping[str, float], figure: Figure, spacing: PixelSpacing) -> bool:
    """Tell whether a body is an even oval and has a darker centre: plates and popcorn have notches."""
    ratio, aspect = measures["rim_ratio"], measures["aspect"]
    if ratio < _RIM_RATIO or not aspect < _HOLLOW_ASPECT:
        return False
    strays = _strays(figure, spacing)
    if aspect < _RIM_ASPECT and strays <= _RIM_WAVES:
        return True
    return (
        ratio >= _HOLLOW_RATIO
        and strays <= _HOLLOW_WAVES
        and measures["circularity"] >= _HOLLOW_CIRCULARITY
        and measures["solidity"] >= _HOLLOW_SOLIDITY
    )


def _strays(figure: Figure, spacing: PixelSpacing) -> float:
    """Return how far the outline strays from an ellipse, root mean square over the radius."""
    inside = np.argwhere(figure.mask) * (spacing.row_mm, spacing.col_mm)
    middle = inside.mean(axis=0)
    spread, axes = np.linalg.eigh(np.cov((inside - middle).T))
    line = max(outlines_of(figure.mask), key=len)[:, ::-1] * (spacing.row_mm, spacing.col_mm)
    across, along = ((line - middle) @ axes / np.sqrt(spread)).T
    angle = np.arctan2(along, across)
    order = np.argsort(angle)
    turn = np.linspace(-math.pi, math.pi, _DIRECTIONS, endpoint=False)
    radius = np.interp(turn, angle[order], np.hypot(across, along)[order], period=2.0 * math.pi)
    waves = np.abs(np.fft.rfft(radius / radius.mean()))[_WAVES] * (2.0 / _DIRECTIONS)
    return float(np.sqrt(0.5 * np.sum(waves**2)))


def _filled(figure: Figure, spacing: PixelSpacing) -> float:
    """Return the share of the smallest rectangle around a figure that it fills."""
    centres = np.concatenate(outlines_of(figure.mask)) * (spacing.col_mm, spacing.row_mm)
    _, (width, height), _ = cv2.minAreaRect(centres.astype(np.float32))
    pixel = 0.5 * (spacing.row_mm + spacing.col_mm)
    area = float(np.count_nonzero(figure.mask)) * spacing.row_mm * spacing.col_mm
    return area / ((width + pixel) * (height + pixel))


def _circularity_of_rod(aspect: float) -> float:
    """Circularity of a straight rod with round ends."""
    return 4.0 * math.pi * (aspect - 1.0 + 0.25 * math.pi) / (2.0 * (aspect - 1.0) + math.pi) ** 2


def is_wire(figure: Figure, smooth: npt.NDArray[np.float32], spacing: PixelSpacing) -> bool:
    """Tell whether a body is a piece of wire, straight or bent: thin, even, flat on top, steep at its sides.

    Parameters
    ----------
    figure : Figure
        The body on the pixels.
    smooth : (rows, cols) float32 array
        Equalised grey levels, smoothed.
    spacing : PixelSpacing
        Pixel spacing in mm.
    """
    if figure.slope < _METAL_EDGE * figure.height:
        return False
    pixel = 0.5 * (spacing.row_mm + spacing.col_mm)
    depth = depth_mm(figure.mask, spacing)
    highest = cv2.dilate(depth, np.ones((3, 3), np.uint8))
    widths = 2.0 * depth[(depth >= highest) & (depth > _RIDGE * depth.max())] - pixel
    width = max(float(np.median(widths)), pixel)
    area = float(np.count_nonzero(figure.mask)) * spacing.row_mm * spacing.col_mm
    if width > _WIRE_MM or area < _WIRE_ASPECT * width**2 or widths.std() > _WIRE_UNEVEN * widths.mean():
        return False
    if solidity(figure.mask) >= _STRAIGHT and _filled(figure, spacing) < _PARALLEL:
        return False
    centres = np.concatenate(outlines_of(figure.mask)) * (spacing.col_mm, spacing.row_mm)
    if max(cv2.minAreaRect(centres.astype(np.float32))[1]) > _WIRE_LONG_MM:
        return False
    values = window(smooth, figure.top, figure.left, figure.mask.shape)
    inside = values[(depth > _INSIDE_MM) & np.isfinite(values)]
    if inside.size == 0:
        return False
    level = np.abs(inside - np.median(inside)) <= _FLAT * figure.height
    return float(level.mean()) >= _FLAT_SHARE


def _properties(mask: _Mask, spacing: tuple[float, float]) -> Any:
    (found,) = measure.regionprops(mask.astype(np.uint8), spacing=spacing)  # type: ignore[no-untyped-call]
    return found


def _orientation_deg(angle: float) -> float:
    """Turn skimage's angle (of the major axis to the rows' axis) into degrees against the rows, -90 to 90."""
    degrees = math.degrees(angle) + 90.0
    return degrees - 180.0 if degrees > 90.0 else degrees
