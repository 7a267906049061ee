"""Two folders compared: what is told of pairs, and runs that are killed, stopped and gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from benchmarks.endurance.standin import SEARCHED
from benchmarks.endurance.standin_pairs import compare, write_pair_file, write_pairs
from mcdetect.cli import app
from mcdetect.output.lock import OutputError, locked
from mcdetect.runs import ImageReport, Observer
from mcdetect.runs.exporting import export_run
from mcdetect.runs.merging import merge_runs
from mcdetect.runs.pairs import ComparedFolders, compare_folders
from mcdetect.runs.pairs import work as pair_work
from mcdetect.runs.status import run_status
from mcdetect.runs.store import DiskFullError

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _comparison_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the stand-in away, which `compare` puts in the place of the comparison in this process."""
    monkeypatch.setattr(pair_work, "_compare", pair_work._compare)


@pytest.fixture
def searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what was compared since it was asked last."""
    log = tmp_path / "searched"
    monkeypatch.setenv(SEARCHED, str(log))

    def since() -> list[str]:
        found = log.read_text().splitlines() if log.exists() else []
        log.write_text("")
        return sorted(found)

    return since


def folders(tmp_path: Path, count: int = 12, broken: float = 0.0) -> tuple[Path, Path]:
    prior, current = tmp_path / "then", tmp_path / "now"
    write_pairs(prior, current, count, broken=broken, seed=count)
    return prior, current


def run(given: tuple[Path, Path], out: Path, **options: Any) -> ComparedFolders:
    return compare_folders(*given, out, **{"work": compare, "jobs": 1, **options})


def exported(folder: Path) -> dict[str, bytes]:
    found = [*folder.glob("*.csv"), *folder.glob("*.parquet"), *(folder / "overlays").glob("*.png")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_pairs_and_images_without_partner_are_told(tmp_path: Path, searched: Any) -> None:
    given, out = folders(tmp_path, 20), tmp_path / "out"
    write_pair_file(given[1] / "patient 0" / "LCC.png", seed=3, rows=2, kind="broken")
    write_pair_file(given[1] / "patient 0" / "RCC.png", seed=3, rows=5)
    (given[0] / "notes.txt").write_text("x")
    found = run(given, out)
    table = pd.read_csv(out / "pairs.csv", keep_default_na=False)
    assert list(table["current_file"])[:2] == ["first 0/LCC.png", "first 1/LCC.png"]
    by_file = table.set_index("current_file")
    bad = by_file.loc["patient 0/LCC.png"]
    assert (bad["status"], bad["reason"]) == ("failed", "the file is broken; get a new copy")
    assert by_file.loc["patient 0/RCC.png", "status"] == "not registered"
    good = by_file[by_file["status"] == "compared"].loc["patient 1/RMLO.png"]
    assert (good["status"], good["prior_file"], good["laterality"], good["view"]) == (
        "compared",
        "patient 1/RMLO.png",
        "R",
        "MLO",
    )
    assert found.counts == dict(table["status"].value_counts())
    assert found.counts["no prior"] == found.counts["not compared"] == 2
    assert (found.failed, found.skipped, found.compared) == (1, 1, 19)
    assert len(found.pairs) == len(table) == 24
    changes = pd.read_csv(out / "changes.csv")
    assert len(changes) == found.changes > 0
    assert list(pd.read_csv(out / "skipped.csv")["file"]) == ["prior/notes.txt"]
    assert list(pd.read_csv(out / "failures.csv")["file"]) == ["current/patient 0/LCC.png"]
    record = json.loads((out / "run.json").read_text())
    assert (record["status"], record["counts"]["processed"], record["counts"]["failed"]) == (
        "complete",
        19,
        1,
    )
    status = run_status(out)
    assert (status.state, status.done, status.failed, status.left) == ("complete", 19, 1, 0)
    assert len(list((out / "overlays").iterdir())) == 19
    assert len(searched()) == 20


def test_the_same_command_goes_on_and_what_changed_is_compared_again(tmp_path: Path, searched: Any) -> None:
    given, out = folders(tmp_path, 8), tmp_path / "out"
    write_pair_file(given[1] / "patient 1" / "LCC.png", seed=3, rows=2, kind="broken")

    class Stopping(Observer):
        left = 3

        def finished(self, image: ImageReport) -> None:
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGINT)

    stopped = run(given, out, observer=Stopping())
    assert (stopped.interrupted, stopped.compared, stopped.counts["pending"]) == (True, 3, 5)
    first = searched()
    whole = run(given, out)
    assert (whole.reused, whole.compared, whole.interrupted) == (3, 7, False)
    assert len(first) == 3
    assert not set(first) & set(searched())
    tables = exported(out)
    run(given, out)
    assert searched() == []
    run(given, out, retry_failed=True)
    assert searched() == ["current/patient 1/LCC.png"]
    write_pair_file(given[0] / "patient 0" / "LCC.png", seed=99)  # the prior alone
    run(given, out)
    assert searched() == ["current/patient 0/LCC.png"]
    write_pair_file(given[0] / "patient 0" / "LCC.png", seed=0)
    assert run(given, out).reused == 6  # the picture had been drawn over
    assert exported(out) == tables
    assert searched() == ["current/patient 0/LCC.png"]
    run(given, out, picture=False)
    assert searched() == []
    assert exported(out) == tables
    run(given, out, force_all=True)
    assert len(searched()) == 8
    assert exported(out) == tables


def test_tables_are_exported_again(tmp_path: Path) -> None:
    given, out = folders(tmp_path, 8), tmp_path / "out"
    run(given, out)
    first = exported(out)
    rows = export_run(out, ("csv", "parquet", "json"), tmp_path / "again")
    assert set(rows) == {"pairs", "changes", "members", "failures", "skipped"}
    tables = {name: data for name, data in first.items() if not name.startswith("overlays/")}
    assert exported(tmp_path / "again") == tables
    with pytest.raises(OutputError, match="results of compare"):
        merge_runs([out], tmp_path / "merged")


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_a_killed_comparison_gives_the_tables_of_an_undisturbed_one(tmp_path: Path) -> None:
    given, out, alone = folders(tmp_path, 40, 0.1), tmp_path / "out", tmp_path / "alone"
    for file in given[1].rglob("*.png"):  # nothing that waits for a time limit
        file.write_bytes(file.read_bytes().replace(b'"hang"', b'"broken"'))
    command = [sys.executable, "-m", "benchmarks.endurance.drive", str(given[1]), str(out)]
    command += ["--prior", str(given[0]), "--jobs", "1"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        try:
            if run_status(out).done >= 5:
                break
        except OutputError:
            pass
        Event().wait(0.01)
    process.kill()
    process.wait()
    stopped = run_status(out)
    assert (stopped.state, stopped.left > 0, stopped.done >= 5) == ("stopped", True, True)
    assert export_run(out)["pairs"] == 48  # also of what was killed
    assert set(pd.read_csv(out / "pairs.csv")["status"]) >= {"pending", "compared"}
    limits: dict[str, Any] = {"timeout_s": 60.0, "memory_gb": 8.0}
    assert run(given, out, **limits).reused >= 5
    run(given, alone, **limits)
    assert exported(out) == exported(alone)


def test_one_run_at_a_time_and_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, out = folders(tmp_path, 4), tmp_path / "out"
    out.mkdir()
    with locked(out), pytest.raises(OutputError, match="another run works in it"):
        run(given, out)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("mcdetect.output.sinks.ParquetSink.finish", full)
        with pytest.raises(DiskFullError, match="those of 4 pairs are kept"):
            run(given, out)
    assert run_status(out).state == "disk full"
    assert run(given, out).reused == 4


def test_files_and_folders_are_not_mixed(tmp_path: Path) -> None:
    given = folders(tmp_path, 4)
    file = next(given[0].rglob("*.png"))
    done = CliRunner().invoke(app, ["compare", str(given[0]), str(file), "-o", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "two files or two folders" in done.output


def test_the_command_tells_the_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, out = folders(tmp_path, 10), tmp_path / "out"
    assert compare_folders.__kwdefaults__ is not None
    monkeypatch.setitem(compare_folders.__kwdefaults__, "work", compare)
    words = ["compare", *map(str, given), "-o", str(out), "--jobs", "1", "--timeout", "0"]
    done = CliRunner().invoke(app, [*words, "--log-json", str(tmp_path / "log")])
    assert done.exit_code == 0, done.output
    assert "10 pairs compared" in done.output
    assert "1 current images without prior (see pairs.csv)" in done.output
    events = [json.loads(line).get("event") for line in (tmp_path / "log").read_text().splitlines()]
    assert (events.count("image"), events[0]) == (10, "started")
    write_pair_file(given[1] / "patient 0" / "LCC.png", seed=3, rows=2, kind="broken")
    assert CliRunner().invoke(app, words).exit_code == 1
