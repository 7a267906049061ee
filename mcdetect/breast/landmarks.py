"""Landmarks of the breast: the nipple, the depth from the chest wall, and how dense tissue is where."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.breast.pectoral import Side

__all__ = ["chest_distance", "density_rank", "find_nipple"]

FloatImage = npt.NDArray[np.float32]
BoolImage = npt.NDArray[np.bool_]
Frame = tuple[int, int, int, int]

# Judged: sizes of the breast as mammograms show it.
CUT_OFF_MM = 25.0
"""A breast that meets the border opposite the chest wall over more than this lost its nipple there."""
APEX_MM = 1.0
"""Skin this much nearer to the chest wall than the farthest still belongs to the tip of the breast."""
TISSUE_MM = 5.0
"""Tissue is averaged over about a disc of this radius."""
THICK_MM = 10.0
"""Nearer to the skin the breast is thinner, and its brightness says little of its tissue."""


def wall_distance(
    shape: tuple[int, int], frame: Frame, side: Side, step_mm: tuple[float, float]
) -> FloatImage:
    """Return the distance of every cell's centre to one side of the frame in mm, negative beyond it.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the grid.
    frame : tuple of int
        First row, end row, first column, end column.
    side : {"left", "right", "top", "bottom"}
        The side.
    step_mm : (float, float)
        Size of a cell along rows and columns, in mm.

    Returns
    -------
    (grid rows, grid cols) float32 array
    """
    top, bottom, left, right = frame
    row = (np.arange(shape[0], dtype=np.float32) + np.float32(0.5))[:, None]
    col = (np.arange(shape[1], dtype=np.float32) + np.float32(0.5))[None, :]
    lines = {
        "top": (row - top) * step_mm[0],
        "bottom": (bottom - row) * step_mm[0],
        "left": (col - left) * step_mm[1],
        "right": (right - col) * step_mm[1],
    }
    return np.broadcast_to(lines[side], shape).astype(np.float32)


def chest_distance(
    mask: BoolImage, pectoral: BoolImage, frame: Frame, side: Side | None, step_mm: tuple[float, float]
) -> FloatImage:
    """Return the distance to the chest wall: to the pectoral muscle or the edge of the picture before it.

    Parameters
    ----------
    mask, pectoral : (grid rows, grid cols) bool array
        The breast, and the muscle.
    frame : tuple of int
        First row, end row, first column, end column of the exposed part.
    side : {"left", "right", "top", "bottom"} or None
        The side of the frame at which the chest wall lies.
    step_mm : (float, float)
        Size of a cell along rows and columns, in mm.

    Returns
    -------
    (grid rows, grid cols) float32 array
        In mm: the smaller one of both distances, 0 on the muscle; NaN outside the breast, and
        everywhere when it is not known where the chest wall is.
    """
    if side is None:
        return np.full(mask.shape, np.nan, np.float32)
    distance = np.maximum(wall_distance(mask.shape, frame, side, step_mm), np.float32(0.0))
    if pectoral.any():
        cells = cv2.distanceTransform((~pectoral).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
        cell_mm = np.float32(np.sqrt(step_mm[0] * step_mm[1]))
        distance = np.minimum(distance, np.maximum(cells - np.float32(0.5), np.float32(0.0)) * cell_mm)
    return np.where(mask, distance, np.float32(np.nan)).astype(np.float32, copy=False)


def find_nipple(
    mask: BoolImage, frame: Frame, side: Side | None, step_mm: tuple[float, float]
) -> tuple[float, float] | None:
    """Estimate where the nipple is: at the point of the skin line farthest from the chest wall.

    Parameters
    ----------
    mask : (grid rows, grid cols) bool array
        The breast.
    frame : tuple of int
        First row, end row, first column, end column of the exposed part.
    side : {"left", "right", "top", "bottom"} or None
        The side of the frame at which the chest wall lies.
    step_mm : (float, float)
        Size of a cell along rows and columns, in mm.

    Returns
    -------
    (float, float) or None
        Row and column on the grid (0 at the centre of the first cell), the middle of the tip where
        that is flat. None without a skin line, without a chest wall, and when the side opposite to it
        cuts the breast.
    """
    if side is None:
        return None
    top, bottom, left, right = frame
    inside = np.zeros(mask.shape, np.bool_)
    inside[top:bottom, left:right] = True
    air = (inside & ~mask).view(np.uint8)
    skin = mask & inside & cv2.dilate(air, np.ones((3, 3), np.uint8)).view(np.bool_)
    if not skin.any():
        return None
    distance = wall_distance(mask.shape, frame, side, step_mm)
    opposite = {
        "left": mask[top:bottom, right - 1],
        "right": mask[top:bottom, left],
        "top": mask[bottom - 1, left:right],
        "bottom": mask[top, left:right],
    }[side]
    along_mm = step_mm[0] if side in ("left", "right") else step_mm[1]
    if opposite.sum() * along_mm > CUT_OFF_MM:
        return None
    farthest = float(distance[skin].max())
    tip = np.argwhere(skin & (distance >= farthest - APEX_MM))
    # of several tips, the one that holds the farthest point
    peak = tip[np.argmax(distance[tip[:, 0], tip[:, 1]])]
    near = np.hypot(*((tip - peak) * step_mm).T) <= 2.0 * CUT_OFF_MM
    middle = tip[near].mean(axis=0)
    nearest = tip[near][np.argmin(np.hypot(*((tip[near] - middle) * step_mm).T))]
    return float(nearest[0]), float(nearest[1])


def density_rank(
    level: FloatImage, mask: BoolImage, pectoral: BoolImage, skin_mm: FloatImage, step_mm: tuple[float, float]
) -> FloatImage:
    """Return how bright the tissue about each cell is among all tissue of the breast.

    A rank survives every monotone grey scale: windows, look-up tables and vendors do not change it.

    Parameters
    ----------
    level : (grid rows, grid cols) float32 array
        Grey levels, calcification bright.
    mask, pectoral : (grid rows, grid cols) bool array
        The breast, and the muscle.
    skin_mm : (grid rows, grid cols) float32 array
        Distance to the skin line in mm.
    step_mm : (float, float)
        Size of a cell along rows and columns, in mm.

    Returns
    -------
    (grid rows, grid cols) float32 array
        Share, 0 to 1, of the breast off muscle and skin whose tissue is darker on average within about
        `TISSUE_MM`; NaN outside the breast and in the muscle.
    """
    known = mask & ~pectoral
    if not known.any():
        known = mask
    inner = known & (skin_mm >= THICK_MM)
    base = np.float32(np.median(level[known]))
    weight = known.astype(np.float32)
    total, share = (level - base) * weight, weight
    # two passes of a square have the spread of a disc when its side is sqrt(1.5) radii
    side = (round(TISSUE_MM * 1.5**0.5 / step_mm[1]) | 1, round(TISSUE_MM * 1.5**0.5 / step_mm[0]) | 1)
    for _ in range(2):
        total = np.asarray(cv2.blur(total, side, borderType=cv2.BORDER_CONSTANT), np.float32)
        share = np.asarray(cv2.blur(share, side, borderType=cv2.BORDER_CONSTANT), np.float32)
    mean = (total / np.maximum(share, np.float32(1e-6)))[mask]
    order = np.argsort(mean)
    mean = mean[order]
    counts = (inner if inner.any() else known)[mask][order]
    below = np.concatenate(([0], np.cumsum(counts)))
    # of each run of equal means: the cells counted that are darker, and those that are no brighter
    first = np.concatenate(([0], 1 + np.flatnonzero(mean[1:] != mean[:-1])))
    last = np.append(first[1:], mean.size)
    place = np.empty(mean.size, np.intp)
    place[order] = np.repeat(below[first] + below[last], last - first)
    found = np.full(mask.shape, np.nan, np.float32)
    found[mask] = np.where(share[mask] > 1e-3, place / (2.0 * below[-1]), np.nan)
    found[~known] = np.nan  # the muscle is no tissue of the breast
    return found
