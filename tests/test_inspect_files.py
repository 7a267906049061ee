"""A look at folders before a study: the table, its summary, JSON and CSV."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from cli_files import BIRTH_DATE, NAME, PATIENT_ID
from dicom_factory import BIRTH, PATIENT, breast_image, write_dicom
from dicom_factory import PATIENT_ID as OTHER_ID
from pydicom import uid
from typer.testing import CliRunner

from mcdetect.cli import app
from mcdetect.runs.inspect_files import inspect_files
from mcdetect.schema import INSPECTION

UIDS = {
    "SOPInstanceUID": "1.2.3.4.1",
    "SeriesInstanceUID": "1.2.3.4.2",
    "StudyInstanceUID": "1.2.3.4.3",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two good files, a CT, a film without spacing, a damaged file, a picture and a note."""
    root = tmp_path / "in"
    (root / "more").mkdir(parents=True)
    exposure = {"KVP": "29", "Exposure": "87", "BodyPartThickness": "52.5"}
    maker = {"Manufacturer": "ACME", "ManufacturerModelName": "Dose 2"}
    write_dicom(root / "a.dcm", **UIDS, **exposure, **maker)
    write_dicom(root / "b.dcm", ViewPosition="MLO", StudyInstanceUID="1.2.3.4.3", PaddleDescription="SPOT")
    write_dicom(root / "ct.dcm", Modality="CT", SOPClassUID=uid.CTImageStorage)
    write_dicom(root / "film.dcm", ImagerPixelSpacing=None)
    cut = write_dicom(root / "more" / "cut.dcm", StudyInstanceUID="1.2.3.4.9")
    cut.write_bytes(cut.read_bytes()[:-400])
    cv2.imwrite(str(root / "more" / "1_R_CC.png"), breast_image())
    (root / "note.txt").write_text("x")
    return root


def test_a_row_for_each_file(folder: Path) -> None:
    found = inspect_files([folder])
    table = found.table.set_index("file")
    assert list(found.table.columns) == [column.name for column in INSPECTION]
    names = ["a.dcm", "b.dcm", "ct.dcm", "film.dcm", "more/1_R_CC.png", "more/cut.dcm", "note.txt"]
    assert list(table.index) == names
    assert table.index[table["processed"]].tolist() == ["a.dcm", "b.dcm"]
    assert table.index[table["passed_over"]].tolist() == ["ct.dcm", "note.txt"]
    a = table.loc["a.dcm"]
    assert (a["laterality"], a["view"], a["intent"], a["modality"]) == ("L", "CC", "FOR PRESENTATION", "MG")
    assert (a["rows"], a["cols"], a["frames"], a["bits"]) == (160, 128, 1, "12 of 16, unsigned")
    assert (a["row_spacing_mm"], a["col_spacing_mm"]) == (0.07, 0.07)
    assert a["spacing_source"] == "Imager Pixel Spacing, detector plane"
    assert (a["manufacturer"], a["model"]) == ("ACME", "Dose 2")
    assert (a["kvp"], a["exposure_mas"], a["thickness_mm"]) == (29.0, 87.0, 52.5)
    assert a["transfer_syntax"] == "Explicit VR Little Endian"
    assert (a["photometric"], a["format"]) == ("MONOCHROME2", "DICOM")
    assert table.loc["b.dcm", "flags"] == "spot compression view"
    assert table["study"].tolist() == [1, 1, 0, 0, 0, 2, 0]
    for file, words in (
        ("ct.dcm", "a CT image"),
        ("film.dcm", "--pixel-spacing"),
        ("more/1_R_CC.png", "--pixel-spacing"),
        ("more/cut.dcm", "truncated"),
    ):
        assert words in table.loc[file, "reason"]
    assert table.loc["more/1_R_CC.png", "laterality"] == "R"
    assert np.isnan(table.loc["film.dcm", "row_spacing_mm"])


def test_what_they_have_in_common(folder: Path) -> None:
    summary = inspect_files([folder, folder / "a.dcm"]).summary()
    assert (summary["files"], summary["processed"], summary["failed"]) == (7, 2, 3)
    assert (summary["passed_over"], summary["duplicates"], summary["studies"]) == (2, 1, 2)
    assert summary["views"] == {"L CC": 1, "L MLO": 1}
    assert summary["makers"] == {"ACME Dose 2": 1, "unknown": 1}
    assert summary["spacings"] == {"0.070 mm": 2}
    assert summary["flags"] == {"spot compression view": 1}
    assert summary["reasons"]["it is a CT image, not a mammogram"] == 1
    assert len(summary["reasons"]) == 5


