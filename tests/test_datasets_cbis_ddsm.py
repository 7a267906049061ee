"""CBIS-DDSM: layouts, masks told from crops, masks of another size, spacing, incomplete downloads."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from dataset_standins import COLS, LAYOUTS, ROWS, Cbis, blob, film_crop

from mcdetect.errors import McdetectWarning, MissingSpacingError, UnreadableFileError, UnusableImageError
from mcdetect.validation.datasets import Case, Kind, TruthStatus, open_dataset
from mcdetect.validation.datasets.export import TRUTH_COLUMNS, truth_table

FIRST = "Calc-Training_P_00005_RIGHT_CC"
SECOND = "Calc-Test_P_00038_LEFT_MLO"


def build(root: Path, layout: str = "nested") -> Path:
    """Two images, the first with two abnormalities of which one has crop and mask swapped."""
    cbis = Cbis(root, layout)
    image = cbis.image(FIRST)
    cbis.abnormality(FIRST, image, 1, blob(ROWS, COLS, 50, 70))
    cbis.abnormality(FIRST, image, 2, blob(ROWS, COLS, 200, 20, 30), swapped=True, pathology="BENIGN")
    cbis.abnormality(SECOND, cbis.image(SECOND), 1, blob(ROWS, COLS, 90, 110), together=True, split="test")
    return cbis.finish()


@pytest.fixture
def spacing_table(tmp_path: Path) -> Path:
    path = tmp_path / "spacing.csv"
    path.write_text("image,scanner,pixel_spacing_mm\n" + f"{FIRST},LUMISYS,\nP_00038,,0.042\n")
    return path


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_cases(tmp_path: Path, spacing_table: Path, layout: str) -> None:
    dataset = open_dataset("cbis-ddsm", build(tmp_path / "set", layout), spacing_table=spacing_table)
    cases = {case.name: case for case in dataset}
    assert dataset.problems == []
    assert set(cases) == {FIRST, SECOND}
    first, second = cases[FIRST], cases[SECOND]
    assert (first.patient, first.laterality, first.view) == ("P_00005", "R", "CC")
    assert (second.patient, second.laterality, second.view) == ("P_00038", "L", "MLO")
    assert (first.labels["split"], second.labels["split"]) == ("train", "test")
    assert first.labels["density"] == "3"
    assert [finding.labels["pathology"] for finding in first.findings] == ["MALIGNANT", "BENIGN"]
    labels = first.findings[0].labels
    assert (labels["morphology"], labels["distribution"], labels["birads"]) == ("AMORPHOUS", "CLUSTERED", "4")
    assert all(finding.kind is Kind.GROUP for case in cases.values() for finding in case.findings)
    assert first.status is TruthStatus.LOCATED

    image = first.read()
    np.testing.assert_array_equal(image.pixels, film_crop().astype(np.float32))
    assert (image.view, image.laterality, image.source) == ("CC", "R", FIRST)
    assert (image.spacing.row_mm, image.spacing.source) == (0.05, "table of scanners: Lumisys")
    assert second.read().spacing.row_mm == 0.042

    regions = first.regions(image.shape)
    assert [(r.top, r.left, r.area_px, r.remarks) for r in regions] == [
        (50, 70, 1600, ()),
        (200, 20, 900, ()),
    ]
    assert (regions[0].row, regions[0].col) == (69.5, 89.5)
    np.testing.assert_array_equal(regions[0].full_mask(image.shape), blob(ROWS, COLS, 50, 70) > 0)
    assert regions[0].contains(50, 70)
    assert not regions[0].contains(49.4, 70)
    (only,) = second.regions(image.shape)
    assert (only.top, only.left) == (90, 110)


def test_a_default_spacing_is_said_aloud(tmp_path: Path) -> None:
    root = build(tmp_path)
    with pytest.warns(McdetectWarning, match=r"0\.0435 mm \(Howtek\) is assumed"):
        dataset = open_dataset("cbis-ddsm", root, split="test")
    (case,) = dataset
    assert case.remarks == ("pixel spacing of 0.0435 mm assumed",)
    assert case.read().spacing.source == "assumed: Howtek digitiser of DDSM"


def test_images_missing_from_the_spacing_table_say_so(tmp_path: Path, spacing_table: Path) -> None:
    spacing_table.write_text("patient;scanner\nP_00005;HOWTEK 960\n")
    dataset = open_dataset("cbis-ddsm", build(tmp_path / "set"), spacing_table=spacing_table)
    remarks = {case.name: case.remarks for case in dataset}
    assert remarks[FIRST] == ()
    assert "assumed" in remarks[SECOND][0]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("image,pixel_spacing_mm\nX,5\n", MissingSpacingError),
        ("image,scanner\nX,Kodak\n", UnreadableFileError),
        ("image,scanner\n", UnreadableFileError),
    ],
)
def test_a_bad_spacing_table_is_refused(tmp_path: Path, text: str, error: type[Exception]) -> None:
    root, table = build(tmp_path / "set"), tmp_path / "spacing.csv"
    table.write_text(text)
    with pytest.raises(error, match=r"spacing\.csv"):
        open_dataset("cbis-ddsm", root, spacing_table=table)


def one_case(root: Path, mask: np.ndarray) -> Case:
    cbis = Cbis(root, "flat")
    cbis.abnormality(FIRST, cbis.image(FIRST), 1, mask)
    with pytest.warns(McdetectWarning):
        (case,) = open_dataset("cbis-ddsm", cbis.finish())
    return case


def test_a_mask_of_another_size_is_resized_and_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    case = one_case(tmp_path, blob(200, 151, 50, 40, 20))
    with caplog.at_level(logging.WARNING, logger="mcdetect"):
        (region,) = case.regions((ROWS, COLS))
    assert (region.top, region.mask.shape[0]) == (100, 40)
    assert abs(region.left - 79.5) < 1
    assert abs(region.mask.shape[1] - 40) <= 1
    assert "200 x 151 pixels, its image 400 x 300: resized" in region.remarks[0]
    assert region.remarks[0] in caplog.text


def test_a_mask_of_another_aspect_is_refused(tmp_path: Path) -> None:
    case = one_case(tmp_path, blob(400, 250, 50, 40))
    with pytest.raises(
        UnusableImageError, match=r"1-1\.dcm: .*aspects differ by 20\.0 % .*; leave the image out"
    ):
        case.regions((ROWS, COLS))


def test_an_empty_mask_is_refused(tmp_path: Path) -> None:
    case = one_case(tmp_path, np.zeros((ROWS, COLS), dtype=np.uint8))
    with pytest.raises(UnusableImageError, match=r"1-1\.dcm: the mask is empty"):
        case.regions((ROWS, COLS))


def test_two_crops_and_no_mask_is_an_error_that_says_why(tmp_path: Path) -> None:
    case = one_case(tmp_path, np.ascontiguousarray(film_crop()[50:150, 50:150]))
    with pytest.raises(
        UnreadableFileError, match=rf"no mask was found .*grey levels, so a crop.*\(image {FIRST}\)"
    ):
        case.regions((ROWS, COLS))


def test_an_incomplete_download_passes_over_what_is_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spacing_table: Path
) -> None:
    cbis = Cbis(tmp_path / "set", "descriptive")
    image = cbis.image(FIRST)
    cbis.abnormality(FIRST, image, 1, blob(ROWS, COLS, 50, 70))
    cbis.abnormality(SECOND, "Calc-Test_P_00038_LEFT_MLO/1.2.3/1.2.4/000000.dcm", 1, blob(ROWS, COLS, 9, 9))
    third = "Calc-Training_P_00007_LEFT_CC"
    cbis.abnormality(third, cbis.image(third), 1, blob(ROWS, COLS, 9, 9))
    cbis.rows["train"].append({"patient_id": "P_1", "image file path": "", "image view": "CC"})
    for file in (cbis.root / "CBIS-DDSM" / f"{third}_1").rglob("*.dcm"):
        file.unlink()
    dataset = open_dataset("cbis-ddsm", cbis.finish(), spacing_table=spacing_table)
    with caplog.at_level(logging.WARNING, logger="mcdetect"):
        cases = list(dataset)
    assert [case.name for case in cases] == [FIRST]
    texts = sorted(str(problem) for problem in dataset.problems)
    assert len(texts) == 3
    assert any(f"the image of {SECOND} is missing" in text for text in texts)
    assert any(f"the mask of {third}, abnormality 1 is missing" in text for text in texts)
    assert all(text in caplog.text for text in texts)
    assert len(list(dataset)) == 1
    assert len(dataset.problems) == 3  # not added to by a second pass


def test_a_damaged_image_raises_only_when_it_is_read(tmp_path: Path, spacing_table: Path) -> None:
    dataset = open_dataset("cbis-ddsm", build(tmp_path / "set"), spacing_table=spacing_table, split="train")
    (case,) = dataset
    case.path.write_bytes(case.path.read_bytes()[:3000])
    (again,) = dataset
    with pytest.raises(UnreadableFileError, match=rf"1-1\.dcm: .*\(image {FIRST}\)"):
        again.read()


def test_what_the_set_needs_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="no such folder; give the folder that holds CBIS-DDSM"):
        open_dataset("cbis-ddsm", tmp_path / "nowhere")
    with pytest.raises(UnreadableFileError, match=r"calc_case_description_test_set\.csv is missing"):
        open_dataset("cbis-ddsm", tmp_path, split="test")
    with pytest.raises(ValueError, match="split"):
        open_dataset("cbis-ddsm", tmp_path, split="both")


def test_masks_become_boxes_of_the_truth_table(tmp_path: Path, spacing_table: Path) -> None:
    dataset = open_dataset("cbis-ddsm", build(tmp_path / "set"), spacing_table=spacing_table, split="train")
    (case,) = dataset
    table = truth_table(case, case.read())
    assert list(table.columns) == list(TRUTH_COLUMNS)
    assert table["cluster"].tolist() == ["1", "2"]
    assert table[["x_min", "y_min", "x_max", "y_max"]].to_numpy().tolist() == [
        [70, 50, 109, 89],
        [20, 200, 49, 229],
    ]
    assert table["x"].isna().all()
