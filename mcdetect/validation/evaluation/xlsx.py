"""Writes Excel workbooks: sheets of numbers and texts, equal bytes for equal contents.

XlsxWriter keeps texts in the table of shared strings, as Excel does; openpyxl writes them into the cells,
where the R package openxlsx, which reads workbooks for RJafroc, could not read them until 2021.
"""

from __future__ import annotations

import datetime as dt
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from mcdetect.errors import MissingLibraryError

__all__ = ["MOST_ROWS", "Cell", "MissingExcelError", "write_workbook"]

# Standard: Excel's sheets have 1,048,576 rows.
MOST_ROWS = 1_048_575
"""Rows that a sheet can hold below the line of column names."""

Cell = float | int | str | None

_OPTIONS = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}
_DATE = dt.datetime(1980, 1, 1)  # Technical: written as the date of creation, so that bytes stay equal


class MissingExcelError(MissingLibraryError):
    """XlsxWriter is not installed."""

    def __init__(self) -> None:
        super().__init__("writing Excel workbooks needs XlsxWriter", "excel")


def write_workbook(path: str | Path, sheets: Mapping[str, Sequence[Sequence[Cell]]]) -> None:
    """Write a workbook.

    Parameters
    ----------
    path : path-like
        Where to; replaced if it exists.
    sheets : mapping of str to sequence of rows
        Name of every sheet and its rows, the line of column names first. A cell is a finite number, a text,
        or None for an empty one.

    Raises
    ------
    MissingExcelError
        If XlsxWriter is not installed.
    ValueError
        If a sheet has too many rows, or a cell holds what a workbook cannot hold; nothing is written then.
    """
    try:
        from xlsxwriter import Workbook
    except ImportError as error:
        raise MissingExcelError from error
    for name, rows in sheets.items():
        if len(rows) > MOST_ROWS + 1:
            raise ValueError(f"sheet {name!r} has {len(rows)} rows; a workbook holds {MOST_ROWS + 1}")
    data = io.BytesIO()
    with Workbook(data, _OPTIONS) as book:
        book.set_properties({"created": _DATE})
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                for column, value in enumerate(row):
                    if isinstance(value, str):
                        if sheet.write_string(number, column, value):
                            raise ValueError(f"a workbook cannot hold a text of {len(value)} letters")
                    elif value is not None:
                        if not math.isfinite(value):
                            raise ValueError(f"a workbook cannot hold {value}")
                        sheet.write_number(number, column, value)
    Path(path).write_bytes(data.getvalue())
