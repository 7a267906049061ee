"""The outline of a bright region in full resolution: where its border is steep all around."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.image.mammogram import PixelSpacing
from mcdetect.shapes.borders import REACH_MM, Border, border_of
from mcdetect.shapes.bright import BrightRegion
from mcdetect.shapes.figures import (
    LEAST_SOLIDITY,
    Figure,
    close_gaps,
    connected,
    ellipse,
    is_solid,
    mean_slope,
    solidity,
    with_room,
)

__all__ = ["BEYOND", "Outlined", "outline_region"]

_Image = npt.NDArray[np.float32]
_Mask = npt.NDArray[np.bool_]
_Above = Callable[[float], tuple[_Mask, int, int]]
"""What touches the summit above a level: mask on the box that it fills, and where it begins."""

# Judged: levels between that of the region on the coarse grid and its peak; the outermost is taken whose
# border is hardly less steep than the steepest: that is the border of the whole.
_FIRST_SHARES = (0.06, 0.25)
_SHARES = (0.0, 0.12, 0.18, 0.32, 0.4, 0.5, 0.6)
_AS_STEEP = 0.9
_MOST_CLOSED = 1.2  # area with gaps closed over that without: specks side by side have gaps
BEYOND = 2.0  # how much what falls beyond blur counts against a border
_HOPELESS = 0.5  # first outlines that show so much less than asked for are the last: it bounds the time

# Judged: strands of tissue that cross bodies in real images are thinner, rods are wider behind blur.
_STRAND_MM = 0.5
_HARDLY_CUT = 0.995  # share of the area from which on no strand was cut off

# Technical: how much is looked at.
_MARGIN_MM = 1.0

# Standard: what BI-RADS, 5th edition, calls coarse, rim and rod reaches from 1 mm to over 1 cm; webs of
# tissue reach far beyond that from their brightest place, and cost time.
_FARTHEST_MM = 20.0


@dataclass(frozen=True)
class Outlined:
    """A figure and what tells whether it is calcium.

    Parameters
    ----------
    figure : Figure
        The body on the pixels.
    evidence : float
        How long and how sharply it stands out all around.
    solidity : float
        Area over that of the convex hull.
    diameter_mm : float
        Of the disc of equal area.
    cut : bool
        Strands of tissue were cut off it.
    """

    figure: Figure
    evidence: float
    solidity: float
    diameter_mm: float
    cut: bool = False


@dataclass(frozen=True)
class _Level:
    """What touches the summit above a level: itself, and with gaps closed and holes filled.

    Parameters
    ----------
    part : bool array
        Itself, on the box that it fills.
    room : (int, int)
        How many pixels before that the mask begins.
    mask : bool array
        With gaps closed and holes filled.
    top, left : int
        Where the mask begins.
    """

    part: _Mask
    room: tuple[int, int]
    mask: _Mask
    top: int
    left: int
    border: Border
    diameter_mm: float
    evidence: float

    def values(self, image: _Image) -> _Image:
        """Return the grey levels of itself, row by row."""
        top, left = self.top + self.room[0], self.left + self.room[1]
        rows, cols = self.part.shape
        return image[top : top + rows, left : left + cols][self.part]


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
    far = [math.ceil(_FARTHEST_MM / step) for step in (spacing.row_mm, spacing.col_mm)]
    top = max(0, region.top - down, region.row_px - far[0])
    left = max(0, region.left - across, region.col_px - far[1])
    bottom = min(region.bottom + down, region.row_px + far[0])
    right = min(region.right + across, region.col_px + far[1])
    window = smooth[top:bottom, left:right]
    over = window - _tissue_at(tissue, smooth.shape, top, left, window.shape)
    summit = _summit(over, region.row_px - top, region.col_px - left)
    above = lru_cache(lambda level: connected(over >= level, summit))
    look = partial(_best_level, over, region, above, least, spacing)
    best = look(strand_mm=0.0)
    whole = best
    if best is None or solidity(best.mask) < LEAST_SOLIDITY:
        cut = look(strand_mm=_STRAND_MM)
        if cut is not None and (best is None or solidity(cut.mask) > solidity(best.mask)):
            best = cut if is_solid(cut.mask, spacing) else best
    if best is None:
        return None
    inside = best.values(window)
    under = float(np.median(inside)) - float(np.median(best.values(over)))
    surroundings = under + best.border.outside
    height = float(np.sort(inside)[-max(3, inside.size // 50) :].mean()) - surroundings
    slope = mean_slope(over, best.mask, best.top, best.left, spacing)
    figure = Figure(best.mask, top + best.top, left + best.left, height, surroundings, slope)
    return Outlined(figure, best.evidence, solidity(best.mask), best.diameter_mm, best is not whole)


def _best_level(
    over: _Image,
    region: BrightRegion,
    above: _Above,
    least: float,
    spacing: PixelSpacing,
    *,
    strand_mm: float,
) -> _Level | None:
    """Return the outermost figure whose border is steep, of all levels; None where there is no hope."""
    found: list[_Level] = []
    for shares in (_FIRST_SHARES, _SHARES):
        levels = (region.level + share * (region.peak - region.level) for share in shares)
        some = (_at_level(over, above(level), region.usual, spacing, strand_mm) for level in levels)
        found += [one for one in some if one is not None]
        if max((one.evidence for one in found), default=0.0) < _HOPELESS * least:
            return None
    slopes = [mean_slope(over, one.mask, one.top, one.left, spacing) for one in found]
    k = max(
        (k for k, slope in enumerate(slopes) if slope >= _AS_STEEP * max(slopes)),
        key=lambda k: found[k].diameter_mm,
    )
    if found[k].evidence < least:
        k = max(range(len(found)), key=lambda k: found[k].evidence)
    return found[k]


def _at_level(
    over: _Image,
    touching: tuple[_Mask, int, int],
    usual: float,
    spacing: PixelSpacing,
    strand_mm: float,
) -> _Level | None:
    """Return the figure at a level with its border; None for one that is broken or goes on beyond.

    Where strands are given a width, what is no wider is cut off, and the largest of what remains is taken.
    """
    part, top, left = touching
    if strand_mm > 0.0 and part.size > 0:
        part, top, left = _without_strands(part, top, left, over.shape, strand_mm, spacing)
    (rows, cols), (bottom, right) = part.shape, over.shape
    if part.size == 0 or top == 0 or left == 0 or top + rows == bottom or left + cols == right:
        return None
    closed, mask, room = close_gaps(part, spacing)
    if closed > _MOST_CLOSED * np.count_nonzero(part):
        return None
    top, left = top - room[0], left - room[1]
    border = border_of(over, mask, top, left, spacing)
    if border is None:
        return None
    diameter_mm = math.sqrt(4.0 * np.count_nonzero(mask) * spacing.row_mm * spacing.col_mm / math.pi)
    # In units of what tissue does there, less what falls beyond blur; tissue seldom has a long border.
    sharp = border.weakest * max(0.0, 1.0 - BEYOND * border.beyond) / (usual * 2.0 * REACH_MM)
    return _Level(part, room, mask, top, left, border, diameter_mm, sharp * diameter_mm)


def _without_strands(
    part: _Mask, top: int, left: int, shape: tuple[int, ...], strand_mm: float, spacing: PixelSpacing
) -> tuple[_Mask, int, int]:
    """Return the largest part of a figure after all that is thin was cut off, on the box that it fills, and
    where that begins; empty where that is nothing. Nothing is thin at the border of the window of that shape.
    """
    reach = [int(0.5 * strand_mm / step) for step in (spacing.row_mm, spacing.col_mm)]
    behind = shape[0] - top - part.shape[0], shape[1] - left - part.shape[1]
    room = [
        (min(n, before), min(n, after)) for n, before, after in zip(reach, (top, left), behind, strict=True)
    ]
    opened = cv2.morphologyEx(with_room(part, *room), cv2.MORPH_OPEN, ellipse(*reach).view(np.uint8))
    before, after = np.count_nonzero(part), np.count_nonzero(opened)
    if after == 0 or after > _HARDLY_CUT * before:
        return np.zeros((0, 0), np.bool_), 0, 0
    _, number, stats, _ = cv2.connectedComponentsWithStats(np.asarray(opened, np.uint8), connectivity=4)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    c, r, wide, high = (int(value) for value in stats[largest, :4])
    whole: _Mask = number[r : r + high, c : c + wide] == largest
    return whole, top + r - room[0][0], left + c - room[1][0]


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
