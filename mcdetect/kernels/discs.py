"""The most points that a disc of given radius can hold, and the points of all full discs."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.jit import kernel

__all__ = ["join_full_discs", "most_in_disc"]

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]

# Technical: a full turn, in radians, and the bins into which it is divided to count arcs. No count depends on
# their number: more bins cost time where arcs are few, with fewer bins more ends of arcs are sorted.
TWO_PI = 2.0 * math.pi
BINS = 128


@kernel
def _order_by(values: _Floats, count: int, order: _Ints) -> None:
    """Write the rising order of the first values; Shell's method: a library sort takes long to compile."""
    for k in range(count):
        order[k] = k
    gap = 1
    while gap < count // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for k in range(gap, count):
            moved = order[k]
            m = k
            while m >= gap and values[order[m - gap]] > values[moved]:
                order[m] = order[m - gap]
                m -= gap
            order[m] = moved
        gap //= 3


@kernel
def _root(parent: _Ints, point: int) -> int:
    while parent[point] != point:
        parent[point] = parent[parent[point]]
        point = parent[point]
    return point


@kernel
def _unite(parent: _Ints, first: int, second: int) -> None:
    one, two = _root(parent, first), _root(parent, second)
    # The smaller number stays the root, so that the result does not depend on who came first.
    if one < two:
        parent[two] = one
    elif two < one:
        parent[one] = two


@kernel
def _arcs(
    row: _Floats,
    col: _Floats,
    i: int,
    radius: float,
    low: int,
    high: int,
    entry: _Floats,
    leave: _Floats,
    who: _Ints,
) -> tuple[int, int]:
    """Arcs of directions in which a disc with point i on its boundary holds another point.

    The disc's centre lies at ``point i + radius * (cos, sin)`` of a direction in [-pi, pi); `entry` is
    in that range and `leave` may exceed it. Returns (number of points that coincide with i, number of arcs).
    Only points from `low` to `high` are visited; they are sorted by row.
    """
    reach = 2.0 * radius
    coincident = 0
    arcs = 0
    first = i
    while first > low and row[i] - row[first - 1] <= reach:
        first -= 1
    j = first
    while j < high and row[j] - row[i] <= reach:
        if j != i:
            d_row, d_col = row[j] - row[i], col[j] - col[i]
            squared = d_row * d_row + d_col * d_col
            if squared == 0.0:
                coincident += 1
            elif squared <= reach * reach:
                half = math.acos(min(1.0, math.sqrt(squared) / reach))
                start = math.atan2(d_col, d_row) - half
                if start < -math.pi:
                    start += TWO_PI
                entry[arcs] = start
                leave[arcs] = start + 2.0 * half
                who[arcs] = j
                arcs += 1
        j += 1
    return coincident, arcs


@kernel
def _has_foreign(row: _Floats, col: _Floats, i: int, reach: float, parent: _Ints) -> bool:
    """Whether a point of another set lies within `reach` of point i; points are sorted by row."""
    own = _root(parent, i)
    for way in (-1, 1):
        j = i + way
        while 0 <= j < row.size and abs(row[j] - row[i]) <= reach:
            d_row, d_col = row[j] - row[i], col[j] - col[i]
            if d_row * d_row + d_col * d_col <= reach * reach and _root(parent, j) != own:
                return True
            j += way
    return False


@kernel(inline=True)
def _most_about_points(row: _Floats, col: _Floats, low: int, high: int, radius: float) -> tuple[int, int]:
    """Most points within `radius` of one of the points `low` to `high`, and that point."""
    most, where = 0, low
    for i in range(low, high):
        count = 0
        for way in (-1, 1):
            j = i if way == 1 else i - 1
            while low <= j < high and abs(row[j] - row[i]) <= radius:
                d_row, d_col = row[j] - row[i], col[j] - col[i]
                count += d_row * d_row + d_col * d_col <= radius * radius
                j += way
        if count > most:
            most, where = count, i
    return most, where


@kernel
def join_full_discs(row: _Floats, col: _Floats, radius: float, min_count: int, parent: _Ints) -> None:
    """Unite the points of every disc of `radius` that holds at least `min_count` points.

    Parameters
    ----------
    row, col : (n,) float64 arrays
        Coordinates, sorted by row.
    radius : float
        Radius of the closed disc, in the unit of the coordinates.
    min_count : int
        Points that make a disc full.
    parent : (n,) int64 array
        Union-find forest, changed in place.

    Notes
    -----
    Any disc can be shifted, without losing a point, until one of its points lies on the boundary. So
    it is enough to turn a disc about each point in turn; all that it holds at one time is united
    with that point.
    """
    n = row.size
    entry = np.empty(n, np.float64)
    leave = np.empty(n, np.float64)
    who = np.empty(n, np.int64)
    ends = np.empty(n, np.float64)
    by_entry = np.empty(n, np.int64)
    by_end = np.empty(n, np.int64)
    inside = np.empty(n, np.bool_)
    reach = 2.0 * radius
    low = np.int64(0)
    for i in range(n):
        if not _has_foreign(row, col, i, reach, parent):
            continue
        coincident, arcs = _arcs(row, col, i, radius, low, n, entry, leave, who)
        if 1 + coincident + arcs < min_count:
            continue
        count = 1 + coincident
        for k in range(arcs):
            inside[k] = leave[k] >= math.pi
            ends[k] = leave[k] - TWO_PI if inside[k] else leave[k]
            count += inside[k]
        _order_by(entry, arcs, by_entry)
        _order_by(ends, arcs, by_end)
        if count >= min_count:
            for k in range(arcs):
                if inside[k]:
                    _unite(parent, i, who[k])
        e, x = 0, 0
        while e < arcs:
            if x < arcs and ends[by_end[x]] < entry[by_entry[e]]:
                inside[by_end[x]] = False
                count -= 1
                x += 1
                continue
            k = by_entry[e]
            inside[k] = True
            count += 1
            e += 1
            if count == min_count:
                for m in range(arcs):
                    if inside[m]:
                        _unite(parent, i, who[m])
            elif count > min_count:
                _unite(parent, i, who[k])


