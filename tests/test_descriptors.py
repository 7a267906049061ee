"""Descriptors on drawn positions and measures: right words, sums, missing values, poses and speed."""

from __future__ import annotations

import dataclasses
import math
import time
import warnings

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import minimum_spanning_tree, shortest_path

from mcdetect.descriptors import (
    BENIGN_KINDS,
    DISTRIBUTIONS,
    MORPHOLOGIES,
    describe_clusters,
    describe_distribution,
)
from mcdetect.descriptors.curves import find_curves
from mcdetect.descriptors.morphology import FINE_PIXEL_MM
from mcdetect.descriptors.outline_shapes import measure_points, smallest_ellipse_area
from mcdetect.descriptors.smooth import falling, rising
from mcdetect.kernels.spanning import longest_path
from mcdetect.kernels.strips import strip_directions
from mcdetect.phantom import group_positions_mm, scattered_positions_mm, vessel_walls_mm
from mcdetect.schema import CALCIFICATIONS, CLUSTERS
from mcdetect.scoring import CONTRIBUTIONS, default_scorer

BREAST_MM2 = 12000.0


def turned(points: np.ndarray, angle: float) -> np.ndarray:
    cos, sin = math.cos(angle), math.sin(angle)
    return points @ np.array([[cos, -sin], [sin, cos]]).T


def aimed_at(angle: float) -> tuple[float, float]:
    """Nipple at which the apex of a drawn segment of this orientation points."""
    return 70 * math.sin(angle + math.pi), 70 * math.cos(angle + math.pi)


def drawn(kind: str, rng: np.random.Generator) -> tuple[np.ndarray, tuple[float, float]]:
    angle = rng.uniform(0, 2 * math.pi)
    if kind == "scattered":
        points = scattered_positions_mm(int(rng.integers(15, 40)), (110.0, 80.0), rng)
        return points, (40.0, 120.0)
    n, extent = {
        "round": (rng.integers(6, 25), rng.uniform(5, 15)),
        "linear": (rng.integers(6, 20), rng.uniform(10, 25)),
        "segmental": (rng.integers(14, 45), rng.uniform(18, 45)),
    }[kind]
    nipple = aimed_at(angle if kind == "segmental" else rng.uniform(0, 2 * math.pi))
    return group_positions_mm(int(n), extent, kind, rng, orientation=angle, min_distance_mm=0.3), nipple


def measures(n: int, rng: np.random.Generator, **given: float) -> dict[str, np.ndarray]:
    usual = {
        "diameter_mm": 0.3,
        "eccentricity": 0.4,
        "orientation_deg": 0.0,
        "circularity": 0.98,
        "contrast": 30.0,
        "snr": 15.0,
        "skin_distance_mm": 30.0,
    }
    return {name: np.full(n, value) for name, value in (usual | given).items()}


def one_group(n: int, **given: float):
    rng = np.random.default_rng(n)
    points = group_positions_mm(n, 8.0, "round", rng, min_distance_mm=0.3)
    return describe_clusters(np.ones(n, int), *points.T, measures(n, rng, **given), 0.07).clusters[0]


# ---------------------------------------------------------------- distribution


@pytest.mark.parametrize("nipple_known", [True, False])
def test_distribution_of_drawn_groups_is_right(nipple_known: bool) -> None:
    rng = np.random.default_rng(20)
    right = {"round": ["grouped"], "linear": ["linear"], "segmental": ["segmental"]}
    right["scattered"] = ["diffuse", "regional"]
    hits = []
    for kind, words in right.items():
        named = []
        for _ in range(60):
            points, nipple = drawn(kind, rng)
            found = describe_distribution(
                *points.T, nipple_mm=nipple if nipple_known else None, breast_area_mm2=BREAST_MM2
            )
            named.append(found.best in words)
        assert np.mean(named) >= (0.85 if nipple_known else 0.75), kind
        hits += named
    assert np.mean(hits) >= 0.90


def test_a_region_of_three_centimetres_is_regional_and_a_breast_full_diffuse() -> None:
    rng = np.random.default_rng(3)
    points = group_positions_mm(45, 38.0, "regional", rng)
    found = describe_distribution(*points.T, breast_area_mm2=BREAST_MM2)
    assert found.best == "regional"
    assert found.breast_share == pytest.approx(found.shape.area_mm2 / BREAST_MM2)
    assert describe_distribution(*points.T, breast_area_mm2=1200.0).best == "diffuse"


