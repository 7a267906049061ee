"""A quick look at a DICOM file: view, side and size from its header, or its stored values as they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
from pydicom.dataset import Dataset

from mcdetect.errors import InputFileError, UnreadableFileError
from mcdetect.readers.dicom.decode import read_stored_pixels
from mcdetect.readers.dicom.identity import identify
from mcdetect.readers.dicom.quiet import quiet
from mcdetect.readers.dicom.source import DicomSource, open_dicom
from mcdetect.readers.dicom.tags import integer

__all__ = ["Glance", "glance", "opened_header", "stored_values"]


@dataclass(frozen=True)
class Glance:
    """What a header says, without patient identity.

    Parameters
    ----------
    rows, cols : int
        Size in pixels.
    laterality : {"L", "R"} or None
    view : str or None
    """

    rows: int
    cols: int
    laterality: str | None
    view: str | None


def glance(path: Path) -> Glance:
    """Read the header of a DICOM file; its pixels are not touched.

    Raises
    ------
    UnreadableFileError
        If the file cannot be parsed or holds no image.
    """
    with _opened(path) as source:
        rows, cols = integer(source.header, "Rows"), integer(source.header, "Columns")
        if rows is None or cols is None:
            raise UnreadableFileError("it is no DICOM image", "give the image files only")
        identity = identify(source.header)
        return Glance(rows, cols, identity.laterality, identity.view)


def stored_values(path: Path) -> npt.NDArray[Any]:
    """Return the stored values of a single-frame file, without any grey-scale conversion.

    This is what masks and label images need; mammograms are read with `mcdetect.readers.read`.

    Returns
    -------
    (rows, cols) integer array, native-endian

    Raises
    ------
    InputFileError
        If the file is missing, damaged, in colour or of an absurd size.
    """
    with _opened(path) as source:
        return read_stored_pixels(source).values


@contextmanager
def opened_header(path: Path) -> Iterator[Dataset]:
    """Open a DICOM file for its header; whatever goes wrong names the file.

    Raises
    ------
    InputFileError
        If the file is missing or cannot be parsed.
    """
    with _opened(path) as source:
        yield source.header


@contextmanager
def _opened(path: Path) -> Iterator[DicomSource]:
    try:
        with quiet(), open_dicom(path) as source:
            yield source
    except InputFileError as error:
        raise error.with_path(path) from error.__cause__
    except Exception as error:  # a hostile file makes the parser raise anything
        raise UnreadableFileError(
            f"the DICOM file is damaged ({type(error).__name__})", "obtain the file again", path
        ) from error
