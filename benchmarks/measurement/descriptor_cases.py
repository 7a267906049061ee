"""Groups of known distribution, morphology and heterogeneity, drawn into a phantom background."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.ndimage import distance_transform_edt
from scipy.spatial.distance import cdist

from mcdetect.phantom import (
    CalcificationSpec,
    PhantomMammogram,
    draw_mammogram,
    group_positions_mm,
    insert_calcifications,
    random_specs,
    scattered_positions_mm,
)
from mcdetect.phantom.members import vessel_walls_mm

SPACING_MM = 0.07
SHAPE = (2300, 1700)
DISTRIBUTIONS = ("round", "linear", "segmental")
MORPHOLOGIES = (
    "punctate",
    "fine_pleomorphic",
    "fine_linear",
    "coarse_heterogeneous",
    "coarse",
    "rod",
    "rim",
    "vascular",
)
_RANGES = ("diameter_mm", "snr", "irregularity", "elongation")
_MEMBERS: dict[str, tuple[tuple[float, float], ...]] = {
    "mixed": ((0.2, 0.5), (10, 25)),
    "punctate": ((0.25, 0.35), (12, 16), (0, 0.15), (1, 1.1)),
    "uniform": ((0.33, 0.37), (13, 15), (0.2, 0.3), (1, 1.1)),
    "heterogeneous": ((0.2, 0.6), (7, 25), (0.2, 1), (1, 2.5)),
    "fine_pleomorphic": ((0.18, 0.5), (8, 25), (0.6, 1), (1, 2.2)),
    "fine_linear": ((0.32, 0.5), (12, 25), (0, 1), (4, 6)),
    "coarse_heterogeneous": ((0.5, 0.9), (12, 30), (0.5, 1), (1, 2)),
    "coarse": ((1.1, 1.6), (20, 40), (0.5, 1), (1, 1.3)),
    "rod": ((0.9, 1.15), (20, 40), (0, 0.3), (2.6, 3.2)),
    "rim": ((0.9, 1.4), (15, 30), (0, 0.1), (1, 1)),
    "vascular": ((0.35, 0.6), (10, 25), (0, 1), (2, 4)),
}
"""From where to where members of a kind are drawn, in the order of `_RANGES`; SNR has no unit."""
_APART_MM = 22.0

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """An image with one drawn finding per entry of `kinds`; centres in px."""

    pixels: npt.NDArray[np.float32]
    spacing_mm: float
    kinds: tuple[str, ...]
    centres_px: Points
    truth: pd.DataFrame
    nipple_px: tuple[float, float]


def background(seed: int, shape: tuple[int, int] = SHAPE) -> PhantomMammogram:
    """Draw a breast without calcifications."""
    return draw_mammogram(shape, SPACING_MM, seed=seed)


def nipple_px(breast: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Point of the breast farthest from the side that it touches most."""
    left = np.count_nonzero(breast[:, 0]) >= np.count_nonzero(breast[:, -1])
    rows, cols = np.nonzero(breast)
    tip = cols.max() if left else cols.min()
    return float(np.median(rows[cols == tip])), float(tip)


def group_points(kind: str, rng: np.random.Generator, to_nipple: float | None = None) -> Points:
    """Positions in mm of a round, linear or segmental group; a segment's apex points to the nipple."""
    if kind == "round":
        n, extent = int(rng.integers(6, 25)), float(rng.uniform(5, 14))
    elif kind == "linear":
        n, extent = int(rng.integers(7, 16)), float(rng.uniform(12, 22))
    else:
        n, extent = int(rng.integers(18, 40)), float(rng.uniform(20, 32))
    aim = None if kind != "segmental" or to_nipple is None else to_nipple + math.pi
    for gap in (0.9, 0.7, 0.5, 0.3):
        try:
            return group_positions_mm(n, extent, kind, rng, min_distance_mm=gap, orientation=aim)
        except ValueError:
            continue
    raise ValueError(f"no room for {n} members in {extent} mm")


def members(kind: str, n: int, rng: np.random.Generator) -> list[CalcificationSpec]:
    """Members of a group of one morphology, all at (0, 0)."""
    ranges = dict(zip(_RANGES, _MEMBERS[kind], strict=False))
    specs = random_specs(np.zeros((n, 2)), rng, **ranges)  # type: ignore[arg-type]
    if kind == "fine_linear":
        return [replace(s, form="branch" if rng.random() < 0.4 else "rod") for s in specs]
    forms = {"rod": "rod", "rim": "rim", "vascular": "rod"}
    return [replace(s, form=forms.get(kind, "grain")) for s in specs]


