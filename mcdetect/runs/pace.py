"""How fast a run is, and when it will end."""

from __future__ import annotations

import math
from collections import deque

__all__ = ["Pace", "in_words"]

_RECENT = 200  # Judged: inputs over which the rate is taken; fewer follow every slow image, more lag behind


class Pace:
    """The rate of the latest inputs.

    Parameters
    ----------
    total : int
        Inputs in all.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self._times: deque[float] = deque(maxlen=_RECENT)

    def start(self, now: float) -> None:
        """Note when the run began, in s."""
        self._times.append(now)

    def add(self, now: float) -> None:
        """Note that an input was finished, at a time in s."""
        self.done += 1
        self._times.append(now)

    def rate(self) -> float:
        """Return the inputs per second; not-a-number while nothing is known."""
        if len(self._times) < 2 or self._times[-1] <= self._times[0]:
            return math.nan
        return (len(self._times) - 1) / (self._times[-1] - self._times[0])

    def left_s(self) -> float:
        """Return the expected time to the end, in s; not-a-number while it is not known."""
        return (self.total - self.done) / self.rate()


def in_words(seconds: float) -> str:
    """Return a span of time as people say it; "unknown" for not-a-number."""
    if not math.isfinite(seconds):
        return "unknown"
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min"
    return f"{round(hours / 24)} days"
