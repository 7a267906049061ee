"""The worker process: set up once, then one task after the other, until its parent ends or asks it to."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import Any

import psutil

from mcdetect.runs import worker
from mcdetect.runs.worker import REPORT_BUG, Failure, Outcome, Task, limit_threads

__all__ = ["BEGAN", "DONE", "READY", "SAID", "serve"]

READY, BEGAN, DONE, SAID = "ready", "began", "done", "said"
"""What a worker says: it may be given work; what it is about to search; what became of it; what is logged
while it gets ready."""

_PR_SET_PDEATHSIG = 1  # Standard: prctl(2) of Linux

logger = logging.getLogger(__name__)


def serve(
    pipe: Connection,
    work: Callable[[Task], Outcome],
    threads: int,
    memory_bytes: float | None,
    prepare: Callable[[], object] | None,
) -> None:
    """Work on tasks that come through a pipe, and send what becomes of them.

    Parameters
    ----------
    pipe : Connection
        To the parent.
    work : callable
        What turns a task into an outcome.
    threads : int
        Threads that numba, OpenCV and BLAS may use in this process.
    memory_bytes : float or None
        Memory that may be taken beyond what the libraries need.
    prepare : callable, optional
        What to do first, once.
    """
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    limit_threads(threads)
    if prepare is not None:
        with _telling(pipe):
            prepare()
    if memory_bytes is not None:
        limit_memory(memory_bytes)
    worker._began = lambda *told: pipe.send((BEGAN, told))
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        pipe.send((READY, None))
        while True:
            task = pipe.recv()
            pipe.send_bytes(_packed(task, work))


class _Teller(logging.Handler):
    """Sends what is logged to the parent, which the user reads."""

    def __init__(self, pipe: Connection) -> None:
        super().__init__()
        self.pipe = pipe

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):
            self.pipe.send((SAID, (record.name, record.levelno, record.getMessage())))


@contextlib.contextmanager
def _telling(pipe: Connection) -> Iterator[None]:
    package, teller = logging.getLogger("mcdetect"), _Teller(pipe)
    before = package.level
    package.setLevel(logging.INFO)
    package.addHandler(teller)
    try:
        yield
    finally:
        package.removeHandler(teller)
        package.setLevel(before)


def _packed(task: Task, work: Callable[[Task], Outcome]) -> Any:
    """Return what became of a task, ready to be sent."""
    try:
        return ForkingPickler.dumps((DONE, work(task)))
    except MemoryError:
        outcome = Outcome(task.file, failure=worker.NO_MEMORY, lasting="limits")
    except Exception as error:  # noqa: BLE001  (an outcome that cannot be sent is one bad file)
        name = type(error).__name__
        failure = Failure(name, f"unexpected {name} between processes", REPORT_BUG)
        outcome = Outcome(task.file, failure=failure)
    return ForkingPickler.dumps((DONE, outcome), protocol=pickle.HIGHEST_PROTOCOL)


def end_with_parent() -> None:
    """End this process when its parent does, however that ends, and whatever this one is doing."""
    parent = parent_process()
    if parent is None:
        return
    if sys.platform == "linux":  # the system does it, also while a library holds the interpreter
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent.pid:
            os._exit(1)
    threading.Thread(target=_watch, args=(parent.sentinel,), daemon=True).start()


def _watch(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)


def limit_memory(memory_bytes: float) -> None:
    """Let this process take so much memory beyond what it has now; more is a `MemoryError`.

    Where the system has no such limit, the parent looks after it.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    if sys.platform != "linux":  # elsewhere RLIMIT_DATA does not count what is mapped
        return
    with contextlib.suppress(OSError, ValueError, AttributeError):
        now = psutil.Process().memory_info().data
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        most = int(now + memory_bytes)
        if hard == resource.RLIM_INFINITY or most <= hard:
            resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
