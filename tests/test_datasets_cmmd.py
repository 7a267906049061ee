"""CMMD with and without TOMPEI-CMMD: sides, labels, outlines, reversed patients."""

from __future__ import annotations

from pathlib import Path

import pytest
from dataset_standins import COLS, ROWS, write_cmmd_image, write_tompei, write_xlsx

from mcdetect.errors import UnreadableFileError
from mcdetect.validation.datasets import Kind, TruthStatus, open_dataset

SQUARE = [(40.0, 100.0), (49.0, 100.0), (49.0, 109.0), (40.0, 109.0)]
CLINICAL: list[list[str | float]] = [
    ["ID1", "LeftRight", "Age", "number", "abnormality", "classification", "subtype"],
    ["D1-0001", "R", 44.0, 2.0, "calcification", "Benign"],
    ["D1-0252", "L", 49.0, 2.0, "both", "Malignant"],
    ["D2-0001", "L", 60.0, 2.0, "mass", "Malignant", "Luminal A"],
]


def build(root: Path) -> Path:
    for number, (side, view) in enumerate((("R", "CC"), ("R", "MLO"), ("L", "MLO")), start=1):
        write_cmmd_image(root, "D1-0001", side, view, number)
    write_cmmd_image(root, "D1-0252", "R", "MLO", 1)  # really the left
    write_cmmd_image(root, "D2-0001", "L", "MLO", 1)
    write_xlsx(root / "CMMD_clinicaldata_revision.xlsx", {"Sheet1": CLINICAL})
    return root


def add_tompei(folder: Path) -> Path:
    write_tompei(
        folder / "annotations",
        "D1-0001",
        "R",
        [("calc ", SQUARE), ("mass", [(9.0, 9.0), (19.0, 9.0), (9.0, 19.0)])],
    )
    write_tompei(folder / "annotations", "D1-0252", "L", [("calc", SQUARE)])
    write_tompei(folder / "annotations", "D2-0001", "L", [("mass", SQUARE)])
    write_xlsx(
        folder / "TOMPEI-CMMD_clinical_data_v01_20250121.xlsx",
        {
            "README": [["Nothing here"]],
            "Imaging Diagnosis Details Sheet": [
                ["ID", "LeftRight", "Age", "classification", "Remarks"],
                ["", "", "", "", "free text"],
                ["D1-0001", "R", 44.0, "Benign"],
                ["D1-0001", "L", 44.0, "Normal"],
                ["D1-0252", "L", 49.0, "Malignant", "Reversed left and right"],
                ["D2-0001", "L", 60.0, "Malignant"],
            ],
            "Lesion Details Sheet": [["note"], ["ID1", "LeftRight", "Shape"], ["D1-0001", "R", "round"]],
        },
        inline=True,
    )
    return folder


def test_without_tompei_nothing_is_located(tmp_path: Path) -> None:
    dataset = open_dataset("cmmd", build(tmp_path))
    cases = {case.name: case for case in dataset}
    assert dataset.problems == []
    assert {name: case.status for name, case in cases.items()} == {
        "D1-0001_R_CC": TruthStatus.UNLOCATED,
        "D1-0001_R_MLO": TruthStatus.UNLOCATED,
        "D1-0001_L_MLO": TruthStatus.UNKNOWN,
        "D1-0252_R_MLO": TruthStatus.UNKNOWN,
        "D2-0001_L_MLO": TruthStatus.UNKNOWN,
    }
    case = cases["D2-0001_L_MLO"]
    assert case.labels == {"pathology": "malignant", "abnormality": "mass", "subtype": "luminal a"}
    image = cases["D1-0001_R_MLO"].read()
    assert (image.shape, image.spacing.row_mm, image.laterality, image.view) == (
        (ROWS, COLS),
        0.094,
        "R",
        "MLO",
    )


