"""Noise equalisation: grey levels on a scale on which noise has the same spread everywhere."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.config import NoiseConfig
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.kernels.constants import MAD_TO_SD
from mcdetect.kernels.gaussian import discrete_gaussian, smooth
from mcdetect.kernels.lookup import apply_lookup

__all__ = ["Equalised", "NoiseScale", "equalise", "noise_scale"]

_log = logging.getLogger(__name__)

# Technical: time and memory.
_SAMPLES = 200_000  # pixels on which noise is measured, about
_MIN_STRIP = 64  # rows
_KNOTS = 8192  # of the table that changes the grey scale

# Standard: the normal distribution.
_LOW, _LOW_SD = 0.05, 1.6449  # quantile, and how many standard deviations it lies below the mean

# Judged: higher shares let less noise pass for spots, and hide faint calcifications in quiet places. The
# score is fitted to equalised images (python -m benchmarks spot_model): fit it again after a change.
_FINE_MM, _COARSE_MM = 0.05, 0.10  # the band in which noise, not tissue, dominates
_RIMS = 0.85  # of the spread of the low residuals: what a band-pass makes about specks is low as well
_FLOOR = 0.25  # of the median noise: below it grey levels are clipped or compressed, not quiet


@dataclass(frozen=True)
class Equalised:
    """An image whose noise has the same spread at every grey level.

    Parameters
    ----------
    pixels : (rows, cols) float32 array
        Transformed grey levels, about 1 per standard deviation of the noise between 0.05 and
        0.1 mm; denser is brighter.
    levels, noise : (bins,) float64 arrays
        Grey levels and the robust standard deviation of the noise found there, in input units.
    parametric : bool
        True when the line ``variance = a * signal + b`` of a linear detector was used.
    """

    pixels: npt.NDArray[np.float32]
    levels: npt.NDArray[np.float64]
    noise: npt.NDArray[np.float64]
    parametric: bool


def equalise(
    pixels: npt.NDArray[np.float32],
    mask: npt.NDArray[np.bool_],
    spacing: PixelSpacing,
    config: NoiseConfig,
    zero_exposure_level: float | None = None,
) -> Equalised:
    """Change the grey scale of an image so that its noise is equally strong everywhere.

    The noise is measured in the image itself: how strong it is at each grey level. Each grey level is then
    stretched by one over its noise. Afterwards noise has an SD of about 1, and a spot that stands out
    by 5 is as unlikely to be noise in bright tissue as in dark.

    Parameters
    ----------
    pixels : (rows, cols) float32 array
        Grey levels, denser is brighter.
    mask : (rows, cols) bool array
        Where noise is measured (the breast).
    spacing : PixelSpacing
        Pixel spacing in mm.
    config : NoiseConfig
        Number of grey-level bins.
    zero_exposure_level : float, optional
        For linear raw images: the value of `pixels` where no x-rays arrive. The variance of the noise is
        then modelled as ``a * signal + b``, the law of such detectors. Without it, or where the law does
        not fit, the measured curve is used as it is.

    Returns
    -------
    Equalised

    Notes
    -----
    With noise of SD sigma(I) at grey level I, ``T(I) = integral dI / sigma(I)`` has noise of SD 1. For the
    law of linear detectors that is ``(2 / a) sqrt(a * signal + b)``. See Bria et al.,
    doi:10.1109/TMI.2018.2814058, for its worth in the detection of microcalcifications, and Foi et al.,
    doi:10.1109/TIP.2008.2001399, for the model.
    """
    scale = noise_scale([pixels], mask, spacing, config, zero_exposure_level)
    return Equalised(scale.equalised(pixels), scale.levels, scale.noise, scale.parametric)


@dataclass(frozen=True)
class NoiseScale:
    """How grey levels are changed so that noise has the same spread at all of them.

    Parameters
    ----------
    low, step : float
        First knot and distance of knots, in grey levels.
    table : (knots,) float32 array
        Equalised grey levels at the knots.
    levels, noise, parametric
        As of `Equalised`.
    """

    low: float
    step: float
    table: npt.NDArray[np.float32]
    levels: npt.NDArray[np.float64]
    noise: npt.NDArray[np.float64]
    parametric: bool

    def equalised(self, pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the equalised grey levels of (rows, cols) pixels."""
        out = np.empty(pixels.shape, np.float32)
        apply_lookup(pixels, self.low, self.step, self.table, out)
        return out


