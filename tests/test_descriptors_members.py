"""What members are called together: morphology, benign kinds, casting, arteries."""

from __future__ import annotations

import math

import numpy as np
import pytest
from descriptor_groups import measures, one_group

from mcdetect.clusters.descriptors import (
    MORPHOLOGIES,
    describe_clusters,
)
from mcdetect.clusters.descriptors.morphology import FINE_PIXEL_MM
from mcdetect.phantom import group_positions_mm, vessel_walls_mm


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
