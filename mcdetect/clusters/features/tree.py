"""The minimum spanning tree of a group: the shortest net that joins all its members."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["spanning_tree", "tree_measures"]

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


def spanning_tree(distance: _Floats) -> tuple[_Ints, _Floats]:
    """Return the edges of a minimum spanning tree.

    Parameters
    ----------
    distance : (n, n) float64 array
        Symmetric, finite distances; n at least 1. A distance of 0 is one.

    Returns
    -------
    edges : (n - 1, 2) int64 array
        Members at the ends of each edge.
    length : (n - 1,) float64 array
        Their distances. The lengths, sorted, are the same for every minimum spanning tree.

    Notes
    -----
    Prim 1957, doi:10.1002/j.1538-7305.1957.tb01515.x; O(n²), which is the size of the input.
    """
    n = len(distance)
    edges = np.zeros((n - 1, 2), np.int64)
    length = np.zeros(n - 1)
    outside = np.ones(n, np.bool_)
    outside[0] = False
    near = distance[0].copy()
    near[0] = np.inf
    link = np.zeros(n, np.int64)
    for k in range(n - 1):
        new = int(np.argmin(near))
        edges[k] = link[new], new
        length[k] = near[new]
        outside[new] = False
        near[new] = np.inf
        closer = outside & (distance[new] < near)
        near[closer] = distance[new, closer]
        link[closer] = new
    return edges, length


def tree_measures(length: _Floats) -> dict[str, float]:
    """Describe the edges of a spanning tree.

    Parameters
    ----------
    length : (n - 1,) float64 array
        Lengths of the edges in mm.

    Returns
    -------
    dict of str to float
        mst_total_mm (0 for one member), mst_mean_mm and mst_max_mm (NaN for one member) and mst_sd_mm
        (n - 1 in the denominator; NaN for fewer than three members).
    """
    edges = len(length)
    return {
        "mst_total_mm": float(length.sum()),
        "mst_mean_mm": float(length.mean()) if edges else math.nan,
        "mst_sd_mm": float(length.std(ddof=1)) if edges > 1 else math.nan,
        "mst_max_mm": float(length.max()) if edges else math.nan,
    }
