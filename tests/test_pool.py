"""The pool of workers, with stand-in processes: what is started, what is lost, in which order it comes."""

from __future__ import annotations

import dataclasses
import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from mcdetect.readers.image_file import ImageFile
from mcdetect.runs import pool as pool_module
from mcdetect.runs import worker as worker_module
from mcdetect.runs.pool import choose_jobs, run_tasks, usable_cores
from mcdetect.runs.worker import (
    REPORT_BUG,
    Outcome,
    Task,
    initialise_worker,
    process_in_worker,
)


class Pools:
    """Stand-ins for `ProcessPoolExecutor`: a task named "kill" ends its process and breaks its pool.

    Nothing is worked on before it is waited for; of the tasks under way the newest is finished first.
    """

    def __init__(self) -> None:
        self.started: list[dict[str, Any]] = []
        self.worked: list[str] = []
        self.ended = 0
        self.most_running = 0
        self.current: _Pool | None = None

    def __call__(self, workers: int, **options: Any) -> _Pool:
        assert self.current is None, "the old pool was not ended"
        self.started.append({"workers": workers, **options})
        self.current = _Pool(self, workers)
        return self.current

    def wait(self, running: Any, timeout: float | None = None, return_when: str = "ALL") -> Any:
        waited = list(running)
        if waited and self.current is not None:
            everything = return_when != "FIRST_COMPLETED"
            self.current.work(None if everything else 1)
        done = [future for future in waited if future.done()]
        if return_when == "FIRST_COMPLETED":
            done = done[:1]  # others are done a moment later
        return set(done), set(waited) - set(done)


class _Pool:
    def __init__(self, pools: Pools, workers: int) -> None:
        self.pools, self.workers = pools, workers
        self.pending: list[tuple[Future[Outcome], Any, Task]] = []
        self.broken = False

    def submit(self, work: Any, task: Task) -> Future[Outcome]:
        if self.broken:
            raise BrokenProcessPool
        future = _Future(self)
        self.pending.append((future, work, task))
        self.pools.most_running = max(self.pools.most_running, len(self.pending))
        return future

    def work(self, most: int | None) -> None:
        while self.pending and most != 0:
            future, work, task = self.pending.pop()
            self.pools.worked.append(task.file)
            if task.file.startswith("kill"):
                self.broken = True
                for lost, _, _ in [*self.pending, (future, work, task)]:
                    lost.set_exception(BrokenProcessPool())
                self.pending.clear()
            else:
                try:
                    future.set_result(work(task))
                except Exception as error:  # noqa: BLE001
                    future.set_exception(error)
            most = None if most is None else most - 1

    def shutdown(self, *, wait: bool, cancel_futures: bool) -> None:
        assert wait
        assert cancel_futures
        self.pools.ended += 1
        self.pools.current = None


class _Future(Future[Outcome]):
    def __init__(self, owner: _Pool) -> None:
        super().__init__()
        self.owner = owner

    def result(self, timeout: float | None = None) -> Outcome:
        if not self.done():
            self.owner.work(None)
        return super().result(0)


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pools]:
    found = Pools()
    monkeypatch.setattr(pool_module, "ProcessPoolExecutor", found)
    monkeypatch.setattr(pool_module, "wait", found.wait)
    monkeypatch.setattr(pool_module, "usable_cores", lambda: 8)
    yield found
    assert found.ended == len(found.started)  # no pool is left behind


def tasks(*names: str) -> list[Task]:
    return [Task(ImageFile(Path(name), name), name) for name in names]


def work(task: Task) -> Outcome:
    if task.file.startswith("sendless"):
        raise TypeError("cannot pickle PatientName DOE^JANE")
    return Outcome(task.file, sha256="worked")