def finding(kind: str, rng: np.random.Generator, to_nipple: float) -> tuple[Points, list[CalcificationSpec]]:
    """Positions in mm about the middle, and members, of one finding."""
    if kind == "vascular":
        points, direction = vessel_walls_mm(float(rng.uniform(25, 45)), float(rng.uniform(0.9, 1.6)), rng)
        specs = members(kind, len(points), rng)
        return points, [replace(s, orientation=float(d)) for s, d in zip(specs, direction, strict=True)]
    if kind in DISTRIBUTIONS:
        points = group_points(kind, rng, to_nipple)
        return points, members("mixed", len(points), rng)
    if kind == "fine_linear":
        points = group_points("segmental" if rng.random() < 0.5 else "linear", rng, to_nipple)
        specs = members(kind, len(points), rng)
        angles = to_nipple + rng.normal(0, 0.35, len(specs))
        return points, [replace(s, orientation=float(a)) for s, a in zip(specs, angles, strict=True)]
    large = kind in ("coarse", "rod", "rim", "coarse_heterogeneous")
    n = int(rng.integers(6, 10) if large else rng.integers(7, 18))
    wide = {"coarse": 2.5, "rod": 3.0, "rim": 2.5, "coarse_heterogeneous": 2.0}.get(kind, 0.8)
    extent = max(float(rng.uniform(6, 12)), 2.0 * wide * math.sqrt(n))
    points = group_positions_mm(n, extent, "round", rng, min_distance_mm=wide)
    return points, members(kind, n, rng)


def depth_mm(breast: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Distance of every pixel to the edge of the breast, or of the image."""
    away: npt.NDArray[np.float64] = distance_transform_edt(np.pad(breast, 1))[1:-1, 1:-1] * SPACING_MM
    return away


def at_places(specs: list[CalcificationSpec], px: Points, **changes: Any) -> list[CalcificationSpec]:
    """Put calcifications where they belong, in px."""
    return [
        replace(s, row_px=float(r), col_px=float(c), **changes) for s, (r, c) in zip(specs, px, strict=True)
    ]


def inserted(
    base: PhantomMammogram,
    specs: list[CalcificationSpec],
    kinds: tuple[str, ...],
    centres_px: Points,
    rng: np.random.Generator,
) -> Case:
    """Insert calcifications into a background."""
    pixels, truth = insert_calcifications(
        base.pixels.astype(np.float32),
        SPACING_MM,
        specs,
        rng=rng,
        mask=base.breast,
        limits=(0, float(base.pixels.max())),
    )
    return Case(pixels, SPACING_MM, kinds, centres_px, truth, nipple_px(base.breast))


def draw_case(base: PhantomMammogram, kinds: Sequence[str], seed: int) -> Case:
    """Insert findings into a background, well apart; one that finds no room is left out."""
    rng = np.random.default_rng(seed)
    depth = depth_mm(base.breast)
    tip = nipple_px(base.breast)
    rows, cols = base.breast.shape
    specs: list[CalcificationSpec] = []
    taken: list[Points] = []
    placed: list[str] = []
    for kind in kinds:
        for _ in range(300):
            centre = rng.uniform(0, 1, 2) * (rows, cols)
            to_nipple = math.atan2(tip[0] - centre[0], tip[1] - centre[1])
            points, drawn = finding(kind, rng, to_nipple)
            px = centre + points / SPACING_MM
            inside = (px > 60).all() and (px[:, 0] < rows - 60).all() and (px[:, 1] < cols - 60).all()
            if not inside or depth[px[:, 0].astype(int), px[:, 1].astype(int)].min() < 6.0:
                continue
            if taken and cdist(px, np.concatenate(taken)).min() * SPACING_MM < _APART_MM:
                continue
            taken.append(px)
            placed.append(kind)
            specs += at_places(drawn, px, group_id=len(placed), kind=kind)
            break
    return inserted(
        base, specs, tuple(placed), np.array([px.mean(axis=0) for px in taken]).reshape(-1, 2), rng
    )


def scattered_case(base: PhantomMammogram, seed: int) -> Case:
    """Insert single calcifications over the whole breast, never five within 1 cm2."""
    rng = np.random.default_rng(seed)
    depth = depth_mm(base.breast)
    size = tuple(SPACING_MM * s for s in base.breast.shape)

    def inside(row: float, col: float) -> bool:
        return bool(depth[int(row / SPACING_MM), int(col / SPACING_MM)] > 7.0)

    points = scattered_positions_mm(int(rng.integers(25, 45)), size, rng, inside=inside, max_in_disc=3)
    specs = at_places(members("mixed", len(points), rng), points / SPACING_MM)
    return inserted(base, specs, ("scattered",), np.zeros((1, 2)), rng)
