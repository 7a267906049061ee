"""Phantom DICOM files are valid, decode to what was drawn, and are the same every time."""

from __future__ import annotations

import shutil
import subprocess

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames

from mcdetect.image.mammogram import Intent
from mcdetect.phantom import Encoding, draw_mammogram, write_dicom

DECODERS = {
    Encoding.JPEG_LOSSLESS: imagecodecs.jpeg_decode,
    Encoding.JPEG_LS: imagecodecs.jpegls_decode,
    Encoding.JPEG_2000: imagecodecs.jpeg2k_decode,
}
INTENTS = [Intent.FOR_PRESENTATION, Intent.FOR_PROCESSING, Intent.FILM]


def stored_pixels(path):
    """Decode without the package's own loader."""
    ds = pydicom.dcmread(path)
    decode = DECODERS.get(Encoding(ds.file_meta.TransferSyntaxUID))
    if decode is None:
        return ds.pixel_array
    (frame,) = generate_frames(ds.PixelData, number_of_frames=1)
    return decode(frame)


@pytest.fixture(scope="module", params=INTENTS, ids=lambda intent: intent.name)
def phantom(request):
    return draw_mammogram((300, 240), (0.5, 0.4), seed=9, view="MLO", laterality="R", intent=request.param)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("encoding", list(Encoding), ids=lambda encoding: encoding.name)
def test_round_trip(phantom, encoding, photometric, tmp_path):
    path = tmp_path / "phantom.dcm"
    stored = write_dicom(phantom, path, encoding=encoding, photometric=photometric)
    ds = pydicom.dcmread(path)
    assert ds.file_meta.TransferSyntaxUID == encoding.value
    assert ds.PhotometricInterpretation == photometric
    decoded = stored_pixels(path)
    np.testing.assert_array_equal(decoded, stored)
    assert decoded.max() < 2**ds.BitsStored
    # Dense is bright with MONOCHROME2 and dark with MONOCHROME1, whatever was drawn.
    dense_is_bright = np.median(decoded[phantom.pectoral]) > np.median(decoded[~phantom.breast])
    assert dense_is_bright == (photometric == "MONOCHROME2")
    drawn = phantom.pixels.astype(int)
    same = photometric == ("MONOCHROME1" if phantom.intent is Intent.FOR_PROCESSING else "MONOCHROME2")
    np.testing.assert_array_equal(decoded, drawn if same else 2**ds.BitsStored - 1 - drawn)


def test_jpeg_streams_say_what_the_header_says(phantom, tmp_path):
    for encoding, marker in ((Encoding.JPEG_LOSSLESS, b"\xff\xc3"), (Encoding.JPEG_LS, b"\xff\xf7")):
        path = tmp_path / f"{encoding.name}.dcm"
        write_dicom(phantom, path, encoding=encoding)
        ds = pydicom.dcmread(path)
        (frame,) = generate_frames(ds.PixelData, number_of_frames=1)
        at = frame.find(marker)
        assert frame[at + 4] == ds.BitsStored
        if encoding is Encoding.JPEG_LOSSLESS:
            scan = frame.find(b"\xff\xda")
            assert frame[scan + 7] == 1  # selection value 1
        else:
            assert at == 2  # no SPIFF header


def test_header(phantom, tmp_path):
    path = tmp_path / "phantom.dcm"
    write_dicom(phantom, path, photometric="MONOCHROME1", padding_value=0)
    ds = pydicom.dcmread(path)
    assert ds.Modality == "MG"
    assert "PHANTOM" in str(ds.PatientName)
    assert ds.PatientBirthDate == ds.StudyDate == ""
    assert (ds.Rows, ds.Columns) == (300, 240)
    assert ds.PatientOrientation == ["P", "F"]
    assert ds.PixelPaddingValue == 0
    if phantom.intent is Intent.FILM:
        assert ds.NominalScannedPixelSpacing == [0.5, 0.4]
        assert "ImagerPixelSpacing" not in ds
        assert ds.Laterality == "R"
        return
    assert ds.ImagerPixelSpacing == [0.5, 0.4]
    assert ds.PresentationIntentType == phantom.intent.value
    assert ds.ImageLaterality == "R"
    assert ds.ViewCodeSequence[0].CodeValue == "399368009"
    assert ds.PixelIntensityRelationship == ("LIN" if phantom.intent is Intent.FOR_PROCESSING else "LOG")
    assert ds.PixelIntensityRelationshipSign == 1
    assert ("WindowCenter" in ds) == (phantom.intent is Intent.FOR_PRESENTATION)
    assert all(uid.startswith("2.25.") for uid in (ds.SOPInstanceUID, ds.StudyInstanceUID))


def test_same_phantom_same_bytes(phantom, tmp_path):
    first, second = tmp_path / "a.dcm", tmp_path / "b.dcm"
    for path in (first, second):
        write_dicom(phantom, path, encoding=Encoding.RLE)
    assert first.read_bytes() == second.read_bytes()
    other = tmp_path / "c.dcm"
    write_dicom(phantom, other, photometric="MONOCHROME1")
    uids = {pydicom.dcmread(path).SOPInstanceUID for path in (first, other)}
    assert len(uids) == 2


def test_film_may_lack_its_spacing(phantom, tmp_path):
    path = tmp_path / "film.dcm"
    if phantom.intent is not Intent.FILM:
        with pytest.raises(ValueError, match="only a digitised film"):
            write_dicom(phantom, path, write_spacing=False)
        return
    write_dicom(phantom, path, write_spacing=False)
    ds = pydicom.dcmread(path)
    assert not [element for element in ds if "Spacing" in element.keyword]


def test_bad_photometric(phantom, tmp_path):
    with pytest.raises(ValueError, match="photometric"):
        write_dicom(phantom, tmp_path / "x.dcm", photometric="RGB")


@pytest.mark.skipif(
    shutil.which("dciodvfy") is None, reason="dciodvfy (Debian: dicom3tools) is not installed"
)
@pytest.mark.parametrize(
    "encoding", [e for e in Encoding if e is not Encoding.DEFLATED], ids=lambda e: e.name
)
def test_validator_finds_no_error(phantom, encoding, tmp_path):
    path = tmp_path / "phantom.dcm"
    write_dicom(phantom, path, encoding=encoding)
    run = subprocess.run(["dciodvfy", "-new", str(path)], capture_output=True, text=True, check=False)
    errors = [line for line in (run.stdout + run.stderr).splitlines() if line.startswith("Error")]
    assert errors == []
