"""Pictures of more than one breast: two side by side, four views on one sheet."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.breast.grid import disc
from mcdetect.breast.outline import trace_breast
from mcdetect.image.plausible import holds_two

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
"""Length of the straight side of a breast, its chest wall, at least."""
MOST = 4  # views on one sheet
STRAIGHT_MM = 3.0  # by which a chest wall may waver


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
        is_breast = _has_chest_wall(other, step_mm) or count_breasts(other, step_mm) == 2
        if np.count_nonzero(other) < least or not is_breast:
            break
        found.append(other)
        taken = taken | other
    return found


def count_breasts(breast: BoolImage, step_mm: tuple[float, float]) -> int:
    """Return how many breasts one outline holds, 1 or 2; see `holds_two`."""
    return 2 if holds_two(breast, (STRAIGHT_MM / step_mm[0], STRAIGHT_MM / step_mm[1])) else 1


def _has_chest_wall(breast: BoolImage, step_mm: tuple[float, float]) -> bool:
    """Tell whether an outline has a straight side along rows or columns."""
    down, across = step_mm
    for turned, along, beyond in (
        (breast, down, across),
        (breast[:, ::-1], down, across),
        (breast.T, across, down),
        (breast.T[:, ::-1], across, down),
    ):
        start = np.argmax(turned[turned.any(axis=1)], axis=1)
        if np.count_nonzero(start <= start.min() + STRAIGHT_MM / beyond) * along >= CONTACT_MM:
            return True
    return False
