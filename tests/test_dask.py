"""Images on Dask workers: in order, a few at a time; what is lost with a worker, and what ends a run."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pandas as pd
import pytest
from dask_standin import a_bug, name_only, name_or_die, no_disk, no_library
from output_fakes import fake_image, fake_result
from typer.testing import CliRunner

from mcdetect.cli import app
from mcdetect.errors import MissingLibraryError
from mcdetect.output.overlays import Overlays
from mcdetect.readers.image_file import ImageFile
from mcdetect.runs import LostClusterError, dask_worker, run_batch
from mcdetect.runs.dask import ClusterError, DaskWorkers, connected
from mcdetect.runs.dask_worker import Found
from mcdetect.runs.worker import Outcome, Task

distributed = pytest.importorskip("distributed", reason="distributed is not installed (extra cluster)")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def threads() -> Iterator[DaskWorkers]:
    """A scheduler whose two workers are threads of this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None, protocol="inproc"
            ) as cluster,
            distributed.Client(cluster, set_as_default=False) as client,
        ):
            yield DaskWorkers(client)


def tasks(*names: str, **options: Any) -> list[Task]:
    return [Task(ImageFile(Path(name), name), name, **options) for name in names]


def test_outcomes_come_in_order_and_tasks_are_taken_as_needed(threads: DaskWorkers) -> None:
    taken = []

    def given() -> Iterator[Task]:
        for number in range(60):
            taken.append(number)
            yield tasks(f"{number}")[0]

    ahead = [
        (len(taken) - number, outcome.file)
        for number, outcome in enumerate(threads.run_tasks(given(), work=name_only))
    ]
    assert [file for _, file in ahead] == [f"{number}" for number in range(60)]
    assert max(count for count, _ in ahead) <= 2 * 8 + 1  # two workers, eight each, and the one that is here
    found = threads.run_tasks(tasks(*"abcdefgh"), work=name_only, in_order=False)
    assert {outcome.file for outcome in found} == set("abcdefgh")


def test_a_stop_gives_out_nothing_more(threads: DaskWorkers) -> None:
    stop = Event()
    taken = []

    def given() -> Iterator[Task]:
        for number in range(1000):
            taken.append(number)
            yield tasks(f"{number}")[0]

    found = threads.run_tasks(given(), stop=stop, work=name_only)
    first = next(found)
    stop.set()
    files = [first.file, *(outcome.file for outcome in found)]
    assert files == [f"{number}" for number in taken]
    assert len(files) < 1000


def test_what_a_worker_raises_costs_one_image_or_ends_the_run(
    threads: DaskWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    (outcome,) = threads.run_tasks(tasks("a"), work=a_bug)
    assert outcome.failure is not None
    assert outcome.failure.error == "ZeroDivisionError"
    (outcome,) = threads.run_tasks(tasks("a"), work=no_disk)
    assert "no space left on device" in str(outcome.failure)
    with pytest.raises(ClusterError, match="lacks mcdetect"):
        list(threads.run_tasks(tasks("a"), work=no_library))
    codes = iter(("mine", "theirs"))
    monkeypatch.setattr(dask_worker, "code", lambda: next(codes))
    monkeypatch.setattr("mcdetect.runs.dask.code", dask_worker.code)
    with pytest.raises(ClusterError, match="another mcdetect"):
        list(threads.run_tasks(tasks("a"), work=name_only))


def test_pictures_come_back_and_are_written_here(threads: DaskWorkers, tmp_path: Path) -> None:
    outputs = [Overlays({"a": "a.png"})]
    outputs[0].open(tmp_path)
    (outcome,) = threads.run_tasks(tasks("a", folder=tmp_path, outputs=outputs), work=draw)
    assert outcome.outputs == {"overlays": ["overlays/a.png"]}
    assert (tmp_path / "overlays" / "a.png").read_bytes().startswith(b"\x89PNG")
    gone = tmp_path / "gone"
    (outcome,) = threads.run_tasks(tasks("a", folder=gone, outputs=outputs), work=draw)
    assert outcome.outputs == {}
    assert "its overlays could not be written (no such file or directory)" in str(outcome.failure)
    assert outcome.tables


def draw(task: Task) -> Outcome:
    """Let the outputs take a stand-in result, as `process` does."""
    result = fake_result(fake_image(source=task.file), groups=[], others=[(100.0, 50.0)])
    pieces = {output.name: output.add(task.folder, task.file, result) for output in task.outputs}
    return Outcome(
        task.file,
        tables={"images": pd.DataFrame({"file": [task.file]})},
        outputs={name: piece.files for name, piece in pieces.items()},
    )


def test_what_is_cancelled_elsewhere_is_given_out_again(threads: DaskWorkers) -> None:
    client = threads.client
    release = distributed.Event("release", client=client)

    def cancel() -> None:
        distributed.Event("begun", client=client).wait()
        keys = [key for key in client.futures if str(key).startswith("mcdetect-")]
        client.cancel([distributed.Future(key, client) for key in keys], force=True)
        release.set()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    seen = [outcome.file for outcome in threads.run_tasks(tasks(*"abcd"), work=wait_for_release)]
    canceller.join()
    assert seen == list("abcd")


def wait_for_release(task: Task) -> Outcome:
    distributed.Event("begun").set()
    distributed.Event("release").wait()
    return name_only(task)


def test_what_is_no_scheduler_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcdetect.runs.dask._CONNECT_S", 1.0)
    for where in ("nonsense", "missing.json", "tcp://127.0.0.1:1"):
        with pytest.raises(ClusterError, match=re.escape(where)), connected(where):
            pass


def test_what_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingLibraryError, match=r"pip install .*\[cluster\]"), connected("local"):
        pass


