"""What every feature is: formula, range, when it is missing, source, and what other packages call it."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["CALCIFICATION_DEFINITIONS", "CLUSTER_DEFINITIONS", "NO_FEATURES", "STATISTICS", "Definition"]

_INF = math.inf

CHAN = "doi:10.1118/1.598389"
CHEN = "IEEE Trans. Biomed. Eng. 62 (2015) 1203"
SHEN = "IEEE Trans. Med. Imaging 13 (1994) 263"
BETAL = "Br. J. Radiol. 70 (1997) 903"
PYRADIOMICS = "doi:10.1158/0008-5472.CAN-17-0339"
SHANNON = "doi:10.1002/j.1538-7305.1948.tb01338.x"
PRIM = "doi:10.1002/j.1538-7305.1957.tb01515.x"
NEAREST = "doi:10.2307/1931034"
BIRADS = "BI-RADS 5th ed. (ACR 2013)"

NO_FEATURES = frozenset(
    {
        *("file", "cluster_id", "calcification_id", "flagged", "score", "own_score", "row_px", "col_px"),
        *("min_row_px", "min_col_px", "max_row_px", "max_col_px"),
        *("distribution", "morphology", "benign_kind", "region_id", "suspicion"),
        *(f"suspicion_{name}" for name in ("distribution", "morphology", "heterogeneity")),
        *(f"suspicion_{name}" for name in ("density", "benign", "casting")),
    }
)
"""Columns that say which row it is and where, that are words for numbers, or what is thought of it."""


@dataclass(frozen=True)
class Definition:
    """What a feature is, whatever its unit.

    Parameters
    ----------
    name : str
        Name of the column.
    formula : str
        How it is computed.
    low, high : float
        Range, infinite where there is no limit.
    source : str
        Publication; empty for our own.
    twin : str
        What pyradiomics (by class) and scikit-image (`regionprops`) call it, and how it differs.
    missing : str
        When the value is missing.
    """

    name: str
    formula: str
    low: float = 0.0
    high: float = _INF
    source: str = ""
    twin: str = ""
    missing: str = ""


_OUTLINE = "no outline (it does not rise above its background)"

CALCIFICATION_DEFINITIONS: tuple[Definition, ...] = (
    Definition(
        "area_mm2",
        "A: area of the outline at half contrast, drawn to the size of the blurred body that fits best",
        source=CHAN,
        twin="skimage area; pyradiomics shape2D MeshSurface",
        missing=_OUTLINE,
    ),
    Definition(
        "diameter_mm",
        "sqrt(4 A / pi); from the scale of strongest response without an outline",
        source=CHAN,
        twin="skimage equivalent_diameter_area",
    ),
    Definition(
        "major_axis_mm",
        "4 sqrt(larger second moment of the outline drawn to the fitted size)",
        twin="skimage axis_major_length; pyradiomics shape2D MajorAxisLength",
        missing=_OUTLINE,
    ),
    Definition(
        "minor_axis_mm",
        "4 sqrt(smaller second moment of the outline drawn to the fitted size)",
        twin="skimage axis_minor_length; pyradiomics shape2D MinorAxisLength",
        missing=_OUTLINE,
    ),
    Definition(
        "perimeter_mm",
        "P: length of the outline at half contrast, drawn to the fitted size",
        twin="skimage perimeter (of pixels); pyradiomics shape2D Perimeter",
        missing=_OUTLINE,
    ),
    Definition(
        "circularity",
        "4 pi A / P^2, at most 1",
        0.0,
        1.0,
        twin="square of pyradiomics shape2D Sphericity",
        missing=_OUTLINE,
    ),
    Definition("compactness", "1 - circularity", 0.0, 1.0, SHEN, missing=_OUTLINE),
    Definition(
        "eccentricity",
        "sqrt(1 - minor^2 / major^2) of the ellipse of equal second moments",
        0.0,
        1.0,
        CHAN,
        "skimage eccentricity; pyradiomics shape2D Elongation is sqrt(1 - eccentricity^2)",
        _OUTLINE,
    ),
    Definition(
        "solidity",
        "A / area of the convex hull, at most 1",
        0.0,
        1.0,
        twin="skimage solidity",
        missing=_OUTLINE,
    ),
    Definition(
        "roughness",
        "1 - sum |Z_k| / |k| / sum |Z_k| of the outline's Fourier descriptors, |k| = 1 to 16",
        0.0,
        1.0,
        SHEN,
        missing=_OUTLINE,
    ),
    Definition(
        "moment_irregularity",
        "(M4^(1/4) - M2^(1/2)) / m1 of the distances d of the outline from its centroid",
        0.0,
        _INF,
        SHEN,
        missing=_OUTLINE,
    ),
    Definition(
        "orientation_deg",
        "angle of the major axis against the rows, counter-clockwise",
        -90.0,
        90.0,
        twin="skimage orientation, turned by 90 degrees",
        missing=_OUTLINE + ", or no axis is longer",
    ),
    Definition(
        "contrast",
        "height of the smoothed summit over the background, over the SD of the noise",
        source=CHAN,
        twin="pyradiomics firstorder Maximum of the equalised image",
        missing=_OUTLINE,
    ),
    Definition(
        "integrated_contrast_mm2",
        "integral of the fitted body over its background: the effective volume",
        source="doi:10.1148/radiology.198.3.8628853",
        missing="no body fits",
    ),
    Definition(
        "edge_sharpness_per_mm",
        "mean slope of the image along the outline at half contrast / contrast",
        missing=_OUTLINE,
    ),
    Definition(
        "rim_ratio",
        "highest mean along the outline drawn in to 0.5, 0.6, 0.7, 0.8 / mean of the centre",
        source=BIRADS,
        missing=_OUTLINE,
    ),
    Definition("snr", "strongest band-pass response / its local robust spread"),
    Definition("scale_mm", "Gaussian scale of the strongest band-pass response"),
    Definition(
        "nearest_mm",
        "distance to the nearest other calcification",
        source=NEAREST,
        missing="it is the only one",
    ),
    Definition("skin_distance_mm", "distance to the skin line; 200 where the image shows none"),
    Definition("in_pectoral", "its centre lies on the pectoral muscle", 0.0, 1.0),
    Definition(
        "vascular",
        "logistic of the log-odds that the smooth curve it follows is an artery: length, few beside, members "
        "that point along it, a line through them, two tracks, other such curves",
        0.0,
        1.0,
        BIRADS,
    ),
)

_ALONE = "one member"
_NO_OUTLINES = "no member has an outline"
_PLACE = "all members at one place"
NO_NIPPLE = "no skin line, or the nipple outside the image"
NO_WALL = "a crop, or no chest wall"


def _curve(name: str, formula: str, high: float, at: str) -> Definition:
    return Definition(f"topo_{name}_{at}", formula, 0.0, high, CHEN)


_DILATIONS = {"500um": "0.5 mm", "1000um": "1 mm", "2000um": "2 mm"}

CLUSTER_DEFINITIONS: tuple[Definition, ...] = (
    Definition("n_calcifications", "n: number of members", 2.0, source=CHAN),
    Definition("max_in_window", "most members that one disc of the area asked for can hold", 1.0),
    Definition(
        "hull_area_mm2",
        "H: area of the convex hull of the centres",
        source=CHAN,
        twin="skimage area_convex",
    ),
    Definition("hull_perimeter_mm", "length of the hull's outline (twice the length of a line)"),
    Definition(
        "hull_circularity",
        "4 pi H / perimeter^2",
        0.0,
        1.0,
        "doi:10.1148/radiology.198.3.8628853",
        "square of pyradiomics shape2D Sphericity of the hull",
        _PLACE,
    ),
    Definition(
        "concave_area_mm2",
        "area of the alpha shape whose radius is the longest edge of the spanning tree",
        source="doi:10.1109/TIT.1983.1056714",
    ),
    Definition("density_per_cm2", "100 n / area in mm2 of the hull grown by 0.5 mm"),
    Definition(
        "hull_elongation",
        "long / short side of the smallest rectangle about the hull",
        1.0,
        source="doi:10.1145/360881.360919",
        missing="all members on one line",
    ),
    Definition(
        "extent_mm",
        "largest distance between two members",
        twin="skimage feret_diameter_max; pyradiomics shape2D MaximumDiameter",
    ),
    Definition(
        "axis_deg",
        "angle of the principal axis of the centres against the rows, counter-clockwise",
        -90.0,
        90.0,
        "doi:10.1080/14786440109462720",
        "skimage orientation of the centres, turned by 90 degrees",
        "no axis is longer",
    ),
    Definition(
        "axis_to_nipple_deg",
        "angle between that axis and the line from centroid to nipple; 0 along the ducts",
        0.0,
        90.0,
        missing=f"{NO_NIPPLE}, or no axis is longer",
    ),
    Definition(
        "line_residual_mm",
        "root mean square distance of the centres to the principal axis",
        source="doi:10.1080/14786440109462720",
        twin="a quarter of skimage axis_minor_length of the centres",
        missing="fewer than three members",
    ),
    Definition(
        "curve_residual_mm",
        "root mean square first-order distance to the best parabola along that axis",
        source="doi:10.1016/0146-664X(82)90101-0",
        missing="fewer than four members",
    ),
    Definition("mst_total_mm", "sum of the edges of the minimum spanning tree of the centres", source=PRIM),
    Definition("mst_mean_mm", "mean of those edges", source=PRIM, missing=_ALONE),
    Definition(
        "mst_sd_mm",
        "standard deviation (n - 1) of those edges",
        source=PRIM,
        missing="fewer than three members",
    ),
    Definition("mst_max_mm", "longest of those edges", source=PRIM, missing=_ALONE),
    *(
        definition
        for at, size in _DILATIONS.items()
        for definition in (
            _curve(
                "parts", f"connected parts when each member (disc of its area) is dilated by {size}", _INF, at
            ),
            _curve("giant", f"share of the members in the largest part, dilated by {size}", 1.0, at),
            _curve("degree", f"mean number of members that a member touches, dilated by {size}", _INF, at),
            _curve(
                "clustering",
                f"mean local clustering coefficient (0 below two neighbours), dilated by {size}",
                1.0,
                at,
            ),
        )
    ),
    Definition("topo_giant_mean", "mean of topo_giant over dilations of 0.1, 0.2, ... 3 mm", 0.0, 1.0, CHEN),
    Definition("topo_degree_mean", "mean of topo_degree over these dilations", 0.0, _INF, CHEN),
    Definition(
        "topo_clustering_mean", "mean of topo_clustering over these dilations", 0.0, 1.0, "doi:10.1038/30918"
    ),
    Definition(
        "topo_betti0_mean",
        "mean of parts / n over these dilations: area under the Betti-0 curve",
        0.0,
        1.0,
        CHEN,
    ),
    Definition(
        "topo_betti0_half_mm",
        "first of these dilations with at most n / 2 parts",
        0.1,
        3.0,
        CHEN,
        missing="not by 3 mm, or one member",
    ),
    Definition(
        "topo_joined_mm",
        "first of these dilations with one part",
        0.1,
        3.0,
        CHEN,
        missing="not by 3 mm, or one member",
    ),
    Definition(
        "topo_betti0_entropy",
        "- sum p log2 p, p: share of each join's dilation in the sum over the joins",
        0.0,
        _INF,
        "arXiv:1803.08304",
        missing="one member, or all touch undilated",
    ),
    Definition(
        "rod_fraction",
        "share of members at least 2 times as long as wide",
        0.0,
        1.0,
        BETAL,
        missing=_NO_OUTLINES,
    ),
    Definition(
        "round_fraction",
        "share of members less than 1.5 times as long as wide and of circularity 0.8 or more",
        0.0,
        1.0,
        BETAL,
        missing=_NO_OUTLINES,
    ),
    Definition(
        "punctate_fraction",
        "share of members that are round and below 0.5 mm",
        0.0,
        1.0,
        BIRADS,
        missing=_NO_OUTLINES,
    ),
    *(
        Definition(
            f"nn_distance_mm_{name}",
            f"{formula} of the distance to the nearest member",
            0.0,
            _INF,
            NEAREST,
            "",
            missing,
        )
        for name, formula, missing in (
            ("mean", "mean", _ALONE),
            ("sd", "standard deviation (n - 1)", _ALONE),
            ("cv", "standard deviation / mean", f"{_ALONE}, or {_PLACE}"),
            ("iqr", "interquartile range", _ALONE),
            ("min", "smallest value", _ALONE),
            ("max", "largest value", _ALONE),
        )
    ),
    Definition(
        "nipple_distance_mm", "distance of the centroid to the nipple as estimated", missing=NO_NIPPLE
    ),
    Definition(
        "skin_distance_mm", "distance of the centroid to the skin line; 200 where the image shows none"
    ),
    Definition(
        "chest_distance_mm",
        "distance of the centroid to the pectoral muscle or the image's edge at the chest wall",
        missing=NO_WALL,
    ),
    Definition(
        "depth_fraction",
        "skin distance / (skin distance + chest distance)",
        0.0,
        1.0,
        missing=f"{NO_WALL}, or no skin line",
    ),
    Definition(
        "tissue_density",
        "rank of the mean brightness within 5 mm of the centroid among the breast's tissue",
        0.0,
        1.0,
        missing="the centroid lies outside the breast",
    ),
    Definition("in_pectoral", "more than half of the members lie on the pectoral muscle", 0.0, 1.0),
)


@dataclass(frozen=True)
class Statistic:
    """What a statistic of the members' values is: as `Definition`, for any measure ``m``."""

    formula: str
    twin: str = ""
    source: str = ""
    missing: str = ""
    like_measure: bool = False


