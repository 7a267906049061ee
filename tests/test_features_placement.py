"""Where members lie: hull, concave area, axis, spanning tree and topology, against plain twins."""

from __future__ import annotations

import itertools
import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from scipy.spatial import ConvexHull
from scipy.spatial.distance import cdist
from skimage.measure import regionprops
from skimage.morphology import convex_hull_image

from mcdetect.clusters.features import (
    build_features,
    cluster_features,
    concave_area,
    join_curves,
    kind_fractions,
    spanning_tree,
)
from mcdetect.clusters.features.axes import angle_to_line
from mcdetect.schema import CLUSTERS, SHAPE_MEASURES

TURNING = {"axis_deg", "curve_residual_mm"}
"""Features that turn with the group, or that may jump where two axes are equal."""

places = st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=1, max_size=15)


def anisotropy(points: np.ndarray) -> float:
    low, high = np.linalg.eigvalsh(np.cov(points.T, bias=True)) if len(points) > 1 else (0.0, 0.0)
    return float((high - low) / high) if high > 0 else 0.0


@given(places, st.floats(0, 6.28), st.floats(-300, 300), st.booleans(), st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_nothing_depends_on_order_place_turn_or_mirror(points, angle, shift, mirror, random):
    points = np.array(points, dtype=float)
    size = np.array([0.1 + 0.05 * (k % 5) for k in range(len(points))])
    before = cluster_features(points[:, 0], points[:, 1], size)
    random.shuffle(order := list(range(len(points))))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    turn = turn @ np.diag([1.0, -1.0 if mirror else 1.0])
    moved = (points @ turn.T)[order] + shift
    after = cluster_features(moved[:, 0], moved[:, 1], size[order])
    for name in before.keys() - TURNING:
        expected = pytest.approx(before[name], rel=1e-6, abs=1e-6, nan_ok=True)
        assert after[name] == expected, name
    assert math.isnan(before["hull_elongation"]) == (np.linalg.matrix_rank(points - points[0]) < 2)
    if anisotropy(points) > 1e-3:
        old, new = (math.radians(found["axis_deg"]) for found in (before, after))
        turned = turn @ [-math.sin(old), math.cos(old)]
        assert abs(turned @ [math.cos(new), math.sin(new)]) < 1e-6
        assert after["curve_residual_mm"] == pytest.approx(
            before["curve_residual_mm"], rel=1e-5, abs=1e-6, nan_ok=True
        )


@given(places, st.floats(0.2, 5.0))
@settings(max_examples=40)
def test_lengths_and_areas_grow_with_the_group(points, factor):
    points = np.array(points, dtype=float)
    one, two = (cluster_features(k * points[:, 0], k * points[:, 1]) for k in (1.0, factor))
    for name in one.keys() - {"density_per_cm2", "axis_deg"}:
        if name.startswith("topo_"):
            continue
        power = 2 if name.endswith("_mm2") else 1 if name.endswith("_mm") else 0
        assert two[name] == pytest.approx(one[name] * factor**power, rel=1e-6, abs=1e-6, nan_ok=True), name


@pytest.mark.parametrize("n", [3, 6, 40, 300])
def test_hull_equals_scipy(n):
    points = np.random.default_rng(n).normal([40, 90], [3, 6], (n, 2))
    found, hull = cluster_features(*points.T), ConvexHull(points)
    assert found["hull_area_mm2"] == pytest.approx(hull.volume)
    assert found["hull_perimeter_mm"] == pytest.approx(hull.area)
    assert found["hull_circularity"] == pytest.approx(4 * math.pi * hull.volume / hull.area**2)


def test_hull_and_axis_equal_skimage():
    """Pixels of 0.02 mm: what `regionprops` says of the filled hull, and of the members as a region."""
    pitch = 0.02
    rng = np.random.default_rng(8)
    points = rng.normal([5, 5], [0.5, 1.2], (40, 2)) @ np.array([[0.8, 0.6], [-0.6, 0.8]]) + [2, 1]
    pixel = np.unique(
        np.rint(points / pitch).astype(int) - np.rint(points.min(0) / pitch).astype(int), axis=0
    )
    image = np.zeros(pixel.max(0) + 1, np.uint8)
    image[tuple(pixel.T)] = 1
    found = cluster_features(*(pitch * pixel.T))
    twin = regionprops(image)[0]
    assert found["hull_area_mm2"] == pytest.approx(convex_hull_image(image).sum() * pitch**2, rel=0.03)
    assert found["extent_mm"] == pytest.approx(twin.feret_diameter_max * pitch, rel=0.02)
    # regionprops measures against the first axis, rising with the columns
    assert found["axis_deg"] == pytest.approx((math.degrees(twin.orientation) + 180) % 180 - 90, abs=0.5)
    assert found["line_residual_mm"] == pytest.approx(twin.axis_minor_length / 4 * pitch, rel=0.01)


def test_concave_area_leaves_out_the_bay():
    rng = np.random.default_rng(1)
    arm = rng.uniform([0, 0], [10, 2], (300, 2))
    foot = rng.uniform([8, 0], [10, 10], (300, 2))
    found = cluster_features(*np.concatenate([arm, foot]).T)
    assert 0.85 * 36 < found["concave_area_mm2"] < 36
    assert found["hull_area_mm2"] > 60
    filled = cluster_features(*rng.uniform(0, 10, (500, 2)).T)
    assert filled["concave_area_mm2"] == pytest.approx(filled["hull_area_mm2"], rel=0.1)


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9)), min_size=3, max_size=9), st.floats(0.5, 6))
@settings(max_examples=40)
def test_concave_area_is_that_of_empty_triangles(points, reach):
    points = np.array(points).round(2) + np.random.default_rng(0).uniform(0, 1e-3, (len(points), 2))
    area = 0.0
    for triple in itertools.combinations(range(len(points)), 3):
        (ar, ac), (br, bc), (cr, cc) = points[list(triple)]
        twice = (br - ar) * (cc - ac) - (bc - ac) * (cr - ar)
        if abs(twice) < 1e-9:
            continue
        corner = points[list(triple)]
        middle = np.linalg.solve(2 * (corner[1:] - corner[0]), (corner[1:] ** 2 - corner[0] ** 2).sum(axis=1))
        radius = math.dist(middle, corner[0])
        others = np.delete(points, triple, axis=0)
        if radius <= reach and not (np.hypot(*(others - middle).T) < radius).any():
            area += abs(twice) / 2
    assert concave_area(points, reach) == pytest.approx(area, rel=1e-3, abs=1e-3)