@given(st.integers(1, 40), st.integers(0, 10**6), st.floats(0, 6.28), st.booleans())
@settings(max_examples=30, deadline=None)
def test_memberships_sum_to_one_and_do_not_depend_on_the_pose(
    n: int, seed: int, angle: float, flip: bool
) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(0, [3.0, 6.0], (n, 2))
    nipple = np.array([40.0, 15.0])
    first = describe_distribution(*points.T, nipple_mm=tuple(nipple))
    sums = [sum(getattr(first, name) for name in DISTRIBUTIONS)]
    other = points[::-1] * ([-1, 1] if flip else [1, 1])
    moved = turned(other, angle) + np.array([120.0, 30.0])
    target = turned(nipple[None] * ([-1, 1] if flip else [1, 1]), angle)[0] + np.array([120.0, 30.0])
    second = describe_distribution(*moved.T, nipple_mm=tuple(target))
    sums.append(sum(getattr(second, name) for name in DISTRIBUTIONS))
    assert sums == pytest.approx([1.0, 1.0])
    for name in ("diffuse", "regional", "grouped", "linear"):
        assert getattr(second, name) == pytest.approx(getattr(first, name), abs=0.12), name


def test_two_tight_groups_are_no_line() -> None:
    rng = np.random.default_rng(1)
    points = np.concatenate([rng.normal(0, 0.7, (8, 2)), rng.normal(0, 0.7, (8, 2)) + np.array([0, 14])])
    assert describe_distribution(*points.T).best == "grouped"


# ---------------------------------------------------------------- geometry


def test_smallest_ellipse() -> None:
    triangle = np.array([[0.0, 0.0], [3.0, 0.0], [1.0, 2.0]])
    assert smallest_ellipse_area(triangle) == pytest.approx(3.0 * 4 * math.pi / (3 * math.sqrt(3)), rel=0.02)
    angle = np.linspace(0, 2 * math.pi, 60, endpoint=False)
    ellipse = np.stack([4 * np.sin(angle), np.cos(angle)], axis=1)
    assert smallest_ellipse_area(ellipse) == pytest.approx(4 * math.pi, rel=0.02)
    assert smallest_ellipse_area(np.array([[0.0, 0], [1, 1], [2, 2]])) == 0.0


@pytest.mark.parametrize("seed", range(4))
def test_smallest_ellipse_against_plain_search(seed: int) -> None:
    """Slow and sure: the smallest circle over all affine squeezes of the points."""
    points = np.random.default_rng(seed).normal(0, 1, (12, 2))
    best = math.inf
    for ratio in np.geomspace(0.2, 5, 60):
        for angle in np.linspace(0, math.pi, 60, endpoint=False):
            squeezed = turned(points, angle) * [1, ratio]
            radius = cv2.minEnclosingCircle(squeezed.astype(np.float32))[1]
            best = min(best, math.pi * radius**2 / ratio)
    assert smallest_ellipse_area(points) == pytest.approx(best, rel=0.03)


def test_wedge_measures_of_a_filled_triangle() -> None:
    rng = np.random.default_rng(0)
    depth = np.sqrt(rng.uniform(0, 1, 400))
    points = np.stack([rng.uniform(-0.5, 0.5, 400) * depth * 15, depth * 30], axis=1)
    shape = measure_points(points, (0.0, -50.0))
    assert shape.wedge_ratio > 1.8
    assert shape.wedge_opening_deg == pytest.approx(28.0, abs=5)
    assert shape.wedge_length_mm == pytest.approx(30.0, abs=3)
    assert shape.wedge_aim_deg < 5
    assert shape.extent_mm == pytest.approx(30.9, abs=1)


