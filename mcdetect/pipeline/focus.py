"""One picture of a stack of slices in which every spot is in focus, and where it took each part from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from mcdetect.image.mammogram import PixelSpacing

__all__ = ["Cutting", "Focus", "in_focus"]

_Floats = npt.NDArray[np.float64]

# Judged: outlines and the surroundings that heights are measured from reach some 2 mm.
_REACH_MM = 2.5


@dataclass(frozen=True)
class Cutting:
    """Pixels about a spot, from its own slice.

    Parameters
    ----------
    pixels : (rows, cols) float32 array
        Noise-equalised.
    top, left : int
        Place of its first pixel in the searched part.
    row_px, col_px : float
        Place of the spot there.
    """

    pixels: npt.NDArray[np.float32]
    top: int
    left: int
    row_px: float
    col_px: float

    @classmethod
    def of(cls, pixels: npt.NDArray[np.float32], row: float, col: float, spacing: PixelSpacing) -> Cutting:
        """Cut out what lies about a place of a slice."""
        down, across = round(_REACH_MM / spacing.row_mm), round(_REACH_MM / spacing.col_mm)
        top, left = max(0, round(row) - down), max(0, round(col) - across)
        part = pixels[top : round(row) + down + 1, left : round(col) + across + 1].copy()
        return cls(part, top, left, float(row), float(col))


@dataclass(frozen=True)
class Focus:
    """Which slice each part of a picture in focus shows.

    Parameters
    ----------
    slice_of : (rows, cols) int16 array
        Slice, by its place in depth, of each pixel of the searched part; -1 where several are mixed.
    origin_px : (int, int)
        Where that part begins in the image.
    frames : tuple of int
        Frame of each slice in the file.
    depth_mm : tuple of float
        Depth of each slice.
    row_px, col_px : (n,) float64 arrays
        Places of all candidates in the image.
    index : (n,) int64 array
        Their slices.
    """

    slice_of: npt.NDArray[np.int16]
    origin_px: tuple[int, int]
    frames: tuple[int, ...]
    depth_mm: tuple[float, ...]
    row_px: _Floats
    col_px: _Floats
    index: npt.NDArray[np.int64]

    def slices_at(self, row_px: _Floats, col_px: _Floats) -> npt.NDArray[np.int64]:
        """Return the slice in focus at places of the image; where none is, that of the nearest candidate."""
        rows, cols = self.slice_of.shape
        i = np.clip(np.rint(row_px - self.origin_px[0]).astype(np.intp), 0, rows - 1)
        j = np.clip(np.rint(col_px - self.origin_px[1]).astype(np.intp), 0, cols - 1)
        found = self.slice_of[i, j].astype(np.int64)
        lost = np.flatnonzero(found < 0)
        if lost.size:
            found[lost] = len(self.frames) // 2
            if self.index.size:
                tree = cKDTree(np.stack([self.row_px, self.col_px], axis=1))
                found[lost] = self.index[tree.query(np.stack([row_px[lost], col_px[lost]], axis=1))[1]]
        return found

    def depths_at(self, row_px: _Floats, col_px: _Floats) -> _Floats:
        """Return the depth in focus at places of the image, in mm."""
        depths: _Floats = np.asarray(self.depth_mm)[self.slices_at(row_px, col_px)]
        return depths

    def frames_at(self, row_px: _Floats, col_px: _Floats) -> npt.NDArray[np.int64]:
        """Return the frame of the file in focus at places of the image."""
        frames: npt.NDArray[np.int64] = np.asarray(self.frames, np.int64)[self.slices_at(row_px, col_px)]
        return frames


def in_focus(
    base: npt.NDArray[np.float32],
    cuttings: Sequence[Cutting],
    index: npt.NDArray[np.int64],
    spacing: PixelSpacing,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int16]]:
    """Lay the cuttings into a picture; each pixel belongs to the nearest spot.

    Parameters
    ----------
    base : (rows, cols) float32 array
        What is seen where no spot is near.
    cuttings : sequence of Cutting
    index : (n,) int64 array
        Slice of each.
    spacing : PixelSpacing

    Returns
    -------
    picture : (rows, cols) float32 array
        Each cutting is brought to the level of `base` about it, so that no edge shows.
    slice_of : (rows, cols) int16 array
        As in `Focus`.
    """
    picture = base.copy()
    slice_of = np.full(base.shape, -1, np.int16)
    nearest = np.full(base.shape, np.float32(_REACH_MM**2))
    for cutting, own in zip(cuttings, index, strict=True):
        rows, cols = cutting.pixels.shape
        part = np.s_[cutting.top : cutting.top + rows, cutting.left : cutting.left + cols]
        down = (np.arange(rows) + cutting.top - cutting.row_px) * spacing.row_mm
        across = (np.arange(cols) + cutting.left - cutting.col_px) * spacing.col_mm
        away = (down[:, None] ** 2 + across**2).astype(np.float32)
        closer = away < nearest[part]
        level = np.median(base[part]) - np.median(cutting.pixels)
        picture[part][closer] = cutting.pixels[closer] + level
        slice_of[part][closer] = own
        nearest[part][closer] = away[closer]
    return picture, slice_of
