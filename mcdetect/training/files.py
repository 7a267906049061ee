"""Files in, a model and its report out: what ``mcdetect train`` does."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from mcdetect.errors import McdetectWarning
from mcdetect.output.files import write_text
from mcdetect.training.fitting import require_sklearn
from mcdetect.training.learning import Training, train
from mcdetect.training.places import label_dataset, label_regions
from mcdetect.training.report import save
from mcdetect.training.tables import by_key, is_keyed, join_labels, read_clusters, read_labels
from mcdetect.validation.datasets import open_dataset
from mcdetect.validation.evaluation.plots import require_matplotlib

__all__ = ["report_folder", "train_files"]


def report_folder(out: Path) -> Path:
    """Return where the report of a model goes: ``model_report`` beside ``model.json``."""
    return out.with_name(f"{out.stem}_report")


def train_files(
    clusters: str | Path,
    out: str | Path,
    *,
    labels: str | Path | None = None,
    dataset: str | None = None,
    root: str | Path | None = None,
    positive: str = "malignant",
    group: str = "patient",
    unmatched: str = "leave-out",
    plots: bool = True,
    report: str | Path | None = None,
    **options: Any,
) -> Training:
    """Train a model on tables and write it with its report.

    Parameters
    ----------
    clusters : path-like
        ``clusters.csv`` (or Parquet), or the output folder of ``mcdetect detect``.
    out : path-like
        The model, a JSON file; its report goes to a folder beside it.
    labels : path-like, optional
        Labels of clusters or of places in images.
    dataset, root : str and path-like, optional
        Instead of `labels`: a data set of `mcdetect.validation.datasets` whose findings state a pathology,
        and its folder.
    positive : str
        A text that counts as a positive label, and what a high score speaks for.
    group, unmatched : str
        As for `mcdetect.training.join_labels`.
    plots : bool
        Draw the curves (needs matplotlib).
    report : path-like, optional
        Another folder for the report.
    **options
        Those of `mcdetect.training.train`.

    Returns
    -------
    Training

    Raises
    ------
    TableError, TrainingError, InputFileError, MissingSklearnError, MissingPlotsError, ValueError
        When something is missing or makes no sense; nothing is written then.
    """
    require_sklearn()
    if plots:
        require_matplotlib()
    if (labels is None) == (dataset is None):
        raise ValueError("give either a table of labels or a data set")
    if (dataset is None) != (root is None):
        raise ValueError("a data set needs its folder (--dataset with --root)")
    tables = read_clusters(clusters)
    notes: list[str] = []
    if labels is not None:
        path = Path(labels)
        given = read_labels(path, positive)
        if is_keyed(given):
            found = by_key(given, path)
        else:
            found, notes = label_regions(tables, given, path)
    else:
        assert dataset is not None
        assert root is not None
        with warnings.catch_warnings():
            # Some sets state no pixel spacing; labels need none.
            warnings.simplefilter("ignore", McdetectWarning)
            found, notes = label_dataset(tables, open_dataset(dataset, root))
    examples = join_labels(tables, found, group=group, unmatched=unmatched, notes=notes)
    training = train(examples, target=positive, **options)
    target = Path(out)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target, training.model.to_json())
    save(training, report_folder(target) if report is None else Path(report), plots=plots)
    return training
