"""Finds the mask among files by what they hold, since some sets swap masks and crops."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mcdetect.errors import InputFileError, UnreadableFileError, UnusableImageError
from mcdetect.readers.examination import MAX_PIXELS

__all__ = ["find_mask", "read_values"]

# Judged: between masks kept as JPEG of any quality, and crops of films.
_RUNG = 0.15  # of the range: a value so near to either end is that end
_TWO_VALUED = 0.98  # share of such values in a mask

_LOSSY_SUFFIXES = frozenset({".jpg", ".jpeg"})


def find_mask(
    candidates: Sequence[Path], shape: tuple[int, int]
) -> tuple[Path, npt.NDArray[np.bool_], tuple[str, ...]]:
    """Return the candidate that is a mask: two values, and the size nearest to the image's.

    Parameters
    ----------
    candidates : sequence of Path
        DICOM files or pictures; crops of the image may be among them.
    shape : (int, int)
        Rows and columns of the image.

    Returns
    -------
    path : Path
    mask : (rows, cols) bool array
        In the mask's own size.
    remarks : tuple of str

    Raises
    ------
    InputFileError
        If no candidate is a mask, or the mask is empty.
    """
    found: list[tuple[float, Path, npt.NDArray[np.bool_]]] = []
    reasons: list[str] = []
    empty: list[Path] = []
    for path in candidates:
        try:
            values = read_values(path)
        except InputFileError as error:
            reasons.append(f"{path.name}: {error.cause}")
            continue
        if path.suffix.lower() in _LOSSY_SUFFIXES:
            values = _told_apart(values)
        low, high = values.min(), values.max()
        if low == high:
            reasons.append(f"{path.name}: one value only")
            empty.append(path)
        elif not bool(((values == low) | (values == high)).all()):
            reasons.append(f"{path.name}: grey levels, so a crop")
        else:
            off = abs(values.shape[0] / shape[0] - 1) + abs(values.shape[1] / shape[1] - 1)
            found.append((off, path, values == high))
            if off == 0:
                break
    if not found:
        if empty:
            raise UnusableImageError("the mask is empty", "leave the image out", empty[0])
        raise UnreadableFileError(
            "no mask was found" + (f" ({'; '.join(reasons)})" if reasons else ""),
            "download the series of its masks again",
            candidates[0] if candidates else None,
        )
    _, path, mask = min(found, key=lambda item: item[0])
    remarks = ("several files look like masks: the one nearest in size taken",) if len(found) > 1 else ()
    return path, mask, remarks


def _told_apart(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a mask of two values from one that a lossy compression rang in; crops stay as they are."""
    low, high = int(values.min()), int(values.max())
    rung = _RUNG * (high - low)
    two = (values <= low + rung) | (values >= high - rung)
    return np.asarray(values > (low + high) / 2) if float(two.mean()) >= _TWO_VALUED else values


def read_values(path: Path) -> npt.NDArray[Any]:
    """Return the stored values of a DICOM file or a grey picture, unconverted.

    Raises
    ------
    UnreadableFileError
        If the file is missing, damaged or of no known format.
    """
    try:
        with path.open("rb") as file:
            start = file.read(132)
    except OSError as error:
        raise UnreadableFileError(
            f"cannot be opened ({error.strerror})", "check that it exists and may be read", path
        ) from error
    if start[128:132] == b"DICM":
        from mcdetect.readers.dicom.glance import stored_values

        return stored_values(path)
    return _read_picture(path)


def _read_picture(path: Path) -> npt.NDArray[Any]:
    import cv2

    try:
        values = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    except (cv2.error, MemoryError, OSError) as error:
        raise UnreadableFileError("the picture is damaged", "obtain the file again", path) from error
    if values is None or values.size == 0:
        raise UnreadableFileError(
            "it is no image that can be read", "give DICOM, PNG, PGM or TIFF masks", path
        )
    if values.ndim == 3:
        values = values[..., :3].max(axis=2)  # coloured masks: anything that is not black
    if values.size > MAX_PIXELS:
        raise UnusableImageError("the mask is absurdly large", "obtain the file again", path)
    return np.asarray(values)
