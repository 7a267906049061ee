"""Images inside gzip and zip archives: which there are, and one of them as a file for a while."""

from __future__ import annotations

import gzip
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol

from mcdetect.errors import UnreadableFileError
from mcdetect.readers.signatures import (
    HEAD_BYTES,
    archive_kind,
    is_dicomdir,
    looks_like_bare_dicom,
    picture_kind,
    what_it_is,
)

__all__ = ["ARCHIVE_ERRORS", "Member", "is_image", "members", "unpacked"]

ARCHIVE_ERRORS = (
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What Python's readers of archives raise on damaged, locked or unknown ones."""

# Technical: bounds on what an archive may ask for.
_MOST_BYTES = 2**30  # of one file when unpacked
_MOST_MEMBERS = 20_000  # files of one archive that are looked at
_PIECE = 2**20  # bytes unpacked at once

_AGAIN = "obtain the file again, or unpack it first"


class Member:
    """One file in an archive.

    Parameters
    ----------
    name : str
        Its name there, empty for what a gzip file holds.
    problem : str
        Why it is no image; empty for an image.
    """

    __slots__ = ("name", "problem")

    def __init__(self, name: str, problem: str = "") -> None:
        self.name, self.problem = name, problem


def is_image(start: bytes) -> bool:
    """Return whether first bytes are those of DICOM (but no DICOMDIR) or of a picture that is read."""
    if start[128:132] == b"DICM":
        return not is_dicomdir(start)
    return picture_kind(start) is not None or looks_like_bare_dicom(start)


def members(path: Path) -> list[Member]:
    """Return what an archive holds, sorted by name; folders and hidden files are left out.

    Raises
    ------
    UnreadableFileError
        If it is damaged.
    """
    try:
        if _kind(path) == "gzip":
            with path.open("rb") as file, gzip.open(file) as stream:
                return [Member("", _problem(stream.read(HEAD_BYTES)))]
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            files = [item for item in archive.infolist() if not (item.is_dir() or _hidden(item.filename))]
            return [
                Member(item.filename, _problem_in(archive, item))
                for item in sorted(files, key=lambda item: item.filename)[:_MOST_MEMBERS]
            ]
    except ARCHIVE_ERRORS as error:
        raise UnreadableFileError(f"the archive is damaged ({type(error).__name__})", _AGAIN) from error


def _kind(path: Path) -> str | None:
    with path.open("rb") as stream:
        return archive_kind(stream.read(HEAD_BYTES))


def _hidden(name: str) -> bool:
    parts = [part for part in PurePosixPath(name).parts if part != ".."]
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _problem_in(archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> str:
    try:
        with archive.open(item) as stream:
            return _problem(stream.read(HEAD_BYTES))
    except ARCHIVE_ERRORS:
        return "it is locked by a password" if item.flag_bits & 1 else ""  # the reader says what is wrong


def _problem(start: bytes) -> str:
    if is_image(start):
        return ""
    return "it is a DICOMDIR index" if is_dicomdir(start) else f"it is {what_it_is(start)}"


@contextmanager
def unpacked(path: Path, member: str | None = None) -> Iterator[Path]:
    """Give one file of an archive as a file of its own, which is gone afterwards.

    Parameters
    ----------
    path : Path
        A gzip or zip archive.
    member : str, optional
        The file in it; by default its only image.

    Raises
    ------
    UnreadableFileError
        If the archive is damaged, holds no or several images, or more than a gigabyte.
    """
    kind = "zip" if member else _kind(path)
    if kind == "zip" and not member:
        images = [one for one in members(path) if not one.problem]
        if len(images) != 1:
            what = f"{len(images)} images" if images else "no image"
            raise UnreadableFileError(f"it is a zip archive with {what}", "unpack it first")
        member = images[0].name
    with tempfile.TemporaryDirectory(prefix="mcdetect-") as folder:
        place = Path(folder) / _plain_name(member or path.stem)
        try:
            if kind == "gzip":
                with path.open("rb") as packed, gzip.open(packed) as stream:
                    _copy(stream, place)
            else:
                with (
                    path.open("rb") as packed,
                    zipfile.ZipFile(packed) as archive,
                    archive.open(member or "") as entry,
                ):
                    _copy(entry, place)
        except KeyError as error:
            raise UnreadableFileError("the archive no longer holds it", "run it again") from error
        except ARCHIVE_ERRORS as error:
            if isinstance(error, OSError) and error.errno:  # the disk, not the archive
                reason = (error.strerror or type(error).__name__).lower()
                raise UnreadableFileError(f"it could not be unpacked ({reason})", "make room") from error
            raise UnreadableFileError(f"the archive is damaged ({type(error).__name__})", _AGAIN) from error
        yield place


def _plain_name(name: str) -> str:
    """Return the last part of a name without what a file system may refuse."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return "".join(c if c.isalnum() or c in "._- " else "_" for c in last)[-100:] or "image"


class _Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _copy(source: _Stream, place: Path) -> None:
    with place.open("wb") as target:
        while piece := source.read(_PIECE):
            target.write(piece)
            if target.tell() > _MOST_BYTES:
                raise UnreadableFileError(
                    f"it unpacks to more than {_MOST_BYTES // 10**6} MB", "the archive is probably damaged"
                )
