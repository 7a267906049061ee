"""``mcdetect train``: labelled clusters in, a tested model and its report out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcdetect.cli.exits import WRONG_USAGE, complain, stopped_by, written, wrong_usage
from mcdetect.cli.options import (
    TIMEOUT_S,
    ConfigFile,
    Jobs,
    LogFile,
    LogJson,
    MemoryLimit,
    MetricsFile,
    NoPlots,
    PixelSpacing,
    RetryFailed,
    Samples,
    Timeout,
)

if TYPE_CHECKING:
    from rich.console import Console

    from mcdetect.training import Training

__all__ = ["train"]


class Model(StrEnum):
    """Kind of model."""

    logistic = "logistic"
    boosting = "boosting"


class Group(StrEnum):
    """What cross-validation never parts."""

    patient = "patient"
    folder = "folder"
    file = "file"


class Unmatched(StrEnum):
    """What becomes of clusters without a label in labelled images."""

    leave_out = "leave-out"
    negative = "negative"


class Level(StrEnum):
    """What a label belongs to."""

    group = "group"
    image = "image"
    patient = "patient"


class Pooling(StrEnum):
    """How the groups of an image or patient make one score."""

    max = "max"
    log_sum = "log-sum"


def _columns(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def train(
    features: Annotated[
        Path,
        typer.Option(
            "--features",
            "-f",
            metavar="PATH",
            help="clusters.csv, the output folder of detect that holds it, or a folder of mammograms, which "
            "is searched first.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FILE", help="The model (JSON); its report goes beside it."),
    ],
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            "-l",
            metavar="FILE",
            help="Labels: file, label (1/0, malignant/benign) and patient, with cluster_id or a place "
            "(x, y, radius, or x_min, y_min, x_max, y_max, or mask).",
        ),
    ] = None,
    level: Annotated[
        Level, typer.Option(help="What a label belongs to; of an image or a patient, rows need no place.")
    ] = Level.group,
    pooling: Annotated[
        Pooling, typer.Option(help="How the groups of an image or patient make one score.")
    ] = Pooling.max,
    covariates: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Table of patients: column patient, and age, family history, density, ..."
        ),
    ] = None,
    changes: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH", help="Output of compare: new and grown become features. May be repeated."
        ),
    ] = None,
    images: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH", help="What detect searched, to show groups in the report. May be repeated."
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Instead of --labels: a data set that states pathology (cbis-ddsm)."
        ),
    ] = None,
    root: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of that data set.")] = None,
    model: Annotated[Model, typer.Option(help="Kind of model.")] = Model.logistic,
    use: Annotated[
        str | None,
        typer.Option(
            metavar="COL,COL,...", help="Features. [default: few fixed ones, more with many patients]"
        ),
    ] = None,
    leave_out: Annotated[
        str | None, typer.Option(metavar="COL,COL,...", help="Columns that are no features.")
    ] = None,
    positive: Annotated[
        str, typer.Option(metavar="TEXT", help="The label that a high score speaks for.")
    ] = "malignant",
    group: Annotated[
        Group, typer.Option(help="What is never on both sides of a test: column patient, folder, or image.")
    ] = Group.patient,
    unmatched: Annotated[
        Unmatched, typer.Option(help="Clusters without a label in images that have labels.")
    ] = Unmatched.leave_out,
    no_calibration: Annotated[
        bool, typer.Option("--no-calibration", help="A model that only ranks and states no probability.")
    ] = False,
    folds: Annotated[int, typer.Option(metavar="N", min=2, help="Of the cross-validation.")] = 5,
    repeats: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Partitions into folds. [default: more with few patients]"),
    ] = None,
    permutations: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Shufflings of the labels. [default: 200, fewer if slow]"),
    ] = None,
    samples: Samples = 1000,
    stability_samples: Annotated[
        int, typer.Option(metavar="N", min=0, help="Refits for the stability of the features.")
    ] = 100,
    seed: Annotated[int, typer.Option(metavar="N", help="Of folds and bootstrap.")] = 0,
    report: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the report. [default: beside the model]")
    ] = None,
    no_plots: NoPlots = False,
    pixel_spacing: PixelSpacing = None,
    config: ConfigFile = None,
    jobs: Jobs = None,
    timeout: Timeout = TIMEOUT_S,
    memory_limit: MemoryLimit = None,
    retry_failed: RetryFailed = False,
    log_file: LogFile = None,
    log_json: LogJson = None,
    metrics: MetricsFile = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print warnings only.")] = False,
) -> None:
    """Train a model of clusters on your labels and test it on patients kept apart.

    The same command goes on where it stopped. Of a folder of mammograms, which the options from
    --pixel-spacing to --metrics are for, what was found is in FILE_search beside the model.

    Exit code 0: all well; 1: the results cannot be written; 2: wrong usage or unusable tables.
    """
    from rich.console import Console

    from mcdetect.cli.console import log_to, output_console
    from mcdetect.errors import ConfigError, InputFileError, MissingSpacingError
    from mcdetect.output.folder import OutputError
    from mcdetect.training import MissingSklearnError, TrainingError, train_files
    from mcdetect.training.files import holds_tables, search_folder
    from mcdetect.validation.evaluation.plots import MissingPlotsError

    if not holds_tables(features):
        target = search_folder(out)
        with written(), wrong_usage(ConfigError, OutputError, MissingSpacingError):
            _search(
                features,
                target,
                Console(stderr=True),
                (log_file, log_json, metrics),
                quiet=quiet,
                config=config,
                pixel_spacing_mm=pixel_spacing,
                jobs=jobs,
                timeout_s=timeout or None,
                memory_gb=memory_limit,
                retry_failed=retry_failed,
            )
        features, images = target, images or [features]
    # What is logged stands among the notes, which are printed unless asked not to.
    log_to(Console(stderr=True), verbose=0, quiet=not quiet)
    unusable = (InputFileError, OutputError, TrainingError, ValueError)
    lacking = (MissingSklearnError, MissingPlotsError)
    with written("file"), wrong_usage(*unusable, *lacking), _bar(quiet) as progress:
        found = train_files(
            features,
            out,
            labels=labels,
            dataset=dataset,
            root=root,
            positive=positive,
            group=group.value,
            unmatched=unmatched.value,
            level=level.value,
            pooling=pooling.value,
            covariates=covariates,
            changes=changes or (),
            images=images or (),
            plots=not no_plots,
            report=report,
            model=model.value,
            features=_columns(use),
            leave_out=_columns(leave_out),
            calibrate=not no_calibration,
            folds=folds,
            repeats=repeats,
            permutations=permutations,
            samples=samples,
            stability_samples=stability_samples,
            seed=seed,
            progress=progress,
        )
    if not quiet:
        _print(output_console(), found, str(out))


def _search(
    folder: Path,
    out: Path,
    console: Console,
    files: tuple[Path | None, Path | None, Path | None],
    *,
    quiet: bool,
    config: Path | None,
    **options: Any,
) -> None:
    """Search a folder of mammograms, as far as that was not done before; end the verb when it is stopped."""
    from mcdetect.cli.following import followers
    from mcdetect.config import Config
    from mcdetect.runs import run_batch

    with closing(followers(console, 0, *files, quiet=quiet)) as told:
        options["config"] = Config.from_toml(config) if config is not None else None
        report = run_batch([folder], out, overlay=False, observer=told, **options)
    if report.interrupted:
        console.print("run the same command again to go on", markup=False, highlight=False)
        raise typer.Exit(stopped_by(report.signal))
    if not report.processed:
        raise complain(
            f"{folder.name} holds no clusters.csv, and no mammogram was searched in it", WRONG_USAGE
        )


@contextmanager
def _bar(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show how far training is: a bar on terminals, a line for each tenth elsewhere."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        bar = progress.add_task("training", total=None)
        told = [0]

        def tell(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)
            tenth = 10 * done // max(total, 1)
            if not quiet and not console.is_terminal and tenth > told[0]:
                told[0] = tenth
                console.print(f"training: {10 * tenth} %", markup=False, highlight=False)

        yield tell


def _print(console: Console, found: Training, out: str) -> None:
    from mcdetect.cli.console import one_line
    from mcdetect.training.page import in_words, line_of
    from mcdetect.training.report import measures_of

    for name, value in measures_of(found).items():
        console.print(line_of(name, value), markup=False, highlight=False, soft_wrap=True)
    console.print(one_line(in_words(found)), markup=False, highlight=False, soft_wrap=True)
    used = ", ".join(found.model.features[:8]) + (", ..." if len(found.model.features) > 8 else "")
    console.print(f"features: {one_line(used)}", markup=False, highlight=False, soft_wrap=True)
    for note in found.notes:
        console.print(f"note: {one_line(note)}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"model in {one_line(out)}, report beside it", markup=False, soft_wrap=True)
