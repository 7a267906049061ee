"""Which files a batch works on, and what each is called in the tables."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from mcdetect.errors import InputFileError, UnreadableFileError
from mcdetect.output.files import is_own_picture
from mcdetect.output.folder import COMPARISON_FILE
from mcdetect.output.overlays import OVERLAY_FOLDER
from mcdetect.output.run_record import is_own_folder
from mcdetect.readers.remote import RemoteFile, basename, is_address
from mcdetect.readers.signatures import DICOMDIR_CLASS, looks_like_bare_dicom

__all__ = ["DICOM_SUFFIXES", "IMAGE_SUFFIXES", "Discovery", "Input", "find_inputs"]

DICOM_SUFFIXES = frozenset({".dcm", ".dicom", ".dic", ".ima", ".dcm30"})
"""Suffixes of files that are taken for DICOM without a look inside."""

IMAGE_SUFFIXES = frozenset({".bmp", ".jp2", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".tif", ".tiff"})
"""Suffixes of plain image formats that the loader reads when a spacing is given."""


@dataclass(frozen=True)
class Input:
    """One file to work on.

    Parameters
    ----------
    path : Path
        Where it is.
    file : str
        Its name in every table: relative to the folder it was found in, POSIX separators,
        unique within the run.
    """

    path: Path
    file: str


@dataclass(frozen=True)
class Discovery:
    """What was found under the paths given.

    Parameters
    ----------
    inputs : tuple of Input
        Files to work on, in the order of the paths given, sorted within each folder.
    problems : tuple of (str, InputFileError)
        Paths that cannot be worked on at all (missing, unreadable or without any image).
    skipped : int
        Files inside folders that are no images (notes, DICOMDIR, hidden files, ...).
    duplicates : int
        Files met more than once; only the first is kept.
    """

    inputs: tuple[Input, ...]
    problems: tuple[tuple[str, InputFileError], ...] = ()
    skipped: int = 0
    duplicates: int = 0


@dataclass
class _Walk:
    """What one walk through a folder yields besides its files."""

    skipped: int = 0
    unreadable: list[str] = field(default_factory=list)


def find_inputs(paths: Sequence[str | Path]) -> Discovery:
    """List the files of a batch.

    A file named explicitly always counts. Folders are searched recursively: DICOM files are known
    by their suffix or by their magic bytes, plain images by their suffix; hidden files, DICOMDIR
    and everything else are passed over, as are pictures that mcdetect drew. Symbolic links are
    followed, each target once.

    Parameters
    ----------
    paths : sequence of path-like
        Files and folders, in any mix, and addresses (see `mcdetect.runs.remote.remote_images`).

    Returns
    -------
    Discovery

    Raises
    ------
    TypeError
        When one path is given, not a list of them.
    ValueError
        When a path is empty.
    """
    from mcdetect.runs.remote import remote_images

    groups: list[list[tuple[Path, str]]] = []
    problems: list[tuple[str, InputFileError]] = []
    seen: set[str] = set()
    duplicates = 0
    walk = _Walk()
    if isinstance(paths, str | os.PathLike):
        raise TypeError(f"paths must be a list of files and folders; write [{os.fspath(paths)!r}]")
    for given in paths:
        if not os.fspath(given):
            raise ValueError("a path is empty; name a file or a folder")
        root = RemoteFile.at(str(given)) if is_address(given) else Path(given)
        label = basename(str(given)) if is_address(given) else _label(root)
        members: list[tuple[Path, str]] = []
        groups.append(members)
        try:
            if isinstance(root, RemoteFile):
                found, passed_over = remote_images(root.address)
                walk.skipped += passed_over
            elif root.is_dir():
                found = list(_images_in(root, walk))
                if not found:
                    raise UnreadableFileError(
                        "no mammogram was found in the folder",
                        "give a folder with DICOM files, or name the files one by one",
                    )
            elif not os.path.lexists(root):
                raise UnreadableFileError("the file does not exist", "check the path")
            elif not root.is_file():
                raise UnreadableFileError("not a regular file or folder", "name a file or a folder")
            else:
                found = [(root, label)]
        except InputFileError as error:
            problems.append((label, error))
            continue
        except OSError as error:
            problems.append((label, _cannot_open(error)))
            continue
        for path, name in found:
            real = path.address if isinstance(path, RemoteFile) else os.path.realpath(path)
            if real in seen:
                duplicates += 1
                continue
            seen.add(real)
            members.append((path, name))
    problems += [
        (name, UnreadableFileError("the folder cannot be read", "check its permissions"))
        for name in walk.unreadable
    ]
    return Discovery(tuple(_name_apart(groups)), tuple(problems), walk.skipped, duplicates)


def _label(root: Path) -> str:
    return _printable(root.name or root.resolve().name or "input")


def _cannot_open(error: OSError) -> InputFileError:
    reason = (error.strerror or type(error).__name__).lower()
    return UnreadableFileError(f"cannot be opened ({reason})", "check the path and its permissions")


def _name_apart(groups: Sequence[Sequence[tuple[Path, str]]]) -> Iterator[Input]:
    """Yield the inputs; when two share a name, every name gets the position of its argument.

    Names of one folder that differ only in bytes that cannot be printed are numbered.
    """
    printed = [_numbered([name for _, name in members]) for members in groups]
    names = [name for members in printed for name in members]
    clash = len(set(names)) < len(names)
    for position, (members, given) in enumerate(zip(groups, printed, strict=True), start=1):
        for (path, _), name in zip(members, given, strict=True):
            yield Input(path, f"input{position}/{name}" if clash else name)


def _numbered(names: Sequence[str]) -> list[str]:
    """Return the names, those that came before with a number."""
    found: dict[str, None] = {}
    for name in names:
        number, free = 1, name
        while free in found:
            number += 1
            free = f"{name} ({number})"
        found[free] = None
    return list(found)


def _images_in(root: Path, walk: _Walk) -> Iterator[tuple[Path, str]]:
    """Yield (path, name relative to `root`) of the images under a folder, sorted by name."""
    visited: set[str] = set()

    def enter(folder: Path, prefix: PurePosixPath) -> Iterator[tuple[Path, str]]:
        real = os.path.realpath(folder)
        if real in visited:
            return
        visited.add(real)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            walk.unreadable.append(_printable(str(prefix)) if prefix.parts else _printable(root.name))
            return
        own = is_own_folder(folder)
        for entry in entries:
            path = folder / entry.name
            if entry.name.startswith("."):
                walk.skipped += 1
            elif own and entry.name in (OVERLAY_FOLDER, COMPARISON_FILE):
                continue
            elif path.is_dir():
                yield from enter(path, prefix / entry.name)
            elif _is_image(path):
                yield path, _printable(str(prefix / entry.name))
            else:
                walk.skipped += 1

    yield from enter(root, PurePosixPath())


def _is_image(path: Path) -> bool:
    """Tell whether a file met in a folder is one to work on."""
    if not path.is_file():
        return path.is_symlink() and path.suffix.lower() in DICOM_SUFFIXES | IMAGE_SUFFIXES
    suffix = path.suffix.lower()
    if path.name.upper() == "DICOMDIR":
        return False
    try:
        with path.open("rb") as stream:
            head = stream.read(1024)
    except OSError:
        return suffix in DICOM_SUFFIXES | IMAGE_SUFFIXES
    if suffix in IMAGE_SUFFIXES:
        return not is_own_picture(head)
    if DICOMDIR_CLASS.encode("ascii") + b"\0" in head:
        return False
    if suffix in DICOM_SUFFIXES:
        return True
    return head[128:132] == b"DICM" or (not suffix and looks_like_bare_dicom(head))


def _printable(name: str) -> str:
    """Return a file name that UTF-8 can hold: undecodable bytes are written as escapes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
