"""Large bodies of calcium, and clips: what the beam passes through, before any blur."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.grain import grain_thickness

__all__ = ["BENIGN_KIND", "BodyForm", "Piece", "body_pieces"]

_Floats = npt.NDArray[np.float64]

# Judged: forms that look like those of textbooks; nothing is fitted to them.
_BEND = 0.5  # radians that a rod turns over its length, at most
_ARM_LENGTH, _ARM_WIDTH = 0.4, (0.7, 0.9)  # of a forked rod: share of its length and of its width
_LUCENT = (0.4, 0.65)  # radius of the lucent centre of a rod, over that of the rod
_DASH_MM, _GAP_MM = (1.0, 5.0), (1.0, 6.0)  # plaques on one wall of an artery, and between them
_DASH_WIDTH_MM = (0.3, 0.6)
_TURN_PER_MM = 0.06  # radians: how tightly an artery bends, at most
_MOTTLE = 0.5  # how much less thick popcorn and plaques are in places, at most
_MOTTLE_MM, _MOTTLE_SHARE = 0.8, 0.3  # distance of such places: of plaques, and of popcorn over its size

# Technical: how finely forms are described.
_STEP_MM = 0.25  # between the points of a middle line
_UNIT_GRID = 241  # points along a side of the grid on which popcorn is measured before it is scaled
_ANGLES = 720  # directions in which the radius of a plate or rim is given


class BodyForm(StrEnum):
    """Form of a large body."""

    ROD = "rod"
    POPCORN = "popcorn"
    RIM = "rim"
    DYSTROPHIC = "dystrophic"
    TRAM_TRACK = "tram track"
    CLIP = "clip"


BENIGN_KIND: dict[BodyForm, str] = {
    BodyForm.ROD: "rod",
    BodyForm.POPCORN: "coarse",
    BodyForm.RIM: "rim",
    BodyForm.DYSTROPHIC: "coarse",
    BodyForm.TRAM_TRACK: "vascular",
    BodyForm.CLIP: "",
}
"""Benign kind (column `benign_kind` of groups) of each form; a clip is no calcification and has none."""


@dataclass(frozen=True)
class Piece:
    """A connected part of a body.

    Parameters
    ----------
    low_mm, high_mm : (float, float)
        Corners (row, col) of a box that holds it, in mm from the middle of the body.
    thickness : callable
        ``thickness(y, x)`` of points with (rows,) and (cols,) coordinates in mm: the path of the beam in mm,
        (rows, cols) float64; above 0 just inside the outline of the piece.
    """

    low_mm: tuple[float, float]
    high_mm: tuple[float, float]
    thickness: Callable[[_Floats, _Floats], _Floats]


def body_pieces(
    form: BodyForm,
    size_mm: float,
    width_mm: float,
    orientation: float,
    *,
    lucent: bool,
    forked: bool,
    rng: np.random.Generator,
) -> list[Piece]:
    """Describe a body of a form; see `mcdetect.phantom.BodySpec` for the parameters.

    The paths of the beam are those of a body as thick as it is wide; how dense it is, is up to the caller.
    """
    if form is BodyForm.ROD:
        return _rod(size_mm, width_mm, orientation, lucent, forked, rng)
    if form is BodyForm.POPCORN:
        return [_popcorn(size_mm, orientation, rng)]
    if form is BodyForm.RIM:
        return [_rim(size_mm, width_mm, orientation, lucent, rng)]
    if form is BodyForm.DYSTROPHIC:
        return [_dystrophic(size_mm, orientation, lucent, rng)]
    if form is BodyForm.TRAM_TRACK:
        return _tram_track(size_mm, width_mm, orientation, rng)
    return [_clip(size_mm, width_mm, orientation, rng)]


def _course(length_mm: float, heading: _Floats | float, turns: _Floats | None = None) -> _Floats:
    """Points (n, 2) of a line, its middle at the origin; `turns` are the changes of heading along it."""
    steps = max(1, math.ceil(length_mm / _STEP_MM))
    course = np.zeros(steps) if turns is None else np.cumsum(turns)
    course = course - course[steps // 2] + heading
    ways = length_mm / steps * np.stack([np.sin(course), np.cos(course)], axis=1)
    line: _Floats = np.concatenate([np.zeros((1, 2)), np.cumsum(ways, axis=0)])
    line -= line[line.shape[0] // 2].copy()
    return line


def _tube(lines: list[tuple[_Floats, float]], hollow: float = 0.0) -> Piece:
    """Round tubes about lines, (points, radius) each, as one body; `hollow` of their radius is left out."""
    corners = [(line.min(axis=0) - radius, line.max(axis=0) + radius) for line, radius in lines]
    low, high = np.min([c[0] for c in corners], axis=0), np.max([c[1] for c in corners], axis=0)

    def thickness(y: _Floats, x: _Floats) -> _Floats:
        out = np.zeros((y.size, x.size))
        inner = np.zeros_like(out) if hollow > 0 else None
        for line, radius in lines:
            away2 = np.full(out.shape, np.inf)
            for start, end in pairwise(line):
                way = end - start
                dy, dx = y[:, None] - start[0], x[None, :] - start[1]
                place = np.clip((dy * way[0] + dx * way[1]) / float(way @ way), 0.0, 1.0)
                np.minimum(away2, (dy - place * way[0]) ** 2 + (dx - place * way[1]) ** 2, out=away2)
            np.maximum(out, 2.0 * np.sqrt(np.maximum(radius**2 - away2, 0.0)), out=out)
            if inner is not None:
                core = np.maximum((hollow * radius) ** 2 - away2, 0.0)
                np.maximum(inner, 2.0 * np.sqrt(core), out=inner)
        return out if inner is None else out - inner

    return Piece((float(low[0]), float(low[1])), (float(high[0]), float(high[1])), thickness)


def _mottled(piece: Piece, distance_mm: float, rng: np.random.Generator) -> Piece:
    """Make a piece unevenly thick, in places so far from each other."""
    angle, phase = rng.uniform(0, math.pi, 4), rng.uniform(0, 2 * math.pi, 4)
    turns = 2 * math.pi / (distance_mm * rng.uniform(0.7, 1.4, 4))

    def thickness(y: _Floats, x: _Floats) -> _Floats:
        waves = np.zeros((y.size, x.size))
        for a, p, k in zip(angle, phase, turns, strict=True):
            waves += 0.25 * np.cos(k * (math.sin(a) * y[:, None] + math.cos(a) * x[None, :]) + p)
        return piece.thickness(y, x) * (1.0 - 0.5 * _MOTTLE * (1.0 + waves))

    return Piece(piece.low_mm, piece.high_mm, thickness)


def _rod(
    size_mm: float, width_mm: float, orientation: float, lucent: bool, forked: bool, rng: np.random.Generator
) -> list[Piece]:
    length, radius = size_mm - width_mm, 0.5 * width_mm
    steps = max(1, math.ceil(length / _STEP_MM))
    line = _course(length, orientation, np.full(steps, rng.uniform(-_BEND, _BEND) / steps))
    lines = [(line, radius)]
    at, side, angle = rng.uniform(0.35, 0.6), rng.choice([-1.0, 1.0]), rng.uniform(0.35, 0.7)
    arm_width, hollow = rng.uniform(*_ARM_WIDTH), rng.uniform(*_LUCENT)
    if forked:
        start = line[round(at * steps)]
        turn = orientation + side * angle
        arm = start + _ARM_LENGTH * size_mm * np.array([math.sin(turn), math.cos(turn)])
        lines.append((np.stack([start, arm]), arm_width * radius))
    return [_tube(lines, hollow if lucent else 0.0)]


def _clip(size_mm: float, width_mm: float, orientation: float, rng: np.random.Generator) -> Piece:
    """A wire, straight or bent in its middle by up to a hairpin."""
    bent, half = rng.random() < 0.5, 0.5 * (size_mm - width_mm)
    angle = rng.uniform(0.8, 2.4) if bent else 0.0
    turns = orientation + angle * np.array([-0.5, 0.5])
    ways = half * np.stack([np.sin(turns), np.cos(turns)], axis=1)
    line = np.stack([-ways[0], np.zeros(2), ways[1]])
    return _tube([(line, 0.5 * width_mm)])


def _tram_track(size_mm: float, width_mm: float, orientation: float, rng: np.random.Generator) -> list[Piece]:
    steps = math.ceil(size_mm / _STEP_MM)
    smooth = np.cumsum(rng.normal(0.0, 0.15, steps))
    bend = np.clip(0.02 * smooth + rng.uniform(-0.03, 0.03), -_TURN_PER_MM, _TURN_PER_MM)
    line = _course(size_mm, orientation, bend * size_mm / steps)
    way = np.gradient(line, axis=0)
    normal = np.stack([way[:, 1], -way[:, 0]], axis=1) / np.hypot(way[:, 0], way[:, 1])[:, None]
    place = np.linspace(0.0, size_mm, line.shape[0])
    pieces = []
    for side in (-0.5, 0.5):
        wall = line + side * width_mm * normal
        start = rng.uniform(0.0, _GAP_MM[1])
        while start < size_mm - _DASH_MM[0]:
            stop = min(start + rng.uniform(*_DASH_MM), size_mm)
            at = np.linspace(start, stop, max(2, math.ceil((stop - start) / _STEP_MM)))
            dash = np.stack([np.interp(at, place, wall[:, k]) for k in (0, 1)], axis=1)
            tube = _tube([(dash, 0.5 * rng.uniform(*_DASH_WIDTH_MM))])
            pieces.append(_mottled(tube, _MOTTLE_MM, rng))
            start = stop + rng.uniform(*_GAP_MM)
    return pieces


def _popcorn(size_mm: float, orientation: float, rng: np.random.Generator) -> Piece:
    """Lobes on and round a core, as an involuted fibroadenoma calcifies."""
    n = int(rng.integers(7, 13))
    angle = 2 * math.pi * (np.arange(n) + rng.uniform(-0.3, 0.3, n)) / n
    away = rng.uniform(0.5, 0.95, n)
    centres, radii = np.zeros((n + 1, 3)), np.empty((n + 1, 3))
    centres[1:] = np.stack([away * np.sin(angle), away * np.cos(angle), rng.uniform(-0.3, 0.3, n)], axis=1)
    radii[0], radii[1:] = (0.75, 0.75, 0.45), rng.uniform(0.3, 0.55, n)[:, None]
    centres[:, 0] *= (stretch := math.sqrt(rng.uniform(1.0, 1.4)))
    centres[:, 1] /= stretch
    axis = np.linspace(-2.2, 2.2, _UNIT_GRID)
    level = np.zeros_like(axis)
    inside = np.count_nonzero(grain_thickness(axis, level, level, axis, centres, radii))
    scale = 0.5 * size_mm / math.sqrt(inside * (axis[1] - axis[0]) ** 2 / math.pi)
    cos, sin = math.cos(orientation) / scale, math.sin(orientation) / scale
    reach = scale * float((np.hypot(centres[:, 0], centres[:, 1]) + radii[:, :2].max(axis=1)).max())

    def thickness(y: _Floats, x: _Floats) -> _Floats:
        path: _Floats = scale * grain_thickness(x * cos, y * sin, -x * sin, y * cos, centres, radii)
        return path

    return _mottled(Piece((-reach, -reach), (reach, reach), thickness), _MOTTLE_SHARE * size_mm, rng)


def _star(
    size_mm: float,
    orientation: float,
    waves: _Floats,
    aspect: float,
    rng: np.random.Generator,
    profile: Callable[[_Floats, _Floats], _Floats],
) -> Piece:
    """A body with one radius in each direction, its area that of a disc of `size_mm`.

    `profile` gives the path of the beam from the radius over that of the outline, and the direction.
    """
    theta = np.linspace(0.0, 2 * math.pi, _ANGLES + 1)
    k = np.arange(2, 2 + waves.size)[:, None]
    phases = rng.uniform(0, 2 * math.pi, waves.size)[:, None]
    radius = 1.0 + (waves[:, None] * np.cos(k * theta + phases)).sum(axis=0)
    radius = np.maximum(radius, 0.35)
    radius *= 0.5 * size_mm / math.sqrt(float(np.mean(radius[:-1] ** 2)))
    along, across = math.sqrt(aspect), 1.0 / math.sqrt(aspect)
    cos, sin = math.cos(orientation), math.sin(orientation)
    reach = float(radius.max()) * along

    def thickness(y: _Floats, x: _Floats) -> _Floats:
        u = (x[None, :] * cos + y[:, None] * sin) / along
        v = (y[:, None] * cos - x[None, :] * sin) / across
        direction = np.arctan2(v, u) % (2 * math.pi)
        share = np.hypot(u, v) / np.interp(direction, theta, radius)
        return np.where(share < 1.0, profile(np.minimum(share, 1.0), direction), 0.0)

    return Piece((-reach, -reach), (reach, reach), thickness)


def _rim(
    size_mm: float, width_mm: float, orientation: float, lucent: bool, rng: np.random.Generator
) -> Piece:
    """A shell of the thickness `width_mm`; its content is empty where lucent, less dense otherwise."""
    outer, phase = 0.5 * size_mm, rng.uniform(0, 2 * math.pi)
    share = max(outer - width_mm, 0.0) / outer
    content = 0.0 if lucent else rng.uniform(0.15, 0.4)

    def profile(rho: _Floats, direction: _Floats) -> _Floats:
        shell = np.sqrt(1.0 - rho**2) - (1.0 - content) * np.sqrt(np.maximum(share**2 - rho**2, 0.0))
        return np.asarray(2.0 * outer * shell * (0.85 + 0.15 * np.cos(direction - phase)))

    waves = rng.normal(0.0, 0.02, 3)
    return _star(size_mm, orientation, waves, rng.uniform(1.0, 1.3), rng, profile)


def _dystrophic(size_mm: float, orientation: float, lucent: bool, rng: np.random.Generator) -> Piece:
    """A flat irregular plate with an uneven surface."""
    phases, heights = rng.uniform(0, 2 * math.pi, 4), rng.uniform(0.0, 0.12, 4)

    def profile(rho: _Floats, direction: _Floats) -> _Floats:
        k = np.arange(1, 5).reshape(-1, *(1,) * rho.ndim)
        waves = np.cos(k * direction + phases.reshape(k.shape)) * heights.reshape(k.shape)
        uneven = 1.0 + rho * waves.sum(axis=0)
        centre = 0.65 * np.exp(-((rho / 0.45) ** 2)) if lucent else 0.0
        return np.asarray(0.4 * size_mm * (1.0 - rho**2) ** 0.25 * uneven * (1.0 - centre))

    waves = rng.normal(0.0, 0.2 / np.arange(1, 9) ** 1.1)
    return _star(size_mm, orientation, waves, rng.uniform(1.0, 2.0), rng, profile)
