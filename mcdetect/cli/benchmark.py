"""``mcdetect benchmark``: a public data set in, a results page out."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcdetect.cli.exits import FAILED, complain, stopped_by, written, wrong_usage
from mcdetect.cli.options import ConfigFile, Jobs, NoPlots, OutFolder, Quiet, Samples, Seed, Verbose

if TYPE_CHECKING:
    from rich.console import Console

    from mcdetect.validation.benchmark import BenchmarkReport

__all__ = ["benchmark"]


def _list(wanted: bool) -> None:
    if wanted:
        from mcdetect.cli.console import output_console

        print_datasets(output_console())
        raise typer.Exit


def _known(name: str) -> str:
    """Refuse a name that no data set has, before anything else is asked for."""
    from mcdetect.validation.datasets import option_names

    with wrong_usage(ValueError):
        option_names(name)
    return name


def _pairs(pairs: list[str] | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs or []:
        name, sign, value = pair.partition("=")
        if not (sign and name.strip() and value):
            raise typer.BadParameter("--option: write NAME=VALUE, such as spacing_table=scanners.csv")
        found[name.strip().replace("-", "_")] = value
    return found


def benchmark(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", callback=_known, help="Data set; --list tells which there are."),
    ],
    root: Annotated[Path, typer.Option("--root", metavar="DIR", help="Folder that holds the data set.")],
    out: OutFolder,
    listing: Annotated[
        bool,
        typer.Option(
            "--list", callback=_list, is_eager=True, help="Tell what each data set needs, and exit."
        ),
    ] = False,
    config: ConfigFile = None,
    pixel_spacing: Annotated[
        float | None,
        typer.Option(metavar="MM", help="Pixel spacing in mm, for sets that take one (generic)."),
    ] = None,
    split: Annotated[
        str | None, typer.Option(metavar="NAME", help="Part of the set, such as train or test.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Take the first N cases that can be evaluated.")
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Matching rule, repeatable: hdogreg (usual), calcdet, lenient for calcifications; "
            "kallergi1999 (usual), centroid, dbtex for clusters; with _many, a group may find several.",
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Another option of the data set, such as spacing_table=FILE; repeatable.",
        ),
    ] = None,
    jobs: Jobs = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Work on every case anew, also on those that are done.")
    ] = False,
    samples: Samples = 1000,
    seed: Seed = 0,
    no_plots: NoPlots = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Run detector and evaluation over a public data set; stopped runs go on where they were.

    Exit code 0: all well; 1: some cases failed (see failures.csv); 2: wrong usage or unusable data.
    """
    from rich.console import Console

    from mcdetect.cli.console import Terminal, log_to, output_console
    from mcdetect.config import Config
    from mcdetect.errors import ConfigError, InputFileError
    from mcdetect.validation.benchmark import BenchmarkError, run_benchmark
    from mcdetect.validation.evaluation import TableError
    from mcdetect.validation.evaluation.plots import MissingPlotsError

    errors = Console(stderr=True)
    log_to(errors, verbose=verbose, quiet=quiet)
    terminal = Terminal(errors, quiet=quiet)
    options = _pairs(option)
    if pixel_spacing is not None:
        options["pixel_spacing_mm"] = pixel_spacing
    unusable = (BenchmarkError, ConfigError, InputFileError, MissingPlotsError, TableError, ValueError)
    with written(), wrong_usage(*unusable), closing(terminal):
        report = run_benchmark(
            name,
            root,
            out,
            config=None if config is None else Config.from_toml(config),
            options=options,
            split=split,
            limit=limit,
            rules=rule or (),
            jobs=jobs,
            restart=restart,
            samples=samples,
            seed=seed,
            plots=not no_plots,
            observer=terminal,
        )
    if report.interrupted:
        raise complain("stopped early; run the same command again to go on", stopped_by(report.signal))
    if not quiet:
        _print_report(output_console(), report, str(out))
    if report.failed:
        raise typer.Exit(FAILED)


def _print_report(console: Console, report: BenchmarkReport, out: str) -> None:
    from mcdetect.cli.console import one_line
    from mcdetect.cli.figures import print_evaluation

    for label, found in report.evaluations.items():
        console.rule(label.replace("_", ", "), style="dim")
        print_evaluation(console, found, ("all", "normal"))
    states = ", ".join(f"{number} {status}" for status, number in report.status.items())
    parts = [f"cases: {states}", f"{report.processed} processed", f"{report.reused} done before"]
    parts += [f"{len(report.failed)} failed (see failures.csv)"] if report.failed else []
    console.print("; ".join(parts), markup=False, highlight=False, soft_wrap=True)
    console.print(f"results in {one_line(out)}, page RESULTS.md", markup=False, soft_wrap=True)


def print_datasets(console: Console) -> None:
    """Print what each data set is, what it needs and where its owner publishes it."""
    from rich.table import Table
    from rich.text import Text

    from mcdetect.validation.datasets import describe, option_names

    for info in describe():
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column(style="dim", no_wrap=True, min_width=13)
        table.add_column(overflow="fold")
        for label, value in (
            ("published at", info.home),
            ("licence", info.licence),
            ("reference", info.reference),
            ("needs", info.layout),
            ("truth", info.truth),
            ("pixel spacing", info.spacing),
            ("options", ", ".join(option_names(info.name)) or "none"),
        ):
            table.add_row(label, Text(value))
        console.print(Text.assemble((info.name, "bold"), f": {info.title}"), soft_wrap=True)
        console.print(table)
        console.print()
