"""Evaluation of files: which tables of an output folder of ``mcdetect detect`` it takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mcdetect.validation.evaluation.readers import TableError, read_table
from mcdetect.validation.evaluation.result import Evaluation
from mcdetect.validation.evaluation.study import evaluate

__all__ = ["Inputs", "evaluate_files", "find_inputs"]


@dataclass(frozen=True)
class Inputs:
    """Files of one detector.

    Attributes
    ----------
    detections : Path
    members : Path or None
        Calcifications of the detected clusters.
    images : Path or None
    """

    detections: Path
    members: Path | None
    images: Path | None


def _table(folder: Path, name: str) -> Path | None:
    for suffix in (".csv", ".parquet"):
        path = folder / f"{name}{suffix}"
        if path.is_file():
            return path
    return None


def find_inputs(path: str | Path, target: str) -> Inputs:
    """Return the tables to evaluate.

    Parameters
    ----------
    path : path-like
        A table, or an output folder of ``mcdetect detect``: then candidates (else calcifications) for
        calcifications, and clusters with their calcifications for clusters.
    target : {"calcifications", "clusters"}
    """
    path = Path(path)
    if not path.is_dir():
        return Inputs(path, None, None)
    names = ("candidates", "calcifications") if target == "calcifications" else ("clusters",)
    detections = next((found for name in names if (found := _table(path, name)) is not None), None)
    if detections is None:
        raise TableError(
            f"the folder has no table of {' or '.join(names)}",
            "name an output folder of mcdetect detect, or a table with image, x, y and score",
            path,
        )
    members = _table(path, "calcifications") if target == "clusters" else None
    return Inputs(detections, members, _table(path, "images"))


def evaluate_files(
    detections: str | Path,
    truth: str | Path,
    images: str | Path | None = None,
    *,
    target: str,
    members: str | Path | None = None,
    versus: str | Path | None = None,
    versus_members: str | Path | None = None,
    **changes: Any,
) -> Evaluation:
    """Evaluate detections that stand in files.

    Parameters
    ----------
    detections, versus : path-like
        A table, or an output folder of ``mcdetect detect``, of the detector and of another one.
    truth : path-like
    images, members, versus_members : path-like, optional
        Tables to take instead of those in the folders.
    target : {"calcifications", "clusters"}
    **changes
        As `mcdetect.validation.evaluation.evaluate` takes them.

    Returns
    -------
    Evaluation
        The detectors are called by the names of their files or folders.
    """

    def table(path: str | Path | None) -> pd.DataFrame | None:
        return None if path is None else read_table(path)

    own = find_inputs(detections, target)
    other = None if versus is None else find_inputs(versus, target)
    return evaluate(
        read_table(own.detections),
        read_table(truth),
        table(images or own.images or (other.images if other is not None else None)),
        members=table(members or own.members),
        versus=None if other is None else read_table(other.detections),
        versus_members=table(versus_members or (other.members if other is not None else None)),
        names=_labels(Path(detections), None if versus is None else Path(versus)),
        target=target,
        **changes,
    )


def _labels(detections: Path, versus: Path | None) -> tuple[str, str]:
    """Return short names of the two detectors that differ."""
    one = detections.stem or "detector"
    if versus is None:
        return one, ""
    two = versus.stem or "other"
    return (one, two) if one != two else (f"{one} (1)", f"{two} (2)")
