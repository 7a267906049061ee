"""``mcdetect compare``: the same breast at two dates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["compare"]

FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130


def compare(
    prior: Annotated[Path, typer.Argument(metavar="PRIOR", help="The earlier image.")],
    current: Annotated[
        Path, typer.Argument(metavar="CURRENT", help="The later image: same breast, same view.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="OUT", help="Folder for the results; made if needed.")
    ],
    pixel_spacing: Annotated[
        float | None,
        typer.Option(metavar="MM", help="Pixel spacing in mm of images whose header has none."),
    ] = None,
    prior_spacing: Annotated[
        float | None,
        typer.Option(metavar="MM", help="The same for the prior image, when it differs."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Configuration (TOML), as init-config writes it."),
    ] = None,
    no_picture: Annotated[bool, typer.Option("--no-picture", help="Draw no picture.")] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Also compare images that are not plain mammograms, or of other views by name."
        ),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print failures only.")] = False,
    verbose: Annotated[
        int, typer.Option("--verbose", "-v", count=True, help="Say more; -vv for everything.")
    ] = 0,
) -> None:
    """Compare two mammograms of one breast: which groups are new, grown, stable or gone.

    Exit code 0: all well; 1: a file failed, or the two do not register; 2: wrong usage.
    """
    from rich.console import Console

    from mcdetect.cli.changes import print_comparison
    from mcdetect.cli.console import log_to, one_line, output_console
    from mcdetect.comparison.folder import compare_files
    from mcdetect.config import Config
    from mcdetect.errors import ConfigError, InputFileError, MissingSpacingError
    from mcdetect.output.folder import OutputError

    log_to(Console(stderr=True), verbose=verbose, quiet=quiet)
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
    except (ConfigError, OutputError) as error:
        raise typer.Exit(_complain(one_line(str(error)), WRONG_USAGE)) from error
    except MissingSpacingError as error:
        wrong = error.path is None
        message = f"--pixel-spacing: {error}" if wrong else str(error)
        raise typer.Exit(_complain(one_line(message), WRONG_USAGE if wrong else FAILED)) from error
    except InputFileError as error:
        raise typer.Exit(_complain(one_line(str(error)), FAILED)) from error
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        message = f"the results cannot be written ({reason}); make room or name another folder"
        raise typer.Exit(_complain(message, FAILED)) from error
    except KeyboardInterrupt:
        raise typer.Exit(_complain("stopped", INTERRUPTED)) from None
    if not quiet:
        print_comparison(output_console(), found, str(out))
    if not found.registered:
        message = (
            f"{prior.name} and {current.name} do not register, so no verdict is given; "
            "check that both show the same breast in the same view"
        )
        raise typer.Exit(_complain(one_line(message), FAILED))


def _complain(message: str, code: int) -> int:
    typer.echo(f"error: {message}", err=True)
    return code
