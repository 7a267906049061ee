"""``mcdetect export``: the tables of a run in other formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mcdetect.cli.exits import written, wrong_usage
from mcdetect.cli.options import Quiet

__all__ = ["export"]


def export(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Output folder of detect.")],
    form: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="csv, parquet, json, duckdb or coco; may be repeated. [default: csv, parquet]",
        ),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the tables. [default: OUT]")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Write the tables of the last run again, from its store; also of a run that was killed.

    Exit code 0: all well; 1: the tables cannot be written; 2: wrong usage.
    """
    from mcdetect.cli.console import one_line
    from mcdetect.output.lock import OutputError
    from mcdetect.output.tables import FORMATS
    from mcdetect.runs.exporting import MissingDuckdbError, export_run

    with written(), wrong_usage(OutputError, MissingDuckdbError), wrong_usage(ValueError, option="--format"):
        rows = export_run(out, form or FORMATS, to)
    if not quiet:
        typer.echo(", ".join(f"{number} {name}" for name, number in rows.items()))
        typer.echo(f"tables in {one_line(str(to or out))}")
