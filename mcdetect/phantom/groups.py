"""Where calcifications lie: grouped in the ways that BI-RADS names, or scattered."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import StrEnum

import numpy as np
import numpy.typing as npt

__all__ = [
    "GroupKind",
    "group_positions_mm",
    "max_points_in_disc",
    "scattered_positions_mm",
]

_TRIES_PER_POINT = 2000  # Technical: draws before a point is given up as finding no room
_Points = npt.NDArray[np.float64]


class GroupKind(StrEnum):
    """Distribution of the members of a group."""

    ROUND = "round"
    LINEAR = "linear"
    SEGMENTAL = "segmental"
    REGIONAL = "regional"


def _draw(kind: GroupKind, extent_mm: float, bend: float, flat: float, rng: np.random.Generator) -> _Points:
    """One point of a group before rotation: the long axis along +col, about the origin."""
    if kind in (GroupKind.ROUND, GroupKind.REGIONAL):
        angle = rng.uniform(0, 2 * math.pi)
        # Denser towards the middle for a tight group; even over a region.
        power = 0.6 if kind is GroupKind.ROUND else 0.5
        radius = 0.5 * extent_mm * rng.uniform() ** power
        return np.array([flat * radius * math.sin(angle), radius * math.cos(angle)])
    along = rng.uniform(-0.5, 0.5)
    if kind is GroupKind.LINEAR:
        lateral = bend * extent_mm * (along**2 - 1 / 12) + rng.normal(0, 0.03 * extent_mm + 0.1)
        return np.array([lateral, along * extent_mm])
    # Segmental: a wedge whose apex points to the nipple (-col), even over its area.
    depth = math.sqrt(rng.uniform())
    opening = 0.30 + 0.15 * flat
    return np.array([rng.uniform(-1, 1) * depth * extent_mm * opening, (depth - 0.5) * extent_mm])


def group_positions_mm(
    n: int,
    extent_mm: float,
    kind: GroupKind | str,
    rng: np.random.Generator,
    *,
    min_distance_mm: float = 0.6,
    orientation: float | None = None,
) -> _Points:
    """Draw the positions of the members of one group.

    Parameters
    ----------
    n : int
        Number of members, at least 1.
    extent_mm : float
        Length of the region that holds them, in mm (diameter, length of the line or of the wedge).
    kind : {"round", "linear", "segmental", "regional"}
        Distribution.
    rng : numpy.random.Generator
        Source of the positions.
    min_distance_mm : float
        Smallest distance between two members, in mm, so that they do not merge.
    orientation : float, optional
        Angle of the long axis in radians from +col towards +row; random when not given.

    Returns
    -------
    (n, 2) float64 array
        (row_mm, col_mm) about the centre of the region.
    """
    chosen = GroupKind(kind)
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    if not (math.isfinite(extent_mm) and extent_mm > 0) or min_distance_mm < 0:
        raise ValueError("extent_mm must be positive and min_distance_mm not negative")
    bend, flat = rng.uniform(-0.5, 0.5), rng.uniform(0.6, 1.0)
    points = np.empty((n, 2))
    for i in range(n):
        for _ in range(_TRIES_PER_POINT):
            point = _draw(chosen, extent_mm, bend, flat, rng)
            if i == 0 or _nearest(points[:i], point) >= min_distance_mm:
                points[i] = point
                break
        else:
            raise ValueError(
                f"{n} calcifications at least {min_distance_mm} mm apart do not fit a {chosen} group of "
                f"{extent_mm} mm; ask for fewer, a larger extent or a smaller distance"
            )
    angle = rng.uniform(0, 2 * math.pi) if orientation is None else orientation
    cos, sin = math.cos(angle), math.sin(angle)
    return np.stack(
        [points[:, 1] * sin + points[:, 0] * cos, points[:, 1] * cos - points[:, 0] * sin], axis=1
    )


def _nearest(points: _Points, point: _Points) -> float:
    return float(np.sqrt(((points - point) ** 2).sum(axis=1).min()))


def max_points_in_disc(points_mm: npt.ArrayLike, radius_mm: float) -> int:
    """Return the largest number of points that any closed disc of the radius holds.

    Tries the discs whose edge passes through two points, and those centred on one (together
    they contain an optimal disc); O(n^3), meant for the few points of a phantom.

    Parameters
    ----------
    points_mm : (n, 2) array-like
        Positions in mm.
    radius_mm : float
        Radius of the disc in mm.
    """
    points = np.asarray(points_mm, dtype=np.float64).reshape(-1, 2)
    if points.shape[0] == 0:
        return 0
    first, second = np.triu_indices(points.shape[0], 1)
    chord = points[second] - points[first]
    length = np.hypot(chord[:, 0], chord[:, 1])
    usable = (length > 0) & (length <= 2 * radius_mm)
    chord, length, start = chord[usable], length[usable], points[first[usable]]
    rise = np.sqrt(np.maximum(radius_mm**2 - (length / 2) ** 2, 0.0)) / length
    normal = np.stack([-chord[:, 1], chord[:, 0]], axis=1) * rise[:, None]
    middle = start + chord / 2
    centres = np.concatenate([points, middle + normal, middle - normal])
    reach = (radius_mm * (1 + 1e-9)) ** 2
    inside = ((centres[:, None, :] - points[None, :, :]) ** 2).sum(axis=2) <= reach
    return int(inside.sum(axis=1).max())


def scattered_positions_mm(
    n: int,
    size_mm: tuple[float, float],
    rng: np.random.Generator,
    *,
    max_in_disc: int = 4,
    area_cm2: float = 1.0,
    margin_mm: float = 0.3,
    min_distance_mm: float = 1.0,
    inside: Callable[[float, float], bool] | None = None,
    keep_clear_mm: npt.ArrayLike | None = None,
) -> _Points:
    """Draw positions such that no disc of an area ever holds more than a number of them.

    Parameters
    ----------
    n : int
        Number of calcifications.
    size_mm : (float, float)
        Height and width of the region in mm; its corner is the origin.
    rng : numpy.random.Generator
        Source of the positions.
    max_in_disc : int
        Most positions that a disc of `area_cm2` may hold.
    area_cm2 : float
        Area of the disc in cm2.
    margin_mm : float
        The rule holds for discs with a radius larger by this, so that a small error of
        measured positions cannot break it.
    min_distance_mm : float
        Smallest distance between two positions, in mm.
    inside : callable, optional
        ``inside(row_mm, col_mm)`` is True where a calcification may lie.
    keep_clear_mm : (m, 2) array-like, optional
        Positions that already exist; they count in every disc.

    Returns
    -------
    (n, 2) float64 array
        (row_mm, col_mm).
    """
    if n < 0 or max_in_disc < 1:
        raise ValueError("n must not be negative and max_in_disc at least 1")
    radius = 10.0 * math.sqrt(area_cm2 / math.pi) + margin_mm
    fixed = np.empty((0, 2)) if keep_clear_mm is None else np.asarray(keep_clear_mm, float).reshape(-1, 2)
    points = np.concatenate([fixed, np.empty((n, 2))])
    for i in range(fixed.shape[0], points.shape[0]):
        for _ in range(_TRIES_PER_POINT):
            point = rng.uniform(0, 1, 2) * np.asarray(size_mm)
            if inside is not None and not inside(float(point[0]), float(point[1])):
                continue
            distance = np.hypot(*(points[:i] - point).T)
            if i and distance.min() < min_distance_mm:
                continue
            near = np.concatenate([points[:i][distance <= 2 * radius], point[None]])
            if near.shape[0] <= max_in_disc or max_points_in_disc(near, radius) <= max_in_disc:
                points[i] = point
                break
        else:
            raise ValueError(
                f"{n} scattered calcifications with at most {max_in_disc} in {area_cm2} cm2 do not fit a "
                f"region of {size_mm[0]:.1f} x {size_mm[1]:.1f} mm"
            )
    return points[fixed.shape[0] :]
