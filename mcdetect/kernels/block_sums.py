"""Means over short runs along columns and along rows, in one pass over the image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.jit import kernel
from mcdetect.kernels.threads import in_parts

__all__ = ["block_means"]


_Singles = npt.NDArray[np.float32]


def block_means(image: _Singles, run_rows: int, run_cols: int) -> tuple[_Singles, _Singles]:
    """Average an image over runs of pixels, once along columns and once along rows.

    Parameters
    ----------
    image : (rows, cols) float32 array
        The image; only whole runs are used.
    run_rows, run_cols : int
        Pixels in a run along a column and along a row, at most the size of the image.

    Returns
    -------
    (rows // run_rows, cols) float32 array
        Means over runs along columns.
    (rows, cols // run_cols) float32 array
        Means over runs along rows.
    """
    rows, cols = image.shape
    bands = rows // run_rows
    runs = cols // run_cols
    down = np.zeros((bands, cols), np.float32)
    across = np.empty((rows, runs), np.float32)
    in_parts(
        lambda first, last: _block_means(image, run_rows, run_cols, first, last, down, across), bands + 1
    )
    return down, across


@kernel
def _block_means(
    image: _Singles,
    run_rows: int,
    run_cols: int,
    first_band: int,
    last_band: int,
    down: _Singles,
    across: _Singles,
) -> None:
    rows, cols = image.shape
    bands = rows // run_rows
    runs = cols // run_cols
    scale_down = np.float32(1.0 / run_rows)
    scale_across = np.float32(1.0 / run_cols)
    for band in range(first_band, last_band):
        first = band * run_rows
        last = min(first + run_rows, rows)
        for row in range(first, last):
            if band < bands:
                for col in range(cols):
                    down[band, col] += image[row, col]
            for run in range(runs):
                total = np.float32(0.0)
                start = run * run_cols
                for col in range(start, start + run_cols):
                    total += image[row, col]
                across[row, run] = total * scale_across
        if band < bands:
            for col in range(cols):
                down[band, col] *= scale_down
