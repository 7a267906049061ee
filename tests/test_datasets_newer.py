"""Kaggle's copy of CBIS-DDSM, EMBED and RSNA: layouts, stripped headers, what is known."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_standins import COLS, KAGGLE, ROWS, Cbis, blob, film_crop, make_uid
from dicom_factory import breast_image, write_dicom

from mcdetect.errors import McdetectWarning, MissingSpacingError, UnreadableFileError
from mcdetect.validation.datasets import Box, Dataset, Kind, TruthStatus, open_dataset
from mcdetect.validation.datasets.export import truth_table

CASE = "Calc-Training_P_00005_RIGHT_CC"


def write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


# ------------------------------------------------------------------------------------ CBIS-DDSM as JPEG


def kaggle(root: Path, *, swapped: bool = False) -> Dataset:
    cbis = Cbis(root, KAGGLE)
    cbis.abnormality(CASE, cbis.image(CASE), 1, blob(ROWS, COLS, 50, 70), together=True, swapped=swapped)
    cbis.finish()
    (root / "csv").mkdir()
    for table in root.glob("*.csv"):
        table.rename(root / "csv" / table.name)
    with pytest.warns(McdetectWarning):
        return open_dataset("cbis-ddsm", root)


@pytest.mark.parametrize("swapped", [False, True])
def test_kaggles_pictures_serve_where_there_is_no_dicom(tmp_path: Path, swapped: bool) -> None:
    dataset = kaggle(tmp_path, swapped=swapped)
    (case,) = dataset
    assert dataset.problems == []
    assert case.path.suffix == ".jpg"
    assert (case.name, case.laterality, case.view) == (CASE, "R", "CC")
    assert "an 8-bit JPEG copy, not the DICOM file" in case.remarks
    image = case.read()
    assert image.spacing.row_mm == 0.0435
    assert {"8-bit grey scale", "lossy compression"} <= set(image.flags)
    assert np.corrcoef(image.pixels.ravel(), film_crop().ravel())[0, 1] > 0.99
    (region,) = case.regions(image.shape)
    assert abs(region.top - 50) <= 1
    assert abs(region.left - 70) <= 1
    assert abs(region.area_px - 1600) < 100


def test_a_crop_in_jpeg_is_no_mask(tmp_path: Path) -> None:
    cbis = Cbis(tmp_path, KAGGLE)
    cbis.abnormality(CASE, cbis.image(CASE), 1, np.ascontiguousarray(film_crop()[50:150, 50:150]))
    with pytest.warns(McdetectWarning):
        (case,) = open_dataset("cbis-ddsm", cbis.finish())
    with pytest.raises(UnreadableFileError, match="grey levels, so a crop"):
        case.regions((ROWS, COLS))


# -------------------------------------------------------------------------------------------------- RSNA


def rsna(root: Path, **options: Any) -> Dataset:
    stripped = {"ImagerPixelSpacing": None, "ImageLaterality": None, "ViewPosition": None}
    row = {"site_id": "1", "patient_id": "10006", "age": "61", "cancer": "0", "density": "B"}
    rows = []
    for image, side, view, machine in (
        ("1459541791", "L", "CC", "29"),
        ("1864590858", "R", "MLO", "48"),
        ("9", "R", "CC", "29"),
    ):
        rows.append(row | {"image_id": image, "laterality": side, "view": view, "machine_id": machine})
        if image != "9":
            folder = root / "train_images" / "10006"
            folder.mkdir(parents=True, exist_ok=True)
            write_dicom(folder / f"{image}.dcm", breast_image(ROWS, COLS), **stripped)
    write_table(root / "train.csv", rows)
    return open_dataset("rsna", root, **options)


def test_rsna_takes_side_and_view_from_the_table(tmp_path: Path) -> None:
    table = tmp_path / "machines.csv"
    table.write_text("machine,pixel_spacing_mm\n29,0.065\n")
    dataset = rsna(tmp_path / "set", spacing_table=table, pixel_spacing_mm=0.07)
    first, second = dataset
    assert len(dataset.problems) == 1  # an image that was not downloaded
    assert (first.name, first.patient, first.status) == ("10006_1459541791", "10006", TruthStatus.UNKNOWN)
    assert first.labels == {
        "cancer": "0",
        "density": "B",
        "site_id": "1",
        "machine_id": "29",
        "age": "61",
    }
    image = first.read()
    assert (image.laterality, image.view) == ("L", "CC")
    assert (image.spacing.row_mm, image.spacing.source) == (0.065, "table of machines")
    image = second.read()
    assert (image.laterality, image.view, image.spacing.row_mm) == ("R", "MLO", 0.07)


def test_rsna_without_a_spacing_is_refused(tmp_path: Path) -> None:
    first, _ = rsna(tmp_path)
    with pytest.raises(MissingSpacingError):
        first.read()
    for wrong in ("x", 9.0):
        with pytest.raises(ValueError, match="pixel_spacing_mm"):
            open_dataset("rsna", tmp_path, pixel_spacing_mm=wrong)
    table = tmp_path / "machines.csv"
    table.write_text("machine,pixel_spacing_mm\n29,big\n")
    with pytest.raises(UnreadableFileError, match=r"machines\.csv"):
        open_dataset("rsna", tmp_path, spacing_table=table)
    (tmp_path / "train.csv").unlink()
    with pytest.raises(UnreadableFileError, match=r"train\.csv"):
        open_dataset("rsna", tmp_path)


def test_rsna_names_that_lead_elsewhere_are_refused(tmp_path: Path) -> None:
    rsna(tmp_path)
    row = {"patient_id": "../x", "image_id": "1", "laterality": "L", "view": "CC"}
    write_table(tmp_path / "train.csv", [row])
    dataset = open_dataset("rsna", tmp_path)
    assert list(dataset) == []
    assert "no plain name" in str(dataset.problems[0])


# ------------------------------------------------------------------------------------------------- EMBED


def embed(root: Path, **options: Any) -> Dataset:
    """Four images: calcifications in a box, calcifications without one, a mass, a normal one; a C-View."""
    metadata, clinical = [], []
    looks: list[tuple[str, str, str, dict[str, str], str]] = [
        ("1", "L", "CC", {"calcfind": "G", "calcdistri": "C", "asses": "A", "path_severity": "1.0"}, "2D"),
        ("2", "R", "MLO", {"calcfind": "A", "asses": "P"}, "2D"),
        ("3", "L", "MLO", {"massshape": "R", "calcfind": "A", "asses": "A"}, "2D"),
        ("4", "R", "CC", {"asses": "N", "tissueden": "2.0"}, "2D"),
        ("5", "L", "CC", {"asses": "N"}, "cview"),
    ]
    for number, side, view, report, kind in looks:
        study, patient = make_uid(f"study{number}"), f"1000{number}"
        file = f"{make_uid(f'image{number}')}.dcm"
        folder = root / "cohort_1" / patient / study
        folder.mkdir(parents=True)
        write_dicom(folder / file, breast_image(ROWS, COLS), ImageLaterality=side, ViewPosition=view)
        ids = {"empi_anon": patient, "acc_anon": number}
        boxes = "[[50, 60, 90, 120], (100, 20, 110, 40)]" if number in ("1", "3") else "()"
        metadata.append(
            ids
            | {
                "anon_dicom_path": f"/mnt/NAS2/mammo/anon_dicom/cohort_1/{patient}/{study}/{file}",
                "FinalImageType": kind,
                "ImageLateralityFinal": side,
                "ViewPosition": view,
                "spot_mag": "",
                "num_roi": "2" if number in ("1", "3") else "0",
                "ROI_coords": boxes,
            }
        )
        clinical.append(ids | {"side": "" if number == "4" else side} | report)
        clinical.append(ids | {"side": "R" if side == "L" else "L", "asses": "N"})
    write_table(root / "tables" / "EMBED_OpenData_metadata.csv", metadata)
    write_table(root / "tables" / "EMBED_OpenData_clinical.csv", clinical)
    return open_dataset("embed", root, **options)


def test_embed_says_what_is_known_of_calcifications(tmp_path: Path) -> None:
    dataset = embed(tmp_path)
    cases = list(dataset)
    assert dataset.problems == []
    assert [case.status for case in cases] == [
        TruthStatus.LOCATED,
        TruthStatus.UNLOCATED,
        TruthStatus.UNLOCATED,  # a box that may be of the mass
        TruthStatus.NEGATIVE,
    ]
    first = cases[0]
    assert [finding.kind for finding in first.findings] == [Kind.GROUP, Kind.GROUP]
    assert first.findings[0].shape == Box(50.0, 60.0, 90.0, 120.0)
    assert first.findings[0].labels == {"morphology": "G", "distribution": "C", "pathology": "malignant"}
    assert first.labels["birads"] == "0"
    assert cases[3].labels == {"birads": "1", "density": "2"}
    assert {finding.kind for finding in cases[2].findings} == {Kind.OTHER}
    assert (first.patient, first.laterality, first.view) == ("10001", "L", "CC")
    image = first.read()
    assert image.spacing.row_mm == 0.07
    assert len(truth_table(first, image)) == 2


def test_embed_options_and_damage(tmp_path: Path) -> None:
    assert len(list(embed(tmp_path, synthetic=True))) == 5
    table = tmp_path / "tables" / "EMBED_OpenData_metadata.csv"
    table.write_text(table.read_text().replace("[[50", "[[x"))
    dataset = open_dataset("embed", tmp_path)
    assert len(list(dataset)) == 2
    assert all("ROI_coords" in str(problem) for problem in dataset.problems)
    next((tmp_path / "cohort_1" / "10002").rglob("*.dcm")).unlink()
    dataset = open_dataset("embed", tmp_path)
    assert len(list(dataset)) == 1
    table.unlink()
    with pytest.raises(UnreadableFileError, match="EMBED_OpenData_metadata"):
        open_dataset("embed", tmp_path)
