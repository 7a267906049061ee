"""A file whose bytes were read once: what is hashed is what is searched, whatever happens to it meanwhile."""

from __future__ import annotations

import io
from pathlib import Path
from typing import IO, Any

__all__ = ["HeldFile"]


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
