"""Insert calcifications of stated size and signal-to-noise ratio into a background.

The signal-to-noise ratio used throughout the phantom is defined here. For a calcification whose
stamp has the second moment s (blur and pixel aperture included), let h = G(s) - G(2 s), the
difference of two unit-sum Gaussians: the band-pass filter matched to a spot of that size. Then

    SNR = peak contrast * max(h * stamp) / (1.4826 * MAD of h * background)

where the median absolute deviation is taken over the pixels of the background, calcification-free,
within 3 mm of the site. It is thus the matched filter response over the local robust spread of noise
and texture together, at the scale of the calcification, and does not depend on any detector.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from mcdetect.image.mammogram import PixelSpacing
from mcdetect.kernels.constants import MAD_TO_SD
from mcdetect.phantom.calcifications import (
    CalcificationStamp,
    SystemBlur,
    draw_calcification,
    spacing_pair_mm,
)
from mcdetect.phantom.members import draw_member

__all__ = [
    "TRUTH_COLUMNS",
    "CalcificationSpec",
    "amplitude_for_snr",
    "bandpass",
    "draw_specs",
    "insert_calcifications",
    "random_specs",
]

# Judged: less background makes the SNR itself noisy, more takes other tissue in.
SITE_RADIUS_MM = 3.0  # background about a site that its SNR is measured against

TRUTH_COLUMNS: dict[str, str] = {
    "row_px": "float64",
    "col_px": "float64",
    "diameter_mm": "float64",
    "elongation": "float64",
    "orientation": "float64",
    "snr": "float64",
    "peak_contrast": "float64",
    "peak_thickness_mm": "float64",
    "group_id": "int64",
    "kind": "str",
    "clipped": "bool",
}
"""Columns of a truth table. `group_id` is 0 for a calcification of no group; `orientation` in radians, see
`CalcificationSpec`."""


@dataclass(frozen=True)
class CalcificationSpec:
    """One calcification to draw.

    Parameters
    ----------
    row_px, col_px : float
        Centroid; 0 at the centre of the first pixel.
    diameter_mm : float
        Diameter of the disc of the area of its projection, in mm.
    snr : float, optional
        Signal-to-noise ratio, as this module defines it. Exactly one of `snr` and `contrast`.
    contrast : float, optional
        Height of the peak over the background, in the units of the image.
    irregularity, elongation, orientation : float
        Shape, see `draw_calcification`.
    group_id : int
        The group it belongs to, 0 for none.
    kind : str
        Distribution of its group, or "scattered".
    form : str
        "grain", or a `mcdetect.phantom.members.MemberForm`: rod, branch, rim.
    """

    row_px: float
    col_px: float
    diameter_mm: float
    snr: float | None = None
    contrast: float | None = None
    irregularity: float = 0.5
    elongation: float = 1.2
    orientation: float = 0.0
    group_id: int = 0
    kind: str = "scattered"
    form: str = "grain"

    def __post_init__(self) -> None:
        if (self.snr is None) == (self.contrast is None):
            raise ValueError("give exactly one of snr and contrast")
        height = self.snr if self.contrast is None else self.contrast
        if height is None or not (math.isfinite(height) and height > 0):
            raise ValueError(f"snr or contrast must be finite and positive, got {height}")


def random_specs(
    positions_px: npt.ArrayLike,
    rng: np.random.Generator,
    *,
    diameter_mm: tuple[float, float] = (0.15, 0.5),
    snr: tuple[float, float] = (4.0, 15.0),
    irregularity: tuple[float, float] = (0.2, 0.9),
    elongation: tuple[float, float] = (1.0, 1.8),
    group_id: int = 0,
    kind: str = "scattered",
) -> list[CalcificationSpec]:
    """Draw sizes, shapes and signal-to-noise ratios for calcifications at given positions.

    Diameters and SNR are log-uniform within their ranges (many small and faint ones, few
    large), the other values uniform.

    Parameters
    ----------
    positions_px : (n, 2) array-like
        (row, col) in pixels.
    """
    specs = []
    for row, col in np.asarray(positions_px, dtype=np.float64).reshape(-1, 2):
        specs.append(
            CalcificationSpec(
                row_px=float(row),
                col_px=float(col),
                diameter_mm=float(np.exp(rng.uniform(*np.log(diameter_mm)))),
                snr=float(np.exp(rng.uniform(*np.log(snr)))),
                irregularity=float(rng.uniform(*irregularity)),
                elongation=float(rng.uniform(*elongation)),
                orientation=float(rng.uniform(0, math.pi)),
                group_id=group_id,
                kind=kind,
            )
        )
    return specs


def draw_specs(
    specs: Sequence[CalcificationSpec],
    spacing: PixelSpacing | float | tuple[float, float],
    *,
    blur: SystemBlur | float,
    rng: np.random.Generator,
) -> list[CalcificationStamp]:
    """Draw the stamp of each calcification, its centroid at its exact sub-pixel position."""
    stamps = []
    for spec in specs:
        offset = (spec.row_px - math.floor(spec.row_px + 0.5), spec.col_px - math.floor(spec.col_px + 0.5))
        draw = partial(draw_member, form=spec.form) if spec.form != "grain" else draw_calcification
        stamps.append(
            draw(
                spec.diameter_mm,
                spacing,
                irregularity=spec.irregularity,
                elongation=spec.elongation,
                orientation=spec.orientation,
                blur=blur,
                offset_px=offset,
                rng=rng,
            )
        )
    return stamps


def bandpass(
    image: npt.NDArray[np.float32], spacing: PixelSpacing | float | tuple[float, float], sigma_mm: float
) -> npt.NDArray[np.float32]:
    """Filter with G(sigma) - G(2 sigma), the filter of the definition of the SNR.

    Parameters
    ----------
    image : (rows, cols) float32 array
    spacing : PixelSpacing, float or (float, float)
        Pixel spacing in mm.
    sigma_mm : float
        Sigma of the inner Gaussian, in mm.
    """
    row_mm, col_mm = spacing_pair_mm(spacing)
    blurred = []
    for scale in (1.0, 2.0):
        sigma_row, sigma_col = scale * sigma_mm / row_mm, scale * sigma_mm / col_mm
        size = (2 * math.ceil(4 * sigma_col) + 1, 2 * math.ceil(4 * sigma_row) + 1)
        blurred.append(
            cv2.GaussianBlur(
                image, size, sigmaX=sigma_col, sigmaY=sigma_row, borderType=cv2.BORDER_REFLECT_101
            )
        )
    return np.asarray(blurred[0] - blurred[1], dtype=np.float32)


def amplitude_for_snr(
    image: npt.NDArray[np.floating],
    spacing: PixelSpacing | float | tuple[float, float],
    row_px: float,
    col_px: float,
    stamp: CalcificationStamp,
    *,
    mask: npt.NDArray[np.bool_] | None = None,
    grey_step: float | None = None,
) -> float:
    """Return the peak contrast at which a stamp at a site has SNR 1.

    Parameters
    ----------
    image : (rows, cols) float array
        The background, calcification-free, bright = dense.
    row_px, col_px : float
        The site.
    stamp : CalcificationStamp
    mask : (rows, cols) bool array, optional
        Pixels that count (the breast).
    grey_step : float, optional
        Grey-level step of the source; the spread is never taken as less than that of its rounding.
    """
    row_mm, col_mm = spacing_pair_mm(spacing)
    sigma = stamp.second_moment_mm
    reach = SITE_RADIUS_MM + 8 * sigma
    row, col = round(row_px), round(col_px)
    half_row, half_col = math.ceil(reach / row_mm), math.ceil(reach / col_mm)
    rows = slice(max(row - half_row, 0), min(row + half_row + 1, image.shape[0]))
    cols = slice(max(col - half_col, 0), min(col + half_col + 1, image.shape[1]))
    cut = image[rows, cols]
    patch = np.asarray(cut - cut.mean(), dtype=np.float32)
    response = bandpass(patch, (row_mm, col_mm), sigma)
    y = (np.arange(rows.start, rows.stop) - row_px) * row_mm
    x = (np.arange(cols.start, cols.stop) - col_px) * col_mm
    near = y[:, None] ** 2 + x[None, :] ** 2 <= SITE_RADIUS_MM**2
    if mask is not None:
        near &= mask[rows, cols]
    values = response[near]
    if values.size < 16:
        raise ValueError(
            f"fewer than 16 background pixels around the site ({row_px:.1f}, {col_px:.1f}); "
            "place the calcification inside the breast"
        )
    spread = MAD_TO_SD * float(np.median(np.abs(values - np.median(values))))
    least = max(1e-6 * float(np.ptp(patch)), 1e-12)
    if grey_step is not None:
        least = max(least, _rounding_spread(grey_step, sigma, row_mm, col_mm))
    pad_row, pad_col = math.ceil(8 * sigma / row_mm), math.ceil(8 * sigma / col_mm)
    padded = np.pad(stamp.values, ((pad_row, pad_row), (pad_col, pad_col)))
    return max(spread, least) / float(bandpass(padded, (row_mm, col_mm), sigma).max())


def _rounding_spread(grey_step: float, sigma_mm: float, row_mm: float, col_mm: float) -> float:
    """Standard deviation that rounding noise (white, step / sqrt 12) keeps behind the band-pass."""
    # Integral of (G(s) - G(2 s))^2 over the plane, for unit-sum Gaussians.
    power = (1 / 4 + 1 / 16 - 1 / 5) / (math.pi * sigma_mm**2)
    return grey_step / math.sqrt(12) * math.sqrt(min(power * row_mm * col_mm, 1.0))


def insert_calcifications(
    image: npt.NDArray[np.floating],
    spacing: PixelSpacing | float | tuple[float, float],
    specs: Sequence[CalcificationSpec],
    *,
    rng: np.random.Generator,
    blur: SystemBlur | float = 0.05,
    mask: npt.NDArray[np.bool_] | None = None,
    limits: tuple[float, float] | None = None,
    grey_step: float | None = None,
) -> tuple[npt.NDArray[np.float32], pd.DataFrame]:
    """Add calcifications to a background image.

    Parameters
    ----------
    image : (rows, cols) float array
        The background, bright = dense; not modified.
    spacing : PixelSpacing, float or (float, float)
        Pixel spacing in mm, (row, column).
    specs : sequence of CalcificationSpec
        What to insert. Each SNR refers to the background without any calcification.
    rng : numpy.random.Generator
        Source of the shapes.
    blur : SystemBlur or float
        Point spread of the system that made the background; a number is a sigma in mm.
    mask : (rows, cols) bool array, optional
        Pixels that count for the local spread (the breast).
    limits : (float, float), optional
        Grey levels that the result never leaves, such as (0, 4095).
    grey_step : float, optional
        Step to which changed pixels are rounded, such as 1 for integer sources; unchanged
        pixels keep their value.

    Returns
    -------
    image : (rows, cols) float32 array
    truth : DataFrame
        Columns `TRUTH_COLUMNS`, one row per calcification, in the order of `specs`.
        `peak_contrast` is the intended height; `clipped` says that `limits` cut it.
    """
    if image.ndim != 2:
        raise ValueError(f"image must be 2-D, got shape {image.shape}")
    pair = spacing_pair_mm(spacing)
    for spec in specs:
        if not (0 <= spec.row_px <= image.shape[0] - 1 and 0 <= spec.col_px <= image.shape[1] - 1):
            raise ValueError(f"site ({spec.row_px}, {spec.col_px}) lies outside the image {image.shape}")
    stamps = draw_specs(specs, pair, blur=blur, rng=rng)
    units = [
        amplitude_for_snr(image, pair, spec.row_px, spec.col_px, stamp, mask=mask, grey_step=grey_step)
        for spec, stamp in zip(specs, stamps, strict=True)
    ]
    contrasts = contrasts_of(specs, units)
    clipped: list[bool] = []
    out = np.array(image, dtype=np.float32)
    for spec, stamp, contrast in zip(specs, stamps, contrasts, strict=True):
        target, part = overlap(out.shape, spec, stamp)
        increment = np.float32(contrast) * stamp.values[part]
        if grey_step is not None:
            # Stochastic rounding: a shoulder lower than half a step is not lost.
            dither = rng.random(increment.shape, dtype=np.float32)
            increment = np.floor(increment / np.float32(grey_step) + dither) * np.float32(grey_step)
        new = out[target] + increment
        cut = False
        if limits is not None:
            cut = bool((new > limits[1]).any() or (new < limits[0]).any())
            new = np.clip(new, *limits)
        out[target] = new
        clipped.append(cut)
    return out, truth_table(specs, stamps, contrasts, units, clipped)


def contrasts_of(specs: Sequence[CalcificationSpec], units: Sequence[float]) -> list[float]:
    """Return the peak contrast of each calcification, given the contrast of SNR 1 at its site."""
    return [
        float(spec.contrast) if spec.contrast is not None else float(spec.snr or 0.0) * unit
        for spec, unit in zip(specs, units, strict=True)
    ]


def truth_table(
    specs: Sequence[CalcificationSpec],
    stamps: Sequence[CalcificationStamp],
    contrasts: Sequence[float],
    units: Sequence[float],
    clipped: Sequence[bool],
) -> pd.DataFrame:
    """Return the table of what was drawn, with the columns and dtypes of `TRUTH_COLUMNS`."""
    data = {
        "row_px": [spec.row_px for spec in specs],
        "col_px": [spec.col_px for spec in specs],
        "diameter_mm": [spec.diameter_mm for spec in specs],
        "elongation": [spec.elongation for spec in specs],
        "orientation": [spec.orientation for spec in specs],
        "snr": [contrast / unit for contrast, unit in zip(contrasts, units, strict=True)],
        "peak_contrast": list(contrasts),
        "peak_thickness_mm": [stamp.peak_thickness_mm for stamp in stamps],
        "group_id": [spec.group_id for spec in specs],
        "kind": [spec.kind for spec in specs],
        "clipped": list(clipped),
    }
    return pd.DataFrame({name: pd.Series(data[name], dtype=dtype) for name, dtype in TRUTH_COLUMNS.items()})


def overlap(
    shape: tuple[int, ...], spec: CalcificationSpec, stamp: CalcificationStamp
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the part of the image that a stamp covers, and the part of the stamp that lies on it."""
    image_part, stamp_part = [], []
    for position, size, extent in zip((spec.row_px, spec.col_px), stamp.values.shape, shape, strict=True):
        first = math.floor(position + 0.5) - size // 2
        start, stop = max(first, 0), min(first + size, extent)
        image_part.append(slice(start, stop))
        stamp_part.append(slice(start - first, stop - first))
    return (image_part[0], image_part[1]), (stamp_part[0], stamp_part[1])
