"""Runs that are killed, stopped, divided and put together again; a stand-in searches."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from standin_runs import Stopping, exported, files, logging_comes_back, pipeline_comes_back, run
from typer.testing import CliRunner

from benchmarks.endurance.soak import Soak
from benchmarks.endurance.standin import SEARCHED, write_file
from mcdetect.cli import app
from mcdetect.output.lock import OutputError, locked
from mcdetect.runs import ImageReport, Observer
from mcdetect.runs.exporting import MissingDuckdbError, export_run
from mcdetect.runs.status import run_status
from mcdetect.runs.store import DiskFullError

__all__ = ["logging_comes_back", "pipeline_comes_back"]  # fixtures


# ------------------------------------------------------------------------------------ going on


def test_failures_that_come_back_are_not_tried_again_unless_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "searched"
    monkeypatch.setenv(SEARCHED, str(log))
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    plain: dict[str, Any] = {"seed": 1, "study": "", "side": "L", "view": "CC", "rows": 3}
    write_file(source / "good.dcm", **plain)
    write_file(source / "broken.dcm", **plain, kind="broken")

    def searched(**options: Any) -> list[str]:
        log.write_text("")
        report = run(source, out, **options)
        assert [image.file for image in report.failed] == ["broken.dcm"]
        assert report.failed[0].failure is not None
        assert report.failed[0].failure.cause == "the file is broken"
        return sorted(log.read_text().split())

    assert searched() == ["broken.dcm", "good.dcm"]
    first = exported(out)
    assert searched() == []
    assert searched(retry_failed=True) == ["broken.dcm"]
    assert searched(force_all=True) == ["broken.dcm", "good.dcm"]
    assert exported(out) == first
    write_file(source / "broken.dcm", **plain | {"seed": 2}, kind="broken")
    assert searched() == ["broken.dcm"]  # other bytes


def test_what_could_not_be_read_is_tried_again(tmp_path: Path) -> None:
    """A share that was gone for a while: nothing is remembered against its files, and no picture is lost."""
    source, out = files(tmp_path / "in", 8), tmp_path / "out"
    run(source, out)
    first = exported(out)

    class Vanish(Observer):
        def started(self, images: int, jobs: int) -> None:
            source.rename(tmp_path / "away")

    report = run(source, out, observer=Vanish())
    assert len(report.failed) == 8
    assert sorted(path.name for path in (out / "overlays").iterdir()) == sorted(
        name.partition("/")[2] for name in first if name.startswith("overlays/")
    )
    (tmp_path / "away").rename(source)
    report = run(source, out)
    assert report.reused == 8
    assert exported(out) == first


def test_a_folder_that_is_missing_takes_no_pictures_along(tmp_path: Path) -> None:
    source, out = files(tmp_path / "in", 4), tmp_path / "out"
    run(source, out)
    source.rename(tmp_path / "away")
    report = run(source, out)
    assert report.processed == []
    assert len(list((out / "overlays").iterdir())) == 4


def test_results_of_other_options_are_kept_apart(tmp_path: Path) -> None:
    source, out = files(tmp_path / "in", 8), tmp_path / "out"
    run(source, out)
    first = exported(out)
    run(source, out, pixel_spacing_mm=0.05, overlay=False)
    with contextlib.closing(sqlite3.connect(out / "results.sqlite")) as store:
        counts = [
            store.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("entries", "images")
        ]
    assert counts == [16, 16]
    assert len(pd.read_csv(out / "images.csv")) == 8
    run(source, out)
    assert exported(out) == first


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits of Unix")
def test_a_full_disk_ends_the_run_with_a_clear_word_and_nothing_mixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import resource

    source, out, undisturbed = files(tmp_path / "in"), tmp_path / "out", tmp_path / "undisturbed"
    run(source, undisturbed)

    class Fill(Observer):
        done = 0

        def finished(self, image: ImageReport) -> None:
            self.done += 1
            if self.done == 9:
                most = max(path.stat().st_size for path in out.glob("results.sqlite*"))
                resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    told = (
        r"^no room for results \(results\.sqlite: .*\); those of \d+ images are kept: make room and run the"
    )
    try:
        with pytest.raises(DiskFullError, match=told):
            run(source, out, observer=Fill())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not [name for name in exported(out) if not name.startswith("overlays/")]
    assert not list(out.glob(".*"))
    report = run(source, out)
    assert report.reused >= 9
    assert exported(out) == exported(undisturbed)


def test_a_disk_that_is_full_for_the_tables_keeps_the_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = files(tmp_path / "in", 8), tmp_path / "out"

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("mcdetect.output.sinks.ParquetSink.finish", full)
        with pytest.raises(DiskFullError, match="those of 8 images are kept"):
            run(source, out)
    assert run_status(out).state == "disk full"
    assert not list(out.glob("*.csv")) + list(out.glob(".*"))
    export_run(out)
    run(source, tmp_path / "undisturbed")
    assert exported(out) == exported(tmp_path / "undisturbed")


# ------------------------------------------------------------------------------------ status and export


def test_status_tells_what_is_done_and_left(tmp_path: Path) -> None:
    source, out = files(tmp_path / "in", 24, broken=0.2), tmp_path / "out"
    (source / "notes.txt").write_text("x")
    with pytest.raises(OutputError, match=r"holds no results\.sqlite"):
        run_status(tmp_path)

    class Look(Stopping):
        def finished(self, image: ImageReport) -> None:
            if self.left == 1:
                seen.append(run_status(out))
            super().finished(image)

    seen: list[Any] = []
    # The kinds that kill or hang need a process of their own.
    for path in source.rglob("*.dcm"):
        path.write_bytes(path.read_bytes().replace(b'"hang"', b'"broken"').replace(b'"kill"', b'"broken"'))
    run(source, out, observer=Look(10))
    (now,) = seen
    assert (now.state, now.holder["pid"]) == ("running", os.getpid())
    assert (now.done + now.failed, now.left) == (10, 14)
    assert now.rate > 0
    assert now.left_s == pytest.approx(14 / now.rate)
    after = run_status(out)
    assert (after.state, after.holder, after.left, after.skipped) == ("interrupted", None, 14, 1)
    run(source, out)
    after = run_status(out)
    assert (after.state, after.done, after.failed, after.left) == ("complete", 19, 5, 0)
    assert after.reused == now.done
    result = CliRunner().invoke(app, ["status", str(out)])
    assert result.exit_code == 0
    for line in ("state         complete", "failed        5", "left          0"):
        assert line in result.stdout
    told = json.loads(CliRunner().invoke(app, ["status", "--json", str(out)]).stdout)
    assert (told["done"], told["left"]) == (19, 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a process that may be killed")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_killed_run_is_told_as_stopped_and_can_be_exported(tmp_path: Path) -> None:
    class Crash(Observer):
        done = 0

        def finished(self, image: ImageReport) -> None:
            self.done += 1
            if self.done == 6:
                os._exit(9)

    source, out = files(tmp_path / "in", 12), tmp_path / "out"
    child = os.fork()
    if child == 0:
        run(source, out, observer=Crash())
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    status = run_status(out)
    assert (status.state, status.done, status.left) == ("stopped", 6, 6)
    assert "run the same command again" in CliRunner().invoke(app, ["status", str(out)]).stdout
    assert not exported(out).keys() & {"images.csv", "images.parquet"}
    result = CliRunner().invoke(app, ["export", str(out)])
    assert result.exit_code == 0, result.output
    assert len(pd.read_csv(out / "images.csv")) == len(pd.read_parquet(out / "images.parquet")) == 6
    assert len(pd.read_csv(out / "studies.csv")) == 2
    run(source, out)
    run(source, tmp_path / "undisturbed")
    assert exported(out) == exported(tmp_path / "undisturbed")


def test_tables_are_exported_again_as_they_were_and_in_other_formats(tmp_path: Path) -> None:
    source, out = files(tmp_path / "in"), tmp_path / "out"
    run(source, out)
    first = {name: data for name, data in exported(out).items() if not name.startswith("overlays/")}
    rows = export_run(out, ("csv", "parquet", "json", "coco"), tmp_path / "to")
    assert exported(tmp_path / "to") == first
    assert rows["images"] == 24
    for name in ("images", "calcifications", "clusters", "studies", "findings", "failures", "candidates"):
        table = pd.read_csv(out / f"{name}.csv")
        assert len(json.loads((tmp_path / "to" / f"{name}.json").read_text())) == len(table) == rows[name]
    assert (tmp_path / "to" / "coco.json").is_file()
    with pytest.raises(
        ValueError, match="there is no format 'xls'; known are csv, parquet, json, duckdb, coco"
    ):
        export_run(out, ("xls",))
    with locked(out), pytest.raises(OutputError, match="another run works in it"):
        export_run(out)


def test_tables_go_into_duckdb(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="needs the extra duckdb")
    source, out = files(tmp_path / "in", 24), tmp_path / "out"
    run(source, out)
    rows = export_run(out, ("duckdb",))
    assert not list(out.glob(".*"))
    with contextlib.closing(duckdb.connect(str(out / "results.duckdb"), read_only=True)) as database:
        for name, number in rows.items():
            assert database.execute(f'SELECT count(*) FROM "{name}"').fetchone() == (number,)
        (best,) = database.execute("SELECT max(score) FROM calcifications").fetchone()
    assert best == pd.read_parquet(out / "calcifications.parquet")["score"].max()


def test_a_missing_duckdb_is_told_by_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(files(tmp_path / "in", 2), tmp_path / "out")
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(MissingDuckdbError, match=r"pip install 'mcdetect-mammo\[duckdb\]'"):
        export_run(tmp_path / "out", ("duckdb",))
    result = CliRunner().invoke(app, ["export", str(tmp_path / "out"), "--format", "duckdb"])
    assert result.exit_code == 2


def test_keys_join_the_tables_of_the_store(tmp_path: Path) -> None:
    source, out = files(tmp_path / "in"), tmp_path / "out"
    run(source, out)
    with contextlib.closing(sqlite3.connect(out / "results.sqlite")) as store:
        joined = store.execute(
            "SELECT r.run_id, s.study, count(*) FROM runs AS r JOIN inputs AS i USING (run_id) "
            "JOIN images AS m USING (image_id) JOIN studies AS s ON s.run_id = r.run_id "
            "AND s.study = i.study_id "
            "GROUP BY s.study ORDER BY s.study"
        ).fetchall()
        views = store.execute("SELECT count(*) FROM failures").fetchone()
    studies = pd.read_csv(out / "studies.csv")
    assert joined == [(1, int(s), int(n)) for s, n in zip(studies["study"], studies["n_images"], strict=True)]
    assert views == (0,)


# ------------------------------------------------------------------------------------ memory


def test_memory_does_not_grow_with_the_images(tmp_path: Path) -> None:
    """What Python holds at most while results are taken and exported, for 40 images and for 400."""
    held = []
    for count in (40, 400):
        source = files(tmp_path / f"in {count}", count)
        run(source, tmp_path / f"out {count}", overlay=False)  # imports and caches
        tracemalloc.start()
        try:
            run(source, tmp_path / f"out {count}", overlay=False, force_all=True)
            held.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert held[1] - held[0] < 20e6


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="strikes need Linux")
def test_runs_that_are_struck_in_every_way_give_the_tables_of_an_undisturbed_one(tmp_path: Path) -> None:
    soak = Soak(tmp_path, 160, seed=3)
    soak.endure(8)
    soak.compare()
    assert sum(soak.strikes.values()) == 8
    assert soak.differing == []
    assert len(soak.equal) > 100
    assert (soak.lost, soak.doubled) == (0, 0)
    assert soak.again <= 3 * 8 + soak.changed  # what was under way, and what was tried once more
