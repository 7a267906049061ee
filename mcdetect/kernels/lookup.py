"""Piecewise linear look-up with even knots, as for a variance-stabilising transform."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.jit import kernel
from mcdetect.kernels.threads import in_parts

__all__ = ["apply_lookup"]

_Singles = npt.NDArray[np.float32]

_LEAST_ROWS = 64  # Technical: fewest rows that are worth a thread


def apply_lookup(image: _Singles, low: float, step: float, table: _Singles, out: _Singles) -> None:
    """Interpolate ``table`` (knots at ``low + k * step``) at every pixel; constant beyond the ends.

    Parameters
    ----------
    image : (rows, cols) float32 array
        May be a part of a larger one.
    low, step : float
        First knot and distance of knots, in units of `image`; step > 0.
    table : (knots,) float32 array
        Values at the knots, at least two.
    out : (rows, cols) float32 array
        Written; may be `image`.
    """
    zero, inverse = np.float32(low), np.float32(1.0 / step)

    def apply(first: int, last: int) -> None:
        for row in range(first, last, _LEAST_ROWS):
            rows = slice(row, min(row + _LEAST_ROWS, last))
            _apply_lookup(np.ascontiguousarray(image[rows]), zero, inverse, table, out[rows])

    in_parts(apply, image.shape[0], least=_LEAST_ROWS)


@kernel
def _apply_lookup(image, zero, inverse, table, out):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    rows, cols = image.shape
    top = np.float32(table.size - 1)
    for i in range(rows):
        for j in range(cols):
            place = (image[i, j] - zero) * inverse
            place = min(max(place, np.float32(0.0)), top)
            k = min(int(place), table.size - 2)
            fraction = place - np.float32(k)
            out[i, j] = table[k] + fraction * (table[k + 1] - table[k])
