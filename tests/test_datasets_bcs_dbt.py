"""BCS-DBT by drawn files: paths, labels, boxes per slice, turned slices, the rule of its challenge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from evaluation_tables import marks_of
from pydicom import dcmread
from test_datasets_newer import write_table

from mcdetect.errors import UnreadableFileError
from mcdetect.image.volume import Volume
from mcdetect.phantom import PhantomTomosynthesis, draw_tomosynthesis, write_tomosynthesis
from mcdetect.validation.datasets import Box, Dataset, Kind, TruthStatus, open_dataset, truth_table
from mcdetect.validation.datasets.base import Finding
from mcdetect.validation.evaluation import Options, evaluate
from mcdetect.validation.evaluation.cases import build_images, build_truth
from mcdetect.validation.evaluation.cluster_matching import match_clusters, true_clusters
from mcdetect.validation.evaluation.matching import FALSE, TRUE
from mcdetect.validation.evaluation.readers import TableError, standardise

SLICES = 8


@pytest.fixture(scope="module")
def phantom() -> PhantomTomosynthesis:
    return draw_tomosynthesis((220, 160), 0.5, seed=3, slices=SLICES, laterality="L")


def key(view: str, patient: str = "DBT-P00013", study: str = "DBT-S04306") -> dict[str, str]:
    return {"PatientID": patient, "StudyUID": study, "View": view}


def turn(path: Path) -> None:
    """Turn every frame of a file by 180 degrees."""
    header = dcmread(path)
    header.PixelData = np.ascontiguousarray(header.pixel_array[:, ::-1, ::-1]).tobytes()
    header.save_as(path)


def build(root: Path, phantom: PhantomTomosynthesis, *, turned: bool = False, **changes: Any) -> Path:
    """Write two views, a third that was not downloaded, and the tables of the training part."""
    paths = []
    for view, number in (("lcc", "1.000000-NA-2"), ("lmlo", "2.000000-NA-3"), ("rmlo2", "3.000000-NA-4")):
        folder = f"Breast-Cancer-Screening-DBT/DBT-P00013/01-01-2000-x/{number}"
        paths.append(key(view) | {"descriptive_path": f"{folder}/1-1.dcm", "classic_path": f"{folder}/b.dcm"})
        if view != "rmlo2":
            (root / "manifest-1" / folder).mkdir(parents=True)
            name = "1-1.dcm" if view == "lcc" else "1-01.dcm"  # another name than the table gives
            write_tomosynthesis(phantom, root / "manifest-1" / folder / name)
            if turned:
                turn(root / "manifest-1" / folder / name)
    states = {"Normal": "0", "Actionable": "0", "Benign": "0", "Cancer": "0"}
    labels = [key("lcc") | states | {"Cancer": "1"}, key("lmlo") | states | {"Normal": "1"}]
    box = {"Subject": "1", "Slice": "3", "X": "20", "Y": "90", "Width": "30", "Height": "24"}
    last = {"Class": "cancer", "AD": "1", "VolumeSlices": str(SLICES)}
    write_table(root / "BCS-DBT file-paths-train-v2.csv", [*paths, key("lcc") | changes.get("path", {})][:3])
    write_table(root / "BCS-DBT-labels-train-v2.csv", labels)
    write_table(root / "BCS-DBT-boxes-train-v2.csv", [key("LCC") | box | last | changes.get("box", {})])
    return root


def opened(root: Path, phantom: PhantomTomosynthesis, **options: Any) -> Dataset:
    return open_dataset("bcs-dbt", build(root, phantom), **options)


def test_views_are_cases_with_boxes_in_slices(tmp_path: Path, phantom: PhantomTomosynthesis) -> None:
    dataset = opened(tmp_path, phantom)
    first, second = dataset
    assert [problem.cause for problem in dataset.problems] == ["the view rmlo2 of DBT-S04306 is missing"]
    assert (first.name, first.patient) == ("DBT-P00013_DBT-S04306_lcc", "DBT-P00013")
    assert (first.view, first.laterality, first.status) == ("CC", "L", TruthStatus.LOCATED)
    assert (second.view, second.status, second.findings) == ("MLO", TruthStatus.NEGATIVE, ())
    assert first.labels == {"group": "cancer", "split": "train", "study": "DBT-S04306"}
    (finding,) = first.findings
    assert finding.kind is Kind.OTHER
    assert finding.shape == Box(90, 20, 114, 50)
    assert finding.labels["name"] == "architectural distortion"
    assert finding.slices == (1.0, 5.0)  # a quarter of eight slices to either side
    volume = first.read()
    assert isinstance(volume, Volume)
    assert (volume.source, volume.laterality, volume.view, len(volume)) == (first.name, "L", "CC", SLICES)
    (region,) = first.regions(volume.shape)
    assert (region.top, region.left, region.mask.shape) == (90, 20, (24, 30))
    assert truth_table(first, volume.mammogram(0)).empty  # a mass is no group


def test_slices_of_the_other_border_are_turned(tmp_path: Path, phantom: PhantomTomosynthesis) -> None:
    right = next(iter(open_dataset("bcs-dbt", build(tmp_path / "a", phantom)))).read()
    case = next(iter(open_dataset("bcs-dbt", build(tmp_path / "b", phantom, turned=True))))
    turned = case.read()
    assert "slices turned by 180 degrees" in " ".join(turned.flags)
    assert "turned" not in " ".join(right.flags)
    assert [turned.stored(k).shape for k in range(2)] == [right.shape] * 2
    assert turned.stored(3)[:, :20].mean() > turned.stored(3)[:, -20:].mean()  # the breast lies at the left
    np.testing.assert_array_equal(turned.stored(3), right.stored(3))


def test_parts_and_options(tmp_path: Path, phantom: PhantomTomosynthesis) -> None:
    root = build(tmp_path, phantom)
    assert list(open_dataset("bcs-dbt", root, split="test")) == []
    case = next(iter(open_dataset("bcs-dbt", root, split="train", as_groups="true")))
    table = truth_table(case, case.read().mammogram(0))
    assert table[["x_min", "y_max", "slice_min", "slice_max"]].to_numpy().tolist() == [
        [20.0, 113.0, 1.0, 5.0]
    ]
    for wrong in ({"split": "training"}, {"as_groups": "perhaps"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            open_dataset("bcs-dbt", root, **wrong)
    with pytest.raises(UnreadableFileError, match="file paths is missing"):
        open_dataset("bcs-dbt", tmp_path / "manifest-1")


@pytest.mark.parametrize(
    ("box", "why"),
    [
        ({"Width": "0"}, "no area"),
        ({"Slice": ""}, "no slice, place or size"),
        ({"Slice": "99"}, "lies in slice 99 of 8"),
        ({"VolumeSlices": "x"}, "no slice, place or size"),
    ],
)
def test_impossible_boxes_cost_their_view_only(
    tmp_path: Path, phantom: PhantomTomosynthesis, box: dict[str, str], why: str
) -> None:
    dataset = open_dataset("bcs-dbt", build(tmp_path, phantom, box=box))
    assert [case.view for case in dataset] == ["MLO"]
    assert any(why in problem.cause for problem in dataset.problems)


def test_paths_stay_within_the_set(tmp_path: Path, phantom: PhantomTomosynthesis) -> None:
    root = build(tmp_path, phantom)
    write_table(
        root / "BCS-DBT file-paths-train-v2.csv",
        [key("lcc") | {"descriptive_path": "../../x.dcm", "classic_path": ""}],
    )
    dataset = open_dataset("bcs-dbt", root)
    assert list(dataset) == []
    assert "leaves the folder" in dataset.problems[0].cause


# ------------------------------------------------------------------------------------- the challenge's rule


def found_by(rule: str, y: float, x: float, frame: float) -> int:
    """Match one mark, in pixels of 0.1 mm, with a box of 60 x 80 pixels in slices 10 to 30."""
    truth = standardise(
        pd.DataFrame(
            {"image": ["a"], "x_min": [200], "y_min": [100], "x_max": [280], "y_max": [160]}
            | {"slice_min": [10.0], "slice_max": [30.0]}
        ),
        what="truth",
        required=("image",),
    )
    images = build_images(None, truth, [], spacing_mm=0.1, name_match="exact")
    points, regions = build_truth(truth, images)
    clusters = true_clusters(points, regions, min_members=5)
    marks = replace(marks_of([(0, y / 10, x / 10, 1.0)], ["1"]), slice=np.array([frame]))
    return int(match_clusters(marks, None, clusters, regions, rule).status[0])


def test_dbtex_asks_for_centres_within_100_pixels_and_for_the_slices() -> None:
    assert found_by("dbtex", 130, 240, 20) == TRUE
    assert found_by("dbtex", 130, 339, 20) == TRUE  # half the diagonal is 50 pixels only
    assert found_by("dbtex", 130, 341, 20) == FALSE
    assert found_by("dbtex", 130, 240, 31) == FALSE
    assert found_by("dbtex", 130, 240, np.nan) == TRUE  # a detector that names no slice


def test_other_rules_ask_for_the_slices_too() -> None:
    assert found_by("centroid", 130, 240, 30) == TRUE
    assert found_by("centroid", 130, 240, 9) == FALSE


def test_dbtex_needs_boxes() -> None:
    truth = pd.DataFrame({"image": ["a"] * 5, "x": range(5), "y": range(5), "cluster": ["1"] * 5})
    marks = pd.DataFrame({"image": ["a"], "x": [2.0], "y": [2.0], "score": [1.0]})
    images = pd.DataFrame({"image": ["a"], "spacing_mm": [0.1], "area_cm2": [10.0]})
    with pytest.raises(TableError, match="needs boxes"):
        evaluate(marks, truth, images, options=Options(target="clusters", rule="dbtex"), samples=0)


def test_findings_of_plain_images_span_no_slices() -> None:
    assert Finding(Kind.GROUP, Box(0, 0, 1, 1)).slices is None
