"""Where compiled kernels are kept on disk, and how they are found again.

The folder is the first that serves of

1. ``MCDETECT_CACHE_DIR``, else ``NUMBA_CACHE_DIR``, when set. It need not be writable once it is filled
   (``mcdetect compile``). What lies there is run: name only a folder that others cannot fill;
2. the user's cache folder: ``$XDG_CACHE_HOME/mcdetect`` or ``~/.cache/mcdetect`` on Linux,
   ``~/Library/Caches/mcdetect`` on macOS, ``%LOCALAPPDATA%\\mcdetect`` on Windows;
3. a folder of the user's own, closed to others, among the temporary files.

The package's own folder is never written to: it may be read-only, and users may share it. In the folder
there is one subfolder for each version of the kernels' sources, numba and Python; the `KEPT` used last
stay. Every compiled kernel is a file of its own, named after all that it depends on and put in place in
one step, so that processes that start together cannot disturb each other.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import pickle
import re
import shutil
import stat
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba
from numba.core import compiler, serialize

from mcdetect.kernels.sources import sources_digest

__all__ = ["KEPT", "KernelCache", "cache_folder", "version_folder"]

_log = logging.getLogger(__name__)

KEPT = 4
"""Technical: versions whose compiled kernels are kept: enough for some environments side by side."""

_SUFFIX = ".kernel"
_SUBFOLDER = re.compile(r"kernels-[0-9a-f]{16}")
_LOCK = threading.Lock()


def cache_folder(version: str) -> Path | None:
    """Return the folder in which the compiled kernels of all versions are kept.

    Parameters
    ----------
    version : str
        Name of the subfolder of the version in use: where that is, nothing need be written.

    Returns
    -------
    Path or None
        None when no folder can be written.
    """
    for name in ("MCDETECT_CACHE_DIR", "NUMBA_CACHE_DIR"):
        if os.environ.get(name):
            folder = Path(os.environ[name]).absolute() / ("" if name.startswith("MCDETECT") else "mcdetect")
            if _serves(folder, version):
                return folder
            _log.warning("%s names a folder that cannot be written; another is used", name)
            break
    own = _user_folder()
    if own is not None and _serves(own, version):
        return own
    private = _private_folder()
    _log.info(
        "no folder for compiled kernels can be written; they are kept %s (MCDETECT_CACHE_DIR names one)",
        "for this run only" if private is None else "among the temporary files",
    )
    return private


def _user_folder() -> Path | None:
    """Return the user's cache folder for this package, as the system's conventions have it."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111  (Path.home raises when there is none)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or "")
        if not base.is_absolute():  # as the specification asks
            base = home / ".cache"
    return base / "mcdetect" if base.is_absolute() else None


def _private_folder() -> Path | None:
    """Return a temporary folder that only this user can have filled; what is loaded from it is run."""
    if not hasattr(os, "geteuid"):
        folder = Path(tempfile.gettempdir()) / "mcdetect"  # the user's own already, on Windows
        return folder if _is_writable(folder) else None
    try:
        folder = Path(tempfile.gettempdir()) / f"mcdetect-{os.geteuid()}"
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
    except OSError:
        return None
    private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
    return folder if private and _is_writable(folder) else None


def _serves(folder: Path, version: str) -> bool:
    return (folder / version).is_dir() or _is_writable(folder)


