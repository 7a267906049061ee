"""Large bodies: calcifications wider than a speck, each outlined whole, so that it carries one mark."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage as ndi
from skimage import measure

from mcdetect.image.mammogram import PixelSpacing
from mcdetect.kernels.growth import border_slopes, grow

__all__ = ["LEAST_MM", "LargeBody", "find_large_bodies", "one_mark_per_large_body"]

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]
_Mask = npt.NDArray[np.bool_]

# Judged: on the pieces into which real rings, rods and popcorn fell, against groups of real fine
# calcifications, which must stay apart. Smaller or looser bounds take dense groups for bodies, larger ones
# leave pieces.
LEAST_MM = 0.8
"""Diameter of the disc of equal area from which a body counts as large."""
LEAST_SLOPE = 20.0
"""Least mean slope of its border, in SD of the noise per mm: tissue is less steep."""
LEAST_EDGE = 1.5
"""Least of that slope over the body's height, per mm: calcium has a sharp border at every size."""
LEAST_SOLIDITY = 0.8
"""Least area over that of its convex hull: groups of specks that a haze joins are not solid."""
SKIRT_MM = 0.2
"""What lies so near to a large body belongs to it: that is blur."""
HALO_MM, HALO_HEIGHT = 1.0, 0.15
"""What lies so near and is no higher than this share of the body belongs to it, too: processing and lossy
coding leave rings beside what is very bright."""
_SAME = 0.2  # share of the smaller of two bodies that lies on the other, from which both are one

# Standard: what BI-RADS, 5th edition, calls coarse, rim and rod reaches from 1 mm to over 1 cm.
_MOST_MM = 12.0  # diameter of the largest body
_REACH_MM = 8.0  # from the summit to the border of what is looked at

# Technical: how finely is looked.
_SMOOTHING_MM = 0.06  # SD of the Gaussian ahead of the growth
_CLIMB_MM = 0.2  # from a mark to the summit it means
_CLOSING_MM = 0.15  # gaps in a ring that are closed
_LEAST_FILLED = 0.2  # share of a body that its bright part fills, below which no ring is closed
_RING = 1.25  # area with holes filled over that without, from which it is a ring
_MOST_CLOSED = 1.2  # area with gaps closed over that without
_AS_STEEP = 0.8  # least slope of a border over the steepest: a haze round several specks is flatter
_COARSER = 2.5  # area over that with the steepest border, from which that was of a part of the body
_SHARES = (0.6, 0.5, 0.43, 0.36, 0.3, 0.25, 0.2, 0.16, 0.12)  # levels between summit and surroundings


@dataclass(frozen=True)
class LargeBody:
    """One large calcification.

    Parameters
    ----------
    marks : (k,) int64 array
        The marks that lie on it or in its skirt.
    row_px, col_px : float
        Centroid, in pixels.
    measures : dict of str to float
        Of the whole body, by the names of `mcdetect.schema.MEASURES`.
    """

    marks: _Ints
    row_px: float
    col_px: float
    measures: Mapping[str, float]


@dataclass(frozen=True)
class _Figure:
    """A body on the pixels: its mask, holes filled, and where that begins; height; slope of its border."""

    mask: _Mask
    top: int
    left: int
    height: float
    surroundings: float
    slope: float


def find_large_bodies(
    pixels: npt.NDArray[np.float32],
    row_px: _Floats,
    col_px: _Floats,
    strength: _Floats,
    spacing: PixelSpacing,
) -> list[LargeBody]:
    """Outline the large bodies that marks lie on.

    From the summit under each mark pixels are taken downhill until the growth leaks into the tissue. Of
    the levels between summit and leak that one is the border whose mean slope is steepest. Small gaps are
    closed and holes filled, so that a ring is one body. A body is large when it is wide, solid and has a
    border as sharp as calcium's. Marks on it or in its skirt belong to it.

    Parameters
    ----------
    pixels : (rows, cols) float32 array
        Noise-equalised grey levels (noise of unit SD).
    row_px, col_px : (n,) float64 arrays
        Marks, in pixels.
    strength : (n,) float64 array
        Marks are taken from the strongest to the weakest.
    spacing : PixelSpacing
        Pixel spacing in mm.

    Returns
    -------
    list of LargeBody
        Each mark lies on one at most.
    """
    if row_px.size == 0:
        return []
    sigma = _SMOOTHING_MM / spacing.col_mm, _SMOOTHING_MM / spacing.row_mm
    smooth = np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma[0], sigmaY=sigma[1]), dtype=np.float32)
    label = np.zeros(pixels.shape, np.int32)
    figures: list[_Figure] = []
    row, col = np.rint(row_px).astype(np.intp), np.rint(col_px).astype(np.intp)
    for k in np.argsort(-strength, kind="stable"):
        if label[row[k], col[k]]:
            continue
        figure = _figure(smooth, int(row[k]), int(col[k]), spacing)
        if figure is not None:
            _add(figures, figure, label, spacing)
    on = label[row, col]
    halo = np.zeros_like(label)
    for number, figure in enumerate(figures, start=1):
        _paint(halo, figure, number, HALO_MM, spacing)
        faint = smooth[row, col] - figure.surroundings < HALO_HEIGHT * figure.height
        on[(on == 0) & (halo[row, col] == number) & faint] = number
    return [
        LargeBody(np.flatnonzero(on == number), *_measured(figure, smooth, spacing))
        for number, figure in enumerate(figures, start=1)
        if (on == number).any()
    ]


