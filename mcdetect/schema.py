"""The columns of every table: name, dtype, unit and meaning, under one version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

__all__ = [
    "CALCIFICATIONS",
    "CANDIDATES",
    "CHANGES",
    "CLUSTERS",
    "FAILURES",
    "IMAGES",
    "MEMBERS",
    "SCHEMA_VERSION",
    "SHAPE_MEASURES",
    "Column",
    "empty_table",
    "make_table",
]

SCHEMA_VERSION = "1.0"


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    name: str
    dtype: str
    unit: str
    meaning: str


_FILE = Column("file", "str", "", "image, relative to the input it was found in")
_POSITION = (
    Column("row_px", "float64", "px", "row of the centre, 0 at the centre of the first row"),
    Column("col_px", "float64", "px", "column of the centre, 0 at the centre of the first column"),
)

CANDIDATES: tuple[Column, ...] = (
    _FILE,
    Column("candidate_id", "int64", "", "number within the image, from 1, by falling score"),
    *_POSITION,
    Column("diameter_mm", "float64", "mm", "diameter of the spot from its scale"),
    Column("scale_mm", "float64", "mm", "Gaussian scale of strongest response"),
    Column("snr", "float64", "SD", "strongest band-pass response over its local robust spread"),
    Column("score", "float64", "0-1", "how much it looks like a calcification; not a probability"),
    Column("cluster_id", "int64", "", "group it belongs to, 0 for none"),
)

SHAPE_MEASURES: tuple[str, ...] = (
    "area_mm2",
    "diameter_mm",
    "perimeter_mm",
    "circularity",
    "eccentricity",
    "solidity",
    "contrast",
    "snr",
)
"""Per-calcification measures whose spread within a group is a feature of the group."""

CALCIFICATIONS: tuple[Column, ...] = (
    _FILE,
    Column("calcification_id", "int64", "", "number within the image, from 1, by falling score"),
    *_POSITION,
    Column("diameter_mm", "float64", "mm", "diameter of the disc of equal area"),
    Column("snr", "float64", "SD", "strongest band-pass response over its local robust spread"),
    Column("score", "float64", "0-1", "how much it looks like a calcification; not a probability"),
    Column("cluster_id", "int64", "", "group it belongs to, 0 for none"),
    Column("area_mm2", "float64", "mm2", "area inside the outline"),
    Column("perimeter_mm", "float64", "mm", "length of the outline"),
    Column("circularity", "float64", "0-1", "4 pi area / perimeter^2, at most 1"),
    Column("eccentricity", "float64", "0-1", "of the ellipse of equal second moments"),
    Column("solidity", "float64", "0-1", "area over area of the convex hull"),
    Column("orientation_deg", "float64", "deg", "major axis against the rows, counter-clockwise, -90 to 90"),
    Column("contrast", "float64", "SD", "height over the local background, in units of pixel noise"),
    Column("scale_mm", "float64", "mm", "Gaussian scale of strongest response"),
    Column("skin_distance_mm", "float64", "mm", "distance to the skin line"),
    Column("in_pectoral", "bool", "", "lies on the pectoral muscle"),
)


def _spread_columns() -> tuple[Column, ...]:
    units = {column.name: column.unit for column in CALCIFICATIONS}
    columns: list[Column] = []
    for measure in SHAPE_MEASURES:
        unit = units[measure]
        columns += [
            Column(f"{measure}_mean", "float64", unit, f"mean {measure} of the members"),
            Column(f"{measure}_sd", "float64", unit, f"standard deviation of {measure} (n - 1)"),
            Column(f"{measure}_cv", "float64", "", f"coefficient of variation of {measure}"),
            Column(f"{measure}_iqr", "float64", unit, f"interquartile range of {measure}"),
        ]
    return tuple(columns)


CLUSTERS: tuple[Column, ...] = (
    _FILE,
    Column("cluster_id", "int64", "", "number within the image, from 1, by falling score"),
    Column("n_calcifications", "int64", "", "members"),
    Column("max_in_window", "int64", "", "most members in any disc of the area asked for"),
    Column("flagged", "bool", "", "max_in_window reaches the count asked for"),
    Column("row_px", "float64", "px", "row of the members' centroid"),
    Column("col_px", "float64", "px", "column of the members' centroid"),
    Column("min_row_px", "float64", "px", "first row of the members' bounding box"),
    Column("min_col_px", "float64", "px", "first column of the members' bounding box"),
    Column("max_row_px", "float64", "px", "last row of the members' bounding box"),
    Column("max_col_px", "float64", "px", "last column of the members' bounding box"),
    Column("score", "float64", "0-1", "how sure the detector is of the group; not a probability of disease"),
    Column("hull_area_mm2", "float64", "mm2", "area of the convex hull of the members' centres"),
    Column("density_per_cm2", "float64", "1/cm2", "members per cm2 of the hull grown by half a millimetre"),
    Column("hull_elongation", "float64", "", "long over short side of the hull's smallest rectangle"),
    Column("extent_mm", "float64", "mm", "largest distance between two members"),
    Column("nn_distance_mm_mean", "float64", "mm", "mean distance of a member to its nearest neighbour"),
    Column("nn_distance_mm_sd", "float64", "mm", "standard deviation of that distance"),
    Column("nn_distance_mm_cv", "float64", "", "coefficient of variation of that distance"),
    Column("nn_distance_mm_iqr", "float64", "mm", "interquartile range of that distance"),
    Column("nn_distance_mm_min", "float64", "mm", "smallest such distance"),
    Column("nn_distance_mm_max", "float64", "mm", "largest such distance"),
    Column("skin_distance_mm", "float64", "mm", "distance of the centroid to the skin line"),
    Column("in_pectoral", "bool", "", "most members lie on the pectoral muscle"),
    *_spread_columns(),
)

IMAGES: tuple[Column, ...] = (
    _FILE,
    Column("rows", "int64", "px", "rows of the image"),
    Column("cols", "int64", "px", "columns of the image"),
    Column("row_spacing_mm", "float64", "mm", "distance between rows"),
    Column("col_spacing_mm", "float64", "mm", "distance between columns"),
    Column("spacing_source", "str", "", "where the spacing came from"),
    Column("view", "str", "", "view, empty when unknown"),
    Column("laterality", "str", "", "L or R, empty when unknown"),
    Column("intent", "str", "", "what the grey levels were made for"),
    Column("breast_area_cm2", "float64", "cm2", "area of the breast"),
    Column("searched_area_cm2", "float64", "cm2", "area in which calcifications were looked for"),
    Column("pectoral_area_cm2", "float64", "cm2", "area of the pectoral muscle"),
    Column("n_candidates", "int64", "", "candidates"),
    Column("n_calcifications", "int64", "", "calcifications"),
    Column("n_clusters", "int64", "", "groups, flagged or not"),
    Column("n_flagged", "int64", "", "flagged groups"),
    Column("flags", "str", "", "remarks of the loader, joined by '; '"),
    Column("seconds", "float64", "s", "time from pixels to result"),
)

FAILURES: tuple[Column, ...] = (
    _FILE,
    Column("error", "str", "", "kind of error"),
    Column("cause", "str", "", "what is wrong"),
    Column("remedy", "str", "", "what to do about it"),
)


def _change_columns(name: str, unit: str, what: str) -> tuple[Column, ...]:
    return (
        Column(f"{name}_prior", "float64", unit, f"{what}, prior image"),
        Column(f"{name}_current", "float64", unit, f"{what}, current image"),
        Column(f"{name}_change", "float64", unit, f"{what}, current less prior"),
        Column(f"{name}_change_sd", "float64", unit, "standard deviation of that change without any growth"),
    )


_PAIR = (
    Column("prior_file", "str", "", "prior image, relative to the input it was found in"),
    Column("current_file", "str", "", "current image, relative to the input it was found in"),
)
_BOTH_PLACES = (
    Column("row_px", "float64", "px", "row in the current image; mapped there when only the prior shows it"),
    Column("col_px", "float64", "px", "column in the current image, likewise"),
    Column("prior_row_px", "float64", "px", "row in the prior image, likewise"),
    Column("prior_col_px", "float64", "px", "column in the prior image, likewise"),
)

CHANGES: tuple[Column, ...] = (
    *_PAIR,
    Column("change_id", "int64", "", "number within the pair, from 1; groups of the current image first"),
    Column("verdict", "str", "", "new, grown, stable, gone, or uncertain"),
    Column("note", "str", "", "why it is uncertain, or what limits the verdict"),
    Column("current_cluster_id", "int64", "", "group of the current image, 0 for none"),
    Column("prior_cluster_ids", "str", "", "groups of the prior image, joined by ';'"),
    Column("current_flagged", "bool", "", "the group of the current image is flagged"),
    Column("prior_flagged", "bool", "", "any of the groups of the prior image is flagged"),
    *_BOTH_PLACES,
    Column("n_matched", "int64", "", "members seen in both images, faint ones included"),
    Column("faint_prior", "int64", "", "members of the prior image that are below its threshold"),
    Column("faint_current", "int64", "", "members of the current image that are below its threshold"),
    Column("position_error_mm", "float64", "mm", "standard error of the mapped position along each axis"),
    *_change_columns("number", "", "members seen, faint ones included"),
    *_change_columns("hull_area_mm2", "mm2", "area of the convex hull of the members' centres"),
    *_change_columns("density_per_cm2", "1/cm2", "members per cm2 of the hull grown by half a millimetre"),
    *_change_columns("heterogeneity", "", "coefficient of variation of the members' areas"),
)

MEMBERS: tuple[Column, ...] = (
    *_PAIR,
    Column("change_id", "int64", "", "row of the table of changes it belongs to, 0 for none"),
    Column("verdict", "str", "", "new, grown, stable, gone, or uncertain"),
    Column("seen_prior", "str", "", "called, faint (a candidate below the threshold), or no"),
    Column("seen_current", "str", "", "called, faint (a candidate below the threshold), or no"),
    Column("prior_calcification_id", "int64", "", "calcification of the prior image, 0 for none"),
    Column("current_calcification_id", "int64", "", "calcification of the current image, 0 for none"),
    Column("prior_cluster_id", "int64", "", "its group in the prior image, 0 for none"),
    Column("current_cluster_id", "int64", "", "its group in the current image, 0 for none"),
    *_BOTH_PLACES,
    Column("distance_mm", "float64", "mm", "between the two after mapping and the group's own shift"),
    *_change_columns("diameter_mm", "mm", "diameter of the disc of equal area"),
)


def make_table(columns: tuple[Column, ...], data: Mapping[str, Any]) -> pd.DataFrame:
    """Build a DataFrame with exactly the columns and dtypes of a schema.

    Parameters
    ----------
    columns : tuple of Column
        The schema of the table.
    data : mapping of str to array-like
        One entry per column, all of one length; a scalar is repeated.
    """
    missing = [column.name for column in columns if column.name not in data]
    if missing:
        raise ValueError(f"no data for the columns {missing}")
    length = next((len(v) for v in data.values() if np.ndim(v) == 1), 1)
    series: dict[str, Any] = {}
    for column in columns:
        value = data[column.name]
        values = [value] * length if np.ndim(value) == 0 else value
        series[column.name] = pd.Series(values, dtype=column.dtype)
    return pd.DataFrame(series, columns=[column.name for column in columns])


def empty_table(columns: tuple[Column, ...]) -> pd.DataFrame:
    """Return a table without rows, with the columns and dtypes of a schema."""
    return make_table(columns, {column.name: [] for column in columns})
