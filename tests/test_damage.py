"""Cut pictures and headers that claim too much: refused, though decoders fill up what is missing."""

from __future__ import annotations

import contextlib
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from dicom_factory import SHARED, breast_image, encode, write_dicom
from PIL import Image
from pydicom import uid

from mcdetect.config import Config
from mcdetect.errors import (
    ConfigError,
    InputFileError,
    NotEligibleError,
    UnreadableFileError,
    UnusableImageError,
)
from mcdetect.readers.codestream import parse_codestream
from mcdetect.readers.read import read_mammogram
from mcdetect.readers.whole import check_jpeg

IMAGE = breast_image(200, 160)
EIGHT = (IMAGE >> 4).astype(np.uint8)
DAMAGED = SHARED / "cases" / "damaged"
PICTURES = SHARED / "cases" / "pictures"

SYNTAXES = [
    uid.JPEGBaseline8Bit,
    uid.JPEGExtended12Bit,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEGLSNearLossless,
    uid.JPEG2000Lossless,
    uid.JPEG2000,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
    uid.HTJ2K,
]

LOSSLESS = [syntax for syntax in SYNTAXES if "Lossless" in syntax.keyword and "Near" not in syntax.keyword]


def stream(syntax: uid.UID) -> tuple[np.ndarray[Any, Any], bytes]:
    image = EIGHT if syntax == uid.JPEGBaseline8Bit else IMAGE
    return image, encode(image, syntax)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.9, 0.99])
def test_a_cut_stream_with_its_end_marker_is_refused(tmp_path: Path, syntax: uid.UID, share: float) -> None:
    image, data = stream(syntax)
    cut = data[: int(share * len(data))] + b"\xff\xd9"
    path = write_dicom(tmp_path / "a.dcm", image, syntax, [cut])
    with pytest.raises(UnreadableFileError, match=r"cannot be decoded"):
        read_mammogram(path)
    (tmp_path / "a.jpg").write_bytes(cut)  # the same as a picture
    with pytest.raises(UnreadableFileError, match="truncated or damaged"):
        read_mammogram(tmp_path / "a.jpg", pixel_spacing_mm=0.07)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("padding", [b"", b"\0", b"\0" * 7])
def test_whole_streams_are_read(tmp_path: Path, syntax: uid.UID, padding: bytes) -> None:
    image, data = stream(syntax)
    path = write_dicom(tmp_path / "a.dcm", image, syntax, [data + padding])
    pixels = read_mammogram(path).pixels
    assert np.abs(pixels - image).max() <= (0 if syntax in LOSSLESS else 200)


