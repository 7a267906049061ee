"""The same search for spots as a chain of OpenCV's filters, and whether both find the same maxima.

Eight Gaussians, each from the one before; seven differences; each over its spread; the largest at every
pixel; its maxima. In float32, separable, with all threads of OpenCV, only on the part that holds the
breast. Two forms of a band's spread: one number (the quickest chain there is, which is timed), and the
map that our stage measured (in which both must find the same maxima).

The taps are those of the discrete Gaussian, in `cv2.sepFilter2D`. `cv2.GaussianBlur` samples the Gaussian,
which at 0.7 px passes half as much of the finest detail: it costs the same but finds half the maxima.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from mcdetect.config import SpotConfig
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.kernels.gaussian import discrete_gaussian
from mcdetect.spots.find import Spots
from mcdetect.spots.observer import LEVELS_MM

__all__ = ["Agreement", "Chain", "agreement", "gain_maps", "typical_gains"]

_Singles = npt.NDArray[np.float32]

SAME_PX = (
    1.5  # Judged: a maximum and its neighbour count as one: rounding and coarser grids move them so far,
)
SAME_SCALES = 0.5  # or by this share of their Gaussian scale
MARGIN_SNR = 0.15  # Judged: weaker maxima may lie below the threshold of the other
FINE_BANDS = 4  # Technical: as of the stage, which looks for maxima of the finest bands alone, too
LEAST_SHARE = 0.97  # Judged: of the maxima that both must have


def _blur(source: _Singles, sigma: tuple[float, float], out: _Singles) -> None:
    down, across = (np.concatenate([half[:0:-1], half]) for half in map(discrete_gaussian, sigma))
    cv2.sepFilter2D(source, cv2.CV_32F, across, down, out, borderType=cv2.BORDER_REFLECT)


@dataclass(frozen=True)
class Chain:
    """A chain of filters over one image.

    Parameters
    ----------
    pixels : (rows, cols) float32 array
        Noise-equalised part of the image that holds the breast.
    searched : (rows, cols) bool array
    spacing : PixelSpacing
    config : SpotConfig
        Least signal-to-noise ratios.
    """

    pixels: _Singles
    searched: npt.NDArray[np.bool_]
    spacing: PixelSpacing
    config: SpotConfig

    def strongest(self, gains: Sequence[float | _Singles]) -> _Singles:
        """Return the largest of the bands times their gains, at every pixel."""
        finer, coarser = np.empty_like(self.pixels), np.empty_like(self.pixels)
        best, band = np.empty_like(self.pixels), np.empty_like(self.pixels)
        _blur(self.pixels, self._sigma(float(LEVELS_MM[0])), finer)
        for k, gain in enumerate(gains):
            _blur(finer, self._sigma(float(np.sqrt(LEVELS_MM[k + 1] ** 2 - LEVELS_MM[k] ** 2))), coarser)
            into = band if k else best
            if isinstance(gain, np.ndarray):
                cv2.multiply(cv2.subtract(finer, coarser, into), gain, into)
            else:
                cv2.addWeighted(finer, gain, coarser, -gain, 0.0, into)
            if k:
                cv2.max(best, band, best)
            finer, coarser = coarser, finer
        return best

    def maxima(self, best: _Singles, min_snr: float) -> npt.NDArray[np.int64]:
        """Return rows and columns of the maxima, (n, 2), in reading order."""
        highest = cv2.dilate(best, np.ones((3, 3), np.uint8))
        peak = cv2.compare(best, highest, cv2.CMP_GE)
        cv2.bitwise_and(peak, self.searched.view(np.uint8), peak)
        cv2.bitwise_and(peak, cv2.compare(best, min_snr, cv2.CMP_GE), peak)  # type: ignore[call-overload]
        if not cv2.countNonZero(peak):
            return np.empty((0, 2), np.int64)
        return np.asarray(cv2.findNonZero(peak), np.int64).reshape(-1, 2)[:, ::-1]

    def run(self, gains: Sequence[float | _Singles]) -> npt.NDArray[np.int64]:
        """Return the maxima of the whole chain."""
        return self.maxima(self.strongest(gains), self.config.min_snr)

    def _sigma(self, sigma_mm: float) -> tuple[float, float]:
        return sigma_mm / self.spacing.row_mm, sigma_mm / self.spacing.col_mm


def typical_gains(spots: Spots) -> list[float]:
    """Return one over the typical spread of each band."""
    return [1.0 / float(np.median(band)) for band in spots.spread]


def gain_maps(spots: Spots, shape: tuple[int, int]) -> list[_Singles]:
    """Return one over the spread of each band at every pixel."""
    rows, cols = spots.tile_px
    maps = []
    for band in spots.spread:
        whole = (band.shape[1] * cols, band.shape[0] * rows)
        gain = cv2.resize(1.0 / band, whole, interpolation=cv2.INTER_LINEAR)
        maps.append(np.ascontiguousarray(gain[: shape[0], : shape[1]], np.float32))
    return maps


@dataclass(frozen=True)
class Agreement:
    """How far two searches found the same.

    Parameters
    ----------
    ours_there : float
        Share of our candidates that are maxima of the chain, too.
    theirs_there : float
        Share of the chain's maxima that are candidates of ours, or lie in the shadow of one.
    """

    ours_there: float
    theirs_there: float

    @property
    def holds(self) -> bool:
        """Whether they are the same, but for rounding."""
        return min(self.ours_there, self.theirs_there) >= LEAST_SHARE


def agreement(spots: Spots, chain: Chain) -> Agreement:
    """Compare our candidates with the maxima of a chain that has the spread of ours.

    Parameters
    ----------
    spots : Spots
        Ours, in pixels of the chain's image.
    chain : Chain
    """
    gains = gain_maps(spots, chain.pixels.shape)
    fine = chain.maxima(chain.strongest(gains[:FINE_BANDS]), chain.config.min_snr_fine)
    best = chain.strongest(gains)
    maxima = chain.maxima(best, chain.config.min_snr)
    if spots.snr.size == 0 or maxima.shape[0] == 0:
        none = float(spots.snr.size == maxima.shape[0])
        return Agreement(none, none)
    ours = np.stack([spots.row_px, spots.col_px], axis=1)
    apart, _ = cKDTree(np.concatenate([maxima, fine])).query(ours)
    clear = spots.snr >= chain.config.min_snr + MARGIN_SNR
    scale_px = np.sqrt(LEVELS_MM[spots.band] * LEVELS_MM[spots.band + 1]) / chain.spacing.mean_mm
    same = np.asarray(apart) <= np.maximum(SAME_PX, SAME_SCALES * scale_px)
    ours_there = float(np.mean(same[clear])) if clear.any() else 1.0
    # Of maxima within each other's reach ours keep the strongest.
    mm = np.array([chain.spacing.row_mm, chain.spacing.col_mm])
    reach_mm = np.sqrt(2.0 * LEVELS_MM[spots.band] * LEVELS_MM[spots.band + 1]) + SAME_PX * mm.max()
    strong = best[maxima[:, 0], maxima[:, 1]] >= chain.config.min_snr + MARGIN_SNR
    theirs = maxima[strong] * mm
    near = cKDTree(ours * mm).query_ball_point(theirs, float(reach_mm.max()))
    there = 0
    for place, held in zip(theirs, near, strict=True):
        there += bool((np.linalg.norm(ours[held] * mm - place, axis=1) <= reach_mm[held]).any())
    return Agreement(ours_there, there / max(1, theirs.shape[0]))
