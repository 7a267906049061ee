"""A batch: what it writes and says, to the word; with a stand-in detector."""

from __future__ import annotations

import dataclasses
import json
import logging
import logging.handlers
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from detector_standin import Detector, install, write

from mcdetect.config import Config
from mcdetect.image.mammogram import Mammogram
from mcdetect.result import Result
from mcdetect.runs import BatchReport, ImageReport, Observer, run_batch
from mcdetect.runs import results as results_module
from mcdetect.runs import run as run_module
from mcdetect.runs.worker import REPORT_BUG


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> Detector:
    return install(monkeypatch)


class Witness(Observer):
    """Remembers what it was told, and the record as it stood at the start."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.calls: list[tuple[Any, ...]] = []
        self.record: dict[str, Any] = {}

    def started(self, images: int, jobs: int) -> None:
        self.calls.append(("started", images, jobs))
        self.record = json.loads((self.out / "run.json").read_text())

    def finished(self, image: ImageReport) -> None:
        self.calls.append((image.file, image.failure.error if image.failure else None))

    def stopping(self) -> None:
        self.calls.append(("stopping",))


def run(tmp_path: Path, *paths: Path, **options: Any) -> tuple[BatchReport, Witness, dict[str, Any]]:
    out = tmp_path / "out"
    witness = Witness(out)
    report = run_batch(paths, out, observer=witness, **options)
    return report, witness, json.loads((out / "run.json").read_text())


def test_record_report_and_observer_agree(tmp_path: Path, detector: Detector) -> None:
    source = write(tmp_path / "in", a="good", b="bad", none="good")
    (source / "note.txt").write_text("x")
    options: dict[str, Any] = {"pixel_spacing_mm": 0.07, "candidates": True, "force": True}
    paths = [source, source / "a.dcm", tmp_path / "missing"]
    report, witness, record = run(tmp_path, *paths, config=Config().replace(min_count=7), **options)
    calls = [("missing", "UnreadableFileError"), ("a.dcm", None), ("b.dcm", "UnreadableFileError")]
    assert witness.calls == [("started", 3, 1), *calls, ("none.dcm", None)]
    assert record["options"] == {
        **options,
        "magnification": None,
        "specimens": False,
        "dicom_columns": False,
        "overlay": True,
        "studies_by": "auto",
        "also": [],
        "model": None,
        "timeout_s": None,
        "memory_gb": None,
        "shard": None,
    }
    assert record["config"]["groups"]["min_count"] == 7
    assert (record["jobs"], record["status"]) == (1, "complete")
    assert record["counts"] == {"processed": 2, "failed": 2, "skipped": 1, "duplicates": 1}
    assert (report.skipped, report.duplicates, report.interrupted) == (1, 1, False)
    rows = {"images": 2, "calcifications": 14, "clusters": 2, "candidates": 14, "failures": 2, "studies": 2}
    assert {name: record["rows"][name] for name in rows} == rows
    missing, a, b, none = record["inputs"]
    assert (missing["file"], missing["status"], missing["sha256"]) == ("missing", "failed", None)
    assert (a["file"], a["status"], a["overlay"], a["size_bytes"]) == ("a.dcm", "processed", "a.png", 4)
    assert (b["status"], b["overlay"], b["size_bytes"], b["seconds"]) == ("failed", None, 3, {})
    assert set(a["seconds"]) == {"read", "spots", "total", "tables", "candidates", "overlays"}
    assert (witness.record["status"], none["status"]) == ("running", "processed")
    assert witness.record["inputs"] == []
    assert witness.record["counts"] == {"pending": 3, "skipped": 1, "duplicates": 1}
    assert [image.file for image in report.images] == ["missing", "a.dcm", "b.dcm", "none.dcm"]
    assert [image.file for image in report.failed] == ["missing", "b.dcm"]
    assert [image.file for image in report.processed] == ["a.dcm", "none.dcm"]
    assert report.processed[0].row["file"] == "a.dcm"
    assert report.processed[0].row["n_flagged"] == 2
    assert report.processed[0].best_score == pytest.approx(0.9)
    assert np.isnan(report.processed[1].best_score)
    assert [name for name, _ in detector.read] == ["a.dcm", "b.dcm", "none.dcm"]
    assert detector.read[0][1] == {"pixel_spacing_mm": 0.07, "force": True}
    assert detector.detected[0] == ("a.dcm", Config().replace(min_count=7))
    failures = pd.read_csv(tmp_path / "out" / "failures.csv")
    assert failures["file"].tolist() == ["missing", "b.dcm"]
    assert failures["cause"].tolist() == ["the file does not exist", "the file is broken"]
    assert failures["remedy"].tolist() == ["check the path", "get a new copy"]


def test_without_pictures_and_candidates(tmp_path: Path, detector: Detector) -> None:
    *_, record = run(tmp_path, write(tmp_path / "in", a="good"), overlay=False)
    assert (
        record["options"]["overlay"] is record["options"]["candidates"] is record["options"]["force"] is False
    )
    assert record["inputs"][0]["overlay"] is None
    assert "candidates" not in record["rows"]
    assert set(record["inputs"][0]["seconds"]) == {"read", "spots", "total", "tables"}


def test_only_flagged_groups_count_for_the_best_score(
    tmp_path: Path, detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = detector.detect

    def detect(mammogram: Mammogram, config: Config | None = None, **_: Any) -> Result:
        found = original(mammogram, config)
        found.clusters["flagged"] = [False, True]
        return found

    monkeypatch.setattr("mcdetect.pipeline.files.detect", detect)
    report, *_ = run(tmp_path, write(tmp_path / "in", a="good"), overlay=False)
    assert report.images[0].best_score == pytest.approx(0.89)


def test_images_of_one_breast_are_brought_together(tmp_path: Path, detector: Detector) -> None:
    for name in ("one", "two"):
        write(tmp_path / name, a="good", b="good")
    run(tmp_path, tmp_path / "one", tmp_path / "two", overlay=False, studies_by="folder")
    studies = pd.read_csv(tmp_path / "out" / "studies.csv", keep_default_na=False)
    assert studies["n_images"].tolist() == [2, 2]
    assert studies["views"].tolist() == ["L CC, L CC"] * 2
    assert studies["n_clusters"].tolist() == [4, 4]
    assert studies["files"].tolist() == ["input1/a.dcm; input1/b.dcm", "input2/a.dcm; input2/b.dcm"]
    findings = pd.read_csv(tmp_path / "out" / "findings.csv", keep_default_na=False)
    assert len(findings) == 8
    assert findings["score"].max() == pytest.approx(0.9)
    with pytest.raises(ValueError, match="studies_by must be one of auto, folder, got 'x'"):
        run(tmp_path, tmp_path / "one", studies_by="x")


def test_options_of_examinations_reach_them(
    tmp_path: Path, detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []
    group_images, tables_of_groups = results_module.group_images, results_module.tables_of_groups

    def grouped(images: Any, by: str) -> Any:
        asked.append(([image.file for image in images], by))
        return group_images(images, by)

    def tables(groups: Any, config: Any, *, first: int) -> dict[str, pd.DataFrame]:
        asked.append((config, first))
        return tables_of_groups(groups, config, first=first)

    monkeypatch.setattr(results_module, "group_images", grouped)
    monkeypatch.setattr(results_module, "tables_of_groups", tables)
    config = Config().replace(max_mismatch=2.0)
    run(tmp_path, write(tmp_path / "in", a="good", b="bad"), overlay=False, config=config)
    assert asked == [(["a.dcm"], "auto"), (config.studies, 1)]


def test_headers_tell_examinations_apart(tmp_path: Path, detector: Detector) -> None:
    source = write(tmp_path / "in", a="study 1", b="study 2", c="study 1")
    run(tmp_path, source, overlay=False)
    studies = pd.read_csv(tmp_path / "out" / "studies.csv", keep_default_na=False)
    assert sorted(studies["files"]) == ["a.dcm; c.dcm", "b.dcm"]


@pytest.mark.parametrize("calibration", [None, "sigmoid"])
def test_a_model_of_clusters_adds_its_column(
    tmp_path: Path, detector: Detector, calibration: str | None
) -> None:
    def apply(clusters: pd.DataFrame) -> pd.DataFrame:
        return clusters.assign(model_score=0.25)

    about = {"sha256": "0" * 64, "kind": "logistic", "target": "malignant"}
    model = SimpleNamespace(
        digest=about["sha256"],
        kind=about["kind"],
        target=about["target"],
        calibration=calibration,
        columns=("model_score",),
        apply=apply,
    )
    *_, record = run(tmp_path, write(tmp_path / "in", a="good"), overlay=False, model=model)
    assert record["options"]["model"] == {**about, "calibrated": calibration is not None}
    clusters = pd.read_csv(tmp_path / "out" / "clusters.csv")
    assert clusters["model_score"].tolist() == [0.25, 0.25]


def test_a_model_that_fails_costs_its_image_only(tmp_path: Path, detector: Detector) -> None:
    """The candidates were kept, the tables could not be made: the image has failed, the batch goes on."""

    def apply(clusters: pd.DataFrame) -> pd.DataFrame:
        if clusters.empty:
            return clusters.assign(model_score=[])
        raise ValueError

    model = SimpleNamespace(
        digest="0",
        kind="logistic",
        target="malignant",
        calibration=None,
        columns=("model_score",),
        apply=apply,
    )
    source = write(tmp_path / "in", a="good", none="good")
    report, *_ = run(tmp_path, source, overlay=False, candidates=True, model=model)
    assert [image.file for image in report.processed] == ["none.dcm"]
    assert [str(image.failure) for image in report.failed] == [
        f"its tables could not be made (unexpected ValueError); {REPORT_BUG}"
    ]
    assert set(pd.read_csv(tmp_path / "out" / "candidates.csv")["file"]) == {"none.dcm"}


def test_what_results_depend_on_is_searched_anew(tmp_path: Path, detector: Detector) -> None:
    def model(digest: str) -> Any:
        return SimpleNamespace(
            digest=digest, kind="k", target="t", calibration=None, columns=(), apply=lambda clusters: clusters
        )

    source = write(tmp_path / "in", a="good")
    for options, anew in (
        ({}, True),
        ({}, False),
        ({"force": True}, True),
        ({"model": model("1")}, True),
        ({"model": model("2")}, True),
        ({"model": model("1")}, False),
        ({"pixel_spacing_mm": 0.07}, True),
        ({"pixel_spacing_mm": 0.08}, True),
        ({"studies_by": "folder"}, False),
    ):
        detector.detected.clear()
        report, *_ = run(tmp_path, source, overlay=False, **options)
        assert bool(detector.detected) == anew, options
        assert len(report.processed) == 1


def test_a_stop_removes_no_picture_of_an_earlier_run(tmp_path: Path, detector: Detector) -> None:
    class Stopping(Witness):
        def finished(self, image: ImageReport) -> None:
            if image.file == "a.dcm":
                signal.raise_signal(signal.SIGINT)

    source, out = write(tmp_path / "in", a="good", b="good"), tmp_path / "out"
    run(tmp_path, source)
    report = run_batch([source, tmp_path / "missing"], out, observer=Stopping(out))
    assert (report.interrupted, len(report.images)) == (True, 2)
    assert sorted(path.name for path in (out / "overlays").iterdir()) == ["a.png", "b.png"]
    assert pd.read_csv(out / "images.csv")["file"].tolist() == ["a.dcm"]
    run(tmp_path, source)
    assert [name for name, _ in detector.detected] == ["a.dcm", "b.dcm"]  # nothing is searched twice


def test_pictures_of_a_run_that_was_killed_are_removed_by_the_next(
    tmp_path: Path, detector: Detector
) -> None:
    class Crash(Witness):
        def finished(self, image: ImageReport) -> None:
            raise SystemExit

    source, out = write(tmp_path / "in", a="good", b="good"), tmp_path / "out"
    with pytest.raises(SystemExit):
        run_batch([source], out, observer=Crash(out))
    (source / "a.dcm").unlink()
    run(tmp_path, source)
    assert [path.name for path in (out / "overlays").iterdir()] == ["b.png"]


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Let several jobs run here; tell what was asked for."""
    asked: list[Any] = []
    original = run_module.run_tasks

    def run_tasks(tasks: Any, *, jobs: int, stop: Any, prepare: Any, **_: Any) -> Any:
        if jobs > 1:
            prepare()
        tasks = list(tasks)
        asked.append((jobs, [task.log_level for task in tasks]))
        for found in original(tasks, jobs=1, stop=stop):
            record = logging.LogRecord("mcdetect.there", 30, "", 0, f"from {found.file}", None, None)
            yield dataclasses.replace(found, records=(record,))

    monkeypatch.setattr(run_module, "run_tasks", run_tasks)
    monkeypatch.setattr(run_module, "compile_kernels", lambda config: asked.append(config))
    return asked


