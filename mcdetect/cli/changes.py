"""What the terminal shows of a comparison."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.text import Text

from mcdetect.cli.console import one_line

if TYPE_CHECKING:
    from rich.console import Console

    from mcdetect.exams.comparison.compare import Comparison

__all__ = ["print_comparison"]

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


def _number(value: float, form: str, after: str = "") -> str:
    return "" if math.isnan(value) else f"{value:{form}}{after}"
