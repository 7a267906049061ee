"""Reads the cells of an Excel workbook (Office Open XML, ECMA-376) as text."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

from mcdetect.errors import UnreadableFileError

__all__ = ["read_workbook"]

_MAX_PART = 200_000_000
_MAX_COLUMNS = 1_000
_REMEDY = "save the sheet as CSV and give that"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_CELL = re.compile(r"([A-Z]{1,3})\d+")


def read_workbook(path: Path) -> dict[str, list[list[str]]]:
    """Return the rows of every sheet by its name, cells as text, empty ones as "".

    Numbers come as they are stored, whole ones without a decimal point.

    Raises
    ------
    UnreadableFileError
        If it is no such workbook, damaged or absurdly large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            shared = _shared_strings(archive)
            return {
                name: list(_rows(_parse(archive, part), shared)) for name, part in _sheets(archive).items()
            }
    except FileNotFoundError as error:
        raise UnreadableFileError("the file does not exist", "check the path", path) from error
    except zipfile.BadZipFile as error:
        raise UnreadableFileError("it is no Excel workbook of the .xlsx kind", _REMEDY, path) from error
    except (
        ArithmeticError,
        EOFError,
        ET.ParseError,
        LookupError,
        MemoryError,
        OSError,
        RuntimeError,  # with NotImplementedError: encrypted, or packed in a way zipfile does not know
        ValueError,
        struct.error,
        zlib.error,
    ) as error:
        raise UnreadableFileError(
            f"the workbook is damaged or unusual ({type(error).__name__})", _REMEDY, path
        ) from error


def _parse(archive: zipfile.ZipFile, part: str) -> ET.Element:
    if archive.getinfo(part).file_size > _MAX_PART:
        raise ValueError("part too large")
    with archive.open(part) as stream:
        data = stream.read(_MAX_PART + 1)
    if len(data) > _MAX_PART or b"<!DOCTYPE" in data:
        raise ValueError("too large, or with a document type")
    return ET.fromstring(data)


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(element: ET.Element) -> str:
    """Return the text of a string item, without phonetic hints."""
    parts = []
    for child in element:
        if _local(child) == "t":
            parts.append(child.text or "")
        elif _local(child) == "r":
            parts.append(_text(child))
    return "".join(parts)


def _shared_strings(archive: zipfile.ZipFile) -> list[str]:
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    return [_text(item) for item in _parse(archive, "xl/sharedStrings.xml")]


def _sheets(archive: zipfile.ZipFile) -> dict[str, str]:
    targets = {
        relation.get("Id", ""): relation.get("Target", "")
        for relation in _parse(archive, "xl/_rels/workbook.xml.rels")
    }
    sheets = {}
    for element in _parse(archive, "xl/workbook.xml").iter():
        if _local(element) == "sheet":
            target = targets[element.get(_RELATION, "")]
            sheets[element.get("name", "")] = target[1:] if target.startswith("/") else f"xl/{target}"
    return sheets


def _rows(sheet: ET.Element, shared: list[str]) -> Iterator[list[str]]:
    for element in sheet.iter():
        if _local(element) != "row":
            continue
        row: list[str] = []
        for cell in element:
            match = _CELL.fullmatch(cell.get("r", ""))
            column = _column(match[1]) if match else len(row)
            if column >= _MAX_COLUMNS:
                raise ValueError("too many columns")
            row += [""] * (column + 1 - len(row))
            row[column] = _value(cell, shared)
        yield row


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1


def _value(cell: ET.Element, shared: list[str]) -> str:
    kind = cell.get("t", "n")
    value = next((child.text or "" for child in cell if _local(child) == "v"), "")
    if kind == "s":
        return shared[int(value)].strip()
    if kind == "inlineStr":
        return "".join(_text(child) for child in cell if _local(child) == "is").strip()
    if kind == "n" and value:
        number = float(value)
        return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
    return value.strip()
