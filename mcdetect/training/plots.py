"""ROC curve beside chance, and reliability diagram, as PNG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mcdetect.output.files import SOFTWARE
from mcdetect.training.learning import Training
from mcdetect.training.measures import CONFIDENCE, reliability_bins
from mcdetect.training.null import GRID, curve
from mcdetect.validation.evaluation.bootstrap import interval
from mcdetect.validation.evaluation.plots import require_matplotlib

__all__ = ["draw_reliability", "draw_roc", "save_plots"]

_COLOUR = "#0b6e99"


def draw_roc(training: Training) -> Any:
    """Draw the ROC curve of the out-of-fold predictions, and where curves of shuffled labels lie.

    The curve is the mean over the folds, patients weighing one; of labels of images and patients it is that
    of their pooled scores, whatever the numbers of groups.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, plot = _square("1 - specificity", "sensitivity")
    rows, tested, curves = training.design.rows, training.out_of_fold, training.null.curves
    if len(curves) > 1:
        low, high = interval(curves.T, CONFIDENCE)
        plot.fill_between(GRID, low, high, color="0.5", alpha=0.22, linewidth=0, label="by chance, 95 %")
        plot.plot(GRID, np.nanmean(curves, axis=0), color="0.5", linewidth=1, label="by chance, mean")
    found = curve(tested.log_odds, rows, tested.fold)
    plot.plot(np.append(0.0, GRID), np.append(0.0, found), color=_COLOUR, linewidth=1.8, label="the model")
    plot.legend(loc="lower right", fontsize=8, frameon=False)
    area = training.measures["auc"]
    title = f"AUC {area.value:.2f}"
    if np.isfinite(area.low):
        title += f" ({area.low:.2f} to {area.high:.2f})"
    if np.isfinite(area.null):
        title += f"; by chance {area.null_low:.2f} to {area.null_high:.2f}"
    plot.set_title(title, fontsize=10)
    return figure


def draw_reliability(training: Training) -> Any:
    """Draw observed shares over predicted probabilities of the out-of-fold predictions.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, plot = _square("predicted probability", "observed share")
    rows, probability = training.design.rows, training.out_of_fold.probability
    label = rows.unit_label
    bins = reliability_bins(probability, label, rows.unit_patient)
    error = np.maximum([bins["observed"] - bins["low"], bins["high"] - bins["observed"]], 0.0)
    plot.errorbar(
        bins["predicted"], bins["observed"], yerr=error, fmt="o-", color=_COLOUR, linewidth=1.4, capsize=3
    )
    counts = [np.histogram(probability[label == value], bins=np.linspace(0, 1, 41))[0] for value in (0, 1)]
    height = [0.12 / max(1, int(count.max())) for count in counts]
    middle = np.linspace(0, 1, 41)[:-1] + 0.0125
    plot.bar(middle, counts[0] * height[0], width=0.02, color="0.6")
    plot.bar(
        middle,
        counts[1] * height[1],
        width=0.02,
        bottom=1 - counts[1] * height[1],
        color="#c4501b",
        alpha=0.7,
    )
    found = training.measures
    plot.set_title(
        f"Brier score {found['brier'].value:.3f}, slope {found['calibration_slope'].value:.2f}, "
        f"intercept {found['calibration_intercept'].value:.2f}",
        fontsize=10,
    )
    plot.text(0.985, 0.86, "positive", ha="right", va="top", fontsize=8, color="#c4501b")
    plot.text(0.985, 0.13, "negative", ha="right", va="bottom", fontsize=8, color="0.4")
    return figure


def _square(x_label: str, y_label: str) -> tuple[Any, Any]:
    require_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.0, 5.2), layout="constrained")
    plot = figure.add_subplot()
    plot.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle=":")
    plot.set_xlim(0, 1)
    plot.set_ylim(0, 1)
    plot.set_aspect("equal")
    plot.set_xlabel(x_label)
    plot.set_ylabel(y_label)
    plot.grid(color="0.9")
    plot.set_axisbelow(True)
    for side in ("top", "right"):
        plot.spines[side].set_visible(False)
    return figure, plot


def save_plots(training: Training, folder: Path) -> list[Path]:
    """Write ``roc.png`` and, for a calibrated model, ``reliability.png`` into a folder that exists."""
    drawn = {"roc.png": draw_roc(training)}
    if training.model.calibration is not None:
        drawn["reliability.png"] = draw_reliability(training)
    for name, figure in drawn.items():
        figure.savefig(folder / name, dpi=130, metadata={"Software": SOFTWARE})
    return [folder / name for name in drawn]
