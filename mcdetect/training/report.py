"""What is written beside a model: figures for programs, predictions, stability, plots and the page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

import mcdetect
from mcdetect.output.files import write_text
from mcdetect.training.learning import Training
from mcdetect.training.measures import CONFIDENCE, Measure, reliability_bins

__all__ = ["RANKING", "measures_of", "record", "save"]

RANKING = ("auc", "auc_patient")


def measures_of(training: Training) -> dict[str, Measure]:
    """Return the figures that are printed: of ranks, and of probabilities where the model is calibrated."""
    calibrated = training.model.calibration is not None
    return {name: value for name, value in training.measures.items() if calibrated or name in RANKING}


def record(training: Training) -> dict[str, Any]:
    """Return the figures for programs; no patient, file or path is named."""
    examples, chosen, rows = training.examples, training.chosen, training.design.rows
    bins = reliability_bins(training.out_of_fold.probability, rows.unit_label, rows.unit_patient)
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
        "measures": {name: value.as_dict() for name, value in measures_of(training).items()},
        "reliability": {name: values.tolist() for name, values in bins.items()} if calibrated else None,
        "recipe": str(chosen.recipe),
        "inner_log_loss": {str(recipe): loss for recipe, loss in chosen.losses.items()},
        "recipes_of_folds": [str(each.recipe) for each in training.out_of_fold.chosen],
        "features_offered": list(training.features),
        "features_used": list(training.model.features),
        "weights": training.shares.to_dict("records"),
        "stability": training.stability.to_dict("records"),
        "notes": list(training.notes),
    }


def save(
    training: Training,
    folder: Path,
    *,
    plots: bool = True,
    images: Sequence[str | Path] = (),
    table_of_images: pd.DataFrame | None = None,
) -> list[Path]:
    """Write the report into a folder, which is made if needed.

    Parameters
    ----------
    training : Training
    folder : Path
    plots : bool
        Draw the curves (needs matplotlib).
    images : sequence of path-like
        Files and folders that were searched, for pictures of groups that were right and wrong.
    table_of_images : DataFrame, optional
        Tells the pixel spacing of images whose header has none.

    Returns
    -------
    list of Path
        ``report.html``, ``report.json``, ``predictions.csv``, ``stability.csv`` and the pictures.
    """
    from mcdetect.output.tables import csv_text
    from mcdetect.training.page import page
    from mcdetect.training.shown import draw_examples, examples_of

    folder.mkdir(parents=True, exist_ok=True)
    drawn: list[Path] = []
    if plots:
        from mcdetect.training.plots import save_plots

        drawn = save_plots(training, folder)
    shown = examples_of(training)
    pictures: dict[int, Path] = {}
    if images:
        pictures = draw_examples(training, shown, images, folder, tables=table_of_images)
    texts = {
        "report.html": page(training, shown, drawn, pictures),
        "report.json": json.dumps(record(training), indent=1, allow_nan=False) + "\n",
        "predictions.csv": csv_text(training.predictions, header=True),
        "stability.csv": csv_text(training.stability, header=True),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    return [*(folder / name for name in texts), *drawn, *pictures.values()]
