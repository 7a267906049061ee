"""ROC curve and reliability diagram as PNG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mcdetect.output.files import SOFTWARE
from mcdetect.training.learning import Training
from mcdetect.training.measures import CONFIDENCE, reliability_bins, roc_curve
from mcdetect.validation.evaluation.bootstrap import interval, patient_weights
from mcdetect.validation.evaluation.plots import require_matplotlib

__all__ = ["draw_reliability", "draw_roc", "save_plots"]

_COLOUR = "#0b6e99"
# Technical: how finely curves are drawn.
_GRID = np.linspace(0.0, 1.0, 201)  # false-positive rates
_BAND_SAMPLES = 300  # bootstrap samples behind the band of the ROC curve, at most


def draw_roc(training: Training) -> Any:
    """Draw the ROC curve of the out-of-fold predictions with its band over patients.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, plot = _square("1 - specificity", "sensitivity")
    score, label = training.out_of_fold.log_odds, training.examples.label
    patient, samples = training.examples.patient, min(training.settings["samples"], _BAND_SAMPLES)
    if samples:
        curves = []
        for column in patient_weights(int(patient.max()) + 1, samples, training.settings["seed"]).T:
            rows = np.repeat(np.arange(label.size), column[patient].astype(np.int64))
            if np.unique(label[rows]).size == 2:
                curves.append(np.interp(_GRID, *roc_curve(score[rows], label[rows])))
        low, high = interval(np.array(curves).T, CONFIDENCE)
        plot.fill_between(_GRID, low, high, color=_COLOUR, alpha=0.18, linewidth=0)
    x, y = roc_curve(score, label)
    plot.plot(x, y, color=_COLOUR, linewidth=1.8)
    area = training.measures["auc"]
    title = f"AUC {area.value:.3f}"
    if np.isfinite(area.low):
        title += f" ({area.low:.3f} to {area.high:.3f})"
    plot.set_title(f"{title}; {int(label.sum())} of {label.size} clusters positive", fontsize=10)
    return figure


def draw_reliability(training: Training) -> Any:
    """Draw observed shares over predicted probabilities of the out-of-fold predictions.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, plot = _square("predicted probability", "observed share")
    probability, label = training.out_of_fold.probability, training.examples.label
    bins = reliability_bins(probability, label)
    error = np.maximum([bins["observed"] - bins["low"], bins["high"] - bins["observed"]], 0.0)
    plot.errorbar(
        bins["predicted"], bins["observed"], yerr=error, fmt="o-", color=_COLOUR, linewidth=1.4, capsize=3
    )
    counts = [np.histogram(probability[label == value], bins=np.linspace(0, 1, 41))[0] for value in (0, 1)]
    height = 0.12 / max(1, *(int(count.max()) for count in counts))
    middle = np.linspace(0, 1, 41)[:-1] + 0.0125
    plot.bar(middle, counts[0] * height, width=0.02, color="0.6")
    plot.bar(
        middle, counts[1] * height, width=0.02, bottom=1 - counts[1] * height, color="#c4501b", alpha=0.7
    )
    found = training.measures
    plot.set_title(
        f"Brier score {found['brier'].value:.3f}, slope {found['calibration_slope'].value:.2f}, "
        f"intercept {found['calibration_intercept'].value:.2f}",
        fontsize=10,
    )
    plot.text(0.015, 0.975, "positive", ha="left", va="top", fontsize=8, color="#c4501b")
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
