"""Neighbours raise a score: against a plain twin, and what must hold whatever the places."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from mcdetect.config import CalcificationConfig
from mcdetect.context import SAME_BODY_MM, in_context

CONFIG = CalcificationConfig()

Floats = npt.NDArray[np.float64]


def twin(row: Floats, col: Floats, log_odds: Floats, snr: Floats, config: CalcificationConfig) -> Floats:
    """Go through all pairs, one by one."""
    out = log_odds.copy()
    for i in range(row.size):
        count = 0.0
        for j in range(row.size):
            distance = np.hypot(row[i] - row[j], col[i] - col[j])
            if i != j and SAME_BODY_MM <= distance <= config.near_mm and log_odds[j] > -5.0:
                count += 1.0 / (1.0 + np.exp(-log_odds[j]))
        out[i] += config.context_weight * np.sqrt(max(count - 1.0, 0.0)) * min(1.0, 8.0 / snr[i])
    return out


def spots(seed: int, n: int, size_mm: float) -> tuple[Floats, Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)
    row, col = rng.uniform(0.0, size_mm, (2, n))
    return row, col, rng.normal(0.0, 4.0, n), rng.uniform(3.0, 40.0, n)


@given(st.integers(0, 10_000), st.integers(0, 60), st.sampled_from([2.0, 8.0, 30.0]))
def test_equals_all_pairs_one_by_one(seed: int, n: int, size_mm: float) -> None:
    given = spots(seed, n, size_mm)
    np.testing.assert_allclose(in_context(*given, CONFIG), twin(*given, CONFIG))


@given(st.integers(0, 10_000))
def test_neither_order_nor_place_nor_mirror_matter(seed: int) -> None:
    row, col, log_odds, snr = spots(seed, 40, 10.0)
    want = in_context(row, col, log_odds, snr, CONFIG)
    order = np.random.default_rng(seed).permutation(row.size)
    mixed = in_context(row[order], col[order], log_odds[order], snr[order], CONFIG)
    np.testing.assert_allclose(mixed, want[order])
    np.testing.assert_allclose(in_context(100.0 - col, row + 50.0, log_odds, snr, CONFIG), want)


@given(st.integers(0, 10_000))
def test_one_more_neighbour_lowers_nothing(seed: int) -> None:
    given = spots(seed, 30, 8.0)
    fewer = in_context(*(values[1:] for values in given), CONFIG)
    assert (in_context(*given, CONFIG)[1:] >= fewer - 1e-12).all()


def test_a_faint_member_of_a_group_passes_and_the_same_alone_does_not() -> None:
    row, col = np.array([0.0, 1.0, 2.0, 1.0, 1.0, 60.0]), np.array([0.0, 0.0, 0.0, 1.0, 2.0, 60.0])
    log_odds = np.array([5.0, 5.0, 5.0, 5.0, -1.5, -1.5])
    raised = in_context(row, col, log_odds, np.full(6, 5.0), CONFIG)
    assert raised[4] > 0.0
    assert raised[5] == log_odds[5]


def test_neighbours_do_not_make_a_bright_speck_a_calcification() -> None:
    row, col = np.arange(6.0), np.zeros(6)
    log_odds = np.array([5.0, 5.0, 5.0, 5.0, -1.5, -1.5])
    raised = in_context(row, col, log_odds, np.array([5.0, 5.0, 5.0, 5.0, 5.0, 60.0]), CONFIG)
    assert raised[4] > 0.0 > raised[5] > log_odds[5]


def test_a_pair_does_not_vouch_for_itself_nor_do_marks_on_one_body() -> None:
    pair = np.array([0.0, 1.0]), np.zeros(2), np.array([3.0, 3.0])
    np.testing.assert_allclose(in_context(*pair, np.full(2, 5.0), CONFIG), pair[2])
    body = np.array([0.0, 0.1, 0.2, 0.3]), np.zeros(4), np.full(4, 3.0)
    np.testing.assert_allclose(in_context(*body, np.full(4, 5.0), CONFIG), body[2])


def test_without_weight_or_spots_nothing_changes() -> None:
    given = spots(1, 50, 5.0)
    np.testing.assert_array_equal(in_context(*given, CalcificationConfig(context_weight=0.0)), given[2])
    assert in_context(*(np.zeros(0),) * 4, CONFIG).shape == (0,)