def test_curves_follow_an_artery_and_leave_others_out() -> None:
    rng = np.random.default_rng(5)
    walls, direction = vessel_walls_mm(35.0, 1.2, rng, heading=0.4)
    others = rng.uniform(-25, 25, (12, 2))
    away = np.hypot(*(others[:, None] - walls[None]).transpose(2, 0, 1)).min(axis=1) > 3.0
    points = np.concatenate([walls, others[away]])
    curves = find_curves(*points.T)
    longest = int(np.argmax(curves.length_mm)) + 1
    assert np.mean(curves.label[: len(walls)] == longest) > 0.9
    assert curves.length_mm[longest - 1] == pytest.approx(35.0, rel=0.1)
    chosen = np.flatnonzero(curves.label[: len(walls)] == longest)
    turn = np.radians(curves.direction_deg[chosen]) + direction[chosen]  # rows run downwards
    assert np.mean(np.cos(2 * turn)) > 0.95
    assert np.sqrt(np.mean(curves.offset_mm[chosen] ** 2)) == pytest.approx(0.6, abs=0.12)


def plain_path_length(points: np.ndarray) -> float:
    """Longest path of SciPy's spanning tree, by all distances along it."""
    away = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    return float(shortest_path(minimum_spanning_tree(away), directed=False).max())


@pytest.mark.parametrize("n", [1, 2, 3, 10, 80])
def test_longest_path_equals_scipy(n: int) -> None:
    points = np.random.default_rng(n).normal(0, 5, (n, 2))
    path = longest_path(points)
    length = np.hypot(*np.diff(points[path], axis=0).T).sum()
    assert len(set(path.tolist())) == path.size
    assert length == pytest.approx(plain_path_length(points), abs=1e-9)


def plain_directions(
    points: np.ndarray, reach: float, half: float, bend: float, directions: int
) -> np.ndarray:
    out = []
    for here in points:
        step = points - here
        near = (np.hypot(*step.T) <= reach) & (step != 0).any(axis=1)
        sums = []
        for k in range(directions):
            angle = math.pi * k / directions - math.pi / 2
            along = step[near, 1] * math.cos(angle) - step[near, 0] * math.sin(angle)
            across = step[near, 1] * math.sin(angle) + step[near, 0] * math.cos(angle)
            wide = along**2 / (2 * bend)
            weight = np.exp(-0.5 * (across / (0.7 * half + 0.5 * wide)) ** 2) * (
                np.abs(across) <= half + wide
            )
            place = np.floor(along + reach + 0.5).astype(int)
            sums.append(sum(weight[place == b].max() for b in np.unique(place)))
        out.append(math.pi * int(np.argmax(sums)) / directions - math.pi / 2)
    return np.array(out)


def test_strip_directions_equal_a_plain_search() -> None:
    points = np.random.default_rng(7).uniform(0, 25, (60, 2))
    found = strip_directions(points, 8.0, 1.2, 25.0, 36)
    np.testing.assert_allclose(found, plain_directions(points, 8.0, 1.2, 25.0, 36))


# ---------------------------------------------------------------- morphology and benign kinds


@pytest.mark.parametrize(
    ("word", "given"),
    [
        ("punctate", {}),
        ("coarse", {"diameter_mm": 1.5, "circularity": 0.9}),
        ("rod", {"diameter_mm": 1.2, "eccentricity": 0.96, "circularity": 0.6}),
        ("fine_linear", {"diameter_mm": 0.4, "eccentricity": 0.97, "circularity": 0.6}),
        ("coarse_heterogeneous", {"diameter_mm": 0.7, "eccentricity": 0.75, "circularity": 0.85}),
        ("fine_pleomorphic", {"diameter_mm": 0.3, "eccentricity": 0.75, "circularity": 0.85}),
        ("amorphous", {"diameter_mm": 0.2, "snr": 3.5}),
        ("amorphous", {"diameter_mm": 0.3, "edge_sharpness_per_mm": 0.5}),
        ("unknown", {"diameter_mm": math.nan}),
    ],
)
def test_morphology_of_plain_members(word: str, given: dict[str, float]) -> None:
    found = one_group(12, **given).morphology
    assert found.best == word
    assert getattr(found, word) > 0.55
    assert sum(getattr(found, name) for name in MORPHOLOGIES) == pytest.approx(1.0)