def test_the_number_of_workers_is_that_of_the_scheduler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcdetect.runs.dask._CONNECT_S", 1.0)
    (tmp_path / "a.dcm").write_text("x")
    with pytest.raises(ClusterError, match="leave out --jobs"):
        run_batch([tmp_path], tmp_path / "out", dask="tcp://127.0.0.1:1", jobs=2)
    with pytest.raises(ClusterError, match="no Dask scheduler answers"):
        run_batch([tmp_path], tmp_path / "out", dask="tcp://127.0.0.1:1")
    assert not (tmp_path / "out" / "run.json").exists()


def test_the_command_line_tells_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def end_of(error: Exception) -> tuple[int, str]:
        def fail(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr("mcdetect.runs.run_batch", fail)
        arguments = ["detect", str(tmp_path), "-o", str(tmp_path / "out"), "--dask", "local"]
        result = CliRunner().invoke(app, arguments)
        return result.exit_code, result.stderr.strip()

    assert end_of(ClusterError("no answer")) == (2, "error: --dask: no answer")
    assert end_of(LostClusterError("gone")) == (1, "error: gone")
    code, text = end_of(MissingLibraryError("--dask needs distributed", "cluster"))
    assert code == 2
    assert "[cluster]" in text


def test_files_that_are_sent_back_can_be_pickled() -> None:
    import pickle

    assert pickle.loads(pickle.dumps(Found(Outcome("a"), {"x": b"y"}))).files == {"x": b"y"}


@pytest.mark.slow
def test_an_image_that_kills_its_workers_is_recorded_and_costs_nothing_else() -> None:
    files = ["a", "kill-1", "b", "kill-2", "hang", "c", *(f"{number}" for number in range(20))]
    with connected("local", jobs=2, timeout_s=5.0) as workers:
        results = list(workers.run_tasks(tasks(*files), work=name_or_die))
    assert [result.file for result in results] == files
    failed = {result.file: result.failure.error for result in results if result.failure}
    assert failed == dict.fromkeys(("kill-1", "kill-2", "hang"), "WorkerDied")
    assert str(os.getpid()) not in {result.sha256 for result in results}


@pytest.mark.slow
def test_a_run_outlasts_its_workers_which_heed_no_ctrl_c() -> None:
    with connected("local", jobs=2) as workers:
        pids = set(workers.client.run(os.getpid).values())
        for pid in pids:
            os.kill(pid, signal.SIGINT)
        found = workers.run_tasks(tasks(*(f"{number}" for number in range(100))), work=name_only)
        assert next(found).sha256 in {str(pid) for pid in pids}
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        results = list(found)
    assert [result.file for result in results] == [f"{number}" for number in range(1, 100)]
    assert not any(result.failure for result in results)


@pytest.mark.slow
def test_the_second_ctrl_c_waits_for_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil
    from distributed import Client, LocalCluster

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it was waited for")

    pids: set[int] = set()

    def press() -> None:
        with connected("local", jobs=1) as workers:
            pids.update(workers.client.run(os.getpid).values())
            found = workers.run_tasks(tasks("hang"), work=name_or_die)
            monkeypatch.setattr(LocalCluster, "close", refuse)
            monkeypatch.setattr(Client, "close", refuse)
            monkeypatch.setattr(Client, "cancel", refuse)
            threading.Timer(1.0, os.kill, [os.getpid(), signal.SIGINT]).start()
            next(found)

    with pytest.raises(KeyboardInterrupt):
        press()
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            psutil.Process(pid).wait(60)
        assert not psutil.pid_exists(pid)
