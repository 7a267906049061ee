"""What a Dask worker does: one image at a time, sent back whole, whatever disk the worker has."""

from __future__ import annotations

import dataclasses
import faulthandler
import os
import pickle
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mcdetect.runs.worker import Outcome, Task, limit_threads, process_in_worker

__all__ = ["Found", "Order", "OtherCodeError", "code", "dask_setup", "search"]


class OtherCodeError(Exception):
    """A worker has another mcdetect than the process that owns the run."""


@dataclass(frozen=True)
class Order:
    """What a worker is sent.

    Parameters
    ----------
    task : Task
        The image.
    code : str
        What `code` returns where the run is owned.
    work : callable, optional
        What turns the task into an outcome.
    threads : int, optional
        Threads to use; by default those that the worker was started with.
    timeout_s : float, optional
        Most seconds that the search may take.
    """

    task: Task
    code: str
    work: Callable[[Task], Outcome] | None = None
    threads: int | None = None
    timeout_s: float | None = None


@dataclass(frozen=True)
class Found:
    """What a worker sends back.

    Parameters
    ----------
    outcome : Outcome
        What became of the image.
    files : dict of str to bytes
        The files that outputs wrote, by their names relative to the output folder.
    """

    outcome: Outcome
    files: dict[str, bytes] = field(default_factory=dict)


def dask_setup(worker: object) -> None:
    """Called by the workers of a local cluster when they start: Ctrl-C is for the owner of the run."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def code() -> str:
    """Return a digest of the code, models and libraries on which results depend."""
    from mcdetect.runs.keys import result_key

    return result_key("", ())


_one_at_a_time = threading.Lock()
"""Held while an image is searched in this worker process, which may have several threads for tasks."""


def search(packed: bytes) -> Found:
    """Search one image on a worker, whose disk the owner of the run need not see."""
    order: Order = pickle.loads(packed)
    if order.code != code():
        raise OtherCodeError(
            "a Dask worker has another mcdetect, or other versions of what it computes with; "
            "install the same on all of them"
        )
    with _one_at_a_time, tempfile.TemporaryDirectory(prefix="mcdetect-") as place:
        limit_threads(_threads() if order.threads is None else order.threads)
        if order.work is None:
            from mcdetect.runs.compiling import compile_kernels

            compile_kernels(order.task.config)  # once in each process
        folder = Path(place)
        for output in order.task.outputs:
            output.open(folder)
        with _time_limit(order.timeout_s):
            outcome = (order.work or process_in_worker)(dataclasses.replace(order.task, folder=folder))
        names = [name for files in outcome.outputs.values() for name in files]
        return Found(outcome, {name: (folder / name).read_bytes() for name in names})


def _threads() -> int:
    """Return the threads that this Dask worker was started with."""
    from distributed import get_worker

    return int(get_worker().state.nthreads)


@contextmanager
def _time_limit(seconds: float | None) -> Iterator[None]:
    """End this process when what follows takes longer, even while a library holds the interpreter."""
    if seconds is None:
        yield
        return
    with Path(os.devnull).open("w") as nowhere:
        faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
