"""The outline of a bright region in full resolution: where its border is steep all around."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.image.mammogram import PixelSpacing
from mcdetect.shapes.borders import REACH_MM, Border, border_of
from mcdetect.shapes.bright import BrightRegion
from mcdetect.shapes.figures import Figure, close_gaps, solidity

__all__ = ["Outlined", "outline_region"]

_Image = npt.NDArray[np.float32]
_Mask = npt.NDArray[np.bool_]

# Judged: levels between that of the region on the coarse grid and its peak; the outermost is taken whose
# border is hardly less steep than the steepest: that is the border of the whole.
_SHARES = (0.25, 0.0, 0.06, 0.12, 0.18, 0.32, 0.4, 0.5, 0.6)
_AS_STEEP = 0.9
_MOST_CLOSED = 1.2  # area with gaps closed over that without: specks side by side have gaps
_BEYOND = 2.0  # how much what falls beyond blur counts against a border
_HOPELESS = 0.4  # a first border of so much less than asked for is not looked at again

# Technical: how much is looked at.
_MARGIN_MM = 1.0


@dataclass(frozen=True)
class Outlined:
    """A figure and what tells whether it is calcium."""

    figure: Figure
    border: Border
    usual: float
    solidity: float
    diameter_mm: float

    @property
    def length_of_edge(self) -> float:
        """The weakest tenth of its border in units of what tissue does there, times the diameter in mm."""
        return self.border.weakest / (self.usual * 2.0 * REACH_MM) * self.diameter_mm

    @property
    def evidence(self) -> float:
        """How long and how sharply it stands out all around: the same, less what falls farther outside."""
        return self.length_of_edge * max(0.0, 1.0 - _BEYOND * self.border.beyond)


def outline_region(
    smooth: _Image, tissue: _Image, region: BrightRegion, spacing: PixelSpacing, least: float
) -> Outlined | None:
    """Outline a bright region where its border is steepest.

    Parameters
    ----------
    smooth : (rows, cols) float32 array
        Equalised grey levels, smoothed.
    tissue : float32 array
        As `over_tissue` returns it.
    region : BrightRegion
        Where.
    spacing : PixelSpacing
        Pixel spacing in mm.
    least : float
        Least evidence that is asked for.

    Returns
    -------
    Outlined or None
    """
    down, across = (round(_MARGIN_MM / step) for step in (spacing.row_mm, spacing.col_mm))
    top, left = max(0, region.top - down), max(0, region.left - across)
    window = smooth[top : region.bottom + down, left : region.right + across]
    over = window - _tissue_at(tissue, smooth.shape, top, left, window.shape)
    summit = _summit(over, region.row_px - top, region.col_px - left)
    found: list[Outlined] = []
    for share in _SHARES:
        level = region.level + share * (region.peak - region.level)
        outlined = _at_level(over, window, level, summit, region, (top, left), spacing)
        if outlined is not None:
            found.append(outlined)
            if len(found) == 1 and outlined.length_of_edge < _HOPELESS * least:
                return None
    if not found:
        return None
    steepest = _AS_STEEP * max(one.figure.slope for one in found)
    whole = max((one for one in found if one.figure.slope >= steepest), key=lambda one: one.diameter_mm)
    return whole if whole.evidence >= least else max(found, key=lambda one: one.evidence)


def _at_level(
    over: _Image,
    window: _Image,
    level: float,
    summit: tuple[int, int],
    region: BrightRegion,
    origin: tuple[int, int],
    spacing: PixelSpacing,
) -> Outlined | None:
    """Return what touches the summit above a level, gaps closed and holes filled, and its border."""
    _, number = cv2.connectedComponents((over >= level).view(np.uint8), connectivity=8)
    own = int(number[summit])
    if own == 0:
        return None
    mask = number == own
    if mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any():
        return None  # it goes on beyond
    place = np.flatnonzero(mask)
    closed, mask, (r0, c0) = close_gaps(place, over.shape[1], spacing)
    if closed > _MOST_CLOSED * place.size:
        return None
    border = border_of(over, mask, r0, c0, spacing)
    if border is None:
        return None
    area = float(np.count_nonzero(mask)) * spacing.row_mm * spacing.col_mm
    inside = window.ravel()[place]
    surroundings = float(np.median(inside)) - float(np.median(over.ravel()[place])) + border.outside
    height = float(np.sort(inside)[-max(3, place.size // 50) :].mean()) - surroundings
    slope = _slope(over, mask, r0, c0, spacing)
    return Outlined(
        Figure(mask, origin[0] + r0, origin[1] + c0, height, surroundings, slope),
        border,
        region.usual,
        solidity(mask),
        math.sqrt(4.0 * area / math.pi),
    )


def _slope(over: _Image, mask: _Mask, top: int, left: int, spacing: PixelSpacing) -> float:
    """Return the mean fall from pixels inside to their neighbours outside, per mm."""
    values = np.pad(over, 1, mode="edge")[top : top + mask.shape[0] + 2, left : left + mask.shape[1] + 2]
    inside = np.pad(mask, 1)
    if values.shape != inside.shape:
        return 0.0
    falls = []
    for axis, step in ((0, spacing.row_mm), (1, spacing.col_mm)):
        change = np.diff(inside.view(np.int8), axis=axis)
        falls.append((-np.diff(values, axis=axis) * change / -step)[change != 0])
    return float(np.concatenate(falls).mean())


def _tissue_at(tissue: _Image, shape: tuple[int, ...], top: int, left: int, size: tuple[int, ...]) -> _Image:
    """Return the tissue under a window, interpolated from its cells."""
    down, across = tissue.shape[0] / shape[0], tissue.shape[1] / shape[1]
    place = np.array(
        [[across, 0.0, (left + 0.5) * across - 0.5], [0.0, down, (top + 0.5) * down - 0.5]], np.float64
    )
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(tissue, place, (size[1], size[0]), flags=how, borderMode=cv2.BORDER_REPLICATE),
        np.float32,
    )


def _summit(over: _Image, row: int, col: int) -> tuple[int, int]:
    """Return the brightest place near the one that the coarse grid tells."""
    top, left = max(0, row - 3), max(0, col - 3)
    part = over[top : row + 4, left : col + 4]
    r, c = divmod(int(np.argmax(part)), part.shape[1])
    return top + r, left + c
