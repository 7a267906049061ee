"""Reads mammograms from files of any supported format."""

from __future__ import annotations

from pathlib import Path

from mcdetect.errors import InputFileError, UnreadableFileError
from mcdetect.image.mammogram import Mammogram
from mcdetect.readers.examination import Examination, given_spacing

__all__ = ["examine", "read_mammogram"]

_FOREIGN = (
    (b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (b"PK\x03\x04", "a zip archive", "unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"),
    (b"%PDF", "a PDF document", "give DICOM, PNG, TIFF or PGM images"),
    (b"\x93NUMPY", "a NumPy array", "load it and pass the array to mcdetect.detect"),
)
_SUPPORTED = "give DICOM, PNG, TIFF, PGM, BMP or JPEG images"


def read_mammogram(
    path: str | Path,
    *,
    pixel_spacing_mm: float | tuple[float, float] | None = None,
    force: bool = False,
    frame: int = 0,
) -> Mammogram:
    """Read one mammogram.

    The format is recognised by content, not by name: DICOM with or without its preamble, in every
    common transfer syntax, or a PNG, TIFF, PGM, BMP or JPEG picture.

    Parameters
    ----------
    path : path-like
        The file.
    pixel_spacing_mm : float or (float, float), optional
        Pixel spacing in mm, or (row, column) spacing, for images whose header has none or an
        impossible one. A usable spacing in a DICOM header wins, so that one value can be given
        for a mixed folder. Pictures other than DICOM always need it, since the resolution that
        they state is rarely the detector's.
    force : bool, default False
        Read images that would be passed over: other modalities, stacks, specimens, patches.
    frame : int, default 0
        Frame of a multi-frame image, from 0.

    Returns
    -------
    Mammogram
        Float32 pixels, calcification bright; `source` is the file's name.

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
        If `pixel_spacing_mm` or `frame` is impossible.

    Examples
    --------
    >>> import mcdetect
    >>> image = mcdetect.read_mammogram("film.dcm", pixel_spacing_mm=0.0435)  # doctest: +SKIP
    >>> image.shape, image.spacing.source  # doctest: +SKIP
    ((4432, 2864), 'given by the user')
    """
    mammogram = examine(path, pixel_spacing_mm=pixel_spacing_mm, force=force, frame=frame).mammogram
    if mammogram is None:  # a problem raises unless the examination is thorough
        raise UnreadableFileError("nothing could be read", _SUPPORTED, path)
    return mammogram


def examine(
    path: str | Path,
    *,
    pixel_spacing_mm: float | tuple[float, float] | None = None,
    force: bool = False,
    frame: int = 0,
    thorough: bool = False,
) -> Examination:
    """Read one file and report everything that was understood.

    Parameters
    ----------
    path, pixel_spacing_mm, force, frame
        As for `read_mammogram`.
    thorough : bool, default False
        Collect the problems that would prevent processing instead of raising the first. A file
        that cannot be parsed at all raises nevertheless.
    """
    given = given_spacing(pixel_spacing_mm)
    if isinstance(frame, bool) or not isinstance(frame, int) or frame < 0:
        raise ValueError(f"frame must be a non-negative integer, got {frame!r}")
    file = path if isinstance(path, Path) else Path(path)  # a `HeldFile` stays one
    try:
        kind = _recognise(file)
        # Each loader is imported when it is first needed: pydicom and the codecs are slow to import.
        if kind == "dicom":
            from mcdetect.readers.dicom.read import examine_dicom

            found = examine_dicom(file, given, force=force, frame=frame, thorough=thorough)
        else:
            from mcdetect.readers.raster import examine_raster

            found = examine_raster(file, kind, given, force=force, frame=frame, thorough=thorough)
    except InputFileError as error:
        raise error.with_path(file) from error.__cause__
    problems = tuple(problem.with_path(file) for problem in found.problems)
    return Examination(found.facts, found.flags, problems, found.mammogram)


def _recognise(path: Path) -> str:
    """Return "dicom" or the kind of picture."""
    start = _first_bytes(path)
    if not start:
        raise UnreadableFileError("the file is empty", "obtain the file again")
    if start[128:132] == b"DICM":
        return "dicom"
    from mcdetect.readers.signatures import looks_like_bare_dicom, picture_kind

    if (kind := picture_kind(start)) is not None:
        return kind
    if looks_like_bare_dicom(start):
        return "dicom"
    for magic, what, remedy in _FOREIGN:
        if start.startswith(magic):
            raise UnreadableFileError(f"it is {what}, not an image", remedy)
    if not start.strip(b"\x00"):
        raise UnreadableFileError("it starts with nothing but zero bytes", "obtain the file again")
    printable = sum(32 <= byte < 127 or byte in b"\t\r\n" for byte in start)
    if printable > 0.95 * len(start):
        raise UnreadableFileError("it is a text file, not an image", _SUPPORTED)
    raise UnreadableFileError("it is of no format that mcdetect reads", _SUPPORTED)


def _first_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise UnreadableFileError("it is a folder", "give a file")
    try:
        with path.open("rb") as file:
            return file.read(1024)
    except FileNotFoundError as error:
        raise UnreadableFileError("the file does not exist", "check the path") from error
    except OSError as error:
        raise UnreadableFileError(
            f"cannot be opened ({error.strerror})", "check that it may be read"
        ) from error
