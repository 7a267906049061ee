"""Reads mammograms stored as PNG, TIFF, PGM, BMP or JPEG pictures."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mcdetect.errors import (
    InputFileError,
    MissingSpacingError,
    UnreadableFileError,
    UnusableImageError,
)
from mcdetect.image.mammogram import Intent, Mammogram, PixelSpacing
from mcdetect.image.views import parse_view_name
from mcdetect.readers.area import note_breasts, plausible_spacing
from mcdetect.readers.bmp import read_bmp
from mcdetect.readers.codestream import parse_codestream
from mcdetect.readers.examination import Examination, Examiner, check_extent, check_size, describe_spacing
from mcdetect.readers.grey import check_content, saturation_level
from mcdetect.readers.polarity import judge_polarity
from mcdetect.readers.signatures import PNM_HEADER
from mcdetect.readers.tiff import read_tiff
from mcdetect.readers.whole import check_jpeg

__all__ = ["examine_raster"]

_AGAIN = "obtain the file again"
_DECODER_ERRORS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
)


@dataclass(frozen=True)
class _Picture:
    """Decoded picture.

    Parameters
    ----------
    values : (rows, cols) or (rows, cols, channels) array
    white_is_zero : bool
        Whether low values mean bright.
    lossy : bool
    """

    values: npt.NDArray[Any]
    white_is_zero: bool = False
    lossy: bool = False


def examine_raster(
    path: Path,
    kind: str,
    given: PixelSpacing | None = None,
    *,
    force: bool = False,
    frame: int = 0,
    thorough: bool = False,
) -> Examination:
    """Read a picture file.

    Parameters
    ----------
    path : Path
        The file.
    kind : {"PNG", "TIFF", "JPEG", "JPEG 2000", "BMP", "PNM"}
        Its format.
    given : PixelSpacing, optional
        Pixel spacing; a picture's own resolution tags are never trusted.
    force, frame
        A stack of pictures (TIFF) is passed over unless forced; then `frame` is read.
    thorough : bool
        Collect every problem instead of raising the first.

    Raises
    ------
    InputFileError
        The first problem, unless `thorough`; a file that cannot be decoded always raises.
    """
    examiner = Examiner(thorough)
    examiner.note("format", kind)
    laterality, view = parse_view_name(path.stem)
    examiner.note("view", f"{view} (file name)" if view else "unknown")
    examiner.note("laterality", f"{laterality} (file name)" if laterality else "unknown")
    examiner.note("intent", Intent.UNKNOWN)
    if given is None:
        examiner.note("pixel spacing", "unknown")
        examiner.problem(
            MissingSpacingError(
                f"a {kind} picture has no reliable pixel spacing", "give the true one with --pixel-spacing MM"
            )
        )
    else:
        examiner.note("pixel spacing", describe_spacing(given))
    picture = _decode(path, kind, examiner, force, frame)
    if picture is None:
        return examiner.finish(None)
    try:
        return _convert(examiner, picture, path, given, laterality, view)
    except InputFileError as error:
        examiner.problem(error)
        return examiner.finish(None)


def _convert(
    examiner: Examiner,
    picture: _Picture,
    path: Path,
    given: PixelSpacing | None,
    laterality: str | None,
    view: str | None,
) -> Examination:
    """Turn a decoded picture into a mammogram."""
    steps: list[str] = []
    values = _grey(picture.values, steps)
    rows, cols = values.shape
    examiner.note("size", f"{rows} x {cols} pixels (rows x columns)")
    examiner.note("bits", f"{8 * values.dtype.itemsize}, {values.dtype.name}")
    check_size(rows, cols)
    if given is not None:
        check_extent(rows, cols, given)
    if values.dtype.itemsize == 1:
        examiner.flag("8-bit grey scale")
    if picture.lossy:
        examiner.flag("lossy compression")
    pixels = np.ascontiguousarray(values, dtype=np.float32)
    valid = None
    if values.dtype.kind == "f":
        finite = np.isfinite(pixels)
        if not finite.all():
            valid = finite
            steps.append("pixels that are not finite masked")
    check_content(pixels, valid)
    if pixels is picture.values:
        pixels = pixels.copy()
    inverted = picture.white_is_zero
    if inverted:
        steps.append("white is zero: inverted")
    seen = judge_polarity(-pixels if inverted else pixels, valid)
    if remark := seen.remark(stated=False):
        examiner.flag(remark)
    if seen.brighter:
        inverted = not inverted
        steps.append("inverted, since air was brighter than the breast")
    if inverted:
        top = 0.0 if values.dtype.kind == "f" else float(np.iinfo(values.dtype).max)
        np.subtract(np.float32(top), pixels, out=pixels)
    if valid is not None:
        pixels[~valid] = pixels[valid].min()
    examiner.note("grey scale", "; ".join(steps) or "used as stored, bright taken as dense")
    examiner.note("polarity", seen.source(stated=False))
    note_breasts(examiner, seen.breast)
    saturated = saturation_level(pixels, valid)
    if saturated is not None:
        examiner.note("saturated from", f"{saturated:g}")
    _check_side(examiner, laterality, seen.side)
    if given is None:
        return examiner.finish(None)
    _, remark = plausible_spacing(seen.breast, pixels.size, given, given)
    examiner.flag(*[remark] if remark else [])
    return examiner.finish(
        Mammogram(
            pixels=pixels,
            spacing=given,
            valid=valid,
            saturation_level=saturated,
            laterality=laterality,
            view=view,
            source=path.name,
            polarity_source=seen.source(stated=False),
            flags=tuple(examiner.flags),
            details=dict(examiner.facts),
        )
    )


def _check_side(examiner: Examiner, laterality: str | None, air_side: str) -> None:
    """Say so where the chest wall is not where that of the breast named by the file usually is."""
    wall = {"right": "L", "left": "R"}.get(air_side)
    if wall is not None and laterality is not None and wall != laterality:
        examiner.flag(f"the chest wall is on the side usual for {wall}, not {laterality}")


def _grey(values: npt.NDArray[Any], steps: list[str]) -> npt.NDArray[Any]:
    """Return one channel, or raise when the picture is in colour."""
    if values.ndim == 3 and values.shape[2] in (2, 4):
        alpha = values[..., -1]
        if alpha.min() != alpha.max():
            raise UnusableImageError("the picture is partly transparent", "save it as plain grey scale")
        values = values[..., :-1]
        steps.append("constant alpha channel dropped")
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    if values.ndim == 3 and values.shape[2] == 3:
        first = values[..., 0].astype(np.float32)
        scale = 3.0 if values.dtype.itemsize == 1 else 0.0  # JPEG's colour conversion rounds
        if any(float(np.abs(values[..., k] - first).max()) > scale for k in (1, 2)):
            raise UnusableImageError("the picture is in colour", "give a grey-scale picture")
        steps.append("grey taken from equal colour channels")
        values = values[..., 1]
    if values.ndim != 2 or values.dtype.kind not in "uif" or values.dtype.itemsize > 8:
        raise UnusableImageError("the picture is not a plain grey-scale image", "save it as 8 or 16-bit grey")
    return values


def _decode(path: Path, kind: str, examiner: Examiner, force: bool, frame: int) -> _Picture | None:
    """Decode a picture; None when a problem was kept."""
    try:
        if kind == "TIFF":
            page = read_tiff(path, examiner, force, frame)
            return None if page is None else _Picture(page.values, page.white_is_zero, page.lossy)
        data = path.read_bytes()
        if kind == "PNM":
            return _read_pnm(data)
        return _read_compressed(data, kind)
    except InputFileError:
        raise
    except (*_DECODER_ERRORS, EOFError, ValueError, struct.error) as error:
        raise UnreadableFileError(
            f"the {kind} picture is truncated or damaged ({type(error).__name__})", _AGAIN
        ) from error


def _read_compressed(data: bytes, kind: str) -> _Picture:
    import imagecodecs

    if kind == "PNG":
        cols, rows = struct.unpack_from(">II", data, 16)
        check_size(rows, cols)
        return _Picture(np.asarray(imagecodecs.png_decode(data)))
    if kind == "BMP":
        return _Picture(read_bmp(data))
    stream = parse_codestream(data)
    if stream is None:
        raise ValueError("no image in the stream")
    check_size(stream.rows, stream.cols)
    if stream.components == 4 and stream.codec == "jpeg":
        raise UnusableImageError(
            "the picture is in the colours of print (CMYK)", "save it as plain grey scale"
        )
    if not stream.complete:
        raise EOFError("no end marker")
    decoders = {
        "jpeg": imagecodecs.jpeg8_decode,
        "jpegls": imagecodecs.jpegls_decode,
        "jpeg2000": imagecodecs.jpeg2k_decode,
        "htj2k": imagecodecs.htj2k_decode,
    }
    decoded = np.asarray(decoders[stream.codec](data))
    if stream.codec == "jpeg":
        check_jpeg(data, stream, decoded, imagecodecs.jpeg8_decode)
    return _Picture(decoded, lossy=not stream.lossless)


def _read_pnm(data: bytes) -> _Picture:
    """Read PGM or PPM, plain or raw, 8 or 16 bit (Netpbm formats)."""
    match = PNM_HEADER.match(data[:4096])
    if match is None:
        raise ValueError("malformed header")
    number, cols, rows = int(match[1]), int(match[3]), int(match[4])
    if number in (1, 4):
        raise UnusableImageError("the picture has two grey levels only (PBM)", "give the mammogram itself")
    check_size(rows, cols)
    top_text = re.match(rb"(?:#[^\n]*\n\s*)*(\d{1,5})\s", data[match.end() : match.end() + 4096])
    if top_text is None:
        raise ValueError("malformed header")
    top = int(top_text[1])
    if not 0 < top < 65536:
        raise ValueError("impossible largest value")
    body = data[match.end() + top_text.end() :]
    channels = 3 if number in (3, 6) else 1
    count = rows * cols * channels
    if number in (2, 3):
        values = np.array(body.split()[:count], dtype=np.int64)
        if values.size < count or values.min() < 0 or values.max() > top:
            raise ValueError("too few or impossible values")
        values = values.astype(np.uint8 if top < 256 else np.uint16)
    else:
        kind = np.dtype("u1" if top < 256 else ">u2")
        values = np.frombuffer(body, kind, count).astype(kind.newbyteorder("="))
    return _Picture(values.reshape((rows, cols, 3) if channels == 3 else (rows, cols)))
