"""Reads the size that a compressed image declares for itself, without decompressing it.

Decoders allocate what the compressed stream asks for, so the stream's own size is compared with
the header's before anything is decoded.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from mcdetect.readers.signatures import JP2_MAGIC

__all__ = ["Codestream", "parse_codestream"]

# Standard: ITU-T T.81 (JPEG).
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
"""JPEG markers without a length: TEM and RST0-7 (ITU-T T.81, B.1.1.3)."""

_MOST_PLANES = 30
"""Technical: bit planes that HTJ2K decoders of 32 bits hold; more were seen to end the process."""


@dataclass(frozen=True)
class Codestream:
    """What a JPEG-family stream says about itself.

    Parameters
    ----------
    codec : {"jpeg", "jpegls", "jpeg2000", "htj2k"}
    rows, cols, components, precision : int
        Size in pixels, samples per pixel, bits per sample.
    lossless : bool or None
        None where the stream does not tell.
    complete : bool
        Whether the end marker is there, and, of JPEG 2000 and HTJ2K, all of each tile before it.
    """

    codec: str
    rows: int
    cols: int
    components: int
    precision: int
    lossless: bool | None
    complete: bool


def parse_codestream(data: bytes) -> Codestream | None:
    """Return what a JPEG, JPEG-LS, JPEG 2000 or HTJ2K stream declares; None when it is none of these.

    Parameters
    ----------
    data : bytes
        One compressed frame; trailing padding is tolerated.

    Notes
    -----
    ITU-T T.81 B.2.2 (JPEG), T.87 C.2.2 (JPEG-LS), T.800 A.5.1 (JPEG 2000), T.814 A.3 (HTJ2K).
    """
    try:
        if data[:2] == b"\xff\xd8":
            return _jpeg(data)
        if data[:4] == b"\xff\x4f\xff\x51":
            return _jpeg2000(data, 0)
        if data[:12] == JP2_MAGIC:
            start = data.find(b"\xff\x4f\xff\x51")
            return None if start < 0 else _jpeg2000(data, start)
    except (struct.error, IndexError):
        return None
    return None


def _complete(data: bytes) -> bool:
    return data[-4096:].rstrip(b"\x00").endswith(b"\xff\xd9")


def _jpeg(data: bytes) -> Codestream | None:
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker in _STANDALONE:
            position += 2
            continue
        if marker in (0xD9, 0xDA):
            return None
        (length,) = struct.unpack_from(">H", data, position + 2)
        is_frame = 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)
        if is_frame or marker == 0xF7:
            precision, rows, cols, components = struct.unpack_from(">BHHB", data, position + 4)
            if marker == 0xF7:
                lossless = _jpegls_is_lossless(data, position + 2 + length)
                return Codestream("jpegls", rows, cols, components, precision, lossless, _complete(data))
            lossless = marker in (0xC3, 0xC7, 0xCB, 0xCF)
            return Codestream("jpeg", rows, cols, components, precision, lossless, _complete(data))
        position += 2 + length
    return None


def _jpegls_is_lossless(data: bytes, position: int) -> bool | None:
    """Read NEAR from the first scan header (T.87 C.2.3)."""
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        (length,) = struct.unpack_from(">H", data, position + 2)
        if marker == 0xDA:
            return data[position + 5 + 2 * data[position + 4]] == 0
        position += 2 + length
    return None


def _jpeg2000(data: bytes, start: int) -> Codestream | None:
    right, bottom, left, top, *tiles = struct.unpack_from(">8I", data, start + 8)
    if not _tiles_are_legal(right, bottom, left, top, *tiles):
        return None
    (components,) = struct.unpack_from(">H", data, start + 40)
    precision = (data[start + 42] & 0x7F) + 1
    (length,) = struct.unpack_from(">H", data, start + 4)
    position, codec, lossless, deepest = start + 4 + length, "jpeg2000", None, 0
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker in (0x90, 0x93, 0xD9):  # SOT, SOD, EOC
            break
        (length,) = struct.unpack_from(">H", data, position + 2)
        if marker == 0x50:  # CAP with the part-15 bit
            (capabilities,) = struct.unpack_from(">I", data, position + 4)
            codec = "htj2k" if capabilities & 0x00020000 else codec
        elif marker in (0x5C, 0x5D):  # QCD and QCC
            deepest = max(deepest, _deepest(data, position, marker == 0x5D and components < 257))
        elif marker == 0x52:  # COD: the last byte of its fixed part is the wavelet
            lossless = data[position + 13] == 1
        position += 2 + length
    if codec == "htj2k" and deepest > _MOST_PLANES:
        return None
    complete = _complete(data) and _tiles_are_there(data, position)
    return Codestream(codec, bottom - top, right - left, components, precision, lossless, complete)


def _deepest(data: bytes, position: int, of_component: bool) -> int:
    """Return the most bit planes that a quantisation marker asks for (T.800 A.6.4 and E.1)."""
    (length,) = struct.unpack_from(">H", data, position + 2)
    start = position + 4 + of_component
    style, steps = data[start], data[start + 1 : position + 2 + length]
    exponents = [step >> 3 for step in (steps if style & 31 == 0 else steps[::2])]
    return (style >> 5) + max(exponents, default=0) - 1


def _tiles_are_there(data: bytes, position: int) -> bool:
    """Walk from tile-part to tile-part by their lengths (T.800 A.4.2); the last may leave its own open."""
    while data[position : position + 2] == b"\xff\x90":
        (length,) = struct.unpack_from(">I", data, position + 6)
        if length == 0:
            return True
        position += length
    return data[position : position + 2] == b"\xff\xd9"


def _tiles_are_legal(
    right: int, bottom: int, left: int, top: int, width: int, height: int, tile_left: int, tile_top: int
) -> bool:
    """Check the tile grid (T.800 B.3); an illegal one was seen to send a decoder into an endless loop."""
    if not (left < right and top < bottom and width > 0 and height > 0):
        return False
    if not (tile_left <= left < tile_left + width and tile_top <= top < tile_top + height):
        return False
    across, down = -(-(right - tile_left) // width), -(-(bottom - tile_top) // height)
    return across * down <= 65535
