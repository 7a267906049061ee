"""Calcifications of the forms that BI-RADS names: rods, branching casts, rims; and calcified arteries."""

from __future__ import annotations

import math
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from mcdetect.image.mammogram import PixelSpacing
from mcdetect.phantom.calcifications import (
    FINE_STEP_MM,
    MIN_OVERSAMPLING,
    CalcificationStamp,
    SystemBlur,
    aperture_weights,
    spacing_pair_mm,
)

__all__ = ["MemberForm", "draw_member", "vessel_walls_mm"]

_Floats = npt.NDArray[np.float64]


class MemberForm(StrEnum):
    """Form of a calcification that is no grain."""

    ROD = "rod"
    BRANCH = "branch"
    RIM = "rim"


def _capsule(y: _Floats, x: _Floats, start: _Floats, end: _Floats, radius: float) -> _Floats:
    """Thickness of a round-ended rod in the plane: a full circle across, in mm."""
    way = end - start
    length2 = max(float(way @ way), 1e-12)
    place = np.clip(((y - start[0]) * way[0] + (x - start[1]) * way[1]) / length2, 0.0, 1.0)
    away2 = (y - start[0] - place * way[0]) ** 2 + (x - start[1] - place * way[1]) ** 2
    thickness: _Floats = 2.0 * np.sqrt(np.maximum(radius**2 - away2, 0.0))
    return thickness


def _thickness(
    form: MemberForm,
    y: _Floats,
    x: _Floats,
    diameter_mm: float,
    elongation: float,
    orientation: float,
    irregularity: float,
    rng: np.random.Generator,
) -> _Floats:
    ahead = np.array([math.sin(orientation), math.cos(orientation)])
    if form is MemberForm.RIM:
        outer, wall = 0.5 * diameter_mm, 0.5 * diameter_mm * 0.25
        away2 = y**2 + x**2
        return 2.0 * (
            np.sqrt(np.maximum(outer**2 - away2, 0.0)) - np.sqrt(np.maximum((outer - wall) ** 2 - away2, 0.0))
        )
    # A rod of width w and length e w covers about (e - 1 + pi / 4) w^2.
    width = math.sqrt(math.pi / 4 * diameter_mm**2 / (elongation - 1.0 + math.pi / 4))
    half = 0.5 * (elongation - 1.0) * width
    if form is MemberForm.ROD:
        wobble = irregularity * 0.15 * half * rng.uniform(-1, 1)
        aside = np.array([ahead[1], -ahead[0]]) * wobble
        middle = aside
        return np.maximum(
            _capsule(y, x, -half * ahead, middle, 0.5 * width),
            _capsule(y, x, middle, half * ahead, 0.5 * width),
        )
    # A stem that forks like a duct: two arms at 20 to 45 degrees to either side.
    fork = rng.uniform(-0.3, 0.3) * half * ahead
    drawn = _capsule(y, x, -half * ahead, fork, 0.45 * width)
    for sign in (-1.0, 1.0):
        angle = orientation + sign * rng.uniform(0.35, 0.8)
        reach = half * rng.uniform(0.6, 1.0)
        arm = fork + reach * np.array([math.sin(angle), math.cos(angle)])
        drawn = np.maximum(drawn, _capsule(y, x, fork, arm, 0.45 * width * rng.uniform(0.7, 1.0)))
    return drawn


