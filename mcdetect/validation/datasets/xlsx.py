"""Reads the cells of an Excel workbook as text."""

from __future__ import annotations

import datetime as dt
import warnings
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcdetect.errors import UnreadableFileError, install_hint

if TYPE_CHECKING:
    from openpyxl import Workbook

__all__ = ["read_workbook"]

# Technical: bounds on memory.
_MAX_BYTES = 200_000_000
"""Largest sum of the parts of a workbook, unpacked."""
_MAX_ROWS, _MAX_COLUMNS = 1_048_576, 1_000  # Excel holds no more rows; no table of truth has more columns
_REMEDY = "save the sheet as CSV and give that"


def read_workbook(path: Path) -> dict[str, list[list[str]]]:
    """Return the rows of every sheet by its name, cells as text, empty ones as "".

    Of formulas the values that were stored with them count. Numbers come as they are stored, whole ones
    without a decimal point; dates, too, are numbers.

    Raises
    ------
    UnreadableFileError
        If openpyxl is not installed, or the file is no such workbook, damaged or absurdly large.
    """
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        remedy = f"{install_hint('excel')}, or {_REMEDY}"
        raise UnreadableFileError("reading Excel workbooks needs openpyxl", remedy, path) from error
    try:
        with path.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what openpyxl leaves out: styles, charts, validation
            _check(stream)
            book = load_workbook(stream, read_only=True, data_only=True, keep_links=False)
            return _cells(book)
    except FileNotFoundError as error:
        raise UnreadableFileError("the file does not exist", "check the path", path) from error
    except zipfile.BadZipFile as error:
        raise UnreadableFileError("it is no Excel workbook of the .xlsx kind", _REMEDY, path) from error
    except Exception as error:
        raise UnreadableFileError(
            f"the workbook is damaged or unusual ({type(error).__name__})", _REMEDY, path
        ) from error


def _check(stream: Any) -> None:
    """Refuse what unpacks to too much, and document types, which can name other files or grow without end."""
    with zipfile.ZipFile(stream) as archive:
        if sum(part.file_size for part in archive.infolist()) > _MAX_BYTES:
            raise ValueError("too large")
        for part in archive.infolist():
            if part.filename.endswith((".xml", ".rels")):
                data = archive.read(part)  # no more than the size that was declared
                if b"<!DOCTYPE" in data.replace(b"\x00", b""):  # in UTF-16, too
                    raise ValueError("with a document type")
    stream.seek(0)


def _cells(book: Workbook) -> dict[str, list[list[str]]]:
    from openpyxl.utils.datetime import to_excel

    def text(value: Any) -> str:
        if isinstance(value, dt.date | dt.time | dt.timedelta):
            value = to_excel(value, book.epoch)
        if value is None:
            return ""
        if isinstance(value, bool):
            return str(int(value))
        if isinstance(value, float):
            return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        return str(value).strip()

    found = {}
    for sheet in book.worksheets:
        sheet.reset_dimensions()  # what the sheet says of its size is not to be relied on
        found[sheet.title] = [[text(value) for value in row] for row in _bounded(sheet.values)]
    return found


def _bounded(rows: Iterable[Sequence[Any]]) -> Iterable[Sequence[Any]]:
    for number, row in enumerate(rows):
        if number >= _MAX_ROWS or len(row) > _MAX_COLUMNS:
            raise ValueError("too many rows or columns")
        yield row
