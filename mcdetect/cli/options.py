"""Options that several verbs share, so that they read and work alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Jobs", "OutFolder", "Quiet", "Verbose"]

OutFolder = Annotated[
    Path, typer.Option("--out", "-o", metavar="OUT", help="Folder for the results; made if needed.")
]
Jobs = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Worker processes. [default: by images, cores and memory]"),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print failures only.")]
Verbose = Annotated[int, typer.Option("--verbose", "-v", count=True, help="Say more; -vv for everything.")]
