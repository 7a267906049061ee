"""Clusters and labels as tables: read, checked and joined."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from mcdetect.schema import MODEL_COLUMNS
from mcdetect.validation.evaluation.readers import TableError, read_table

if TYPE_CHECKING:
    from mcdetect.training.joins import Covariates

__all__ = [
    "PATIENT_NAMES",
    "ClusterTables",
    "Examples",
    "as_label",
    "by_key",
    "feature_columns",
    "is_keyed",
    "join_labels",
    "label_units",
    "read_clusters",
    "read_labels",
]

logger = logging.getLogger(__name__)

_KEY = ["file", "cluster_id"]
_LABEL_NAMES = ("label", "pathology", "malignant", "class")
_FILE_NAMES = ("file", "image", "image_id", "filename")
PATIENT_NAMES = ("patient", "patient_id")
_POSITIVE = frozenset({"1", "1.0", "true", "yes", "malignant", "m", "cancer", "positive"})
_NEGATIVE = frozenset({"0", "0.0", "false", "no", "b", "normal", "negative"})
_NO_FEATURES = frozenset(
    {*_KEY, *PATIENT_NAMES, *_LABEL_NAMES, *(c.name for c in MODEL_COLUMNS)}
    | {"flagged", "score", "study", "group"}
)
_NO_FEATURE = re.compile(r"(_px|_id)$|^suspicion|^contribution")


@dataclass(frozen=True)
class ClusterTables:
    """The tables of one output folder that training reads.

    Parameters
    ----------
    clusters : DataFrame
        One row per cluster.
    path : Path
        Where it was read, for messages.
    calcifications, images : DataFrame or None
        The tables beside it, when they are there.
    """

    clusters: pd.DataFrame
    path: Path
    calcifications: pd.DataFrame | None = None
    images: pd.DataFrame | None = None


@dataclass(frozen=True)
class Examples:
    """Labelled clusters.

    Parameters
    ----------
    clusters : DataFrame
        The clusters that have a label.
    label : (n,) int64 array
        1 for positive (malignant), 0 for negative.
    patient : (n,) int64 array
        Number of the patient, from 0; the patients' names are not kept.
    notes : tuple of str
        What was left out and what was assumed.
    joined : tuple of str
        Columns of the clusters that are none of the tables of detect.
    """

    clusters: pd.DataFrame
    label: npt.NDArray[np.int64]
    patient: npt.NDArray[np.int64]
    notes: tuple[str, ...] = field(default=())
    joined: tuple[str, ...] = ()

    @property
    def image(self) -> npt.NDArray[np.int64]:
        """Number of the image of each cluster, from 0; (n,) int64."""
        return pd.factorize(self.clusters["file"])[0].astype(np.int64)


def read_clusters(path: str | Path) -> ClusterTables:
    """Read ``clusters.csv``, or the output folder that holds it, with the tables beside it.

    Raises
    ------
    TableError
        If there is none or it lacks the columns that tell clusters apart.
    """
    given = Path(path)
    file = given
    if given.is_dir():
        found = [given / f"clusters.{suffix}" for suffix in ("parquet", "csv")]
        file = next((candidate for candidate in found if candidate.is_file()), found[-1])
    clusters = read_table(file)
    lacking = [name for name in _KEY if name not in clusters]
    if lacking:
        raise TableError(
            f"it has no column {lacking[0]!r}",
            "give the clusters.csv of mcdetect detect, or its folder",
            file,
        )
    clusters["file"] = clusters["file"].astype("str")
    double = clusters.duplicated(_KEY)
    if double.any():
        raise TableError(
            "a cluster of one image is there twice", "give the clusters of one run of mcdetect detect", file
        )

    def beside(name: str) -> pd.DataFrame | None:
        for suffix in (file.suffix, ".parquet", ".csv"):
            if (other := file.with_name(f"{name}{suffix}")).is_file():
                return read_table(other)
        return None

    return ClusterTables(clusters, file, beside("calcifications"), beside("images"))


def feature_columns(
    clusters: pd.DataFrame, wanted: Sequence[str] = (), unwanted: Sequence[str] = ()
) -> list[str]:
    """Return the columns that a model may read.

    Without `wanted` these are all columns of numbers or booleans but names and numbers of things, positions
    in pixels, the detector's own score and scores that earlier models gave.

    Raises
    ------
    ValueError
        If a column asked for is missing or holds text.
    """
    numeric = [
        str(name)
        for name in clusters.columns
        if pd.api.types.is_numeric_dtype(clusters[name]) or pd.api.types.is_bool_dtype(clusters[name])
    ]
    for name in (*wanted, *unwanted):
        if name not in clusters.columns:
            raise ValueError(f"the clusters have no column {name!r}")
    for name in wanted:
        if name not in numeric:
            raise ValueError(f"the column {name!r} holds text and cannot be a feature")
    if wanted:
        chosen = [name for name in dict.fromkeys(wanted) if name not in unwanted]
    else:
        chosen = [
            name
            for name in numeric
            if name not in _NO_FEATURES and not _NO_FEATURE.search(name) and name not in unwanted
        ]
    if not chosen:
        raise ValueError("no column is left that could be a feature")
    return chosen


def as_label(value: object, positive: str = "malignant") -> int | None:
    """Return 1 or 0 for a label as people write them, None for an empty one.

    Parameters
    ----------
    value : object
        Such as 1, True, "MALIGNANT", "benign", "BENIGN_WITHOUT_CALLBACK".
    positive : str
        A further text that counts as positive.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    if value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NA:
        return None
    text = str(value).strip().casefold()
    if not text or text == "nan":
        return None
    if text in _POSITIVE or text == positive.casefold():
        return 1
    if text in _NEGATIVE or text.startswith("benign"):
        return 0
    raise ValueError("a label is neither positive (1, malignant) nor negative (0, benign)")


