"""Recognises file formats by their first bytes; imports nothing heavy."""

from __future__ import annotations

import struct

__all__ = ["DICOMDIR_CLASS", "JP2_MAGIC", "looks_like_bare_dicom", "picture_kind"]

DICOMDIR_CLASS = "1.2.840.10008.1.3.10"
"""SOP class of a DICOMDIR: a directory of a medium, no image."""

JP2_MAGIC = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
"""First bytes of a JPEG 2000 file, which holds a codestream in boxes."""

_PICTURES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"\xff\xd8\xff", "JPEG"),
    (JP2_MAGIC, "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
)


def picture_kind(start: bytes) -> str | None:
    """Return "PNG", "TIFF", "JPEG", "JPEG 2000", "BMP" or "PNM" for a picture's first bytes, else None."""
    for magic, kind in _PICTURES:
        if start.startswith(magic):
            return kind
    if start[:2] == b"BM" and len(start) > 26 and start[6:10] == b"\x00" * 4:
        return "BMP"
    if start[:1] == b"P" and start[1:2] in b"123456" and start[2:3].isspace():
        return "PNM"
    return None


def looks_like_bare_dicom(start: bytes) -> bool:
    """Return whether a file without the DICOM preamble starts like a data set.

    The first element must belong to group 0002 or 0008 and be well formed in explicit or implicit
    little endian, or in explicit big endian.
    """
    if len(start) < 8:
        return False
    for endian in "<>":
        group, element = struct.unpack_from(f"{endian}HH", start)
        if group in (0x0002, 0x0008) and element < 0x3000:
            explicit = start[4:6].isalpha() and start[4:6].isupper()
            (length,) = struct.unpack_from("<I", start, 4)
            if explicit or (endian == "<" and length < 256):
                return True
    return False
