"""Stored pixel values of one frame, whatever the transfer syntax."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame

from mcdetect.errors import UnreadableFileError, UnusableImageError
from mcdetect.readers.codestream import Codestream, parse_codestream
from mcdetect.readers.dicom.bits import settle_bits
from mcdetect.readers.dicom.eligibility import frame_count
from mcdetect.readers.dicom.plugin import PLUGIN, decoder_for, is_available
from mcdetect.readers.dicom.source import DicomSource, PixelElement
from mcdetect.readers.dicom.tags import PYDICOM_ERRORS, integer, text
from mcdetect.readers.examination import check_size

__all__ = ["StoredPixels", "read_stored_pixels"]

_AGAIN = "obtain the file again"
_LOSSY_SYNTAXES = frozenset({uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLSNearLossless})
_CODEC_SYNTAXES = {
    "jpeg": uid.JPEGExtended12Bit,
    "jpegls": uid.JPEGLSLossless,
    "jpeg2000": uid.JPEG2000,
    "htj2k": uid.HTJ2K,
}
_UNKNOWN = "unknown transfer syntax: the pixel data tell how they are compressed"
_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")


@dataclass(frozen=True)
class StoredPixels:
    """One frame as stored, before any grey-scale transformation.

    Parameters
    ----------
    values : (rows, cols) array, native-endian integer
    bits : int
        Bits that hold values: Bits Stored, or more where the values do not fit.
    signed : bool
    steps : tuple of str
        What was done to the bits.
    flags : tuple of str
        Remarks.
    padding : (rows, cols) bool array or None
        Where the words are padding that lies outside of the range of the values.
    """

    values: npt.NDArray[Any]
    bits: int
    signed: bool
    steps: tuple[str, ...]
    flags: tuple[str, ...]
    padding: npt.NDArray[np.bool_] | None = None

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest value that the bits can hold."""
        half = 1 << (self.bits - 1)
        return (-half, half - 1) if self.signed else (0, 2 * half - 1)


@dataclass(frozen=True)
class _Layout:
    """Image Pixel module, checked."""

    rows: int
    cols: int
    samples: int
    photometric: str
    allocated: int
    stored: int
    high_bit: int
    signed: bool
    frames: int
    planar: int


def read_stored_pixels(source: DicomSource, frame: int = 0) -> StoredPixels:
    """Decode one frame to native-endian integers.

    Parameters
    ----------
    source : DicomSource
        An open file.
    frame : int
        Index of the frame, from 0.

    Raises
    ------
    UnreadableFileError
        If the pixel data is missing, truncated, corrupt or contradicts the header.
    UnusableImageError
        If the image is in colour or of an absurd size.

    Notes
    -----
    DICOM PS3.3, C.7.6.3 (Image Pixel); PS3.5, 8 (encoding of pixel data).
    """
    layout = _layout(source.header)
    check_size(layout.rows, layout.cols)
    if frame >= layout.frames or frame < 0:
        raise UnreadableFileError(
            f"frame {frame} was asked for, but there are {layout.frames}", "ask for a frame that is there"
        )
    element = source.pixel_element
    if element is None:
        raise UnreadableFileError("the pixel data is missing; the file may be truncated", _AGAIN)
    if element.keyword != "PixelData":
        raise UnusableImageError("its pixels are floating-point numbers", "give an image with integer pixels")
    steps: list[str] = []
    flags = ["lossy compression"] if text(source.header, "LossyImageCompression") == "01" else []
    if element.length is None:
        syntax, data = _compressed_frame(source, element, layout, frame, flags)
        raw = _decode(syntax, BytesIO(_encapsulated(data)), 0, element, layout)
    else:
        _check_native_length(element, layout)
        syntax = source.encoding
        if source.transfer_syntax.is_encapsulated:
            # A defined length says that the pixels are plain, whatever the label claims.
            known = syntax_is_known(source.transfer_syntax)
            flags.append("transfer syntax does not match the pixel data" if known else _UNKNOWN)
        source.stream.seek(element.start)
        raw = _decode(syntax, source.stream, frame, element, layout)
    values = _single_channel(raw, layout, flags, steps)
    return _apply_bits(values, layout, source.header, syntax, flags, steps)


