"""Own folders: CSV of every form, COCO JSON, names of images, hostile entries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from dataset_standins import COLS, ROWS, blob
from dicom_factory import breast_image, write_dicom

from mcdetect.errors import MissingSpacingError, UnreadableFileError
from mcdetect.validation.datasets import (
    Box,
    Circle,
    Dot,
    Kind,
    Outline,
    Runs,
    TruthStatus,
    open_dataset,
    truth_table,
)


def write_png(path: Path, pixels: np.ndarray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(imagecodecs.png_encode(breast_image(ROWS, COLS) if pixels is None else pixels))
    return path


def build(root: Path, table: str) -> Path:
    write_png(root / "images" / "one_L_CC.png")
    write_png(root / "images" / "two.png")
    write_png(root / "masks" / "two.png", blob(ROWS, COLS, 30, 40, 10))
    write_dicom(root / "three.dcm", breast_image(ROWS, COLS))
    (root / "truth.csv").write_text(table)
    return root


def test_every_form_of_row(tmp_path: Path) -> None:
    table = (
        "image,patient,row,col,radius,xmin,ymin,xmax,ymax,mask,kind,birads,pixel_spacing_mm\n"
        "images/one_L_CC.png,A,10,20,,,,,,,,4,0.1\n"
        "images/one_L_CC.png,A,30.5,40,5,,,,,,cluster,,\n"
        "images/one_L_CC.png,A,,,,1,2,11,22,,mass,,\n"
        "images/two.png,A,,,,,,,,masks/two.png,calcification cluster,,\n"
        "three.dcm,B,,,,,,,,,,,\n"
    )
    dataset = open_dataset("generic", build(tmp_path, table), pixel_spacing_mm=0.05)
    one, two, three = dataset
    assert dataset.problems == []
    assert [finding.shape for finding in one.findings] == [
        Dot(10, 20),
        Circle(30.5, 40, 5),
        Box(2, 1, 22, 11),
    ]
    assert [finding.kind for finding in one.findings] == [Kind.CALCIFICATION, Kind.GROUP, Kind.OTHER]
    assert one.findings[0].labels == {"birads": "4"}
    assert (one.name, one.patient, one.laterality, one.view) == ("images_one_L_CC", "A", "L", "CC")
    assert one.read().spacing.row_mm == 0.1
    assert one.read().spacing.source == "table truth.csv"
    assert (two.name, two.read().spacing.row_mm) == ("images_two", 0.05)
    assert two.read().spacing.source == "given by the user"
    (region,) = two.regions((ROWS, COLS))
    assert (region.top, region.left, region.area_px) == (30, 40, 100)
    assert region.finding.kind is Kind.GROUP
    assert (three.status, three.findings) == (TruthStatus.NEGATIVE, ())
    assert three.read().spacing.row_mm == 0.07  # its header
    assert len(truth_table(three, three.read())) == 0


def test_other_dialects_and_names(tmp_path: Path) -> None:
    root = build(tmp_path, "")
    (root / "truth.csv").unlink()
    truth = tmp_path / "elsewhere" / "marks.csv"
    truth.parent.mkdir()
    truth.write_bytes(
        "\ufeffImage;X;Y;Width;Height;Note\r\none_L_CC;5;6;10,5;20;Größe\r\n".encode("latin-1", "ignore")
    )
    (case,) = open_dataset("generic", root, truth=truth, kind="group", pixel_spacing_mm=(0.07, 0.05))
    (finding,) = case.findings
    assert finding.shape == Box(6, 5, 26, 15.5)
    assert finding.kind is Kind.GROUP
    assert finding.labels == {"note": "Größe"}
    assert case.remarks == ("no patient named: the image stands for one",)
    image = case.read()
    assert (image.spacing.row_mm, image.spacing.col_mm) == (0.07, 0.05)


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        ("../secret.png,1,1", "no path under the folder"),
        ("/etc/passwd,1,1", "no path under the folder"),
        ("C:\\secret.png,1,1", "no path under the folder"),
        ("gone.png,1,1", "the image gone.png is missing"),
        ("one_L_CC,,5", "a row lacks a number in row, col"),
        ("one_L_CC,abc,5", "a row lacks a number in row, col"),
        ("one_L_CC,inf,5", "a row lacks a number in row, col"),
        ("one_L_CC,1e200,5", "no usable number"),
        ("same,1,1", "fits several files"),
    ],
)
def test_a_bad_row_costs_one_image(tmp_path: Path, row: str, cause: str) -> None:
    root = build(tmp_path / "set", f"image,row,col\n{row}\nthree.dcm,7,8\n")
    write_png(root / "a" / "same.png")
    write_png(root / "b" / "same.png")
    write_png(tmp_path / "secret.png")
    dataset = open_dataset("generic", root)
    assert [case.name for case in dataset] == ["three"]
    (problem,) = dataset.problems
    assert cause in str(problem)
    assert str(problem).startswith("truth.csv: ")


def test_images_of_equal_names_stay_apart(tmp_path: Path) -> None:
    write_png(tmp_path / "x_1.png")
    write_png(tmp_path / "x" / "1.png")
    (tmp_path / "truth.csv").write_text("image\nx_1.png\nx/1.png\n")
    assert [case.name for case in open_dataset("generic", tmp_path)] == ["x_1", "x_1_2"]


def test_a_picture_without_spacing_cannot_be_read(tmp_path: Path) -> None:
    (case,) = open_dataset("generic", build(tmp_path, "image\nimages/two.png\n"))
    with pytest.raises(MissingSpacingError, match=r"two\.png"):
        case.read()


def test_the_truth_file_is_found_or_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="no truth file"):
        open_dataset("generic", tmp_path)
    (tmp_path / "truth.csv").write_text("image\n")
    (tmp_path / "annotations.json").write_text("{}")
    with pytest.raises(UnreadableFileError, match="several truth files"):
        open_dataset("generic", tmp_path)
    with pytest.raises(UnreadableFileError, match=r"nowhere\.csv: cannot be opened"):
        list(open_dataset("generic", tmp_path, truth=tmp_path / "nowhere.csv"))


def coco(**more: Any) -> dict[str, Any]:
    return {
        "images": [
            {"id": 1, "file_name": "images/two.png", "width": COLS, "height": ROWS, "patient_id": 7},
            {"id": 2, "file_name": "three.dcm", "width": COLS, "height": ROWS},
        ],
        "categories": [
            {"id": 1, "name": "calcification"},
            {"id": 2, "name": "Cluster"},
            {"id": 3, "name": "mass"},
        ],
        "annotations": [],
    } | more


def test_coco(tmp_path: Path) -> None:
    mask = blob(ROWS, COLS, 30, 40, 2) > 0
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flat])))
    counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    annotations = [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [20, 10, 4, 3]},
        {
            "id": 2,
            "image_id": 1,
            "category_id": 2,
            "bbox": [0, 0, 1, 1],
            "segmentation": [[10, 20, 20, 20, 20, 40, 10, 40]],
        },
        {"id": 3, "image_id": 1, "category_id": 3, "segmentation": {"size": [ROWS, COLS], "counts": counts}},
    ]
    root = build(tmp_path, "")
    (root / "truth.csv").unlink()
    (root / "annotations.json").write_text(json.dumps(coco(annotations=annotations)))
    dataset = open_dataset("generic", root, pixel_spacing_mm=0.07)
    two, three = dataset
    assert dataset.problems == []
    assert (two.patient, three.status) == ("7", TruthStatus.NEGATIVE)
    assert [finding.kind for finding in two.findings] == [Kind.CALCIFICATION, Kind.GROUP, Kind.OTHER]
    assert [type(finding.shape) for finding in two.findings] == [Box, Outline, Runs]
    box, polygon, runs = two.regions((ROWS, COLS))
    assert (box.top, box.left, box.mask.shape) == (10, 20, (3, 4))
    assert (box.row, box.col) == (11, 21.5)
    assert abs(polygon.row - 29.5) <= 0.5
    assert abs(polygon.col - 14.5) <= 0.5
    np.testing.assert_array_equal(runs.full_mask((ROWS, COLS)), mask)


@pytest.mark.parametrize(
    ("annotation", "cause"),
    [
        ({"bbox": [1, 2, 3]}, "ValueError"),
        ({"bbox": [1, 2, 0, 3]}, "no area"),
        ({"bbox": None}, "TypeError"),
        ({"segmentation": {"size": [ROWS, COLS], "counts": "abc"}}, "compressed run lengths"),
        ({"segmentation": {"size": [ROWS, COLS], "counts": [1, 2]}}, "do not fill"),
        ({"segmentation": [[1, 2, 3]]}, "ValueError"),
        ({"segmentation": [[]], "bbox": [1, 1, 1, 1]}, "no points"),
    ],
)
def test_a_bad_annotation_costs_one_image(tmp_path: Path, annotation: dict[str, Any], cause: str) -> None:
    root = build(tmp_path, "")
    path = root / "coco.json"
    annotations = [{"image_id": 1, "category_id": 1} | annotation, {"image_id": 99, "bbox": [1, 1, 1, 1]}]
    path.write_text(json.dumps(coco(annotations=annotations)))
    dataset = open_dataset("generic", root, truth=path)
    assert [case.name for case in dataset] == ["three"]
    first, second = dataset.problems
    assert cause in str(first)
    assert str(first).startswith("coco.json: an annotation of image 1 cannot be used")
    assert "1 annotations belong to no image" in str(second)


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 100_000, '{"images": [1]}'])
def test_json_of_another_kind_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "truth.json"
    path.write_text(text)
    with pytest.raises(UnreadableFileError, match=r"truth\.json: it is no COCO file"):
        list(open_dataset("generic", tmp_path))
