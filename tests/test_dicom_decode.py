"""Decoding: every transfer syntax against the pixels that were encoded, and broken pixel data."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from dicom_factory import SHARED, breast_image, encode, make_dataset, save, write_dicom
from hypothesis import given
from hypothesis import strategies as st
from pydicom import uid

from mcdetect.errors import InputFileError, UnreadableFileError, UnusableImageError
from mcdetect.readers.codestream import parse_codestream
from mcdetect.readers.read import read_mammogram

IMAGE = breast_image()
LOSSLESS = [
    uid.RLELossless,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEG2000Lossless,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
]
LOSSY = [uid.JPEGExtended12Bit, uid.JPEGLSNearLossless, uid.JPEG2000, uid.HTJ2K]
PLAIN = [
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
]


@pytest.mark.parametrize("syntax", PLAIN, ids=lambda s: s.keyword)
def test_plain_syntaxes_are_exact_and_native(tmp_path: Path, syntax: uid.UID) -> None:
    image = read_mammogram(write_dicom(tmp_path / "a.dcm", IMAGE, syntax))
    assert image.pixels.dtype == np.float32
    assert image.pixels.dtype.isnative
    assert image.pixels.flags.c_contiguous
    np.testing.assert_array_equal(image.pixels, IMAGE)
    assert image.details["transfer syntax"] == syntax.name
    assert "lossy compression" not in image.flags


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda s: s.keyword)
def test_lossless_syntaxes_are_bit_exact(tmp_path: Path, syntax: uid.UID) -> None:
    path = write_dicom(tmp_path / "a.dcm", IMAGE, syntax, [encode(IMAGE, syntax)])
    image = read_mammogram(path)
    np.testing.assert_array_equal(image.pixels, IMAGE)
    assert "lossy compression" not in image.flags


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda s: s.keyword)
@pytest.mark.parametrize("shape", [(61, 53), (64, 64)])
def test_full_range_16_bit_is_bit_exact(tmp_path: Path, syntax: uid.UID, shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 65536, shape).astype(np.uint16)
    path = write_dicom(
        tmp_path / "a.dcm",
        noise,
        syntax,
        [encode(noise, syntax, 16)],
        BitsStored=16,
        ImagerPixelSpacing=[0.1, 0.1],
    )
    np.testing.assert_array_equal(read_mammogram(path).pixels, noise)


@pytest.mark.parametrize("syntax", LOSSY, ids=lambda s: s.keyword)
def test_lossy_syntaxes_are_close_and_flagged(tmp_path: Path, syntax: uid.UID) -> None:
    image = read_mammogram(write_dicom(tmp_path / "a.dcm", IMAGE, syntax, [encode(IMAGE, syntax)]))
    error = np.abs(image.pixels - IMAGE)
    assert error.max() < 120  # of 4095
    assert "lossy compression" in image.flags


def test_baseline_jpeg_of_8_bits(tmp_path: Path) -> None:
    small = (IMAGE >> 4).astype(np.uint8)
    path = write_dicom(tmp_path / "a.dcm", small, uid.JPEGBaseline8Bit, [encode(small, uid.JPEGBaseline8Bit)])
    image = read_mammogram(path)
    assert np.abs(image.pixels - small).max() < 12
    assert {"lossy compression", "8-bit grey scale"} <= set(image.flags)


@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEGLosslessSV1, uid.JPEGLSLossless])
def test_8_bit_lossless(tmp_path: Path, syntax: uid.UID) -> None:
    small = (IMAGE >> 4).astype(np.uint8)
    path = write_dicom(tmp_path / "a.dcm", small, syntax, [encode(small, syntax, 8)])
    np.testing.assert_array_equal(read_mammogram(path).pixels, small)


@pytest.mark.parametrize(
    "syntax", [uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.RLELossless, uid.JPEG2000Lossless]
)
def test_signed_pixels(tmp_path: Path, syntax: uid.UID) -> None:
    signed = (IMAGE.astype(np.int32) - 2048).astype(np.int16)
    frames = [encode(signed, syntax)] if syntax.is_encapsulated else None
    image = read_mammogram(write_dicom(tmp_path / "a.dcm", signed, syntax, frames))
    np.testing.assert_array_equal(image.pixels, signed)


def test_signed_jpeg_lossless_is_sign_extended(tmp_path: Path) -> None:
    signed = (IMAGE.astype(np.int32) - 2048).astype(np.int16)
    as_12_bits = (signed.astype(np.int32) & 0xFFF).astype(np.uint16)
    for syntax in (uid.JPEGLosslessSV1, uid.JPEGLSLossless):
        path = write_dicom(tmp_path / "a.dcm", signed, syntax, [encode(as_12_bits, syntax)])
        np.testing.assert_array_equal(read_mammogram(path).pixels, signed)


def test_frame_in_many_fragments_and_a_wrong_offset_table(tmp_path: Path) -> None:
    data = encode(IMAGE, uid.JPEGLSLossless)
    parts = [data[start : start + 1000] for start in range(0, len(data), 1000)]
    table = struct.pack("<HHII", 0xFFFE, 0xE000, 4, 123456)
    value = table + b"".join(
        struct.pack("<HHI", 0xFFFE, 0xE000, len(part) + len(part) % 2) + part + b"\x00" * (len(part) % 2)
        for part in parts
    )
    value += struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    ds = make_dataset(IMAGE)
    ds.PixelData = value
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    image = read_mammogram(save(ds, tmp_path / "a.dcm", uid.JPEGLSLossless))
    np.testing.assert_array_equal(image.pixels, IMAGE)


def test_label_that_does_not_match_the_stream(tmp_path: Path) -> None:
    for label in (uid.JPEG2000Lossless, uid.UID("1.2.3.4.5.6")):
        path = write_dicom(tmp_path / "a.dcm", IMAGE, label, [encode(IMAGE, uid.JPEGLSLossless)])
        image = read_mammogram(path)
        np.testing.assert_array_equal(image.pixels, IMAGE)
        unknown = "unknown transfer syntax: the pixel data tell how they are compressed"
        wrong = "transfer syntax does not match the pixel data"
        assert (wrong if label == uid.JPEG2000Lossless else unknown) in image.flags


def test_private_transfer_syntax_is_refused(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", IMAGE, uid.UID("1.2.3.4.5.6"), [b"\x01\x02\x03\x04" * 100])
    with pytest.raises(UnreadableFileError, match=r"syntax 1\.2\.3\.4\.5\.6 is known to nobody; convert"):
        read_mammogram(path)


def test_values_above_bits_stored_are_kept_and_flagged(tmp_path: Path) -> None:
    wide = (IMAGE.astype(np.uint32) * 8).astype(np.uint16)
    image = read_mammogram(write_dicom(tmp_path / "a.dcm", wide, BitsStored=12))
    np.testing.assert_array_equal(image.pixels, wide)
    assert "pixel values exceed Bits Stored" in image.flags


def test_overlay_in_high_bits_is_dropped(tmp_path: Path) -> None:
    ds = make_dataset(IMAGE)
    ds.add_new(0x60000102, "US", 12)
    ds.PixelData = (IMAGE | np.uint16(0x1000)).tobytes()
    np.testing.assert_array_equal(read_mammogram(save(ds, tmp_path / "a.dcm")).pixels, IMAGE)


def test_left_aligned_pixels_are_shifted(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", (IMAGE << 4).astype(np.uint16), HighBit=15)
    np.testing.assert_array_equal(read_mammogram(path).pixels, IMAGE)


def test_grey_stored_in_colour(tmp_path: Path) -> None:
    grey = (IMAGE >> 4).astype(np.uint8)
    colour = np.repeat(grey[..., None], 3, axis=2)
    tags = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}
    path = write_dicom(tmp_path / "a.dcm", colour, **tags, PlanarConfiguration=0)
    image = read_mammogram(path)
    np.testing.assert_array_equal(image.pixels, grey)
    assert "stored in colour" in image.flags
    planes = np.ascontiguousarray(colour.transpose(2, 0, 1))
    ds = make_dataset(colour, **tags, PlanarConfiguration=1)
    ds.PixelData = planes.tobytes()
    np.testing.assert_array_equal(read_mammogram(save(ds, tmp_path / "b.dcm")).pixels, grey)
    colour[40:60, 40:60, 0] = 200
    with pytest.raises(UnusableImageError, match="colour"):
        read_mammogram(write_dicom(tmp_path / "c.dcm", colour, **tags, PlanarConfiguration=0))


@pytest.mark.parametrize("syntax", [*LOSSLESS, *LOSSY], ids=lambda s: s.keyword)
@pytest.mark.parametrize("keep", [0.9, 0.5, 0.02])
def test_cut_stream_is_an_error(tmp_path: Path, syntax: uid.UID, keep: float) -> None:
    data = encode(IMAGE, syntax)
    path = write_dicom(tmp_path / "a.dcm", IMAGE, syntax, [data[: int(keep * len(data))]])
    with pytest.raises(UnreadableFileError, match=r"a\.dcm: .+; obtain the file again"):
        read_mammogram(path)


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.RLELossless, uid.JPEGLSLossless])
@pytest.mark.parametrize("keep", [0.95, 0.5])
def test_truncated_file_says_so(tmp_path: Path, syntax: uid.UID, keep: float) -> None:
    frames = [encode(IMAGE, syntax)] if syntax.is_encapsulated else None
    path = write_dicom(tmp_path / "a.dcm", IMAGE, syntax, frames)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(UnreadableFileError, match="truncated"):
        read_mammogram(path)


def test_missing_pixel_data_is_reported_as_truncation(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"\xe0\x7f\x10\x00")])
    with pytest.raises(UnreadableFileError, match="truncated"):
        read_mammogram(path)


def test_truncated_deflated_file(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", IMAGE, uid.DeflatedExplicitVRLittleEndian)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(UnreadableFileError, match="deflated data is truncated"):
        read_mammogram(path)


def test_deflate_bomb_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcdetect.readers.dicom.source._MAX_INFLATED", 10**6)
    path = write_dicom(tmp_path / "a.dcm", IMAGE, uid.DeflatedExplicitVRLittleEndian)
    data = path.read_bytes()
    start = 144 + struct.unpack_from("<I", data, 140)[0]
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = packer.compress(zlib.decompress(data[start:], -zlib.MAX_WBITS) + bytes(10**7)) + packer.flush()
    path.write_bytes(data[:start] + bomb)
    with pytest.raises(UnreadableFileError, match="unpacks to more than"):
        read_mammogram(path)


def test_allocation_bomb_is_refused_before_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: object, **kwargs: object) -> None:
        raise AssertionError("the stream was decoded")

    huge = bytes(imagecodecs.jpeg2k_encode(np.zeros((6000, 6000), np.uint8), codecformat="j2k"))
    monkeypatch.setattr(imagecodecs, "jpeg2k_decode", never)
    path = write_dicom(tmp_path / "a.dcm", IMAGE, uid.JPEG2000Lossless, [huge])
    with pytest.raises(UnreadableFileError, match="6000 x 6000 but the header says 160 x 128"):
        read_mammogram(path)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"Rows": 65535, "Columns": 65535}, "million accepted"),
        ({"Rows": 4096, "Columns": 4096}, "truncated"),
        ({"Rows": None}, "Rows is missing"),
        ({"BitsAllocated": None}, "Bits Allocated is missing"),
        ({"BitsStored": 99}, "not supported"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "grey-scale"),
        ({"NumberOfFrames": "2000000000"}, "frames"),
    ],
)
def test_impossible_headers(tmp_path: Path, attributes: dict[str, object], message: str) -> None:
    with pytest.raises(InputFileError, match=message):
        read_mammogram(write_dicom(tmp_path / "a.dcm", IMAGE, **attributes))


@pytest.mark.parametrize("keyword", ["BitsStored", "PhotometricInterpretation", "SamplesPerPixel", "HighBit"])
def test_attributes_that_can_be_done_without(tmp_path: Path, keyword: str) -> None:
    wide = (IMAGE * 16).astype(np.uint16)
    image = read_mammogram(write_dicom(tmp_path / "a.dcm", wide, **{"BitsStored": 16, keyword: None}))
    np.testing.assert_array_equal(image.pixels, wide)


@pytest.mark.parametrize("damage", ["count", "beyond", "backwards", "short"])
def test_hostile_rle_headers(tmp_path: Path, damage: str) -> None:
    data = encode(IMAGE, uid.RLELossless)
    bad = {
        "count": struct.pack("<I", 15) + data[4:],
        "beyond": data[:8] + struct.pack("<I", 2**31) + data[12:],
        "backwards": data[:4] + struct.pack("<II", 5000, 64) + data[12:],
        "short": data[:40],
    }[damage]
    with pytest.raises(UnreadableFileError, match="RLE"):
        read_mammogram(write_dicom(tmp_path / "a.dcm", IMAGE, uid.RLELossless, [bad]))


@given(st.binary(max_size=200))
def test_codestream_parser_survives_anything(data: bytes) -> None:
    for start in (b"", b"\xff\xd8", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  \r\n\x87\n"):
        found = parse_codestream(start + data)
        assert found is None or found.components >= 0


@pytest.mark.parametrize("syntax", [*LOSSLESS[1:], *LOSSY], ids=lambda s: s.keyword)
def test_codestream_declares_its_size(syntax: uid.UID) -> None:
    stream = parse_codestream(encode(IMAGE, syntax))
    assert stream is not None
    assert (stream.rows, stream.cols, stream.components) == (*IMAGE.shape, 1)
    assert stream.lossless is (syntax in LOSSLESS)
    assert stream.complete


@pytest.mark.parametrize(
    ("offset", "value"),
    [(39, 19), (27, 0), (31, 0), (35, 200)],
    ids=["tiles start below the image", "no tile width", "no tile height", "tiles start right of it"],
)
def test_illegal_tiles_never_reach_the_decoder(tmp_path: Path, offset: int, value: int) -> None:
    data = bytearray(encode(IMAGE, uid.HTJ2KLossless))
    data[offset] = value
    assert parse_codestream(bytes(data)) is None
    with pytest.raises(UnreadableFileError, match="cannot be decoded"):
        read_mammogram(write_dicom(tmp_path / "a.dcm", IMAGE, uid.HTJ2KLossless, [bytes(data)]))


def test_damage_inside_htj2k_is_not_swallowed(tmp_path: Path) -> None:
    # imagecodecs hands such an error to sys.unraisablehook only, and returns half an image.
    swallowed = 0
    for start in range(200, 6000, 400):
        data = bytearray(encode(IMAGE, uid.HTJ2KLossless))
        data[start : start + 300] = b"\xff" * 300
        path = write_dicom(tmp_path / "a.dcm", IMAGE, uid.HTJ2KLossless, [bytes(data)])
        try:
            read_mammogram(path)
        except UnreadableFileError as error:
            swallowed += "damaged HTJ2K stream" in error.cause
    assert swallowed > 0


def _reference(name: str) -> Path:
    found = pydicom.data.get_testdata_file(name, download=False)
    assert found is not None
    return Path(found)


@pytest.mark.parametrize(
    ("compressed", "plain"),
    [
        ("MR_small_RLE.dcm", "MR_small.dcm"),
        ("MR_small_jpeg_ls_lossless.dcm", "MR_small.dcm"),
        ("MR_small_jp2klossless.dcm", "MR_small.dcm"),
        ("MR_small_bigendian.dcm", "MR_small.dcm"),
        ("MR_small_implicit.dcm", "MR_small.dcm"),
    ],
)
def test_other_peoples_files_decode_alike(compressed: str, plain: str) -> None:
    options = {"pixel_spacing_mm": 0.3, "force": True}
    truth = pydicom.dcmread(_reference(plain)).pixel_array
    image = read_mammogram(_reference(compressed), **options)  # type: ignore[arg-type]
    reference = read_mammogram(_reference(plain), **options)  # type: ignore[arg-type]
    np.testing.assert_array_equal(reference.pixels, truth)
    np.testing.assert_array_equal(image.pixels, reference.pixels)


@pytest.mark.parametrize("name", ["MR_truncated.dcm", "rtplan_truncated.dcm", "badVR.dcm", "no_meta.dcm"])
def test_other_peoples_broken_files_are_reported(name: str) -> None:
    with pytest.raises(InputFileError, match="; "):
        read_mammogram(_reference(name), pixel_spacing_mm=0.1)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared test data is absent")
def test_extended_12_bit_and_jpeg_2000_of_one_film_agree() -> None:
    extended = read_mammogram(SHARED / "dicom" / "MG1_JPLY.dcm", pixel_spacing_mm=0.05)
    wavelet = read_mammogram(SHARED / "dicom" / "MG1_J2KI.dcm", pixel_spacing_mm=0.05)
    assert extended.shape == wavelet.shape == (4664, 3064)
    inner = (slice(500, -500), slice(200, 1500))
    assert np.corrcoef(extended.pixels[inner].ravel(), wavelet.pixels[inner].ravel())[0, 1] > 0.99
    assert "lossy compression" in extended.flags
    assert "lossy compression" in wavelet.flags
