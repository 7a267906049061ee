"""Figures of bodies on the pixels: closing, filling, joining, and the step across their border."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage as ndi

from mcdetect.image.mammogram import PixelSpacing
from mcdetect.kernels.threads import in_parts

__all__ = [
    "LEAST_SOLIDITY",
    "Figure",
    "axes_mm",
    "border_step",
    "close_gaps",
    "connected",
    "depth_mm",
    "ellipse",
    "fill_holes",
    "is_solid",
    "join",
    "mean_slope",
    "on_its_box",
    "outlines_of",
    "paint",
    "perimeter_mm",
    "shared_px",
    "smoothed",
    "solidity",
    "window",
    "with_room",
]

_Ints = npt.NDArray[np.int64]
_Mask = npt.NDArray[np.bool_]

# Judged: on real bodies, against groups of specks that a haze joins.
LEAST_SOLIDITY = 0.8
"""Least area over that of the convex hull: groups of specks are not solid."""
LEAST_BENT, THICK_MM, THICK_PX = 0.55, 0.6, 10.0
"""The same for a body that is so thick somewhere, in mm and in pixels: rods may bend and fork; specks are
thin."""

# Technical: how finely is looked.
_LEAST_ROWS = 256  # that are worth a thread
_CLOSING_MM = 0.15  # gaps in a ring that are closed
_RIM_MM, _GAP_MM = 0.2, 0.1  # width of the rings on both sides of the border; what lies between is blur


@dataclass(frozen=True)
class Figure:
    """A body on the pixels: its mask, holes filled, and where that begins; height; slope of its border.

    A ring is a shell about a darker centre by the way in which it was found.
    """

    mask: _Mask
    top: int
    left: int
    height: float
    surroundings: float
    slope: float
    ring: bool = False


def smoothed(
    pixels: npt.NDArray[np.float32], sigma_mm: float, spacing: PixelSpacing
) -> npt.NDArray[np.float32]:
    """Return an image behind a narrow Gaussian of this SD."""
    across, down = sigma_mm / spacing.col_mm, sigma_mm / spacing.row_mm
    reach = math.ceil(4.0 * down) + 1
    smooth = np.empty(pixels.shape, np.float32)

    def work(first: int, last: int) -> None:
        top = max(0, first - reach)
        rows = cv2.GaussianBlur(pixels[top : last + reach], (0, 0), across, sigmaY=down)
        smooth[first:last] = rows[first - top : last - top]

    in_parts(work, pixels.shape[0], least=max(_LEAST_ROWS, 4 * reach))
    return smooth


def close_gaps(mask: _Mask, spacing: PixelSpacing) -> tuple[int, _Mask, tuple[int, int]]:
    """Close the gaps of a figure that fills its box.

    Returns
    -------
    closed : int
        Number of pixels with gaps closed.
    filled : bool array
        The figure with gaps closed and holes filled, with room around it.
    room : (int, int)
        How many pixels before those of the figure it begins.
    """
    down, across = (int(_CLOSING_MM / step + 1e-6) for step in (spacing.row_mm, spacing.col_mm))
    room = 2 * down, 2 * across  # to grow and shrink again
    padded = with_room(mask, (room[0], room[0]), (room[1], room[1]))
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, ellipse(down, across).view(np.uint8))
    return int(np.count_nonzero(closed)), fill_holes(np.asarray(closed)), room


def with_room(mask: _Mask, rows: tuple[int, int], cols: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return a mask with so many empty rows and columns before and behind it."""
    padded = np.zeros((mask.shape[0] + sum(rows), mask.shape[1] + sum(cols)), np.uint8)
    padded[rows[0] : rows[0] + mask.shape[0], cols[0] : cols[0] + mask.shape[1]] = mask
    return padded


def on_its_box(place: _Ints, cols: int) -> tuple[_Mask, int, int]:
    """Return pixels, given as row * cols + col, as a mask on the box that they fill, and where it begins."""
    row, col = place // cols, place % cols
    top, left = int(row.min()), int(col.min())
    mask = np.zeros((int(row.max()) - top + 1, int(col.max()) - left + 1), np.bool_)
    mask[row - top, col - left] = True
    return mask, top, left


