"""Arteries told by their plaques: dashes along one curve are one row, groups of other kinds are none."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcdetect.clusters.plaques import EVIDENCE, PlaqueRows, find_plaque_rows

_Floats = npt.NDArray[np.float64]
Table = tuple[_Floats, _Floats, _Floats, _Floats, _Floats]


def track(length: float, radius: float = 60.0, apart: float = 2.5, gap: float = 2.5, seed: int = 0) -> Table:
    """Plaques of 2 mm on two walls of an artery that bends: row, col, angle, length, evidence."""
    rng = np.random.default_rng(seed)
    place = np.arange(0.0, length, 2.0 + gap)
    place = place + rng.uniform(-0.6, 0.6, place.size)
    wall = np.where(np.arange(place.size) % 2, 0.5, -0.5) * apart
    turn = place / radius
    row, col = (radius + wall) * np.cos(turn), (radius + wall) * np.sin(turn)
    # The course at `turn` goes by (-sin, cos) in (row, col).
    angle = np.arctan2(-np.sin(turn), np.cos(turn)) + rng.normal(0.0, 0.08, place.size)
    return row, col, angle % np.pi, np.full(place.size, 2.0), np.full(place.size, 0.5)


def both(one: Table, two: Table) -> Table:
    return tuple(np.concatenate([a, b]) for a, b in zip(one, two, strict=True))  # type: ignore[return-value]


def grains(count: int, middle: tuple[float, float], reach: float, length: float, seed: int = 1) -> Table:
    """Short dashes that point anywhere, about a middle."""
    rng = np.random.default_rng(seed)
    row, col = (m + rng.normal(0.0, reach, count) for m in middle)
    return row, col, rng.uniform(0, np.pi, count), np.full(count, length), np.full(count, 0.5)


def rows_of(table: Table, others: _Floats | None = None) -> PlaqueRows:
    return find_plaque_rows(*table, others)


@pytest.mark.parametrize("length", [20.0, 40.0, 60.0])
@pytest.mark.parametrize("radius", [25.0, 200.0])
@pytest.mark.parametrize("apart", [1.0, 3.5])
def test_a_tram_track_is_one_row(length: float, radius: float, apart: float) -> None:
    table = track(length, radius, apart)
    rows = rows_of(table)
    assert len(rows.lines_mm) == 1
    assert (rows.label == 1).mean() >= 0.8  # a last dash may point aside, and still lies in its width
    assert rows.holds(1, np.column_stack(table[:2])).all()


def test_gaps_of_several_mm_are_bridged_and_wide_ones_are_not() -> None:
    assert set(rows_of(track(60.0, gap=2.5)).label) == {1}  # on each wall, then, some 7 mm
    assert not rows_of(track(80.0, gap=17.0)).label.any()


@pytest.mark.parametrize("seed", range(20))
def test_groups_are_no_rows(seed: int) -> None:
    assert not rows_of(grains(20, (10.0, 10.0), 4.0, 1.2, seed)).label.any()
    assert not rows_of(grains(40, (10.0, 10.0), 12.0, 1.2, seed)).label.any()


def test_a_short_cast_is_none() -> None:
    """Fine linear calcifications in one duct, over 1 cm."""
    assert not rows_of(track(9.0, radius=300.0, apart=0.0, gap=0.5)).label.any()


def test_what_looks_little_like_calcium_is_no_artery() -> None:
    *places, evidence = track(40.0)
    count = evidence.size
    assert not rows_of((*places, np.full(count, 0.9 * EVIDENCE / count))).label.any()
    assert rows_of((*places, np.full(count, 1.1 * EVIDENCE / count))).label.all()


def test_plaques_alongside_one_another_speak_for_an_artery() -> None:
    """Two walls with plaques at the same places, each too little like calcium."""
    one, two = track(40.0, apart=0.0, gap=3.0, seed=2), track(40.0, radius=62.5, apart=0.0, gap=3.0, seed=2)
    faint = tuple(np.zeros(part.size) if k == 4 else part for k, part in enumerate(both(one, two)))
    assert rows_of(faint).label.all()  # type: ignore[arg-type]
    lone = tuple(np.zeros(part.size) if k == 4 else part for k, part in enumerate(one))
    assert not rows_of(lone).label.any()  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [1, 2])
def test_plaques_after_a_long_gap_join_where_they_fit_two(seed: int) -> None:
    row, col, angle, length, evidence = track(60.0, radius=600.0, gap=1.0, seed=seed)
    place = col - col.min()
    kept = (place < 37.0) | (place > 47.0)
    table = row[kept], col[kept], angle[kept], length[kept], evidence[kept]
    assert (rows_of(table).label == 1).mean() > 0.9
    assert len(rows_of(table).lines_mm) == 1


def test_dashes_that_cross_it_are_not_its_plaques() -> None:
    artery = track(40.0, radius=600.0)
    crossing = tuple(np.array([value]) for value in (artery[0][4], artery[1][4], 1.2, 3.0, 0.0))
    label = rows_of(both(artery, crossing)).label  # type: ignore[arg-type]
    assert (label[:-1] == 1).mean() > 0.8
    assert label[-1] == 0


def test_a_row_in_a_crowd_is_no_artery() -> None:
    table = track(40.0)
    rng = np.random.default_rng(3)
    crowd = np.column_stack([60.0 + rng.uniform(-6, 6, 80), rng.uniform(0, 35, 80)])
    assert not rows_of(table, crowd).label.any()


def test_a_group_beside_an_artery_keeps_its_members() -> None:
    artery = track(50.0)
    group = grains(8, (artery[0][3] + 16.0, artery[1][3]), 1.5, 1.0)
    rows = rows_of(both(artery, group))
    assert (rows.label[: artery[0].size] == 1).all()
    assert not rows.label[artery[0].size :].any()
    assert not rows.holds(1, np.column_stack(group[:2])).any()


def test_specks_between_the_walls_and_just_ahead_belong_to_the_artery() -> None:
    rows = rows_of(track(40.0, apart=4.0))
    turn = np.array([20.0, 40.0, 50.0]) / 60.0  # in the middle, ahead of the last plaque, and far off
    inside = rows.holds(1, 60.0 * np.column_stack([np.cos(turn), np.sin(turn)]))
    assert inside.tolist() == [True, True, False]


def test_a_dash_beside_it_that_no_link_reaches_joins() -> None:
    lone = tuple(np.array([value]) for value in (62.3, 1.0, 1.0, 1.0, 0.0))  # it points aside: none of it
    aligned = tuple(np.array([value]) for value in (62.3, 1.0, 0.3, 1.0, 0.0))
    artery = track(40.0, radius=600.0)
    artery = (artery[0] - 540.0, *artery[1:])
    assert rows_of(both(artery, lone)).label[-1] == 0  # type: ignore[arg-type]
    assert rows_of(both(artery, aligned)).label[-1] == 1  # type: ignore[arg-type]


def test_two_arteries_are_two_and_the_longer_comes_first() -> None:
    short, long = track(25.0), track(55.0)
    apart = (short[0] + 60.0, *short[1:])
    label = rows_of(both(apart, long)).label  # type: ignore[arg-type]
    assert set(label[: short[0].size]) == {2}
    assert set(label[short[0].size :]) == {1}


@given(st.integers(0, 2**32 - 1), st.sampled_from(["rows", "cols", "turn", "shift"]))
def test_rows_do_not_hang_on_how_the_image_lies(seed: int, how: str) -> None:
    row, col, angle, length, evidence = both(track(40.0, seed=seed), grains(6, (20.0, 90.0), 3.0, 1.2, seed))
    found = find_plaque_rows(row, col, angle, length, evidence).label
    row2, col2, angle2 = {
        "rows": (-row, col, -angle),
        "cols": (row, -col, -angle),
        "turn": (col, row, 0.5 * np.pi - angle),
        "shift": (row + 11.0, col - 3.0, angle),
    }[how]
    again = find_plaque_rows(row2, col2, angle2 % np.pi, length, evidence).label
    np.testing.assert_array_equal(again, found)


def test_nothing() -> None:
    none = np.empty(0)
    rows = find_plaque_rows(none, none, none, none, none)
    assert rows.label.size == 0
    assert rows.lines_mm == ()
