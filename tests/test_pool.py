"""The pool of workers, with processes that die, hang, swell and are slow on demand."""

from __future__ import annotations

import dataclasses
import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from mcdetect.readers.image_file import ImageFile
from mcdetect.runs import pool as pool_module
from mcdetect.runs import serving
from mcdetect.runs import worker as worker_module
from mcdetect.runs.pool import Limits, WorkerError, choose_jobs, run_tasks, usable_cores
from mcdetect.runs.worker import NO_MEMORY, REPORT_BUG, Failure, Outcome, Task, process_in_worker


def tasks(*names: str, folder: Path = Path()) -> list[Task]:
    return [Task(ImageFile(Path(name), name), name, folder) for name in names]


def work(task: Task) -> Outcome:
    """Do what the name says; note each try as a file in the folder of the task."""
    kind = task.file.partition("-")[0]
    worker_module._began(f"key of {task.file}", "digest", 4)
    with (task.folder / f"tried {task.file}").open("a") as stream:
        stream.write(f"{os.getpid()}\n")
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "hang":
        Event().wait()
    if kind == "sendless":
        return Outcome(task.file, tables={"x": lambda: None})  # type: ignore[dict-item]
    if kind == "memory":
        return Outcome(task.file, failure=NO_MEMORY, lasting="limits")
    if kind == "grow":
        held = bytearray(3_000_000_000)
        return Outcome(task.file, sha256=str(len(held)))
    return Outcome(task.file, sha256="worked")


def tries(folder: Path, name: str) -> int:
    return len((folder / f"tried {name}").read_text().splitlines())


class Clock:
    """Stands still until a task that hangs has begun; then it is late."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.folder, self.names, self.seen = folder, names, 0
        self.now = 0.0

    def __call__(self) -> float:
        begun = sum(tries(self.folder, n) for n in self.names if (self.folder / f"tried {n}").exists())
        if begun > self.seen:
            self.seen, self.now = begun, self.now + 1000.0
        return self.now


def test_who_dies_hangs_or_swells_is_tried_once_more_alone_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = ["a", "kill-1", "b", "hang-1", "sendless", "memory-1", "c"]
    clock = Clock(tmp_path, "hang-1")
    with caplog.at_level(logging.WARNING, logger="mcdetect"):
        found = list(
            run_tasks(
                tasks(*names, folder=tmp_path), jobs=1, work=work, limits=Limits(900.0, 2e9), clock=clock
            )
        )
    assert sorted(outcome.file for outcome in found) == sorted(names)  # nothing is lost or doubled
    failed = {outcome.file: outcome for outcome in found if outcome.failure}
    assert set(failed) == {"kill-1", "hang-1", "sendless", "memory-1"}
    errors = {name: outcome.failure.error for name, outcome in failed.items() if outcome.failure}
    assert errors == {
        "kill-1": "WorkerDied",
        "hang-1": "Timeout",
        "sendless": errors["sendless"],
        "memory-1": "MemoryError",
    }
    assert errors["sendless"] not in ("", "WorkerDied")
    assert failed["hang-1"].failure == Failure(
        "Timeout",
        "its search did not end within 900 s, also when it was tried alone",
        "give more time with --timeout, or leave it out",
    )
    for name in ("kill-1", "hang-1"):  # it is known what they failed on, so that it is not tried again
        assert (failed[name].key, failed[name].sha256, failed[name].size_bytes) == (
            f"key of {name}",
            "digest",
            4,
        )
        assert failed[name].lasting == "limits"
    assert {name: tries(tmp_path, name) for name in names} == {
        "a": 1,
        "kill-1": 2,
        "b": 1,
        "hang-1": 2,
        "sendless": 1,
        "memory-1": 2,
        "c": 1,
    }
    assert caplog.messages == ["3 images that did not end well are tried again one by one"]
    assert not multiprocessing.active_children()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what a process maps")
def test_more_memory_than_allowed_is_a_failure(tmp_path: Path) -> None:
    given = tasks("grow-1", "a", folder=tmp_path)
    found = {o.file: o for o in run_tasks(given, jobs=1, work=work, limits=Limits(None, 5e8))}
    assert found["grow-1"].failure == NO_MEMORY
    assert found["a"].failure is None
    assert tries(tmp_path, "grow-1") == 2


def test_a_worker_that_swells_is_ended_where_the_system_sets_no_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parent looks after the memory of busy workers."""
    monkeypatch.setattr(pool_module._Worker, "resident", lambda worker: 9e9)
    monkeypatch.setattr(pool_module, "_POLL_S", 0.0)
    given = tasks("hang-1", folder=tmp_path)
    (found,) = run_tasks(given, jobs=1, work=work, limits=Limits(None, 5e8))
    assert found.failure == NO_MEMORY


