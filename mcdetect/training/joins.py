"""What clusters do not have by themselves: columns of patients, and whether a group is new or has grown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mcdetect.training.tables import PATIENT_NAMES, ClusterTables
from mcdetect.validation.evaluation.readers import TableError, read_table

__all__ = ["CHANGE_COLUMNS", "Covariates", "join_changes", "read_covariates"]

CHANGE_COLUMNS = ("change_new", "change_grown")
# Standard: BI-RADS, 5th edition, has breast densities a to d; yes and no are 1 and 0.
_WORDS = {"yes": 1.0, "true": 1.0, "y": 1.0, "no": 0.0, "false": 0.0, "n": 0.0}
_DENSITIES = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}
_MISSING = frozenset({"", "nan", "na", "n/a", "unknown", "?", "none", "<na>"})


class Covariates:
    """What is known of patients: age, family history, breast density.

    Parameters
    ----------
    table : DataFrame
        By patient (text), columns of numbers; not-a-number where something is not known.
    path : Path
        Where it was read.
    """

    def __init__(self, table: pd.DataFrame, path: Path) -> None:
        self.table = table
        self.path = path

    def join(self, clusters: pd.DataFrame, owner: pd.Series[str]) -> tuple[pd.DataFrame, list[str]]:
        """Add the columns to clusters, by their patient.

        Parameters
        ----------
        clusters : DataFrame
        owner : Series of str
            The patient of each cluster.

        Returns
        -------
        clusters : DataFrame
        notes : list of str

        Raises
        ------
        TableError
            If a column is one of the clusters' own, or none of the patients is known.
        """
        for name in self.table.columns:
            if name in clusters:
                raise TableError(
                    f"its column {name!r} is one of the clusters', too", "give it another name", self.path
                )
        patients = owner.unique()
        known = int(np.isin(patients, self.table.index).sum())
        if not known:
            raise TableError(
                "it knows none of the patients of the labels", "name patients as the labels do", self.path
            )
        found = self.table.reindex(owner.to_numpy())
        joined = clusters.assign(**{str(name): found[name].to_numpy() for name in self.table.columns})
        return joined, [f"{known} of {patients.size} patients are in the table of covariates"]


def read_covariates(path: str | Path) -> Covariates:
    """Read a table with a row per patient.

    Parameters
    ----------
    path : path-like
        With a column `patient`, and columns of numbers, of yes and no, or of breast densities a to d (1 to
        4). An empty entry is not known.

    Raises
    ------
    TableError
        If there is no such column, a patient is there twice, or an entry is none of these.
    """
    file = Path(path)
    table = read_table(file).rename(columns=lambda name: str(name).strip())
    names = {name.casefold(): name for name in table.columns}
    key = next((names[name] for name in PATIENT_NAMES if name in names), None)
    if key is None:
        raise TableError("it has no column 'patient'", "give a row per patient, named as in the labels", file)
    patients = table[key].astype("str")
    if patients.duplicated().any():
        raise TableError("a patient is there twice", "give each patient one row", file)
    columns = {name: _numbers(table[name], name, file) for name in table.columns if name != key}
    if not columns:
        raise TableError("it has no column beside the patient", "give age, family history or the like", file)
    return Covariates(pd.DataFrame(columns).set_index(patients), file)


def _numbers(column: pd.Series[str], name: str, path: Path) -> pd.Series[float]:
    text = column.astype("str").str.strip().str.casefold()
    text = text.where(~text.isin(_MISSING) & column.notna())
    numbers = pd.to_numeric(text, errors="coerce")
    for words in (_WORDS, _DENSITIES):
        rest = text.notna() & numbers.isna()
        if rest.any() and text[rest].isin(list(words)).all():
            numbers = numbers.where(~rest, text.map(words))
    if (text.notna() & numbers.isna()).any():
        raise TableError(
            f"the column {name!r} holds text that is no number, no yes or no and no density from a to d",
            "write it as numbers, or leave the column out",
            path,
        )
    return numbers.astype("float64")


def join_changes(tables: ClusterTables, paths: Sequence[str | Path]) -> tuple[ClusterTables, list[str]]:
    """Add to clusters whether `mcdetect compare` calls them new or grown.

    Parameters
    ----------
    tables : ClusterTables
    paths : sequence of path-like
        Tables of changes, or folders that hold them.

    Returns
    -------
    tables : ClusterTables
        With the columns `change_new` and `change_grown`, 1 or 0; not-a-number where a group was not compared
        or the verdict is uncertain.
    notes : list of str

    Raises
    ------
    TableError
        If a table is no table of changes, or none of its groups is one of the clusters.
    """
    verdicts: dict[tuple[str, int], str] = {}
    for path in paths:
        file = Path(path)
        if file.is_dir():
            file = next((f for f in (file / "changes.parquet", file / "changes.csv") if f.is_file()), file)
        table = read_table(file)
        lacking = {"current_file", "current_cluster_id", "verdict"} - set(table.columns)
        if lacking:
            raise TableError(
                f"it has no column {min(lacking)!r}", "give the changes.csv of mcdetect compare", file
            )
        for name, number, verdict in zip(
            table["current_file"], table["current_cluster_id"], table["verdict"], strict=True
        ):
            verdicts[str(name), int(number)] = str(verdict)
    clusters = tables.clusters
    found = [
        verdicts.get((str(name), int(number)), "uncertain")
        for name, number in zip(clusters["file"], clusters["cluster_id"], strict=True)
    ]
    known = sum(verdict != "uncertain" for verdict in found)
    if not known:
        raise TableError(
            "none of the clusters was compared with an earlier image",
            "the names of the images must be those of clusters.csv",
            Path(paths[0]),
        )
    columns = {
        column: [np.nan if verdict == "uncertain" else float(verdict == word) for verdict in found]
        for column, word in zip(CHANGE_COLUMNS, ("new", "grown"), strict=True)
    }
    joined = ClusterTables(clusters.assign(**columns), tables.path, tables.calcifications, tables.images)
    return joined, [f"{known} of {len(clusters)} clusters were compared with an earlier image"]
