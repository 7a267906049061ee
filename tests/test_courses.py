"""Courses of arteries: what goes on from one to the next is one, what passes or crosses is not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from mcdetect.clusters.courses import joined_courses, strays_beside

_Floats = npt.NDArray[np.float64]


def straight(start: tuple[float, float], angle: float, length: float) -> _Floats:
    """Middle line from a place (row, col) on, at an angle from columns to rows."""
    away = np.arange(0.0, length, 0.5)[:, None]
    return np.array(start) + away * np.array([np.sin(angle), np.cos(angle)])


LEFT = straight((10.0, 0.0), 0.0, 20.0)


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize(
    ("start", "angle", "one"),
    [
        ((10.0, 30.0), 0.0, True),  # on from there
        ((13.0, 30.0), 0.3, True),  # somewhat aside: the other wall
        ((13.0, 15.0), 0.0, True),  # on the other wall, beside its end
        ((10.0, 40.0), 0.0, False),  # far off
        ((10.0, 30.0), 1.2, False),  # to another direction
        ((25.0, 25.0), 0.0, False),  # past it
        ((2.0, 10.0), np.pi / 2, False),  # across
    ],
)
def test_courses_that_go_on_are_one(start: tuple[float, float], angle: float, one: bool, back: bool) -> None:
    other = straight(start, angle, 20.0)
    number, between = joined_courses([LEFT, other[::-1] if back else other])
    assert (number[0] == number[1]) == one
    assert len(between) == one


def test_the_line_over_a_gap_goes_from_end_to_end() -> None:
    _, (between,) = joined_courses([LEFT, straight((11.0, 29.0), 0.0, 20.0)])
    np.testing.assert_allclose(between[0], LEFT[-1])
    np.testing.assert_allclose(between[-1], (11.0, 29.0))


def test_no_courses() -> None:
    number, between = joined_courses([])
    assert number.size == 0
    assert between == []


def added(beside: _Floats, members: int = 16, link_mm: float = 5.0) -> list[int]:
    own = np.column_stack([np.full(members, 10.0), np.linspace(0.0, 20.0, members)])
    vessel = np.repeat([1, 0], [members, len(beside)])
    return strays_beside(np.concatenate([own, beside]), vessel, [LEFT], link_mm)[members:].tolist()


def test_few_marks_beside_an_artery_are_its_own() -> None:
    assert added(np.array([[13.0, 5.0], [13.5, 7.0]])) == [1, 1]
    assert added(np.array([[10.0, 23.0]])) == [1]


def test_a_group_beside_an_artery_stays() -> None:
    group = np.array([[13.0, 5.0], [13.5, 7.0], [12.5, 6.0], [14.0, 6.0], [13.8, 5.0]])
    assert added(group, members=60) == [0] * 5
    assert added(group[:3], members=8) == [0] * 3  # nearly as many as its own


def test_what_belongs_to_something_farther_away_stays() -> None:
    assert added(np.array([[13.0, 5.0], [17.0, 6.0]])) == [0, 0]
    assert added(np.array([[13.0, 5.0], [25.0, 6.0]])) == [1, 0]


def test_nothing_beside_and_no_artery() -> None:
    assert added(np.empty((0, 2))) == []
    places = np.array([[1.0, 1.0]])
    assert strays_beside(places, np.array([0]), [], 5.0).tolist() == [0]
