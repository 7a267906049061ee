"""Whether what was found can be calcifications at all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["TOO_MANY", "implausibly_many"]

TOO_MANY = "implausibly many marks"
"""Remark on an image with hundreds of marks all over."""

# Judged: images whose pixels are read wrongly (sign, bits, a pattern, the spacing of a screen) have hundreds
# of marks in most places. Real ones have a dozen or two, or hundreds on arteries and in groups, which leave
# most of the breast free. Lower values tell of dusty films, too.
LEAST = 200
"""Marks."""
PER_CM2 = 0.5
"""Marks per cm2 of the area searched."""
SHARE = 0.35
"""Share of that area, in cells of 1 cm2, that holds marks."""
_CELL_MM = 10.0


def implausibly_many(
    row_mm: npt.NDArray[np.float64], col_mm: npt.NDArray[np.float64], searched_cm2: float
) -> bool:
    """Tell whether marks are so many, and so spread, that something else is wrong.

    Parameters
    ----------
    row_mm, col_mm : (n,) float64 arrays
        Places of the accepted marks.
    searched_cm2 : float
        Area in which they were looked for.
    """
    n = len(row_mm)
    if n < LEAST or n < PER_CM2 * searched_cm2:
        return False
    cells = np.unique(np.floor(np.column_stack([row_mm, col_mm]) / _CELL_MM), axis=0)
    return len(cells) >= SHARE * searched_cm2