def test_axis_and_residuals_of_a_drawn_line_and_arc():
    along = np.linspace(-6, 6, 25)
    for degrees in (-80, -45, 0, 30, 90):
        turn = math.radians(degrees)
        row, col = -along * math.sin(turn), along * math.cos(turn)
        found = cluster_features(row + 50, col + 20)
        assert found["axis_deg"] == pytest.approx(degrees, abs=1e-6)
        assert found["line_residual_mm"] == pytest.approx(0, abs=1e-9)
        assert found["curve_residual_mm"] == pytest.approx(0, abs=1e-9)
    arc = np.linspace(-0.5, 0.5, 30)
    found = cluster_features(12 * np.cos(arc), 12 * np.sin(arc))
    assert found["axis_deg"] == pytest.approx(0, abs=1e-6)
    assert found["line_residual_mm"] > 0.4
    assert found["curve_residual_mm"] < 0.02


@pytest.mark.parametrize("noise", [0.1, 0.3])
def test_residuals_measure_the_scatter_about_the_line(noise):
    rng = np.random.default_rng(5)
    along = rng.uniform(-10, 10, 400)
    across = 0.02 * along**2 + rng.normal(0, noise, 400)
    found = cluster_features(0.6 * along + 0.8 * across, 0.8 * along - 0.6 * across)
    assert found["curve_residual_mm"] == pytest.approx(noise, rel=0.1)
    assert found["line_residual_mm"] > found["curve_residual_mm"]


def test_angle_to_the_nipple():
    assert angle_to_line(0, (5, 5), (5, 60)) == pytest.approx(0)
    assert angle_to_line(90, (5, 5), (5, 60)) == pytest.approx(90)
    assert angle_to_line(45, (10, 0), (0, 10)) == pytest.approx(0)  # up and to the right
    assert angle_to_line(-30, (0, 60), (0, 0)) == pytest.approx(30)
    assert math.isnan(angle_to_line(10, (3, 3), (3, 3)))
    assert math.isnan(angle_to_line(math.nan, (3, 3), (3, 4)))


