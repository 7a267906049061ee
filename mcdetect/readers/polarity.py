"""Tells from the pixels whether air is darker or brighter than the breast."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.readers.air_edge import BreastShare, Edge, Flat, edge_of, flat_end, goes_on
from mcdetect.readers.borders import inside_of_borders

__all__ = ["AirSide", "Polarity", "PolaritySource", "judge_polarity"]

FloatImage = npt.NDArray[np.float32]
BoolImage = npt.NDArray[np.bool_]

# Technical: to be quick.
_GRID = 256  # cells along the longer side that are looked at
_MIN_SIDE = 12  # cells; smaller windows show nothing
_LEAST_EXPOSED = 0.1  # share of a picture that is no padding

# Judged: on eleven real images whose air is padding, as they are and inverted.
_SKIN_RISE = 0.03
"""Rise from the skin to the inside, as a share of the grey scale, by which padding stands for dark air ..."""
_RIM_FALL = (0.05, 0.15)
"""... unless the rim is brighter than the inside by the first share; by the second, it is bright air."""

# Judged: on a phantom whose tissue was clipped at several levels.
_CLIPPED = 0.75
"""Share of a picture that lies in flat regions at both ends of the grey scale, at least, where its tissue is
clipped: either region may be the air then."""


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
    breast : BreastShare or None
        How much of the picture the breast covers, where its edge is seen.
    """

    brighter: bool | None
    air: AirSide | None = None
    doubt: str = ""
    side: str = ""
    breast: BreastShare | None = None

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
    window = np.s_[top:bottom, left:right]
    found = _judge(level[window], exposed[window])
    if found.breast is None:
        return found
    share = found.breast.share * level[window].size / level.size
    return dataclasses.replace(found, breast=dataclasses.replace(found.breast, share=share))


def _judge(level: FloatImage, exposed: BoolImage) -> Polarity:
    """Judge a picture without borders."""
    if min(level.shape) < _MIN_SIDE or exposed.mean() < _LEAST_EXPOSED:
        return Polarity(None)
    low, high = flat_end(level, exposed), flat_end(-level, exposed)
    if not exposed.all():
        padding = edge_of(Flat(~exposed, 0.0, 1.0), level, exposed, None)
        if padding is not None and padding.is_air:
            brighter = _behind_padding(padding, level[exposed])
            if brighter is not None:
                return Polarity(brighter, side=padding.side, breast=padding.breast)
            if not goes_on(~exposed, [flat.region for flat in (low, high) if flat is not None]):
                return Polarity(None, doubt="the air is padding", side=padding.side, breast=padding.breast)
    dark = None if low is None else edge_of(low, level, exposed, high)
    bright = None if high is None else edge_of(high, -level, exposed, low)
    if dark is not None and bright is not None and dark.is_air and bright.is_air:
        return Polarity(None, doubt="both dark and bright regions look like air")
    if low is not None and dark is not None and dark.is_air:
        return Polarity(
            False, AirSide(dark.side, low.level, low.tissue, False), side=dark.side, breast=dark.breast
        )
    if high is not None and bright is not None and bright.is_air:
        air = AirSide(bright.side, -high.level, -high.tissue, True)
        return Polarity(True, air, side=bright.side, breast=bright.breast)
    if low is not None and high is not None:
        flat = (low.region | high.region)[exposed].mean()
        if flat > _CLIPPED:
            return Polarity(None, doubt="air and most of the breast have one grey level each: clipped")
    return Polarity(None)


def _behind_padding(edge: Edge, levels: FloatImage) -> bool | None:
    """Tell polarity from the rim of a breast whose air is padding: the rim is thin."""
    low, high = np.percentile(levels, [1.0, 99.0])
    span = float(high - low)
    fall = edge.rim - edge.inside
    if fall > _RIM_FALL[1] * span:
        return True
    if fall < _RIM_FALL[0] * span and edge.inside - edge.skin > _SKIN_RISE * span:
        return False
    return None


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
