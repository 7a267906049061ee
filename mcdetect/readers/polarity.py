"""Tells from the pixels where air is, and whether it is darker or brighter than the breast.

The breast bulges into the air around it, and gets thin towards it. Borders of film scans, black frames and
flat strips at the chest wall have straight edges and steps; saturated muscle and implants bulge into the
breast. So every region of one grey level at an end of the grey scale is looked at by its edge.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.readers.borders import inside_of_borders

__all__ = ["AirSide", "Polarity", "PolaritySource", "judge_polarity"]

FloatImage = npt.NDArray[np.float32]
BoolImage = npt.NDArray[np.bool_]

# Technical: to be quick.
_GRID = 256  # cells along the longer side that are looked at
_MIN_SIDE = 12  # cells; smaller windows show nothing
_SAMPLES = 10  # cells of an edge below which nothing is measured

# Judged: on 199 real images as they are, inverted, and with borders of 3 to 15 %. What air looks like.
_NARROW = 0.3
"""Air spans less than this share of the range from air to tissue ..."""
_SMOOTH = 0.5
"""... where its gradient is below this share of that in tissue."""
_VERY_NARROW = 0.08  # so narrow a range needs no smoothness
_REACH = 0.15
"""Levels up to this share of the way from air to tissue count as air."""
_LEAST_SHARE = 0.02
"""Air covers more than this share of the picture."""
_LEAST_PART = 0.003
"""Smaller parts are left out."""

# Judged: on the same. How the edge of air looks.
_BULGE = 0.15
"""Share of the breast that lies within the convex hull of the air, at least: breasts bulge into air."""
_HOLLOW = 0.3
"""Share of the air that lies within the convex hull of the breast, at most."""
_JUMP = 0.5
"""Share of the edge beside which lies a flat region of the other end of the grey scale, at most."""
_JUMP_CELLS = 5  # how near that is: two cells
_DEPTHS = (1.5, 4.5, 8.5, np.inf)
"""Depths in cells, of about 1 mm on a whole mammogram, that bound skin, rim, and inside of the breast."""
_THIN = 20
"""What is thinner than one in so many of the picture's shorter side is no breast (remains of borders)."""
_SKIN_RISE = 0.03
"""Rise from the skin to the inside, as a share of the grey scale, by which padding stands for dark air ..."""
_RIM_FALL = (0.05, 0.15)
"""... unless the rim is brighter than the inside by the first share; by the second, it is bright air."""


class PolaritySource(StrEnum):
    """Where it comes from that bright is dense, or that dark is."""

    HEADER = "header"
    CONFIRMED = "header and skin line"
    SKIN_LINE = "skin line"
    AGAINST_HEADER = "skin line against the header"
    ASSUMED = "assumed"


@dataclass(frozen=True)
class AirSide:
    """The image side along which only air lies.

    Parameters
    ----------
    side : {"left", "right", "top", "bottom", ""}
        The side of the air; the chest wall is opposite. Empty where breasts lie at opposite sides.
    air, breast : float
        Typical grey level of the air, and of the breast.
    brighter : bool
        Whether the air is brighter than the breast.
    """

    side: str
    air: float
    breast: float
    brighter: bool


@dataclass(frozen=True)
class Polarity:
    """What the edge of the breast says about polarity.

    Parameters
    ----------
    brighter : bool or None
        Whether the air is brighter than the breast; None where the picture does not tell.
    air : AirSide or None
        Where the air is; None where that is not seen, or where it is padding.
    doubt : str
        Why there is doubt though something like air is seen; empty when there is none.
    side : str
        As in `AirSide`, also where the air is padding.
    """

    brighter: bool | None
    air: AirSide | None = None
    doubt: str = ""
    side: str = ""

    def source(self, stated: bool) -> PolaritySource:
        """Return where the polarity comes from; `stated` where a header says which it is."""
        if self.brighter is None:
            return PolaritySource.HEADER if stated else PolaritySource.ASSUMED
        if not stated:
            return PolaritySource.SKIN_LINE
        return PolaritySource.AGAINST_HEADER if self.brighter else PolaritySource.CONFIRMED

    def remark(self, stated: bool) -> str:
        """Return what the user should know, empty when all is as expected."""
        if self.brighter:
            return f"air was brighter than the breast: inverted{' against the header' if stated else ''}"
        if self.doubt:
            taken = "as the header says" if stated else "bright taken as dense"
            return f"polarity in doubt ({self.doubt}): {taken}"
        if self.brighter is None and not stated:
            return "no air seen beside the breast: bright taken as dense"
        return ""