@kernel
def _bin(angle: float) -> int:
    """Number of the bin of directions; it never falls as the angle rises."""
    return min(BINS - 1, max(0, int((angle + math.pi) * (BINS / TWO_PI))))


@kernel
def _deepest(
    entry: _Floats,
    leave: _Floats,
    arcs: int,
    at_least: int,
    first: _Ints,
    last: _Ints,
    touch: _Ints,
    some: _Floats,
    order: _Ints,
) -> tuple[int, float]:
    """Most arcs that overlap, when they are more than `at_least`, and the middle of that overlap.

    A histogram says how many arcs touch each bin of directions; only in bins where that exceeds the best
    so far are the ends of arcs sorted. `leave` is brought into [-pi, pi) here; the last five are scratch.
    """
    for k in range(BINS + 1):
        touch[k] = 0
    for k in range(arcs):
        wraps = leave[k] >= math.pi
        if wraps:
            leave[k] -= TWO_PI
            touch[0] += 1
        first[k], last[k] = _bin(entry[k]), _bin(leave[k])
        touch[first[k]] += 1
        touch[last[k] + 1] -= 1
    most, middle = at_least, 0.0
    running = 0
    for b in range(BINS):
        running += touch[b]
        if running <= most:
            continue
        # The arcs that begin here stand first in `some`, those that end here behind them.
        entered = np.int64(0)
        for k in range(arcs):
            if first[k] == b:
                some[entered] = entry[k]
                entered += 1
        left = np.int64(0)
        for k in range(arcs):
            if last[k] == b:
                some[entered + left] = leave[k]
                left += 1
        starts, by_start = some[:entered], order[:entered]
        ends, by_end = some[entered:], order[entered:]
        _order_by(starts, entered, by_start)
        _order_by(ends, left, by_end)
        inside = running - entered
        angle = -math.pi + b * (TWO_PI / BINS)
        e, x = 0, 0
        while True:
            if inside > most:
                most = inside
                until = -math.pi + (b + 1) * (TWO_PI / BINS)
                if x < left and ends[by_end[x]] < until:
                    until = ends[by_end[x]]
                middle = 0.5 * (angle + max(angle, until))
            if e == entered:
                break
            if x < left and ends[by_end[x]] < starts[by_start[e]]:
                inside -= 1
                x += 1
            else:
                inside += 1
                angle = starts[by_start[e]]
                e += 1
    return most, middle


@kernel
def most_in_disc(row: _Floats, col: _Floats, offset: _Ints, radius: float) -> tuple[_Ints, _Floats, _Floats]:
    """Find the most points of each group that one closed disc can hold, wherever it lies.

    Parameters
    ----------
    row, col : (n,) float64 arrays
        Coordinates; the members of a group follow each other, sorted by row.
    offset : (g + 1,) int64 array
        Group k has the points ``offset[k]`` to ``offset[k + 1] - 1``.
    radius : float
        Radius of the disc, in the unit of the coordinates.

    Returns
    -------
    count : (g,) int64 array
        Most members in one disc.
    centre_row, centre_col : (g,) float64 arrays
        Centre of a disc that holds them.

    Notes
    -----
    A disc turns about each point, which stays on its boundary; the deepest overlap of the arcs of
    directions in which it holds each neighbour is the count (Chazelle and Lee 1986,
    doi:10.1007/BF02238188).
    """
    groups = offset.size - 1
    best = np.empty(groups, np.int64)
    centre_row = np.empty(groups, np.float64)
    centre_col = np.empty(groups, np.float64)
    longest = 0
    for g in range(groups):
        longest = max(longest, offset[g + 1] - offset[g])
    entry = np.empty(longest, np.float64)
    leave = np.empty(longest, np.float64)
    who = np.empty(longest, np.int64)
    first = np.empty(longest, np.int64)
    last = np.empty(longest, np.int64)
    touch = np.empty(BINS + 1, np.int64)
    some = np.empty(2 * longest, np.float64)
    order = np.empty(2 * longest, np.int64)
    for g in range(groups):
        low, high = offset[g], offset[g + 1]
        # Discs about the points themselves give a first count, which spares most of the sweeps.
        best[g], i = _most_about_points(row, col, low, high, radius)
        centre_row[g], centre_col[g] = row[i], col[i]
        for i in range(low, high):
            if best[g] == high - low:
                break
            coincident, arcs = _arcs(row, col, i, radius, low, high, entry, leave, who)
            always = 1 + coincident
            if always + arcs <= best[g]:
                continue
            at_least = best[g] - always
            overlap, middle = _deepest(entry, leave, arcs, at_least, first, last, touch, some, order)
            if always + overlap > best[g]:
                best[g] = always + overlap
                centre_row[g] = row[i] + radius * math.cos(middle)
                centre_col[g] = col[i] + radius * math.sin(middle)
    return best, centre_row, centre_col
