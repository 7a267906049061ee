"""One task to one outcome, whatever happens to it; heavy imports wait until it runs."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
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

__all__ = [
    "Failure",
    "Outcome",
    "Task",
    "failure_outcome",
    "initialise_worker",
    "process",
    "process_in_worker",
]

logger = logging.getLogger(__name__)

REPORT_BUG = "please report this as a bug of mcdetect, with the output of -vv and how the image was made"


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
    """

    source: Source
    file: str
    folder: Path = Path()
    config: Config = field(default_factory=Config)
    outputs: Sequence[Output] = ()
    key_parts: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    log_level: int = logging.WARNING


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
class Outcome:
    """What became of one file.

    Parameters
    ----------
    file : str
        Its name in the tables.
    key : str
        What its results depend on; empty when it could not be read.
    known : bool
        Its results were there already.
    tables : dict of str to DataFrame
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
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
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
    return Outcome(file, failure=Failure(type(error).__name__, error.cause, error.remedy))


def process(task: Task) -> Outcome:
    """Detect in one image and hand the result to the outputs; never raises an `Exception`.

    The file is read once: the bytes that are hashed are the bytes that are searched.
    """
    digest: str | None = None
    size: int | None = None
    with _library_warnings(task.file):
        try:
            data = task.source.path.read_bytes()
            size, digest = len(data), hashlib.sha256(data).hexdigest()
            outcome = _work(dataclasses.replace(task, source=_holding(task.source, data)), digest)
        except InputFileError as error:
            outcome = failure_outcome(task.file, error)
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            failure = Failure("UnreadableFileError", f"cannot be read ({reason})", "check the file")
            outcome = Outcome(task.file, failure=failure)
        except MemoryError:
            failure = Failure(
                "MemoryError",
                "there is not enough memory for this image",
                "use fewer --jobs, or a machine with more memory",
            )
            outcome = Outcome(task.file, failure=failure)
        except Exception as error:  # noqa: BLE001  (one bad file must never stop a batch)
            _log_frames(task.file, error)
            name = type(error).__name__
            outcome = Outcome(task.file, failure=Failure(name, f"unexpected {name}", REPORT_BUG))
    return dataclasses.replace(outcome, sha256=digest, size_bytes=size)


def _holding(source: Source, data: bytes) -> Source:
    """Return a source that reads these bytes, not the file, which may change meanwhile."""
    from mcdetect.readers.held import HeldFile

    held: Source = dataclasses.replace(source, path=HeldFile.of(source.path, data))  # type: ignore[type-var]
    return held


def _work(task: Task, digest: str) -> Outcome:
    from mcdetect.image.sketch import sketch
    from mcdetect.pipeline import detect_file
    from mcdetect.runs.store import result_key

    key = result_key(digest, task.key_parts)
    if key in task.known:
        return Outcome(task.file, key, known=True)
    result = detect_file(task.source, task.config)
    seconds = {name: float(value) for name, value in result.seconds.items()}
    tables: dict[str, pd.DataFrame] = {}
    outputs: dict[str, Sequence[str]] = {}
    failure = None
    for output in task.outputs:
        start = time.perf_counter()
        failed = _hand_over(task, output, result, tables, outputs)
        failure = failure or failed
        seconds[output.name] = time.perf_counter() - start
    return Outcome(
        task.file,
        key,
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
    tables: dict[str, pd.DataFrame],
    outputs: dict[str, Sequence[str]],
) -> Failure | None:
    """Let one output take the result; what the others make of it is worth keeping even if that fails."""
    try:
        piece = output.add(task.folder, task.file, result)
    except InputFileError:
        raise
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        return Failure(
            "OutputError",
            f"its {output.name} could not be written ({reason})",
            "make room and run it again, or leave them out",
        )
    except Exception as error:  # noqa: BLE001  (see above)
        _log_frames(task.file, error)
        name = type(error).__name__
        return Failure(name, f"its {output.name} could not be made (unexpected {name})", REPORT_BUG)
    tables |= piece.tables
    outputs[output.name] = tuple(piece.files)
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
    """Run `process` in a worker process and bring its log records back."""
    collector = _Collector()
    package = logging.getLogger("mcdetect")
    package.setLevel(task.log_level)
    package.propagate = False
    package.addHandler(collector)
    try:
        outcome = process(task)
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
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when its parent does, however that ends."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def limit_threads(threads: int) -> None:
    """Let numba and OpenCV use at most so many threads in this process."""
    import cv2
    import numba

    numba.set_num_threads(max(1, min(threads, int(numba.config.NUMBA_NUM_THREADS))))  # type: ignore[attr-defined]
    cv2.setNumThreads(threads)
