"""One case to its stored results, in this process or in a worker."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from mcdetect.runs.worker import Failure, Outcome, Task, guard, with_log_records
from mcdetect.validation.benchmark.store import write_entry
from mcdetect.validation.datasets.base import Case

__all__ = ["CaseTask", "process_case", "process_case_in_worker"]


@dataclass(frozen=True, kw_only=True)
class CaseTask(Task):
    """What a worker needs to know about one case.

    Parameters
    ----------
    case : Case
        The image and its truth.
    entry : Path
        Where its results go.
    key : str
        What they depend on.
    """

    case: Case
    entry: Path
    key: str


def process_case(task: CaseTask) -> Outcome:
    """Read a case, detect in it and store detections and truth; never raises an `Exception`."""
    return guard(task, _work)


def process_case_in_worker(task: CaseTask) -> Outcome:
    """Do the same in a worker process and bring the log records back."""
    return with_log_records(task, process_case)


def _work(task: CaseTask) -> Outcome:
    from mcdetect.pipeline import detect
    from mcdetect.validation.datasets.export import truth_table

    start = time.perf_counter()
    mammogram = task.case.read()
    seconds = {"read": time.perf_counter() - start}
    truth = truth_table(task.case, mammogram)
    result = detect(mammogram, config=task.config)
    seconds |= {name: float(value) for name, value in result.seconds.items()}
    images = result.summary()
    tables = {
        "images": images,
        "calcifications": result.calcifications,
        "clusters": result.clusters,
        "truth": truth,
    }
    if task.candidates:
        tables["candidates"] = result.candidates
    try:
        write_entry(task.entry, tables, {"name": task.case.name, "key": task.key, "seconds": seconds})
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        cause = f"its results could not be written ({reason})"
        return Outcome(task.file, failure=Failure("OutputError", cause, "make room and run it again"))
    return Outcome(task.file, tables={"images": images}, seconds=seconds)
