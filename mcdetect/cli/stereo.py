"""``mcdetect stereo``: how deep calcifications lie, from a stereotactic pair."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mcdetect.cli.exits import FAILED, WRONG_USAGE, complain, written, wrong_usage
from mcdetect.cli.options import ConfigFile, Magnification, Quiet, Verbose

__all__ = ["stereo"]


def stereo(
    first: Annotated[Path, typer.Argument(metavar="A", help="One image of the pair.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="The other, from another angle.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="OUT", help="Folder for tables, if wanted.")
    ] = None,
    angles: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="A B", help="Angles in degrees to the detector's normal, if headers lack them."),
    ] = None,
    source_detector: Annotated[
        float | None,
        typer.Option(metavar="MM", min=200, max=2000, help="Distance of source and detector in mm."),
    ] = None,
    pivot: Annotated[
        float | None,
        typer.Option(metavar="MM", min=0, max=200, help="Height of the pivot over the detector."),
    ] = None,
    pixel_spacing: Annotated[
        float | None,
        typer.Option(metavar="MM", help="Pixel spacing at the detector of images whose header has none."),
    ] = None,
    magnification: Magnification = None,
    config: ConfigFile = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also take images that are not plain mammograms.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Measure how deep groups lie, from their shift between two exposures of known angles.

    Exit code 0: all well; 1: a file failed, or the two are no pair; 2: wrong usage.
    """
    import json

    from rich.console import Console

    from mcdetect.cli.console import log_to, output_console
    from mcdetect.cli.depths import print_depths
    from mcdetect.config import Config
    from mcdetect.errors import ConfigError, InputFileError
    from mcdetect.output.folder import OutputError
    from mcdetect.runs.stereo_files import stereo_files

    log_to(Console(stderr=True), verbose=verbose, quiet=quiet)
    with written(), wrong_usage(ConfigError, OutputError, ValueError):
        try:
            found = stereo_files(
                first,
                second,
                out,
                config=Config.from_toml(config) if config is not None else None,
                angles_deg=angles,
                source_detector_mm=source_detector,
                pivot_mm=pivot,
                pixel_spacing_mm=pixel_spacing,
                magnification=magnification,
                force=force,
            )
        except InputFileError as error:
            raise complain(str(error), FAILED if error.path is not None else WRONG_USAGE) from error
    if as_json:
        # pandas writes not-a-number as null
        tables = {name: json.loads(table.to_json(orient="records")) for name, table in found.tables().items()}
        typer.echo(json.dumps({**found.summary(), **tables}, indent=2))
    elif not quiet:
        print_depths(output_console(), found)