def test_after_a_stop_only_what_is_under_way_is_finished(tmp_path: Path) -> None:
    stop = Event()
    names = [f"{k:02}" for k in range(30)]
    found = run_tasks(tasks(*names, folder=tmp_path), jobs=2, stop=stop, work=work)
    first = next(found).file
    stop.set()
    rest = [outcome.file for outcome in found]
    assert {first, *rest} == {path.name.removeprefix("tried ") for path in tmp_path.iterdir()}
    assert len(rest) < 10
    assert list(run_tasks(tasks("a", folder=tmp_path), jobs=2, stop=stop, work=work)) == []


def test_after_a_stop_nothing_is_tried_again(tmp_path: Path) -> None:
    stop = Event()
    found = run_tasks(tasks("kill-1", "a", folder=tmp_path), jobs=1, stop=stop, work=work, limits=Limits())
    assert next(found).file == "a"
    stop.set()
    assert list(found) == []
    assert tries(tmp_path, "kill-1") == 1


def test_leaving_early_ends_what_hangs(tmp_path: Path) -> None:
    """As the second Ctrl-C does: whatever a worker does, it is gone."""
    given = tasks("a", "hang-1", "hang-2", "hang-3", folder=tmp_path)
    found = run_tasks(given, jobs=2, work=work, limits=Limits())
    next(found)
    found.close()
    assert not multiprocessing.active_children()


def test_tasks_are_taken_as_they_are_needed(tmp_path: Path) -> None:
    taken: list[str] = []

    def many() -> Iterator[Task]:
        for k in range(1000):
            taken.append(str(k))
            yield from tasks(str(k), folder=tmp_path)

    found = run_tasks(many(), jobs=2, work=work)
    for _ in range(3):
        next(found)
    found.close()
    assert len(taken) < 10


def fail_to_start() -> None:
    raise SystemExit(1)


def test_workers_that_never_get_ready_end_the_run(tmp_path: Path) -> None:
    given = tasks("a", folder=tmp_path)
    with pytest.raises(WorkerError, match="end before they are ready"):
        list(run_tasks(given, jobs=1, work=work, limits=Limits(), prepare=fail_to_start))


def test_the_first_worker_prepares_before_the_others_start(tmp_path: Path, monkeypatch: Any) -> None:
    started: list[bool] = []
    original = pool_module._Worker.__init__

    def init(worker: Any, pool: Any, *given: Any) -> None:
        started.append(pool.prepared)
        original(worker, pool, *given)

    monkeypatch.setattr(pool_module._Worker, "__init__", init)
    given = tasks(*map(str, range(200)), folder=tmp_path)
    assert len(list(run_tasks(given, jobs=2, work=work, prepare=os.getpid))) == 200
    assert started == [False, True]


def test_limits_share_the_memory_and_name_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "available_memory", lambda: 8e9)
    assert Limits(None, 3e9).memory_of(4) == 3e9
    assert Limits().memory_of(4) == 2e9
    assert Limits().memory_of(1) == 8e9
    assert Limits().memory_of(100) == 1.5e9
    assert str(Limits(300.0)) == "300.0 s, None bytes" != str(Limits(301.0))


def test_workers_do_what_this_process_would() -> None:
    """Without `work` files are searched: here, and with their log records brought back, in a worker."""
    (missing,) = tasks("missing.dcm")
    here, there = (next(iter(run_tasks([missing], jobs=jobs))) for jobs in (1, 2))
    assert here.failure == there.failure
    assert here.failure is not None
    assert here.failure.error == "UnreadableFileError"


# ------------------------------------------------------------------------------------ within a worker


def test_cores_are_those_that_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {pid, 3, 5}, raising=False)
    assert usable_cores() == 3
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {4}, raising=False)
    assert usable_cores() == 1
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert usable_cores() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores() == 1


@pytest.mark.parametrize("requested", [0, -1])
def test_senseless_numbers_of_jobs_are_refused(requested: int) -> None:
    with pytest.raises(ValueError, match=rf"^jobs = {requested}: must be at least 1$"):
        choose_jobs(10, requested)
    assert choose_jobs(10, 1) == 1


class Pipe:
    """Stands in for the pipe of a worker."""

    def __init__(self, *given: Task) -> None:
        self.given, self.sent = list(given), list[Any]()

    def send(self, thing: Any) -> None:
        self.sent.append(thing)

    def send_bytes(self, data: Any) -> None:
        self.sent.append(multiprocessing.reduction.ForkingPickler.loads(data))

    def recv(self) -> Task:
        if not self.given:
            raise EOFError
        return self.given.pop(0)


