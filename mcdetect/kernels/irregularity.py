"""How a closed outline departs from smooth, and what the image does at it and inside it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.jit import kernel

__all__ = ["HARMONICS", "OUTLINE_POINTS", "contour_slope", "irregularity", "rim_over_centre"]

_Floats = npt.NDArray[np.float64]
_Singles = npt.NDArray[np.float32]

# Judged: more points cost time, fewer lose detail; more orders count steps of the grid as irregular, fewer
# take rough outlines for smooth ones.
OUTLINE_POINTS = 128
"""Points, evenly spaced along an outline, on which its irregularity is measured."""
HARMONICS = 16
"""Orders, of either sign, of the Fourier descriptors that count; finer ones are steps of the grid."""

# Judged: farther out the blur of the edge lowers a rim, farther in it is no rim. A lower least centre lets
# rings stand out more, and noise in hollow ones too.
RIM = (0.5, 0.6, 0.7, 0.8)
"""Sizes of the drawn-in outlines on which a rim is looked for, as shares of the outline's own."""
CENTRE = 0.2  # the same of the outline that, with the centroid, gives the height at the centre
LEAST_CENTRE = 0.05  # that height is taken as at least this share of the contrast


@kernel(inline=True)
def _evenly(points: _Floats, perimeter: float, out: _Floats) -> None:
    """Points at equal distances along a closed polygon."""
    n, count = points.shape[0], out.shape[0]
    k, done = 0, 0.0
    for m in range(count):
        wanted = perimeter * m / count
        while True:
            after = k + 1 if k + 1 < n else 0
            d_row, d_col = points[after, 0] - points[k, 0], points[after, 1] - points[k, 1]
            length = math.hypot(d_row, d_col)
            if done + length >= wanted or k == n - 1:
                break
            done += length
            k += 1
        share = min((wanted - done) / length, 1.0) if length > 0.0 else 0.0
        out[m, 0] = points[k, 0] + share * d_row
        out[m, 1] = points[k, 1] + share * d_col


@kernel
def irregularity(points: _Floats, perimeter: float, row: float, col: float) -> tuple[float, float]:
    """Irregularity of a closed polygon from Fourier descriptors and from moments of its boundary.

    Parameters
    ----------
    points : (n, 2) float64 array
        Corners (row, col) in order.
    perimeter : float
        Its length.
    row, col : float
        Centroid.

    Returns
    -------
    fourier : float
        1 - sum(|Z_k| / |k|) / sum(|Z_k|) over the descriptors Z_k of `OUTLINE_POINTS` points along the
        outline, |k| from 1 to `HARMONICS`: 0 for any ellipse traced evenly, towards 1 with fine structure.
    moments : float
        M4^(1/4) / m1 - M2^(1/2) / m1, where m1 is the mean and M_p the p-th central moment of the
        distances of these points from the centroid: 0 for a circle.

    Notes
    -----
    The shape factors ff and mf = F3' - F1' of Shen, Rangayyan and Desautels, IEEE Trans. Med. Imaging 13
    (1994) 263.
    """
    n = OUTLINE_POINTS
    even = np.empty((n, 2))
    _evenly(points, perimeter, even)
    cos, sin = np.empty(n), np.empty(n)
    for k in range(n):
        cos[k] = math.cos(2.0 * math.pi * k / n)
        sin[k] = math.sin(2.0 * math.pi * k / n)
        even[k, 0] -= row
        even[k, 1] -= col
    total, weighted = 0.0, 0.0
    for j in range(2 * HARMONICS):
        k = j + 1 if j < HARMONICS else n - 1 - (j - HARMONICS)
        order = min(k, n - k)
        re, im = 0.0, 0.0
        turn = 0
        for m in range(n):
            re += even[m, 1] * cos[turn] + even[m, 0] * sin[turn]
            im += even[m, 0] * cos[turn] - even[m, 1] * sin[turn]
            turn += k
            if turn >= n:
                turn -= n
        size = math.hypot(re, im)
        total += size
        weighted += size / order
    mean = 0.0
    for k in range(n):
        mean += math.hypot(even[k, 0], even[k, 1]) / n
    second, fourth = 0.0, 0.0
    for k in range(n):
        square = (math.hypot(even[k, 0], even[k, 1]) - mean) ** 2
        second += square / n
        fourth += square * square / n
    if not (total > 0.0 and mean > 0.0):
        return math.nan, math.nan
    return 1.0 - weighted / total, (math.sqrt(math.sqrt(fourth)) - math.sqrt(second)) / mean


@kernel
def _value(window: _Singles, row: float, col: float) -> float:
    """Value between grid points, by bilinear interpolation."""
    n = window.shape[0]
    row, col = min(max(row, 0.0), n - 1.001), min(max(col, 0.0), n - 1.001)
    r, c = int(row), int(col)
    a, b = row - r, col - c
    top = (1.0 - b) * window[r, c] + b * window[r, c + 1]
    bottom = (1.0 - b) * window[r + 1, c] + b * window[r + 1, c + 1]
    return float((1.0 - a) * top + a * bottom)


@kernel
def contour_slope(window: _Singles, outline: _Floats) -> float:
    """Mean slope of a window across an outline, weighted by its length.

    Parameters
    ----------
    window : (n, n) float32 array
        Values.
    outline : (m, 2) float64 array
        Corners (row, col) in order, in grid steps.

    Returns
    -------
    float
        Mean magnitude of the gradient (central differences), per grid step.
    """
    corners = outline.shape[0]
    total, length = 0.0, 0.0
    for k in range(corners):
        m = k + 1 if k + 1 < corners else 0
        d_row, d_col = outline[m, 0] - outline[k, 0], outline[m, 1] - outline[k, 1]
        r, c = outline[k, 0] + 0.5 * d_row, outline[k, 1] + 0.5 * d_col
        down = 0.5 * (_value(window, r + 1.0, c) - _value(window, r - 1.0, c))
        right = 0.5 * (_value(window, r, c + 1.0) - _value(window, r, c - 1.0))
        step = math.hypot(d_row, d_col)
        total += step * math.hypot(down, right)
        length += step
    return total / length if length > 0.0 else math.nan


@kernel
def rim_over_centre(
    window: _Singles, outline: _Floats, row: float, col: float, background: float, contrast: float
) -> float:
    """Height of a body near its outline over that at its centre.

    Parameters
    ----------
    window : (n, n) float32 array
        Values.
    outline : (m, 2) float64 array
        Corners (row, col) in order, in grid steps.
    row, col : float
        Centroid, in grid steps.
    background, contrast : float
        Level beside the body, and its height.

    Returns
    -------
    float
        Highest mean over the outline drawn in to 0.5, 0.6, 0.7 and 0.8 of its size, over the mean at 0 to
        0.2 of it (taken as at least a twentieth of the contrast), all over the background.
    """
    corners = outline.shape[0]
    rim = -math.inf
    centre = _value(window, row, col)
    inner = 0.0
    for k in range(corners):
        d_row, d_col = outline[k, 0] - row, outline[k, 1] - col
        inner += _value(window, row + CENTRE * d_row, col + CENTRE * d_col)
    centre = 0.5 * (centre + inner / corners) - background
    for share in RIM:
        mean = 0.0
        for k in range(corners):
            d_row, d_col = outline[k, 0] - row, outline[k, 1] - col
            mean += _value(window, row + share * d_row, col + share * d_col)
        rim = max(rim, mean / corners - background)
    return float(max(rim, 0.0) / max(centre, LEAST_CENTRE * contrast))
