"""Whether what was found can be calcifications at all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["TOO_MANY", "implausibly_many"]

TOO_MANY = "implausibly many marks"
"""Remark on an image with hundreds of marks all over."""

# Judged: images whose pixels are read wrongly (sign, bits, a pattern) have hundreds of marks in most places:
# more than half of the cells hold several. The extensive segment of a real cancer, with 250 marks, had
# several in one fifth of the cells. Lower values tell of such findings, too.
LEAST = 200
"""Marks."""
SHARE = 0.35
"""Share of the area searched, in cells of 1 cm2, that holds several marks."""
_SEVERAL = 2
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
    if len(row_mm) < LEAST:
        return False
    cells = np.floor(np.column_stack([row_mm, col_mm]) / _CELL_MM)
    marks = np.unique(cells, axis=0, return_counts=True)[1]
    return bool(np.count_nonzero(marks >= _SEVERAL) >= SHARE * searched_cm2)
