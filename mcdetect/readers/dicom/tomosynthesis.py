"""Reads a stack of tomosynthesis slices as a volume: header now, slices one at a time when asked for."""

from __future__ import annotations

import dataclasses
import threading
import weakref
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mcdetect.errors import InputFileError, UnreadableFileError
from mcdetect.image.mammogram import PixelSpacing, Plane
from mcdetect.image.volume import Volume
from mcdetect.readers.dicom.decode import StoredPixels, read_stored_pixels
from mcdetect.readers.dicom.eligibility import frame_count
from mcdetect.readers.dicom.greyscale import GreyScale
from mcdetect.readers.dicom.identity import Identity
from mcdetect.readers.dicom.origin import find_origin
from mcdetect.readers.dicom.quiet import quiet
from mcdetect.readers.dicom.source import DicomSource
from mcdetect.readers.dicom.stack import StackOrder, half_angle_deg, order_of_slices
from mcdetect.readers.examination import Examiner

__all__ = ["FrameReader", "grey_table", "note_stack", "to_volume"]

_LARGEST_TABLE = 65536  # Technical: entries of the table of grey levels, those of 16 bits


def note_stack(examiner: Examiner, source: DicomSource) -> StackOrder:
    """Find the order of the slices, and note it."""
    stack = order_of_slices(source.header, frame_count(source.header))
    examiner.flag(*stack.flags)
    count = len(stack.frames)
    step = float(np.median(np.diff(stack.depth_mm))) if count > 1 else 0.0
    turned = " reversed" if count > 1 and stack.frames[0] > stack.frames[-1] else ""
    examiner.note("slices", f"{count}, {step:.3g} mm apart, by {stack.source}{turned}")
    angle = half_angle_deg(source.header)
    examiner.note("tube angles", None if angle is None else f"{2 * angle:.3g} degrees in all")
    return stack


def to_volume(
    source: DicomSource,
    path: Path,
    stack: StackOrder,
    middle: tuple[StoredPixels, GreyScale],
    spacing: PixelSpacing,
    identity: Identity,
    laterality: str | None,
    examiner: Examiner,
) -> Volume:
    """Make a volume of a file whose middle slice was read.

    Parameters
    ----------
    source : DicomSource
        The open file.
    path : Path
        The file.
    stack : StackOrder
    middle : (StoredPixels, GreyScale)
        Its middle slice, which decides how stored values become grey levels in all slices.
    spacing : PixelSpacing
    identity : Identity
    laterality : {"L", "R"} or None
    examiner : Examiner
        With the facts and flags so far.
    """
    stored, grey = middle
    if spacing.source == "Pixel Spacing":  # that of slices is one of the breast, not of the detector
        spacing = dataclasses.replace(spacing, source="Pixel Measures", plane=Plane.OBJECT)
    lowest, table = grey_table(stored, grey)
    return Volume(
        shape=(stored.values.shape[0], stored.values.shape[1]),
        spacing=spacing,
        frames=stack.frames,
        depth_mm=stack.depth_mm,
        read=FrameReader(source, path),
        grey=table,
        lowest=lowest,
        valid=grey.valid,
        half_angle_deg=half_angle_deg(source.header),
        intent=identity.intent,
        laterality=laterality,
        view=identity.view,
        display_window=grey.display_window,
        source=path.name,
        polarity_source=grey.polarity,
        study=examiner.study,
        header=dict(examiner.header),
        origin=find_origin(source.header, laterality, identity.view),
        flags=tuple(examiner.flags),
        details=dict(examiner.facts),
    )


def grey_table(stored: StoredPixels, grey: GreyScale) -> tuple[int, npt.NDArray[np.float32]]:
    """Return the smallest stored value and the grey level of every value from it on.

    Values that the slice does not hold lie on the straight line between those next to them.
    """
    values = stored.values if grey.valid is None else stored.values[grey.valid]
    levels = grey.pixels if grey.valid is None else grey.pixels[grey.valid]
    info = np.iinfo(values.dtype)
    if info.bits <= 16:
        lowest, count = int(info.min), _LARGEST_TABLE if info.bits == 16 else 256
    else:
        lowest = int(values.min()) - _LARGEST_TABLE // 4
        count = _LARGEST_TABLE
    place = np.clip(values.astype(np.int64) - lowest, 0, count - 1).ravel()
    level = np.full(count, np.nan)
    level[place] = levels.ravel()
    known = np.flatnonzero(np.isfinite(level))
    first, last = int(known[0]), int(known[-1])
    slope = (level[last] - level[first]) / max(last - first, 1)
    every = np.arange(count, dtype=np.float64)
    table = np.interp(every, known, level[known])
    table += slope * (np.minimum(every - first, 0.0) + np.maximum(every - last, 0.0))
    return lowest, table.astype(np.float32)


class FrameReader:
    """Reads the stored values of a frame of a file: header and file are kept open, the pixels are not kept.

    The file stays open since one that was unpacked from an archive is gone from its folder by then.

    Parameters
    ----------
    source : DicomSource
        As the file was opened.
    path : Path
        The file.
    """

    def __init__(self, source: DicomSource, path: Path) -> None:
        self._lock = threading.Lock()
        in_memory = isinstance(source.stream, BytesIO)  # held, or unpacked already
        # what is in memory is shared, not copied; the stream given is closed by whoever opened it
        stream = BytesIO(source.stream.getvalue()) if in_memory else path.open("rb")  # type: ignore[attr-defined]
        self._source = dataclasses.replace(source, stream=stream)
        weakref.finalize(self, stream.close)

    def __call__(self, frame: int) -> npt.NDArray[Any]:
        """Return the (rows, cols) stored integers of a frame, from 0."""
        try:
            with self._lock, quiet():
                return read_stored_pixels(self._source, frame).values
        except InputFileError as error:
            raise type(error)(f"frame {frame}: {error.cause}", error.remedy) from error.__cause__
        except Exception as error:  # a hostile file makes the parser raise anything
            raise UnreadableFileError(
                f"frame {frame} is damaged ({type(error).__name__})", "obtain the file again"
            ) from error
