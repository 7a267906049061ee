"""Options that several verbs share, so that they read and work alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "TIMEOUT_S",
    "ConfigFile",
    "ForceAll",
    "Jobs",
    "LogFile",
    "LogJson",
    "Magnification",
    "MemoryLimit",
    "MetricsFile",
    "NoPlots",
    "OutFolder",
    "PixelSpacing",
    "Quiet",
    "RetryFailed",
    "Samples",
    "Seed",
    "Specimens",
    "Timeout",
    "Verbose",
    "named",
]


def named(text: str) -> str:
    """Return the name of a file or folder; an empty one would be the folder here."""
    if not text:
        raise typer.BadParameter("the name is empty")
    return text


def _folder(text: str) -> Path:
    return Path(named(text))


OutFolder = Annotated[
    Path,
    typer.Option(
        "--out", "-o", metavar="OUT", parser=_folder, help="Folder for the results; made if needed."
    ),
]
ConfigFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Configuration (TOML), as init-config writes it.")
]
PixelSpacing = Annotated[
    float | None, typer.Option(metavar="MM", help="Pixel spacing in mm of images whose header has none.")
]
Magnification = Annotated[
    float | None,
    typer.Option(
        metavar="FACTOR",
        help="Magnification of magnification views whose header does not tell it.",
    ),
]
Specimens = Annotated[
    bool, typer.Option("--specimens", help="Also take radiographs of specimens, which are searched as crops.")
]
Jobs = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Worker processes. [default: by images, cores and memory]"),
]
TIMEOUT_S = 300.0  # Judged: the largest images take 30 s on a slow machine; what takes longer hangs
Timeout = Annotated[
    float,
    typer.Option(metavar="S", min=0.0, help="Most seconds for one image; 0 for no limit, in this process."),
]
MemoryLimit = Annotated[
    float | None,
    typer.Option(metavar="GB", help="Most memory for one image. [default: a share of what is there]"),
]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Do again what failed in an earlier run.")]
ForceAll = Annotated[bool, typer.Option("--force-all", help="Do everything again, also what is done.")]
LogFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Append what is done to this file, as text.")
]
LogJson = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The same as JSON, with a line for each image.")
]
MetricsFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Keep figures for Prometheus in this file (*.prom).")
]
Samples = Annotated[int, typer.Option(metavar="N", min=0, help="Bootstrap samples of patients.")]
Seed = Annotated[int, typer.Option(metavar="N", help="Of the bootstrap.")]
NoPlots = Annotated[bool, typer.Option("--no-plots", help="Draw no curves.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print failures only.")]
Verbose = Annotated[int, typer.Option("--verbose", "-v", count=True, help="Say more; -vv for everything.")]
