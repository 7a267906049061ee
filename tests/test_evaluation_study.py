"""The whole evaluation: tables in, figures and files out."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from evaluation_tables import small_study

from mcdetect.errors import install_hint
from mcdetect.validation.evaluation import Options, TableError, evaluate, read_table
from mcdetect.validation.evaluation.readers import image_key
from mcdetect.validation.evaluation.xlsx import MissingExcelError, write_workbook

TRUTH = pd.DataFrame(
    {"image": ["a", "a", "b"], "x": [10, 50, 30], "y": [10, 50, 30], "patient": ["p", "p", "q"]}
)
MARKS = pd.DataFrame(
    {
        "image": ["a", "a", "b", "c", "c"],
        "x": [11, 90, 30, 5, 9],
        "y": [10, 90, 31, 5, 9],
        "score": [5, 4, 3, 2, 4],
    }
)
IMAGES = pd.DataFrame(
    {
        "image": ["a", "b", "c", "d"],
        "spacing_mm": 0.1,
        "area_cm2": [100, 50, 30, 20],
        "patient": ["p", "q", "r", "s"],
    }
)


def test_denominators_by_hand() -> None:
    found = evaluate(MARKS, TRUTH, IMAGES, samples=50, rates_per_image=(0.5, 1), rates_per_cm2=(0.01, 0.02))
    assert found.denominators["images"].tolist() == [4, 2]
    assert found.denominators["area_cm2"].tolist() == [200, 50]
    # Found at 5 and 3; false marks 4 (a), 4 and 2 (c): two of four images' worth at 4, three at 2.
    assert found.value(at=0.5, unit="image") == pytest.approx(2 / 3)  # 2 false / 4 images down to score 3
    assert found.value(at=0.5, unit="image", pool="normal") == pytest.approx(2 / 3)
    assert found.value(at=0.01) == pytest.approx(2 / 3)
    assert found.value(at=0.01, pool="normal") == pytest.approx(1 / 3)
    assert found.value("end_false_positives", unit="image") == 3 / 4
    assert found.value("end_false_positives", unit="image", pool="normal") == 1.0
    assert found.value("end_false_positives") == 3 / 200
    # Normals: c tops 4, d has none. Lesions 5 (2 of 2), 3 (1), missed (0 against c, half against d).
    assert found.value("jafroc") == pytest.approx((2 + 1 + 0.5) / 6)
    text = dict(found.describe())
    assert text["false positives, normal images"] == "divided by 2 images, 50.0 cm² of breast (2 patients)"


def test_our_own_column_names_and_anisotropic_pixels() -> None:
    images = pd.DataFrame(
        {"file": ["a"], "row_spacing_mm": [0.05], "col_spacing_mm": [0.2], "searched_area_cm2": [9.0]}
    )
    truth = pd.DataFrame({"image": ["a"], "x": [100], "y": [100]})
    for row, col, hits in ((106, 100, 1), (108, 100, 0), (100, 101, 1), (100, 102, 0)):
        marks = pd.DataFrame(
            {"file": ["a"], "row_px": [row], "col_px": [col], "score": [0.5], "cluster_id": [0]}
        )
        found = evaluate(marks, truth, images, samples=0)
        assert found.value("end_sensitivity") == hits


def test_bins_by_diameter_snr_dots_and_grouping() -> None:
    truth = pd.DataFrame(
        {
            "image": "a",
            "x": [0, 100, 200, 300, 400],
            "y": 0,
            "diameter_mm": [0.1, 0.15, 0.3, 0.5, np.nan],
            "snr": [2, 3, 6, 20, 9],
            "cluster": ["", "1", "1", 0, "0"],
        }
    )
    marks = pd.DataFrame({"image": "a", "x": [100, 300], "y": 0, "score": [2, 1]})
    found = evaluate(marks, truth, spacing_mm=0.1, samples=0, rates_per_image=(1.0,))
    bins = found.summary[found.summary["by"] != ""].set_index(["by", "bin"])
    assert bins["lesions"].to_dict() == {
        ("diameter_mm", "<0.15"): 1,
        ("diameter_mm", "0.15-0.25"): 1,
        ("diameter_mm", "0.25-0.5"): 1,
        ("diameter_mm", ">=0.5"): 1,
        ("diameter_mm", "unknown"): 1,
        ("snr", "<3"): 1,
        ("snr", "3-5"): 1,
        ("snr", "5-8"): 1,
        ("snr", "8-12"): 1,
        ("snr", ">=12"): 1,
        ("dots", "one pixel"): 1,
        ("dots", "larger"): 4,
        ("grouping", "in a cluster"): 2,
        ("grouping", "single"): 3,
    }
    assert bins.loc[("diameter_mm", "0.15-0.25"), "value"] == 1
    assert bins.loc[("diameter_mm", "<0.15"), "value"] == 0
    assert bins.loc[("dots", "larger"), "value"] == 0.5
    strong = evaluate(marks, truth, spacing_mm=0.1, samples=0, min_snr=5)
    assert strong.lesions["counted"].tolist() == [False, False, True, True, True]
    assert strong.marks["status"].tolist() == ["not counted", "true mark"]


def test_outlines_of_groups_do_not_hinder_single_calcifications() -> None:
    truth = pd.DataFrame(
        {
            "image": "a",
            "x": [10, 20, np.nan, 300],
            "y": [10, 20, np.nan, 300],
            "x_min": [np.nan, np.nan, 0, np.nan],
            "y_min": [np.nan, np.nan, 0, np.nan],
            "x_max": [np.nan, np.nan, 60, np.nan],
            "y_max": [np.nan, np.nan, 60, np.nan],
            "radius": [np.nan, np.nan, np.nan, 30],
        }
    )
    marks = pd.DataFrame(
        {"image": "a", "x": [10, 50, 310, 500], "y": [10, 50, 290, 9], "score": [4, 3, 2, 1]}
    )
    found = evaluate(marks, truth, spacing_mm=0.1, samples=0)
    # A mark in the outline of marked points is false; one in a region without points does not count.
    assert found.marks["status"].tolist() == ["true mark", "false mark", "not counted", "false mark"]
    assert found.value("end_sensitivity", unit="image") == 0.5


def test_a_detector_does_not_differ_from_itself_and_beats_a_worse_one() -> None:
    marks, truth, images = small_study(1, 40)
    same = evaluate(marks, truth, images, versus=marks, samples=100)
    assert same.differences is not None
    assert (same.differences["difference"].dropna() == 0).all()
    assert (same.differences["p_value"].dropna() == 1).all()
    worse = marks.assign(score=-marks["score"])
    found = evaluate(marks, truth, images, versus=worse, names=("good", "bad"), samples=300)
    assert found.differences is not None
    area = found.differences[
        (found.differences["measure"] == "partial_area") & (found.differences["unit"] == "cm2")
    ]
    assert (area["low"] > 0).all()
    assert (area["value"] - area["other"] == area["difference"]).all()
    assert (area["p_value"] < 0.05).all()


def test_paired_intervals_are_narrower_than_unpaired_ones() -> None:
    marks, truth, images = small_study(2, 60)
    other = marks.assign(score=marks["score"] + np.random.default_rng(0).normal(0, 0.05, len(marks)))
    found = evaluate(marks, truth, images, versus=other, samples=300, rates_per_image=(1.0,))
    assert found.differences is not None
    pair = found.differences[
        (found.differences["measure"] == "partial_area") & (found.differences["pool"] == "all")
    ]
    own = found.summary[(found.summary["measure"] == "partial_area") & (found.summary["pool"] == "all")]
    assert (pair["high"] - pair["low"]).max() < 0.5 * (own["high"] - own["low"]).min()


def test_results_do_not_depend_on_the_order_of_rows() -> None:
    marks, truth, images = small_study(3)
    one = evaluate(marks, truth, images, samples=100).summary
    shuffled = [table.sample(frac=1, random_state=1) for table in (marks, truth)]
    two = evaluate(*shuffled, images, samples=100).summary
    pd.testing.assert_frame_equal(one, two)


def test_notes_say_what_was_assumed() -> None:
    found = evaluate(MARKS, TRUTH.drop(columns="patient"), spacing_mm=0.1, samples=10)
    text = " ".join(found.notes)
    assert "no images table" in text
    assert "counts as a patient of its own" in text
    assert "no false positives per cm²" in text
    alone = evaluate(MARKS[:1], TRUTH[:1], spacing_mm=0.1, samples=10)
    assert "nothing to resample" in " ".join(alone.notes)
    assert alone.summary["low"].isna().all()


def test_nothing_detected_and_nothing_true() -> None:
    empty = evaluate(MARKS[:0], TRUTH, IMAGES, samples=20)
    assert empty.value(at=0.1) == 0
    assert empty.value("jafroc") == 0.5
    nothing = pd.DataFrame({"image": ["a"], "x": [np.nan], "y": [np.nan]})
    clean = evaluate(MARKS, nothing, IMAGES, samples=20)
    assert np.isnan(clean.value(at=0.1))
    assert clean.value("end_false_positives", unit="image") == 5 / 4
    assert clean.images["normal"].all()


def test_clusters_with_the_tables_of_detect(tmp_path: Path) -> None:
    truth = pd.DataFrame({"image": "a", "x": [10, 50, 50, 10, 30], "y": [10, 10, 50, 50, 30], "cluster": 1})
    members = truth.rename(columns={"x": "col_px", "y": "row_px", "image": "file", "cluster": "cluster_id"})
    groups = pd.DataFrame(
        {"file": ["a", "a", "b"], "cluster_id": [1, 2, 1], "row_px": [30, 500, 9], "col_px": [30, 500, 9]}
    ).assign(score=[0.9, 0.8, 0.7], flagged=[True, False, True])
    members = pd.concat(
        [members, pd.DataFrame({"file": "b", "col_px": [8, 9, 10], "row_px": 9, "cluster_id": 1})]
    )
    images = pd.DataFrame({"file": ["a", "b"], "spacing_mm": 0.1})
    found = evaluate(groups, truth, images, members=members, target="clusters", samples=0)
    assert found.options.rule_name == "kallergi1999"
    assert found.value("end_sensitivity", unit="image") == 1
    assert found.value("end_false_positives", unit="image") == 0.5
    assert "1 groups that are not flagged" in " ".join(found.notes)
    loose = evaluate(groups, truth, images, target="clusters", rule="centroid", flagged_only=False, samples=0)
    assert loose.value("end_false_positives", unit="image") == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"detections": MARKS.drop(columns="score")}, "no column for 'score'"),
        ({"detections": MARKS.assign(image="zz")}, "not among the images"),
        ({"detections": MARKS.assign(score="high")}, "holds no number in row 1"),
        ({"detections": MARKS.assign(score=np.inf)}, "no finite position or score"),
        ({"images": IMAGES.drop(columns="spacing_mm")}, "no pixel spacing"),
        ({"images": pd.concat([IMAGES, IMAGES])}, "name the same image"),
        ({"images": IMAGES.assign(normal=1)}, "called normal has truth"),
        ({"truth": TRUTH.assign(radius=3)}, "tell of regions"),
        ({"truth": TRUTH.assign(patient="other")}, "two patients"),
        ({"columns": {"x": "column"}}, "no column 'column'"),
        ({"columns": {"centre": "x"}}, "unknown column 'centre'"),
    ],
)
def test_unusable_tables_are_refused_with_a_remedy(change: dict[str, object], message: str) -> None:
    given = {"detections": MARKS, "truth": TRUTH, "images": IMAGES, "samples": 0, **change}
    with pytest.raises(TableError, match=message) as caught:
        evaluate(**given)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("target", "masses"),
        ("rule", "kallergi1999"),
        ("samples", -1),
        ("confidence", 1.0),
        ("rates_per_image", (0.0,)),
        ("limit_per_cm2", -1.0),
        ("min_members", 0),
    ],
)
def test_wrong_options_are_refused(option: str, value: object) -> None:
    with pytest.raises(ValueError, match=option):
        Options(**{option: value})


def test_names_can_be_compared_without_folder_and_extension() -> None:
    assert image_key("x/y\\b.01.dcm", "stem") == "b.01"
    marks = MARKS.assign(image=["out/" + name + ".dcm" for name in MARKS["image"]])
    assert evaluate(marks, TRUTH, IMAGES, name_match="stem", samples=0).value(
        "end_sensitivity"
    ) == pytest.approx(2 / 3)


def test_names_and_patients_are_taken_as_they_are_written(tmp_path: Path) -> None:
    texts = {
        "marks": "image,x,y,score\n001,10,10,0.9\n",  # numbers only, unlike the others
        "truth": "image,x,y,patient\n001,10,10,07\nb,20,20,08\n",
        "images": "image,spacing_mm,area_cm2,patient\n001,0.1,10,07\nb,0.1,10,08\nc,0.1,10,x\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.csv").write_text(text)
    marks, truth, images = (read_table(tmp_path / f"{name}.csv") for name in texts)
    found = evaluate(marks, truth, images, samples=0)
    assert found.value("end_sensitivity", unit="image") == 0.5
    assert found.denominators["patients"].tolist() == [3, 1]
    # Some programs write whole numbers with a point when the column has gaps.
    truth["patient"] = ["7.0", "8.0"]
    images["patient"] = ["7", "8", "9"]
    assert evaluate(marks, truth, images, samples=0).denominators["patients"].tolist() == [3, 1]


def test_files_of_no_table_are_refused(tmp_path: Path) -> None:
    for name, content in (
        ("none.csv", None),
        ("empty.csv", b""),
        ("bad.parquet", b"PAR1"),
        ("bytes.csv", b"\xff\xfe\x00"),
    ):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(TableError, match=name):
            read_table(path)
    with pytest.raises(TableError, match="folder"):
        read_table(tmp_path)


def test_saved_files(tmp_path: Path) -> None:
    marks, truth, images = small_study(4)
    found = evaluate(marks, truth, images, versus=marks.assign(score=-marks["score"]), samples=50)
    written = found.save(tmp_path, matches=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in written)
    for path in written:
        assert path.stat().st_size > 0
    for unit in ("image", "cm2"):
        for pool in ("all", "normal"):
            stem = tmp_path / f"froc_per_{unit}_{pool}_images"
            assert stem.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
            svg = stem.with_suffix(".svg").read_text(encoding="utf-8")
            assert "<svg" in svg
            assert "<dc:date>" not in svg
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert results["detectors"] == ["detector", "other"]
    assert len(results["summary"]) == len(found.summary)
    assert results["denominators"][0]["images"] == 12
    froc = pd.read_csv(tmp_path / "froc.csv")
    for _, curve in froc.groupby(["detector", "pool", "unit"]):
        assert curve["false_positives"].is_monotonic_increasing
        assert curve["sensitivity"].is_monotonic_increasing
        assert curve["threshold"].is_monotonic_decreasing
        assert (curve["low"] <= curve["high"]).all()
    first = {p.name: p.read_bytes() for p in written}
    found.save(tmp_path, matches=True)
    assert {p.name: p.read_bytes() for p in written} == first


def test_workbook_for_rjafroc_reads_back(tmp_path: Path) -> None:
    found = evaluate(MARKS, TRUTH, IMAGES, versus=MARKS[:3], names=("one", "two"), samples=0)
    found.save(tmp_path, plots=False)
    book = openpyxl.load_workbook(tmp_path / "rjafroc.xlsx")
    assert book.sheetnames == ["TRUTH", "FP", "TP"]
    sheets = {name: [list(row) for row in book[name].iter_rows(values_only=True)] for name in book.sheetnames}
    assert sheets["TRUTH"] == [
        ["CaseID", "LesionID", "Weight", "ReaderID", "ModalityID", "Paradigm"],
        [1, 1, 0, "0", "0, 1", "FROC"],
        [1, 2, 0, "0", "0, 1", "FCTRL"],
        [2, 1, 0, "0", "0, 1", None],
        [3, 0, 0, "0", "0, 1", None],
        [4, 0, 0, "0", "0, 1", None],
    ]
    assert sheets["FP"] == [
        ["ReaderID", "ModalityID", "CaseID", "FP_Rating"],
        ["0", "0", 1, 4],
        ["0", "0", 3, 4],
        ["0", "0", 3, 2],
        ["0", "1", 1, 4],
    ]
    assert sheets["TP"] == [
        ["ReaderID", "ModalityID", "CaseID", "LesionID", "TP_Rating"],
        ["0", "0", 1, 1, 5],
        ["0", "0", 2, 1, 3],
        ["0", "1", 1, 1, 5],
        ["0", "1", 2, 1, 3],
    ]
    cases = pd.read_csv(tmp_path / "rjafroc_cases.csv")
    assert cases.to_dict("list") == {"CaseID": [1, 2, 3, 4], "image": ["a", "b", "c", "d"]}


def test_workbooks_hold_what_they_are_given(tmp_path: Path) -> None:
    rows = [
        [f"c{k}" for k in range(30)],
        [1.5e-7, -3, None, 'a<b & "c"', " é ", "=1+1", "http://a"],
        [0.1 + 0.2],
    ]
    write_workbook(tmp_path / "t.xlsx", {"A & B": rows, "empty": []})
    book = openpyxl.load_workbook(tmp_path / "t.xlsx")
    assert book.sheetnames == ["A & B", "empty"]
    read = [list(row) for row in book["A & B"].iter_rows(values_only=True)]
    assert read[0] == rows[0]
    assert read[1][:7] == rows[1]
    assert read[2][0] == pytest.approx(0.1 + 0.2, rel=1e-15)  # 16 digits; Excel itself keeps 15
    for value in (float("nan"), float("-inf"), "x" * 40_000):
        with pytest.raises(ValueError, match="cannot hold"):
            write_workbook(tmp_path / "t.xlsx", {"A": [[value]]})
    assert openpyxl.load_workbook(tmp_path / "t.xlsx").sheetnames == ["A & B", "empty"]
    with zipfile.ZipFile(tmp_path / "t.xlsx") as archive:
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}
        assert b'"inlineStr"' not in archive.read("xl/worksheets/sheet1.xml")


def test_without_xlsxwriter_the_workbook_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = evaluate(MARKS, TRUTH, IMAGES, samples=0)
    assert tmp_path / "rjafroc.xlsx" in found.save(tmp_path, plots=False)
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    files = found.save(tmp_path, plots=False)
    assert tmp_path / "rjafroc.xlsx" not in files
    assert tmp_path / "rjafroc_cases.csv" in files
    assert not (tmp_path / "rjafroc.xlsx").exists(), "an earlier one would not belong to these results"
    assert f"rjafroc.xlsx is left out: {MissingExcelError()}" in caplog.text
    assert install_hint("excel") in caplog.text


@pytest.mark.slow
def test_a_thousand_images_with_half_a_million_marks() -> None:
    rng = np.random.default_rng(0)
    n, each, lesions = 1000, 500, 20
    image = np.repeat(np.arange(n), each)
    x, y = rng.uniform(0, 3000, n * each), rng.uniform(0, 4000, n * each)
    score = rng.normal(size=n * each)
    of = np.repeat(np.arange(n // 2), lesions)
    tx, ty = rng.uniform(0, 3000, len(of)), rng.uniform(0, 4000, len(of))
    for number in np.flatnonzero(rng.random(len(of)) < 0.8):
        row = of[number] * each + number % lesions
        x[row], y[row], score[row] = tx[number] + 1, ty[number] - 1, score[row] + 2.5
    names = np.array([f"case{k:04d}.dcm" for k in range(n)])
    marks = pd.DataFrame({"image": names[image], "x": x, "y": y, "score": score})
    truth = pd.DataFrame(
        {
            "image": names[of],
            "x": tx,
            "y": ty,
            "diameter_mm": rng.uniform(0.1, 0.7, len(of)),
            "snr": rng.uniform(3, 12, len(of)),
        }
    )
    images = pd.DataFrame(
        {"image": names, "spacing_mm": 0.07, "area_cm2": 150.0, "patient": np.arange(n) // 4}
    )
    found = evaluate(marks, truth, images, samples=1000)
    assert found.value("end_sensitivity") == pytest.approx(0.8, abs=0.02)


def test_a_normal_image_may_hold_what_does_not_count() -> None:
    truth = pd.DataFrame(
        {"image": ["a", "b"], "x": [10, 50], "y": [10, 50], "radius": [np.nan, 5.0], "ignore": [0, 1]}
    )
    marks = pd.DataFrame({"image": ["a", "b", "b"], "x": [10, 51, 90], "y": [10, 50, 90], "score": [3, 2, 1]})
    images = pd.DataFrame({"image": ["a", "b"], "normal": [False, True]})
    found = evaluate(marks, truth, images, spacing_mm=0.1, samples=0)
    assert found.images["normal"].tolist() == [False, True]
    assert sorted(found.marks["status"]) == ["false mark", "not counted", "true mark"]
    with pytest.raises(TableError, match="normal"):
        evaluate(marks, truth.assign(ignore=0), images, spacing_mm=0.1, samples=0)
