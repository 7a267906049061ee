"""Columns of the tables of candidates, calcifications and clusters."""

from __future__ import annotations

from mcdetect.schema.column import FILE, POSITION, Column

__all__ = ["CALCIFICATIONS", "CANDIDATES", "CLUSTERS", "MODEL_COLUMNS", "SHAPE_MEASURES"]

CANDIDATES: tuple[Column, ...] = (
    FILE,
    Column("candidate_id", "int64", "", "number within the image, from 1, by falling score"),
    *POSITION,
    Column("diameter_mm", "float64", "mm", "diameter of the spot from its scale"),
    Column("scale_mm", "float64", "mm", "Gaussian scale of strongest response"),
    Column("snr", "float64", "SD", "strongest band-pass response over its local robust spread"),
    Column("score", "float64", "0-1", "how much it looks like one, neighbours counted; not a probability"),
    Column("own_score", "float64", "0-1", "the same by its looks alone"),
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
    FILE,
    Column("calcification_id", "int64", "", "number within the image, from 1, by falling score"),
    *POSITION,
    Column("diameter_mm", "float64", "mm", "diameter of the disc of equal area, without blur"),
    Column("snr", "float64", "SD", "strongest band-pass response over its local robust spread"),
    Column("score", "float64", "0-1", "how much it looks like one, neighbours counted; not a probability"),
    Column("own_score", "float64", "0-1", "the same by its looks alone"),
    Column("cluster_id", "int64", "", "group it belongs to, 0 for none"),
    Column("area_mm2", "float64", "mm2", "area inside the outline, drawn to its size without blur"),
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
    FILE,
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
