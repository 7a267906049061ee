"""Which calcifications of the two images are the same: group by group, by their constellation."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree
from scipy.stats import binom

from mcdetect.exams.comparison.points import Points

__all__ = ["Match", "match_points"]

_Doubles = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]

# Judged: on drawn pairs (python -m benchmarks pairs). Wider limits follow poor registration farther, and pair
# more calcifications that only chance brought together.
_NEAR_MM = (0.5, 1.0)  # tolerance between members after the group's own shift: least, most
_SHIFT_MM = (1.0, 8.0)  # farthest shift of a group: least, most
_SHIFT_ERRORS = 3.0  # the same, in standard errors of the registration
_SINGLE_MM = (0.7, 2.0)  # farthest partner of a calcification outside groups: least, most
_SINGLE_ERRORS = 2.5  # the same, in standard errors of the registration
_AROUND_MM = (8.0, 20.0)  # radii of the discs in which the other image's calcifications by chance are counted
_CLOSE_MM = 0.35  # tolerance at the place that paired members tell
_GUIDES = 5  # paired members that tell where another must lie
_CHANCE = 0.001  # probability beyond which what meets may have met by chance
_SHARE = 0.3
"""Of a group's members that must be seen in the other image for the group to have been there."""


@dataclass
class Match:
    """Pairs of points, and which groups the other image shows.

    Parameters
    ----------
    prior_of : (n,) int64 array
        For each point of the current image the index of its partner in the prior one, -1 for none.
    current_of : (m,) int64 array
        The same, the other way.
    shift_mm : dict of int to (2,) float64 array
        Current group to what its members still had to be moved to meet those of the prior image.
    prior_shift_mm : dict of int to (2,) float64 array
        Prior group to what its members had to be moved to meet those of the current image.
    """

    prior_of: _Ints
    current_of: _Ints
    shift_mm: dict[int, _Doubles] = field(default_factory=dict)
    prior_shift_mm: dict[int, _Doubles] = field(default_factory=dict)

    def join(self, current: npt.ArrayLike, prior: npt.ArrayLike) -> None:
        """Note pairs."""
        self.prior_of[np.asarray(current)] = prior
        self.current_of[np.asarray(prior)] = current


def match_points(prior: Points, current: Points) -> Match:
    """Pair the points of two images.

    Each group of the current image is moved, within three standard errors of the registration, to
    where most of its members meet points of the prior image; what meets within half a millimetre
    (more where the registration is poor) is paired if so many could not meet by chance. Groups of
    the prior image that found no partner are then looked for in the current image in the same way.
    Single calcifications are paired by distance alone. Last, where a member of a group that both show
    is missing, the faintest candidate counts if it lies at the very place that its neighbours tell.

    Parameters
    ----------
    prior, current : Points
        Both in the frame of the current image. Faint candidates take part, but two faint ones are
        never paired.

    Returns
    -------
    Match
    """
    match = Match(np.full(len(current), -1, np.int64), np.full(len(prior), -1, np.int64))
    for group in _by_size(current.cluster):
        own = np.flatnonzero(current.cluster == group)
        free = np.flatnonzero((match.current_of < 0) & ~prior.trace)
        found = _meet(current.here_mm[own], prior.here_mm[free], float(np.median(current.error_mm[own])))
        if found is not None:
            pairs, shift = found
            match.join(own[pairs[:, 0]], free[pairs[:, 1]])
            match.shift_mm[group] = shift
    for group in _by_size(prior.cluster):
        own = np.flatnonzero(prior.cluster == group)
        if np.count_nonzero(match.current_of[own] >= 0) >= needed(len(own)):
            continue
        own = own[match.current_of[own] < 0]
        free = np.flatnonzero((match.prior_of < 0) & ~current.trace)
        found = _meet(prior.here_mm[own], current.here_mm[free], float(np.median(prior.error_mm[own])))
        if found is not None:
            pairs, shift = found
            match.join(free[pairs[:, 1]], own[pairs[:, 0]])
            match.prior_shift_mm[group] = shift
    _pair_left_over(prior, current, match)
    _look_closely(current, prior, match.prior_of, match.current_of)
    _look_closely(prior, current, match.current_of, match.prior_of)
    return match


def needed(n: int) -> int:
    """Return how many of n members must be seen in the other image for the group to have been there."""
    return max(2, math.ceil(_SHARE * n))


def _by_size(cluster: _Ints) -> list[int]:
    numbers, counts = np.unique(cluster[cluster > 0], return_counts=True)
    return [int(k) for k in numbers[np.argsort(-counts, kind="stable")]]


