"""The columns of every table, each declared once, under one version."""

from __future__ import annotations

from mcdetect.schema.calcifications import CALCIFICATIONS, CANDIDATES
from mcdetect.schema.changes import CHANGES, MEMBERS, PAIRS
from mcdetect.schema.clusters import CLUSTERS, MODEL_COLUMNS
from mcdetect.schema.column import Column, empty_table, make_table
from mcdetect.schema.images import DICOM_COLUMNS, FAILURES, FINDINGS, IMAGES, SKIPPED, STUDIES
from mcdetect.schema.inspection import INSPECTION
from mcdetect.schema.measures import MEASURES, SHAPE_MEASURES, Measure
from mcdetect.schema.stereo import STEREO_GROUPS, STEREO_MARKS

__all__ = [
    "CALCIFICATIONS",
    "CANDIDATES",
    "CHANGES",
    "CLUSTERS",
    "DICOM_COLUMNS",
    "FAILURES",
    "FINDINGS",
    "IMAGES",
    "INSPECTION",
    "MEASURES",
    "MEMBERS",
    "MODEL_COLUMNS",
    "PAIRS",
    "SCHEMA_VERSION",
    "SHAPE_MEASURES",
    "SKIPPED",
    "STEREO_GROUPS",
    "STEREO_MARKS",
    "STUDIES",
    "Column",
    "Measure",
    "empty_table",
    "make_table",
]

SCHEMA_VERSION = "5.3"
