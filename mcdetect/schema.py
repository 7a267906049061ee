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

SCHEMA_VERSION = "2.0"


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
    "major_axis_mm",
    "minor_axis_mm",
    "circularity",
    "compactness",
    "eccentricity",
    "solidity",
    "roughness",
    "moment_irregularity",
    "contrast",
    "integrated_contrast_mm2",
    "edge_sharpness_per_mm",
    "rim_ratio",
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
    Column("major_axis_mm", "float64", "mm", "long axis of the ellipse of equal second moments"),
    Column("minor_axis_mm", "float64", "mm", "short axis of that ellipse"),
    Column("circularity", "float64", "0-1", "4 pi area / perimeter^2, at most 1"),
    Column("compactness", "float64", "0-1", "1 - circularity; 0 for a disc"),
    Column("eccentricity", "float64", "0-1", "of the ellipse of equal second moments"),
    Column("solidity", "float64", "0-1", "area over area of the convex hull"),
    Column("roughness", "float64", "0-1", "Fourier descriptor factor of the outline, 0 when smooth"),
    Column("moment_irregularity", "float64", "", "moment factor of the outline's distance from its centroid"),
    Column("orientation_deg", "float64", "deg", "major axis against the rows, counter-clockwise, -90 to 90"),
    Column("contrast", "float64", "SD", "height over the local background, in units of pixel noise"),
    Column("integrated_contrast_mm2", "float64", "SD mm2", "contrast summed over its area; effective volume"),
    Column("edge_sharpness_per_mm", "float64", "1/mm", "relative slope of the image across the outline"),
    Column("rim_ratio", "float64", "", "height of the rim over that of the centre; over 1 when lucent"),
    Column("nearest_mm", "float64", "mm", "distance to the nearest other calcification"),
    Column("scale_mm", "float64", "mm", "Gaussian scale of strongest response"),
    Column("skin_distance_mm", "float64", "mm", "distance to the skin line"),
    Column("in_pectoral", "bool", "", "lies on the pectoral muscle"),
    Column("vascular", "float64", "0-1", "how far it is taken to lie on a calcified artery"),
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
            Column(f"{measure}_range", "float64", unit, f"largest less smallest {measure}"),
            Column(f"{measure}_entropy", "float64", "bit", f"Shannon entropy of {measure} in fixed bins"),
            Column(f"{measure}_worst", "float64", unit, f"{measure} of the member that stands out most"),
            Column(f"{measure}_second_worst", "float64", unit, f"{measure} of the second such member"),
        ]
    return tuple(columns)


def _topology_columns() -> tuple[Column, ...]:
    columns: list[Column] = []
    for suffix, dilation in (("500um", "0.5 mm"), ("1000um", "1 mm"), ("2000um", "2 mm")):
        columns += [
            Column(
                f"topo_parts_{suffix}", "float64", "", f"connected parts of the members dilated by {dilation}"
            ),
            Column(
                f"topo_giant_{suffix}",
                "float64",
                "0-1",
                f"share of members in the largest part at {dilation}",
            ),
            Column(
                f"topo_degree_{suffix}", "float64", "", f"members that a member touches, mean, at {dilation}"
            ),
            Column(
                f"topo_clustering_{suffix}", "float64", "0-1", f"mean clustering coefficient at {dilation}"
            ),
        ]
    return (
        *columns,
        Column("topo_giant_mean", "float64", "0-1", "mean of topo_giant over dilations of 0.1 to 3 mm"),
        Column("topo_degree_mean", "float64", "", "mean of topo_degree over dilations of 0.1 to 3 mm"),
        Column("topo_clustering_mean", "float64", "0-1", "mean of topo_clustering over 0.1 to 3 mm"),
        Column("topo_betti0_mean", "float64", "0-1", "mean of parts per member over 0.1 to 3 mm"),
        Column("topo_betti0_half_mm", "float64", "mm", "dilation that leaves half as many parts as members"),
        Column("topo_joined_mm", "float64", "mm", "dilation that joins all members"),
        Column(
            "topo_betti0_entropy", "float64", "bit", "persistent entropy of the dilations that join parts"
        ),
    )


