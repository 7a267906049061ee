"""How the figures of an evaluation look in the terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from mcdetect.cli.console import one_line

if TYPE_CHECKING:
    from mcdetect.validation.evaluation import Evaluation

__all__ = ["print_evaluation"]

_NAMES = {
    "sensitivity": "sensitivity at",
    "partial_area": "mean sensitivity up to",
    "end_sensitivity": "sensitivity, all marks, at",
    "jafroc": "JAFROC figure of merit (against normal images)",
    "jafroc1": "JAFROC1 figure of merit (against all images)",
}
_PARTS = {"diameter_mm": "diameter", "snr": "SNR", "dots": "", "grouping": "", "members": "members"}
_UNITS = {"diameter_mm": " mm"}


def _number(value: Any) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.3f}"


def _range(low: float, high: float) -> str:
    return "" if math.isnan(low) or math.isnan(high) else f"{low:.3f} to {high:.3f}"


def _difference(row: Any) -> tuple[str, str, str]:
    both = "" if math.isnan(row.low) else f" [{row.low:+.3f}, {row.high:+.3f}]"
    gap = "–" if math.isnan(row.difference) else f"{row.difference:+.3f}{both}"
    return _number(row.other), gap, "" if math.isnan(row.p_value) else f"{row.p_value:.3f}"


def print_evaluation(console: Console, found: Evaluation, pools: tuple[str, ...]) -> None:
    """Print what was evaluated, and one table of figures.

    Parameters
    ----------
    console : Console
    found : Evaluation
    pools : tuple of str
        Which false positives to show.
    """
    about = Table(box=None, show_header=False, pad_edge=False)
    about.add_column(style="bold", no_wrap=True)
    about.add_column(overflow="fold")
    for name, value in found.describe():
        about.add_row(Text(name), Text(one_line(value)))
    for note in found.notes:
        about.add_row(Text("note", style="yellow"), Text(one_line(note)))
    console.print(about)
    console.print(_table(found, pools))


def _table(found: Evaluation, pools: tuple[str, ...]) -> Table:
    options = found.options
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("figure", overflow="fold")
    table.add_column("lesions", justify="right", no_wrap=True)
    table.add_column(Text(one_line(found.names[0])), justify="right")
    table.add_column(f"{100 * options.confidence:g} % interval", no_wrap=True)
    if found.differences is not None:
        table.add_column(Text(one_line(found.names[1])), justify="right")
        table.add_column("difference", no_wrap=True)
        table.add_column("p", justify="right", no_wrap=True)
    own = found.summary[found.summary["detector"] == found.names[0]].reset_index(drop=True)
    amounts = {str(row["pool"]): row for row in found.denominators.to_dict("records")}
    for pool in pools:
        for unit in options.units:
            rows = own[(own["pool"] == pool) & (own["unit"] == unit)]
            if not len(rows):
                continue
            row = amounts[pool]
            amount = f"{row['images']} images" if unit == "image" else f"{row['area_cm2']:,.1f} cm²"
            per = "image" if unit == "image" else "cm²"
            kind = "all images" if pool == "all" else "normal images only"
            table.add_section()
            table.add_row(Text(f"false positives per {per} on {kind}, divided by {amount}", style="bold"))
            _add(table, found, rows, unit)
    table.add_section()
    _add(table, found, own[own["measure"].str.startswith("jafroc")], "")
    return table


def _add(table: Table, found: Evaluation, rows: Any, unit: str) -> None:
    reference = found.options.reference(unit) if unit else math.nan
    for row in rows.itertuples():
        if row.measure == "end_false_positives":
            continue
        if row.by and row.at != reference:
            continue
        if row.by:
            part = " ".join(word for word in (_PARTS[row.by], row.bin) if word)
            label = f"  at {row.at:g}: {part}{_UNITS.get(row.by, '') if row.bin != 'unknown' else ''}"
        else:
            label = _NAMES[row.measure] + ("" if math.isnan(row.at) else f" {row.at:.4g}")
            label += "" if row.reached else " (past the end of the curve)"
        cells: list[RenderableType] = [
            Text(label),
            str(row.lesions),
            _number(row.value),
            _range(row.low, row.high),
        ]
        if found.differences is not None:
            cells += _difference(found.differences.loc[row.Index])
        table.add_row(*cells)
