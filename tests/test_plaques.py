"""Arteries told by their plaques: dashes along one curve are one row, groups of other kinds are none."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcdetect.clusters.plaques import find_plaque_rows
from mcdetect.pipeline.vessels import join_plaques
from mcdetect.result import Calcifications, Marks

_Floats = npt.NDArray[np.float64]
Table = tuple[_Floats, _Floats, _Floats, _Floats, _Floats]


def track(length: float, radius: float = 60.0, apart: float = 2.5, gap: float = 2.5, seed: int = 0) -> Table:
    """Plaques of 2 mm on two walls of an artery that bends: row, col, orientation, length, aspect."""
    rng = np.random.default_rng(seed)
    place = np.arange(0.0, length, 2.0 + gap)
    place = place + rng.uniform(-0.8, 0.8, place.size)
    wall = np.where(np.arange(place.size) % 2, 0.5, -0.5) * apart
    turn = place / radius
    row, col = (radius + wall) * np.cos(turn), (radius + wall) * np.sin(turn)
    # The course at `turn` goes by (-sin, cos) in (row, col); displayed angles count rows downwards.
    angle = np.degrees(np.arctan2(np.sin(turn), np.cos(turn))) + rng.normal(0.0, 5.0, place.size)
    return row, col, (angle + 90.0) % 180.0 - 90.0, np.full(place.size, 2.0), np.full(place.size, 5.0)


def both(one: Table, two: Table) -> Table:
    return tuple(np.concatenate([a, b]) for a, b in zip(one, two, strict=True))  # type: ignore[return-value]


def grains(count: int, middle: tuple[float, float], reach: float, aspect: float, seed: int = 1) -> Table:
    rng = np.random.default_rng(seed)
    row, col = (m + rng.normal(0.0, reach, count) for m in middle)
    return row, col, rng.uniform(-90, 90, count), np.full(count, 1.2), np.full(count, aspect)


@pytest.mark.parametrize("length", [20.0, 40.0, 60.0])
@pytest.mark.parametrize("radius", [25.0, 200.0])
@pytest.mark.parametrize("apart", [1.0, 4.0])
def test_a_tram_track_is_one_row(length: float, radius: float, apart: float) -> None:
    rows = find_plaque_rows(*track(length, radius, apart))
    assert rows.tolist() == [1] * rows.size


def test_gaps_of_several_mm_are_bridged_and_wide_ones_are_not() -> None:
    assert set(find_plaque_rows(*track(60.0, gap=8.0))) == {1}
    assert not find_plaque_rows(*track(80.0, gap=17.0)).any()


@pytest.mark.parametrize("seed", range(20))
def test_groups_are_no_rows(seed: int) -> None:
    assert not find_plaque_rows(*grains(20, (10.0, 10.0), 4.0, 3.0, seed)).any()
    assert not find_plaque_rows(*grains(40, (10.0, 10.0), 12.0, 2.5, seed)).any()


def test_a_short_cast_is_none() -> None:
    """Fine linear calcifications in one duct, over 1 cm."""
    assert not find_plaque_rows(*track(10.0, radius=300.0, apart=0.0, gap=0.5)).any()


def test_a_group_beside_an_artery_keeps_its_members() -> None:
    artery = track(50.0)
    group = grains(8, (artery[0][3] + 16.0, artery[1][3]), 1.5, 1.3)
    rows = find_plaque_rows(*both(artery, group))
    assert (rows[: artery[0].size] == 1).all()
    assert not rows[artery[0].size :].any()


def test_specks_between_the_walls_belong_to_the_artery() -> None:
    artery = track(40.0)
    speck = tuple(np.array([value]) for value in (60.0, 8.0, np.nan, np.nan, np.nan))
    assert find_plaque_rows(*both(artery, speck))[-1] == 1  # type: ignore[arg-type]


def test_two_arteries_are_two_and_the_longer_comes_first() -> None:
    short, long = track(25.0), track(55.0)
    apart = (short[0] + 60.0, *short[1:])
    rows = find_plaque_rows(*both(apart, long))
    assert set(rows[: short[0].size]) == {2}
    assert set(rows[short[0].size :]) == {1}


@given(st.integers(0, 2**32 - 1), st.sampled_from(["rows", "cols", "turn", "shift"]))
def test_rows_do_not_hang_on_how_the_image_lies(seed: int, how: str) -> None:
    row, col, angle, major, aspect = both(track(40.0, seed=seed), grains(6, (20.0, 90.0), 3.0, 2.0, seed))
    found = find_plaque_rows(row, col, angle, major, aspect)
    row2, col2, angle2 = {
        "rows": (-row, col, -angle),
        "cols": (row, -col, -angle),
        "turn": (col, row, -90.0 - angle),
        "shift": (row + 11.0, col - 3.0, angle),
    }[how]
    np.testing.assert_array_equal(find_plaque_rows(row2, col2, angle2, major, aspect), found)


def test_nothing_and_nothing_measured() -> None:
    none = np.empty(0)
    assert find_plaque_rows(none, none, none, none, none).size == 0
    row, col, *_ = track(40.0)
    unknown = np.full(row.size, np.nan)
    assert not find_plaque_rows(row, col, unknown, unknown, unknown).any()


def test_plaques_join_the_vessel_that_is_known() -> None:
    row, col, angle, major, aspect = track(40.0)
    n = row.size
    empty = np.zeros(n)
    marks = Marks(**dict.fromkeys(Marks.__dataclass_fields__, empty) | {"row_mm": row, "col_mm": col})
    measures = {"orientation_deg": angle, "major_axis_mm": major, "aspect": aspect}
    given_ = Calcifications(marks, np.full(n, "", object), measures, empty, empty, empty, empty > 0)
    assert set(join_plaques(given_).marks.vessel) == {1.0}
    known = np.where(np.arange(n) < 2, 3.0, 0.0)
    other = dataclasses.replace(given_, marks=dataclasses.replace(marks, vessel=known))
    assert set(join_plaques(other).marks.vessel) == {3.0}
