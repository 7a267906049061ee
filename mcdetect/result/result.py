"""What `detect` returns: tables at the edge, arrays behind them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mcdetect.config import Config
from mcdetect.image.mammogram import Mammogram
from mcdetect.image.slab import Slab
from mcdetect.image.volume import Volume

if TYPE_CHECKING:
    import pandas as pd

    from mcdetect.breast import BreastRegion

__all__ = ["Result"]


@dataclass(frozen=True)
class Stack:
    """The slices of a stack.

    Parameters
    ----------
    n_slices : int
    slice_spacing_mm : float
    """

    n_slices: int
    slice_spacing_mm: float

    @classmethod
    def of(cls, volume: Volume) -> Stack:
        """Describe a volume."""
        return cls(len(volume), volume.slice_spacing_mm)


@dataclass(frozen=True)
class Result:
    """Everything found in one mammogram.

    Parameters
    ----------
    mammogram : Mammogram
        The image that was searched.
    breast : BreastRegion
        Where it was searched.
    candidates, calcifications, clusters : DataFrame
        Tables with the columns of `mcdetect.schema` (`CANDIDATES`, `CALCIFICATIONS`, `CLUSTERS`);
        empty tables have the same columns.
    config : Config
        The options used.
    scatter_distribution : str
        BI-RADS word for the calcifications outside flagged groups and arteries; empty below ten of them.
    seconds : dict of str to float
        Wall time of each stage, in s; "total" from pixels to result.
    slabs : dict of int to Slab
        For tomosynthesis: the slices of the first flagged groups, by their `cluster_id`. `mammogram` is then
        the brightest value of all slices.
    stack : Stack, optional
        For tomosynthesis: its slices.
    """

    mammogram: Mammogram
    breast: BreastRegion
    candidates: pd.DataFrame
    calcifications: pd.DataFrame
    clusters: pd.DataFrame
    config: Config
    scatter_distribution: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    slabs: dict[int, Slab] = field(default_factory=dict, repr=False)
    stack: Stack | None = None

    @property
    def flagged(self) -> pd.DataFrame:
        """The flagged clusters only."""
        return self.clusters[self.clusters["flagged"]]

    def summary(self) -> pd.DataFrame:
        """Return one row with the columns of `mcdetect.schema.IMAGES`."""
        from mcdetect.breast.air import is_digital
        from mcdetect.schema import IMAGES, make_table

        image, spacing = self.mammogram, self.mammogram.spacing
        clusters = self.clusters
        benign = clusters["benign_kind"] != ""
        enough = clusters["max_in_window"] >= self.config.groups.min_count
        pixel_cm2 = spacing.row_mm * spacing.col_mm / 100.0
        nipple_px = self.breast.nipple_px or (math.nan, math.nan)
        return make_table(
            IMAGES,
            {
                "file": [image.source],
                "rows": image.shape[0],
                "cols": image.shape[1],
                "row_spacing_mm": spacing.row_mm,
                "col_spacing_mm": spacing.col_mm,
                "spacing_source": spacing.source,
                "n_slices": 1 if self.stack is None else self.stack.n_slices,
                "slice_spacing_mm": math.nan if self.stack is None else self.stack.slice_spacing_mm,
                "view": image.view or "",
                "laterality": image.laterality or "",
                "intent": str(image.intent),
                "polarity_source": str(image.polarity_source),
                "digital": is_digital(image.intent, self.breast.air_unevenness),
                "breast_area_cm2": float(np.count_nonzero(self.breast.mask)) * pixel_cm2,
                "searched_area_cm2": float(np.count_nonzero(self.breast.searched)) * pixel_cm2,
                "pectoral_area_cm2": math.nan
                if self.breast.is_part
                else float(np.count_nonzero(self.breast.pectoral)) * pixel_cm2,
                "implant_area_cm2": self.breast.implant_mm2 / 100.0,
                "nipple_row_px": nipple_px[0],
                "nipple_col_px": nipple_px[1],
                "n_candidates": len(self.candidates),
                "n_calcifications": len(self.calcifications),
                "n_clusters": len(clusters),
                "n_flagged": len(self.flagged),
                "n_flagged_not_benign": int((clusters["flagged"] & ~benign).sum()),
                "n_benign": int((enough & benign).sum()),
                "n_vessels": int((clusters["vascular_length_mm"] > 0).sum()),
                "vascular_length_mm": float(clusters["vascular_length_mm"].sum()),
                "vascular_area_mm2": float(clusters["vascular_area_mm2"].sum()),
                "scatter_distribution": self.scatter_distribution,
                "exposure_id": 0,
                "same_as": "",
                "flags": "; ".join((*image.flags, *self.breast.remarks())),
                "seconds": self.seconds.get("total", float("nan")),
            },
        )

    def overlay(self, *, width_px: int = 1600) -> npt.NDArray[np.uint8]:
        """Draw the mammogram with flagged clusters outlined and calcifications circled.

        Returns
        -------
        (rows, cols, 3) uint8 array
            RGB picture; clusters are also shown magnified, without marks beside with marks.
        """
        from mcdetect.pictures.overlay import draw_overlay

        picture: npt.NDArray[np.uint8] = draw_overlay(
            self.mammogram, self.calcifications, self.clusters, slabs=self.slabs, width_px=width_px
        )
        return picture
