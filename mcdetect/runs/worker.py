"""One task to one outcome, whatever happens to it; heavy imports wait until it runs."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import logging
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mcdetect.config import Config
from mcdetect.errors import InputFileError, McdetectWarning, NotEligibleError

if TYPE_CHECKING:
    import pandas as pd

    from mcdetect.image.mammogram import Mammogram
    from mcdetect.output.seam import Output
    from mcdetect.readers.image_file import Source
    from mcdetect.result import Result
    from mcdetect.runs.store import Rows

__all__ = [
    "Begun",
    "Failure",
    "Outcome",
    "Task",
    "attempt",
    "failure_outcome",
    "limit_threads",
    "process",
    "process_in_worker",
    "reading_from",
]

logger = logging.getLogger(__name__)

REPORT_BUG = "please report this as a bug of mcdetect, with the output of -vv and how the image was made"


@dataclass(frozen=True)
class Failure:
    """Why a file was not processed; a row of ``failures.csv``."""

    error: str
    cause: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.cause}; {self.remedy}"

    @property
    def passed_over(self) -> bool:
        """Whether nothing is wrong with the file: it is no mammogram that is searched."""
        return self.error == NotEligibleError.__name__


@dataclass(frozen=True)
class Task:
    """What a worker needs to know about one image.

    Parameters
    ----------
    source : Source
        Where it comes from.
    file : str
        Its name in the tables.
    folder : Path
        The output folder.
    outputs : sequence of Output
        What takes the result.
    key_parts : tuple of str
        What the results depend on besides the bytes of the file and the code.
    known : collection of str
        Keys of results that are there already: an image with one of them is not worked on again.
    failed : mapping of str to Failure
        What it failed for before, by key: it is not tried again.
    """

    source: Source
    file: str
    folder: Path = Path()
    config: Config = field(default_factory=Config)
    outputs: Sequence[Output] = ()
    key_parts: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    failed: Mapping[str, Failure] = field(default_factory=dict)
    log_level: int = logging.WARNING


@dataclass(frozen=True)
class Outcome:
    """What became of one file.

    Parameters
    ----------
    file : str
        Its name in the tables.
    key : str
        What its results depend on; empty when it could not be read.
    known : bool
        Its results, or its failure, were there already.
    lasting : {"content", "limits"} or None
        Whether its failure comes back whenever the same bytes are searched, or under the same limits of time
        and memory. What failed for want of a disk or a network is tried again by the next run.
    full : bool
        There is no room left on the disk.
    tables : dict of str to DataFrame or Rows
        Its rows, by table; empty when it could not be processed, and when it was known.
    outputs : dict of str to sequence of str
        Outputs that took it, with the files that each wrote.
    failure : Failure or None
        What went wrong. With `tables` filled, only what another output makes of it is missing.
    seconds : dict of str to float
        Wall time of each stage, in s.
    study : str
        Pseudonym of its examination.
    origin : mapping of str to sequence of str
        Pseudonyms that tell its copies, by kind: "pixels", "instance", "sources", "event".
    sketch : str
        Texture of its breast, which tells them, too.
    records : tuple of LogRecord
        What was logged on the way, when that happened in another process.
    """

    file: str
    key: str = ""
    known: bool = False
    lasting: str | None = None
    full: bool = False
    tables: Mapping[str, pd.DataFrame | Rows] = field(default_factory=dict)
    outputs: dict[str, Sequence[str]] = field(default_factory=dict)
    failure: Failure | None = None
    sha256: str | None = None
    size_bytes: int | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    study: str = ""
    origin: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sketch: str = ""
    records: tuple[logging.LogRecord, ...] = ()


def failure_outcome(file: str, error: InputFileError) -> Outcome:
    """Return the outcome of an input that cannot be processed."""
    failure = Failure(type(error).__name__, error.cause, error.remedy)
    return Outcome(file, failure=failure, lasting=None if isinstance(error.__cause__, OSError) else "content")


NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of the system that tell of a full disk, quota or largest size of a file."""


@dataclass
class Begun:
    """What is known of the bytes that are worked on.

    Parameters
    ----------
    key, sha256, size_bytes
        As in `Outcome`.
    """

    key: str = ""
    sha256: str | None = None
    size_bytes: int | None = None

    def known(self, task: Task, content: str, sha256: str, size_bytes: int) -> Outcome | None:
        """Note what was read; return the outcome where it is known, else tell that work begins.

        Parameters
        ----------
        task : Task
        content : str
            Digest of all that was read.
        sha256, size_bytes
            Of the file that is told of.
        """
        from mcdetect.runs.keys import result_key

        self.sha256, self.size_bytes = sha256, size_bytes
        self.key = result_key(content, task.key_parts)
        if self.key in task.known or self.key in task.failed:
            return Outcome(task.file, known=True, failure=task.failed.get(self.key))
        _began(self.key, sha256, size_bytes)
        return None


def process(task: Task) -> Outcome:
    """Detect in one image and hand the result to the outputs; never raises an `Exception`.

    The file is read once: the bytes that are hashed are the bytes that are searched.
    """
    return attempt(task.file, partial(_process, task))


def _process(task: Task, begun: Begun) -> Outcome:
    from mcdetect.readers.held import held

    with held(task.source.path) as (path, sha256, size):
        known = begun.known(task, sha256, sha256, size)
        return known or _work(dataclasses.replace(task, source=reading_from(task.source, path)))


