"""``mcdetect status``: how far a run is."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from mcdetect.cli.exits import wrong_usage

__all__ = ["status"]


def status(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Output folder of detect.")],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Tell how far the last run of an output folder is, also while it works.

    Exit code 0: all well; 2: the folder holds no run.
    """
    import dataclasses
    import json

    from mcdetect.output.lock import OutputError
    from mcdetect.runs.pace import in_words
    from mcdetect.runs.status import run_status

    with wrong_usage(OutputError):
        found = run_status(out)
    if as_json:
        told = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in dataclasses.asdict(found).items()
        }
        typer.echo(json.dumps(told, indent=1))
        return
    lines = [("state", found.state)]
    if found.holder:
        lines.append(("process", f"{found.holder.get('pid')} on {found.holder.get('host')}"))
    known = f" ({found.reused} known from an earlier run)" if found.reused else ""
    lines += [
        ("started", _when(found.started)),
        ("done", f"{found.done}{known}"),
        ("failed", str(found.failed)),
    ]
    lines += [("skipped", f"{found.skipped} other files, {found.duplicates} duplicates")]
    lines += [("left", str(found.left))]
    if math.isfinite(found.rate):
        lines.append(("rate", f"{found.rate:.3g} images per s"))
    if found.state == "running" and math.isfinite(found.left_s):
        lines.append(("expected end", f"{_when(found.updated + found.left_s)}, in {in_words(found.left_s)}"))
    if found.state not in ("running", "complete"):
        lines.append(("to go on", "run the same command again"))
    for name, value in lines:
        typer.echo(f"{name:14s}{value}")


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(" ", timespec="seconds")
