"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import zlib
from pathlib import Path

__all__ = [
    "PART_SUFFIX",
    "SOFTWARE",
    "is_own_picture",
    "replace_with",
    "signed_png",
    "write_bytes",
    "write_text",
]

PART_SUFFIX = ".part"
"""Suffix of files that are still being written."""

SOFTWARE = "mcdetect"
"""What pictures that we draw name as their software (PNG keyword ``Software``), to be known again."""

# Standard: PNG (ISO/IEC 15948), sections 5.2, 11.2.2 and 11.3.4.3.
_PNG = b"\x89PNG\r\n\x1a\n"
_AFTER_HEADER = 33  # bytes of the signature and of the first chunk, IHDR
_SIGNATURE = b"tEXtSoftware\0" + SOFTWARE.encode("ascii")


def signed_png(data: bytes) -> bytes:
    """Return a PNG file that names mcdetect as its software."""
    length = (len(_SIGNATURE) - 4).to_bytes(4, "big")
    chunk = length + _SIGNATURE + zlib.crc32(_SIGNATURE).to_bytes(4, "big")
    return data[:_AFTER_HEADER] + chunk + data[_AFTER_HEADER:]


def is_own_picture(head: bytes) -> bool:
    """Tell from its first bytes whether a file is a picture that mcdetect drew."""
    return head.startswith(_PNG) and _SIGNATURE in head


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
