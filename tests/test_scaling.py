"""What measures growth: the exponent of costs that are known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.measurement import scaling
from benchmarks.measurement.scaling import WORK, Line, fit, shortest

SIZES = (10, 100, 1000, 10_000, 100_000)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("start", [0.0, 0.01, 1.0])
def test_the_exponent_of_a_known_cost_is_found(exponent: float, start: float) -> None:
    true = Line(start, 1e-4, exponent)
    line = fit(SIZES, true.at(np.array(SIZES, np.float64)).tolist())
    assert line.exponent == pytest.approx(exponent, abs=0.02)
    assert line.start == pytest.approx(start, rel=0.05, abs=2e-4)


def test_n_log_n_shows_as_little_more_than_one() -> None:
    n = np.array(SIZES, np.float64)
    assert 1.0 < fit(SIZES, (1e-6 * n * np.log(n)).tolist()).exponent < WORK["members"].high
    assert fit(SIZES, (1e-6 * n**1.5).tolist()).exponent > WORK["members"].high


@pytest.mark.parametrize("name", WORK)
def test_sizes_span_two_decades_or_so(name: str) -> None:
    sizes = WORK[name].sizes
    assert sizes == tuple(sorted(sizes))
    assert sizes[-1] / sizes[0] >= 64
    assert WORK[name].work.__doc__


def test_the_members_are_one_group_and_all_candidates_are_scored() -> None:
    from mcdetect.clusters.rule import find_groups
    from mcdetect.config import GroupConfig

    scaling.of_members(50)()
    rng = np.random.default_rng(2)
    row, col = rng.uniform(0.0, 10.0 * np.sqrt(50 / scaling.PER_CM2), (2, 50))
    assert np.bincount(find_groups(row, col, GroupConfig()).label).max() > 45
    assert np.asarray(scaling.of_candidates(30)()).shape == (30,)


def test_the_first_run_does_not_count() -> None:
    calls: list[int] = []
    assert shortest(lambda: calls.append(1), 3) >= 0.0
    assert len(calls) == 4
