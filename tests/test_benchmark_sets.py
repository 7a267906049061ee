"""``mcdetect benchmark`` over stand-ins of INbreast, VinDr-Mammo and CMMD, pixels to results page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from dataset_standins import (
    FOUND_COLS,
    FOUND_ROWS,
    breast_to_search,
    corners,
    speck_frame,
    speck_places,
    write_cmmd_image,
    write_inbreast_image,
    write_inbreast_xml,
    write_tompei,
    write_vindr,
    write_xlsx,
)
from typer.testing import CliRunner

from mcdetect.cli import app
from mcdetect.validation.benchmark import BenchmarkReport, run_benchmark
from mcdetect.validation.evaluation import Evaluation


def invoke(*words: object) -> Any:
    settings = ("--jobs", 1, "--samples", 20, "--no-plots")
    return CliRunner().invoke(app, ["benchmark", *map(str, words + settings)], env={"COLUMNS": "200"})


def again(name: str, root: Path, out: Path, **options: Any) -> BenchmarkReport:
    """Run over a folder whose cases are done, and check that none is worked on anew."""
    report = run_benchmark(name, root, out, jobs=1, samples=20, plots=False, **options)
    assert report.processed == 0
    return report


def counts(found: Evaluation, what: str) -> list[int]:
    """Return a denominator for all and for normal images."""
    table = found.denominators.set_index("pool")
    return [int(table.loc[pool, what]) for pool in ("all", "normal")]


def bounds(found: Evaluation, measure: str) -> tuple[float, float]:
    """Return the interval of a figure over all images."""
    table = found.summary
    (row,) = table[(table["measure"] == measure) & (table["pool"] == "all") & (table["by"] == "")].to_dict(
        "records"
    )
    return row["low"], row["high"]


def hits(found: Evaluation) -> dict[str, bool]:
    """Tell of each image with one group whether it was found."""
    return {row["image"]: bool(np.isfinite(row["rating"])) for row in found.lesions.to_dict("records")}


def failures(out: Path) -> dict[str, str]:
    table = pd.read_csv(out / "failures.csv", dtype=str)
    return dict(zip(table["file"], table["cause"], strict=True))


P1, P2 = "6c613a14b80a8591", "036aff49b8ac84f0"


def inbreast(root: Path) -> Path:
    """Write two patients: a group in one breast, two breasts without, and an annotation without image."""
    write_inbreast_image(root, "22678646", P1, "L", "ML", breast_to_search("L", group=True))
    write_inbreast_image(root, "22678622", P1, "R", "CC", breast_to_search("R", group=False))
    write_inbreast_image(root, "20586908", P2, "L", "CC", breast_to_search("L", group=False))
    marks = []
    for number, (row, col) in enumerate(speck_places()):
        edges = col - 1.0, row - 1.5, col + 1.0, row + 1.5
        marks.append(("Calcification", [(col, row)]) if number == 0 else ("Calcifications", corners(edges)))
    marks.append(("Cluster", corners(speck_frame())))
    write_inbreast_xml(root / "AllXML" / "22678646.xml", marks)
    write_inbreast_xml(
        root / "AllXML" / "20586908.xml", [("Mass", [(40.0, 300.0), (90.0, 300.0), (60.0, 350.0)])]
    )
    write_inbreast_xml(root / "AllXML" / "53582656.xml", marks)
    (root / "INbreast.csv").write_text(
        "Patient ID;Patient age;Laterality;View;Acquisition date;File Name;ACR;Bi-Rads\n"
        "removed;removed;R;CC;201001;22678622;3 ;1\nremoved;removed;L;MLO;201001;22678646;2 ;4a\n"
        "removed;removed;L;CC;200801;20586908;    ;5\nremoved;removed;L;CC;200801;53582656;1;4b\n"
        "removed;removed;L;CC;200801;53582710;1;1\n"
    )
    return root


def test_inbreast(tmp_path: Path) -> None:
    root, out = inbreast(tmp_path / "set"), tmp_path / "out"
    done = invoke("inbreast", "--root", root, "-o", out)
    assert done.exit_code == 1, done.output  # two images are missing
    assert "cases: 2 negative, 1 located; 3 processed; 0 done before; 2 failed" in done.output
    assert failures(out) == {
        "53582656": "image 53582656 is missing",  # the XML file is there
        "53582710": "image 53582710 is missing",  # the row of the table is there
    }
    page = (out / "RESULTS.md").read_text()
    assert "| cases evaluated | 3 of 3 (0 failed) |" in page
    assert "| 53582656 | image 53582656 is missing; complete the download" in page
    assert "truth | 6 calcifications count, 0 do not" in page
    assert "| size of mark: one pixel | 1 | 1.000 |" in page

    report = again("inbreast", root, out)
    assert report.reused == 3
    singles = report.evaluations["calcifications_hdogreg"]
    assert singles.value("sensitivity", at=0.1) == 1.0
    assert sorted(singles.lesions["diameter_mm"].round(2)) == [0.08] + [0.27] * 5  # 12 pixels of 0.07 mm
    clusters = report.evaluations["clusters_kallergi1999"]
    assert clusters.value("sensitivity", at=0.05, unit="image") == 1.0
    assert clusters.value("end_false_positives", unit="image") == 0.0
    assert clusters.lesions["members"].tolist() == [6]
    for found in (singles, clusters):
        assert counts(found, "images") == [3, 2]
        assert counts(found, "patients") == [2, 2]
        area = found.denominators.set_index("pool")["area_cm2"]
        half_disc = np.pi / 2 * (0.42 * FOUND_ROWS * 0.007) ** 2
        assert area["all"] == pytest.approx(3 * half_disc, rel=0.25)
        assert area["normal"] == pytest.approx(area["all"] * 2 / 3, rel=0.01)

    # What was missing comes alone when it arrives.
    write_inbreast_image(root, "53582656", P2, "L", "CC", breast_to_search(group=True))
    more = run_benchmark("inbreast", root, out, jobs=1, samples=0, plots=False)
    assert (more.processed, more.reused, list(more.failed)) == (1, 3, ["53582710"])
    assert len(more.evaluations["clusters_kallergi1999"].lesions) == 2


HIT, MISS, BENIGN, MASS, GONE, NOWHERE = (letter * 32 for letter in "abcdef")
FIRST, SECOND, THIRD = (f"{number:032x}" for number in (1, 2, 3))


def vindr_row(study: str, image: str, what: str, box: tuple[float, ...] = (), **more: str) -> dict[str, str]:
    cells = dict.fromkeys(("xmin", "ymin", "xmax", "ymax", "finding_birads", "height", "width"), "")
    if box:
        cells |= dict(zip(("xmin", "ymin", "xmax", "ymax"), map(str, box), strict=True))
    return cells | {
        "study_id": study,
        "series_id": "9" * 32,
        "image_id": image,
        "laterality": "L",
        "view_position": "CC",
        "height": str(FOUND_ROWS),
        "width": str(FOUND_COLS),
        "breast_birads": "BI-RADS 4",
        "breast_density": "DENSITY C",
        "finding_categories": f"['{what}']",
        "split": "training",
        **more,
    }


def vindr(root: Path) -> Path:
    """Write a group that is found, one that is not there, benign specks without mark, a mass, and gaps."""
    calcification = "Suspicious Calcification"
    rows = [
        vindr_row(FIRST, HIT, calcification, speck_frame()),
        vindr_row(FIRST, MISS, calcification, (60, 280, 140, 360), view_position="MLO"),
        vindr_row(SECOND, BENIGN, "No Finding"),
        vindr_row(SECOND, MASS, "Mass", (60, 280, 140, 360), laterality="R", split="test"),
        vindr_row(THIRD, GONE, calcification, (60, 280, 140, 360)),
        vindr_row(THIRD, NOWHERE, calcification),
    ]
    pixels = {HIT: True, MISS: False, BENIGN: True, NOWHERE: True}
    images = {name: breast_to_search(group=group) for name, group in pixels.items()}
    write_vindr(root, rows, images | {MASS: breast_to_search("R", group=False)})
    return root


def test_vindr_mammo(tmp_path: Path) -> None:
    root, out = vindr(tmp_path / "set"), tmp_path / "out"
    done = invoke("vindr-mammo", "--root", root, "-o", out)
    assert done.exit_code == 1, done.output
    assert "cases: 2 located, 2 negative; 4 processed; 0 done before; 2 failed" in done.output
    assert failures(out) == {
        f"{GONE}.dicom": f"images/{THIRD}/{GONE}.dicom is missing",
        "finding_annotations.csv": f"a finding has no box (image {NOWHERE})",
    }
    page = (out / "RESULTS.md").read_text()
    assert "## Calcifications" not in page  # boxes are of groups only
    assert "| marks | 1 true, 1 false, 0 not counted |" in page
    assert "| false positives, normal images | divided by 2 images" in page

    (found,) = again("vindr-mammo", root, out).evaluations.values()
    assert counts(found, "images") == [4, 2]
    assert counts(found, "patients") == [2, 1]  # studies stand for patients
    assert hits(found) == {HIT: True, MISS: False}
    assert found.value("end_sensitivity", unit="image") == 0.5
    assert found.value("end_false_positives", unit="image") == 1 / 4
    assert found.value("end_false_positives", unit="image", pool="normal") == 1 / 2
    # Both groups are of one patient: whoever is drawn, half of them are found.
    assert bounds(found, "end_sensitivity") == (0.5, 0.5)

    part = again("vindr-mammo", root, out, split="test")
    assert (part.chosen, part.reused, part.failed) == (1, 1, {})


CLINICAL: list[list[str | float]] = [
    ["ID1", "LeftRight", "Age", "number", "abnormality", "classification", "subtype"],
    ["D1-0001", "R", 44.0, 2.0, "calcification", "Benign"],
    ["D1-0252", "L", 49.0, 2.0, "both", "Malignant"],
    ["D2-0001", "L", 60.0, 2.0, "mass", "Malignant", "Luminal A"],
    ["D2-0002", "R", 61.0, 2.0, "calcification", "Benign"],
    ["D2-0003", "R", 62.0, 2.0, "calcification", "Benign"],
]


def cmmd(root: Path, tompei: Path) -> tuple[Path, Path]:
    """Write four patients, one of them with sides reversed, the outlines, and what lacks its images."""
    images = (
        ("D1-0001", "R", "CC", 1, True),
        ("D1-0001", "R", "MLO", 2, True),
        ("D1-0001", "L", "MLO", 3, False),
        ("D1-0252", "R", "MLO", 1, True),  # the left breast, as a right one in the header
        ("D2-0001", "L", "MLO", 1, False),
        ("D2-0002", "R", "MLO", 1, False),  # its group cannot be seen
    )
    for patient, side, view, number, group in images:
        pixels = breast_to_search(side, group=group, bits=8)
        write_cmmd_image(root, patient, side, view, number, pixels)
    write_xlsx(root / "CMMD_clinicaldata_revision.xlsx", {"Sheet1": CLINICAL})
    group = corners(speck_frame("R"))
    write_tompei(tompei, "D1-0001", "R", [("calc ", group)])
    write_tompei(tompei, "D1-0252", "L", [("calc", group), ("mass", corners((300.0, 200.0, 340.0, 260.0)))])
    write_tompei(tompei, "D2-0001", "L", [("mass", corners((60.0, 280.0, 140.0, 360.0)))])
    write_tompei(tompei, "D2-0002", "R", [("calc", group)])
    write_tompei(tompei, "D2-0004", "R", [("calc", group)])
    sheet: list[list[str | float]] = [
        ["ID", "LeftRight", "Age", "classification", "Remarks"],
        ["D1-0001", "L", 44.0, "Normal"],
        ["D1-0252", "L", 49.0, "Malignant", "Reversed left and right"],
    ]
    write_xlsx(tompei / "TOMPEI-CMMD_clinical_data_v01_20250121.xlsx", {"Details": sheet})
    return root, tompei


def test_cmmd_with_tompei(tmp_path: Path) -> None:
    root, tompei = cmmd(tmp_path / "set", tmp_path / "beside" / "outlines")
    out = tmp_path / "out"
    done = invoke("cmmd", "--root", root, "-o", out, "--option", f"tompei={tompei}")
    assert done.exit_code == 1, done.output
    assert "cases: 1 unlocated, 3 located, 2 negative" in done.output
    assert "5 processed; 0 done before; 2 failed" in done.output
    assert failures(out) == {
        "D2-0003": "the folder of patient D2-0003 is missing",
        "D2-0004_MLO_R_AnnotationFile.json": "its image is missing",
    }
    page = (out / "RESULTS.md").read_text()
    assert "| options | `tompei` = outlines |" in page
    assert str(tmp_path) not in page + (out / "benchmark.json").read_text()
    assert "- left and right are reversed in the header (TOMPEI-CMMD): corrected (1 of 5 cases)" in page
    assert json.loads((out / "benchmark.json").read_text())["cases"]["by_status"]["unlocated"] == 1

    (found,) = again("cmmd", root, out, options={"tompei": tompei}).evaluations.values()
    assert counts(found, "images") == [5, 2]
    assert counts(found, "patients") == [4, 2]
    assert hits(found) == {"D1-0001_R_MLO": True, "D1-0252_L_MLO": True, "D2-0002_R_MLO": False}
    assert found.value("end_sensitivity", unit="image") == pytest.approx(2 / 3)
    assert found.value("end_false_positives", unit="image") == 0.0
    low, high = bounds(found, "end_sensitivity")
    assert low < 2 / 3 < high  # groups of different patients are drawn apart
    images = pd.read_csv(out / "detections" / "images.csv").set_index("file")
    assert images.loc["D1-0252_L_MLO", "laterality"] == "L"
    assert "D1-0001_R_CC" not in images.index


def test_cmmd_alone_has_no_truth_to_evaluate(tmp_path: Path) -> None:
    root, _ = cmmd(tmp_path / "set", tmp_path / "outlines")
    done = invoke("cmmd", "--root", root, "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert "cmmd: no case has a truth to evaluate against" in done.output
    assert "TOMPEI-CMMD" in done.output
    assert not (tmp_path / "out").exists()


def test_files_that_cannot_be_read_are_told_apart(tmp_path: Path) -> None:
    root, _ = cmmd(tmp_path / "set", tmp_path / "set" / "TOMPEI")
    for patient in ("D2-0001", "D2-0002"):  # both files are called 1-1.dcm
        next((root / "CMMD" / patient).rglob("*.dcm")).write_bytes(b"\0" * 300)
    whole = next((root / "CMMD" / "D1-0252").rglob("*.dcm"))
    whole.write_bytes(whole.read_bytes()[:-100_000])
    out = tmp_path / "out"
    report = run_benchmark("cmmd", root, out, jobs=1, samples=0, plots=False)
    causes = failures(out)
    assert "(patient D2-0001)" in causes["1-1.dcm"]
    assert "(patient D2-0002)" in causes["1-1.dcm (2)"]
    assert "truncated" in causes["D1-0252_L_MLO"]
    assert (report.processed, report.chosen) == (2, 3)
    assert "| cases evaluated | 2 of 3 (1 failed) |" in (out / "RESULTS.md").read_text()
    (found,) = report.evaluations.values()
    assert found.lesions["image"].tolist() == ["D1-0001_R_MLO"]
