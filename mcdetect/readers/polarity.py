"""Tells from the pixels where air is, and whether it is darker or brighter than the breast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["AirSide", "find_air"]

# Technical: to be quick.
_GRID = 256  # pixels along the longer side that are looked at, about

# Judged: strips where air is looked for. Wider ones meet the breast, narrower ones see the film's border.
_STRIP = 0.05  # their width, as a share of the image's
_MARGIN = 0.015  # left out at the border, as a share of the image's side
_SIDES = ("left", "right", "top", "bottom")


@dataclass(frozen=True)
class AirSide:
    """The image side along which only air lies.

    Parameters
    ----------
    side : {"left", "right", "top", "bottom"}
        The side of the air; the chest wall is opposite.
    air, breast : float
        Typical grey level of the air, and of the breast at the chest wall.
    brighter : bool
        Whether the air is brighter than the breast.
    """

    side: str
    air: float
    breast: float
    brighter: bool


def find_air(pixels: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None = None) -> AirSide | None:
    """Find the side of the image that is air, opposite to the chest wall.

    A breast touches one side of the image; along the opposite side lies nothing but air, which is
    flat, fills a good part of the image, and is one end of the grey scale. None of this depends on
    which end it is.

    Parameters
    ----------
    pixels : (rows, cols) array
        Grey levels; for linear raw images their logarithm serves better.
    valid : (rows, cols) bool array, optional
        False on padding, which is left out.

    Returns
    -------
    AirSide or None
        None where the image does not show it beyond doubt: spot and magnification views, film
        with bright borders, breasts that fill the field.
    """
    step = max(1, max(pixels.shape) // _GRID)
    grid = pixels[::step, ::step].astype(np.float64)
    if valid is not None:
        grid = np.where(valid[::step, ::step], grid, np.nan)
    if np.isnan(grid).mean() > 0.8 or min(grid.shape) < 16:
        return None
    low, high = np.nanpercentile(grid, (1.0, 99.0))
    span = high - low
    if not span > 0:
        return None
    best: AirSide | None = None
    best_contrast = 0.3  # of the span between air and chest wall
    for side in _SIDES:
        strip, opposite = _strips(grid, side)
        if np.isnan(strip).mean() > 0.5 or np.isnan(opposite).mean() > 0.5:
            continue
        p5, air, p95 = np.nanpercentile(strip, (5.0, 50.0, 95.0))
        breast = float(np.nanmedian(opposite))
        contrast = abs(air - breast) / span
        flat = (p95 - p5) < 0.15 * span
        extreme = min(air - low, high - air) < 0.1 * span
        share = np.nanmean(np.abs(grid - air) < 0.1 * span)
        if flat and extreme and share > 0.1 and contrast > best_contrast:
            best = AirSide(side, float(air), breast, bool(air > breast))
            best_contrast = contrast
    return best


def _strips(grid: npt.NDArray[np.float64], side: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the strip along a side, and the middle third of the strip opposite."""
    turned = grid if side in ("left", "right") else grid.T
    if side in ("right", "bottom"):
        turned = turned[:, ::-1]
    rows, cols = turned.shape
    skip = max(1, round(_MARGIN * cols))
    width = max(2, round(_STRIP * cols))
    ends = max(1, round(_MARGIN * rows))
    strip = turned[ends:-ends, skip : skip + width]
    opposite = turned[rows // 3 : rows - rows // 3, -skip - width : -skip]
    return strip, opposite
