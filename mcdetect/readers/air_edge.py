"""Regions of one grey level that may be air, and what their edges say.

The breast bulges into the air around it. Borders of film scans, black frames and flat strips at the chest
wall have straight edges and steps; saturated muscle and implants bulge into the breast.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.image.plausible import holds_two

__all__ = ["BreastShare", "Edge", "Flat", "edge_of", "flat_end", "goes_on"]

FloatImage = npt.NDArray[np.float32]
BoolImage = npt.NDArray[np.bool_]

# Technical: fewer tell nothing.
_SAMPLES = 10  # cells of an edge

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

# Judged: how a breast meets the border of the picture.
_WHOLE = 1.7
"""Sum over the four sides of the shares that a whole breast meets, at most; crops meet more."""
_ONE_SIDED = 0.1
"""A side is air where the opposite one meets the breast along this much more of its length."""
_FURTHER = 0.3  # share of the largest breast from which on a part is another
_WAVER = 3.0  # cells by which a straight side may waver


@dataclass(frozen=True)
class BreastShare:
    """The largest connected breast.

    Parameters
    ----------
    share : float
        Its share of the picture.
    whole : bool
        Whether it meets the border at its chest wall only: crops meet it all around.
    two : bool
        Whether it looks like two breasts back to back.
    parts : int
        Parts of the picture that are not much smaller, it included.
    """

    share: float
    whole: bool
    two: bool
    parts: int = 1

    @property
    def several(self) -> bool:
        """Whether the picture seems to show more than one breast."""
        return self.two or self.parts > 1


@dataclass(frozen=True)
class Flat:
    """A flat region at an end of the grey scale, its level, and that of the tissue beside it."""

    region: BoolImage
    level: float
    tissue: float


@dataclass(frozen=True)
class Edge:
    """What the edge of a region says: its side, whether it is air, and grey levels behind it."""

    side: str
    breast: BreastShare
    is_air: bool
    skin: float
    rim: float
    inside: float


def flat_end(level: FloatImage, exposed: BoolImage) -> Flat | None:
    """Look for a flat region at the dark end of the grey scale."""
    found = _dark_levels(level, exposed)
    if found is None:
        return None
    air, tissue = found
    region = ((level - np.float32(air)) < np.float32(_REACH * (tissue - air))) & exposed
    opened = cv2.morphologyEx(region.view(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    region = np.asarray(opened, np.uint8).view(np.bool_)
    return Flat(region, air, tissue) if region.mean() > _LEAST_SHARE else None


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


def edge_of(flat: Flat, level: FloatImage, exposed: BoolImage, other: Flat | None) -> Edge | None:
    """Measure the edge of the parts of a region that reach the border of the picture, padding among them."""
    region = _parts_at_the_border(flat.region | ~exposed)
    thick = max(3, min(region.shape) // _THIN)
    opened = cv2.morphologyEx((~region).view(np.uint8), cv2.MORPH_OPEN, np.ones((thick, thick), np.uint8))
    thick_tissue = np.asarray(opened, np.uint8).view(np.bool_)
    breast = _largest(thick_tissue)
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
    alike = _parts_like(thick_tissue, breast)
    parts = cv2.connectedComponents(alike.view(np.uint8), connectivity=4)[0] - 1
    return Edge(_side(alike), _share_of(breast, parts), is_air, *medians)


def _share_of(breast: BoolImage, parts: int) -> BreastShare:
    """Measure a breast and how it meets the border of the picture."""
    contact = breast[0].mean() + breast[-1].mean() + breast[:, 0].mean() + breast[:, -1].mean()
    two = holds_two(breast, (_WAVER, _WAVER))
    return BreastShare(float(breast.mean()), bool(contact < _WHOLE), two, parts)


def goes_on(padding: BoolImage, flat: list[BoolImage]) -> bool:
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


def _parts_like(tissue: BoolImage, breast: BoolImage) -> BoolImage:
    """Return the parts that may be breasts: those that are not much smaller than the largest."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(tissue.view(np.uint8), connectivity=4)
    keep = stats[:, cv2.CC_STAT_AREA] >= _FURTHER * np.count_nonzero(breast)
    keep[0] = False
    return np.asarray(keep[labels], np.bool_)


def _side(breast: BoolImage) -> str:
    """Return the side of air: opposite to the side that the breast meets along most of its length."""
    meets = {
        "left": float(breast[:, 0].mean()),
        "right": float(breast[:, -1].mean()),
        "top": float(breast[0].mean()),
        "bottom": float(breast[-1].mean()),
    }
    opposite = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}
    if holds_two(breast, (_WAVER, _WAVER)):
        return ""
    wall = max(meets, key=lambda side: meets[side])
    return opposite[wall] if meets[wall] - meets[opposite[wall]] > _ONE_SIDED else ""
