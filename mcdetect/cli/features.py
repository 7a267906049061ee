"""``mcdetect features``: what the columns of the tables are."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from mcdetect.cli.exits import WRONG_USAGE, complain

__all__ = ["features"]


class _Level(StrEnum):
    calcification = "calcification"
    cluster = "cluster"


def features(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Features to describe in full; all are listed without."),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List all features (the default).")] = False,
    level: Annotated[
        _Level | None, typer.Option(help="Only features of single calcifications, or of clusters.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Say what every feature is: formula, unit, range, source, and how stable it is.

    Stability is the intra-class correlation ICC(2,1) under other noise, a shift by one pixel, and resampling:
    here on phantoms, and with a name also on real images. Those that repeat badly there are marked.
    """
    import json

    from rich import box
    from rich.table import Table
    from rich.text import Text

    from mcdetect import feature_dictionary
    from mcdetect.cli.console import output_console

    found = feature_dictionary(level.value if level else None)
    wanted = [] if list_ else list(dict.fromkeys(names or ()))
    unknown = [name for name in wanted if name not in {f.name for f in found}]
    if unknown:
        raise complain(f"no feature is called {unknown[0]!r}; see mcdetect features --list", WRONG_USAGE)
    if wanted:
        found = tuple(f for name in wanted for f in found if f.name == name)
    if as_json:
        typer.echo(json.dumps([f.as_dict() for f in found], indent=2))
        return
    console = output_console()
    if wanted:
        for feature in found:
            table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
            table.add_column(style="bold", no_wrap=True)
            table.add_column(overflow="fold")
            for key, value in feature.rows():
                table.add_row(Text(key), Text(value))
            console.print(table)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("feature", "level", "unit"):
        table.add_column(column, no_wrap=True)
    table.add_column("range")
    for column in ("noise", "shift", "coarser", "stable"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("formula", overflow="fold")
    for f in found:
        stable = "yes" if f.stable else "no"
        table.add_row(*map(Text, (f.name, f.level, f.unit, f.span, *f.stability, stable, f.formula)))
    console.print(table)
