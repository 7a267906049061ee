"""Free-response curves as PNG and SVG, with the interval as a band."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mcdetect.errors import MissingLibraryError
from mcdetect.output.files import SOFTWARE
from mcdetect.validation.evaluation.tally import Axis

if TYPE_CHECKING:
    from mcdetect.validation.evaluation.result import Evaluation

__all__ = ["MissingPlotsError", "draw_froc", "require_matplotlib", "save_plots"]

_COLOURS = ("#0b6e99", "#c4501b")


class MissingPlotsError(MissingLibraryError):
    """Matplotlib is not installed."""

    def __init__(self) -> None:
        super().__init__("plots need matplotlib", "plot", "do without (--no-plots, plots=False)")


def require_matplotlib() -> None:
    """Raise `MissingPlotsError` when plots cannot be drawn."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise MissingPlotsError from error


def _range(tables: list[pd.DataFrame], limits: tuple[float, float]) -> tuple[float, float]:
    ends = [float(t["false_positives"].max()) for t in tables if len(t)]
    return limits[0], max([limits[1], *(min(end, 10 * limits[1]) for end in ends)])


def draw_froc(evaluation: Evaluation, axis: Axis) -> Any:
    """Draw the curves of all detectors over one way to count false positives.

    Parameters
    ----------
    evaluation : Evaluation
    axis : Axis

    Returns
    -------
    matplotlib.figure.Figure
    """
    require_matplotlib()
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    options = evaluation.options
    asked = options.rates(axis.unit) or (0.01, 1.0)
    froc = evaluation.froc
    chosen = froc[(froc["pool"] == axis.pool) & (froc["unit"] == axis.unit)] if len(froc) else froc
    tables = [chosen[chosen["detector"] == name] if len(chosen) else chosen for name in evaluation.names]
    first, last = _range(tables, (asked[0] / 2.0, asked[-1] * 1.25))
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    plot = figure.add_subplot()
    for name, table, colour in zip(evaluation.names, tables, _COLOURS, strict=False):
        if not len(table):
            continue
        x = np.concatenate([[0.0], table["false_positives"]])
        columns = [table[c].to_numpy() for c in ("sensitivity", "low", "high")]
        y, low, high = (np.concatenate([[np.nan if i else 0.0], c]) for i, c in enumerate(columns))
        plot.fill_between(x, low, high, step="post", color=colour, alpha=0.18, linewidth=0)
        plot.step(x, y, where="post", color=colour, linewidth=1.6, label=name)
        if x[-1] < last:  # all marks are used up: further false positives cannot be had
            plot.plot([x[-1], last], [y[-1], y[-1]], color=colour, linewidth=1.2, linestyle=":")
            plot.plot([x[-1]], [y[-1]], marker="o", markersize=4, color=colour)
    plot.set_xscale("log")
    plot.set_xlim(first, last)
    plot.set_ylim(0.0, 1.005)
    plot.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    row = next(r for r in evaluation.denominators.to_dict("records") if r["pool"] == axis.pool)
    amount = f"{row['images']} images" if axis.unit == "image" else f"{row['area_cm2']:,.0f} cm² of breast"
    plot.set_xlabel(f"{axis.label} ({amount})")
    counted = int(evaluation.lesions["counted"].sum()) if len(evaluation.lesions) else 0
    plot.set_ylabel(f"sensitivity ({counted} {options.target})")
    title = f"matching: {options.rule_name}"
    if options.samples:
        title += f"; band: {100 * options.confidence:g} % over patients"
    plot.set_title(title, fontsize=10)
    plot.grid(which="major", color="0.88")
    plot.grid(which="minor", axis="x", color="0.94", linewidth=0.6)
    plot.set_axisbelow(True)
    for side in ("top", "right"):
        plot.spines[side].set_visible(False)
    if plot.get_legend_handles_labels()[0]:
        plot.legend(loc="lower right", frameon=False)
    return figure


def save_plots(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Write one PNG and one SVG per way to count false positives.

    Parameters
    ----------
    evaluation : Evaluation
    folder : Path
        Must exist. Files are called ``froc_per_<unit>_<pool>_images``.

    Returns
    -------
    list of Path
    """
    require_matplotlib()
    import matplotlib as mpl

    written = []
    pairs = evaluation.froc[["pool", "unit"]].drop_duplicates() if len(evaluation.froc) else pd.DataFrame()
    for pool, unit in pairs.itertuples(index=False):
        figure = draw_froc(evaluation, Axis(pool, unit))
        for suffix in ("png", "svg"):
            path = folder / f"froc_per_{unit}_{pool}_images.{suffix}"
            with mpl.rc_context({"svg.hashsalt": "mcdetect"}):
                # No date in the file, so that equal results give equal files.
                about = {"Date": None} if suffix == "svg" else {"Software": SOFTWARE}
                figure.savefig(path, dpi=150, metadata=about)
            written.append(path)
    return written
