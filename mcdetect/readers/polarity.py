"""Tells from the pixels where air is, and whether it is darker or brighter than the breast.

The breast bulges into the air around it, and gets thin towards it. Borders of film scans, black frames and
flat strips at the chest wall have straight edges and steps; saturated muscle and implants bulge into the
breast. So every region of one grey level at an end of the grey scale is looked at by its edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.readers.borders import inside_of_borders

__all__ = ["AirSide", "Polarity", "find_air", "judge_polarity"]

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
_BULGE = 0.3
"""Share of the breast that lies within the convex hull of the air, at least: breasts bulge into air."""
_HOLLOW = 0.3
"""Share of the air that lies within the convex hull of the breast, at most."""
_JUMP = 0.5
"""Share of the edge at which the grey level goes right to the other end of the scale, at most."""
_NEAR = (1.5, 4.5)  # depth in cells of the rim of the breast, about 2 to 5 mm on a whole mammogram
_DEEP = (8.5, 16.5)  # depth of the tissue that it is compared with
_ROLL = 0.05
"""Least rise from the rim to the depth, as a share of the grey scale, by which the edge of padding tells polarity."""


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
    contradictory : bool
        Whether both a dark and a bright region look like air.
    side : str
        As in `AirSide`, also where the air is padding.
    """

    brighter: bool | None
    air: AirSide | None = None
    contradictory: bool = False
    side: str = ""


@dataclass(frozen=True)
class _Edge:
    """A region that may be air, and what its edge looks like."""

    level: float
    tissue: float
    side: str
    is_air: bool
    rise: float


def find_air(pixels: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None = None) -> AirSide | None:
    """Find the side of the image that is air, opposite to the chest wall; see `judge_polarity`."""
    return judge_polarity(pixels, valid).air


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
    dark, bright = _edge_of_air(level, exposed), _edge_of_air(-level, exposed)
    is_dark, is_bright = dark is not None and dark.is_air, bright is not None and bright.is_air
    if is_dark and is_bright:
        return Polarity(None, contradictory=True)
    if is_dark and dark is not None:
        return Polarity(False, AirSide(dark.side, dark.level, dark.tissue, False), side=dark.side)
    if is_bright and bright is not None:
        return Polarity(True, AirSide(bright.side, -bright.level, -bright.tissue, True), side=bright.side)
    if not exposed.all():
        padding = _edge_of(~exposed, level, exposed, 0.0, 1.0)
        if padding is not None and padding.is_air:
            span = float(np.subtract(*np.percentile(level[exposed], [99.0, 1.0])))
            if abs(padding.rise) > _ROLL * span:
                return Polarity(padding.rise < 0, side=padding.side)
            return Polarity(None, side=padding.side)
    return Polarity(None)


def _coarsen(
    pixels: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None
) -> tuple[FloatImage, BoolImage]:
    """Average over cells; those that hold padding are not exposed."""
    rows, cols = pixels.shape
    step = max(1.0, max(rows, cols) / _GRID)
    size = (max(1, round(cols / step)), max(1, round(rows / step)))
    level = cv2.resize(np.asarray(pixels, np.float32), size, interpolation=cv2.INTER_AREA)
    if valid is None:
        return np.asarray(level, np.float32), np.ones(level.shape, np.bool_)
    share = cv2.resize(valid.view(np.uint8) * np.uint8(255), size, interpolation=cv2.INTER_AREA)
    return np.asarray(level, np.float32), np.asarray(share >= 253)


def _edge_of_air(level: FloatImage, exposed: BoolImage) -> _Edge | None:
    """Look for air at the dark end of the grey scale, and at its edge."""
    found = _dark_levels(level, exposed)
    if found is None:
        return None
    air, tissue = found
    region = ((level - np.float32(air)) < np.float32(_REACH * (tissue - air))) & exposed
    opened = cv2.morphologyEx(region.view(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    region = np.asarray(opened, np.uint8).view(np.bool_)
    if region.mean() < _LEAST_SHARE:
        return None
    return _edge_of(region | ~exposed, level, exposed, air, tissue)


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


def _edge_of(
    region: BoolImage, level: FloatImage, exposed: BoolImage, air: float, tissue: float
) -> _Edge | None:
    """Measure the edge of the parts of a region that reach the border of the picture."""
    region = _parts_at_the_border(region)
    breast = _largest(~region)
    if not region.any() or not breast.any():
        return None
    bulge = float(np.mean(_hull(region)[breast]))
    hollow = float(np.mean(_hull(breast)[region]))
    depth = cv2.distanceTransform((~region).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    inner = breast & exposed
    edge, rim, deep = (
        level[inner & (depth >= first) & (depth < last)] for first, last in ((0.0, 2.5), _NEAR, _DEEP)
    )
    if min(edge.size, rim.size, deep.size) < _SAMPLES:
        return None
    high = float(np.percentile(level[exposed], 99.7))
    brightest = cv2.dilate(np.where(exposed, level, np.float32(air)), np.ones((5, 5), np.uint8))
    jump = float(np.mean(brightest[inner & (depth < 1.5)] > air + 0.85 * (high - air)))
    is_padding = not (region & exposed).any()
    is_air = bulge > _BULGE and hollow < _HOLLOW and (is_padding or jump < _JUMP)
    return _Edge(air, tissue, _side(region, breast), is_air, float(np.median(deep) - np.median(rim)))


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
        side: float(breast[lines[opposite[side]]].mean() - breast[line].mean()) for side, line in lines.items()
    }
    best = max(gain, key=lambda side: gain[side])
    return best if gain[best] > 0.1 else ""