_NONE_MEASURED = "no member was measured"
_ONE_MEASURED = "fewer than two members were measured"

STATISTICS: dict[str, Statistic] = {
    "mean": Statistic(
        "mean of {m}", "pyradiomics firstorder Mean of the members' values", CHAN, _NONE_MEASURED, True
    ),
    "sd": Statistic(
        "standard deviation (n - 1) of {m}",
        "square root of pyradiomics firstorder Variance x n / (n - 1)",
        CHAN,
        _ONE_MEASURED,
    ),
    "cv": Statistic("standard deviation / mean of {m}", "", CHAN, f"{_ONE_MEASURED}, or the mean is 0"),
    "iqr": Statistic(
        "75th less 25th percentile of {m}", "pyradiomics firstorder InterquartileRange", BETAL, _NONE_MEASURED
    ),
    "range": Statistic(
        "largest less smallest {m}", "pyradiomics firstorder Range", PYRADIOMICS, _NONE_MEASURED
    ),
    "entropy": Statistic(
        "- sum p log2 p over bins of {bins}",
        "pyradiomics firstorder Entropy with that binWidth",
        SHANNON,
        _NONE_MEASURED,
    ),
    "worst": Statistic("{worst} {m}", "pyradiomics firstorder {extreme}", CHAN, _NONE_MEASURED, True),
    "second_worst": Statistic("second {worst} {m}", "", CHAN, _ONE_MEASURED, True),
}
"""The statistics of `mcdetect.clusters.features.spread.SPREAD_STATISTICS`, whatever the measure."""
