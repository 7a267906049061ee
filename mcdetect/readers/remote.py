"""Files behind addresses such as ``s3://`` or ``https://``: their bytes, and names without secrets."""

from __future__ import annotations

import errno
import re
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote

from mcdetect.errors import InputFileError, MissingLibraryError, UnreadableFileError
from mcdetect.readers.held import HeldFile

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

__all__ = [
    "RemoteFile",
    "basename",
    "cannot_fetch",
    "file_system",
    "is_address",
    "only_here",
    "plain_address",
]

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+::)*[A-Za-z][A-Za-z0-9+.\-]+://")
"""How addresses begin (RFC 3986, 3.1; chains of fsspec); one letter alone is a drive of Windows."""

_WEB = ("http://", "https://")
_HERE = "memory:"
_PLAIN_PACKAGES = {"abfs": "adlfs", "az": "adlfs"}
"""What brings protocols that no extra brings."""

# Technical: what a network does now and then.
_PAUSES_S = (1.0, 4.0)  # waits before further attempts
_LASTING = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


def is_address(text: object) -> bool:
    """Tell whether a path is an address of fsspec, such as ``s3://bucket/folder``."""
    return isinstance(text, str) and _ADDRESS.match(text) is not None


def only_here(address: str) -> bool:
    """Tell whether only this process can read an address."""
    return _HERE in address


def plain_address(address: str) -> str:
    """Return an address without what may be secret: user, password and query."""
    start, sign, rest = address.rpartition("://")
    if not sign:
        return address
    if f"{start}{sign}".lower().endswith(_WEB):
        rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    host, slash, path = rest.partition("/")
    return f"{start}{sign}{host.rpartition('@')[2]}{slash}{path}"


def basename(address: str) -> str:
    """Return the last part of an address's path, as files are called."""
    start, sign, rest = plain_address(address).rpartition("://")
    name = rest.rstrip("/").rpartition("/")[2]
    return (unquote(name) if f"{start}{sign}".lower().endswith(_WEB) else name) or "input"


def file_system(address: str) -> tuple[AbstractFileSystem, str]:
    """Return the file system of an address, and the path there.

    Raises
    ------
    MissingLibraryError
        What reads such addresses is not installed.
    UnreadableFileError
        There is no such kind of address, or it cannot be reached.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise MissingLibraryError("addresses such as s3:// need fsspec", "cluster") from error
    protocol = re.split(r"::|://", address, maxsplit=1)[0].lower()
    try:
        system, path = url_to_fs(address)
    except ImportError as error:
        need = f"{protocol}:// needs {_PLAIN_PACKAGES.get(protocol, 'a library that is not installed')}"
        if protocol in _PLAIN_PACKAGES:
            raise UnreadableFileError(need, f"pip install {_PLAIN_PACKAGES[protocol]}") from error
        raise MissingLibraryError(need, "cluster") from error
    except ValueError as error:
        raise UnreadableFileError(
            f"{protocol}:// is no kind of address that fsspec knows", "check the address"
        ) from error
    except Exception as error:  # each file system has its own errors
        raise cannot_fetch(error) from error
    return system, str(path)


def cannot_fetch(error: BaseException) -> InputFileError:
    """Return what to tell of an error of a file system, without its text, which may quote the address."""
    if isinstance(error, InputFileError):
        return error
    if isinstance(error, FileNotFoundError):
        return UnreadableFileError("the file does not exist", "check the address")
    if isinstance(error, PermissionError):
        return UnreadableFileError("it may not be read", "check the credentials")
    if isinstance(error, OSError) and error.errno is not None:
        reason = errno.errorcode.get(error.errno, type(error).__name__)
    else:
        reason = type(error).__name__
    return UnreadableFileError(
        f"it cannot be fetched ({reason})", "check the address, the credentials and the network"
    )


class RemoteFile(type(Path())):  # type: ignore[misc]
    """An address that is read as a path is: the bytes are fetched whole when it is opened.

    As a path, and in every message, it is the address without user, password and query.

    Parameters
    ----------
    address : str
        As fsspec takes it.
    """

    address: str = ""

    @classmethod
    def at(cls, address: str) -> RemoteFile:
        """Return the file at an address."""
        file: RemoteFile = cls(plain_address(address))
        file.address = address
        return file

    def __reduce__(self) -> tuple[Any, ...]:
        """Be sent to another process with its address."""
        return RemoteFile.at, (self.address,)

    def read_bytes(self) -> bytes:
        """Fetch the bytes; what a network may cause is tried again.

        Raises
        ------
        UnreadableFileError
            They cannot be had; its cause is an OSError, as for a file that is gone for now.
        """
        for pause in (*_PAUSES_S, None):
            try:
                system, path = file_system(self.address)
                data: bytes = system.cat_file(path)
            except MissingLibraryError as error:
                cause = str(error).removesuffix(f": {error.remedy}")
                raise UnreadableFileError(cause, error.remedy) from error
            except InputFileError:
                raise
            except Exception as error:  # noqa: BLE001  (each file system has its own errors)
                if pause is not None and not isinstance(error, _LASTING):
                    time.sleep(pause)
                    continue
                raise cannot_fetch(error) from (error if isinstance(error, OSError) else OSError())
            return data
        raise AssertionError  # the last attempt returns or raises

    def open(self, mode: str = "r", *args: Any, **options: Any) -> IO[Any]:
        """Fetch the bytes and return them as an open file."""
        return HeldFile.of(Path(self), self.read_bytes()).open(mode, *args, **options)

    def is_dir(self, **_: Any) -> bool:
        """Tell that it is a file."""
        return False

    def is_file(self, **_: Any) -> bool:
        """Tell that it is a file."""
        return True
