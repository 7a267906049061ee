"""Columns of tables, and tables made of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["FILE", "POSITION", "Column", "empty_table", "make_table"]


@dataclass(frozen=True)
class Column:
    """One column of a table; with a formula, it is a feature and stands in the feature dictionary.

    Parameters
    ----------
    name : str
        Its heading.
    dtype : {"str", "float64", "int64", "bool"}
        Type of its values.
    unit : str
        Unit; "0-1" for shares, empty without one.
    meaning : str
        What it is, in a few words.
    formula : str
        How it is computed; empty for what says which row it is and where, for words, and for what is
        thought of it.
    low, high : float
        Range, infinite where there is no limit.
    source : str
        Publication; empty for our own.
    twin : str
        What pyradiomics (by class) and scikit-image (`regionprops`) call it, and how it differs.
    missing : str
        When the value is missing; empty for never.
    from_image : bool
        Whether a feature is measured in the image. All others follow from the columns of the tables by
        their formula.
    """

    name: str
    dtype: str
    unit: str
    meaning: str
    formula: str = ""
    low: float = 0.0
    high: float = math.inf
    source: str = ""
    twin: str = ""
    missing: str = ""
    from_image: bool = False


FILE = Column("file", "str", "", "image, relative to the input it was found in")
POSITION = (
    Column("row_px", "float64", "px", "row of the centre, 0 at the centre of the first row"),
    Column("col_px", "float64", "px", "column of the centre, 0 at the centre of the first column"),
)


def make_table(columns: tuple[Column, ...], data: Mapping[str, Any]) -> pd.DataFrame:
    """Build a DataFrame with exactly the columns and dtypes of a schema.

    Parameters
    ----------
    columns : tuple of Column
        The schema of the table.
    data : mapping of str to array-like
        One entry per column, all of one length; a scalar is repeated.
    """
    missing = [column.name for column in columns if column.name not in data]
    if missing:
        raise ValueError(f"no data for the columns {missing}")
    length = next((len(v) for v in data.values() if np.ndim(v) == 1), 1)
    return pd.DataFrame({column.name: _values(column, data[column.name], length) for column in columns})


def _values(column: Column, value: Any, length: int) -> Any:
    """Return a column's values; arrays of its own type go as they are: tables have hundreds of columns."""
    values = [value] * length if np.ndim(value) == 0 else value
    if column.dtype != "str":
        array = np.asarray(values)
        if array.size == 0 or array.dtype == column.dtype:
            return array.astype(column.dtype)
    return pd.Series(values, dtype=column.dtype)


def empty_table(columns: tuple[Column, ...]) -> pd.DataFrame:
    """Return a table without rows, with the columns and dtypes of a schema."""
    return make_table(columns, {column.name: [] for column in columns})
