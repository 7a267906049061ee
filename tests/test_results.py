"""The results of a run while it goes on: what is kept of an image, and when it counts as known."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from detector_standin import Detector, install, write
from output_fakes import fake_image, fake_result, ring

from mcdetect.config import Config
from mcdetect.image.mammogram import Mammogram
from mcdetect.output.run_record import RunRecord
from mcdetect.output.seam import Output
from mcdetect.output.tables import Candidates, Tables
from mcdetect.runs import BatchReport, ImageReport, Observer, run_batch
from mcdetect.runs.results import STORED, RunResults, known_keys
from mcdetect.runs.store import Store
from mcdetect.runs.worker import Failure, Outcome
from mcdetect.schema import FAILURES


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> Detector:
    return install(monkeypatch)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results.sqlite", STORED)


@pytest.fixture
def run(store: Store) -> RunResults:
    return RunResults(store, RunRecord(Config(), {}, 1), BatchReport(), Observer())


def outcome(name: str, image: Mammogram | None = None, **changes: Any) -> Outcome:
    result = fake_result(dataclasses.replace(image or fake_image(), source=name), groups=[ring(300, 90)])
    tables = {
        "images": result.summary(),
        "calcifications": result.calcifications,
        "clusters": result.clusters,
    }
    given: dict[str, Any] = {"sha256": "ab", "size_bytes": 9, "seconds": {"spots": 0.25}, "study": "1.2.3"}
    given |= {"origin": {"event": ["4.5"]}, "sketch": "AAAA"}
    whole = Outcome(
        name, "k", tables=tables, outputs={"tables": (), "overlays": ("overlays/p.png",)}, **given
    )
    return dataclasses.replace(whole, **changes)


def test_an_image_is_kept_with_all_that_is_asked_of_it_later(run: RunResults, store: Store) -> None:
    run.take(outcome("a.dcm"))
    (entry,) = store.find("a.dcm")
    assert entry.key == "k"
    assert entry.facts == {
        "sha256": "ab",
        "size_bytes": 9,
        "seconds": {"spots": 0.25},
        "study": store.alias("1.2.3"),
        "origin": {"event": [store.alias("4.5")]},
        "sketch": "AAAA",
        "outputs": {"tables": [], "overlays": ["overlays/p.png"]},
        "dicom_columns": False,
        "model_columns": [],
    }
    (line,) = run.record.inputs
    assert (line.file, line.status, line.sha256, line.size_bytes) == ("a.dcm", "processed", "ab", 9)
    assert (line.overlay, line.seconds) == ("p.png", {"spots": 0.25})
    (view,) = run.views
    assert (view.file, view.study, view.laterality, view.view) == ("a.dcm", store.alias("1.2.3"), "L", "CC")
    assert view.special is False
    assert view.clusters["cluster_id"].tolist() == [1]
    assert "score" in view.clusters
    assert run.files == ("a.dcm",)
    assert run.report.images[0].row["n_flagged"] == 1
    assert run.report.images[0].best_score == pytest.approx(0.9)


def test_what_is_known_is_taken_from_the_store(run: RunResults, store: Store) -> None:
    before = RunResults(store, RunRecord(Config(), {}, 1), BatchReport(), Observer())
    before.take(outcome("a.dcm", key="other", study="9"))
    before.take(outcome("a.dcm"))
    run.take(Outcome("a.dcm", "k", known=True, sha256="cd", size_bytes=8))
    (line,) = run.record.inputs
    assert (line.status, line.sha256, line.size_bytes) == ("processed", "cd", 8)
    assert (line.overlay, line.seconds) == ("p.png", {"spots": 0.25})
    assert run.views[0].study == before.views[1].study != before.views[0].study
    pd.testing.assert_frame_equal(run.rows("clusters", "a.dcm"), before.rows("clusters", "a.dcm"))
    assert run.report.processed[0].best_score == pytest.approx(0.9)


def test_failures_are_told_and_those_of_one_output_leave_the_rest(run: RunResults) -> None:
    seen: list[ImageReport] = []
    run.observer.finished = seen.append  # type: ignore[method-assign]
    failure = Failure("E", "because", "do so")
    assert run.whole("failures") is None
    run.take(outcome("a.dcm", failure=failure, outputs={"tables": ()}))
    run.take(Outcome("b.dcm", failure=failure, seconds={"read": 1.0}))
    run.finish({"studies": pd.DataFrame({"x": [1]})})
    assert [line.status for line in run.record.inputs] == ["processed", "failed"]
    assert [line.overlay for line in run.record.inputs] == [None, None]
    assert run.record.inputs[1].seconds == {"read": 1.0}
    assert [image.failure for image in seen] == [failure, failure]
    assert bool(seen[0].row)
    assert seen[1].row == {}
    assert math.isnan(seen[1].best_score)
    assert seen == run.report.images
    failures, studies = run.whole("failures"), run.whole("studies")
    assert failures is not None
    assert studies is not None
    assert failures.to_numpy().tolist() == [
        ["a.dcm", "E", "because", "do so"],
        ["b.dcm", "E", "because", "do so"],
    ]
    assert list(failures) == [column.name for column in FAILURES]
    assert studies["x"].tolist() == [1]
    assert run.whole("clusters") is None


def test_a_full_disk_costs_this_image_only(
    run: RunResults, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError("results.sqlite: database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(store, "put", full)
        run.take(outcome("a.dcm"))
    run.take(outcome("b.dcm"))
    (failed,) = run.report.failed
    assert failed.failure == Failure(
        "OutputError",
        "its results could not be written (results.sqlite: database or disk is full)",
        "make room and run it again",
    )
    assert [line.status for line in run.record.inputs] == ["failed", "processed"]
    assert run.files == ("b.dcm",)


def test_columns_of_a_model_stay_with_their_image(run: RunResults) -> None:
    with_model = outcome("a.dcm")
    clusters = with_model.tables["clusters"].assign(model_score=0.25)
    run.take(dataclasses.replace(with_model, tables={**with_model.tables, "clusters": clusters}))
    run.take(outcome("b.dcm"))
    pd.testing.assert_frame_equal(run.rows("clusters", "a.dcm"), clusters)
    assert "model_score" not in run.rows("clusters", "b.dcm")
    assert "model_score" not in run.rows("calcifications", "a.dcm")


@pytest.mark.parametrize(
    ("flags", "special"),
    [
        ("", False),
        ("implant", False),
        ("partial view", True),
        ("implant; specimen", True),
        ("spot compression view; implant", True),
    ],
)
def test_parts_of_a_breast_are_known_by_their_remarks(run: RunResults, flags: str, special: bool) -> None:
    given = outcome("a.dcm")
    images = given.tables["images"].assign(flags=flags)
    run.take(dataclasses.replace(given, tables={**given.tables, "images": images}))
    assert run.views[0].special is special


def test_an_image_is_known_when_all_that_is_asked_for_is_there(tmp_path: Path, store: Store) -> None:
    class Pictures(Output):
        name = "overlays"

    class Both(Output):
        name = "both"

    drawn, both = {"tables": [], "overlays": ["o/p.png"]}, {"tables": [], "both": ["1", "2"]}
    store.put("a.dcm", "plain", {}, {"outputs": {"tables": []}})
    store.put("a.dcm", "drawn before", {}, {"outputs": drawn}, {"o/p.png": 3})
    store.put("a.dcm", "drawn", {}, {"outputs": drawn}, {"o/p.png": 3})  # over the picture of the other
    store.put("a.dcm", "both", {}, {"outputs": both}, {"1": 0, "2": 0})
    store.put("b.dcm", "not this", {}, {"outputs": {"tables": []}})

    def known(*outputs: Output) -> frozenset[str]:
        return known_keys(store, "a.dcm", tmp_path, outputs)

    assert known(Tables()) == {"plain", "drawn before", "drawn", "both"}
    assert known(Tables(), Candidates()) == frozenset()
    assert known(Tables(), Pictures()) == frozenset()  # it was removed
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "p.png").write_bytes(b"other")
    assert known(Tables(), Pictures()) == frozenset()
    (tmp_path / "o" / "p.png").write_bytes(b"png")
    assert known(Tables(), Pictures()) == {"drawn"}
    (tmp_path / "1").touch()
    assert known(Both()) == frozenset()
    (tmp_path / "2").touch()
    assert known(Both()) == {"both"}


def test_the_second_run_tells_examinations_apart_as_the_first(tmp_path: Path, detector: Detector) -> None:
    source, out = write(tmp_path / "in", a="study 1", b="study 2", c="study 1"), tmp_path / "out"
    tables = []
    for _ in range(2):
        run_batch([source], out, overlay=False)
        tables.append((out / "studies.csv").read_bytes())
    assert tables[0] == tables[1]
    assert len(detector.read) == 3
