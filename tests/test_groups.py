"""Groups and the rule of five in 1 cm²."""

from __future__ import annotations

import dataclasses
import logging
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from test_discs import discs_through_pairs

from mcdetect.clusters.rule import find_groups
from mcdetect.config import GroupConfig

RADIUS_MM = math.sqrt(100 / math.pi)
RULE = GroupConfig()


def polygon(n, radius_mm, centre=(80.0, 60.0), phase=0.2):
    angle = phase + np.arange(n) * 2 * np.pi / n
    return centre[0] + radius_mm * np.cos(angle), centre[1] + radius_mm * np.sin(angle)


def sets(groups):
    return {frozenset(np.flatnonzero(groups.label == k + 1).tolist()) for k in range(len(groups))}


def test_pentagon_decides_at_the_radius_of_one_square_centimetre():
    assert pytest.approx(5.6419, abs=1e-4) == RADIUS_MM
    for centre in ((0.0, 0.0), (80.0, 60.0), (-313.7, 222.2)):
        for phase in (0.0, 0.1, 1.0):
            inside = find_groups(*polygon(5, RADIUS_MM * (1 - 1e-6), centre, phase), RULE)
            exact = find_groups(*polygon(5, RADIUS_MM, centre, phase), RULE)
            outside = find_groups(*polygon(5, RADIUS_MM * (1 + 1e-6), centre, phase), GroupConfig(link_mm=10))
            assert inside.flagged.tolist() == [True]
            assert exact.flagged.tolist() == [True]
            assert outside.flagged.tolist() == [False]
            assert outside.max_in_window.tolist() == [3]  # any four vertices span an acute triangle
            assert inside.window_row_mm[0] == pytest.approx(centre[0], abs=0.02)


def test_link_distance_never_splits_a_full_disc():
    # Side 6.6 mm > link 5 mm: nothing is linked, yet one disc holds all five.
    row, col = polygon(5, RADIUS_MM * 0.999)
    groups = find_groups(row, col, RULE)
    assert groups.label.tolist() == [1] * 5
    assert groups.max_in_window.tolist() == [5]
    assert len(find_groups(row, col, GroupConfig(min_count=6))) == 0


def test_two_flagged_groups_stay_apart_when_a_disc_reaches_into_both():
    # Gap 6 mm > link 5 mm, and a disc of 11.3 mm holds members of both.
    row = np.tile([0.0, 1.0, 2.0, 3.0, 4.0], 2)
    col = np.repeat([0.0, 6.0], 5)
    groups = find_groups(row, col, RULE)
    assert groups.n_members.tolist() == [5, 5]
    assert groups.flagged.tolist() == [True, True]


def test_chain_longer_than_the_disc_is_one_group_but_not_flagged():
    row = np.arange(12) * 4.5
    groups = find_groups(row, np.zeros(12), RULE)
    assert groups.n_members.tolist() == [12]
    assert groups.max_in_window.tolist() == [3]
    assert groups.flagged.tolist() == [False]


def test_duplicates_count_separately():
    groups = find_groups([3.0] * 5, [4.0] * 5, RULE)
    assert groups.flagged.tolist() == [True]
    assert groups.max_in_window.tolist() == [5]


@pytest.mark.parametrize("n", [0, 1])
def test_none_and_one(n):
    groups = find_groups(np.zeros(n), np.zeros(n), RULE)
    assert len(groups) == 0
    assert groups.label.tolist() == [0] * n
    assert groups.label.dtype == np.int64
    assert groups.flagged.dtype == np.bool_
    assert groups.row_mm.shape == groups.max_col_mm.shape == (0,)


@pytest.mark.parametrize(
    ("row", "col"), [([0.0, np.nan], [0.0, 1.0]), ([0.0], [0.0, 1.0]), ([[0.0]], [[0.0]]), (1.0, 1.0)]
)
def test_bad_coordinates(row, col):
    with pytest.raises(ValueError, match="row_mm"):
        find_groups(row, col, RULE)


def test_numbering_centroid_and_box():
    rng = np.random.default_rng(0)
    small = np.column_stack([rng.uniform(0, 3, 4), rng.uniform(0, 3, 4)])
    large = np.column_stack([rng.uniform(50, 54, 9), rng.uniform(70, 74, 9)])
    points = np.concatenate([small, [[120.0, 5.0]], large])
    groups = find_groups(points[:, 0], points[:, 1], RULE)
    assert groups.label.tolist() == [2] * 4 + [0] + [1] * 9
    assert groups.n_members.tolist() == [9, 4]
    assert groups.flagged.tolist() == [True, False]
    np.testing.assert_allclose([groups.row_mm[0], groups.col_mm[0]], large.mean(axis=0))
    np.testing.assert_array_equal([groups.min_row_mm[1], groups.min_col_mm[1]], small.min(axis=0))
    np.testing.assert_array_equal([groups.max_row_mm[1], groups.max_col_mm[1]], small.max(axis=0))


