"""Columns of the tables of candidates and calcifications."""

from __future__ import annotations

from mcdetect.schema.column import FILE, POSITION, Column
from mcdetect.schema.depth import POINT_DEPTH
from mcdetect.schema.measures import MEASURES
from mcdetect.schema.references import BIRADS, NEAREST, PART_ONLY

__all__ = ["CALCIFICATIONS", "CANDIDATES"]

_SCORES = (
    Column("score", "float64", "0-1", "how much it looks like one, neighbours counted; not a probability"),
    Column("own_score", "float64", "0-1", "the same by its looks alone"),
    Column("cluster_id", "int64", "", "group it belongs to, 0 for none"),
)
_MEASURES = {measure.name: measure.column for measure in MEASURES}

CANDIDATES: tuple[Column, ...] = (
    FILE,
    Column("candidate_id", "int64", "", "number within the image, from 1, by falling score"),
    *POSITION,
    *POINT_DEPTH,
    Column("diameter_mm", "float64", "mm", "diameter of the spot from its scale"),
    Column("scale_mm", "float64", "mm", "Gaussian scale of strongest response"),
    Column("snr", "float64", "SD", "strongest band-pass response over its local robust spread"),
    *_SCORES,
)

CALCIFICATIONS: tuple[Column, ...] = (
    FILE,
    Column("calcification_id", "int64", "", "number within the image, from 1, by falling score"),
    *POSITION,
    *POINT_DEPTH,
    _MEASURES["diameter_mm"],
    _MEASURES["snr"],
    *_SCORES,
    *(column for name, column in _MEASURES.items() if name not in ("diameter_mm", "snr")),
    Column(
        "kind",
        "str",
        "",
        "what a large body looks like: rim, rod, coarse (popcorn and dystrophic too) or object (a clip); "
        "skin within 1.5 mm of the skin line; empty for other specks",
    ),
    Column(
        "nearest_mm",
        "float64",
        "mm",
        "distance to the nearest other calcification",
        formula="distance to the nearest other calcification",
        source=NEAREST,
        missing="it is the only one",
    ),
    Column(
        "scale_mm",
        "float64",
        "mm",
        "Gaussian scale of strongest response",
        formula="Gaussian scale of the strongest band-pass response",
        from_image=True,
    ),
    Column(
        "skin_distance_mm",
        "float64",
        "mm",
        "distance to the skin line",
        formula="distance to the skin line; 200 where the image shows none",
        missing=PART_ONLY,
        from_image=True,
    ),
    Column(
        "in_pectoral",
        "bool",
        "",
        "lies on the pectoral muscle",
        formula="its centre lies on the pectoral muscle",
        high=1.0,
        from_image=True,
    ),
    Column(
        "vascular",
        "float64",
        "0-1",
        "how far it is taken to lie on a calcified artery",
        formula=(
            "logistic of the log-odds that the smooth curve it follows is an artery: length, few beside, "
            "members that point along it, a line through them, two tracks, other such curves; 1 on an artery "
            "that is a group of its own"
        ),
        high=1.0,
        source=BIRADS,
        from_image=True,
    ),
)
