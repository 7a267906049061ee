"""Batches: what is written, and that one bad file never stops the others; with a stand-in detector."""

from __future__ import annotations

import getpass
import json
import re
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from detector_standin import Detector, install, write

from mcdetect.config import Config
from mcdetect.errors import MissingSpacingError
from mcdetect.output.further import FURTHER
from mcdetect.output.seam import Output, Piece, Results
from mcdetect.result import Result
from mcdetect.runs import run_batch
from mcdetect.schema import SCHEMA_VERSION


@pytest.fixture(autouse=True)
def detector(monkeypatch: pytest.MonkeyPatch) -> Detector:
    return install(monkeypatch)


def test_everything_is_written(tmp_path: Path) -> None:
    source = write(tmp_path / "in", a="good", b="bad", none="good")
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
            "skipped.csv",
            "run.json",
            "results.sqlite",
            "overlays",
        ]
    )
    images = pd.read_csv(out / "images.csv")
    assert list(images["file"]) == ["a.dcm", "none.dcm"]
    assert list(images["n_flagged"]) == [2, 0]
    clusters = pd.read_csv(out / "clusters.csv")
    assert set(clusters["file"]) == {"a.dcm"}
    assert len(pd.read_csv(out / "calcifications.csv")) == 14
    assert len(pd.read_csv(out / "candidates.csv")) == 14
    failures = pd.read_csv(out / "failures.csv")
    assert failures.to_dict("records") == [
        {
            "file": "b.dcm",
            "error": "UnreadableFileError",
            "cause": "the file is broken",
            "remedy": "get a new copy",
        }
    ]
    assert sorted(path.name for path in (out / "overlays").iterdir()) == ["a.png", "none.png"]
    assert [image.file for image in report.failed] == ["b.dcm"]
    assert [image.file for image in report.processed] == ["a.dcm", "none.dcm"]
    assert report.processed[0].best_score == pytest.approx(0.9)


def test_what_is_not_asked_for_is_not_written(tmp_path: Path) -> None:
    source = write(tmp_path / "in", a="good")
    run_batch([source], tmp_path / "out", overlay=False)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert not names & {"overlays", "candidates.csv", "candidates.parquet"}
    assert (tmp_path / "out" / "failures.csv").read_text() == "file,error,cause,remedy\n"


@pytest.mark.parametrize(
    ("text", "error"), [("bug", "KeyError"), ("memory", "MemoryError"), ("deep", "RecursionError")]
)
def test_unexpected_errors_are_failures_and_never_quote_the_header(
    tmp_path: Path, text: str, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = write(tmp_path / "in", a="good", b=text, c="good")
    with caplog.at_level("DEBUG", logger="mcdetect"):
        report = run_batch([source], tmp_path / "out", overlay=False)
    assert [image.file for image in report.processed] == ["a.dcm", "c.dcm"]
    row = pd.read_csv(tmp_path / "out" / "failures.csv").iloc[0]
    assert row["error"] == error
    assert row["remedy"]
    assert "DOE^JANE" not in caplog.text + (tmp_path / "out" / "failures.csv").read_text()
    if text == "bug":
        assert "read_mammogram" in caplog.text


def test_a_picture_that_cannot_be_drawn_does_not_cost_the_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mcdetect.output.overlays.write_png", fail)
    source = write(tmp_path / "in", a="good")
    report = run_batch([source], tmp_path / "out")
    assert len(report.processed) == len(report.failed) == 1
    assert len(pd.read_csv(tmp_path / "out" / "clusters.csv")) == 2
    assert "no space left" in pd.read_csv(tmp_path / "out" / "failures.csv").loc[0, "cause"]


def test_the_record_tells_what_ran_and_leaks_nothing(tmp_path: Path) -> None:
    source = write(tmp_path / "in", a="good", b="bad")
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


def test_senseless_arguments_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(MissingSpacingError):
        run_batch([tmp_path], tmp_path / "out", pixel_spacing_mm=float("nan"))
    with pytest.raises(ValueError, match="jobs"):
        run_batch([tmp_path], tmp_path / "out", jobs=0)
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_not_known_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no output 'nonsense'"):
        run_batch([tmp_path], tmp_path / "out", also=["nonsense"])
    assert not (tmp_path / "out").exists()


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
    source, out = write(tmp_path / "in", a="good", b="bad", none="good"), tmp_path / "out"
    for _ in range(2):  # the second time everything comes from the store
        run_batch([source], out, overlay=False, also=["names", "names"])
        assert json.loads((out / "names.txt").read_text()) == [{"a.dcm": 13, "none.dcm": 1}, ["b.dcm"]]
        assert json.loads((out / "run.json").read_text())["rows"]["names"] == 2
        assert (out / "a.dcm.txt").read_text() == "2"
        (out / "opened").unlink()
