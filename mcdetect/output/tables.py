"""Tables as CSV and Parquet, written batch by batch and moved into place when complete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from mcdetect.models.cluster_model import ClusterModel
from mcdetect.output.csv import csv_text
from mcdetect.output.seam import Output, Piece, Results
from mcdetect.output.sinks import SINKS, Sink, arrow_schema
from mcdetect.schema import (
    CALCIFICATIONS,
    CANDIDATES,
    CHANGES,
    CLUSTERS,
    DICOM_COLUMNS,
    FAILURES,
    FINDINGS,
    IMAGES,
    MEMBERS,
    MODEL_COLUMNS,
    PAIRS,
    SKIPPED,
    STEREO_GROUPS,
    STEREO_MARKS,
    STUDIES,
    Column,
)

if TYPE_CHECKING:
    import pandas as pd

    from mcdetect.result import Result

__all__ = [
    "CSV_ONLY",
    "FORMATS",
    "SCHEMAS",
    "Candidates",
    "TableWriter",
    "TableWriters",
    "Tables",
    "arrow_schema",
    "csv_text",
    "write_tables",
]

SCHEMAS: dict[str, tuple[Column, ...]] = {
    "images": IMAGES,
    "calcifications": CALCIFICATIONS,
    "clusters": CLUSTERS,
    "candidates": CANDIDATES,
    "studies": STUDIES,
    "findings": FINDINGS,
    "failures": FAILURES,
    "skipped": SKIPPED,
    "changes": CHANGES,
    "members": MEMBERS,
    "pairs": PAIRS,
    "stereo_groups": STEREO_GROUPS,
    "stereo_marks": STEREO_MARKS,
}
"""Name of every table and its columns."""

CSV_ONLY = frozenset({"failures", "skipped"})
"""Tables that are not written as Parquet."""

FORMATS = ("csv", "parquet")
"""Kinds of table files that a run writes."""

_VALUES_HELD = 25_000  # Technical: values that wait to be written, with their texts some MB


class TableWriter:
    """One table, appended to batch by batch.

    Memory does not grow with the number of rows. `finish` completes the temporary files, `move` moves them
    into place, `close` does both.

    Parameters
    ----------
    folder : Path
        Where the table goes.
    name : str
        A key of `SCHEMAS`; the files are called ``<name>.csv`` and ``<name>.parquet``.
    added : sequence of Column
        Further columns, after those of the schema.
    formats : sequence of str
        Keys of `mcdetect.output.sinks.SINKS`; tables of `CSV_ONLY` are not written as Parquet.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        added: Sequence[Column] = (),
        formats: Sequence[str] = FORMATS,
    ) -> None:
        self.name = name
        self.columns = (*SCHEMAS[name], *added)
        self._names = [column.name for column in self.columns]
        self._waiting: list[tuple[Any, ...]] = []
        self.rows = 0
        self._sinks: list[Sink] = []
        self._finished = False
        try:
            for form in formats:
                if form != "parquet" or name not in CSV_ONLY:
                    self._sinks.append(SINKS[form](folder, name, self.columns))
        except BaseException:
            self.discard()
            raise

    def append(self, table: pd.DataFrame) -> None:
        """Add rows; `table` must have the columns of the schema."""
        if list(table.columns) != self._names:
            wrong = sorted(set(self._names) ^ set(table.columns)) or ["their order"]
            raise ValueError(
                f"a table of {self.name} must have the columns of its schema; wrong: {wrong[:5]}"
            )
        if len(table):
            self.extend(list(zip(*(table[name].tolist() for name in self._names), strict=True)))

    def extend(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Add rows as tuples in the order of the columns; None or not-a-number where a value is missing."""
        self.rows += len(rows)
        self._waiting.extend(rows)
        if len(self._waiting) * len(self.columns) >= _VALUES_HELD:
            self._write()

    def _write(self) -> None:
        import numpy as np

        rows, self._waiting = self._waiting, []
        if rows:
            # Once for all files: what is missing (None) becomes not-a-number.
            values: list[Any] = [
                np.array(given, np.float64) if column.dtype == "float64" else given
                for column, given in zip(self.columns, zip(*rows, strict=True), strict=True)
            ]
            for sink in self._sinks:
                sink.write(values)

    def finish(self) -> None:
        """Complete the files under their temporary names; once is enough."""
        if not self._finished:
            self._finished = True
            self._write()
            for sink in self._sinks:
                sink.finish()

    def move(self) -> None:
        """Move the finished files into place."""
        for sink in self._sinks:
            sink.move()

    def close(self) -> None:
        """Finish the files and move them into place."""
        self.finish()
        self.move()

    def discard(self) -> None:
        """Stop without touching a finished table of an earlier run."""
        self._waiting = []
        for sink in self._sinks:
            sink.abandon()


class TableWriters:
    """The tables of one run; a context that finishes them, all or none, when all went well.

    Parameters
    ----------
    folder : Path
        Where the tables go.
    names : sequence of str
        Keys of `SCHEMAS`.
    added : mapping of str to sequence of Column, optional
        Further columns of some of them.
    formats : sequence of str
        As for `TableWriter`.
    """

    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        added: Mapping[str, Sequence[Column]] | None = None,
        formats: Sequence[str] = FORMATS,
    ) -> None:
        self._writers: dict[str, TableWriter] = {}
        try:
            for name in names:
                self._writers[name] = TableWriter(folder, name, (added or {}).get(name, ()), formats)
        except BaseException:
            self.discard()
            raise

    def append(self, tables: Mapping[str, pd.DataFrame]) -> None:
        """Add the rows of one image to the tables that are being written."""
        for name, writer in self._writers.items():
            if name in tables:
                writer.append(tables[name])

    def extend(self, name: str, batches: Iterable[Sequence[tuple[Any, ...]]]) -> None:
        """Write the rows of a table as they come from the store; they are all of it."""
        for rows in batches:
            self._writers[name].extend(rows)
        self._writers[name].finish()

    def columns(self, name: str) -> tuple[Column, ...]:
        """Return the columns of a table."""
        return self._writers[name].columns

    @property
    def rows(self) -> dict[str, int]:
        """Rows written so far, by table."""
        return {name: writer.rows for name, writer in self._writers.items()}

    def close(self) -> None:
        """Finish every table; the first appears when the last is complete."""
        for writer in self._writers.values():
            writer.finish()
        for writer in self._writers.values():
            writer.move()

    def discard(self) -> None:
        """Give up every table."""
        for writer in self._writers.values():
            writer.discard()

    def __enter__(self) -> Self:
        """Start a run."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the tables; after an error none appears, and the room is given back."""
        if error is not None:
            self.discard()
            return
        try:
            self.close()
        except BaseException:
            self.discard()
            raise


@dataclass(frozen=True)
class Tables(Output):
    """Images, calcifications, clusters, studies, findings, failures and what was passed over.

    Parameters
    ----------
    model : ClusterModel, optional
        A model of the user, whose columns are added to the clusters.
    dicom_columns : bool
        Add `mcdetect.schema.DICOM_COLUMNS` to the images.
    """

    name: ClassVar[str] = "tables"
    model: ClusterModel | None = None
    dicom_columns: bool = False

    def add(self, folder: Path, file: str, result: Result) -> Piece:
        """Return the three tables of an image."""
        clusters = result.clusters if self.model is None else self.model.apply(result.clusters)
        images = result.summary()
        if self.dicom_columns:
            images = images.assign(**_header(result))
        return Piece({"images": images, "calcifications": result.calcifications, "clusters": clusters})

    def close(self, folder: Path, results: Results) -> Mapping[str, int]:
        """Write every table."""
        model = self.model
        added = () if model is None else tuple(c for c in MODEL_COLUMNS if c.name in model.columns)
        names = ("images", "calcifications", "clusters", "studies", "findings", "failures", "skipped")
        of_images = DICOM_COLUMNS if self.dicom_columns else ()
        return write_tables(folder, names, results, {"clusters": added, "images": of_images})


def _header(result: Result) -> dict[str, Any]:
    """Return the values of `DICOM_COLUMNS`; empty where the header has none, or there is no header."""
    nothing = {"str": "", "float64": float("nan")}
    known = result.mammogram.header
    return {column.name: [known.get(column.name, nothing[column.dtype])] for column in DICOM_COLUMNS}


@dataclass(frozen=True)
class Candidates(Output):
    """Everything that was considered, with its score."""

    name: ClassVar[str] = "candidates"

    def add(self, folder: Path, file: str, result: Result) -> Piece:
        """Return the candidates of an image."""
        return Piece({"candidates": result.candidates})

    def close(self, folder: Path, results: Results) -> Mapping[str, int]:
        """Write the table."""
        return write_tables(folder, ("candidates",), results, {})


def write_tables(
    folder: Path,
    names: Sequence[str],
    results: Results,
    added: Mapping[str, Sequence[Column]],
    formats: Sequence[str] = FORMATS,
) -> dict[str, int]:
    """Write tables of a run, batch by batch; return their rows by name.

    Parameters
    ----------
    folder : Path
        Where they go.
    names : sequence of str
        Keys of `SCHEMAS`.
    results : Results
        What the run found.
    added : mapping of str to sequence of Column
        Further columns of some of them.
    formats : sequence of str
        As for `TableWriter`.
    """
    with TableWriters(folder, names, added, formats) as writers:
        for name in names:
            writers.extend(name, results.batches(name, writers.columns(name)))
        return writers.rows
