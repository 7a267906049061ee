"""One run per output folder: a lock that ends with the process that holds it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from mcdetect.errors import McdetectError

__all__ = ["LOCK_FILE", "OutputError", "holder", "locked"]

LOCK_FILE = ".lock"
"""Name of the lock in an output folder; it is there while a run works, and of no meaning after a kill."""


class OutputError(McdetectError):
    """The output folder cannot be used."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep an output folder for one run; the lock goes with the process, however that ends.

    Parameters
    ----------
    folder : Path
        The folder; it must be there.

    Raises
    ------
    OutputError
        When another run works in it; its process and start are named.
    """
    here = folder.name or folder
    try:
        stream = _take(folder / LOCK_FILE)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise OutputError(f"{here}: cannot be locked ({reason}); name another one") from error
    if stream is None:
        raise OutputError(
            f"{here}: another run works in it{_who(folder)}; wait for its end, or name another folder"
        )
    with stream:
        try:
            stream.truncate(0)
            stream.write(json.dumps(_this_process()).encode())
            stream.flush()
        except OSError:
            pass  # who works here is told for convenience; the lock holds without it
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                (folder / LOCK_FILE).unlink()


def holder(folder: Path) -> dict[str, Any] | None:
    """Return who works in a folder (host, pid, started), or None when nobody does."""
    try:
        stream = (folder / LOCK_FILE).open("r+b")
    except OSError:
        return None
    with stream:
        if _lock(stream):
            return None
    return _read(folder)


def _take(path: Path) -> BinaryIO | None:
    """Return the lock file, locked; None when someone else has it."""
    while True:
        stream: BinaryIO = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        if not _lock(stream):
            stream.close()
            return None
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(stream.fileno()), path.stat()):
                return stream
        stream.close()  # whoever had it took the file away between our opening and our locking it


def _lock(stream: BinaryIO) -> bool:
    """Lock an open file; False when it is locked already."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        stream.seek(_FAR)
        try:
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        finally:
            stream.seek(0)
        return True
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


_FAR = 1 << 20  # Technical: byte that Windows locks, behind what is written, so that it can be read


def _this_process() -> dict[str, Any]:
    started = datetime.now(UTC).isoformat(timespec="seconds")
    return {"host": socket.gethostname(), "pid": os.getpid(), "started": started}


def _read(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / LOCK_FILE).read_bytes()[:4096])
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _who(folder: Path) -> str:
    found = _read(folder)
    if not {"pid", "host", "started"} <= set(found):
        return ""
    return f" (process {found['pid']} on {found['host']}, started {found['started']})"