@pytest.mark.parametrize("size", [(200, 160), (193, 167), (64, 64)])
@pytest.mark.parametrize("interval", [0, 5, 20])
def test_restart_markers_are_counted(size: tuple[int, int], interval: int) -> None:
    buffer = BytesIO()
    rows, cols = size
    image = Image.fromarray(EIGHT[:rows, :cols])
    image.save(buffer, "JPEG", quality=90, **({"restart_marker_blocks": interval} if interval else {}))
    data = buffer.getvalue()
    declared = parse_codestream(data)
    assert declared is not None
    check_jpeg(data, declared, imagecodecs.jpeg8_decode(data), imagecodecs.jpeg8_decode)
    ends = [
        k for k in range(len(data) // 2, len(data) - 2) if data[k] == 0xFF and 0xD0 <= data[k + 1] <= 0xD7
    ]
    for end in [*ends[:3], 2 * len(data) // 3]:
        cut = data[:end] + b"\xff\xd9"
        with pytest.raises(EOFError):
            check_jpeg(cut, declared, imagecodecs.jpeg8_decode(cut), imagecodecs.jpeg8_decode)


ENCODERS = {
    "8 bit": lambda image: imagecodecs.jpeg8_encode((image >> 4).astype(np.uint8), level=90),
    "12 bit": lambda image: imagecodecs.jpeg8_encode(image, level=95, bitspersample=12),
    "lossless": lambda image: imagecodecs.jpeg8_encode(image, lossless=True, bitspersample=16, predictor=4),
}


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_cut_behind_an_escaped_byte_is_noticed(encoder: str) -> None:
    rng = np.random.default_rng(5)
    image = np.clip(rng.normal(1800.0, 60.0, (203, 171)), 0, 4095).astype(np.uint16)
    data = bytes(ENCODERS[encoder](image))
    stream = parse_codestream(data)
    assert stream is not None
    start = data.rfind(b"\xff\xda") + 16
    escaped = [k + 1 for k in range(start, len(data) - 100) if data[k : k + 2] == b"\xff\0"]
    assert escaped
    for end in escaped[:: max(1, len(escaped) // 10)]:
        cut = data[:end] + b"\xff\xd9"
        with pytest.raises(EOFError):
            check_jpeg(cut, stream, imagecodecs.jpeg8_decode(cut), imagecodecs.jpeg8_decode)


COMPRESSIONS: list[tuple[str | None, dict[str, Any]]] = [
    (None, {}),
    ("lzw", {}),
    ("zlib", {"predictor": True}),
    ("packbits", {}),
    ("lzma", {}),
    ("zstd", {}),
    ("jpeg", {}),
    ("lzw", {"rowsperstrip": 16}),
    (None, {"rowsperstrip": 7}),
    ("zlib", {"tile": (64, 64)}),
    ("jpeg", {"tile": (64, 64)}),
    (None, {"tile": (64, 64)}),
]


@pytest.mark.parametrize(("compression", "options"), COMPRESSIONS)
def test_whole_tiff_pictures_are_read_and_cut_ones_refused(
    tmp_path: Path, compression: str | None, options: dict[str, Any]
) -> None:
    image = EIGHT if compression == "jpeg" else IMAGE
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, compression=compression, **options)
    pixels = read_mammogram(path, pixel_spacing_mm=0.07).pixels
    assert np.abs(pixels - image).max() <= (30 if compression == "jpeg" else 0)
    data = path.read_bytes()
    for share in (0.6, 0.95):
        (tmp_path / "cut.tif").write_bytes(data[: int(share * len(data))])
        with pytest.raises(UnreadableFileError):
            read_mammogram(tmp_path / "cut.tif", pixel_spacing_mm=0.07)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("options", [{}, {"tile": (64, 48)}, {"compression": "lzw"}, {"compression": "jpeg"}])
def test_whole_tiff_pictures_of_equal_colours_are_read(
    tmp_path: Path, planar: str, options: dict[str, Any]
) -> None:
    colours = np.stack([EIGHT] * 3, axis=-1 if planar == "contig" else 0)
    tifffile.imwrite(tmp_path / "a.tif", colours, photometric="rgb", planarconfig=planar, **options)
    if planar == "separate":  # three planes are not three colours of one pixel
        with pytest.raises(UnusableImageError, match="not a plain grey-scale image"):
            read_mammogram(tmp_path / "a.tif", pixel_spacing_mm=0.07)
        return
    pixels = read_mammogram(tmp_path / "a.tif", pixel_spacing_mm=0.07).pixels
    assert np.abs(pixels - EIGHT).max() <= (8 if "jpeg" in options.values() else 0)


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "packbits", "zstd", "jpeg"])
@pytest.mark.parametrize("rows", [400, 202_463])
def test_a_tiff_header_that_claims_more_rows_is_refused(
    tmp_path: Path, compression: str | None, rows: int, capfd: pytest.CaptureFixture[str]
) -> None:
    image = EIGHT if compression == "jpeg" else IMAGE
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, compression=compression)
    with tifffile.TiffFile(path, mode="r+b") as file:
        page = file.pages[0].aspage()
        page.tags["ImageLength"].overwrite(rows)
    for strip in (None, rows):
        if strip:
            with tifffile.TiffFile(path, mode="r+b") as file:
                file.pages[0].aspage().tags["RowsPerStrip"].overwrite(rows)
        with pytest.raises(InputFileError):
            read_mammogram(path, pixel_spacing_mm=0.07)
    assert capfd.readouterr().err == ""


def test_a_tiff_directory_that_leads_back_to_itself_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, IMAGE)
    data = bytearray(path.read_bytes())
    first = int.from_bytes(data[4:8], "little")
    entries = int.from_bytes(data[first : first + 2], "little")
    data[first + 2 + 12 * entries : first + 6 + 12 * entries] = first.to_bytes(4, "little")
    path.write_bytes(data)
    with contextlib.suppress(InputFileError):  # it ends, whatever it says
        read_mammogram(path, pixel_spacing_mm=0.07)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("reduced", [True, False])
def test_a_thumbnail_is_not_the_picture(tmp_path: Path, first: bool, reduced: bool) -> None:
    small = IMAGE[::4, ::4]
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for image in (small, IMAGE) if first else (IMAGE, small):
            file.write(image, subfiletype=int(reduced and image is small))
    found = read_mammogram(tmp_path / "a.tif", pixel_spacing_mm=0.07)
    np.testing.assert_array_equal(found.pixels, IMAGE)
    assert "thumbnail beside the picture: not read" in found.flags
    with tifffile.TiffWriter(tmp_path / "b.tif") as file:
        for image in (IMAGE, IMAGE[::-1], small):
            file.write(image)
    with pytest.raises(NotEligibleError, match="it holds 2 pictures"):
        read_mammogram(tmp_path / "b.tif", pixel_spacing_mm=0.07)


def test_colours_of_print_are_called_so(tmp_path: Path) -> None:
    colours = np.dstack([EIGHT, EIGHT, EIGHT, 255 - EIGHT])
    Image.fromarray(colours, "CMYK").save(tmp_path / "a.jpg")
    tifffile.imwrite(tmp_path / "b.tif", colours, photometric="separated")
    for name in ("a.jpg", "b.tif"):
        with pytest.raises(UnusableImageError, match=r"colours of print \(CMYK\)"):
            read_mammogram(tmp_path / name, pixel_spacing_mm=0.07)