@pytest.mark.parametrize("n", [2, 3, 10, 150])
def test_tree_equals_scipy(n):
    points = np.random.default_rng(n).normal(0, 4, (n, 2))
    distance = cdist(points, points)
    edges, length = spanning_tree(distance)
    twin = minimum_spanning_tree(distance)
    np.testing.assert_allclose(np.sort(length), np.sort(twin.data))
    np.testing.assert_allclose(length, distance[edges[:, 0], edges[:, 1]])
    joined = np.zeros((n, n))
    joined[tuple(edges.T)] = 1
    assert connected_components(joined, directed=False)[0] == 1
    found = cluster_features(*points.T)
    assert found["mst_total_mm"] == pytest.approx(twin.sum())
    assert found["mst_max_mm"] == pytest.approx(twin.max())
    if n > 2:
        assert found["mst_sd_mm"] == pytest.approx(np.std(twin.data, ddof=1))


def test_tree_passes_through_coincident_members():
    distance = cdist(np.zeros((4, 2)), np.zeros((4, 2)))
    edges, length = spanning_tree(distance)
    assert length.tolist() == [0, 0, 0]
    assert len(np.unique(edges)) == 4


@pytest.mark.parametrize(("n", "spread"), [(1, 1), (2, 1), (7, 3), (30, 3), (60, 8)])
def test_topology_equals_networkx(n, spread):
    rng = np.random.default_rng(n)
    points, size = rng.normal(0, spread, (n, 2)), rng.uniform(0.1, 0.6, n)
    size[0] = np.nan
    distance = cdist(points, points)
    curves = join_curves(distance, size)
    radius = np.nan_to_num(size) / 2
    for k in range(30):
        reach = 2 * 0.1 * (k + 1)
        touch = distance - radius[:, None] - radius[None, :] <= reach
        np.fill_diagonal(touch, False)
        graph = nx.from_numpy_array(touch)
        parts = list(nx.connected_components(graph))
        assert curves.parts[k] == len(parts)
        assert curves.giant[k] == pytest.approx(max(map(len, parts)) / n)
        assert curves.degree[k] == pytest.approx(touch.sum() / n)
        assert curves.clustering[k] == pytest.approx(nx.average_clustering(graph), abs=1e-6)


def test_topology_of_a_row_of_points():
    """Five points 1 mm apart join all at once when each is dilated by half a millimetre."""
    found = cluster_features(np.zeros(5), np.arange(5.0))
    assert found["topo_joined_mm"] == found["topo_betti0_half_mm"] == pytest.approx(0.5)
    assert found["topo_parts_500um"] == 1
    assert found["topo_degree_500um"] == pytest.approx(8 / 5)
    assert found["topo_clustering_500um"] == 0
    assert found["topo_clustering_2000um"] == 1
    assert found["topo_betti0_entropy"] == pytest.approx(2)
    assert found["topo_betti0_mean"] == pytest.approx((4 * 1 + 26 / 5) / 30)
    far = cluster_features([0.0, 0.0], [0.0, 7.0])
    assert math.isnan(far["topo_joined_mm"])
    assert far["topo_parts_2000um"] == 2
    # members of a size touch sooner
    assert cluster_features(np.zeros(5), np.arange(5.0), np.full(5, 0.4))["topo_joined_mm"] == pytest.approx(
        0.3
    )


def test_kinds_of_members():
    ratio = np.array([1.0, 1.2, 1.49, 1.6, 1.99, 2.01, 6.0, 1.1, 1.1, np.nan])
    round_ = np.array([1.0, 0.9, 0.85, 0.9, 0.8, 0.7, 0.3, 0.6, 0.95, np.nan])
    size = np.array([0.3, 0.49, 0.51, 0.3, 0.3, 0.3, 0.3, 0.3, 0.8, np.nan])
    found = kind_fractions(np.array([1] * 9 + [2]), ratio, round_, size, 2)
    assert found["rod_fraction"][0] == pytest.approx(2 / 9)
    assert found["round_fraction"][0] == pytest.approx(4 / 9)
    assert found["punctate_fraction"][0] == pytest.approx(2 / 9)
    assert all(np.isnan(values[1]) for values in found.values())