def test_as_detect_would_take_them(folder: Path) -> None:
    table = inspect_files([folder], pixel_spacing_mm=0.07, force=True).table
    assert table["processed"].sum() == 5
    told: list[tuple[int, int]] = []
    quick = inspect_files([folder], pixels=False, told=lambda done, total: told.append((done, total)))
    assert told == [(n, 6) for n in range(1, 7)]
    quick_table = quick.table.set_index("file")
    assert quick_table.loc["a.dcm", "processed"]
    assert quick_table.loc["more/cut.dcm", "processed"]  # its pixels were not looked at
    missing = inspect_files([folder / "none", folder / "a.dcm"]).table
    assert missing["processed"].tolist() == [False, True]


def test_identifiers_on_request_only(folder: Path) -> None:
    found = inspect_files([folder])
    shown = found.table.to_csv() + json.dumps(found.summary())
    for secret in (PATIENT, PATIENT.split("^")[0], OTHER_ID, BIRTH, "20200229", *UIDS.values()):
        assert secret not in shown
    table = inspect_files([folder], dicom_columns=True).table.set_index("file")
    assert table.loc[
        "a.dcm", ["sop_instance_uid", "series_instance_uid", "study_instance_uid"]
    ].tolist() == list(UIDS.values())
    assert table.loc["more/1_R_CC.png", "study_instance_uid"] == ""


def test_archives_are_looked_into(tmp_path: Path) -> None:
    for name, view in (("a.dcm", "CC"), ("b.dcm", "MLO")):
        write_dicom(tmp_path / name, ViewPosition=view)
    (tmp_path / "in").mkdir()
    with zipfile.ZipFile(tmp_path / "in" / "two.zip", "w") as archive:
        for name in ("a.dcm", "b.dcm"):
            archive.write(tmp_path / name, name)
    (tmp_path / "in" / "ct.dcm").write_bytes(
        write_dicom(tmp_path / "c.dcm", Modality="CT", SOPClassUID=uid.CTImageStorage).read_bytes()
    )
    table = inspect_files([tmp_path / "in"]).table
    fit = table[table["processed"]]
    assert fit["view"].tolist() == ["CC", "MLO"]
    assert run(tmp_path / "in").exit_code == 0  # what is passed over is no failure


def test_several_breasts_are_told(tmp_path: Path) -> None:
    one = breast_image()
    write_dicom(tmp_path / "two.dcm", np.hstack([one, one[:, ::-1]]))
    write_dicom(tmp_path / "one.dcm", one)
    found = inspect_files([tmp_path])
    several = found.table["flags"].str.contains("several breasts in one image").tolist()
    assert several == [False, True]
    assert found.summary()["flags"]["several breasts in one image"] == 1


def run(*args: Any) -> Any:
    return CliRunner().invoke(app, ["inspect", *map(str, args)])


def test_the_verb_prints_it(folder: Path) -> None:
    shown = run(folder)
    assert shown.exit_code == 1
    for words in (
        "more/cut.dcm",
        "7 files: 2 would be processed, 2 passed over, 3 would fail",
        "views: L CC: 1, L MLO: 1",
    ):
        assert words in shown.stdout
    assert run(folder / "a.dcm", folder / "b.dcm").exit_code == 0
    printed = json.loads(run(folder, "--json").stdout)
    assert [row["file"] for row in printed["files"]][:2] == ["a.dcm", "b.dcm"]
    assert printed["files"][3]["row_spacing_mm"] is None
    assert printed["summary"]["processed"] == 2
    table = pd.read_csv(io.StringIO(run(folder, "--csv", "--dicom-columns").stdout))
    assert table["sop_instance_uid"].iloc[0] == "1.2.3.4.1"
    one = json.loads(run(folder / "a.dcm", "--json").stdout)
    assert one["view"] == "CC (View Position)"
    assert one["processed"] is True
    assert one["kvp"] == 29.0
    assert not [name for name in one if name.endswith("_uid")]
    assert (
        json.loads(run(folder / "a.dcm", "--json", "--dicom-columns").stdout)["sop_instance_uid"]
        == "1.2.3.4.1"
    )
    assert run(folder / "more" / "cut.dcm").exit_code == 1
    assert run(folder / "more" / "cut.dcm", "--headers").exit_code == 0
    empty = folder / "empty"
    empty.mkdir()
    assert run(empty).exit_code == 1


def test_names_of_the_other_factory_are_no_part_of_it(folder: Path) -> None:
    shown = run(folder, "--json").stdout
    for secret in (NAME, PATIENT_ID, BIRTH_DATE):
        assert secret not in shown
