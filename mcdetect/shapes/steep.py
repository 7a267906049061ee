"""The outline of a bright region in full resolution: where its border is steep all around."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

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
    ellipse,
    is_solid,
    mean_slope,
    solidity,
)

__all__ = ["BEYOND", "Outlined", "outline_region"]

_Image = npt.NDArray[np.float32]
_Mask = npt.NDArray[np.bool_]

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
    """What touches the summit above a level, gaps closed and holes filled: mask, and where it begins."""

    mask: _Mask
    top: int
    left: int
    place: npt.NDArray[np.int64]
    border: Border
    diameter_mm: float
    evidence: float


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
    look = partial(_best_level, over, region, summit, least, spacing)
    best = look(strand_mm=0.0)
    whole = best
    if best is None or solidity(best.mask) < LEAST_SOLIDITY:
        cut = look(strand_mm=_STRAND_MM)
        if cut is not None and (best is None or solidity(cut.mask) > solidity(best.mask)):
            best = cut if is_solid(cut.mask, spacing) else best
    if best is None:
        return None
    inside = window.ravel()[best.place]
    under = float(np.median(inside)) - float(np.median(over.ravel()[best.place]))
    surroundings = under + best.border.outside
    height = float(np.sort(inside)[-max(3, best.place.size // 50) :].mean()) - surroundings
    slope = mean_slope(over, best.mask, best.top, best.left, spacing)
    figure = Figure(best.mask, top + best.top, left + best.left, height, surroundings, slope)
    return Outlined(figure, best.evidence, solidity(best.mask), best.diameter_mm, best is not whole)


def _best_level(
    over: _Image,
    region: BrightRegion,
    summit: tuple[int, int],
    least: float,
    spacing: PixelSpacing,
    *,
    strand_mm: float,
) -> _Level | None:
    """Return the outermost figure whose border is steep, of all levels; None where there is no hope."""
    found: list[_Level] = []
    for shares in (_FIRST_SHARES, _SHARES):
        levels = (region.level + share * (region.peak - region.level) for share in shares)
        some = (_at_level(over, level, summit, region.usual, spacing, strand_mm) for level in levels)
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
    level: float,
    summit: tuple[int, int],
    usual: float,
    spacing: PixelSpacing,
    strand_mm: float,
) -> _Level | None:
    """Return the figure at a level with its border; None for one that is broken or goes on beyond.

    Where strands are given a width, what is no wider is cut off, and the largest of what remains is taken.
    """
    _, number = cv2.connectedComponents((over >= level).view(np.uint8), connectivity=8)
    own = int(number[summit])
    if own == 0:
        return None
    mask = number == own
    if strand_mm > 0.0:
        mask = _without_strands(mask, strand_mm, spacing)
        if not mask.any():
            return None
    if mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any():
        return None
    place = np.flatnonzero(mask)
    closed, mask, (top, left) = close_gaps(place, over.shape[1], spacing)
    border = border_of(over, mask, top, left, spacing) if closed <= _MOST_CLOSED * place.size else None
    if border is None:
        return None
    diameter_mm = math.sqrt(4.0 * np.count_nonzero(mask) * spacing.row_mm * spacing.col_mm / math.pi)
    # In units of what tissue does there, less what falls beyond blur; tissue seldom has a long border.
    sharp = border.weakest * max(0.0, 1.0 - BEYOND * border.beyond) / (usual * 2.0 * REACH_MM)
    return _Level(mask, top, left, place, border, diameter_mm, sharp * diameter_mm)


def _without_strands(mask: _Mask, strand_mm: float, spacing: PixelSpacing) -> _Mask:
    """Return the largest part of a figure after all that is thin was cut off; empty where that is nothing."""
    down, across = (int(0.5 * strand_mm / step) for step in (spacing.row_mm, spacing.col_mm))
    opened = cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_OPEN, ellipse(down, across).view(np.uint8))
    before, after = np.count_nonzero(mask), np.count_nonzero(opened)
    if after == 0 or after > _HARDLY_CUT * before:
        return np.zeros_like(mask)
    _, number, stats, _ = cv2.connectedComponentsWithStats(np.asarray(opened, np.uint8), connectivity=4)
    whole: _Mask = np.asarray(number) == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return whole


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
