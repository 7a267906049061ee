"""Tasks to outcomes, in this process or in several that may die, hang or take too much memory."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection
from threading import Event
from typing import Any

import psutil

from mcdetect.runs.memory import available_memory
from mcdetect.runs.serving import BEGAN, DONE, READY, SAID, serve
from mcdetect.runs.worker import (
    NO_MEMORY,
    REPORT_BUG,
    Failure,
    Outcome,
    Task,
    process,
    process_in_worker,
)

__all__ = ["LIBRARIES", "Limits", "WorkerError", "choose_jobs", "run_tasks", "usable_cores"]

logger = logging.getLogger(__name__)

# Technical: worker processes.
_MEMORY_PER_JOB = 1.5e9
"""Memory to have at hand per worker, in bytes: one large image with its libraries."""
LIBRARIES = 1e9
"""What the libraries of a worker may take beside its images, in bytes."""
_FEW = 8
"""Below so many images the start of worker processes costs more than it saves."""
_POLL_S = 0.5  # seconds between two looks at the workers
_FALSE_STARTS = 3  # workers in a row that end before they are ready, until the run is given up
_LEAVE_S = 5.0  # seconds in which an idle worker ends by itself

_DIED = Failure(
    "WorkerDied",
    "the process that worked on it died (out of memory, or a crash in a decoder)",
    "run it alone with --jobs 1; if it dies again, " + REPORT_BUG,
)


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def choose_jobs(images: int, requested: int | None = None) -> int:
    """Return the number of worker processes for a batch; 1 means this process.

    Parameters
    ----------
    images : int
        Images to process.
    requested : int, optional
        Number asked for; never more processes than images are started.
    """
    if requested is not None:
        if requested < 1:
            raise ValueError(f"jobs = {requested}: must be at least 1")
        return max(1, min(requested, images))
    if images < _FEW:
        return 1
    by_memory = min(available_memory() / _MEMORY_PER_JOB, float(images))
    return max(1, min(usable_cores(), int(by_memory)))


class WorkerError(RuntimeError):
    """Worker processes do not start."""


@dataclass(frozen=True)
class Limits:
    """What one image may take, in a process of its own.

    Parameters
    ----------
    seconds : float or None
        Time; None for no limit.
    memory_bytes : float or None
        Memory beyond what the libraries need; None for an even share of what is there, and for all of it
        when the image is tried alone.
    """

    seconds: float | None = None
    memory_bytes: float | None = None

    def __str__(self) -> str:
        """Return what failures are kept with: under other limits the image is tried again."""
        return f"{self.seconds} s, {self.memory_bytes} bytes"

    def memory_of(self, workers: int) -> float:
        """Return what each of so many workers may take, in bytes."""
        if self.memory_bytes is not None:
            return self.memory_bytes
        return max(_MEMORY_PER_JOB, available_memory() / workers)

    def too_long(self) -> Failure:
        """Return the failure of an image that took too long."""
        return Failure(
            "Timeout",
            f"its search did not end within {self.seconds:g} s, also when it was tried alone",
            "give more time with --timeout, or leave it out",
        )


def run_tasks(
    tasks: Iterable[Task],
    *,
    jobs: int = 1,
    stop: Event | None = None,
    work: Callable[[Task], Outcome] | None = None,
    limits: Limits | None = None,
    prepare: Callable[[], object] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Generator[Outcome, None, None]:
    """Yield one outcome per task, as they are finished.

    An image that kills its process, takes too long or too much memory is tried once more alone, at the end.

    Parameters
    ----------
    tasks : iterable of Task
        What to do; taken as needed, so that there may be millions.
    jobs : int
        Worker processes. With 1 and no limits, everything runs in this process with all cores.
    stop : threading.Event, optional
        When set, no further task is started; those under way are finished.
    work : callable, optional
        What turns a task into an outcome; importable by name unless it runs in this process.
    limits : Limits, optional
        What one image may take.
    prepare : callable, optional
        What the first worker does before all others start.
    clock : callable
        Seconds, for the limit of time.

    Raises
    ------
    WorkerError
        Worker processes do not start.
    """
    stop = stop or Event()
    if jobs == 1 and limits is None:
        for task in tasks:
            if stop.is_set():
                return
            yield (work or process)(task)
        return
    pool = _Pool(jobs, stop, work or process_in_worker, limits or Limits(), prepare, clock)
    yield from pool.run(iter(tasks))


class _Worker:
    """A process, and what it is working on."""

    def __init__(self, pool: _Pool, memory: float, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.memory = memory
        self.pipe, theirs = context.Pipe()
        prepare = None if pool.prepared else pool.prepare
        self.process = context.Process(
            target=serve, args=(theirs, pool.work, threads, memory, prepare), daemon=True
        )
        with _without_ctrl_c():
            self.process.start()
        theirs.close()
        self.ready = False
        self.task: Task | None = None
        self.began: tuple[str, str, int] | None = None
        self.until: float | None = None

    def give(self, task: Task, until: float | None) -> None:
        self.task, self.began, self.until = task, None, until
        with suppress(OSError):  # it died just now, which is seen next
            self.pipe.send(task)

    def resident(self) -> float:
        """Return the memory it has, in bytes."""
        try:
            return float(psutil.Process(self.process.pid).memory_info().rss)
        except psutil.Error:
            return 0.0

    def kill(self) -> None:
        with suppress(OSError):
            self.pipe.close()
        if self.process.pid is not None:
            self.process.kill()
            self.process.join()

    def leave(self) -> None:
        """Let it end: it does so when the pipe is closed and it has nothing to do."""
        with suppress(OSError):
            self.pipe.close()
        if self.task is None and self.ready:
            self.process.join(_LEAVE_S)
        self.kill()


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Start a process that heeds no Ctrl-C before it is set up."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Pool:
    """Workers that each have one task at a time, so that who dies, hangs or swells is known."""

    def __init__(
        self,
        jobs: int,
        stop: Event,
        work: Callable[[Task], Outcome],
        limits: Limits,
        prepare: Callable[[], object] | None,
        clock: Callable[[], float],
    ) -> None:
        self.jobs, self.stop, self.work, self.limits = jobs, stop, work, limits
        self.prepare, self.clock = prepare, clock
        self.prepared = prepare is None
        self.workers: list[_Worker] = []
        self.again: deque[Task] = deque()
        self.alone = False
        self.false_starts = 0
        self.looked = clock()

    def run(self, tasks: Iterator[Task]) -> Iterator[Outcome]:
        """Yield the outcomes as they come."""
        waiting: Task | None = next(tasks, None)
        try:
            while True:
                stopped = self.stop.is_set()
                while waiting is not None and not stopped and (idle := self._idle(self.jobs)) is not None:
                    idle.give(waiting, self._until())
                    waiting = next(tasks, None)
                busy = any(worker.task is not None for worker in self.workers)
                if not busy and (stopped or (waiting is None and not self.again)):
                    return
                if waiting is None and not busy and not stopped:
                    self._go_alone()
                    if (idle := self._idle(1)) is not None:
                        idle.give(self.again.popleft(), self._until())
                yield from self._listen()
        finally:
            self._end()

    def _until(self) -> float | None:
        return None if self.limits.seconds is None else self.clock() + self.limits.seconds

    def _idle(self, most: int) -> _Worker | None:
        """Return a worker that has nothing to do; start one where there is room."""
        for worker in self.workers:
            if worker.ready and worker.task is None:
                return worker
        starting = any(not worker.ready for worker in self.workers)
        if len(self.workers) < most and (self.prepared or not starting):
            threads = max(1, usable_cores() // most)
            self.workers.append(_Worker(self, self.limits.memory_of(most), threads))
        return None

    def _go_alone(self) -> None:
        """Go on with one worker, which has all cores and all memory."""
        if not self.alone:
            self.alone = True
            self._end()
            logger.warning("%d images that did not end well are tried again one by one", len(self.again))

    def _listen(self) -> Iterator[Outcome]:
        """Wait for news of the workers, and look after time and memory."""
        pipes: dict[Any, _Worker] = {worker.pipe: worker for worker in self.workers}
        for pipe in connection.wait(list(pipes), timeout=_POLL_S):
            yield from self._hear(pipes[pipe])
        now = self.clock()
        for worker in list(self.workers):
            if worker.task is not None and worker.until is not None and now >= worker.until:
                yield from self._catch_up(worker)
                if worker.task is not None and worker in self.workers:
                    yield from self._lose(worker, self.limits.too_long())
        if now - self.looked >= _POLL_S:
            self.looked = now
            for worker in list(self.workers):
                if worker.task is not None and worker.resident() > worker.memory + LIBRARIES:
                    yield from self._lose(worker, NO_MEMORY)

    def _hear(self, worker: _Worker) -> Iterator[Outcome]:
        try:
            kind, told = worker.pipe.recv()
        except (EOFError, OSError):
            yield from self._lose(worker, _DIED)
            return
        if kind == READY:
            worker.ready = self.prepared = True
            self.false_starts = 0
        elif kind == BEGAN:
            worker.began = told
        elif kind == SAID:
            name, level, text = told
            logging.getLogger(name).log(level, "%s", text)
        elif kind == DONE and worker.task is not None:
            task, worker.task = worker.task, None
            if told.lasting == "limits" and not self.alone:
                self.again.append(task)
                return
            yield told

    def _catch_up(self, worker: _Worker) -> Iterator[Outcome]:
        """Hear what a worker said meanwhile."""
        with suppress(OSError):
            while worker in self.workers and worker.pipe.poll():
                yield from self._hear(worker)

    def _lose(self, worker: _Worker, failure: Failure) -> Iterator[Outcome]:
        """End a worker; its task is tried again alone, and fails for good when it was."""
        worker.kill()
        self.workers.remove(worker)
        task = worker.task
        if task is None:
            self.false_starts += not worker.ready
            if self.false_starts >= _FALSE_STARTS:
                raise WorkerError(
                    "worker processes end before they are ready; scripts need "
                    'if __name__ == "__main__": around the call, and memory must suffice'
                )
        elif not self.alone:
            self.again.append(task)
        else:
            key, digest, size = worker.began or ("", None, None)
            yield Outcome(task.file, key, lasting="limits", failure=failure, sha256=digest, size_bytes=size)

    def _end(self) -> None:
        """End every worker, whatever it does."""
        for worker in self.workers:
            with suppress(OSError):
                worker.pipe.close()
        for worker in self.workers:
            worker.leave()
        self.workers = []
