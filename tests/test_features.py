"""Features of groups against SciPy, OpenCV, pandas and brute force."""

from __future__ import annotations

import math
from collections import Counter

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull
from scipy.spatial.distance import cdist, pdist
from scipy.stats import entropy

from mcdetect.clusters.features import build_features, cluster_features, group_spread
from mcdetect.schema import CLUSTERS, SHAPE_MEASURES

NAMES = [column.name for column in CLUSTERS]
NAMES = NAMES[NAMES.index("hull_area_mm2") : NAMES.index("vascular_length_mm")]


def make(label, rng, **changes):
    label = np.asarray(label)
    n, groups = label.size, int(label.max(initial=0))
    given = {
        "label": label,
        "row_mm": rng.uniform(0, 20, n),
        "col_mm": rng.uniform(0, 20, n),
        "measures": {name: rng.uniform(0.1, 1.0, n) for name in SHAPE_MEASURES},
        "skin_distance_mm": rng.uniform(5, 30, groups),
        "in_pectoral": rng.random(n) < 0.4,
    }
    return given | changes


@pytest.mark.parametrize("n", [3, 5, 25, 400])
def test_geometry_equals_scipy_and_opencv(n):
    rng = np.random.default_rng(n)
    points = rng.normal([100, 40], [2, 5], (n, 2))
    found = cluster_features(points[:, 0], points[:, 1])
    hull = ConvexHull(points)
    assert found["hull_area_mm2"] == pytest.approx(hull.volume)
    assert found["extent_mm"] == pytest.approx(pdist(points).max())
    grown = hull.volume + 0.5 * hull.area + math.pi / 4
    assert found["density_per_cm2"] == pytest.approx(100 * n / grown)
    sides = cv2.minAreaRect((points - points.mean(axis=0)).astype(np.float32))[1]
    assert found["hull_elongation"] == pytest.approx(max(sides) / min(sides), rel=1e-4)


def test_density_area_is_the_hull_grown_by_half_a_millimetre():
    points = np.array([[0.0, 0.0], [3.0, 1.0], [1.0, 2.5], [2.0, 4.0]])
    step = 0.01
    grid = np.stack(np.meshgrid(np.arange(-1, 5, step), np.arange(-1, 5, step), indexing="ij"), -1)
    hull = points[ConvexHull(points).vertices].astype(np.float32)
    contour = hull.reshape(-1, 1, 2)
    inside = [
        cv2.pointPolygonTest(contour, (float(r), float(c)), True) >= -0.5 for r, c in grid.reshape(-1, 2)[::7]
    ]
    area = np.mean(inside) * 36.0
    found = cluster_features(points[:, 0], points[:, 1])
    assert 100 * 4 / found["density_per_cm2"] == pytest.approx(area, rel=0.01)


@pytest.mark.parametrize(
    ("points", "area", "grown", "extent"),
    [
        ([(3, 4)], 0, math.pi / 4, 0),
        ([(3, 4)] * 5, 0, math.pi / 4, 0),
        ([(0, 0), (3, 4)], 0, 5 + math.pi / 4, 5),
        ([(0, 0), (1.5, 2), (3, 4), (3, 4)], 0, 5 + math.pi / 4, 5),
    ],
)
def test_degenerate_groups(points, area, grown, extent):
    row, col = np.array(points, dtype=float).T
    found = cluster_features(row, col)
    assert found["hull_area_mm2"] == area
    assert found["density_per_cm2"] == pytest.approx(100 * len(points) / grown)
    assert found["extent_mm"] == pytest.approx(extent)
    assert math.isnan(found["hull_elongation"])


def test_no_members():
    with pytest.raises(ValueError, match="at least one"):
        cluster_features([], [])


measure = st.one_of(
    st.floats(-100, 100).map(lambda value: round(value, 6)), st.sampled_from([0.0, 1.0, np.nan, np.inf])
)


@given(st.lists(st.tuples(st.integers(0, 4), measure), max_size=40))
@settings(max_examples=80)
def test_spread_equals_pandas(rows):
    label = np.array([row[0] for row in rows], dtype=np.int64)
    values = np.array([row[1] for row in rows], dtype=np.float64)
    found = group_spread(label, values, 4)
    for k in range(4):
        own = pd.Series(values[(label == k + 1) & np.isfinite(values)], dtype=float)
        twin = {"mean": own.mean(), "sd": own.std(), "min": own.min(), "max": own.max()}
        twin["iqr"] = own.quantile(0.75) - own.quantile(0.25)
        twin["range"] = own.max() - own.min()
        twin["worst"], twin["second_worst"] = own.max(), own.nlargest(2).min() if len(own) > 1 else np.nan
        for name, value in twin.items():
            np.testing.assert_allclose(found[name][k], value, rtol=1e-9, atol=1e-9, err_msg=name)
        if len(own) > 1 and abs(own.mean()) > 1e-6:
            np.testing.assert_allclose(found["cv"][k], own.std() / own.mean(), rtol=1e-6, atol=1e-9)
        elif len(own) < 2:
            assert np.isnan(found["cv"][k])


def test_lowest_values_can_be_the_worst():
    label, values = np.array([1, 1, 1, 2, 3]), [0.9, 0.4, 0.6, 0.5, np.nan]
    found = group_spread(label, values, 3, worst_is_low=True)
    np.testing.assert_array_equal(found["worst"], [0.4, 0.5, np.nan])
    np.testing.assert_array_equal(found["second_worst"], [0.6, np.nan, np.nan])