def _layout(header: Dataset) -> _Layout:
    def need(keyword: str, name: str) -> int:
        value = integer(header, keyword)
        if value is None:
            raise UnreadableFileError(f"{name} is missing from the header", _AGAIN)
        return value

    rows, cols = need("Rows", "Rows"), need("Columns", "Columns")
    allocated = need("BitsAllocated", "Bits Allocated")
    stored = integer(header, "BitsStored") or allocated
    samples = integer(header, "SamplesPerPixel") or 1
    photometric = text(header, "PhotometricInterpretation") or ("MONOCHROME2" if samples == 1 else "RGB")
    if allocated not in (8, 16, 32) or not 1 <= stored <= allocated:
        raise UnreadableFileError(
            f"Bits Allocated {allocated} with Bits Stored {stored} is not supported",
            "give an image of 8 to 16 bits",
        )
    if (samples, photometric) not in [(1, name) for name in _GREY] + [(3, name) for name in _COLOUR]:
        raise UnusableImageError(
            f"its pixels are {photometric[:16]} with {samples} samples", "give a grey-scale image"
        )
    high_bit = integer(header, "HighBit")
    return _Layout(
        rows,
        cols,
        samples,
        photometric,
        allocated,
        stored,
        stored - 1 if high_bit is None or not stored - 1 <= high_bit < allocated else high_bit,
        integer(header, "PixelRepresentation") == 1,
        frame_count(header),
        1 if integer(header, "PlanarConfiguration") == 1 else 0,
    )


def _check_native_length(element: PixelElement, layout: _Layout) -> None:
    expected = layout.rows * layout.cols * layout.samples * layout.allocated // 8 * layout.frames
    if layout.photometric == "YBR_FULL_422":
        expected = expected * 2 // 3
    present_bytes = min(element.length or 0, element.available)
    if present_bytes < expected:
        raise UnreadableFileError(
            f"the pixel data is truncated ({present_bytes} of {expected} bytes)", _AGAIN
        )


def _compressed_frame(
    source: DicomSource, element: PixelElement, layout: _Layout, frame: int, flags: list[str]
) -> tuple[uid.UID, bytes]:
    """Return one frame of compressed pixel data and the transfer syntax that decodes it."""
    stream = source.stream
    try:
        fragments = _fragments(stream, element)
        if layout.frames == 1:
            # All fragments make the one frame, whatever the offset table says.
            data = b"".join(_read(stream, start, length) for start, length in fragments)
        else:
            stream.seek(element.start)
            data = get_frame(stream, frame, number_of_frames=layout.frames)
    except PYDICOM_ERRORS as error:
        raise UnreadableFileError(
            f"the compressed pixel data is truncated or damaged ({error})", _AGAIN
        ) from error
    if not data:
        raise UnreadableFileError("the compressed pixel data is empty", _AGAIN)
    syntax = source.transfer_syntax
    codestream = parse_codestream(data)
    if not is_available(syntax):
        if codestream is None:
            raise UnreadableFileError(
                f"its transfer syntax {_syntax_name(syntax)} is not supported"
                if syntax_is_known(syntax)
                else f"its transfer syntax {_syntax_name(syntax)} is known to nobody",
                "convert it to Explicit VR Little Endian",
            )
        syntax = _CODEC_SYNTAXES[codestream.codec]
        known = syntax_is_known(source.transfer_syntax)
        flags.append("transfer syntax does not match the pixel data" if known else _UNKNOWN)
    elif codestream is not None and not _matches(syntax, codestream):
        syntax = _CODEC_SYNTAXES[codestream.codec]
        flags.append("transfer syntax does not match the pixel data")
    if syntax in _LOSSY_SYNTAXES or (codestream is not None and codestream.lossless is False):
        flags.append("lossy compression")
    return syntax, data


def _matches(syntax: uid.UID, codestream: Codestream) -> bool:
    if codestream.codec == "jpeg":
        return syntax in uid.JPEGTransferSyntaxes and syntax not in uid.JPEGLSTransferSyntaxes
    if codestream.codec == "jpegls":
        return syntax in uid.JPEGLSTransferSyntaxes
    return syntax in uid.JPEG2000TransferSyntaxes or syntax in (
        uid.HTJ2K,
        uid.HTJ2KLossless,
        uid.HTJ2KLosslessRPCL,
    )


def syntax_is_known(syntax: uid.UID) -> bool:
    """Return whether a transfer syntax is one of the standard's."""
    return syntax.name != syntax and syntax.type == "Transfer Syntax"


def _syntax_name(syntax: uid.UID) -> str:
    if syntax_is_known(syntax):
        return syntax.name[:80]
    return str(syntax)[:64] if syntax.is_valid else "(no UID)"


