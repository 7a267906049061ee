"""Files that appear whole or not at all, and names that are safe to give them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

__all__ = ["PART_SUFFIX", "overlay_names", "replace_with", "write_bytes", "write_text"]

PART_SUFFIX = ".part"
"""Suffix of files that are still being written."""

_LONGEST_NAME = 120


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file under a temporary name and move it into place."""
    part = path.with_name(f".{path.name}{PART_SUFFIX}")
    try:
        part.write_bytes(data)
        replace_with(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file under a temporary name and move it into place."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def replace_with(part: Path, path: Path) -> None:
    """Move a finished temporary file over `path`."""
    os.replace(part, path)  # noqa: PTH105  (Path.replace follows the same call; this one says what it does)


def overlay_names(files: Sequence[str]) -> list[str]:
    """Return one PNG file name per image: flat, portable and unique.

    Parameters
    ----------
    files : sequence of str
        Names of images as in the tables, such as ``"site_a/IM0001.dcm"``.

    Returns
    -------
    list of str
        Such as ``"site_a__IM0001.png"``; images whose names would be equal on some file system
        also carry eight digits of a hash of their full name.
    """
    plain = [_plain(file) for file in files]
    count: dict[str, int] = {}
    for name in plain:
        count[name.casefold()] = count.get(name.casefold(), 0) + 1
    names = []
    for file, name in zip(files, plain, strict=True):
        if count[name.casefold()] > 1 or len(name) > _LONGEST_NAME:
            digest = hashlib.sha256(file.encode("utf-8", "surrogateescape")).hexdigest()[:8]
            name = f"{name[:_LONGEST_NAME]}-{digest}"
        names.append(f"{name}.png")
    return names


def _plain(file: str) -> str:
    stem = re.sub(r"\.(dcm|dicom|dic|ima|bmp|jp2|jpe?g|pgm|png|pnm|tiff?)$", "", file, flags=re.IGNORECASE)
    name = re.sub(r"[^A-Za-z0-9._-]", "_", re.sub(r"[/\\]+", "__", stem)).strip(".")
    reserved = re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name, flags=re.IGNORECASE)
    return f"_{name}" if reserved or not name else name