@given(
    st.lists(st.floats(-2.0, 4.0).map(lambda value: round(value, 6)), min_size=1, max_size=30), st.booleans()
)
@settings(max_examples=60)
def test_entropy_is_that_of_the_histogram(values, log_bins):
    found = group_spread(np.ones(len(values), np.int64), values, 1, log_bins=log_bins)["entropy"][0]
    if log_bins:
        bins = [math.floor(math.log2(v) / 0.25) if v > 0 else -math.inf for v in values]
    else:
        bins = [math.floor(v / 0.05) - (v == 1) for v in values]
    counts = np.array(list(Counter(bins).values()))
    assert found == pytest.approx(entropy(counts, base=2), abs=1e-12)
    assert 0 <= found <= math.log2(len(values)) + 1e-12


def test_rounding_at_one_does_not_change_an_entropy():
    """Half of the outlines are their own hull but for rounding."""
    values = np.array([0.7, 0.81, 0.96, 1.0, 1.0, 1.0, 1.0])
    below = np.where(values == 1.0, np.nextafter(1.0, 0.0), values)
    one = np.ones(values.size, np.int64)
    assert group_spread(one, values, 1)["entropy"] == group_spread(one, below, 1)["entropy"]


def test_log_entropy_does_not_depend_on_the_unit():
    """Sizes twice as large lie as many quarter octaves apart."""
    rng = np.random.default_rng(4)
    label, sizes = np.repeat([1, 2], 40), rng.lognormal(-1, 0.4, 80)
    once, twice = (group_spread(label, k * sizes, 2, log_bins=True)["entropy"] for k in (1.0, 2.0))
    np.testing.assert_allclose(once, twice)
    wide = group_spread(label, sizes**2, 2, log_bins=True)["entropy"]
    assert (wide > once).all()


def test_cv_of_a_zero_mean_is_nan():
    found = group_spread(np.array([1, 1]), [0.0, 0.0], 1)
    assert found["sd"][0] == 0
    assert np.isnan(found["cv"][0])


def test_columns_are_those_of_the_schema():
    given = make([1, 1, 2, 0, 2, 1], np.random.default_rng(0))
    found = build_features(**given)
    assert sorted(found) == sorted(NAMES)
    assert {array.shape for array in found.values()} == {(2,)}
    assert found["in_pectoral"].dtype == np.bool_
    np.testing.assert_array_equal(found["skin_distance_mm"], given["skin_distance_mm"])
    for column in CLUSTERS:
        if column.name in found:
            assert found[column.name].dtype == np.dtype(column.dtype)


def test_no_groups():
    for label in ([], [0, 0]):
        found = build_features(**make(np.array(label, dtype=int), np.random.default_rng(0)))
        assert sorted(found) == sorted(NAMES)
        assert {array.shape for array in found.values()} == {(0,)}


def test_each_group_gets_its_own_members():
    rng = np.random.default_rng(3)
    label = rng.permutation(np.repeat([0, 1, 2, 3], [7, 25, 2, 9]))
    given = make(label, rng)
    found = build_features(**given)
    for k in (1, 2, 3):
        own = label == k
        points = np.column_stack([given["row_mm"][own], given["col_mm"][own]])
        distance = cdist(points, points) + np.where(np.eye(len(points)), np.inf, 0)
        nearest = pd.Series(distance.min(axis=1))
        assert found["nn_distance_mm_mean"][k - 1] == pytest.approx(nearest.mean())
        assert found["nn_distance_mm_sd"][k - 1] == pytest.approx(nearest.std(), abs=1e-12)
        assert found["nn_distance_mm_min"][k - 1] == pytest.approx(nearest.min())
        assert found["nn_distance_mm_max"][k - 1] == pytest.approx(nearest.max())
        size = given["measures"]["diameter_mm"][own]
        for name, value in cluster_features(points[:, 0], points[:, 1], size).items():
            np.testing.assert_equal(found[name][k - 1], value)
        size = pd.Series(given["measures"]["diameter_mm"][own])
        assert found["diameter_mm_mean"][k - 1] == pytest.approx(size.mean())
        assert found["diameter_mm_cv"][k - 1] == pytest.approx(size.std() / size.mean())
        assert found["in_pectoral"][k - 1] == (given["in_pectoral"][own].mean() > 0.5)


def test_coincident_members_have_no_distance():
    given = make([1] * 5, np.random.default_rng(0), row_mm=np.ones(5), col_mm=np.ones(5))
    found = build_features(**given)
    assert found["nn_distance_mm_mean"][0] == found["nn_distance_mm_sd"][0] == 0
    assert np.isnan(found["nn_distance_mm_cv"][0])
    assert np.isnan(found["hull_elongation"][0])


def test_members_without_a_shape_are_left_out():
    rng = np.random.default_rng(1)
    given = make([1] * 4, rng)
    given["measures"]["area_mm2"] = np.array([np.nan, 1.0, 3.0, np.nan])
    given["measures"]["contrast"] = np.full(4, np.nan)
    found = build_features(**given)
    assert found["area_mm2_mean"][0] == 2
    assert np.isnan(found["contrast_mean"][0])
    assert np.isfinite(found["solidity_mean"][0])


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"measures": {}}, "no values"),
        ({"skin_distance_mm": [1.0]}, "skin_distance_mm"),
        ({"in_pectoral": [True]}, "one length"),
        ({"depth_fraction": [0.5]}, "depth_fraction"),
        ({"label": np.array([1, 1, 3])}, "skin_distance_mm"),
        ({"label": np.array([1, 1, 3]), "skin_distance_mm": [1.0, 2.0, 3.0]}, "without gaps"),
    ],
)
def test_bad_arguments(changes, match):
    given = make([1, 2, 2], np.random.default_rng(0)) | changes
    with pytest.raises(ValueError, match=match):
        build_features(**given)
