"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

__all__ = ["PART_SUFFIX", "replace_with", "write_bytes", "write_text"]

PART_SUFFIX = ".part"
"""Suffix of files that are still being written."""


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
