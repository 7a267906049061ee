"""``mcdetect compare``: the same breast at two dates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mcdetect.cli.exits import FAILED, WRONG_USAGE, complain, written, wrong_usage
from mcdetect.cli.options import ConfigFile, OutFolder, PixelSpacing, Quiet, Verbose

__all__ = ["compare"]


def compare(
    prior: Annotated[Path, typer.Argument(metavar="PRIOR", help="The earlier image.")],
    current: Annotated[
        Path, typer.Argument(metavar="CURRENT", help="The later image: same breast, same view.")
    ],
    out: OutFolder,
    pixel_spacing: PixelSpacing = None,
    prior_spacing: Annotated[
        float | None,
        typer.Option(metavar="MM", help="The same for the prior image, when it differs."),
    ] = None,
    config: ConfigFile = None,
    no_picture: Annotated[bool, typer.Option("--no-picture", help="Draw no picture.")] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Also compare images that are not plain mammograms, or of other views by name."
        ),
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Compare two mammograms of one breast: which groups are new, grown, stable or gone.

    Exit code 0: all well; 1: a file failed, or the two do not register; 2: wrong usage.
    """
    from rich.console import Console

    from mcdetect.cli.changes import print_comparison
    from mcdetect.cli.console import log_to, output_console
    from mcdetect.config import Config
    from mcdetect.errors import ConfigError, InputFileError, MissingSpacingError
    from mcdetect.output.folder import OutputError
    from mcdetect.runs.compare_files import compare_files

    log_to(Console(stderr=True), verbose=verbose, quiet=quiet)
    with written(), wrong_usage(ConfigError, OutputError):
        try:
            found = compare_files(
                prior,
                current,
                out,
                config=Config.from_toml(config) if config is not None else None,
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
            f"{prior.name} and {current.name} do not register, so no verdict is given; "
            "check that both show the same breast in the same view"
        )
        raise complain(message, FAILED)
