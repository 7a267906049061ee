"""Reads mammograms from files of any supported format."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mcdetect.errors import InputFileError, NotEligibleError, UnreadableFileError
from mcdetect.image.mammogram import Mammogram, PixelSpacing
from mcdetect.image.volume import Volume
from mcdetect.readers.examination import Examination, given_magnification, given_spacing
from mcdetect.readers.memory import as_file, name_of
from mcdetect.readers.packed import unpacked
from mcdetect.readers.signatures import (
    HEAD_BYTES,
    archive_kind,
    looks_like_bare_dicom,
    picture_kind,
    what_it_is,
)

if TYPE_CHECKING:
    from mcdetect.readers.memory import Readable

__all__ = ["examine", "read_image", "read_mammogram", "read_volume"]

_SUPPORTED = "give DICOM, PNG, TIFF, PGM, BMP or JPEG images"
_NO_FORMAT = "it is of no format that mcdetect reads"
_REMEDIES = {"archive": "unpack it first", "NumPy": "load it and pass the array to mcdetect.detect"}


def read_mammogram(
    path: Readable,
    *,
    pixel_spacing_mm: float | tuple[float, float] | None = None,
    force: bool = False,
    frame: int | None = None,
    magnification: float | None = None,
    specimens: bool = False,
    member: str | None = None,
) -> Mammogram:
    """Read one mammogram.

    The format is recognised by content, not by name: DICOM with or without its preamble, in every
    common transfer syntax, or a PNG, TIFF, PGM, BMP or JPEG picture; either also packed by gzip, or as the
    only image in a zip archive.

    Parameters
    ----------
    path : path-like, bytes, binary file object or pydicom Dataset
        The file, or what it holds. A data set is not changed; what lies in memory passes through a
        temporary file.
    pixel_spacing_mm : float or (float, float), optional
        Pixel spacing in mm, or (row, column) spacing, for images whose header has none or an
        impossible one. A usable spacing in a DICOM header wins, so that one value can be given
        for a mixed folder; one at which the breast would be larger or smaller than any is not
        usable. Pictures other than DICOM always need it, since the resolution that they state is
        rarely the detector's.
    force : bool, default False
        Read images that would be passed over: other modalities, stacks, specimens, patches.
    frame : int, optional
        Frame of a multi-frame image, from 0: a slice or a projection of tomosynthesis. All slices
        together are read with `read_volume`.
    magnification : float, optional
        Geometric magnification, 1 to 2.5, of DICOM magnification views whose header does not tell it. Sizes
        are measured in the breast, so such a view is refused without.
    specimens : bool, default False
        Read radiographs of specimens, too. They are searched as crops.
    member : str, optional
        Name of a file within a zip archive; by default its only image.

    Returns
    -------
    Mammogram
        Float32 pixels, calcification bright; `source` is the file's name, empty where there is none.

    Raises
    ------
    UnreadableFileError
        The file is missing, truncated, corrupt or of no supported format.
    NotEligibleError
        It is no mammogram that is searched by default; `force` overrides.
    MissingSpacingError
        No pixel spacing is known.
    UnusableImageError
        The pixels are blank, in colour, or too few.
    ValueError
        If `pixel_spacing_mm`, `frame` or `magnification` is impossible.

    Examples
    --------
    >>> import mcdetect
    >>> image = mcdetect.read_mammogram("film.dcm", pixel_spacing_mm=0.0435)  # doctest: +SKIP
    >>> image.shape, image.spacing.source  # doctest: +SKIP
    ((4432, 2864), 'given by the user')
    """
    if force and frame is None:
        frame = 0
    image = read_image(
        path,
        pixel_spacing_mm=pixel_spacing_mm,
        force=force,
        frame=frame,
        member=member,
        magnification=magnification,
        specimens=specimens,
    )
    if not isinstance(image, Mammogram):
        raise NotEligibleError(
            f"it holds {len(image)} slices of tomosynthesis, not one image",
            "read them with read_volume, or one of them with frame=0, or use detect, which searches all",
            name_of(path) or None,
        )
    return image


def read_volume(path: Readable, *, pixel_spacing_mm: float | tuple[float, float] | None = None) -> Volume:
    """Read a stack of tomosynthesis slices; pixels are decoded slice by slice when they are asked for.

    Parameters
    ----------
    path : path-like, bytes, binary file object or pydicom Dataset
        A DICOM file, or what it holds: Breast Tomosynthesis Image Storage, or a multi-frame secondary capture
        of slices.
    pixel_spacing_mm : float or (float, float), optional
        As for `read_mammogram`.

    Raises
    ------
    InputFileError
        As for `read_mammogram`; `NotEligibleError` where the file is no such stack.
    """
    image = read_image(path, pixel_spacing_mm=pixel_spacing_mm)
    if not isinstance(image, Volume):
        raise NotEligibleError(
            "it holds one image, no slices", "read it with read_mammogram", name_of(path) or None
        )
    return image


def read_image(
    path: Readable,
    *,
    pixel_spacing_mm: float | tuple[float, float] | None = None,
    force: bool = False,
    frame: int | None = None,
    member: str | None = None,
    magnification: float | None = None,
    specimens: bool = False,
) -> Mammogram | Volume:
    """Read one mammogram or one stack of slices, whichever the file holds; see `read_mammogram`."""
    image = examine(
        path,
        pixel_spacing_mm=pixel_spacing_mm,
        force=force,
        frame=frame,
        member=member,
        magnification=magnification,
        specimens=specimens,
    ).image
    if image is None:  # a problem raises unless the examination is thorough
        raise UnreadableFileError("nothing could be read", _SUPPORTED, name_of(path) or None)
    return image


def examine(
    path: Readable,
    *,
    pixel_spacing_mm: float | tuple[float, float] | None = None,
    force: bool = False,
    frame: int | None = None,
    thorough: bool = False,
    magnification: float | None = None,
    specimens: bool = False,
    pixels: bool = True,
    member: str | None = None,
) -> Examination:
    """Read one file and report everything that was understood.

    Parameters
    ----------
    path, pixel_spacing_mm, force, frame, magnification, specimens
        As for `read_mammogram`.
    thorough : bool, default False
        Collect the problems that would prevent processing instead of raising the first. A file
        that cannot be parsed at all raises nevertheless.
    pixels : bool, default True
        False reads the headers of DICOM files only; there is no mammogram then.
    member : str, optional
        Name of a file within a zip archive; by default its only image.
    """
    given = given_spacing(pixel_spacing_mm)
    factor = given_magnification(magnification)
    if frame is not None and (isinstance(frame, bool) or not isinstance(frame, int) or frame < 0):
        raise ValueError(f"frame must be a non-negative integer, got {frame!r}")
    examined = partial(
        _examine,
        given=given,
        force=force,
        frame=frame,
        thorough=thorough,
        magnification=factor,
        specimens=specimens,
        pixels=pixels,
    )
    with as_file(path) as file:
        try:
            if archive_kind(_first_bytes(file)) is None:
                found = examined(file)
            else:
                with unpacked(file, member) as inner:
                    found = examined(inner)
        except InputFileError as error:
            raise error.with_path(file) from error.__cause__
        problems = tuple(problem.with_path(file) for problem in found.problems)
    image = found.image
    if image is not None and not name_of(path):
        image = dataclasses.replace(image, source="")
    return dataclasses.replace(found, problems=problems, image=image)


def _examine(
    file: Path,
    *,
    given: PixelSpacing | None,
    force: bool,
    frame: int | None,
    thorough: bool,
    magnification: float | None,
    specimens: bool,
    pixels: bool,
) -> Examination:
    kind = _recognise(file)
    # Each loader is imported when it is first needed: pydicom and the codecs are slow to import.
    if kind == "dicom":
        from mcdetect.readers.dicom.read import examine_dicom

        return examine_dicom(
            file,
            given,
            force=force,
            frame=frame,
            thorough=thorough,
            magnification=magnification,
            specimens=specimens,
            pixels=pixels,
        )
    from mcdetect.readers.raster import examine_raster

    return examine_raster(file, kind, given, force=force, frame=frame or 0, thorough=thorough)


def _recognise(path: Path) -> str:
    """Return "dicom" or the kind of picture."""
    start = _first_bytes(path)
    if not start:
        raise UnreadableFileError("the file is empty", "obtain the file again")
    if start[128:132] == b"DICM":
        return "dicom"
    if (kind := picture_kind(start)) is not None:
        return kind
    if looks_like_bare_dicom(start):
        return "dicom"
    if not start.strip(b"\x00"):
        raise UnreadableFileError("it starts with nothing but zero bytes", "obtain the file again")
    what = what_it_is(start)
    remedy = next((remedy for word, remedy in _REMEDIES.items() if word in what), _SUPPORTED)
    raise UnreadableFileError(f"it is {what}, not an image" if " format " not in what else _NO_FORMAT, remedy)


def _first_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise UnreadableFileError("it is a folder", "give a file")
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except FileNotFoundError as error:
        raise UnreadableFileError("the file does not exist", "check the path") from error
    except OSError as error:
        raise UnreadableFileError(
            f"cannot be opened ({error.strerror})", "check that it may be read"
        ) from error
