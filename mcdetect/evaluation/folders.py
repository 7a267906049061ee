"""Which tables of an output folder of ``mcdetect detect`` an evaluation takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mcdetect.evaluation.readers import TableError

__all__ = ["Inputs", "find_inputs"]


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
