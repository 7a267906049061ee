"""Reads the tables that come with data sets: CSV of any common dialect, or .xlsx."""

from __future__ import annotations

import csv
import logging
import math
import re
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from pathlib import Path

from mcdetect.errors import UnreadableFileError
from mcdetect.validation.datasets.xlsx import read_workbook

__all__ = ["normal", "number", "read_rows", "read_table", "tabulate"]

logger = logging.getLogger(__name__)

_REMEDY = "obtain the file again, or save it as CSV with its column names in the first row"
_DELIMITERS = ",;\t|"


def normal(name: str) -> str:
    """Return a column name in lower case, with single blanks for underscores, dashes and breaks."""
    return re.sub(r"[\s_-]+", " ", name).strip().lower()


def read_table(path: Path, required: Iterable[str]) -> list[dict[str, str]]:
    """Return the rows of a CSV or .xlsx table; of a workbook, those of the first sheet that fits.

    Parameters
    ----------
    path : Path
        The table. Delimiter (comma, semicolon, tab) and encoding (UTF-8, else Latin-1) are found out.
    required : iterable of str
        Columns that must be there, as `normal` writes them.

    Returns
    -------
    list of dict
        One per row that is not empty, keyed by normalised column name; cells stripped.

    Raises
    ------
    UnreadableFileError
        If it cannot be read or a column is missing.
    """
    needed = list(required)
    sheets = read_rows(path)
    for rows in sheets.values():
        table = tabulate(rows, needed)
        if table is not None:
            return table
    columns = ", ".join(repr(name) for name in needed)
    raise UnreadableFileError(f"it has no header row with the columns {columns}", _REMEDY, path)


def read_rows(path: Path) -> dict[str, list[list[str]]]:
    """Return the cells of a table file by sheet; a CSV file is one sheet named ""."""
    if path.suffix.lower() == ".xlsx":
        return read_workbook(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableFileError(
            f"cannot be opened ({error.strerror})", "check that it exists and may be read", path
        ) from error
    if data.startswith(b"PK\x03\x04"):
        return read_workbook(path)
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise UnreadableFileError(
            "it is a workbook of the old .xls kind", "save it as .xlsx or CSV beside it", path
        )
    if b"\x00" in data:
        raise UnreadableFileError("it is no text file", _REMEDY, path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(_DELIMITERS, key=first.count)
    try:
        return {"": _cells(text, delimiter, path)}
    except csv.Error as error:
        raise UnreadableFileError(f"the table is damaged ({error})", _REMEDY, path) from error


def _cells(text: str, delimiter: str, path: Path) -> list[list[str]]:
    """Parse a table; a quote that stands alone costs no more than itself.

    Such a quote makes one cell of all lines up to the next quote: lines with as many delimiters as the first
    one show that they are rows of their own.
    """
    lines = text.splitlines(keepends=True)
    rows: list[list[str]] = []
    start, columns = 0, 0
    while start < len(lines):
        reader = csv.reader(lines[start:], delimiter=delimiter)
        begun = 0
        for row in reader:
            columns = columns or len(row)
            swallowed = [line for cell in row if "\n" in cell for line in cell.splitlines()[1:]]
            if columns > 1 and any(line.count(delimiter) >= columns - 1 for line in swallowed):
                where = start + begun
                logger.warning(
                    "%s: line %d has a quote that is not closed: read without it", path.name, where + 1
                )
                rows.append(lines[where].rstrip("\r\n").replace('"', "").split(delimiter))
                start = where + 1
                break
            rows.append(row)
            begun = reader.line_num
        else:
            break
    return rows


def tabulate(rows: Sequence[Sequence[str]], required: Sequence[str]) -> list[dict[str, str]] | None:
    """Return rows as dictionaries; None when no row near the top holds the required column names."""
    for start, row in enumerate(rows[:10]):
        names = [normal(cell) for cell in row]
        if all(name in names for name in required):
            return [
                {name: _cell(cell) for name, cell in zip_longest(names, cells, fillvalue="") if name}
                for cells in rows[start + 1 :]
                if any(cell.strip() for cell in cells)
            ]
    return None


def _cell(text: str) -> str:
    """Return a cell without blanks, breaks and stray quotes at its ends."""
    return text.strip().strip('"').strip()


def number(text: str | None) -> float | None:
    """Return a finite number, or None."""
    try:
        value = float((text or "").replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