def read_labels(path: str | Path, positive: str = "malignant") -> pd.DataFrame:
    """Read a table of labels.

    Returns
    -------
    DataFrame
        With the columns `file`, `label` (1 or 0; rows without one are dropped) and whatever else the table
        has; `patient`, where it tells patients, is text.

    Raises
    ------
    TableError
        If a column is missing, or a label is neither positive nor negative.
    """
    file = Path(path)
    table = read_table(file).rename(columns=lambda name: str(name).strip())
    names = {name.casefold(): name for name in table.columns}
    renamed = {}
    for ours, others in (("file", _FILE_NAMES), ("label", _LABEL_NAMES), ("patient", PATIENT_NAMES)):
        found = next((names[other] for other in others if other in names), None)
        if found is not None:
            renamed[found] = ours
        elif ours != "patient":
            raise TableError(
                f"it has no column {ours!r}",
                "give file, label and patient, and cluster_id or a position",
                file,
            )
    table = table.rename(columns=renamed)
    labels = []
    for number, value in enumerate(table["label"], start=2):
        try:
            labels.append(as_label(value, positive))
        except ValueError as error:
            raise TableError(
                f"line {number}: {error}", "write 1 or 0, or name the positive text (--positive)", file
            ) from error
    table["label"] = pd.array(labels, dtype="Int64")
    table = table.dropna(subset=["label"]).reset_index(drop=True)
    table["label"] = table["label"].astype("int64")
    table["file"] = table["file"].astype("str")
    if "patient" in table:
        if table["patient"].isna().any():
            raise TableError("a patient is not named", "name the patient of every label", file)
        table["patient"] = table["patient"].astype("str")
    return table


def is_keyed(labels: pd.DataFrame) -> bool:
    """Tell whether labels name clusters by their number, rather than places."""
    return "cluster_id" in labels.columns


def by_key(labels: pd.DataFrame, path: str | Path) -> pd.DataFrame:
    """Return the labels by `file` and `cluster_id`, each cluster once.

    Raises
    ------
    TableError
        If a cluster has two labels that differ.
    """
    chosen = labels[[*_KEY, "label", *(["patient"] if "patient" in labels else [])]].drop_duplicates()
    if chosen.duplicated(_KEY).any():
        raise TableError("a cluster has two labels", "label every cluster once", path)
    chosen = chosen.assign(cluster_id=pd.to_numeric(chosen["cluster_id"], errors="coerce"))
    if chosen["cluster_id"].isna().any():
        raise TableError("a cluster_id is no number", "use the numbers of clusters.csv", path)
    return chosen.assign(cluster_id=chosen["cluster_id"].astype("int64"))