def test_outcomes_come_in_the_order_of_the_tasks(pools: Pools) -> None:
    names = [f"{k:02}" for k in range(40)]
    found = list(run_tasks(tasks(*names), jobs=3, work=work))
    assert [outcome.file for outcome in found] == names
    assert sorted(pools.worked) == names
    assert pools.worked != names  # they were finished in another order
    (started,) = pools.started
    assert started["workers"] == 3
    assert started["initargs"] == (2,)  # of 8 cores, shared by 3
    assert started["initializer"] is initialise_worker
    assert started["mp_context"].get_start_method() == "spawn"
    assert pools.most_running == 4  # one waits for the worker that is free next


def test_more_workers_than_cores_have_one_thread_each(pools: Pools) -> None:
    list(run_tasks(tasks(*"abc"), jobs=16, work=work))
    assert pools.started[0]["initargs"] == (1,)


def test_results_do_not_pile_up_behind_a_slow_one(pools: Pools, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first task is under way until all else waits for it: sixteen tasks for two workers."""
    ahead = []
    original = pools.wait

    def wait(running: Any, **options: Any) -> Any:
        ahead.append(len(pools.worked) + len(running))
        return original(running, **options)

    monkeypatch.setattr(pool_module, "wait", wait)
    outcomes = run_tasks(tasks(*(f"{k:02}" for k in range(60))), jobs=2, work=work)
    assert next(outcomes).file == "00"
    assert max(ahead) == 16
    assert len(list(outcomes)) == 59


def test_a_worker_that_dies_costs_its_own_file_only(pools: Pools, caplog: pytest.LogCaptureFixture) -> None:
    names = ["a", "b", "kill-1", "c", "sendless", "d", "kill-2", "e", "f"]
    with caplog.at_level(logging.WARNING, logger="mcdetect"):
        found = list(run_tasks(tasks(*names), jobs=2, work=work))
    assert [outcome.file for outcome in found] == names
    failed = {outcome.file: outcome.failure for outcome in found if outcome.failure}
    assert set(failed) == {"kill-1", "kill-2", "sendless"}
    for name in ("kill-1", "kill-2"):
        assert failed[name].error == "WorkerDied"
        assert "died" in failed[name].cause
        assert REPORT_BUG in failed[name].remedy
    assert failed["sendless"].error == "TypeError"
    assert failed["sendless"].cause == "unexpected TypeError between processes"
    assert failed["sendless"].remedy == REPORT_BUG
    assert all(outcome.sha256 == "worked" for outcome in found if not outcome.failure)
    assert {start["workers"] for start in pools.started} == {1, 2}  # suspects are tried one by one
    again = "a worker process died; 3 images are tried again one by one"  # it, and two beside it
    assert caplog.messages == [again, again]
    # each that kills is met twice: beside others, and alone
    assert pools.worked.count("kill-1") == pools.worked.count("kill-2") == 2


def test_a_pool_found_broken_at_the_next_submission_is_replaced(pools: Pools) -> None:
    names = [f"{k:02}" for k in range(40)]
    found = run_tasks(tasks(*names), jobs=2, work=work)
    assert next(found).file == "00"
    assert pools.current is not None
    pools.current.broken = True
    assert [outcome.file for outcome in found] == names[1:]
    assert [start["workers"] for start in pools.started] == [2, 1, 2]


def test_what_is_under_way_beside_a_broken_pool_is_not_lost(pools: Pools) -> None:
    def breaking(task: Task) -> Outcome:
        if task.file == "05" and pools.current is not None:
            pools.current.broken = True  # found out at the next submission; the first two are under way
        return work(task)

    names = [f"{k:02}" for k in range(12)]
    assert [outcome.file for outcome in run_tasks(tasks(*names), jobs=2, work=breaking)] == names
    assert sorted(pools.worked) == names
    assert [start["workers"] for start in pools.started] == [2, 1, 2]


def test_after_a_stop_only_what_is_under_way_is_finished(pools: Pools) -> None:
    stop = Event()
    found = run_tasks(tasks(*(f"{k:02}" for k in range(30))), jobs=2, stop=stop, work=work)
    assert next(found).file == "00"
    stop.set()
    rest = [outcome.file for outcome in found]
    assert rest == sorted(rest)
    assert {"00", *rest} == set(pools.worked)
    assert len(pools.worked) < 20
    assert list(run_tasks(tasks("a"), jobs=2, stop=stop, work=work)) == []


def test_after_a_stop_suspects_are_not_tried_again(pools: Pools) -> None:
    stop = Event()

    def stopping(task: Task) -> Outcome:
        stop.set()
        return work(task)

    found = list(run_tasks(tasks("kill", "a", "b"), jobs=2, stop=stop, work=stopping))
    assert pools.worked.count("kill") == 1
    assert [outcome.file for outcome in found] == ["a", "b"]


def test_leaving_early_ends_the_pool(pools: Pools) -> None:
    found = run_tasks(tasks(*"abcdef"), jobs=2, work=work)
    next(found)
    found.close()
    assert pools.current is None


def test_workers_do_what_this_process_would(monkeypatch: pytest.MonkeyPatch, pools: Pools) -> None:
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


def test_a_worker_takes_its_share_and_leaves_ctrl_c_to_the_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    import cv2
    import numba

    calls: list[tuple[Any, ...]] = []
    names = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    for name in names:
        monkeypatch.setenv(name, "unset")
    monkeypatch.setattr(signal, "signal", lambda *given: calls.append(given))
    monkeypatch.setattr(numba, "set_num_threads", lambda n: calls.append(("numba", n)))
    monkeypatch.setattr(cv2, "setNumThreads", lambda n: calls.append(("cv2", n)))
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 4)
    for threads, allowed in ((3, 3), (9, 4), (1, 1)):
        calls.clear()
        initialise_worker(threads)
        assert {os.environ[name] for name in names} == {str(threads)}
        assert calls == [(signal.SIGINT, signal.SIG_IGN), ("numba", allowed), ("cv2", threads)]


def test_log_records_are_brought_back_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
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

    monkeypatch.setattr(worker_module, "process", talk)
    (task,) = tasks("a")
    found = process_in_worker(dataclasses.replace(task, log_level=logging.INFO))
    (record,) = found.records
    assert (record.msg, record.args, record.exc_info) == ("3 of a", None, None)
    assert (record.name, record.levelno) == ("mcdetect.somewhere", logging.INFO)
    assert seen == [False]
    assert package.handlers == before

    def fail(task: Task) -> Outcome:
        raise SystemExit

    monkeypatch.setattr(worker_module, "process", fail)
    with pytest.raises(SystemExit):
        process_in_worker(task)
    assert package.handlers == before


def test_a_worker_searches_and_reports(tmp_path: Path) -> None:
    found = process_in_worker(Task(ImageFile(tmp_path / "a.dcm", "a.dcm"), "a.dcm", log_level=logging.DEBUG))
    assert found.file == "a.dcm"
    assert found.failure is not None


def test_a_worker_watches_its_parent_beside_its_work(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[dict[str, Any]] = []

    class Thread:
        def __init__(self, **given: Any) -> None:
            self.given = given

        def start(self) -> None:
            started.append(self.given)

    monkeypatch.setattr(signal, "signal", lambda *given: None)
    monkeypatch.setattr(worker_module, "limit_threads", lambda threads: None)
    monkeypatch.setattr(worker_module.threading, "Thread", Thread)
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # so that what is set is taken back: numba would heed it in later tests
    initialise_worker(1)
    assert started == [{"target": worker_module._end_with_parent, "daemon": True}]


@pytest.mark.parametrize("parent", [None, SimpleNamespace(sentinel=7)])
def test_a_worker_ends_when_its_parent_has(monkeypatch: pytest.MonkeyPatch, parent: Any) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: parent)
    monkeypatch.setattr(multiprocessing.connection, "wait", lambda things: calls.append(things))
    monkeypatch.setattr(os, "_exit", lambda code: calls.append(code))
    worker_module._end_with_parent()
    assert calls == ([] if parent is None else [[7], 1])
