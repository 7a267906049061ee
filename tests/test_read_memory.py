"""Images that lie in memory, and what the header tells on request."""

from __future__ import annotations

import copy
import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pydicom
import pytest
from dicom_factory import breast_image, encode, make_dataset, save, write_dicom
from pydicom import uid
from pydicom.dataset import Dataset

import mcdetect
from mcdetect.errors import InputFileError, NotEligibleError, UnreadableFileError
from mcdetect.phantom import Group, draw_mammogram, draw_tomosynthesis, write_tomosynthesis
from mcdetect.phantom import write_dicom as write_phantom
from mcdetect.readers.dicom.columns import header_columns
from mcdetect.runs import run_batch
from mcdetect.runs.inspect_files import inspect_files
from mcdetect.schema import DICOM_COLUMNS

IMAGE = breast_image()


@pytest.mark.parametrize(
    "syntax",
    [
        uid.ExplicitVRLittleEndian,
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
        uid.JPEGLosslessSV1,
        uid.RLELossless,
        uid.JPEG2000Lossless,
    ],
)
def test_all_ways_give_the_same(tmp_path: Path, syntax: uid.UID) -> None:
    packed = [encode(IMAGE, syntax)] if syntax.is_encapsulated else None
    path = write_dicom(tmp_path / "a.dcm", IMAGE, syntax, packed)
    expected = mcdetect.read_mammogram(path)
    data = path.read_bytes()
    with path.open("rb") as file:
        ways: list[Any] = [
            data,
            bytearray(data),
            memoryview(data),
            io.BytesIO(data),
            file,
            pydicom.dcmread(path),
        ]
        for way in ways:
            found = mcdetect.read_mammogram(way)
            np.testing.assert_array_equal(found.pixels, expected.pixels)
            assert found.spacing == expected.spacing
            assert (found.view, found.laterality, found.flags) == ("CC", "L", expected.flags)
            assert found.source == ("a.dcm" if way is file else "")
            assert found.study == expected.study
        assert file.tell() == 0


def test_a_data_set_stays_as_it_is() -> None:
    dataset = make_dataset(IMAGE)  # of a network listener: no file meta information
    before = copy.deepcopy(dataset)
    found = mcdetect.read_mammogram(dataset)
    assert found.shape == IMAGE.shape
    assert dataset == before
    assert not hasattr(dataset, "file_meta")
    np.testing.assert_array_equal(np.argsort(found.pixels.ravel()), np.argsort(IMAGE.astype(float).ravel()))


