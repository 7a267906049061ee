"""The columns of every table: name, dtype, unit and meaning, under one version."""

from __future__ import annotations

from mcdetect.schema.changes import CHANGES, MEMBERS
from mcdetect.schema.column import Column, empty_table, make_table
from mcdetect.schema.detections import (
    CALCIFICATIONS,
    CANDIDATES,
    CLUSTERS,
    MODEL_COLUMNS,
    SHAPE_MEASURES,
)
from mcdetect.schema.images import FAILURES, FINDINGS, IMAGES, STUDIES

__all__ = [
    "CALCIFICATIONS",
    "CANDIDATES",
    "CHANGES",
    "CLUSTERS",
    "FAILURES",
    "FINDINGS",
    "IMAGES",
    "MEMBERS",
    "MODEL_COLUMNS",
    "SCHEMA_VERSION",
    "SHAPE_MEASURES",
    "STUDIES",
    "Column",
    "empty_table",
    "make_table",
]

SCHEMA_VERSION = "3.0"
