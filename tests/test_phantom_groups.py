"""Groups keep their extent and distances; scattered positions never form a group."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from mcdetect.phantom import GroupKind, group_positions_mm, max_points_in_disc, scattered_positions_mm

RADIUS_MM = 10 * math.sqrt(1 / math.pi)


def most_in_disc_by_brute_force(points, radius, step=0.2):
    """Try a disc at every point of a fine grid."""
    low, high = points.min(0) - radius, points.max(0) + radius
    row, col = np.arange(low[0], high[0], step), np.arange(low[1], high[1], step)
    count = np.zeros((row.size, col.size), int)
    for y, x in points:
        count += (row[:, None] - y) ** 2 + (col[None, :] - x) ** 2 <= radius**2
    return int(count.max())


@pytest.mark.parametrize("kind", list(GroupKind))
@pytest.mark.parametrize("n", [1, 5, 20])
def test_members_keep_their_distance_and_extent(kind, n):
    for seed in range(10):
        points = group_positions_mm(n, 12.0, kind, np.random.default_rng(seed), min_distance_mm=0.6)
        assert points.shape == (n, 2)
        if n > 1:
            distances = pdist(points)
            assert distances.min() >= 0.6
            assert distances.max() <= 1.3 * 12.0


def test_a_line_is_long_and_a_disc_is_round():
    def elongation(kind):
        values = []
        for seed in range(20):
            points = group_positions_mm(15, 12.0, kind, np.random.default_rng(seed))
            variances = np.linalg.eigvalsh(np.cov(points.T))
            values.append(math.sqrt(variances[1] / variances[0]))
        return np.median(values)

    assert elongation("linear") > 3
    assert elongation("round") < 2


def test_orientation_of_a_line():
    points = group_positions_mm(25, 15.0, "linear", np.random.default_rng(4), orientation=math.pi / 2)
    assert np.ptp(points[:, 0]) > 2 * np.ptp(points[:, 1])


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 25))
def test_most_in_disc_equals_brute_force(seed, n):
    points = np.random.default_rng(seed).uniform(0, 25, (n, 2))
    exact = max_points_in_disc(points, RADIUS_MM)
    # A grid of centres can only miss, and by no more than a slightly larger disc would find.
    assert most_in_disc_by_brute_force(points, RADIUS_MM, 0.25) <= exact
    assert exact <= most_in_disc_by_brute_force(points, RADIUS_MM + 0.2, 0.25)


def test_most_in_disc_of_few_points():
    assert max_points_in_disc(np.empty((0, 2)), 1.0) == 0
    assert max_points_in_disc([[3.0, 4.0]], 1.0) == 1
    assert max_points_in_disc([[0.0, 0.0], [0.0, 2.0]], 1.0) == 2
    assert max_points_in_disc([[0.0, 0.0], [0.0, 2.001]], 1.0) == 1
    assert max_points_in_disc([[1.0, 1.0]] * 4, 1.0) == 4


@pytest.mark.parametrize("most", [1, 2, 4])
def test_scattered_positions_never_form_a_group(most):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        points = scattered_positions_mm(24, (110.0, 80.0), rng, max_in_disc=most)
        assert points.shape == (24, 2)
        assert most_in_disc_by_brute_force(points, RADIUS_MM) <= most
        assert pdist(points).min() >= 1.0


def test_scattered_positions_are_not_needlessly_sparse():
    points = scattered_positions_mm(40, (60.0, 60.0), np.random.default_rng(0), max_in_disc=4)
    assert max_points_in_disc(points, RADIUS_MM) >= 3


def test_scattered_positions_respect_region_and_others():
    rng = np.random.default_rng(1)
    fixed = np.array([[20.0, 20.0], [21.0, 22.0]])
    points = scattered_positions_mm(
        10, (60.0, 60.0), rng, max_in_disc=2, inside=lambda row, col: col < 40, keep_clear_mm=fixed
    )
    assert (points[:, 1] < 40).all()
    assert max_points_in_disc(np.concatenate([points, fixed]), RADIUS_MM) <= 2


def test_what_does_not_fit_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="do not fit"):
        scattered_positions_mm(30, (12.0, 12.0), rng)
    with pytest.raises(ValueError, match="do not fit"):
        group_positions_mm(60, 3.0, "round", rng)
    with pytest.raises(ValueError, match="at least 1"):
        group_positions_mm(0, 3.0, "round", rng)
    with pytest.raises(ValueError, match="not a valid GroupKind"):
        group_positions_mm(5, 3.0, "square", rng)
    with pytest.raises(ValueError, match="max_in_disc"):
        scattered_positions_mm(3, (50.0, 50.0), rng, max_in_disc=0)
