"""Outlines of small bright spots with sub-pixel edges, and their geometry in millimetres.

Each spot is treated on a fine grid of its own, equally spaced in mm along both axes, so that pixel shape and
spacing do not matter from there on.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from mcdetect.kernels.constants import MAD_TO_SD
from mcdetect.kernels.irregularity import contour_slope, irregularity, rim_over_centre
from mcdetect.kernels.polygons import polygon_geometry
from mcdetect.kernels.regions import BARRED, OWN, flood, trace_outline
from mcdetect.kernels.sizes import RAYS, fit_body, free_reach

__all__ = ["COLUMNS", "RING", "measure", "ring_level", "smooth_window"]

_Floats = npt.NDArray[np.float64]
_Singles = npt.NDArray[np.float32]
_Ints = npt.NDArray[np.int64]
_Labels = npt.NDArray[np.int8]

RING = (0.6, 0.95)
"""Inner and outer radius of the ring that gives the background, in half windows."""
RING_RADII = 4
RING_ANGLES = 24
DEPTH_FRACTION = 0.15
DEPTH_NOISE = 2.0
DEPTH_LIMIT = 0.8
REACH_SCALES = 2.0
REACH_BLURS = 1.6
REACH_RADII = 1.2
REACH_PIXELS = 1.75
MAX_STRETCH = 5.0

CORE_RADIUS = (1.25, 1.45, 1.56, 1.72, 1.90, 2.34, 2.84, 3.87, 5.92)
CORE_MEAN = (0.7205, 0.7226, 0.7246, 0.7290, 0.7363, 0.7545, 0.7784, 0.8240, 0.8784)
"""Mean height of a blurred disc above its half maximum, over its maximum, by the radius of that part
in units of the blur. Computed once from discs convolved with a Gaussian."""

COLUMNS = (
    "contrast",
    "area",
    "perimeter",
    "row",
    "col",
    "minor",
    "major",
    "angle",
    "hull_area",
    "min_row",
    "min_col",
    "max_row",
    "max_col",
    "roughness",
    "moments",
    "slope",
    "rim",
    "size",
    "volume",
)
"""What `measure` returns for each spot, in this order."""


@njit(cache=True, nogil=True, error_model="numpy")
def _weights(
    centre: float, spacing: float, sigma: float, step: float, n: int, size: int
) -> tuple[_Ints, npt.NDArray[np.float32]]:
    """Gaussian weights that carry pixels of one axis onto the fine grid.

    Returns the first pixel of each fine point, and its (n, taps) weights, normalised over the image.
    """
    taps = 2 * math.ceil(3.0 * sigma / spacing) + 1
    first = np.empty(n, np.int64)
    weight = np.empty((n, taps), np.float32)
    half = n // 2
    for k in range(n):
        place = centre + (k - half) * step / spacing
        low = math.floor(place + 0.5) - taps // 2
        first[k] = low
        total = 0.0
        for t in range(taps):
            if 0 <= low + t < size:
                z = (low + t - place) * spacing / sigma
                w = math.exp(-0.5 * z * z)
            else:
                w = 0.0
            weight[k, t] = w
            total += w
        if total > 0.0:
            for t in range(taps):
                weight[k, t] /= total
    return first, weight


@njit(cache=True, nogil=True, error_model="numpy")
def smooth_window(
    image: _Singles,
    row: float,
    col: float,
    row_mm: float,
    col_mm: float,
    sigma_row: float,
    sigma_col: float,
    step: float,
    n: int,
    out: _Singles,
) -> None:
    """Resample an image by Gaussian weights on an (n, n) grid about a point.

    Parameters
    ----------
    image : (rows, cols) float32 array
        Image.
    row, col : float
        Centre of the grid, in pixels.
    row_mm, col_mm : float
        Pixel spacing, in mm.
    sigma_row, sigma_col : float
        Standard deviation of the weights along each axis, in mm.
    step : float
        Spacing of the grid, in mm.
    n : int
        Points along each axis, odd.
    out : (n, n) float32 array
        Written to. Weights are normalised over the pixels inside the image.
    """
    rows, cols = image.shape
    first_row, row_weight = _weights(row, row_mm, sigma_row, step, n, rows)
    first_col, col_weight = _weights(col, col_mm, sigma_col, step, n, cols)
    top = max(0, first_row[0])
    height = max(0, min(rows, first_row[n - 1] + row_weight.shape[1]) - top)
    left = max(0, first_col[0])
    width = max(0, min(cols, first_col[n - 1] + col_weight.shape[1]) - left)
    # Both passes run along contiguous memory: hence the turned patch and the turned lines.
    patch = np.empty((width, height), np.float32)
    for r in range(height):
        for c in range(width):
            patch[c, r] = image[top + r, left + c]
    turned = np.zeros((n, height), np.float32)
    for k in range(n):
        for t in range(col_weight.shape[1]):
            c = first_col[k] + t - left
            if 0 <= c < width:
                w = col_weight[k, t]
                for r in range(height):
                    turned[k, r] += w * patch[c, r]
    lines = np.empty((height, n), np.float32)
    for r in range(height):
        for k in range(n):
            lines[r, k] = turned[k, r]
    out[:] = np.float32(0.0)
    for k in range(n):
        for t in range(row_weight.shape[1]):
            r = first_row[k] + t - top
            if 0 <= r < height:
                w = row_weight[k, t]
                for m in range(n):
                    out[k, m] += w * lines[r, m]


@njit(cache=True, nogil=True, error_model="numpy")
def _median(values: _Floats, count: int) -> float:
    """Median of the first few values, which are sorted in place (by insertion: they are under a hundred)."""
    for k in range(1, count):
        moved = values[k]
        m = k
        while m > 0 and values[m - 1] > moved:
            values[m] = values[m - 1]
            m -= 1
        values[m] = moved
    return float(0.5 * (values[(count - 1) // 2] + values[count // 2]))


@njit(cache=True, nogil=True, error_model="numpy")
def ring_level(window: _Singles, label: _Labels) -> tuple[float, float]:
    """Median and robust standard deviation of a window in a ring about its centre.

    Parameters
    ----------
    window : (n, n) float32 array
        Values.
    label : (n, n) int8 array
        -1 where the window has no values.

    Returns
    -------
    median, spread : float
        The spread is 1.4826 times the median absolute deviation; both NaN when the ring is empty.
    """
    half = window.shape[0] // 2
    values = np.empty(RING_RADII * RING_ANGLES, np.float64)
    count = 0
    for k in range(RING_RADII):
        radius = half * (RING[0] + (RING[1] - RING[0]) * k / (RING_RADII - 1))
        for m in range(RING_ANGLES):
            angle = 2.0 * math.pi * (m + 0.5 * (k % 2)) / RING_ANGLES
            r = half + math.floor(radius * math.sin(angle) + 0.5)
            c = half + math.floor(radius * math.cos(angle) + 0.5)
            if label[r, c] != BARRED:
                values[count] = window[r, c]
                count += 1
    if count == 0:
        return math.nan, math.nan
    median = _median(values, count)
    for k in range(count):
        values[k] = abs(values[k] - median)
    return median, MAD_TO_SD * _median(values, count)


@njit(cache=True, nogil=True, error_model="numpy")
def _summit(window: _Singles, label: _Labels, reach: float) -> tuple[int, int]:
    """Highest local maximum within `reach` grid steps of the centre, or the centre if there is none."""
    n = window.shape[0]
    half = n // 2
    best_r, best_c = half, half
    best = -math.inf
    extent = min(int(reach), half - 1)
    for r in range(half - extent, half + extent + 1):
        for c in range(half - extent, half + extent + 1):
            value = window[r, c]
            if (r - half) ** 2 + (c - half) ** 2 > reach * reach or label[r, c] == BARRED or value <= best:
                continue
            if (
                value >= window[r - 1, c]
                and value >= window[r + 1, c]
                and value >= window[r, c - 1]
                and value >= window[r, c + 1]
                and value >= window[r - 1, c - 1]
                and value >= window[r - 1, c + 1]
                and value >= window[r + 1, c - 1]
                and value >= window[r + 1, c + 1]
            ):
                best, best_r, best_c = value, r, c
    return best_r, best_c


@njit(cache=True, nogil=True, error_model="numpy")
def _steady_contrast(
    window: _Singles,
    label: _Labels,
    pushed: _Ints,
    reached: int,
    level: float,
    background: float,
    sigma: float,
    peak: float,
) -> float:
    """Height of a summit from the mean of the part above its half maximum, at most the summit itself."""
    n = window.shape[0]
    total, points = 0.0, 0
    for k in range(reached):
        r, c = pushed[k] // n, pushed[k] % n
        if label[r, c] == OWN and window[r, c] >= level:
            total += window[r, c] - background
            points += 1
    if points == 0:
        return peak
    radius = math.sqrt(points / math.pi) / sigma
    last = len(CORE_RADIUS) - 1
    k = 0
    while k < last - 1 and CORE_RADIUS[k + 1] < radius:
        k += 1
    share = (radius - CORE_RADIUS[k]) / (CORE_RADIUS[k + 1] - CORE_RADIUS[k])
    share = min(max(share, 0.0), 1.0)
    mean = CORE_MEAN[k] + share * (CORE_MEAN[k + 1] - CORE_MEAN[k])
    return float(min(peak, total / points / mean))


@njit(cache=True, nogil=True, error_model="numpy")
def measure(
    image: _Singles,
    pixels: _Singles,
    row: _Floats,
    col: _Floats,
    scale: _Floats,
    row_mm: float,
    col_mm: float,
    fraction: float,
    half_mm: float,
    step: float,
    smoothing: float,
    profiles: _Floats,
    volumes: _Floats,
    prior: _Floats,
    ring_mm: float,
    blur_mm: float,
    independent: float,
) -> _Floats:
    """Outline and measure spots.

    Parameters
    ----------
    image : (rows, cols) float32 array
        Spots over a background of about one level, for their outlines.
    pixels : (rows, cols) float32 array
        The same spots over an even background, for their sizes.
    row, col : (n,) float64 arrays
        Centres of the spots, in pixels, inside the image.
    scale : (n,) float64 array
        Gaussian scale of each spot, in mm.
    row_mm, col_mm : float
        Pixel spacing, in mm.
    fraction : float
        Level of the outline between background (0) and summit (1).
    half_mm : float
        Farthest that a spot may reach from its centre, in mm.
    step : float
        Spacing of the fine grid, in mm.
    smoothing : float
        Standard deviation of the smoothing, in units of `scale`.
    profiles, volumes, prior, ring_mm, independent
        Blurred bodies, as for `fit_body`.
    blur_mm : float
        Blur of the pixels, in mm.

    Returns
    -------
    (n, 19) float64 array
        `COLUMNS`; lengths in mm, positions in mm from the centre of the first pixel, the angle in
        radians, the size as a position among the bodies. A row is NaN when a spot does not rise above its
        background; size and volume are NaN when no body fits.
    """
    count = row.size
    found = np.full((count, len(COLUMNS)), np.nan)
    free = np.empty(RAYS)
    rows, cols = image.shape
    half = math.ceil(half_mm / step)
    n = 2 * half + 1
    window = np.empty((n, n), np.float32)
    label = np.empty((n, n), np.int8)
    heap_value = np.empty(n * n, np.float32)
    heap_place = np.empty(n * n, np.int64)
    pushed = np.empty(n * n, np.int64)
    disc = np.empty((n, n), np.int8)
    for r in range(n):
        for c in range(n):
            far = (r - half) ** 2 + (c - half) ** 2 > half * half
            disc[r, c] = BARRED if far else 0
    for i in range(count):
        # Half a pixel is the least that interpolates pixels without ripple.
        sigma_row = max(smoothing * scale[i], 0.5 * row_mm)
        sigma_col = max(smoothing * scale[i], 0.5 * col_mm)
        smooth_window(image, row[i], col[i], row_mm, col_mm, sigma_row, sigma_col, step, n, window)
        label[:] = disc
        # Grid points inside the image, in half-open ranges; the rest is barred.
        low_r = half + math.ceil((-0.5 - row[i]) * row_mm / step)
        high_r = half + math.floor((rows - 0.5 - row[i]) * row_mm / step) + 1
        low_c = half + math.ceil((-0.5 - col[i]) * col_mm / step)
        high_c = half + math.floor((cols - 0.5 - col[i]) * col_mm / step) + 1
        if low_r > 0 or low_c > 0 or high_r < n or high_c < n:
            for r in range(n):
                for c in range(n):
                    if r < low_r or r >= high_r or c < low_c or c >= high_c:
                        label[r, c] = BARRED
        background, noise = ring_level(window, label)
        top_row, top_col = _summit(window, label, max(scale[i], 0.7 * max(row_mm, col_mm)) / step)
        peak = window[top_row, top_col] - background
        if not (peak > 0.0 and math.isfinite(peak)):
            continue
        contrast = peak
        level = 0.0
        reached = 0
        # First the half maximum, whose mean height gives a contrast that single noisy points do not
        # inflate; then the outline asked for.
        for turn in range(2):
            share = 0.5 if turn == 0 else fraction
            level = background + share * contrast
            depth = max(DEPTH_FRACTION * contrast, DEPTH_NOISE * noise)
            depth = min(depth, DEPTH_LIMIT * (1.0 - share) * contrast)
            reached = flood(window, label, top_row, top_col, level, depth, heap_value, heap_place, pushed)
            if turn == 0:
                sigma = math.sqrt(sigma_row * sigma_col) / step
                contrast = _steady_contrast(window, label, pushed, reached, level, background, sigma, peak)
                for k in range(reached):
                    label[pushed[k] // n, pushed[k] % n] = 0
        region = 0
        start_row, start_col = n, n
        for k in range(reached):
            r, c = pushed[k] // n, pushed[k] % n
            if label[r, c] == OWN and window[r, c] >= level:
                region += 1
                if r < start_row:
                    start_row, start_col = r, c
        if region == 0:
            continue
        outline = np.empty((4 * region, 2), np.float64)
        corners = trace_outline(window, label, level, start_row, start_col, outline)
        outline = outline[:corners]
        slope = contour_slope(window, outline) / (step * contrast)
        low_row, low_col, high_row, high_col = math.inf, math.inf, -math.inf, -math.inf
        for k in range(corners):
            y = row[i] * row_mm + (outline[k, 0] - half) * step
            x = col[i] * col_mm + (outline[k, 1] - half) * step
            outline[k, 0], outline[k, 1] = y, x
            low_row, high_row = min(low_row, y), max(high_row, y)
            low_col, high_col = min(low_col, x), max(high_col, x)
        area, perimeter, y, x, minor, major, angle, hull_area = polygon_geometry(outline)
        if not area > 0.0:
            continue
        rough, moments = irregularity(outline, perimeter, y, x)
        for k in range(corners):
            outline[k, 0] = (outline[k, 0] - row[i] * row_mm) / step + half
            outline[k, 1] = (outline[k, 1] - col[i] * col_mm) / step + half
        mid_row, mid_col = (y - row[i] * row_mm) / step + half, (x - col[i] * col_mm) / step + half
        rim = rim_over_centre(window, outline, mid_row, mid_col, background, contrast)
        reach = max(
            REACH_SCALES * scale[i] + REACH_BLURS * blur_mm,
            REACH_RADII * math.sqrt(area / math.pi),
            REACH_PIXELS * max(row_mm, col_mm),
        )
        stretch = min(math.sqrt(major / minor), MAX_STRETCH) if minor > 0.0 else MAX_STRETCH
        free_reach(window, label, level, max(DEPTH_FRACTION * contrast, DEPTH_NOISE * noise), half, free)
        for k in range(RAYS):
            free[k] *= step
        size, volume = fit_body(
            pixels,
            row[i],
            col[i],
            row_mm,
            col_mm,
            angle if math.isfinite(angle) else 0.0,
            stretch,
            reach,
            free,
            profiles,
            volumes,
            prior,
            ring_mm,
            independent,
        )
        found[i, 0], found[i, 1], found[i, 2], found[i, 3], found[i, 4] = contrast, area, perimeter, y, x
        found[i, 5], found[i, 6], found[i, 7], found[i, 8] = minor, major, angle, hull_area
        found[i, 9], found[i, 10], found[i, 11], found[i, 12] = low_row, low_col, high_row, high_col
        found[i, 13], found[i, 14], found[i, 15], found[i, 16] = rough, moments, slope, rim
        found[i, 17], found[i, 18] = size, volume
    return found
