"""Wall time of each stage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Clock"]


class Clock:
    """Takes the wall time of stages, in s, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Take the time of what happens inside the context."""
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start
