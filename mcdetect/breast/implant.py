"""Breast implants: large, bright, smooth and round. Nothing can be seen through one."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.breast.grid import disc

__all__ = ["MARGIN_MM", "find_implant"]

FloatImage = npt.NDArray[np.float32]
BoolImage = npt.NDArray[np.bool_]
_Floats = npt.NDArray[np.float64]

# Physics: implants hold 80 ml and more, so that even small ones cover 20 cm2; their shell folds at the rim.
LEAST_MM2 = 2000.0
"""Area of an implant in the image, at least."""
MARGIN_MM = 3.0
"""So far around an implant nothing is searched: its shell, and folds of it."""

# Judged: on 189 images without and two with an implant, and on drawn ones; muscles, masses and dense tissue
# differ in at least two of these.
LEAST_SOLIDITY = 0.96  # area over that of the convex hull
MOST_OFF_ELLIPSE = 0.05  # RMS distance of the border from an ellipse, as a share of its axes
MOST_LONG = 2.5  # long over short axis of that ellipse
LEAST_ARC = 0.6  # of the ellipse that the border shows: the rest lies outside the image or behind muscle
MOST_TEXTURE = 0.45  # of the tissue around it: gel and salt water have none
LEAST_STEP = 2.0  # across the border, over the texture of the tissue

# Technical: how finely it is looked for.
_GRID_MM = 1.6
_RANGE = 25.0, 99.5  # percentiles of the breast: fat, also beside a large implant, and the brightest parts
_LEVELS = np.linspace(0.1, 0.8, 8)  # shares of the range between them
_OPENING_MM = 8.0  # radius of the disc that parts an implant from ribs, muscle and vessels that touch it
_COARSE_MM = 4.0  # SD of the Gaussian against which texture is told
_CORE_MM = 6.0  # texture is read so far inside the border
_FLANK_MM = 1.5, 5.0  # and the step between these distances on either side
_BORDER_CELLS = 1  # a border so near to that of the image is cut off there, and no border
_SECTORS = 36  # of the ellipse
_FEW = 40  # cells, fewer than which tell no texture


def find_implant(values: FloatImage, mask: BoolImage, step_mm: tuple[float, float]) -> BoolImage:
    """Find a breast implant.

    Parts of the breast brighter than each of eight levels are tried, the lowest first: processing brightens
    the rim. An implant is large and convex, its border follows an ellipse, steeply, and there is no texture
    inside.

    Parameters
    ----------
    values : (grid rows, grid cols) float32 array
        Grey levels, calcification bright.
    mask : (grid rows, grid cols) bool array
        The breast.
    step_mm : (float, float)
        Size of a cell along rows and columns, in mm.

    Returns
    -------
    (grid rows, grid cols) bool array
        All False where there is none.
    """
    none = np.zeros(mask.shape, np.bool_)
    if np.count_nonzero(mask) * step_mm[0] * step_mm[1] < LEAST_MM2:
        return none
    shape = [max(round(n * step / _GRID_MM), 2) for n, step in zip(mask.shape, step_mm, strict=True)]
    cell = (mask.shape[0] * step_mm[0] / shape[0], mask.shape[1] * step_mm[1] / shape[1])
    small = np.asarray(cv2.resize(values, shape[::-1], interpolation=cv2.INTER_AREA), np.float32)
    inside = cv2.resize(mask.view(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST).view(np.bool_)
    if not inside.any():
        return none
    dark, brightest = np.percentile(small[inside], _RANGE)
    smooth = cv2.GaussianBlur(small, (0, 0), _COARSE_MM / cell[1], None, _COARSE_MM / cell[0])
    texture = np.abs(small - smooth)
    deep = _eroded(inside, 2.0 * _CORE_MM, cell)
    for share in _LEVELS:
        bright = (small > dark + share * (brightest - dark)) & inside
        for part in _large_parts(bright, cell):
            round_enough = _off_ellipse(part, cell) <= MOST_OFF_ELLIPSE
            if round_enough and _is_smooth_and_steep(part, small, texture, inside, deep, cell):
                whole = cv2.resize(part.view(np.uint8), mask.shape[::-1], interpolation=cv2.INTER_NEAREST)
                return whole.view(np.bool_) & mask
    return none


def _large_parts(bright: BoolImage, cell: tuple[float, float]) -> list[BoolImage]:
    """Return the filled parts of a mask that are large enough, each as a mask."""
    element = disc(_OPENING_MM, cell)
    wide = element.shape[0]
    opened = cv2.morphologyEx(_padded(bright, wide), cv2.MORPH_OPEN, element)[wide:-wide, wide:-wide]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(opened))
    found = []
    for label in range(1, count):
        if stats[label, cv2.CC_STAT_AREA] * cell[0] * cell[1] >= LEAST_MM2:
            border = _border((labels == label).astype(np.uint8))
            filled = cv2.drawContours(np.zeros(bright.shape, np.uint8), [border], -1, 1, cv2.FILLED)
            found.append(np.asarray(filled, np.uint8).view(np.bool_))
    return found


def _off_ellipse(part: BoolImage, cell: tuple[float, float]) -> float:
    """Return how far the border of a part lies from an ellipse, as a share of its axes: RMS.

    It is infinite where the part is not convex, and where too little of the ellipse is seen.
    """
    border = _border(part.view(np.uint8))
    if cv2.contourArea(border) < LEAST_SOLIDITY * cv2.contourArea(cv2.convexHull(border)):
        return np.inf
    points = border[:, 0, ::-1].astype(np.float64)
    last = np.array(part.shape) - 1
    points = points[((points > _BORDER_CELLS) & (points < last - _BORDER_CELLS)).all(axis=1)] * cell
    if len(points) < _FEW:
        return np.inf
    ellipse = cv2.fitEllipse(points.astype(np.float32)[:, None])
    middle, axes, angle = np.array(ellipse[0]), np.array(ellipse[1]), np.deg2rad(ellipse[2])
    if not (axes.min() > 0.0 and axes.max() <= MOST_LONG * axes.min()):
        return np.inf
    away = points - middle
    along = away @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / (0.5 * axes)
    sector = np.floor((np.arctan2(along[:, 1], along[:, 0]) / (2.0 * np.pi) + 0.5) * _SECTORS)
    if np.unique(sector).size < LEAST_ARC * _SECTORS:
        return np.inf
    return float(np.sqrt(np.mean((np.hypot(along[:, 0], along[:, 1]) - 1.0) ** 2)))


def _is_smooth_and_steep(
    part: BoolImage,
    values: FloatImage,
    texture: FloatImage,
    inside: BoolImage,
    deep: BoolImage,
    cell: tuple[float, float],
) -> bool:
    """Tell whether a part has no texture, and its border a step."""
    core, around = _eroded(part, _CORE_MM, cell), deep & ~part
    if min(np.count_nonzero(core), np.count_nonzero(around)) < _FEW:
        return False
    usual = float(np.median(texture[around]))
    if float(np.median(texture[core])) > MOST_TEXTURE * usual:
        return False
    near, far = _FLANK_MM
    inner = _between(part, near, far, cell)
    outer = _between(~part, near, far, cell) & inside
    if not (inner.any() and outer.any()):
        return False
    return bool(values[inner].mean() - values[outer].mean() >= LEAST_STEP * usual)


def _between(part: BoolImage, near_mm: float, far_mm: float, cell: tuple[float, float]) -> BoolImage:
    """Return what lies between two depths below the border of a part."""
    cells = np.asarray(cv2.distanceTransform(part.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5), np.float32)
    depth = cells * np.float32(np.sqrt(cell[0] * cell[1]))
    return np.asarray((depth > near_mm) & (depth <= far_mm))


def _border(part: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    """Return the longest outer contour of a mask, (n, 1, 2), (col, row)."""
    contours, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(max(contours, key=len), np.int32)


def _padded(mask: BoolImage, by: int) -> npt.NDArray[np.uint8]:
    """Return a mask with its border repeated, so that what the image cuts off is not eroded there."""
    return cv2.copyMakeBorder(mask.view(np.uint8), by, by, by, by, cv2.BORDER_REPLICATE).astype(np.uint8)


def _eroded(mask: BoolImage, by_mm: float, cell: tuple[float, float]) -> BoolImage:
    return cv2.erode(mask.view(np.uint8), disc(by_mm, cell)).view(np.bool_)