@pytest.fixture
def quiet_worker(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let a worker be set up in this process without changing it."""
    calls: list[Any] = []
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # so that what is set is taken back: numba would heed it in later tests
    monkeypatch.setattr(serving, "end_with_parent", lambda: calls.append("parent"))
    monkeypatch.setattr(serving, "limit_memory", lambda most: calls.append(("memory", most)))
    monkeypatch.setattr(serving, "limit_threads", lambda threads: calls.append(("threads", threads)))
    monkeypatch.setattr(signal, "signal", lambda *given: calls.append(given))
    monkeypatch.setattr(worker_module, "_began", worker_module._began)
    return calls


def test_a_worker_takes_its_share_and_leaves_ctrl_c_to_the_parent(
    tmp_path: Path, quiet_worker: list[Any]
) -> None:
    pipe = Pipe(*tasks("a", "sendless", folder=tmp_path))
    serving.serve(pipe, work, 3, 5e9, lambda: quiet_worker.append("prepared"))  # type: ignore[arg-type]
    assert quiet_worker == [
        "parent",
        (signal.SIGINT, signal.SIG_IGN),
        ("threads", 3),
        "prepared",
        ("memory", 5e9),
    ]
    assert os.environ["OMP_NUM_THREADS"] == "3"
    kinds = [kind for kind, _ in pipe.sent]
    assert kinds == ["ready", "began", "done", "began", "done"]
    assert pipe.sent[1][1] == ("key of a", "digest", 4)
    assert pipe.sent[2][1] == Outcome("a", sha256="worked")
    lost = pipe.sent[4][1].failure
    assert lost.cause == f"unexpected {lost.error} between processes"
    assert lost.remedy == REPORT_BUG


def test_numba_and_opencv_heed_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    import cv2
    import numba

    calls: list[tuple[str, int]] = []
    monkeypatch.setattr(numba, "set_num_threads", lambda n: calls.append(("numba", n)))
    monkeypatch.setattr(cv2, "setNumThreads", lambda n: calls.append(("cv2", n)))
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 4)
    for threads, allowed in ((3, 3), (9, 4), (1, 1)):
        calls.clear()
        worker_module.limit_threads(threads)
        assert calls == [("numba", allowed), ("cv2", threads)]


def test_log_records_are_brought_back_as_text() -> None:
    package = logging.getLogger("mcdetect")
    package.setLevel(logging.ERROR)
    before = list(package.handlers)
    seen: list[bool] = []

    def talk(task: Task) -> Outcome:
        seen.append(package.propagate)
        try:
            raise KeyError("PatientName")
        except KeyError:
            logging.getLogger("mcdetect.somewhere").info("%d of %s", 3, task.file, exc_info=True)
        logging.getLogger("mcdetect").debug("too quiet")
        return Outcome(task.file)

    (task,) = tasks("a")
    found = process_in_worker(dataclasses.replace(task, log_level=logging.INFO), talk)
    (record,) = found.records
    assert (record.msg, record.args, record.exc_info) == ("3 of a", None, None)
    assert (record.name, record.levelno) == ("mcdetect.somewhere", logging.INFO)
    assert seen == [False]
    assert package.handlers == before

    def fail(task: Task) -> Outcome:
        raise SystemExit

    with pytest.raises(SystemExit):
        process_in_worker(task, fail)
    assert package.handlers == before


def test_a_worker_searches_and_reports(tmp_path: Path) -> None:
    found = process_in_worker(Task(ImageFile(tmp_path / "a.dcm", "a.dcm"), "a.dcm", log_level=logging.DEBUG))
    assert found.file == "a.dcm"
    assert found.failure is not None


@pytest.mark.parametrize("parent", [None, SimpleNamespace(sentinel=7, pid=os.getppid())])
def test_a_worker_ends_when_its_parent_has(monkeypatch: pytest.MonkeyPatch, parent: Any) -> None:
    calls: list[Any] = []

    class Thread:
        def __init__(self, *, target: Callable[[int], None], args: tuple[int], daemon: bool) -> None:
            self.target, self.args = target, args
            assert daemon

        def start(self) -> None:
            self.target(*self.args)

    monkeypatch.setattr(serving, "parent_process", lambda: parent)
    monkeypatch.setattr(serving.ctypes, "CDLL", lambda *_, **__: SimpleNamespace(prctl=lambda *_: 0))
    monkeypatch.setattr(serving.threading, "Thread", Thread)
    monkeypatch.setattr(serving.connection, "wait", lambda things: calls.append(things))
    monkeypatch.setattr(os, "_exit", lambda code: calls.append(code))
    serving.end_with_parent()
    assert calls == ([] if parent is None else [[7], 1])
