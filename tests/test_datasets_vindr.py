"""VinDr-Mammo: boxes, negatives, invalid UIDs, hostile cells."""

from __future__ import annotations

from pathlib import Path

import pytest
from dataset_standins import COLS, ROWS, write_vindr

from mcdetect.errors import UnreadableFileError, UnusableImageError
from mcdetect.validation.datasets import Kind, TruthStatus, open_dataset, truth_table

STUDY = "b8d273e8601f348d3664778dae0e7e0b"
SERIES = "1e1a1b23cfc0b2b3f5a2d7c7bb4a1d11"
MARKED, CLEAN, MASS = (c * 32 for c in "abc")


def row(image: str, categories: str, box: tuple[object, ...] = ("",) * 4, **more: str) -> dict[str, str]:
    cells = {
        "study_id": STUDY,
        "series_id": SERIES,
        "image_id": image,
        "laterality": "L",
        "view_position": "CC",
        "height": str(ROWS),
        "width": str(COLS),
        "breast_birads": "BI-RADS 4",
        "breast_density": "DENSITY C",
        "finding_categories": categories,
        "finding_birads": "BI-RADS 4" if box[0] != "" else "",
        "split": "training",
    }
    return cells | dict(zip(("xmin", "ymin", "xmax", "ymax"), map(str, box), strict=True)) | more


def build(root: Path) -> Path:
    write_vindr(
        root,
        [
            row(MARKED, "['Suspicious Calcification', 'Mass']", (20.5, 100.0, 60.5, 150.0)),
            row(MARKED, "['Focal Asymmetry']", (10, 10, 30, 30)),
            row(CLEAN, "['No Finding']", view_position="MLO", breast_birads="BI-RADS 1", split="test"),
            row(MASS, "['Mass']", (-3.2, 200, 40, 240)),
        ],
    )
    return root


def test_cases_and_truth(tmp_path: Path) -> None:
    dataset = open_dataset("vindr-mammo", build(tmp_path))
    cases = {case.name: case for case in dataset}
    assert dataset.problems == []
    assert [cases[name].status for name in (MARKED, CLEAN, MASS)] == [
        TruthStatus.LOCATED,
        TruthStatus.NEGATIVE,
        TruthStatus.NEGATIVE,
    ]
    assert cases[CLEAN].labels == {"birads": "1", "density": "C", "split": "test"}
    assert (cases[CLEAN].view, cases[CLEAN].patient) == ("MLO", STUDY)
    case = cases[MARKED]
    assert [finding.kind for finding in case.findings] == [Kind.GROUP, Kind.OTHER]
    assert case.findings[0].labels == {"name": "Suspicious Calcification, Mass", "birads": "4"}
    image = case.read()
    assert case.spacing is None
    assert image.spacing.row_mm == 0.07
    region = case.regions(image.shape)[0]
    assert (region.top, region.left, region.mask.shape) == (100, 20, (50, 40))
    assert truth_table(case, image)[["x_min", "y_min", "x_max", "y_max"]].to_numpy().tolist() == [
        [20, 100, 59, 149]
    ]
    (cut,) = cases[MASS].regions(image.shape)
    assert (cut.left, cut.mask.shape) == (0, (40, 40))  # begins at a negative coordinate


def test_a_split_can_be_taken_alone(tmp_path: Path) -> None:
    assert [case.name for case in open_dataset("vindr-mammo", build(tmp_path), split="test")] == [CLEAN]
    with pytest.raises(ValueError, match="split"):
        open_dataset("vindr-mammo", tmp_path, split="train")


def test_boxes_of_a_grid_of_another_size_are_scaled(tmp_path: Path) -> None:
    write_vindr(
        tmp_path,
        [
            row(
                MARKED,
                "['Suspicious Calcification']",
                (40, 200, 120, 300),
                height=str(2 * ROWS),
                width=str(2 * COLS),
            )
        ],
    )
    (case,) = open_dataset("vindr-mammo", tmp_path)
    (region,) = case.regions((ROWS, COLS))
    assert (region.top, region.left, region.mask.shape) == (100, 20, (50, 40))
    assert "truth scaled" in region.remarks[0]
    with pytest.raises(UnusableImageError, match="give the image that was annotated"):
        case.regions((ROWS, COLS // 2))


@pytest.mark.parametrize(
    ("bad", "cause"),
    [
        (row(MARKED, "__import__('os').abort()", (1, 1, 9, 9)), "no list of names"),
        (row(MARKED, "[]", (1, 1, 9, 9)), "is empty"),
        (row(MARKED, "['Mass']"), "has no box"),
        (row(MARKED, "['Mass']", ("x", 1, 9, 9)), "has no box"),
        (row(MARKED, "['Mass']", (9, 9, 9, 9)), "no area"),
        (row(MARKED, "['Mass']", (1, 1, 1e99, 9)), "no usable number"),
    ],
)
def test_a_bad_row_costs_one_image(tmp_path: Path, bad: dict[str, str], cause: str) -> None:
    write_vindr(tmp_path, [bad, row(CLEAN, "['No Finding']")])
    dataset = open_dataset("vindr-mammo", tmp_path)
    assert [case.name for case in dataset] == [CLEAN]
    (problem,) = dataset.problems
    assert cause in str(problem)
    assert str(problem).startswith("finding_annotations.csv: ")


def test_paths_are_never_built_from_hostile_names(tmp_path: Path) -> None:
    root = build(tmp_path / "set")
    table = root / "finding_annotations.csv"
    (tmp_path / "set" / "images" / "secret.dicom").write_bytes(b"x")
    table.write_text(table.read_text().replace(f"{MASS},", "../secret,").replace(f"{CLEAN},", "gone,"))
    dataset = open_dataset("vindr-mammo", root)
    assert [case.name for case in dataset] == [MARKED]
    texts = [str(problem) for problem in dataset.problems]
    assert "no plain name" in texts[1]
    assert f"images/{STUDY}/gone.dicom is missing" in texts[0]


def test_a_table_without_its_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "finding_annotations.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UnreadableFileError, match="no header row with the columns 'study id'"):
        list(open_dataset("vindr-mammo", tmp_path))
