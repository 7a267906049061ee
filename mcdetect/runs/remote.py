"""Which files behind addresses a batch works on: buckets, web folders, whatever fsspec lists."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from mcdetect.errors import UnreadableFileError
from mcdetect.output.files import is_own_picture
from mcdetect.readers.packed import is_image
from mcdetect.readers.remote import RemoteFile, basename, cannot_fetch, file_system
from mcdetect.readers.signatures import HEAD_BYTES, archive_kind, is_dicomdir, what_it_is
from mcdetect.runs.discovery import DICOM_SUFFIXES, IMAGE_SUFFIXES

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

__all__ = ["remote_images"]

_HEADS_AT_ONCE = 500  # Technical: first bytes fetched side by side where the file system can


def remote_images(address: str) -> tuple[list[tuple[Path, str]], list[tuple[str, str]]]:
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
    list of (str, str)
        Files that are no images, and why.

    Raises
    ------
    UnreadableFileError
        It cannot be listed, or holds no image.
    MissingLibraryError
        What reads such addresses is not installed.
    """
    if "*" not in address and Path(basename(address)).suffix.lower() in DICOM_SUFFIXES | IMAGE_SUFFIXES:
        return [(RemoteFile.at(address), basename(address))], []  # whether it is there shows when it is read
    system, path = file_system(address)
    try:
        root, paths = _listed(system, path)
    except Exception as error:  # each file system has its own errors
        raise cannot_fetch(error) from error
    if root is None:
        return [(RemoteFile.at(address), basename(address))], []
    folder = address.partition("*")[0].rpartition("/")[0] if "*" in address else address.rstrip("/")
    web = path.startswith(("http://", "https://"))
    members = []
    for place in paths:
        relative = place[len(root) :].lstrip("/")
        name = unquote(relative) if web else relative
        if name and not name.endswith("/"):
            members.append((PurePosixPath(name).parts, place, _below(folder, relative), name))
    members.sort()
    found: list[tuple[Path, str]] = []
    passed_over = []
    problems = _problems(system, [(place, name) for _, place, _, name in members])
    for (_, _, member, name), problem in zip(members, problems, strict=True):
        if problem:
            passed_over.append((name, problem))
        else:
            found.append((RemoteFile.at(member), name))
    if not found:
        raise UnreadableFileError(
            "no mammogram was found in the folder",
            "give a folder with DICOM files, or name the files one by one",
        )
    return found, passed_over


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


def _problems(system: AbstractFileSystem, files: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Tell of each file, by path and name, why it is not one to work on; nothing of one that is."""
    files = iter(files)
    while some := list(itertools.islice(files, _HEADS_AT_ONCE)):
        unsure = [place for place, name in some if _by_name(name) is None]
        heads = dict(zip(unsure, _heads(system, unsure), strict=True))
        for place, name in some:
            known = _by_name(name)
            yield _by_content(name, heads[place]) if known is None else known


def _by_name(name: str) -> str | None:
    """Tell from its name why a file is no image, or that it is one; None where only a look tells."""
    path = PurePosixPath(name)
    if any(part.startswith(".") for part in path.parts):
        return "it is hidden"
    if path.name.upper() == "DICOMDIR":
        return "it is a DICOMDIR index"
    return "" if path.suffix.lower() in DICOM_SUFFIXES else None


def _by_content(name: str, head: bytes | None) -> str:
    meant = PurePosixPath(name).suffix.lower() in DICOM_SUFFIXES | IMAGE_SUFFIXES
    if head is None:
        return "" if meant else "it cannot be read"
    if is_dicomdir(head):
        return "it is a DICOMDIR index"
    if is_own_picture(head):
        return "it is a picture that mcdetect drew"
    if (kind := archive_kind(head)) is not None and not meant:
        inner = PurePosixPath(name).stem if kind == "gzip" else ""
        packed = PurePosixPath(inner).suffix.lower() in DICOM_SUFFIXES | IMAGE_SUFFIXES
        return "" if packed else f"it is a {kind} archive, which is looked into on disks only"
    return "" if meant or is_image(head) else f"it is {what_it_is(head)}"


def _heads(system: AbstractFileSystem, paths: Sequence[str]) -> list[bytes | None]:
    """Return the first bytes of files; None of those that cannot be read."""
    if not paths:
        return []
    found = system.cat_ranges(list(paths), [0] * len(paths), [HEAD_BYTES] * len(paths), on_error="return")
    return [bytes(head)[:HEAD_BYTES] if isinstance(head, bytes) else None for head in found]
