"""``mcdetect detect``: mammograms in, tables and pictures out."""

from __future__ import annotations

import sys
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mcdetect.cli.exits import FAILED, given_up, stopped_by, written, wrong_usage
from mcdetect.cli.options import (
    TIMEOUT_S,
    ConfigFile,
    ForceAll,
    Jobs,
    LogFile,
    LogJson,
    Magnification,
    MemoryLimit,
    MetricsFile,
    OutFolder,
    PixelSpacing,
    Quiet,
    RetryFailed,
    Specimens,
    Timeout,
    Verbose,
    named,
)
from mcdetect.config import GroupConfig
from mcdetect.output.further import FURTHER, UnknownOutputError

__all__ = ["detect"]

_RULE = GroupConfig()


class StudiesBy(StrEnum):
    """How images are grouped into examinations."""

    auto = "auto"
    folder = "folder"


def detect(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            parser=named,
            help="Files or folders (searched recursively), in any mix; addresses (s3://, https://), too; "
            "- reads a list from standard input.",
        ),
    ],
    out: OutFolder,
    pixel_spacing: PixelSpacing = None,
    magnification: Magnification = None,
    specimens: Specimens = False,
    min_count: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Calcifications that one disc must hold for a group to be flagged. "
            f"[default: {_RULE.min_count}]",
        ),
    ] = None,
    area_cm2: Annotated[
        float | None,
        typer.Option(
            "--area-cm2", metavar="CM2", help=f"Area of that disc in cm². [default: {_RULE.area_cm2}]"
        ),
    ] = None,
    hide_benign: Annotated[
        bool, typer.Option("--hide-benign", help="Flag no group of a typically benign kind.")
    ] = False,
    config: ConfigFile = None,
    model: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Your model of clusters, as train writes it; adds its score."),
    ] = None,
    studies_by: Annotated[
        StudiesBy,
        typer.Option(help="Images of one examination: by header (else folder), or those of a folder."),
    ] = StudiesBy.auto,
    candidates: Annotated[
        bool, typer.Option("--candidates", help="Also write every candidate with its score.")
    ] = False,
    also: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=f"Also write this: {', '.join(FURTHER)}. May be repeated."),
    ] = None,
    dicom_columns: Annotated[
        bool,
        typer.Option(
            "--dicom-columns",
            help="Add UIDs, maker and exposure to images.csv: they tell whose it is.",
        ),
    ] = False,
    no_overlay: Annotated[bool, typer.Option("--no-overlay", help="Draw no pictures.")] = False,
    jobs: Jobs = None,
    dask: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Search on a Dask cluster: tcp://HOST:8786, a scheduler file (*.json), or local.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also process images that are not plain mammograms.")
    ] = False,
    timeout: Timeout = TIMEOUT_S,
    memory_limit: MemoryLimit = None,
    retry_failed: RetryFailed = False,
    force_all: ForceAll = False,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="K/N", help="Work on the K-th of N parts, such as 3/16; merge puts them together."
        ),
    ] = None,
    log_file: LogFile = None,
    log_json: LogJson = None,
    metrics: MetricsFile = None,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Find calcifications and flag groups in mammograms.

    The same command goes on where it stopped: what is done of the same bytes is not done again.

    Exit code 0: all well, though files that are no mammograms were passed over (see skipped.csv); 1: some
    files failed (see failures.csv), or no image was searched; 2: wrong usage.
    """
    from rich.console import Console

    from mcdetect.cli.console import one_line, output_console, print_summary
    from mcdetect.cli.following import followers
    from mcdetect.config import Config
    from mcdetect.errors import ConfigError, MissingLibraryError, MissingSpacingError, UnreadableFileError
    from mcdetect.output.folder import OutputError
    from mcdetect.readers.examination import given_magnification
    from mcdetect.runs import ClusterError, LostClusterError, run_batch
    from mcdetect.runs.listing import parse_shard, read_list
    from mcdetect.schema import CLUSTERS
    from mcdetect.training import ClusterModel

    errors = Console(stderr=True)
    with written("file"):
        terminal = followers(errors, verbose, log_file, log_json, metrics, quiet=quiet)
    with wrong_usage(ValueError, option="--shard"):
        part = None if shard is None else parse_shard(shard)
    if listed := "-" in paths:
        paths = [path for path in paths if path != "-"] + read_list(sys.stdin.buffer)
    with (
        written(),
        wrong_usage(ConfigError, OutputError, MissingLibraryError),
        wrong_usage(ClusterError, option="--dask"),
        given_up(LostClusterError),
        wrong_usage(UnknownOutputError, option="--also"),
        wrong_usage(UnreadableFileError, option="--model"),
        wrong_usage(MissingSpacingError, option="--pixel-spacing"),
        closing(terminal),
    ):
        with wrong_usage(ValueError, option="--magnification"):
            given_magnification(magnification)
        options = Config.from_toml(config) if config is not None else Config()
        loaded = None if model is None else ClusterModel.load(model, reads=[c.name for c in CLUSTERS])
        if loaded is not None and loaded.joined and not quiet:
            lacking = one_line(", ".join(loaded.joined))
            errors.print(
                f"note: the model takes a middle value for what images do not tell: {lacking}", markup=False
            )
        report = run_batch(
            paths,
            out,
            config=options.replace(min_count=min_count, area_cm2=area_cm2, hide_benign=hide_benign or None),
            pixel_spacing_mm=pixel_spacing,
            candidates=candidates,
            overlay=not no_overlay,
            jobs=jobs,
            force=force,
            observer=terminal,
            model=loaded,
            studies_by=studies_by.value,
            also=also or (),
            dask=dask,
            magnification=magnification,
            specimens=specimens,
            dicom_columns=dicom_columns,
            timeout_s=timeout or None,
            memory_gb=memory_limit,
            retry_failed=retry_failed,
            force_all=force_all,
            shard=part,
            listed=listed,
        )
    if not quiet:
        print_summary(output_console(), report, str(out))
    if report.interrupted:
        errors.print("run the same command again to go on", markup=False, highlight=False)
        raise typer.Exit(stopped_by(report.signal))
    if report.failed or not report.processed:
        raise typer.Exit(FAILED)
