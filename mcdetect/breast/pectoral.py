"""The pectoral muscle: the bright corner at the chest wall, bounded by a nearly straight edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["Side", "chest_wall_side", "find_pectoral"]

FloatImage = npt.NDArray[np.float32]
BoolImage = npt.NDArray[np.bool_]
Side = Literal["left", "right", "top", "bottom"]
_Value = TypeVar("_Value", bound=np.generic)

OBLIQUE_VIEWS = frozenset({"MLO", "ML", "LMO", "LM", "SIO"})

# Judged: how the edge is followed. More freedom follows a bent edge, less keeps to it among dense tissue.
WORK_MM = 1.0
"""Grid on which the edge is looked for."""
BLUR_MM = 1.0  # SD of the Gaussian that takes fine texture away before
REACH_MM = 3.0
"""Distance from the edge at which muscle and breast are compared."""
TRACE_MM = 8.0
"""How far the edge may depart from the straight line."""
TRACE_STEP_MM = 0.5  # between the offsets from that line that are tried
STIFFNESS = 0.15  # cost of a bend: share of the range from air to tissue, for each square of grid cells
SAMPLES = 48  # along each straight line that is tried

# Judged: which corners can be muscle. Narrower limits miss short or steep ones, wider ones take folds for it.
LONGEST_MM = (200.0, 350.0)
"""No muscle reaches farther along the upper border and the chest wall, even at a wrong spacing."""
CORNER_MM = 8.0
"""The breast must touch both borders at the corner over at least this length."""
WIDE_MM = 40.0
"""Breast of at least this width along the border is no fold."""
SMALLEST_MM2 = 100.0  # what is smaller is no muscle
SLOPES = (0.9, 8.0)
"""Length along the chest wall over length along the other border."""


@dataclass(frozen=True)
class _Rules:
    """What an edge must show; shares of the range from air to tissue."""

    contrast: float
    positive: float
    step: float


# Judged: an unknown view may be craniocaudal, without a muscle, so its edge must show more.
GIVEN_OBLIQUE = _Rules(contrast=0.06, positive=0.75, step=0.04)
UNKNOWN_VIEW = _Rules(contrast=0.08, positive=0.8, step=0.08)


def chest_wall_side(mask: BoolImage) -> Side | None:
    """Return the side of the frame that cuts through the breast, None when there is no such side.

    Parameters
    ----------
    mask : (rows, cols) bool array
        The breast within the frame.
    """
    contact = {
        "left": float(mask[:, 0].mean()) * mask.shape[0],
        "right": float(mask[:, -1].mean()) * mask.shape[0],
        "top": float(mask[0].mean()) * mask.shape[1],
        "bottom": float(mask[-1].mean()) * mask.shape[1],
    }
    excess: dict[Side, float] = {
        "left": contact["left"] - contact["right"],
        "right": contact["right"] - contact["left"],
        "top": contact["top"] - contact["bottom"],
        "bottom": contact["bottom"] - contact["top"],
    }
    side = max(excess, key=lambda name: excess[name])
    return side if excess[side] > 0 else None


def find_pectoral(
    share: FloatImage, mask: BoolImage, side: Side, view: str | None, step_mm: tuple[float, float]
) -> BoolImage:
    """Outline the pectoral muscle.

    Straight lines that cut off a corner at the chest wall are tried; the one with the strongest
    step from bright to dark is then bent by dynamic programming to follow the edge. Where the view
    is not known the edge must be clearer, and craniocaudal views show none.

    Parameters
    ----------
    share : (rows, cols) float32 array
        Grey level as a share of the range from air (0) to tissue (1), within the frame.
    mask : (rows, cols) bool array
        The breast within the frame.
    side : {"left", "right", "top", "bottom"}
        The side of the frame that is the chest wall.
    view : str or None
        The view, where known.
    step_mm : (float, float)
        Size of a cell along rows and columns, in mm.

    Returns
    -------
    (rows, cols) bool array
        All False when no muscle is seen.
    """
    if view is not None and view.upper() not in OBLIQUE_VIEWS:
        return np.zeros_like(mask)
    rules = UNKNOWN_VIEW if view is None else GIVEN_OBLIQUE
    upright, upright_mask = _chest_left(share, side), _chest_left(mask, side)
    step = step_mm if side in ("left", "right") else step_mm[::-1]
    found = np.zeros(upright_mask.shape, np.bool_)
    best = 0.0
    for turn in (1, -1):
        score, muscle = _corner_muscle(upright[::turn], upright_mask[::turn], step, rules)
        if score > best:
            best, found = score, muscle[::turn]
    return np.ascontiguousarray(_chest_left(found, side, back=True)) & mask


def _chest_left(image: npt.NDArray[_Value], side: Side, back: bool = False) -> npt.NDArray[_Value]:
    if side == "left":
        return image
    if side == "right":
        return image[:, ::-1]
    if side == "top":
        return image.T
    return image.T[::-1] if back else image[::-1].T


def _corner_muscle(
    share: FloatImage, mask: BoolImage, step_mm: tuple[float, float], rules: _Rules
) -> tuple[float, BoolImage]:
    """Look for the muscle in the upper left corner; return the strength of its edge and its mask."""
    none = np.zeros(mask.shape, np.bool_)
    along_top = _contact(mask[0]) * step_mm[1]
    along_wall = _contact(mask[:, 0]) * step_mm[0]
    if min(along_top, along_wall) < CORNER_MM:
        return 0.0, none
    size = (
        max(8, round(mask.shape[1] * step_mm[1] / WORK_MM)),
        max(8, round(mask.shape[0] * step_mm[0] / WORK_MM)),
    )
    grey = cv2.resize(np.ascontiguousarray(share), size, interpolation=cv2.INTER_AREA)
    grey = cv2.GaussianBlur(grey, (0, 0), BLUR_MM / WORK_MM)
    inside = cv2.resize(np.ascontiguousarray(mask).view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    line = _best_line(np.asarray(grey, np.float32), inside.astype(np.float32), along_top, along_wall, rules)
    if line is None:
        return 0.0, none
    score, top, wall = line
    edge = _bend(np.asarray(grey, np.float32), top, wall)
    depth = (np.arange(mask.shape[0]) + 0.5) * step_mm[0] / WORK_MM - 0.5
    reach = np.interp(depth, np.arange(edge.size), edge, right=-1.0)
    across = (np.arange(mask.shape[1]) + 0.5) * step_mm[1] / WORK_MM - 0.5
    muscle = (across[None, :] < reach[:, None]) & mask
    if muscle.sum() * step_mm[0] * step_mm[1] < SMALLEST_MM2:
        return 0.0, none
    # the muscle comes in where the axilla is wide, not where a fold touches the border
    return score * min(along_top, WIDE_MM) / WIDE_MM, muscle


def _contact(line: BoolImage) -> int:
    """Cells from the corner on that belong to the breast."""
    return int(line.size if line.all() else np.argmin(line))


def _best_line(
    grey: FloatImage, inside: FloatImage, along_top: float, along_wall: float, rules: _Rules
) -> tuple[float, float, float] | None:
    tops, walls = np.meshgrid(
        np.arange(CORNER_MM, min(max(along_top, CORNER_MM), LONGEST_MM[0]) + 25.0, 2.0) / WORK_MM,
        np.arange(20.0, min(max(0.95 * along_wall, 21.0), LONGEST_MM[1]), 3.0) / WORK_MM,
    )
    slope = walls / tops
    fits = (slope >= SLOPES[0]) & (slope <= SLOPES[1])
    top, wall = tops[fits], walls[fits]
    if top.size == 0:
        return None
    t = np.linspace(0.06, 0.94, SAMPLES)
    col, row = top[:, None] * (1 - t), wall[:, None] * t
    length = np.hypot(top, wall)
    normal_col, normal_row = (wall / length)[:, None], (top / length)[:, None]
    reach = REACH_MM / WORK_MM

    def sample(image: FloatImage, outward: float) -> FloatImage:
        x = np.maximum(col + outward * normal_col, 0).astype(np.float32)
        y = np.maximum(row + outward * normal_row, 0).astype(np.float32)
        return np.asarray(cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))

    known = sample(inside, reach) > 0.5
    step = np.where(known, sample(grey, -reach) - sample(grey, reach), np.float32(0))
    count = np.maximum(known.sum(axis=1), 1)
    mean = np.clip(step, -0.3, 0.3).sum(axis=1) / count
    positive = ((step > 0.01) & known).sum(axis=1) / count
    broad = np.where(known, sample(grey, -2.5 * reach) - sample(grey, 2.5 * reach), 0).sum(axis=1) / count
    good = (
        (known.mean(axis=1) >= 0.7)
        & (mean >= rules.contrast)
        & (positive >= rules.positive)
        & (broad >= rules.step)
    )
    if not good.any():
        return None
    score = np.where(good, mean * positive * np.sqrt(length), 0.0)
    best = int(np.argmax(score))
    return float(score[best]), float(top[best]), float(wall[best])


def _bend(grey: FloatImage, top: float, wall: float) -> npt.NDArray[np.float64]:
    """Follow the edge row by row within `TRACE_MM` of a line; return its column in each row."""
    rows = np.arange(min(int(np.ceil(wall)) + 1, grey.shape[0]))
    line = top * (1.0 - rows / wall)
    offsets = np.arange(-TRACE_MM, TRACE_MM + 1e-6, TRACE_STEP_MM) / WORK_MM
    col = line[:, None] + offsets
    length = float(np.hypot(top, wall))
    out_col, out_row = 0.7 * REACH_MM / WORK_MM * wall / length, 0.7 * REACH_MM / WORK_MM * top / length
    y = np.broadcast_to(rows[:, None], col.shape)

    def sample(sign: float) -> FloatImage:
        x = np.maximum(col + sign * out_col, 0).astype(np.float32)
        z = np.maximum(y + sign * out_row, 0).astype(np.float32)
        return np.asarray(cv2.remap(grey, x, z, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))

    # Not bounded above: beside the steepest place of a strong edge, which is the muscle's, others are strong.
    gain = np.maximum(sample(-1.0) - sample(1.0), -0.3).astype(np.float64)
    gain -= 0.02 * np.square(offsets * WORK_MM / TRACE_MM)
    penalty = STIFFNESS * np.square(offsets[:, None] - offsets[None, :])
    total = gain[0].copy()
    came_from = np.zeros(gain.shape, np.intp)
    for row in range(1, rows.size):
        reached = total[None, :] - penalty
        came_from[row] = np.argmax(reached, axis=1)
        total = reached[np.arange(offsets.size), came_from[row]] + gain[row]
    path = np.empty(rows.size, np.intp)
    path[-1] = int(np.argmax(total))
    for row in range(rows.size - 1, 0, -1):
        path[row - 1] = came_from[row, path[row]]
    edge = line + cv2.blur(offsets[path][:, None], (1, 7), borderType=cv2.BORDER_REPLICATE)[:, 0]
    return np.asarray(edge, np.float64)
