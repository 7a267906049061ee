"""Descriptors of an image: regions, context, every size, missing values, errors and speed."""

from __future__ import annotations

import dataclasses
import math
import warnings

import numpy as np
import pytest
from descriptor_groups import BREAST_MM2, measures, one_group
from hypothesis import given, settings
from hypothesis import strategies as st

from mcdetect.clusters.descriptors import (
    BENIGN_KINDS,
    DISTRIBUTIONS,
    MORPHOLOGIES,
    describe_clusters,
)
from mcdetect.clusters.descriptors.smooth import falling, rising
from mcdetect.clusters.scoring import CONTRIBUTIONS, default_scorer
from mcdetect.phantom import group_positions_mm
from mcdetect.schema import CALCIFICATIONS, CLUSTERS

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
@settings(max_examples=40)
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
        scored = default_scorer().score(
            columns
            | {name: [math.nan] for name in ("density_per_cm2", "suspicious_in_window", "curve_residual_mm")}
        )
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
    assert (
        set(columns) | {"suspicion", "suspicious_in_window"} | {f"suspicion_{n}" for n in CONTRIBUTIONS}
        == expected
    )


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
