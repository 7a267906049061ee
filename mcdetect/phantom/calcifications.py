"""Draw one irregular calcification as the x-ray system would record it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from mcdetect.image.mammogram import PixelSpacing
from mcdetect.kernels.grain import grain_thickness

__all__ = ["CalcificationStamp", "SystemBlur", "aperture_weights", "draw_calcification", "spacing_pair_mm"]

# Technical: how finely calcifications are drawn.
FINE_STEP_MM = 0.01  # grid before blur and pixels
MIN_OVERSAMPLING = 5  # of its points along a pixel, at least
_UNIT_GRID = 161  # points along a side of the grid on which a grain is measured before it is scaled
_UNIT_HALF = 2.6  # half its side, in units of the grain's radius


@dataclass(frozen=True)
class SystemBlur:
    """Point spread of the x-ray system ahead of the pixel aperture: a Gaussian core with an optional tail.

    Parameters
    ----------
    sigma_mm : float
        Standard deviation of the core, in mm. About 0.04 for selenium detectors, 0.06 for
        caesium iodide, 0.05 to 0.08 for screen-film with its digitiser.
    tail_fraction : float
        Share of the signal in the tail, 0 to 1 (light spread in a phosphor).
    tail_ratio : float
        Standard deviation of the tail over that of the core.
    """

    sigma_mm: float = 0.05
    tail_fraction: float = 0.0
    tail_ratio: float = 3.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.sigma_mm) and self.sigma_mm >= 0):
            raise ValueError(f"sigma_mm must be finite and not negative, got {self.sigma_mm}")
        if not 0 <= self.tail_fraction < 1:
            raise ValueError(f"tail_fraction must be within [0, 1), got {self.tail_fraction}")
        if not (math.isfinite(self.tail_ratio) and self.tail_ratio >= 1):
            raise ValueError(f"tail_ratio must be at least 1, got {self.tail_ratio}")

    @property
    def terms(self) -> tuple[tuple[float, float], ...]:
        """(weight, sigma in mm) of each Gaussian."""
        core = (1.0 - self.tail_fraction, self.sigma_mm)
        if self.tail_fraction == 0:
            return (core,)
        return (core, (self.tail_fraction, self.sigma_mm * self.tail_ratio))

    @property
    def reach_mm(self) -> float:
        """Radius in mm beyond which the blur is drawn as zero."""
        return 4.0 * self.terms[-1][1]

    @property
    def variance_mm2(self) -> float:
        """Second moment of the point spread along one axis, in mm2."""
        return sum(weight * sigma**2 for weight, sigma in self.terms)


@dataclass(frozen=True)
class CalcificationStamp:
    """A calcification on the pixel grid, peak 1.

    Parameters
    ----------
    values : (rows, cols) float32 array, both odd
        Blurred thickness averaged over each pixel, divided by its maximum.
    offset_px : (float, float)
        Position (row, col) of the thickness-weighted centroid relative to the central pixel of `values`.
    diameter_mm : float
        Diameter of the disc that has the area of the grain's projection, before blur.
    peak_thickness_mm : float
        Blurred thickness in mm where `values` is 1.
    second_moment_mm : float
        Standard deviation of the stamp along one axis (mean of both), in mm; never less than that
        of blur and pixel aperture alone.
    """

    values: npt.NDArray[np.float32]
    offset_px: tuple[float, float]
    diameter_mm: float
    peak_thickness_mm: float
    second_moment_mm: float


@dataclass(frozen=True)
class _Grain:
    """Overlapping ellipsoids with axes along (u, v, z), in units of the grain's radius."""

    centres: npt.NDArray[np.float64]
    radii: npt.NDArray[np.float64]


def spacing_pair_mm(spacing: PixelSpacing | float | tuple[float, float]) -> tuple[float, float]:
    """Return (row spacing, column spacing) in mm; `ValueError` unless both are finite and positive."""
    if isinstance(spacing, PixelSpacing):
        return spacing.row_mm, spacing.col_mm
    row, col = spacing if isinstance(spacing, tuple) else (spacing, spacing)
    if not (math.isfinite(row) and math.isfinite(col) and row > 0 and col > 0):
        raise ValueError(f"pixel spacing must be finite and positive, got {spacing}")
    return float(row), float(col)


