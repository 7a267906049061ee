"""Digitiser lines and long scratches: columns or rows that stand out over most of their length."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.kernels.block_sums import block_means
from mcdetect.kernels.constants import MAD_TO_SD

__all__ = ["find_scan_lines"]

FloatImage = npt.NDArray[np.float32]
BoolImage = npt.NDArray[np.bool_]

# Judged: they trade scan lines that stay and give rows of false spots against tissue masked as a line.
RUN_MM = 1.0
"""Pixels are averaged over this length along the line."""
FLANK_MM = 0.15
"""Distance from the line to the pixels that it is compared with."""
WINDOW_MM = 25.0
"""A line must be seen over at least this length within the breast."""
WINDOW_SHARE = 0.4
"""And over at least this share of the breast's height or width."""
CONSISTENT = 0.65
"""Share of the runs in that window that must stand out to the same side."""
STANDS_OUT = 1.5
"""How far a run must stand out, in standard deviations."""


def find_scan_lines(
    pixels: FloatImage, breast: BoolImage, spacing_mm: tuple[float, float]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Find straight lines of one or two pixels along rows or columns that no tissue makes.

    Parameters
    ----------
    pixels : (rows, cols) float32 array
        Grey levels in the bounding box of the breast.
    breast : (rows, cols) bool array
        True on the breast.
    spacing_mm : (float, float)
        Row and column spacing in mm.

    Returns
    -------
    rows, cols : int arrays
        Indices of the rows and of the columns that hold a line.
    """
    run_rows = min(max(1, round(RUN_MM / spacing_mm[0])), pixels.shape[0])
    run_cols = min(max(1, round(RUN_MM / spacing_mm[1])), pixels.shape[1])
    down, across = block_means(pixels, run_rows, run_cols)
    inside = breast[run_rows // 2 :: run_rows][: down.shape[0]]
    cols = _straight_columns(down[: inside.shape[0]], inside, run_rows * spacing_mm[0], spacing_mm[1])
    inside = breast[:, run_cols // 2 :: run_cols][:, : across.shape[1]]
    across = across[:, : inside.shape[1]]
    rows = _straight_columns(across.T, inside.T, run_cols * spacing_mm[1], spacing_mm[0])
    return rows, cols


def _straight_columns(
    runs: FloatImage, inside: BoolImage, run_mm: float, across_mm: float
) -> npt.NDArray[np.intp]:
    none = np.zeros(0, np.intp)
    flank = max(2, round(FLANK_MM / across_mm))
    window = max(round(WINDOW_MM / run_mm), round(WINDOW_SHARE * runs.shape[0])) | 1
    if runs.shape[0] < window or runs.shape[1] <= 4 * flank:
        return none
    excess = runs[:, flank:-flank] - 0.5 * (runs[:, : -2 * flank] + runs[:, 2 * flank :])
    known = inside[:, flank:-flank] & inside[:, : -2 * flank] & inside[:, 2 * flank :]
    spread = np.maximum(_row_spread(excess, known), 1e-6 * float(np.ptp(runs)))[:, None]
    known &= np.isfinite(spread)
    least = CONSISTENT * WINDOW_MM / run_mm - 1.0  # runs of a line that stand out; one for rounding
    hits = np.zeros(excess.shape[1], np.bool_)
    for stands_out in (excess > STANDS_OUT * spread, excess < -STANDS_OUT * spread):
        stands_out &= known
        likely = np.flatnonzero(np.count_nonzero(stands_out, axis=0) >= least)
        if likely.size == 0:
            continue
        seen = _running_mean(known[:, likely], window)
        enough = seen * (window * run_mm) >= WINDOW_MM
        share = _running_mean(stands_out[:, likely], window)
        hits[likely] |= (enough & (share >= CONSISTENT * seen)).any(axis=0)
    return np.flatnonzero(hits) + flank


def _row_spread(excess: FloatImage, known: BoolImage) -> FloatImage:
    """Robust standard deviation of each row, infinite where too little is known."""
    every = max(1, excess.shape[1] // 400)
    size = np.where(known[:, ::every], np.abs(excess[:, ::every]), np.float32(np.inf))
    size.sort(axis=1)
    count = known[:, ::every].sum(axis=1)
    middle = size[np.arange(size.shape[0]), np.minimum(count // 2, size.shape[1] - 1)]
    return np.where(count >= 8, np.float32(MAD_TO_SD) * middle, np.float32(np.inf))


def _running_mean(mask: BoolImage, window: int) -> FloatImage:
    return np.asarray(
        cv2.blur(mask.astype(np.float32), (1, window), borderType=cv2.BORDER_CONSTANT), np.float32
    )
