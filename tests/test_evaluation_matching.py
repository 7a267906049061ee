"""Matching rules for single calcifications: hand-worked cases and a plain twin of each."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation_tables import marks_of, points_of, regions_of
from hypothesis import given, settings
from hypothesis import strategies as st

from mcdetect.validation.evaluation.cases import Marks, Points
from mcdetect.validation.evaluation.matching import (
    CALCIFICATION_RULES,
    FALSE,
    NOT_COUNTED,
    TRUE,
    disc_iou,
    match_calcifications,
)

NONE = regions_of([])


def painted_iou(apart: float, first: float, second: float) -> float:
    """Intersection over union of two discs, counted in small pixels."""
    y, x = np.mgrid[-2:2:0.004, -2:3:0.004]
    one, two = np.hypot(x, y) <= first / 2, np.hypot(x - apart, y) <= second / 2
    return float((one & two).sum() / (one | two).sum())


@pytest.mark.parametrize(
    ("apart", "first", "second"),
    [(0.0, 1.0, 1.0), (0.3, 1.0, 1.0), (0.1, 0.4, 1.0), (0.5, 0.6, 1.4), (0.65, 0.6, 1.4), (1.2, 1.0, 1.0)],
)
def test_overlap_of_discs_equals_painted_ones(apart: float, first: float, second: float) -> None:
    found = disc_iou(np.array([apart]), np.array([first]), np.array([second]))[0]
    assert found == pytest.approx(painted_iou(apart, first, second), abs=0.01)


def test_overlap_without_a_diameter_is_none() -> None:
    assert disc_iou(np.zeros(3), np.array([np.nan, 0.0, 1.0]), np.array([1.0, 1.0, 0.0])).tolist() == [
        0,
        0,
        0,
    ]


def test_hdogreg_takes_a_centroid_at_exactly_its_distance() -> None:
    lesions = points_of([(0, 5.0, 5.0)])
    assert match_calcifications(marks_of([(0, 5.0, 5.35, 1)]), lesions, NONE, "hdogreg").status.tolist() == [
        TRUE
    ]
    assert match_calcifications(marks_of([(0, 5.0, 5.351, 1)]), lesions, NONE, "hdogreg").status.tolist() == [
        FALSE
    ]


def test_hdogreg_gives_a_lesion_to_the_surer_mark_and_calls_the_other_false() -> None:
    found = match_calcifications(
        marks_of([(0, 5.0, 5.0, 0.2), (0, 5.3, 5.0, 0.9)]), points_of([(0, 5.0, 5.0)]), NONE, "hdogreg"
    )
    assert found.status.tolist() == [TRUE, FALSE]  # marks are sorted by falling score
    assert found.rating.tolist() == [0.9]


def test_hdogreg_leaves_the_second_lesion_to_the_second_mark() -> None:
    lesions = points_of([(0, 5.0, 5.0), (0, 5.0, 5.4)])
    found = match_calcifications(marks_of([(0, 5.0, 5.1, 0.9), (0, 5.0, 5.2, 0.5)]), lesions, NONE, "hdogreg")
    assert found.rating.tolist() == [0.9, 0.5]
    assert found.lesion.tolist() == [0, 1]


def test_hdogreg_falls_back_on_overlap() -> None:
    lesions = points_of([(0, 5.0, 5.0, 1.6)])
    far = match_calcifications(marks_of([(0, 5.0, 5.6, 1, 1.6)]), lesions, NONE, "hdogreg")
    assert float(disc_iou(np.array([0.6]), np.array([1.6]), np.array([1.6]))[0]) > 0.3
    assert far.status.tolist() == [TRUE]
    small = match_calcifications(marks_of([(0, 5.0, 5.6, 1, 0.5)]), lesions, NONE, "hdogreg")
    assert small.status.tolist() == [FALSE]


def test_calcdet_asks_whether_the_disc_touches() -> None:
    lesions = points_of([(0, 5.0, 5.0, 0.5)])
    reach = 0.245 + 0.25
    for away, status in ((reach - 0.001, TRUE), (reach + 0.001, FALSE)):
        found = match_calcifications(marks_of([(0, 5.0, 5.0 + away, 1)]), lesions, NONE, "calcdet")
        assert found.status.tolist() == [status]


def test_calcdet_lets_one_mark_find_several_and_passes_over_large_lesions() -> None:
    lesions = points_of([(0, 5.0, 5.0, 0.2), (0, 5.0, 5.3, 0.2), (0, 9.0, 9.0, 1.06), (0, 2.0, 2.0, 1.05)])
    found = match_calcifications(
        marks_of([(0, 5.0, 5.15, 0.7), (0, 5.0, 5.1, 0.4), (0, 9.0, 9.0, 0.3)]), lesions, NONE, "calcdet"
    )
    assert found.status.tolist() == [TRUE, TRUE, NOT_COUNTED]
    assert found.rating.tolist() == [0.7, 0.7, -np.inf, -np.inf]
    assert found.counted.tolist() == [True, True, False, True]


def test_lenient_reaches_098_mm() -> None:
    lesions = points_of([(0, 5.0, 5.0)])
    marks = marks_of([(0, 5.0, 5.98, 0.5), (0, 5.0, 5.99, 0.4)])
    assert match_calcifications(marks, lesions, NONE, "lenient").status.tolist() == [TRUE, FALSE]


def test_what_is_to_be_ignored_is_neither_found_nor_false() -> None:
    lesions = points_of([(0, 5.0, 5.0), (0, 8.0, 8.0)], ignore=[0])
    regions = regions_of([(0, 0, 0, 2, 2), (0, 10, 10, 12, 12, 1.0)], ignore=[0, 1])
    marks = marks_of(
        [(0, 5, 5, 0.9), (0, 1, 1, 0.8), (0, 11.5, 11, 0.7), (0, 12, 12, 0.6), (0, 8, 8, 0.5), (0, 3, 3, 0.4)]
    )
    found = match_calcifications(marks, lesions, regions, "hdogreg")
    assert found.status.tolist() == [NOT_COUNTED, NOT_COUNTED, NOT_COUNTED, FALSE, TRUE, FALSE]
    assert found.rating.tolist() == [-np.inf, 0.5]


def test_marks_of_other_images_do_not_count() -> None:
    found = match_calcifications(marks_of([(1, 5.0, 5.0, 1.0)]), points_of([(0, 5.0, 5.0)]), NONE, "lenient")
    assert found.status.tolist() == [FALSE]
    assert found.rating.tolist() == [-np.inf]


@pytest.mark.parametrize("rule", CALCIFICATION_RULES)
def test_nothing_to_match(rule: str) -> None:
    empty = match_calcifications(marks_of([]), points_of([]), NONE, rule)
    assert len(empty.status) == len(empty.rating) == 0
    assert match_calcifications(marks_of([(0, 1, 1, 1)]), points_of([]), NONE, rule).status.tolist() == [
        FALSE
    ]
    assert match_calcifications(marks_of([]), points_of([(0, 1, 1)]), NONE, rule).rating.tolist() == [-np.inf]


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="hdogreg, calcdet, lenient"):
        match_calcifications(marks_of([]), points_of([]), NONE, "nonsense")


def plain_twin(marks: Marks, lesions: Points, rule: str) -> tuple[list[int], list[float]]:
    """Match with loops over everything."""
    status = [FALSE] * len(marks)
    rating = [-np.inf] * len(lesions)
    for m in sorted(range(len(marks)), key=lambda m: -marks.score[m]):
        best, best_cost, beside = -1, np.inf, False
        for k in range(len(lesions)):
            if marks.image[m] != lesions.image[k]:
                continue
            apart = float(np.sqrt(((marks.place_mm[m] - lesions.place_mm[k]) ** 2).sum()))
            size = 0.0 if np.isnan(lesions.diameter_mm[k]) else float(lesions.diameter_mm[k])
            own = 0.0 if np.isnan(marks.diameter_mm[m]) else float(marks.diameter_mm[m])
            iou = float(disc_iou(np.array([apart]), np.array([own]), np.array([size]))[0])
            if rule == "hdogreg":
                fits, cost = apart <= 0.35 or iou >= 0.3, apart if apart <= 0.35 else 1000 - iou
            elif rule == "calcdet":
                fits, cost = apart <= 0.245 + size / 2, apart
            else:
                fits, cost = apart <= 0.98, apart
            off = bool(lesions.ignore[k]) or (rule == "calcdet" and size > 1.05)
            if fits and off:
                beside = True
            elif fits and rule == "hdogreg":
                if rating[k] == -np.inf and cost < best_cost:
                    best, best_cost = k, cost
            elif fits:
                rating[k], status[m] = max(rating[k], marks.score[m]), TRUE
        if best >= 0:
            rating[best], status[m] = marks.score[m], TRUE
        if status[m] == FALSE and beside:
            status[m] = NOT_COUNTED
    return status, rating


def crowd(seed: int) -> tuple[Marks, Points]:
    rng = np.random.default_rng(seed)
    n, k = rng.integers(0, 60), rng.integers(0, 40)
    score = rng.permutation(n) / max(n, 1)
    size = np.where(rng.random(n) < 0.3, np.nan, rng.uniform(0, 2, n))
    marks = marks_of(list(zip(rng.integers(0, 3, n), *rng.uniform(0, 4, (2, n)), score, size, strict=True)))
    diameter = np.where(rng.random(k) < 0.3, np.nan, rng.uniform(0, 2, k))
    rows = sorted(zip(rng.integers(0, 3, k), *rng.uniform(0, 4, (2, k)), diameter, strict=True))
    return marks, points_of(rows, ignore=np.flatnonzero(rng.random(k) < 0.2).tolist())


@pytest.mark.parametrize("rule", CALCIFICATION_RULES)
@settings(max_examples=40)
@given(seed=st.integers(0, 10**6))
def test_rules_equal_their_plain_twins(rule: str, seed: int) -> None:
    marks, lesions = crowd(seed)
    found = match_calcifications(marks, lesions, NONE, rule)
    status, rating = plain_twin(marks, lesions, rule)
    assert found.status.tolist() == status
    assert found.rating.tolist() == rating


@pytest.mark.parametrize("rule", CALCIFICATION_RULES)
@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), threshold=st.floats(0, 1))
def test_one_matching_holds_at_every_threshold(rule: str, seed: int, threshold: float) -> None:
    marks, lesions = crowd(seed)
    whole = match_calcifications(marks, lesions, NONE, rule)
    keep = marks.score >= threshold
    columns = vars(marks).values()
    fewer = Marks(*(values[keep] if len(values) else values for values in columns))
    part = match_calcifications(fewer, lesions, NONE, rule)
    assert part.status.tolist() == whole.status[keep].tolist()
    assert part.rating.tolist() == np.where(whole.rating >= threshold, whole.rating, -np.inf).tolist()
