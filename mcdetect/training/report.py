"""What is written beside a model: a page, figures for programs, predictions, stability and plots."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import mcdetect
from mcdetect.models.cluster_model import Linear
from mcdetect.output.files import write_text
from mcdetect.training.learning import Training
from mcdetect.training.measures import CONFIDENCE, Measure, reliability_bins

__all__ = ["page", "record", "save"]

_NAMES = {
    "auc": "AUC, clusters",
    "auc_patient": "AUC, patients (highest score of each)",
    "brier": "Brier score",
    "brier_skill": "Brier skill (over the prevalence)",
    "calibration_slope": "calibration slope (1 is true)",
    "calibration_intercept": "calibration intercept (0 is true)",
    "calibration_in_the_large": "mean prediction minus prevalence",
}
_RANKING = ("auc", "auc_patient")
_MOST_FEATURES = 30  # Technical: listed on the page; the rest is in the table beside it


def _measures(training: Training) -> dict[str, Measure]:
    if training.model.calibration is not None:
        return {name: training.measures[name] for name in _NAMES}
    return {name: training.measures[name] for name in _RANKING}


def record(training: Training) -> dict[str, Any]:
    """Return the figures for programs; no patient, file or path is named."""
    examples, chosen = training.examples, training.chosen
    bins = reliability_bins(training.out_of_fold.probability, examples.label)
    calibrated = training.model.calibration is not None
    return {
        "mcdetect": mcdetect.__version__,
        "model_sha256": training.model.digest,
        "settings": training.settings,
        "target": training.model.target,
        "clusters": int(examples.label.size),
        "patients": int(examples.patient.max()) + 1,
        "positive": int(examples.label.sum()),
        "calibrated": calibrated,
        "confidence": CONFIDENCE,
        "measures": {name: value.as_dict() for name, value in _measures(training).items()},
        "reliability": {name: values.tolist() for name, values in bins.items()} if calibrated else None,
        "recipe": str(chosen.recipe),
        "inner_log_loss": {str(recipe): loss for recipe, loss in chosen.losses.items()},
        "recipes_of_folds": [str(each.recipe) for each in training.out_of_fold.chosen],
        "features_offered": list(training.features),
        "features_used": list(training.model.features),
        "stability": training.stability.to_dict("records"),
        "notes": list(training.notes),
    }


def page(training: Training, *, plots: bool = True) -> str:
    """Return the report for people, as Markdown."""
    model, examples = training.model, training.examples
    n, positive, patients = examples.label.size, int(examples.label.sum()), int(examples.patient.max()) + 1
    lines = [
        f"# Model of clusters: {model.target}",
        "",
        f"{model.kind} ({training.chosen.recipe}), trained with mcdetect {mcdetect.__version__} on "
        f"{n} clusters of {patients} patients, {positive} of them positive ({100 * positive / n:.0f} %). "
        + (
            "Calibrated: `probability` holds for clusters as often positive as these."
            if model.calibration is not None
            else "Not calibrated: `model_score` ranks clusters and is no probability."
        ),
        "For research use; not a medical device.",
        "",
        "## How well it does on patients it has not seen",
        "",
        f"{training.settings['folds']}-fold cross-validation in which no patient is on both sides; recipe, "
        "features and calibration are chosen anew inside every training part. "
        f"Intervals: {100 * CONFIDENCE:g} %, {training.settings['samples']} bootstrap samples of patients.",
        "",
        "| measure | value | interval |",
        "|---|---:|---|",
    ]
    lines += [
        f"| {_NAMES[name]} | {_figure(value.value)} | {_figure(value.low)} to {_figure(value.high)} |"
        for name, value in _measures(training).items()
    ]
    if plots:
        lines += ["", "![ROC curve](roc.png)"]
        lines += ["![Reliability](reliability.png)"] if model.calibration is not None else []
    lines += [
        "",
        "## What was chosen",
        "",
        "| recipe | log-loss inside | folds that chose it |",
        "|---|---:|---:|",
    ]
    folds = Counter(each.recipe for each in training.out_of_fold.chosen)
    for recipe, loss in training.chosen.losses.items():
        mark = " (final)" if recipe == training.chosen.recipe else ""
        lines.append(f"| {recipe}{mark} | {loss:.4f} | {folds.get(recipe, 0)} |")
    weight = "coefficient" if isinstance(model.rule, Linear) else "share of splits"
    lines += [
        "",
        "## Features and their stability",
        "",
        f"Refitted on {training.settings['stability_samples']} bootstrap samples of patients: the share that "
        "uses a feature, and the share in which it raises or lowers the score. A coefficient is log-odds per "
        "standard deviation.",
        "",
        f"| feature | used | raises | lowers | folds | {weight} |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in training.stability.head(_MOST_FEATURES).to_dict("records"):
        shares = " | ".join(f"{100 * row[name]:.0f} %" for name in ("selected", "positive", "negative"))
        value = f"{row['weight']:.3f}" if row["in_model"] else "not in the model"
        lines.append(f"| `{row['feature']}` | {shares} | {100 * row['selected_folds']:.0f} % | {value} |")
    if len(training.stability) > _MOST_FEATURES:
        lines.append(f"\n{len(training.stability) - _MOST_FEATURES} more in `stability.csv`.")
    lines += ["", "## Remarks", "", *(f"- {note}" for note in training.notes), ""]
    return "\n".join(lines)


def _figure(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "none"


def save(training: Training, folder: Path, *, plots: bool = True) -> list[Path]:
    """Write the report into a folder, which is made if needed.

    Parameters
    ----------
    training : Training
    folder : Path
    plots : bool
        Draw the curves (needs matplotlib).

    Returns
    -------
    list of Path
        ``report.md``, ``report.json``, ``predictions.csv``, ``stability.csv`` and the plots.
    """
    from mcdetect.output.tables import csv_text

    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "report.md": page(training, plots=plots),
        "report.json": json.dumps(record(training), indent=1, allow_nan=False) + "\n",
        "predictions.csv": csv_text(training.predictions, header=True),
        "stability.csv": csv_text(training.stability, header=True),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    written = [folder / name for name in texts]
    if plots:
        from mcdetect.training.plots import save_plots

        written += save_plots(training, folder)
    return written
