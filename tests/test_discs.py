"""The disc count and the proximity graph against plain twins."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist

from mcdetect.clusters.rule import link_components
from mcdetect.kernels.discs import join_full_discs, most_in_disc

SLACK = 1e-9


def discs_through_pairs(points, radius):
    """Centres of all discs of a radius with two points on the boundary, and of those centred on points.

    A disc with at least two distinct points can be shifted onto one of the former without losing
    any; one that holds points of one place only is as good as the disc centred there.
    """
    centres = [tuple(p) for p in points]
    for (r0, c0), (r1, c1) in itertools.combinations(points, 2):
        d_row, d_col = r1 - r0, c1 - c0
        apart = math.hypot(d_row, d_col)
        if 0 < apart <= 2 * radius:
            height = math.sqrt(max(0.0, radius**2 - apart**2 / 4)) / apart
            middle = ((r0 + r1) / 2, (c0 + c1) / 2)
            centres.append((middle[0] - height * d_col, middle[1] + height * d_row))
            centres.append((middle[0] + height * d_col, middle[1] - height * d_row))
    return np.array(centres)


def most_in_disc_twin(points, radius, slack):
    """Most points in one disc by trying every disc through a pair; tolerant by `slack` (relative)."""
    centres = discs_through_pairs(points, radius)
    return int((cdist(centres, points) <= radius * (1 + slack)).sum(axis=1).max())


def ordered(points):
    points = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    return points[np.lexsort((points[:, 1], points[:, 0]))]


def count(points, radius):
    points = ordered(points)
    offset = np.array([0, len(points)])
    most, row, col = most_in_disc(points[:, 0].copy(), points[:, 1].copy(), offset, radius)
    inside = np.hypot(points[:, 0] - row[0], points[:, 1] - col[0]) <= radius * (1 + SLACK)
    assert inside.sum() >= most[0], "the disc returned does not hold the points counted"
    return int(most[0])


lattice = st.integers(-6, 6).map(lambda value: value * 0.5)  # collinear, cocircular and equal points
free = st.floats(-4, 4, allow_nan=False).map(lambda value: round(value, 6))
clouds = st.one_of(
    st.lists(st.tuples(lattice, lattice), min_size=1, max_size=14),
    st.lists(st.tuples(free, free), min_size=1, max_size=14),
)
radii = st.sampled_from([0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.5])


@given(clouds, radii)
@settings(max_examples=120)
def test_most_in_disc_equals_brute_force(points, radius):
    # The kernel gets the radius with the tolerance of the rule; the twin brackets it.
    found = count(points, radius * (1 + SLACK))
    assert most_in_disc_twin(points, radius, 1e-12) <= found
    assert found <= most_in_disc_twin(points, radius * (1 + SLACK), 1e-11)


@pytest.mark.parametrize("n", [2, 3, 5, 12])
@pytest.mark.parametrize("phase", [0.0, 0.3, 1.7])
def test_cocircular_points_all_count(n, phase):
    angle = phase + np.arange(n) * 2 * np.pi / n
    for centre in (0.0, 173.25):
        points = centre + 5.0 * np.column_stack([np.cos(angle), np.sin(angle)])
        assert count(points, 5.0 * (1 + SLACK)) == n
        smaller = 5.0 * (1 - 1e-6)
        assert count(points, smaller) == most_in_disc_twin(points, smaller, 1e-12) < n


def test_points_of_one_place_count_separately():
    assert count([(1, 1)] * 7, 0.5) == 7
    assert count([(1, 1)] * 7 + [(1, 2.1)], 0.5) == 7
    assert count([(1, 1)] * 7 + [(1, 2.0)] * 2, 0.5 * (1 + SLACK)) == 9


def test_groups_are_counted_apart():
    rng = np.random.default_rng(4)
    parts = [ordered(rng.uniform(0, 6, (size, 2))) for size in (2, 40, 1, 9)]
    points = np.concatenate(parts)
    offset = np.cumsum([0] + [len(part) for part in parts])
    most, _, _ = most_in_disc(points[:, 0].copy(), points[:, 1].copy(), offset, 1.3)
    assert most.tolist() == [most_in_disc_twin(part, 1.3, 1e-12) for part in parts]


def test_many_points_in_one_disc_prune_correctly():
    rng = np.random.default_rng(5)
    points = np.concatenate([rng.normal(0, 0.4, (60, 2)), rng.normal(3, 0.4, (61, 2))])
    for radius in (0.1, 0.3, 0.7, 2.5):
        assert count(points, radius) == most_in_disc_twin(points, radius, 1e-12)


def partition(parent):
    roots = []
    for i in range(len(parent)):
        while parent[i] != i:
            i = parent[i]
        roots.append(int(i))
    return roots


def same_partition(one, two):
    return len(set(zip(one, two, strict=True))) == len(set(one)) == len(set(two))


@given(clouds, st.sampled_from([0.3, 0.7, 1.1, 2.3]))
@settings(max_examples=60)
def test_links_equal_the_sparse_graph(points, link):
    points = ordered(points)
    near = cdist(points, points) <= link
    twin = connected_components(coo_array(near), directed=False)[1]
    found = partition(link_components(points[:, 0].copy(), points[:, 1].copy(), link))
    assert same_partition(found, twin.tolist())


@given(clouds, st.sampled_from([0.6, 0.9, 1.4]), st.integers(2, 6))
@settings(max_examples=120)
def test_full_discs_join_equals_brute_force(points, radius, min_count):
    points = ordered(points)

    def twin(slack):
        centres = discs_through_pairs(points, radius)
        inside = cdist(centres, points) <= radius * (1 + slack)
        near = cdist(points, points) <= 0.1
        for held in inside[inside.sum(axis=1) >= min_count]:
            near |= np.outer(held, held)
        return connected_components(coo_array(near), directed=False)[1].tolist()

    row, col = points[:, 0].copy(), points[:, 1].copy()
    parent = link_components(row, col, 0.1)
    join_full_discs(row, col, radius * (1 + SLACK), min_count, parent)
    low, high = twin(1e-12), twin(SLACK + 1e-11)
    if same_partition(low, high):  # else a point lies within the tolerance of a boundary
        assert same_partition(partition(parent), low)


def test_the_limit_of_a_link_is_exact() -> None:
    """Apart by the link itself is joined, apart by a little more than rounding is not."""
    for share, joined in ((1.0, True), (1.0 + 4e-10, False), (1.0 - 4e-10, True)):
        for row, col in ((0.0, share), (share, 0.0), (0.6 * share, 0.8 * share)):
            found = link_components(np.array([2.0, 2.0 + row]), np.array([3.0, 3.0 + col]), 1.0)
            assert found.tolist() == ([0, 0] if joined else [0, 1]), (row, col)
