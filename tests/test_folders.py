"""Folders as archives export them: what is an image, what is passed over, which are copies of one another."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pandas as pd
import pytest
from dicom_factory import SHARED, breast_image, encode, make_dataset, save, write_dicom
from pydicom import uid
from typer.testing import CliRunner

from mcdetect.cli import app
from mcdetect.errors import NotEligibleError, UnreadableFileError
from mcdetect.readers.packed import members, unpacked
from mcdetect.readers.read import examine, read_mammogram
from mcdetect.readers.signatures import looks_like_bare_dicom, what_it_is
from mcdetect.runs import find_inputs

IMAGE = breast_image()
CASES = SHARED / "cases"


def bare(path: Path, syntax: uid.UID = uid.ExplicitVRLittleEndian) -> bytes:
    """Return the bytes of a DICOM file without preamble and meta information."""
    data = write_dicom(path.with_name("whole"), IMAGE, syntax).read_bytes()
    path.with_name("whole").unlink()
    return data[132 + 12 + int.from_bytes(data[140:144], "little") :]


def whole(path: Path, **attributes: Any) -> bytes:
    data = write_dicom(path.with_name("whole"), IMAGE, **attributes).read_bytes()
    path.with_name("whole").unlink()
    return data


def found(folder: Path) -> list[str]:
    return [item.file for item in find_inputs([folder]).inputs]


# ---------------------------------------------------------------------------- a file is what it holds


@pytest.mark.parametrize(
    "name", ["1.2.826.0.1.3680043.8.498.77.9.101", "MG.L.MLO.0004", "IM0003", "a.bak", "x.1"]
)
@pytest.mark.parametrize(
    "syntax", [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian]
)
def test_dicom_without_preamble_is_known_by_any_name(tmp_path: Path, name: str, syntax: uid.UID) -> None:
    path = tmp_path / "in" / name
    path.parent.mkdir()
    path.write_bytes(bare(tmp_path / "x", syntax))
    assert found(tmp_path / "in") == [name]
    np.testing.assert_array_equal(read_mammogram(path).pixels, IMAGE)


@pytest.mark.parametrize(
    "data",
    [
        b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100\x07\x00\x05\x00CS\x02\x00ab",  # tags that fall
        b"\x08\x00\x01\x00\x10\x00\x00\x00" + b"\xff" * 40,  # no element follows
        b"\x02\x00\x00\x00UL\x04\x00\x00\x00\x00\x00\x20\x00\x10\x00LO\x02\x00ab",  # no group 0008
        b"\x08\x00\x03\x00AB\x00\x00" + b"\x01" * 30,
    ],
)
def test_other_data_that_begin_likewise_are_none(data: bytes) -> None:
    assert not looks_like_bare_dicom(data + bytes(64))


@pytest.mark.parametrize("name", ["A_1141_1.LEFT_CC.LJPEG", "a.jls", "b.j2k", "c.pic", "d"])
@pytest.mark.parametrize(
    "syntax", [uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.HTJ2KLossless]
)
def test_compressed_pictures_are_known_by_any_name(tmp_path: Path, name: str, syntax: uid.UID) -> None:
    (tmp_path / name).write_bytes(encode(IMAGE, syntax))
    assert found(tmp_path) == [name]
    np.testing.assert_array_equal(read_mammogram(tmp_path / name, pixel_spacing_mm=0.07).pixels, IMAGE)


def test_a_packed_file_is_its_content(tmp_path: Path) -> None:
    data = whole(tmp_path / "x")
    (tmp_path / "I2.dcm.gz").write_bytes(gzip.compress(data))
    (tmp_path / "no_suffix").write_bytes(gzip.compress(bare(tmp_path / "x")))
    (tmp_path / "p.gz").write_bytes(gzip.compress(imagecodecs.png_encode(IMAGE)))
    (tmp_path / "notes.txt.gz").write_bytes(gzip.compress(b"only text\n" * 30))
    (tmp_path / "broken.gz").write_bytes(b"\x1f\x8b" + bytes(40))
    result = find_inputs([tmp_path])
    assert [item.file for item in result.inputs] == ["I2.dcm.gz", "no_suffix", "p.gz"]
    assert dict(result.passed_over) == {
        "broken.gz": "the archive is damaged (BadGzipFile)",
        "notes.txt.gz": "it is an archive without images: it is a text file",
    }
    for item in result.inputs:
        np.testing.assert_array_equal(read_mammogram(item.path, pixel_spacing_mm=0.07).pixels, IMAGE)
    assert examine(tmp_path / "I2.dcm.gz").facts["format"] == "DICOM"


def test_every_image_of_a_zip_archive_is_an_input(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("PAT01/1.2.3.4", whole(tmp_path / "x"))
        archive.writestr("PAT01/IM2", bare(tmp_path / "x"))
        archive.writestr("../../out.dcm", whole(tmp_path / "x"))
        archive.writestr("README.TXT", "viewer\n" * 30)
        archive.writestr("DICOMDIR", bytes(128) + b"DICM" + b"1.2.840.10008.1.3.10\0")
        archive.writestr("__MACOSX/._IM2", b"x")
    result = find_inputs([tmp_path])
    names = ["export.zip/out.dcm", "export.zip/PAT01/1.2.3.4", "export.zip/PAT01/IM2"]
    assert [item.file for item in result.inputs] == names
    assert dict(result.passed_over) == {
        "export.zip/DICOMDIR": "it is a DICOMDIR index",
        "export.zip/README.TXT": "it is a text file",
    }
    assert [item.file for item in find_inputs([path]).inputs] == names  # also named by itself
    for item in result.inputs:
        np.testing.assert_array_equal(read_mammogram(item.path, member=item.member).pixels, IMAGE)
        with unpacked(item.path, item.member) as place:
            assert place.is_file()
        assert not place.exists()
    with pytest.raises(UnreadableFileError, match="a zip archive with 3 images; unpack it first"):
        read_mammogram(path)


def test_a_zip_archive_of_one_image_is_that_image(tmp_path: Path) -> None:
    for name in ("one.zip", "named.dcm"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("a/b.bin", whole(tmp_path / "x"))
        np.testing.assert_array_equal(read_mammogram(tmp_path / name).pixels, IMAGE)
    assert found(tmp_path) == ["named.dcm/a/b.bin", "one.zip/a/b.bin"]


def test_archives_without_images_are_passed_over_and_damaged_ones_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "letter.docx", "w") as archive:
        archive.writestr("word/document.xml", "<xml/>")
        archive.writestr("[Content_Types].xml", "<xml/>")
    data = (tmp_path / "letter.docx").read_bytes()
    (tmp_path / "cut.zip").write_bytes(data[:60])
    (tmp_path / "cut.dcm").write_bytes(data[:60])
    result = find_inputs([tmp_path])
    assert [item.file for item in result.inputs] == ["cut.dcm"]  # its name says that it is meant to be one
    assert dict(result.passed_over) == {
        "cut.zip": "the archive is damaged (BadZipFile)",
        "letter.docx": "it is an archive without images",
    }
    with pytest.raises(UnreadableFileError, match="the archive is damaged"):
        read_mammogram(tmp_path / "cut.dcm")
    with pytest.raises(UnreadableFileError, match="zip archive with no image"):
        read_mammogram(tmp_path / "letter.docx")


def test_an_archive_that_was_cut_is_refused(tmp_path: Path) -> None:
    data = gzip.compress(whole(tmp_path / "x"))
    (tmp_path / "cut.dcm.gz").write_bytes(data[: len(data) // 2])
    with pytest.raises(UnreadableFileError, match="the archive is damaged"):
        read_mammogram(tmp_path / "cut.dcm.gz")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.dcm", whole(tmp_path / "x"))
    middle = len(buffer.getvalue()) // 2
    (tmp_path / "bad.zip").write_bytes(
        buffer.getvalue()[:middle] + b"\xff" * 50 + buffer.getvalue()[middle + 50 :]
    )
    with pytest.raises(UnreadableFileError):
        read_mammogram(tmp_path / "bad.zip")


def test_an_archive_that_unpacks_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcdetect.readers.packed._MOST_BYTES", 3 * 2**20)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(whole(tmp_path / "x") + bytes(2**23)))
    with pytest.raises(UnreadableFileError, match="it unpacks to more than 3 MB"):
        read_mammogram(tmp_path / "bomb.gz")


def test_members_of_an_archive_say_what_they_are(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("empty", b"")
        archive.writestr("b.pdf", b"%PDF-1.4\n")
    assert [(one.name, one.problem) for one in members(tmp_path / "a.zip")] == [
        ("b.pdf", "it is a PDF document"),
        ("empty", "it is an empty file"),
    ]


def test_what_a_file_is_that_is_no_image() -> None:
    tar = bytes(257) + b"ustar" + bytes(250)
    told = [what_it_is(start) for start in (b"", b"SQLite format 3\0", tar, bytes(9), b"GIF89a", b"\1\2\3")]
    assert told == [
        "an empty file",
        "a database",
        "a tar archive",
        "a file of zero bytes",
        "a GIF picture",
        "a file of no format that mcdetect reads",
    ]


def test_an_entry_that_cannot_be_opened_costs_one_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.dcm", "b.dcm", "sub/c.dcm", "z.dcm"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(bytes(128) + b"DICM")
    original = Path.is_dir

    def refuse(path: Path) -> bool:
        if path.name in ("b.dcm", "sub"):
            raise PermissionError(13, "Permission denied")
        return original(path)

    monkeypatch.setattr(Path, "is_dir", refuse)
    result = find_inputs([tmp_path])
    assert [item.file for item in result.inputs] == ["a.dcm", "z.dcm"]
    assert [(name, error.cause) for name, error in result.problems] == [
        ("b.dcm", "cannot be opened (permission denied)"),
        ("sub", "cannot be opened (permission denied)"),
    ]


# -------------------------------------------------------------------------------- what is passed over


OTHERS: dict[str, dict[str, Any]] = {
    "sr": {"Modality": "SR", "SOPClassUID": uid.MammographyCADSRStorage},
    "gsps": {"Modality": "PR", "SOPClassUID": uid.GrayscaleSoftcopyPresentationStateStorage},
    "ko": {"Modality": "KO", "SOPClassUID": uid.KeyObjectSelectionDocumentStorage},
    "seg": {"Modality": "SEG", "SOPClassUID": uid.SegmentationStorage},
    "us": {"Modality": "US", "SOPClassUID": uid.UltrasoundImageStorage},
    "mr": {"Modality": "MR", "SOPClassUID": uid.MRImageStorage},
    "pdf": {"Modality": "DOC", "SOPClassUID": uid.EncapsulatedPDFStorage},
    "mask": {"SeriesDescription": "ROI mask images"},
    "crop": {"SeriesDescription": "cropped images"},
    "cad": {
        "Modality": "OT",
        "SOPClassUID": uid.SecondaryCaptureImageStorage,
        "BodyPartExamined": None,
        "ViewPosition": None,
    },
}


def export(folder: Path) -> Path:
    """Write one small mammogram and everything that an archive exports beside it."""
    folder.mkdir()
    write_dicom(folder / "I1.dcm", IMAGE)
    for name, attributes in OTHERS.items():
        ds = make_dataset(IMAGE, **attributes)
        if name in ("sr", "gsps", "ko", "pdf"):
            for keyword in ("PixelData", "Rows", "Columns"):
                delattr(ds, keyword)
        save(ds, folder / name)
    hidden = make_dataset(IMAGE, SOPClassUID=uid.SecondaryCaptureImageStorage, Rows=None, Columns=None)
    del hidden.PixelData
    hidden.add_new((0x7E01, 0x0010), "LO", "HOLOGIC, Inc.")
    hidden.add_new((0x7E01, 0x1010), "OB", bytes(4000))
    save(hidden, folder / "tomo")
    (folder / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    (folder / "autorun.inf").write_bytes(b"[autorun]\r\n")
    return folder


def test_an_export_of_an_archive_ends_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from detector_standin import Detector

    monkeypatch.setattr("mcdetect.pipeline.files.detect", Detector().detect)
    given = [str(export(tmp_path / "in")), "-o", str(tmp_path / "out"), "--no-overlay", "-q", "--jobs", "1"]
    result = CliRunner().invoke(app, ["detect", *given])
    assert result.exit_code == 0, result.output
    skipped = pd.read_csv(tmp_path / "out" / "skipped.csv")
    assert sorted(skipped["file"]) == sorted([*OTHERS, "tomo", "DICOMDIR", "autorun.inf"])
    reason = dict(zip(skipped["file"], skipped["reason"], strict=True))
    assert reason["sr"] == "it is a structured report, not a mammogram"
    assert reason["tomo"] == "its pixels are in private elements of HOLOGIC, Inc. (tomosynthesis or such)"
    assert all(len(text) > 10 for text in reason.values())
    assert pd.read_csv(tmp_path / "out" / "failures.csv").empty
    assert pd.read_csv(tmp_path / "out" / "images.csv")["file"].tolist() == ["I1.dcm"]


def test_where_nothing_was_searched_the_exit_says_so(tmp_path: Path) -> None:
    write_dicom(tmp_path / "a.dcm", IMAGE, Modality="US")
    result = CliRunner().invoke(app, ["detect", str(tmp_path / "a.dcm"), "-o", str(tmp_path / "out"), "-q"])
    assert result.exit_code == 1
    assert len(pd.read_csv(tmp_path / "out" / "skipped.csv")) == 1


def test_a_mammogram_whose_pixels_are_missing_is_damaged_not_passed_over(tmp_path: Path) -> None:
    ds = make_dataset(IMAGE, Rows=None, Columns=None)
    del ds.PixelData
    with pytest.raises(UnreadableFileError, match="no pixel data"):
        read_mammogram(save(ds, tmp_path / "a.dcm"))
    ds.add_new((0x7E01, 0x0010), "LO", "HOLOGIC, Inc.")
    with pytest.raises(NotEligibleError, match="private elements of HOLOGIC"):
        read_mammogram(save(ds, tmp_path / "b.dcm"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "images", "findings"), [("exam", 5, 1), ("pacs_export", 2, 1), ("D01_uidnames", 4, 4)]
)
def test_the_folders_that_went_wrong(tmp_path: Path, folder: str, images: int, findings: int) -> None:
    if not (CASES / folder).is_dir():
        pytest.skip("the small inputs that went wrong (shared/data/cases) are not here")
    given = [str(CASES / folder), "-o", str(tmp_path), "--no-overlay", "-q", "--jobs", "1"]
    assert CliRunner().invoke(app, ["detect", *given]).exit_code == 0
    assert len(pd.read_csv(tmp_path / "images.csv")) == images
    assert pd.read_csv(tmp_path / "findings.csv")["flagged"].sum() == findings
