"""What areas and outlines breasts have on mammograms, to notice what cannot be true of one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mcdetect.errors import UnusableImageError

__all__ = ["check_area", "holds_two"]

# Physics: no detector or film of mammography is larger than 24 x 30 cm.
LARGEST_CM2 = 750.0

# Judged: of 199 mammograms the largest breast has 529 cm2, the smallest 40. Narrower limits flag true ones.
LARGE_CM2 = 600.0
SMALL_CM2 = 10.0
SMALLEST_CM2 = 1.0
"""What is smaller is no whole breast, whatever the size of its pixels."""
MANY_PX = 40_000
"""Breasts of fewer pixels are drawn: nothing is said of them."""

# Judged: on 199 mammograms, and on phantoms pasted together. Breasts back to back show no chest wall.
STRAIGHT = 0.4
"""Share of the lines across a breast that begin at its chest wall, at least."""
MIDDLE = (0.2, 0.8)
"""Where along its height a breast of a pair reaches farthest, as a share of it."""

_REMEDY = "the pixel spacing is wrong: give the true one with --pixel-spacing MM"


def check_area(area_cm2: float, pixels: float, *, whole: bool, breasts: int = 1) -> str:
    """Return a remark on a breast of unlikely area, or refuse one that does not exist.

    Parameters
    ----------
    area_cm2 : float
        Area of the breast in the image, or of several that cannot be told apart.
    pixels : float
        The same in pixels.
    whole : bool
        Whether the breast is seen whole, with air around it: a part may be small.
    breasts : int
        How many there are.

    Returns
    -------
    str
        Empty where there is nothing to say.

    Raises
    ------
    UnusableImageError
        If no breast is as large, or as small.
    """
    if area_cm2 > LARGEST_CM2 * breasts:
        raise UnusableImageError(
            f"the breast would cover {area_cm2:.0f} cm2, more than any detector", _REMEDY
        )
    if area_cm2 > LARGE_CM2 * breasts:
        return f"implausibly large breast ({area_cm2:.0f} cm2): check the pixel spacing"
    if not whole or pixels < MANY_PX or area_cm2 >= SMALL_CM2 * breasts:
        return ""
    if area_cm2 < SMALLEST_CM2:
        raise UnusableImageError(f"the whole breast would cover only {area_cm2:.1f} cm2", _REMEDY)
    return f"implausibly small breast ({area_cm2:.1f} cm2): check the pixel spacing"


def holds_two(breast: npt.NDArray[np.bool_], within: tuple[float, float]) -> bool:
    """Tell whether an outline is that of two breasts back to back: it bulges to both sides from the middle.

    A single breast has a straight side, its chest wall, or is widest there.

    Parameters
    ----------
    breast : (rows, cols) bool array
        One connected outline.
    within : (float, float)
        Rows and columns by which a straight side may waver.
    """
    return _bulges_both_ways(breast, within[1]) or _bulges_both_ways(breast.T, within[0])


def _bulges_both_ways(breast: npt.NDArray[np.bool_], within: float) -> bool:
    lines = breast[breast.any(axis=1)]
    if len(lines) == 0:
        return False
    for side in (lines, lines[:, ::-1]):
        start = np.argmax(side, axis=1)
        outermost = start <= start.min() + within
        place = float(np.median(np.flatnonzero(outermost))) / len(lines)
        if outermost.mean() > STRAIGHT or not MIDDLE[0] < place < MIDDLE[1]:
            return False
    return True
