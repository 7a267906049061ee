"""A batch on a scheduler of its own process, workers killed in mid-run: tables as undisturbed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from detector_standin import install, write

from mcdetect.runs import ImageReport, LostClusterError, Observer, run_batch

distributed = pytest.importorskip("distributed", reason="distributed is not installed (extra cluster)")
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]

TESTS = Path(__file__).parent


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[tuple[Path, int]]:
    """Start a Dask scheduler and workers with nannies, as from the shell; give its file and process."""
    place = folder / "scheduler.json"
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": paths, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
    common = ["--scheduler-file", str(place), "--no-dashboard"]
    commands = [
        ["dask_scheduler", "--host", "127.0.0.1", "--port", "0"],
        ["dask_worker", "--nworkers", str(workers), "--nthreads", "1", "--preload", "dask_standin"],
    ]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for module, *options in commands:
            with (folder / f"{module}.log").open("w") as log:
                command = [sys.executable, "-m", f"distributed.cli.{module}", *common, *options]
                started.append(subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log))
            while not place.exists() or not place.read_text():
                assert started[0].poll() is None, (folder / "dask_scheduler.log").read_text()
                threading.Event().wait(0.1)
        with distributed.Client(scheduler_file=str(place), set_as_default=False) as client:
            client.wait_for_workers(workers)
        yield place, started[0].pid
    finally:
        for process in reversed(started):
            process.terminate()
        for process in reversed(started):
            process.wait()


@pytest.fixture(scope="module")
def scheduler_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with cluster(tmp_path_factory.mktemp("dask"), 3) as (place, _):
        yield place


class Killer(Observer):
    """Kills a process each time so many images are there."""

    def __init__(self, pids: list[int], every: int) -> None:
        self.pids, self.every, self.seen = pids, every, 0

    def finished(self, image: ImageReport) -> None:
        self.seen += 1
        if self.seen % self.every == 0 and self.pids:
            os.kill(self.pids.pop(), signal.SIGKILL)


def tables(out: Path) -> dict[str, bytes]:
    """Return every file of a run but its record and its store."""
    files = [
        path for path in out.rglob("*") if path.is_file() and path.suffix in (".csv", ".parquet", ".png")
    ]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def images(folder: Path, *, deadly: bool) -> Path:
    texts = {f"image{number:02}": f"good {number}" for number in range(40)}
    texts |= {"bad": "bad", "deep": "deep", "study": "study A", "none": "good"}
    return write(folder, **texts, **({"deadly": "kill"} if deadly else {}))


def test_tables_are_those_of_an_undisturbed_run(
    tmp_path: Path, scheduler_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = images(tmp_path / "in", deadly=False)
    with distributed.Client(scheduler_file=str(scheduler_file), set_as_default=False) as client:
        pids = list(client.run(os.getpid).values())
    assert len(pids) == 3
    killer = Killer(pids, 10)
    report = run_batch(
        [source], tmp_path / "disturbed", dask=str(scheduler_file), candidates=True, observer=killer
    )
    assert len(report.images) == killer.seen == 44
    assert killer.pids == []
    install(monkeypatch)
    run_batch([source], tmp_path / "undisturbed", candidates=True, jobs=1)
    disturbed, undisturbed = tables(tmp_path / "disturbed"), tables(tmp_path / "undisturbed")
    assert sum(name.endswith(".png") for name in undisturbed) == 42
    assert disturbed == undisturbed
    record = json.loads((tmp_path / "disturbed" / "run.json").read_text())
    assert record["options"]["dask"] == "scheduler"
    assert record["counts"] == {"processed": 42, "failed": 2, "skipped": 0, "duplicates": 0}


def test_what_is_known_is_not_searched_again_and_the_deadly_image_is_told(
    tmp_path: Path, scheduler_file: Path
) -> None:
    source = images(tmp_path / "in", deadly=True)
    address = json.loads(scheduler_file.read_text())["address"]
    assert re.match(r"tcp://127\.0\.0\.1:\d+", address)
    for reused in (0, 42):
        report = run_batch([source], tmp_path / "out", dask=address)
        assert report.reused == reused
        failed = {image.file: image.failure.error for image in report.failed if image.failure}
        assert failed == {
            "bad.dcm": "UnreadableFileError",
            "deep.dcm": "RecursionError",
            "deadly.dcm": "WorkerDied",
        }


def test_a_scheduler_that_is_gone_ends_the_run_which_then_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcdetect.runs.dask._CONNECT_S", 2.0)
    source = images(tmp_path / "in", deadly=False)
    with cluster(tmp_path, 1) as (place, pid):
        killer = Killer([pid], 5)
        with pytest.raises(LostClusterError, match="run the same command again"):
            run_batch([source], tmp_path / "out", dask=str(place), overlay=False, observer=killer)
    assert killer.seen < 44
    install(monkeypatch)
    report = run_batch([source], tmp_path / "out", overlay=False, jobs=1)
    assert 3 <= report.reused <= killer.seen
    assert len(report.processed) == 42