def label_units(
    tables: ClusterTables, labels: pd.DataFrame, level: str, path: str | Path
) -> tuple[pd.DataFrame, list[str]]:
    """Give all clusters of an image or a patient its label.

    Parameters
    ----------
    tables : ClusterTables
    labels : DataFrame
        As `read_labels` returns it, a row per image; of a patient, all images are named, and any positive
        row makes the patient positive.
    level : {"image", "patient"}
    path : path-like
        The table of labels, for messages.

    Returns
    -------
    labels : DataFrame
        By cluster.
    notes : list of str

    Raises
    ------
    TableError
        If an image has two labels, or patients are not named.
    """
    known = labels[["file", "label", *(["patient"] if "patient" in labels else [])]].drop_duplicates()
    if level == "patient":
        if "patient" not in known:
            raise TableError("it has no column 'patient'", "name the patient of every image", path)
        known = known.assign(label=known.groupby("patient")["label"].transform("max")).drop_duplicates()
    if known.duplicated("file").any():
        raise TableError("an image has two labels, or two patients", "give every image one", path)
    joined = tables.clusters[_KEY].merge(known, on="file", how="inner", validate="many_to_one")
    empty = int((~known["file"].isin(set(joined["file"]))).sum())
    notes = [f"{len(known)} labelled images, {len(known) - empty} with clusters"]
    if empty:
        notes.append(f"{empty} labelled images have no cluster and teach nothing")
    return joined, notes


def join_labels(
    tables: ClusterTables,
    labels: pd.DataFrame,
    *,
    group: str = "patient",
    unmatched: str = "leave-out",
    notes: Sequence[str] = (),
    covariates: Covariates | None = None,
    joined_columns: Sequence[str] = (),
) -> Examples:
    """Put labels on clusters and number the patients.

    Parameters
    ----------
    tables : ClusterTables
    labels : DataFrame
        With `file`, `cluster_id`, `label` and, for ``group="patient"``, `patient`.
    group : {"patient", "folder", "file"}
        What is never parted: the `patient` of the labels, the folder of an image, or only an image itself
        (which is right only when every image is of another patient).
    unmatched : {"leave-out", "negative"}
        What becomes of clusters without a label in images that have labels.
    notes : sequence of str
        What is known of the labels already.
    covariates : Covariates, optional
        Columns of patients to add, see `mcdetect.training.joins`.
    joined_columns : sequence of str
        Columns of the clusters that are none of detect's.

    Raises
    ------
    TableError
        If no cluster has a label, or patients are needed and not named.
    """
    if group not in ("patient", "folder", "file"):
        raise ValueError(f"group must be 'patient', 'folder' or 'file', got {group!r}")
    if unmatched not in ("leave-out", "negative"):
        raise ValueError(f"unmatched must be 'leave-out' or 'negative', got {unmatched!r}")
    if group == "patient" and "patient" not in labels.columns:
        raise TableError(
            "the labels name no patients, whose images must not be parted",
            "add a column patient, or keep together the images of a folder (--group folder)",
            tables.path,
        )
    joined = tables.clusters.merge(
        labels, on=_KEY, how="left", suffixes=("", "_of_label"), validate="one_to_one"
    )
    column = "label_of_label" if "label_of_label" in joined else "label"
    known = joined[column].notna()
    notes = [*notes, f"{int(known.sum())} of {len(joined)} clusters have a label"]
    if (lost := len(labels) - int(known.sum())) > 0:
        notes.append(f"{lost} labels belong to no cluster of the table")
    owner = _owners(joined, labels, group)
    if unmatched == "negative":
        extra = ~known & joined["file"].isin(set(labels["file"]))
        joined.loc[extra, column] = 0
        notes.append(f"{int(extra.sum())} clusters without a label in labelled images are taken as negative")
        known |= extra
    if not known.any():
        raise TableError(
            "no cluster has a label",
            "check that the names of the images are those of the labels",
            tables.path,
        )
    if group == "file":
        notes.append("every image is taken for another patient, on your word")
    used = joined[known].reset_index(drop=True)
    codes, _ = pd.factorize(owner[known].reset_index(drop=True))
    clusters = used[[name for name in tables.clusters.columns if name in used]]
    added = list(joined_columns)
    if covariates is not None:
        clusters, said = covariates.join(clusters, owner[known].reset_index(drop=True))
        notes += said
        added += [str(name) for name in covariates.table.columns]
    label = used[column].to_numpy(np.int64)
    return Examples(clusters, label, codes.astype(np.int64), tuple(notes), tuple(added))


def _owners(joined: pd.DataFrame, labels: pd.DataFrame, group: str) -> pd.Series[str]:
    """Return whose every cluster is; unlabelled clusters belong to the patient of their image's labels."""
    if group == "patient":
        of_image = labels.drop_duplicates("file").set_index("file")["patient"]
        column = "patient_of_label" if "patient_of_label" in joined else "patient"
        return joined[column].fillna(joined["file"].map(of_image)).astype("str")
    if group == "folder":
        return joined["file"].map(lambda name: str(PurePosixPath(name).parent)).astype("str")
    return joined["file"]
