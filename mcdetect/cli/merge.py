"""``mcdetect merge``: output folders of several machines in one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mcdetect.cli.exits import written, wrong_usage
from mcdetect.cli.options import OutFolder, Quiet

__all__ = ["merge"]


def merge(
    folders: Annotated[
        list[Path], typer.Argument(metavar="OUT", help="Output folders of detect: shards, or other files.")
    ],
    out: OutFolder,
    quiet: Quiet = False,
) -> None:
    """Put output folders together as if one run had done all.

    Shards (detect --shard) give the tables of the undivided run, to the byte.

    Exit code 0: all well; 1: the results cannot be written; 2: wrong usage or other options.
    """
    from rich.console import Console

    from mcdetect.cli.console import log_to, one_line
    from mcdetect.output.lock import OutputError
    from mcdetect.runs.merging import merge_runs

    log_to(Console(stderr=True), verbose=0, quiet=quiet)
    with written(), wrong_usage(OutputError):
        found = merge_runs(folders, out)
    if quiet:
        return
    left = f", {found.left} not done yet" if found.left else ""
    typer.echo(f"{found.done} images of {len(folders)} folders, {found.failed} failed{left}")
    typer.echo(f"results in {one_line(str(out))}")
