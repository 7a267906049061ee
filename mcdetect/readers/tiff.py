"""The picture in a TIFF file: which of its pages it is, and whether all of it is there."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mcdetect.errors import NotEligibleError, UnreadableFileError, UnusableImageError
from mcdetect.readers.codestream import parse_codestream
from mcdetect.readers.examination import Examiner, check_size
from mcdetect.readers.whole import check_jpeg

__all__ = ["TiffPicture", "read_tiff"]

_AGAIN = "obtain the file again"
# Standard: TIFF 6.0 (1992), and what libtiff added: schemes whose data unpack to the plain samples.
_PACKED = frozenset({5, 8, 32773, 32946, 34925, 50000})  # LZW, deflate, PackBits, deflate, LZMA, Zstandard
_PLAIN, _JPEG = 1, 7
_REDUCED = 1  # bit of NewSubfileType

_MOST_PAGES = 1000  # Technical: pages of a stack that are looked at

_THUMBNAIL = 0.25
"""Judged: a page with at most this share of the pixels of the largest is a thumbnail of it."""


class TiffPicture:
    """A decoded page.

    Parameters
    ----------
    values : array
    white_is_zero, lossy : bool
    """

    __slots__ = ("lossy", "values", "white_is_zero")

    def __init__(self, values: npt.NDArray[Any], white_is_zero: bool, lossy: bool) -> None:
        self.values, self.white_is_zero, self.lossy = values, white_is_zero, lossy


def read_tiff(path: Path, examiner: Examiner, force: bool, frame: int) -> TiffPicture | None:
    """Read a TIFF file; None when a problem was kept.

    Parameters
    ----------
    path : Path
    examiner : Examiner
        Gets remarks and the refusal of a stack.
    force : bool
        Read one picture of a stack.
    frame : int
        Which of the pictures, thumbnails apart.
    """
    import tifffile

    try:
        with _silent(), path.open("rb") as stream, tifffile.TiffFile(stream) as file:
            count = min(len(file.pages), _MOST_PAGES)  # iterating over damaged ones may never end
            pages = _pictures([file.pages[k].aspage() for k in range(count)], examiner)
            if len(pages) > 1:
                refusal = NotEligibleError(
                    f"it holds {len(pages)} pictures, which are not searched",
                    "give single pictures, or use --force to search the first one",
                )
                if not force:
                    examiner.problem(refusal)
                    return None
                examiner.flag(f"forced: {refusal.cause}")
            if frame >= len(pages):
                raise UnreadableFileError(
                    f"frame {frame} was asked for, but there are {len(pages)}",
                    "ask for a frame that is there",
                )
            return _read(pages[frame], path.stat().st_size)
    except tifffile.TiffFileError as error:
        raise UnreadableFileError("the TIFF picture is truncated or damaged", _AGAIN) from error


@contextmanager
def _silent() -> Iterator[None]:
    """Keep what tifffile logs about damaged files off the terminal."""
    logger = logging.getLogger("tifffile")
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before


def _pictures(pages: list[Any], examiner: Examiner) -> list[Any]:
    """Return the pages that are no thumbnails of another."""
    sizes = [int(page.imagelength) * int(page.imagewidth) for page in pages]
    if not sizes:
        raise UnreadableFileError("the TIFF file holds no picture", _AGAIN)
    whole = [
        page
        for page, size in zip(pages, sizes, strict=True)
        if size == max(sizes) or (size > _THUMBNAIL * max(sizes) and not int(page.subfiletype) & _REDUCED)
    ]
    if len(whole) == 1 and len(pages) > 1:
        examiner.flag("thumbnail beside the picture: not read")
    return whole


def _read(page: Any, file_bytes: int) -> TiffPicture:
    check_size(int(page.imagelength), int(page.imagewidth))
    kind = str(page.photometric.name)
    if kind == "PALETTE":
        raise UnusableImageError("the picture has a colour palette", "save it as plain grey scale")
    if kind == "SEPARATED":
        raise UnusableImageError(
            "the picture is in the colours of print (CMYK)", "save it as plain grey scale"
        )
    _check_whole(page, file_bytes)
    lossy = "JPEG" in page.compression.name and "2000" not in page.compression.name
    return TiffPicture(np.asarray(page.asarray()), kind == "MINISWHITE", lossy)


def _check_whole(page: Any, file_bytes: int) -> None:
    """Refuse a picture of which strips or tiles are missing or short: tifffile fills them with zeros."""
    expected = int(math.prod(page.chunked))
    places = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    if len(places) < expected:
        raise UnreadableFileError(
            f"its header claims {page.imagelength} rows; {len(places)} of {expected} parts of them are there",
            _AGAIN,
        )
    if any(count <= 0 or offset + count > file_bytes for offset, count in places[:expected]):
        raise UnreadableFileError("the TIFF picture is truncated: parts of it lie beyond its end", _AGAIN)
    code = int(page.compression)
    samples = int(page.samplesperpixel) if int(page.planarconfig) == 1 else 1
    width = int(page.tilewidth if page.is_tiled else page.imagewidth)
    row_bytes = -(-width * samples * int(page.bitspersample) // 8)
    if str(page.photometric.name) == "YCBCR" and code != _JPEG:
        return  # colours may be stored for every other pixel only
    for number, (offset, count) in enumerate(places[:expected]):
        rows = int(page.tilelength) if page.is_tiled else _strip_rows(page, number)
        if code == _PLAIN:
            if count < rows * row_bytes:
                raise UnreadableFileError("the TIFF picture is truncated: a part of it is short", _AGAIN)
        elif code in _PACKED or code == _JPEG:
            _check_part(page, code, _part(page, offset, count), rows, rows * row_bytes)


def _strip_rows(page: Any, number: int) -> int:
    """Rows of a strip; the last one of a plane may have fewer."""
    rows = min(int(page.rowsperstrip), int(page.imagelength))
    in_plane = number % -(-int(page.imagelength) // rows)
    return min(rows, int(page.imagelength) - in_plane * rows)


def _part(page: Any, offset: int, count: int) -> bytes:
    file = page.parent.filehandle
    file.seek(offset)
    return bytes(file.read(count))


def _check_part(page: Any, code: int, data: bytes, rows: int, size: int) -> None:
    import imagecodecs
    import tifffile

    if code in _PACKED:
        if len(tifffile.TIFF.DECOMPRESSORS[code](data)) < size:
            raise UnreadableFileError("the TIFF picture is truncated: a part of it is short", _AGAIN)
        return
    tables = page.jpegtables
    if tables is not None:
        data = bytes(tables)[:-2] + data[2:]
    stream = parse_codestream(data)
    if stream is None or not stream.complete or stream.rows < rows:
        raise UnreadableFileError("the JPEG data of the TIFF picture are cut", _AGAIN)
    if stream.codec != "jpeg":
        return
    try:
        check_jpeg(data, stream, np.asarray(imagecodecs.jpeg8_decode(data)), imagecodecs.jpeg8_decode)
    except EOFError as error:
        raise UnreadableFileError("the JPEG data of the TIFF picture are cut", _AGAIN) from error
