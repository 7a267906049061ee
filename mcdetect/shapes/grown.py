"""Bodies grown from summits: downhill until the growth leaks into the tissue."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mcdetect.image.mammogram import PixelSpacing
from mcdetect.kernels.growth import border_slopes, grow
from mcdetect.shapes.figures import (
    LEAST_SOLIDITY,
    Figure,
    border_step,
    close_gaps,
    is_solid,
    on_its_box,
    solidity,
)

__all__ = [
    "LEAST_MM",
    "LEAST_PX",
    "MOST_LEFT",
    "MOST_MM",
    "SMALL_MM",
    "SMALL_SOLIDITY",
    "grown_body",
    "summit_of",
]

_Ints = npt.NDArray[np.int64]
_Image = npt.NDArray[np.float32]

# Judged: on the pieces into which real rings, rods and popcorn fell, against groups of real fine
# calcifications, which must stay apart. Smaller or looser bounds take dense groups for bodies, larger ones
# leave pieces.
LEAST_MM = 0.8
"""Diameter of the disc of equal area from which a body counts as large."""
LEAST_SLOPE = 40.0
"""Least mean slope of its border, in SD of the noise per mm: tissue is less steep."""
LEAST_EDGE = 1.5
"""Least of that slope over the body's height, per mm: calcium has a sharp border at every size."""
LEAST_STEP = 12.0
"""Least by which the median just inside the border exceeds that just outside, in SD of the noise."""
LEAST_SHARE = 0.3
"""Least of that step over the body's height: a haze around a bright speck has a low border."""
BENT_SLOPE, BENT_STEP, MOST_LEFT = 100.0, 20.0, 0.05
"""Least slope and step of one that is bent or forked, and most of what surrounds it that may be as bright:
ends and crossings of vessels and ligaments go on beyond their border."""
SMALL_MM, SMALL_SOLIDITY = 1.2, 0.88
"""Below this diameter a body has at least this solidity: specks that touch are as large."""

# Standard: what BI-RADS, 5th edition, calls coarse, rim and rod reaches from 1 mm to over 1 cm.
MOST_MM = 12.0  # diameter of the largest body
LEAST_PX = 6.0  # and of the smallest: on fewer pixels specks that touch look alike
_REACH_MM = 12.0  # from the summit to the border of what is looked at
_FIRST_MM = 3.0, 4.0  # the same two for a first look, which is enough where growth leaks by then

# Technical: how finely is looked.
_CLIMB_MM = 0.2  # from a mark to the summit it means
_LEAST_FILLED = 0.2  # share of a body that its bright part fills, below which no ring is closed
_RING = 1.25  # area with holes filled over that without, from which it is a ring
_MOST_CLOSED = 1.2  # area with gaps closed over that without
_AS_STEEP = 0.8  # least slope of a border over the steepest: a haze round several specks is flatter
_LEAST_PART = 0.5  # of LEAST_MM: diameter of a part with a steeper border, from which the whole may be larger
_COARSER = 2.5  # area over that with the steepest border, from which that was of a part of the body
_SHARES = (0.6, 0.5, 0.43, 0.36, 0.3, 0.25, 0.2, 0.16, 0.12)  # levels between summit and surroundings


def grown_body(smooth: _Image, row: int, col: int, spacing: PixelSpacing) -> Figure | None:
    """Return the large body under a summit, or None."""
    if not _reaches(smooth, row, col, spacing):
        return None
    pixel_mm2 = spacing.row_mm * spacing.col_mm
    window, top, left, place, level = _grown(smooth, row, col, spacing, *_FIRST_MM)
    around = _background(window)
    if level[-1] > around + _SHARES[-1] * (level[0] - around):
        window, top, left, place, level = _grown(smooth, row, col, spacing, MOST_MM, _REACH_MM)
    summit = float(np.sort(window.ravel()[place[: max(4, round(0.15 / pixel_mm2))]])[-3:].mean())
    leak = float(level[-1])
    height = summit - leak
    if height <= 0.0:
        return None
    wanted = np.array([leak + share * height for share in _SHARES], np.float32)
    counts = np.unique(np.searchsorted(-level, -wanted, side="right"))
    counts = counts[
        (counts < place.size) & (counts * pixel_mm2 >= _LEAST_FILLED * math.pi / 4.0 * LEAST_MM**2)
    ]
    slopes = border_slopes(window, place, counts.astype(np.int64), spacing.row_mm, spacing.col_mm)
    if counts.size == 0:
        return None
    steepest, least = counts[np.argmax(slopes)], math.pi / 4.0 * (_LEAST_PART * LEAST_MM) ** 2 / pixel_mm2
    for k in np.argsort(-slopes, kind="stable"):
        if slopes[k] < max(LEAST_SLOPE, LEAST_EDGE * height, _AS_STEEP * slopes.max()):
            break
        part, r0, c0 = on_its_box(place[: counts[k]], window.shape[1])
        closed, mask, (down, across) = close_gaps(part, spacing)
        if closed > _MOST_CLOSED * counts[k]:
            continue  # specks side by side, with gaps between them
        area = int(np.count_nonzero(mask))
        ring, coarser = area >= _RING * counts[k], steepest >= least and area >= _COARSER * steepest
        if counts[k] != steepest and not (ring or coarser):
            continue  # another level of the same border, or what lies around a speck
        figure = Figure(mask, top + r0 - down, left + c0 - across, height, leak, float(slopes[k]))
        if _is_body(figure, smooth, spacing):
            return figure
    return None