def test_compressed_pixels_need_their_transfer_syntax(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", IMAGE, uid.JPEG2000Lossless, [encode(IMAGE, uid.JPEG2000Lossless)])
    dataset = pydicom.dcmread(path)
    del dataset.file_meta
    with pytest.raises(UnreadableFileError):
        mcdetect.read_mammogram(dataset)


def test_pictures_and_damage_in_memory(tmp_path: Path) -> None:
    ok, data = cv2.imencode(".png", IMAGE)
    assert ok
    image = mcdetect.read_mammogram(data.tobytes(), pixel_spacing_mm=0.07)
    assert image.shape == IMAGE.shape
    named = io.BytesIO(data.tobytes())
    named.name = "/somewhere/1_R_CC.png"  # type: ignore[attr-defined]
    image = mcdetect.read_mammogram(named, pixel_spacing_mm=0.07)
    assert (image.source, image.laterality, image.view) == ("1_R_CC.png", "R", "CC")
    for bad in (b"", b"\x00" * 900, b"hello " * 99):
        with pytest.raises(UnreadableFileError):
            mcdetect.read_mammogram(bad)
    with pytest.raises(NotEligibleError):
        mcdetect.read_mammogram(make_dataset(IMAGE, Modality="CT", SOPClassUID=uid.CTImageStorage))
    with pytest.raises(InputFileError):
        mcdetect.read_mammogram(Dataset())
    for wrong in (3, None, IMAGE, io.StringIO("x"), ["a.dcm"]):
        with pytest.raises(TypeError):
            mcdetect.read_mammogram(wrong)  # type: ignore[arg-type]


def test_reading_begins_where_the_file_object_stands(tmp_path: Path) -> None:
    data = write_dicom(tmp_path / "a.dcm", IMAGE).read_bytes()
    stream = io.BytesIO(b"before" + data)
    stream.seek(6)
    assert mcdetect.read_mammogram(stream).shape == IMAGE.shape
    assert stream.tell() == 6


# ------------------------------------------------------------------------------------- columns on request


@pytest.mark.parametrize(
    ("attributes", "mas"),
    [
        ({"Exposure": "87"}, 87.0),
        ({"Exposure": "87", "ExposureInuAs": "87430"}, 87.43),
        ({"XRayTubeCurrent": "100", "ExposureTime": "870"}, 87.0),
        ({"XRayTubeCurrentInuA": "100000", "ExposureTimeInuS": "870000"}, 87.0),
        ({"Exposure": "0"}, None),
        ({}, None),
    ],
)
def test_exposure(attributes: dict[str, str], mas: float | None) -> None:
    found = header_columns(make_dataset(IMAGE, **attributes))
    assert found.get("exposure_mas") == (pytest.approx(mas) if mas else None)


def test_identifiers_are_in_no_output_unless_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_phantom(draw_mammogram((700, 560), 0.14, seed=3, groups=[Group(8, 6.0)]), folder / "a.dcm")
    header = pydicom.dcmread(folder / "a.dcm")
    header.KVP, header.Exposure, header.BodyPartThickness = "28", "90", "55"
    save(header, folder / "a.dcm")
    ok, data = cv2.imencode(".png", breast_image(500, 400))
    assert ok
    (folder / "b.png").write_bytes(data.tobytes())
    uids = [str(header[name].value) for name in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")]
    out = tmp_path / "out"
    options: dict[str, Any] = {"overlay": False, "jobs": 1, "pixel_spacing_mm": 0.14}
    report = run_batch([folder], out, **options)
    assert not report.failed
    names = [column.name for column in DICOM_COLUMNS]
    assert not set(names) & set(pd.read_csv(out / "images.csv").columns)
    for path in out.iterdir():
        for value in uids:
            assert value.encode() not in path.read_bytes(), path.name
    report = run_batch([folder], out, dicom_columns=True, **options)
    assert report.reused == 0
    images = pd.read_csv(out / "images.csv")
    assert list(images.columns)[-len(names) :] == names
    assert images.loc[0, names[:3]].tolist() == uids
    assert images.loc[0, ["kvp", "exposure_mas", "thickness_mm"]].tolist() == [28.0, 90.0, 55.0]
    assert images.loc[0, "manufacturer"] == "mcdetect"
    assert images.loc[1, names].isna().all()
    assert pd.read_parquet(out / "images.parquet")["sop_instance_uid"].tolist() == [uids[0], ""]
    again = run_batch([folder], out, dicom_columns=True, **options)
    assert again.reused == 2
    assert pd.read_csv(out / "images.csv").equals(images)
    plain = run_batch([folder], out, **options)
    assert plain.reused == 2
    assert not set(names) & set(pd.read_csv(out / "images.csv").columns)


def test_stacks_of_slices_in_memory_and_their_columns(tmp_path: Path) -> None:
    drawn = draw_tomosynthesis((420, 360), 0.12, seed=11, slices=6, slice_spacing_mm=5.0)
    path = tmp_path / "tomo.dcm"
    write_tomosynthesis(drawn, path)
    expected = mcdetect.read_volume(path)
    for way in (path.read_bytes(), pydicom.dcmread(path)):
        volume = mcdetect.read_volume(way)
        assert len(volume) == len(expected) == 6
        np.testing.assert_array_equal(volume.mammogram(3).pixels, expected.mammogram(3).pixels)
        assert volume.source == ""
    assert expected.header["sop_instance_uid"] == str(pydicom.dcmread(path).SOPInstanceUID)
    assert expected.mammogram(0).header == expected.header
    seen = inspect_files([path]).table.iloc[0]
    assert seen["processed"]
    assert seen["frames"] == 6
    assert inspect_files([path], pixels=False).table["processed"].iloc[0]