def _is_writable(folder: Path) -> bool:
    """Make a folder if need be and try to write to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


@lru_cache(maxsize=1)
def version_folder() -> Path | None:
    """Return the folder for compiled kernels of the sources at hand; None when they are not kept."""
    digest = sources_digest()
    python = sys.implementation.cache_tag or sys.version
    state = hashlib.sha256("\0".join((digest, numba.__version__, python)).encode())
    version = f"kernels-{state.hexdigest()[:16]}"
    folder = cache_folder(version) if digest else None
    if folder is None:
        return None
    with contextlib.suppress(OSError):
        os.utime(folder / version)  # in use: the last to go
    return folder / version


def _prune(folder: Path) -> None:
    """Remove the folders of versions used longest ago."""

    def used(path: Path) -> float:
        try:
            return path.stat().st_mtime
        except OSError:
            return 0.0

    with contextlib.suppress(OSError):
        versions = [path for path in folder.iterdir() if _SUBFOLDER.fullmatch(path.name)]
        for old in sorted(versions, key=used, reverse=True)[KEPT:]:
            shutil.rmtree(old, ignore_errors=True)


class _Announcement:
    """Says once per process that kernels are being compiled, unless some were compiled before."""

    def __init__(self) -> None:
        self.made = False

    def make(self, folder: Path | None) -> None:
        """Say it."""
        with _LOCK:
            first, self.made = not self.made, True
        if first and (folder is None or not folder.is_dir()):
            _log.info("compiling kernels, once: this takes from ten seconds to a minute")


_ANNOUNCEMENT = _Announcement()


class KernelCache:
    """The compiled forms of one kernel on disk, in the manner of `numba.core.caching.FunctionCache`.

    numba's own cache is keyed by the file of a function alone, not by what the function calls; and it
    keeps an index that processes write in turn.

    Parameters
    ----------
    function : callable
        The kernel.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        code = function.__code__
        self._name = f"{Path(code.co_filename).stem}.{function.__name__}"
        place = (function.__module__, function.__qualname__, code.co_firstlineno)
        self._identity = repr((*place, code.co_code))
        self._enabled = True

    @property
    def cache_path(self) -> str | None:
        """The folder; None when nothing is kept."""
        folder = self._folder()
        return None if folder is None else str(folder)

    def load_overload(self, signature: Any, target: Any) -> Any:
        """Return the compiled form for a signature; None when there is none that can be used."""
        target.refresh()
        file = self._file(signature, target.codegen())
        if file is not None:
            try:
                rebuild: Any = compiler.CompileResult._rebuild
                return rebuild(target, *pickle.loads(file.read_bytes()))
            except FileNotFoundError:
                pass
            except Exception as error:  # noqa: BLE001  (whatever is wrong with it: it can be made anew)
                _log.debug("a compiled kernel could not be loaded (%s)", type(error).__name__)
        _ANNOUNCEMENT.make(None if file is None else file.parent)
        return None

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Keep a compiled form."""
        library = compiled.library
        file = self._file(signature, library.codegen)
        if file is None or library.has_dynamic_globals or compiled.lifted:
            return
        # The listing of types is for people, and takes a tenth of the time to write.
        data = serialize.dumps(compiled._replace(type_annotation="")._reduce())  # type: ignore[no-untyped-call]
        try:
            if not file.parent.is_dir():
                file.parent.mkdir(parents=True, exist_ok=True)
                _prune(file.parent.parent)
            _write(file, data)
        except OSError as error:
            _log.debug("a compiled kernel could not be kept (%s)", type(error).__name__)

    def enable(self) -> None:
        """Keep and load, as from the beginning."""
        self._enabled = True

    def disable(self) -> None:
        """Keep and load nothing from now on."""
        self._enabled = False

    def flush(self) -> None:
        """Forget every compiled form of this kernel."""
        folder = self._folder()
        if folder is not None:
            for file in folder.glob(f"{self._name}-*{_SUFFIX}"):
                file.unlink(missing_ok=True)

    def _folder(self) -> Path | None:
        return version_folder() if self._enabled else None

    def _file(self, signature: Any, codegen: Any) -> Path | None:
        folder = self._folder()
        if folder is None:
            return None
        key = hashlib.sha256(repr((self._identity, signature, codegen.magic_tuple())).encode())
        return folder / f"{self._name}-{key.hexdigest()[:16]}{_SUFFIX}"


def _write(file: Path, data: bytes) -> None:
    """Put a file in place in one step; others may read it as the user's mask has it."""
    part = file.with_name(f".part-{uuid.uuid4().hex}")
    try:
        part.write_bytes(data)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
