"""Direction in which a narrow strip through a point holds most other points."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.jit import kernel

__all__ = ["strip_directions"]


@kernel
def strip_directions(
    points: npt.NDArray[np.float64],
    reach: float,
    half_width: float,
    bend_radius: float,
    directions: int,
) -> npt.NDArray[np.float64]:
    """Direction of the fullest strip through each point.

    Parameters
    ----------
    points : (n, 2) float64 array
        (row, col), in mm.
    reach : float
        How far the strip reaches to both sides, in mm; each millimetre along it counts once, by the point
        nearest its middle line.
    half_width : float
        Half its width at the point, in mm; it widens by the square of the distance over twice `bend_radius`.
    bend_radius : float
        In mm.
    directions : int
        Directions tried, evenly over half a turn.

    Returns
    -------
    (n,) float64 array
        Radians from +col towards -row, -pi/2 to pi/2; -pi/2 for a point without neighbours.
    """
    n = points.shape[0]
    bins = 2 * int(reach) + 1
    cos = np.empty(directions)
    sin = np.empty(directions)
    for k in range(directions):
        angle = math.pi * k / directions - math.pi / 2
        cos[k] = math.cos(angle)
        sin[k] = math.sin(angle)
    out = np.empty(n)
    held = np.empty((directions, bins))
    for i in range(n):
        held[:] = 0.0
        for j in range(n):
            down = points[j, 0] - points[i, 0]
            right = points[j, 1] - points[i, 1]
            if j == i or down * down + right * right > reach * reach:
                continue
            for k in range(directions):
                along = right * cos[k] - down * sin[k]
                across = right * sin[k] + down * cos[k]
                widened = along * along / (2.0 * bend_radius)
                if abs(across) > half_width + widened:
                    continue
                ratio = across / (0.7 * half_width + 0.5 * widened)
                weight = math.exp(-0.5 * ratio * ratio)
                place = min(max(math.floor(along + reach + 0.5), 0), bins - 1)
                if weight > held[k, place]:
                    held[k, place] = weight
        best = -1.0
        for k in range(directions):
            total = 0.0
            for b in range(bins):
                total += held[k, b]
            if total > best:
                best = total
                out[i] = math.pi * k / directions - math.pi / 2
    return out
