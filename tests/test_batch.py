"""Batches: what is found, what it is called, and that one bad file never stops the others."""

from __future__ import annotations

import getpass
import json
import os
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pandas as pd
import pytest
from dicom_factory import write_dicom
from output_fakes import fake_image, fake_result, ring

from mcdetect.config import Config
from mcdetect.errors import MissingSpacingError, UnreadableFileError
from mcdetect.image.mammogram import Mammogram
from mcdetect.output.folder import OutputError, prepare_output, remove_stale
from mcdetect.output.further import FURTHER
from mcdetect.output.run_record import read_record
from mcdetect.output.seam import Output, Piece, Results
from mcdetect.readers.image_file import ImageFile
from mcdetect.result import Result
from mcdetect.runs import ImageReport, Observer, run_batch
from mcdetect.runs.pool import choose_jobs, run_tasks
from mcdetect.runs.worker import Outcome, Task, process, process_in_worker
from mcdetect.schema import SCHEMA_VERSION


def make(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


# ---------------------------------------------------------------- the whole run, with a stand-in detector


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Replace reading and detecting: the text of a file says what happens to it."""

    def read_mammogram(path: Path, **options: Any) -> Mammogram:
        text = path.read_text()
        if text == "bad":
            raise UnreadableFileError("the file is broken", "get a new copy", path)
        if text == "bug":
            raise KeyError("PatientName " + "DOE JANE".replace(" ", "^"))
        if text == "memory":
            raise MemoryError
        if text == "deep":
            raise RecursionError("too deep")
        return fake_image(source=path.name)

    def detect(mammogram: Mammogram, config: Config | None = None) -> Result:
        nothing = "empty" in mammogram.source
        return fake_result(mammogram, groups=[] if nothing else [ring(300, 90), ring(200, 60)])

    monkeypatch.setattr("mcdetect.readers.read.read_mammogram", read_mammogram)
    monkeypatch.setattr("mcdetect.pipeline.files.detect", detect)
    return


def write_inputs(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        make(folder / f"{name}.dcm", text.encode())
    return folder


@pytest.mark.usefixtures("detector")
def test_everything_is_written(tmp_path: Path) -> None:
    source = write_inputs(tmp_path / "in", a="good", b="bad", empty="good")
    report = run_batch([source], tmp_path / "out", candidates=True)
    out = tmp_path / "out"
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [
            *(
                f"{n}.{e}"
                for n in ("images", "calcifications", "clusters", "candidates", "studies", "findings")
                for e in ("csv", "parquet")
            ),
            "failures.csv",
            "run.json",
            "results.sqlite",
            "overlays",
        ]
    )
    images = pd.read_csv(out / "images.csv")
    assert list(images["file"]) == ["a.dcm", "empty.dcm"]
    assert list(images["n_flagged"]) == [2, 0]
    clusters = pd.read_csv(out / "clusters.csv")
    assert set(clusters["file"]) == {"a.dcm"}
    assert len(pd.read_csv(out / "calcifications.csv")) == 12
    assert len(pd.read_csv(out / "candidates.csv")) == 12
    failures = pd.read_csv(out / "failures.csv")
    assert failures.to_dict("records") == [
        {
            "file": "b.dcm",
            "error": "UnreadableFileError",
            "cause": "the file is broken",
            "remedy": "get a new copy",
        }
    ]
    assert sorted(path.name for path in (out / "overlays").iterdir()) == ["a.png", "empty.png"]
    assert [image.file for image in report.failed] == ["b.dcm"]
    assert [image.file for image in report.processed] == ["a.dcm", "empty.dcm"]
    assert report.processed[0].best_score == pytest.approx(0.9)


@pytest.mark.usefixtures("detector")
def test_what_is_not_asked_for_is_not_written(tmp_path: Path) -> None:
    source = write_inputs(tmp_path / "in", a="good")
    run_batch([source], tmp_path / "out", overlay=False)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert not names & {"overlays", "candidates.csv", "candidates.parquet"}
    assert (tmp_path / "out" / "failures.csv").read_text() == "file,error,cause,remedy\n"


@pytest.mark.usefixtures("detector")
@pytest.mark.parametrize(
    ("text", "error"), [("bug", "KeyError"), ("memory", "MemoryError"), ("deep", "RecursionError")]
)
def test_unexpected_errors_are_failures_and_never_quote_the_header(
    tmp_path: Path, text: str, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = write_inputs(tmp_path / "in", a="good", b=text, c="good")
    with caplog.at_level("DEBUG", logger="mcdetect"):
        report = run_batch([source], tmp_path / "out", overlay=False)
    assert [image.file for image in report.processed] == ["a.dcm", "c.dcm"]
    row = pd.read_csv(tmp_path / "out" / "failures.csv").iloc[0]
    assert row["error"] == error
    assert row["remedy"]
    assert "DOE^JANE" not in caplog.text + (tmp_path / "out" / "failures.csv").read_text()
    if text == "bug":
        assert "read_mammogram" in caplog.text


@pytest.mark.usefixtures("detector")
def test_a_picture_that_cannot_be_drawn_does_not_cost_the_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mcdetect.output.overlays.write_png", fail)
    source = write_inputs(tmp_path / "in", a="good")
    report = run_batch([source], tmp_path / "out")
    assert len(report.processed) == len(report.failed) == 1
    assert len(pd.read_csv(tmp_path / "out" / "clusters.csv")) == 2
    assert "no space left" in pd.read_csv(tmp_path / "out" / "failures.csv").loc[0, "cause"]


@pytest.mark.usefixtures("detector")
def test_the_record_tells_what_ran_and_leaks_nothing(tmp_path: Path) -> None:
    source = write_inputs(tmp_path / "in", a="good", b="bad")
    config = Config().replace(min_count=7)
    run_batch([source], tmp_path / "out", config=config, pixel_spacing_mm=0.05)
    text = (tmp_path / "out" / "run.json").read_text()
    record = json.loads(text)
    assert record["status"] == "complete"
    assert record["schema_version"] == SCHEMA_VERSION
    assert record["config"]["groups"]["min_count"] == 7
    assert record["config_sha256"] == config.digest
    assert record["options"]["pixel_spacing_mm"] == 0.05
    assert record["libraries"]["numpy"] == np.__version__
    assert record["counts"] == {"processed": 1, "failed": 1, "skipped": 0, "duplicates": 0}
    assert record["rows"]["clusters"] == 2
    good, bad = record["inputs"]
    assert good["sha256"] == "770e607624d689265ca6c44884d0807d9b054d23c473c106c72be9de08b7376c"
    assert good["seconds"]["spots"] == 0.25
    assert good["overlay"] == "a.png"
    assert bad["status"] == "failed"
    assert bad["overlay"] is None
    assert str(tmp_path) not in text
    for private in (socket.gethostname(), getpass.getuser(), str(Path.home())):
        assert not re.search(rf"(?<!\w){re.escape(private)}(?!\w)", text)


@pytest.mark.usefixtures("detector")
def test_a_second_run_replaces_the_first_and_nothing_else(tmp_path: Path) -> None:
    source, out = write_inputs(tmp_path / "in", a="good", b="good"), tmp_path / "out"
    run_batch([source], out, candidates=True)
    make(out / "mine.txt", b"keep")
    make(out / "overlays" / "mine.png", b"keep")
    (source / "b.dcm").unlink()
    run_batch([source], out)
    assert list(pd.read_csv(out / "images.csv")["file"]) == ["a.dcm"]
    assert not (out / "candidates.csv").exists()
    assert sorted(path.name for path in (out / "overlays").iterdir()) == ["a.png", "mine.png"]
    assert (out / "mine.txt").read_bytes() == (out / "overlays" / "mine.png").read_bytes() == b"keep"


@pytest.mark.usefixtures("detector")
def test_the_output_may_lie_inside_the_input(tmp_path: Path) -> None:
    source = write_inputs(tmp_path, a="good")
    for _ in range(2):
        report = run_batch([source], source / "out")
        assert [image.file for image in report.images] == ["a.dcm"]
    for _ in range(2):
        report = run_batch([source], source)
        assert [image.file for image in report.images] == ["a.dcm"]


@pytest.mark.parametrize("name", ["images.csv", "run.json", "overlays/x.png"])
def test_files_of_others_are_not_overwritten(tmp_path: Path, name: str) -> None:
    make(tmp_path / name, b"{}")
    with pytest.raises(OutputError, match="did not write"):
        prepare_output(tmp_path)
    assert (tmp_path / name).read_bytes() == b"{}"


def test_a_record_that_names_files_elsewhere_is_not_trusted(tmp_path: Path) -> None:
    victim = make(tmp_path / "victim.png", b"keep")
    record = {"program": "mcdetect", "inputs": [{"overlay": "../../victim.png"}, {"overlay": str(victim)}, 3]}
    make(tmp_path / "out" / "run.json", json.dumps(record).encode())
    (tmp_path / "out" / "overlays").mkdir()
    remove_stale(tmp_path / "out", prepare_output(tmp_path / "out"), keep=[])
    assert victim.read_bytes() == b"keep"


def test_an_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "out", b"x")
    for folder in (path, path / "below"):
        with pytest.raises(OutputError):
            prepare_output(folder)


def test_senseless_arguments_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(MissingSpacingError):
        run_batch([tmp_path], tmp_path / "out", pixel_spacing_mm=float("nan"))
    with pytest.raises(ValueError, match="jobs"):
        run_batch([tmp_path], tmp_path / "out", jobs=0)
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("detector")
def test_a_run_that_is_stopped_keeps_what_is_finished(tmp_path: Path) -> None:
    import signal

    class PressCtrlC(Observer):
        stopped = 0

        def finished(self, image: ImageReport) -> None:
            if image.file == "b.dcm":
                signal.raise_signal(signal.SIGINT)

        def stopping(self) -> None:
            self.stopped += 1

    observer = PressCtrlC()
    before = signal.getsignal(signal.SIGINT)
    source = write_inputs(tmp_path / "in", a="good", b="good", c="good", d="good")
    report = run_batch([source], tmp_path / "out", overlay=False, observer=observer)
    assert report.interrupted
    assert observer.stopped == 1
    assert list(pd.read_csv(tmp_path / "out" / "images.csv")["file"]) == ["a.dcm", "b.dcm"]
    assert json.loads((tmp_path / "out" / "run.json").read_text())["status"] == "interrupted"
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.usefixtures("detector")
def test_an_interrupted_first_run_may_be_run_again(tmp_path: Path) -> None:
    class Crash(Observer):
        def finished(self, image: ImageReport) -> None:
            raise SystemExit

    source = write_inputs(tmp_path / "in", a="good")
    with pytest.raises(SystemExit):
        run_batch([source], tmp_path / "out", overlay=False, observer=Crash())
    record = read_record(tmp_path / "out")
    assert record is not None
    assert record["status"] == "running"
    run_batch([source], tmp_path / "out", overlay=False)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["status"] == "complete"


# ---------------------------------------------------------------- views that are no whole views

SPECIAL_VIEWS: dict[str, dict[str, Any]] = {
    "plain": {},
    "magnified": {"PaddleDescription": "10CM MAG"},
    "spot": {"PaddleDescription": "SPT CMP"},
    "specimen": {"ImageType": ["DERIVED", "PRIMARY", "", "SPECIMEN"]},
    "stereotactic": {"ImageType": ["DERIVED", "PRIMARY", "", "STEREOTACTIC"]},
    "partial": {"PartialView": "YES"},
    "implant": {"BreastImplantPresent": "YES"},  # a whole view
}


def test_parts_of_a_breast_do_not_stand_for_a_view(tmp_path: Path) -> None:
    """Their distances are not those of a whole view: an examination with only such a view lacks it."""
    for name, elements in SPECIAL_VIEWS.items():
        (tmp_path / name).mkdir()
        write_dicom(tmp_path / name / "a.dcm", ImagerPixelSpacing=[0.4, 0.4], **elements)
    run_batch([tmp_path], tmp_path / "out", overlay=False, force=True, studies_by="folder")
    studies = pd.read_csv(tmp_path / "out" / "studies.csv", keep_default_na=False)
    lacking = {Path(row["files"]).parts[0]: row["missing_views"] for _, row in studies.iterrows()}
    whole = {"plain", "implant"}
    assert lacking == {name: "L MLO" if name in whole else "L CC, L MLO" for name in SPECIAL_VIEWS}


# ---------------------------------------------------------------- processes


def work_or_die(task: Task) -> Outcome:
    """Stand-in work; some files kill their process."""
    if task.file.startswith("kill"):
        os._exit(9)
    if task.file.startswith("sendless"):
        return Outcome(task.file, tables={"x": lambda: None})  # type: ignore[dict-item]
    return Outcome(task.file, sha256=str(os.getpid()))


def outcomes(files: list[str], work: Callable[[Task], Outcome], jobs: int) -> list[Outcome]:
    return list(run_tasks([Task(ImageFile(Path(name), name), name) for name in files], jobs=jobs, work=work))


@pytest.mark.slow
def test_a_worker_that_dies_loses_only_its_own_file() -> None:
    files = ["a", "kill-1", "b", "kill-2", "sendless", "c"]
    results = outcomes(files, work_or_die, 2)
    assert [result.file for result in results] == files
    failed = {result.file: result.failure.error for result in results if result.failure}
    assert failed.pop("sendless") not in ("", "WorkerDied")
    assert failed == {"kill-1": "WorkerDied", "kill-2": "WorkerDied"}
    assert str(os.getpid()) not in {result.sha256 for result in results}


def thread_counts(task: Task) -> Outcome:
    import cv2
    import numba

    return Outcome(task.file, sha256=f"{numba.get_num_threads()} {cv2.getNumThreads()}")


@pytest.mark.slow
def test_workers_share_the_cores() -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    expected = max(1, cores // 2)
    for result in outcomes(["a", "b"], thread_counts, 2):
        assert result.sha256 == f"{expected} {expected}"


def test_a_stop_starts_nothing_more() -> None:
    stop = Event()
    tasks = [Task(ImageFile(Path(name), name), name) for name in "abcd"]
    results = run_tasks(tasks, stop=stop, work=work_or_die)
    assert next(results).file == "a"
    stop.set()
    assert list(results) == []


def test_processes_log_through_the_parent(tmp_path: Path) -> None:
    outcome = process_in_worker(
        Task(ImageFile(tmp_path / "missing.dcm", "missing.dcm"), "missing.dcm", log_level=10)
    )
    assert outcome.failure is not None
    assert "no such file" in outcome.failure.cause
    assert all(record.args is None for record in outcome.records)


def test_a_directory_where_a_file_was_is_a_failure(tmp_path: Path) -> None:
    outcome = process(Task(ImageFile(tmp_path, "x"), "x"))
    assert outcome.failure is not None
    assert outcome.failure.error == "UnreadableFileError"


def test_jobs_are_sensible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcdetect.runs.pool.usable_cores", lambda: 8)
    monkeypatch.setattr("mcdetect.runs.pool.available_memory", lambda: 1e12)
    assert choose_jobs(0) == choose_jobs(1) == choose_jobs(7) == 1
    assert choose_jobs(8) == choose_jobs(1000) == 8
    assert choose_jobs(3, 16) == 3
    assert choose_jobs(0, 4) == 1
    monkeypatch.setattr("mcdetect.runs.pool.available_memory", lambda: 4e9)
    assert choose_jobs(1000) == 2
    monkeypatch.setattr("mcdetect.runs.pool.available_memory", lambda: 1e8)
    assert choose_jobs(1000) == 1


# ---------------------------------------------------------------- what is done is not done again


@pytest.mark.usefixtures("detector")
def test_an_image_is_searched_again_only_when_something_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mcdetect.pipeline.files

    searched: list[str] = []
    detect = mcdetect.pipeline.files.detect

    def counted(mammogram: Mammogram, config: Config | None = None) -> Result:
        searched.append(mammogram.source)
        return detect(mammogram, config=config)

    monkeypatch.setattr("mcdetect.pipeline.files.detect", counted)
    source, out = write_inputs(tmp_path / "in", a="good", b="good", bad="bad"), tmp_path / "out"

    def run(**options: Any) -> list[str]:
        searched.clear()
        report = run_batch([source], out, **options)
        assert [image.file for image in report.images] == ["a.dcm", "b.dcm", "bad.dcm"]
        assert len(report.failed) == 1  # what failed is tried again
        return sorted(searched)

    assert run() == ["a.dcm", "b.dcm"]
    first = {path.name: path.read_bytes() for path in out.glob("*.csv")}
    assert run() == []
    assert {path.name: path.read_bytes() for path in out.glob("*.csv")} == first
    assert json.loads((out / "run.json").read_text())["inputs"][0]["seconds"]["spots"] == 0.25
    (out / "overlays" / "a.png").unlink()
    assert run() == ["a.dcm"]
    write_inputs(source, b="good, and new")
    assert run() == ["b.dcm"]
    assert run(candidates=True) == ["a.dcm", "b.dcm"]
    assert run(candidates=True) == []
    assert run(config=Config().replace(min_count=4)) == ["a.dcm", "b.dcm"]
    assert run(pixel_spacing_mm=0.05) == ["a.dcm", "b.dcm"]
    assert run() == ["a.dcm", "b.dcm"]  # its pictures were overwritten by those of other options
    assert run(config=Config().replace(min_count=4), overlay=False) == []  # its results are still there


@pytest.mark.usefixtures("detector")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the stand-in detector reaches a child by fork only")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_run_that_was_killed_goes_on_where_it_stopped(tmp_path: Path) -> None:
    class Crash(Observer):
        def finished(self, image: ImageReport) -> None:
            if image.file == "b.dcm":
                os._exit(9)

    source = write_inputs(tmp_path / "in", a="good", b="good", c="good")
    child = os.fork()
    if child == 0:
        run_batch([source], tmp_path / "out", observer=Crash())
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert not (tmp_path / "out" / "images.csv").exists()
    (source / "a.dcm").write_text("bad")  # is told from what is stored by its content, not by its name
    report = run_batch([source], tmp_path / "out")
    assert [image.file for image in report.processed] == ["b.dcm", "c.dcm"]
    assert list(pd.read_csv(tmp_path / "out" / "images.csv")["file"]) == ["b.dcm", "c.dcm"]


def test_an_output_that_is_not_known_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no output 'nonsense'"):
        run_batch([tmp_path], tmp_path / "out", also=["nonsense"])
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("detector")
def test_a_further_output_sees_every_image_and_all_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Names(Output):
        name = "names"
        files = ("names.txt",)

        def open(self, folder: Path) -> None:
            (folder / "opened").touch()

        def add(self, folder: Path, file: str, result: Result) -> Piece:
            (folder / f"{file}.txt").write_text(str(len(result.clusters)))
            return Piece(files=[f"{file}.txt"])

        def close(self, folder: Path, results: Results) -> dict[str, int]:
            found = {file: len(results.rows("calcifications", file)) for file in results.files}
            failed = results.whole("failures")
            assert failed is not None
            (folder / "names.txt").write_text(json.dumps([found, failed["file"].to_list()]))
            return {"names": len(found)}

    monkeypatch.setitem(FURTHER, "names", Names)
    source, out = write_inputs(tmp_path / "in", a="good", b="bad", empty="good"), tmp_path / "out"
    for _ in range(2):  # the second time everything comes from the store
        run_batch([source], out, overlay=False, also=["names", "names"])
        assert json.loads((out / "names.txt").read_text()) == [{"a.dcm": 12, "empty.dcm": 0}, ["b.dcm"]]
        assert json.loads((out / "run.json").read_text())["rows"]["names"] == 2
        assert (out / "a.dcm.txt").read_text() == "2"
        (out / "opened").unlink()


@pytest.mark.usefixtures("detector")
def test_two_runs_do_not_work_in_one_folder(tmp_path: Path) -> None:
    class Meanwhile(Observer):
        def finished(self, image: ImageReport) -> None:
            with pytest.raises(OutputError, match="another run works in it"):
                run_batch([source], tmp_path / "out")

    source = write_inputs(tmp_path / "in", a="good")
    report = run_batch([source], tmp_path / "out", overlay=False, observer=Meanwhile())
    assert len(report.processed) == 1
    assert len(pd.read_csv(tmp_path / "out" / "images.csv")) == 1
    run_batch([source], tmp_path / "out", overlay=False)  # the lock is gone