def test_pixels_that_do_not_carry_form_leave_it_unknown() -> None:
    rng = np.random.default_rng(0)
    label, points = np.ones(9, int), rng.uniform(0, 8, (9, 2))
    fine, coarse = measures(9, rng), measures(9, rng, diameter_mm=1.5)

    def word(given: dict[str, np.ndarray], pixel_mm: float) -> str:
        return describe_clusters(label, *points.T, given, pixel_mm).clusters[0].morphology.best

    assert [word(fine, p) for p in (0.05, 0.1, 0.15, 0.2)] == ["punctate", "punctate", "unknown", "unknown"]
    assert [word(coarse, p) for p in (0.05, 0.2, 0.4)] == ["coarse", "coarse", "unknown"]
    assert FINE_PIXEL_MM[0] > 0.1


def test_axes_are_used_when_they_are_measured() -> None:
    assert one_group(8, major_axis_mm=1.0, minor_axis_mm=0.2).morphology.best == "fine_linear"


def test_benign_kinds_are_named_and_can_be_told_apart() -> None:
    assert one_group(8).benign.best == ""
    assert one_group(8, skin_distance_mm=1.8).benign.best == "skin"
    assert one_group(8, diameter_mm=1.2, eccentricity=0.96).benign.best == "rod"
    assert one_group(8, diameter_mm=1.6, rim_ratio=0.9).benign.best == "coarse"
    ring = one_group(8, diameter_mm=1.2, rim_ratio=1.5)
    assert ring.benign.rim > 0.8


def test_casting_needs_fine_linear_members_in_a_duct() -> None:
    rng = np.random.default_rng(2)
    line = group_positions_mm(14, 22.0, "linear", rng, orientation=0.3)
    dots = measures(14, rng)
    casts = measures(14, rng, diameter_mm=0.4, eccentricity=0.97, circularity=0.6)
    casts["line"] = np.full(14, 0.08)  # as on drawn ones: a short cast ends
    casts["orientation_deg"] = rng.normal(-17, 30, 14)  # branching: not all along the duct
    label = np.ones(14, int)
    cast = describe_clusters(label, *line.T, casts, 0.07).clusters[0]
    assert cast.casting > 0.5
    assert describe_clusters(label, *line.T, dots, 0.07).clusters[0].casting < 0.05
    assert one_group(14, diameter_mm=0.4, eccentricity=0.97).casting < 0.3


