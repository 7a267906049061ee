"""Checks on grey levels that hold for every kind of file."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mcdetect.errors import UnusableImageError

__all__ = ["check_content", "saturation_level"]

# Technical: to be quick.
_THIN = 8  # every so many rows and columns are looked at first

# Judged: a lower factor takes the white of dense tissue for saturation.
_PILE = 10.0
"""The topmost level counts as saturated from this many times the typical count below it."""


def check_content(values: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None) -> None:
    """Raise when an image is blank, all padding, or a mask of two levels.

    Parameters
    ----------
    values : (rows, cols) array
        Grey levels, finite where valid.
    valid : (rows, cols) bool array or None
        False on padding.

    Raises
    ------
    UnusableImageError
    """
    if valid is not None and not valid.any():
        raise UnusableImageError("every pixel is padding", "give an image of a breast")
    thin = values[::_THIN, ::_THIN]
    if valid is not None:
        thin = thin[valid[::_THIN, ::_THIN]]
    if len(np.unique(thin)) > 2:
        return
    kept = values if valid is None else values[valid]
    low, high = kept.min(), kept.max()
    if low == high:
        raise UnusableImageError(
            f"the image is blank (every pixel is {low})", "give an image that shows a breast"
        )
    if not ((kept != low) & (kept != high)).any():
        raise UnusableImageError("the image has two grey levels only (a mask?)", "give the mammogram itself")


def saturation_level(pixels: npt.NDArray[np.float32], valid: npt.NDArray[np.bool_] | None) -> float | None:
    """Return the topmost grey level when far too many pixels sit on it, else None.

    Parameters
    ----------
    pixels : (rows, cols) float32 array
        Grey levels, dense bright.
    valid : (rows, cols) bool array or None
        False on padding.

    Returns
    -------
    float or None
        The level from which on the grey scale is cut off, in units of `pixels`. It is reported when
        at least 0.01 % of the pixels have it and it holds ten times as many as the levels in the
        top 2 % of the range below it do on average.
    """
    top = float(pixels.max())
    at_top = pixels == top
    count = int(np.count_nonzero(at_top if valid is None else at_top & valid))
    if count < max(16, 1e-4 * pixels.size):
        return None
    thin = pixels[::2, ::2]
    if valid is not None:
        thin = thin[valid[::2, ::2]]
    below = thin[(thin >= top - 0.02 * (top - float(thin.min()))) & (thin < top)]
    levels = len(np.unique(below))
    typical = 4.0 * below.size / levels if levels else 0.0
    return top if count > _PILE * typical else None
