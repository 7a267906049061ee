"""What the terminal shows: log lines, failures, progress and the summary."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from mcdetect.runs import BatchReport, ImageReport, Observer

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["Terminal", "log_to", "one_line", "output_console", "print_summary"]

# Technical: what a terminal and a log can show.
_MOST_ROWS = 30  # images listed in the summary
_FILE_WIDTH = 240  # columns where the output goes to a file


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


def log_to(console: Console, *, verbose: int, quiet: bool) -> None:
    """Show what mcdetect logs; messages of other libraries are not shown, as they may quote headers.

    Parameters
    ----------
    console : Console
        Where to.
    verbose : int
        0 for warnings, 1 for what is being done, 2 for everything.
    quiet : bool
        Errors only.
    """
    level = logging.ERROR if quiet else max(logging.WARNING - 10 * verbose, logging.DEBUG)
    package = logging.getLogger("mcdetect")
    package.handlers = [_ConsoleHandler(console)]
    package.propagate = False
    package.setLevel(level)
    # That kernels are compiled, and where they are kept, is said in any case: it takes long, once.
    logging.getLogger("mcdetect.kernels").setLevel(level if quiet else min(level, logging.INFO))


class Terminal(Observer):
    """Shows a progress bar on terminals and a line for each failure.

    Parameters
    ----------
    console : Console
        Where to (the error stream).
    quiet : bool
        No progress bar.
    """

    def __init__(self, console: Console, *, quiet: bool) -> None:
        self.console = console
        self.quiet = quiet
        self._progress: Progress | None = None
        self._bar: TaskID | None = None

    def started(self, images: int, jobs: int) -> None:
        """Show the bar."""
        if self.quiet or not self.console.is_terminal or not images:
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("detecting"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[file]}", markup=False, style="dim"),
            console=self.console,
            transient=True,
        )
        self._bar = self._progress.add_task("", total=images, file="")
        self._progress.start()

    def finished(self, image: ImageReport) -> None:
        """Move the bar; report a failure."""
        if image.failure is not None:
            line = Text.assemble(("failed ", "bold red"), one_line(f"{image.file}: {image.failure}"))
            self.console.print(line, soft_wrap=True)
        if self._progress is not None and self._bar is not None:
            self._progress.update(self._bar, advance=1, file=one_line(image.file)[-40:])

    def stopping(self) -> None:
        """Say that the first Ctrl-C was heard."""
        self.console.print("stopping after the images under way; once more to stop at once", style="yellow")

    def close(self) -> None:
        """Take the bar away."""
        if self._progress is not None:
            self._progress.stop()


def print_summary(console: Console, report: BatchReport, out: str) -> None:
    """Print what was found, image by image, and where the results are."""
    from rich import box
    from rich.table import Table

    images = report.processed
    shown = images
    if len(images) > _MOST_ROWS:
        shown = sorted((i for i in images if _number(i, "n_flagged")), key=lambda i: -i.best_score)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("image", overflow="fold")
    table.add_column("view", no_wrap=True)
    for name in ("mm/px", "calcs", "groups", "flagged", "score", "s"):
        table.add_column(name, justify="right", no_wrap=True)
    for image in shown[:_MOST_ROWS]:
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
    if shown:
        console.print(table)
    if len(shown) > _MOST_ROWS:
        console.print(f"... and {_count(len(shown) - _MOST_ROWS, 'more image')} with flagged groups")
    with_flags = sum(_number(image, "n_flagged") > 0 for image in images)
    total = sum(_number(image, "n_flagged") for image in images)
    known = f" ({report.reused} of them known from an earlier run)" if report.reused else ""
    parts = [
        f"{_count(len(images), 'image')} processed{known}",
        f"{_count(total, 'flagged group')} in {with_flags}",
    ]
    parts += [f"{len(report.failed)} failed (see failures.csv)"] if report.failed else []
    parts += [f"{_count(report.skipped, 'file')} passed over (see skipped.csv)"] if report.skipped else []
    parts += [f"{_count(report.duplicates, 'duplicate')} left out"] if report.duplicates else []
    parts += ["stopped early"] if report.interrupted else []
    console.print(", ".join(parts), highlight=False)
    console.print(Text(f"results in {one_line(out)}"), soft_wrap=True)


def _number(image: ImageReport, name: str) -> int:
    value: Any = image.row.get(name, 0)
    return int(value)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
