"""Threads that share the work of one kernel."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache, partial
from itertools import pairwise
from types import CodeType

import numba

__all__ = ["in_parts", "thread_count"]

_PARTS_PER_THREAD = 4  # Technical: of the work; one that is held up leaves its share to the others

_called: set[CodeType] = set()
"""The work done before, whose kernels are compiled."""


def thread_count() -> int:
    """Threads that numba is told to use (``NUMBA_NUM_THREADS``, `numba.set_num_threads`); else all cores."""
    try:
        return int(numba.get_num_threads())
    except (RuntimeError, ValueError):  # the threading layer asked for is missing; none is needed here
        return int(numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]


def in_parts(work: Callable[[int, int], object], count: int, *, least: int = 1) -> None:
    """Call ``work(first, last)`` for parts that make up ``range(count)``, in several threads.

    Parameters
    ----------
    work : function
        Runs a kernel on the items from `first` to before `last`; must not depend on how they are divided,
        nor call `in_parts` itself.
    count : int
        Number of items.
    least : int
        Fewest items that are worth a thread.

    Notes
    -----
    Kernels release Python's lock. They may be called from any number of Python threads at once.
    """
    threads = min(thread_count(), count // max(least, 1))
    if threads <= 1:
        work(0, count)
        return
    pieces = min(threads * _PARTS_PER_THREAD, count)
    bounds = [count * k // pieces for k in range(pieces + 1)]
    parts = deque(pairwise(bounds))
    code = (work.func if isinstance(work, partial) else work).__code__
    if code not in _called:
        # Compilation takes a third longer in other threads than the first, for the sake of their memory.
        work(*parts.popleft())
        _called.add(code)

    def drain() -> None:
        while True:
            try:
                first, last = parts.popleft()
            except IndexError:
                return
            work(first, last)

    helpers = [_pool(os.getpid()).submit(drain) for _ in range(threads - 1)]
    try:
        drain()
    finally:
        parts.clear()
        wait([helper for helper in helpers if not helper.cancel()])
    for helper in helpers:
        if not helper.cancelled():
            helper.result()


@lru_cache(maxsize=1)
def _pool(process: int) -> ThreadPoolExecutor:
    """Return the threads of a process; a forked one has lost those of its parent."""
    return ThreadPoolExecutor(max(1, int(numba.config.NUMBA_NUM_THREADS)), f"mcdetect-{process}")  # type: ignore[attr-defined]