def test_count_and_area_are_parameters():
    row, col = polygon(3, 2.0)
    assert not find_groups(row, col, RULE).flagged.any()
    assert find_groups(row, col, GroupConfig(min_count=3)).flagged.all()
    assert find_groups(row, col, GroupConfig(min_count=3, area_cm2=0.1257)).flagged.all()
    assert not find_groups(row, col, GroupConfig(min_count=3, area_cm2=0.125)).flagged.any()


coordinate = st.one_of(
    st.integers(0, 20).map(lambda value: value * 1.5),
    st.floats(0, 30, allow_nan=False).map(lambda value: round(value, 6)),
)
clouds = st.lists(st.tuples(coordinate, coordinate), min_size=2, max_size=16)
rules = st.builds(
    GroupConfig,
    min_count=st.integers(2, 6),
    area_cm2=st.sampled_from([0.25, 1.0]),
    link_mm=st.sampled_from([1.0, 3.1, 7.0]),
)


@given(clouds, rules)
@settings(max_examples=70)
def test_rule_equals_its_definition(points, rule):
    """Flagged sets are those that hold a full disc; every full disc holds a member of a flagged one."""
    points = np.array(points)
    radius = math.sqrt(100 * rule.area_cm2 / math.pi)
    groups = find_groups(points[:, 0], points[:, 1], rule)
    distance = cdist(discs_through_pairs(points, radius), points)
    for held in distance <= radius:
        if held.sum() >= rule.min_count:
            labels = [label for label in groups.label[held] if label > 0]
            assert any(groups.flagged[label - 1] for label in labels)
    for k in range(len(groups)):
        member = groups.label == k + 1
        assert groups.n_members[k] == member.sum() >= 2
        own = cdist(discs_through_pairs(points[member], radius), points[member])
        assert (own <= radius).sum(axis=1).max() <= groups.max_in_window[k]
        assert groups.max_in_window[k] <= (own <= radius * (1 + 3e-9)).sum(axis=1).max()
        assert groups.flagged[k] == (groups.max_in_window[k] >= rule.min_count)
    linked = cdist(points, points) <= rule.link_mm
    for i, j in zip(*np.nonzero(np.triu(linked, 1)), strict=True):
        assert groups.label[i] == groups.label[j] > 0


@given(clouds, rules, st.randoms(use_true_random=False), st.floats(0, 6.28), st.floats(-300, 300))
@settings(max_examples=70)
def test_order_and_rigid_motion_do_not_matter(points, rule, random, angle, shift):
    points = np.array(points)
    # Keep clear of ties that rounding would decide: those have their own tests.
    radius = math.sqrt(100 * rule.area_cm2 / math.pi)
    distance = np.concatenate(
        [cdist(points, points).ravel() / rule.link_mm, cdist(points, points).ravel() / (2 * radius)]
    )
    near = cdist(discs_through_pairs(points, radius), points).ravel() / radius
    if np.any(np.abs(distance - 1) < 1e-6) or np.any((np.abs(near - 1) < 1e-6) & (near > 1 + 1e-12)):
        return
    before = find_groups(points[:, 0], points[:, 1], rule)
    order = list(range(len(points)))
    random.shuffle(order)
    shuffled = find_groups(points[order, 0], points[order, 1], rule)
    np.testing.assert_array_equal(shuffled.label, before.label[order])
    np.testing.assert_array_equal(shuffled.max_in_window, before.max_in_window)
    np.testing.assert_array_equal(shuffled.window_row_mm, before.window_row_mm)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    for moved in (points @ turn.T + shift, points[:, ::-1], points * [1, -1] + [shift, 0]):
        after = find_groups(moved[:, 0], moved[:, 1], rule)
        assert sets(after) == sets(before)
        assert sorted(after.max_in_window.tolist()) == sorted(before.max_in_window.tolist())
        assert sorted(after.n_members.tolist()) == sorted(before.n_members.tolist())


@given(clouds, rules)
@settings(max_examples=40)
def test_the_window_holds_what_was_counted(points, rule):
    row, col = np.array(points).T
    groups = find_groups(row, col, rule)
    for k in range(len(groups)):
        member = groups.label == k + 1
        distance = np.hypot(row[member] - groups.window_row_mm[k], col[member] - groups.window_col_mm[k])
        assert (distance <= groups.window_radius_mm * (1 + 3e-9)).sum() == groups.max_in_window[k]


def test_thousands_of_points_are_grouped():
    rng = np.random.default_rng(1)
    row, col = rng.uniform(0, 200, 5000), rng.uniform(0, 80, 5000)
    groups = find_groups(row, col, RULE)
    assert groups.max_in_window[0] >= 50


