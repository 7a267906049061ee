"""Reads DICOM attributes that may be missing, malformed or of the wrong type."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

__all__ = ["PYDICOM_ERRORS", "code", "integer", "items", "numbers", "present", "text", "texts", "written"]

PYDICOM_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BytesLengthException,
    EOFError,
    InvalidDicomError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,  # with NotImplementedError and RecursionError
    TypeError,
    ValueError,  # with UnicodeDecodeError
    struct.error,
    zlib.error,
)
"""Everything that pydicom was seen to raise on malformed input."""


def _values(ds: Dataset, keyword: str) -> list[object]:
    try:
        value = ds.get(keyword)
    except PYDICOM_ERRORS:
        return []
    if value is None:
        return []
    return list(value) if isinstance(value, (MultiValue, list, tuple)) else [value]


def present(ds: Dataset, keyword: str) -> bool:
    """Return whether the attribute is there, with any value or none."""
    return keyword in ds


def texts(ds: Dataset, keyword: str) -> list[str]:
    """Return the values of an attribute as stripped upper-case text."""
    return [str(value).strip().upper() for value in _values(ds, keyword) if not isinstance(value, bytes)]


def text(ds: Dataset, keyword: str) -> str:
    """Return the first value of an attribute as stripped upper-case text, or ''."""
    return next(iter(texts(ds, keyword)), "")


def written(ds: Dataset, keyword: str) -> str:
    """Return the first value of an attribute as it is written, without control characters, or ''."""
    value = next((str(value) for value in _values(ds, keyword) if not isinstance(value, bytes)), "")
    return "".join(character for character in value if character.isprintable()).strip()


def numbers(ds: Dataset, keyword: str) -> list[float]:
    """Return the values of an attribute as floats; those that are not numbers become NaN.

    An attribute that is there but cannot be parsed at all gives one NaN.
    """
    values = _values(ds, keyword)
    if not values and present(ds, keyword):
        try:
            empty = ds[keyword].value in (None, "", b"", [])
        except PYDICOM_ERRORS:
            empty = False
        return [] if empty else [math.nan]
    return [_number(value) for value in values]


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return math.nan


def number(ds: Dataset, keyword: str) -> float | None:
    """Return the first value as a finite float, or None."""
    found = numbers(ds, keyword)
    return found[0] if found and math.isfinite(found[0]) else None


def integer(ds: Dataset, keyword: str) -> int | None:
    """Return the first value as an integer, or None."""
    value = number(ds, keyword)
    return int(value) if value is not None and value == int(value) else None


def items(ds: Dataset, keyword: str) -> Iterator[Dataset]:
    """Yield the items of a sequence; nothing when it is missing or malformed."""
    try:
        value = ds.get(keyword)
    except PYDICOM_ERRORS:
        return
    if isinstance(value, Sequence):
        yield from value


def code(ds: Dataset) -> str:
    """Return the code value of a code sequence item ("399162004", "R-10242", ...), or ''."""
    return text(ds, "CodeValue") or text(ds, "LongCodeValue")
