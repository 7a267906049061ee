"""Outlines of small bright spots with sub-pixel edges, and their geometry in millimetres.

Each spot is treated on a fine grid of its own, equally spaced in mm along both axes, so that pixel shape and
spacing do not matter from there on.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.ellipses import fit_ellipse
from mcdetect.kernels.irregularity import contour_slope, irregularity, rim_over_centre
from mcdetect.kernels.jit import kernel
from mcdetect.kernels.polygons import polygon_geometry, stretch_polygon, stretch_to
from mcdetect.kernels.reaches import RAYS, free_reach
from mcdetect.kernels.regions import BARRED, OWN, trace_outline
from mcdetect.kernels.summits import DEPTH_FRACTION, DEPTH_NOISE, region_of, summit
from mcdetect.kernels.threads import in_parts
from mcdetect.kernels.windows import RING, ring_level, smooth_window

__all__ = ["COLUMNS", "RING", "measure", "ring_level", "smooth_window"]

_Floats = npt.NDArray[np.float64]
_Singles = npt.NDArray[np.float32]
_Ints = npt.NDArray[np.int64]
_Labels = npt.NDArray[np.int8]

# Technical: division of the work and of the columns.
_LEAST_SPOTS = 8  # fewest that are worth a thread
_MOST_PIXELS = 6000  # that a body is fitted to

# Judged: on drawn bodies (python -m benchmarks ellipses size_accuracy). A steadier outline has its notches
# and ends rounded off; a farther reach steadies the size, and takes in tissue and neighbours.
STEADY = 8.0
"""Contrast over noise down to which an outline is smoothed less than asked for,"""
LESS = 0.85  # when that takes a good share of the smoothing
REACH_BLURS = 3.0  # a body is fitted to the pixels so far beyond its outline, in SD of the blur,
REACH_PIXELS = 1.5  # and at least so many pixels
NO_ELLIPSE, ELLIPSE = 0.82, 0.96  # area over that of the ellipse of equal second moments

# Physics: a point behind a Gaussian has this half width at half its height, in SD.
HALF_WIDTH = 1.1774

LEAST_SHARE = 0.35  # Judged: an outline of less than this share of a blurred point's area is none

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
    "volume",
)
"""What `measure` returns for each spot, in this order."""


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
    blur_mm: float,
    known: _Floats,
    growth: _Floats,
    independent: float,
) -> _Floats:
    """Outline and measure spots.

    Parameters
    ----------
    image : (rows, cols) float32 array
        Spots over a background of about one level, for their outlines.
    pixels : (rows, cols) float32 array
        The same spots over an even background, for their axes.
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
    blur_mm : float
        Blur ahead of the pixels, in mm.
    known, independent
        As for `mcdetect.kernels.ellipses.fit_ellipse`.
    growth : (4,) float64 array
        How far outlines may be stretched: `floor` of `mcdetect.kernels.polygons.stretch_to`, and its `most`.

    Returns
    -------
    (n, 18) float64 array
        `COLUMNS`; lengths in mm, positions in mm from the centre of the first pixel, the angle in
        radians. A row is NaN when a spot does not rise above its background or has no measurable outline; the
        volume is NaN when no body fits.
    """
    found = np.full((row.size, len(COLUMNS)), np.nan)

    def part(first: int, last: int) -> None:
        here = slice(first, last)
        _measure(
            image,
            pixels,
            row[here],
            col[here],
            scale[here],
            row_mm,
            col_mm,
            fraction,
            half_mm,
            step,
            smoothing,
            blur_mm,
            known,
            growth,
            independent,
            found[here],
        )

    in_parts(part, row.size, least=_LEAST_SPOTS)
    return found


@kernel
def _measure(
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
    blur_mm: float,
    known: _Floats,
    growth: _Floats,
    independent: float,
    found: _Floats,
) -> None:
    """Write what is measured of every spot to `found`."""
    rows, cols = image.shape
    half = math.ceil(half_mm / step)
    n = 2 * half + 1
    window = np.empty((n, n), np.float32)
    label = np.empty((n, n), np.int8)
    heap_value = np.empty(n * n, np.float32)
    heap_place = np.empty(n * n, np.int64)
    pushed = np.empty(n * n, np.int64)
    free = np.empty(RAYS)
    pixel = np.empty((_MOST_PIXELS, 3))
    start, body, factors = np.empty(5), np.empty(6), np.empty(4)
    for i in range(row.size):
        # Half a pixel is the least that interpolates pixels without ripple.
        sigma_row = max(smoothing * scale[i], 0.5 * row_mm)
        sigma_col = max(smoothing * scale[i], 0.5 * col_mm)
        reach = max(scale[i], 0.7 * max(row_mm, col_mm)) / step
        # Grid points inside the image, in half-open ranges; the rest is barred.
        low_r = half + math.ceil((-0.5 - row[i]) * row_mm / step)
        high_r = half + math.floor((rows - 0.5 - row[i]) * row_mm / step) + 1
        low_c = half + math.ceil((-0.5 - col[i]) * col_mm / step)
        high_c = half + math.floor((cols - 0.5 - col[i]) * col_mm / step) + 1
        for r in range(n):
            for c in range(n):
                far = (r - half) ** 2 + (c - half) ** 2 > half * half
                outside = r < low_r or r >= high_r or c < low_c or c >= high_c
                label[r, c] = BARRED if far or outside else 0
        smooth_window(image, row[i], col[i], row_mm, col_mm, sigma_row, sigma_col, step, n, window)
        background, noise = ring_level(window, label)
        top_row, top_col = summit(window, label, reach)
        peak = window[top_row, top_col] - background
        if not (peak > 0.0 and math.isfinite(peak)):
            continue
        sigma = math.sqrt(sigma_row * sigma_col)
        depths = DEPTH_FRACTION, DEPTH_NOISE * noise
        top = top_row * n + top_col
        contrast, level, reached = region_of(
            window,
            label,
            top,
            background,
            peak,
            fraction,
            depths,
            sigma / step,
            heap_value,
            heap_place,
            pushed,
        )
        height = contrast
        free_reach(window, label, level, max(DEPTH_FRACTION * contrast, DEPTH_NOISE * noise), half, free)
        for k in range(RAYS):
            free[k] *= step
        # A body that stands out is outlined again with less smoothing: white noise grows as its inverse.
        # What was another summit's stays so.
        less = max(STEADY * noise / contrast, 0.5 * max(row_mm, col_mm) / sigma)
        if less < LESS:
            sigma_row, sigma_col = max(less * sigma_row, 0.5 * row_mm), max(less * sigma_col, 0.5 * col_mm)
            smooth_window(image, row[i], col[i], row_mm, col_mm, sigma_row, sigma_col, step, n, window)
            background, noise = ring_level(window, label)
            for k in range(reached):
                r, c = pushed[k] // n, pushed[k] % n
                if label[r, c] == OWN:
                    label[r, c] = 0
                    if window[r, c] > window[top // n, top % n]:
                        top = pushed[k]
            peak = window[top // n, top % n] - background
            sigma = math.sqrt(sigma_row * sigma_col)
            depths = 2.0 * DEPTH_FRACTION, 2.0 * DEPTH_NOISE * noise
            height, level, reached = region_of(
                window,
                label,
                top,
                background,
                peak,
                fraction,
                depths,
                sigma / step,
                heap_value,
                heap_place,
                pushed,
            )
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
        slope = contour_slope(window, outline) / (step * height)
        area, perimeter, mid_row, mid_col, minor, major, angle, hull_area = polygon_geometry(outline)
        blur_row = math.sqrt(blur_mm * blur_mm + row_mm * row_mm / 12.0 + sigma_row * sigma_row)
        blur_col = math.sqrt(blur_mm * blur_mm + col_mm * col_mm / 12.0 + sigma_col * sigma_col)
        point = math.pi * HALF_WIDTH * HALF_WIDTH * blur_row * blur_col
        if not (area * step * step > LEAST_SHARE * point and minor > 0.0):
            continue
        rim = rim_over_centre(window, outline, mid_row, mid_col, background, height)
        # From here on in mm from the spot.
        for k in range(corners):
            outline[k, 0], outline[k, 1] = (outline[k, 0] - half) * step, (outline[k, 1] - half) * step
        y, x = (mid_row - half) * step, (mid_col - half) * step
        minor, major, area = minor * step * step, major * step * step, area * step * step
        wide, across = 2.0 * math.sqrt(major), 2.0 * math.sqrt(minor)
        core = HALF_WIDTH * HALF_WIDTH * blur_row * blur_col
        start[0], start[1], start[4] = y, x, angle if angle == angle else 0.0
        start[2] = math.sqrt(max(wide * wide - core, 0.1 * wide * wide))
        start[3] = math.sqrt(max(across * across - core, 0.1 * across * across))
        blur = math.sqrt(blur_mm * blur_mm + row_mm * col_mm / 12.0)
        margin = max(REACH_BLURS * blur, REACH_PIXELS * max(row_mm, col_mm))
        if fit_ellipse(
            pixels,
            row[i],
            col[i],
            row_mm,
            col_mm,
            start,
            wide + margin,
            across + margin,
            free,
            blur_mm,
            known,
            independent,
            pixel,
            body,
        ):
            found[i, 17] = body[5]
            trust = (area / (math.pi * wide * across) - NO_ELLIPSE) / (ELLIPSE - NO_ELLIPSE)
            trust = min(max(trust, 0.0), 1.0)
            long, short = (0.5 * body[2]) ** 2, (0.5 * body[3]) ** 2
            stretch_to(minor, major, start[4], short, long, body[4], growth[3], growth, factors)
            stretch_polygon(outline, y, x, factors, trust)
        low_row, low_col, high_row, high_col = math.inf, math.inf, -math.inf, -math.inf
        for k in range(corners):
            outline[k, 0] += row[i] * row_mm
            outline[k, 1] += col[i] * col_mm
            low_row, high_row = min(low_row, outline[k, 0]), max(high_row, outline[k, 0])
            low_col, high_col = min(low_col, outline[k, 1]), max(high_col, outline[k, 1])
        area, perimeter, y, x, minor, major, angle, hull_area = polygon_geometry(outline)
        rough, moments = irregularity(outline, perimeter, y, x)
        found[i, 0], found[i, 1], found[i, 2], found[i, 3], found[i, 4] = contrast, area, perimeter, y, x
        found[i, 5], found[i, 6], found[i, 7], found[i, 8] = minor, major, angle, hull_area
        found[i, 9], found[i, 10], found[i, 11], found[i, 12] = low_row, low_col, high_row, high_col
        found[i, 13], found[i, 14], found[i, 15], found[i, 16] = rough, moments, slope, rim