@pytest.mark.parametrize("where", [70, 0.5, -40])
@pytest.mark.parametrize("bad", [b"\x7f", b"\x00\x81" * 20, b"\x80" * 60])
def test_damaged_rle_data_have_a_message(tmp_path: Path, where: float, bad: bytes) -> None:
    data = bytearray(encode(IMAGE, uid.RLELossless))
    at = int(where * len(data)) if isinstance(where, float) else where % len(data)
    data[at : at + len(bad)] = bad
    path = write_dicom(tmp_path / "a.dcm", IMAGE, uid.RLELossless, [bytes(data[: at + len(bad)])])
    with pytest.raises(UnreadableFileError, match=r"cannot be decoded: .*RLE") as caught:
        read_mammogram(path)
    assert "ImcdError" not in str(caught.value)
    assert "imagecodecs" not in str(caught.value)


@pytest.mark.parametrize("label", ["1.2.3.4.5.6", "1.2.840.10008.5.1.4.1.1.2", "1.3.46.670589.33.1.4.1"])
def test_a_transfer_syntax_nobody_knows_is_named(tmp_path: Path, label: str) -> None:
    path = write_dicom(tmp_path / "a.dcm", IMAGE, uid.JPEGLSLossless, [b"\x01\x02\x03\x04" * 100])
    path.write_bytes(_relabelled(path.read_bytes(), uid.JPEGLSLossless, label))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(UnreadableFileError, match=rf"its transfer syntax {label} is known to nobody"):
            read_mammogram(path)


def _relabelled(data: bytes, old: str, new: str) -> bytes:
    """Replace the transfer syntax, keeping the lengths right."""
    start = data.index(old.encode())
    size = int.from_bytes(data[start - 2 : start], "little")
    text = new.encode() + b"\0" * (len(new) % 2)
    group = int.from_bytes(data[140:144], "little") + len(text) - size
    return (
        data[:140]
        + group.to_bytes(4, "little")
        + data[144 : start - 2]
        + len(text).to_bytes(2, "little")
        + text
        + data[start + size :]
    )


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a = " + "{b=" * 3000, "[" + "a." * 3000 + "b]"])
def test_nested_configuration_is_one_clear_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "deep.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        Config.from_toml(tmp_path / "deep.toml")
    assert str(caught.value).startswith("deep.toml: ")
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "name",
    [
        "jtrunc_HTJ2KLossless_0.5_2.dcm",
        "jtrunc_JPEGLosslessSV1_0.5_2.dcm",
        "tiffjpeg_cut.tif",
        "raster_hang_2171.tif",
    ],
)
def test_the_files_that_passed_for_whole(name: str) -> None:
    if not (DAMAGED / name).is_file():
        pytest.skip("the small inputs that went wrong (shared/data/cases) are not here")
    with pytest.raises(UnreadableFileError):
        read_mammogram(DAMAGED / name, pixel_spacing_mm=0.1)


def test_the_pictures_that_went_wrong() -> None:
    if not PICTURES.is_dir():
        pytest.skip("the small inputs that went wrong (shared/data/cases) are not here")
    assert (
        "thumbnail beside the picture: not read"
        in read_mammogram(PICTURES / "E14_with_thumbnail_page.tif", pixel_spacing_mm=0.14).flags
    )
    with pytest.raises(UnusableImageError, match="CMYK"):
        read_mammogram(PICTURES / "E17_cmyk.jpg", pixel_spacing_mm=0.14)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("cols", [160, 157, 158])
def test_bmp_pictures_are_read_as_another_reader_reads_them(tmp_path: Path, mode: str, cols: int) -> None:
    Image.fromarray(EIGHT[:, :cols]).convert(mode).save(tmp_path / "a.bmp")
    pixels = read_mammogram(tmp_path / "a.bmp", pixel_spacing_mm=0.07).pixels
    np.testing.assert_array_equal(pixels, EIGHT[:, :cols])


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (10, b"\xff\xff\xff\x7f"),  # where the pixels begin
        (14, b"\x0c\x00\x00\x00"),  # an older header
        (18, b"\xff\xff\x00\x00"),  # columns
        (22, b"\xff\xff\x00\x00"),  # rows
        (22, b"\x00\x00\x00\x80"),
        (28, b"\x04\x00"),  # bits
        (30, b"\x01\x00\x00\x00"),  # compressed
        (10, b"\x00\x00\x00\x00"),
    ],
)
def test_bmp_headers_that_claim_what_is_not_there_are_refused(
    tmp_path: Path, place: int, value: bytes
) -> None:
    Image.fromarray(EIGHT).save(tmp_path / "a.bmp")
    data = bytearray((tmp_path / "a.bmp").read_bytes())
    data[place : place + len(value)] = value
    (tmp_path / "a.bmp").write_bytes(data)
    with pytest.raises(InputFileError):
        read_mammogram(tmp_path / "a.bmp", pixel_spacing_mm=0.07)


def test_htj2k_streams_of_more_bit_planes_than_decoders_hold_are_refused() -> None:
    for syntax in (uid.HTJ2K, uid.HTJ2KLossless):
        data = encode(IMAGE, syntax)
        assert parse_codestream(data) is not None
        place = data.index(b"\xff\x5c") + 5
        assert parse_codestream(data[:place] + b"\xff\xff" + data[place + 2 :]) is None
