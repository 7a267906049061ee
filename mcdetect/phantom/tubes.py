"""Ducts, vessels and Cooper's ligaments: tapering tubes, the line distractors of a phantom."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.tubes import draw_tube

__all__ = ["Tube", "draw_tubes_mm", "duct_trees", "ligaments", "vessel_trees"]

_STEP_MM = 0.8  # Technical: between the points of a tube's middle line


@dataclass(frozen=True)
class Tube:
    """A tapering tube.

    Parameters
    ----------
    points_mm : (n, 2) float64 array
        Centre line, (row, col) in mm from the corner of the image.
    radius_mm : (n,) float64 array
        Radius at each point, in mm.
    """

    points_mm: npt.NDArray[np.float64]
    radius_mm: npt.NDArray[np.float64]


def _grow(
    start: tuple[float, float],
    heading: float,
    radius: tuple[float, float],
    length_mm: float,
    wander: float,
    rng: np.random.Generator,
) -> Tube:
    """A tube that meanders about its heading and bends a little; its radius changes linearly."""
    n = max(3, math.ceil(length_mm / _STEP_MM))
    bend = np.zeros(n)
    shocks = rng.normal(0, wander, n)
    for i in range(1, n):
        bend[i] = 0.97 * bend[i - 1] + shocks[i]
    course = heading + bend + rng.normal(0, 0.006) * np.arange(n)
    steps = _STEP_MM * np.stack([np.sin(course), np.cos(course)], axis=1)
    points = np.asarray(start) + np.concatenate([np.zeros((1, 2)), np.cumsum(steps[:-1], axis=0)])
    return Tube(points, np.linspace(radius[0], radius[1], n))


def _branch(
    trunk: Tube, generations: int, spread: tuple[float, float], wander: float, rng: np.random.Generator
) -> list[Tube]:
    tubes = [trunk]
    if generations == 0:
        return tubes
    n = trunk.points_mm.shape[0]
    length = n * _STEP_MM
    for _ in range(int(rng.integers(1, 4))):
        at = int(n * rng.uniform(0.25, 0.8))
        ahead = trunk.points_mm[min(at + 1, n - 1)] - trunk.points_mm[at - 1]
        heading = math.atan2(ahead[0], ahead[1]) + rng.choice([-1, 1]) * rng.uniform(*spread)
        thick = trunk.radius_mm[at] * rng.uniform(0.55, 0.85)
        first = trunk.points_mm[at]
        child = _grow(
            (float(first[0]), float(first[1])),
            heading,
            (thick, 0.45 * thick),
            length * rng.uniform(0.3, 0.65),
            wander,
            rng,
        )
        tubes += _branch(child, generations - 1, spread, wander, rng)
    return tubes


def vessel_trees(
    n_trees: int, size_mm: tuple[float, float], nipple_mm: tuple[float, float], rng: np.random.Generator
) -> list[Tube]:
    """Draw vessels that enter at the chest wall (first column) and run forward, 0.2 to 1.5 mm wide."""
    tubes: list[Tube] = []
    for _ in range(n_trees):
        start = (size_mm[0] * rng.uniform(0.12, 0.88), -2.0)
        heading = 0.6 * math.atan2(nipple_mm[0] - start[0], nipple_mm[1]) + rng.normal(0, 0.25)
        thick = 0.5 * rng.uniform(0.7, 1.5)
        trunk = _grow(start, heading, (thick, 0.35 * thick), nipple_mm[1] * rng.uniform(0.5, 0.95), 0.06, rng)
        tubes += _branch(trunk, 2, (0.35, 0.9), 0.07, rng)
    return tubes


def duct_trees(
    n_ducts: int, size_mm: tuple[float, float], nipple_mm: tuple[float, float], rng: np.random.Generator
) -> list[Tube]:
    """Draw ducts that fan out from the nipple towards the chest wall, 0.2 to 1.4 mm wide."""
    tubes: list[Tube] = []
    fan = np.linspace(-0.85, 0.85, n_ducts) + rng.normal(0, 0.08, n_ducts)
    for angle in fan:
        start = (nipple_mm[0] + 2.0 * float(angle), nipple_mm[1] - 4.0)
        thick = 0.5 * rng.uniform(0.6, 1.4)
        length = min(nipple_mm[1], size_mm[0]) * rng.uniform(0.25, 0.6)
        trunk = _grow(start, math.pi - float(angle), (thick, 0.3 * thick), length, 0.05, rng)
        tubes += _branch(trunk, 2, (0.25, 0.6), 0.06, rng)
    return tubes


def ligaments(
    n_strands: int,
    depth_mm: npt.NDArray[np.float32],
    spacing_mm: tuple[float, float],
    nipple_mm: tuple[float, float],
    rng: np.random.Generator,
) -> list[Tube]:
    """Draw Cooper's ligaments: gently curved strands, thin at both ends, 0.15 to 0.6 mm wide.

    Most run roughly towards the nipple, the others anywhere.

    Parameters
    ----------
    n_strands : int
    depth_mm : (rows, cols) float32 array
        Distance to the skin line in mm; strands start inside the breast.
    spacing_mm, nipple_mm : (float, float)
        Pixel spacing and position of the nipple (row, col) in mm.
    rng : numpy.random.Generator
    """
    rows, cols = depth_mm.shape
    tubes: list[Tube] = []
    for _ in range(50 * n_strands):
        if len(tubes) == n_strands:
            break
        row, col = rng.uniform(0, rows), rng.uniform(0, cols)
        if depth_mm[int(row), int(col)] < 1.5:
            continue
        start = row * spacing_mm[0], col * spacing_mm[1]
        heading = math.atan2(nipple_mm[0] - start[0], nipple_mm[1] - start[1])
        heading += rng.normal(0, 0.45) if rng.random() < 0.7 else rng.uniform(-math.pi, math.pi)
        strand = _grow(start, heading, (1.0, 1.0), rng.uniform(6, 28), 0.035, rng)
        taper = np.sin(np.linspace(0.12, math.pi - 0.12, strand.radius_mm.size))
        tubes.append(Tube(strand.points_mm, 0.5 * rng.uniform(0.15, 0.6) * taper))
    return tubes


def draw_tubes_mm(
    shape: tuple[int, int],
    spacing_mm: tuple[float, float],
    tubes: list[Tube],
    *,
    smallest_mm: float = 0.1,
) -> npt.NDArray[np.float32]:
    """Draw tubes as the path of the beam through them.

    Where tubes overlap the longer path counts, so joints do not double.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    spacing_mm : (float, float)
        Pixel spacing (row, column) in mm.
    tubes : list of Tube
    smallest_mm : float
        Blur of the system and pixels in mm. A tube is never drawn sharper; its area is kept.

    Returns
    -------
    (rows, cols) float32 array
        Path in mm.
    """
    out = np.zeros(shape, np.float32)
    for tube in tubes:
        drawn = np.hypot(tube.radius_mm, 2 * smallest_mm)
        gain = 2 * (tube.radius_mm / drawn) ** 2
        draw_tube(out, tube.points_mm, drawn, gain, spacing_mm[0], spacing_mm[1])
    return out