@pytest.mark.parametrize("beside", [False, True])
def test_tompei_gives_outlines_and_corrects_sides(tmp_path: Path, beside: bool) -> None:
    root = build(tmp_path / "cmmd")
    tompei = add_tompei(tmp_path / "tompei" if beside else root / "TOMPEI")
    dataset = open_dataset("cmmd", root, **({"tompei": tompei} if beside else {}))
    cases = {case.name: case for case in dataset}
    assert dataset.problems == []
    assert {name: case.status for name, case in cases.items()} == {
        "D1-0001_R_CC": TruthStatus.UNLOCATED,
        "D1-0001_R_MLO": TruthStatus.LOCATED,
        "D1-0001_L_MLO": TruthStatus.NEGATIVE,
        "D1-0252_L_MLO": TruthStatus.LOCATED,
        "D2-0001_L_MLO": TruthStatus.NEGATIVE,
    }
    case = cases["D1-0001_R_MLO"]
    assert [(finding.kind, finding.labels["name"]) for finding in case.findings] == [
        (Kind.GROUP, "calc"),
        (Kind.OTHER, "mass"),
    ]
    assert case.labels["tompei class"] == "benign"
    region = case.regions((ROWS, COLS))[0]
    assert (region.top, region.left, region.area_px) == (100, 40, 100)

    swapped = cases["D1-0252_L_MLO"]
    assert "reversed in the header" in swapped.remarks[0]
    assert swapped.labels["abnormality"] == "both"
    image = swapped.read()
    assert image.laterality == "L"
    assert "laterality L of the data set, R of the header" in image.flags


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_the_table_may_be_csv(tmp_path: Path, delimiter: str) -> None:
    root = build(tmp_path)
    (root / "CMMD_clinicaldata_revision.xlsx").unlink()
    text = "\n".join(
        delimiter.join(f"{cell:g}" if isinstance(cell, float) else cell for cell in row) for row in CLINICAL
    )
    (root / "CMMD_clinicaldata_revision.csv").write_text("\ufeff" + text, encoding="utf-8")
    cases = {case.name: case for case in open_dataset("cmmd", root)}
    assert cases["D1-0001_R_CC"].labels["abnormality"] == "calcification"


def test_damage_costs_only_what_is_damaged(tmp_path: Path) -> None:
    root = build(tmp_path)
    add_tompei(root)
    (root / "annotations" / "D1-0001_MLO_R_AnnotationFile.json").write_text('[{"label": "calc"}]')
    (root / "annotations" / "D9_MLO_R_AnnotationFile.json").write_text("[]")
    write_tompei(root / "annotations", "D1-0777", "L", [("calc", SQUARE)])
    (root / "stray.dcm").write_bytes(b"")
    bad = root / "CMMD" / "D2-0001"
    next(bad.rglob("*.dcm")).write_bytes(b"\x00" * 300)
    dataset = open_dataset("cmmd", root)
    assert sorted(case.name for case in dataset) == ["D1-0001_L_MLO", "D1-0001_R_CC", "D1-0252_L_MLO"]
    texts = "\n".join(sorted(str(problem) for problem in dataset.problems))
    assert "D1-0001_MLO_R_AnnotationFile.json: it is no list of outlines (KeyError)" in texts
    assert "D9_MLO_R_AnnotationFile.json: its name tells no patient" in texts
    assert "D1-0777_MLO_L_AnnotationFile.json: its image is missing" in texts
    assert "D2-0001_MLO_L_AnnotationFile.json: its image is missing" in texts
    assert "stray.dcm: it lies in no patient's folder" in texts
    assert "1-1.dcm: " in texts
    assert len(dataset.problems) == 6


def test_a_header_without_side_is_passed_over(tmp_path: Path) -> None:
    root = build(tmp_path)
    from pydicom import dcmread

    path = next((root / "CMMD" / "D2-0001").rglob("*.dcm"))
    ds = dcmread(path)
    del ds.ImageLaterality
    ds.save_as(path)
    dataset = open_dataset("cmmd", root)
    assert len(list(dataset)) == 4
    assert "tells no side or view" in str(dataset.problems[0])


def test_missing_parts(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"CMMD_clinicaldata_revision\.xlsx is missing"):
        open_dataset("cmmd", tmp_path)
    with pytest.raises(UnreadableFileError, match="TOMPEI"):
        open_dataset("cmmd", build(tmp_path / "set"), tompei=tmp_path / "nowhere")