def test_kernels_are_compiled_before_workers_start(
    tmp_path: Path, detector: Detector, in_process: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    source = write(tmp_path / "in", a="good", b="good", c="good")
    config = Config().replace(min_count=6)
    logging.getLogger("mcdetect").setLevel(logging.INFO)
    there, heard = logging.getLogger("mcdetect.there"), logging.handlers.BufferingHandler(9)
    there.addHandler(heard)
    try:
        _, witness, record = run(tmp_path, source, overlay=False, jobs=2, config=config)
    finally:
        there.removeHandler(heard)
    assert len(heard.buffer) == 3
    assert in_process == [config, (2, [logging.INFO] * 3)]
    assert witness.calls[0] == ("started", 3, 2)
    assert record["jobs"] == 2
    assert [m for m in caplog.messages if m.startswith("from")] == ["from a.dcm", "from b.dcm", "from c.dcm"]
    in_process.clear()
    run(tmp_path, source, overlay=False, jobs=1)
    assert [asked[0] for asked in in_process] == [1]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_one_signal_stops_in_order_and_a_second_at_once(
    tmp_path: Path, detector: Detector, name: str
) -> None:
    number = getattr(signal, name)
    before = {which: signal.getsignal(which) for which in (signal.SIGINT, signal.SIGTERM)}

    class Impatient(Witness):
        def finished(self, image: ImageReport) -> None:
            super().finished(image)
            signal.raise_signal(number)
            assert {which: signal.getsignal(which) for which in before} == before  # the next one is final

    witness = Impatient(tmp_path / "out")
    source = write(tmp_path / "in", a="good", b="good")
    report = run_batch([source], tmp_path / "out", overlay=False, observer=witness)
    assert witness.calls == [("started", 2, 1), ("a.dcm", None), ("stopping",)]
    assert (report.interrupted, report.signal) == (True, number)
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (record["status"], len(record["inputs"])) == ("interrupted", 1)
    assert {which: signal.getsignal(which) for which in before} == before


def test_a_signal_after_the_last_image_interrupts_nothing(tmp_path: Path, detector: Detector) -> None:
    class Late(Witness):
        def finished(self, image: ImageReport) -> None:
            if image.file == "b.dcm":
                signal.raise_signal(signal.SIGINT)

    source = write(tmp_path / "in", a="good", b="good")
    report = run_batch(
        [source, tmp_path / "no"], tmp_path / "out", overlay=False, observer=Late(tmp_path / "out")
    )
    assert not report.interrupted
    assert json.loads((tmp_path / "out" / "run.json").read_text())["status"] == "complete"


def test_a_batch_may_run_in_another_thread(tmp_path: Path, detector: Detector) -> None:
    before = signal.getsignal(signal.SIGINT)
    reports: list[BatchReport] = []
    source = write(tmp_path / "in", a="good")
    thread = threading.Thread(
        target=lambda: reports.append(run_batch([source], tmp_path / "out", overlay=False))
    )
    thread.start()
    thread.join()
    assert [image.file for image in reports[0].processed] == ["a.dcm"]
    assert signal.getsignal(signal.SIGINT) is before
