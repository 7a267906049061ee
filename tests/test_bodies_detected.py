"""Large bodies through the whole detector: one mark and one kind each, and what they do to groups."""

from __future__ import annotations

import dataclasses
from functools import cache
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage as ndi

import mcdetect
from mcdetect import Config
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.pipeline import bodies
from mcdetect.result import Marks
from mcdetect.shapes.large import LargeBody

SPACING = 0.1
SIDE = 600  # 6 cm

BODIES = {  # kind: middle in mm (row, col), and what of a grid of mm around it the body covers
    "rim": ((12.0, 12.0), lambda r, c: np.abs(np.hypot(r, c) - 1.3) <= 0.25),
    "coarse": ((12.0, 42.0), lambda r, c: np.hypot(r, c) <= 1.0),
    "rod": ((42.0, 12.0), lambda r, c: (r / 0.45) ** 2 + (c / 2.2) ** 2 <= 1.0),
    "object": ((42.0, 46.0), lambda r, c: (np.abs(r) <= 0.4) & (np.abs(c) <= 1.6)),
}


def draw(image: npt.NDArray[np.float64], middle: tuple[float, float], figure: object, height: float) -> None:
    row, col = np.indices(image.shape) * SPACING
    image += height * ndi.gaussian_filter(figure(row - middle[0], col - middle[1]).astype(float), 0.6)  # type: ignore[operator]


@cache
def scene(specks: int = 0) -> mcdetect.Result:
    """Return what is found: the bodies, and around the middle of the clip so many specks."""
    rng = np.random.default_rng(0)
    tissue = ndi.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 20.0)
    image = 2000.0 + 20.0 * tissue / tissue.std()
    for middle, figure in BODIES.values():
        draw(image, middle, figure, 600.0)
    for angle in 2.0 * np.pi * np.arange(specks) / max(specks, 1):
        middle = (42.0 + 3.5 * np.sin(angle), 46.0 + 3.5 * np.cos(angle))
        draw(image, middle, lambda r, c: np.hypot(r, c) <= 0.2, 400.0)
    return mcdetect.detect((image + rng.normal(0.0, 10.0, image.shape)).astype(np.float32), SPACING)


def near(result: mcdetect.Result, middle: tuple[float, float], reach: float = 2.6):
    table = result.calcifications
    away = np.hypot(table["row_px"] * SPACING - middle[0], table["col_px"] * SPACING - middle[1])
    return table[away <= reach]


@pytest.mark.parametrize("kind", ["rim", "coarse", "rod"])
def test_a_body_has_one_mark_in_its_middle_and_its_kind(kind: str) -> None:
    middle, _ = BODIES[kind]
    marks = near(scene(), middle)
    assert marks["kind"].tolist() == [kind]
    assert marks["row_px"].iloc[0] * SPACING == pytest.approx(middle[0], abs=0.15)
    assert marks["col_px"].iloc[0] * SPACING == pytest.approx(middle[1], abs=0.15)
    assert marks["score"].iloc[0] >= Config().calcifications.min_score
    size = {"rim": 3.1, "coarse": 2.0, "rod": 2.0}[kind]
    assert marks["diameter_mm"].iloc[0] == pytest.approx(size, rel=0.1)


def test_a_clip_is_no_calcification_of_a_group() -> None:
    middle, _ = BODIES["object"]
    for specks, flagged in ((4, 0), (6, 1)):
        result = scene(specks)
        clip = near(result, middle, reach=1.0)
        assert (clip["cluster_id"] == 0).all()
        groups = result.clusters
        assert groups["flagged"].sum() == flagged
        assert groups["n_calcifications"].max() == specks


def test_bodies_keep_their_measures_and_specks_have_no_kind() -> None:
    table = scene(6).calcifications
    specks = table[table["kind"] == ""]
    assert len(specks) == 6
    assert specks["diameter_mm"].max() < 0.8
    assert table[table["kind"] != ""]["diameter_mm"].min() > 1.0


