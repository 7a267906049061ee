"""The command line: verbs, exit codes and what is printed; the work is done elsewhere."""

from __future__ import annotations

import sys
import traceback
import warnings
from typing import Annotated

import typer

from mcdetect import __version__
from mcdetect.cli.benchmark import benchmark
from mcdetect.cli.compare import compare
from mcdetect.cli.compile import compile_
from mcdetect.cli.detect import detect
from mcdetect.cli.evaluate import evaluate
from mcdetect.cli.export import export
from mcdetect.cli.features import features
from mcdetect.cli.init_config import init_config
from mcdetect.cli.inspect import inspect
from mcdetect.cli.merge import merge
from mcdetect.cli.status import status
from mcdetect.cli.stereo import stereo
from mcdetect.cli.train import train

__all__ = ["app", "main"]

INTERNAL_ERROR = 3  # Technical: exit code after a bug of mcdetect

app = typer.Typer(
    name="mcdetect",
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("detect")(detect)
app.command("status")(status)
app.command("export")(export)
app.command("merge")(merge)
app.command("inspect")(inspect)
app.command("evaluate")(evaluate)
app.command("compare")(compare)
app.command("stereo")(stereo)
app.command("benchmark")(benchmark)
app.command("features")(features)
app.command("train")(train)
app.command("init-config")(init_config)
app.command("compile")(compile_)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mcdetect {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Finds microcalcifications in mammograms and flags groups of five or more within 1 cm².

    For research use; not a medical device.
    """


def main() -> None:
    """Run the command line."""
    # Warnings of other libraries may quote the header; our own are logged where they arise.
    warnings.simplefilter("ignore")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        app()
    except Exception as error:  # noqa: BLE001  (the last line of defence: no wall of text for users)
        where = traceback.extract_tb(error.__traceback__)[-1]
        name = type(error).__name__
        typer.echo(
            f"error: unexpected {name} in {where.name} (line {where.lineno}); "
            "please report this as a bug of mcdetect",
            err=True,
        )
        sys.exit(INTERNAL_ERROR)