def one_mark_per_large_body(
    bodies: list[LargeBody], strength: _Floats
) -> tuple[npt.NDArray[np.bool_], _Ints]:
    """Keep the strongest mark of each body.

    Parameters
    ----------
    bodies : list of LargeBody
        As `find_large_bodies` returns them.
    strength : (n,) float64 array
        Strength of each mark.

    Returns
    -------
    keep : (n,) bool array
        The marks to keep.
    body : (n,) int64 array
        Number of the body of each mark, from 0; -1 for none.
    """
    keep = np.ones(strength.size, np.bool_)
    body = np.full(strength.size, -1, np.int64)
    for number, found in enumerate(bodies):
        body[found.marks] = number
        keep[found.marks] = False
        keep[found.marks[np.argmax(strength[found.marks])]] = True
    return keep, body


def _figure(smooth: npt.NDArray[np.float32], row: int, col: int, spacing: PixelSpacing) -> _Figure | None:
    """Return the large body under a mark, or None."""
    row, col = _summit(smooth, row, col, spacing)
    down, across = (round(_REACH_MM / step) for step in (spacing.row_mm, spacing.col_mm))
    top, left = max(0, row - down), max(0, col - across)
    window = np.ascontiguousarray(smooth[top : row + down + 1, left : col + across + 1])
    pixel_mm2 = spacing.row_mm * spacing.col_mm
    most = min(window.size, round(math.pi / 4.0 * _MOST_MM**2 / pixel_mm2))
    place, level = grow(window, (row - top) * window.shape[1] + col - left, most)
    summit = float(np.sort(window.ravel()[place[: max(4, round(0.15 / pixel_mm2))]])[-3:].mean())
    leak = float(level[-1])
    height = summit - leak
    if height <= 0.0:
        return None
    wanted = np.array([leak + share * height for share in _SHARES], np.float32)
    counts = np.unique(np.searchsorted(-level, -wanted, side="right"))
    counts = counts[
        (counts < place.size) & (counts * pixel_mm2 >= _LEAST_FILLED * math.pi / 4.0 * LEAST_MM**2)
    ]
    slopes = border_slopes(window, place, counts.astype(np.int64), spacing.row_mm, spacing.col_mm)
    for k in np.argsort(-slopes, kind="stable"):
        if slopes[k] < max(LEAST_SLOPE, LEAST_EDGE * height, _AS_STEEP * slopes.max()):
            break
        closed, mask, (r0, c0) = _closed(place[: counts[k]], window.shape[1], spacing)
        if closed > _MOST_CLOSED * counts[k]:
            continue  # specks side by side, with gaps between them
        area = int(np.count_nonzero(mask))
        steepest = counts[np.argmax(slopes)]
        if counts[k] != steepest and area < min(_RING * counts[k], _COARSER * steepest):
            continue  # another level of the same border
        wide = 4.0 * area * pixel_mm2 >= math.pi * LEAST_MM**2
        if wide and _solidity(mask) >= LEAST_SOLIDITY:
            return _Figure(mask, top + r0, left + c0, height, leak, float(slopes[k]))
    return None


def _summit(smooth: npt.NDArray[np.float32], row: int, col: int, spacing: PixelSpacing) -> tuple[int, int]:
    down, across = (max(1, int(_CLIMB_MM / step)) for step in (spacing.row_mm, spacing.col_mm))
    top, left = max(0, row - down), max(0, col - across)
    part = smooth[top : row + down + 1, left : col + across + 1]
    r, c = np.unravel_index(int(np.argmax(part)), part.shape)
    return top + int(r), left + int(c)


def _closed(place: _Ints, cols: int, spacing: PixelSpacing) -> tuple[int, _Mask, tuple[int, int]]:
    """Return the number of pixels with gaps closed, these with holes filled, too, and where they begin."""
    row, col = place // cols, place % cols
    down, across = (max(1, round(_CLOSING_MM / step)) for step in (spacing.row_mm, spacing.col_mm))
    r0, c0 = int(row.min()) - 2 * down, int(col.min()) - 2 * across  # room to grow and shrink again
    mask = np.zeros((int(row.max()) - r0 + 2 * down + 1, int(col.max()) - c0 + 2 * across + 1), np.bool_)
    mask[row - r0, col - c0] = True
    closed = cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_CLOSE, _ellipse(down, across).view(np.uint8))
    return int(np.count_nonzero(closed)), _filled(np.asarray(closed)), (r0, c0)