def connected(mask: _Mask, place: tuple[int, int]) -> tuple[_Mask, int, int]:
    """Return what is connected to a place of a mask, also at corners: on its own box, and where that begins.

    Where the place itself is none of the mask, the box is empty.
    """
    row, col = place
    if not mask[row, col]:
        return np.zeros((0, 0), np.bool_), row, col
    picture = mask.astype(np.uint8)
    *_, (left, top, wide, high) = cv2.floodFill(picture, None, (col, row), 2, flags=8)
    return picture[top : top + high, left : left + wide] == 2, top, left


def fill_holes(mask: npt.NDArray[np.uint8]) -> _Mask:
    """Return a mask with its holes filled."""
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(filled, outlines, -1, 1, cv2.FILLED)
    return filled.view(np.bool_)


def axes_mm(mask: _Mask, spacing: PixelSpacing) -> tuple[float, float]:
    """Return the axes of the ellipse with the same second moments, the longer first."""
    row, col = np.nonzero(mask)
    if row.size < 3:
        return 0.0, 0.0
    spread = np.cov(row * spacing.row_mm, col * spacing.col_mm)
    short, long = 4.0 * np.sqrt(np.maximum(np.linalg.eigvalsh(spread), 0.0))
    return float(long), float(short)


def depth_mm(mask: _Mask, spacing: PixelSpacing) -> npt.NDArray[np.float64]:
    """Return the distance of each pixel of a figure to its outside, in mm."""
    padded = np.pad(mask, 1)
    depth = ndi.distance_transform_edt(padded, sampling=(spacing.row_mm, spacing.col_mm))
    return np.asarray(depth, np.float64)[1:-1, 1:-1]


def outlines_of(mask: _Mask) -> list[npt.NDArray[np.int32]]:
    """Return the outer outlines of a figure: the (col, row) of their pixels, in order."""
    found, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return [np.asarray(outline, np.int32).reshape(-1, 2) for outline in found]


def is_solid(mask: _Mask, spacing: PixelSpacing) -> bool:
    """Tell whether a figure is one body: solid, or thick where it is bent or forked."""
    share = solidity(mask)
    if share >= LEAST_SOLIDITY or share < LEAST_BENT:
        return share >= LEAST_SOLIDITY
    return bool(
        2.0 * depth_mm(mask, spacing).max() >= max(THICK_MM, THICK_PX * max(spacing.row_mm, spacing.col_mm))
    )


def perimeter_mm(mask: _Mask, spacing: PixelSpacing) -> float:
    """Return the length of the outer outline, in mm, smoothed along five pixels."""
    longest = max(outlines_of(mask), key=len).astype(np.float64)
    smooth = ndi.uniform_filter1d(longest, 5, axis=0, mode="wrap")
    step = np.diff(np.vstack([smooth, smooth[:1]]), axis=0) * (spacing.col_mm, spacing.row_mm)
    return float(np.hypot(step[:, 0], step[:, 1]).sum()) + math.pi * 0.5 * (spacing.row_mm + spacing.col_mm)


def solidity(mask: _Mask) -> float:
    """Area over that of the convex hull of the pixels' centres, about."""
    hull = cv2.convexHull(np.concatenate(outlines_of(mask)))
    around = cv2.contourArea(hull) + 0.5 * cv2.arcLength(hull, True) + 1.0  # of the pixels, not their centres
    return float(np.count_nonzero(mask)) / around


def border_step(
    smooth: npt.NDArray[np.float32], mask: _Mask, top: int, left: int, spacing: PixelSpacing
) -> tuple[float, float]:
    """Return how a body's border stands out: rings just inside and just outside are compared.

    Returns
    -------
    step : float
        Median of the ring inside less that of the ring outside.
    left : float
        Share of the ring outside that is brighter than half way between these.
    """
    reach = [max(1, round((_GAP_MM + _RIM_MM) / step)) for step in (spacing.row_mm, spacing.col_mm)]
    down, across = reach
    inside = np.pad(mask, ((down, down), (across, across)))
    values = window(smooth, top - down, left - across, inside.shape)
    outward = ndi.distance_transform_edt(~inside, sampling=(spacing.row_mm, spacing.col_mm))
    inward = ndi.distance_transform_edt(inside, sampling=(spacing.row_mm, spacing.col_mm))
    there = np.isfinite(values)
    rim = inside & (inward <= _RIM_MM) & there
    around = ~inside & (outward > _GAP_MM) & (outward <= _GAP_MM + _RIM_MM) & there
    if not around.any() or not rim.any():
        return 0.0, 1.0
    high, low = np.median(values[rim]), np.median(values[around])
    return float(high - low), float((values[around] > 0.5 * (high + low)).mean())


