"""Longest path of the minimum spanning tree of points."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["longest_path"]

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


def longest_path(points: _Floats) -> _Ints:
    """Points along the longest path of the minimum spanning tree, from one end to the other.

    Parameters
    ----------
    points : (n, 2) float64 array
        At least one point; points may coincide.

    Returns
    -------
    (m,) int64 array
        Numbers of the points; which end comes first depends on their order.
    """
    parent, order = _spanning_tree(points)
    reach = np.hypot(*(points - points[parent]).T).tolist()
    # Deepest and second deepest branch below each point; children come after their parents in `order`.
    n = len(points)
    depth, second = [0.0] * n, [0.0] * n
    below, below_second = [-1] * n, [-1] * n
    for i in reversed(order[1:]):
        p, far = parent[i], depth[i] + reach[i]
        if below[p] < 0 or far > depth[p]:
            second[p], below_second[p] = depth[p], below[p]
            depth[p], below[p] = far, i
        elif below_second[p] < 0 or far > second[p]:
            second[p], below_second[p] = far, i
    top = max(range(n), key=lambda i: depth[i] + second[i])
    return np.array([*reversed(_descent(below_second[top], below)), *_descent(top, below)], np.int64)


def _descent(i: int, below: list[int]) -> list[int]:
    path = []
    while i >= 0:
        path.append(i)
        i = below[i]
    return path


def _spanning_tree(points: _Floats) -> tuple[list[int], list[int]]:
    """Parent of each point in the tree rooted at point 0, and the order in which points join it (Prim)."""
    n = len(points)
    parent = np.zeros(n, np.int64)
    order = [0]
    nearest = np.full(n, np.inf)
    far = np.zeros(n)  # infinite once a point has joined
    far[0] = np.inf
    for _ in range(1, n):
        current = order[-1]
        away = points - points[current]
        distance = away[:, 0] * away[:, 0] + away[:, 1] * away[:, 1] + far
        closer = distance < nearest
        nearest[closer] = distance[closer]
        parent[closer] = current
        joined = int(np.argmin(nearest + far))
        order.append(joined)
        far[joined] = np.inf
    return parent.tolist(), order
