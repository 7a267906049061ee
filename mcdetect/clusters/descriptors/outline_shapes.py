"""Plain geometry of a set of points: hull, extent, smallest ellipse and triangle, fit of a curve."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.kernels.constants import HULL_GROWTH_MM

__all__ = ["PointShape", "grown_hull_area", "largest_distance", "measure_points", "smallest_ellipse_area"]

_Floats = npt.NDArray[np.float64]

# Judged: leaving out more makes the shape steadier against false detections, and cuts corners of true ones.
_TRIM = 15  # one point in so many may be a stray, and is left out
_MOST_STRAYS = 3  # points left out at most

_MOST_STEPS = 1000  # Technical: bound on the steps of the smallest ellipse, which needs far fewer


@dataclass(frozen=True)
class PointShape:
    """Measures of a set of points, in mm.

    Parameters
    ----------
    n : int
        Points.
    extent_mm : float
        Largest distance between two points.
    area_mm2 : float
        Area of the convex hull grown by half a millimetre.
    aspect : float
        Extent over the width (four standard deviations) about the best smooth curve along the longest axis;
        2 when the points are too few to tell.
    curve_residual_mm : float
        Standard deviation of the points about that curve, in mm; NaN below four points.
    gap_share : float
        Widest gap along the axis over the extent, 0 to 1.
    wedge_ratio : float
        Area of the smallest ellipse over that of the smallest triangle around the points: 2.4 for a
        triangle, 0.6 for an ellipse, of any elongation. NaN below three points or without area.
    wedge_length_mm, wedge_opening_deg : float
        Length of the triangle from the apex to the middle of the opposite side, and its angle there.
    wedge_aim_deg : float
        Angle between the line from the centroid to the apex and the line to the nipple, 0 to 180;
        NaN when the nipple is not known. The apex is the corner that lies best towards the nipple, else the
        sharpest.
    """

    n: int
    extent_mm: float
    area_mm2: float
    aspect: float
    curve_residual_mm: float
    gap_share: float
    wedge_ratio: float
    wedge_length_mm: float
    wedge_opening_deg: float
    wedge_aim_deg: float


def largest_distance(points: _Floats) -> float:
    """Return the largest distance between two of the points, (n, 2); 0 for one."""
    corners = _hull(points - points.mean(axis=0))
    step = corners[:, None] - corners[None]
    return float(np.sqrt((step**2).sum(axis=2)).max(initial=0.0))


def grown_hull_area(points: _Floats) -> float:
    """Return the area of the convex hull of points, (n, 2) in mm, grown by half a millimetre, in mm2."""
    return _grown_area(_hull(points - points.mean(axis=0)))


def measure_points(points: _Floats, nipple_mm: tuple[float, float] | None = None) -> PointShape:
    """Measure the shape that points make.

    Parameters
    ----------
    points : (n, 2) float64 array
        (row, col) in mm; n at least 1.
    nipple_mm : (float, float), optional
        Position of the nipple, in mm.

    Returns
    -------
    PointShape
        Ellipse and triangle leave out one point in fifteen, at most three: those whose removal shrinks
        the hull most, since strays decide about smallest figures.
    """
    centre = points.mean(axis=0)
    local = points - centre
    corners = _hull(local)
    extent = largest_distance(local)
    aspect, residual, gap = _along_curve(local, extent)
    target = None if nipple_mm is None else np.asarray(nipple_mm, dtype=np.float64) - centre
    wedge = _wedge(_hull(_without_strays(local)), target)
    return PointShape(len(points), extent, _grown_area(corners), aspect, residual, gap, *wedge)


def _hull(points: _Floats) -> _Floats:
    # OpenCV's hull takes coincident and collinear points; float32 keeps 1e-5 mm over a breast.
    hull = cv2.convexHull(np.ascontiguousarray(points, dtype=np.float32).reshape(-1, 1, 2))
    return np.asarray(hull, dtype=np.float64).reshape(-1, 2)


def _area(corners: _Floats) -> float:
    return float(cv2.contourArea(corners.astype(np.float32).reshape(-1, 1, 2)))


def _grown_area(corners: _Floats) -> float:
    perimeter = float(np.hypot(*(np.roll(corners, -1, axis=0) - corners).T).sum())
    return _area(corners) + HULL_GROWTH_MM * perimeter + math.pi * HULL_GROWTH_MM**2


def _without_strays(points: _Floats) -> _Floats:
    kept = points
    for _ in range(min(len(points) // _TRIM, _MOST_STRAYS)):
        corners = cv2.convexHull(
            np.ascontiguousarray(kept, dtype=np.float32).reshape(-1, 1, 2), returnPoints=False
        ).ravel()
        # Without a corner, the hull can only change between its neighbours, but OpenCV is quick enough.
        areas = [_area(_hull(np.delete(kept, int(k), axis=0))) for k in corners]
        kept = np.delete(kept, int(corners[int(np.argmin(areas))]), axis=0)
    return kept


def _along_curve(local: _Floats, extent: float) -> tuple[float, float, float]:
    n = len(local)
    if n < 4 or extent <= 0.0:
        return 2.0, math.nan, 0.0 if n < 2 else 1.0
    _, _, axes = np.linalg.svd(local, full_matrices=False)
    along, across = local @ axes[0], local @ axes[1]
    span = float(np.ptp(along))
    scaled = along / span
    basis = np.stack([np.ones(n), scaled, scaled**2], axis=1)
    fit = np.linalg.lstsq(basis, across, rcond=None)[0]
    squares = float(((across - basis @ fit) ** 2).sum())
    # Two pseudo-observations of an aspect of 2 keep few points from looking like a line by chance.
    variance = (squares + 2.0 * (extent / 8.0) ** 2) / (n - 3 + 2.0)
    gap = float(np.diff(np.sort(along)).max()) / extent
    return extent / (4.0 * math.sqrt(variance)), math.sqrt(squares / (n - 3)), gap


def smallest_ellipse_area(corners: _Floats, tolerance: float = 0.02) -> float:
    """Return the area of the smallest ellipse around points, (n, 2); 0 when they lie on a line.

    It is too small by at most about the tolerance.

    Notes
    -----
    Khachiyan's algorithm in Todd and Yildirim's form (2007, doi:10.1016/j.dam.2007.02.013): weights of the
    points are moved towards the farthest and away from the nearest one, by the step that enlarges the
    determinant most.
    """
    n = len(corners)
    if n < 3 or _area(corners) <= 1e-9:
        return 0.0
    points = np.ascontiguousarray(corners.T)
    weight = np.full(n, 1.0 / n)
    determinant = 0.0
    for _ in range(_MOST_STEPS):
        down, right = points - (points @ weight)[:, None]
        a, b, c = weight @ (down * down), weight @ (down * right), weight @ (right * right)
        determinant = float(a * c - b * b)
        if determinant <= 0.0:
            return 0.0
        far = (c * down * down - 2.0 * b * down * right + a * right * right) / determinant
        out, close = int(far.argmax()), int(np.where(weight > 1e-12, far, np.inf).argmin())
        # Squared Mahalanobis distance is 2 on the boundary of the smallest ellipse.
        if far[out] <= 2.0 * (1.0 + tolerance):
            break
        if far[out] - 2.0 >= 2.0 - far[close]:
            k, step = out, (far[out] - 2.0) / (3.0 * far[out])
        else:
            k, step = close, -weight[close] / (1.0 - weight[close])
            if far[close] > 0.0:
                step = max(step, (far[close] - 2.0) / (3.0 * far[close]))
        weight *= 1.0 - step
        weight[k] += step
    return 2.0 * math.pi * math.sqrt(determinant)


def _wedge(corners: _Floats, target: _Floats | None) -> tuple[float, float, float, float]:
    """Ratio of ellipse to triangle, and length, opening and aim of the triangle."""
    unknown = (math.nan, math.nan, math.nan, math.nan)
    ellipse = smallest_ellipse_area(corners)
    if len(corners) < 3 or ellipse <= 0.0:
        return unknown
    area, triangle = cv2.minEnclosingTriangle(
        np.ascontiguousarray(corners, dtype=np.float32).reshape(-1, 1, 2)
    )
    if triangle is None or not area > 0.0:
        return unknown
    tips = np.asarray(triangle, dtype=np.float64).reshape(3, 2)
    openings = [_opening(tips, k) for k in range(3)]
    aims = [math.nan] * 3
    if target is not None and np.hypot(*target) > 0.0:
        middle = tips.mean(axis=0)
        aims = [_angle(tips[k] - middle, target) for k in range(3)]
        apex = int(np.argmin(aims))
    else:
        apex = int(np.argmin(openings))
    base = 0.5 * (tips[(apex + 1) % 3] + tips[(apex + 2) % 3])
    return ellipse / float(area), float(np.hypot(*(base - tips[apex]))), openings[apex], aims[apex]


def _opening(tips: _Floats, k: int) -> float:
    return _angle(tips[(k + 1) % 3] - tips[k], tips[(k + 2) % 3] - tips[k])


def _angle(first: _Floats, second: _Floats) -> float:
    cross = float(first[0] * second[1] - first[1] * second[0])
    return abs(math.degrees(math.atan2(cross, float(first @ second))))
