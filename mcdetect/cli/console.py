"""What the terminal shows: log lines, failures, progress and the summary."""

from __future__ import annotations

import heapq
import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from mcdetect.runs import BatchReport, ImageReport, Observer
from mcdetect.runs.pace import Pace, in_words

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = [
    "TELL_S",
    "Terminal",
    "log_to",
    "one_line",
    "output_console",
    "pace_words",
    "print_summary",
    "progress_line",
]

# Technical: what a terminal and a log can show.
_MOST_ROWS = 30  # images listed in the summary
_FILE_WIDTH = 240  # columns where the output goes to a file
TELL_S = 30.0  # seconds between two lines on how far a run is, where there is no bar


def output_console() -> Console:
    """Return a console for results; lines are broken for terminals only, not in files and pipes."""
    console = Console()
    return console if console.is_terminal else Console(width=_FILE_WIDTH)


def one_line(text: str) -> str:
    """Return a text without control characters, so that it stays on its line of the terminal."""
    return "".join(" " if character in "\r\n\t" else character for character in text if _shown(character))


def _shown(character: str) -> bool:
    return character.isprintable() or character in "\r\n\t"


class _ConsoleHandler(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console

    def emit(self, record: logging.LogRecord) -> None:
        style = "yellow" if record.levelno == logging.WARNING else "dim"
        style = "red" if record.levelno >= logging.ERROR else style
        text = record.getMessage()
        text = text if record.levelno <= logging.DEBUG else one_line(text)
        self.console.print(Text(f"{record.levelname.lower()}: {text}", style=style), soft_wrap=True)


def log_to(console: Console, *, verbose: int, quiet: bool, also: Sequence[logging.Handler] = ()) -> None:
    """Show what mcdetect logs; messages of other libraries are not shown, as they may quote headers.

    Parameters
    ----------
    console : Console
        Where to.
    verbose : int
        0 for warnings, 1 for what is being done, 2 for everything.
    quiet : bool
        Errors only.
    also : sequence of logging.Handler
        Files that get what is being done in any case.
    """
    level = logging.ERROR if quiet else max(logging.WARNING - 10 * verbose, logging.DEBUG)
    shown = _ConsoleHandler(console)
    kernels = logging.getLogger("mcdetect.kernels")
    # That kernels are compiled, and where they are kept, is said in any case: it takes long, once.
    low = level if quiet else min(level, logging.INFO)
    shown.addFilter(lambda record: record.levelno >= (low if record.name.startswith(kernels.name) else level))
    package = logging.getLogger("mcdetect")
    package.handlers = [shown, *also]
    package.propagate = False
    package.setLevel(min(level, logging.INFO) if also else level)
    kernels.setLevel(min(low, logging.INFO) if also else low)


class Terminal(Observer):
    """Shows a progress bar on terminals, a line every so often elsewhere, and a line for each failure.

    Parameters
    ----------
    console : Console
        Where to (the error stream).
    quiet : bool
        No progress.
    clock : callable
        Seconds.
    noun : str
        What is worked on.
    """

    def __init__(
        self,
        console: Console,
        *,
        quiet: bool,
        clock: Callable[[], float] = time.monotonic,
        noun: str = "images",
    ) -> None:
        self.console, self.noun = console, noun
        self.quiet = quiet
        self.clock = clock
        self.failed = 0
        self._progress: Progress | None = None
        self._bar: TaskID | None = None
        self._pace: Pace | None = None
        self._told = 0.0

    def started(self, images: int, jobs: int) -> None:
        """Show the bar, or begin to tell."""
        self._pace, self._told = Pace(images), self.clock()
        self._pace.start(self._told)
        if self.quiet or not self.console.is_terminal or not images:
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._progress = Progress(
            TextColumn("detecting" if self.noun == "images" else self.noun),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}", markup=False),
            TextColumn("{task.fields[file]}", markup=False, style="dim"),
            console=self.console,
            transient=True,
        )
        self._bar = self._progress.add_task("", total=images, file="", pace="")
        self._progress.start()

    def finished(self, image: ImageReport) -> None:
        """Move the bar; report a failure."""
        if image.failure is not None:
            self.failed += 1
            line = Text.assemble(("failed ", "bold red"), one_line(f"{image.file}: {image.failure}"))
            self.console.print(line, soft_wrap=True)
        now = self.clock()
        if self._pace is not None:
            self._pace.add(now)
        if self._progress is not None and self._bar is not None:
            self._progress.update(
                self._bar, advance=1, file=one_line(image.file)[-40:], pace=self._how_fast(", ")
            )
        elif not self.quiet and self._pace is not None and now - self._told >= TELL_S:
            self._told = now
            told = progress_line(self._pace, self.failed, self.noun)
            self.console.print(told, markup=False, highlight=False)

    def _how_fast(self, between: str) -> str:
        return "" if self._pace is None else between.join(pace_words(self._pace, self.failed))

    def stopping(self) -> None:
        """Say that the first Ctrl-C was heard."""
        self.console.print(
            f"stopping after the {self.noun} under way; once more to stop at once", style="yellow"
        )

    def close(self) -> None:
        """Take the bar away."""
        if self._progress is not None:
            self._progress.stop()


