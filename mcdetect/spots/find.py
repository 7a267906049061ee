"""Spot detector: scale-space maxima of a difference-of-Gaussians, each against its local spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from mcdetect.config import SpotConfig
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.kernels.gaussian import discrete_gaussian, smooth
from mcdetect.kernels.spots import keep_strongest, local_maxima, tile_spread
from mcdetect.spots.observer import LEVELS_MM, band_covariance, spread_at

__all__ = ["Peaks", "Spots", "band_spread", "find_spots", "peaks_of", "smooth_mm", "tile_of"]

# Judged: a lower floor or fewer samples follow quiet places more closely, and mark the noise in them. The
# score is fitted to the spots found (python -m benchmarks spot_model): fit it again after a change.
_SPREAD_FLOOR = 0.4  # of the band's median spread: no tile is much quieter than the image
_MIN_SAMPLES = 150  # in a tile, for its spread to count fully
_FINE_BANDS = 4  # up to 0.18 mm: their maxima tell apart bodies that touch, which coarser bands take for one
_SAME_MM = 0.17  # a fine peak this near to one over all bands is the same

# Technical: to be quick.
_LATTICE_SAMPLES = 40_000  # pixels on which the covariance of the bands is measured


@dataclass(frozen=True)
class Spots:
    """Candidates, strongest first.

    Parameters
    ----------
    row_px, col_px : (n,) float64 arrays
        Sub-pixel centres.
    snr : (n,) float64 array
        Strongest band-pass response over its local robust spread.
    band : (n,) int64 array
        The band that gave it.
    levels_mm : (bands + 1,) float64 array
        Gaussian scales; band k lies between levels k and k + 1.
    spread : (bands, tiles down, tiles across) float32 array
        Robust spread of each band at the centres of the tiles.
    tile_px : (int, int)
        Rows and columns of a tile.
    covariance : (bands, bands) float64 array
        Of the bands over their local spread, in the searched region.
    """

    row_px: npt.NDArray[np.float64]
    col_px: npt.NDArray[np.float64]
    snr: npt.NDArray[np.float64]
    band: npt.NDArray[np.int64]
    levels_mm: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float32]
    tile_px: tuple[int, int]
    covariance: npt.NDArray[np.float64]


def find_spots(
    pixels: npt.NDArray[np.float32],
    searched: npt.NDArray[np.bool_],
    spacing: PixelSpacing,
    config: SpotConfig,
) -> Spots:
    """Find bright spots between about 0.1 and 1 mm in a noise-equalised image.

    Parameters
    ----------
    pixels : (rows, cols) float32 array
        Noise-equalised grey levels.
    searched : (rows, cols) bool array
        Where spots are looked for.
    spacing : PixelSpacing
        Pixel spacing in mm; may differ between rows and columns.
    config : SpotConfig
        Thresholds, the size of the tiles in which the spread of a band is measured, and the largest
        number of candidates.

    Returns
    -------
    Spots
    """
    levels, bands = LEVELS_MM, LEVELS_MM.size - 1
    tile = tile_of(spacing, config)
    grid = (-(-pixels.shape[0] // tile[0]), -(-pixels.shape[1] // tile[1]))
    spread = np.empty((bands, *grid), np.float32)
    best = np.full(pixels.shape, -np.inf, np.float32)
    best_band = np.zeros(pixels.shape, np.uint8)
    lattice = _Lattice.over(searched)
    samples = []
    finer, coarser = np.empty_like(pixels), np.empty_like(pixels)
    smooth_mm(pixels, levels[0], spacing, finer)
    for band in range(bands):
        smooth_mm(finer, float(np.sqrt(levels[band + 1] ** 2 - levels[band] ** 2)), spacing, coarser)
        spread[band] = band_spread(finer, coarser, searched, tile)
        samples.append(lattice.values(finer) - lattice.values(coarser))
        keep_strongest(finer, coarser, 1.0 / spread[band], *tile, band, best, best_band)
        finer, coarser = coarser, finer
        if band == _FINE_BANDS - 1:
            fine = peaks_of(best, best_band, searched, spacing, config.min_snr_fine)
    found = peaks_of(best, best_band, searched, spacing, config.min_snr)
    found = found.joined(fine.part(_hidden(fine, found, spacing))).part(slice(config.max_candidates))
    local = spread_at(spread, *lattice.place_px, tile)
    return Spots(
        row_px=found.row_px,
        col_px=found.col_px,
        snr=found.snr,
        band=found.band,
        levels_mm=levels,
        spread=spread,
        tile_px=tile,
        covariance=band_covariance(np.stack(samples, axis=1) / local),
    )


def tile_of(spacing: PixelSpacing, config: SpotConfig) -> tuple[int, int]:
    """Return rows and columns of a tile, in pixels."""
    return max(8, round(config.tile_mm / spacing.row_mm)), max(8, round(config.tile_mm / spacing.col_mm))


@dataclass(frozen=True)
class _Lattice:
    """Every so many pixels of the searched region, for what is measured over the whole of it."""

    step: int
    inside: npt.NDArray[np.bool_]

    @classmethod
    def over(cls, searched: npt.NDArray[np.bool_]) -> _Lattice:
        """Choose a step that leaves about `_LATTICE_SAMPLES`."""
        step = max(1, int(np.sqrt(np.count_nonzero(searched) / _LATTICE_SAMPLES)))
        return cls(step, searched[step // 2 :: step, step // 2 :: step])

    def values(self, image: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Pixels of an image there."""
        return image[self.step // 2 :: self.step, self.step // 2 :: self.step][self.inside].astype(np.float64)

    @property
    def place_px(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Rows and columns."""
        row, col = (self.step // 2 + self.step * np.stack(np.nonzero(self.inside))).astype(np.float64)
        return row, col


@dataclass(frozen=True)
class Peaks:
    """Maxima, strongest first, as in `Spots`."""

    row_px: npt.NDArray[np.float64]
    col_px: npt.NDArray[np.float64]
    snr: npt.NDArray[np.float64]
    band: npt.NDArray[np.int64]

    def joined(self, other: Peaks) -> Peaks:
        """Both, strongest first."""
        order = np.argsort(-np.concatenate([self.snr, other.snr]), kind="stable")

        def both(name: str) -> npt.NDArray[np.float64]:
            joined: npt.NDArray[np.float64] = np.concatenate([getattr(self, name), getattr(other, name)])
            return joined[order]

        return Peaks(both("row_px"), both("col_px"), both("snr"), both("band").astype(np.int64))

    def part(self, chosen: npt.NDArray[np.int64] | slice) -> Peaks:
        """Some of them."""
        return Peaks(self.row_px[chosen], self.col_px[chosen], self.snr[chosen], self.band[chosen])

    def place_mm(self, spacing: PixelSpacing) -> npt.NDArray[np.float64]:
        """(n, 2) positions."""
        return np.stack([self.row_px * spacing.row_mm, self.col_px * spacing.col_mm], axis=1)


def peaks_of(
    best: npt.NDArray[np.float32],
    best_band: npt.NDArray[np.uint8],
    searched: npt.NDArray[np.bool_],
    spacing: PixelSpacing,
    min_snr: float,
) -> Peaks:
    """Maxima of the strongest response so far; none in the shadow of a stronger one."""
    peaks = local_maxima(best, searched, min_snr)
    order = np.argsort(-best[peaks[:, 0], peaks[:, 1]], kind="stable")
    peaks = peaks[order]
    band = best_band[peaks[:, 0], peaks[:, 1]].astype(np.int64)
    reach_mm = np.sqrt(2.0 * LEVELS_MM[band] * LEVELS_MM[band + 1])
    keep = _not_shadowed(peaks * np.array([spacing.row_mm, spacing.col_mm]), reach_mm)
    peaks, band = peaks[keep], band[keep]
    row, col = _sub_pixel(best, peaks)
    return Peaks(row, col, best[peaks[:, 0], peaks[:, 1]].astype(np.float64), band)


def _hidden(fine: Peaks, found: Peaks, spacing: PixelSpacing) -> npt.NDArray[np.int64]:
    """Indices of the fine peaks that no peak over all bands stands for."""
    if fine.snr.size == 0 or found.snr.size == 0:
        return np.arange(fine.snr.size)
    distance, _ = cKDTree(found.place_mm(spacing)).query(fine.place_mm(spacing))
    return np.flatnonzero(np.asarray(distance) > _SAME_MM)


def smooth_mm(
    source: npt.NDArray[np.float32], sigma_mm: float, spacing: PixelSpacing, out: npt.NDArray[np.float32]
) -> None:
    smooth(
        source,
        discrete_gaussian(sigma_mm / spacing.row_mm),
        discrete_gaussian(sigma_mm / spacing.col_mm),
        out,
    )


def band_spread(
    finer: npt.NDArray[np.float32],
    coarser: npt.NDArray[np.float32],
    searched: npt.NDArray[np.bool_],
    tile: tuple[int, int],
    samples: int = 28,
) -> npt.NDArray[np.float32]:
    """Spread of a band per tile; tiles with few pixels take it from their neighbours.

    About so many `samples` are taken along a side of a tile.
    """
    grid = (-(-finer.shape[0] // tile[0]), -(-finer.shape[1] // tile[1]))
    spread, count = np.empty(grid, np.float32), np.empty(grid, np.int64)
    stride = max(1, min(tile) // samples)
    tile_spread(finer, coarser, searched, *tile, stride, spread, count)
    weight = np.minimum(count / _MIN_SAMPLES, 1.0) * (spread > 0)
    if not weight.any():
        return np.ones(grid, np.float32)
    typical = float(np.median(spread[weight > 0]))
    near = gaussian_filter(weight, 0.6, mode="constant")
    mean = gaussian_filter(weight * spread, 0.6, mode="constant") / np.maximum(near, 1e-9)
    trust = np.minimum(near / 0.1, 1.0)
    filled = trust * mean + (1.0 - trust) * typical
    return np.maximum(filled, _SPREAD_FLOOR * typical).astype(np.float32)


def _not_shadowed(
    place_mm: npt.NDArray[np.float64], reach_mm: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """Indices of the points that lie within no stronger kept point's reach; strongest come first."""
    if place_mm.shape[0] == 0:
        return np.empty(0, np.int64)
    pairs = cKDTree(place_mm).query_pairs(float(reach_mm.max()), output_type="ndarray")
    pairs = np.sort(pairs, axis=1)
    distance = np.linalg.norm(place_mm[pairs[:, 0]] - place_mm[pairs[:, 1]], axis=1)
    pairs = pairs[distance < reach_mm[pairs[:, 0]]]
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    kept = np.ones(place_mm.shape[0], np.bool_)
    for stronger, weaker in pairs:
        if kept[stronger]:
            kept[weaker] = False
    return np.flatnonzero(kept)


def _sub_pixel(
    best: npt.NDArray[np.float32], peaks: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Refine peaks by a parabola through three pixels along each axis."""
    refined = []
    for axis in (0, 1):
        low, high = peaks.copy(), peaks.copy()
        low[:, axis] -= 1
        high[:, axis] += 1
        inside = (low[:, axis] >= 0) & (high[:, axis] < best.shape[axis])
        low, high = np.where(inside[:, None], low, peaks), np.where(inside[:, None], high, peaks)
        before, here, after = (best[p[:, 0], p[:, 1]].astype(np.float64) for p in (low, peaks, high))
        bend = before - 2.0 * here + after
        shift = np.where(bend < -1e-12, 0.5 * (before - after) / np.minimum(bend, -1e-12), 0.0)
        refined.append(peaks[:, axis] + np.clip(shift, -0.5, 0.5))
    return refined[0], refined[1]