def noise_scale(
    images: Sequence[npt.NDArray[np.float32]],
    mask: npt.NDArray[np.bool_],
    spacing: PixelSpacing,
    config: NoiseConfig,
    zero_exposure_level: float | None = None,
    *,
    margin: float = 0.0,
) -> NoiseScale:
    """Measure the noise of one image, or of several that are alike, and how it is made equal.

    Parameters
    ----------
    images : sequence of (rows, cols) float32 array
        Grey levels, denser is brighter.
    mask, spacing, config, zero_exposure_level
        As for `equalise`.
    margin : float
        How far the scale reaches beyond the grey levels found, as a share of their range: for images of
        the same kind that are not at hand.
    """
    parts = [_samples(pixels, mask, spacing) for pixels in images]
    level, residual = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    levels, noise = _noise_curve(level, residual, config.bins)
    ranges = [_range(pixels, mask) for pixels in images]
    low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
    low, high = low - margin * (high - low), high + margin * (high - low)
    knots = np.linspace(low, high, _KNOTS)
    line = None
    if zero_exposure_level is not None:
        line = _fit_line(zero_exposure_level - levels, noise**2, zero_exposure_level - knots)
        if line is None:
            _log.info(
                "noise does not grow with the signal as on a linear detector; its measured curve is used"
            )
    if line is None:
        sigma = np.interp(knots, levels, noise)
        middle = 2.0 / (sigma[1:] + sigma[:-1])
        table = np.concatenate(([0.0], np.cumsum(middle))) * (knots[1] - knots[0])
    else:
        a, b = line
        table = -(2.0 / a) * np.sqrt(a * (float(zero_exposure_level or 0.0) - knots) + b)
    table -= np.interp(np.median(level), knots, table)
    return NoiseScale(
        low, float(knots[1] - knots[0]), table.astype(np.float32), levels, noise, line is not None
    )


