"""Checks every value that is read from a model file."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Checker", "FormatError"]

# Technical: what a model file may hold, so that a damaged one is refused early.
_LONGEST_TEXT = 200  # characters
_MOST_FEATURES = 10_000
_LARGEST = 2.0**53  # whole numbers beyond it are not exact in float64


class FormatError(ValueError):
    """What is wrong with the content of a model file."""


class Checker:
    """One object of a model file, whose keys must be exactly those that are known.

    Parameters
    ----------
    data : object
        What the file holds.
    where : str
        What it is called in messages.
    keys : set of str
        The keys it must have.
    """

    def __init__(self, data: Any, where: str, keys: set[str]) -> None:
        if not isinstance(data, dict):
            raise FormatError(f"{where} is no object")
        for key in sorted(keys - set(data)):
            raise FormatError(f"{where} lacks {key!r}")
        if set(data) - keys:
            raise FormatError(f"{where} holds an entry that no model has")
        self.data: dict[str, Any] = data
        self.where = where

    def text(self, key: str) -> str:
        """Return a short printable text."""
        value = self.data[key]
        if not _is_name(value):
            raise FormatError(f"{key!r} of {self.where} is no short text")
        return str(value)

    def names(self, key: str) -> tuple[str, ...]:
        """Return a list of different names, at least one."""
        value = self.data[key]
        if not isinstance(value, list) or not 1 <= len(value) <= _MOST_FEATURES:
            raise FormatError(f"{key!r} of {self.where} is no list of names")
        if not all(_is_name(name) for name in value):
            raise FormatError(f"{key!r} of {self.where} holds something that is no name")
        if len(set(value)) < len(value):
            raise FormatError(f"{key!r} of {self.where} names one twice")
        return tuple(value)

    def mapping(self, key: str) -> dict[str, Any]:
        """Return an object."""
        value = self.data[key]
        if not isinstance(value, dict):
            raise FormatError(f"{key!r} of {self.where} is no object")
        return value

    def items(self, key: str, most: int) -> list[Any]:
        """Return a list of at most `most` entries."""
        value = self.data[key]
        if not isinstance(value, list) or len(value) > most:
            raise FormatError(f"{key!r} of {self.where} is no list, or one that is far too long")
        return value

    def number(self, key: str) -> float:
        """Return a finite number."""
        return _number(self.data[key], f"{key!r} of {self.where}")

    def numbers(self, key: str, length: int) -> npt.NDArray[np.float64]:
        """Return a list of finite numbers of a given length as (length,) float64."""
        value = self.data[key]
        if not isinstance(value, list) or len(value) != length:
            raise FormatError(f"{key!r} of {self.where} is no list of {length} numbers")
        found = [_number(item, f"an entry of {key!r} of {self.where}") for item in value]
        return np.array(found, dtype=np.float64)

    def integers(self, key: str, length: int, low: int, high: int) -> npt.NDArray[np.int64]:
        """Return a list of whole numbers from `low` to `high` as (length,) int64."""
        found = self.numbers(key, length)
        if np.any(found != np.floor(found)) or np.any(found < low) or np.any(found > high):
            raise FormatError(f"an entry of {key!r} of {self.where} is not one of {low} to {high}")
        return found.astype(np.int64)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_TEXT and value.isprintable()


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise FormatError(f"{what} is no number")
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise FormatError(f"{what} is too large")
    if not math.isfinite(value):
        raise FormatError(f"{what} is not finite")
    return float(value)
