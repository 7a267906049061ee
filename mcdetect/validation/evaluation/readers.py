"""Tables of detections, truth and images: read, named and checked."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from mcdetect.errors import InputFileError
from mcdetect.output.csv import as_written

__all__ = ["ALIASES", "TableError", "image_key", "read_table", "standardise"]

ALIASES: dict[str, tuple[str, ...]] = {
    "image": ("image", "file", "image_id", "filename"),
    "x": ("x", "col_px"),
    "y": ("y", "row_px"),
    "score": ("score",),
    "diameter_mm": ("diameter_mm",),
    "snr": ("snr",),
    "patient": ("patient", "patient_id"),
    "cluster": ("cluster", "cluster_id"),
    "ignore": ("ignore", "dont_care"),
    "x_min": ("x_min", "min_col_px"),
    "y_min": ("y_min", "min_row_px"),
    "x_max": ("x_max", "max_col_px"),
    "y_max": ("y_max", "max_row_px"),
    "radius": ("radius", "radius_px"),
    "slice": ("slice",),
    "slice_min": ("slice_min",),
    "slice_max": ("slice_max",),
    "flagged": ("flagged",),
    "normal": ("normal",),
    "spacing_mm": ("spacing_mm", "pixel_spacing_mm"),
    "row_spacing_mm": ("row_spacing_mm",),
    "col_spacing_mm": ("col_spacing_mm",),
    "area_cm2": ("area_cm2", "searched_area_cm2", "breast_area_cm2"),
}
"""Our name of every column that is understood, and the names under which it is looked for, in order."""

_TEXT = {"image", "patient", "cluster"}
# As numbers, "001" would be "1" in a table where every name is a number, and "001" in another.
_AS_WRITTEN = dict.fromkeys((*ALIASES["image"], *ALIASES["patient"]), "str")
_YES_NO = {"ignore", "flagged", "normal"}
_WORDS = {
    "true": True,
    "yes": True,
    "1": True,
    "1.0": True,
    "false": False,
    "no": False,
    "0": False,
    "0.0": False,
    "": False,
    "nan": False,
}
_NO_GROUP = {"", "0", "nan", "None"}


class TableError(InputFileError, ValueError):
    """A table of detections, truth or images cannot be used as it is."""


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV or Parquet file.

    Parameters
    ----------
    path : path-like
        The file; ``.parquet`` is read as Parquet, anything else as comma-separated text (UTF-8).
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".parquet":
            return pd.read_parquet(path)
        table = as_written(pd.read_csv(path, low_memory=False, encoding="utf-8-sig", dtype=_AS_WRITTEN))
    except FileNotFoundError as error:
        raise TableError("there is no such file", "check the name", path) from error
    except IsADirectoryError as error:
        raise TableError("this is a folder", "name one of the tables in it", path) from error
    except pd.errors.EmptyDataError as error:
        raise TableError("the table is empty", "give at least the line of column names", path) from error
    except (ValueError, UnicodeDecodeError, OSError) as error:
        raise TableError(f"not readable as a table ({type(error).__name__})", _look_at(path), path) from error
    _check_dialect(table, path)
    return table


_SAVE = "save it as comma-separated UTF-8 text"
_OTHER_SIGNS = {";": "semicolons", "\t": "tabulators", "|": "upright strokes"}
_DECIMAL_COMMA = re.compile(r"\s*[-+]?\d+,\d+\s*")
_LONG_NAME = 1000  # Technical: characters; no file name has as many


def _look_at(path: Path) -> str:
    """Return the remedy for a file that is no comma-separated text, by its first line."""
    with contextlib.suppress(OSError, UnicodeDecodeError), path.open(encoding="utf-8-sig") as stream:
        first = stream.readline(10_000)
        for sign, name in _OTHER_SIGNS.items():
            if first.count(sign) > first.count(","):
                return f"it looks separated by {name}: {_SAVE}, with decimal points"
    return _SAVE


def _check_dialect(table: pd.DataFrame, path: Path) -> None:
    """Refuse a table that was read in the wrong dialect; it would be understood wrongly or not at all."""
    names = [str(name) for name in table.columns]
    for sign, name in _OTHER_SIGNS.items():
        if len(names) == 1 and sign in names[0]:
            commas = ", and has decimal commas" if table.to_string(max_rows=20).count(",") else ""
            raise TableError(f"it looks separated by {name}{commas}", f"{_SAVE}, with decimal points", path)
    if not isinstance(table.index, pd.RangeIndex):
        extra = table.index.nlevels
        raise TableError(
            f"its rows have {extra} cell(s) more than the line of column names; it looks like decimal commas",
            "write decimal points, or put quotes around cells with a comma",
            path,
        )
    for name in _AS_WRITTEN:
        if name in table:
            text = table[name].dropna().astype(str)
            bad = text.str.contains("\n", regex=False) | (text.str.len() > _LONG_NAME)
            if bad.any():
                row = int(np.flatnonzero(bad.to_numpy())[0]) + 1
                raise TableError(
                    f'a name in row {row} runs over several lines; a quote (") stands alone before it',
                    "remove the quote, or close it",
                    path,
                )


def standardise(
    table: pd.DataFrame,
    *,
    what: str,
    required: tuple[str, ...],
    columns: Mapping[str, str] | None = None,
    path: str | Path | None = None,
) -> pd.DataFrame:
    """Return the columns that are understood, under our names and with our types.

    Parameters
    ----------
    table : DataFrame
        As it came.
    what : str
        What the table holds, for messages.
    required : tuple of str
        Our names of the columns that must be there.
    columns : mapping of str to str, optional
        Our name of a column to its name in the table, where it is none of `ALIASES`.
    path : path-like, optional
        Where the table came from, for messages.

    Returns
    -------
    DataFrame
        Text for image, patient and cluster (empty for none), bool for ignore, flagged and normal,
        float64 (not-a-number for none) for the rest.
    """
    columns = dict(columns or {})
    unknown = sorted(set(columns) - set(ALIASES))
    if unknown:
        raise TableError(f"unknown column {unknown[0]!r}", f"choose from {', '.join(ALIASES)}", path)
    found: dict[str, pd.Series] = {}
    for name, aliases in ALIASES.items():
        if name in columns and columns[name] not in table.columns:
            raise TableError(
                f"the {what} have no column {columns[name]!r}",
                f"the columns are {', '.join(map(str, table.columns))}",
                path,
            )
        source = columns.get(name) or next((a for a in aliases if a in table.columns), None)
        if source is not None:
            found[name] = _typed(table[source], name, what, path)
    for name in required:
        if name not in found:
            raise TableError(
                f"the {what} have no column for {name!r} (looked for {', '.join(ALIASES[name])})",
                f"name it with {name}=COLUMN; the columns are {', '.join(map(str, table.columns))}",
                path,
            )
    return pd.DataFrame(found).reset_index(drop=True)


def _typed(values: pd.Series, name: str, what: str, path: str | Path | None) -> pd.Series:
    if name in _TEXT:
        text = values.map(_as_text)
        if name == "cluster":
            return text.where(~text.isin(list(_NO_GROUP)), "")
        return text
    if name in _YES_NO:
        words = values.map(lambda v: _WORDS.get(str(v).strip().lower()))
        if words.isna().any():
            bad = int(np.flatnonzero(words.isna().to_numpy())[0])
            raise TableError(
                f"column {name!r} of the {what} holds neither yes nor no in row {bad + 1}",
                "write 1 or 0",
                path,
            )
        return words.astype(bool)
    numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    for place in np.flatnonzero(numbers.isna().to_numpy() & ~values.isna().to_numpy()):
        if _DECIMAL_COMMA.fullmatch(str(values.iloc[place])):
            raise TableError(
                f"column {name!r} of the {what} has decimal commas (such as row {place + 1})",
                "write decimal points",
                path,
            )
        if str(values.iloc[place]).strip():
            raise TableError(
                f"column {name!r} of the {what} holds no number in row {place + 1}",
                "correct or empty it",
                path,
            )
    return numbers


def _as_text(value: object) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NA:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # an identifier read as a float because some rows have none
    text = str(value).strip()
    return text[:-2] if text.endswith(".0") and text[:-2].isdecimal() else text  # the same, written as text


def image_key(name: str, how: str) -> str:
    """Return what two names of one image have in common.

    Parameters
    ----------
    name : str
        As a table gives it.
    how : {"exact", "stem"}
        The name itself, or its last part without folder and extension.
    """
    if how == "exact":
        return name
    return Path(name.replace("\\", "/")).stem