def test_the_candidate_of_a_body_is_the_mark() -> None:
    """The body's middle and its score stand in both tables."""
    result = scene()
    for _, mark in result.calcifications[result.calcifications["kind"] != ""].iterrows():
        same = (result.candidates["row_px"] == mark["row_px"]) & (result.candidates["score"] == mark["score"])
        assert same.sum() == 1


@pytest.mark.parametrize(("distance", "kept"), [(3.9, [0]), (4.1, [0, 1])])
def test_near_the_skin_a_body_needs_a_certain_mark(
    distance: float, kept: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Skin and folds are bright and steep, too."""
    asked: list[tuple[float, float]] = []

    def skin_distance(row: npt.NDArray[np.float64], col: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        asked.append((float(row[0]), float(col[0])))
        return np.full(row.size, distance)

    found_bodies = [LargeBody(np.array([k]), 30.0 + k, 40.0 + k, {"area_mm2": 3.0}, "coarse") for k in (0, 1)]
    monkeypatch.setattr(bodies, "find_large_bodies", lambda *_: found_bodies)
    two = np.zeros(2)
    candidates = Marks(**{name: two.copy() for name in Marks.__dataclass_fields__})
    candidates = dataclasses.replace(candidates, log_odds=np.array([2.0, -3.0]))
    everywhere = np.ones((100, 100), np.bool_)
    breast = SimpleNamespace(
        skin_distance_at=skin_distance, mask=everywhere, searched=everywhere, hidden=None
    )
    searched = SimpleNamespace(
        breast=breast,
        origin_px=(7, 9),
        equalised=np.zeros((50, 60), np.float32),
        focus=None,
        in_part=lambda marks: (marks.row_px, marks.col_px),
    )
    marks, accepted, whole = bodies.find_bodies(
        candidates,
        np.array([0]),
        searched,
        PixelSpacing(0.1, 0.2),
        Config(),  # type: ignore[arg-type]
    )
    assert accepted.tolist() == kept
    assert len(whole) == len(kept)
    assert asked == [(38.0, 50.0)]  # of the uncertain one, in pixels of the whole image
    assert marks.body.tolist() == [1.0, 2.0 if len(kept) == 2 else 0.0]
    assert marks.log_odds.tolist() == [2.0, 0.0 if len(kept) == 2 else -3.0]
    assert (marks.row_px[0], marks.col_px[0]) == (37.0, 49.0)
    assert (marks.row_mm[0], marks.col_mm[0]) == pytest.approx((3.7, 9.8))


def test_a_body_without_marks_gets_one() -> None:
    """The filters for specks may leave no candidate on what is wide."""
    found = SimpleNamespace(origin_px=(7, 9))
    candidates = Marks(**{name: np.zeros(2) for name in Marks.__dataclass_fields__})
    measures = {"contrast": 30.0, "diameter_mm": 2.0}
    whole = [
        LargeBody(np.array([1]), 1.0, 2.0, measures, "coarse"),
        LargeBody(np.empty(0, np.int64), 30.0, 40.0, measures, "rim"),
    ]
    marks, marked = bodies._all_marked(candidates, whole, found, PixelSpacing(0.1, 0.2))  # type: ignore[arg-type]
    assert [body.marks.tolist() for body in marked] == [[1], [2]]
    assert len(marks) == 3
    assert (marks.row_px[2], marks.col_px[2]) == (37.0, 49.0)
    assert (marks.row_mm[2], marks.col_mm[2]) == pytest.approx((3.7, 9.8))
    assert marks.snr[2] == 30.0
    assert marks.scale_diameter_mm[2] == pytest.approx(2.0)
    same, _ = bodies._all_marked(candidates, whole[:1], found, PixelSpacing(0.1, 0.2))  # type: ignore[arg-type]
    assert same is candidates
