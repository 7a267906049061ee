"""Neighbours raise a score: against a plain twin, and what must hold whatever the places."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from mcdetect.config import CalcificationConfig
from mcdetect.spots.context import SAME_BODY_MM, in_context

CONFIG = CalcificationConfig()

AREA_CM2 = 60.0

Floats = npt.NDArray[np.float64]


def twin(
    row: Floats, col: Floats, log_odds: Floats, snr: Floats, area_cm2: float, config: CalcificationConfig
) -> Floats:
    """Go through all pairs, one by one."""
    counts = np.zeros(row.size)
    for i in range(row.size):
        for j in range(row.size):
            distance = np.hypot(row[i] - row[j], col[i] - col[j])
            if i != j and SAME_BODY_MM <= distance <= config.near_mm and log_odds[j] > -5.0:
                counts[i] += 1.0 / (1.0 + np.exp(-log_odds[j]))
    alone = [value for value, count in zip(log_odds, counts, strict=True) if count < 1.0]
    doubtful = sum(-3.0 < value < 0.0 for value in alone) / area_cm2
    rarity = min(np.log(1.0 / doubtful), 0.9) if doubtful else 0.9
    weight = config.context_weight * max(1.0 + 0.5 * rarity, 0.0)
    most = max(3.0 + rarity, 0.0)
    gain = np.minimum(weight * np.sqrt(np.maximum(counts - 1.0, 0.0)), most)
    return log_odds + gain * np.minimum(1.0, 8.0 / snr)


def spots(seed: int, n: int, size_mm: float) -> tuple[Floats, Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)
    row, col = rng.uniform(0.0, size_mm, (2, n))
    return row, col, rng.normal(0.0, 4.0, n), rng.uniform(3.0, 40.0, n)


@given(st.integers(0, 10_000), st.integers(0, 60), st.sampled_from([2.0, 8.0, 30.0]))
def test_equals_all_pairs_one_by_one(seed: int, n: int, size_mm: float) -> None:
    given = spots(seed, n, size_mm)
    for area_cm2 in (AREA_CM2, 2.0):
        np.testing.assert_allclose(in_context(*given, area_cm2, CONFIG), twin(*given, area_cm2, CONFIG))


def test_an_image_full_of_doubtful_spots_is_not_filled_with_marks() -> None:
    rng = np.random.default_rng(5)
    place = rng.uniform(0.0, 80.0, (2, 900))  # 14 per cm2
    log_odds = np.where(np.arange(900) < 60, 4.0, rng.uniform(-3.0, 0.0, 900))
    raised = in_context(*place, log_odds, np.full(900, 5.0), 64.0, CONFIG)
    few = in_context(*place[:, :120], log_odds[:120], np.full(120, 5.0), 64.0, CONFIG)
    assert (raised - log_odds).max() < 0.6 * (few - log_odds[:120]).max()


@given(st.integers(0, 10_000))
def test_neither_order_nor_place_nor_mirror_matter(seed: int) -> None:
    row, col, log_odds, snr = spots(seed, 40, 10.0)
    want = in_context(row, col, log_odds, snr, AREA_CM2, CONFIG)
    order = np.random.default_rng(seed).permutation(row.size)
    mixed = in_context(row[order], col[order], log_odds[order], snr[order], AREA_CM2, CONFIG)
    np.testing.assert_allclose(mixed, want[order])
    np.testing.assert_allclose(in_context(100.0 - col, row + 50.0, log_odds, snr, AREA_CM2, CONFIG), want)


@given(st.integers(0, 10_000))
def test_one_more_neighbour_lowers_nothing(seed: int) -> None:
    given = spots(seed, 30, 8.0)
    fewer = in_context(*(values[1:] for values in given), AREA_CM2, CONFIG)
    assert (in_context(*given, AREA_CM2, CONFIG)[1:] >= fewer - 1e-12).all()


def test_neighbours_count_more_where_doubtful_spots_are_rare() -> None:
    row, col = np.array([0.0, 1.0, 2.0, 1.0]), np.array([0.0, 0.0, 0.0, 1.0])
    group, snr = np.array([4.0, 4.0, 4.0, -2.0]), np.full(4, 5.0)
    far = np.arange(100.0) * 10.0 + 50.0
    gains = []
    for doubtful in (10, 60, 100):
        both = (np.concatenate([values, far[:doubtful]]) for values in (row, col))
        log_odds = np.concatenate([group, np.full(doubtful, -1.0)])
        snrs = np.concatenate([snr, np.full(doubtful, 5.0)])
        gains.append(in_context(*both, log_odds, snrs, AREA_CM2, CONFIG)[3] + 2.0)
    assert gains[0] > gains[1] > gains[2] > 0.0


def test_a_faint_member_of_a_group_passes_and_the_same_alone_does_not() -> None:
    row, col = np.array([0.0, 1.0, 2.0, 1.0, 1.0, 60.0]), np.array([0.0, 0.0, 0.0, 1.0, 2.0, 60.0])
    log_odds = np.array([5.0, 5.0, 5.0, 5.0, -1.5, -1.5])
    raised = in_context(row, col, log_odds, np.full(6, 5.0), AREA_CM2, CONFIG)
    assert raised[4] > 0.0
    assert raised[5] == log_odds[5]


def test_noise_in_the_midst_of_a_dense_group_stays_noise() -> None:
    row, col = (values.ravel() for values in np.mgrid[0:5, 0:5] * 0.5)
    log_odds = np.full(25, 6.0)
    log_odds[12] = -4.0
    assert in_context(row, col, log_odds, np.full(25, 5.0), AREA_CM2, CONFIG)[12] < 0.0


def test_faint_members_of_groups_do_not_make_an_image_one_full_of_doubtful_spots() -> None:
    rng = np.random.default_rng(2)
    place = rng.uniform(0.0, 15.0, (2, 80))  # a crop of 4 cm2 with 10 doubtful spots per cm2
    log_odds = np.where(np.arange(80) < 40, 5.0, -1.5)
    raised = in_context(*place, log_odds, np.full(80, 5.0), 4.0, CONFIG)
    assert (raised[40:] > 0.0).mean() > 0.9


def test_neighbours_do_not_make_a_bright_speck_a_calcification() -> None:
    row, col = np.arange(6.0), np.zeros(6)
    log_odds = np.array([5.0, 5.0, 5.0, 5.0, -1.5, -1.5])
    raised = in_context(row, col, log_odds, np.array([5.0, 5.0, 5.0, 5.0, 5.0, 60.0]), AREA_CM2, CONFIG)
    assert raised[4] > 0.0 > raised[5] > log_odds[5]


def test_a_pair_does_not_vouch_for_itself_nor_do_marks_on_one_body() -> None:
    pair = np.array([0.0, 1.0]), np.zeros(2), np.array([3.0, 3.0])
    np.testing.assert_allclose(in_context(*pair, np.full(2, 5.0), AREA_CM2, CONFIG), pair[2])
    body = np.array([0.0, 0.1, 0.2, 0.3]), np.zeros(4), np.full(4, 3.0)
    np.testing.assert_allclose(in_context(*body, np.full(4, 5.0), AREA_CM2, CONFIG), body[2])


def test_without_weight_or_spots_nothing_changes() -> None:
    given = spots(1, 50, 5.0)
    np.testing.assert_array_equal(
        in_context(*given, AREA_CM2, CalcificationConfig(context_weight=0.0)), given[2]
    )
    assert in_context(*(np.zeros(0),) * 4, AREA_CM2, CONFIG).shape == (0,)


def test_neighbours_do_not_raise_what_is_alone() -> None:
    row, col, log_odds = np.arange(6.0), np.zeros(6), np.array([5.0, 5.0, 5.0, 5.0, -1.5, -1.5])
    given = row, col, log_odds, np.full(6, 5.0), AREA_CM2, CONFIG
    alone = np.array([False, False, False, False, False, True])
    raised = in_context(*given, alone=alone)
    assert raised[5] == log_odds[5]
    np.testing.assert_array_equal(raised[:5], in_context(*given)[:5])  # and vouches for others as before
