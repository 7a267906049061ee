"""Round bodies on uneven tissue: closed borders around the places to which steep steps point."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.image.mammogram import PixelSpacing
from mcdetect.kernels.loops import best_loop
from mcdetect.shapes.borders import REACH_MM, border_of
from mcdetect.shapes.bright import usual_steps
from mcdetect.shapes.figures import Figure, mean_slope, perimeter_mm, solidity, window
from mcdetect.shapes.steep import BEYOND, Outlined

__all__ = ["find_rounds"]

_Floats = npt.NDArray[np.float64]
_Image = npt.NDArray[np.float32]
_Mask = npt.NDArray[np.bool_]

# Judged: on bodies inserted into real images that lie across bright tissue or on a slope, so that no level
# parts them from it, against what is round in normal tissue.
_RADII_MM = (1.3, 2.1, 3.4, 5.5)
"""Ends of the ranges of radii; smaller bodies are found by their brightness."""
_TRIED = (25, 20, 15)  # places of each range that are looked at, those with most votes
_STEEP = 2.0  # step from cell to cell over the usual one from which it has a vote
_WEAKEST, _EVIDENCE = 2.0, 9.0
"""Least step of the weakest tenth of the border, over the usual one; least evidence as of other bodies."""
_SLOPE, _CIRCULARITY = 28.0, 0.87
"""Least mean slope of the border, in SD of the noise per mm, and least circularity: the way around lymph
nodes and lumps of tissue is flatter and strays."""
_HOPELESS, _HALF_STEEP = 0.7, 0.5  # least share of the directions in which there is half a steep step
_TOLL = 0.15  # of a usual step, for going on to the next radius

# Technical: how finely is looked.
_CELL_MM, _SMOOTHING_MM = 0.2, 0.15  # grid of the votes, and SD of the Gaussian on it
_SPREAD = 0.25  # of the radius: how near to each other votes are counted together
_BESIDE = 6.0  # width of what is called the surroundings of a place, over the largest radius
_ANGLES, _RADII = 96, 24  # directions, and steps from the middle to the radius that is meant
_NEAREST, _FARTHEST = 0.4, 2.0  # of the radius that is meant: where the border may be
_STEP_MM, _STEP_PX = 0.05, 0.5  # least step along the radius
_REACH_PX = 1.25  # to both sides of the border, at least
_CAP = 5.0  # steps, over the usual one, that count


@dataclass(frozen=True)
class _Place:
    """Where a body may be: its middle in px, a radius, and the usual step there, per mm."""

    row_px: float
    col_px: float
    radius_mm: float
    usual: float


def find_rounds(pixels: _Image, smooth: _Image, searched: _Mask, spacing: PixelSpacing) -> list[Outlined]:
    """Find what has a closed steep border, bright inside, however bright the tissue is on either side.

    Where grey levels change steeply, they rise towards the middle of a round body. Places to which many steps
    point are tried: from each, the border is the closed way along which grey levels fall most.

    Parameters
    ----------
    pixels : (rows, cols) float32 array
        Noise-equalised grey levels.
    smooth : (rows, cols) float32 array
        The same, smoothed.
    searched : (rows, cols) bool array
        Where is looked.
    spacing : PixelSpacing
        Pixel spacing in mm.

    Returns
    -------
    list of Outlined
        They may overlap.
    """
    found = (_outlined(smooth, place, spacing) for place in _places(pixels, searched, spacing))
    return [one for one in found if one is not None]


def _places(pixels: _Image, searched: _Mask, spacing: PixelSpacing) -> list[_Place]:
    """Return the places with most votes of each range of radii."""
    fine = [max(1, round(_CELL_MM / step)) for step in (spacing.row_mm, spacing.col_mm)]
    rows, cols = (side // n for side, n in zip(pixels.shape, fine, strict=True))
    if min(rows, cols) < 3:
        return []
    cell = spacing.row_mm * fine[0], spacing.col_mm * fine[1]
    part = pixels[: rows * fine[0], : cols * fine[1]]
    values: _Image = np.asarray(cv2.resize(part, (cols, rows), interpolation=cv2.INTER_AREA), np.float32)
    values = cv2.GaussianBlur(values, (0, 0), _SMOOTHING_MM / cell[1], sigmaY=_SMOOTHING_MM / cell[0])  # type: ignore[assignment]
    inside = np.ascontiguousarray(searched[fine[0] // 2 :: fine[0], fine[1] // 2 :: fine[1]][:rows, :cols])
    usual = usual_steps(values, inside, *cell)
    down = cv2.Sobel(values, cv2.CV_32F, 0, 1, ksize=3) / np.float32(8.0 * cell[0])
    across = cv2.Sobel(values, cv2.CV_32F, 1, 0, ksize=3) / np.float32(8.0 * cell[1])
    steps = np.hypot(down, across)
    row, col = np.nonzero(inside & (steps >= _STEEP * usual))
    toward = down[row, col] / steps[row, col] / cell[0], across[row, col] / steps[row, col] / cell[1]
    there = inside.astype(np.float32)
    found: list[_Place] = []
    for (low, high), most in zip(pairwise(_RADII_MM), _TRIED, strict=True):
        votes = np.zeros(rows * cols)
        for radius in np.arange(low, high, _CELL_MM):
            down_at = np.rint(row + toward[0] * radius).astype(np.intp)
            across_at = np.rint(col + toward[1] * radius).astype(np.intp)
            on = (down_at >= 0) & (down_at < rows) & (across_at >= 0) & (across_at < cols)
            votes += np.bincount(down_at[on] * cols + across_at[on], minlength=rows * cols)
        middle = math.sqrt(low * high)
        spread = _SPREAD * middle
        near: _Image = cv2.GaussianBlur(  # type: ignore[assignment]
            votes.reshape(rows, cols).astype(np.float32), (0, 0), spread / cell[1], sigmaY=spread / cell[0]
        )
        wide = int(_BESIDE * high / cell[1]), int(_BESIDE * high / cell[0])
        expected = cv2.blur(near, wide) / np.maximum(cv2.blur(there, wide), 0.2)
        score = np.where(inside, near / np.maximum(expected, 0.1 * max(float(near.max()), 1e-9)), 0.0)
        apart = [2 * round(0.5 * low / step) + 1 for step in cell]
        highest = cv2.dilate(score, np.ones(apart, np.uint8))
        at_row, at_col = np.nonzero((score >= highest) & (score > 0.0))
        best = np.argsort(-score[at_row, at_col], kind="stable")[:most]
        found += [
            _Place((r + 0.5) * fine[0] - 0.5, (c + 0.5) * fine[1] - 0.5, middle, float(usual[r, c]))
            for r, c in zip(at_row[best], at_col[best], strict=True)
        ]
    return found


def _outlined(smooth: _Image, place: _Place, spacing: PixelSpacing) -> Outlined | None:
    """Return what lies within the best closed way around a place; None where its border is open or faint."""
    border = _way(smooth, place, spacing)
    if border is None:
        return None
    mask, top, left = _inside(*border, spacing)
    stands = border_of(smooth, mask, top, left, spacing)
    unit = place.usual * 2.0 * REACH_MM
    if stands is None or stands.weakest < _WEAKEST * unit:
        return None
    area_mm2 = float(np.count_nonzero(mask)) * spacing.row_mm * spacing.col_mm
    diameter_mm = math.sqrt(4.0 * area_mm2 / math.pi)
    evidence = stands.weakest / unit * max(0.0, 1.0 - BEYOND * stands.beyond) * diameter_mm
    slope = mean_slope(smooth, mask, top, left, spacing)
    if evidence < _EVIDENCE or slope < _SLOPE:
        return None
    if 4.0 * math.pi * area_mm2 < _CIRCULARITY * perimeter_mm(mask, spacing) ** 2:
        return None
    values = np.sort(window(smooth, top, left, mask.shape)[mask])
    values = values[np.isfinite(values)]
    height = float(values[-max(3, values.size // 50) :].mean()) - stands.outside
    figure = Figure(mask, top, left, height, stands.outside, slope)
    return Outlined(figure, evidence, solidity(mask), diameter_mm)


def _way(smooth: _Image, place: _Place, spacing: PixelSpacing) -> tuple[_Floats, _Floats] | None:
    """Return rows and columns of the closed way along which grey levels fall most, in px."""
    step_mm = max(_STEP_MM, _STEP_PX * spacing.mean_mm, place.radius_mm / _RADII)
    reach = max(1, round(max(REACH_MM, _REACH_PX * spacing.mean_mm) / step_mm))
    radii = np.arange(round(_FARTHEST * place.radius_mm / step_mm) + 2 * reach + 1) * step_mm
    angle = (np.arange(_ANGLES) + 0.5) * (2.0 * math.pi / _ANGLES)
    down, across = np.sin(angle) / spacing.row_mm, np.cos(angle) / spacing.col_mm
    values: _Image = cv2.remap(  # type: ignore[assignment]
        smooth,
        (place.col_px + across[:, None] * radii).astype(np.float32),
        (place.row_px + down[:, None] * radii).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    unit = place.usual * 2.0 * reach * step_mm
    gain = ((values[:, : -2 * reach] - values[:, 2 * reach :]) / np.float32(unit)).clip(-_STEEP, _CAP)
    gain[:, : max(0, round(_NEAREST * place.radius_mm / step_mm) - reach)] = -_STEEP
    path = best_loop(np.ascontiguousarray(gain), _TOLL)
    if (gain[np.arange(_ANGLES), path] >= _HALF_STEEP * _STEEP).mean() < _HOPELESS:
        return None
    radius = radii[path + reach]
    return place.row_px + radius * down, place.col_px + radius * across


def _inside(row: _Floats, col: _Floats, spacing: PixelSpacing) -> tuple[_Mask, int, int]:
    """Return the pixels inside a way, and where they begin."""
    top, left = math.floor(row.min()) - 1, math.floor(col.min()) - 1
    mask = np.zeros((math.ceil(row.max()) - top + 2, math.ceil(col.max()) - left + 2), np.uint8)
    cv2.fillPoly(mask, [np.rint(np.column_stack([col - left, row - top])).astype(np.int32)], 1)
    return mask.astype(np.bool_), top, left
