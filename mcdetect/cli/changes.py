"""What the terminal shows of a comparison."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.text import Text

from mcdetect.cli.console import one_line

if TYPE_CHECKING:
    from rich.console import Console

    from mcdetect.exams.comparison.compare import Comparison
    from mcdetect.runs.pairs import ComparedFolders

__all__ = ["print_comparison", "print_pairs"]

_STYLES = {"new": "bold red", "grown": "bold yellow"}


def print_comparison(console: Console, found: Comparison, out: str) -> None:
    """Print the registration, the flagged groups with their verdicts, and where the results are."""
    from rich import box
    from rich.table import Table

    quality = found.registration
    state = "registered" if quality.registered else "not registered"
    console.print(
        f"{state}: agreement {quality.agreement:.2f}, overlap {quality.overlap:.2f}, "
        f"uncertainty {quality.uncertainty_mm:.1f} mm",
        highlight=False,
    )
    shown = found.changes[found.changes["current_flagged"] | found.changes["prior_flagged"]]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("group", justify="right")
    table.add_column("verdict", no_wrap=True)
    for name in ("prior", "current", "change", "matched"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("note", overflow="fold")
    for row in shown.to_dict("records"):
        verdict = str(row["verdict"])
        table.add_row(
            str(row["change_id"]),
            Text(verdict, style=_STYLES.get(verdict, "")),
            _number(row["number_prior"], ".0f"),
            _number(row["number_current"], ".0f"),
            _number(row["number_change"], "+.0f", f" ± {row['number_change_sd']:.1f}"),
            str(row["n_matched"]),
            Text(one_line(str(row["note"]))),
        )
    if len(shown):
        console.print(table)
    counts = found.summary()["flagged_groups"]
    console.print(
        ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) + " (flagged groups)",
        highlight=False,
    )
    console.print(Text(f"results in {one_line(out)}"), soft_wrap=True)


_MOST_ROWS = 30  # Technical: pairs that a terminal lists


def print_pairs(console: Console, found: ComparedFolders, out: str) -> None:
    """Print the pairs of two folders, those with new and grown groups of many, and what has no partner."""
    from rich import box
    from rich.table import Table

    pairs = found.pairs
    compared = pairs[pairs["status"].isin(["compared", "not registered"])]
    if len(compared) > _MOST_ROWS:
        compared = compared[compared[["n_new", "n_grown"]].sum(axis=1) > 0]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("prior", "current"):
        table.add_column(name, overflow="fold")
    table.add_column("view", no_wrap=True)
    for name in ("new", "grown", "stable", "gone", "uncertain"):
        table.add_column(name, justify="right", no_wrap=True, style=_STYLES.get(name, ""))
    table.add_column("", no_wrap=True)
    for row in compared.head(_MOST_ROWS).to_dict("records"):
        counts = [row[f"n_{name}"] for name in ("new", "grown", "stable", "gone", "uncertain")]
        table.add_row(
            Text(one_line(str(row["prior_file"]))),
            Text(one_line(str(row["current_file"]))),
            f"{row['laterality']} {row['view']}".strip(),
            *("" if not count else _number(count, ".0f") for count in counts),
            "" if row["status"] == "compared" else str(row["status"]),
        )
    if len(compared):
        console.print(table)
    if len(compared) > _MOST_ROWS:
        console.print(f"... and {len(compared) - _MOST_ROWS} more pairs with new or grown groups")
    known = f" ({found.reused} of them known from an earlier run)" if found.reused else ""
    parts = [f"{found.compared} pairs compared{known}"]
    for status, words in _WITHOUT.items():
        if number := found.counts.get(status, 0):
            parts.append(f"{number} {words} (see pairs.csv)")
    parts += [f"{found.failed} failed (see failures.csv)"] if found.failed else []
    parts += [f"{found.skipped} files passed over (see skipped.csv)"] if found.skipped else []
    parts += [f"{found.duplicates} duplicates left out"] if found.duplicates else []
    parts += ["stopped early"] if found.interrupted else []
    console.print(", ".join(parts), highlight=False)
    console.print(Text(f"results in {one_line(out)}"), soft_wrap=True)


_WITHOUT = {
    "not registered": "of them do not register",
    "no prior": "current images without prior",
    "not compared": "prior images that no image is compared with",
}


def _number(value: float, form: str, after: str = "") -> str:
    return "" if math.isnan(value) else f"{value:{form}}{after}"
