"""Where the breast is: mask without labels and film edges, skin line, pectoral muscle."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.breast.grid import disc
from mcdetect.image.views import SEVERAL_BREASTS

__all__ = ["IN_SKIN_MM", "BreastRegion"]

IN_SKIN_MM = 1.5
"""Physics: the skin is 1 to 3 mm thick, and is seen edge-on at its line: what lies this near lies in it."""
AT_SKIN_MM = 3.0
"""Physics: the same: what lies this near may lie in it, or on its inner border."""


@dataclass(frozen=True)
class BreastRegion:
    """Where the breast is, at full resolution.

    Parameters
    ----------
    mask : (rows, cols) bool array
        True on the breast and the pectoral muscle, False on air, labels, markers, film borders.
    searched : (rows, cols) bool array
        The part of `mask` in which calcifications are looked for: without the strips along the
        image or film border and the skin line, without implants, scan lines and scratches.
    pectoral : (rows, cols) bool array
        True on the pectoral muscle (a part of `mask`); all False on views that show none.
    skin_distance_mm : (grid rows, grid cols) float32 array
        Distance to the skin line (the border of the breast against air) in mm, on a coarse grid;
        0 outside the breast, 200 where the image shows no skin line (a crop of tissue). The chest
        wall, the image border and padding are no skin line.
    grid_step_px : (float, float)
        Pixels per grid step along rows and columns; grid point (i, j) lies at pixel
        ``((i + 0.5) * step_row - 0.5, (j + 0.5) * step_col - 0.5)``.
    nipple_px : (float, float), optional
        Estimated (row, col) of the nipple in pixels: the point of the skin line farthest from the
        chest wall. None where the image shows no skin line or does not tell where the chest wall is.
    chest_distance_mm : (grid rows, grid cols) float32 array, optional
        Distance in mm to the pectoral muscle or the edge of the image at the chest wall, whichever
        is nearer; NaN outside the breast, and where it is not known where the chest wall is.
    density_rank : (grid rows, grid cols) float32 array, optional
        Share, 0 to 1, of the breast whose tissue is darker than the tissue around; NaN outside.
    has_skin : bool
        Whether the image shows a skin line.
    hidden : (rows, cols) bool array, optional
        Where specks are not looked for, since something there is whiter than what can be told apart: about
        clips and saturated patches. Large bodies are looked for there. None where there is no such place.
    air_unevenness : float
        Share of the air whose grey level is not that of most air, 0 to 1; NaN where there is too little
        air to tell. Digital images have next to none, scanned films more.
    n_breasts : int
        Breasts in the image, at least. Where there are several, landmarks and muscle are left out.
    implant_mm2 : float
        Area of a breast implant, 0 where none is seen. It is part of `mask` but not of `searched`.
    """

    mask: npt.NDArray[np.bool_]
    searched: npt.NDArray[np.bool_]
    pectoral: npt.NDArray[np.bool_]
    skin_distance_mm: npt.NDArray[np.float32]
    grid_step_px: tuple[float, float]
    nipple_px: tuple[float, float] | None = None
    chest_distance_mm: npt.NDArray[np.float32] | None = None
    density_rank: npt.NDArray[np.float32] | None = None
    has_skin: bool = True
    is_part: bool = False
    hidden: npt.NDArray[np.bool_] | None = None
    air_unevenness: float = math.nan
    n_breasts: int = 1
    implant_mm2: float = 0.0

    def remarks(self) -> tuple[str, ...]:
        """Return what the user should know of the breast, for the flags of the image."""
        if self.n_breasts == 1:
            return ()
        return (f"{SEVERAL_BREASTS}: each is searched, without nipple, muscle and chest wall",)

    def skin_distance_at(
        self, row_px: npt.NDArray[np.float64], col_px: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Return the distance to the skin line in mm at pixel positions (nearest grid point)."""
        return self._at(self.skin_distance_mm, row_px, col_px)

    def known_skin_distance_at(
        self, row_px: npt.NDArray[np.float64], col_px: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Return `skin_distance_at`, NaN where a view of a part of the breast shows no skin line."""
        distance = self.skin_distance_at(row_px, col_px)
        return np.full(distance.shape, np.nan) if self.is_part and not self.has_skin else distance

    def in_skin_at(
        self, row_px: npt.NDArray[np.float64], col_px: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.bool_]:
        """Tell which pixel positions lie in the skin, by their distance to the skin line."""
        return np.asarray(self.skin_distance_at(row_px, col_px) <= IN_SKIN_MM)

    def at_skin_at(
        self, row_px: npt.NDArray[np.float64], col_px: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.bool_]:
        """Tell which pixel positions may lie in thick skin, or on its inner border."""
        return np.asarray(self.skin_distance_at(row_px, col_px) <= AT_SKIN_MM)

    def chest_distance_at(
        self, row_px: npt.NDArray[np.float64], col_px: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Return the distance to the chest wall in mm at pixel positions, NaN where it is not known."""
        return self._at(self.chest_distance_mm, row_px, col_px)

    def depth_fraction_at(
        self, row_px: npt.NDArray[np.float64], col_px: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Return the depth at pixel positions: 0 at the skin line, 1 at the chest wall, NaN where unknown.

        It is the distance to the skin line over the sum of the distances to skin line and chest wall.
        """
        skin, chest = self.skin_distance_at(row_px, col_px), self.chest_distance_at(row_px, col_px)
        depth = np.full(skin.shape, np.nan)
        known = np.isfinite(chest) & (skin + chest > 0.0) & self.has_skin
        np.divide(skin, skin + chest, out=depth, where=known)
        return depth

    def density_rank_at(
        self, row_px: npt.NDArray[np.float64], col_px: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Return how dense the tissue is at pixel positions, 0 to 1, NaN where unknown."""
        return self._at(self.density_rank, row_px, col_px)

    def near_muscle_edge(
        self,
        row_px: npt.NDArray[np.float64],
        col_px: npt.NDArray[np.float64],
        reach_mm: float,
        pixel_mm: tuple[float, float],
    ) -> npt.NDArray[np.bool_]:
        """Tell which pixel positions lie within a reach of the edge of the pectoral muscle, on either side.

        `pixel_mm` is the size of a pixel. Where the muscle ends at the border of the image is no edge.
        """
        if not self.pectoral.any():
            return np.zeros(np.shape(row_px), np.bool_)
        rows, cols = self.skin_distance_mm.shape
        place = [
            np.clip(np.rint((np.arange(n) + 0.5) * step - 0.5).astype(np.intp), 0, whole - 1)
            for n, step, whole in zip((rows, cols), self.grid_step_px, self.pectoral.shape, strict=True)
        ]
        muscle = self.pectoral[np.ix_(*place)].view(np.uint8)
        reach = disc(reach_mm, (self.grid_step_px[0] * pixel_mm[0], self.grid_step_px[1] * pixel_mm[1]))
        edge = cv2.morphologyEx(muscle, cv2.MORPH_GRADIENT, reach)
        return self._at(np.asarray(edge, np.float32), row_px, col_px) > 0

    def _at(
        self,
        grid: npt.NDArray[np.float32] | None,
        row_px: npt.NDArray[np.float64],
        col_px: npt.NDArray[np.float64],
    ) -> npt.NDArray[np.float64]:
        """Return the nearest grid point's value at pixel positions."""
        if grid is None:
            return np.full(np.shape(row_px), np.nan)
        step_row, step_col = self.grid_step_px
        rows, cols = grid.shape
        i = np.clip(np.rint((row_px + 0.5) / step_row - 0.5).astype(np.intp), 0, rows - 1)
        j = np.clip(np.rint((col_px + 0.5) / step_col - 0.5).astype(np.intp), 0, cols - 1)
        return grid[i, j].astype(np.float64)
