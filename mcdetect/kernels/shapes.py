"""Outlines of small bright spots with sub-pixel edges, and their geometry in millimetres.

Each spot is treated on a fine grid of its own, equally spaced in mm along both axes, so that pixel shape and
spacing do not matter from there on.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.irregularity import contour_slope, irregularity, rim_over_centre
from mcdetect.kernels.jit import kernel
from mcdetect.kernels.polygons import polygon_geometry
from mcdetect.kernels.regions import BARRED, OWN, flood, trace_outline
from mcdetect.kernels.sizes import RAYS, fit_bodies, free_reach
from mcdetect.kernels.threads import in_parts
from mcdetect.kernels.windows import RING, ring_level, smooth_window

__all__ = ["COLUMNS", "RING", "measure", "ring_level", "smooth_window"]

_Floats = npt.NDArray[np.float64]
_Singles = npt.NDArray[np.float32]
_Ints = npt.NDArray[np.int64]
_Labels = npt.NDArray[np.int8]

# Technical: division of the work and of the columns.
_LEAST_SPOTS = 8  # fewest that are worth a thread
_OUTLINED = 17  # the first of `COLUMNS`, which come from the outline

# Judged: how far a way must climb from its lowest point to have come to another summit. More takes neighbours
# that touch for one body, less cuts a noisy body in pieces.
DEPTH_FRACTION = 0.15  # at least this share of the contrast,
DEPTH_NOISE = 2.0  # and this many SD of the background ring,
DEPTH_LIMIT = 0.8  # but at most this share of the height of the summit above the outline's level

# Judged: to which pixels bodies are fitted: the largest of three reaches, and in what shape. A farther reach
# steadies the size, and takes in tissue and neighbours (measure after a change: python -m benchmarks
# size_accuracy).
REACH_SCALES = 2.0  # from the centre, in the spot's own Gaussian scale,
REACH_BLURS = 1.6  # plus this many SD of the blur
REACH_RADII = 1.2  # in radii of the disc of the outline's area
REACH_PIXELS = 1.75  # in the larger pixel spacing
MAX_STRETCH = 5.0  # long over short axis of a body; a body with a thinner outline is fitted with this

# Physics: optics of a disc behind a Gaussian blur. Values are rounded to four digits.
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


@kernel
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
            top = True
            for near_r in range(r - 1, r + 2):
                for near_c in range(c - 1, c + 2):
                    top = top and value >= window[near_r, near_c]
            if top:
                best, best_r, best_c = value, r, c
    return best_r, best_c


@kernel
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
    outlined = np.full((row.size, _OUTLINED), np.nan)
    least_reach = REACH_PIXELS * max(row_mm, col_mm)
    sized = np.full((row.size, len(COLUMNS) - _OUTLINED), np.nan)
    free = np.empty((row.size, RAYS))

    def part(first: int, last: int) -> None:
        here = slice(first, last)
        _outline(
            image,
            row[here],
            col[here],
            scale[here],
            row_mm,
            col_mm,
            fraction,
            half_mm,
            step,
            smoothing,
            outlined[here],
            free[here],
        )
        area, minor, major, angle = outlined[here, [1, 5, 6, 7]].T
        with np.errstate(divide="ignore", invalid="ignore"):
            stretch = np.where(minor > 0.0, np.minimum(np.sqrt(major / minor), MAX_STRETCH), MAX_STRETCH)
        reach = np.maximum(REACH_SCALES * scale[here] + REACH_BLURS * blur_mm, least_reach)
        reach = np.maximum(reach, REACH_RADII * np.sqrt(area / math.pi))  # NaN without an outline
        fit_bodies(
            pixels,
            row[here],
            col[here],
            row_mm,
            col_mm,
            np.where(np.isfinite(angle), angle, 0.0),
            stretch,
            reach,
            step * free[here],
            profiles,
            volumes,
            prior,
            ring_mm,
            independent,
            sized[here],
        )

    in_parts(part, row.size, least=_LEAST_SPOTS)
    return np.concatenate((outlined, sized), axis=1)


@kernel
def _outline(
    image: _Singles,
    row: _Floats,
    col: _Floats,
    scale: _Floats,
    row_mm: float,
    col_mm: float,
    fraction: float,
    half_mm: float,
    step: float,
    smoothing: float,
    found: _Floats,
    free: _Floats,
) -> None:
    """Write what the outline gives to `found`, and the reach of other summits, in grid steps, to `free`."""
    count = row.size
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
        for r in range(n):
            for c in range(n):
                label[r, c] = disc[r, c]
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
        free_reach(window, label, level, max(DEPTH_FRACTION * contrast, DEPTH_NOISE * noise), half, free[i])
        found[i, 0], found[i, 1], found[i, 2], found[i, 3], found[i, 4] = contrast, area, perimeter, y, x
        found[i, 5], found[i, 6], found[i, 7], found[i, 8] = minor, major, angle, hull_area
        found[i, 9], found[i, 10], found[i, 11], found[i, 12] = low_row, low_col, high_row, high_col
        found[i, 13], found[i, 14], found[i, 15], found[i, 16] = rough, moments, slope, rim
