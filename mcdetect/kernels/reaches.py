"""How far the surroundings of a small bright body are its own."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.jit import kernel
from mcdetect.kernels.regions import FOREIGN, OWN

__all__ = ["RAYS", "free_reach"]

_Floats = npt.NDArray[np.float64]
_Singles = npt.NDArray[np.float32]
_Labels = npt.NDArray[np.int8]

# Judged: more cost time, fewer miss narrow neighbours.
RAYS = 24
"""Directions in which `free_reach` looks, evenly over a full turn."""


@kernel
def free_reach(
    window: _Singles, label: _Labels, level: float, depth: float, limit: float, out: _Floats
) -> None:
    """How far one may go from the centre of a window before another summit begins.

    Parameters
    ----------
    window : (n, n) float32 array
        Values.
    label : (n, n) int8 array
        Labels, as `flood` leaves them.
    level : float
        Labels count from this value on.
    depth : float
        A rise beyond the own region by more than this is another summit.
    limit : float
        Greatest distance, in grid steps.
    out : (RAYS,) float64 array
        Written to: distance in each direction, in grid steps; direction k has the angle
        2 pi (k + 0.5) / RAYS from rising columns towards rising rows.
    """
    half = window.shape[0] // 2
    last = int(min(limit, half - 1.0))
    for k in range(RAYS):
        angle = 2.0 * math.pi * (k + 0.5) / RAYS
        down, right = math.sin(angle), math.cos(angle)
        start = 0
        stop = last
        for m in range(last + 1):
            r = half + math.floor(m * down + 0.5)
            c = half + math.floor(m * right + 0.5)
            if window[r, c] < level:
                continue
            if label[r, c] == FOREIGN:
                stop = m
                break
            if label[r, c] == OWN:
                start = m
        lowest, at = math.inf, start
        other = stop < last
        for m in range(start, stop + 1):
            value = window[half + math.floor(m * down + 0.5), half + math.floor(m * right + 0.5)]
            if value < lowest:
                lowest, at = value, m
            elif value > lowest + depth:
                other = True
                break
        out[k] = at if other else limit
