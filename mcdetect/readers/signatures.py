"""Recognises file formats by their first bytes; imports nothing heavy."""

from __future__ import annotations

import re
import struct

__all__ = [
    "DICOMDIR_CLASS",
    "HEAD_BYTES",
    "JP2_MAGIC",
    "PNM_HEADER",
    "archive_kind",
    "is_dicomdir",
    "looks_like_bare_dicom",
    "picture_kind",
    "what_it_is",
]

HEAD_BYTES = 1024
"""Technical: first bytes of a file from which its format is told."""

# Standard: DICOM PS3.6 (class of a DICOMDIR), ITU-T T.800, I.5.1 (signature box).
DICOMDIR_CLASS = "1.2.840.10008.1.3.10"
"""SOP class of a DICOMDIR: a directory of a medium, no image."""

JP2_MAGIC = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
"""First bytes of a JPEG 2000 file, which holds a codestream in boxes."""

PNM_HEADER = re.compile(rb"P([1-6])((?:\s+|#[^\n]*\n)+)(\d{1,6})\s+(?:#[^\n]*\n\s*)*(\d{1,6})\s+")
"""How a PBM, PGM or PPM picture begins (Netpbm)."""

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
_ARCHIVES = ((b"\x1f\x8b", "gzip"), (b"PK\x03\x04", "zip"))
_OTHERS = (
    (b"PK\x05\x06", "an empty zip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"%PDF", "a PDF document"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"GIF8", "a GIF picture"),
    (b"SQLite format 3", "a database"),
)
_TAR = (257, b"ustar")  # where a tar archive says what it is (POSIX.1)


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


def archive_kind(start: bytes) -> str | None:
    """Return "gzip" or "zip" for the first bytes of an archive that is looked into, else None."""
    return next((kind for magic, kind in _ARCHIVES if start.startswith(magic)), None)


def what_it_is(start: bytes) -> str:
    """Return what a file is that is neither DICOM nor a picture, such as "a PDF document", for people."""
    if not start:
        return "an empty file"
    for magic, what in _OTHERS:
        if start.startswith(magic):
            return what
    if start[_TAR[0] : _TAR[0] + len(_TAR[1])] == _TAR[1]:
        return "a tar archive"
    if (kind := archive_kind(start)) is not None:
        return f"a {kind} archive"
    if not start.strip(b"\x00"):
        return "a file of zero bytes"
    printable = sum(32 <= byte < 127 or byte in b"\t\r\n" for byte in start)
    return "a text file" if printable > 0.95 * len(start) else "a file of no format that mcdetect reads"


def is_dicomdir(start: bytes) -> bool:
    """Return whether a file is a DICOMDIR, by its class in the meta information."""
    return DICOMDIR_CLASS.encode("ascii") + b"\0" in start


def looks_like_bare_dicom(start: bytes) -> bool:
    """Return whether a file without the DICOM preamble starts like a data set.

    The first element must belong to group 0002 or 0008 and be well formed in explicit or implicit
    little endian, or in explicit big endian; so must be what follows it in these bytes, by rising tags.
    """
    if len(start) < 8:
        return False
    for endian in "<>":
        group, element = struct.unpack_from(f"{endian}HH", start)
        if group in (0x0002, 0x0008) and element < 0x3000:
            explicit = start[4:6].isalpha() and start[4:6].isupper()
            (length,) = struct.unpack_from("<I", start, 4)
            if (explicit or (endian == "<" and length < 256)) and _goes_on(start, endian, explicit):
                return True
    return False


_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_FEW = 4  # Technical: elements that are looked at
_PIXELS = 0x7FE0  # Standard: DICOM PS3.6, the group of the pixels, which the first elements do not follow


def _goes_on(start: bytes, endian: str, explicit: bool) -> bool:
    """Return whether the elements after the first are well formed, as far as the bytes reach."""
    position, before = 0, (0, -1)
    for _ in range(_FEW):
        if position + 12 > len(start):
            return True
        tag = struct.unpack_from(f"{endian}HH", start, position)
        if tag <= before or tag[0] > _PIXELS or (tag[0] % 2 and tag[0] < 9):
            return False
        if tag[0] > 0x0008 and before[0] == 0x0002:
            return False  # the data set after the meta information begins with group 0008
        if explicit:
            kind = start[position + 4 : position + 6]
            if not (kind.isalpha() and kind.isupper()):
                return before[0] == 0x0002  # implicit from here on
            if kind in _LONG:
                (length,) = struct.unpack_from(f"{endian}I", start, position + 8)
                position += 12
            else:
                (length,) = struct.unpack_from(f"{endian}H", start, position + 6)
                position += 8
        else:
            (length,) = struct.unpack_from("<I", start, position + 4)
            position += 8
        if length == 0xFFFFFFFF:
            return True
        position, before = position + length, tag
    return True
