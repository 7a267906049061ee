"""``mcdetect inspect``: what the loader makes of files, before anything is searched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mcdetect.cli.exits import FAILED, complain, wrong_usage
from mcdetect.cli.options import Magnification, Specimens, named

if TYPE_CHECKING:
    from mcdetect.readers.inspection import Inspection
    from mcdetect.runs.inspect_files import FilesInspection

__all__ = ["inspect"]


def inspect(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH", parser=named, help="A file; or files and folders, for a table."),
    ],
    pixel_spacing: Annotated[
        float | None,
        typer.Option(metavar="MM", help="Pixel spacing in mm, as it would be given to detect."),
    ] = None,
    magnification: Magnification = None,
    specimens: Specimens = False,
    force: Annotated[bool, typer.Option("--force", help="Judge the file as detect --force would.")] = False,
    headers: Annotated[
        bool, typer.Option("--headers", help="Look at headers only: quick; bad pixels are not seen.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the whole table as CSV.")] = False,
    dicom_columns: Annotated[
        bool, typer.Option("--dicom-columns", help="Add UIDs to JSON and CSV: they tell whose it is.")
    ] = False,
) -> None:
    """Show what is understood of a file or of all files of a folder, and what would be processed.

    Exit code 0: all would be processed or passed over; 1: some would fail; 2: wrong usage.
    """
    with wrong_usage(ValueError):
        if len(paths) == 1 and not Path(paths[0]).is_dir() and not as_csv:
            options = pixel_spacing, magnification, specimens, force, headers
            _one_file(paths[0], options, as_json, dicom_columns)
            return
        from mcdetect.runs.inspect_files import inspect_files

        with _Progress() as progress:
            found = inspect_files(
                paths,
                pixel_spacing_mm=pixel_spacing,
                force=force,
                magnification=magnification,
                specimens=specimens,
                pixels=not headers,
                dicom_columns=dicom_columns,
                told=progress.told,
            )
    if as_json:
        rows = json.loads(found.table.to_json(orient="records"))  # not-a-number as null
        typer.echo(json.dumps({"summary": found.summary(), "files": rows}, indent=2))
    elif as_csv:
        from mcdetect.output.tables import csv_text

        typer.echo(csv_text(found.table, header=True), nl=False)
    else:
        _print_files(found)
    summary = found.summary()
    if summary["failed"] or not summary["processed"]:
        raise typer.Exit(FAILED)


def _one_file(
    file: str,
    options: tuple[float | None, float | None, bool, bool, bool],
    as_json: bool,
    dicom_columns: bool,
) -> None:
    from mcdetect.errors import InputFileError
    from mcdetect.readers.inspection import inspect as inspect_file

    pixel_spacing, magnification, specimens, force, headers = options

    try:
        found = inspect_file(
            file,
            pixel_spacing_mm=pixel_spacing,
            force=force,
            magnification=magnification,
            specimens=specimens,
            pixels=not headers,
        )
    except InputFileError as error:
        raise complain(str(error), FAILED) from error
    if as_json:
        shown = {
            **found.facts,
            "flags": list(found.flags),
            "processed": found.eligible,
            "reasons": list(found.reasons),
            **{k: v for k, v in found.header.items() if dicom_columns or not k.endswith("_uid")},
        }
        typer.echo(json.dumps(shown, indent=2))
    else:
        _print_file(found)
    if not found.eligible:
        raise typer.Exit(FAILED)


def _print_file(found: Inspection) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from mcdetect.cli.console import one_line, output_console

    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in found.rows():
        table.add_row(Text(name), Text(one_line(value)))
    output_console().print(table)


def _print_files(found: FilesInspection) -> None:
    """Print a row for each file, then what they have in common."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from mcdetect.cli.console import one_line, output_console

    console = output_console()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("file", "view", "size", "mm/px", "bits", "maker", "remarks, or why it is not processed"):
        table.add_column(name, overflow="fold")
    for row in found.table.to_dict("records"):
        fit, spacing = row["processed"], row["row_spacing_mm"]
        what = "passed over" if row["passed_over"] else "no"
        why = row["flags"] if fit else f"{what}: {row['reason']}"
        table.add_row(
            Text(one_line(row["file"])),
            Text(one_line(f"{row['laterality']} {row['view']}".strip())),
            f"{row['rows']} x {row['cols']}" if row["rows"] else "",
            f"{spacing:.4g}" if spacing == spacing else "",
            Text(one_line(row["bits"].partition(",")[0])),
            Text(one_line(f"{row['manufacturer']} {row['model']}".strip())),
            Text(one_line(why), style="" if fit else "dim" if row["passed_over"] else "red"),
        )
    if len(found.table):
        console.print(table)
    summary = found.summary()
    console.print(
        f"{summary['files']} files: {summary['processed']} would be processed, "
        f"{summary['passed_over']} passed over, {summary['failed']} would fail; "
        f"{summary['duplicates']} duplicates left out; {summary['studies']} examinations",
        highlight=False,
    )
    for name in ("views", "makers", "spacings", "intents", "flags", "reasons"):
        if summary[name]:
            parts = ", ".join(f"{value}: {count}" for value, count in summary[name].items())
            console.print(Text(one_line(f"{name}: {parts}")), soft_wrap=True)


class _Progress:
    """A bar on the error stream, where that is a terminal."""

    def __enter__(self) -> _Progress:
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        self._bar = Progress(console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("looking", total=None)
        self._bar.start()
        return self

    def told(self, done: int, total: int) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=done, total=total)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