def _meet(points: _Doubles, others: _Doubles, error_mm: float) -> tuple[_Ints, _Doubles] | None:
    """Move a constellation to where most of it meets others.

    Returns
    -------
    pairs : (k, 2) int64 array
        Indices into `points` and `others`.
    shift : (2,) float64 array
        In mm.
    None when no more meet than could by chance.
    """
    if not len(points) or not len(others):
        return None
    near_mm = min(max(_NEAR_MM[0], error_mm), _NEAR_MM[1])
    far_mm = min(max(_SHIFT_MM[0], _SHIFT_ERRORS * error_mm), _SHIFT_MM[1])
    tree = cKDTree(others)
    reachable = tree.query_ball_point(points, far_mm)
    trials = [np.zeros((1, 2))]
    trials += [others[near] - point for point, near in zip(points, reachable, strict=True) if near]
    shifts = np.concatenate(trials)
    best: tuple[float, _Doubles] = (-1.0, np.zeros(2))
    for shift in shifts:
        nearest = tree.query(points + shift, distance_upper_bound=near_mm)
        distance, which = np.asarray(nearest[0]), np.asarray(nearest[1])
        met = np.isfinite(distance)
        worth = len(np.unique(which[met]))
        # Among equal counts: close pairs, then little movement.
        loss = 0.5 * float((distance[met] / near_mm).mean()) if met.any() else 0.0
        loss += 0.4 * float(np.hypot(*shift)) / far_mm
        if worth - loss > best[0]:
            best = worth - loss, shift
    shift = best[1]
    pairs = _assign(points + shift, others, np.full(len(points), near_mm))
    for _ in range(2):
        if not len(pairs):
            return None
        shift = np.median(others[pairs[:, 1]] - points[pairs[:, 0]], axis=0)
        pairs = _assign(points + shift, others, np.full(len(points), near_mm))
    ground = 0.0
    for radius in _AROUND_MM:
        around = len(tree.query_ball_point((points + shift).mean(axis=0), radius))
        ground = max(ground, max(around - len(pairs), 1) / (math.pi * radius**2))
    share = 1.0 - math.exp(-ground * math.pi * near_mm**2)
    trials_made = 1.0 + (far_mm / near_mm) ** 2
    chance = float(binom.sf(len(pairs) - 1, len(points), share)) * trials_made
    if chance > _CHANCE or len(pairs) < needed(len(points)):
        return None
    return pairs, shift


def _assign(points: _Doubles, others: _Doubles, near_mm: _Doubles) -> _Ints:
    """Pair one to one, as many as possible; each point has its farthest distance."""
    if not len(points) or not len(others):
        return np.empty((0, 2), np.int64)
    distance = np.hypot(
        points[:, 0][:, None] - others[:, 0][None, :], points[:, 1][:, None] - others[:, 1][None, :]
    )
    limit = np.broadcast_to(near_mm[:, None], distance.shape)
    too_far = 1e3
    cost = np.where(distance <= limit, distance / limit, too_far)
    row, col = linear_sum_assignment(cost)
    kept = cost[row, col] < too_far
    return np.stack([row[kept], col[kept]], axis=1).astype(np.int64)


def _look_closely(points: Points, others: Points, other_of: _Ints, point_of: _Ints) -> None:
    """Pair members without partner to candidates at the place that the paired members around tell."""
    for group in _by_size(points.cluster):
        own = np.flatnonzero(points.cluster == group)
        paired = own[other_of[own] >= 0]
        alone = own[other_of[own] < 0]
        free = np.flatnonzero((point_of < 0) & ~others.called)
        if len(paired) < needed(len(own)) or not len(alone) or not len(free):
            continue
        moved = others.here_mm[other_of[paired]] - points.here_mm[paired]
        k = min(_GUIDES, len(paired))
        _, near = cKDTree(points.here_mm[paired]).query(points.here_mm[alone], k=k)
        expected = points.here_mm[alone] + np.median(moved[np.reshape(near, (len(alone), k))], axis=1)
        pairs = _assign(expected, others.here_mm[free], np.full(len(alone), _CLOSE_MM))
        other_of[alone[pairs[:, 0]]] = free[pairs[:, 1]]
        point_of[free[pairs[:, 1]]] = alone[pairs[:, 0]]


def _pair_left_over(prior: Points, current: Points, match: Match) -> None:
    """Pair what is left: members of matched groups as the group moved, single ones by distance."""
    waiting = np.flatnonzero(
        (match.prior_of < 0)
        & current.called
        & np.array([k == 0 or k in match.shift_mm for k in current.cluster.tolist()], np.bool_)
    )
    free = np.flatnonzero((match.current_of < 0) & ~prior.trace)
    place = current.here_mm[waiting].copy()
    near = np.clip(_SINGLE_ERRORS * current.error_mm[waiting], *_SINGLE_MM)
    for k, group in enumerate(current.cluster[waiting].tolist()):
        if group:
            place[k] += match.shift_mm[group]
            near[k] = _NEAR_MM[1]
    pairs = _assign(place, prior.here_mm[free], near)
    if len(pairs):
        match.join(waiting[pairs[:, 0]], free[pairs[:, 1]])
    # Calcifications of the prior image that the current one shows only faintly.
    waiting = np.flatnonzero((match.current_of < 0) & prior.called)
    free = np.flatnonzero((match.prior_of < 0) & ~current.called & ~current.trace)
    near = np.clip(_SINGLE_ERRORS * prior.error_mm[waiting], *_SINGLE_MM)
    pairs = _assign(prior.here_mm[waiting], current.here_mm[free], near)
    if len(pairs):
        match.join(free[pairs[:, 1]], waiting[pairs[:, 0]])
