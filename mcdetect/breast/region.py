"""Where the breast is: mask without labels and film edges, skin line, pectoral muscle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["BreastRegion"]


@dataclass(frozen=True)
class BreastRegion:
    """Where the breast is, at full resolution.

    Parameters
    ----------
    mask : (rows, cols) bool array
        True on the breast and the pectoral muscle, False on air, labels, markers, film borders.
    searched : (rows, cols) bool array
        The part of `mask` in which calcifications are looked for: without the strips along the
        image or film border and the skin line, without scan lines and scratches.
    pectoral : (rows, cols) bool array
        True on the pectoral muscle (a part of `mask`); all False on views that show none.
    skin_distance_mm : (grid rows, grid cols) float32 array
        Distance to the skin line (the border of the breast against air) in mm, on a coarse grid;
        0 outside the breast, 200 where the image shows no skin line (a crop of tissue). The chest
        wall, the image border and padding are no skin line.
    grid_step_px : (float, float)
        Pixels per grid step along rows and columns; grid point (i, j) lies at pixel
        ``((i + 0.5) * step_row - 0.5, (j + 0.5) * step_col - 0.5)``.
    """

    mask: npt.NDArray[np.bool_]
    searched: npt.NDArray[np.bool_]
    pectoral: npt.NDArray[np.bool_]
    skin_distance_mm: npt.NDArray[np.float32]
    grid_step_px: tuple[float, float]

    def skin_distance_at(
        self, row_px: npt.NDArray[np.float64], col_px: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Return the distance to the skin line in mm at pixel positions (nearest grid point)."""
        step_row, step_col = self.grid_step_px
        rows, cols = self.skin_distance_mm.shape
        i = np.clip(np.rint((row_px + 0.5) / step_row - 0.5).astype(np.intp), 0, rows - 1)
        j = np.clip(np.rint((col_px + 0.5) / step_col - 0.5).astype(np.intp), 0, cols - 1)
        return self.skin_distance_mm[i, j].astype(np.float64)
