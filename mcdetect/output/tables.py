"""Tables as CSV and Parquet, written image by image and moved into place when complete."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from mcdetect.models.cluster_model import ClusterModel
from mcdetect.output.files import PART_SUFFIX, replace_with
from mcdetect.output.seam import Output, Piece, Results
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
    SCHEMA_VERSION,
    SKIPPED,
    STEREO_GROUPS,
    STEREO_MARKS,
    STUDIES,
    Column,
)

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from mcdetect.result import Result

__all__ = [
    "CSV_ONLY",
    "SCHEMAS",
    "Candidates",
    "TableWriter",
    "TableWriters",
    "Tables",
    "arrow_schema",
    "csv_text",
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
    "stereo_groups": STEREO_GROUPS,
    "stereo_marks": STEREO_MARKS,
}
"""Name of every table and its columns."""

CSV_ONLY = frozenset({"failures", "skipped"})
"""Tables that are written as CSV only."""

# Technical: digits in CSV. Six say a measure better than it is known; a distance of 0.2 mm that is computed
# from positions of thousands of pixels needs three more.
_FLOAT_FORMAT = "%.6g"
_PLACE_FORMAT = "%.9g"
# Technical: size of the parts of a Parquet file.
_ROWS_PER_GROUP = 65536
_TABLES_PER_GROUP = 512  # a small Arrow table of 200 columns takes 260 kB, however few its rows
_ARROW_TYPES = {"str": "string", "float64": "float64", "int64": "int64", "bool": "bool"}


def arrow_schema(columns: Sequence[Column]) -> pa.Schema:
    """Return the Parquet schema of a table; units and meanings are kept as metadata.

    Parameters
    ----------
    columns : sequence of Column
        Columns of the table.
    """
    import pyarrow as pa

    fields = [
        pa.field(
            column.name,
            pa.type_for_alias(_ARROW_TYPES[column.dtype]),
            nullable=column.dtype == "float64",
            metadata={"unit": column.unit, "meaning": column.meaning},
        )
        for column in columns
    ]
    return pa.schema(fields, metadata={"mcdetect.schema_version": SCHEMA_VERSION})


def csv_text(table: pd.DataFrame, *, header: bool) -> str:
    """Return a table as CSV: ``\\n`` line ends, empty for not-a-number.

    Numbers have six significant digits, positions in pixels nine, so that distances follow from them.
    """
    places = [name for name in table.columns if name.endswith("_px") and table[name].dtype.kind == "f"]
    written = {
        name: [_PLACE_FORMAT % value if value == value else "" for value in table[name].tolist()]
        for name in places
    }
    return table.assign(**written).to_csv(
        index=False, header=header, float_format=_FLOAT_FORMAT, lineterminator="\n"
    )


class TableWriter:
    """One table, appended to while a batch runs.

    Rows reach the temporary CSV at once and the temporary Parquet file in groups, so that memory
    does not grow with the number of images. `close` moves both into place.

    Parameters
    ----------
    folder : Path
        Where the table goes.
    name : str
        A key of `SCHEMAS`; the files are called ``<name>.csv`` and ``<name>.parquet``.
    added : sequence of Column
        Further columns, after those of the schema.
    """

    def __init__(self, folder: Path, name: str, added: Sequence[Column] = ()) -> None:
        self.name = name
        self.columns = (*SCHEMAS[name], *added)
        self._names = [column.name for column in self.columns]
        self._csv_path = folder / f"{name}.csv"
        self._csv_part = folder / f".{name}.csv{PART_SUFFIX}"
        self._parquet_path = None if name in CSV_ONLY else folder / f"{name}.parquet"
        self._parquet_part = folder / f".{name}.parquet{PART_SUFFIX}"
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0
        self.rows = 0
        self._parquet: Any = None
        self._csv = self._csv_part.open("w", encoding="utf-8", errors="backslashreplace", newline="")
        try:
            self._csv.write(",".join(self._names) + "\n")
            if self._parquet_path is not None:
                import pyarrow.parquet as pq

                self._schema = arrow_schema(self.columns)
                self._parquet = pq.ParquetWriter(self._parquet_part, self._schema, compression="zstd")
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
        if table.empty:
            return
        self.rows += len(table)
        self._csv.write(csv_text(table, header=False))
        self._csv.flush()
        if self._parquet is None:
            return
        import pyarrow as pa

        self._waiting.append(pa.Table.from_pandas(table, schema=self._schema, preserve_index=False))
        self._waiting_rows += len(table)
        if self._waiting_rows >= _ROWS_PER_GROUP or len(self._waiting) >= _TABLES_PER_GROUP:
            self._write_group()

    def _write_group(self) -> None:
        import pyarrow as pa

        if self._waiting:
            rows = pa.concat_tables(self._waiting).replace_schema_metadata(self._schema.metadata)
            self._parquet.write_table(rows, row_group_size=_ROWS_PER_GROUP)
        self._waiting, self._waiting_rows = [], 0

    def close(self) -> None:
        """Finish the files and move them into place."""
        self._csv.close()
        if self._parquet is not None and self._parquet_path is not None:
            self._write_group()
            self._parquet.close()
            replace_with(self._parquet_part, self._parquet_path)
        replace_with(self._csv_part, self._csv_path)

    def discard(self, *, remove: bool = True) -> None:
        """Stop without touching a finished table of an earlier run; `remove` the temporary files."""
        with contextlib.suppress(OSError):
            self._csv.close()
        if self._parquet is not None:
            with contextlib.suppress(OSError):
                self._parquet.close()
        for part in (self._csv_part, self._parquet_part) if remove else ():
            with contextlib.suppress(OSError):
                part.unlink()


class TableWriters:
    """The tables of one run; a context that finishes them when all went well.

    Parameters
    ----------
    folder : Path
        Where the tables go.
    names : sequence of str
        Keys of `SCHEMAS`.
    added : mapping of str to sequence of Column, optional
        Further columns of some of them.
    """

    def __init__(
        self, folder: Path, names: Sequence[str], added: Mapping[str, Sequence[Column]] | None = None
    ) -> None:
        self._writers: dict[str, TableWriter] = {}
        try:
            for name in names:
                self._writers[name] = TableWriter(folder, name, (added or {}).get(name, ()))
        except BaseException:
            self.discard()
            raise

    def append(self, tables: Mapping[str, pd.DataFrame]) -> None:
        """Add the rows of one image to the tables that are being written."""
        for name, writer in self._writers.items():
            if name in tables:
                writer.append(tables[name])

    @property
    def rows(self) -> dict[str, int]:
        """Rows written so far, by table."""
        return {name: writer.rows for name, writer in self._writers.items()}

    def close(self) -> None:
        """Finish every table."""
        for writer in self._writers.values():
            writer.close()

    def discard(self, *, remove: bool = True) -> None:
        """Give up every table."""
        for writer in self._writers.values():
            writer.discard(remove=remove)

    def __enter__(self) -> Self:
        """Start a run."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the tables; after an error none appears.

        When the disk itself failed, what reached it stays in the temporary files.
        """
        if error is None:
            self.close()
        else:
            self.discard(remove=not isinstance(error, OSError))


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
        return _write(folder, names, results, {"clusters": added, "images": of_images})


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
        return _write(folder, ("candidates",), results, {})


def _write(
    folder: Path, names: Sequence[str], results: Results, added: Mapping[str, Sequence[Column]]
) -> dict[str, int]:
    whole = {name: results.whole(name) for name in names}
    by_image = [name for name in names if whole[name] is None]
    with TableWriters(folder, names, added) as writers:
        for file in results.files:
            writers.append({name: results.rows(name, file) for name in by_image})
        writers.append({name: table for name, table in whole.items() if table is not None})
        return writers.rows
