"""Tables as CSV text that spreadsheets take for no formula."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mcdetect.schema import Column

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["as_text", "as_written", "csv_lines", "csv_text", "guarded", "unguarded"]

# Technical: digits in CSV. Six say a measure better than it is known; a distance of 0.2 mm that is computed
# from positions of thousands of pixels needs three more.
_FLOAT_FORMAT = "%.6g"
_PLACE_FORMAT = "%.9g"

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
"""What a spreadsheet would compute, also behind apostrophes of its own."""
_GUARDED = re.compile(r"''*[=+\-@\t\r]")
_QUOTED = re.compile(r'[,"\r\n]')


def guarded(text: str) -> str:
    """Return a text with an apostrophe before it when a spreadsheet would take it for a formula (OWASP)."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """Return what `guarded` was given."""
    return text[1:] if _GUARDED.match(text) else text


def as_written(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table that was read from CSV with its texts as they were before `guarded`."""
    for name in table.columns:
        if table[name].dtype.kind in "OU" or str(table[name].dtype).startswith("str"):
            held = table[name].map(lambda value: isinstance(value, str) and value.startswith("'"))
            if held.any():
                table[name] = table[name].map(
                    lambda value: unguarded(value) if isinstance(value, str) else value
                )
    return table


def as_text(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose texts are `guarded`."""
    texts = [
        name
        for name in table.columns
        if table[name].dtype.kind in "OU" or str(table[name].dtype).startswith("str")
    ]
    changed = {
        name: [guarded(value) if isinstance(value, str) else value for value in table[name].tolist()]
        for name in texts
    }
    return table.assign(**changed)


def _field(text: str) -> str:
    """Return a text as a field of CSV."""
    text = guarded(text)
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def csv_lines(columns: Sequence[Column], values: Sequence[Any]) -> str:
    """Return rows as CSV: ``\\n`` line ends, empty for what is missing.

    Parameters
    ----------
    columns : sequence of Column
        Columns of the table.
    values : sequence of sequence
        Values of each column; of numbers with a point an array, not-a-number where one is missing.

    Notes
    -----
    Numbers have six significant digits, positions in pixels nine, so that distances follow from them. Texts
    are `guarded`. Columns are formatted as a whole, which is ten times faster than value by value.
    """
    if not values or not len(values[0]):
        return ""
    return "\n".join(map(",".join, zip(*map(_texts, columns, values), strict=True))) + "\n"


def _texts(column: Column, values: Any) -> list[str]:
    if column.dtype == "str":
        fields = {value: _field(str(value)) for value in set(values) if value is not None}
        return [fields.get(value, "") for value in values]
    if column.dtype == "bool":
        return [_TRUTH[bool(value)] for value in values]
    if column.dtype == "int64":
        return ["" if value is None else str(int(value)) for value in values]
    form = _PLACE_FORMAT if column.name.endswith("_px") else _FLOAT_FORMAT
    numbers = tuple(values.tolist())
    texts = (f"{form}\n" * len(numbers) % numbers).split("\n")[:-1]
    return ["" if text == "nan" else text for text in texts] if "nan" in texts else texts


_TRUTH: Mapping[bool, str] = {True: "True", False: "False"}


def csv_text(table: pd.DataFrame, *, header: bool) -> str:
    """Return a table of any columns as CSV, in the form of `csv_lines`."""
    written: dict[str, list[str]] = {}
    for name in table.columns:
        column = table[name]
        if name.endswith("_px") and column.dtype.kind == "f":
            written[name] = [_PLACE_FORMAT % value if value == value else "" for value in column.tolist()]
        elif column.dtype.kind == "O" or str(column.dtype).startswith("str"):
            written[name] = [guarded(value) if isinstance(value, str) else value for value in column.tolist()]
    return table.assign(**written).to_csv(
        index=False, header=header, float_format=_FLOAT_FORMAT, lineterminator="\n"
    )
