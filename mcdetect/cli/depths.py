"""What the terminal shows of a stereotactic pair."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.text import Text

from mcdetect.cli.console import one_line

if TYPE_CHECKING:
    from rich.console import Console

    from mcdetect.exams.stereo import Stereo

__all__ = ["print_depths"]


def print_depths(console: Console, found: Stereo) -> None:
    """Print how deep the flagged groups lie, and what was assumed."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in (
        "group",
        "matched",
        "over detector",
        "over support",
        "below paddle",
        "extent in depth",
        "shift",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    shown = found.groups[found.groups["flagged"]]
    for row in shown.to_dict("records"):
        table.add_row(
            str(row["cluster_id"]),
            f"{row['n_matched']} of {row['n_calcifications']}",
            _mm(row["height_mm"], row["height_sd_mm"]),
            _mm(row["above_support_mm"]),
            _mm(row["below_paddle_mm"]),
            _mm(row["extent_depth_mm"]),
            _mm(row["shift_mm"]),
        )
    if len(shown):
        console.print(table)
    singles = found.marks[(found.marks["cluster_id"] == 0) & (found.marks["other_calcification_id"] > 0)]
    console.print(
        f"{len(shown)} flagged groups, {len(singles)} single calcifications with a depth", highlight=False
    )
    if found.geometry.assumed:
        console.print(Text(one_line(f"assumed: {'; '.join(found.geometry.assumed)}")), soft_wrap=True)


def _mm(value: float, sd: float | None = None) -> str:
    if math.isnan(value):
        return ""
    return f"{value:.1f} mm" if sd is None else f"{value:.1f} ± {sd:.1f} mm"
