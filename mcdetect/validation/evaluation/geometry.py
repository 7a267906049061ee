"""Areas and insides of clusters: convex hulls of members, boxes and circles, in millimetres."""

from __future__ import annotations

import cv2
import numpy as np

from mcdetect.validation.evaluation.cases import Bools, Floats

__all__ = ["MARGIN_MM", "bounding_box", "box_area", "circle_area", "hull_area", "in_hull"]

# Judged: about the size of a calcification; the area of a group depends on it when the group is small.
MARGIN_MM = 0.5
"""How far the outline of a group runs outside the centres of its members."""


def _hull(points: Floats) -> Floats:
    """Return the corners of the convex hull in order; (h, 2)."""
    origin = points.mean(axis=0)
    hull = cv2.convexHull((points - origin).astype(np.float32)).reshape(-1, 2)
    return np.asarray(hull + origin, dtype=np.float64)


def hull_area(points: Floats, margin_mm: float = MARGIN_MM) -> float:
    """Return the area of the convex hull of points grown by a margin.

    Parameters
    ----------
    points : (k, 2) float64
        In mm, k >= 1.
    margin_mm : float
        By how much.

    Returns
    -------
    float
        In mm2: area + perimeter * margin + pi * margin^2 (Steiner's formula).
    """
    hull = _hull(points)
    following = np.roll(hull, -1, axis=0)
    twice = np.sum(hull[:, 0] * following[:, 1] - hull[:, 1] * following[:, 0])
    perimeter = float(np.hypot(*(following - hull).T).sum())
    return abs(float(twice)) / 2.0 + perimeter * margin_mm + np.pi * margin_mm**2


def in_hull(places: Floats, points: Floats, margin_mm: float = MARGIN_MM) -> Bools:
    """Tell which places lie in the convex hull of points grown by a margin.

    Parameters
    ----------
    places : (n, 2) float64
    points : (k, 2) float64
        k >= 1.
    margin_mm : float

    Returns
    -------
    (n,) bool
    """
    hull = _hull(points)
    side = np.roll(hull, -1, axis=0) - hull
    offset = places[:, None, :] - hull[None, :, :]
    length = np.maximum((side**2).sum(axis=1), 1e-300)
    along = np.clip((offset * side).sum(axis=2) / length, 0.0, 1.0)
    away = np.hypot(*np.moveaxis(offset - along[:, :, None] * side, 2, 0))
    cross = side[:, 0] * offset[:, :, 1] - side[:, 1] * offset[:, :, 0]
    inside = (len(hull) >= 3) & ((cross >= 0).all(axis=1) | (cross <= 0).all(axis=1))
    return np.asarray(inside | (away.min(axis=1) <= margin_mm), dtype=bool)


def bounding_box(points: Floats, margin_mm: float = MARGIN_MM) -> Floats:
    """Return first row, first column, last row, last column of points grown by a margin; (4,)."""
    return np.concatenate([points.min(axis=0) - margin_mm, points.max(axis=0) + margin_mm])


def box_area(box: Floats) -> float:
    """Return the area of a box in mm2."""
    return float((box[2] - box[0]) * (box[3] - box[1]))


def circle_area(points: Floats, margin_mm: float = MARGIN_MM) -> float:
    """Return the area in mm2 of the smallest circle round points, grown by a margin."""
    origin = points.mean(axis=0)
    _, radius = cv2.minEnclosingCircle((points - origin).astype(np.float32))
    return float(np.pi * (radius + margin_mm) ** 2)
