"""Files to a folder of results: discovery, workers, the store, the outputs and the record of the run."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from mcdetect import __version__
from mcdetect.config import Config
from mcdetect.exams.studies import GROUPINGS
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.output.folder import STORE_FILE, earlier_pictures, make_folder, prepare_output, remove_pictures
from mcdetect.output.further import further_outputs
from mcdetect.output.lock import locked
from mcdetect.output.overlays import Overlays, overlay_names
from mcdetect.output.run_record import RunRecord
from mcdetect.output.seam import Output
from mcdetect.output.tables import Candidates, Tables
from mcdetect.readers.examination import given_magnification
from mcdetect.readers.image_file import ReadOptions
from mcdetect.readers.remote import RemoteFile, only_here
from mcdetect.runs.compiling import compile_kernels
from mcdetect.runs.dask import LOCAL, ClusterError, DaskWorkers, connected
from mcdetect.runs.discovery import Discovery, find_inputs
from mcdetect.runs.keys import detector_digest
from mcdetect.runs.ledger import Ledger, RunFacts
from mcdetect.runs.listing import choose_shard, find_listed
from mcdetect.runs.pool import Limits, choose_jobs, run_tasks
from mcdetect.runs.report import BatchReport, ImageReport, Observer
from mcdetect.runs.results import STORED, RunResults, StoredImages, known_failures, known_keys
from mcdetect.runs.stopping import Stop, stop_on_signal
from mcdetect.runs.store import DiskFullError, Rows, Store
from mcdetect.runs.worker import Outcome, Task, failure_outcome

if TYPE_CHECKING:
    from mcdetect.models.cluster_model import ClusterModel

__all__ = ["give_up", "given_limits", "run_batch", "told_counts"]


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
    also: Sequence[str] = (),
    dask: str | None = None,
    magnification: float | None = None,
    specimens: bool = False,
    dicom_columns: bool = False,
    timeout_s: float | None = None,
    memory_gb: float | None = None,
    retry_failed: bool = False,
    force_all: bool = False,
    shard: tuple[int, int] | None = None,
    listed: bool = False,
    work: Callable[[Task], Outcome] | None = None,
) -> BatchReport:
    """Detect in many mammograms and write tables and pictures.

    What an earlier run into the same folder found of the same bytes, by the same code, models and options, is
    not searched again.

    Parameters
    ----------
    paths : sequence of path-like
        Files and folders, in any mix; folders are searched recursively. Addresses that fsspec knows
        (``s3://``, ``gs://``, ``https://``, ...) are taken as well.
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
    also : sequence of str
        Further outputs, names of `mcdetect.output.further.FURTHER`.
    dask : str, optional
        Search on a Dask cluster: the address of its scheduler, its scheduler file (``*.json``), or ``local``
        for one of `jobs` processes on this machine.
    magnification : float, optional
        Of magnification views whose header does not tell it.
    specimens : bool
        Also search radiographs of specimens, as crops.
    dicom_columns : bool
        Add `mcdetect.schema.DICOM_COLUMNS` to the table of images: UIDs, maker and exposure.
    timeout_s : float, optional
        Most seconds for one image. With a limit every image is searched in a process of its own, also with
        one job, and what kills it, hangs or takes too much memory is tried once more alone.
    memory_gb : float, optional
        Most memory for one image, in GB beyond what the libraries need; a share of what is there when left
        out and another limit is set.
    retry_failed : bool
        Search again what failed before.
    force_all : bool
        Search everything again.
    shard : (int, int), optional
        Which part (from 1) of how many to work on; `mcdetect.runs.merging.merge_runs` puts parts together.
    listed : bool
        The paths are a list: names in the tables are relative to the folder that holds all of them.
    work : callable, optional
        What turns a task into an outcome, for tests and benchmarks; importable by name.

    Returns
    -------
    BatchReport

    Raises
    ------
    OutputError
        When the output folder cannot be used.
    ClusterError, MissingLibraryError
        When the Dask cluster cannot be used, or what it needs is not installed.
    DiskFullError
        When there is no room for results; those that were there are kept.
    WorkerError
        When worker processes do not start.
    MissingSpacingError, ValueError
        When `paths`, `out`, `pixel_spacing_mm`, `magnification`, `jobs`, `studies_by` or `also` make no
        sense.
    TypeError
        When `paths` is one path, not a list.
    """
    if studies_by not in GROUPINGS:
        raise ValueError(f"studies_by must be one of {', '.join(GROUPINGS)}, got {studies_by!r}")
    if pixel_spacing_mm is not None:
        PixelSpacing(pixel_spacing_mm, pixel_spacing_mm)
    given_magnification(magnification)
    if not os.fspath(out):
        raise ValueError("out is empty; name a folder for the results")
    limits = given_limits(timeout_s, memory_gb)
    config = config or Config()
    folder = Path(out)
    further = further_outputs(also)
    found = find_listed(paths) if listed else find_inputs(paths)
    chosen = choose_shard([item.file for item in found.inputs], shard)
    jobs = _jobs(found, len(chosen), jobs, dask)
    # Names of pictures are the same in every shard.
    names = overlay_names([item.file for item in found.inputs]) if overlay else []
    pictures = {found.inputs[k].file: names[k] for k in chosen} if overlay else {}
    options = {
        "pixel_spacing_mm": pixel_spacing_mm,
        "candidates": candidates,
        "overlay": overlay,
        "force": force,
        "magnification": magnification,
        "specimens": specimens,
        "dicom_columns": dicom_columns,
        "studies_by": studies_by,
        "also": list(also),
        "timeout_s": timeout_s,
        "memory_gb": memory_gb,
        "shard": None if shard is None else f"{shard[0]}/{shard[1]}",
        "model": None
        if model is None
        else {
            "sha256": model.digest,
            "kind": model.kind,
            "target": model.target,
            "calibrated": model.calibration is not None,
        },
    }
    outputs = [*_outputs(model, pictures, candidates, overlay, dicom_columns), *further]
    batch = _Batch(
        found, chosen, folder, config, options, outputs, jobs, observer or Observer(), limits, shard, work
    )
    batch.reading = ReadOptions(pixel_spacing_mm, force, magnification, specimens)
    digest = "" if model is None else model.digest
    batch.parts = (config.digest, repr(batch.reading), digest, repr(dicom_columns))
    batch.anew, batch.retry = force_all, retry_failed or force_all
    workers: AbstractContextManager[DaskWorkers | None] = nullcontext()
    if dask is not None:
        options["dask"] = dask if dask == LOCAL else "scheduler"  # its address names a host
        seconds, memory = (None, None) if limits is None else (limits.seconds, limits.memory_bytes)
        workers = connected(dask, jobs=jobs, timeout_s=seconds, memory_bytes=memory)
    make_folder(folder)
    with locked(folder), workers as batch.cluster:
        if batch.cluster is not None and not batch.cluster.here:
            batch.jobs = max(1, batch.cluster.count())
        return batch.run()


def _jobs(found: Discovery, images: int, requested: int | None, dask: str | None) -> int:
    """Return the number of processes of this machine."""
    if dask not in (None, LOCAL) and requested is not None:
        raise ClusterError("the number of workers is that of the scheduler; leave out --jobs")
    here = [item.place for item in found.inputs if isinstance(item.place, RemoteFile)]
    if any(only_here(path.address) for path in here):
        if dask is not None:
            raise ClusterError("memory:// is seen by this process only; leave out --dask")
        return 1
    return choose_jobs(images, requested)


def given_limits(timeout_s: float | None, memory_gb: float | None) -> Limits | None:
    """Return the limits of one image; None for none, and no process of its own."""
    for name, value in (("timeout_s", timeout_s), ("memory_gb", memory_gb)):
        if value is not None and not value > 0:
            raise ValueError(f"{name} = {value:g}: must be more than 0")
    if timeout_s is None and memory_gb is None:
        return None
    return Limits(timeout_s, None if memory_gb is None else memory_gb * 1e9)


@dataclass
class _Batch:
    """One run: what is to be done, where to, and how."""

    found: Discovery
    chosen: Sequence[int]
    folder: Path
    config: Config
    options: dict[str, Any]
    outputs: Sequence[Output]
    jobs: int
    observer: Observer
    limits: Limits | None
    shard: tuple[int, int] | None
    work: Callable[[Task], Outcome] | None
    parts: tuple[str, ...] = ()
    reading: ReadOptions = field(default_factory=ReadOptions)
    anew: bool = False
    retry: bool = False
    cluster: DaskWorkers | None = None

    def run(self) -> BatchReport:
        """Work on the inputs in a folder that nobody else works in."""
        earlier = earlier_pictures(prepare_output(self.folder))
        found = self.found
        record = RunRecord(
            self.config, self.options, self.jobs, skipped=found.skipped, duplicates=found.duplicates
        )
        record.write(self.folder, counts={"pending": len(self.chosen)})
        report = BatchReport(passed_over=list(found.passed_over), duplicates=found.duplicates)
        self.observer.started(len(self.chosen), self.jobs)
        with Store(self.folder / STORE_FILE, STORED) as store, stop_on_signal(self.observer) as stop:
            for output in self.outputs:
                output.open(self.folder)
            ledger = self._begin(store)
            ledger.keep("skipped", Rows(("file", "reason"), list(found.passed_over)))
            report.images = StoredImages(store.path, ledger.run)
            results = RunResults(ledger, self.observer, str(self.limits or ""))
            for position, (name, error) in enumerate(found.problems, start=-len(found.problems)):
                failure = failure_outcome(name, error).failure
                assert failure is not None
                ledger.problem(position, name, failure)
                self.observer.finished(ImageReport(name, failure=failure))
            try:
                self._search(store, results, stop)
            except DiskFullError as error:
                give_up(ledger, error)
            report.interrupted = stop.is_set() and ledger.counts()["pending"] > 0
            report.signal = stop.signal
            report.passed_over += ledger.passed_over()
            record.skipped = report.skipped
            try:
                results.make_studies(self.config, str(self.options["studies_by"]))
                for output in self.outputs:
                    record.rows = {**record.rows, **output.close(self.folder, results)}
            except OSError as error:
                give_up(ledger, error)
            record.status = "interrupted" if report.interrupted else "complete"
            if (
                not report.interrupted and not found.problems
            ):  # a folder that is gone for now keeps its pictures
                remove_pictures(self.folder, earlier | ledger.pictures(own=False), ledger.pictures())
            record.write(self.folder, ledger.records(), told_counts(ledger.counts()))
            ledger.finish(record.status)
        return report

    def _begin(self, store: Store) -> Ledger:
        names = [item.file for item in self.found.inputs]
        listing = hashlib.sha256("\0".join(names).encode("utf-8", "backslashreplace")).hexdigest()
        if self.shard is not None:
            store.share_aliases(listing)
        facts = RunFacts(
            options=self.options
            | {
                "config_sha256": self.config.digest,
                "version": __version__,
                "code_sha256": detector_digest(),
                "jobs": self.jobs,
            },
            config=self.config.as_dict(),
            files=[(position, names[position]) for position in self.chosen],
            listing=listing,
            skipped=self.found.skipped,
            duplicates=self.found.duplicates,
        )
        return Ledger.begin(store, facts)

    def _search(self, store: Store, results: RunResults, stop: Stop) -> None:
        prepare = partial(compile_kernels, self.config) if self.work is None else None
        if self.cluster is not None:
            if self.cluster.here and self.jobs > 1 and prepare is not None:
                prepare()
            outcomes = self.cluster.run_tasks(self._tasks(store), stop=stop, work=self.work, in_order=False)
        else:
            outcomes = run_tasks(
                self._tasks(store),
                jobs=self.jobs,
                stop=stop,
                work=self.work,
                limits=self.limits,
                prepare=prepare,
            )
        with closing(outcomes):
            for outcome in outcomes:
                results.take(outcome)

    def _tasks(self, store: Store) -> Iterator[Task]:
        level = logging.getLogger("mcdetect").getEffectiveLevel()
        limits = str(self.limits or "")
        for position in self.chosen:
            item = self.found.inputs[position]
            yield Task(
                source=self.reading.source(item.path, item.file, item.member),
                file=item.file,
                folder=self.folder,
                config=self.config,
                outputs=[output.for_file(item.file) for output in self.outputs],
                key_parts=(item.file, *self.parts),
                known=frozenset() if self.anew else known_keys(store, item.file, self.folder, self.outputs),
                failed={} if self.retry else known_failures(store, item.file, limits),
                log_level=level,
            )


def give_up(ledger: Ledger, error: OSError, what: str = "images") -> NoReturn:
    """Tell what is kept when there is no room for more."""
    kept = ledger.counts()["processed"]
    with suppress(OSError):
        ledger.finish("disk full")
    raise DiskFullError(
        f"no room for results ({error}); those of {kept} {what} are kept: make room and run the same "
        "command again to go on"
    ) from error


def told_counts(counts: Mapping[str, int]) -> dict[str, int]:
    """Return what run.json tells of the inputs."""
    told = {name: counts[name] for name in ("processed", "failed")}
    return told | ({"pending": counts["pending"]} if counts["pending"] else {})


def _outputs(
    model: ClusterModel | None,
    pictures: Mapping[str, str],
    candidates: bool,
    overlay: bool,
    dicom_columns: bool,
) -> list[Output]:
    outputs: list[Output] = [Tables(model, dicom_columns)]
    outputs += [Candidates()] * candidates
    outputs += [Overlays(pictures)] * overlay
    return outputs
