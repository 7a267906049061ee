"""The second look at spots of digital images: what lies around them, the networks, the score of both."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcdetect import detect
from mcdetect.config import Config
from mcdetect.image.mammogram import Mammogram
from mcdetect.phantom import Scatter, draw_mammogram
from mcdetect.pipeline import search
from mcdetect.pipeline.scoring import (
    candidates_on_edges,
    looked_at_twice,
    rows_of_second_look,
    score_candidates,
)
from mcdetect.spots import neighbours
from mcdetect.spots.appearance import FEATURE_NAMES
from mcdetect.spots.context import SAME_BODY_MM
from mcdetect.spots.neighbours import NEIGHBOUR_NAMES, describe_neighbours
from mcdetect.spots.score import default_spot_model, digital_score
from mcdetect.spots.second_look import (
    COLUMNS,
    MOST_RAISED,
    PLACE_NAMES,
    SHARE,
    SecondLook,
    asked_again,
    default_second_look,
    second_look_rows,
)

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def spots(seed: int, n: int, size_mm: float) -> tuple[Floats, Floats, Floats, Mask]:
    rng = np.random.default_rng(seed)
    row, col = rng.uniform(0.0, size_mm, (2, n))
    return row, col, rng.normal(-4.0, 4.0, n), rng.uniform(size=n) < 0.1


def twin(row: Floats, col: Floats, log_odds: Floats, on_edge: Mask, spot: int) -> dict[str, float]:
    """Go through all others, one by one."""
    out = dict.fromkeys(NEIGHBOUR_NAMES, 0.0)
    out |= dict.fromkeys(("likeliest_3.5", "likeliest_8"), -8.0)
    turned, weight = 0j, 0.0
    for k in range(row.size):
        down, across = row[k] - row[spot], col[k] - col[spot]
        away = float(np.hypot(down, across))
        for within in ("3", "6"):
            out[f"spots_{within}"] += away <= float(within) and log_odds[k] > -8.0
        if log_odds[k] <= -4.0 or away < SAME_BODY_MM or on_edge[k]:
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
    for within in ("3", "6"):
        out[f"spots_{within}"] = np.log1p(out[f"spots_{within}"])
    return out


@given(st.integers(0, 10_000), st.integers(0, 50), st.sampled_from([1.0, 8.0, 30.0]))
def test_neighbours_equal_all_pairs_one_by_one(seed: int, n: int, size_mm: float) -> None:
    given = spots(seed, n, size_mm)
    asked = np.flatnonzero(given[2] > -5.0)
    found = describe_neighbours(*given, asked)
    expected = [list(twin(*given, int(k)).values()) for k in asked]
    np.testing.assert_allclose(found, np.reshape(expected, found.shape), rtol=1e-5, atol=1e-5)


def test_of_too_many_neighbours_the_likeliest_count(monkeypatch: pytest.MonkeyPatch) -> None:
    row, col, log_odds, _ = spots(1, 60, 8.0)
    none, asked = np.zeros(60, bool), np.arange(60)
    all_of_them = describe_neighbours(row, col, log_odds, none, asked)
    least = np.sort(log_odds)[-12]
    monkeypatch.setattr(neighbours, "_MOST", 12)
    few = describe_neighbours(row, col, log_odds, none, asked)
    kept = describe_neighbours(row, col, np.where(log_odds >= least, log_odds, -7.0), none, asked)
    place = slice(0, NEIGHBOUR_NAMES.index("spots_3"))
    np.testing.assert_allclose(few[:, place], kept[:, place])
    assert not np.allclose(few, all_of_them)


def small() -> SecondLook:
    """Return a second look of two networks of random weights."""
    rng = np.random.default_rng(3)
    n = len(COLUMNS)
    nets = tuple(
        ((rng.normal(0, 0.2, (n, 4)), rng.normal(0, 1, 4)), (rng.normal(0, 1, (4, 1)), rng.normal(0, 1, 1)))
        for _ in range(2)
    )
    sides = (np.zeros(n), np.full(n, -2.0), np.full(n, 3.0), np.full(n, 0.5), np.full(n, 2.0))
    return SecondLook(*sides, nets, 0.25, {"made by": "hand"})


def test_the_networks_are_added_up_unit_by_unit() -> None:
    look = small()
    rows = np.random.default_rng(0).normal(0.0, 3.0, (6, len(COLUMNS))).astype(np.float32)
    rows[0, 5] = np.nan
    for row, found in zip(rows, look.log_odds(rows), strict=True):
        values = [(min(max(0.0 if np.isnan(x) else float(x), -2.0), 3.0) - 0.5) / 2.0 for x in row]
        total = 0.0
        for (first, offset), (last, end) in look.nets:
            hidden = [
                max(0.0, sum(v * first[i, j] for i, v in enumerate(values)) + offset[j]) for j in range(4)
            ]
            total += sum(h * last[j, 0] for j, h in enumerate(hidden)) + end[0]
        assert found == pytest.approx(total / 2.0 - 0.25)


def test_a_second_look_comes_back_from_json() -> None:
    look = small()
    rows = np.random.default_rng(0).normal(0.0, 3.0, (6, len(COLUMNS))).astype(np.float32)
    again = SecondLook.from_json(look.to_json())
    np.testing.assert_allclose(again.log_odds(rows), look.log_odds(rows), rtol=1e-3, atol=1e-3)
    assert again.about == look.about
    data = json.loads(look.to_json())
    data["columns"][0] = "lustre"
    with pytest.raises(ValueError, match="other columns"):
        SecondLook.from_json(json.dumps(data))


def test_networks_that_do_not_fit_are_refused() -> None:
    look = small()
    (first, last), other = look.nets
    for nets in ((), ((last, first), other), ((first,), other)):
        with pytest.raises(ValueError, match=r"second look|network"):
            dataclasses.replace(look, nets=nets)
    with pytest.raises(ValueError, match="lacks entries"):
        dataclasses.replace(look, means=look.means[1:])


def test_rows_hold_what_their_columns_say() -> None:
    n = 3
    features = np.full((n, len(FEATURE_NAMES)), 1.0, np.float32)
    place = np.array([[0.5, 0.2, 3.0, 20.0, 0.0], [0.5, 0.2, 90.0, 300.0, 1.0], [np.nan] * 4 + [0.0]])
    around = np.full((n, len(NEIGHBOUR_NAMES)), 7.0, np.float32)
    rows = second_look_rows(features, np.array([-1.0, 0.0, 4.0]), around, place)
    column = dict(zip(COLUMNS, rows.T, strict=True))
    np.testing.assert_array_equal(column["general"], [-1.0, 0.0, 4.0])
    np.testing.assert_array_equal(column["likely_1"], 7.0)
    np.testing.assert_array_equal(column["skin_mm"], [3.0, 40.0, np.nan])
    np.testing.assert_array_equal(column["chest_mm"], [20.0, 120.0, np.nan])
    np.testing.assert_array_equal(column["in_pectoral"], place[:, -1])
    assert COLUMNS[-len(PLACE_NAMES) :] == PLACE_NAMES
    assert np.isfinite(default_second_look().log_odds(rows)).all()


@pytest.fixture(scope="module")
def image() -> Mammogram:
    drawn = draw_mammogram((900, 700), 0.1, seed=4, label=False, scatter=Scatter(12))
    return drawn.to_mammogram()


def test_both_looks_make_the_score_of_a_digital_image(image: Mammogram) -> None:
    found, score, config = search(image), digital_score(), Config()
    assert score.second is not None
    assert looked_at_twice(score, found)
    once = score_candidates(found, image.spacing, replace(score, second=None), config, processed=True)
    twice = score_candidates(found, image.spacing, score, config, processed=True)
    place = {key: k for k, key in enumerate(zip(once.row_px, once.col_px, strict=True))}
    same = [place[key] for key in zip(twice.row_px, twice.col_px, strict=True)]
    np.testing.assert_array_equal(twice.own_log_odds, once.own_log_odds[same])
    asked = twice.own_log_odds > -5.0
    assert 0 < asked.sum() < asked.size
    np.testing.assert_array_equal(twice.log_odds[~asked], once.log_odds[same][~asked])
    looks = score.log_odds(found.features)
    chosen = asked_again(looks)
    edge = candidates_on_edges(found, image.spacing, processed=True)
    second = score.second.log_odds(rows_of_second_look(found, image.spacing, score, looks, edge, chosen))
    known = {
        (found.spots.row_px[k], found.spots.col_px[k]): value for k, value in zip(chosen, second, strict=True)
    }
    for k in np.flatnonzero(asked):
        first = once.log_odds[same[k]]
        both = SHARE * known[twice.row_px[k], twice.col_px[k]] + (1.0 - SHARE) * first
        assert twice.log_odds[k] == pytest.approx(min(both, first + MOST_RAISED))
    assert (twice.log_odds - once.log_odds[same] >= MOST_RAISED - 1e-9).any()


def test_the_general_model_looks_once(image: Mammogram) -> None:
    assert not looked_at_twice(default_spot_model(), search(image))


def test_an_image_without_spots_is_scored() -> None:
    rng = np.random.default_rng(0)
    flat = np.full((400, 300), 100.0, np.float32) + rng.normal(0.0, 1.0, (400, 300)).astype(np.float32)
    flat[:, 150:] = 0.0
    result = detect(flat, 0.2, spot_model=digital_score())
    assert len(result.clusters) == 0
