"""Labels that are places in images, brought to the clusters that lie there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mcdetect.errors import InputFileError, UnusableImageError
from mcdetect.training.tables import ClusterTables, as_label
from mcdetect.validation.datasets.base import Case, Dataset, Finding, Kind, Region, TruthStatus
from mcdetect.validation.datasets.shapes import Box, Circle, MaskFile
from mcdetect.validation.evaluation.readers import TableError

__all__ = ["Place", "label_dataset", "label_places", "label_regions"]

logger = logging.getLogger(__name__)

# Judged: a lower share labels clusters that a region hardly touches, a higher one leaves more without label.
MIN_SHARE = 0.5
"""Share of a cluster's members that must lie in a region for the cluster to take its label."""

# Technical: to be quick.
_SAMPLES = 15  # points along each side of a cluster's box that stand for members that are not known
_COLUMNS = ["file", "cluster_id", "label", "patient"]


@dataclass(frozen=True)
class Place:
    """A labelled region of an image.

    Parameters
    ----------
    region : Region
    label : {0, 1}
    patient : str
    """

    region: Region
    label: int
    patient: str


def label_places(
    tables: ClusterTables, places: Mapping[str, Iterable[Place]], *, min_share: float = MIN_SHARE
) -> pd.DataFrame:
    """Give every cluster the label of the region that holds most of its members.

    Without a table of calcifications the bounding box of the cluster stands for its members. A cluster of
    which no region holds `min_share`, or of which two regions with different labels hold equal shares, gets
    none.

    Parameters
    ----------
    tables : ClusterTables
    places : mapping of str to iterable of Place
        By the name of the image in the tables.
    min_share : float
        Above 0, at most 1.

    Returns
    -------
    DataFrame
        Columns `file`, `cluster_id`, `label`, `patient`.
    """
    if not 0.0 < min_share <= 1.0:
        raise ValueError(f"min_share must lie above 0 and be at most 1, got {min_share}")
    members = _members(tables)
    rows = []
    for file, clusters in tables.clusters.groupby("file", sort=False):
        here = list(places.get(str(file), ()))
        for cluster in clusters.to_dict("records") if here else ():
            number = int(cluster["cluster_id"])
            points = members(str(file), number, cluster)
            shares = [float(np.mean([p.region.contains(r, c) for r, c in points])) for p in here]
            best = max(shares)
            found = [place for place, share in zip(here, shares, strict=True) if share == best]
            if best >= min_share and len({place.label for place in found}) == 1:
                rows.append((str(file), number, found[0].label, found[0].patient))
    return pd.DataFrame(rows, columns=_COLUMNS).astype({"cluster_id": "int64", "label": "int64"})


def _members(tables: ClusterTables) -> Callable[[str, int, Mapping[Any, Any]], npt.NDArray[np.float64]]:
    table = tables.calcifications
    if table is not None and {"file", "cluster_id", "row_px", "col_px"} <= set(table.columns):
        chosen = table[table["cluster_id"] > 0]
        known = {
            (str(part["file"].iloc[0]), int(part["cluster_id"].iloc[0])): part[["row_px", "col_px"]].to_numpy(
                np.float64
            )
            for _, part in chosen.groupby(["file", "cluster_id"])
        }
    else:
        known = {}
        lacking = {"min_row_px", "max_row_px", "min_col_px", "max_col_px"} - set(tables.clusters.columns)
        if lacking:
            raise TableError(
                f"it has no column {min(lacking)!r}, so its clusters cannot be placed",
                "give the clusters.csv of mcdetect detect, or label clusters by their cluster_id",
                tables.path,
            )

    def points(file: str, number: int, cluster: Mapping[Any, Any]) -> npt.NDArray[np.float64]:
        if (file, number) in known:
            return known[file, number]
        row = np.linspace(cluster["min_row_px"], cluster["max_row_px"], _SAMPLES)
        col = np.linspace(cluster["min_col_px"], cluster["max_col_px"], _SAMPLES)
        return np.stack(np.meshgrid(row, col), axis=-1).reshape(-1, 2)

    return points


