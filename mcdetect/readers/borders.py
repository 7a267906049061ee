"""Straight borders of pictures: white margins of film scans, black frames, padding, flat strips."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["inside_of_borders"]

FloatImage = npt.NDArray[np.float32]
BoolImage = npt.NDArray[np.bool_]

# Judged: on films with borders of 3 to 15 % pasted on any sides. Wider limits take the skin for a border.
_FLAT = 0.1
"""The outermost line of a border spans less than this share of the grey scale, between its quartiles."""
_STEP = 0.15
"""A border ends where the grey level has changed by this share of the grey scale."""
_DEPTH = 0.35
"""Borders take less than this share of the picture, on each side."""
_ALONG = 0.6
"""Share of the side along which the end of a border must be straight."""
_OFF_LINE = 1.5  # cells by which a straight end may deviate from its line
_TILT = 0.1
"""Slope of the end against the side of the picture, at most."""
_START = 4  # cells at the side of the picture from which a border may begin
_BEYOND = 2  # cells cut off beyond the end of a border, which is blurred


def inside_of_borders(level: FloatImage, exposed: BoolImage) -> tuple[int, int, int, int]:
    """Return the rectangle inside of what has a straight edge along the sides of the picture.

    Air has none: its edge is that of a breast, which is round.

    Parameters
    ----------
    level : (grid rows, grid cols) float32 array
        Grey levels of a picture of a few hundred cells a side.
    exposed : (grid rows, grid cols) bool array
        False on padding.

    Returns
    -------
    tuple of int
        First row, end row, first column, end column.
    """
    rows, cols = np.flatnonzero(exposed.any(axis=1)), np.flatnonzero(exposed.any(axis=0))
    if not rows.size:
        return 0, level.shape[0], 0, level.shape[1]
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(cols[0]), int(cols[-1]) + 1
    low, high = np.percentile(level[exposed], [0.5, 99.5])
    scaled = (level - np.float32(low)) / np.float32(max(high - low, 1e-12))
    scaled = np.where(exposed, np.clip(scaled, 0.0, 1.0), np.float32(np.nan))
    for _ in range(2):  # a border on one side hides the end of that on the next
        window = scaled[top:bottom, left:right]
        first, last = _depth(window), _depth(window[::-1])
        if first + last < 0.7 * (bottom - top):
            top, bottom = top + first, bottom - last
        window = scaled[top:bottom, left:right].T
        first, last = _depth(window), _depth(window[::-1])
        if first + last < 0.7 * (right - left):
            left, right = left + first, right - last
    return top, bottom, left, right


def _depth(level: npt.NDArray[np.floating]) -> int:
    """Return how many lines at the top belong to a border, 0 for none."""
    for start in range(min(_START, level.shape[0] - 2)):
        depth = _depth_from(level[start:])
        if depth:
            return start + depth
    return 0


def _depth_from(level: npt.NDArray[np.floating]) -> int:
    """Return how many lines belong to a border that begins with the first one."""
    outermost = level[0][np.isfinite(level[0])]
    if outermost.size < 0.5 * level.shape[1]:
        return 0
    first, middle, third = np.percentile(outermost, [25.0, 50.0, 75.0])
    if third - first > _FLAT:
        return 0
    reach = max(2, int(_DEPTH * level.shape[0]))
    changed = np.abs(level[:reach] - middle) > _STEP
    ends = np.argmax(changed, axis=0)
    seen = np.flatnonzero(changed.any(axis=0) & (ends > 0))
    if seen.size < _ALONG * level.shape[1]:
        return 0
    slope, start = _line(seen.astype(np.float64), ends[seen].astype(np.float64))
    on_line = np.abs(ends[seen] - start - slope * seen) <= _OFF_LINE
    if abs(slope) > _TILT or on_line.sum() < _ALONG * level.shape[1]:
        return 0
    return int(np.max(start + slope * seen[on_line]) + 0.5) + _BEYOND


def _line(at: npt.NDArray[np.float64], value: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Fit a line by the median of slopes between points half the side apart (robust)."""
    half = at.size // 2
    slopes = (value[half : 2 * half] - value[:half]) / (at[half : 2 * half] - at[:half])
    slope = float(np.median(slopes))
    return slope, float(np.median(value - slope * at))
