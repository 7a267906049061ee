"""Columns of groups that are calcified arteries."""

from __future__ import annotations

from mcdetect.schema.column import Column
from mcdetect.schema.references import BIRADS

__all__ = ["VESSELS"]

VESSELS: tuple[Column, ...] = (
    Column(
        "vascular_length_mm",
        "float64",
        "mm",
        "length of the calcified artery that the group is, 0 for others",
        formula="length of the smooth middle line of its members, where these follow one vessel",
        source=BIRADS,
        from_image=True,
    ),
    Column(
        "vascular_area_mm2",
        "float64",
        "mm2",
        "area of calcification on that artery, 0 for others",
        formula="sum of area_mm2 of the members of a group whose vascular_length_mm is not 0",
    ),
)
