"""Breast tissue as a random field: power-law texture, glandular fraction and fat lobules."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt
from scipy import fft

from mcdetect.phantom.breast_outline import BreastShape, upsample

__all__ = ["glandular_fraction", "power_law_field", "smooth_field"]

# Judged: more layers make the projection smoother, fewer leave the tissue patchy.
_LAYERS = 5  # of tissue, one behind the other

# Technical: time and memory.
_MIDDLE_STEP_MM = 0.25  # grid of the tissue; finer pixels are interpolated, since noise hides finer texture


def power_law_field(
    shape: tuple[int, int],
    spacing_mm: tuple[float, float],
    rng: np.random.Generator,
    *,
    exponent: float = 3.0,
    outer_scale_mm: float = 60.0,
) -> npt.NDArray[np.float32]:
    """Draw a Gaussian random field whose power spectrum falls as 1 / f^exponent.

    Mammographic backgrounds have exponents near 3 (Burgess, Jacobson and Judy 2001,
    doi:10.1118/1.1355308).

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    spacing_mm : (float, float)
        Pixel spacing (row, column) in mm; the spectrum is isotropic in mm.
    rng : numpy.random.Generator
    exponent : float
        Exponent of the two-dimensional power spectrum.
    outer_scale_mm : float
        Wavelength in mm beyond which the spectrum is flat.

    Returns
    -------
    (rows, cols) float32 array
        Mean 0 and standard deviation 1.
    """
    # Drawn larger than asked for and cropped, so that opposite borders do not match.
    rows, cols = (fft.next_fast_len(n + n // 8 + 8, real=True) for n in shape)
    noise = rng.standard_normal((rows, cols), dtype=np.float32)
    spectrum = fft.rfft2(noise)
    down = fft.fftfreq(rows, spacing_mm[0]).astype(np.float32)[:, None]
    across = fft.rfftfreq(cols, spacing_mm[1]).astype(np.float32)[None, :]
    squared = down * down + across * across + np.float32(outer_scale_mm**-2)
    spectrum *= squared ** np.float32(-exponent / 4)
    spectrum[0, 0] = 0
    field = fft.irfft2(spectrum, s=(rows, cols))[: shape[0], : shape[1]]
    return np.asarray((field - field.mean()) / field.std(), dtype=np.float32)


def smooth_field(
    size_mm: tuple[float, float], step_mm: float, scale_mm: float, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Draw Gaussian noise blurred by a Gaussian of `scale_mm` on a grid of about `step_mm`; mean 0, SD 1."""
    rows, cols = (max(8, math.ceil(size / step_mm)) for size in size_mm)
    sigma = scale_mm / step_mm
    pad = math.ceil(4 * sigma)
    noise = rng.standard_normal((rows + 2 * pad, cols + 2 * pad), dtype=np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), sigmaX=sigma, sigmaY=sigma)
    # The theoretical spread: a crop of few correlation lengths must not be stretched to SD 1.
    spread = 1 / (2 * math.sqrt(math.pi) * sigma)
    return np.asarray(blurred[pad : pad + rows, pad : pad + cols] / spread, dtype=np.float32)


def glandular_fraction(
    outline: BreastShape,
    spacing_mm: tuple[float, float],
    density: float,
    rng: np.random.Generator,
) -> npt.NDArray[np.float32]:
    """Draw the share of the thickness that is glandular, 0 to 1.

    A cone behind the nipple, under a layer of fat, whose border and inside are broken up by power-law
    fields, one of them drawn out along the lines that run to the nipple.

    Parameters
    ----------
    outline : BreastShape
    spacing_mm : (float, float)
        Pixel spacing (row, column) in mm.
    density : float
        0 for an almost fatty breast, 1 for an extremely dense one.
    rng : numpy.random.Generator
    """
    shape = outline.depth_mm.shape
    rows, cols = shape
    size = rows * spacing_mm[0], cols * spacing_mm[1]
    finest = max(_MIDDLE_STEP_MM, min(spacing_mm))
    grid = tuple(max(8, math.ceil(length / finest)) for length in size)
    step = size[0] / grid[0], size[1] / grid[1]
    depth = cv2.resize(outline.depth_mm, (grid[1], grid[0]), interpolation=cv2.INTER_LINEAR)
    row = ((np.arange(grid[0], dtype=np.float32) + 0.5) * step[0])[:, None]
    col = ((np.arange(grid[1], dtype=np.float32) + 0.5) * step[1])[None, :]
    reach = max(float(depth.max()), 1.0)
    nipple_row, nipple_col = outline.nipple_mm

    # Fat under the skin and before the muscle; the cone leans to the upper outer quadrant.
    fat = np.float32(reach * rng.uniform(0.14, 0.22))
    from_skin = np.tanh((depth - fat) / (0.10 * reach))
    behind = np.float32(nipple_col) - col
    lean = (row - nipple_row) + np.float32(rng.uniform(0.15, 0.35)) * behind
    half_width = 0.25 * reach + np.float32(rng.uniform(0.45, 0.65)) * behind.clip(0)
    within = np.tanh((half_width - np.abs(lean)) / (0.18 * reach))
    from_chest = np.tanh((col - 0.12 * reach) / (0.15 * reach))
    prior = 0.9 * from_skin + 0.6 * within + 0.45 * from_chest
    base = prior - np.float32(1.9 - 1.5 * density)
    # Fan-like texture fades out at the nipple, where its lines would crowd.
    fan = np.clip(np.hypot(row - nipple_row, behind) / (0.45 * reach) - 0.25, 0, 1)

    # The picture is a projection: several layers, each with its own glandular tissue and fat lobules.
    fraction = np.zeros((grid[0], grid[1]), np.float32)
    for _ in range(_LAYERS):
        level = base + 0.75 * power_law_field(
            (grid[0], grid[1]), step, rng, exponent=3.2, outer_scale_mm=35.0
        )
        level += 0.60 * fan * _ductal_field(row - nipple_row, behind, size, rng)
        level += 0.60 * upsample(smooth_field(size, 4.0, 11.0, rng), (grid[0], grid[1]))
        tissue = 1 / (1 + np.exp(-1.6 * level))
        islands = upsample(smooth_field(size, 1.0, rng.uniform(1.6, 3.2), rng), (grid[0], grid[1]))
        tissue *= 1 - 0.85 / (1 + np.exp(-(islands - 0.5) / 0.22))
        fraction += tissue / np.float32(_LAYERS)
    fraction = np.float32(0.04) + np.float32(0.34 + 0.28 * density) * fraction
    return np.clip(upsample(fraction, (rows, cols)), 0, 1)


def _ductal_field(
    down: npt.NDArray[np.float32],
    behind: npt.NDArray[np.float32],
    size_mm: tuple[float, float],
    rng: np.random.Generator,
) -> npt.NDArray[np.float32]:
    """Power-law texture stretched threefold along the lines that run to the nipple."""
    radius = np.hypot(down, behind)
    angle = np.arctan2(down, behind)
    length = math.hypot(*size_mm)
    step = 0.4
    stretched = power_law_field(
        (math.ceil(length / 3 / step) + 4, math.ceil(2 * math.pi * 0.35 * length / step) + 4),
        (step, step),
        rng,
        exponent=3.2,
        outer_scale_mm=30.0,
    )
    across = (angle + np.float32(math.pi)) * np.float32(0.35 * length / step)
    along = radius * np.float32(1 / (3 * step))
    sampled = cv2.remap(stretched, across, along, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(sampled, dtype=np.float32)
