"""How the members of a group join as they are dilated: parts, giant component, degree, clustering."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mcdetect.clusters.features.tree import spanning_tree
from mcdetect.kernels.spanning import count_steps, spanning_net

__all__ = ["N_STEPS", "SCALES", "STEP_MM", "JoinCurves", "join_curves", "join_many", "topology_measures"]

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]

# Judged: up to 3 mm, as far as groups hang together; finer steps cost time and say no more than positions do.
STEP_MM = 0.1
N_STEPS = 30
"""Members are dilated in steps of `STEP_MM`, so often: to 3 mm."""
SCALES = {"500um": 5, "1000um": 10, "2000um": 20}
"""Number of steps at the dilations that have columns of their own, by the suffix of the column."""

# Technical: rounding and memory.
_TIE = 1e-9  # of a step: a gap that a step just closes counts as closed, so that rounding decides nothing
_CELLS = 1 << 18
"""Graphs of this many cells together are worked on at once."""
_SAMPLE = 400
"""Of a crowd so many members, and so many pairs of what each touches, tell the clustering: to about 0.01."""


@dataclass(frozen=True)
class JoinCurves:
    """What the graph of touching members looks like after each step of dilation.

    Parameters
    ----------
    parts : (steps,) int64 array
        Connected parts: the Betti-0 curve.
    giant : (steps,) float64 array
        Share of the members in the largest part.
    degree : (steps,) float64 array
        Mean number of members that a member touches.
    clustering : (steps,) float64 array
        Mean local clustering coefficient; members that touch fewer than two others count as 0.
    joins_mm : (n - 1,) float64 array
        Dilation at which each part is joined to another one, rising; not in steps.
    """

    parts: _Ints
    giant: _Floats
    degree: _Floats
    clustering: _Floats
    joins_mm: _Floats


def join_curves(distance: _Floats, diameter_mm: _Floats) -> JoinCurves:
    """Dilate the members of one group and watch them join.

    Parameters
    ----------
    distance : (n, n) float64 array
        Distances between centres in mm; n at least 1.
    diameter_mm : (n,) float64 array
        Diameters of the members; those not finite count as points.

    Returns
    -------
    JoinCurves
        Two members touch when the gap between them, discs of their area, is at most twice the dilation.

    Notes
    -----
    The graphs are those of Chen et al., IEEE Trans. Biomed. Eng. 62 (2015) 1203; the clustering
    coefficient that of Watts and Strogatz 1998, doi:10.1038/30918.
    """
    n = len(distance)
    radius = 0.5 * np.where(np.isfinite(diameter_mm), diameter_mm, 0.0)
    gap = np.maximum(distance - radius[:, None] - radius[None, :], 0.0)
    edges, length = spanning_tree(gap)
    order = np.argsort(length, kind="stable")
    joins = 0.5 * length[order]
    at = _step(length[order])
    steps = np.arange(1, N_STEPS + 1)
    parts = n - np.searchsorted(at, steps, "right")
    step = _step(gap)
    np.fill_diagonal(step, N_STEPS + 1)
    pairs = np.cumsum(np.bincount(step.ravel(), minlength=N_STEPS + 2))[1 : N_STEPS + 1]
    return JoinCurves(
        parts=parts.astype(np.int64),
        giant=_giant(edges[order], at, n),
        degree=pairs / n,
        clustering=_clustering(step),
        joins_mm=joins,
    )


def join_many(points: _Floats, diameter_mm: _Floats) -> JoinCurves:
    """Do what `join_curves` does for a crowd, in memory that grows with its members and no matrix.

    Parameters
    ----------
    points : (n, 2) float64 array
        Centres in mm.
    diameter_mm : (n,) float64 array
        As for `join_curves`.

    Returns
    -------
    JoinCurves
        As of `join_curves`, but the clustering is that of an even sample of the members, for each of which
        an even sample of the pairs that it touches is looked at.
    """
    n = len(points)
    radius = 0.5 * np.where(np.isfinite(diameter_mm), diameter_mm, 0.0)
    edges, length = np.empty((n - 1, 2), np.int64), np.empty(n - 1)
    spanning_net(points, radius, edges, length)
    order = np.argsort(length, kind="stable")
    at = _step(length[order])
    counts = np.zeros(N_STEPS + 1, np.int64)
    count_steps(points, radius, STEP_MM, _TIE, counts)
    return JoinCurves(
        parts=(n - np.searchsorted(at, np.arange(1, N_STEPS + 1), "right")).astype(np.int64),
        giant=_giant(edges[order], at, n),
        degree=2.0 * np.cumsum(counts)[1:] / n,
        clustering=_sampled_clustering(points, radius),
        joins_mm=0.5 * length[order],
    )


def _sampled_clustering(points: _Floats, radius: _Floats) -> _Floats:
    """Mean local clustering coefficient after each step, of some members and some pairs of each."""
    draw = np.random.default_rng(0)
    chosen = np.unique(np.linspace(0, len(points) - 1, _SAMPLE).round().astype(np.int64))
    total = np.zeros(N_STEPS)
    for member in chosen:
        gap = np.hypot(*(points - points[member]).T) - radius - radius[member]
        step = _step(np.maximum(gap, 0.0))
        step[member] = N_STEPS + 1
        order = np.argsort(step, kind="stable")
        touched = np.searchsorted(step[order], np.arange(1, N_STEPS + 1), "right")
        for k in np.flatnonzero(touched > 1):
            pairs = _pairs_of(order[: touched[k]], draw)
            between = np.hypot(*(points[pairs[0]] - points[pairs[1]]).T) - radius[pairs[0]] - radius[pairs[1]]
            total[k] += np.mean(_step(np.maximum(between, 0.0)) <= k + 1)
    return total / len(chosen)


def _pairs_of(members: _Ints, draw: np.random.Generator) -> tuple[_Ints, _Ints]:
    """All pairs of few members, or so many drawn at random, with the same seed for each group."""
    n = len(members)
    if n * (n - 1) // 2 <= _SAMPLE:
        one, two = np.triu_indices(n, 1)
    else:
        one = draw.integers(0, n, _SAMPLE)
        two = (one + draw.integers(1, n, _SAMPLE)) % n
    return members[one], members[two]


def _step(gap: _Floats) -> _Ints:
    """First step of dilation that closes a gap; `N_STEPS` + 1 when none does."""
    first = np.ceil(gap / (2.0 * STEP_MM) - _TIE)
    return np.clip(first, 1, N_STEPS + 1).astype(np.int64)


def _giant(edges: _Ints, at: _Ints, n: int) -> _Floats:
    """Share of the members in the largest part after each step; edges by rising step."""
    root = list(range(n))
    size = [1] * n
    largest = np.full(N_STEPS + 1, 1.0 / n)

    def find(member: int) -> int:
        while root[member] != member:
            root[member] = root[root[member]]
            member = root[member]
        return member

    for (one, two), step in zip(edges.tolist(), at.tolist(), strict=True):
        if step > N_STEPS:
            break
        one, two = find(one), find(two)
        root[two] = one
        size[one] += size[two]
        largest[step:] = np.maximum(largest[step:], size[one] / n)
    return largest[1:]


def _clustering(step: _Ints) -> _Floats:
    """Mean local clustering coefficient after each step."""
    n = len(step)
    changes = np.unique(step)
    changes = changes[changes <= N_STEPS]
    mean = np.zeros(changes.size)
    at_once = max(1, _CELLS // n**2)
    for k in range(0, changes.size, at_once):
        part = slice(k, k + at_once)
        touch = (step <= changes[part, None, None]).astype(np.float32)
        degree = touch.sum(axis=2, dtype=np.float64)
        closed = np.einsum("kij,kij->ki", touch @ touch, touch)
        possible = degree * (degree - 1.0)
        local = np.divide(closed, possible, out=np.zeros(degree.shape), where=possible > 0.0)
        mean[part] = local.mean(axis=1)
    last = np.searchsorted(changes, np.arange(1, N_STEPS + 1), "right")
    found: _Floats = np.concatenate([[0.0], mean])[last]
    return found


def topology_measures(curves: JoinCurves) -> dict[str, float]:
    """Summarise the curves of one group.

    Parameters
    ----------
    curves : JoinCurves
        As `join_curves` gives them.

    Returns
    -------
    dict of str to float
        topo_{parts,giant,degree,clustering}_{500um,1000um,2000um}: the curves at these dilations;
        topo_{giant,degree,clustering}_mean: means over all dilations; topo_betti0_mean: mean of parts per
        member; topo_betti0_half_mm: first dilation with at most half as many parts as members;
        topo_joined_mm: first dilation with one part; both NaN for one member and beyond 3 mm;
        topo_betti0_entropy: entropy in bits of the shares that the joins have in the sum of their
        dilations (persistent entropy), NaN when that sum is 0.
    """
    found: dict[str, float] = {}
    for suffix, count in SCALES.items():
        for name in ("parts", "giant", "degree", "clustering"):
            found[f"topo_{name}_{suffix}"] = float(getattr(curves, name)[count - 1])
    for name in ("giant", "degree", "clustering"):
        found[f"topo_{name}_mean"] = float(getattr(curves, name).mean())
    n = len(curves.joins_mm) + 1
    found["topo_betti0_mean"] = float(curves.parts.mean()) / n
    found["topo_betti0_half_mm"] = _first(curves.parts <= 0.5 * n) if n > 1 else math.nan
    found["topo_joined_mm"] = _first(curves.parts == 1) if n > 1 else math.nan
    found["topo_betti0_entropy"] = _share_entropy(curves.joins_mm)
    return found


def _first(reached: npt.NDArray[np.bool_]) -> float:
    """Dilation in mm at which a condition first holds, NaN when it never does."""
    return STEP_MM * (int(np.argmax(reached)) + 1) if reached.any() else math.nan


def _share_entropy(values: _Floats) -> float:
    total = float(values.sum())
    if not total > 0.0:
        return math.nan
    share = values[values > 0.0] / total
    return abs(float(np.sum(share * np.log2(share))))