def label_regions(tables: ClusterTables, labels: pd.DataFrame, path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Bring a table of labelled places to clusters.

    Parameters
    ----------
    tables : ClusterTables
    labels : DataFrame
        As `mcdetect.training.tables.read_labels` returns it, with a circle (`x`, `y`, `radius`), a box
        (`x_min`, `y_min`, `x_max`, `y_max`) in pixels, x along columns, or `mask`, an image file with two
        values, relative to the table.
    path : Path
        The table.

    Returns
    -------
    labels : DataFrame
        By cluster.
    notes : list of str
    """
    places: dict[str, list[Place]] = {}
    shapes = _image_shapes(tables)
    ends = _ends(tables)
    for number, row in enumerate(labels.to_dict("records"), start=2):
        file = str(row["file"])
        shape = shapes.get(file) or ends.get(file)
        if shape is None:  # no cluster was found in that image
            continue
        try:
            drawn = _shape(row, path.parent)
            if isinstance(drawn, MaskFile) and file not in shapes:
                raise TableError("a mask needs the size of its image", "keep images.csv beside clusters.csv")
            case = Case("labels", file, "", Path(file), TruthStatus.LOCATED, (Finding(Kind.GROUP, drawn),))
            region = case.regions(shape)[0]
        except UnusableImageError as error:
            if file not in shapes:  # it lies where no cluster is
                continue
            raise TableError(f"line {number}: {error.cause}", error.remedy, path) from error
        except InputFileError as error:
            raise TableError(f"line {number}: {error.cause}", error.remedy, error.path or path) from error
        places.setdefault(file, []).append(Place(region, int(row["label"]), str(row.get("patient", ""))))
    joined = label_places(tables, places)
    if "patient" not in labels:
        joined = joined.drop(columns="patient")
    return joined, [f"{len(labels)} labelled places, {len(joined)} clusters lie in one"]


def _shape(row: Mapping[Any, Any], folder: Path) -> Circle | Box | MaskFile:
    def given(*names: str) -> bool:
        return all(name in row and pd.notna(row[name]) for name in names)

    try:
        if given("mask"):
            return MaskFile((folder / str(row["mask"]),))
        if given("x_min", "y_min", "x_max", "y_max"):
            box = [float(row[name]) for name in ("y_min", "x_min", "y_max", "x_max")]
            return Box(box[0] - 0.5, box[1] - 0.5, box[2] + 0.5, box[3] + 0.5)
        if given("x", "y", "radius"):
            return Circle(float(row["y"]), float(row["x"]), float(row["radius"]))
    except (TypeError, ValueError) as error:
        raise TableError("a position is no number", "give positions in pixels") from error
    raise TableError(
        "it states no place", "give cluster_id, or x, y and radius, or x_min, y_min, x_max, y_max, or mask"
    )


def _image_shapes(tables: ClusterTables) -> dict[str, tuple[int, int]]:
    images = tables.images
    if images is None or not {"file", "rows", "cols"} <= set(images.columns):
        return {}
    return {
        str(file): (int(rows), int(cols))
        for file, rows, cols in zip(images["file"], images["rows"], images["cols"], strict=True)
    }


def _ends(tables: ClusterTables) -> dict[str, tuple[int, int]]:
    """Return how far the clusters of every image reach, for places in images of unknown size."""
    if not {"max_row_px", "max_col_px"} <= set(tables.clusters.columns):
        return {}
    reach = tables.clusters.groupby("file")[["max_row_px", "max_col_px"]].max()
    return {str(file): (int(row) + 2, int(col) + 2) for file, row, col in reach.itertuples()}


def label_dataset(tables: ClusterTables, dataset: Dataset) -> tuple[pd.DataFrame, list[str]]:
    """Bring the pathology that a data set states of its findings to clusters, by overlap.

    Images are known by the name of their case, or by their path below the root of the set, whole or from some
    folder on, as `mcdetect detect` names them.

    Parameters
    ----------
    tables : ClusterTables
        Clusters of images of the set.
    dataset : Dataset
        Such as CBIS-DDSM, whose tables state the pathology of every abnormality.

    Returns
    -------
    labels : DataFrame
        By cluster, with the set's own pseudonym of the patient.
    notes : list of str

    Raises
    ------
    TableError
        If no image of the tables belongs to the set.
    """
    names = _Names(tables.clusters["file"].unique())
    shapes = _image_shapes(tables)
    places: dict[str, list[Place]] = {}
    images = findings = 0
    notes = []
    for case in dataset:
        file = names.of(case, dataset.root)
        if file is None:
            continue
        images += 1
        try:
            shape = shapes.get(file) or case.read().shape
            found = _places_of(case, shape)
        except InputFileError as error:
            notes.append(f"left out: {error}")
            logger.warning("%s", error)
            continue
        findings += len(found)
        places.setdefault(file, []).extend(found)
    if not images:
        raise TableError(
            f"none of its images belongs to {dataset.info.title}",
            "give the output of mcdetect detect over the folder named with --root",
            tables.path,
        )
    joined = label_places(tables, places)
    summary = (
        f"{images} images with clusters, {findings} findings with a pathology, {len(joined)} clusters in one"
    )
    return joined, [summary, *notes]


def _places_of(case: Case, shape: tuple[int, int]) -> list[Place]:
    places = []
    for region in case.regions(shape):
        stated = region.finding.labels.get("pathology")
        try:
            label = as_label(stated)
        except ValueError:
            label = None
        if label is not None and region.finding.kind is not Kind.OTHER:
            places.append(Place(region, label, case.patient))
    return places


class _Names:
    """Finds the image of a case among the names of the tables."""

    def __init__(self, files: Iterable[str]) -> None:
        self._files = {str(file) for file in files}
        self._tails: dict[str, set[str]] = {}
        for file in self._files:
            self._tails.setdefault(PurePosixPath(file).name, set()).add(file)

    def of(self, case: Case, root: Path) -> str | None:
        if case.name in self._files:
            return case.name
        try:
            parts = case.path.relative_to(root).parts
        except ValueError:
            parts = case.path.parts
        relative = "/".join(parts)
        if relative in self._files:
            return relative
        # Detected from a folder below the root, or beside other folders ("input2/...").
        found = {
            file
            for file in self._tails.get(case.path.name, ())
            if ("/" in file and f"/{relative}".endswith(f"/{file}")) or f"/{file}".endswith(f"/{relative}")
        }
        return found.pop() if len(found) == 1 else None