def _descriptor_columns() -> tuple[Column, ...]:
    def share(name: str, meaning: str) -> Column:
        return Column(name, "float64", "0-1", meaning)

    words = {
        "diffuse": "through the breast",
        "regional": "over more than 2 cm, in no duct's shape",
        "grouped": "within about 2 cm",
        "linear": "along a line",
        "segmental": "in a wedge, as a lobe's ducts",
    }
    forms = {
        "punctate": "round and alike, punctate below 0.5 mm",
        "coarse": "above 1 mm, popcorn-like too",
        "rod": "large rod-like",
        "vascular": "along an artery",
        "amorphous": "too small, faint or hazy to have a form",
        "coarse_heterogeneous": "0.5 to 1 mm, irregular or varied",
        "fine_pleomorphic": "below 0.5 mm, irregular or varied",
        "fine_linear": "thin and long or branching, below 0.5 mm wide",
        "unknown": "not measured, or not carried by the pixel size",
    }
    benign = {
        "vascular": "calcified artery",
        "skin": "at the skin line",
        "rod": "large rod-like",
        "coarse": "coarse or popcorn-like",
        "rim": "lucent centre, of about 1 mm and more",
    }
    reasons = {
        "distribution": "its distribution",
        "morphology": "its morphology",
        "heterogeneity": "how much its members vary",
        "density": "its density",
        "benign": "a typically benign kind (lowers it)",
        "casting": "the casting type",
    }
    return (
        Column("distribution", "str", "", "BI-RADS word of largest membership"),
        *(share(f"distribution_{name}", f"membership: {text}") for name, text in words.items()),
        Column("distribution_aspect", "float64", "", "length over width about a smooth curve"),
        Column(
            "distribution_wedge_ratio", "float64", "", "smallest ellipse over smallest triangle around it"
        ),
        Column("distribution_breast_share", "float64", "", "area of its hull over that of the breast"),
        Column("morphology", "str", "", "BI-RADS word of largest membership"),
        *(share(f"morphology_{name}", f"share of members: {text}") for name, text in forms.items()),
        share("heterogeneity", "how much the members vary in size, shape and contrast"),
        Column("size_spread", "float64", "", "standard deviation of the logarithm of diameter"),
        Column("aspect_spread", "float64", "", "standard deviation of the logarithm of length over width"),
        Column("contrast_spread", "float64", "", "standard deviation of the logarithm of contrast"),
        Column("benign_kind", "str", "", "typically benign kind, empty for none"),
        *(share(f"benign_{name}", f"membership: {text}") for name, text in benign.items()),
        share("casting_type", "fine linear members in a line or segment"),
        Column("region_id", "int64", "", "region of flagged groups at most 20 mm apart, from 1"),
        Column("n_foci", "int64", "", "groups in that region"),
        Column("region_extent_mm", "float64", "mm", "largest distance within that region"),
        Column("region_area_mm2", "float64", "mm2", "area of its hull grown by half a millimetre"),
        Column(
            "region_nipple_distance_mm", "float64", "mm", "smallest distance of that region to the nipple"
        ),
        Column(
            "region_skin_distance_mm", "float64", "mm", "smallest distance of that region to the skin line"
        ),
        Column(
            "region_chest_distance_mm", "float64", "mm", "smallest distance of that region to the chest wall"
        ),
        Column(
            "suspicion", "float64", "0-100", "suspicion index: how suspicious it looks; not a probability"
        ),
        *(
            Column(f"suspicion_{name}", "float64", "log-odds", f"what the index owes to {text}")
            for name, text in reasons.items()
        ),
    )


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
    Column("hull_perimeter_mm", "float64", "mm", "length of the outline of that hull"),
    Column("hull_circularity", "float64", "0-1", "4 pi area / perimeter^2 of that hull"),
    Column("concave_area_mm2", "float64", "mm2", "area that the members cover without the bays between them"),
    Column("axis_deg", "float64", "deg", "principal axis against the rows, counter-clockwise, -90 to 90"),
    Column("axis_to_nipple_deg", "float64", "deg", "angle of that axis to the line from centroid to nipple"),
    Column("line_residual_mm", "float64", "mm", "rms distance of the members to the best straight line"),
    Column("curve_residual_mm", "float64", "mm", "rms distance of the members to the best parabola"),
    Column("mst_total_mm", "float64", "mm", "length of the minimum spanning tree"),
    Column("mst_mean_mm", "float64", "mm", "mean edge of the minimum spanning tree"),
    Column("mst_sd_mm", "float64", "mm", "standard deviation of those edges"),
    Column("mst_max_mm", "float64", "mm", "longest edge of the minimum spanning tree"),
    *_topology_columns(),
    Column("rod_fraction", "float64", "0-1", "share of members at least twice as long as wide"),
    Column("round_fraction", "float64", "0-1", "share of members that are round"),
    Column("punctate_fraction", "float64", "0-1", "share of members that are round and below 0.5 mm"),
    Column("nipple_distance_mm", "float64", "mm", "distance of the centroid to the estimated nipple"),
    Column("chest_distance_mm", "float64", "mm", "distance of the centroid to muscle or chest-wall edge"),
    Column("depth_fraction", "float64", "0-1", "depth of the centroid: 0 at the skin, 1 at the chest wall"),
    Column(
        "tissue_density", "float64", "0-1", "share of the breast with darker tissue than around the centroid"
    ),
    *_spread_columns(),
    *_descriptor_columns(),
)

