"""The nouns as tables with the columns of the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mcdetect.image.mammogram import Mammogram
from mcdetect.result.clusters import Clusters
from mcdetect.result.marks import Calcifications, Marks
from mcdetect.schema import CALCIFICATIONS, CANDIDATES, CLUSTERS, MEASURES, make_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["calcification_table", "candidate_table", "cluster_table"]


def candidate_table(
    mammogram: Mammogram,
    candidates: Marks,
    cluster_id: npt.NDArray[np.int64],
    where: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
) -> pd.DataFrame:
    """Return the table of candidates.

    Parameters
    ----------
    mammogram : Mammogram
        The image.
    candidates : Marks
        Everything that was considered, by falling score.
    cluster_id : (n,) int64 array
        Group of each, 0 for none.
    where : ((n,) float64 array, (n,) float64 array)
        Slice and depth in mm of each; NaN in a plain mammogram.
    """
    return make_table(
        CANDIDATES,
        {
            "file": mammogram.source,
            "candidate_id": np.arange(1, len(candidates) + 1),
            "row_px": candidates.row_px,
            "col_px": candidates.col_px,
            "slice": where[0],
            "depth_mm": where[1],
            "diameter_mm": candidates.scale_diameter_mm,
            "scale_mm": candidates.scale_mm,
            "snr": candidates.snr,
            "score": candidates.score,
            "own_score": candidates.own_score,
            "cluster_id": cluster_id,
        },
    )


def calcification_table(
    mammogram: Mammogram, calcifications: Calcifications, clusters: Clusters
) -> pd.DataFrame:
    """Return the table of calcifications, each with its measures and its group."""
    marks = calcifications.marks
    return make_table(
        CALCIFICATIONS,
        {
            **{measure.name: calcifications.measures[measure.name] for measure in MEASURES},
            "file": mammogram.source,
            "calcification_id": np.arange(1, len(marks) + 1),
            "row_px": marks.row_px,
            "col_px": marks.col_px,
            "slice": calcifications.slice,
            "depth_mm": calcifications.depth_mm,
            "score": marks.score,
            "own_score": marks.own_score,
            "cluster_id": clusters.groups.label,
            "kind": calcifications.kind,
            "scale_mm": marks.scale_mm,
            "nearest_mm": calcifications.nearest_mm,
            "skin_distance_mm": calcifications.skin_distance_mm,
            "in_pectoral": calcifications.in_pectoral,
            "vascular": clusters.vascular,
        },
    )


def cluster_table(mammogram: Mammogram, clusters: Clusters) -> pd.DataFrame:
    """Return the table of groups; positions in px of the image."""
    groups, spacing = clusters.groups, mammogram.spacing
    return make_table(
        CLUSTERS,
        {
            "file": mammogram.source,
            "cluster_id": np.arange(1, len(groups) + 1),
            "n_calcifications": groups.n_members,
            "max_in_window": groups.max_in_window,
            "flagged": groups.flagged,
            "row_px": groups.row_mm / spacing.row_mm,
            "col_px": groups.col_mm / spacing.col_mm,
            "min_row_px": groups.min_row_mm / spacing.row_mm,
            "min_col_px": groups.min_col_mm / spacing.col_mm,
            "max_row_px": groups.max_row_mm / spacing.row_mm,
            "max_col_px": groups.max_col_mm / spacing.col_mm,
            "score": clusters.score,
            **clusters.columns,
        },
    )