def _fragments(stream: BinaryIO, element: PixelElement) -> list[tuple[int, int]]:
    """Return (start, length) of each fragment after the offset table; raise where the file is cut.

    pydicom drops cut encapsulated pixel data without a word, so the items are walked here.
    """
    end = element.start + element.available
    stream.seek(element.start)
    found: list[tuple[int, int]] = []
    position = element.start
    while position + 8 <= end:
        group, number, length = struct.unpack("<HHI", _read(stream, position, 8))
        if (group, number) == (0xFFFE, 0xE0DD):
            break
        if (group, number) != (0xFFFE, 0xE000):
            if found:
                break  # no delimiter; another element follows
            raise ValueError("no fragments")
        if position + 8 + length > end:
            raise EOFError(f"{end - position - 8} of {length} bytes of a fragment")
        found.append((position + 8, length))
        position += 8 + length
    if len(found) < 2:
        raise EOFError("no fragments after the offset table")
    return found[1:]


def _read(stream: BinaryIO, start: int, length: int) -> bytes:
    stream.seek(start)
    data = stream.read(length)
    if len(data) != length:
        raise EOFError(f"{len(data)} of {length} bytes")
    return data


def _decode(
    syntax: uid.UID, stream: BinaryIO, index: int, element: PixelElement, layout: _Layout
) -> npt.NDArray[Any]:
    options: dict[str, Any] = {
        "rows": layout.rows,
        "columns": layout.cols,
        "samples_per_pixel": layout.samples,
        "photometric_interpretation": layout.photometric,
        "bits_allocated": layout.allocated,
        "bits_stored": layout.stored,
        "pixel_representation": int(layout.signed),
        "number_of_frames": 1 if syntax.is_encapsulated else layout.frames,
        "planar_configuration": layout.planar,
        "pixel_keyword": "PixelData",
        "pixel_vr": element.vr,
        "decoding_plugin": PLUGIN if syntax.is_encapsulated else "",
    }
    # Bits outside Bits Stored are dealt with in `_apply_bits`, with the values in view.
    options["correct_unused_bits"] = False
    try:
        values, _ = decoder_for(syntax).as_array(stream, index=index, raw=layout.samples == 1, **options)
    except PYDICOM_ERRORS as error:
        cause = str(error).strip().splitlines()[-1].strip() if str(error).strip() else type(error).__name__
        cause = cause.removeprefix(f"{PLUGIN}: ")[:200]
        raise UnreadableFileError(f"the pixel data cannot be decoded: {cause}", _AGAIN) from error
    return values


def _encapsulated(data: bytes) -> bytes:
    """Wrap one frame as pydicom's decoders expect it (DICOM PS3.5, A.4); cheaper than pydicom does."""
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    head = struct.pack("<HHI", 0xFFFE, 0xE000, len(data))
    return b"".join((item, head, data, struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)))


def _single_channel(
    raw: npt.NDArray[Any], layout: _Layout, flags: list[str], steps: list[str]
) -> npt.NDArray[Any]:
    if raw.ndim == 3:
        first = raw[..., 0].astype(np.int32)
        spread = max(int(np.abs(raw[..., k].astype(np.int32) - first).max()) for k in (1, 2))
        if spread > 3:  # lossy colour of a grey image wobbles by a level or two
            raise UnusableImageError("it is a colour image", "give a grey-scale image")
        steps.append("grey taken from equal colour channels")
        flags.append("stored in colour")
        raw = np.ascontiguousarray(raw[..., 1])
    if not raw.dtype.isnative:
        raw = raw.astype(raw.dtype.newbyteorder("="))
    return raw


def _apply_bits(
    values: npt.NDArray[Any],
    layout: _Layout,
    header: Dataset,
    syntax: uid.UID,
    flags: list[str],
    steps: list[str],
) -> StoredPixels:
    """Drop what is no part of the values, as `settle_bits` finds it."""
    shift = 0 if syntax.is_encapsulated else layout.high_bit + 1 - layout.stored
    if shift:
        values = values >> shift
        steps.append(f"shifted right by {shift} bits (High Bit {layout.high_bit})")
    first, second = integer(header, "PixelPaddingValue"), integer(header, "PixelPaddingRangeLimit")
    found = settle_bits(
        values,
        layout.stored,
        layout.signed,
        padding=None if first is None else (first, first if second is None else second),
        has_overlay=_has_overlay_in_pixels(header),
    )
    if found.bits <= 8:
        flags.append("8-bit grey scale")
    return StoredPixels(
        found.values,
        found.bits,
        found.signed,
        (*steps, *found.steps),
        tuple(dict.fromkeys((*flags, *found.flags))),
        found.padding,
    )


def _has_overlay_in_pixels(header: Dataset) -> bool:
    """Return whether an overlay plane lives in spare bits of the pixels (Overlay Bit Position)."""
    return any(0x6000 <= element.tag.group <= 0x60FF and element.tag.element == 0x0102 for element in header)