@dataclass(frozen=True)
class _Flat:
    """A flat region at an end of the grey scale, its level, and that of the tissue beside it."""

    region: BoolImage
    level: float
    tissue: float


@dataclass(frozen=True)
class _Edge:
    """What the edge of a region says: its side, whether it is air, and grey levels behind it."""

    side: str
    is_air: bool
    skin: float
    rim: float
    inside: float


def judge_polarity(pixels: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None = None) -> Polarity:
    """Tell whether air is darker or brighter than the breast, by the edge between the two.

    Parameters
    ----------
    pixels : (rows, cols) array
        Grey levels; for linear raw images their logarithm serves better.
    valid : (rows, cols) bool array, optional
        False on padding. Padding that the breast bulges into stands for air of unknown level: there the
        rim of the breast tells, which is thin.

    Returns
    -------
    Polarity
        Nothing is told of crops, spot views, and breasts that fill the field.
    """
    level, exposed = _coarsen(pixels, valid)
    if min(level.shape) < _MIN_SIDE or not exposed.any():
        return Polarity(None)
    top, bottom, left, right = inside_of_borders(level, exposed)
    level, exposed = level[top:bottom, left:right], exposed[top:bottom, left:right]
    if min(level.shape) < _MIN_SIDE or exposed.mean() < 0.1:
        return Polarity(None)
    low, high = _flat_end(level, exposed), _flat_end(-level, exposed)
    if not exposed.all():
        padding = _edge_of(_Flat(~exposed, 0.0, 1.0), level, exposed, None)
        if padding is not None and padding.is_air:
            span = float(np.subtract(*np.percentile(level[exposed], [99.0, 1.0])))
            fall = (padding.rim - padding.inside) / span
            if fall > _RIM_FALL[1]:
                return Polarity(True, side=padding.side)
            if fall < _RIM_FALL[0] and padding.inside - padding.skin > _SKIN_RISE * span:
                return Polarity(False, side=padding.side)
            if not _goes_on(~exposed, [flat.region for flat in (low, high) if flat is not None]):
                return Polarity(None, doubt="the air is padding", side=padding.side)
    dark = None if low is None else _edge_of(low, level, exposed, high)
    bright = None if high is None else _edge_of(high, -level, exposed, low)
    if dark is not None and bright is not None and dark.is_air and bright.is_air:
        return Polarity(None, doubt="both dark and bright regions look like air")
    if low is not None and dark is not None and dark.is_air:
        return Polarity(False, AirSide(dark.side, low.level, low.tissue, False), side=dark.side)
    if high is not None and bright is not None and bright.is_air:
        return Polarity(True, AirSide(bright.side, -high.level, -high.tissue, True), side=bright.side)
    return Polarity(None)


def _coarsen(pixels: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None) -> tuple[FloatImage, BoolImage]:
    """Average over cells; those that hold padding are not exposed."""
    rows, cols = pixels.shape
    step = max(1.0, max(rows, cols) / _GRID)
    size = (max(1, round(cols / step)), max(1, round(rows / step)))
    level = cv2.resize(np.asarray(pixels, np.float32), size, interpolation=cv2.INTER_AREA)
    if valid is None:
        return np.asarray(level, np.float32), np.ones(level.shape, np.bool_)
    share = cv2.resize(valid.view(np.uint8) * np.uint8(255), size, interpolation=cv2.INTER_AREA)
    return np.asarray(level, np.float32), np.asarray(share >= 253)


