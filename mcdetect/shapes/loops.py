"""Rings that fell to pieces: closed borders around the places between marks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage as ndi

from mcdetect.image.mammogram import PixelSpacing
from mcdetect.kernels.loops import best_loop
from mcdetect.shapes.figures import LEAST_SOLIDITY, Figure, mean_slope, solidity, window

__all__ = ["find_rings"]

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]
_Image = npt.NDArray[np.float32]

# Standard: rims and lucent-centred calcifications of BI-RADS, 5th edition, are under 1 mm to over 1 cm wide;
# the largest do not fall to pieces.
_PIECES_MM = 0.3, 3.0
"""Least and greatest distance of two marks on one ring."""
_LEAST_MM = 0.7
"""Diameter of the smallest ring."""

# Physics: blur is some 0.1 mm, and at least a pixel; calcium falls from its height within three times that.
_REACH_MM, _REACH_PX = 0.15, 1.25
_FAR = 3.0  # where nothing is left of blur, over the reach
_SHELL_MM = 0.5  # shells are thinner, and their brightest line lies within this of the border

# Judged: on rings of real images in pieces, against loops between the marks of normal images and of groups of
# fine calcifications.
_NEIGHBOURS, _LEAST_LIKELY = 4, -5.0
"""So many marks beside each certain one are tried, and their least log-odds."""
_SHARP, _CAP = 2.0, 5.0
"""Step across the border, over the usual one, that counts, and from which on more does not count."""
_ROUND = 0.9  # share of the directions in which it is reached: a crescent's open end may be faint
_LEAST_EVIDENCE = 4.0  # lower quartile of the steps, less what falls beyond blur, times the diameter in mm
_BEYOND = 2.0  # how much what falls beyond blur counts against a border
_LEAST_STEP = 8.0  # lower quartile, in SD of the noise
_DARKER = 0.12  # how much darker the centre is than the shell, over the shell's height
_THINNEST = 0.3  # height of the lower quartile of the shell over its median
_OFF_ELLIPSE, _UNEVEN = 0.045, 0.22
"""Most by which the way strays from an ellipse, over its radius, and by which the height of the shell varies
from one direction to the next: between specks both do."""
_HOPELESS = 0.7  # share of directions with half such a step, below which a first look is the last
_TOLL = 0.15  # of a step to the next radius

# Technical: how finely is looked.
_ANGLES = 48
_STEP_MM, _STEP_PX = 0.05, 0.5
_ELLIPSE = 2  # waves around the middle that make up an ellipse, about
_BESIDE = 7  # directions over which the height of the shell is smoothed
_CORE = 0.45  # of the radius: the centre
_SAME_MM = 0.25  # places nearer to each other are tried once


@dataclass(frozen=True)
class _Loop:
    """A closed way around a place (row and column): its own middle, radii from the place, what lies on it."""

    from_px: tuple[float, float]
    middle_px: tuple[float, float]
    radius_mm: _Floats
    steps: _Floats
    shell: _Floats
    centre: float
    outside: float
    beyond: float


def find_rings(
    smooth: _Image,
    place: tuple[_Floats, _Floats],
    log_odds: _Floats,
    certain: _Ints,
    usual: float,
    spacing: PixelSpacing,
) -> list[Figure]:
    """Find bright loops around a darker centre, between marks that lie on them.

    A shell that is uneven, or open on one side, is no region at any level. Its outer border is: from a place
    inside, it is the closed way along which grey levels fall most.

    Parameters
    ----------
    smooth : (rows, cols) float32 array
        Equalised grey levels, smoothed.
    place : ((n,), (n,)) float64 arrays
        Rows and columns of the marks.
    log_odds : (n,) float64 array
        How likely each is a calcification.
    certain : (k,) int64 array
        Marks from which is looked: certain ones that lie on no body.
    usual : float
        Usual difference between neighbours, per mm, on the grid of `mcdetect.shapes.bright`.
    spacing : PixelSpacing
        Pixel spacing in mm.

    Returns
    -------
    list of Figure
        The surest first; they may overlap.
    """
    found: list[tuple[float, Figure]] = []
    for row, col, apart_mm in _between(place, log_odds, certain, spacing):
        most_mm = max(1.0, 1.2 * apart_mm)
        loop = _loop(smooth, row, col, most_mm, usual, spacing)
        unit = usual * 2.0 * _reach_mm(spacing)
        if (loop.steps >= 0.5 * _SHARP * unit).mean() < _HOPELESS:
            continue
        loop = _loop(smooth, *loop.middle_px, 1.6 * loop.radius_mm.max() + 0.3, usual, spacing)
        evidence = _evidence(loop, unit)
        if evidence < _LEAST_EVIDENCE or not _is_ring(loop):
            continue
        figure = _figure(smooth, loop, spacing)
        if solidity(figure.mask) >= LEAST_SOLIDITY:
            found.append((evidence, figure))
    found.sort(key=lambda one: -one[0])
    return [figure for _, figure in found]


def _between(
    place: tuple[_Floats, _Floats], log_odds: _Floats, certain: _Ints, spacing: PixelSpacing
) -> list[tuple[float, float, float]]:
    """Return places between marks, each once: row and column in px, and how far the marks are apart in mm."""
    likely = np.flatnonzero(log_odds > _LEAST_LIKELY)
    row_mm, col_mm = place[0] * spacing.row_mm, place[1] * spacing.col_mm
    found: dict[tuple[int, int, int], tuple[float, float, float]] = {}
    for k in certain:
        away = np.hypot(row_mm[likely] - row_mm[k], col_mm[likely] - col_mm[k])
        there = (away > _PIECES_MM[0]) & (away < _PIECES_MM[1])
        best = np.argsort(-log_odds[likely[there]], kind="stable")[:_NEIGHBOURS]
        for j, apart in zip(likely[there][best], away[there][best], strict=True):
            middle = 0.5 * (row_mm[k] + row_mm[j]), 0.5 * (col_mm[k] + col_mm[j])
            cell = round(middle[0] / _SAME_MM), round(middle[1] / _SAME_MM), round(apart)
            found.setdefault(cell, (middle[0] / spacing.row_mm, middle[1] / spacing.col_mm, float(apart)))
    return list(found.values())


def _reach_mm(spacing: PixelSpacing) -> float:
    return max(_REACH_MM, _REACH_PX * spacing.mean_mm)


def _loop(
    smooth: _Image, row: float, col: float, most_mm: float, usual: float, spacing: PixelSpacing
) -> _Loop:
    """Return the closed way around a place along which grey levels fall most, about its own centre."""
    step_mm = max(_STEP_MM, _STEP_PX * spacing.mean_mm)
    reach = max(1, round(_reach_mm(spacing) / step_mm))
    far = round(_FAR * reach)
    radii = np.arange(round(most_mm / step_mm) + far + 1) * step_mm
    angle = (np.arange(_ANGLES) + 0.5) * (2.0 * math.pi / _ANGLES)
    down, across = np.sin(angle)[:, None], np.cos(angle)[:, None]
    values: _Image = cv2.remap(  # type: ignore[assignment]
        smooth,
        (col + across * radii / spacing.col_mm).astype(np.float32),
        (row + down * radii / spacing.row_mm).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    last = radii.size - far
    steps = np.asarray(values[:, : last - reach] - values[:, 2 * reach : last + reach], np.float32)
    gain = np.clip(steps / np.float32(usual * 2.0 * reach * step_mm), -_SHARP, _CAP)
    path = best_loop(np.ascontiguousarray(gain), _TOLL)
    every, border = np.arange(_ANGLES), path + reach
    fall = steps[every, path].astype(np.float64)
    outside = values[every, border + reach]
    beyond = float((outside - values[every, np.minimum(border + far, radii.size - 1)]).mean())
    half = _half_height(values, border, reach)
    near = np.maximum(border[:, None] - np.arange(round(_SHELL_MM / step_mm) + 1), 0)
    core = np.arange(radii.size) < np.maximum(1.0, _CORE * border)[:, None]
    radius = radii[border] + half * step_mm
    y, x = radius * down[:, 0], radius * across[:, 0]
    cross = x * np.roll(y, -1) - y * np.roll(x, -1)
    to_row, to_col = (float(((way + np.roll(way, -1)) * cross).sum() / (3.0 * cross.sum())) for way in (y, x))
    return _Loop(
        from_px=(row, col),
        middle_px=(row + to_row / spacing.row_mm, col + to_col / spacing.col_mm),
        radius_mm=radius,
        steps=fall,
        shell=np.take_along_axis(values, near, axis=1).max(axis=1).astype(np.float64),
        centre=float(values[core].mean()),
        outside=float(np.median(outside)),
        beyond=beyond / max(float(fall.mean()), 1e-3),
    )


def _half_height(values: _Image, border: _Ints, reach: int) -> float:
    """Return how far outward the half height lies from the steepest fall, in steps: shells are thinner."""
    every = np.arange(border.size)[:, None]
    profile = values[every, border[:, None] + np.arange(-reach, reach + 1)]
    level = 0.5 * (profile[:, :1] + profile[:, -1:])
    return float(np.median((profile >= level).sum(axis=1))) - 0.5 - reach


def _evidence(loop: _Loop, unit: float) -> float:
    """Return how long and how sharply a loop stands out; 0 where it is small, faint or open."""
    diameter_mm = 2.0 * math.sqrt(float((loop.radius_mm**2).mean()))
    weak = float(np.quantile(loop.steps, 0.25))
    if diameter_mm < _LEAST_MM or weak < _LEAST_STEP or (loop.steps >= _SHARP * unit).mean() < _ROUND:
        return 0.0
    return weak / unit * max(0.0, 1.0 - _BEYOND * max(loop.beyond, 0.0)) * diameter_mm


def _is_ring(loop: _Loop) -> bool:
    """Tell whether a loop is a shell, bright nearly all around, about a darker centre."""
    high = float(np.median(loop.shell))
    height = high - loop.outside
    low = float(np.quantile(loop.shell, 0.25)) - loop.outside
    waves = np.fft.rfft(loop.radius_mm)
    smooth = np.fft.irfft(np.where(np.arange(waves.size) <= _ELLIPSE, waves, 0.0), _ANGLES)
    strays = float(np.std(loop.radius_mm - smooth) / loop.radius_mm.mean())
    steady = ndi.uniform_filter1d(loop.shell, _BESIDE, mode="wrap")
    varies = float(np.std(loop.shell - steady)) / height
    dark = high - loop.centre >= _DARKER * height
    return dark and low >= _THINNEST * height and strays <= _OFF_ELLIPSE and varies <= _UNEVEN


def _figure(smooth: _Image, loop: _Loop, spacing: PixelSpacing) -> Figure:
    """Return what lies inside a loop, on the pixels."""
    angle = (np.arange(_ANGLES) + 0.5) * (2.0 * math.pi / _ANGLES)
    radius = loop.radius_mm - 0.5 * spacing.mean_mm  # of the centres of the outermost pixels
    row = loop.from_px[0] + radius * np.sin(angle) / spacing.row_mm
    col = loop.from_px[1] + radius * np.cos(angle) / spacing.col_mm
    top, left = math.floor(row.min()) - 1, math.floor(col.min()) - 1
    mask = np.zeros((math.ceil(row.max()) - top + 2, math.ceil(col.max()) - left + 2), np.uint8)
    line = np.rint(np.column_stack([col - left, row - top])).astype(np.int32)
    cv2.fillPoly(mask, [line], 1)
    inside = mask.astype(np.bool_)
    values = window(smooth, top, left, mask.shape)[inside]
    values = np.sort(values[np.isfinite(values)])
    height = float(values[-max(3, values.size // 50) :].mean()) - loop.outside
    slope = mean_slope(smooth, inside, top, left, spacing)
    return Figure(inside, top, left, height, loop.outside, slope, ring=True)
