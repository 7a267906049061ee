"""What the descriptors of groups are: the words of a report as graded memberships, and their numbers."""

from __future__ import annotations

import math

from mcdetect.clusters.features.definitions import BIRADS, NO_NIPPLE, NO_WALL, Definition

__all__ = ["WORD_DEFINITIONS"]

_FEW = "fewer than three measured members"
_WHOLE = "of the group with the groups that continue it"

_DISTRIBUTIONS = {
    "diffuse": "share of what is no line, wedge or tight group, times the step of distribution_breast_share "
    "from 0.3 to 0.6",
    "regional": "1 less the other four memberships",
    "grouped": "(1 - linear - segmental) x falling step of the extent from 16 to 24 mm",
    "linear": "step of the logarithm of distribution_aspect from 2 to 2.9 x falling step of the widest gap "
    "from 0.35 to 0.6 of the extent",
    "segmental": "(1 - linear) x (1 - step of distribution_breast_share) x logistic of the log-odds of a "
    "triangle against an ellipse, of its size, and of its aim at the nipple",
}
_MORPHOLOGIES = {
    "punctate": "neither long, large, hazy nor irregular",
    "coarse": "not long, above 1 mm (0.8 to 1.2 fade over)",
    "rod": "twice as long as wide (faded), wider than 0.5 mm (0.42 to 0.58)",
    "vascular": "mean of the members' grade vascular",
    "amorphous": "below 0.5 mm, and SNR under 4 to 7 or edge under 1 to 3 per mm",
    "coarse_heterogeneous": "0.5 to 1 mm, and irregular (circularity, aspect) or varied (heterogeneity)",
    "fine_pleomorphic": "below 0.5 mm, and irregular or varied, neither hazy nor long",
    "fine_linear": "twice as long as wide (faded), below 0.5 mm wide",
    "unknown": "not measured, or fine on pixels of 0.105 to 0.145 mm and more, or coarse on 0.21 to 0.30",
}
_BENIGN = {
    "vascular": "morphology_vascular",
    "skin": "share of members within 2 to 4 mm of the skin line",
    "rod": "morphology_rod",
    "coarse": "morphology_coarse",
    "rim": "share of members with rim_ratio above 1.02 to 1.2 and a diameter above 0.6 to 1 mm",
}
_SPREAD = "standard deviation (n - 1) of ln({}), the farthest member of each six left out"

WORD_DEFINITIONS: tuple[Definition, ...] = (
    *(
        Definition(f"distribution_{name}", f"{formula}; {_WHOLE}", 0.0, 1.0, BIRADS)
        for name, formula in _DISTRIBUTIONS.items()
    ),
    Definition(
        "distribution_aspect",
        f"extent / four standard deviations about the best parabola; 2 below four members; {_WHOLE}",
    ),
    Definition(
        "distribution_wedge_ratio",
        f"area of the smallest ellipse / area of the smallest triangle around the members; {_WHOLE}",
        source="doi:10.1016/j.dam.2007.02.013",
        missing="fewer than four members, or all on one line",
    ),
    Definition(
        "distribution_breast_share",
        f"area of the hull grown by 0.5 mm / area of the breast; {_WHOLE}",
        missing="no breast was found",
    ),
    *(
        Definition(f"morphology_{name}", f"mean membership of the members: {formula}", 0.0, 1.0, BIRADS)
        for name, formula in _MORPHOLOGIES.items()
    ),
    Definition(
        "heterogeneity",
        "step of (2 size_spread + 2 aspect_spread + contrast_spread) / 5 from 0.09 to 0.2",
        0.0,
        1.0,
        missing=_FEW,
    ),
    Definition("size_spread", _SPREAD.format("diameter_mm"), missing=_FEW),
    Definition("aspect_spread", _SPREAD.format("major_axis_mm / minor_axis_mm"), missing=_FEW),
    Definition("contrast_spread", _SPREAD.format("contrast"), missing=_FEW),
    *(
        Definition(f"benign_{name}", f"step from 0.25 to 0.65 of {formula}", 0.0, 1.0, BIRADS)
        for name, formula in _BENIGN.items()
    ),
    Definition(
        "casting_type",
        "step of morphology_fine_linear from 0.2 to 0.5 x (distribution_linear + distribution_segmental) "
        "x (1 - morphology_vascular)",
        0.0,
        1.0,
    ),
    Definition("n_foci", "flagged groups at most 20 mm apart, this one included", 1.0, math.inf, BIRADS),
    Definition(
        "region_extent_mm",
        "largest distance between two calcifications of those groups",
        twin="skimage feret_diameter_max; pyradiomics shape2D MaximumDiameter",
    ),
    Definition("region_area_mm2", "area of their convex hull grown by 0.5 mm"),
    Definition("region_nipple_distance_mm", "smallest of their distances to the nipple", missing=NO_NIPPLE),
    Definition(
        "region_skin_distance_mm",
        "smallest of their distances to the skin line; 200 where the image shows none",
    ),
    Definition("region_chest_distance_mm", "smallest of their distances to the chest wall", missing=NO_WALL),
)