def attempt(file: str, work: Callable[[Begun], Outcome]) -> Outcome:
    """Do some work on a file; whatever goes wrong is its outcome.

    Parameters
    ----------
    file : str
        Its name in the tables.
    work : callable
        Notes what it reads.
    """
    begun = Begun()
    with _library_warnings(file):
        try:
            outcome = work(begun)
        except InputFileError as error:
            outcome = failure_outcome(file, error)
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            failure = Failure("UnreadableFileError", f"cannot be read ({reason})", "check the file")
            outcome = Outcome(file, failure=failure)
        except MemoryError:
            outcome = Outcome(file, failure=NO_MEMORY, lasting="limits")
        except Exception as error:  # noqa: BLE001  (one bad file must never stop a batch)
            _log_frames(file, error)
            name = type(error).__name__
            failure = Failure(name, f"unexpected {name}", REPORT_BUG)
            outcome = Outcome(file, failure=failure, lasting="content")
    return dataclasses.replace(outcome, key=begun.key, sha256=begun.sha256, size_bytes=begun.size_bytes)


NO_MEMORY = Failure(
    "MemoryError",
    "there is not enough memory for this image",
    "use fewer --jobs, or a machine with more memory",
)

_began: Callable[[str, str, int], None] = lambda key, digest, size: None  # noqa: E731
"""Told what is about to be searched; a worker process passes it on, should it not come to an end."""


def reading_from(source: Source, path: Path) -> Source:
    """Return the same source that reads what is held, not the file, which may change meanwhile."""
    there: Source = dataclasses.replace(source, path=path)  # type: ignore[type-var]
    return there


def _work(task: Task) -> Outcome:
    from mcdetect.image.sketch import sketch
    from mcdetect.pipeline import detect_file

    result = detect_file(task.source, task.config)
    seconds = {name: float(value) for name, value in result.seconds.items()}
    tables: dict[str, pd.DataFrame | Rows] = {}
    outputs: dict[str, Sequence[str]] = {}
    failure, full = None, False
    for output in task.outputs:
        start = time.perf_counter()
        failed, no_room = _hand_over(task, output, result, tables, outputs)
        failure, full = failure or failed, full or no_room
        seconds[output.name] = time.perf_counter() - start
    return Outcome(
        task.file,
        full=full,
        tables=tables,
        outputs=outputs,
        failure=failure,
        seconds=seconds,
        study=result.mammogram.study,
        origin=_origin(result.mammogram),
        sketch=sketch(result.mammogram.pixels, result.breast.mask),
    )


def _origin(image: Mammogram) -> dict[str, list[str]]:
    """Return what tells the copies of an image."""
    pixels = hashlib.sha256(repr((image.shape, image.spacing.row_mm, image.spacing.col_mm)).encode())
    pixels.update(image.pixels.data)
    origin = image.origin
    found = {
        "pixels": [pixels.hexdigest()],
        "instance": [origin.instance],
        "sources": list(origin.sources),
        "event": [origin.event],
    }
    return {kind: kept for kind, values in found.items() if (kept := [value for value in values if value])}


def _hand_over(
    task: Task,
    output: Output,
    result: Result,
    tables: dict[str, pd.DataFrame | Rows],
    outputs: dict[str, Sequence[str]],
) -> tuple[Failure | None, bool]:
    """Let one output take the result; what the others make of it is worth keeping even if that fails.

    Returns what went wrong, and whether the disk is full.
    """
    try:
        piece = output.add(task.folder, task.file, result)
    except InputFileError:
        raise
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        failure = Failure(
            "OutputError",
            f"its {output.name} could not be written ({reason})",
            "make room and run it again, or leave them out",
        )
        return failure, error.errno in NO_ROOM
    except Exception as error:  # noqa: BLE001  (see above)
        _log_frames(task.file, error)
        name = type(error).__name__
        return Failure(name, f"its {output.name} could not be made (unexpected {name})", REPORT_BUG), False
    tables |= piece.tables
    outputs[output.name] = tuple(piece.files)
    return None, False


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


def process_in_worker(task: Task, work: Callable[[Task], Outcome] = process) -> Outcome:
    """Work in a worker process and bring the log records back, and the tables as plain rows."""
    from mcdetect.runs.store import Rows

    collector = _Collector()
    package = logging.getLogger("mcdetect")
    before = package.level, package.propagate
    package.setLevel(task.log_level)
    package.propagate = False
    package.addHandler(collector)
    try:
        outcome = work(task)
        tables = {name: Rows.of(table) for name, table in outcome.tables.items()}
    finally:
        package.removeHandler(collector)
        package.setLevel(before[0])
        package.propagate = before[1]
    return dataclasses.replace(outcome, tables=tables, records=tuple(collector.records))


class _Collector(logging.Handler):
    """Keeps log records in a form that can be sent to another process."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        record.msg, record.args = record.getMessage(), None
        record.exc_info = None
        self.records.append(record)


def limit_threads(threads: int) -> None:
    """Let numba and OpenCV use at most so many threads in this process."""
    import cv2
    import numba

    numba.set_num_threads(max(1, min(threads, int(numba.config.NUMBA_NUM_THREADS))))  # type: ignore[attr-defined]
    cv2.setNumThreads(threads)