def _flat_end(level: FloatImage, exposed: BoolImage) -> _Flat | None:
    """Look for a flat region at the dark end of the grey scale."""
    found = _dark_levels(level, exposed)
    if found is None:
        return None
    air, tissue = found
    region = ((level - np.float32(air)) < np.float32(_REACH * (tissue - air))) & exposed
    opened = cv2.morphologyEx(region.view(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    region = np.asarray(opened, np.uint8).view(np.bool_)
    return _Flat(region, air, tissue) if region.mean() > _LEAST_SHARE else None


def _dark_levels(level: FloatImage, exposed: BoolImage) -> tuple[float, float] | None:
    """Return the grey level of dark air and of tissue by the histogram, as the search for the breast does."""
    low, high = np.percentile(level[exposed], [0.05, 99.5])
    if not high > low:
        return None
    slope = cv2.magnitude(cv2.Sobel(level, cv2.CV_32F, 1, 0), cv2.Sobel(level, cv2.CV_32F, 0, 1))
    values = np.clip(level, low, high)
    part = exposed
    for _ in range(3):
        threshold = _otsu(values[part])
        dark, bright = part & (values <= threshold), exposed & (values > threshold)
        if dark.sum() < 0.01 * exposed.sum() or not bright.any():
            return None
        first, air, third = np.percentile(values[dark], [25.0, 50.0, 75.0])
        width = float(third - first) / max(float(np.median(values[part & bright]) - air), 1e-12)
        rough = float(np.median(slope[dark])) / max(float(np.median(slope[bright])), 1e-12)
        if width < _VERY_NARROW or (width < _NARROW and rough < _SMOOTH):
            return float(air), float(np.median(values[bright]))
        part = dark
    return None


def _otsu(values: FloatImage) -> float:
    counts, edges = np.histogram(values, bins=256)
    centres = 0.5 * (edges[:-1] + edges[1:])
    weight, mass = np.cumsum(counts)[:-1].astype(np.float64), np.cumsum(counts * centres)
    rest = values.size - weight
    with np.errstate(invalid="ignore", divide="ignore"):
        between = weight * rest * (mass[:-1] / weight - (mass[-1] - mass[:-1]) / rest) ** 2
    return float(edges[1 + int(np.argmax(np.nan_to_num(between)))])


def _edge_of(flat: _Flat, level: FloatImage, exposed: BoolImage, other: _Flat | None) -> _Edge | None:
    """Measure the edge of the parts of a region that reach the border of the picture, padding among them."""
    region = _parts_at_the_border(flat.region | ~exposed)
    thick = max(3, min(region.shape) // _THIN)
    opened = cv2.morphologyEx((~region).view(np.uint8), cv2.MORPH_OPEN, np.ones((thick, thick), np.uint8))
    breast = _largest(np.asarray(opened, np.uint8).view(np.bool_))
    if not region.any() or not breast.any():
        return None
    bulge = float(np.mean(_hull(region)[breast]))
    hollow = float(np.mean(_hull(breast)[region]))
    depth = cv2.distanceTransform((~region).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    inner = breast & exposed
    edge = inner & (depth < _DEPTHS[0])
    bounds = itertools.pairwise((0.0, *_DEPTHS))
    skin, rim, _, inside = (level[inner & (depth >= first) & (depth < last)] for first, last in bounds)
    if min(skin.size, rim.size, inside.size) < _SAMPLES:
        return None
    jump = 0.0
    if other is not None:
        near = cv2.dilate(other.region.view(np.uint8), np.ones((_JUMP_CELLS, _JUMP_CELLS), np.uint8))
        jump = float(np.mean(near[edge]))
    is_air = bulge > max(_BULGE, hollow) and hollow < _HOLLOW and jump < _JUMP
    medians = (float(np.median(values)) for values in (skin, rim, inside))
    return _Edge(_side(region, breast), is_air, *medians)


def _goes_on(padding: BoolImage, flat: list[BoolImage]) -> bool:
    """Tell whether a flat region lies along most of the edge of padding: air that is no padding."""
    grown = cv2.dilate(padding.view(np.uint8), np.ones((3, 3), np.uint8)).view(np.bool_)
    edge = grown & ~padding
    return any(float(region[edge].mean()) > 0.5 for region in flat)


def _parts_at_the_border(region: BoolImage) -> BoolImage:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(region.view(np.uint8), connectivity=4)
    keep = np.zeros(len(stats), np.bool_)
    keep[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = True
    keep[0] = False
    keep &= stats[:, cv2.CC_STAT_AREA] > _LEAST_PART * region.size
    return np.asarray(keep[labels], np.bool_)


def _largest(region: BoolImage) -> BoolImage:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(region.view(np.uint8), connectivity=4)
    if count <= 1:
        return np.zeros_like(region)
    return np.asarray(labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])))


def _hull(region: BoolImage) -> BoolImage:
    """Return the convex hull of a region, as a mask."""
    points = np.argwhere(region)[:, ::-1].astype(np.int32)
    filled = cv2.fillConvexPoly(np.zeros(region.shape, np.uint8), cv2.convexHull(points), 1)
    return np.asarray(filled, np.uint8).view(np.bool_)


def _side(region: BoolImage, breast: BoolImage) -> str:
    """Return the side that is air while the breast lies along the opposite one."""
    lines = {"left": np.s_[:, 0], "right": np.s_[:, -1], "top": np.s_[0], "bottom": np.s_[-1]}
    opposite = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}
    gain = {
        side: float(breast[lines[opposite[side]]].mean() - breast[line].mean())
        for side, line in lines.items()
    }
    best = max(gain, key=lambda side: gain[side])
    return best if gain[best] > 0.1 else ""
