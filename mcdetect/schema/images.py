"""Columns of the tables of images, examinations, failures and files passed over."""

from __future__ import annotations

from mcdetect.schema.column import FILE, Column
from mcdetect.schema.depth import STACK

__all__ = ["DICOM_COLUMNS", "FAILURES", "FINDINGS", "IMAGES", "SKIPPED", "STUDIES"]

IMAGES: tuple[Column, ...] = (
    FILE,
    Column("rows", "int64", "px", "rows of the image"),
    Column("cols", "int64", "px", "columns of the image"),
    Column("row_spacing_mm", "float64", "mm", "distance between rows"),
    Column("col_spacing_mm", "float64", "mm", "distance between columns"),
    Column("spacing_source", "str", "", "where the spacing came from"),
    *STACK,
    Column("view", "str", "", "view, empty when unknown"),
    Column("laterality", "str", "", "L or R, empty when unknown"),
    Column("intent", "str", "", "what the grey levels were made for"),
    Column(
        "polarity_source",
        "str",
        "",
        "why bright is taken as dense: header, 'header and skin line', 'skin line', "
        "'skin line against the header', assumed, or given with an array",
    ),
    Column("digital", "bool", "", "scored as of a digital detector: by its header, or else by its even air"),
    Column("breast_area_cm2", "float64", "cm2", "area of the breast"),
    Column("searched_area_cm2", "float64", "cm2", "area in which calcifications were looked for"),
    Column("pectoral_area_cm2", "float64", "cm2", "area of the pectoral muscle"),
    Column("implant_area_cm2", "float64", "cm2", "area of a breast implant, which is not searched"),
    Column("nipple_row_px", "float64", "px", "row of the nipple as estimated, empty when unknown"),
    Column("nipple_col_px", "float64", "px", "column of the nipple as estimated, empty when unknown"),
    Column("n_candidates", "int64", "", "candidates"),
    Column("n_calcifications", "int64", "", "calcifications"),
    Column("n_clusters", "int64", "", "groups, flagged or not"),
    Column("n_flagged", "int64", "", "flagged groups, as in the table of clusters"),
    Column("n_flagged_not_benign", "int64", "", "flagged groups of no typically benign kind"),
    Column("n_benign", "int64", "", "groups of a typically benign kind that reach the count, hidden or not"),
    Column("n_vessels", "int64", "", "calcified arteries"),
    Column("vascular_length_mm", "float64", "mm", "length of all calcified arteries"),
    Column("vascular_area_mm2", "float64", "mm2", "area of calcification on arteries"),
    Column(
        "scatter_distribution", "str", "", "distribution of ten or more calcifications outside flagged groups"
    ),
    Column("exposure_id", "int64", "", "number of the exposure in the run; copies of one share it; 0 alone"),
    Column("same_as", "str", "", "first image of the run with the same pixels, empty when there is none"),
    Column("flags", "str", "", "remarks of the loader, joined by '; '"),
    Column("seconds", "float64", "s", "time from pixels to result"),
)

DICOM_COLUMNS: tuple[Column, ...] = (
    Column("sop_instance_uid", "str", "", "SOP Instance UID"),
    Column("series_instance_uid", "str", "", "Series Instance UID"),
    Column("study_instance_uid", "str", "", "Study Instance UID"),
    Column("manufacturer", "str", "", "Manufacturer"),
    Column("model", "str", "", "Manufacturer's Model Name"),
    Column("kvp", "float64", "kV", "KVP"),
    Column("exposure_mas", "float64", "mAs", "Exposure, from uAs or tube current and time where it lacks"),
    Column("thickness_mm", "float64", "mm", "Body Part Thickness"),
)
"""Columns of images that are written on request only: they identify the examination."""

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
    Column(
        "seen_in",
        "str",
        "",
        "'both views', 'one of two views', 'magnification view only', or 'not compared': no second view",
    ),
    Column("flagged", "bool", "", "the group is flagged in one view at least"),
    Column("two_view_score", "float64", "0-1", "the higher score, raised when both views show the group"),
    FILE,
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
    Column("magnified_file", "str", "", "magnification or spot view that shows the group, empty for none"),
    Column("magnified_cluster_id", "int64", "", "the group there, 0 for none"),
    Column("magnified_view", "str", "", "view of that image"),
    Column("magnified_score", "float64", "0-1", "score there"),
    Column("magnified_n_calcifications", "int64", "", "calcifications there, 0 for none"),
    Column("magnified_morphology", "str", "", "BI-RADS word of their shapes there"),
    Column("magnified_mismatch", "float64", "SD", "deviation of the group there from that in the full view"),
)

FAILURES: tuple[Column, ...] = (
    FILE,
    Column("error", "str", "", "kind of error"),
    Column("cause", "str", "", "what is wrong"),
    Column("remedy", "str", "", "what to do about it"),
)

SKIPPED: tuple[Column, ...] = (
    FILE,
    Column("reason", "str", "", "why it was passed over"),
)
