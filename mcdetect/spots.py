"""Spot detector: scale-space maxima of a difference-of-Gaussians, each against its local spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from mcdetect.config import NoiseConfig, SpotConfig
from mcdetect.kernels.gaussian import discrete_gaussian, smooth
from mcdetect.kernels.spots import keep_strongest, local_maxima, tile_spread
from mcdetect.mammogram import PixelSpacing

__all__ = ["LEVELS_MM", "Spots", "find_spots"]

LEVELS_MM: npt.NDArray[np.float64] = 0.05 * (0.35 / 0.05) ** (np.arange(8) / 6.0)
"""Gaussian scales in mm; seven bands between them, centred at 0.06 to 0.41 mm."""

_SPREAD_FLOOR = 0.4  # of the band's median spread: no tile is much quieter than the image
_MIN_SAMPLES = 150  # in a tile, for its spread to count fully


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
    """

    row_px: npt.NDArray[np.float64]
    col_px: npt.NDArray[np.float64]
    snr: npt.NDArray[np.float64]
    band: npt.NDArray[np.int64]
    levels_mm: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float32]
    tile_px: tuple[int, int]


def find_spots(
    pixels: npt.NDArray[np.float32],
    searched: npt.NDArray[np.bool_],
    spacing: PixelSpacing,
    config: SpotConfig,
    noise: NoiseConfig,
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
        Threshold and the largest number of candidates.
    noise : NoiseConfig
        Size of the tiles in which the spread of a band is measured.

    Returns
    -------
    Spots
    """
    levels, bands = LEVELS_MM, LEVELS_MM.size - 1
    tile = (
        max(8, round(noise.tile_mm / spacing.row_mm)),
        max(8, round(noise.tile_mm / spacing.col_mm)),
    )
    grid = (-(-pixels.shape[0] // tile[0]), -(-pixels.shape[1] // tile[1]))
    spread = np.empty((bands, *grid), np.float32)
    best = np.full(pixels.shape, -np.inf, np.float32)
    best_band = np.zeros(pixels.shape, np.uint8)
    finer, coarser = np.empty_like(pixels), np.empty_like(pixels)
    _smooth_mm(pixels, levels[0], spacing, finer)
    for band in range(bands):
        _smooth_mm(finer, float(np.sqrt(levels[band + 1] ** 2 - levels[band] ** 2)), spacing, coarser)
        spread[band] = _band_spread(finer, coarser, searched, tile)
        keep_strongest(finer, coarser, 1.0 / spread[band], *tile, band, best, best_band)
        finer, coarser = coarser, finer
    peaks = local_maxima(best, searched, config.min_snr)
    order = np.argsort(-best[peaks[:, 0], peaks[:, 1]], kind="stable")
    peaks = peaks[order]
    band_of = best_band[peaks[:, 0], peaks[:, 1]].astype(np.int64)
    sigma_mm = np.sqrt(levels[band_of] * levels[band_of + 1])
    keep = _not_shadowed(peaks * (spacing.row_mm, spacing.col_mm), np.sqrt(2.0) * sigma_mm)
    keep = keep[: config.max_candidates]
    peaks = peaks[keep]
    row, col = _sub_pixel(best, peaks)
    return Spots(
        row_px=row,
        col_px=col,
        snr=best[peaks[:, 0], peaks[:, 1]].astype(np.float64),
        band=band_of[keep],
        levels_mm=levels,
        spread=spread,
        tile_px=tile,
    )


def _smooth_mm(
    source: npt.NDArray[np.float32], sigma_mm: float, spacing: PixelSpacing, out: npt.NDArray[np.float32]
) -> None:
    smooth(
        source,
        discrete_gaussian(sigma_mm / spacing.row_mm),
        discrete_gaussian(sigma_mm / spacing.col_mm),
        out,
    )


def _band_spread(
    finer: npt.NDArray[np.float32],
    coarser: npt.NDArray[np.float32],
    searched: npt.NDArray[np.bool_],
    tile: tuple[int, int],
) -> npt.NDArray[np.float32]:
    """Spread of a band per tile; tiles with few pixels take it from their neighbours."""
    grid = (-(-finer.shape[0] // tile[0]), -(-finer.shape[1] // tile[1]))
    spread, count = np.empty(grid, np.float32), np.empty(grid, np.int64)
    stride = max(1, min(tile) // 28)
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
