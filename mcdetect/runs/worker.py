"""One file to one outcome, whatever happens to it; heavy imports wait until it runs."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import os
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mcdetect.config import Config
from mcdetect.errors import InputFileError, McdetectWarning

if TYPE_CHECKING:
    import pandas as pd

    from mcdetect.models.cluster_model import ClusterModel
    from mcdetect.result import Result

__all__ = [
    "Failure",
    "Outcome",
    "Task",
    "failure_outcome",
    "guard",
    "initialise_worker",
    "process_file",
    "with_log_records",
]

logger = logging.getLogger(__name__)

REPORT_BUG = "please report this as a bug of mcdetect, with the output of -vv and how the image was made"


@dataclass(frozen=True)
class Task:
    """What a worker needs to know about one file.

    Parameters
    ----------
    path : Path
        The file.
    file : str
        Its name in the tables.
    overlay : Path or None
        Where its picture goes; None for no picture.
    pixel_spacing_mm : float or None
        Spacing for images whose header has none, in mm.
    model : ClusterModel or None
        The user's model of clusters.
    """

    path: Path
    file: str
    config: Config = field(default_factory=Config)
    overlay: Path | None = None
    pixel_spacing_mm: float | None = None
    candidates: bool = False
    force: bool = False
    log_level: int = logging.WARNING
    model: ClusterModel | None = None


AnyTask = TypeVar("AnyTask", bound=Task)


@dataclass(frozen=True)
class Failure:
    """Why a file was not processed; a row of ``failures.csv``."""

    error: str
    cause: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.cause}; {self.remedy}"


@dataclass(frozen=True)
class Outcome:
    """What became of one file.

    Parameters
    ----------
    file : str
        Its name in the tables.
    tables : dict of str to DataFrame
        Its rows, by table; empty when it could not be processed.
    failure : Failure or None
        What went wrong. With `tables` filled, only the picture is missing.
    seconds : dict of str to float
        Wall time of each stage, in s.
    records : tuple of LogRecord
        What was logged on the way, when that happened in another process.
    """

    file: str
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    failure: Failure | None = None
    sha256: str | None = None
    size_bytes: int | None = None
    overlay: str | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    study: str = ""
    records: tuple[logging.LogRecord, ...] = ()


def failure_outcome(file: str, error: InputFileError) -> Outcome:
    """Return the outcome of an input that cannot be processed."""
    return Outcome(file, failure=Failure(type(error).__name__, error.cause, error.remedy))


def process_file(task: Task) -> Outcome:
    """Read one file, detect in it and draw its picture; never raises an `Exception`."""
    return guard(task, _detect)


def guard(task: AnyTask, work: Callable[[AnyTask], Outcome]) -> Outcome:
    """Do the work of one task; whatever goes wrong becomes its outcome, not an `Exception`.

    Parameters
    ----------
    task : Task
        What to do.
    work : callable
        What turns the task into an outcome.
    """
    digest: str | None = None
    size: int | None = None
    with _library_warnings(task.file):
        try:
            size, digest = _fingerprint(task.path)
            outcome = work(task)
        except InputFileError as error:
            outcome = failure_outcome(task.file, error)
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            outcome = Outcome(
                task.file,
                failure=Failure("UnreadableFileError", f"cannot be read ({reason})", "check the file"),
            )
        except MemoryError:
            outcome = Outcome(
                task.file,
                failure=Failure(
                    "MemoryError",
                    "there is not enough memory for this image",
                    "use fewer --jobs, or a machine with more memory",
                ),
            )
        except Exception as error:  # noqa: BLE001  (one bad file must never stop a batch)
            _log_frames(task.file, error)
            name = type(error).__name__
            outcome = Outcome(task.file, failure=Failure(name, f"unexpected {name}", REPORT_BUG))
    return dataclasses.replace(outcome, sha256=digest, size_bytes=size)


def _fingerprint(path: Path) -> tuple[int, str]:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return stream.tell(), digest


def _detect(task: Task) -> Outcome:
    from mcdetect.pipeline import detect
    from mcdetect.readers.read import read_mammogram

    start = time.perf_counter()
    mammogram = read_mammogram(task.path, pixel_spacing_mm=task.pixel_spacing_mm, force=task.force)
    mammogram = dataclasses.replace(mammogram, source=task.file)
    seconds = {"read": time.perf_counter() - start}
    logger.info(
        "%s: %d x %d px, %.4g mm (%s)",
        task.file,
        *mammogram.shape,
        mammogram.spacing.mean_mm,
        mammogram.spacing.source,
    )
    result = detect(mammogram, config=task.config)
    seconds |= result.seconds
    tables = {
        "images": result.summary(),
        "calcifications": result.calcifications,
        "clusters": result.clusters if task.model is None else task.model.apply(result.clusters),
    }
    if task.candidates:
        tables["candidates"] = result.candidates
    overlay, failure = None, None
    if task.overlay is not None:
        start = time.perf_counter()
        failure = _draw(task, task.overlay, result)
        seconds["overlay"] = time.perf_counter() - start
        overlay = task.overlay.name if failure is None else None
    return Outcome(
        task.file, tables=tables, failure=failure, overlay=overlay, seconds=seconds, study=mammogram.study
    )


def _draw(task: Task, path: Path, result: Result) -> Failure | None:
    """Write the picture; the tables are worth keeping even if that fails."""
    from mcdetect.output.overlays import write_png

    try:
        write_png(path, result.overlay())
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        return Failure(
            "OverlayError",
            f"the overlay could not be written ({reason})",
            "make room, or leave it out with --no-overlay",
        )
    except Exception as error:  # noqa: BLE001  (see above)
        _log_frames(task.file, error)
        name = type(error).__name__
        return Failure(name, f"the overlay could not be drawn (unexpected {name})", REPORT_BUG)
    return None


def _log_frames(file: str, error: BaseException) -> None:
    """Log where an error arose, without its text, which may quote the header."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    logger.debug("%s: unexpected %s\n%s", file, type(error).__name__, frames.rstrip())


