"""Matching rules for clusters, and the geometry under them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from evaluation_tables import marks_of, points_of, regions_of
from scipy.spatial import cKDTree

from mcdetect.validation.evaluation.cluster_matching import match_clusters, true_clusters
from mcdetect.validation.evaluation.geometry import circle_area, hull_area, in_hull
from mcdetect.validation.evaluation.matching import FALSE, NOT_COUNTED, TRUE
from mcdetect.validation.evaluation.readers import TableError

SQUARE = [(0, 10.0, 10.0), (0, 10.0, 14.0), (0, 14.0, 14.0), (0, 14.0, 10.0), (0, 12.0, 12.0)]
NONE = regions_of([])


def test_area_of_a_grown_square_line_and_point() -> None:
    square = np.array(SQUARE)[:, 1:]
    assert hull_area(square, 0.5) == pytest.approx(16 + 16 * 0.5 + np.pi / 4)
    assert hull_area(np.array([[0.0, 0.0], [3.0, 4.0]]), 0.5) == pytest.approx(5.0 + np.pi / 4)
    assert hull_area(np.array([[7.0, 7.0]]), 0.5) == pytest.approx(np.pi / 4)
    assert circle_area(square, 0.5) == pytest.approx(np.pi * (np.sqrt(8) + 0.5) ** 2, rel=1e-4)


def test_grown_hull_equals_a_painted_one() -> None:
    rng = np.random.default_rng(4)
    for count in (1, 2, 3, 8):
        points = rng.uniform(2, 6, (count, 2))
        places = rng.uniform(0, 8, (20000, 2))
        # A hull is made of mixtures of its points: lay a fine net of them, and of all connecting lines.
        net = rng.dirichlet(np.ones(count), 6000) @ points
        along = np.linspace(0, 1, 101)[:, None]
        net = np.concatenate([net, *(a + along * (b - a) for a in points for b in points)])
        away = cKDTree(net).query(places)[0]
        inside = in_hull(places, points, 0.5)
        assert inside[away < 0.42].all()
        assert not inside[away > 0.58].any()
        assert 64 * inside.mean() == pytest.approx(hull_area(points, 0.5), rel=0.05, abs=0.15)


def found_by(
    rule: str, places: list[tuple[float, float]], *, members: bool = True, **truth: object
) -> list[int]:
    """Match one detected group with members at given places against the square."""
    clusters = true_clusters(
        points_of(SQUARE, clusters=["a"] * 5),
        truth.get("regions", NONE),
        min_members=truth.get("min_members", 5),
    )
    centre = np.mean(places, axis=0)
    marks = marks_of([(0, *centre, 1.0)], ["7"])
    own = marks_of([(0, *place, 0.0) for place in places], ["7"] * len(places)) if members else None
    return match_clusters(marks, own, clusters, NONE, rule).status.tolist()


def test_kallergi_takes_the_same_group() -> None:
    assert found_by("kallergi1999", [row[1:] for row in SQUARE]) == [TRUE]


def test_kallergi_wants_half_to_four_times_the_area() -> None:
    small = [(11.9, 11.9), (12.1, 12.1), (12.0, 12.0), (10.0, 10.0), (10.0, 10.1)]
    assert found_by("kallergi1999", small) == [FALSE]
    assert found_by("centroid", small) == [TRUE]
    three = [(10.0, 10.0), (10.0, 14.0), (14.0, 14.0)]
    area = hull_area(np.array(three)) / hull_area(np.array(SQUARE)[:, 1:])
    assert 0.5 < area < 1
    assert found_by("kallergi1999", three) == [TRUE]
    wide = [*three, (14.0, 40.0)]
    assert hull_area(np.array(wide)) < 4 * hull_area(np.array(SQUARE)[:, 1:])
    assert found_by("kallergi1999", wide) == [TRUE]
    wider = [*three, (40.0, 40.0), (10.0, 40.0)]
    assert found_by("kallergi1999", wider) == [FALSE]


def test_kallergi_wants_three_true_members() -> None:
    assert found_by("kallergi1999", [(10, 10), (10, 14), (13.0, 13.0), (13.9, 9.0)]) == [FALSE]
    assert found_by("kallergi1999", [(10, 10), (10, 14), (14.0, 13.7), (13.9, 9.0)]) == [TRUE]


def test_kallergi_wants_neighbours_within_root_two_centimetres() -> None:
    rows = [(0, 0.0, 0.0), (0, 0.0, 16.0), (0, 16.0, 0.0), (0, 16.0, 16.0), (0, 30.0, 8.0)]
    clusters = true_clusters(points_of(rows, clusters=["a"] * 5), NONE, min_members=5)
    own = marks_of([(*row, 0.0) for row in rows], ["1"] * 5)
    marks = marks_of([(0, 12.4, 8.0, 1.0)], ["1"])
    assert match_clusters(marks, own, clusters, NONE, "kallergi1999").status.tolist() == [FALSE]
    close = [(0, r * 0.8, c * 0.8) for _, r, c in rows]
    clusters = true_clusters(points_of(close, clusters=["a"] * 5), NONE, min_members=5)
    own = marks_of([(*row, 0.0) for row in close], ["1"] * 5)
    marks = marks_of([(0, 9.9, 6.4, 1.0)], ["1"])
    assert match_clusters(marks, own, clusters, NONE, "kallergi1999").status.tolist() == [TRUE]


def test_kallergi_with_a_drawn_box_measures_boxes() -> None:
    clusters = true_clusters(points_of([]), regions_of([(0, 9.5, 9.5, 14.5, 14.5)]), min_members=5)
    own = marks_of([(*row, 0.0) for row in SQUARE], ["1"] * 5)
    marks = marks_of([(0, 12.0, 12.0, 1.0)], ["1"])
    assert match_clusters(marks, own, clusters, NONE, "kallergi1999").status.tolist() == [TRUE]
    large = true_clusters(points_of([]), regions_of([(0, 5.0, 5.0, 19.0, 19.0)]), min_members=5)
    assert match_clusters(marks, own, large, NONE, "kallergi1999").status.tolist() == [FALSE]


def test_kallergi_with_a_detected_box_counts_true_points_inside() -> None:
    clusters = true_clusters(points_of(SQUARE, clusters=["a"] * 5), NONE, min_members=5)
    marks = marks_of([(0, 12.0, 12.0, 1.0)])
    boxed = dataclasses.replace(marks, box_mm=np.array([[9.5, 9.5, 14.5, 13.0]]))
    assert match_clusters(boxed, None, clusters, NONE, "kallergi1999").status.tolist() == [TRUE]
    with pytest.raises(TableError, match="members or the box"):
        match_clusters(marks, None, clusters, NONE, "kallergi1999")
    drawn = true_clusters(points_of([]), regions_of([(0, 9, 9, 15, 15)]), min_members=5)
    with pytest.raises(TableError, match="neither truth nor detections"):
        match_clusters(boxed, None, drawn, NONE, "kallergi1999")


def test_centroid_in_a_circle() -> None:
    clusters = true_clusters(points_of([]), regions_of([(0, 8, 8, 12, 12, 2.0)]), min_members=5)
    for place, status in (((10.0, 11.9), TRUE), ((11.5, 11.5), FALSE)):
        marks = marks_of([(0, *place, 1.0)])
        assert match_clusters(marks, None, clusters, NONE, "centroid").status.tolist() == [status]


def test_small_true_groups_neither_count_nor_punish() -> None:
    points = points_of([*SQUARE[:4], (0, 50, 50)], clusters=["a"] * 4 + [""])
    clusters = true_clusters(points, NONE, min_members=5)
    assert [cluster.ignore for cluster in clusters] == [True]
    marks = marks_of([(0, 12.0, 12.0, 1.0), (0, 50.0, 50.0, 0.5)])
    found = match_clusters(marks, None, clusters, NONE, "centroid")
    assert found.status.tolist() == [NOT_COUNTED, FALSE]
    assert found.counted.tolist() == [False]


def test_weak_members_do_not_make_a_group() -> None:
    strong = points_of([(*row, np.nan, 6.0) for row in SQUARE], clusters=["a"] * 5)
    assert not true_clusters(strong, NONE, min_members=5, min_snr=5.0)[0].ignore
    weak = points_of([(*row, np.nan, 4.0 + (k > 0) * 2) for k, row in enumerate(SQUARE)], clusters=["a"] * 5)
    assert true_clusters(weak, NONE, min_members=5, min_snr=5.0)[0].ignore


def test_points_without_a_name_belong_to_the_region_that_holds_them() -> None:
    clusters = true_clusters(points_of(SQUARE), regions_of([(0, 9, 9, 15, 15)]), min_members=5)
    assert len(clusters) == 1
    assert len(clusters[0].members) == 5


def test_of_several_marks_on_one_group_one_is_true() -> None:
    clusters = true_clusters(points_of(SQUARE, clusters=["a"] * 5), NONE, min_members=5)
    marks = marks_of([(0, 12.0, 12.0, 0.3), (0, 13.0, 12.0, 0.8), (0, 30.0, 30.0, 0.1)])
    found = match_clusters(marks, None, clusters, NONE, "centroid")
    assert found.status.tolist() == [TRUE, FALSE, FALSE]
    assert found.rating.tolist() == [0.8]
    many = match_clusters(marks, None, clusters, NONE, "centroid_many")
    assert many.status.tolist() == [TRUE, TRUE, FALSE]
    assert many.rating.tolist() == [0.8]


def test_one_mark_finds_one_of_two_groups() -> None:
    """Two drawn regions overlap: the nearer one is found, and both by the rule that allows it."""
    drawn = regions_of([(0, 0, 0, 10, 10), (0, 4, 4, 14, 14)])
    clusters = true_clusters(points_of([]), drawn, min_members=5)
    marks = marks_of([(0, 6.5, 6.5, 0.7)])
    found = match_clusters(marks, None, clusters, NONE, "centroid")
    assert sorted(found.rating.tolist()) == [-np.inf, 0.7]
    many = match_clusters(marks, None, clusters, NONE, "centroid_many")
    assert many.rating.tolist() == [0.7, 0.7]


def test_a_second_mark_takes_the_second_group() -> None:
    """By falling score, the nearest free region first; a mark on a group that does not count is not false."""
    drawn = regions_of([(0, 0, 0, 10, 10), (0, 4, 4, 14, 14)])
    clusters = true_clusters(points_of([]), drawn, min_members=5)
    marks = marks_of([(0, 5.0, 5.0, 0.9), (0, 5.5, 5.5, 0.8), (0, 6.0, 6.0, 0.7)])
    found = match_clusters(marks, None, clusters, NONE, "centroid")
    assert found.rating.tolist() == [0.9, 0.8]
    assert found.status.tolist() == [TRUE, TRUE, FALSE]
    beside = true_clusters(
        points_of([(0, 5, 5), (0, 5, 6), (0, 6, 6)], clusters=["few"] * 3), drawn, min_members=5
    )
    assert sorted(cluster.ignore for cluster in beside) == [False, False, True]
    assert match_clusters(marks, None, beside, NONE, "centroid").status.tolist() == [TRUE, TRUE, NOT_COUNTED]
