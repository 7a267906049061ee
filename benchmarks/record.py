"""Keep what a benchmark printed, for RESULTS.md."""

from __future__ import annotations

import contextlib
import io
import platform
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numba
import numpy as np

import mcdetect

RESULTS = Path(__file__).resolve().parent / "results"


class _Both(io.TextIOBase):
    def __init__(self, *targets: io.TextIOBase) -> None:
        self.targets = targets

    def write(self, text: str) -> int:
        for target in self.targets:
            target.write(text)
        return len(text)

    def flush(self) -> None:
        for target in self.targets:
            target.flush()


@contextlib.contextmanager
def recorded(name: str, *, keep: bool) -> Iterator[None]:
    """Print, and with `keep` also write to results/<name>.txt what was run, on what, and what it printed.

    Progress belongs on stderr.
    """
    if not keep:
        yield
        return
    text = io.StringIO()
    with contextlib.redirect_stdout(_Both(sys.stdout, text)):  # type: ignore[type-var]
        yield
    words = ["DIR" if Path(w).is_absolute() else w for w in sys.argv[1:]]
    head = [
        f"$ python benchmarks/{Path(sys.argv[0]).name} {' '.join(words)}".rstrip(),
        f"mcdetect {mcdetect.__version__}, numpy {np.__version__}, numba {numba.__version__}, "
        f"{numba.config.NUMBA_NUM_THREADS} threads, {platform.machine()}, {date.today().isoformat()}",
        "",
    ]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.txt").write_text("\n".join(head) + text.getvalue(), encoding="utf-8")
