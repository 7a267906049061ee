"""Files to a folder of results: discovery, workers, the store, the outputs and the record of the run."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcdetect.config import Config
from mcdetect.exams.studies import GROUPINGS, study_tables
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.output.folder import STORE_FILE, locked, make_folder, prepare_output, remove_stale
from mcdetect.output.further import further_outputs
from mcdetect.output.overlays import Overlays, overlay_names
from mcdetect.output.run_record import InputRecord, RunRecord
from mcdetect.output.seam import Output
from mcdetect.output.tables import Candidates, Tables
from mcdetect.readers.examination import given_magnification
from mcdetect.readers.image_file import ReadOptions
from mcdetect.readers.remote import RemoteFile, only_here
from mcdetect.runs.compiling import compile_kernels
from mcdetect.runs.dask import LOCAL, ClusterError, DaskWorkers, connected
from mcdetect.runs.discovery import Discovery, find_inputs
from mcdetect.runs.pool import choose_jobs, run_tasks
from mcdetect.runs.report import BatchReport, Observer
from mcdetect.runs.results import STORED, RunResults, known_keys
from mcdetect.runs.stopping import stop_on_signal
from mcdetect.runs.store import Store
from mcdetect.runs.worker import Task, failure_outcome

if TYPE_CHECKING:
    from mcdetect.models.cluster_model import ClusterModel

__all__ = ["run_batch"]


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
) -> BatchReport:
    """Detect in many mammograms and write tables and pictures.

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

    Returns
    -------
    BatchReport

    Raises
    ------
    OutputError
        When the output folder cannot be used.
    ClusterError, MissingLibraryError
        When the Dask cluster cannot be used, or what it needs is not installed.
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
    config = config or Config()
    observer = observer or Observer()
    folder = Path(out)
    further = further_outputs(also)
    found = find_inputs(paths)
    jobs = _jobs(found, jobs, dask)
    files = [item.file for item in found.inputs]
    pictures = dict(zip(files, overlay_names(files), strict=True)) if overlay else {}
    outputs = [*_outputs(model, pictures, candidates, overlay, dicom_columns), *further]
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
        "model": None
        if model is None
        else {
            "sha256": model.digest,
            "kind": model.kind,
            "target": model.target,
            "calibrated": model.calibration is not None,
        },
    }
    if dask is not None:
        options["dask"] = dask if dask == LOCAL else "scheduler"  # its address names a host
    make_folder(folder)
    workers = nullcontext() if dask is None else connected(dask, jobs=jobs)
    with locked(folder), workers as cluster:
        if cluster is not None and not cluster.here:
            jobs = max(1, cluster.count())
        reading = ReadOptions(pixel_spacing_mm, force, magnification, specimens)
        return _run(
            found, folder, config, options, outputs, pictures, jobs, observer, reading, model, cluster
        )


def _jobs(found: Discovery, requested: int | None, dask: str | None) -> int:
    """Return the number of processes of this machine."""
    if dask not in (None, LOCAL) and requested is not None:
        raise ClusterError("the number of workers is that of the scheduler; leave out --jobs")
    here = [item.path for item in found.inputs if isinstance(item.path, RemoteFile)]
    if any(only_here(path.address) for path in here):
        if dask is not None:
            raise ClusterError("memory:// is seen by this process only; leave out --dask")
        return 1
    return choose_jobs(len(found.inputs), requested)


def _run(
    found: Discovery,
    folder: Path,
    config: Config,
    options: dict[str, Any],
    outputs: Sequence[Output],
    pictures: Mapping[str, str],
    jobs: int,
    observer: Observer,
    reading: ReadOptions,
    model: ClusterModel | None,
    cluster: DaskWorkers | None,
) -> BatchReport:
    """Work on the inputs in a folder that nobody else works in."""
    earlier = prepare_output(folder)
    files = [item.file for item in found.inputs]
    record = RunRecord(config, options, jobs, skipped=found.skipped, duplicates=found.duplicates)
    record.inputs = [InputRecord(file, "pending", overlay=pictures.get(file)) for file in files]
    record.write(folder)
    record.inputs = []
    report = BatchReport(passed_over=list(found.passed_over), duplicates=found.duplicates)
    observer.started(len(found.inputs), jobs)
    with Store(folder / STORE_FILE, STORED) as store, stop_on_signal(observer) as stop:
        for output in outputs:
            output.open(folder)
        run = RunResults(store, record, report, observer)
        for name, error in found.problems:
            run.take(failure_outcome(name, error))
        tasks = _tasks(found, store, folder, config, outputs, reading, model)
        if jobs > 1 and (cluster is None or cluster.here):
            compile_kernels(config)
        given = (
            run_tasks(tasks, jobs=jobs, stop=stop) if cluster is None else cluster.run_tasks(tasks, stop=stop)
        )
        with closing(given) as outcomes:
            for outcome in outcomes:
                run.take(outcome)
        report.interrupted = stop.is_set() and len(record.inputs) < len(tasks) + len(found.problems)
        report.signal = stop.signal
        run.finish(study_tables(run.told_apart(), config.studies, by=str(options["studies_by"])))
        record.skipped = report.skipped
        for output in outputs:
            record.rows = {**record.rows, **output.close(folder, run)}
    record.status = "interrupted" if report.interrupted else "complete"
    if not report.interrupted:
        remove_stale(folder, earlier, keep=[item.overlay for item in record.inputs])
    record.write(folder)
    return report


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


def _tasks(
    found: Discovery,
    store: Store,
    folder: Path,
    config: Config,
    outputs: Sequence[Output],
    reading: ReadOptions,
    model: ClusterModel | None,
) -> list[Task]:
    level = logging.getLogger("mcdetect").getEffectiveLevel()
    identified = any(isinstance(output, Tables) and output.dicom_columns for output in outputs)
    parts = (config.digest, repr(reading), "" if model is None else model.digest, repr(identified))
    return [
        Task(
            source=reading.source(item.path, item.file, item.member),
            file=item.file,
            folder=folder,
            config=config,
            outputs=[output.for_file(item.file) for output in outputs],
            key_parts=(item.file, *parts),
            known=known_keys(store, item.file, folder, outputs),
            log_level=level,
        )
        for item in found.inputs
    ]
