"""Spots in a stack of slices: cheap filters in every slice, maxima in depth, ghosts joined to their source.

A calcification is seen in several neighbouring slices, sharpest in one. In the others it is smeared along the
way of the tube, which is that of the rows, or split into ghosts. So a maximum in a slice counts where no
neighbouring slice answers more strongly, and a weaker maximum in line with a stronger one belongs to it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from mcdetect.config import SpotConfig
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.kernels.spots import keep_strongest
from mcdetect.spots.appearance import FEATURE_NAMES, describe_spots
from mcdetect.spots.find import Peaks, Spots, band_spread, find_spots, peaks_of, smooth_mm, tile_of
from mcdetect.spots.observer import LEVELS_MM

__all__ = ["Answers", "Stack", "join_in_depth", "measure_stack", "part_of"]

_Floats = npt.NDArray[np.float64]
_Image = npt.NDArray[np.float32]

# Judged: half the bands are enough to notice a spot; it is described with all of them.
_EDGES = (0, 2, 4, 6)  # levels between which the filters of a slice lie
_SAMPLES = 12  # along a side of a tile, for the spread of a filter

# Judged: where a maximum of a neighbouring slice is the same one.
_SAME_MM = 0.25
"""The place of one calcification differs by this from slice to slice."""

# Judged: the same.
_AT_PX = (1, 1)
"""Rows and columns about a place within which a response is one at it."""

# Physics: tubes sweep 11 to 60 degrees; a blurred speck is some 0.5 mm wide. Where the sweep is not known,
# ghosts may lie as far apart as with the widest, and be as strong as with the narrowest.
_WIDEST, _NARROWEST = math.tan(math.radians(25.0)), math.tan(math.radians(5.5))
_SPECK_MM = 0.5
_FEWEST_VIEWS = 9  # projections: a ghost of one of them keeps a ninth of the contrast, at most
_FARTHEST_MM = 8.0  # in the plane: a ghost farther away is weaker than noise
_NOISE = 1.0  # Judged: SD by which a ghost on a crest of the noise is stronger than alone


@dataclass(frozen=True)
class Answers:
    """How strongly a slice answers.

    Parameters
    ----------
    best : (rows, cols) float32 array
        Strongest response over its local spread.
    band : (rows, cols) uint8 array
        Its band, of all bands.
    loudness : (3,) float64 array
        Spread of each filter over that of the reference slices.
    """

    best: _Image
    band: npt.NDArray[np.uint8]
    loudness: _Floats


@dataclass(frozen=True)
class Stack:
    """What slices of one volume have in common, measured on a few of them.

    Parameters
    ----------
    searched : (rows, cols) bool array
        Where spots are looked for.
    spacing : PixelSpacing
    min_snr : float
        Least response of a spot.
    tile_px : (int, int)
    spread : (bands, tiles down, tiles across) float32 array
        Robust spread of each band.
    covariance : (bands, bands) float64 array
        Of the bands over their local spread.
    loud : (3,) float64 array
        Usual spread of the filters of a slice.
    """

    searched: npt.NDArray[np.bool_]
    spacing: PixelSpacing
    min_snr: float
    tile_px: tuple[int, int]
    spread: npt.NDArray[np.float32]
    covariance: _Floats
    loud: _Floats

    def answer(self, pixels: _Image, spare: Answers | None = None) -> Answers:
        """Filter one slice.

        Parameters
        ----------
        pixels : (rows, cols) float32 array
            Noise-equalised slice.
        spare : Answers, optional
            No longer needed: its memory is used again.
        """
        best = np.empty_like(pixels) if spare is None else spare.best
        band = np.empty(pixels.shape, np.uint8) if spare is None else spare.band
        best.fill(-np.inf)
        spread = _filter(pixels, self.searched, self.spacing, self.tile_px, best, band)
        return Answers(best, band, spread / self.loud)

    def near(self, answers: Sequence[Answers], spots: Spots) -> _Floats:
        """Return the response of other slices about the places of spots, (n, 2 * slices).

        First the greatest within 0.25 mm, slice by slice, then that at the place: within a pixel.
        """
        reaches = (_reach_px(self.spacing), _AT_PX)
        found = [_most_near(other.best, spots, reach) for reach in reaches for other in answers]
        return np.stack(found, axis=1)

    def maxima(self, before: Answers | None, here: Answers, after: Answers | None) -> Peaks:
        """Return the maxima of a slice that no neighbouring slice exceeds at the same place."""
        peaks = peaks_of(here.best, here.band, self.searched, self.spacing, self.min_snr)
        if peaks.snr.size == 0:
            return peaks
        reach = _reach_px(self.spacing)
        kept = np.ones(peaks.snr.size, np.bool_)
        for other, equal_counts in ((before, False), (after, True)):
            if other is None:
                continue
            near = _most_near(other.best, peaks, reach)
            kept &= (peaks.snr >= near) if equal_counts else (peaks.snr > near)
        return peaks.part(np.flatnonzero(kept))

    def described(
        self,
        pixels: _Image,
        peaks: Peaks,
        loudness: _Floats,
        worth: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.bool_]],
    ) -> tuple[Spots, npt.NDArray[np.float32]]:
        """Return the spots of a slice and what they look like.

        Parameters
        ----------
        pixels : (rows, cols) float32 array
            Noise-equalised slice.
        peaks : Peaks
        loudness : (3,) float64 array
            As in `Answers`.
        worth : callable
            Takes features by the band that the filters of a slice give, which is a rough one; tells which
            spots are worth describing by their own band. The others are left out.
        """
        bands = self.spread.shape[0]
        of_band = loudness[np.minimum(np.arange(bands) // 2, len(_EDGES) - 2)]
        spots = Spots(
            row_px=peaks.row_px,
            col_px=peaks.col_px,
            snr=peaks.snr,
            band=peaks.band,
            levels_mm=LEVELS_MM,
            spread=(self.spread * of_band[:, None, None]).astype(np.float32),
            tile_px=self.tile_px,
            covariance=self.covariance,
        )
        features = describe_spots(pixels, spots, self.spacing)
        kept = np.flatnonzero(worth(features))
        spots, features = part_of(spots, kept), features[kept]
        first = FEATURE_NAMES.index("band_0")
        response = features[:, first : first + bands].astype(np.float64)
        strongest = response.argmax(axis=1).astype(np.int64)
        spots = dataclasses.replace(spots, band=strongest, snr=response.max(axis=1))
        return spots, describe_spots(pixels, spots, self.spacing)


def part_of(spots: Spots, which: npt.NDArray[np.int64]) -> Spots:
    """Return some of the spots of a slice."""
    return dataclasses.replace(
        spots,
        row_px=spots.row_px[which],
        col_px=spots.col_px[which],
        snr=spots.snr[which],
        band=spots.band[which],
    )


def measure_stack(
    slices: Sequence[_Image],
    searched: npt.NDArray[np.bool_],
    spacing: PixelSpacing,
    config: SpotConfig,
    min_snr: float,
) -> Stack:
    """Measure spread and covariance of all bands on a few slices.

    Parameters
    ----------
    slices : sequence of (rows, cols) float32 array
        Noise-equalised.
    searched : (rows, cols) bool array
    spacing : PixelSpacing
    config : SpotConfig
    min_snr : float
        Least response of a spot in a slice.
    """
    found = [find_spots(pixels, searched, spacing, config) for pixels in slices]
    tile = tile_of(spacing, config)
    best, band = np.empty_like(slices[0]), np.empty(slices[0].shape, np.uint8)
    loud = [_filter(pixels, searched, spacing, tile, best, band) for pixels in slices]
    return Stack(
        searched=searched,
        spacing=spacing,
        min_snr=min_snr,
        tile_px=tile,
        spread=np.mean([spots.spread for spots in found], axis=0, dtype=np.float32),
        covariance=np.mean([spots.covariance for spots in found], axis=0),
        loud=np.mean(loud, axis=0),
    )


def join_in_depth(
    row_mm: _Floats,
    col_mm: _Floats,
    depth_mm: _Floats,
    strength: _Floats,
    half_angle_deg: float | None,
) -> npt.NDArray[np.bool_]:
    """Tell which spots stand for themselves, and which are the blur or the ghost of a stronger one.

    A spot is joined to a stronger one that lies in the same column of the image, no farther along the rows
    than the tube's way displaces what lies so much deeper, when it is no stronger than blur or ghost can be.

    Parameters
    ----------
    row_mm, col_mm, depth_mm : (n,) float64 arrays
        Places.
    strength : (n,) float64 array
        Response over noise.
    half_angle_deg : float, optional
        How far the tube went to either side, in degrees.

    Returns
    -------
    (n,) bool array
        True for the spots that stand for themselves.
    """
    far = _WIDEST if half_angle_deg is None else math.tan(math.radians(half_angle_deg))
    least = _NARROWEST if half_angle_deg is None else far
    order = np.argsort(-strength, kind="stable")
    place = np.stack([row_mm, col_mm], axis=1)[order]
    depth, strong = depth_mm[order], strength[order]
    # Along the rows ghosts lie far away, across them near: stretch the columns so that one radius serves.
    stretched = place * np.array([1.0, _FARTHEST_MM / _SAME_MM])
    pairs = cKDTree(stretched).query_pairs(_FARTHEST_MM * math.sqrt(2.0), output_type="ndarray")
    if len(pairs) == 0:
        return np.ones(strength.size, np.bool_)
    first, second = np.sort(pairs, axis=1).T
    apart = np.abs(place[first] - place[second])
    away = np.abs(depth[first] - depth[second])
    smear = 2.0 * away * least
    share = np.clip(_SPECK_MM / np.maximum(smear, _SPECK_MM), 1.0 / _FEWEST_VIEWS, 1.0)
    one = (
        (apart[:, 1] <= _SAME_MM)
        & (apart[:, 0] <= _SAME_MM + away * far)
        & (strong[second] <= np.minimum(share * strong[first] + _NOISE, strong[first]))
    )
    kept = np.ones(strength.size, np.bool_)
    rank = np.argsort(first[one], kind="stable")
    for stronger, weaker in zip(first[one][rank], second[one][rank], strict=True):
        if kept[stronger]:
            kept[weaker] = False
    out = np.empty(strength.size, np.bool_)
    out[order] = kept
    return out


def _filter(
    pixels: _Image,
    searched: npt.NDArray[np.bool_],
    spacing: PixelSpacing,
    tile: tuple[int, int],
    best: _Image,
    band: npt.NDArray[np.uint8],
) -> _Floats:
    """Write the strongest response of the filters; return the median spread of each."""
    finer, coarser = np.empty_like(pixels), np.empty_like(pixels)
    smooth_mm(pixels, float(LEVELS_MM[_EDGES[0]]), spacing, finer)
    usual = []
    for low, high in pairwise(_EDGES):
        further = float(np.sqrt(LEVELS_MM[high] ** 2 - LEVELS_MM[low] ** 2))
        smooth_mm(finer, further, spacing, coarser)
        spread = band_spread(finer, coarser, searched, tile, _SAMPLES)
        keep_strongest(finer, coarser, 1.0 / spread, *tile, low, best, band)
        finer, coarser = coarser, finer
        usual.append(float(np.median(spread)))
    return np.array(usual)


def _reach_px(spacing: PixelSpacing) -> tuple[int, int]:
    return max(1, round(_SAME_MM / spacing.row_mm)), max(1, round(_SAME_MM / spacing.col_mm))


def _most_near(image: _Image, peaks: Peaks | Spots, reach: tuple[int, int]) -> _Floats:
    """Return the greatest value of an image about each peak."""
    rows, cols = image.shape
    row = np.clip(np.rint(peaks.row_px).astype(np.intp), 0, rows - 1)
    col = np.clip(np.rint(peaks.col_px).astype(np.intp), 0, cols - 1)
    down, across = np.mgrid[-reach[0] : reach[0] + 1, -reach[1] : reach[1] + 1]
    i = np.clip(row[:, None] + down.ravel(), 0, rows - 1)
    j = np.clip(col[:, None] + across.ravel(), 0, cols - 1)
    most: _Floats = image[i, j].max(axis=1).astype(np.float64)
    return most
