"""The first half of the way: where the breast is, its noise, and what stands out in it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mcdetect.breast import BreastRegion, find_breast
from mcdetect.config import Config
from mcdetect.errors import UnusableImageError
from mcdetect.image.mammogram import Mammogram
from mcdetect.pipeline.clock import Clock
from mcdetect.pipeline.focus import Focus
from mcdetect.result import Marks
from mcdetect.spots.appearance import describe_spots
from mcdetect.spots.coarse import Coarse, coarsen
from mcdetect.spots.find import Spots, find_spots
from mcdetect.spots.noise import equalise

__all__ = ["Searched", "bounding_box", "search"]

_Depths = npt.NDArray[np.float64] | None

_MARGIN_MM = 2.0  # Judged: around the breast's bounding box, for the filters' reach


@dataclass(frozen=True)
class Searched:
    """Candidates of one mammogram and what they look like, before any is called a calcification.

    Parameters
    ----------
    breast : BreastRegion
        Where was searched.
    spots : Spots
        Candidates, strongest first; positions in pixels of the whole image.
    features : (n, features) float32 array
        Columns `mcdetect.spots.appearance.FEATURE_NAMES`.
    equalised : (rows, cols) float32 array
        Noise-equalised part of the image that holds the breast.
    origin_px : (int, int)
        Row and column of the image at which that part begins.
    area_cm2 : float
        Area searched.
    coarse : Coarse
        `equalised` on a coarse grid, for what tissue does over millimetres.
    log_odds : (n,) float64 array, optional
        Individual scores, for a stack of slices.
    near : (n, 16) float64 array, optional
        Response of neighbouring slices at each candidate, for a stack of slices.
    focus : Focus, optional
        Which slice each place shows, for a stack of slices.
    """

    breast: BreastRegion
    spots: Spots
    features: npt.NDArray[np.float32]
    equalised: npt.NDArray[np.float32]
    origin_px: tuple[int, int]
    area_cm2: float
    coarse: Coarse
    log_odds: npt.NDArray[np.float64] | None = None
    near: npt.NDArray[np.float64] | None = None
    focus: Focus | None = None

    def slices(
        self, row_px: npt.NDArray[np.float64], col_px: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the frame of the file, and its depth in mm, of places; NaN in a plain mammogram."""
        if self.focus is None:
            nothing = np.full(row_px.shape, np.nan)
            return nothing, nothing
        frames = self.focus.frames_at(row_px, col_px).astype(np.float64)
        return frames, self.focus.depths_at(row_px, col_px)

    def depths(self, row_px: npt.NDArray[np.float64], col_px: npt.NDArray[np.float64]) -> _Depths:
        """Return the depth in mm of places of a stack of slices, None of those of a plain mammogram."""
        return None if self.focus is None else self.focus.depths_at(row_px, col_px)

    def in_part(self, marks: Marks) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return rows and columns of marks in px of `equalised`."""
        return marks.row_px - self.origin_px[0], marks.col_px - self.origin_px[1]


def search(mammogram: Mammogram, config: Config | None = None, clock: Clock | None = None) -> Searched:
    """Find and describe every candidate.

    Parameters
    ----------
    mammogram : Mammogram
        The image.
    config : Config, optional
        Options.
    clock : Clock, optional
        Takes the time of each stage.

    Returns
    -------
    Searched
    """
    config = config or Config()
    clock = clock or Clock()
    with clock.stage("breast"):
        breast = find_breast(mammogram, config.breast)
        part = bounding_box(breast.mask, mammogram)
        searched = np.ascontiguousarray(breast.searched[part])
        mask = searched if searched.any() else np.ascontiguousarray(breast.mask[part])
    spacing = mammogram.spacing
    with clock.stage("noise"):
        equal = equalise(mammogram.pixels[part], mask, spacing, config.noise, mammogram.zero_exposure_level)
    area = float(np.count_nonzero(searched)) * spacing.row_mm * spacing.col_mm / 100.0
    with clock.stage("spots"):
        spots = find_spots(equal.pixels, searched, spacing, config.spots)
    with clock.stage("appearance"):
        features = describe_spots(equal.pixels, spots, spacing)
        coarse = coarsen(equal.pixels, (part[0].start, part[1].start), spacing, breast.skin_distance_at)
    top, left = part[0].start, part[1].start
    spots = dataclasses.replace(spots, row_px=spots.row_px + top, col_px=spots.col_px + left)
    return Searched(breast, spots, features, equal.pixels, (top, left), area, coarse)


def bounding_box(mask: npt.NDArray[np.bool_], mammogram: Mammogram) -> tuple[slice, slice]:
    """Return rows and columns of the part that holds the breast."""
    sides = []
    for axis, step in ((1, mammogram.spacing.row_mm), (0, mammogram.spacing.col_mm)):
        there = np.flatnonzero(mask.any(axis=axis))
        if there.size == 0:
            raise UnusableImageError("no breast was found in the image", "check that it is a mammogram")
        margin = int(np.ceil(_MARGIN_MM / step))
        sides.append(
            slice(max(0, int(there[0]) - margin), min(mask.shape[1 - axis], int(there[-1]) + margin + 1))
        )
    return sides[0], sides[1]
