"""An orderly stop at the first Ctrl-C or termination request."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from mcdetect.runs.report import Observer

__all__ = ["Stop", "stop_on_signal"]


class Stop(threading.Event):
    """Is set when a run shall end; `signal` is the number of the signal that asked for it."""

    signal: int | None = None


@contextmanager
def stop_on_signal(observer: Observer) -> Iterator[Stop]:
    """Turn the first Ctrl-C or termination request into an orderly stop; the second one is final."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    earlier: dict[signal.Signals, Any] = {}

    def ask(number: int, frame: FrameType | None) -> None:
        for caught, handler in earlier.items():
            signal.signal(caught, handler)
        stop.signal = number
        stop.set()
        observer.stopping()

    for caught in (signal.SIGINT, signal.SIGTERM):
        earlier[caught] = signal.getsignal(caught)
        signal.signal(caught, ask)
    try:
        yield stop
    finally:
        for caught, handler in earlier.items():
            signal.signal(caught, handler)
