"""Columns of a group's words: BI-RADS memberships, benign kinds, its region, and the suspicion index."""

from __future__ import annotations

from mcdetect.schema.column import Column
from mcdetect.schema.references import BIRADS, FEW, NO_NIPPLE, NO_WALL

__all__ = ["WORDS"]

_WHOLE = "of the group with the groups that continue it"
_LEFT_OUT = "the farthest member of each six left out"


def _grade(name: str, meaning: str, formula: str) -> Column:
    """Return the column of a graded membership, 0 to 1."""
    return Column(name, "float64", "0-1", meaning, formula=formula, high=1.0, source=BIRADS)


def _reason(name: str, meaning: str) -> Column:
    """Return the column of what one reason adds to the suspicion index."""
    return Column(f"suspicion_{name}", "float64", "log-odds", f"what the index owes to {meaning}")


WORDS: tuple[Column, ...] = (
    Column("distribution", "str", "", "BI-RADS word of largest membership"),
    _grade(
        "distribution_diffuse",
        "membership: through the breast",
        "share of what is no line, wedge or tight group, times the step of distribution_breast_share "
        f"from 0.3 to 0.6; {_WHOLE}",
    ),
    _grade(
        "distribution_regional",
        "membership: over more than 2 cm, in no duct's shape",
        f"1 less the other four memberships; {_WHOLE}",
    ),
    _grade(
        "distribution_grouped",
        "membership: within about 2 cm",
        f"(1 - linear - segmental) x falling step of the extent from 16 to 24 mm; {_WHOLE}",
    ),
    _grade(
        "distribution_linear",
        "membership: along a line",
        "step of the logarithm of distribution_aspect from 2 to 2.9 x falling step of the widest gap "
        f"from 0.35 to 0.6 of the extent; {_WHOLE}",
    ),
    _grade(
        "distribution_segmental",
        "membership: in a wedge, as a lobe's ducts",
        "(1 - linear) x (1 - step of distribution_breast_share) x logistic of the log-odds of a "
        f"triangle against an ellipse, of its size, and of its aim at the nipple; {_WHOLE}",
    ),
    Column(
        "distribution_aspect",
        "float64",
        "",
        "length over width about a smooth curve",
        formula=f"extent / four standard deviations about the best parabola; 2 below four members; {_WHOLE}",
    ),
    Column(
        "distribution_wedge_ratio",
        "float64",
        "",
        "smallest ellipse over smallest triangle around it",
        formula=f"area of the smallest ellipse / area of the smallest triangle around the members; {_WHOLE}",
        source="doi:10.1016/j.dam.2007.02.013",
        missing="fewer than four members, or all on one line",
    ),
    Column(
        "distribution_breast_share",
        "float64",
        "",
        "area of its hull over that of the breast",
        formula=f"area of the hull grown by 0.5 mm / area of the breast; {_WHOLE}",
        missing="no breast was found",
    ),
    Column("morphology", "str", "", "BI-RADS word of largest membership"),
    _grade(
        "morphology_punctate",
        "share of members: round and alike, punctate below 0.5 mm",
        "mean membership of the members: neither long, large, hazy nor irregular",
    ),
    _grade(
        "morphology_coarse",
        "share of members: above 1 mm, popcorn-like too",
        "mean membership of the members: not long, above 1 mm (0.8 to 1.2 fade over)",
    ),
    _grade(
        "morphology_rod",
        "share of members: large rod-like",
        "mean membership of the members: twice as long as wide (faded), wider than 0.5 mm (0.42 to 0.58)",
    ),
    _grade(
        "morphology_vascular",
        "share of members: along an artery",
        "mean membership of the members: mean of the members' grade vascular",
    ),
    _grade(
        "morphology_amorphous",
        "share of members: too small, faint or hazy to have a form",
        "mean membership of the members: below 0.5 mm, and SNR under 4 to 7 or edge under 1 to 3 per mm",
    ),
    _grade(
        "morphology_coarse_heterogeneous",
        "share of members: 0.5 to 1 mm, irregular or varied",
        "mean membership of the members: 0.5 to 1 mm, and irregular (circularity, aspect) or varied "
        "(heterogeneity)",
    ),
    _grade(
        "morphology_fine_pleomorphic",
        "share of members: below 0.5 mm, irregular or varied",
        "mean membership of the members: below 0.5 mm, and irregular or varied, neither hazy nor long",
    ),
    _grade(
        "morphology_fine_linear",
        "share of members: thin and long or branching, below 0.5 mm wide",
        "mean membership of the members: twice as long as wide (faded), below 0.5 mm wide",
    ),
    _grade(
        "morphology_unknown",
        "share of members: not measured, or not carried by the pixel size",
        "mean membership of the members: not measured, or fine on pixels of 0.105 to 0.145 mm and "
        "more, or coarse on 0.21 to 0.30",
    ),
    Column(
        "heterogeneity",
        "float64",
        "0-1",
        "how much the members vary in size, shape and contrast",
        formula="step of (2 size_spread + 2 aspect_spread + contrast_spread) / 5 from 0.09 to 0.2",
        high=1.0,
        missing=FEW,
    ),
    Column(
        "size_spread",
        "float64",
        "",
        "standard deviation of the logarithm of diameter",
        formula=f"standard deviation (n - 1) of ln(diameter_mm), {_LEFT_OUT}",
        missing=FEW,
    ),
    Column(
        "aspect_spread",
        "float64",
        "",
        "standard deviation of the logarithm of length over width",
        formula=f"standard deviation (n - 1) of ln(major_axis_mm / minor_axis_mm), {_LEFT_OUT}",
        missing=FEW,
    ),
    Column(
        "contrast_spread",
        "float64",
        "",
        "standard deviation of the logarithm of contrast",
        formula=f"standard deviation (n - 1) of ln(contrast), {_LEFT_OUT}",
        missing=FEW,
    ),
    Column("benign_kind", "str", "", "typically benign kind, empty for none"),
    _grade(
        "benign_vascular", "membership: calcified artery", "step from 0.25 to 0.65 of morphology_vascular"
    ),
    _grade(
        "benign_skin",
        "membership: at the skin line",
        "step from 0.25 to 0.65 of share of members within 3 to 5 mm of the skin line",
    ),
    _grade("benign_rod", "membership: large rod-like", "step from 0.25 to 0.65 of morphology_rod"),
    _grade(
        "benign_coarse", "membership: coarse or popcorn-like", "step from 0.25 to 0.65 of morphology_coarse"
    ),
    _grade(
        "benign_rim",
        "membership: lucent centre, of about 1 mm and more",
        "step from 0.25 to 0.65 of share of members with rim_ratio above 1.02 to 1.2 and a diameter "
        "above 0.6 to 1 mm",
    ),
    _grade(
        "benign_share",
        "share of members: of any typically benign kind",
        "mean membership of the members: vascular, at the skin line, rod, and the larger of coarse and rim; "
        "at most 1",
    ),
    Column(
        "suspicious_in_window",
        "float64",
        "",
        "members of no typically benign kind in one disc of 1 cm2",
        formula="max_in_window x (1 - benign_share)",
    ),
    Column(
        "casting_type",
        "float64",
        "0-1",
        "fine linear members in a line or segment",
        formula=(
            "step of morphology_fine_linear from 0.2 to 0.5 x (distribution_linear + "
            "distribution_segmental) x (1 - morphology_vascular)"
        ),
        high=1.0,
    ),
    Column("region_id", "int64", "", "region of flagged groups at most 20 mm apart, from 1"),
    Column(
        "n_foci",
        "int64",
        "",
        "groups in that region",
        formula="flagged groups at most 20 mm apart, this one included",
        low=1.0,
        source=BIRADS,
    ),
    Column(
        "region_extent_mm",
        "float64",
        "mm",
        "largest distance within that region",
        formula="largest distance between two calcifications of those groups",
        twin="skimage feret_diameter_max; pyradiomics shape2D MaximumDiameter",
    ),
    Column(
        "region_area_mm2",
        "float64",
        "mm2",
        "area of its hull grown by half a millimetre",
        formula="area of their convex hull grown by 0.5 mm",
    ),
    Column(
        "region_nipple_distance_mm",
        "float64",
        "mm",
        "smallest distance of that region to the nipple",
        formula="smallest of their distances to the nipple",
        missing=NO_NIPPLE,
    ),
    Column(
        "region_skin_distance_mm",
        "float64",
        "mm",
        "smallest distance of that region to the skin line",
        formula="smallest of their distances to the skin line; 200 where the image shows none",
    ),
    Column(
        "region_chest_distance_mm",
        "float64",
        "mm",
        "smallest distance of that region to the chest wall",
        formula="smallest of their distances to the chest wall",
        missing=NO_WALL,
    ),
    Column("suspicion", "float64", "0-100", "suspicion index: how suspicious it looks; not a probability"),
    _reason("distribution", "its distribution"),
    _reason("morphology", "its morphology"),
    _reason("heterogeneity", "how much its members vary"),
    _reason("density", "its density"),
    _reason("benign", "a typically benign kind (lowers it)"),
    _reason("casting", "the casting type"),
    _reason("crowding", "how many members of no benign kind one disc of 1 cm2 holds"),
    _reason("breadth", "how far its members spread beside one curve"),
)
