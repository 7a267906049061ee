"""Files in, a model and its report out: what ``mcdetect train`` does."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mcdetect.errors import McdetectWarning
from mcdetect.output.files import write_text
from mcdetect.output.run_record import is_own_folder
from mcdetect.training.fitting import require_sklearn
from mcdetect.training.joins import CHANGE_COLUMNS, join_changes, read_covariates
from mcdetect.training.learning import Training, train
from mcdetect.training.memo import Memo
from mcdetect.training.places import label_dataset, label_regions
from mcdetect.training.report import save
from mcdetect.training.tables import (
    ClusterTables,
    by_key,
    is_keyed,
    join_labels,
    label_units,
    read_clusters,
    read_labels,
)
from mcdetect.validation.datasets import open_dataset
from mcdetect.validation.evaluation.plots import require_matplotlib

__all__ = ["holds_tables", "report_folder", "search_folder", "train_files"]


def report_folder(out: Path) -> Path:
    """Return where the report of a model goes: ``model_report`` beside ``model.json``."""
    return out.with_name(f"{out.stem}_report")


def search_folder(out: Path) -> Path:
    """Return where the search of a folder of mammograms goes: ``model_search`` beside ``model.json``."""
    return out.with_name(f"{out.stem}_search")


def holds_tables(path: Path) -> bool:
    """Tell whether a path is a table, or an output folder of ``mcdetect detect``: no folder of mammograms."""
    if not path.is_dir():
        return True
    return is_own_folder(path) or any(
        (path / f"clusters.{suffix}").is_file() for suffix in ("csv", "parquet")
    )


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
    level: str = "group",
    covariates: str | Path | None = None,
    changes: Sequence[str | Path] = (),
    images: Sequence[str | Path] = (),
    plots: bool = True,
    report: str | Path | None = None,
    **options: Any,
) -> Training:
    """Train a model on tables and write it with its report.

    Steps that take long are kept in the folder of the report: the same call goes on where it was killed.

    Parameters
    ----------
    clusters : path-like
        ``clusters.csv`` (or Parquet), or the output folder of ``mcdetect detect``.
    out : path-like
        The model, a JSON file; its report goes to a folder beside it.
    labels : path-like, optional
        Labels of clusters or of places in images; of images or patients where `level` says so.
    dataset, root : str and path-like, optional
        Instead of `labels`: a data set of `mcdetect.validation.datasets` whose findings state a pathology,
        and its folder.
    positive : str
        A text that counts as a positive label, and what a high score speaks for.
    group, unmatched : str
        As for `mcdetect.training.join_labels`.
    level : {"group", "image", "patient"}
        What the labels belong to.
    covariates : path-like, optional
        A table of patients, see `mcdetect.training.joins.read_covariates`.
    changes : sequence of path-like
        Tables of ``mcdetect compare``, or folders that hold them: new and grown become features.
    images : sequence of path-like
        What was given to ``mcdetect detect``, for pictures of groups in the report.
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
    if dataset is not None and level != "group":
        raise ValueError("a data set labels groups; labels of images or patients come in a table")
    tables = read_clusters(clusters)
    added = None if covariates is None else read_covariates(covariates)
    notes: list[str] = []
    if changes:
        tables, notes = join_changes(tables, changes)
    found, said = _labels(tables, labels, dataset, root, positive, level)
    examples = join_labels(
        tables,
        found,
        group=group,
        unmatched=unmatched,
        notes=[*notes, *said],
        covariates=added,
        joined_columns=CHANGE_COLUMNS if changes else (),
    )
    target = Path(out)
    folder = report_folder(target) if report is None else Path(report)
    with Memo(folder) as memo:
        training = train(examples, target=positive, level=level, memo=memo, **options)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_text(target, training.model.to_json())
        save(training, folder, plots=plots, images=images, table_of_images=tables.images)
    return training


def _labels(
    tables: ClusterTables,
    labels: str | Path | None,
    dataset: str | None,
    root: str | Path | None,
    positive: str,
    level: str,
) -> tuple[pd.DataFrame, list[str]]:
    """Return the label of each cluster, and notes."""
    if labels is not None:
        path = Path(labels)
        given = read_labels(path, positive)
        if level != "group":
            return label_units(tables, given, level, path)
        return (by_key(given, path), []) if is_keyed(given) else label_regions(tables, given, path)
    assert dataset is not None
    assert root is not None
    with warnings.catch_warnings():
        # Some sets state no pixel spacing; labels need none.
        warnings.simplefilter("ignore", McdetectWarning)
        return label_dataset(tables, open_dataset(dataset, root))
