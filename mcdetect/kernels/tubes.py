"""Draw tapering tubes as the path of the beam through them."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.jit import kernel

__all__ = ["draw_tube"]


@kernel
def draw_tube(
    out: npt.NDArray[np.float32],
    points_mm: npt.NDArray[np.float64],
    radius_mm: npt.NDArray[np.float64],
    gain: npt.NDArray[np.float64],
    row_mm: float,
    col_mm: float,
) -> None:
    """Raise `out` to the path of the beam through one tube, wherever that is longer.

    Parameters
    ----------
    out : (rows, cols) float32 array
        Path so far; changed in place.
    points_mm : (n, 2) float64 array
        Centre line, (row, col) in mm from the corner of the image; no two points in a row coincide.
    radius_mm : (n,) float64 array
        Radius at each point, in mm.
    gain : (n,) float64 array
        Path per unit of half chord at each point (2 for a solid tube).
    row_mm, col_mm : float
        Pixel spacing in mm.
    """
    rows, cols = out.shape
    for i in range(points_mm.shape[0] - 1):
        a_row, a_col = points_mm[i, 0], points_mm[i, 1]
        b_row, b_col = points_mm[i + 1, 0], points_mm[i + 1, 1]
        reach = max(radius_mm[i], radius_mm[i + 1])
        first_row = max(math.floor((min(a_row, b_row) - reach) / row_mm - 0.5), 0)
        first_col = max(math.floor((min(a_col, b_col) - reach) / col_mm - 0.5), 0)
        last_row = min(math.ceil((max(a_row, b_row) + reach) / row_mm - 0.5), rows - 1)
        last_col = min(math.ceil((max(a_col, b_col) + reach) / col_mm - 0.5), cols - 1)
        along_row, along_col = b_row - a_row, b_col - a_col
        squared_length = along_row * along_row + along_col * along_col
        for r in range(first_row, last_row + 1):
            y = (r + 0.5) * row_mm - a_row
            for c in range(first_col, last_col + 1):
                x = (c + 0.5) * col_mm - a_col
                share = min(max((y * along_row + x * along_col) / squared_length, 0.0), 1.0)
                away_row, away_col = y - share * along_row, x - share * along_col
                radius = radius_mm[i] + share * (radius_mm[i + 1] - radius_mm[i])
                room = radius * radius - away_row * away_row - away_col * away_col
                if room > 0.0:
                    path = (gain[i] + share * (gain[i + 1] - gain[i])) * math.sqrt(room)
                    if path > out[r, c]:
                        out[r, c] = path
