"""What areas breasts have on mammograms, to notice pixel spacings that cannot be true."""

from __future__ import annotations

from mcdetect.errors import UnusableImageError

__all__ = ["check_area"]

# Physics: no detector or film of mammography is larger than 24 x 30 cm.
LARGEST_CM2 = 750.0

# Judged: of 199 mammograms the largest breast has 330 cm2, the smallest 27. Narrower limits flag true ones.
LARGE_CM2 = 600.0
SMALL_CM2 = 10.0
SMALLEST_CM2 = 3.0
"""What is smaller is no whole breast, whatever the size of its pixels."""
MANY_PX = 40_000
"""Breasts of fewer pixels are drawn: nothing is said of them."""

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
