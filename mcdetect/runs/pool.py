"""Tasks to outcomes, in their order, in this process or in several that may die."""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from threading import Event

from mcdetect.runs.memory import available_memory
from mcdetect.runs.worker import (
    REPORT_BUG,
    Failure,
    Outcome,
    Task,
    initialise_worker,
    process,
    process_in_worker,
)

__all__ = ["choose_jobs", "run_tasks", "usable_cores"]

logger = logging.getLogger(__name__)

# Technical: worker processes.
_MEMORY_PER_JOB = 1.5e9
"""Memory to have at hand per worker, in bytes: one large image with its libraries."""
_FEW = 8
"""Below so many images the start of worker processes costs more than it saves."""
_POLL_S = 0.2  # seconds between two looks at the workers

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


def run_tasks(
    tasks: Sequence[Task],
    *,
    jobs: int = 1,
    stop: Event | None = None,
    work: Callable[[Task], Outcome] | None = None,
) -> Generator[Outcome, None, None]:
    """Yield one outcome per task, in the order of the tasks, as they are finished.

    Parameters
    ----------
    tasks : sequence of Task
        What to do.
    jobs : int
        Worker processes; with 1, everything runs in this process with all cores.
    stop : threading.Event, optional
        When set, no further task is started; those under way are finished.
    work : callable, optional
        What turns a task into an outcome; importable by name when `jobs` exceeds 1.
    """
    stop = stop or Event()
    if jobs == 1:
        for task in tasks:
            if stop.is_set():
                return
            yield (work or process)(task)
        return
    yield from _Processes(tasks, jobs, stop, work or process_in_worker).run()


class _Processes:
    """A pool that survives the death of its workers."""

    def __init__(
        self, tasks: Sequence[Task], jobs: int, stop: Event, work: Callable[[Task], Outcome]
    ) -> None:
        self.tasks = tasks
        self.jobs = jobs
        self.stop = stop
        self.work = work
        self.threads = max(1, usable_cores() // jobs)
        self.waiting = deque(range(len(tasks)))
        self.running: dict[Future[Outcome], int] = {}
        self.done: dict[int, Outcome] = {}
        self.pool: ProcessPoolExecutor | None = None

    def run(self) -> Iterator[Outcome]:
        """Yield the outcomes in order."""
        following = 0
        try:
            while following < len(self.tasks):
                suspects = self._submit() + self._collect()
                if suspects:
                    self._settle(suspects)
                while following in self.done:
                    yield self.done.pop(following)
                    following += 1
                if self.stop.is_set() and not self.running:
                    break
            for index in sorted(self.done):
                yield self.done[index]
        finally:
            self._end_pool()

    def _start(self, workers: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=initialise_worker,
            initargs=(self.threads,),
        )

    def _submit(self) -> list[int]:
        """Keep the workers busy, but not so far ahead that outcomes pile up."""
        while self.waiting and not self.stop.is_set():
            if len(self.running) >= self.jobs + 1 or len(self.running) + len(self.done) >= 8 * self.jobs:
                break
            self.pool = self.pool or self._start(self.jobs)
            index = self.waiting.popleft()
            try:
                self.running[self.pool.submit(self.work, self.tasks[index])] = index
            except BrokenProcessPool:
                return [index]
        return []

    def _collect(self) -> list[int]:
        """Take finished outcomes; return the tasks whose fate is unknown because a worker died."""
        finished, _ = wait(self.running, timeout=_POLL_S, return_when=FIRST_COMPLETED)
        suspects = []
        for future in finished:
            index = self.running.pop(future)
            if not self._take(future, index):
                suspects.append(index)
        return suspects

    def _take(self, future: Future[Outcome], index: int) -> bool:
        """Keep the outcome of a task; return False when its process died, or another's beside it."""
        try:
            self.done[index] = future.result()
        except BrokenProcessPool:
            return False
        except Exception as error:  # noqa: BLE001  (an outcome that cannot be sent is one bad file)
            name = type(error).__name__
            failure = Failure(name, f"unexpected {name} between processes", REPORT_BUG)
            self.done[index] = Outcome(self.tasks[index].file, failure=failure)
        return True

    def _settle(self, suspects: list[int]) -> None:
        """Run each suspect alone, so that only the one that kills its process is lost."""
        wait(self.running)
        suspects = suspects + [i for future, i in self.running.items() if not self._take(future, i)]
        self.running.clear()
        self._end_pool()
        logger.warning("a worker process died; %d images are tried again one by one", len(suspects))
        for index in sorted(suspects):
            if self.stop.is_set():
                return
            self.pool = self.pool or self._start(1)
            if not self._take(self.pool.submit(self.work, self.tasks[index]), index):
                self.done[index] = Outcome(self.tasks[index].file, failure=_DIED)
                self._end_pool()
        self._end_pool()

    def _end_pool(self) -> None:
        if self.pool is not None:
            self.pool.shutdown(wait=True, cancel_futures=True)
            self.pool = None
