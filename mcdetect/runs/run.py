"""Files to a folder of results: discovery, workers, tables and the record of the run."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from mcdetect.config import Config
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.output.folder import OVERLAY_FOLDER, prepare_output
from mcdetect.output.overlays import overlay_names
from mcdetect.output.run_record import InputRecord, RunRecord
from mcdetect.output.tables import TableWriters
from mcdetect.runs.discovery import Discovery, find_inputs
from mcdetect.runs.pool import choose_jobs, run_tasks
from mcdetect.runs.worker import Failure, Outcome, Task, failure_outcome
from mcdetect.schema import FAILURES, MODEL_COLUMNS, make_table

if TYPE_CHECKING:
    from mcdetect.exams.studies import ViewImage
    from mcdetect.models.cluster_model import ClusterModel

__all__ = ["BatchReport", "ImageReport", "Observer", "compile_kernels", "run_batch", "stop_on_signal"]

logger = logging.getLogger(__name__)

_SPECIAL = frozenset(
    {"magnification view", "spot compression view", "specimen", "stereotactic image", "partial view"}
)
"""Remarks of the loader on images whose distances are not those of a whole view."""


@dataclass(frozen=True)
class ImageReport:
    """What became of one input, in brief.

    Parameters
    ----------
    file : str
        Its name in the tables.
    row : dict of str to object
        Its row of ``images.csv``; empty when it could not be processed.
    best_score : float
        Highest score of its flagged groups; not-a-number when there is none.
    failure : Failure or None
        What went wrong.
    """

    file: str
    row: dict[str, Any] = field(default_factory=dict)
    best_score: float = float("nan")
    failure: Failure | None = None


@dataclass
class BatchReport:
    """What a batch did."""

    images: list[ImageReport] = field(default_factory=list)
    skipped: int = 0
    duplicates: int = 0
    interrupted: bool = False

    @property
    def failed(self) -> list[ImageReport]:
        """The inputs with which something went wrong."""
        return [image for image in self.images if image.failure is not None]

    @property
    def processed(self) -> list[ImageReport]:
        """The images that have results."""
        return [image for image in self.images if image.row]


class Observer:
    """Is told how a batch gets on; every method may be overridden."""

    def started(self, images: int, jobs: int) -> None:
        """Called once, before the first image."""

    def finished(self, image: ImageReport) -> None:
        """Called after each input, in input order."""

    def stopping(self) -> None:
        """Called when the batch was asked to stop and finishes the images under way."""


def run_batch(
    paths: Sequence[str | Path],
    out: str | Path,
    *,
    config: Config | None = None,
    pixel_spacing_mm: float | None = None,
    candidates: bool = False,
    overlay: bool = True,
    jobs: int | None = None,
    force: bool = False,
    observer: Observer | None = None,
    model: ClusterModel | None = None,
    studies_by: str = "auto",
) -> BatchReport:
    """Detect in many mammograms and write tables and pictures.

    Parameters
    ----------
    paths : sequence of path-like
        Files and folders, in any mix; folders are searched recursively.
    out : path-like
        Folder for the results; made when it does not exist.
    config : Config, optional
        Options of the detector.
    pixel_spacing_mm : float, optional
        Spacing, in mm, of the images whose header has none.
    candidates : bool
        Also write every candidate with its score.
    overlay : bool
        Write a picture per image.
    jobs : int, optional
        Worker processes; chosen from images, cores and memory when left out. More than one
        needs the caller to be importable (``if __name__ == "__main__":`` in scripts).
    force : bool
        Also process images that are not taken for plain mammograms.
    observer : Observer, optional
        Is told how the batch gets on.
    model : ClusterModel, optional
        A model of clusters of the user, whose columns are added to the table of clusters.
    studies_by : {"auto", "folder"}
        How images are grouped into examinations, see `mcdetect.exams.studies.group_images`.

    Returns
    -------
    BatchReport

    Raises
    ------
    OutputError
        When the output folder cannot be used.
    MissingSpacingError, ValueError
        When `pixel_spacing_mm`, `jobs` or `studies_by` make no sense.
    """
    from mcdetect.exams.studies import GROUPINGS, study_tables

    if studies_by not in GROUPINGS:
        raise ValueError(f"studies_by must be one of {', '.join(GROUPINGS)}, got {studies_by!r}")
    if pixel_spacing_mm is not None:
        PixelSpacing(pixel_spacing_mm, pixel_spacing_mm)
    config = config or Config()
    observer = observer or Observer()
    folder = Path(out)
    found = find_inputs(paths)
    jobs = choose_jobs(len(found.inputs), jobs)
    prepare_output(folder, overlay=overlay)
    tasks = _tasks(found, folder, config, pixel_spacing_mm, candidates, overlay, force, model)
    options = {
        "pixel_spacing_mm": pixel_spacing_mm,
        "candidates": candidates,
        "overlay": overlay,
        "force": force,
        "studies_by": studies_by,
        "model": None
        if model is None
        else {
            "sha256": model.digest,
            "kind": model.kind,
            "target": model.target,
            "calibrated": model.calibration is not None,
        },
    }
    record = RunRecord(config, options, jobs, skipped=found.skipped, duplicates=found.duplicates)
    record.inputs = [
        InputRecord(task.file, "pending", overlay=task.overlay.name if task.overlay else None)
        for task in tasks
    ]
    record.write(folder)
    record.inputs = []
    report = BatchReport(skipped=found.skipped, duplicates=found.duplicates)
    observer.started(len(tasks), jobs)
    names = ["images", "calcifications", "clusters", "studies", "findings", "failures"]
    names += ["candidates"] * candidates
    added = {} if model is None else {"clusters": [c for c in MODEL_COLUMNS if c.name in model.columns]}
    views: list[ViewImage] = []
    with TableWriters(folder, names, added) as tables, stop_on_signal(observer) as stop:
        for name, error in found.problems:
            _take(failure_outcome(name, error), tables, record, report, observer)
        if jobs > 1:
            compile_kernels(config)
        with closing(run_tasks(tasks, jobs=jobs, stop=stop)) as outcomes:
            for outcome in outcomes:
                _take(outcome, tables, record, report, observer)
                views += _views(outcome)
        tables.append(study_tables(views, config.studies, by=studies_by))
        report.interrupted = stop.is_set() and len(record.inputs) < len(tasks) + len(found.problems)
    record.rows = tables.rows
    record.status = "interrupted" if report.interrupted else "complete"
    record.write(folder)
    return report


def _tasks(
    found: Discovery,
    folder: Path,
    config: Config,
    pixel_spacing_mm: float | None,
    candidates: bool,
    overlay: bool,
    force: bool,
    model: ClusterModel | None,
) -> list[Task]:
    pictures = overlay_names([item.file for item in found.inputs])
    level = logging.getLogger("mcdetect").getEffectiveLevel()
    return [
        Task(
            path=item.path,
            file=item.file,
            config=config,
            overlay=folder / OVERLAY_FOLDER / picture if overlay else None,
            pixel_spacing_mm=pixel_spacing_mm,
            candidates=candidates,
            force=force,
            log_level=level,
            model=model,
        )
        for item, picture in zip(found.inputs, pictures, strict=True)
    ]


def _take(
    outcome: Outcome, tables: TableWriters, record: RunRecord, report: BatchReport, observer: Observer
) -> None:
    """Write the rows of one outcome and pass on what was logged about it."""
    for item in outcome.records:
        logging.getLogger(item.name).handle(item)
    tables.append(outcome.tables)
    failure = outcome.failure
    if failure is not None:
        row = {
            "file": [outcome.file],
            "error": failure.error,
            "cause": failure.cause,
            "remedy": failure.remedy,
        }
        tables.append({"failures": make_table(FAILURES, row)})
    record.inputs.append(
        InputRecord(
            outcome.file,
            "processed" if outcome.tables else "failed",
            outcome.sha256,
            outcome.size_bytes,
            outcome.overlay,
            outcome.seconds,
        )
    )
    image = _brief(outcome)
    report.images.append(image)
    observer.finished(image)


def _views(outcome: Outcome) -> list[ViewImage]:
    """Return what the table of examinations needs of one outcome, which is little."""
    from mcdetect.exams.studies import ViewImage
    from mcdetect.exams.studies.matching import MATCHING_COLUMNS

    if not outcome.tables:
        return []
    row, clusters = outcome.tables["images"].iloc[0], outcome.tables["clusters"]
    kept = [name for name in ("cluster_id", *MATCHING_COLUMNS) if name in clusters.columns]
    return [
        ViewImage(
            file=outcome.file,
            study=outcome.study,
            laterality=str(row["laterality"]),
            view=str(row["view"]),
            special=any(remark in _SPECIAL for remark in str(row["flags"]).split("; ")),
            clusters=clusters[kept],
        )
    ]


def _brief(outcome: Outcome) -> ImageReport:
    if not outcome.tables:
        return ImageReport(outcome.file, failure=outcome.failure)
    clusters = outcome.tables["clusters"]
    scores = clusters.loc[clusters["flagged"], "score"]
    return ImageReport(
        outcome.file,
        row={str(key): value for key, value in outcome.tables["images"].iloc[0].to_dict().items()},
        best_score=float(scores.max()) if len(scores) else float("nan"),
        failure=outcome.failure,
    )


@cache
def compile_kernels(config: Config) -> None:
    """Fill the on-disk cache of compiled kernels, once, before several processes want them."""
    import numpy as np

    from mcdetect.pipeline import detect

    rng = np.random.default_rng(0)
    row, col = np.mgrid[:512, :384]
    breast = (row - 256.0) ** 2 + (0.9 * col) ** 2 < 230.0**2
    image = rng.normal(100.0, 10.0, breast.shape) + 1000.0 * breast
    image[200:300:20, 100:200:20] += 500.0
    try:
        detect(image.astype(np.float32), pixel_spacing_mm=0.1, config=config)
    except Exception as error:  # noqa: BLE001  (what is wrong will show, and be told, image by image)
        logger.debug("kernels were not all compiled ahead (%s)", type(error).__name__)


@contextmanager
def stop_on_signal(observer: Observer) -> Iterator[threading.Event]:
    """Turn the first Ctrl-C or termination request into an orderly stop; the second one is final."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    earlier: dict[signal.Signals, Any] = {}

    def ask(number: int, frame: FrameType | None) -> None:
        for caught, handler in earlier.items():
            signal.signal(caught, handler)
        stop.set()
        observer.stopping()

    for caught in (signal.SIGINT, signal.SIGTERM):
        earlier[caught] = signal.getsignal(caught)
        signal.signal(caught, ask)
    try:
        yield stop
    finally:
        for caught, handler in earlier.items():
            signal.signal(caught, handler)
