"""Which files a batch works on, and what each is called in the tables."""

from __future__ import annotations

import contextlib
import os
import stat
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


@dataclass(frozen=True, slots=True)
class Input:
    """One file to work on.

    Parameters
    ----------
    place : str or Path
        Where it is; a text where there may be very many.
    file : str
        Its name in every table: relative to the folder it was found in, POSIX separators,
        unique within the run.
    member : str or None
        Its name within `path`, when that is a zip archive.
    """

    place: str | Path
    file: str
    member: str | None = None

    @property
    def path(self) -> Path:
        """Where it is."""
        return Path(self.place) if isinstance(self.place, str) else self.place


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


_Found = tuple[str | Path, str, str | None]
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

    inputs = _Inputs()
    problems: list[tuple[str, InputFileError]] = []
    walk = _Walk()
    if isinstance(paths, str | os.PathLike):
        raise TypeError(f"paths must be a list of files and folders; write [{os.fspath(paths)!r}]")
    for position, given in enumerate(paths, start=1):
        if not os.fspath(given):
            raise ValueError("a path is empty; name a file or a folder")
        text = os.fspath(given)
        address = is_address(given)
        label = basename(text) if address else _label(text)
        linked: bool | None = None
        try:
            if address:
                listed, passed_over = remote_images(text)
                found: Sequence[_Found] = [(path, name, None) for path, name in listed]
                walk.passed_over += passed_over
            else:
                folder, linked = _kind(text)
                if not folder:
                    found = _packed(text, label) or ((text, label, None),)
                else:
                    unreadable = len(walk.unreadable)
                    found = list(_images_in(Path(text), walk))
                    linked = None
                    if not found and len(walk.unreadable) == unreadable:
                        raise UnreadableFileError(
                            "no mammogram was found in the folder",
                            "give a folder with DICOM files, or name the files one by one",
                        )
        except InputFileError as error:
            problems.append((label, error))
            continue
        except OSError as error:
            problems.append((label, _cannot_open(error)))
            continue
        inputs.take(found, position, linked)
    problems += walk.unreadable
    return Discovery(inputs.named(), tuple(problems), tuple(walk.passed_over), inputs.duplicates)


def _label(text: str) -> str:
    name = os.path.basename(text)  # noqa: PTH119  (there may be millions)
    if name in ("", os.curdir, os.pardir):
        root = Path(text)
        name = root.name or root.resolve().name or "input"
    return _printable(name)


def _kind(text: str) -> tuple[bool, bool]:
    """Tell of a path that was named whether it is a folder, and whether it is a link.

    Raises
    ------
    UnreadableFileError
        It is neither file nor folder.
    """
    try:
        mode = os.lstat(text).st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        if text.endswith(os.sep) and len(text) > 1:
            return _kind(text.rstrip(os.sep))
        raise UnreadableFileError("the file does not exist", "check the path") from error
    linked = stat.S_ISLNK(mode)
    if linked:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            mode = os.stat(text).st_mode  # noqa: PTH116
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise UnreadableFileError("not a regular file or folder", "name a file or a folder")
    return stat.S_ISDIR(mode), linked


def _real(path: str | Path, folders: dict[str, str], linked: bool | None = None) -> str:
    """Return where a file is; `folders` remembers that of its folder, which thousands of files share."""
    text = os.fspath(path)
    folder, _, name = text.rpartition(os.sep)
    folder = folder or (os.sep if name != text else os.curdir)
    if linked is None:
        linked = os.path.islink(text)  # noqa: PTH114
    if not name or name == ".." or linked:
        return os.path.realpath(text)
    if folder not in folders:
        folders[folder] = os.path.realpath(folder)
    return os.path.join(folders[folder], name)  # noqa: PTH118


def _cannot_open(error: OSError) -> InputFileError:
    reason = (error.strerror or type(error).__name__).lower()
    return UnreadableFileError(f"cannot be opened ({reason})", "check the path and its permissions")


def _packed(text: str, label: str) -> list[_Found] | None:
    """Return the images of a zip archive that was named; None when it is none, or holds one or no image."""
    stream = os.open(text, os.O_RDONLY | getattr(os, "O_BINARY", 0))  # there may be millions
    try:
        head = os.read(stream, _MAGIC)
    finally:
        os.close(stream)
    if archive_kind(head) != "zip":
        return None
    path = Path(text)
    try:
        images = [one for one in members(path) if not one.problem]
    except InputFileError:  # the reader says so again
        return None
    return None if len(images) < 2 else [_member(path, label, one.name) for one in images]


_MAGIC = 16  # Technical: first bytes that tell an archive


def _member(path: Path, name: str, member: str) -> _Found:
    inner = [part for part in PurePosixPath(member).parts if part not in ("/", "..")]
    return path, "/".join([name, *map(_printable, inner)]), member


class _Inputs:
    """The inputs as they are found, each file once; there may be millions."""

    def __init__(self) -> None:
        self.duplicates = 0
        self._inputs: list[Input] = []
        self._positions: list[int] = []
        self._folders: dict[str, str] = {}
        self._seen: set[str | tuple[str, str]] = set()

    def take(self, found: Sequence[_Found], position: int, linked: bool | None) -> None:
        """Add what an argument stands for, given its position, and whether it is a link itself.

        Names of one folder that differ only in bytes that cannot be printed are numbered.
        """
        kept: list[_Found] = []
        for one in found:
            path, _, member = one
            real = path.address if isinstance(path, RemoteFile) else _real(path, self._folders, linked)
            known = real if member is None else (real, member)
            if known in self._seen:
                self.duplicates += 1
            else:
                self._seen.add(known)
                kept.append(one)
        for (path, _, member), name in zip(kept, _numbered([name for _, name, _ in kept]), strict=True):
            place = path if isinstance(path, RemoteFile) else os.fspath(path)
            self._inputs.append(Input(place, name, member))
        self._positions += [position] * len(kept)

    def named(self) -> tuple[Input, ...]:
        """Return the inputs; when two share a name, every name gets the position of its argument."""
        if len({item.file for item in self._inputs}) == len(self._inputs):
            return tuple(self._inputs)
        return tuple(
            Input(item.place, f"input{position}/{item.file}", item.member)
            for item, position in zip(self._inputs, self._positions, strict=True)
        )


def _numbered(names: Sequence[str]) -> list[str]:
    """Return the names, those that came before with a number."""
    if len(names) < 2:
        return list(names)
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
    if name.isascii():
        return name
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
