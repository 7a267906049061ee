"""``mcdetect compare``: the same breasts at two dates, two files or two folders."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mcdetect.cli.exits import FAILED, WRONG_USAGE, complain, stopped_by, written, wrong_usage
from mcdetect.cli.options import (
    TIMEOUT_S,
    ConfigFile,
    ForceAll,
    Jobs,
    LogFile,
    LogJson,
    MemoryLimit,
    MetricsFile,
    OutFolder,
    PixelSpacing,
    Quiet,
    RetryFailed,
    Timeout,
    Verbose,
    named,
)

if TYPE_CHECKING:
    from mcdetect.config import Config

__all__ = ["compare"]


def compare(
    prior: Annotated[
        str,
        typer.Argument(metavar="PRIOR", parser=named, help="The earlier image, or a folder of earlier ones."),
    ],
    current: Annotated[
        str,
        typer.Argument(
            metavar="CURRENT",
            parser=named,
            help="The later image (same breast, same view), or a folder of later ones.",
        ),
    ],
    out: OutFolder,
    pixel_spacing: PixelSpacing = None,
    prior_spacing: Annotated[
        float | None,
        typer.Option(metavar="MM", help="The same for prior images, when it differs."),
    ] = None,
    config: ConfigFile = None,
    no_picture: Annotated[bool, typer.Option("--no-picture", help="Draw no picture.")] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Also compare images that are not plain mammograms, or of other views by name."
        ),
    ] = False,
    jobs: Jobs = None,
    timeout: Timeout = TIMEOUT_S,
    memory_limit: MemoryLimit = None,
    retry_failed: RetryFailed = False,
    force_all: ForceAll = False,
    log_file: LogFile = None,
    log_json: LogJson = None,
    metrics: MetricsFile = None,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Compare mammograms of two dates: which groups are new, grown, stable or gone.

    Of two folders, images of one patient, breast and view are compared; the same command goes on where it
    stopped. The options from --jobs to --metrics are for folders.

    Exit code 0: all well; 1: a file or a pair failed, or nothing was compared, or two files do not register;
    2: wrong usage.
    """
    from rich.console import Console

    from mcdetect.cli.following import followers
    from mcdetect.config import Config
    from mcdetect.errors import ConfigError, MissingLibraryError, MissingSpacingError
    from mcdetect.output.folder import OutputError
    from mcdetect.readers.remote import is_address

    folders = [is_address(path) or Path(path).is_dir() for path in (prior, current)]
    if any(folders) and not all(folders):
        raise complain("PRIOR and CURRENT must be two files or two folders", WRONG_USAGE)
    errors = Console(stderr=True)
    with written("file"):
        told = followers(errors, verbose, log_file, log_json, metrics, quiet=quiet, noun="pairs")
    with written(), wrong_usage(ConfigError, OutputError, MissingLibraryError), closing(told):
        options = Config.from_toml(config) if config is not None else None
        if not all(folders):
            _files(prior, current, out, options, pixel_spacing, prior_spacing, no_picture, force, quiet)
            return
        from mcdetect.cli.changes import print_pairs
        from mcdetect.cli.console import output_console
        from mcdetect.runs.pairs import compare_folders

        with wrong_usage(MissingSpacingError, option="--pixel-spacing"):
            found = compare_folders(
                prior,
                current,
                out,
                config=options,
                pixel_spacing_mm=pixel_spacing,
                prior_spacing_mm=prior_spacing,
                picture=not no_picture,
                force=force,
                jobs=jobs,
                timeout_s=timeout or None,
                memory_gb=memory_limit,
                retry_failed=retry_failed,
                force_all=force_all,
                observer=told,
            )
    if not quiet:
        print_pairs(output_console(), found, str(out))
    if found.interrupted:
        errors.print("run the same command again to go on", markup=False, highlight=False)
        raise typer.Exit(stopped_by(found.signal))
    if found.failed or not found.compared:
        raise typer.Exit(FAILED)


def _files(
    prior: str,
    current: str,
    out: Path,
    config: Config | None,
    pixel_spacing: float | None,
    prior_spacing: float | None,
    no_picture: bool,
    force: bool,
    quiet: bool,
) -> None:
    """Compare two files."""
    from mcdetect.cli.changes import print_comparison
    from mcdetect.cli.console import output_console
    from mcdetect.errors import InputFileError, MissingSpacingError
    from mcdetect.runs.compare_files import compare_files

    try:
        found = compare_files(
            prior,
            current,
            out,
            config=config,
            pixel_spacing_mm=pixel_spacing,
            prior_spacing_mm=prior_spacing,
            picture=not no_picture,
            force=force,
        )
    except MissingSpacingError as error:
        if error.path is None:
            raise complain(f"--pixel-spacing: {error}", WRONG_USAGE) from error
        raise complain(str(error), FAILED) from error
    except InputFileError as error:
        raise complain(str(error), FAILED) from error
    if not quiet:
        print_comparison(output_console(), found, str(out))
    if not found.registered:
        message = (
            f"{Path(prior).name} and {Path(current).name} do not register, so no verdict is given; "
            "check that both show the same breast in the same view"
        )
        raise complain(message, FAILED)
