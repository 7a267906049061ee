"""An orderly stop at the first Ctrl-C or termination request."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from mcdetect.runs.report import Observer

__all__ = ["stop_on_signal"]


@contextmanager
def stop_on_signal(observer: Observer) -> Iterator[threading.Event]:
    """Turn the first Ctrl-C or termination request into an orderly stop; the second one is final."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    earlier: dict[signal.Signals, Any] = {}

    def ask(number: int, frame: FrameType | None) -> None:
        for caught, handler in earlier.items():
            signal.signal(caught, handler)
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