def _is_body(figure: Figure, smooth: _Image, spacing: PixelSpacing) -> bool:
    """Tell whether a figure is wide and solid enough, and its border that of calcium."""
    pixel_mm2 = spacing.row_mm * spacing.col_mm
    least_mm = max(LEAST_MM, LEAST_PX * max(spacing.row_mm, spacing.col_mm))
    diameter_mm = math.sqrt(4.0 * float(np.count_nonzero(figure.mask)) * pixel_mm2 / math.pi)
    if diameter_mm < least_mm or not is_solid(figure.mask, spacing):
        return False
    solid = solidity(figure.mask)
    if diameter_mm < SMALL_MM and solid < SMALL_SOLIDITY:
        return False  # specks that touch
    step, left_share = border_step(smooth, figure.mask, figure.top, figure.left, spacing)
    if step < max(LEAST_STEP, LEAST_SHARE * figure.height):
        return False
    return solid >= LEAST_SOLIDITY or (
        left_share <= MOST_LEFT and step >= BENT_STEP and figure.slope >= BENT_SLOPE
    )


def _reaches(smooth: _Image, row: int, col: int, spacing: PixelSpacing) -> bool:
    """Tell quickly whether what a summit belongs to may be large: it is no isolated speck."""
    turn = np.linspace(0.0, 2.0 * math.pi, 16, endpoint=False)
    rings = []
    for reach_mm in (0.45 * LEAST_MM, 1.5 * LEAST_MM):
        at_row = np.clip(np.rint(row + reach_mm / spacing.row_mm * np.sin(turn)), 0, smooth.shape[0] - 1)
        at_col = np.clip(np.rint(col + reach_mm / spacing.col_mm * np.cos(turn)), 0, smooth.shape[1] - 1)
        rings.append(smooth[at_row.astype(np.intp), at_col.astype(np.intp)])
    around = float(np.median(rings[1]))
    return bool(rings[0].max() - around >= _SHARES[-1] * (smooth[row, col] - around))


def _grown(
    smooth: _Image,
    row: int,
    col: int,
    spacing: PixelSpacing,
    most_mm: float,
    reach_mm: float,
) -> tuple[_Image, int, int, _Ints, _Image]:
    """Return a window around a summit, where it begins, and the growth in it."""
    down, across = (round(reach_mm / step) for step in (spacing.row_mm, spacing.col_mm))
    top, left = max(0, row - down), max(0, col - across)
    window = np.ascontiguousarray(smooth[top : row + down + 1, left : col + across + 1])
    most = min(window.size, round(math.pi / 4.0 * most_mm**2 / (spacing.row_mm * spacing.col_mm)))
    place, level = grow(window, (row - top) * window.shape[1] + col - left, most)
    return window, top, left, place, level


def _background(window: _Image) -> float:
    """Return the middle grey level along the border of a window."""
    return float(np.median(np.concatenate([window[0], window[-1], window[:, 0], window[:, -1]])))


def summit_of(smooth: _Image, row: int, col: int, spacing: PixelSpacing) -> tuple[int, int]:
    down, across = (max(1, int(_CLIMB_MM / step)) for step in (spacing.row_mm, spacing.col_mm))
    top, left = max(0, row - down), max(0, col - across)
    part = smooth[top : row + down + 1, left : col + across + 1]
    r, c = np.unravel_index(int(np.argmax(part)), part.shape)
    return top + int(r), left + int(c)