def _filled(mask: npt.NDArray[np.uint8]) -> _Mask:
    """Return a mask with its holes filled."""
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(filled, outlines, -1, 1, cv2.FILLED)
    return filled.astype(np.bool_)


def _solidity(mask: _Mask) -> float:
    """Area over that of the convex hull of the pixels' centres, about."""
    outlines, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = np.concatenate([np.asarray(outline) for outline in outlines])
    hull = cv2.convexHull(points)
    around = cv2.contourArea(hull) + 0.5 * cv2.arcLength(hull, True) + 1.0  # of the pixels, not their centres
    return float(np.count_nonzero(mask)) / around


def _ellipse(down: int, across: int) -> _Mask:
    row, col = np.ogrid[-down : down + 1, -across : across + 1]
    figure: _Mask = (row / (down + 0.5)) ** 2 + (col / (across + 0.5)) ** 2 <= 1.0
    return figure


def _add(
    figures: list[_Figure], figure: _Figure, label: npt.NDArray[np.int32], spacing: PixelSpacing
) -> None:
    """Add a figure to the list and to the image of their numbers, or join it to the one that it lies on."""
    for number, other in enumerate(figures, start=1):
        shared = _shared(figure, other)
        if shared > _SAME * min(np.count_nonzero(figure.mask), np.count_nonzero(other.mask)):
            figures[number - 1] = joined = _joined(figure, other)
            _paint(label, joined, number, SKIRT_MM, spacing)
            return
    figures.append(figure)
    _paint(label, figure, len(figures), SKIRT_MM, spacing)


def _shared(one: _Figure, other: _Figure) -> int:
    """Return how many pixels two figures share."""
    top, left = max(one.top, other.top), max(one.left, other.left)
    bottom = min(one.top + one.mask.shape[0], other.top + other.mask.shape[0])
    right = min(one.left + one.mask.shape[1], other.left + other.mask.shape[1])
    if bottom <= top or right <= left:
        return 0
    parts = [f.mask[top - f.top : bottom - f.top, left - f.left : right - f.left] for f in (one, other)]
    return int(np.count_nonzero(parts[0] & parts[1]))


def _joined(one: _Figure, other: _Figure) -> _Figure:
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
    return _Figure(_filled(mask.view(np.uint8)), top, left, high.height, high.surroundings, high.slope)


def _paint(
    label: npt.NDArray[np.int32], figure: _Figure, number: int, reach_mm: float, spacing: PixelSpacing
) -> None:
    """Number the pixels of a body and of what lies within reach, where they carry no number yet."""
    down, across = (max(1, round(reach_mm / step)) for step in (spacing.row_mm, spacing.col_mm))
    padded = np.pad(figure.mask, ((down, down), (across, across))).view(np.uint8)
    grown = np.asarray(cv2.dilate(padded, _ellipse(down, across).view(np.uint8))) > 0
    top, left = figure.top - down, figure.left - across
    r0, c0 = max(0, top), max(0, left)
    r1, c1 = min(label.shape[0], top + grown.shape[0]), min(label.shape[1], left + grown.shape[1])
    part, inside = label[r0:r1, c0:c1], grown[r0 - top : r1 - top, c0 - left : c1 - left]
    part[inside & (part == 0)] = number


def _measured(
    figure: _Figure, smooth: npt.NDArray[np.float32], spacing: PixelSpacing
) -> tuple[float, float, dict[str, float]]:
    """Return the centroid in pixels, and the measures of the whole body."""
    rows, cols = figure.mask.shape
    values = np.full(figure.mask.shape, np.nan)
    r0, c0 = max(0, -figure.top), max(0, -figure.left)
    part = smooth[figure.top + r0 : figure.top + rows, figure.left + c0 : figure.left + cols]
    values[r0 : r0 + part.shape[0], c0 : c0 + part.shape[1]] = part
    found = _properties(figure.mask, (spacing.row_mm, spacing.col_mm))
    area, solidity = float(found.area), float(found.solidity)
    perimeter = _perimeter_mm(figure.mask, spacing)
    major, minor = float(found.axis_major_length), float(found.axis_minor_length)
    circularity = min(4.0 * math.pi * area / perimeter**2, 1.0)
    depth = ndi.distance_transform_edt(np.pad(figure.mask, 1), sampling=(spacing.row_mm, spacing.col_mm))
    depth = depth[1:-1, 1:-1]
    inner, outer = depth >= 0.66 * depth.max(), figure.mask & (depth <= 0.5 * depth.max())
    over = values - figure.surroundings
    centre = float(np.nanmean(over[inner]))
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
        "rim_ratio": float(np.nanmean(over[outer])) / max(centre, 0.05 * figure.height),
    }
    return figure.top + row, figure.left + col, measures


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
