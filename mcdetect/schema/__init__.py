"""The columns of every table, each declared once, under one version."""

from __future__ import annotations

from mcdetect.schema.calcifications import CALCIFICATIONS, CANDIDATES
from mcdetect.schema.changes import CHANGES, MEMBERS
from mcdetect.schema.clusters import CLUSTERS, MODEL_COLUMNS
from mcdetect.schema.column import Column, empty_table, make_table
from mcdetect.schema.images import FAILURES, FINDINGS, IMAGES, SKIPPED, STUDIES
from mcdetect.schema.measures import MEASURES, SHAPE_MEASURES, Measure

__all__ = [
    "CALCIFICATIONS",
    "CANDIDATES",
    "CHANGES",
    "CLUSTERS",
    "FAILURES",
    "FINDINGS",
    "IMAGES",
    "MEASURES",
    "MEMBERS",
    "MODEL_COLUMNS",
    "SCHEMA_VERSION",
    "SHAPE_MEASURES",
    "SKIPPED",
    "STUDIES",
    "Column",
    "Measure",
    "empty_table",
    "make_table",
]

SCHEMA_VERSION = "5.2"
