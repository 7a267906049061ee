"""Decodes compressed DICOM frames with imagecodecs, in the form of a pydicom decoding plugin.

pydicom asks for `DECODER_DEPENDENCIES`, `is_available` and a function of (frame, runner).
"""

from __future__ import annotations

import itertools
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import imagecodecs
import numpy as np
from pydicom import uid
from pydicom.pixels.decoders.base import Decoder, DecodeRunner

from mcdetect.readers.codestream import Codestream, parse_codestream
from mcdetect.readers.whole import check_jpeg

__all__ = ["DECODER_DEPENDENCIES", "PLUGIN", "decode_frame", "decoder_for", "is_available"]

PLUGIN = "imagecodecs"

_JPEG = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1)
_JPEG_LS = (uid.JPEGLSLossless, uid.JPEGLSNearLossless)
_JPEG_2000 = (uid.JPEG2000Lossless, uid.JPEG2000)
_HTJ2K = (uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K)
_CODECS: dict[str, Any] = {
    "jpeg": imagecodecs.JPEG8,
    "jpegls": imagecodecs.JPEGLS,
    "jpeg2000": imagecodecs.JPEG2K,
    "htj2k": imagecodecs.HTJ2K,
    "rle": imagecodecs.PACKBITS,
}
_CODEC_OF: dict[str, str] = {
    **dict.fromkeys(_JPEG, "jpeg"),
    **dict.fromkeys(_JPEG_LS, "jpegls"),
    **dict.fromkeys(_JPEG_2000, "jpeg2000"),
    **dict.fromkeys(_HTJ2K, "htj2k"),
    uid.RLELossless: "rle",
}

DECODER_DEPENDENCIES = {uid.UID(syntax): ("imagecodecs",) for syntax in _CODEC_OF}

_decoders: dict[str, Decoder] = {}


def is_available(syntax: str) -> bool:
    """Return whether the installed imagecodecs decodes a transfer syntax."""
    return syntax in _CODEC_OF and bool(_CODECS[_CODEC_OF[syntax]].available)


def decoder_for(syntax: uid.UID) -> Decoder:
    """Return a pydicom decoder of our own for a transfer syntax, with this plugin in it.

    pydicom's shared decoders stay as they are, so that other users of pydicom in the same process
    see no change.
    """
    if syntax not in _decoders:
        decoder = Decoder(syntax)
        if syntax in _CODEC_OF:
            decoder.add_plugin(PLUGIN, (__name__, "decode_frame"))
        _decoders[syntax] = decoder
    return _decoders[syntax]


def decode_frame(source: bytes, runner: DecodeRunner) -> bytearray:
    """Decode one compressed frame.

    Parameters
    ----------
    source : bytes
        The frame.
    runner : DecodeRunner
        Holds what the header says; its `bits_allocated` is set to the decoded sample's.

    Returns
    -------
    bytearray
        Little-endian samples, colour by pixel; by plane for RLE.

    Raises
    ------
    ValueError
        If the stream contradicts the header about the size of the image.
    """
    if runner.transfer_syntax == uid.RLELossless and source[:2] != b"\xff\xd8":
        return _decode_rle(source, runner)
    stream = parse_codestream(source)
    if stream is None:
        raise ValueError("the compressed pixel data is no JPEG, JPEG-LS or JPEG 2000 stream")
    expected = (runner.rows, runner.columns, runner.samples_per_pixel)
    declared = (stream.rows, stream.cols, stream.components)
    if declared != expected:
        raise ValueError(
            f"the compressed stream is {_size(*declared)} but the header says {_size(*expected)}"
        )
    if stream.codec != "jpeg2000" and not stream.complete:
        # JPEG and HTJ2K decode a cut stream without complaint; JPEG-LS takes seconds to notice.
        raise EOFError("the compressed stream ends early")
    pixels = _decode_stream(source, stream)
    if pixels.size != runner.rows * runner.columns * runner.samples_per_pixel:
        raise ValueError("the compressed stream decoded to another size than it declared")
    runner.set_option("bits_allocated", 8 * pixels.dtype.itemsize)
    if runner.samples_per_pixel > 1:
        runner.set_option("planar_configuration", 0)
        if stream.codec != "jpegls":  # these come back as RGB
            runner.set_option("photometric_interpretation", "RGB")
    little = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False)
    return bytearray(np.ascontiguousarray(little).data.cast("B"))