def test_nothing_is_printed(capsys, caplog):
    with caplog.at_level(logging.DEBUG):
        find_groups(*polygon(5, 2.0), RULE)
    assert capsys.readouterr().out == ""
    assert "1 flagged" in caplog.text


def test_the_link_distance_itself_links():
    assert find_groups([0.0, 5.0], [0.0, 0.0], RULE).n_members.tolist() == [2]
    assert len(find_groups([0.0, 5.0 + 1e-6], [0.0, 0.0], RULE)) == 0


def test_one_group_has_a_centre_and_a_box():
    groups = find_groups([1.0, 2.0, 6.0], [4.0, 3.0, 2.0])  # the usual rule
    assert groups.row_mm.tolist() == [3.0]
    assert groups.col_mm.tolist() == [3.0]
    assert (groups.min_row_mm.tolist(), groups.max_row_mm.tolist()) == ([1.0], [6.0])
    assert (groups.min_col_mm.tolist(), groups.max_col_mm.tolist()) == ([2.0], [4.0])
    assert groups.flagged.tolist() == [False]


def test_of_groups_alike_in_the_disc_the_one_with_more_members_comes_first():
    row = np.concatenate([np.arange(3) * 4.5, 100.0 + np.arange(6) * 4.5])
    groups = find_groups(row, np.zeros(9), RULE)
    assert groups.max_in_window.tolist() == [3, 3]
    assert groups.n_members.tolist() == [6, 3]
    assert groups.label.tolist() == [2, 2, 2] + [1] * 6
    # and of those with as many, the one whose first member comes first
    groups = find_groups(row[[3, 4, 5, 0, 1, 2]], np.zeros(6), RULE)
    assert groups.label.tolist() == [2, 2, 2, 1, 1, 1]


def test_numbers_are_double_and_counts_whole():
    groups = find_groups(np.array([0, 1, 2], np.float32), np.array([0, 3, 0], np.float32), RULE)
    for name in ("row_mm", "col_mm", "min_row_mm", "max_col_mm", "window_row_mm"):
        assert getattr(groups, name).dtype == np.float64
    for name in ("label", "n_members", "max_in_window"):
        assert getattr(groups, name).dtype == np.int64


def test_what_is_wrong_with_coordinates_is_said(caplog):
    with pytest.raises(ValueError, match=r"^row_mm and col_mm must be finite$"):
        find_groups([0.0, np.inf], [0.0, 1.0], RULE)
    with caplog.at_level(logging.DEBUG):
        find_groups([0.0, 1.0, 90.0], [0.0, 0.0, 0.0], RULE)
    assert caplog.messages == ["3 points in 1 groups, 0 flagged"]


def test_groups_are_numbered_anew_with_all_that_is_theirs() -> None:
    rng = np.random.default_rng(3)
    places = np.concatenate([rng.normal(middle, 1.0, (6 + k, 2)) for k, middle in enumerate((10, 40, 70))])
    groups = find_groups(places[:, 0], places[:, 1])
    assert len(groups) == 3
    turned = groups.in_order(np.array([2, 0, 1]))
    assert turned.label.dtype == groups.label.dtype == np.int64
    assert turned.label.tolist() == [{0: 0, 1: 2, 2: 3, 3: 1}[k] for k in groups.label.tolist()]
    assert turned.window_radius_mm == groups.window_radius_mm
    for item in dataclasses.fields(groups):
        if item.name not in ("label", "window_radius_mm"):
            before, after = getattr(groups, item.name), getattr(turned, item.name)
            assert after.tolist() == [before[2], before[0], before[1]], item.name


def test_groups_of_some_points_join_those_of_others():
    row, col = np.concatenate([polygon(6, 2.0), polygon(5, 2.0, centre=(20.0, 20.0))], axis=1)
    one, two = np.arange(0, 11, 2), np.arange(1, 11, 2)
    first = find_groups(row[one], col[one], RULE).spread_over(one, 11)
    second = find_groups(row[two], col[two], RULE).spread_over(two, 11)
    assert set(np.flatnonzero(first.label)) <= set(one.tolist())
    both = first.joined(second)
    assert sets(both) == sets(first) | sets(second)
    assert len(both) == len(first) + len(second)
    assert both.n_members.tolist() == [np.count_nonzero(both.label == k + 1) for k in range(len(both))]
    for k in range(len(both)):
        members = both.label == k + 1
        assert both.row_mm[k] == pytest.approx(row[members].mean())
        assert both.max_col_mm[k] == col[members].max()
    assert both.window_radius_mm == first.window_radius_mm


def test_joining_with_nothing_changes_nothing():
    row, col = polygon(6, 2.0)
    found, none = find_groups(row, col, RULE), find_groups([], [], RULE).spread_over(np.zeros(0, np.int64), 6)
    for both in (found.joined(none), none.joined(found)):
        np.testing.assert_array_equal(both.label, found.label)
        np.testing.assert_array_equal(both.flagged, found.flagged)
