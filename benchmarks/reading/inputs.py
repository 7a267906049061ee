"""Small whole inputs of every transfer syntax and picture kind, and damage done to them by number."""

from __future__ import annotations

import gzip
import io
import warnings
import zipfile
from collections.abc import Callable
from functools import cache
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import tifffile
from pydicom import config as pydicom_config
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import RLELosslessEncoder

__all__ = ["KINDS", "damaged", "whole"]

SPACING_MM = 0.14
_SHAPE = (96, 80)

_SYNTAXES: dict[str, uid.UID] = {
    "implicit": uid.ImplicitVRLittleEndian,
    "explicit": uid.ExplicitVRLittleEndian,
    "big endian": uid.ExplicitVRBigEndian,
    "deflated": uid.DeflatedExplicitVRLittleEndian,
    "RLE": uid.RLELossless,
    "JPEG 8 bit": uid.JPEGBaseline8Bit,
    "JPEG 12 bit": uid.JPEGExtended12Bit,
    "JPEG lossless": uid.JPEGLossless,
    "JPEG lossless SV1": uid.JPEGLosslessSV1,
    "JPEG-LS": uid.JPEGLSLossless,
    "JPEG-LS near": uid.JPEGLSNearLossless,
    "JPEG 2000 lossless": uid.JPEG2000Lossless,
    "JPEG 2000": uid.JPEG2000,
    "HTJ2K lossless": uid.HTJ2KLossless,
    "HTJ2K RPCL": uid.HTJ2KLosslessRPCL,
    "HTJ2K": uid.HTJ2K,
}


@cache
def _image() -> npt.NDArray[np.uint16]:
    """A dense-bright breast on the left, air on the right."""
    rng = np.random.default_rng(0)
    rows, cols = _SHAPE
    y, x = np.mgrid[:rows, :cols]
    inside = np.clip(1.0 - (x / (0.6 * cols)) ** 2 - ((y - rows / 2) / (0.45 * rows)) ** 2, 0.0, None)
    image = 120.0 + 2400.0 * np.sqrt(inside) + rng.normal(0.0, 16.0, _SHAPE)
    found: npt.NDArray[np.uint16] = np.clip(np.rint(image), 1, 4094).astype(np.uint16)
    return found


def _eight() -> npt.NDArray[np.uint8]:
    return (_image() >> 4).astype(np.uint8)


def _compressed(syntax: uid.UID) -> bytes:
    image = _image()
    if syntax == uid.RLELossless:
        return bytes(
            RLELosslessEncoder.encode(
                image,
                rows=image.shape[0],
                columns=image.shape[1],
                samples_per_pixel=1,
                number_of_frames=1,
                bits_allocated=16,
                bits_stored=16,
                pixel_representation=0,
                photometric_interpretation="MONOCHROME2",
                encoding_plugin="pydicom",
            )
        )
    makers: dict[str, Callable[[], Any]] = {
        uid.JPEGBaseline8Bit: lambda: imagecodecs.jpeg8_encode(_eight(), 95),
        uid.JPEGExtended12Bit: lambda: imagecodecs.jpeg8_encode(image, 98, bitspersample=12),
        uid.JPEGLossless: lambda: imagecodecs.jpeg8_encode(
            image, lossless=True, predictor=6, bitspersample=12
        ),
        uid.JPEGLosslessSV1: lambda: imagecodecs.jpeg8_encode(
            image, lossless=True, predictor=1, bitspersample=12
        ),
        uid.JPEGLSLossless: lambda: imagecodecs.jpegls_encode(image, 0),
        uid.JPEGLSNearLossless: lambda: imagecodecs.jpegls_encode(image, 2),
        uid.JPEG2000Lossless: lambda: imagecodecs.jpeg2k_encode(
            image, codecformat="j2k", reversible=True, bitspersample=12
        ),
        uid.JPEG2000: lambda: imagecodecs.jpeg2k_encode(
            image, 60, codecformat="j2k", reversible=False, bitspersample=12
        ),
        uid.HTJ2KLossless: lambda: imagecodecs.htj2k_encode(image, reversible=True),
        uid.HTJ2KLosslessRPCL: lambda: imagecodecs.htj2k_encode(image, reversible=True),
        uid.HTJ2K: lambda: imagecodecs.htj2k_encode(image, 0.0001, reversible=False),
    }
    return bytes(makers[syntax]())


def _dataset(image: npt.NDArray[Any]) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID = uid.DigitalMammographyXRayImageStorageForPresentation
    ds.SOPInstanceUID, ds.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.2"
    ds.Modality, ds.PresentationIntentType = "MG", "FOR PRESENTATION"
    ds.ImageLaterality, ds.ViewPosition, ds.BodyPartExamined = "L", "CC", "BREAST"
    ds.ImagerPixelSpacing = [SPACING_MM, SPACING_MM]
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = image.shape
    ds.BitsAllocated = 8 * image.dtype.itemsize
    ds.BitsStored = 12 if image.dtype.itemsize == 2 else 8
    ds.HighBit, ds.PixelRepresentation = ds.BitsStored - 1, 0
    ds.WindowCenter, ds.WindowWidth = 1500, 2800
    return ds


