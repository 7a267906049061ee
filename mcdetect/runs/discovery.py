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
from mcdetect.readers.packed import is_image, members
from mcdetect.readers.remote import RemoteFile, basename, is_address
from mcdetect.readers.signatures import HEAD_BYTES, archive_kind, is_dicomdir, what_it_is

__all__ = ["DICOM_SUFFIXES", "IMAGE_SUFFIXES", "Discovery", "Input", "find_inputs"]

DICOM_SUFFIXES = frozenset({".dcm", ".dicom", ".dic", ".ima", ".dcm30"})
"""Suffixes of files that are meant to be DICOM: where they are not, that is a failure."""

IMAGE_SUFFIXES = frozenset({".bmp", ".jp2", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".tif", ".tiff"})
"""Suffixes of plain image formats, which the loader reads when a spacing is given: the same holds."""

_MEANT = DICOM_SUFFIXES | IMAGE_SUFFIXES


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
    member : str or None
        Its name within `path`, when that is a zip archive.
    """

    path: Path
    file: str
    member: str | None = None


@dataclass(frozen=True)
class Discovery:
    """What was found under the paths given.

    Parameters
    ----------
    inputs : tuple of Input
        Files to work on, in the order of the paths given, sorted within each folder.
    problems : tuple of (str, InputFileError)
        Paths that cannot be worked on at all (missing, unreadable or without any image).
    passed_over : tuple of (str, str)
        Files inside folders that are no images, and why.
    duplicates : int
        Files met more than once; only the first is kept.
    """

    inputs: tuple[Input, ...]
    problems: tuple[tuple[str, InputFileError], ...] = ()
    passed_over: tuple[tuple[str, str], ...] = ()
    duplicates: int = 0

    @property
    def skipped(self) -> int:
        """Number of files passed over."""
        return len(self.passed_over)


_Found = tuple[Path, str, str | None]
"""Path, name in the tables and name within an archive."""


@dataclass
class _Walk:
    """What one walk through a folder yields besides its images."""

    passed_over: list[tuple[str, str]] = field(default_factory=list)
    unreadable: list[tuple[str, InputFileError]] = field(default_factory=list)

    def pass_over(self, name: PurePosixPath, why: str) -> None:
        """Note a file that is no image."""
        self.passed_over.append((_printable(str(name)), why))


def find_inputs(paths: Sequence[str | Path]) -> Discovery:
    """List the files of a batch.

    A file named explicitly always counts. Folders are searched recursively. A file is what its content says,
    whatever its name: DICOM with or without its preamble, a picture, or one of these within a gzip or zip
    archive, of which each image is an input. A file that its suffix calls DICOM or a picture counts too, so
    that a damaged one is told. Everything else is passed over, with the reason, as are hidden files, DICOMDIR
    and pictures that mcdetect drew. Symbolic links are followed, each target once. What cannot be opened
    costs one problem, not its folder.

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

    groups: list[list[_Found]] = []
    problems: list[tuple[str, InputFileError]] = []
    folders: dict[str, str] = {}
    seen: set[tuple[str, str | None]] = set()
    duplicates = 0
    walk = _Walk()
    if isinstance(paths, str | os.PathLike):
        raise TypeError(f"paths must be a list of files and folders; write [{os.fspath(paths)!r}]")
    for given in paths:
        if not os.fspath(given):
            raise ValueError("a path is empty; name a file or a folder")
        root = RemoteFile.at(str(given)) if is_address(given) else Path(given)
        label = basename(str(given)) if is_address(given) else _label(root)
        kept: list[_Found] = []
        groups.append(kept)
        try:
            if isinstance(root, RemoteFile):
                listed, passed_over = remote_images(root.address)
                found: list[_Found] = [(path, name, None) for path, name in listed]
                walk.passed_over += passed_over
            elif root.is_dir():
                unreadable = len(walk.unreadable)
                found = list(_images_in(root, walk))
                if not found and len(walk.unreadable) == unreadable:
                    raise UnreadableFileError(
                        "no mammogram was found in the folder",
                        "give a folder with DICOM files, or name the files one by one",
                    )
            elif not os.path.lexists(root):
                raise UnreadableFileError("the file does not exist", "check the path")
            elif not root.is_file():
                raise UnreadableFileError("not a regular file or folder", "name a file or a folder")
            else:
                found = [(root, label, None)] if (packed := _packed(root, label)) is None else packed
        except InputFileError as error:
            problems.append((label, error))
            continue
        except OSError as error:
            problems.append((label, _cannot_open(error)))
            continue
        for path, name, member in found:
            real = path.address if isinstance(path, RemoteFile) else _real(path, folders), member
            if real in seen:
                duplicates += 1
                continue
            seen.add(real)
            kept.append((path, name, member))
    problems += walk.unreadable
    return Discovery(tuple(_name_apart(groups)), tuple(problems), tuple(walk.passed_over), duplicates)


def _label(root: Path) -> str:
    return _printable(root.name or root.resolve().name or "input")


