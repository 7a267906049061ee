"""How a figure's border stands out, all along it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage as ndi

from mcdetect.image.mammogram import PixelSpacing
from mcdetect.shapes.figures import outlines_of

__all__ = ["REACH_MM", "Border", "border_of"]

_Floats = npt.NDArray[np.float64]
_Mask = npt.NDArray[np.bool_]

# Physics: blur is some 0.1 mm; calcium falls from its height to its surroundings within three times that.
REACH_MM = 0.15
"""How far inside and outside of the border is compared."""
_FAR_MM = 0.45  # outside, where nothing is left of blur

# Judged: a piece of a border that is longer than blur and noise, and short against a body's.
_PIECE_MM = 0.5
_WEAK = 0.1  # share of the pieces that is called the weakest
_NORMAL_MM = 0.2  # over which the direction of the border is smoothed

# Technical: sizes of outlines.
_LEAST_PX, _MOST_PX = 8, 8000


@dataclass(frozen=True)
class Border:
    """Steps across a border from just inside to just outside, in SD of the noise.

    Parameters
    ----------
    step : float
        Their mean.
    weakest : float
        That of the weakest tenth of its pieces: tissue fades or goes on somewhere, calcium ends everywhere.
    beyond : float
        How far the grey levels fall farther outside, over that step: tissue has no sharp border.
    just_outside : (n,) float64 array
        Grey levels just outside.
    """

    step: float
    weakest: float
    beyond: float
    just_outside: _Floats

    @property
    def outside(self) -> float:
        """Median just outside."""
        return float(np.median(self.just_outside))


def border_of(
    image: npt.NDArray[np.float32], mask: _Mask, top: int, left: int, spacing: PixelSpacing
) -> Border | None:
    """Measure a figure's outer border; None where it is too short or too long.

    Parameters
    ----------
    image : (rows, cols) float32 array
        Grey levels, smoothed.
    mask : bool array
        The figure, holes filled.
    top, left : int
        Where the mask begins in the image.
    spacing : PixelSpacing
        Pixel spacing in mm.
    """
    longest = max(outlines_of(mask), key=len)
    if not _LEAST_PX <= len(longest) <= _MOST_PX:
        return None
    steps = np.array([spacing.col_mm, spacing.row_mm])
    pixel = 0.5 * (spacing.row_mm + spacing.col_mm)
    line = ndi.uniform_filter1d(
        longest * steps, 2 * max(1, round(_NORMAL_MM / pixel)) + 1, axis=0, mode="wrap"
    )
    along = np.concatenate([line[2:], line[:2]]) - np.concatenate([line[-2:], line[:-2]])
    outward = along[:, ::-1] / (np.hypot(along[:, 0], along[:, 1])[:, None] + 1e-9) / steps
    turn = cv2.contourArea(longest, oriented=True)
    outward *= (1.0, -1.0) if turn >= 0.0 else (-1.0, 1.0)
    at = longest + np.array([left, top])
    edge = 0.5 * min(spacing.row_mm, spacing.col_mm)  # from the centres of the outermost pixels
    reaches = np.array([-REACH_MM, REACH_MM, _FAR_MM])[:, None, None]
    inside, outside, farther = _values(image, at + (edge + reaches) * outward)
    steps_across = inside - outside
    pieces = ndi.uniform_filter1d(steps_across, 2 * max(1, round(0.5 * _PIECE_MM / pixel)) + 1, mode="wrap")
    step = float(steps_across.sum()) / steps_across.size
    weak = int(_WEAK * pieces.size)
    return Border(
        step=step,
        weakest=float(np.partition(pieces, weak)[weak]),
        beyond=float((outside - farther).sum()) / outside.size / max(step, 1e-3),
        just_outside=outside,
    )


def _values(image: npt.NDArray[np.float32], place: _Floats) -> _Floats:
    """Grey levels at (..., (col, row)); beyond the border of the image those at it."""
    col, row = (place[..., k].astype(np.float32) for k in (0, 1))
    found = cv2.remap(image, col, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float64)