def _random_grain(irregularity: float, rng: np.random.Generator) -> _Grain:
    """A body of radius 1 and, the more irregular, the more and the farther lobes on its surface."""
    n_lobes = int(rng.integers(3, 6)) if irregularity > 0 else 0
    angle = rng.uniform(0, 2 * math.pi, n_lobes)
    distance = irregularity * rng.uniform(0.7, 1.25, n_lobes)
    size = rng.uniform(0.35, 0.8, n_lobes)
    height = irregularity * rng.uniform(-0.4, 0.4, n_lobes)
    flatness = rng.uniform(0.6, 1.0, n_lobes)
    stretch = np.exp(irregularity * rng.uniform(-0.4, 0.4, n_lobes))
    centres = np.zeros((n_lobes + 1, 3))
    centres[1:] = np.stack([distance * np.sin(angle), distance * np.cos(angle), height], axis=1)
    radii = np.ones((n_lobes + 1, 3))
    radii[1:] = np.stack([size * stretch, size / stretch, size * flatness], axis=1)
    return _Grain(centres, radii)


def aperture_weights(
    fine_mm: npt.NDArray[np.floating], pixel_mm: npt.NDArray[np.floating], pitch_mm: float, sigma_mm: float
) -> npt.NDArray[np.float64]:
    """Return the share of a point that a Gaussian blur leaves in each pixel, (pixels, fine points)."""
    distance = pixel_mm[:, None] - fine_mm[None, :]
    if sigma_mm == 0:
        return (np.abs(distance) <= pitch_mm / 2).astype(np.float64)
    upper = ndtr((distance + pitch_mm / 2) / sigma_mm)
    return np.asarray(upper - ndtr((distance - pitch_mm / 2) / sigma_mm), dtype=np.float64)


