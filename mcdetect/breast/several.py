"""Pictures of more than one breast: two side by side, four views on one sheet."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.breast.grid import disc
from mcdetect.breast.outline import trace_breast

__all__ = ["count_breasts", "further_breasts"]

FloatImage = npt.NDArray[np.float32]
BoolImage = npt.NDArray[np.bool_]

# Judged: on 199 mammograms, none of which shows a second breast, and on phantoms pasted together.
LEAST_SHARE = 0.3
"""A further breast has at least this share of the area of the first ..."""
LEAST_MM2 = 1000.0  # ... and at least this area
BRIGHT = 0.15
"""Share of the range from air to tissue above which something may be a breast."""
APART_MM = 3.0  # a further breast is looked for beyond this distance from the first
CONTACT_MM = 30.0
"""Length along which a breast meets a side of the picture, at least: its chest wall."""
MOST = 4  # views on one sheet
STRAIGHT = 0.4
"""Share of the lines across a breast that begin at its straight side, the chest wall ..."""
STRAIGHT_MM = 3.0  # ... to within this


def further_breasts(share: FloatImage, first: BoolImage, step_mm: tuple[float, float]) -> list[BoolImage]:
    """Outline what else is a breast, beside the one that was found first.

    Parameters
    ----------
    share : (grid rows, grid cols) float32 array
        Grey level as a share of the range from air (0) to tissue (1).
    first : (grid rows, grid cols) bool array
        The breast that was found.
    step_mm : (float, float)
        Size of a cell along rows and columns, in mm.

    Returns
    -------
    list of (grid rows, grid cols) bool arrays
        Empty for nearly every mammogram.
    """
    found: list[BoolImage] = []
    cell_mm2 = step_mm[0] * step_mm[1]
    least = max(LEAST_SHARE * float(np.count_nonzero(first)), LEAST_MM2 / cell_mm2)
    taken = first
    while len(found) < MOST - 1:
        near = cv2.dilate(taken.view(np.uint8), disc(APART_MM, step_mm))
        rest = np.where(near > 0, np.float32(0.0), share)
        if np.count_nonzero(rest > BRIGHT) < least:
            break
        other = trace_breast(np.ascontiguousarray(rest), step_mm) & ~taken
        if np.count_nonzero(other) < least or not _meets_a_side(other, step_mm):
            break
        found.append(other)
        taken = taken | other
    return found


def count_breasts(breast: BoolImage, step_mm: tuple[float, float]) -> int:
    """Return how many breasts one outline holds: two back to back have no straight side.

    Parameters
    ----------
    breast : (grid rows, grid cols) bool array
        One connected outline.
    step_mm : (float, float)
        Size of a cell along rows and columns, in mm.

    Returns
    -------
    int
        1 or 2.
    """
    for turned, step in (
        (breast, step_mm[1]),
        (breast[:, ::-1], step_mm[1]),
        (breast.T, step_mm[0]),
        (breast.T[:, ::-1], step_mm[0]),
    ):
        lines = turned[turned.any(axis=1)]
        if lines.size == 0:
            return 1
        start = np.argmax(lines, axis=1)
        if np.mean(start <= start.min() + STRAIGHT_MM / step) > STRAIGHT:
            return 1
    return 2


def _meets_a_side(breast: BoolImage, step_mm: tuple[float, float]) -> bool:
    down, across = step_mm
    lengths = [
        float(line.sum()) * step
        for line, step in (
            (breast[:, 0], down),
            (breast[:, -1], down),
            (breast[0], across),
            (breast[-1], across),
        )
    ]
    return max(lengths) >= CONTACT_MM
