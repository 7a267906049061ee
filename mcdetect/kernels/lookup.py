"""Piecewise linear look-up with even knots, as for a variance-stabilising transform."""

from __future__ import annotations

import numba as nb
import numpy as np

__all__ = ["apply_lookup"]


@nb.njit(cache=True, nogil=True, parallel=True)  # pragma: no cover - compiled
def apply_lookup(image, low, step, table, out):  # type: ignore[no-untyped-def]
    """Interpolate ``table`` (knots at ``low + k * step``) at every pixel; constant beyond the ends.

    Parameters
    ----------
    image : (rows, cols) float32 array
    low, step : float
        First knot and distance of knots, in units of `image`; step > 0.
    table : (knots,) float32 array
        Values at the knots, at least two.
    out : (rows, cols) float32 array
        Written; may be `image`.
    """
    rows, cols = image.shape
    top = np.float32(table.size - 1)
    inverse = np.float32(1.0 / step)
    zero = np.float32(low)
    for i in nb.prange(rows):
        for j in range(cols):
            place = (image[i, j] - zero) * inverse
            place = min(max(place, np.float32(0.0)), top)
            k = min(int(place), table.size - 2)
            fraction = place - np.float32(k)
            out[i, j] = table[k] + fraction * (table[k + 1] - table[k])
