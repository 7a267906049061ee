"""Spot detector: scale-space maxima of a difference-of-Gaussians, each against its local spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from mcdetect.config import SpotConfig
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.kernels.gaussian import discrete_gaussian, smooth
from mcdetect.kernels.peaks import PEAK_COLUMNS, not_shadowed, scale_peaks
from mcdetect.kernels.scales import Scales, scale_space, spans_of
from mcdetect.kernels.spots import local_maxima, tile_spread
from mcdetect.kernels.tiles import sample_tiles
from mcdetect.spots.observer import LEVELS_MM, band_covariance

__all__ = ["Peaks", "Spots", "band_spread", "find_spots", "peaks_of", "smooth_mm", "tile_of"]

# Judged: a lower floor or fewer samples follow quiet places more closely, and mark the noise in them. The
# score is fitted to the spots found (python -m benchmarks spot_model): fit it again after a change.
_SPREAD_FLOOR = 0.4  # of the band's median spread: no tile is much quieter than the image
_MIN_SAMPLES = 150  # in a tile, for its spread to count fully
_FINE_BANDS = 4  # up to 0.18 mm: their maxima tell apart bodies that touch, which coarser bands take for one
_SAME_MM = 0.17  # a fine peak this near to one over all bands is the same


# Technical: to be quick.
_SAMPLES = 28  # along either side of a tile, for its spread
_THINNED = 3  # every third of these along both axes is enough for the covariance of the bands
_OF_FINE = PEAK_COLUMNS.index("fine")

_Singles = npt.NDArray[np.float32]


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
    tile = tile_of(spacing, config)
    scales = Scales.of(LEVELS_MM / spacing.row_mm, LEVELS_MM / spacing.col_mm)
    space = scale_space(pixels, scales, spans_of(searched))
    stride = max(1, min(tile) // _SAMPLES)
    measured, count, values = sample_tiles(space, searched, tile, stride, _THINNED)
    spread = np.stack([_smoothed(layer, count) for layer in measured])
    peaks = scale_peaks(space, 1.0 / spread, tile, searched, config.min_snr, config.min_snr_fine, _FINE_BANDS)
    found, fine = (_brightest(peaks[peaks[:, _OF_FINE] == kind], spacing) for kind in (0, 1))
    found = found.joined(fine.part(_hidden(fine, found, spacing))).part(slice(config.max_candidates))
    return Spots(
        row_px=found.row_px,
        col_px=found.col_px,
        snr=found.snr,
        band=found.band,
        levels_mm=LEVELS_MM,
        spread=spread,
        tile_px=tile,
        covariance=band_covariance(_normalised(values, spread, tile, stride * _THINNED)),
    )


def _normalised(
    values: _Singles, spread: _Singles, tile: tuple[int, int], step: int
) -> npt.NDArray[np.float64]:
    """Values of the bands at samples of the tiles, (n, bands), each over its local spread.

    Values are (bands, tiles down, samples down, tiles across, samples across), NaN where there is none.
    """
    gain = 1.0 / spread
    for axis, (side, tiles, samples) in enumerate(
        zip(tile, values.shape[1::2], values.shape[2::2], strict=True), start=1
    ):
        place = np.arange(tiles)[:, None] + (step * np.arange(samples) + 0.5) / side - 0.5
        place = np.clip(place.ravel(), 0.0, tiles - 1.0)
        before = np.minimum(place.astype(np.int64), max(tiles - 2, 0))
        share = np.expand_dims((place - before).astype(np.float32), 2 - axis)
        after = np.minimum(before + 1, tiles - 1)
        gain = np.take(gain, before, axis) * (1.0 - share) + np.take(gain, after, axis) * share
    flat = values.reshape(len(values), -1)
    there = np.flatnonzero(np.isfinite(flat[0]))
    normalised = np.take(flat, there, axis=1) * np.take(gain.reshape(flat.shape), there, axis=1)
    return normalised.astype(np.float64).T


def tile_of(spacing: PixelSpacing, config: SpotConfig) -> tuple[int, int]:
    """Return rows and columns of a tile, in pixels."""
    return max(8, round(config.tile_mm / spacing.row_mm)), max(8, round(config.tile_mm / spacing.col_mm))


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
    snr, band = best[peaks[:, 0], peaks[:, 1]], best_band[peaks[:, 0], peaks[:, 1]]
    return _brightest(np.column_stack([peaks, snr, band, *_sub_pixel(best, peaks)]), spacing)


def _brightest(peaks: npt.NDArray[np.float64], spacing: PixelSpacing) -> Peaks:
    """Those of the peaks that are in the shadow of no stronger one; columns as in `scale_peaks`."""
    peaks = peaks[np.argsort(-peaks[:, 2], kind="stable")]
    band = peaks[:, 3].astype(np.int64)
    reach_mm = np.sqrt(2.0 * LEVELS_MM[band] * LEVELS_MM[band + 1])
    lit = not_shadowed(peaks[:, :2] * (spacing.row_mm, spacing.col_mm), reach_mm)
    return Peaks(peaks[lit, 4], peaks[lit, 5], peaks[lit, 2], band[lit])


def _hidden(fine: Peaks, found: Peaks, spacing: PixelSpacing) -> npt.NDArray[np.int64]:
    """Indices of the fine peaks that no peak over all bands stands for."""
    place = np.concatenate([found.place_mm(spacing), fine.place_mm(spacing)])
    reach_mm = np.repeat([_SAME_MM, 0.0], [found.snr.size, fine.snr.size])
    return np.flatnonzero(not_shadowed(place, reach_mm, found.snr.size)[found.snr.size :])


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
    samples: int = _SAMPLES,
) -> npt.NDArray[np.float32]:
    """Spread of a band per tile; tiles with few pixels take it from their neighbours.

    About so many `samples` are taken along a side of a tile.
    """
    grid = (-(-finer.shape[0] // tile[0]), -(-finer.shape[1] // tile[1]))
    spread, count = np.empty(grid, np.float32), np.empty(grid, np.int64)
    stride = max(1, min(tile) // samples)
    tile_spread(finer, coarser, searched, *tile, stride, spread, count)
    return _smoothed(spread, count)


def _smoothed(spread: npt.NDArray[np.float32], count: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Spread of a band per tile, with that of neighbours; what few samples say counts less."""
    weight = np.minimum(count / _MIN_SAMPLES, 1.0) * (spread > 0)
    if not weight.any():
        return np.ones(spread.shape, np.float32)
    typical = float(np.median(spread[weight > 0]))
    near = gaussian_filter(weight, 0.6, mode="constant")
    mean = gaussian_filter(weight * spread, 0.6, mode="constant") / np.maximum(near, 1e-9)
    trust = np.minimum(near / 0.1, 1.0)
    filled = trust * mean + (1.0 - trust) * typical
    return np.maximum(filled, _SPREAD_FLOOR * typical).astype(np.float32)


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
