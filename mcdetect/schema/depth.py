"""Columns that only a stack of tomosynthesis slices fills; empty for plain mammograms."""

from __future__ import annotations

from mcdetect.schema.column import Column

__all__ = ["GROUP_DEPTH", "POINT_DEPTH", "STACK"]

POINT_DEPTH: tuple[Column, ...] = (
    Column(
        "slice",
        "float64",
        "",
        "frame of the file, from 0, in which it is sharpest; empty for plain mammograms",
    ),
    Column(
        "depth_mm",
        "float64",
        "mm",
        "depth of that slice below the first, along the normal of the slices; empty for plain mammograms",
    ),
)

GROUP_DEPTH: tuple[Column, ...] = (
    Column(
        "slice", "float64", "", "frame, from 0, of the member of median depth; empty for plain mammograms"
    ),
    Column("depth_mm", "float64", "mm", "depth of that slice; empty for plain mammograms"),
    Column(
        "extent_depth_mm",
        "float64",
        "mm",
        "from the first to the last slice that holds a member; empty for plain mammograms",
    ),
)

STACK: tuple[Column, ...] = (
    Column("n_slices", "int64", "", "slices of a stack of tomosynthesis, 1 for plain mammograms"),
    Column("slice_spacing_mm", "float64", "mm", "distance between its slices; empty for plain mammograms"),
)
