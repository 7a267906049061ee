"""Columns of a group's words: BI-RADS memberships, benign kinds, its region, and the suspicion index."""

from __future__ import annotations

from mcdetect.schema.column import Column
from mcdetect.schema.references import BIRADS, FEW, NO_NIPPLE, NO_WALL, PART_ONLY

__all__ = ["WORDS"]

_LEFT_OUT = "without the floor(n / 6) farthest from their median"


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
        "(1 - linear - segmental) x rising step of distribution_extent_mm from 16 to 24 x wide; wide: step "
        "of distribution_breast_share from 0.3 to 0.6, without it step of distribution_extent_mm from 60 "
        "to 100",
    ),
    _grade(
        "distribution_regional",
        "membership: over more than 2 cm, in no duct's shape",
        "1 less the other four memberships",
    ),
    _grade(
        "distribution_grouped",
        "membership: within about 2 cm",
        "(1 - linear - segmental) x falling step of distribution_extent_mm from 16 to 24",
    ),
    _grade(
        "distribution_linear",
        "membership: along a line",
        "step of ln(distribution_aspect) from ln(2) to ln(2.9) x falling step of distribution_gap_share from "
        "0.35 to 0.6",
    ),
    _grade(
        "distribution_segmental",
        "membership: in a wedge, as a lobe's ducts",
        "(1 - linear) x (1 - wide) x logistic of fit + size + aim - 0.2 (defined in docs/features.md); 0 "
        "without distribution_wedge_ratio; wide as for distribution_diffuse",
    ),
    Column(
        "distribution_n",
        "float64",
        "",
        "calcifications that the distribution is told from",
        formula="number of members of the pattern: the group with those that continue it (defined below "
        "the table)",
        low=1.0,
    ),
    Column(
        "distribution_extent_mm",
        "float64",
        "mm",
        "largest distance between two of these",
        formula="largest distance between two members of the pattern",
    ),
    Column(
        "distribution_gap_share",
        "float64",
        "0-1",
        "widest gap along them over their extent",
        formula="widest gap between neighbours along the principal axis of the pattern / "
        "distribution_extent_mm; 1 for two or three members or at one place, 0 for one",
        high=1.0,
    ),
    Column(
        "distribution_aspect",
        "float64",
        "",
        "length over width about a smooth curve",
        formula="L / (4 sqrt(V)), V = (S + 2 (L / 8)^2) / (n - 1), n: distribution_n, L: "
        "distribution_extent_mm, S: sum of squared distances across the principal axis of the pattern to "
        "the parabola of least squares along it; 2 below four members or at one place",
    ),
    Column(
        "distribution_wedge_ratio",
        "float64",
        "",
        "smallest ellipse over smallest triangle around it",
        formula="area of the smallest ellipse (up to 2 % too small) / area of the smallest triangle around "
        "the pattern, without the floor(n / 15), at most three, whose removal one by one shrinks the hull "
        "most",
        source="doi:10.1016/j.dam.2007.02.013",
        missing="fewer than three members, or all on one line",
    ),
    Column(
        "distribution_wedge_aim_deg",
        "float64",
        "deg",
        "angle by which that triangle misses the nipple",
        formula="least angle between the line from the centroid of that triangle to a corner and the line "
        "from the centroid of the pattern to the nipple",
        high=180.0,
        missing=f"{NO_NIPPLE}, or no distribution_wedge_ratio",
    ),
    Column(
        "distribution_breast_share",
        "float64",
        "",
        "area of its hull over that of the breast",
        formula="area of the hull of the pattern grown by 0.5 mm / breast_area_cm2 of the image (in mm2)",
        missing="no breast was found",
    ),
    Column("morphology", "str", "", "BI-RADS word of largest membership"),
    _grade(
        "morphology_punctate",
        "share of members: round and alike, punctate below 0.5 mm",
        "mean of shown x (1 - irregular) x (fine x F + (1 - fine) x C); parts in docs/features.md",
    ),
    _grade(
        "morphology_coarse",
        "share of members: above 1 mm, popcorn-like too",
        "mean of own x (1 - long) x large x C",
    ),
    _grade("morphology_rod", "share of members: large rod-like", "mean of own x long x wide x C"),
    _grade(
        "morphology_vascular",
        "share of members: along an artery",
        "m x step of m from 0.25 to 0.45, m: mean of the members' vascular",
    ),
    _grade(
        "morphology_amorphous",
        "share of members: too small, faint or hazy to have a form",
        "mean of own x (1 - long) x (1 - large) x hazy x F",
    ),
    _grade(
        "morphology_coarse_heterogeneous",
        "share of members: 0.5 to 1 mm, irregular or varied",
        "mean of shown x irregular x (1 - fine) x C",
    ),
    _grade(
        "morphology_fine_pleomorphic",
        "share of members: below 0.5 mm, irregular or varied",
        "mean of shown x irregular x fine x F",
    ),
    _grade(
        "morphology_fine_linear",
        "share of members: thin and long or branching, below 0.5 mm wide",
        "mean of own x long x (1 - wide) x F",
    ),
    _grade(
        "morphology_unknown",
        "share of members: not measured, or not carried by the pixel size",
        "1 less the other eight memberships",
    ),
    Column(
        "heterogeneity",
        "float64",
        "0-1",
        "how much the members vary in size, shape and contrast",
        formula="step of (2 size_spread + 2 aspect_spread + contrast_spread) / 5 from 0.09 to 0.2; of "
        "those known, over the sum of their weights",
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
        "step from 0.25 to 0.65 of the mean of skin (parts in docs/features.md)",
    ),
    _grade("benign_rod", "membership: large rod-like", "step from 0.25 to 0.65 of morphology_rod"),
    _grade(
        "benign_coarse",
        "membership: coarse or popcorn-like",
        "step from 0.25 to 0.65 of the lesser of morphology_coarse and 1 - the mean of rim",
    ),
    _grade(
        "benign_rim",
        "membership: lucent centre, of about 1 mm and more",
        "step from 0.25 to 0.65 of the mean of rim (parts in docs/features.md)",
    ),
    _grade(
        "benign_share",
        "share of members: of any typically benign kind",
        "mean of the members' vascular as in own + mean of skin + morphology_rod + the larger of "
        "benign_coarse's lesser and the mean of rim, at most 1",
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
        formula="groups that reach the count (hidden or not, no stretch of artery) and lie at most 20 mm "
        "apart, from member to member and from group to group, this one included; 1 for all others",
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
        missing=PART_ONLY,
    ),
    Column(
        "region_chest_distance_mm",
        "float64",
        "mm",
        "smallest distance of that region to the chest wall",
        formula="smallest of their distances to the chest wall",
        missing=NO_WALL,
        from_image=True,
    ),
    Column("suspicion", "float64", "0-100", "suspicion index: how suspicious it looks; not a probability"),
    _reason("distribution", "its distribution"),
    _reason("morphology", "its morphology"),
    _reason("density", "its density"),
    _reason("benign", "a typically benign kind (lowers it)"),
    _reason("casting", "the casting type"),
    _reason("crowding", "how many members of no benign kind one disc of 1 cm2 holds"),
    _reason("breadth", "how far its members spread beside one curve"),
)
