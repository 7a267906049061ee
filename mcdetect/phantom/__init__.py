"""Mammograms whose truth is known: drawn from scratch, or calcifications drawn into real backgrounds."""

from __future__ import annotations

from mcdetect.phantom.calcifications import CalcificationStamp, SystemBlur, draw_calcification
from mcdetect.phantom.groups import (
    GroupKind,
    group_positions_mm,
    max_points_in_disc,
    scattered_positions_mm,
)
from mcdetect.phantom.insertion import (
    CalcificationSpec,
    bandpass,
    insert_calcifications,
    random_specs,
)

__all__ = [
    "CalcificationSpec",
    "CalcificationStamp",
    "GroupKind",
    "SystemBlur",
    "bandpass",
    "draw_calcification",
    "group_positions_mm",
    "insert_calcifications",
    "max_points_in_disc",
    "random_specs",
    "scattered_positions_mm",
]
