"""Which files behind addresses a batch works on: buckets, web folders, whatever fsspec lists."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from mcdetect.errors import UnreadableFileError
from mcdetect.output.files import is_own_picture
from mcdetect.readers.remote import RemoteFile, basename, cannot_fetch, file_system
from mcdetect.readers.signatures import DICOMDIR_CLASS, looks_like_bare_dicom
from mcdetect.runs.discovery import DICOM_SUFFIXES, IMAGE_SUFFIXES

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

__all__ = ["remote_images"]

# Technical: looks inside files.
_HEAD_BYTES = 1024
_HEADS_AT_ONCE = 500  # fetched side by side where the file system can


def remote_images(address: str) -> tuple[list[tuple[Path, str]], int]:
    """List the images of an address: a file, a folder with all below it, or a pattern with ``*``.

    Names in the tables are as for local paths: the name of a file that was named, and the path relative to
    the folder (of a pattern: to what stands before its first ``*``). A file with a suffix of DICOM counts
    without a look; of others the first bytes are fetched, as local ones are looked at. On the web an address
    that ends in ``/`` is a folder, any other a file.

    Parameters
    ----------
    address : str
        As fsspec takes it.

    Returns
    -------
    list of (RemoteFile, str)
        The images and their names, sorted.
    int
        Files that are no images.

    Raises
    ------
    UnreadableFileError
        It cannot be listed, or holds no image.
    MissingLibraryError
        What reads such addresses is not installed.
    """
    if "*" not in address and Path(basename(address)).suffix.lower() in DICOM_SUFFIXES | IMAGE_SUFFIXES:
        return [(RemoteFile.at(address), basename(address))], 0  # whether it is there shows when it is read
    system, path = file_system(address)
    try:
        root, paths = _listed(system, path)
    except Exception as error:  # each file system has its own errors
        raise cannot_fetch(error) from error
    if root is None:
        return [(RemoteFile.at(address), basename(address))], 0
    folder = address.partition("*")[0].rpartition("/")[0] if "*" in address else address.rstrip("/")
    web = path.startswith(("http://", "https://"))
    members = []
    for place in paths:
        relative = place[len(root) :].lstrip("/")
        name = unquote(relative) if web else relative
        if name and not name.endswith("/"):
            members.append((PurePosixPath(name).parts, place, _below(folder, relative), name))
    members.sort()
    wanted = _wanted(system, [(place, name) for _, place, _, name in members])
    found: list[tuple[Path, str]] = [
        (RemoteFile.at(member), name)
        for (_, _, member, name), yes in zip(members, wanted, strict=True)
        if yes
    ]
    if not found:
        raise UnreadableFileError(
            "no mammogram was found in the folder",
            "give a folder with DICOM files, or name the files one by one",
        )
    return found, len(members) - len(found)


def _listed(system: AbstractFileSystem, path: str) -> tuple[str | None, Sequence[str]]:
    """Return the folder and all files in it; no folder for a file."""
    if "*" in path:
        found = system.glob(path, detail=True)
        files = [name for name, facts in found.items() if facts.get("type") == "file"]
        return path.partition("*")[0].rpartition("/")[0], files
    if path.startswith(("http://", "https://")):
        folder = path.endswith("/")
    else:
        folder = system.info(path)["type"] == "directory"
    return (path.rstrip("/"), system.find(path)) if folder else (None, [])


def _below(folder: str, relative: str) -> str:
    """Return the address of a file in a folder; in a chain the path belongs to the first with one."""
    first, chain, rest = folder.partition("::")
    if chain and "://" in first:
        return f"{first.rstrip('/')}/{relative}::{rest}" if not first.endswith("://") else folder
    return f"{folder}/{relative}"


def _wanted(system: AbstractFileSystem, files: Iterable[tuple[str, str]]) -> Iterator[bool]:
    """Tell of each file, by path and name, whether it is one to work on."""
    files = iter(files)
    while some := list(itertools.islice(files, _HEADS_AT_ONCE)):
        unsure = [place for place, name in some if _by_name(name) is None]
        heads = dict(zip(unsure, _heads(system, unsure), strict=True))
        for place, name in some:
            known = _by_name(name)
            yield _by_content(name, heads[place]) if known is None else known


def _by_name(name: str) -> bool | None:
    """Tell from its name whether a file is an image; None where only a look tells."""
    path = PurePosixPath(name)
    if path.name.upper() == "DICOMDIR" or any(part.startswith(".") for part in path.parts):
        return False
    return True if path.suffix.lower() in DICOM_SUFFIXES else None


def _by_content(name: str, head: bytes | None) -> bool:
    suffix = PurePosixPath(name).suffix.lower()
    if head is None:
        return suffix in IMAGE_SUFFIXES
    if suffix in IMAGE_SUFFIXES:
        return not is_own_picture(head)
    if DICOMDIR_CLASS.encode("ascii") + b"\0" in head:
        return False
    return head[128:132] == b"DICM" or (not suffix and looks_like_bare_dicom(head))


def _heads(system: AbstractFileSystem, paths: Sequence[str]) -> list[bytes | None]:
    """Return the first bytes of files; None of those that cannot be read."""
    if not paths:
        return []
    found = system.cat_ranges(list(paths), [0] * len(paths), [_HEAD_BYTES] * len(paths), on_error="return")
    return [bytes(head)[:_HEAD_BYTES] if isinstance(head, bytes) else None for head in found]
