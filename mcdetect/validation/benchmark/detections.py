"""Cases to detections: what is not in the store yet is worked on, and all is put together."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from mcdetect.output.files import write_text
from mcdetect.output.seam import Output
from mcdetect.output.tables import SCHEMAS, TableWriters, csv_text
from mcdetect.runs import results
from mcdetect.runs.compiling import compile_kernels
from mcdetect.runs.pool import choose_jobs, run_tasks
from mcdetect.runs.report import ImageReport, Observer
from mcdetect.runs.results import known_keys
from mcdetect.runs.stopping import stop_on_signal
from mcdetect.runs.store import Entry, Store
from mcdetect.runs.worker import Failure, Outcome, Task
from mcdetect.schema import Column
from mcdetect.validation.benchmark.report import BenchmarkReport
from mcdetect.validation.benchmark.truth import TruthRows, case_parts
from mcdetect.validation.datasets import Case
from mcdetect.validation.datasets.export import TRUTH_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DETECTIONS", "STORED", "TRUTH", "detect_cases", "gather"]

logger = logging.getLogger(__name__)

DETECTIONS = "detections"
TRUTH = "truth.csv"

STORED = results.STORED | {
    "truth": tuple(Column(name, kind, "", "truth of the case") for name, kind in TRUTH_COLUMNS.items())
}


def detect_cases(
    cases: Sequence[Case],
    folder: Path,
    store: Store,
    report: BenchmarkReport,
    outputs: Sequence[Output],
    jobs: int | None,
    restart: bool,
    observer: Observer | None,
) -> dict[str, Entry]:
    """Work on the cases that are not done; return their entries in the store, by name of the case."""
    observer = observer or Observer()
    level = logging.getLogger("mcdetect").getEffectiveLevel()
    tasks = [
        Task(
            source=case,
            file=case.name,
            folder=folder,
            config=report.config,
            outputs=[*outputs, TruthRows(case)],
            key_parts=case_parts(case, report.config),
            known=frozenset()
            if restart
            else known_keys(store, case.name, folder, [*outputs, TruthRows(case)]),
            log_level=level,
        )
        for case in cases
    ]
    report.jobs = choose_jobs(sum(not task.known for task in tasks), jobs)
    observer.started(len(tasks), report.jobs)
    entries: dict[str, Entry] = {}
    finished = 0
    with stop_on_signal(observer) as stop:
        if not all(task.known for task in tasks):
            compile_kernels(report.config)  # also so that the first case is timed like the others
        start = time.perf_counter()
        with closing(run_tasks(tasks, jobs=report.jobs, stop=stop)) as outcomes:
            for outcome in outcomes:
                finished += 1
                failure = _keep(outcome, store, entries, report)
                observer.finished(ImageReport(outcome.file, failure=failure))
        report.interrupted = stop.is_set() and finished < len(tasks)
        report.signal = stop.signal
    logger.info(
        "%d cases in %.1f s, %d of them done before", finished, time.perf_counter() - start, report.reused
    )
    return entries


def _keep(
    outcome: Outcome, store: Store, entries: dict[str, Entry], report: BenchmarkReport
) -> Failure | None:
    """Store one outcome and count it; return what went wrong."""
    for item in outcome.records:
        logging.getLogger(item.name).handle(item)
    failure = outcome.failure
    if outcome.known:
        entries[outcome.file] = next(e for e in store.find(outcome.file) if e.key == outcome.key)
        report.reused += 1
        return None
    if failure is None:
        facts = {"seconds": outcome.seconds, "outputs": {n: list(f) for n, f in outcome.outputs.items()}}
        try:
            entries[outcome.file] = store.put(outcome.file, outcome.key, outcome.tables, facts)
            report.processed += 1
            return None
        except OSError as error:
            cause = f"its results could not be written ({error})"
            failure = Failure("OutputError", cause, "make room and run it again")
    report.failed[outcome.file] = failure
    return failure


def gather(
    cases: Sequence[Case], entries: Mapping[str, Entry], store: Store, folder: Path, candidates: bool
) -> dict[str, pd.DataFrame]:
    """Put the results of the cases together, on disk too, as `mcdetect evaluate` reads them."""
    import pandas as pd

    names = ["images", "calcifications", "clusters"] + ["candidates"] * candidates
    (folder / DETECTIONS).mkdir(exist_ok=True)
    for stale in (folder / DETECTIONS).glob("candidates.*"):
        stale.unlink()
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in [*names, "truth"]}
    with TableWriters(folder / DETECTIONS, names) as writers:
        for case in cases:
            if case.name not in entries:
                continue
            entry = entries[case.name]
            tables = {name: store.rows(entry, name, SCHEMAS[name]) for name in names}
            writers.append(tables)
            tables["images"]["patient"] = case.patient
            truth = store.rows(entry, "truth").astype(TRUTH_COLUMNS)
            if truth.empty:  # a row with nothing but an image and its patient
                blank = pd.DataFrame({"image": [case.name], "patient": [case.patient], "dot": [False]})
                truth = blank.reindex(columns=truth.columns)
            for name, table in {**tables, "truth": truth}.items():
                parts[name].append(table)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of pandas, about columns without any value
        together = {name: pd.concat(tables, ignore_index=True) for name, tables in parts.items()}
    write_text(folder / TRUTH, csv_text(together["truth"], header=True))
    return together
