"""Longest path of the minimum spanning tree of points."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["longest_path"]


@njit(cache=True, nogil=True)
def _spanning_tree(points: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Parent of each point in the tree rooted at point 0, and the order in which points join it (Prim)."""
    n = points.shape[0]
    parent = np.full(n, -1, np.int64)
    order = np.zeros(n, np.int64)
    nearest = np.full(n, math.inf)
    joined = np.zeros(n, np.bool_)
    current = 0
    joined[0] = True
    for count in range(1, n):
        best = -1
        for i in range(n):
            if joined[i]:
                continue
            down = points[i, 0] - points[current, 0]
            right = points[i, 1] - points[current, 1]
            distance = down * down + right * right
            if distance < nearest[i]:
                nearest[i] = distance
                parent[i] = current
            if best < 0 or nearest[i] < nearest[best]:
                best = i
        joined[best] = True
        order[count] = best
        current = best
    return np.stack((parent, order))


@njit(cache=True, nogil=True)
def longest_path(points: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Points along the longest path of the minimum spanning tree, from one end to the other.

    Parameters
    ----------
    points : (n, 2) float64 array
        At least one point.

    Returns
    -------
    (m,) int64 array
        Numbers of the points; which end comes first depends on their order.
    """
    n = points.shape[0]
    tree = _spanning_tree(points)
    parent = tree[0]
    order = tree[1]
    # Deepest and second deepest branch below each point; children come after their parents in `order`.
    depth = np.zeros(n)
    below = np.full(n, -1, np.int64)
    second = np.zeros(n)
    below_second = np.full(n, -1, np.int64)
    for place in range(n - 1, 0, -1):
        i = order[place]
        p = parent[i]
        reach = depth[i] + math.hypot(points[i, 0] - points[p, 0], points[i, 1] - points[p, 1])
        if below[p] < 0 or reach > depth[p]:
            second[p] = depth[p]
            below_second[p] = below[p]
            depth[p] = reach
            below[p] = i
        elif below_second[p] < 0 or reach > second[p]:
            second[p] = reach
            below_second[p] = i
    top = 0
    for i in range(n):
        if depth[i] + second[i] > depth[top] + second[top]:
            top = i
    path = np.empty(n, np.int64)
    size = 0
    i = below_second[top]
    while i >= 0:
        path[size] = i
        size += 1
        i = below[i]
    out = np.empty(n, np.int64)
    for k in range(size):
        out[k] = path[size - 1 - k]
    i = top
    while i >= 0:
        out[size] = i
        size += 1
        i = below[i]
    return out[:size].copy()
