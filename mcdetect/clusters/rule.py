"""Groups: calcifications near each other, and the rule of so many within one disc."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mcdetect.clusters.reach import links_within
from mcdetect.config import GroupConfig
from mcdetect.kernels.discs import join_full_discs, most_in_disc

__all__ = ["DISTANCE_TOLERANCE", "Groups", "find_groups", "link_components"]

_log = logging.getLogger(__name__)

# Technical: rounding.
DISTANCE_TOLERANCE = 1e-9
"""Relative tolerance on the disc's radius and on the link distance.

The disc is closed: a point exactly on its boundary counts. Lengths up to 1e-9 longer count too
(6 picometres for 1 cm²), so that rounding does not decide about such a point.
"""


@dataclass(frozen=True)
class Groups:
    """Groups of points in one image.

    Group k (from 1) is entry k - 1 of the per-group arrays. Groups are numbered by falling
    `max_in_window`, then by falling number of members, then by the position of the first member.

    Parameters
    ----------
    label : (n,) int64 array
        Group of each point, 0 for isolated points.
    n_members : (g,) int64 array
        Points of each group, at least 2.
    max_in_window : (g,) int64 array
        Most members that one disc of the area asked for holds, wherever it lies.
    flagged : (g,) bool array
        `max_in_window` reaches the count asked for.
    window_row_mm, window_col_mm : (g,) float64 arrays
        Centre, in mm, of a disc that holds `max_in_window` members.
    window_radius_mm : float
        Radius of that disc, in mm.
    row_mm, col_mm : (g,) float64 arrays
        Centroid of the members, in mm.
    min_row_mm, min_col_mm, max_row_mm, max_col_mm : (g,) float64 arrays
        Bounding box of the members' centres, in mm.
    """

    label: npt.NDArray[np.int64]
    n_members: npt.NDArray[np.int64]
    max_in_window: npt.NDArray[np.int64]
    flagged: npt.NDArray[np.bool_]
    window_row_mm: npt.NDArray[np.float64]
    window_col_mm: npt.NDArray[np.float64]
    window_radius_mm: float
    row_mm: npt.NDArray[np.float64]
    col_mm: npt.NDArray[np.float64]
    min_row_mm: npt.NDArray[np.float64]
    min_col_mm: npt.NDArray[np.float64]
    max_row_mm: npt.NDArray[np.float64]
    max_col_mm: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return int(self.n_members.size)

    def in_order(self, rank: npt.NDArray[np.int64]) -> Groups:
        """Return the same groups numbered anew.

        Parameters
        ----------
        rank : (g,) int64 array
            Today's group (from 0) at each place of the new order.
        """
        number = np.zeros(len(self) + 1, np.int64)
        number[rank + 1] = np.arange(1, len(self) + 1)
        per_group = {item.name: getattr(self, item.name) for item in fields(self)}
        for name in set(per_group) - {"label", "window_radius_mm"}:
            per_group[name] = per_group[name][rank]
        return Groups(**per_group | {"label": number[self.label]})

    def joined(self, other: Groups) -> Groups:
        """Return these groups, followed by those that others of the same points form.

        Parameters
        ----------
        other : Groups
            Of the same points, each of them in no group of one of the two.
        """
        per_group = {
            item.name: np.concatenate([getattr(self, item.name), getattr(other, item.name)])
            for item in fields(self)
            if item.name not in ("label", "window_radius_mm")
        }
        label = np.where(other.label > 0, other.label + len(self), self.label)
        return Groups(label=label, window_radius_mm=self.window_radius_mm, **per_group)

    def spread_over(self, which: npt.NDArray[np.int64], n: int) -> Groups:
        """Return the same groups among more points.

        Parameters
        ----------
        which : (points,) int64 array
            Where the points of these groups stand among all.
        n : int
            Number of all points.
        """
        label = np.zeros(n, np.int64)
        label[which] = self.label
        return replace(self, label=label)


def find_groups(row_mm: npt.ArrayLike, col_mm: npt.ArrayLike, config: GroupConfig | None = None) -> Groups:
    """Group points, and flag the groups with enough of them in one disc.

    1. Points at most ``config.link_mm`` apart are linked. What is linked, directly or through others, is a
       group. A group has at least two points.
    2. A group is flagged when some disc of ``config.area_cm2`` holds ``config.min_count`` of its points.
    3. The points of groups that are not flagged, and single points, get a second look: where one disc holds
       ``config.min_count`` of them, they are joined, however far apart they lie, and flagged.

    Because of step 3 the link distance cannot hide a full disc: every disc with enough points holds members
    of a flagged group. Because only unflagged points are joined, two flagged groups never become one.

    Parameters
    ----------
    row_mm, col_mm : (n,) array-like of float
        Centres, in mm. Points at the same place count separately.
    config : GroupConfig, optional
        Count, area and link distance.

    Returns
    -------
    Groups
        A group is flagged exactly when some closed disc of ``config.area_cm2``, anywhere, holds
        at least ``config.min_count`` of its points (see `DISTANCE_TOLERANCE`).

    Raises
    ------
    ValueError
        When the coordinates are not finite, not one-dimensional or not of one length.
    """
    config = GroupConfig() if config is None else config
    row = np.asarray(row_mm, dtype=np.float64)
    col = np.asarray(col_mm, dtype=np.float64)
    if row.ndim != 1 or row.shape != col.shape:
        raise ValueError(f"row_mm and col_mm must be 1-D and of one length, got {row.shape} and {col.shape}")
    if not (np.isfinite(row).all() and np.isfinite(col).all()):
        raise ValueError("row_mm and col_mm must be finite")

    slack = 1.0 + DISTANCE_TOLERANCE
    radius_mm = math.sqrt(100.0 * config.area_cm2 / math.pi)
    # From here on points are sorted by (row, col), so that the result does not depend on their order.
    order = np.lexsort((col, row))
    row, col = row[order], col[order]
    parent = link_components(row, col, config.link_mm * slack)
    parent = _join_split_discs(row, col, parent, radius_mm * slack, config.min_count)
    _, component, size = np.unique(parent, return_inverse=True, return_counts=True)
    grouped = size[component] >= 2
    members = np.flatnonzero(grouped)
    members = members[np.argsort(component[members], kind="stable")]
    start, count, offset = _runs(component[members])
    if members.size:
        most, window_row, window_col = most_in_disc(row[members], col[members], offset, radius_mm * slack)
    else:  # most images: no kernel has to be compiled for them
        most, window_row, window_col = np.zeros(0, np.int64), np.zeros(0), np.zeros(0)

    rank = np.lexsort((start, -count, -most))
    number = np.empty(rank.size, np.int64)
    number[rank] = np.arange(1, rank.size + 1)
    label = np.zeros(row.size, np.int64)
    label[order[members]] = np.repeat(number, count)

    def per_group(operation: np.ufunc, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if rank.size == 0:
            return np.zeros(0)
        reduced: npt.NDArray[np.float64] = operation.reduceat(values[members], start)
        return reduced[rank]

    n_members, most = count[rank].astype(np.int64), most[rank]
    flagged = most >= config.min_count
    _log.debug("%d points in %d groups, %d flagged", row.size, rank.size, np.count_nonzero(flagged))
    return Groups(
        label=label,
        n_members=n_members,
        max_in_window=most,
        flagged=flagged,
        window_row_mm=window_row[rank],
        window_col_mm=window_col[rank],
        window_radius_mm=radius_mm,
        row_mm=per_group(np.add, row) / n_members,
        col_mm=per_group(np.add, col) / n_members,
        min_row_mm=per_group(np.minimum, row),
        min_col_mm=per_group(np.minimum, col),
        max_row_mm=per_group(np.maximum, row),
        max_col_mm=per_group(np.maximum, col),
    )


def link_components(
    row: npt.NDArray[np.float64], col: npt.NDArray[np.float64], link: float
) -> npt.NDArray[np.int64]:
    """Unite points at most `link` apart.

    Parameters
    ----------
    row, col : (n,) float64 arrays
        Coordinates.
    link : float
        Link distance, in the unit of the coordinates.

    Returns
    -------
    (n,) int64 array
        For each point the first of those that are joined with it.
    """
    n = row.size
    # The tree may round otherwise than the rule does: it proposes pairs, and the rule decides.
    first, second = links_within(np.stack([row, col], axis=1), link * (1.0 + 1e-9)).T
    d_row, d_col = row[second] - row[first], col[second] - col[first]
    near = d_row * d_row + d_col * d_col <= link * link
    graph = coo_array((np.ones(np.count_nonzero(near)), (first[near], second[near])), shape=(n, n))
    _, component = connected_components(graph, directed=False)
    _, earliest = np.unique(component, return_index=True)
    joined: npt.NDArray[np.int64] = earliest[component].astype(np.int64)
    return joined


def _roots(parent: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Flatten a union-find forest: every point gets its root."""
    while True:
        above = parent[parent]
        if np.array_equal(above, parent):
            return parent
        parent = above


def _runs(
    component: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Start and length of each run of equal values in a sorted array, and the starts with the end."""
    _, start, count = np.unique(component, return_index=True, return_counts=True)
    return start.astype(np.int64), count.astype(np.int64), np.append(start, component.size).astype(np.int64)


def _join_split_discs(
    row: npt.NDArray[np.float64],
    col: npt.NDArray[np.float64],
    root: npt.NDArray[np.int64],
    radius: float,
    min_count: int,
) -> npt.NDArray[np.int64]:
    """Unite the points of full discs among those whose component holds no full disc of its own."""
    if row.size < min_count:  # no disc can be full
        return root
    order = np.argsort(root, kind="stable")
    _, count, offset = _runs(root[order])
    most, _, _ = most_in_disc(row[order], col[order], offset, radius)
    lacking = np.zeros(row.size, np.bool_)
    lacking[order] = np.repeat(most < min_count, count)
    rest = np.flatnonzero(lacking)
    place = np.zeros(row.size, np.int64)
    place[rest] = np.arange(rest.size)
    parent = place[root[rest]]  # a component is lacking as a whole, its root too
    join_full_discs(row[rest], col[rest], radius, min_count, parent)
    joined = root.copy()
    joined[rest] = rest[_roots(parent)]
    return joined
