"""The study of inserted large bodies: where they lie, which marks are theirs, and a tiny run of it."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from breast_phantom import draw_breast

import mcdetect
from benchmarks.__main__ import main
from benchmarks.common.record import Recorder, Run
from benchmarks.detection import inserted_bodies, inserted_body_cases
from benchmarks.detection.inserted_bodies import BESIDE_MM, add_bodies, distance_mm, judged
from benchmarks.detection.inserted_body_cases import CLEAR_MM, INSIDE_MM, BodyCase, Place, body_case
from mcdetect.breast import find_breast
from mcdetect.phantom import BodyForm, BodySpec, insert_bodies

SPACING = 0.2
PITCH = (SPACING, SPACING)


def place(name: str = "drawn") -> Place:
    drawn = draw_breast(PITCH)
    noisy = drawn.pixels + np.random.default_rng(0).normal(0, 6, drawn.pixels.shape)
    image = mcdetect.Mammogram.from_array(noisy.astype(np.float32), PITCH, source=name)
    return Place(name, "phantom", image, (0.03, 0.06), (0.0, 4095.0))


@pytest.fixture(scope="module")
def case() -> BodyCase:
    return body_case(place(), 1)


def covered(case: BodyCase) -> list[np.ndarray]:
    return [np.argwhere(stamp.coverage > 0) + stamp.first for stamp in case.stamps]


def test_bodies_lie_inside_the_breast_and_far_from_each_other(case: BodyCase) -> None:
    searched = find_breast(case.mammogram, mcdetect.Config().breast).searched
    assert len(case.truth) >= 5
    assert case.truth["form"].iloc[0] == "tram track"
    step = round(0.7 * INSIDE_MM / SPACING)
    for at in covered(case):
        for shift in ((step, 0), (-step, 0), (0, step), (0, -step)):
            near = at + shift
            assert searched[near[:, 0], near[:, 1]].all()
    for one, other in combinations(covered(case), 2):
        away = np.hypot(*(one[:, None] - other[None]).transpose(2, 0, 1)).min() * SPACING
        assert away > 0.97 * CLEAR_MM  # distances on a grid are that exact


def test_the_same_turn_gives_the_same_image_and_another_turn_another(case: BodyCase) -> None:
    again, other = body_case(place(), 1), body_case(place(), 2)
    np.testing.assert_array_equal(again.mammogram.pixels, case.mammogram.pixels)
    assert again.truth.equals(case.truth)
    assert not np.array_equal(other.mammogram.pixels, case.mammogram.pixels)
    assert other.name != case.name


def rod_at(row: float, col: float) -> BodyCase:
    """A rod of 4 x 1 mm along the columns."""
    image = np.zeros((150, 150), np.float32)
    spec = BodySpec(BodyForm.ROD, row, col, 4.0, 1.0, 0.5, contrast=100.0, seed=3)
    inserted = insert_bodies(image, SPACING, [spec], rng=np.random.default_rng(0))
    mammogram = mcdetect.Mammogram.from_array(inserted.pixels, SPACING)
    return BodyCase("one rod", "film", "none", mammogram, inserted.truth, inserted.stamps)


class Found:
    """What a detector gives, as far as the study looks at it."""

    def __init__(
        self, marks: list[tuple[float, float, float, int]], kinds: dict[int, str], **more: list
    ) -> None:
        table = pd.DataFrame(marks, columns=["row_px", "col_px", "diameter_mm", "cluster_id"])
        self.calcifications = table.assign(**{"major_axis_mm": 2 * table["diameter_mm"], "kind": "", **more})
        self.clusters = pd.DataFrame(
            {
                "cluster_id": list(kinds),
                "benign_kind": list(kinds.values()),
                "flagged": True,
                "vascular_length_mm": 0.0,
                "suspicion": 60.0,
            }
        )


def test_distances_are_those_from_the_outline() -> None:
    case = rod_at(75.0, 75.0)
    marks = pd.DataFrame(
        {"row_px": [75.0, 75.0, 85.0, 75.0, 20.0, 149.0], "col_px": [75.0, 84.0, 75.0, 95.0, 20.0, 75.0]}
    )
    away = distance_mm(case.stamps[0], marks, PITCH, hull=True)
    np.testing.assert_allclose(away[:4], [0, 0, 10 * SPACING - 0.5, 20 * SPACING - 2.0], atol=0.2)
    assert np.isinf(away[4:]).all()
    assert away[:4].max() < BESIDE_MM


def row_of(found: Found, case: BodyCase | None = None) -> pd.Series:
    return judged(case or rod_at(75.0, 75.0), found).iloc[0]  # type: ignore[arg-type]


def test_marks_groups_and_names_of_a_body_are_counted() -> None:
    marks = [(75.0, 70.0, 0.8, 1), (75.0, 80.0, 1.0, 1), (85.0, 75.0, 0.3, 0), (20.0, 20.0, 9.0, 2)]
    row = row_of(Found(marks, {1: "rod", 2: "rim"}))
    assert (row["marks"], row["beside"], row["flagged"], row["suspicious"], row["findings"]) == (
        2,
        1,
        1,
        1,
        1,
    )
    assert row["right"]
    assert row["diameter_mm error"] == pytest.approx(1.0 / row["diameter_mm"] - 1)
    assert row["major_axis_mm error"] == pytest.approx(2.0 / row["major_axis_mm"] - 1)


def test_a_body_without_marks_is_not_named_and_not_measured() -> None:
    row = row_of(Found([(20.0, 20.0, 9.0, 2)], {2: "rod"}))
    assert (row["marks"], row["findings"], row["right"]) == (0, 0, False)
    assert np.isnan(row["diameter_mm error"])


def test_the_kind_of_a_mark_goes_before_that_of_its_group() -> None:
    mark = [(75.0, 75.0, 2.2, 1)]
    assert row_of(Found(mark, {1: "rim"}, kind=["rod"]))["right"]
    assert not row_of(Found(mark, {1: "rod"}, kind=["coarse"]))["right"]
    assert row_of(Found(mark, {1: "rod"}, kind=[""]))["right"]


def test_figures_come_with_intervals_over_bodies() -> None:
    found = [Found([(75.0, 75.0, 2.2, 0)] * n, {}) for n in (1, 1, 1, 3)]
    bodies = pd.concat([judged(rod_at(75.0, 75.0), f) for f in found], ignore_index=True)  # type: ignore[arg-type]
    recorder = Recorder("inserted_bodies")
    add_bodies(recorder, bodies)
    run = recorder.run()
    one = run.figure("exactly one mark", form="rod", size="all")
    assert one.value == 0.75
    assert (one.low, one.high) == pytest.approx((0.3006, 0.9544), abs=2e-4)  # Wilson's of 3 in 4
    further = run.figure("further marks", form="rod", size="all")
    assert (further.value, further.low, further.high) == (0.5, 0.0, 1.5)
    assert run.labelled("bodies", "size") == ("all",)


def test_a_tiny_run_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(inserted_bodies, "places", lambda kinds: iter([place()]))
    main(["inserted_bodies", "--kinds", "phantom", "--turns", "1", "--jobs", "1", "--table", "bodies.csv"])
    run = Run.from_json((tmp_path / "benchmark-runs" / "inserted_bodies.json").read_text(encoding="utf-8"))
    table = pd.read_csv("bodies.csv")
    assert run.value("images") == 1
    assert run.value("tracks") == 1
    assert run.value("bodies by background", background="phantom") == len(table) - 1
    assert "exactly one mark" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["inserted_bodies", "--turns", "1", "--record"])


def test_without_backgrounds_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(inserted_body_cases, "REAL", tmp_path / "nowhere")
    with pytest.raises(SystemExit, match="no backgrounds"):
        main(["inserted_bodies", "--kinds", "real", "--jobs", "1"])
