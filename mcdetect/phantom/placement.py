"""Place groups and single calcifications in a breast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mcdetect.phantom.breast_outline import BreastShape
from mcdetect.phantom.groups import GroupKind, group_positions_mm, scattered_positions_mm
from mcdetect.phantom.insertion import CalcificationSpec, random_specs

__all__ = ["Calcifications", "Group", "Scatter", "place_calcifications"]

_TRIES = 400  # Technical: draws before a group is given up as finding no room


@dataclass(frozen=True)
class Calcifications:
    """Ranges from which calcifications are drawn.

    Parameters
    ----------
    diameter_mm : (float, float)
        Equivalent diameter in mm, log-uniform.
    snr : (float, float)
        Signal-to-noise ratio as `mcdetect.phantom.insertion` defines it, log-uniform.
    irregularity, elongation : (float, float)
        Shape, see `draw_calcification`; uniform.
    """

    diameter_mm: tuple[float, float] = (0.18, 0.5)
    snr: tuple[float, float] = (6.0, 20.0)
    irregularity: tuple[float, float] = (0.2, 0.9)
    elongation: tuple[float, float] = (1.0, 1.7)


@dataclass(frozen=True)
class Group:
    """A group of calcifications.

    Parameters
    ----------
    n : int
        Members.
    extent_mm : float
        Length of the region that holds them, in mm.
    kind : GroupKind
        Distribution.
    calcifications : Calcifications
        What its members look like.
    min_distance_mm : float
        Smallest distance between members, in mm.
    """

    n: int = 10
    extent_mm: float = 8.0
    kind: GroupKind = GroupKind.ROUND
    calcifications: Calcifications = field(default_factory=Calcifications)
    min_distance_mm: float = 0.7


@dataclass(frozen=True)
class Scatter:
    """Single calcifications, never more than `max_in_disc` of them in any disc of 1 cm2.

    Groups keep clear of them: none lies within `clearance_mm` of a group's member.
    """

    n: int = 0
    max_in_disc: int = 4
    clearance_mm: float = 13.0
    calcifications: Calcifications = field(default_factory=Calcifications)


def place_calcifications(
    outline: BreastShape,
    pair: tuple[float, float],
    groups: Sequence[Group],
    scatter: Scatter | None,
    rng: np.random.Generator,
) -> list[CalcificationSpec]:
    """Place groups and single calcifications inside the breast, off the skin and the pectoral muscle."""
    rows, cols = outline.depth_mm.shape
    size = np.array([rows * pair[0], cols * pair[1]])
    margin = min(8.0, 0.15 * float(outline.depth_mm.max()))

    def inside(row_mm: float, col_mm: float) -> bool:
        edge = 0.75 * margin
        if not (edge < row_mm < size[0] - edge and edge < col_mm < size[1] - edge):
            return False
        i, j = int(row_mm / pair[0]), int(col_mm / pair[1])
        if outline.pectoral_mm is not None and outline.pectoral_mm[i, j] > -2.0:
            return False
        return bool(outline.depth_mm[i, j] > margin)

    taken = np.empty((0, 2))
    specs: list[CalcificationSpec] = []
    for number, group in enumerate(groups, start=1):
        shape_mm = group_positions_mm(
            group.n, group.extent_mm, group.kind, rng, min_distance_mm=group.min_distance_mm
        )
        for _ in range(_TRIES):
            points = shape_mm + rng.uniform(0, 1, 2) * size
            apart = taken.size == 0 or _smallest_distance(points, taken) > 15.0
            if apart and all(inside(float(row), float(col)) for row, col in points):
                break
        else:
            raise ValueError(f"group {number} of {group.extent_mm} mm does not fit the breast")
        taken = np.concatenate([taken, points])
        specs += _specs(points, pair, group.calcifications, rng, number, str(group.kind))
    if scatter is not None and scatter.n:

        def free(row_mm: float, col_mm: float) -> bool:
            if not inside(row_mm, col_mm):
                return False
            here = np.array([[row_mm, col_mm]])
            return taken.size == 0 or _smallest_distance(here, taken) > scatter.clearance_mm

        points = scattered_positions_mm(
            scatter.n, (float(size[0]), float(size[1])), rng, max_in_disc=scatter.max_in_disc, inside=free
        )
        specs += _specs(points, pair, scatter.calcifications, rng, 0, "scattered")
    return specs


def _smallest_distance(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float:
    return float(np.sqrt(((first[:, None] - second[None]) ** 2).sum(axis=2)).min())


def _specs(
    points_mm: npt.NDArray[np.float64],
    pair: tuple[float, float],
    ranges: Calcifications,
    rng: np.random.Generator,
    group_id: int,
    kind: str,
) -> list[CalcificationSpec]:
    return random_specs(
        points_mm / np.asarray(pair) - 0.5,
        rng,
        diameter_mm=ranges.diameter_mm,
        snr=ranges.snr,
        irregularity=ranges.irregularity,
        elongation=ranges.elongation,
        group_id=group_id,
        kind=kind,
    )
