"""Groups of thousands of members: the same answers as of few, in time and memory that stay bounded."""

from __future__ import annotations

import tracemalloc

import numpy as np
import numpy.typing as npt
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from mcdetect.clusters import reach
from mcdetect.clusters.descriptors import curves as curves_module
from mcdetect.clusters.descriptors import describe_clusters
from mcdetect.clusters.descriptors.curves import find_curves
from mcdetect.clusters.features import build, build_features, cluster_features, join_curves, spanning_tree
from mcdetect.clusters.features.topology import N_STEPS, STEP_MM, join_many
from mcdetect.clusters.reach import links_within
from mcdetect.clusters.rule import find_groups
from mcdetect.kernels.spanning import count_steps, spanning_net
from mcdetect.schema import SHAPE_MEASURES

_Floats = npt.NDArray[np.float64]


def _points(kind: str, n: int) -> _Floats:
    draw = np.random.default_rng(7)
    if kind == "even":
        return draw.uniform(0.0, 20.0, (n, 2))
    if kind == "lattice":  # equal distances everywhere
        side = int(np.ceil(np.sqrt(n)))
        return np.stack(np.divmod(np.arange(n), side), axis=1) * 0.5
    if kind == "line":
        return np.column_stack([np.zeros(n), draw.uniform(0.0, 50.0, n)])
    if kind == "one place":
        return np.full((n, 2), 3.0)
    return np.concatenate([draw.normal(0.0, 1.0, (n // 2, 2)), draw.normal(15.0, 3.0, (n - n // 2, 2))])


KINDS = ("even", "lattice", "line", "one place", "two heaps")


def _gaps(points: _Floats, radius: _Floats) -> _Floats:
    step = points[:, None] - points[None]
    return np.maximum(np.sqrt((step**2).sum(axis=2)) - radius[:, None] - radius[None], 0.0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, 3, 150])
def test_the_net_is_that_of_the_matrix(kind: str, n: int) -> None:
    points = _points(kind, n)
    radius = np.random.default_rng(1).uniform(0.05, 0.4, n)
    edges, length = np.empty((n - 1, 2), np.int64), np.empty(n - 1)
    spanning_net(points, radius, edges, length)
    gaps = _gaps(points, radius)
    np.testing.assert_allclose(np.sort(length), np.sort(spanning_tree(gaps)[1]), atol=1e-12)
    np.testing.assert_allclose(length, gaps[edges[:, 0], edges[:, 1]], atol=1e-12)
    graph = coo_array((np.ones(n - 1), (edges[:, 0], edges[:, 1])), shape=(n, n))
    assert connected_components(graph)[0] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_steps_are_counted_as_in_the_matrix(kind: str) -> None:
    points = _points(kind, 120)
    radius = np.random.default_rng(1).uniform(0.0, 0.4, 120)
    counts = np.zeros(N_STEPS + 1, np.int64)
    count_steps(points, radius, STEP_MM, 1e-9, counts)
    gaps = _gaps(points, radius)[np.triu_indices(120, 1)]
    step = np.maximum(np.ceil(gaps / (2.0 * STEP_MM) - 1e-9), 1).astype(np.int64)
    assert counts.tolist() == np.bincount(step[step <= N_STEPS], minlength=N_STEPS + 1).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_a_crowd_joins_as_the_same_members_do_by_their_matrix(kind: str) -> None:
    points = _points(kind, 900)
    diameter = np.random.default_rng(2).uniform(0.1, 0.8, 900)
    diameter[::50] = np.nan
    many = join_many(points, diameter)
    distance = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    few = join_curves(distance, diameter)
    assert many.parts.tolist() == few.parts.tolist()
    np.testing.assert_allclose(many.giant, few.giant)
    np.testing.assert_allclose(many.degree, few.degree)
    np.testing.assert_allclose(many.joins_mm, few.joins_mm, atol=1e-12)
    np.testing.assert_allclose(many.clustering, few.clustering, atol=0.03)


@pytest.mark.parametrize("kind", KINDS)
def test_all_features_of_a_group_are_the_same_either_way(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    points = _points(kind, 300)
    diameter = np.random.default_rng(3).uniform(0.1, 0.8, 300)
    usual = cluster_features(points[:, 0], points[:, 1], diameter)
    monkeypatch.setattr(build, "CROWD", 10)
    crowd = cluster_features(points[:, 0], points[:, 1], diameter)
    for name, value in usual.items():
        about = 0.05 if "clustering" in name else 1e-9
        np.testing.assert_allclose(crowd[name], value, atol=about, rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reach_mm", [0.3, 0.5, 4.0])
def test_links_join_what_all_pairs_join(kind: str, reach_mm: float, monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.concatenate([_points(kind, 400), _points(kind, 40)])

    def parts(links: npt.NDArray[np.int64]) -> list[int]:
        graph = coo_array((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(len(points),) * 2)
        number = connected_components(graph, directed=False)[1]
        first = np.unique(number, return_index=True)[1]
        return first[number].tolist()

    usual = links_within(points, reach_mm)
    assert len(usual) == len(cKDTree(points).query_pairs(reach_mm))
    monkeypatch.setattr(reach, "MANY", 10)
    assert parts(links_within(points, reach_mm)) == parts(usual)


def test_no_curves_are_sought_in_noise_over_the_whole_breast(monkeypatch: pytest.MonkeyPatch) -> None:
    course = np.linspace(0.0, 40.0, 60)
    assert find_curves(course, course).label.any()
    monkeypatch.setattr(curves_module, "_CROWD", 50)
    found = find_curves(course, course)
    assert not found.label.any()
    assert found.length_mm.size == 0


@pytest.mark.slow
@pytest.mark.parametrize("area_mm2", [10_000.0, 2_500.0])
def test_twenty_thousand_members_need_little_memory(area_mm2: float) -> None:
    n = 20_000
    draw = np.random.default_rng(5)
    row, col = draw.uniform(0.0, area_mm2**0.5, (2, n))
    measures = {name: draw.uniform(0.1, 0.5, n) for name in SHAPE_MEASURES}
    find_groups(row[:50], col[:50])
    tracemalloc.start()
    groups = find_groups(row, col)
    features = build_features(groups.label, row, col, measures, np.ones(len(groups)), np.zeros(n, np.bool_))
    described = describe_clusters(groups.label, row, col, measures, 0.1, flagged=groups.flagged)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert groups.n_members.max() > 0.99 * n
    assert np.isfinite(features["topo_clustering_mean"]).all()
    assert len(described.clusters) == len(groups)
    assert peak < 3e8  # one matrix of all pairs takes 3.2 GB
