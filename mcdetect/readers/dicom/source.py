"""Opens a DICOM file: header first, pixel data only located, nothing trusted."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset

from mcdetect.errors import UnreadableFileError
from mcdetect.readers.dicom.tags import PYDICOM_ERRORS
from mcdetect.readers.examination import MAX_PIXELS

__all__ = ["DicomSource", "PixelElement", "open_dicom"]

# Technical: a bound on memory.
_MAX_INFLATED = 2 * MAX_PIXELS + 2**24
"""Bytes that a deflated file may unpack to: the largest 16-bit image accepted, and its header."""

# Standard: DICOM PS3.6 (the elements that hold pixels) and PS3.5, 7.1.1 (undefined length).
_PIXEL_TAGS = {
    (0x7FE0, 0x0010): "PixelData",
    (0x7FE0, 0x0008): "FloatPixelData",
    (0x7FE0, 0x0009): "DoubleFloatPixelData",
}
_UNDEFINED = 0xFFFFFFFF
_AGAIN = "obtain the file again"


@dataclass(frozen=True)
class PixelElement:
    """Where the pixel data lies in the stream.

    Parameters
    ----------
    keyword : str
        "PixelData", "FloatPixelData" or "DoubleFloatPixelData".
    vr : str
        "OB", "OW", ...
    start : int
        Offset of the first byte of the value.
    length : int or None
        Length of the value in bytes; None when undefined (encapsulated).
    available : int
        Bytes in the stream from `start` on.
    """

    keyword: str
    vr: str
    start: int
    length: int | None
    available: int


@dataclass(frozen=True)
class DicomSource:
    """An open DICOM file.

    Parameters
    ----------
    header : Dataset
        Everything before the pixel data.
    stream : binary file
        The bytes, inflated where the transfer syntax is deflated.
    transfer_syntax : UID
        As stated, or as the encoding was recognised where the header states none.
    stated : bool
        Whether the header states the transfer syntax.
    encoding : UID
        Uncompressed transfer syntax of the data set around the pixel data.
    pixel_element : PixelElement or None
        None when the file has no pixel data.
    """

    header: Dataset
    stream: BinaryIO
    transfer_syntax: uid.UID
    stated: bool
    encoding: uid.UID
    pixel_element: PixelElement | None


@contextmanager
def open_dicom(path: Path) -> Iterator[DicomSource]:
    """Open a DICOM file and read its header.

    Parameters
    ----------
    path : Path
        The file; a missing preamble and missing file meta information are tolerated.

    Raises
    ------
    UnreadableFileError
        If it cannot be opened or parsed.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise UnreadableFileError(
            f"cannot be opened ({error.strerror})", "check that it exists and may be read"
        ) from error
    with file:
        try:
            header, stream, implicit, little = _read_header(file)
            element = _pixel_element(stream, implicit, little)
            meta = getattr(header, "file_meta", None) or Dataset()
            stated = str(meta.get("TransferSyntaxUID") or "").strip()
        except RecursionError as error:
            raise UnreadableFileError("its sequences are nested too deeply", _AGAIN) from error
        except PYDICOM_ERRORS as error:
            raise UnreadableFileError(
                f"the DICOM header cannot be parsed ({type(error).__name__})", _AGAIN
            ) from error
        if not len(header) and not len(meta):
            raise UnreadableFileError("it holds no DICOM attributes", "give DICOM images")
        encoding = _plain_syntax(implicit, little)
        syntax = uid.UID(stated) if stated else encoding
        yield DicomSource(header, stream, syntax, bool(stated), encoding, element)


def _meta_of(file: BinaryIO) -> FileMetaDataset:
    """Return the file meta information (DICOM PS3.10, 7.1), the stream standing at its start again."""
    for implicit in (False, True):  # some writers use the wrong encoding
        file.seek(132)
        elements = read_dataset(
            file,
            is_implicit_VR=implicit,
            is_little_endian=True,
            stop_when=lambda tag, vr, length: tag >> 16 != 2,
        )
        meta = FileMetaDataset(elements)
        try:
            meta.get("TransferSyntaxUID")
            break
        except NotImplementedError:
            continue
    file.seek(0)
    return meta


def _read_header(file: BinaryIO) -> tuple[Dataset, BinaryIO, bool, bool]:
    """Return everything before the pixel data, the stream standing there, and its encoding.

    The encoding is (implicit value representations, little endian).
    """
    start = file.read(1024)
    file.seek(0)
    deflated = str(uid.DeflatedExplicitVRLittleEndian).encode()
    if start[128:132] != b"DICM":
        if deflated in start:
            raise UnreadableFileError("it is deflated but has no DICOM preamble", _AGAIN)
    else:
        meta = _meta_of(file)
        if meta.get("TransferSyntaxUID") == uid.DeflatedExplicitVRLittleEndian:
            # The meta information is a group length element of 12 bytes and what that counts.
            file.seek(132 + 12 + int(meta.FileMetaInformationGroupLength))
            stream = _inflate(file.read())
            header = read_dataset(
                stream,
                is_implicit_VR=False,
                is_little_endian=True,
                stop_when=lambda tag, vr, length: (tag >> 16, tag & 0xFFFF) in _PIXEL_TAGS,
            )
            header.file_meta = meta
            return header, stream, False, True
    header = pydicom.dcmread(file, stop_before_pixels=True, force=True)
    implicit, little = header.original_encoding
    return header, file, bool(implicit), bool(little)


def _inflate(data: bytes) -> BytesIO:
    """Unpack deflated data, up to the size of the largest image accepted."""
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    plain = unpacker.decompress(data, _MAX_INFLATED + 1)
    if len(plain) > _MAX_INFLATED:
        raise UnreadableFileError(
            f"its deflated data unpacks to more than {_MAX_INFLATED // 10**6} MB", _AGAIN
        )
    if not unpacker.eof:
        raise UnreadableFileError("its deflated data is truncated", _AGAIN)
    return BytesIO(plain)


def _pixel_element(stream: BinaryIO, implicit: bool, little: bool) -> PixelElement | None:
    """Read tag, VR and length of the pixel data at which the header ended."""
    here = stream.tell()
    end = stream.seek(0, 2)
    stream.seek(here)
    head = stream.read(12)
    stream.seek(here)
    endian = "<" if little else ">"
    if len(head) < 8:
        return None
    keyword = _PIXEL_TAGS.get(struct.unpack_from(f"{endian}HH", head))
    if keyword is None:
        return None
    if implicit:
        vr, start = "OW", here + 8
        (length,) = struct.unpack_from(f"{endian}I", head, 4)
    else:
        if len(head) < 12:
            return None
        vr, start = head[4:6].decode("latin-1"), here + 12
        (length,) = struct.unpack_from(f"{endian}I", head, 8)
    return PixelElement(keyword, vr, start, None if length == _UNDEFINED else length, end - start)


def _plain_syntax(implicit: bool, little: bool) -> uid.UID:
    if not little:
        return uid.ExplicitVRBigEndian
    return uid.ImplicitVRLittleEndian if implicit else uid.ExplicitVRLittleEndian