def _samples(
    pixels: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_], spacing: PixelSpacing
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Local mean and band-pass residual at an even subset of the pixels in the mask."""
    fine_rows, fine_cols = (discrete_gaussian(_FINE_MM / s) for s in (spacing.row_mm, spacing.col_mm))
    further_mm = (_COARSE_MM**2 - _FINE_MM**2) ** 0.5
    more_rows, more_cols = (discrete_gaussian(further_mm / s) for s in (spacing.row_mm, spacing.col_mm))
    strips = _strips(pixels.shape[0])
    inside = [np.flatnonzero(mask[rows]) for rows in strips]
    step = max(1, sum(place.size for place in inside) // _SAMPLES)
    levels, residuals = [], []
    first = 0
    for rows, place in zip(strips, inside, strict=True):
        strip = np.ascontiguousarray(pixels[rows])
        fine, coarse = np.empty_like(strip), np.empty_like(strip)
        smooth(strip, fine_rows, fine_cols, fine)
        smooth(fine, more_rows, more_cols, coarse)
        taken = place[first::step]
        first = (first - place.size) % step
        levels.append(coarse.ravel()[taken])
        residuals.append(fine.ravel()[taken] - levels[-1])
    return np.concatenate(levels), np.concatenate(residuals)


def _strips(rows: int) -> list[slice]:
    """All rows of a small image; of a large one five strips, laid evenly, that make up a third of it."""
    if rows < 15 * _MIN_STRIP:
        return [slice(0, rows)]
    height = rows // 15
    first = [round((k + 0.5) * rows / 5 - 0.5 * height) for k in range(5)]
    return [slice(start, start + height) for start in first]


def _noise_curve(
    level: npt.NDArray[np.float32], residual: npt.NDArray[np.float32], bins: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Robust noise in bins of equal population, along rising grey level.

    Processing shows dark pockets of dense tissue as dark as fat that is far quieter. So the lowest
    residuals count too: where a grey level is noisy in some places and quiet in others, no noisy pocket
    may stand out; quiet places get their due from the local spread.
    """
    order = _rising(level)
    parts = np.array_split(order, max(2, min(bins, level.size // 50)))
    levels = np.array([np.median(level[part]) for part in parts], np.float64)
    noise = np.array([_noise(residual[part]) for part in parts], np.float64)
    keep = np.concatenate(([True], np.diff(levels) > 0))
    levels, noise = levels[keep], noise[keep]
    padded = np.pad(noise, 1, mode="edge")
    noise = np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)
    typical = float(np.median(noise[noise > 0])) if (noise > 0).any() else float(np.std(residual))
    if typical <= 0.0:  # a noise-free drawing: any unit will do
        typical = max(float(np.ptp(level)), 1.0) / 1000.0
    return levels, np.maximum(noise, _FLOOR * typical)


def _rising(level: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Return the stable order of numbers, in half the time of `numpy.argsort`: numbers and places are
    sorted as one.
    """
    bits = (level + np.float32(0.0)).view(np.uint32).astype(np.uint64)
    negative = bits >> np.uint64(31)
    key = bits ^ np.where(negative, np.uint64(0xFFFFFFFF), np.uint64(0x80000000))
    key = np.sort((key << np.uint64(32)) | np.arange(level.size, dtype=np.uint64))
    return (key & np.uint64(0xFFFFFFFF)).astype(np.int64)


def _noise(residual: npt.NDArray[np.float32]) -> float:
    """Spread of most of the residuals, or of the low ones if that is more: calcifications are bright."""
    rising = np.sort(residual)
    middle, low = (_quantile(rising, share) for share in (0.5, _LOW))
    away = np.abs(rising - np.float64(middle))
    half = (away.size - 1) // 2
    away.partition((half, away.size // 2))
    usual = MAD_TO_SD * float(0.5 * (away[half] + away[away.size // 2]))
    return max(usual, -_RIMS * low / _LOW_SD)


def _quantile(rising: npt.NDArray[np.float32], share: float) -> float:
    """Return what `numpy.quantile` does, of numbers in rising order."""
    place = share * (rising.size - 1)
    k = min(int(place), rising.size - 2)
    below, above, part = float(rising[k]), float(rising[k + 1]), place - k
    apart = float(rising[k + 1] - rising[k])
    return below + apart * part if part < 0.5 else above - apart * (1.0 - part)


def _range(pixels: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_]) -> tuple[float, float]:
    low, high, *_ = cv2.minMaxLoc(pixels, mask.view(np.uint8))
    return low, high if high > low else low + 1.0


def _fit_line(
    signal: npt.NDArray[np.float64], variance: npt.NDArray[np.float64], needed: npt.NDArray[np.float64]
) -> tuple[float, float] | None:
    """Fit ``variance = a * signal + b`` by relative least squares; None when it makes no sense."""
    weight = 1.0 / variance
    for _ in range(3):
        design = np.stack([signal, np.ones_like(signal)], axis=1) * weight[:, None]
        (a, b), *_ = np.linalg.lstsq(design, variance * weight, rcond=None)
        error = np.abs(a * signal + b - variance) / variance
        weight = 1.0 / variance / np.maximum(1.0, error / max(1.5 * float(np.median(error)), 1e-6))
    lowest = min(float(signal.min()), float(needed.min()))
    if a <= 0.0 or a * lowest + b <= 0.02 * float(np.median(variance)):
        return None
    return float(a), float(b)
