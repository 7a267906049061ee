"""Images that lie in memory, as files for a while: data sets of pydicom, bytes, open files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING

from mcdetect.readers.held import HeldFile
from mcdetect.readers.remote import RemoteFile, is_address

if TYPE_CHECKING:
    from mcdetect.readers.dicom.memory import Dataset

    Readable = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Dataset

__all__ = ["as_file", "name_of"]


def name_of(source: Readable) -> str:
    """Return the name of the file that an image is read from; empty for what has none."""
    name = source if isinstance(source, (str, os.PathLike)) else getattr(source, "name", "")
    return PurePath(name).name if isinstance(name, (str, os.PathLike)) else ""


@contextmanager
def as_file(source: Readable) -> Iterator[Path]:
    """Give an image as a file; of what lies in memory one is made, which is gone afterwards.

    A stack of slices keeps the file open, and reads on from it when its name is gone.

    Parameters
    ----------
    source : path-like, bytes-like, binary file object or pydicom Dataset
        A file object is read from where it stands, and put back there if it can be.

    Raises
    ------
    TypeError
        If it is nothing of the kind.
    UnreadableFileError
        If a data set cannot be written.
    """
    if is_address(source):
        remote = RemoteFile.at(str(source))
        yield HeldFile.of(Path(remote), remote.read_bytes())
        return
    if isinstance(source, (str, os.PathLike)):
        yield source if isinstance(source, Path) else Path(source)  # a `HeldFile` stays one
        return
    data = _content(source)
    with tempfile.TemporaryDirectory(prefix="mcdetect-", ignore_cleanup_errors=True) as folder:
        place = Path(folder) / (name_of(source) or "image")
        place.write_bytes(data)
        yield place


def _content(source: Readable) -> bytes | bytearray | memoryview:
    if isinstance(source, (bytes, bytearray, memoryview)):
        return source
    if any(kind.__module__.partition(".")[0] == "pydicom" for kind in type(source).__mro__):
        from mcdetect.readers.dicom.memory import dataset_bytes

        return dataset_bytes(source)  # type: ignore[arg-type]
    read = getattr(source, "read", None)
    if callable(read):
        start = source.tell() if _seekable(source) else None  # type: ignore[union-attr]
        data = read()
        if start is not None:
            source.seek(start)  # type: ignore[union-attr]
        if isinstance(data, (bytes, bytearray, memoryview)):
            return data
        raise TypeError("the file object gives text; open it in binary mode")
    raise TypeError(
        f"give a path, bytes, a binary file object or a pydicom Dataset, not {type(source).__name__}"
    )


def _seekable(source: object) -> bool:
    seekable = getattr(source, "seekable", None)
    return bool(callable(seekable) and seekable())