def pace_words(pace: Pace, failed: int) -> list[str]:
    """Return failures so far, rate and expected time to the end."""
    words = [f"{failed} failed"] if failed else []
    rate = pace.rate()
    if math.isfinite(rate):
        words.append(f"{rate:.3g} per s" if rate >= 1 else f"{60 * rate:.3g} per min")
        words.append(f"{in_words(pace.left_s())} left")
    return words


def progress_line(pace: Pace, failed: int, noun: str = "images") -> str:
    """Return how far a run is, as one line."""
    share = 100 * pace.done // max(pace.total, 1)
    return ", ".join([f"{pace.done} of {pace.total} {noun} ({share} %)", *pace_words(pace, failed)])


def print_summary(console: Console, report: BatchReport, out: str) -> None:
    """Print what was found, image by image, and where the results are."""
    from rich import box
    from rich.table import Table

    found = _Summary()
    for image in report.images:
        found.add(image)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("image", overflow="fold")
    table.add_column("view", no_wrap=True)
    for name in ("mm/px", "calcs", "groups", "flagged", "score", "s"):
        table.add_column(name, justify="right", no_wrap=True)
    for image in found.shown():
        row = image.row
        flagged = _number(image, "n_flagged")
        table.add_row(
            Text(one_line(image.file)),
            Text(one_line(f"{row['laterality']} {row['view']}".strip())),
            f"{math.sqrt(float(row['row_spacing_mm']) * float(row['col_spacing_mm'])):.4g}",
            str(row["n_calcifications"]),
            str(row["n_clusters"]),
            Text(str(flagged), style="bold red" if flagged else ""),
            "" if math.isnan(image.best_score) else f"{image.best_score:.2f}",
            f"{float(row['seconds']):.1f}",
        )
    if found.shown():
        console.print(table)
    if found.images > _MOST_ROWS and found.with_flags > _MOST_ROWS:
        console.print(f"... and {_count(found.with_flags - _MOST_ROWS, 'more image')} with flagged groups")
    known = f" ({found.reused} of them known from an earlier run)" if found.reused else ""
    parts = [
        f"{_count(found.images, 'image')} processed{known}",
        f"{_count(found.flagged, 'flagged group')} in {found.with_flags}",
    ]
    parts += [f"{found.failed} failed (see failures.csv)"] if found.failed else []
    parts += [f"{_count(report.skipped, 'file')} passed over (see skipped.csv)"] if report.skipped else []
    parts += [f"{_count(report.duplicates, 'duplicate')} left out"] if report.duplicates else []
    parts += ["stopped early"] if report.interrupted else []
    console.print(", ".join(parts), highlight=False)
    console.print(Text(f"results in {one_line(out)}"), soft_wrap=True)


class _Summary:
    """Counts the images of a run, of which there may be millions, and keeps those to be shown."""

    def __init__(self) -> None:
        self.images = self.failed = self.reused = self.flagged = self.with_flags = 0
        self.first: list[ImageReport] = []
        self.best: list[tuple[float, int, ImageReport]] = []

    def add(self, image: ImageReport) -> None:
        self.failed += image.failure is not None
        if not image.row:
            return
        self.images += 1
        self.reused += image.reused
        if len(self.first) < _MOST_ROWS:
            self.first.append(image)
        if flagged := _number(image, "n_flagged"):
            self.flagged += flagged
            self.with_flags += 1
            heapq.heappush(self.best, (image.best_score, -self.images, image))
            if len(self.best) > _MOST_ROWS:
                heapq.heappop(self.best)

    def shown(self) -> list[ImageReport]:
        """Return all images of a small run, the flagged ones of a large one, best first."""
        if self.images <= _MOST_ROWS:
            return self.first
        return [image for _, _, image in sorted(self.best, key=lambda item: (-item[0], -item[1]))]


def _number(image: ImageReport, name: str) -> int:
    value: Any = image.row.get(name, 0)
    return int(value)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
