"""INbreast: names, outlines and dots, the table, damaged annotations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dataset_standins import COLS, ROWS, write_inbreast_image, write_inbreast_xml, write_xlsx

from mcdetect.errors import InputFileError, UnreadableFileError, UnusableImageError
from mcdetect.validation.datasets import Dot, Kind, Outline, TruthStatus, open_dataset, truth_table

P1, P2 = "6c613a14b80a8591", "036aff49b8ac84f0"
HEADER = "Patient ID;Patient age;Laterality;View;Acquisition date;File Name;ACR;Bi-Rads"
SQUARE = [(40.0, 100.0), (49.0, 100.0), (49.0, 109.0), (40.0, 109.0)]


def build(root: Path) -> Path:
    write_inbreast_image(root, "22678622", P1, "R", "CC")
    write_inbreast_image(root, "22678646", P1, "L", "ML")
    write_inbreast_image(root, "20586908", P2, "L", "CC")
    write_inbreast_xml(
        root / "AllXML" / "22678646.xml",
        [
            ("Calcification", [(60.25, 200.75)]),
            ("Calcifications", SQUARE),
            ("Calcification", [(70.2, 210.1), (70.4, 210.3), (69.8, 209.9)]),  # covers a single pixel
            ("Cluster", [(55.0, 190.0), (80.0, 190.0), (80.0, 220.0), (55.0, 220.0)]),
            ("Mass", [(10.0, 10.0), (30.0, 10.0), (30.0, 30.0)]),
            ("Point 1", [(5.0, 5.0)]),
            ("Unnamed", []),
        ],
    )
    write_inbreast_xml(root / "AllXML" / "20586908.xml", [("Espiculated Region", SQUARE)])
    (root / "INbreast.csv").write_text(
        f"{HEADER}\nremoved;removed;R;CC;201001;22678622;3 ;1\n"
        "removed;removed;L;MLO;201001;22678646;2 ;4a\nremoved;removed;L;CC;200801;20586908;    ;5\n"
    )
    return root


def test_cases_and_truth(tmp_path: Path) -> None:
    dataset = open_dataset("inbreast", build(tmp_path))
    cases = {case.name: case for case in dataset}
    assert dataset.problems == []
    assert {name: case.patient for name, case in cases.items()} == {
        "22678622": P1,
        "22678646": P1,
        "20586908": P2,
    }
    assert [cases[n].status for n in ("22678622", "22678646", "20586908")] == [
        TruthStatus.NEGATIVE,
        TruthStatus.LOCATED,
        TruthStatus.NEGATIVE,
    ]
    case = cases["22678646"]
    assert (case.laterality, case.view) == ("L", "MLO")
    assert case.labels == {"birads": "4a", "density": "2"}
    assert "density" not in cases["20586908"].labels
    assert case.remarks == ("1 marks without points passed over",)
    kinds = [finding.kind for finding in case.findings]
    assert kinds == [Kind.CALCIFICATION] * 3 + [Kind.GROUP] + [Kind.OTHER] * 2
    assert case.findings[0].shape == Dot(200.75, 60.25)  # (x, y) became (row, col)
    assert isinstance(case.findings[1].shape, Outline)


def test_outlines_on_the_pixels(tmp_path: Path) -> None:
    case = next(case for case in open_dataset("inbreast", build(tmp_path)) if case.name == "22678646")
    image = case.read()
    assert image.shape == (ROWS, COLS)
    assert image.spacing.row_mm == 0.07
    assert "Imager Pixel Spacing" in image.spacing.source  # the header wins over what the set states
    regions = case.regions(image.shape)
    assert [region.is_dot for region in regions[:3]] == [True, False, True]
    assert (regions[0].top, regions[0].left) == (201, 60)
    assert (regions[1].top, regions[1].left, regions[1].area_px) == (100, 40, 100)
    assert (regions[1].row, regions[1].col) == (104.5, 44.5)

    table = truth_table(case, image)
    assert table["kind"].tolist() == ["calcification"] * 3 + ["group"]
    assert table["dot"].tolist() == [True, False, True, False]
    assert table["diameter_mm"][1] == pytest.approx(2 * np.sqrt(100 / np.pi) * 0.07)
    assert table["cluster"].tolist() == ["1", "", "1", "1"]  # two of the three lie in the cluster


def test_without_a_table_images_have_no_labels(tmp_path: Path) -> None:
    root = build(tmp_path)
    (root / "INbreast.csv").unlink()
    cases = {case.name: case for case in open_dataset("inbreast", root)}
    assert cases["22678646"].labels == {}
    assert cases["22678646"].view == "MLO"
    assert cases["22678622"].status is TruthStatus.NEGATIVE


def test_the_table_may_be_a_workbook(tmp_path: Path) -> None:
    root = build(tmp_path)
    (root / "INbreast.csv").unlink()
    rows: list[list[str | float]] = [
        [*HEADER.split(";")],
        ["removed", "removed", "L", "MLO", 201001.0, 22678646.0, 2.0, "4a"],
    ]
    write_xlsx(root / "INbreast.xlsx", {"Sheet1": rows})
    cases = {case.name: case for case in open_dataset("inbreast", root)}
    assert cases["22678646"].labels == {"birads": "4a", "density": "2"}


def test_an_old_workbook_is_reported_and_the_images_still_come(tmp_path: Path) -> None:
    root = build(tmp_path)
    (root / "INbreast.csv").rename(root / "INbreast.xls")
    (root / "INbreast.xls").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512))
    dataset = open_dataset("inbreast", root)
    assert len(list(dataset)) == 3
    (problem,) = dataset.problems
    assert str(problem).startswith("INbreast.xls: it is a workbook of the old .xls kind; save it")


def test_an_annotated_breast_without_its_file_is_unknown(tmp_path: Path) -> None:
    root = build(tmp_path)
    (root / "AllXML" / "22678646.xml").unlink()
    case = next(case for case in open_dataset("inbreast", root) if case.name == "22678646")
    assert case.status is TruthStatus.UNKNOWN
    assert case.remarks == ("BI-RADS 4a without annotation",)


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE p [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    "<plist><string>&b;</string></plist>"
)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<plist>not really",
        b"\xff\xfe\x00garbage",
        BOMB.encode(),
        b"<plist><array/></plist>",
        b"<plist><dict><key>Images</key><array><string>x</string></array></dict></plist>",
    ],
)
def test_a_damaged_annotation_costs_one_image(tmp_path: Path, content: bytes) -> None:
    root = build(tmp_path)
    (root / "AllXML" / "20586908.xml").write_bytes(content)
    dataset = open_dataset("inbreast", root)
    assert sorted(case.name for case in dataset) == ["22678622", "22678646"]
    (problem,) = dataset.problems
    assert str(problem).startswith("20586908.xml: it is no property list of outlines")


@pytest.mark.parametrize("point", ["(1, 2", "1, 2, 3", "(nan, 5)", "(1e300, 5)", "(a, b)"])
def test_impossible_points_cost_one_image(tmp_path: Path, point: str) -> None:
    root = build(tmp_path)
    path = root / "AllXML" / "22678646.xml"
    path.write_text(path.read_text().replace("(60.250000, 200.750000)", point))
    dataset = open_dataset("inbreast", root)
    assert len(list(dataset)) == 2
    (problem,) = dataset.problems
    assert isinstance(problem, UnreadableFileError)
    assert str(problem).startswith("22678646.xml: ")


def test_a_mark_outside_its_image_is_an_error_of_the_case(tmp_path: Path) -> None:
    root = build(tmp_path)
    write_inbreast_xml(root / "AllXML" / "20586908.xml", [("Calcification", [(2000.0, 5.0)])])
    case = next(case for case in open_dataset("inbreast", root) if case.name == "20586908")
    with pytest.raises(UnusableImageError, match="lies outside the image"):
        case.regions((ROWS, COLS))


def test_foreign_names_and_missing_parts(tmp_path: Path) -> None:
    root = build(tmp_path)
    image = next((root / "AllDICOMs").iterdir())
    image.rename(image.with_name("renamed_MG_.dcm"))
    dataset = open_dataset("inbreast", root)
    assert len(list(dataset)) == 2
    assert "restore the name" in str(dataset.problems[0])
    for path in (root / "AllXML").iterdir():
        path.unlink()
    with pytest.raises(InputFileError, match=r"the XML files \(AllXML\) is missing"):
        open_dataset("inbreast", root)