def draw_calcification(
    diameter_mm: float,
    spacing: PixelSpacing | float | tuple[float, float],
    *,
    irregularity: float = 0.5,
    elongation: float = 1.2,
    orientation: float = 0.0,
    blur: SystemBlur | float = 0.05,
    offset_px: tuple[float, float] = (0.0, 0.0),
    rng: np.random.Generator,
) -> CalcificationStamp:
    """Draw a calcification grain, blurred by the system and averaged over the pixels.

    The grain is a union of ellipsoids: a round body with three to five lobes. Its thickness along
    the beam is sampled on a grid of 0.01 mm or a fifth of a pixel, whichever is finer; the
    Gaussian blur and the pixel aperture are integrated exactly (differences of the normal
    distribution function), so sub-pixel positions and anisotropic pixels need no resampling.

    Parameters
    ----------
    diameter_mm : float
        Diameter of the disc of the area that the grain's projection has, before blur, in mm.
    spacing : PixelSpacing, float or (float, float)
        Pixel spacing in mm, (row, column).
    irregularity : float
        0 for an ellipsoid, 1 for lobes as far out as the radius of the body.
    elongation : float
        Stretch along the orientation over stretch across it, at least 1.
    orientation : float
        Angle of the long axis in radians, from the column axis (+col) towards +row.
    blur : SystemBlur or float
        Point spread of the system; a number is the sigma of a Gaussian in mm.
    offset_px : (float, float)
        Where the thickness-weighted centroid falls, relative to the centre of the central pixel (row, col).
    rng : numpy.random.Generator
        Source of the shape.

    Returns
    -------
    CalcificationStamp
    """
    row_mm, col_mm = spacing_pair_mm(spacing)
    if not (math.isfinite(diameter_mm) and diameter_mm > 0):
        raise ValueError(f"diameter_mm must be finite and positive, got {diameter_mm}")
    if not 0 <= irregularity <= 1:
        raise ValueError(f"irregularity must be within [0, 1], got {irregularity}")
    if not (math.isfinite(elongation) and elongation >= 1):
        raise ValueError(f"elongation must be at least 1, got {elongation}")
    psf = blur if isinstance(blur, SystemBlur) else SystemBlur(float(blur))
    grain = _random_grain(irregularity, rng)

    axis = np.linspace(-_UNIT_HALF, _UNIT_HALF, _UNIT_GRID)
    step = axis[1] - axis[0]
    level = np.zeros_like(axis)
    unit = grain_thickness(axis, level, level, axis, grain.centres, grain.radii)
    covered = unit > 0
    weight = unit / unit.sum()
    centre_u = float((weight.sum(axis=0) * axis).sum())
    centre_v = float((weight.sum(axis=1) * axis).sum())
    scale = diameter_mm / (2.0 * math.sqrt(np.count_nonzero(covered) * step**2 / math.pi))
    along, across = scale * math.sqrt(elongation), scale / math.sqrt(elongation)
    occupied_u, occupied_v = axis[covered.any(axis=0)], axis[covered.any(axis=1)]
    reach_mm = psf.reach_mm + math.hypot(
        (max(occupied_u[-1] - centre_u, centre_u - occupied_u[0]) + step) * along,
        (max(occupied_v[-1] - centre_v, centre_v - occupied_v[0]) + step) * across,
    )

    fine: list[npt.NDArray[np.floating]] = []
    pixel: list[npt.NDArray[np.floating]] = []
    for pitch, offset in zip((row_mm, col_mm), offset_px, strict=True):
        half = math.ceil(reach_mm / pitch + abs(offset) + 0.5)
        factor = max(MIN_OVERSAMPLING, math.ceil(pitch / FINE_STEP_MM))
        n_pixels = 2 * half + 1
        pixel.append((np.arange(n_pixels) - half) * pitch)
        fine.append(((np.arange(n_pixels * factor) + 0.5) / factor - 0.5 - half) * pitch)
    # Only the fine points that the grain can reach are worth computing.
    y = fine[0] - offset_px[0] * row_mm
    x = fine[1] - offset_px[1] * col_mm
    grain_mm = reach_mm - psf.reach_mm
    keep_y, keep_x = np.abs(y) <= grain_mm, np.abs(x) <= grain_mm
    y, x = y[keep_y], x[keep_x]
    cos, sin = math.cos(orientation), math.sin(orientation)
    thickness = scale * grain_thickness(
        x * cos / along + centre_u,
        y * sin / along,
        -x * sin / across + centre_v,
        y * cos / across,
        grain.centres,
        grain.radii,
    )
    fine_row, fine_col = fine[0][1] - fine[0][0], fine[1][1] - fine[1][0]
    values = np.zeros((pixel[0].size, pixel[1].size))
    for share, sigma in psf.terms:
        rows = aperture_weights(fine[0][keep_y], pixel[0], row_mm, sigma) * (fine_row / row_mm)
        cols = aperture_weights(fine[1][keep_x], pixel[1], col_mm, sigma) * (fine_col / col_mm)
        values += share * (rows @ thickness @ cols.T)
    total = values.sum()
    if total <= 0:
        raise ValueError(f"a calcification of {diameter_mm} mm is lost between points of the fine grid")
    down, right = values.sum(axis=1) / total, values.sum(axis=0) / total
    variance_row = float((down * pixel[0] ** 2).sum() - (down * pixel[0]).sum() ** 2)
    variance_col = float((right * pixel[1] ** 2).sum() - (right * pixel[1]).sum() ** 2)
    # A spot in the middle of a wide pixel seems to have no width at all; it has the aperture's.
    least = psf.variance_mm2 + (row_mm**2 + col_mm**2) / 24
    peak = float(values.max())
    return CalcificationStamp(
        values=(values / peak).astype(np.float32),
        offset_px=(float(offset_px[0]), float(offset_px[1])),
        diameter_mm=float(diameter_mm),
        peak_thickness_mm=peak,
        second_moment_mm=math.sqrt(max(0.5 * (variance_row + variance_col), least)),
    )
