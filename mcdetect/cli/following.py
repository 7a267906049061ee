"""Files in which a run can be followed: a log as text or JSON, and figures for Prometheus."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from mcdetect.cli.console import TELL_S, Terminal, log_to, one_line, progress_line
from mcdetect.output.files import write_text
from mcdetect.runs import ImageReport, Observer
from mcdetect.runs.pace import Pace

__all__ = ["Logbook", "Metrics", "Several", "followers", "json_log", "text_log"]

_METRICS_S = 5.0  # Judged: seconds between two versions of the file for Prometheus; it is read every 15


class Several(Observer):
    """Tells several observers.

    Parameters
    ----------
    observers : sequence of Observer
        Who is told, in this order.
    """

    def __init__(self, observers: Sequence[Observer]) -> None:
        self.observers = observers

    def started(self, images: int, jobs: int) -> None:
        """Tell all."""
        for observer in self.observers:
            observer.started(images, jobs)

    def finished(self, image: ImageReport) -> None:
        """Tell all."""
        for observer in self.observers:
            observer.finished(image)

    def stopping(self) -> None:
        """Tell all."""
        for observer in self.observers:
            observer.stopping()

    def close(self) -> None:
        """Close those that want it."""
        for observer in self.observers:
            if hasattr(observer, "close"):
                observer.close()


class _TextForm(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="seconds")
        return f"{when} {record.levelname.lower()}: {one_line(record.getMessage())}"


class _JsonForm(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields: dict[str, Any] = getattr(record, "fields", {})
        told = {"time": when, "level": record.levelname.lower(), "message": record.getMessage(), **fields}
        return json.dumps(told, ensure_ascii=False)


def _file(path: Path, form: logging.Formatter) -> logging.Handler:
    handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(form)
    return handler


def text_log(path: Path) -> logging.Handler:
    """Return what appends lines of text to a file."""
    return _file(path, _TextForm())


def json_log(path: Path) -> logging.Handler:
    """Return what appends lines of JSON to a file."""
    return _file(path, _JsonForm())


class Logbook(Observer):
    """Writes begin, failures and progress to log files; to JSON a line for each image.

    Parameters
    ----------
    handlers : sequence of logging.Handler
        Of the files.
    clock : callable
        Seconds.
    noun : str
        What is worked on.
    """

    def __init__(
        self,
        handlers: Sequence[logging.Handler],
        clock: Callable[[], float] = time.monotonic,
        noun: str = "images",
    ) -> None:
        self.handlers, self.clock, self.noun = handlers, clock, noun
        self.failed = 0
        self.pace = Pace(0)
        self.told = 0.0

    def _tell(self, level: int, text: str, fields: dict[str, Any], *, json_only: bool = False) -> None:
        record = logging.LogRecord("mcdetect.run", level, "", 0, text, None, None)
        record.fields = fields
        for handler in self.handlers:
            if not json_only or isinstance(handler.formatter, _JsonForm):
                handler.handle(record)

    def started(self, images: int, jobs: int) -> None:
        """Note the begin."""
        self.pace, self.told = Pace(images), self.clock()
        self.pace.start(self.told)
        noun = "worker" if jobs == 1 else "workers"
        fields = {"event": "started", "images": images, "jobs": jobs}
        self._tell(logging.INFO, f"{images} {self.noun}, {jobs} {noun}", fields)

    def finished(self, image: ImageReport) -> None:
        """Note an image, and how far the run is every so often."""
        now = self.clock()
        self.pace.add(now)
        fields: dict[str, Any] = {"event": "image", "file": image.file, "reused": image.reused}
        if image.failure is not None:
            self.failed += 1
            failure = image.failure
            fields |= {"error": failure.error, "cause": failure.cause, "remedy": failure.remedy}
            self._tell(logging.WARNING, f"failed {image.file}: {failure}", fields)
        else:
            fields |= {"flagged": int(image.row.get("n_flagged", 0))}
            self._tell(logging.INFO, f"finished {image.file}", fields, json_only=True)
        if now - self.told >= TELL_S or self.pace.done == self.pace.total:
            self.told = now
            rate = self.pace.rate()
            fields = {
                "event": "progress",
                "done": self.pace.done,
                "images": self.pace.total,
                "failed": self.failed,
                "per_second": rate if math.isfinite(rate) else None,
            }
            self._tell(logging.INFO, progress_line(self.pace, self.failed, self.noun), fields)

    def stopping(self) -> None:
        """Note that the run was asked to stop."""
        self._tell(logging.WARNING, "asked to stop", {"event": "stopping"})

    def close(self) -> None:
        """Close the files."""
        package = logging.getLogger("mcdetect")
        for handler in self.handlers:
            package.removeHandler(handler)
            handler.close()


class Metrics(Observer):
    """Keeps a file in the text format of Prometheus, for the textfile collector of its node exporter.

    Parameters
    ----------
    path : Path
        The file, such as ``mcdetect.prom``; replaced as a whole each time.
    clock : callable
        Seconds.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.path, self.clock = path, clock
        self.counts = {"processed": 0, "failed": 0, "known": 0}
        self.pace = Pace(0)
        self.written = -math.inf

    def started(self, images: int, jobs: int) -> None:
        """Write the first version."""
        self.pace = Pace(images)
        self.pace.start(self.clock())
        self._write(active=True)

    def finished(self, image: ImageReport) -> None:
        """Count an image."""
        state = "failed" if image.failure is not None else "known" if image.reused else "processed"
        self.counts[state] += 1
        self.pace.add(self.clock())
        if self.clock() - self.written >= _METRICS_S:
            self._write(active=True)

    def close(self) -> None:
        """Write the last version."""
        self._write(active=False)

    def _write(self, *, active: bool) -> None:
        self.written = self.clock()
        left = max(0, self.pace.total - self.pace.done)
        lines = [
            "# HELP mcdetect_images Inputs of the run by what became of them.",
            "# TYPE mcdetect_images gauge",
            *(
                f'mcdetect_images{{state="{state}"}} {n}'
                for state, n in (self.counts | {"left": left}).items()
            ),
            "# HELP mcdetect_images_per_second Rate of the latest inputs.",
            "# TYPE mcdetect_images_per_second gauge",
            f"mcdetect_images_per_second {_number(self.pace.rate())}",
            "# HELP mcdetect_left_seconds Expected time to the end.",
            "# TYPE mcdetect_left_seconds gauge",
            f"mcdetect_left_seconds {_number(self.pace.left_s())}",
            "# HELP mcdetect_active Whether the run is at work.",
            "# TYPE mcdetect_active gauge",
            f"mcdetect_active {int(active)}",
        ]
        try:
            write_text(self.path, "\n".join(lines) + "\n")
        except OSError as error:
            if self.written != math.inf:  # told once; the run matters more
                logging.getLogger("mcdetect").warning(
                    "%s cannot be written (%s)", self.path.name, error.strerror
                )
            self.written = math.inf


def _number(value: float) -> str:
    return "NaN" if not math.isfinite(value) else f"{value:.6g}"


def followers(
    console: Console,
    verbose: int,
    log_file: Path | None,
    log_json: Path | None,
    metrics: Path | None,
    *,
    quiet: bool,
    noun: str = "images",
) -> Several:
    """Set up the log, and return who is told how a run gets on: the terminal, and files as far as given."""
    files = [text_log(log_file)] if log_file else []
    files += [json_log(log_json)] if log_json else []
    log_to(console, verbose=verbose, quiet=quiet, also=files)
    told: list[Observer] = [Terminal(console, quiet=quiet, noun=noun)]
    told += [Logbook(files, noun=noun)] if files else []
    told += [Metrics(metrics)] if metrics else []
    return Several(told)