def _real(path: Path, folders: dict[str, str]) -> str:
    """Return where a file is; `folders` remembers that of its folder, which thousands of files share."""
    text = os.fspath(path)
    folder, name = os.path.split(text)
    if not name or name == ".." or os.path.islink(text):  # noqa: PTH114
        return os.path.realpath(text)
    if folder not in folders:
        folders[folder] = os.path.realpath(folder)
    return os.path.join(folders[folder], name)  # noqa: PTH118


def _cannot_open(error: OSError) -> InputFileError:
    reason = (error.strerror or type(error).__name__).lower()
    return UnreadableFileError(f"cannot be opened ({reason})", "check the path and its permissions")


def _packed(path: Path, label: str) -> list[_Found] | None:
    """Return the images of a zip archive that was named; None when it is none, or holds one or no image."""
    with path.open("rb") as stream:
        if archive_kind(stream.read(HEAD_BYTES)) != "zip":
            return None
    try:
        images = [one for one in members(path) if not one.problem]
    except InputFileError:  # the reader says so again
        return None
    return None if len(images) < 2 else [_member(path, label, one.name) for one in images]


def _member(path: Path, name: str, member: str) -> _Found:
    inner = [part for part in PurePosixPath(member).parts if part not in ("/", "..")]
    return path, "/".join([name, *map(_printable, inner)]), member


def _name_apart(groups: Sequence[Sequence[_Found]]) -> Iterator[Input]:
    """Yield the inputs; when two share a name, every name gets the position of its argument.

    Names of one folder that differ only in bytes that cannot be printed are numbered.
    """
    printed = [_numbered([name for _, name, _ in found]) for found in groups]
    names = [name for found in printed for name in found]
    clash = len(set(names)) < len(names)
    for position, (found, given) in enumerate(zip(groups, printed, strict=True), start=1):
        for (path, _, member), name in zip(found, given, strict=True):
            yield Input(path, f"input{position}/{name}" if clash else name, member)


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


def _images_in(root: Path, walk: _Walk) -> Iterator[_Found]:
    """Yield (path, name relative to `root`, member) of the images under a folder, sorted by name."""
    visited: set[str] = set()

    def enter(folder: Path, prefix: PurePosixPath) -> Iterator[_Found]:
        real = os.path.realpath(folder)
        if real in visited:
            return
        visited.add(real)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            problem = UnreadableFileError("the folder cannot be read", "check its permissions")
            walk.unreadable.append((_printable(str(prefix) if prefix.parts else root.name), problem))
            return
        own = is_own_folder(folder)
        for entry in entries:
            path, name = folder / entry.name, prefix / entry.name
            try:
                if entry.name.startswith("."):
                    walk.pass_over(name, "it is hidden")
                elif own and entry.name in (OVERLAY_FOLDER, COMPARISON_FILE):
                    continue
                elif path.is_dir():
                    yield from enter(path, name)
                else:
                    yield from _look_at(path, name, walk)
            except OSError as error:  # this entry only
                walk.unreadable.append((_printable(str(name)), _cannot_open(error)))

    yield from enter(root, PurePosixPath())


def _look_at(path: Path, name: PurePosixPath, walk: _Walk) -> Iterator[_Found]:
    """Yield a file met in a folder when it is an image, or the images that it holds; else note why not."""
    one = path, _printable(str(name)), None
    meant = path.suffix.lower() in _MEANT
    if not path.is_file():
        if path.is_symlink() and meant:
            yield one  # it will be told that it leads nowhere
        else:
            walk.pass_over(name, "it is a link to nothing" if path.is_symlink() else "it is no regular file")
        return
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except OSError:
        if not meant:
            raise
        yield one
        return
    if path.name.upper() == "DICOMDIR" or is_dicomdir(head):
        walk.pass_over(name, "it is a DICOMDIR index")
    elif is_own_picture(head):
        walk.pass_over(name, "it is a picture that mcdetect drew")
    elif archive_kind(head) is not None:
        yield from _look_into(path, name, meant, walk)
    elif is_image(head) or meant:
        yield one
    else:
        walk.pass_over(name, f"it is {what_it_is(head)}")


def _look_into(path: Path, name: PurePosixPath, meant: bool, walk: _Walk) -> Iterator[_Found]:
    """Yield the images of an archive; note the other files in it, or why there is no image at all."""
    try:
        held = members(path)
        why = f": {held[0].problem}" if len(held) == 1 else ""
        why = f"it is an archive without images{why}"
    except InputFileError as error:
        held, why = [], error.cause
    if all(member.problem for member in held):
        if meant:
            yield path, _printable(str(name)), None
        else:
            walk.pass_over(name, why)
        return
    for member in held:
        if member.problem:
            walk.pass_over(name / member.name, member.problem)
        elif not member.name:
            yield path, _printable(str(name)), None
        else:
            yield _member(path, _printable(str(name)), member.name)


def _printable(name: str) -> str:
    """Return a file name that UTF-8 can hold: undecodable bytes are written as escapes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
