"""Smallest ellipse around points."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["enclosing_ellipse_area"]

_MOST_STEPS = 1000


@njit(cache=True, nogil=True)
def enclosing_ellipse_area(points: npt.NDArray[np.float64], tolerance: float) -> float:
    """Area of the smallest ellipse around points, too small by at most about the tolerance.

    Parameters
    ----------
    points : (n, 2) float64 array
        At least three that do not lie on a line; 0 is returned when they do.
    tolerance : float
        By how much, relative, a point may lie outside.

    Notes
    -----
    Weights of the points are moved towards the farthest and away from the nearest one, by the step that
    enlarges the determinant most (Todd and Yildirim 2007, doi:10.1016/j.dam.2007.02.013).
    """
    n = points.shape[0]
    weight = np.full(n, 1.0 / n)
    determinant = 0.0
    for _ in range(_MOST_STEPS):
        row = 0.0
        col = 0.0
        for i in range(n):
            row += weight[i] * points[i, 0]
            col += weight[i] * points[i, 1]
        a = 0.0
        b = 0.0
        c = 0.0
        for i in range(n):
            down = points[i, 0] - row
            right = points[i, 1] - col
            a += weight[i] * down * down
            b += weight[i] * down * right
            c += weight[i] * right * right
        determinant = a * c - b * b
        if determinant <= 0.0:
            return 0.0
        farthest = -1.0
        nearest = math.inf
        out = 0
        close = 0
        for i in range(n):
            down = points[i, 0] - row
            right = points[i, 1] - col
            far = (c * down * down - 2.0 * b * down * right + a * right * right) / determinant
            if far > farthest:
                farthest = far
                out = i
            if weight[i] > 1e-12 and far < nearest:
                nearest = far
                close = i
        # Squared Mahalanobis distance is 2 on the boundary of the smallest ellipse.
        if farthest <= 2.0 * (1.0 + tolerance):
            break
        if farthest - 2.0 >= 2.0 - nearest:
            k = out
            step = (farthest - 2.0) / (3.0 * farthest)
        else:
            k = close
            step = -weight[k] / (1.0 - weight[k])
            if nearest > 0.0:
                step = max(step, (nearest - 2.0) / (3.0 * nearest))
        for i in range(n):
            weight[i] *= 1.0 - step
        weight[k] += step
    return 2.0 * math.pi * math.sqrt(determinant)
