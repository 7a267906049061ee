"""Groups in a stack of slices: in the plane over a slab, apart where they lie at other depths."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from mcdetect.clusters.rule import Groups, find_groups
from mcdetect.config import GroupConfig

__all__ = ["extents_mm", "find_groups_in_depth", "middles"]

_Floats = npt.NDArray[np.float64]


def find_groups_in_depth(row_mm: _Floats, col_mm: _Floats, depth_mm: _Floats, config: GroupConfig) -> Groups:
    """Group points of a stack of slices.

    Points that one disc could hold and whose depths differ by at most ``config.link_mm`` belong to one slab,
    directly or through others. Within each slab the rule of `find_groups` holds, in the plane.

    Parameters
    ----------
    row_mm, col_mm, depth_mm : (n,) float64 arrays
        Centres, in mm.
    config : GroupConfig
        Count, area and link distance.
    """
    n = row_mm.size
    reach = max(config.link_mm, 2.0 * math.sqrt(100.0 * config.area_cm2 / math.pi))
    plane = np.stack([row_mm, col_mm], axis=1)
    pairs = cKDTree(plane).query_pairs(reach, output_type="ndarray") if n > 1 else np.empty((0, 2), np.int64)
    near = np.abs(depth_mm[pairs[:, 0]] - depth_mm[pairs[:, 1]]) <= config.link_mm
    pairs = pairs[near]
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    count, slab = connected_components(graph, directed=False)
    groups = find_groups(np.empty(0), np.empty(0), config).spread_over(np.empty(0, np.int64), n)
    for number in range(count):
        own = np.flatnonzero(slab == number)
        if own.size > 1:
            groups = groups.joined(find_groups(row_mm[own], col_mm[own], config).spread_over(own, n))
    return groups


def extents_mm(label: npt.NDArray[np.int64], depth_mm: _Floats) -> _Floats:
    """Return the extent in depth of each group, in mm.

    Parameters
    ----------
    label : (n,) int64 array
        Group of each point, from 1; 0 for none.
    depth_mm : (n,) float64 array
    """
    return np.array([np.ptp(depth_mm[label == k]) for k in range(1, int(label.max(initial=0)) + 1)])


def middles(label: npt.NDArray[np.int64], depth_mm: _Floats) -> npt.NDArray[np.int64]:
    """Return the member of median depth of each group, by its place among the points."""
    found = []
    for k in range(1, int(label.max(initial=0)) + 1):
        own = np.flatnonzero(label == k)
        found.append(own[np.argsort(depth_mm[own], kind="stable")[(own.size - 1) // 2]])
    return np.array(found, np.int64)
