"""``mcdetect inspect``: what the loader makes of a file."""

from __future__ import annotations

from typing import Annotated

import typer

from mcdetect.cli.exits import FAILED, complain, wrong_usage

__all__ = ["inspect"]


def inspect(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A DICOM file or a plain image.")],
    pixel_spacing: Annotated[
        float | None,
        typer.Option(metavar="MM", help="Pixel spacing in mm, as it would be given to detect."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Judge the file as detect --force would.")] = False,
) -> None:
    """Show what is understood of a file, and whether it would be processed.

    Exit code 0: it would be processed; 1: it would not; 2: wrong usage.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from mcdetect.cli.console import one_line, output_console
    from mcdetect.errors import InputFileError
    from mcdetect.readers.inspection import inspect as inspect_file

    with wrong_usage(ValueError):
        try:
            found = inspect_file(file, pixel_spacing_mm=pixel_spacing, force=force)
        except InputFileError as error:
            raise complain(str(error), FAILED) from error
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in found.rows():
        table.add_row(Text(name), Text(one_line(value)))
    output_console().print(table)
    if not found.eligible:
        raise typer.Exit(FAILED)
