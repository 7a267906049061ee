"""Tasks to outcomes on the workers of a Dask scheduler, here or elsewhere, of which some may be lost."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import pickle
import queue
import time
import uuid
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import psutil

from mcdetect.errors import InputFileError, McdetectError, MissingLibraryError
from mcdetect.output.files import write_bytes
from mcdetect.runs import dask_worker
from mcdetect.runs.dask_worker import Found, Order, OtherCodeError, code, search
from mcdetect.runs.keys import result_key
from mcdetect.runs.pool import LIBRARIES, usable_cores
from mcdetect.runs.worker import NO_ROOM, REPORT_BUG, Failure, Outcome, Task

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["LOCAL", "ClusterError", "DaskWorkers", "LostClusterError", "connected"]

logger = logging.getLogger(__name__)

LOCAL = "local"
"""Name of a cluster of worker processes that is started on this machine."""

# Technical: how far ahead work is given out, and when to look at the workers.
_AHEAD = 2
"""Images given out per worker: one to search, one to go on with at once."""
_LEAST_AHEAD = 8  # images given out when there are few workers yet, so that a cluster that grows has a reason
_HELD = 8
"""Images per worker that may be given out or wait for an earlier one."""
_POLL_S = 0.2  # seconds between two looks for outcomes
_COUNT_S = 5.0  # seconds between two counts of the workers
_CONNECT_S = 30.0  # seconds in which the scheduler must answer
_PATIENCE_S = 60.0  # seconds without any worker after which that is told


class ClusterError(McdetectError):
    """A Dask cluster cannot be used."""


class LostClusterError(McdetectError):
    """A Dask cluster is gone; what was found is kept."""


@contextmanager
def connected(
    where: str, *, jobs: int = 1, timeout_s: float | None = None, memory_bytes: float | None = None
) -> Iterator[DaskWorkers]:
    """Connect to a Dask scheduler, or start one with its workers on this machine.

    Parameters
    ----------
    where : str
        Address of the scheduler (``tcp://host:8786``), its scheduler file (``*.json``), or ``local``.
    jobs : int
        Worker processes of a local cluster.
    timeout_s : float, optional
        Most seconds for one image: a worker that takes longer ends itself.
    memory_bytes : float, optional
        Most memory for one image in a worker of a local cluster, beyond what its libraries need.

    Raises
    ------
    MissingLibraryError
        Dask is not installed.
    ClusterError
        No scheduler answers.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise MissingLibraryError("--dask needs distributed", "cluster") from error
    if where != LOCAL and "://" not in where and not where.endswith(".json"):
        raise ClusterError(
            f"{where!r}: write {LOCAL}, an address such as tcp://host:8786, or a scheduler file"
        )
    if where != LOCAL and memory_bytes is not None:
        raise ClusterError(
            "the memory of workers is limited where they are started; leave out --memory-limit"
        )
    cluster = None
    with ExitStack() as stack:
        try:
            # Versions that differ are no harm where those of what computes do not, which is looked at below.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if where == LOCAL:
                    cluster = LocalCluster(
                        n_workers=jobs,
                        threads_per_worker=1,
                        processes=True,
                        memory_limit="auto" if memory_bytes is None else int(memory_bytes + LIBRARIES),
                        dashboard_address=None,
                        silence_logs=logging.CRITICAL,
                        scheduler_kwargs={"allowed_failures": 0},
                        preload=[dask_worker.__name__],
                    )
                    stack.enter_context(cluster)
                    client = Client(cluster, set_as_default=False)
                elif where.endswith(".json"):
                    if not Path(where).is_file():
                        raise ClusterError(f"{where}: there is no such scheduler file")
                    client = Client(scheduler_file=where, timeout=_CONNECT_S, set_as_default=False)
                else:
                    client = Client(where, timeout=_CONNECT_S, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise ClusterError(f"{where}: no Dask scheduler answers ({type(error).__name__})") from error
        stack.callback(client.close)
        try:
            yield DaskWorkers(client, timeout_s, here=where == LOCAL)
        except KeyboardInterrupt:  # the second Ctrl-C: nothing is waited for
            stack.pop_all()
            _end_at_once(cluster)
            raise


def _end_at_once(cluster: Any) -> None:
    """End the workers of a local cluster, whatever they do, and leave the rest to the end of this process.

    A scheduler elsewhere takes back what was given out when the connection ends.
    """
    if cluster is None:
        return
    from distributed.core import Status

    cluster.shutdown_on_close = False
    for nanny in list(cluster.workers.values()):
        nanny.status = Status.closing  # it starts no other
        if (pid := getattr(nanny.process, "pid", None)) is not None:
            with suppress(psutil.Error):
                psutil.Process(pid).kill()


class DaskWorkers:
    """Workers of a scheduler that search images, one at a time in each.

    Parameters
    ----------
    client : Client
        Connected to the scheduler.
    timeout_s : float, optional
        Most seconds for one image.
    here : bool
        The workers are processes of this machine, which share its cores.
    """

    def __init__(self, client: Client, timeout_s: float | None = None, *, here: bool = False) -> None:
        self.client, self.timeout_s, self.here = client, timeout_s, here

    def count(self) -> int:
        """Return the number of workers there are now."""
        return len(self.client.nthreads())

    def run_tasks(
        self,
        tasks: Iterable[Task],
        *,
        stop: Event | None = None,
        work: Callable[[Task], Outcome] | None = None,
        in_order: bool = True,
    ) -> Generator[Outcome, None, None]:
        """Yield one outcome per task; files that outputs write come back and are written here.

        Images of a worker that is lost are searched again. When the workers of one image are lost again and
        again it is searched alone, and recorded as failed when that does not help.

        Parameters
        ----------
        tasks : iterable of Task
            What to do; taken as needed, so that there may be millions.
        stop : threading.Event, optional
            When set, no further task is given out; those under way are finished.
        work : callable, optional
            What turns a task into an outcome; importable by name on the workers.
        in_order : bool
            Yield in the order of the tasks, instead of as they are finished.

        Raises
        ------
        ClusterError
            Its workers cannot be used.
        LostClusterError
            The scheduler is gone.
        """
        run = _Run(self, iter(tasks), stop or Event(), work, in_order)
        try:
            yield from run.outcomes()
        except KeyboardInterrupt:
            raise
        except BaseException:
            run.end()
            raise
        else:
            run.end()


@dataclass
class _Given:
    """A task that was given out."""

    number: int
    task: Task
    future: Future | None = None
    alone: bool = False


class _Run:
    """The tasks of one run, given out a few per worker."""

    def __init__(
        self,
        workers: DaskWorkers,
        tasks: Iterator[Task],
        stop: Event,
        work: Callable[[Task], Outcome] | None,
        in_order: bool,
    ) -> None:
        self.workers, self.client, self.stop = workers, workers.client, stop
        self.work, self.in_order = work, in_order
        self.code = code()
        self.tasks = enumerate(tasks)
        self.more = True
        self.again: deque[_Given] = deque()
        self.suspects: deque[_Given] = deque()
        self.running: dict[str, _Given] = {}
        self.done: dict[int, Outcome] = {}
        self.finished: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.token = f"mcdetect-{uuid.uuid4().hex}"
        self.given = 0
        self.count, self.counted = 0, -_COUNT_S
        self.idle_since, self.told = time.monotonic(), False

    def outcomes(self) -> Iterator[Outcome]:
        """Yield the outcomes."""
        following = 0
        while True:
            self._look()
            self._give()
            self._collect()
            if self.in_order:
                while following in self.done:
                    yield self.done.pop(following)
                    following += 1
            else:
                while self.done:
                    yield self.done.pop(next(iter(self.done)))
            if not self.running and (self.stop.is_set() or not (self.more or self.again or self.suspects)):
                break
        for number in sorted(self.done):
            yield self.done[number]

    def end(self) -> None:
        """Take back what was given out."""
        futures = [given.future for given in self.running.values() if given.future is not None]
        if futures and self.client.status == "running":
            with suppress(OSError, TimeoutError):
                self.client.cancel(futures)

    def _look(self) -> None:
        """Count the workers now and then; tell when there are none."""
        if self.client.status in ("closed", "closing"):
            raise LostClusterError(
                "the Dask scheduler is gone; what was found is kept: run the same command again to go on"
            )
        now = time.monotonic()
        if self.client.status != "running" or now - self.counted < _COUNT_S:
            return
        self.counted = now
        with suppress(OSError, TimeoutError):  # the connection broke just now, which is seen next
            self.count = self.workers.count()
        if self.count:
            self.idle_since, self.told = now, False
        elif self.workers.here and now - self.idle_since > _PATIENCE_S:
            raise ClusterError("the workers on this machine end before they do anything; memory must suffice")
        elif not self.told and now - self.idle_since > _PATIENCE_S:
            logger.warning("the Dask scheduler has no workers; waiting for some")
            self.told = True

    def _give(self) -> None:
        """Keep the workers busy, but not so far ahead that outcomes pile up."""
        if self.stop.is_set() or self.client.status != "running":
            return
        if self.suspects:
            if not self.running:
                given = self.suspects.popleft()
                given.alone = True
                self._submit(given)
            return
        least = 1 if self.workers.here else _LEAST_AHEAD
        most, held = max(_AHEAD * self.count, least), max(_HELD * self.count, least)
        while len(self.running) < most and len(self.running) + len(self.done) < held:
            if self.again:
                self._submit(self.again.popleft())
                continue
            number, task = next(self.tasks, (-1, None))
            if task is None:
                self.more = False
                return
            self._submit(_Given(number, task))

    def _submit(self, given: _Given) -> None:
        threads = max(1, usable_cores() // max(1, self.count)) if self.workers.here else None
        order = Order(given.task, self.code, self.work, threads, self.workers.timeout_s)
        key = f"{self.token}-{self.given}"
        self.given += 1
        # Packed here, so that Dask does not look for tasks of its own in it.
        given.future = self.client.submit(search, pickle.dumps(order), key=key, pure=False)
        self.running[key] = given
        given.future.add_done_callback(lambda future: self.finished.put(future.key))

    def _collect(self) -> None:
        """Take what is finished, all at once, waiting a little for the first."""
        keys = []
        with suppress(queue.Empty):
            keys.append(self.finished.get(timeout=_POLL_S))
            while True:
                keys.append(self.finished.get_nowait())
        there = []
        for given in (self.running.pop(key) for key in keys if key in self.running):
            future = given.future
            assert future is not None
            if future.status == "finished":
                there.append(given)
            elif future.status == "error":
                self._take_error(given, future.exception())
            else:  # the connection broke, or somebody restarted the cluster
                self.again.append(given)
        if there:
            self._take(there)

    def _take(self, there: list[_Given]) -> None:
        """Fetch what was found; one by one where that fails for all together."""
        try:
            fetched: list[Found] = self.client.gather([given.future for given in there])
        except Exception as error:  # noqa: BLE001  (lost with its worker, or an outcome that cannot be sent)
            if len(there) > 1:
                for given in there:
                    self._take([given])
            elif isinstance(error, OSError | TimeoutError | KeyError):
                self.again.append(there[0])
            else:
                self._take_error(there[0], error)
            return
        for given, found in zip(there, fetched, strict=True):
            self.done[given.number] = _written(given.task, found)

    def _take_error(self, given: _Given, error: BaseException | None) -> None:
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        if isinstance(error, KilledWorker):
            self._suspect(given)
            return
        if isinstance(error, FutureCancelledError):
            self.again.append(given)
            return
        if isinstance(error, OtherCodeError):
            raise ClusterError(str(error)) from error
        if isinstance(error, ImportError):
            lacking = error.name or "a library"
            raise ClusterError(
                f"a Dask worker lacks {lacking}; install the same mcdetect on all of them"
            ) from error
        if isinstance(error, OSError):
            reason = (error.strerror or type(error).__name__).lower()
            failure = Failure(
                "OutputError",
                f"a worker could not keep its files for a while ({reason})",
                "make room for temporary files on the workers",
            )
        else:
            name = type(error).__name__
            failure = Failure(name, f"unexpected {name} between processes", REPORT_BUG)
        self.done[given.number] = Outcome(given.task.file, failure=failure)

    def _suspect(self, given: _Given) -> None:
        """Search again alone what loses its workers, which may be the fault of what ran beside it."""
        if not given.alone:
            logger.warning("%s: its workers were lost; it is searched again alone", given.task.file)
            self.suspects.append(given)
            return
        limit = self.workers.timeout_s
        reasons = "out of memory, or a crash in a decoder"
        reasons = f"{reasons}, or more than {limit:g} s" if limit is not None else reasons
        failure = Failure(
            "WorkerDied",
            f"each worker that searched it was lost, also when it was searched alone ({reasons})",
            "search it on a machine with more memory; if that dies as well, " + REPORT_BUG,
        )
        self.done[given.number] = _deadly(given.task, failure)


def _deadly(task: Task, failure: Failure) -> Outcome:
    """Return the outcome of an image that ended its workers, to be known again by its content."""
    outcome = Outcome(task.file, failure=failure)
    with suppress(InputFileError, OSError, MemoryError):
        data = task.source.path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        key = result_key(digest, task.key_parts)
        return dataclasses.replace(outcome, key=key, lasting="limits", sha256=digest, size_bytes=len(data))
    return outcome


def _written(task: Task, found: Found) -> Outcome:
    """Write the files that came back into the output folder."""
    outcome = found.outcome
    outputs = dict(outcome.outputs)
    failure, full = outcome.failure, outcome.full
    for name, files in outcome.outputs.items():
        try:
            for file in files:
                write_bytes(task.folder / file, found.files[file])
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            failure = failure or Failure(
                "OutputError",
                f"its {name} could not be written ({reason})",
                "make room and run it again, or leave them out",
            )
            del outputs[name]
            full = full or error.errno in NO_ROOM
    return dataclasses.replace(outcome, outputs=outputs, failure=failure, full=full)
