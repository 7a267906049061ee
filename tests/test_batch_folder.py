"""The output folder of a batch: what is replaced in it, and what is left alone; with a stand-in detector."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from detector_standin import Detector, install, write

from mcdetect.output.folder import OutputError, earlier_pictures, prepare_output, remove_pictures
from mcdetect.runs import ImageReport, Observer, run_batch


@pytest.fixture(autouse=True)
def detector(monkeypatch: pytest.MonkeyPatch) -> Detector:
    return install(monkeypatch)


def make(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_second_run_replaces_the_first_and_nothing_else(tmp_path: Path) -> None:
    source, out = write(tmp_path / "in", a="good", b="good"), tmp_path / "out"
    run_batch([source], out, candidates=True)
    make(out / "mine.txt", b"keep")
    make(out / "overlays" / "mine.png", b"keep")
    (source / "b.dcm").unlink()
    run_batch([source], out)
    assert list(pd.read_csv(out / "images.csv")["file"]) == ["a.dcm"]
    assert not (out / "candidates.csv").exists()
    assert sorted(path.name for path in (out / "overlays").iterdir()) == ["a.png", "mine.png"]
    assert (out / "mine.txt").read_bytes() == (out / "overlays" / "mine.png").read_bytes() == b"keep"


def test_the_output_may_lie_inside_the_input(tmp_path: Path) -> None:
    source = write(tmp_path, a="good")
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
    remove_pictures(tmp_path / "out", earlier_pictures(prepare_output(tmp_path / "out")), keep=[])
    assert victim.read_bytes() == b"keep"


def test_an_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "out", b"x")
    for folder in (path, path / "below"):
        with pytest.raises(OutputError):
            prepare_output(folder)


def test_two_runs_do_not_work_in_one_folder(tmp_path: Path) -> None:
    class Meanwhile(Observer):
        def finished(self, image: ImageReport) -> None:
            with pytest.raises(OutputError, match="another run works in it"):
                run_batch([source], tmp_path / "out")

    source = write(tmp_path / "in", a="good")
    report = run_batch([source], tmp_path / "out", overlay=False, observer=Meanwhile())
    assert len(report.processed) == 1
    assert len(pd.read_csv(tmp_path / "out" / "images.csv")) == 1
    run_batch([source], tmp_path / "out", overlay=False)  # the lock is gone


@pytest.mark.parametrize("name", ["results.sqlite", "images.csv", "run.json", "comparison.png", "coco.json"])
@pytest.mark.parametrize("ours", [True, False])
def test_a_folder_where_a_file_goes_is_refused_before_the_work(
    tmp_path: Path, detector: Detector, name: str, ours: bool
) -> None:
    out = tmp_path / "out"
    (out / name).mkdir(parents=True)
    if ours and name != "run.json":
        make(out / "run.json", b'{"program": "mcdetect"}')
    told = f"^out holds a folder called {re.escape(name)}, where a file of ours goes; move it away, or name"
    with pytest.raises(OutputError, match=told):
        run_batch([write(tmp_path / "in", a="good")], out)
    assert detector.read == []


def test_a_file_where_the_pictures_go_is_refused(tmp_path: Path) -> None:
    make(tmp_path / "out" / "overlays", b"x")
    make(tmp_path / "out" / "run.json", b'{"program": "mcdetect"}')
    with pytest.raises(OutputError, match="holds a file called overlays, where a folder of ours goes"):
        run_batch([write(tmp_path / "in", a="good")], tmp_path / "out")


def test_an_output_without_a_name_is_not_the_folder_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"^out is empty; name a folder for the results$"):
        run_batch([write(tmp_path / "in", a="good")], "")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
