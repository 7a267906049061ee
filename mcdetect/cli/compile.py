"""``mcdetect compile``: kernels made ready, as for the image of a container."""

from __future__ import annotations

import typer

from mcdetect.cli.exits import FAILED, complain
from mcdetect.cli.options import Quiet, Verbose

__all__ = ["compile_"]


def compile_(quiet: Quiet = False, verbose: Verbose = 0) -> None:
    """Compile all kernels now, once, instead of at the first image.

    They are kept in the folder that MCDETECT_CACHE_DIR names, else in the user's cache folder.
    """
    from rich.console import Console

    from mcdetect.cli.console import log_to
    from mcdetect.runs.compiling import fill_cache

    log_to(Console(stderr=True), verbose=verbose, quiet=quiet)
    folder = fill_cache()
    if folder is None:
        raise complain("no folder for the kernels can be written; name one by MCDETECT_CACHE_DIR", FAILED)
    if not quiet:
        typer.echo(f"compiled kernels are in {folder}")