def mean_slope(
    over: npt.NDArray[np.float32], mask: _Mask, top: int, left: int, spacing: PixelSpacing
) -> float:
    """Return the mean fall from pixels inside to their neighbours outside, per mm."""
    rows, cols = mask.shape
    if top < 0 or left < 0 or top + rows > over.shape[0] or left + cols > over.shape[1]:
        return 0.0
    part = over[top : top + rows, left : left + cols]
    fall, count = 0.0, 0
    for one, other, step in (
        (np.s_[1:], np.s_[:-1], spacing.row_mm),
        (np.s_[:, 1:], np.s_[:, :-1], spacing.col_mm),
    ):
        change = mask[one].view(np.int8) - mask[other].view(np.int8)
        fall += float(((part[one] - part[other]) * change).sum()) / step
        count += int(np.count_nonzero(change))
    return fall / max(count, 1)


def window(
    image: npt.NDArray[np.float32], top: int, left: int, shape: tuple[int, ...]
) -> npt.NDArray[np.float64]:
    """Return a part of an image; NaN outside of it."""
    rows, cols = shape
    values = np.full(shape, np.nan)
    r0, c0 = max(0, -top), max(0, -left)
    part = image[top + r0 : top + rows, left + c0 : left + cols]
    values[r0 : r0 + part.shape[0], c0 : c0 + part.shape[1]] = part
    return values


@lru_cache(maxsize=64)
def ellipse(down: int, across: int) -> _Mask:
    """Return an ellipse of so many pixels from its middle; it is shared and must not be changed."""
    row, col = np.ogrid[-down : down + 1, -across : across + 1]
    figure: _Mask = (row / (down + 0.5)) ** 2 + (col / (across + 0.5)) ** 2 <= 1.0
    figure.flags.writeable = False
    return figure


def shared_px(one: Figure, other: Figure) -> int:
    """Return how many pixels two figures share."""
    top, left = max(one.top, other.top), max(one.left, other.left)
    bottom = min(one.top + one.mask.shape[0], other.top + other.mask.shape[0])
    right = min(one.left + one.mask.shape[1], other.left + other.mask.shape[1])
    if bottom <= top or right <= left:
        return 0
    parts = [f.mask[top - f.top : bottom - f.top, left - f.left : right - f.left] for f in (one, other)]
    return int(np.count_nonzero(parts[0] & parts[1]))


def join(one: Figure, other: Figure) -> Figure:
    """Return one figure of two that overlap, with the height of the higher."""
    top, left = min(one.top, other.top), min(one.left, other.left)
    bottom = max(f.top + f.mask.shape[0] for f in (one, other))
    right = max(f.left + f.mask.shape[1] for f in (one, other))
    mask = np.zeros((bottom - top, right - left), np.bool_)
    for f in (one, other):
        mask[
            f.top - top : f.top - top + f.mask.shape[0], f.left - left : f.left - left + f.mask.shape[1]
        ] |= f.mask
    high = max(one, other, key=lambda f: f.height)
    ring = one.ring or other.ring
    return Figure(
        fill_holes(mask.view(np.uint8)), top, left, high.height, high.surroundings, high.slope, ring
    )


def paint(
    label: npt.NDArray[np.int32], figure: Figure, number: int, reach_mm: float, spacing: PixelSpacing
) -> None:
    """Number the pixels of a body and of what lies within reach, where they carry no number yet."""
    down, across = (max(1, round(reach_mm / step)) for step in (spacing.row_mm, spacing.col_mm))
    padded = np.pad(figure.mask, ((down, down), (across, across))).view(np.uint8)
    grown = np.asarray(cv2.dilate(padded, ellipse(down, across).view(np.uint8))) > 0
    top, left = figure.top - down, figure.left - across
    r0, c0 = max(0, top), max(0, left)
    r1, c1 = min(label.shape[0], top + grown.shape[0]), min(label.shape[1], left + grown.shape[1])
    part, inside = label[r0:r1, c0:c1], grown[r0 - top : r1 - top, c0 - left : c1 - left]
    part[inside & (part == 0)] = number