def _dicom(syntax: uid.UID, changes: dict[str, Any] | None = None) -> bytes:
    image: npt.NDArray[Any] = _eight() if syntax == uid.JPEGBaseline8Bit else _image()
    ds = _dataset(image)
    for keyword, value in (changes or {}).items():
        if value is None and keyword in ds:
            delattr(ds, keyword)
        elif value is not None and keyword == "PixelPaddingValue":  # signed or not by what may be missing
            ds.add_new(keyword, "US", value)
        elif value is not None:
            setattr(ds, keyword, value)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = uid.DigitalMammographyXRayImageStorageForPresentation
    ds.file_meta.MediaStorageSOPInstanceUID = uid.UID("1.2.826.0.1.3680043.8.498.1")
    ds.file_meta.TransferSyntaxUID = syntax
    if syntax.is_encapsulated:
        ds.PixelData = encapsulate([_compressed(syntax)])
        ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    else:
        big = syntax == uid.ExplicitVRBigEndian
        ds.PixelData = (image.byteswap() if big else image).tobytes()
        ds["PixelData"].VR = "OW"
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _tiff(**options: Any) -> bytes:
    buffer = io.BytesIO()
    image = _eight() if options.get("compression") == "jpeg" else _image()
    tifffile.imwrite(buffer, image, **options)
    return buffer.getvalue()


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("PAT/IM1"), _dicom(uid.ExplicitVRLittleEndian))
    return buffer.getvalue()


def _pgm(plain: bool) -> bytes:
    head = f"P{2 if plain else 5}\n{_SHAPE[1]} {_SHAPE[0]}\n4095\n".encode()
    return head + (
        " ".join(map(str, _image().ravel())).encode() if plain else _image().astype(">u2").tobytes()
    )


_PICTURES: dict[str, Callable[[], Any]] = {
    "PNG 16 bit": lambda: imagecodecs.png_encode(_image()),
    "PNG 8 bit": lambda: imagecodecs.png_encode(_eight()),
    "TIFF": _tiff,
    "TIFF LZW": lambda: _tiff(compression="lzw", rowsperstrip=16),
    "TIFF deflate": lambda: _tiff(compression="zlib", predictor=True),
    "TIFF PackBits": lambda: _tiff(compression="packbits"),
    "TIFF JPEG": lambda: _tiff(compression="jpeg"),
    "TIFF tiles": lambda: _tiff(compression="zlib", tile=(32, 32)),
    "PGM": lambda: _pgm(False),
    "PGM plain": lambda: _pgm(True),
    "BMP": lambda: imagecodecs.bmp_encode(_eight()),
    "JPEG picture": lambda: _compressed(uid.JPEGBaseline8Bit),
    "JPEG lossless picture": lambda: _compressed(uid.JPEGLosslessSV1),
    "JPEG-LS picture": lambda: _compressed(uid.JPEGLSLossless),
    "JPEG 2000 codestream": lambda: _compressed(uid.JPEG2000Lossless),
    "JPEG 2000 file": lambda: imagecodecs.jpeg2k_encode(_image(), codecformat="jp2", reversible=True),
    "HTJ2K codestream": lambda: _compressed(uid.HTJ2KLossless),
    "gzip": lambda: gzip.compress(_dicom(uid.ExplicitVRLittleEndian), mtime=0),
    "zip": _zip,
}

KINDS: tuple[str, ...] = (*_SYNTAXES, *_PICTURES)
"""Names of all kinds of input."""


@cache
def whole(kind: str) -> bytes:
    """Return the undamaged input of a kind."""
    if kind in _SYNTAXES:
        return _dicom(_SYNTAXES[kind])
    return bytes(_PICTURES[kind]())


def damaged(kind: str, number: int) -> bytes:
    """Return input `number` of a kind: always the same bytes for the same number.

    One in five DICOM inputs has a header of odd values, written as it should be; all others are whole inputs
    to whose bytes one to three of a dozen kinds of damage are done.
    """
    rng = np.random.default_rng([KINDS.index(kind), number])
    if kind in _SYNTAXES and rng.random() < 0.2:
        return _odd_header(kind, rng)
    data = bytearray(whole(kind))
    for _ in range(int(rng.integers(1, 4))):
        data = bytearray(_DAMAGE[int(rng.integers(len(_DAMAGE)))](data, rng))
    return bytes(data)


