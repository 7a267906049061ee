"""The results of a run while it goes on: what is kept of an image, and when it counts as known."""

from __future__ import annotations

import dataclasses
import math
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from detector_standin import Detector, install, write
from output_fakes import fake_image, fake_result, ring

from mcdetect.config import Config
from mcdetect.image.mammogram import Mammogram
from mcdetect.output.seam import Output
from mcdetect.output.tables import Candidates, Tables
from mcdetect.runs import ImageReport, Observer, run_batch
from mcdetect.runs.ledger import Ledger, RunFacts
from mcdetect.runs.results import STORED, RunResults, StoredImages, known_failures, known_keys
from mcdetect.runs.store import DiskFullError, Store
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
    return begin(store)


def begin(store: Store, *files: str) -> RunResults:
    asked = list(enumerate(files or ("a.dcm", "b.dcm")))
    return RunResults(Ledger.begin(store, RunFacts({}, {}, asked)), Observer())


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
    (line,) = run.ledger.records()
    assert (line.file, line.status, line.sha256, line.size_bytes) == ("a.dcm", "processed", "ab", 9)
    assert (line.overlay, line.seconds) == ("p.png", {"spots": 0.25})
    (view,) = run._views({"a.dcm": 1})
    assert (view.file, view.study, view.laterality, view.view) == ("a.dcm", store.alias("1.2.3"), "L", "CC")
    assert view.special is False
    clusters = run._with_clusters([[view]])[0][0].clusters
    assert clusters["cluster_id"].tolist() == [1]
    assert "score" in clusters
    assert run.files == ["a.dcm"]
    (image,) = images_of(run)
    assert image.row["n_flagged"] == 1
    assert image.best_score == pytest.approx(0.9)


def images_of(run: RunResults) -> list[ImageReport]:
    return list(StoredImages(run.store.path, run.ledger.run))


def test_what_is_known_is_taken_from_the_store(run: RunResults, store: Store) -> None:
    before = begin(store)
    before.take(outcome("a.dcm", key="other", study="9"))
    before.take(outcome("a.dcm"))
    rows, views = before.rows("clusters", "a.dcm"), before._views({"a.dcm": 1})
    run = begin(store)
    run.take(Outcome("a.dcm", "k", known=True, sha256="cd", size_bytes=8))
    (line,) = run.ledger.records()
    assert (line.status, line.sha256, line.size_bytes, line.seconds) == (
        "processed",
        "cd",
        8,
        {"spots": 0.25},
    )
    assert run._views({"a.dcm": 1})[0].study == views[0].study == store.alias("1.2.3")
    pd.testing.assert_frame_equal(run.rows("clusters", "a.dcm"), rows)
    (image,) = images_of(run)
    assert image.best_score == pytest.approx(0.9)
    assert image.reused
    assert run.ledger.counts() == {"processed": 1, "failed": 0, "skipped": 0, "pending": 1, "reused": 1}


def test_failures_are_told_and_those_of_one_output_leave_the_rest(run: RunResults) -> None:
    seen: list[ImageReport] = []
    run.observer.finished = seen.append  # type: ignore[method-assign]
    failure = Failure("E", "because", "do so")
    run.take(outcome("a.dcm", failure=failure, outputs={"tables": ()}))
    run.take(Outcome("b.dcm", failure=failure, seconds={"read": 1.0}))
    run.make_studies(Config(), "auto")
    lines = list(run.ledger.records())
    assert [line.status for line in lines] == ["processed", "failed"]
    assert [line.overlay for line in lines] == [None, None]
    assert lines[1].seconds == {"read": 1.0}
    assert [image.failure for image in seen] == [failure, failure]
    assert bool(seen[0].row)
    assert seen[1].row == {}
    assert math.isnan(seen[1].best_score)
    stored = images_of(run)
    assert [(image.file, image.failure) for image in stored] == [("a.dcm", failure), ("b.dcm", failure)]
    told = pd.DataFrame([seen[0].row]).assign(exposure_id=1)  # known at the end only
    pd.testing.assert_frame_equal(pd.DataFrame([stored[0].row]), told)
    assert stored[1].row == {}
    failures, studies = run.whole("failures"), run.whole("studies")
    assert failures is not None
    assert studies is not None
    assert failures.to_numpy().tolist() == [
        ["a.dcm", "E", "because", "do so"],
        ["b.dcm", "E", "because", "do so"],
    ]
    assert list(failures) == [column.name for column in FAILURES]
    assert studies["files"].tolist() == ["a.dcm"]
    assert run.whole("clusters") is None
    assert run.store.query("SELECT study_id FROM inputs ORDER BY position").fetchall() == [(1,), (None,)]


def test_a_full_disk_leaves_nothing_of_the_image(
    run: RunResults, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.take(outcome("a.dcm"))
    with monkeypatch.context() as patch:

        def full(*_: Any, **__: Any) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        patch.setattr(run.ledger, "settle", full)
        with pytest.raises(DiskFullError, match=r"^results\.sqlite: database or disk is full$"):
            run.take(outcome("b.dcm"))
    assert run.files == ["a.dcm"]
    assert store.find("b.dcm") == []
    assert run.ledger.counts()["pending"] == 1


def test_what_an_output_had_no_room_for_is_kept_and_told(run: RunResults) -> None:
    failure = Failure("OutputError", "its overlays could not be written (no space left)", "make room")
    with pytest.raises(DiskFullError, match="its overlays could not be written"):
        run.take(outcome("a.dcm", failure=failure, full=True))
    assert run.files == ["a.dcm"]


@pytest.mark.parametrize(
    ("lasting", "limits", "known"),
    [
        ("content", "1 s", True),
        ("content", "2 s", True),
        ("limits", "1 s", True),
        ("limits", "2 s", False),
        (None, "1 s", False),
    ],
)
def test_failures_that_come_back_are_known(store: Store, lasting: str, limits: str, known: bool) -> None:
    failure = Failure("E", "because", "do so")
    run = RunResults(Ledger.begin(store, RunFacts({}, {}, [(0, "a.dcm")])), Observer(), "1 s")
    run.take(Outcome("a.dcm", "k", failure=failure, lasting=lasting))
    assert known_failures(store, "a.dcm", limits) == ({"k": failure} if known else {})
    run.take(outcome("a.dcm"))  # it succeeds after all
    assert known_failures(store, "a.dcm", limits) == {}


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
        ("implant; several breasts in one image: each is searched, without nipple", True),
    ],
)
def test_parts_of_a_breast_are_known_by_their_remarks(run: RunResults, flags: str, special: bool) -> None:
    given = outcome("a.dcm")
    images = given.tables["images"].assign(flags=flags)
    run.take(dataclasses.replace(given, tables={**given.tables, "images": images}))
    assert run._views({"a.dcm": 1})[0].special is special


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
