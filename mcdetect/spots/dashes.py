"""Dashes: short straight bars with clear sides and ends, as plaques in the wall of an artery are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.image.mammogram import PixelSpacing

__all__ = ["Dashes", "find_dashes"]

_Floats = npt.NDArray[np.float64]
_Image = npt.NDArray[np.float32]

# Judged: on tram tracks drawn into real backgrounds and on the ligaments of real mammograms, which are as
# thin, but go on beyond their ends. Looser bounds keep fainter plaques and more ligaments.
LEAST_HEIGHT = 8.0
"""Height over the nearer of both sides, in SD of the noise."""
CLEAR_HEIGHT, CLEAR_WIDTH_MM = 12.0, (0.5, 0.4)
"""Height and width of a dash that speaks neither for nor against an artery, and by how much less width counts
as one more power of e in height."""
LENGTH_MM = (0.8, 10.0)
WIDTH_MM = 0.8  # at most
BEYOND = 0.5  # of its height: what is left beyond either end, at most
BOTH_SIDES = 0.5  # of its height over the mean of both sides, that over the nearer, at least

# Judged: sizes of the filter that a dash is measured with, for plaques of 0.3 to 0.6 mm.
_CORE_MM = 0.8  # to both sides of a place, over which its direction is taken
_FLANK_MM = (0.6, 0.8)  # from the middle line to what lies beside
_ASIDE_MM = 0.2  # from the mark to the middle line, at most
_END = 0.5  # of its height, from which on it has ended
_GONE_MM = 0.3  # and over this length stays below
_AFTER_MM = (0.4, 1.2)  # from the end to what is looked at beyond it
_SAME_MM, _SAME_TIP_MM = 0.4, 0.3  # two marks so near aside and along are of one dash

# Technical: how finely is measured.
_STEP_MM = 0.1
_DIRECTIONS = 18  # over half a turn
_MOST_SLOPE = 0.12  # somewhat more than half a step of these, by which the direction is mended
_STEADY_MM = 0.2  # RMS distance along, below which noise in it counts for more than the slope
_REACH_MM = 6.0  # along a dash, to both sides
_AT_ONCE = 512  # places, so that memory does not grow with their number


@dataclass(frozen=True)
class Dashes:
    """Dashes, one for each bar, the highest first. All arrays are (n,).

    Parameters
    ----------
    mark : int64 array
        Which of the places it was found at.
    row_mm, col_mm : float64 array
        Its middle, in mm from the centre of the image's first pixel.
    angle : float64 array
        Its direction, in radians from columns to rows, 0 to pi.
    length_mm : float64 array
        From end to end.
    evidence : float64 array
        How far height and narrowness speak for calcium: 0 neither way.
    """

    mark: npt.NDArray[np.int64]
    row_mm: _Floats
    col_mm: _Floats
    angle: _Floats
    length_mm: _Floats
    evidence: _Floats

    def __len__(self) -> int:
        return int(self.mark.size)


def find_dashes(
    pixels: _Image, row_px: _Floats, col_px: _Floats, spacing: PixelSpacing, origin_px: tuple[int, int]
) -> Dashes:
    """Tell which places lie on a dash, and measure it.

    At each place the direction is taken in which a bar stands out most over the nearer of its two sides, then
    that of the bar as it lies there. Along it the bar ends where less than half of its height is left. A dash
    is high, thin and short, and little is left beyond its ends.

    Parameters
    ----------
    pixels : (rows, cols) float32 array
        Noise-equalised grey levels (noise of unit SD).
    row_px, col_px : (n,) float64 array
        Places, in pixels of `pixels`.
    spacing : PixelSpacing
        Pixel spacing in mm.
    origin_px : (int, int)
        Row and column of the image at which `pixels` begins.
    """
    parts = range(0, max(row_px.size, 1), _AT_ONCE)
    ways = [_directions(pixels, row_px[k : k + _AT_ONCE], col_px[k : k + _AT_ONCE], spacing) for k in parts]
    angle, aside, height = np.concatenate(ways, axis=1)
    high = np.flatnonzero(height >= LEAST_HEIGHT)
    bars = [
        _measured_along(pixels, row_px[some], col_px[some], angle[some], aside[some], spacing)
        for some in np.array_split(high, math.ceil(high.size / _AT_ONCE) or 1)
    ]
    row, col, length, width, mean_height, beyond, angle = np.concatenate(bars, axis=1)
    height = height[high]
    found = np.flatnonzero(
        (height >= BOTH_SIDES * mean_height)
        & (beyond <= BEYOND * mean_height)
        & (width <= WIDTH_MM)
        & (length >= LENGTH_MM[0])
        & (length <= LENGTH_MM[1])
    )
    found = found[np.argsort(-height[found], kind="stable")]
    at = np.column_stack([(row + origin_px[0]) * spacing.row_mm, (col + origin_px[1]) * spacing.col_mm])
    found = found[_one_of_each(at[found], angle[found], length[found])]
    evidence = np.log(height[found] / CLEAR_HEIGHT) + (CLEAR_WIDTH_MM[0] - width[found]) / CLEAR_WIDTH_MM[1]
    return Dashes(high[found], at[found, 0], at[found, 1], angle[found], length[found], evidence)


def _measured_along(
    pixels: _Image, row: _Floats, col: _Floats, angle: _Floats, aside: _Floats, spacing: PixelSpacing
) -> _Floats:
    """Measure a bar at each place along its own direction; as `_measured` does, and the angle, (7, n)."""
    *_, slope, shift = _measured(pixels, row, col, angle, aside, spacing)
    way = np.arctan(slope)
    own = (angle + way) % np.pi
    turned = np.where(own == (angle + way), 1.0, -1.0)  # beyond half a turn, right is left
    aside = turned * (aside + shift) * np.cos(way)
    bars = _measured(pixels, row, col, own, aside, spacing)
    return np.stack([*bars[:-2], own])


def _measured(
    pixels: _Image, row: _Floats, col: _Floats, angle: _Floats, aside: _Floats, spacing: PixelSpacing
) -> _Floats:
    """Measure a bar at each place: middle (row, col in px), length, width, height, what is left beyond, and
    its slope and shift (mm) from the middle line.

    (8, n); the height is that over the mean of both sides.
    """
    along = _steps(_REACH_MM)
    across = _steps(_FLANK_MM[1] + _STEP_MM)
    ahead = np.stack([np.sin(angle), np.cos(angle)])
    right = np.stack([np.cos(angle), -np.sin(angle)])
    start = np.stack([row * spacing.row_mm, col * spacing.col_mm]) + aside * right
    profile = _read(pixels, start, ahead, right, along, across, spacing)
    left, middle, other = _sides(profile, across, 0.0)
    over = middle - 0.5 * (left + other)
    smooth = cv2.blur(over, (5, 1), borderType=cv2.BORDER_REFLECT) if over.size else over
    centre = along.size // 2
    core = round(0.5 / _STEP_MM)
    low = smooth < _END * np.median(over[:, centre - core : centre + core + 1], axis=1, keepdims=True)
    first, last = _ends(low, centre)
    place = np.arange(along.size)
    inside = (place > first[:, None]) & (place < last[:, None])
    count = np.maximum(inside.sum(axis=1), 1)
    mean_height = np.where(inside, over, 0.0).sum(axis=1) / count
    near, far = (round(mm / _STEP_MM) for mm in _AFTER_MM)
    beyond = np.full(row.size, -np.inf)
    for end, way in ((first, -1), (last, 1)):
        after = np.clip(end[:, None] + way * np.arange(near, far + 1), 0, along.size - 1)
        beyond = np.maximum(beyond, np.median(np.take_along_axis(over, after, axis=1), axis=1))
    section = (profile * inside[:, :, None]).sum(axis=1) / count[:, None]
    left, _, other = _sides(section, across, 0.0)
    base = 0.5 * (left + other)[:, None]
    top = section[:, across.size // 2 - 1 : across.size // 2 + 2].max(axis=1) - base[:, 0]
    width = (section - base > 0.5 * top[:, None]).sum(axis=1) * _STEP_MM
    shift = (0.5 * (first + last) - centre) * _STEP_MM
    middle_mm = start + shift * ahead
    return np.stack(
        [
            middle_mm[0] / spacing.row_mm,
            middle_mm[1] / spacing.col_mm,
            (last - first - 1) * _STEP_MM,
            width,
            mean_height,
            beyond,
            *_askew(profile, inside, along, across),
        ]
    )


def _askew(
    profile: _Floats, inside: npt.NDArray[np.bool_], along: _Floats, across: _Floats
) -> tuple[_Floats, _Floats]:
    """Return slope and shift (mm) of bars from the middle line of their profiles, through centroids."""
    left, _, other = _sides(profile, across, 0.0)
    near = np.abs(across) <= _FLANK_MM[0] + 0.5 * _STEP_MM
    over = np.maximum(profile[..., near] - 0.5 * (left + other)[..., None], 0.0) * inside[..., None]
    weight = over.sum(axis=2)
    total = np.maximum(weight.sum(axis=1), 1e-9)
    place = (over * across[near]).sum(axis=2)  # times the weight
    middle = (weight * along).sum(axis=1) / total
    shift = place.sum(axis=1) / total
    away = along - middle[:, None]
    spread = (weight * away**2).sum(axis=1) / total
    slope = (place * away).sum(axis=1) / total / (spread + _STEADY_MM**2)
    slope = np.clip(slope, -_MOST_SLOPE, _MOST_SLOPE)
    return slope, shift - slope * middle


def _directions(pixels: _Image, row: _Floats, col: _Floats, spacing: PixelSpacing) -> _Floats:
    """Return the angle in which a bar stands out most, how far aside it lies (mm), and its height; (3, n)."""
    along, across = _steps(_CORE_MM)[::2], _steps(_ASIDE_MM + _FLANK_MM[1] + _STEP_MM)
    angle, aside = np.zeros(row.size), np.zeros(row.size)
    height: _Floats = np.full(row.size, -np.inf)
    rows, cols = (place.astype(np.float32)[:, None] for place in (row, col))
    for way in np.arange(_DIRECTIONS) * math.pi / _DIRECTIONS:
        sin, cos = math.sin(way), math.cos(way)
        down = (along[:, None] * sin + across * cos).ravel() / spacing.row_mm
        right = (along[:, None] * cos - across * sin).ravel() / spacing.col_mm
        read = _remapped(pixels, rows + down.astype(np.float32), cols + right.astype(np.float32))
        section = np.asarray(read.reshape(row.size, along.size, across.size).mean(axis=1), np.float64)
        for shift in _steps(_ASIDE_MM):
            left, middle, other = _sides(section, across, shift)
            over = middle - np.maximum(left, other)
            better = over > height
            angle[better], aside[better], height[better] = way, shift, over[better]
    return np.stack([angle, aside, height])


def _steps(reach_mm: float) -> _Floats:
    half = round(reach_mm / _STEP_MM)
    steps: _Floats = np.arange(-half, half + 1, dtype=np.float64) * _STEP_MM
    return steps


def _remapped(pixels: _Image, rows: _Image, cols: _Image) -> _Image:
    if rows.size == 0:
        return np.zeros(rows.shape, np.float32)
    read = cv2.remap(pixels, cols, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(read, np.float32)


def _read(
    pixels: _Image,
    start: _Floats,
    ahead: _Floats,
    right: _Floats,
    along: _Floats,
    across: _Floats,
    spacing: PixelSpacing,
) -> _Floats:
    """Read the image on a grid about each place: (n, along, across)."""
    at = [
        (
            start[k][:, None, None]
            + along[None, :, None] * ahead[k][:, None, None]
            + across[None, None, :] * right[k][:, None, None]
        )
        / pitch
        for k, pitch in enumerate((spacing.row_mm, spacing.col_mm))
    ]
    shape = at[0].shape
    rows, cols = (part.reshape(shape[0], shape[1] * shape[2]).astype(np.float32) for part in at)
    return _remapped(pixels, rows, cols).astype(np.float64).reshape(shape)


def _sides(profile: _Floats, across: _Floats, shift: float) -> tuple[_Floats, _Floats, _Floats]:
    """Mean of one flank, of the middle line and of the other flank of profiles (n, along, across)."""

    def between(low: float, high: float) -> _Floats:
        chosen = (across >= shift + low - 0.5 * _STEP_MM) & (across <= shift + high + 0.5 * _STEP_MM)
        mean: _Floats = profile[..., chosen].mean(axis=-1)
        return mean

    near, far = _FLANK_MM
    return between(-far, -near), between(-_STEP_MM, _STEP_MM), between(near, far)


def _ends(low: npt.NDArray[np.bool_], centre: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the last place before and the first after the middle from which on a bar has gone."""
    gone = round(_GONE_MM / _STEP_MM)

    def first_after(side: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        windows = np.lib.stride_tricks.sliding_window_view(side, gone, axis=1)
        runs = np.asarray(windows.all(axis=2), np.bool_)
        first: npt.NDArray[np.int64] = np.where(runs.any(axis=1), runs.argmax(axis=1), runs.shape[1])
        return first

    return centre - first_after(low[:, centre::-1]), centre + first_after(low[:, centre:])


def _one_of_each(at: _Floats, angle: _Floats, length_mm: _Floats) -> list[int]:
    """Return one of those that lie on the same dash, the first."""
    kept: list[int] = []
    for k in range(len(at)):
        step = at[k] - at[kept]
        sin, cos = np.sin(angle[kept]), np.cos(angle[kept])
        along = np.abs(step[:, 0] * sin + step[:, 1] * cos)
        aside = np.abs(step[:, 0] * cos - step[:, 1] * sin)
        longer = 0.5 * np.maximum(length_mm[k], length_mm[kept])
        if not ((aside < _SAME_MM) & (along < longer + _SAME_TIP_MM)).any():
            kept.append(k)
    return kept
