"""How calcifications are distributed: words, pose, and the geometry underneath."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from descriptor_groups import BREAST_MM2, drawn, turned
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import minimum_spanning_tree, shortest_path

from mcdetect.clusters.descriptors import (
    DISTRIBUTIONS,
    describe_distribution,
)
from mcdetect.clusters.descriptors.curves import find_curves
from mcdetect.clusters.descriptors.outline_shapes import measure_points, smallest_ellipse_area
from mcdetect.clusters.descriptors.spanning import longest_path
from mcdetect.kernels.strips import strip_directions
from mcdetect.phantom import group_positions_mm, vessel_walls_mm


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
@settings(max_examples=30)
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