_ODD: dict[str, tuple[Any, ...]] = {
    "Rows": (0, 1, 95, 97, 48, 65535, None),
    "Columns": (0, 1, 79, 81, 160, 65535, None),
    "BitsAllocated": (0, 1, 8, 12, 32, 64, 65535, None),
    "BitsStored": (0, 1, 8, 10, 16, 17, 65535, None),
    "HighBit": (0, 7, 15, 16, 65535, None),
    "PixelRepresentation": (1, 2, None),
    "SamplesPerPixel": (0, 2, 3, 4, 65535, None),
    "PlanarConfiguration": (0, 1, 7),
    "NumberOfFrames": ("0", "2", "-1", "2147483647"),
    "PhotometricInterpretation": ("MONOCHROME1", "RGB", "PALETTE COLOR", "YBR_FULL_422", "", None),
    "ImagerPixelSpacing": ([0.0, 0.0], [-1.0, 0.1], [1e-9, 1e9], [0.1, 0.2], None),
    "PixelPaddingValue": (0, 120, 4095, 65535),
    "WindowWidth": (0, -5, 1e30),
    "RescaleSlope": (0, -1, 1e30),
    "RescaleIntercept": (-1e30, 5000),
    "PixelIntensityRelationship": ("LIN", "LOG", "X"),
    "PresentationIntentType": ("FOR PROCESSING", "", None),
    "Modality": ("CT", "SR", "", None),
    "ViewPosition": ("MLO", "RIGHT MLO", "\\\\", None),
    "ImageLaterality": ("R", "B", "left", None),
    "PresentationLUTShape": ("INVERSE", "IDENTITY", "?"),
    "ImageType": (["DERIVED", "PRIMARY"], ["ORIGINAL", "PRIMARY", "TOMO", "GENERATED_2D"], ""),
    "LossyImageCompression": ("01", "xx"),
    "SOPClassUID": ("1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.1.3.10", "1.2.3", None),
}


def _odd_header(kind: str, rng: np.random.Generator) -> bytes:
    names = rng.choice(list(_ODD), size=int(rng.integers(1, 5)), replace=False)
    changes = {str(name): _ODD[str(name)][int(rng.integers(len(_ODD[str(name)])))] for name in names}
    with warnings.catch_warnings(), pydicom_config.disable_value_validation():
        warnings.simplefilter("ignore")
        return _dicom(_SYNTAXES[kind], changes)


_Damage = Callable[[bytearray, np.random.Generator], bytes | bytearray]


def _place(data: bytearray, rng: np.random.Generator) -> int:
    """Return a place, half of the time in the first kilobyte and a half, where headers are."""
    end = len(data) if rng.random() < 0.5 else min(len(data), 1500)
    return int(rng.integers(max(end, 1)))


def _flip(data: bytearray, rng: np.random.Generator) -> bytearray:
    for _ in range(int(rng.integers(1, 9))):
        if data:
            data[_place(data, rng)] ^= 1 << int(rng.integers(8))
    return data


def _write(data: bytearray, rng: np.random.Generator) -> bytearray:
    at = _place(data, rng)
    data[at : at + int(rng.integers(1, 17))] = rng.bytes(int(rng.integers(1, 17)))
    return data


def _cut(data: bytearray, rng: np.random.Generator) -> bytearray:
    return data[: _place(data, rng)]


def _cut_and_ended(data: bytearray, rng: np.random.Generator) -> bytearray:
    return data[: int(rng.integers(len(data) + 1))] + b"\xff\xd9"


def _drop(data: bytearray, rng: np.random.Generator) -> bytearray:
    at = _place(data, rng)
    del data[at : at + int(rng.integers(1, 400))]
    return data


def _insert(data: bytearray, rng: np.random.Generator) -> bytearray:
    at = _place(data, rng)
    data[at:at] = rng.bytes(int(rng.integers(1, 400)))
    return data


def _repeat(data: bytearray, rng: np.random.Generator) -> bytearray:
    at = _place(data, rng)
    data[at:at] = data[at : at + int(rng.integers(1, 400))]
    return data


def _blank(data: bytearray, rng: np.random.Generator) -> bytearray:
    at, size = _place(data, rng), int(rng.integers(1, 400))
    data[at : at + size] = bytes([int(rng.choice([0, 255]))]) * len(data[at : at + size])
    return data


def _number(data: bytearray, rng: np.random.Generator) -> bytearray:
    at, size = _place(data, rng), int(rng.choice([2, 4]))
    value = int(rng.choice([0, 1, 2, 255, 256, 32767, 32768, 65535, 1 << 20, 2**31 - 1, 2**31, 2**32 - 1]))
    order = "little" if rng.random() < 0.5 else "big"
    data[at : at + size] = (value % (1 << (8 * size))).to_bytes(size, order)  # type: ignore[arg-type]
    return data


def _swap(data: bytearray, rng: np.random.Generator) -> bytearray:
    one, two = sorted((_place(data, rng), _place(data, rng)))
    size = int(rng.integers(1, 200))
    first, second = bytes(data[one : one + size]), bytes(data[two : two + size])
    data[two : two + size] = first
    data[one : one + size] = second
    return data


def _splice(data: bytearray, rng: np.random.Generator) -> bytes:
    other = whole(KINDS[int(rng.integers(len(KINDS)))])
    return bytes(data[: int(rng.integers(len(data) + 1))]) + other[int(rng.integers(len(other))) :]


def _append(data: bytearray, rng: np.random.Generator) -> bytes:
    return bytes(data) + rng.bytes(int(rng.integers(1, 3000)))


_DAMAGE: tuple[_Damage, ...] = (
    _flip,
    _flip,
    _write,
    _cut,
    _cut_and_ended,
    _drop,
    _insert,
    _repeat,
    _blank,
    _number,
    _number,
    _swap,
    _splice,
    _append,
)
