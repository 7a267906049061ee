"""The second look at spots of digital images: what lies around them, and how both looks become one score."""

from __future__ import annotations

import dataclasses
import json
from importlib import resources

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcdetect.spots import neighbours
from mcdetect.spots.context import SAME_BODY_MM
from mcdetect.spots.neighbours import NEIGHBOUR_NAMES, describe_neighbours
from mcdetect.spots.score import (
    SHARE,
    DigitalScore,
    SecondLook,
    asked_again,
    digital_score,
    second_look_rows,
)

Floats = npt.NDArray[np.float64]


def spots(seed: int, n: int, size_mm: float) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)
    row, col = rng.uniform(0.0, size_mm, (2, n))
    return row, col, rng.normal(-3.0, 3.0, n)


def twin(row: Floats, col: Floats, log_odds: Floats, spot: int) -> dict[str, float]:
    """Go through all others, one by one."""
    out = dict.fromkeys(NEIGHBOUR_NAMES, 0.0)
    out |= dict.fromkeys(("likeliest_3.5", "likeliest_8"), -8.0)
    turned, weight = 0j, 0.0
    for k in range(row.size):
        down, across = row[k] - row[spot], col[k] - col[spot]
        away = float(np.hypot(down, across))
        if log_odds[k] <= -4.0 or away < SAME_BODY_MM:
            continue
        likely = 1.0 / (1.0 + np.exp(-log_odds[k]))
        for within in ("1", "2", "3.5", "6", "10"):
            out[f"likely_{within}"] += likely * (away < float(within))
        for within in ("3.5", "10"):
            out[f"count_{within}"] += away < float(within)
        for within in ("3.5", "8"):
            if away < float(within):
                out[f"likeliest_{within}"] = max(out[f"likeliest_{within}"], log_odds[k])
        if away < 3.5:
            turned += likely * np.exp(2j * np.arctan2(down, across))
            weight += likely
    out["in_line"] = abs(turned) / max(weight, 1e-3)
    return out


@given(st.integers(0, 10_000), st.integers(0, 50), st.sampled_from([1.0, 8.0, 30.0]))
def test_neighbours_equal_all_pairs_one_by_one(seed: int, n: int, size_mm: float) -> None:
    row, col, log_odds = spots(seed, n, size_mm)
    asked = np.flatnonzero(log_odds > -5.0)
    found = describe_neighbours(row, col, log_odds, asked)
    expected = [list(twin(row, col, log_odds, k).values()) for k in asked]
    np.testing.assert_allclose(found, np.reshape(expected, found.shape), rtol=1e-5, atol=1e-5)


def test_of_too_many_neighbours_the_likeliest_count(monkeypatch: pytest.MonkeyPatch) -> None:
    row, col, log_odds = spots(1, 60, 8.0)
    asked = np.arange(60)
    all_of_them = describe_neighbours(row, col, log_odds, asked)
    least = np.sort(log_odds)[-20]
    monkeypatch.setattr(neighbours, "_MOST", 20)
    few = describe_neighbours(row, col, log_odds, asked)
    kept = describe_neighbours(row, col, np.where(log_odds >= least, log_odds, -9.0), asked)
    np.testing.assert_allclose(few, kept)
    assert not np.allclose(few, all_of_them)


def random_spots(n: int = 300) -> tuple[npt.NDArray[np.float32], Floats, Floats, npt.NDArray[np.bool_]]:
    rng = np.random.default_rng(0)
    features = rng.normal(2.0, 3.0, (n, len(digital_score().general.features))).astype(np.float32)
    row, col = rng.uniform(0.0, 40.0, (2, n))
    return features, row, col, rng.uniform(size=n) < 0.1


def test_both_looks_make_the_score_of_what_is_worth_a_second() -> None:
    score = digital_score()
    assert score.second is not None
    features, row, col, edge = random_spots()
    first, both = score.log_odds(features), score.log_odds_among(features, row, col, edge)
    asked = asked_again(first)
    assert 0 < asked.size < first.size
    rest = np.setdiff1d(np.arange(first.size), asked)
    np.testing.assert_array_equal(both[rest], first[rest])
    general = score.general.log_odds(features)
    rows = second_look_rows(features, general, first, row, col, edge, asked)
    assert rows.shape == (asked.size, len(SecondLook.MEASURED))
    second = score.second.log_odds(rows)
    np.testing.assert_allclose(both[asked], SHARE * second + (1.0 - SHARE) * first[asked])
    alone = dataclasses.replace(score, second=None)
    np.testing.assert_array_equal(alone.log_odds_among(features, row, col, edge), first)


def test_what_is_part_of_an_edge_is_no_neighbour() -> None:
    features, row, col, _ = random_spots(40)
    general = np.full(40, 3.0)
    asked = np.arange(40)
    part = asked % 2 == 1
    rows = second_look_rows(features, general - 9.0, general, row, col, part, asked)
    only = describe_neighbours(row, col, np.where(part, -9.0, 3.0), asked)
    np.testing.assert_array_equal(rows[:, -len(NEIGHBOUR_NAMES) :], only)


def test_an_image_without_spots_is_scored() -> None:
    score = digital_score()
    assert isinstance(score, DigitalScore)
    nothing = np.zeros(0)
    features = np.zeros((0, len(score.general.features)), np.float32)
    assert score.log_odds_among(features, nothing, nothing, np.zeros(0, bool)).shape == (0,)


def test_the_model_names_every_column_in_order() -> None:
    stored = resources.files("mcdetect.models").joinpath("second_look.json").read_text(encoding="utf-8")
    assert tuple(json.loads(stored)["features"]) == SecondLook.MEASURED
