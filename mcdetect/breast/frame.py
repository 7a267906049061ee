"""The exposed frame: the rectangle of the image without padding, film borders and collimator edges."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["find_frame"]

FloatImage = npt.NDArray[np.float32]
BoolImage = npt.NDArray[np.bool_]
Frame = tuple[int, int, int, int]

# Judged: they trade borders that are left in, with false spots on them, against breast cut off.
FLAT = 0.004
"""Grey-level differences below this share of the tissue range are none."""
STEP = 0.08
"""Grey-level steps above this share of the tissue range are edges."""
SHARP = 2.0
"""An edge changes by this many times as much as the lines behind it."""
STEP_RUN_MM = 30.0
"""A straight edge of at least this length is no skin line."""
BAND_MM = 8.0
"""Film borders are looked for down to this depth."""
BAND_SHARE = 0.45
"""Share of the side along which a film border must be seen."""
BAND_SIDE_MM = 60.0
"""Shorter sides belong to crops; texture alone could look like a border there."""


def find_frame(level: FloatImage, exposed: BoolImage, step_mm: tuple[float, float]) -> Frame:
    """Find the rectangle that holds the exposed film or detector.

    Three things are cut away from each side: padding marked as such, margins of one flat grey
    level that end in a straight step (a scan laid into a larger black square), and bands along
    the border that end in a straight step (film edges, collimator blades). A flat margin without
    such a step is air, and stays.

    Parameters
    ----------
    level : (grid rows, grid cols) float32 array
        Grey levels, scaled so that the range from air to tissue is about one.
    exposed : (grid rows, grid cols) bool array
        False on padding.
    step_mm : (float, float)
        Size of a cell along rows and columns, in mm.

    Returns
    -------
    tuple of int
        First row, end row, first column, end column.
    """
    rows, cols = level.shape
    top, bottom, left, right = 0, rows, 0, cols
    if not exposed.all() and exposed.any():
        top, bottom = _crop_padding(exposed, step_mm[1])
        left, right = _crop_padding(exposed.T, step_mm[0])
    for peel in (_flat_margin, _border_band):
        inside = level[top:bottom, left:right]
        cuts = [
            peel(side, step)
            for side, step in (
                (inside, step_mm),
                (inside[::-1], step_mm),
                (inside.T, step_mm[::-1]),
                (inside.T[::-1], step_mm[::-1]),
            )
        ]
        if cuts[0] + cuts[1] < 0.7 * (bottom - top):
            top, bottom = top + cuts[0], bottom - cuts[1]
        if cuts[2] + cuts[3] < 0.7 * (right - left):
            left, right = left + cuts[2], right - cuts[3]
    return top, bottom, left, right


def _crop_padding(exposed: BoolImage, along_mm: float) -> tuple[int, int]:
    """Return the first and end line of the exposed part; padding with a curved edge is air."""
    length = exposed.sum(axis=1) * along_mm
    lines = np.flatnonzero(length > 0)
    first, last = int(lines[0]), int(lines[-1])
    # the edge of a padded rectangle is straight: the first lines with any exposure are long
    reach = 2
    first = first if length[first : first + reach].max() >= STEP_RUN_MM else 0
    last = last if length[last + 1 - reach : last + 1].max() >= STEP_RUN_MM else exposed.shape[0] - 1
    return first, last + 1


def _flat_margin(level: FloatImage, step_mm: tuple[float, float]) -> int:
    """Depth in lines of a flat margin at the top that ends in a straight step, else 0."""
    low, high = level.min(axis=1), level.max(axis=1)
    outermost = np.percentile(level[0], 50.0)
    sure = (high - low <= FLAT) & (np.maximum(high - outermost, outermost - low) <= FLAT)
    depth = 0
    for line in range(level.shape[0]):
        if not (sure[line] or _is_flat(level[line], outermost)):
            depth = line
            break
    if depth == 0 or depth + 2 > level.shape[0]:
        return 0
    beyond = level[depth + 1] if depth + 1 < level.shape[0] else level[depth]
    changed = np.abs(beyond - outermost) > FLAT
    long_enough = changed.sum() * step_mm[1] >= STEP_RUN_MM and changed.mean() >= 0.3
    return depth + 1 if long_enough else 0


def _is_flat(line: FloatImage, outermost: np.floating) -> bool:
    low, middle, high = np.percentile(line, [2.0, 50.0, 98.0])
    return bool((high - low <= FLAT) & (np.abs(middle - outermost) <= FLAT))


def _border_band(level: FloatImage, step_mm: tuple[float, float]) -> int:
    """Depth in lines of a band at the top that ends in a straight step, else 0."""
    lag = 3
    depth = min(max(1, round(BAND_MM / step_mm[0])), level.shape[0] // 4)
    if depth + lag >= level.shape[0] or level.shape[1] * step_mm[1] < BAND_SIDE_MM:
        return 0
    count = level.shape[0] - lag
    lines = np.arange(min(count, 4 * depth))
    there = level[lag : lag + lines.size]
    # a border band is wider than a scan line: the step must also hold from further out;
    # and it is sharper than the roll-off towards the skin: the next lines must change less
    near, far = there - level[: lines.size], there - level[np.maximum(lines - 2, 0)]
    beyond = level[np.minimum(lines + 2 * lag, level.shape[0] - 1)] - there
    sharp = np.abs(near) > SHARP * np.abs(beyond)
    rises = (sharp & (near > STEP) & (far > STEP)).mean(axis=1)
    falls = (sharp & (near < -STEP) & (far < -STEP)).mean(axis=1)
    share = np.maximum(rises, falls)
    usual = float(np.median(share[depth : 4 * depth])) if count > 2 * depth else 0.0
    edges = np.flatnonzero(share[:depth] >= max(BAND_SHARE, 3.0 * usual))
    return int(edges[-1]) + lag if edges.size else 0