def draw_member(
    diameter_mm: float,
    spacing: PixelSpacing | float | tuple[float, float],
    *,
    form: MemberForm | str,
    irregularity: float = 0.5,
    elongation: float = 4.0,
    orientation: float = 0.0,
    blur: SystemBlur | float = 0.05,
    offset_px: tuple[float, float] = (0.0, 0.0),
    rng: np.random.Generator,
) -> CalcificationStamp:
    """Draw a rod, a branching cast or a rim as the x-ray system would record it.

    Parameters
    ----------
    diameter_mm : float
        Diameter of the disc of (about) the area of the projection, before blur, in mm; of a rim,
        its outer diameter.
    spacing : PixelSpacing, float or (float, float)
        Pixel spacing in mm, (row, column).
    form : {"rod", "branch", "rim"}
        A rod is round across; a branch forks into two arms; a rim is a hollow sphere whose wall is an
        eighth of its diameter.
    irregularity : float
        How much a rod bends, 0 to 1.
    elongation : float
        Length over width of a rod or of the whole branch, at least 1.
    orientation, blur, offset_px, rng
        As in `mcdetect.phantom.draw_calcification`; the offset places the centroid.

    Returns
    -------
    CalcificationStamp
    """
    chosen = MemberForm(form)
    row_mm, col_mm = spacing_pair_mm(spacing)
    if not (math.isfinite(diameter_mm) and diameter_mm > 0):
        raise ValueError(f"diameter_mm must be finite and positive, got {diameter_mm}")
    if not (math.isfinite(elongation) and elongation >= 1):
        raise ValueError(f"elongation must be at least 1, got {elongation}")
    psf = blur if isinstance(blur, SystemBlur) else SystemBlur(float(blur))
    body = diameter_mm * (0.6 if chosen is MemberForm.RIM else 0.75 * math.sqrt(elongation) + 0.3)
    state = rng.bit_generator.state
    side = np.arange(-body, body + FINE_STEP_MM, FINE_STEP_MM)
    shape = (chosen, diameter_mm, elongation, orientation, irregularity)
    plain = _thickness(chosen, side[:, None], side[None, :], *shape[1:], rng)
    centre = (
        float((plain.sum(axis=1) * side).sum() / plain.sum()),
        float((plain.sum(axis=0) * side).sum() / plain.sum()),
    )
    rng.bit_generator.state = state

    fine: list[npt.NDArray[np.floating]] = []
    pixel: list[npt.NDArray[np.floating]] = []
    for pitch, offset in zip((row_mm, col_mm), offset_px, strict=True):
        half = math.ceil((2.0 * body + psf.reach_mm) / pitch + abs(offset) + 0.5)
        factor = max(MIN_OVERSAMPLING, math.ceil(pitch / FINE_STEP_MM))
        pixel.append((np.arange(2 * half + 1) - half) * pitch)
        points = ((np.arange((2 * half + 1) * factor) + 0.5) / factor - 0.5 - half) * pitch
        fine.append(points[np.abs(points) <= 2.0 * body + abs(offset) * pitch])
    y = np.asarray(fine[0] - offset_px[0] * row_mm + centre[0], np.float64)
    x = np.asarray(fine[1] - offset_px[1] * col_mm + centre[1], np.float64)
    thickness = _thickness(chosen, y[:, None], x[None, :], *shape[1:], rng)
    values = np.zeros((pixel[0].size, pixel[1].size))
    for share, sigma in psf.terms:
        rows = aperture_weights(fine[0], pixel[0], row_mm, sigma) * ((fine[0][1] - fine[0][0]) / row_mm)
        cols = aperture_weights(fine[1], pixel[1], col_mm, sigma) * ((fine[1][1] - fine[1][0]) / col_mm)
        values += share * (rows @ thickness @ cols.T)
    total = float(values.sum())
    if not total > 0:
        raise ValueError(f"a calcification of {diameter_mm} mm is lost between points of the fine grid")
    moments = []
    for axis, places in ((1, pixel[0]), (0, pixel[1])):
        weight = values.sum(axis=axis) / total
        moments.append(float((weight * places**2).sum() - (weight * places).sum() ** 2))
    least = psf.variance_mm2 + (row_mm**2 + col_mm**2) / 24
    peak = float(values.max())
    return CalcificationStamp(
        values=(values / peak).astype(np.float32),
        offset_px=(float(offset_px[0]), float(offset_px[1])),
        diameter_mm=float(diameter_mm),
        peak_thickness_mm=peak,
        second_moment_mm=math.sqrt(max(0.5 * (moments[0] + moments[1]), least)),
    )


def vessel_walls_mm(
    length_mm: float,
    calibre_mm: float,
    rng: np.random.Generator,
    *,
    gap_mm: float = 0.9,
    heading: float | None = None,
) -> tuple[_Floats, _Floats]:
    """Draw where plaques lie along both walls of an artery that bends gently.

    Parameters
    ----------
    length_mm : float
        Length of the calcified stretch, in mm.
    calibre_mm : float
        Distance between the walls, in mm.
    rng : numpy.random.Generator
        Source of the course and of the places.
    gap_mm : float
        Mean distance between plaques along one wall, in mm.
    heading : float, optional
        Direction at the middle in radians from +col towards +row; random when not given.

    Returns
    -------
    points : (n, 2) float64 array
        (row_mm, col_mm) about the middle.
    direction : (n,) float64 array
        Direction of the wall there, in radians from +col towards +row.
    """
    if not (length_mm > 0 and calibre_mm > 0 and gap_mm > 0):
        raise ValueError("length_mm, calibre_mm and gap_mm must be positive")
    steps = max(2, round(length_mm / 0.1))
    curvature = np.cumsum(rng.normal(0, 0.004, steps)) + rng.uniform(-0.01, 0.01)
    course = np.cumsum(np.clip(curvature, -0.03, 0.03) * 0.1)
    course += (rng.uniform(0, 2 * math.pi) if heading is None else heading) - course[steps // 2]
    line = np.cumsum(0.1 * np.stack([np.sin(course), np.cos(course)], axis=1), axis=0)
    line -= line[steps // 2]
    points, direction = [], []
    for side in (-0.5, 0.5):
        place = rng.uniform(0, gap_mm)
        while place < length_mm:
            k = min(int(place / 0.1), steps - 1)
            out = calibre_mm * (side + rng.normal(0, 0.05))
            points.append(line[k] + out * np.array([math.cos(course[k]), -math.sin(course[k])]))
            direction.append(course[k])
            place += gap_mm * rng.uniform(0.5, 1.5)
    return np.array(points).reshape(-1, 2), np.array(direction)