MODEL_COLUMNS: tuple[Column, ...] = (
    Column(
        "model_score", "float64", "0-1", "how suspicious the user's model finds the group; not a probability"
    ),
    Column("probability", "float64", "0-1", "calibrated probability by the user's model"),
)
"""Columns that a model of the user adds to the clusters; the second only when it is calibrated."""

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
    Column(
        "scatter_distribution", "str", "", "distribution of ten or more calcifications outside flagged groups"
    ),
    Column("flags", "str", "", "remarks of the loader, joined by '; '"),
    Column("seconds", "float64", "s", "time from pixels to result"),
)

STUDIES: tuple[Column, ...] = (
    Column("study", "int64", "", "number of the examination within the run, from 1; no pseudonym"),
    Column("n_images", "int64", "", "images"),
    Column("views", "str", "", "their sides and views, joined by ', '"),
    Column("missing_views", "str", "", "views that a breast lacks of CC and MLO"),
    Column("n_clusters", "int64", "", "groups in all images, flagged or not"),
    Column("n_flagged", "int64", "", "flagged groups in all images"),
    Column("n_findings", "int64", "", "findings with a flagged group; one seen in both views counts once"),
    Column("n_both_views", "int64", "", "of these, seen in both views of the breast"),
    Column("n_one_view", "int64", "", "of these, seen in one view though there are both"),
    Column("n_not_compared", "int64", "", "of these, in images that have no second view"),
    Column("best_score", "float64", "0-1", "highest two_view_score of these; not a probability of disease"),
    Column("best_laterality", "str", "", "the breast it is in"),
    Column("best_finding_id", "int64", "", "its number in the table of findings, 0 for none"),
    Column("files", "str", "", "the images, joined by '; '"),
)

FINDINGS: tuple[Column, ...] = (
    Column("study", "int64", "", "number of the examination within the run"),
    Column("finding_id", "int64", "", "number within the examination, from 1, by falling two_view_score"),
    Column("laterality", "str", "", "L or R, empty when unknown"),
    Column("seen_in", "str", "", "'both views', 'one of two views', or 'not compared' without a second view"),
    Column("flagged", "bool", "", "the group is flagged in one view at least"),
    Column("two_view_score", "float64", "0-1", "the higher score, raised when both views show the group"),
    _FILE,
    Column("cluster_id", "int64", "", "its group in that image, the one of higher score"),
    Column("view", "str", "", "view of that image"),
    Column("score", "float64", "0-1", "score there"),
    Column("nipple_distance_mm", "float64", "mm", "distance to the nipple there"),
    Column("other_file", "str", "", "the other view, empty when it shows no such group"),
    Column("other_cluster_id", "int64", "", "the group there, 0 for none"),
    Column("other_view", "str", "", "view of that image"),
    Column("other_score", "float64", "0-1", "score there"),
    Column("other_nipple_distance_mm", "float64", "mm", "distance to the nipple there"),
    Column("distance_difference_mm", "float64", "mm", "difference of the two distances to the nipple"),
    Column("mismatch", "float64", "SD", "root mean square deviation of the two groups from each other"),
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
    *_change_columns("area_mm2_cv", "", "coefficient of variation of the members' areas"),
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
    return pd.DataFrame({column.name: _values(column, data[column.name], length) for column in columns})


def _values(column: Column, value: Any, length: int) -> Any:
    """Return a column's values; arrays of its own type go as they are, since tables have hundreds of columns."""
    values = [value] * length if np.ndim(value) == 0 else value
    if column.dtype != "str":
        array = np.asarray(values)
        if array.size == 0 or array.dtype == column.dtype:
            return array.astype(column.dtype)
    return pd.Series(values, dtype=column.dtype)


def empty_table(columns: tuple[Column, ...]) -> pd.DataFrame:
    """Return a table without rows, with the columns and dtypes of a schema."""
    return make_table(columns, {column.name: [] for column in columns})
