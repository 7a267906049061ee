"""Columns of the tables of a comparison of two dates."""

from __future__ import annotations

from mcdetect.schema.column import Column

__all__ = ["CHANGES", "MEMBERS", "PAIRS"]


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

PAIRS: tuple[Column, ...] = (
    *_PAIR,
    Column("patient", "int64", "", "number of the patient within the run, from 1, 0 when unknown"),
    Column("laterality", "str", "", "L or R, empty when unknown"),
    Column("view", "str", "", "view, empty when unknown"),
    Column("days", "float64", "d", "from the prior to the current image, empty when a date is not known"),
    Column(
        "status",
        "str",
        "",
        "compared, 'not registered', failed, pending, 'no prior', or 'not compared' (a prior image)",
    ),
    Column("reason", "str", "", "why it failed, or has no partner"),
    Column("agreement", "float64", "0-1", "share of the blocks of texture that agree on one map"),
    Column("overlap", "float64", "0-1", "Dice coefficient of the mapped outlines"),
    Column("uncertainty_mm", "float64", "mm", "median standard error of mapped positions"),
    *(
        Column(
            f"n_{verdict}",
            "float64",
            "",
            f"groups flagged in either image that are {verdict}",
        )
        for verdict in ("new", "grown", "stable", "gone", "uncertain")
    ),
)
