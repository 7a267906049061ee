"""A file that is read once: what is hashed is what is searched, whatever happens to it meanwhile."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from mcdetect.errors import UnreadableFileError

__all__ = ["HeldFile", "held"]

# Technical: plain mammograms and most films are below; stacks, of which few slices are needed at a time, not.
_LARGE = 100_000_000  # bytes from which on a file is left on its disk
_PIECE = 1 << 20  # bytes hashed at once


class HeldFile(type(Path())):  # type: ignore[misc]
    """The path of a file with its bytes, read from memory by everything that opens it as a path.

    Parameters
    ----------
    path : Path
        The file.
    """

    data: bytes = b""

    @classmethod
    def of(cls, path: Path, data: bytes) -> HeldFile:
        """Return a path that holds these bytes."""
        held = cls(path)
        held.data = data
        return held

    def open(self, mode: str = "r", *args: Any, **options: Any) -> IO[Any]:
        """Return the bytes as an open file."""
        if set(mode) - set("rbt"):
            raise io.UnsupportedOperation("a file that is held is read only")
        stream = io.BytesIO(self.data)
        if "b" in mode:
            return stream
        return io.TextIOWrapper(stream, options.get("encoding"), options.get("errors"))

    def read_bytes(self) -> bytes:
        """Return the bytes."""
        return self.data

    def is_dir(self, **_: Any) -> bool:
        """Tell that it is a file."""
        return False

    def is_file(self, **_: Any) -> bool:
        """Tell that it is a file."""
        return True


@contextmanager
def held(path: Path) -> Iterator[tuple[Path, str, int]]:
    """Give a file to be read as it is now, with its SHA-256 and its length in bytes.

    Its bytes are held in memory; those of a large file stay on the disk, and when it changes before all is
    done, what was made of it is refused.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    UnreadableFileError
        It changed meanwhile; its cause is an OSError, as for a file that is gone for now.
    """
    if type(path) is not type(Path()) or path.stat().st_size < _LARGE:
        data = path.read_bytes()
        yield HeldFile.of(path, data), hashlib.sha256(data).hexdigest(), len(data)
        return
    before = _state(path)
    state, size = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as stream:
        piece = memoryview(bytearray(_PIECE))
        while count := stream.readinto(piece):
            state.update(piece[:count])
            size += count
    try:
        yield path, state.hexdigest(), size
    finally:
        if _state(path) != before or size != before[2]:
            raise UnreadableFileError("it changed while it was searched", "run it again") from OSError()


def _state(path: Path) -> tuple[int, ...]:
    """Return what changes with the content of a file; nothing that can be equal when it is gone."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
