"""Drawn groups and plain measures, on which descriptors are tested."""

from __future__ import annotations

import math

import numpy as np

from mcdetect.clusters.descriptors import (
    describe_clusters,
)
from mcdetect.phantom import group_positions_mm, scattered_positions_mm

BREAST_MM2 = 12000.0


def turned(points: np.ndarray, angle: float) -> np.ndarray:
    cos, sin = math.cos(angle), math.sin(angle)
    return points @ np.array([[cos, -sin], [sin, cos]]).T


def aimed_at(angle: float) -> tuple[float, float]:
    """Nipple at which the apex of a drawn segment of this orientation points."""
    return 70 * math.sin(angle + math.pi), 70 * math.cos(angle + math.pi)


def drawn(kind: str, rng: np.random.Generator) -> tuple[np.ndarray, tuple[float, float]]:
    angle = rng.uniform(0, 2 * math.pi)
    if kind == "scattered":
        points = scattered_positions_mm(int(rng.integers(15, 40)), (110.0, 80.0), rng)
        return points, (40.0, 120.0)
    n, extent = {
        "round": (rng.integers(6, 25), rng.uniform(5, 15)),
        "linear": (rng.integers(6, 20), rng.uniform(10, 25)),
        "segmental": (rng.integers(14, 45), rng.uniform(18, 45)),
    }[kind]
    nipple = aimed_at(angle if kind == "segmental" else rng.uniform(0, 2 * math.pi))
    return group_positions_mm(int(n), extent, kind, rng, orientation=angle, min_distance_mm=0.3), nipple


def measures(n: int, rng: np.random.Generator, **given: float) -> dict[str, np.ndarray]:
    usual = {
        "diameter_mm": 0.3,
        "eccentricity": 0.4,
        "orientation_deg": 0.0,
        "circularity": 0.98,
        "contrast": 30.0,
        "snr": 15.0,
        "skin_distance_mm": 30.0,
    }
    return {name: np.full(n, value) for name, value in (usual | given).items()}


def one_group(n: int, **given: float):
    rng = np.random.default_rng(n)
    points = group_positions_mm(n, 8.0, "round", rng, min_distance_mm=0.3)
    return describe_clusters(np.ones(n, int), *points.T, measures(n, rng, **given), 0.07).clusters[0]
