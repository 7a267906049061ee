"""Whether a compressed stream holds the whole picture: decoders fill up what is missing without a word."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from mcdetect.readers.codestream import Codestream

__all__ = ["check_jpeg"]

# Technical: bytes put behind the data, read only by a decoder that lacks some. None of them is 0xFF, which
# would begin a marker.
_TAIL = bytes((37 * k + 11) % 251 for k in range(1 << 16))

_END = b"\xff\xd9"


def check_jpeg(
    data: bytes,
    stream: Codestream,
    decoded: npt.NDArray[Any],
    decode: Callable[[bytes], npt.NDArray[Any]],
) -> None:
    """Raise where a JPEG stream ends before its picture does, though an end marker follows.

    A decoder stops at the last pixel, whatever follows. So the same stream with other data before its end
    marker gives the same picture, unless pixels were missing. Where restart markers divide the stream, they
    are counted, too.

    Parameters
    ----------
    data : bytes
        The stream, with its end marker.
    stream : Codestream
        What it declares.
    decoded : array
        What it was decoded to.
    decode : callable
        The decoder.

    Raises
    ------
    EOFError
        If pixels are missing.
    """
    end = data.rfind(_END)
    scan = _last_scan(data)
    if end < scan:
        raise EOFError("the compressed stream ends early")
    interval = _restart_interval(data[:scan])
    if interval and stream.components == 1 and data.count(b"\xff\xda", 0, end) == 1:
        block = 1 if stream.lossless else 8
        units = -(-stream.rows // block) * -(-stream.cols // block)
        markers = sum(data.count(bytes((0xFF, 0xD0 + k)), scan, end) for k in range(8))
        if markers < -(-units // interval) - 1:
            raise EOFError("the compressed stream ends early")
    start = data[:end].rstrip(b"\xff")  # a cut may lie behind 0xFF, which would make a marker of what follows
    try:
        again = np.asarray(decode(start + _TAIL + _END))
    except RuntimeError:  # a decoder that minds what follows found the end of the picture first
        return
    if not np.array_equal(again, decoded):
        raise EOFError("the compressed stream ends early, before its end marker")


def _last_scan(data: bytes) -> int:
    """Return where the data of the last scan begin (ITU-T T.81, B.2.3)."""
    start = data.rfind(b"\xff\xda")
    if start < 0 or start + 4 > len(data):
        raise ValueError("no scan in the stream")
    (length,) = struct.unpack_from(">H", data, start + 2)
    return start + 2 + int(length)


def _restart_interval(head: bytes) -> int:
    """Return how many units lie between restart markers, 0 for no such markers (ITU-T T.81, B.2.4.4)."""
    at = head.rfind(b"\xff\xdd\x00\x04")
    return 0 if at < 0 or at + 6 > len(head) else int.from_bytes(head[at + 4 : at + 6], "big")
