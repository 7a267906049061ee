"""The shortest net over the gaps between many discs, and how often each gap occurs, without a matrix."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.jit import kernel

__all__ = ["count_steps", "spanning_net"]

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


@kernel
def spanning_net(points: _Floats, radius: _Floats, edges: _Ints, length: _Floats) -> None:
    """Write a minimum spanning tree of the gaps between discs.

    Parameters
    ----------
    points : (n, 2) float64 array
        Centres; n at least 1.
    radius : (n,) float64 array
        Radii; the gap of two discs is the distance of the centres less both radii, at least 0.
    edges : (n - 1, 2) int64 array
        Written: discs at the ends of each edge, in the order in which they join (Prim).
    length : (n - 1,) float64 array
        Written: gaps.

    Notes
    -----
    Time grows with the square of n, memory with n.
    """
    n = points.shape[0]
    near = np.full(n, np.inf)
    link = np.zeros(n, np.int64)
    outside = np.arange(1, n)
    left = n - 1
    current = 0
    for k in range(n - 1):
        best = 0
        least = np.inf
        for m in range(left):
            i = outside[m]
            down = points[i, 0] - points[current, 0]
            right = points[i, 1] - points[current, 1]
            gap = max(math.sqrt(down * down + right * right) - radius[i] - radius[current], 0.0)
            if gap < near[i]:
                near[i] = gap
                link[i] = current
            if near[i] < least:
                least = near[i]
                best = m
        current = outside[best]
        left -= 1
        outside[best] = outside[left]
        edges[k, 0] = link[current]
        edges[k, 1] = current
        length[k] = near[current]


@kernel
def count_steps(points: _Floats, radius: _Floats, step: float, tie: float, counts: _Ints) -> None:
    """Count the pairs of discs by the step of dilation that makes them touch.

    Parameters
    ----------
    points, radius
        As for `spanning_net`.
    step : float
        Dilation of each disc in one step.
    tie : float
        Share of a step by which a gap may exceed it and still be closed.
    counts : (steps + 1,) int64 array
        Added to: entry k the pairs that touch from step k on, from 1; entry 0 stays as it is.
    """
    n = points.shape[0]
    last = counts.size - 1
    reach = 2.0 * step * (last + 1)
    for i in range(n):
        for j in range(i):
            down = points[i, 0] - points[j, 0]
            right = points[i, 1] - points[j, 1]
            both = radius[i] + radius[j] + reach
            squared = down * down + right * right
            if squared > both * both:
                continue
            gap = max(math.sqrt(squared) - radius[i] - radius[j], 0.0)
            at = max(math.ceil(gap / (2.0 * step) - tie), 1)
            if at <= last:
                counts[at] += 1
