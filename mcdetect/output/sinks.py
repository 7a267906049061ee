"""Files of one table: rows go in a batch at a time, and the file appears when all are there."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mcdetect.output.csv import csv_lines
from mcdetect.output.files import PART_SUFFIX, replace_with
from mcdetect.schema import SCHEMA_VERSION, Column

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SINKS", "Sink", "arrow_schema"]

# Technical: size of the parts of a Parquet file, in values: 8 MB of numbers.
_VALUES_PER_GROUP = 1_000_000
_ROWS_PER_GROUP = 65536
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


class Sink:
    """A file of one table.

    Parameters
    ----------
    folder : Path
        Where it goes.
    name : str
        Name of the table.
    columns : sequence of Column
        Its columns.
    """

    suffix: ClassVar[str]

    def __init__(self, folder: Path, name: str, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)
        self.path = folder / f"{name}.{self.suffix}"
        self.part = folder / f".{self.path.name}{PART_SUFFIX}"
        self.open()

    def open(self) -> None:
        """Begin the file."""

    def write(self, values: Sequence[Any]) -> None:
        """Add rows; `values` holds those of each column, of numbers with a point as an array."""

    def finish(self) -> None:
        """Write what is left, and close the file under its temporary name."""

    def move(self) -> None:
        """Move the finished file into place."""
        replace_with(self.part, self.path)

    def abandon(self) -> None:
        """Close and remove the temporary file."""
        with contextlib.suppress(Exception):
            self.finish()
        with contextlib.suppress(OSError):
            self.part.unlink()


class CsvSink(Sink):
    """Comma-separated UTF-8 text."""

    suffix = "csv"

    def open(self) -> None:
        """Write the line of names."""
        self.stream = self.part.open("w", encoding="utf-8", errors="backslashreplace", newline="")
        self.stream.write(",".join(column.name for column in self.columns) + "\n")

    def write(self, values: Sequence[Any]) -> None:
        """Add rows."""
        self.stream.write(csv_lines(self.columns, values))

    def finish(self) -> None:
        """Close the file."""
        self.stream.close()


class JsonSink(Sink):
    """An array of objects, one per line; what is missing is null."""

    suffix = "json"

    def open(self) -> None:
        """Begin the array."""
        self.stream = self.part.open("w", encoding="utf-8", errors="backslashreplace", newline="")
        self.stream.write("[")
        self.lead = "\n"
        self.names = [column.name for column in self.columns]

    def write(self, values: Sequence[Any]) -> None:
        """Add rows."""
        import numpy as np

        typed = [
            [bool(value) for value in given]
            if column.dtype == "bool"
            else given.tolist()
            if isinstance(given, np.ndarray)
            else given
            for column, given in zip(self.columns, values, strict=True)
        ]
        for row in zip(*typed, strict=True):
            found = {
                name: None if isinstance(value, float) and not math.isfinite(value) else value
                for name, value in zip(self.names, row, strict=True)
            }
            self.stream.write(self.lead + json.dumps(found, ensure_ascii=False))
            self.lead = ",\n"

    def finish(self) -> None:
        """End the array and close the file."""
        if not self.stream.closed:
            self.stream.write("\n]\n")
            self.stream.close()


class ParquetSink(Sink):
    """Apache Parquet, with units and meanings of the columns."""

    suffix = "parquet"

    def open(self) -> None:
        """Begin the file."""
        import pyarrow.parquet as pq

        self.schema = arrow_schema(self.columns)
        self.waiting: list[pa.RecordBatch] = []
        self.rows = 0
        self.writer: Any = pq.ParquetWriter(self.part, self.schema, compression="zstd")

    def write(self, values: Sequence[Any]) -> None:
        """Add rows, in groups of some MB."""
        import numpy as np
        import pyarrow as pa

        arrays = []
        for column, field, given in zip(self.columns, self.schema, values, strict=True):
            if column.dtype == "str":
                arrays.append(pa.array(list(map(_clean, given)), field.type))
            elif column.dtype == "float64":
                arrays.append(pa.array(given, field.type, from_pandas=True))
            else:
                arrays.append(pa.array(np.array(given, dtype=column.dtype), field.type))
        self.waiting.append(pa.RecordBatch.from_arrays(arrays, schema=self.schema))
        self.rows += len(values[0])
        if self.rows * len(self.columns) >= _VALUES_PER_GROUP or self.rows >= _ROWS_PER_GROUP:
            self._write_group()

    def _write_group(self) -> None:
        import pyarrow as pa

        if self.waiting:
            rows = pa.Table.from_batches(self.waiting, self.schema)
            self.writer.write_table(rows, row_group_size=_ROWS_PER_GROUP)
        self.waiting, self.rows = [], 0

    def finish(self) -> None:
        """Write the last group and close the file."""
        if self.writer is not None:
            writer, self.writer = self.writer, None
            try:
                if self.waiting:
                    self.writer = writer
                    self._write_group()
            finally:
                self.writer = None
                writer.close()


def _clean(text: str) -> str:
    """Return a text that UTF-8 can hold."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


SINKS: dict[str, type[Sink]] = {sink.suffix: sink for sink in (CsvSink, ParquetSink, JsonSink)}
"""Kinds of table files by name."""
