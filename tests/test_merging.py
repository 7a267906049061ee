"""Runs that are divided among machines and put together again; a stand-in searches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from detector_standin import install, write
from standin_runs import Stopping, exported, files, logging_comes_back, pipeline_comes_back, run
from typer.testing import CliRunner

from benchmarks.endurance.standin import write_file
from mcdetect.cli import app
from mcdetect.output.lock import OutputError
from mcdetect.output.run_record import read_record
from mcdetect.runs.merging import merge_runs

__all__ = ["logging_comes_back", "pipeline_comes_back"]  # fixtures


def test_shards_that_are_merged_equal_the_undivided_run(tmp_path: Path) -> None:
    source = files(tmp_path / "in", 40)
    run(source, tmp_path / "whole")
    parts = [run(source, tmp_path / f"part{k}", shard=(k, 3)) for k in (1, 2, 3)]
    assert sum(len(part.images) for part in parts) == 40
    assert min(len(part.images) for part in parts) > 5
    merged = merge_runs([tmp_path / f"part{k}" for k in (3, 1, 2)], tmp_path / "merged")
    assert (merged.done, merged.failed, merged.left) == (40, 0, 0)
    assert exported(tmp_path / "merged") == exported(tmp_path / "whole")
    record = read_record(tmp_path / "merged")
    assert record is not None
    assert (record["status"], record["counts"]["processed"], len(record["inputs"])) == ("complete", 40, 40)
    again = run(source, tmp_path / "merged")  # and goes on as any other
    assert again.reused == 40
    assert merge_runs([tmp_path / f"part{k}" for k in (1, 2, 3)], tmp_path / "again").done == 40


def test_a_merge_tells_what_is_missing_or_not_done(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = files(tmp_path / "in", 40)
    run(source, tmp_path / "one", shard=(1, 3), observer=Stopping(2))
    run(source, tmp_path / "three", shard=(3, 3))
    with caplog.at_level("WARNING", logger="mcdetect"):
        merged = merge_runs([tmp_path / "one", tmp_path / "three"], tmp_path / "merged")
    assert merged.left > 0
    assert "of 3 shards these are missing: 2" in caplog.messages
    record = read_record(tmp_path / "merged")
    assert record is not None
    assert record["status"] == "interrupted"


def test_folders_of_other_files_are_merged_in_their_order(tmp_path: Path) -> None:
    for name, seed in (("b", 1), ("a", 2)):
        (tmp_path / name).mkdir()
        content: dict[str, Any] = {"seed": seed, "study": "", "side": "L", "view": "CC", "rows": 5}
        write_file(tmp_path / name / f"{name}.dcm", **content)
        run(tmp_path / name, tmp_path / f"out {name}")
    merge_runs([tmp_path / "out b", tmp_path / "out a"], tmp_path / "merged")
    assert pd.read_csv(tmp_path / "merged" / "images.csv")["file"].tolist() == ["b.dcm", "a.dcm"]
    write_file(tmp_path / "a" / "b.dcm", seed=9, study="", side="L", view="CC", rows=5)
    run(tmp_path / "a", tmp_path / "out a")
    with pytest.raises(OutputError, match=r"out a holds another image that is called b\.dcm"):
        merge_runs([tmp_path / "out b", tmp_path / "out a"], tmp_path / "merged")


def test_results_of_other_options_are_not_merged(tmp_path: Path) -> None:
    source = files(tmp_path / "in", 8)
    run(source, tmp_path / "one", shard=(1, 2))
    run(source, tmp_path / "two", shard=(2, 2), pixel_spacing_mm=0.05)
    with pytest.raises(
        OutputError, match=r"one and two were made with other options or code \(pixel_spacing_mm\)"
    ):
        merge_runs([tmp_path / "one", tmp_path / "two"], tmp_path / "merged")
    run(source, tmp_path / "own")
    with pytest.raises(OutputError, match="own holds results of a run of its own"):
        merge_runs([tmp_path / "one"], tmp_path / "own")
    with pytest.raises(OutputError, match="is one of the folders to merge"):
        merge_runs([tmp_path / "one"], tmp_path / "one")
    result = CliRunner().invoke(app, ["merge", str(tmp_path / "one"), "-o", str(tmp_path / "single")])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "-1/3", "1/"])
def test_shards_that_make_no_sense_are_refused(tmp_path: Path, text: str) -> None:
    result = CliRunner().invoke(app, ["detect", str(tmp_path), "-o", str(tmp_path / "o"), "--shard", text])
    assert result.exit_code == 2
    assert "--shard: " in result.stderr


def test_a_list_of_files_comes_through_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)
    for site in ("x", "y"):
        write(tmp_path / site, a="good", b="good")
    names = [tmp_path / "x" / "a.dcm", tmp_path / "y" / "a.dcm", tmp_path / "y" / "missing.dcm"]
    arguments = ["detect", "-", "-o", str(tmp_path / "out"), "--timeout", "0", "--no-overlay"]
    for text in ("\n".join(map(str, names)) + "\r\n", "\0".join(map(str, names)) + "\0"):
        result = CliRunner().invoke(app, arguments, input=text.encode())
        assert result.exit_code == 1, result.output  # one is missing
        images = pd.read_csv(tmp_path / "out" / "images.csv")
        assert images["file"].tolist() == ["x/a.dcm", "y/a.dcm"]
        assert "missing.dcm" in (tmp_path / "out" / "failures.csv").read_text()
