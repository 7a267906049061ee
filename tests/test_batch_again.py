"""A batch that was stopped, killed or run before: what is done is not done again; a stand-in detects."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from detector_standin import Detector, install, write

from mcdetect.config import Config
from mcdetect.image.mammogram import Mammogram
from mcdetect.output.run_record import read_record
from mcdetect.result import Result
from mcdetect.runs import ImageReport, Observer, run_batch


@pytest.fixture(autouse=True)
def detector(monkeypatch: pytest.MonkeyPatch) -> Detector:
    return install(monkeypatch)


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
    source = write(tmp_path / "in", a="good", b="good", c="good", d="good")
    report = run_batch([source], tmp_path / "out", overlay=False, observer=observer)
    assert report.interrupted
    assert observer.stopped == 1
    assert list(pd.read_csv(tmp_path / "out" / "images.csv")["file"]) == ["a.dcm", "b.dcm"]
    assert json.loads((tmp_path / "out" / "run.json").read_text())["status"] == "interrupted"
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupted_first_run_may_be_run_again(tmp_path: Path) -> None:
    class Crash(Observer):
        def finished(self, image: ImageReport) -> None:
            raise SystemExit

    source = write(tmp_path / "in", a="good")
    with pytest.raises(SystemExit):
        run_batch([source], tmp_path / "out", overlay=False, observer=Crash())
    record = read_record(tmp_path / "out")
    assert record is not None
    assert record["status"] == "running"
    run_batch([source], tmp_path / "out", overlay=False)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["status"] == "complete"


def test_an_image_is_searched_again_only_when_something_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mcdetect.pipeline.files

    searched: list[str] = []
    detect = mcdetect.pipeline.files.detect

    def counted(mammogram: Mammogram, config: Config | None = None, **_: Any) -> Result:
        searched.append(mammogram.source)
        return detect(mammogram, config=config)

    monkeypatch.setattr("mcdetect.pipeline.files.detect", counted)
    source, out = write(tmp_path / "in", a="good", b="good", bad="bad"), tmp_path / "out"

    def run(**options: Any) -> list[str]:
        searched.clear()
        report = run_batch([source], out, **options)
        assert [image.file for image in report.images] == ["a.dcm", "b.dcm", "bad.dcm"]
        assert len(report.failed) == 1  # what failed is tried again
        assert report.reused == 2 - len(searched)
        assert [image.file for image in report.images if image.reused] == [
            name for name in ("a.dcm", "b.dcm") if name not in searched
        ]
        return sorted(searched)

    assert run() == ["a.dcm", "b.dcm"]
    first = {path.name: path.read_bytes() for path in out.glob("*.csv")}
    assert run() == []
    assert {path.name: path.read_bytes() for path in out.glob("*.csv")} == first
    assert json.loads((out / "run.json").read_text())["inputs"][0]["seconds"]["spots"] == 0.25
    (out / "overlays" / "a.png").unlink()
    assert run() == ["a.dcm"]
    write(source, b="good, and new")
    assert run() == ["b.dcm"]
    assert run(candidates=True) == ["a.dcm", "b.dcm"]
    assert run(candidates=True) == []
    assert run(config=Config().replace(min_count=4)) == ["a.dcm", "b.dcm"]
    assert run(pixel_spacing_mm=0.05) == ["a.dcm", "b.dcm"]
    assert run() == ["a.dcm", "b.dcm"]  # its pictures were overwritten by those of other options
    assert run(config=Config().replace(min_count=4), overlay=False) == []  # its results are still there


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the stand-in detector reaches a child by fork only")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_run_that_was_killed_goes_on_where_it_stopped(tmp_path: Path) -> None:
    class Crash(Observer):
        def finished(self, image: ImageReport) -> None:
            if image.file == "b.dcm":
                os._exit(9)

    source = write(tmp_path / "in", a="good", b="good", c="good")
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
