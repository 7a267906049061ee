"""Reads BMP pictures; a decoder that trusts their headers was seen to end the process."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from mcdetect.errors import UnusableImageError
from mcdetect.readers.examination import check_size

__all__ = ["read_bmp"]

# Standard: Microsoft, BITMAPFILEHEADER and BITMAPINFOHEADER: sizes in bytes.
_FILE_HEADER, _INFO_HEADER = 14, 40
_ALIGNED = 4  # bytes that each row is filled up to
_PLAIN = 0  # compression: none


def read_bmp(data: bytes) -> npt.NDArray[Any]:
    """Decode a BMP picture of 8, 24 or 32 bits per pixel.

    Parameters
    ----------
    data : bytes
        The file.

    Returns
    -------
    (rows, cols) or (rows, cols, 3) uint8 array
        Two dimensions when a palette holds grey levels only.

    Raises
    ------
    ValueError, EOFError, struct.error
        If the header makes no sense, or less is there than it claims.
    UnusableImageError
        If it is of another kind.
    """
    start, info = struct.unpack_from("<I", data, 10)[0], struct.unpack_from("<I", data, _FILE_HEADER)[0]
    cols, rows, planes, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    if info < _INFO_HEADER or cols <= 0 or planes != 1:
        raise ValueError("malformed header")
    check_size(abs(rows), cols)
    if compression != _PLAIN or bits not in (8, 24, 32):
        raise UnusableImageError(
            f"it is a BMP picture of {bits} bits that mcdetect does not read", "save it as plain 8-bit grey"
        )
    stride = -(-cols * bits // 8 // _ALIGNED) * _ALIGNED
    if start < _FILE_HEADER + info or start + stride * abs(rows) > len(data):
        raise EOFError("less is there than the header claims")
    lines = np.frombuffer(data, np.uint8, stride * abs(rows), start).reshape(abs(rows), stride)
    lines = lines if rows < 0 else lines[::-1]  # the lowest row comes first
    if bits > 8:
        return np.ascontiguousarray(
            lines[:, : cols * bits // 8].reshape(abs(rows), cols, bits // 8)[..., 2::-1]
        )
    palette = np.zeros((256, 3), np.uint8)
    (used,) = struct.unpack_from("<I", data, 46)
    count = min(used or 256, 256, (start - _FILE_HEADER - info) // 4)
    palette[:count] = np.frombuffer(data, np.uint8, 4 * count, _FILE_HEADER + info).reshape(-1, 4)[:, 2::-1]
    picture = palette[lines[:, :cols]]
    grey = bool((palette[:, :1] == palette).all())
    return np.ascontiguousarray(picture[..., 0] if grey else picture)