@contextmanager
def _library_warnings(file: str) -> Iterator[None]:
    """Log our own warnings; drop those of other libraries, which may quote the header."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", McdetectWarning)
        yield
    for item in caught:
        text = str(item.message)
        logger.warning("%s", text if file in text else f"{file}: {text}")


def process_in_worker(task: Task) -> Outcome:
    """Run `process_file` in a worker process and bring its log records back."""
    return with_log_records(task, process_file)


def with_log_records(task: AnyTask, work: Callable[[AnyTask], Outcome]) -> Outcome:
    """Do the work of one task in a worker process and bring its log records back."""
    collector = _Collector()
    package = logging.getLogger("mcdetect")
    package.setLevel(task.log_level)
    package.propagate = False
    package.addHandler(collector)
    try:
        outcome = work(task)
    finally:
        package.removeHandler(collector)
    return dataclasses.replace(outcome, records=tuple(collector.records))


class _Collector(logging.Handler):
    """Keeps log records in a form that can be sent to another process."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        record.msg, record.args = record.getMessage(), None
        record.exc_info = None
        self.records.append(record)


def initialise_worker(threads: int) -> None:
    """Set up a worker process: its share of the cores, and Ctrl-C left to the parent.

    Parameters
    ----------
    threads : int
        Threads that numba, OpenCV and BLAS may use in this process.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    limit_threads(threads)


def limit_threads(threads: int) -> None:
    """Let numba and OpenCV use at most so many threads in this process."""
    import cv2
    import numba

    numba.set_num_threads(max(1, min(threads, int(numba.config.NUMBA_NUM_THREADS))))  # type: ignore[attr-defined]
    cv2.setNumThreads(threads)
