"""One mark for each body: what a coarse calcification with structure inside is broken into counts once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from mcdetect.image.mammogram import PixelSpacing

__all__ = ["one_mark_per_body"]

_Floats = npt.NDArray[np.float64]

# Judged: a longer reach, a lower saddle or a lower height takes neighbours that touch for one body; the
# reverse counts one body twice.
REACH_MM = 1.6
"""Marks farther apart than this are never one body."""
SADDLE = 0.8
"""Least height between two marks of one body, as a share of the lower one."""
LEAST_HEIGHT = 5.0
"""Least height of a mark above its surroundings, in SD of the noise, for the saddle to mean anything."""
_CELL_MM = 0.06  # distance of the nine samples that make one value
_RING_MM = 2.2  # radius at which the surroundings are measured

# Technical: how finely is sampled.
_STEPS = 11  # along the line between two marks
_RING_SAMPLES = 24  # on the ring
_AT_ONCE = 20_000  # pairs that are sampled together


def one_mark_per_body(
    pixels: npt.NDArray[np.float32],
    row_px: _Floats,
    col_px: _Floats,
    strength: _Floats,
    spacing: PixelSpacing,
) -> npt.NDArray[np.bool_]:
    """Tell which marks to keep, so that each body keeps one: the strongest.

    Two marks lie on one body when there is no valley between them. That is so when the straight line from
    one to the other nowhere falls below 80 % (`SADDLE`) of the lower mark's height. Heights are taken above
    the surroundings, and marks more than 1.6 mm (`REACH_MM`) apart are never on one body.

    Marks are taken from the strongest to the weakest. Each one that is kept removes the others on its body.
    A mark that is removed removes nothing: a mark halfway between two calcifications cannot join them.

    Parameters
    ----------
    pixels : (rows, cols) float32 array
        Noise-equalised grey levels (noise of unit SD).
    row_px, col_px : (n,) float64 arrays
        Centres, in pixels.
    strength : (n,) float64 array
        Of marks on one body, the one of greatest strength is kept.
    spacing : PixelSpacing
        Pixel spacing in mm.

    Returns
    -------
    (n,) bool array
        True for the marks to keep.
    """
    n = row_px.size
    place = np.stack([row_px * spacing.row_mm, col_px * spacing.col_mm], axis=1)
    pairs = (
        cKDTree(place).query_pairs(REACH_MM, output_type="ndarray") if n > 1 else np.empty((0, 2), np.int64)
    )
    if len(pairs) == 0:
        return np.ones(n, np.bool_)
    one = np.concatenate(
        [
            _on_one_body(pixels, place, pairs[start : start + _AT_ONCE], spacing)
            for start in range(0, len(pairs), _AT_ONCE)
        ]
    )
    neighbours: list[list[int]] = [[] for _ in range(n)]
    for a, b in pairs[one]:
        neighbours[a].append(b)
        neighbours[b].append(a)
    keep = np.ones(n, np.bool_)
    for k in np.argsort(-strength, kind="stable"):
        if keep[k]:
            keep[neighbours[k]] = False
    return keep


def _on_one_body(
    pixels: npt.NDArray[np.float32], place: _Floats, pairs: npt.NDArray[np.int64], spacing: PixelSpacing
) -> npt.NDArray[np.bool_]:
    """Tell of which pairs of marks no valley lies between the two."""
    share = np.linspace(0.0, 1.0, _STEPS)[:, None]
    along = place[pairs[:, 0], None] * (1.0 - share) + place[pairs[:, 1], None] * share
    height = _values(pixels, along, spacing) - _surroundings(pixels, along[:, _STEPS // 2], spacing)[:, None]
    lower = np.minimum(height[:, 0], height[:, -1])
    one: npt.NDArray[np.bool_] = (lower >= LEAST_HEIGHT) & (height.min(axis=1) >= SADDLE * lower)
    return one


def _values(pixels: npt.NDArray[np.float32], place_mm: _Floats, spacing: PixelSpacing) -> _Floats:
    """Mean of nine samples about each place; (...,) for places (..., 2) in mm."""
    shift = np.array([-_CELL_MM, 0.0, _CELL_MM])
    row = (place_mm[..., 0, None, None] + shift[:, None]) / spacing.row_mm
    col = (place_mm[..., 1, None, None] + shift[None, :]) / spacing.col_mm
    row, col = np.broadcast_arrays(row, col)
    values = map_coordinates(pixels, [row.ravel(), col.ravel()], order=1, mode="nearest")
    mean: _Floats = values.reshape(row.shape).mean(axis=(-2, -1), dtype=np.float64)
    return mean


def _surroundings(pixels: npt.NDArray[np.float32], middle_mm: _Floats, spacing: PixelSpacing) -> _Floats:
    """Median on a ring about each place."""
    angle = 2.0 * np.pi * np.arange(_RING_SAMPLES) / _RING_SAMPLES
    ring = middle_mm[:, None] + _RING_MM * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    median: _Floats = np.median(_values(pixels, ring, spacing), axis=1)
    return median