@pytest.mark.parametrize("line", [0.45, math.nan])
def test_an_artery_in_several_groups_is_vascular(line: float) -> None:
    rng = np.random.default_rng(11)
    named, others = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        walls, direction = vessel_walls_mm(50.0, 1.3, rng)
        tight = group_positions_mm(10, 6.0, "round", rng) + walls.max(axis=0) + 15.0
        points = np.concatenate([walls, tight])
        n = len(walls)
        # The artery comes as three groups, as when its calcifications have gaps.
        along = (walls - walls.mean(axis=0)) @ [math.sin(direction[n // 2]), math.cos(direction[n // 2])]
        parts = np.digitize(along, np.quantile(along, [1 / 3, 2 / 3])) + 1
        given = measures(len(points), rng, eccentricity=0.8)
        given["orientation_deg"] = np.concatenate([-np.degrees(direction), rng.uniform(-90, 90, 10)])
        given["orientation_deg"] += rng.normal(0, 15, len(points))
        given["line"] = np.concatenate([np.full(n, line), np.full(10, 0.05)])
        found = describe_clusters(np.concatenate([parts, np.full(10, 4)]), *points.T, given, 0.07)
        named += [c.benign.best == "vascular" for c in found.clusters[:3]]
        others.append(found.clusters[3].benign.best == "vascular")
    assert np.mean(named) >= 0.9
    assert not any(others)


def test_heterogeneous_groups_stand_out_from_uniform_ones() -> None:
    rng = np.random.default_rng(8)
    index: dict[bool, list[float]] = {True: [], False: []}
    for mixed in index:
        for _ in range(30):
            n = int(rng.integers(6, 20))
            given = measures(n, rng)
            noise = rng.normal(0, 0.1, (3, n))  # of the measurement, as phantoms show it
            spread = rng.normal(0, 0.3, (3, n)) if mixed else np.zeros((3, n))
            given["diameter_mm"] = 0.33 * np.exp(noise[0] + spread[0])
            given["eccentricity"] = np.sqrt(1 - np.exp(-2 * np.abs(0.1 + noise[1] + spread[1])))
            given["contrast"] = 30 * np.exp(noise[2] + spread[2])
            points = rng.uniform(0, 8, (n, 2))
            found = describe_clusters(np.ones(n, int), *points.T, given, 0.07)
            index[mixed].append(found.clusters[0].morphology.heterogeneity)
    low, high = np.array(index[False]), np.array(index[True])
    area = (high[:, None] > low[None]).mean()
    assert area >= 0.95


# ---------------------------------------------------------------- regions and context


def test_foci_of_one_region_and_its_place() -> None:
    rng = np.random.default_rng(4)
    spots = [group_positions_mm(8, 6.0, "round", rng) + centre for centre in ((40, 30), (40, 52), (90, 30))]
    points, label = np.concatenate(spots), np.repeat([1, 2, 3], 8)
    given = measures(24, rng) | {"chest_distance_mm": points[:, 1], "skin_distance_mm": 100 - points[:, 1]}
    found = describe_clusters(label, *points.T, given, 0.07, nipple_mm=(40.0, 90.0)).clusters
    assert [c.extent.region_id for c in found] == [1, 1, 2]
    assert [c.extent.n_foci for c in found] == [2, 2, 1]
    both = points[:16]
    extent = found[0].extent
    assert extent.extent_mm == pytest.approx(
        np.hypot(*(both[:, None] - both[None]).transpose(2, 0, 1)).max(), rel=1e-4
    )
    assert extent.nipple_mm == pytest.approx(np.hypot(*(both - [40, 90]).T).min())
    assert extent.skin_mm == pytest.approx((100 - both[:, 1]).min())
    assert extent.chest_mm == pytest.approx(both[:, 1].min())
    assert [c.distribution.best for c in found] == ["grouped"] * 3


def test_a_segment_cut_into_groups_is_one_segment() -> None:
    rng = np.random.default_rng(6)
    points = group_positions_mm(44, 36.0, "segmental", rng, orientation=0.0)
    label = np.digitize(points[:, 1], [2.0, 9.0]) + 1
    found = describe_clusters(label, *points.T, measures(44, rng), 0.07, nipple_mm=(0.0, -70.0)).clusters
    assert [c.distribution.best for c in found] == ["segmental"] * 3


def test_a_denser_place_among_many_is_diffuse_and_a_tight_group_is_not() -> None:
    rng = np.random.default_rng(9)
    many = rng.uniform(0, 100, (160, 2))
    label = np.zeros(160, int)
    label[np.argsort(np.hypot(*(many - 50).T))[:6]] = 1
    found = describe_clusters(label, *many.T, measures(160, rng), 0.07, breast_area_mm2=BREAST_MM2)
    assert found.clusters[0].distribution.best == "diffuse"
    assert found.scatter is not None
    assert found.scatter.best == "diffuse"
    tight = np.concatenate([many, group_positions_mm(15, 6.0, "round", rng) + 50.0])
    label = np.concatenate([np.zeros(160, int), np.ones(15, int)])
    found = describe_clusters(label, *tight.T, measures(175, rng), 0.07, breast_area_mm2=BREAST_MM2)
    assert found.clusters[0].distribution.best == "grouped"


# ---------------------------------------------------------------- every size, missing values, errors, speed


@given(
    n=st.integers(1, 60),
    seed=st.integers(0, 10**6),
    scale=st.sampled_from([0.0, 1e-6, 0.5, 5.0, 60.0]),
    missing=st.floats(0, 1),
    pixel_mm=st.sampled_from([0.03, 0.07, 0.2]),
)
@settings(max_examples=40, deadline=None)
def test_every_group_gets_finite_words(
    n: int, seed: int, scale: float, missing: float, pixel_mm: float
) -> None:
    check_finite(n, seed, scale, missing, pixel_mm)


@pytest.mark.parametrize(("n", "scale"), [(200, 3.0), (500, 8.0), (500, 0.0)])
def test_large_groups_get_finite_words(n: int, scale: float) -> None:
    check_finite(n, n, scale, 0.1, 0.07)


def check_finite(n: int, seed: int, scale: float, missing: float, pixel_mm: float) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(50, scale, (n, 2)) if scale else np.full((n, 2), 50.0)
    given = {c.name: rng.uniform(0, 1.5, n) for c in CALCIFICATIONS if c.dtype == "float64"}
    for values in given.values():
        values[rng.random(n) < missing] = math.nan
    label = np.ones(n, int)
    label[rng.random(n) < 0.2] = 0
    label[0] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = describe_clusters(label, *points.T, given, pixel_mm, nipple_mm=(10.0, 10.0))
        columns = found.columns()
        scored = default_scorer().score(columns | {"density_per_cm2": [math.nan]})
    kinds = [f"distribution_{n}" for n in DISTRIBUTIONS] + [f"morphology_{n}" for n in MORPHOLOGIES]
    for name in [*kinds, *(f"benign_{n}" for n in BENIGN_KINDS), "casting_type"]:
        assert 0.0 <= columns[name][0] <= 1.0, name
    assert sum(columns[f"distribution_{n}"][0] for n in DISTRIBUTIONS) == pytest.approx(1.0)
    assert sum(columns[f"morphology_{n}"][0] for n in MORPHOLOGIES) == pytest.approx(1.0)
    for name, values in columns.items():
        if isinstance(values, np.ndarray):
            assert not np.isinf(values).any(), name
    assert scored.notna().all(axis=None)
    assert 0.0 <= scored["suspicion"].iloc[0] <= 100.0


def test_no_group_and_no_measure() -> None:
    empty = describe_clusters([], [], [], {}, 0.07)
    assert empty.clusters == ()
    assert empty.scatter is None
    bare = describe_clusters([1] * 6, [0, 1, 2, 3, 4, 5], [0, 1, 0, 1, 0, 1], {}, 0.07).clusters[0]
    assert bare.morphology.best == "unknown"
    assert math.isnan(bare.morphology.heterogeneity)


def test_columns_are_those_of_the_schema() -> None:
    columns = describe_clusters([1, 1], [0.0, 1.0], [0.0, 1.0], {}, 0.07).columns()
    in_schema = [c.name for c in CLUSTERS]
    start = in_schema.index("distribution")
    expected = set(in_schema[start:])
    assert set(columns) | {"suspicion"} | {f"suspicion_{n}" for n in CONTRIBUTIONS} == expected


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"label": [1, 3]}, "without gaps"),
        ({"row_mm": [0.0]}, "one length"),
        ({"row_mm": [0.0, math.nan]}, "finite"),
        ({"pixel_mm": 0.0}, "pixel_mm"),
        ({"flagged": [True, False]}, "flagged"),
        ({"measures": {"snr": [1.0]}}, "snr"),
    ],
)
def test_wrong_arguments(change: dict, words: str) -> None:
    usual = {"label": [1, 1], "row_mm": [0.0, 1.0], "col_mm": [0.0, 1.0], "measures": {}, "pixel_mm": 0.07}
    with pytest.raises(ValueError, match=words):
        describe_clusters(**(usual | change))


def test_results_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        one_group(5).casting = 1.0  # type: ignore[misc]


def test_steps_are_smooth_and_bounded() -> None:
    values = np.array([-1e9, 1.0, 1.5, 2.0, 1e9, math.nan])
    np.testing.assert_allclose(rising(values, 1.0, 2.0), [0, 0.1, 0.5, 0.9, 1, math.nan], atol=1e-9)
    np.testing.assert_allclose(falling(values, 1.0, 2.0), [1, 0.9, 0.5, 0.1, 0, math.nan], atol=1e-9)


def test_five_hundred_calcifications_in_twenty_groups_are_quick() -> None:
    rng = np.random.default_rng(0)
    centres = rng.uniform(0, 150, (20, 2))
    label = np.repeat(np.arange(1, 21), 25)
    points = centres[label - 1] + rng.normal(0, 3, (500, 2))
    given = measures(500, rng)
    describe_clusters(label, *points.T, given, 0.07)
    best = math.inf
    for _ in range(3):
        start = time.process_time()
        describe_clusters(label, *points.T, given, 0.07)
        best = min(best, time.process_time() - start)
    assert best < 0.3
