"""Columns of the tables of a stereotactic pair."""

from __future__ import annotations

from mcdetect.schema.column import Column

__all__ = ["STEREO_GROUPS", "STEREO_MARKS"]

_HEIGHTS = (
    Column("height_mm", "float64", "mm", "height over the detector, empty without a partner"),
    Column("height_sd_mm", "float64", "mm", "its standard error, by places and geometry"),
    Column("above_support_mm", "float64", "mm", "height over the breast support, empty when unknown"),
    Column("below_paddle_mm", "float64", "mm", "depth below the paddle, empty without support and thickness"),
)

STEREO_GROUPS: tuple[Column, ...] = (
    Column("file", "str", "", "first image"),
    Column("cluster_id", "int64", "", "group in it"),
    Column("flagged", "bool", "", "it is flagged there"),
    Column("other_file", "str", "", "second image"),
    Column("other_cluster_id", "int64", "", "group there that holds most partners, 0 for none"),
    Column("n_calcifications", "int64", "", "calcifications of the group in the first image"),
    Column("n_matched", "int64", "", "of these, with a partner in the second"),
    Column("row_px", "float64", "px", "row of the centroid in the first image"),
    Column("col_px", "float64", "px", "column of the centroid in the first image"),
    *_HEIGHTS,
    Column("extent_depth_mm", "float64", "mm", "height of the highest matched member less the lowest"),
    Column("shift_mm", "float64", "mm", "median shift between the images, at the detector"),
)

STEREO_MARKS: tuple[Column, ...] = (
    Column("file", "str", "", "first image"),
    Column("calcification_id", "int64", "", "calcification in it"),
    Column("cluster_id", "int64", "", "its group there, 0 for none"),
    Column("other_file", "str", "", "second image"),
    Column("other_calcification_id", "int64", "", "its partner there, 0 for none"),
    Column("row_px", "float64", "px", "row in the first image"),
    Column("col_px", "float64", "px", "column in the first image"),
    Column("other_row_px", "float64", "px", "row in the second image, empty without a partner"),
    Column("other_col_px", "float64", "px", "column in the second image, likewise"),
    *_HEIGHTS,
)