def make(label, points, rng, bad=0.0):
    label, n = np.asarray(label), len(label)
    groups = int(label.max(initial=0))
    measures = {name: rng.uniform(0.01, 1.0, n) for name in SHAPE_MEASURES}
    for values in measures.values():
        values[rng.random(n) < bad] = np.nan
    return {
        "label": label,
        "row_mm": points[:, 0],
        "col_mm": points[:, 1],
        "measures": measures,
        "skin_distance_mm": rng.uniform(5, 30, groups),
        "in_pectoral": rng.random(n) < 0.4,
        "nipple_mm": (30.0, 60.0),
        "chest_distance_mm": rng.uniform(5, 30, groups),
        "depth_fraction": rng.random(groups),
        "tissue_density": rng.random(groups),
    }


NEVER_MISSING = {
    *("hull_area_mm2", "hull_perimeter_mm", "concave_area_mm2", "extent_mm", "density_per_cm2"),
    *("mst_total_mm", "nipple_distance_mm", "skin_distance_mm", "chest_distance_mm", "depth_fraction"),
    *("tissue_density", "in_pectoral", "topo_betti0_mean", "topo_giant_mean", "topo_degree_mean"),
    *(f"topo_{name}_1000um" for name in ("parts", "giant", "degree", "clustering")),
}


@given(
    st.one_of(st.integers(1, 8), st.integers(1, 500)),
    st.sampled_from(["scattered", "coincident", "collinear", "grid", "two places", "nearly a line"]),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=40)
def test_every_feature_is_finite_or_missing(n, arrangement, bad, seed):
    """Groups of 1 to 500 members; warnings are errors in these tests."""
    rng = np.random.default_rng(seed)
    along = rng.uniform(0, 20, n)
    points = {
        "scattered": rng.uniform(0, 20, (n, 2)),
        "coincident": np.full((n, 2), 7.3),
        "collinear": np.column_stack([0.3 * along, 0.7 * along]),
        "grid": np.column_stack([np.arange(n) // 23, np.arange(n) % 23]).astype(float),
        "two places": np.where(rng.random((n, 1)) < 0.5, 1.1, 2.9) * np.ones((1, 2)),
        "nearly a line": np.column_stack([along, 1e-10 * rng.random(n)]),
    }[arrangement]
    found = build_features(**make(np.ones(n, np.int64), points, rng, bad))
    assert not any(np.isinf(values[0]) for values in found.values())
    for name in NEVER_MISSING:
        assert np.isfinite(found[name][0]), name
    if arrangement == "scattered" and n >= 4 and bad == 0.0:
        missing = [name for name, values in found.items() if not np.isfinite(values[0])]
        assert set(missing) <= {"topo_betti0_half_mm", "topo_joined_mm"}
    bounded = {column.name for column in CLUSTERS if column.unit == "0-1"}
    for name in bounded & found.keys():
        value = found[name][0]
        assert np.isnan(value) or -1e-9 <= value <= 1 + 1e-9, name
    assert found["concave_area_mm2"][0] <= found["hull_area_mm2"][0] * (1 + 1e-9) + 1e-12


def test_unknown_positions_are_missing():
    rng = np.random.default_rng(0)
    given = make([1, 1, 1, 2, 2], rng.uniform(0, 9, (5, 2)), rng)
    for name in ("nipple_mm", "chest_distance_mm", "depth_fraction", "tissue_density"):
        del given[name]
    found = build_features(**given)
    for name in ("nipple_distance_mm", "axis_to_nipple_deg", "chest_distance_mm", "depth_fraction"):
        assert np.isnan(found[name]).all()


def test_position_relative_to_the_nipple():
    rng = np.random.default_rng(0)
    points = np.column_stack([30 + np.arange(5.0), np.full(5, 20.0)])
    found = build_features(**make([1] * 5, points, rng))
    assert found["nipple_distance_mm"][0] == pytest.approx(math.hypot(2, 40))
    assert found["axis_deg"][0] == pytest.approx(90)
    assert found["axis_to_nipple_deg"][0] == pytest.approx(90 - math.degrees(math.atan2(2, 40)))
