"""Constellations of members that two views of one direction share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from mcdetect.exams.studies import ViewImage, match_magnified
from mcdetect.exams.studies.constellation import shared_points

_Floats = npt.NDArray[np.float64]


def draw(rng: np.random.Generator, n: int, extent_mm: float = 8.0) -> _Floats:
    """Return n places in a disc, at least 0.7 mm apart."""
    points: list[_Floats] = []
    while len(points) < n:
        point = rng.uniform(-extent_mm / 2, extent_mm / 2, 2)
        if np.hypot(*point) < extent_mm / 2 and all(np.hypot(*(point - p)) > 0.7 for p in points):
            points.append(point)
    return np.array(points)


def again(points: _Floats, rng: np.random.Generator, seen: float = 1.0) -> _Floats:
    """Return them moved, turned, stretched, with errors, those that are seen in a new order."""
    turn = np.radians(rng.uniform(-15, 15))
    way = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = points @ way.T * rng.uniform(0.95, 1.05) + rng.uniform(-50, 50, 2)
    moved += rng.normal(0, 0.1, moved.shape)
    return rng.permutation(moved[rng.random(len(moved)) < seen])


@pytest.mark.parametrize("n", [8, 12, 20])
def test_the_same_constellation_is_told_from_another(n: int) -> None:
    rng = np.random.default_rng(n)
    same, other = [], []
    for _ in range(15):
        points = draw(rng, n)
        same.append(shared_points(again(points, rng, 0.9), again(points, rng, 0.9)).share)
        other.append(shared_points(draw(rng, n), again(points, rng, 0.9)).share)
    assert np.median(same) > 0.8
    assert np.median(other) < 0.65
    assert np.mean(np.array(same)[:, None] > np.array(other)[None, :]) > 0.97


def test_exact_copies_and_few_points() -> None:
    points = draw(np.random.default_rng(0), 10)
    found = shared_points(points, points + 30.0)
    assert (found.shared, found.share) == (10, 1.0)
    assert shared_points(points, points[:6]).share == 1.0
    for few in (points[:2], points[:0]):
        assert (shared_points(points, few).shared, shared_points(few, points).share) == (0, 0.0)
    one_place = np.zeros((5, 2))  # nothing is counted twice
    assert shared_points(one_place, points).shared <= 5
    mirrored = shared_points(points, points * [1, -1]).share
    assert mirrored < 0.8


def image(name: str, groups: list[_Floats], *, magnified: bool, view: str = "CC") -> ViewImage:
    clusters = pd.DataFrame(
        {
            "cluster_id": np.arange(1, len(groups) + 1),
            "flagged": True,
            "score": 0.9,
            "n_calcifications": 10,
            "nipple_distance_mm": 40.0,
            "extent_mm": 8.0,
            "diameter_mm_mean": 0.3,
            "contrast_mean": 9.0,
        }
    )
    marks = pd.concat(
        [
            pd.DataFrame(points, columns=["row_mm", "col_mm"]).assign(cluster_id=k, score=0.9)
            for k, points in enumerate(groups, start=1)
        ]
    )
    return ViewImage(name, "s", "L", view, magnified, clusters, magnified=magnified, marks=marks)


def test_groups_that_measure_alike_are_told_by_their_constellation() -> None:
    rng = np.random.default_rng(7)
    groups = [draw(rng, 10) for _ in range(4)]
    full = image("full", groups, magnified=False)
    shown = image("mag", [again(groups[2], rng), again(groups[0], rng)], magnified=True)
    pairs = match_magnified([full], [shown])
    assert [(pair.full[1], pair.magnified[1]) for pair in pairs] == [(0, 1), (2, 0)]
    assert all(pair.mismatch < 0.8 for pair in pairs)
    strange = image("mag", [draw(rng, 10)], magnified=True)
    assert match_magnified([full], [strange]) == []


def test_views_of_another_name_show_other_constellations() -> None:
    rng = np.random.default_rng(8)
    full = image("full", [draw(rng, 10)], magnified=False, view="MLO")
    shown = image("mag", [draw(rng, 10)], magnified=True, view="ML")
    (pair,) = match_magnified([full], [shown])
    assert pair.mismatch == pytest.approx(np.sqrt(3 / 7))
