"""Two folders to a folder of comparisons: discovery, pairing, workers, the store, the tables."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcdetect import __version__
from mcdetect.config import Config
from mcdetect.errors import InputFileError
from mcdetect.exams.comparison.pairing import Dated, Pair, find_pairs
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.output.folder import STORE_FILE, earlier_pictures, make_folder, prepare_output, remove_pictures
from mcdetect.output.lock import locked
from mcdetect.output.overlays import OVERLAY_FOLDER, overlay_names
from mcdetect.output.run_record import RunRecord
from mcdetect.readers.image_file import ReadOptions
from mcdetect.readers.look import look_at
from mcdetect.runs.compiling import compile_kernels
from mcdetect.runs.discovery import Input, find_inputs
from mcdetect.runs.keys import detector_digest
from mcdetect.runs.ledger import Ledger, RunFacts
from mcdetect.runs.pairs.results import COMMAND, PairResults, begun_rows, name_of
from mcdetect.runs.pairs.work import ChangeTables, Comparisons, PairTask, comparison_digest, work
from mcdetect.runs.pool import Limits, choose_jobs, run_tasks
from mcdetect.runs.report import ImageReport, Observer
from mcdetect.runs.results import STORED, known_failures, known_keys
from mcdetect.runs.run import give_up, given_limits, told_counts
from mcdetect.runs.stopping import stop_on_signal
from mcdetect.runs.store import DiskFullError, Rows, Store
from mcdetect.runs.worker import Outcome, Task, failure_outcome

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ComparedFolders", "compare_folders"]

logger = logging.getLogger(__name__)

_TOLD = 1000  # Judged: files between two notes on how far the look at headers is


@dataclass
class ComparedFolders:
    """What a comparison of two folders did.

    Parameters
    ----------
    pairs : DataFrame
        Columns `mcdetect.schema.PAIRS`.
    changes : int
        Rows of the table of changes.
    counts : dict of str to int
        Pairs, and images without partner, by their status in that table.
    failed : int
        Pairs and files with which something went wrong.
    reused : int
        Pairs that an earlier run had compared.
    skipped, duplicates : int
        Files that are no mammograms that are searched, and files met more than once.
    interrupted : bool
        It was stopped before its end.
    signal : int or None
        Number of the signal that stopped it.
    """

    pairs: pd.DataFrame
    changes: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    reused: int = 0
    skipped: int = 0
    duplicates: int = 0
    interrupted: bool = False
    signal: int | None = None

    @property
    def compared(self) -> int:
        """Pairs that were compared, those that do not register among them."""
        return self.counts.get("compared", 0) + self.counts.get("not registered", 0)


def compare_folders(
    prior: str | Path,
    current: str | Path,
    out: str | Path,
    *,
    config: Config | None = None,
    pixel_spacing_mm: float | None = None,
    prior_spacing_mm: float | None = None,
    picture: bool = True,
    force: bool = False,
    jobs: int | None = None,
    timeout_s: float | None = None,
    memory_gb: float | None = None,
    retry_failed: bool = False,
    force_all: bool = False,
    observer: Observer | None = None,
    work: Callable[[Task], Outcome] = work,
) -> ComparedFolders:
    """Compare the images of two dates, folder against folder.

    Pairs are found by `mcdetect.exams.comparison.pairing.find_pairs`. What an earlier run into the same
    folder compared of the same bytes, by the same code, models and options, is not compared again.

    Parameters
    ----------
    prior, current : path-like
        The folders; addresses that fsspec knows are taken as well.
    out : path-like
        Folder for the results; made when it does not exist.
    config, pixel_spacing_mm, prior_spacing_mm, picture, force
        As for `mcdetect.runs.compare_files.compare_files`.
    jobs, timeout_s, memory_gb, retry_failed, force_all, observer
        As for `mcdetect.runs.run_batch`, of pairs.
    work : callable
        What turns a task into an outcome, for tests and benchmarks; importable by name.

    Returns
    -------
    ComparedFolders

    Raises
    ------
    OutputError
        When the output folder cannot be used.
    DiskFullError
        When there is no room for results; those that were there are kept.
    WorkerError
        When worker processes do not start.
    MissingSpacingError, ValueError
        When an option makes no sense.
    """
    for given in (pixel_spacing_mm, prior_spacing_mm):
        if given is not None:
            PixelSpacing(given, given)
    limits = given_limits(timeout_s, memory_gb)
    run = _Run(Path(out), config or Config(), picture, force, limits, observer or Observer(), work)
    run.retry, run.anew = retry_failed or force_all, force_all
    earlier_mm = prior_spacing_mm if prior_spacing_mm is not None else pixel_spacing_mm
    run.sides = [
        _Side("prior", prior, ReadOptions(earlier_mm, force)),
        _Side("current", current, ReadOptions(pixel_spacing_mm, force)),
    ]
    run.options = {
        "command": COMMAND,
        "pixel_spacing_mm": pixel_spacing_mm,
        "prior_spacing_mm": prior_spacing_mm,
        "picture": picture,
        "force": force,
        "timeout_s": timeout_s,
        "memory_gb": memory_gb,
    }
    make_folder(run.folder)
    with locked(run.folder):
        return run.all(jobs)


class _Side:
    """One of the two folders, and what is known of its images."""

    def __init__(self, name: str, folder: str | Path, reading: ReadOptions) -> None:
        self.name, self.folder, self.reading = name, folder, reading
        self.images: list[Dated] = []
        self.inputs: list[Input] = []
        self.passed_over: list[tuple[str, str]] = []
        self.problems: list[tuple[str, InputFileError]] = []
        self.duplicates = 0

    def look(self) -> None:
        """List the files and look at their headers."""
        found = find_inputs([self.folder])
        self.duplicates = found.duplicates
        self.passed_over += [(name_of(self.name, file), why) for file, why in found.passed_over]
        self.problems += [(name_of(self.name, file), error) for file, error in found.problems]
        for number, item in enumerate(found.inputs, start=1):
            if number % _TOLD == 0:
                logger.info("%s: %d of %d headers read", self.name, number, len(found.inputs))
            try:
                look = look_at(item.path, item.file, item.member)
            except InputFileError as error:
                self.problems.append((name_of(self.name, item.file), error))
                continue
            if look.problem is not None and not (self.reading.force or look.part):
                self.passed_over.append((name_of(self.name, item.file), look.problem.cause))
                continue
            self.images.append(Dated(item.file, look))
            self.inputs.append(item)


@dataclass
class _Run:
    """One run: what is to be done, where to, and how."""

    folder: Path
    config: Config
    picture: bool
    force: bool
    limits: Limits | None
    observer: Observer
    work: Callable[[Task], Outcome]
    sides: Sequence[_Side] = ()
    options: dict[str, Any] = field(default_factory=dict)
    retry: bool = False
    anew: bool = False
    pairs: Sequence[Pair] = ()
    pictures: Sequence[str] = ()

    def all(self, jobs: int | None) -> ComparedFolders:
        """Work on the pairs in a folder that nobody else works in."""
        earlier = earlier_pictures(prepare_output(self.folder))
        record = RunRecord(self.config, self.options, jobs=1)
        record.write(self.folder)  # from now on the folder is ours, also when the look takes long
        for side in self.sides:
            side.look()
        prior, current = self.sides
        found = find_pairs(prior.images, current.images)
        self.pairs = found.whole
        record.jobs = jobs = choose_jobs(len(self.pairs), jobs)
        record.skipped = sum(len(side.passed_over) for side in self.sides)
        record.duplicates = sum(side.duplicates for side in self.sides)
        names = overlay_names([current.images[pair.current or 0].file for pair in self.pairs])
        self.pictures = [f"compared__{name}" for name in names]
        if self.picture:
            (self.folder / OVERLAY_FOLDER).mkdir(exist_ok=True)
        record.write(self.folder, counts={"pending": len(self.pairs)})
        self.observer.started(len(self.pairs), jobs)
        with Store(self.folder / STORE_FILE, STORED) as store, stop_on_signal(self.observer) as stop:
            results = PairResults(self._begin(store, found, jobs), self.observer, str(self.limits or ""))
            ledger = results.ledger
            prepare = partial(compile_kernels, self.config) if self.work is work else None
            tasks = run_tasks(
                self._tasks(store), jobs=jobs, stop=stop, work=self.work, limits=self.limits, prepare=prepare
            )
            try:
                with closing(tasks) as outcomes:
                    for outcome in outcomes:
                        results.take(outcome)
            except DiskFullError as error:
                give_up(ledger, error, "pairs")
            counts = ledger.counts()
            interrupted = stop.is_set() and counts["pending"] > 0
            try:
                record.rows = results.write(self.folder)
            except OSError as error:
                give_up(ledger, error, "pairs")
            record.status = "interrupted" if interrupted else "complete"
            if not interrupted and not any(side.problems for side in self.sides):
                remove_pictures(self.folder, earlier | ledger.pictures(own=False), ledger.pictures())
            record.write(self.folder, ledger.records(), told_counts(counts))
            ledger.finish(record.status)
            pairs = results.whole("pairs")
            assert pairs is not None
            return ComparedFolders(
                pairs,
                changes=record.rows["changes"],
                counts=results.counts(),
                failed=counts["failed"] + counts["skipped"],
                reused=counts["reused"],
                skipped=record.skipped,
                duplicates=record.duplicates,
                interrupted=interrupted,
                signal=stop.signal,
            )

    def _begin(self, store: Store, found: Sequence[Pair], jobs: int) -> Ledger:
        current = self.sides[1]
        names = [name_of("current", current.images[pair.current or 0].file) for pair in self.pairs]
        listed = [name_of(side.name, image.file) for side in self.sides for image in side.images]
        listing = hashlib.sha256("\0".join(listed).encode("utf-8", "backslashreplace")).hexdigest()
        made = {
            "config_sha256": self.config.digest,
            "version": __version__,
            "code_sha256": f"{detector_digest()} {comparison_digest()}",
            "jobs": jobs,
        }
        ledger = Ledger.begin(
            store,
            RunFacts(
                options=self.options | made,
                config=self.config.as_dict(),
                files=list(enumerate(names)),
                listing=listing,
                skipped=sum(len(side.passed_over) for side in self.sides),
                duplicates=sum(side.duplicates for side in self.sides),
            ),
        )
        over = [one for side in self.sides for one in side.passed_over]
        ledger.keep("skipped", Rows(("file", "reason"), over))
        ledger.keep("pairs", begun_rows([self._row(pair) for pair in found]))
        problems = [one for side in self.sides for one in side.problems]
        for position, (name, error) in enumerate(problems, start=-len(problems)):
            failure = failure_outcome(name, error).failure
            assert failure is not None
            ledger.problem(position, name, failure)
            self.observer.finished(ImageReport(name, failure=failure))
        return ledger

    def _row(self, pair: Pair) -> dict[str, Any]:
        """Return the row of the table of pairs, before anything was compared."""
        prior, current = (
            None if position is None else side.images[position]
            for side, position in zip(self.sides, (pair.prior, pair.current), strict=True)
        )
        status = "no prior" if prior is None else "not compared" if current is None else "pending"
        shown = current or prior
        assert shown is not None
        return {
            "prior_file": "" if prior is None else prior.file,
            "current_file": "" if current is None else current.file,
            "patient": pair.patient,
            "laterality": shown.look.laterality,
            "view": shown.look.view,
            "days": None if pair.days is None else float(pair.days),
            "status": status,
            "reason": pair.reason,
        }

    def _tasks(self, store: Store) -> Iterator[Task]:
        level = logging.getLogger("mcdetect").getEffectiveLevel()
        limits = str(self.limits or "")
        prior, current = self.sides
        code = comparison_digest()
        for pair, picture in zip(self.pairs, self.pictures, strict=True):
            one, two = prior.inputs[pair.prior or 0], current.inputs[pair.current or 0]
            name = name_of("current", two.file)
            asked = [ChangeTables(), *([Comparisons(picture)] if self.picture else [])]
            parts = (one.file, two.file, self.config.digest, repr(prior.reading), repr(current.reading), code)
            yield PairTask(
                source=current.reading.source(two.path, two.file, two.member),
                file=name,
                folder=self.folder,
                config=self.config,
                key_parts=parts,
                known=frozenset() if self.anew else known_keys(store, name, self.folder, asked),
                failed={} if self.retry else known_failures(store, name, limits),
                log_level=level,
                prior=prior.reading.source(one.path, one.file, one.member),
                force=self.force,
                picture=picture if self.picture else "",
            )