def _decode_stream(source: bytes, stream: Codestream) -> np.ndarray[Any, np.dtype[Any]]:
    # The stream itself decides on the codec: labels in headers are wrong now and then.
    if stream.codec == "jpeg":
        decoded = imagecodecs.jpeg8_decode(source)
        check_jpeg(source, stream, np.asarray(decoded), imagecodecs.jpeg8_decode)
    elif stream.codec == "jpegls":
        decoded = imagecodecs.jpegls_decode(source)
    elif stream.codec == "htj2k":
        with _swallowed_errors_raised():
            decoded = imagecodecs.htj2k_decode(source)
    else:
        decoded = imagecodecs.jpeg2k_decode(source)
    return np.asarray(decoded)


@contextmanager
def _swallowed_errors_raised() -> Iterator[None]:
    """Raise the errors that imagecodecs' HTJ2K decoder only hands to `sys.unraisablehook`."""
    swallowed: list[str] = []
    hook = sys.unraisablehook
    sys.unraisablehook = lambda unraisable: swallowed.append(str(unraisable.exc_value))
    try:
        yield
    finally:
        sys.unraisablehook = hook
    if swallowed:
        raise ValueError(f"damaged HTJ2K stream ({swallowed[0]})")


def _decode_rle(source: bytes, runner: DecodeRunner) -> bytearray:
    """Decode RLE segment by segment (DICOM PS3.5, Annex G).

    The offsets are checked here and each segment goes to the PackBits decoder with a bound on its
    output, since imagecodecs' own RLE decoder was seen to crash on offsets beyond the data.
    """
    width, samples = runner.bits_allocated // 8, runner.samples_per_pixel
    count = width * samples
    pixels = runner.rows * runner.columns
    if runner.bits_allocated not in (8, 16, 32):
        raise ValueError(f"RLE data with {runner.bits_allocated} bits allocated")
    if len(source) < 64:
        raise EOFError("the RLE header is cut")
    declared, *offsets = struct.unpack("<16I", source[:64])
    if declared != count:
        raise ValueError(f"{declared} RLE segments where {count} were expected")
    bounds = [*offsets[:count], len(source)]
    if bounds[0] != 64 or any(start >= end for start, end in itertools.pairwise(bounds)):
        if bounds[0] >= 64 and sorted(bounds[:-1]) == bounds[:-1]:
            raise EOFError("an RLE segment starts beyond the end of the data")
        raise ValueError("the RLE segment offsets are impossible")
    decoded = np.empty((samples, pixels, width), np.uint8)
    for index, (start, end) in enumerate(itertools.pairwise(bounds)):
        sample, byte = divmod(index, width)  # most significant byte first
        decoded[sample, :, width - 1 - byte] = _unpack_segment(source[start:end], pixels)
    runner.set_option("planar_configuration", 1)
    return bytearray(decoded.data.cast("B"))


def _unpack_segment(segment: bytes, pixels: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    # A segment is padded to an even length, and some writers pad its pixels too.
    slack = 256
    try:
        values = imagecodecs.packbits_decode(segment, out=pixels + slack)
    except RuntimeError:  # the decoder's own error, which has no public name
        try:
            values = imagecodecs.packbits_decode(segment[:-1], out=pixels + slack)
        except RuntimeError as error:
            raise ValueError("an RLE segment is damaged") from error
    if len(values) < pixels:
        raise EOFError(f"an RLE segment holds {len(values)} of {pixels} bytes")
    return np.frombuffer(values, np.uint8, pixels)


def _size(rows: int, cols: int, samples: int) -> str:
    return f"{rows} x {cols}" + (f" x {samples}" if samples != 1 else "")
