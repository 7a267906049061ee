"""Two views of a breast: which groups are the same, whatever the order; and the tables of examinations."""

from __future__ import annotations

import dataclasses
import json
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cli_files import BIRTH_DATE, NAME, PATIENT_ID, write_dicom
from hypothesis import given, settings
from hypothesis import strategies as st
from two_view_breasts import draw_breast
from typer.testing import CliRunner

from mcdetect.cli import app
from mcdetect.config import StudyConfig
from mcdetect.exams.studies import ViewImage, group_images, match_views, study_tables
from mcdetect.exams.studies.tables import BOTH, MAGNIFIED_ONLY, NOT_COMPARED, ONE, two_view_score
from mcdetect.readers.read import read_mammogram
from mcdetect.schema import FINDINGS, STUDIES

LIKE = {"extent_mm": 8.0, "diameter_mm_mean": 0.3, "contrast_mean": 10.0, "flagged": True, "score": 0.8}


def groups(*rows: dict[str, object]) -> pd.DataFrame:
    """Return groups, alike but for what is given."""
    base = {"n_calcifications": 10, "nipple_distance_mm": 40.0}
    table = pd.DataFrame([LIKE | base | row for row in rows], columns=[*LIKE, *base])
    return table.assign(cluster_id=np.arange(1, len(table) + 1))


def pairs(
    first: pd.DataFrame, second: pd.DataFrame, config: StudyConfig | None = None
) -> list[tuple[int, int]]:
    found = match_views(first, second, config)
    return list(zip(found.first.tolist(), found.second.tolist(), strict=True))


# ----------------------------------------------------------------------------------------- matching


def test_groups_are_matched_by_their_distance_to_the_nipple() -> None:
    first = groups({"nipple_distance_mm": 30.0}, {"nipple_distance_mm": 60.0})
    second = groups({"nipple_distance_mm": 63.0}, {"nipple_distance_mm": 28.0})
    found = match_views(first, second)
    assert found.first.tolist() == [0, 1]
    assert found.second.tolist() == [1, 0]
    assert found.distance_difference_mm.tolist() == [-2.0, 3.0]
    assert found.mismatch == pytest.approx([2 / 7 / 5**0.5, 3 / 7 / 5**0.5])


def test_the_limits_are_those_stated() -> None:
    here = groups({})
    for difference, accepted in ((19.9, True), (20.1, False), (-20.1, False)):
        assert bool(pairs(here, groups({"nipple_distance_mm": 40.0 + difference}))) is accepted
    for factor, accepted in ((4.7, True), (4.9, False), (1 / 4.9, False)):  # exp(0.5 * 1.4 * sqrt 5) = 4.78
        assert bool(pairs(here, groups({"extent_mm": 8.0 * factor}))) is accepted
    strict = StudyConfig(max_distance_mm=5.0, max_mismatch=0.5)
    assert not pairs(here, groups({"nipple_distance_mm": 46.0}), strict)


def test_the_best_whole_wins_not_the_best_pair() -> None:
    """The nearest two are A and Y (2 mm), but then B and X would be left 23 mm apart."""
    first = groups({"nipple_distance_mm": 40.0}, {"nipple_distance_mm": 54.0})
    second = groups({"nipple_distance_mm": 42.0}, {"nipple_distance_mm": 31.0})
    assert pairs(first, second) == [(0, 1), (1, 0)]


def test_flagged_groups_choose_first() -> None:
    first = groups({"flagged": False}, {"nipple_distance_mm": 52.0})
    second = groups({"flagged": False, "nipple_distance_mm": 44.0})
    assert pairs(first, second) == [(1, 0)]
    assert pairs(first.assign(flagged=False), second) == [(0, 0)]


def test_without_a_nipple_likeness_decides() -> None:
    first = groups({"nipple_distance_mm": np.nan}, {"n_calcifications": 30, "nipple_distance_mm": np.nan})
    second = groups({"n_calcifications": 28}, {})
    assert pairs(first, second) == [(0, 1), (1, 0)]
    assert np.isnan(match_views(first, second).distance_difference_mm).all()
    assert pairs(first.drop(columns="nipple_distance_mm"), second) == [(0, 1), (1, 0)]
    unlike = groups({"extent_mm": 32.0})  # acceptable at a known equal distance only
    assert pairs(groups({}), unlike)
    assert not pairs(groups({}).drop(columns="nipple_distance_mm"), unlike)


def test_odd_values_never_fail() -> None:
    odd = groups(
        {"extent_mm": 0.0}, {"contrast_mean": np.inf}, {"diameter_mm_mean": np.nan, "n_calcifications": 0}
    )
    assert len(pairs(odd, odd)) == 3
    assert pairs(odd.head(0), odd) == pairs(odd, odd.head(0)) == []
    bare = pd.DataFrame({"cluster_id": [1], "flagged": [True], "score": [0.5]})
    assert pairs(bare, bare) == [(0, 0)]


@given(st.integers(0, 10_000))
@settings(max_examples=40)
def test_order_and_sides_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = draw_breast(rng, true=2, false=1.5)
    expected = {(int(first.cluster_id[i]), int(second.cluster_id[j])) for i, j in pairs(first, second)}
    a = first.sample(frac=1, random_state=seed).reset_index(drop=True)
    b = second.sample(frac=1, random_state=seed + 1).reset_index(drop=True)
    assert {(int(a.cluster_id[i]), int(b.cluster_id[j])) for i, j in pairs(a, b)} == expected
    assert {(int(a.cluster_id[i]), int(b.cluster_id[j])) for j, i in pairs(b, a)} == expected


@given(st.integers(0, 10_000))
@settings(max_examples=25)
def test_no_other_assignment_is_better(seed: int) -> None:
    """Every assignment tried out, for groups that are all flagged."""
    rng = np.random.default_rng(seed)
    first, second = (table.assign(flagged=True).head(4) for table in draw_breast(rng, true=2, false=1.5))
    if len(first) > len(second):
        first, second = second, first
    limit = 1.4**2

    def gain(i: int, j: int) -> float:
        one = match_views(first.iloc[[i]], second.iloc[[j]])
        return limit - float(one.mismatch[0]) ** 2 if one.mismatch.size else 0.0

    table = np.array([[gain(i, j) for j in range(len(second))] for i in range(len(first))])
    best = max(
        (
            sum(table[i, j] for i, j in enumerate(order))
            for order in permutations(range(len(second)), len(first))
        ),
        default=0.0,
    )
    assert sum(table[i, j] for i, j in pairs(first, second)) == pytest.approx(best)


def test_groups_in_drawn_breasts_are_found_again() -> None:
    """120 breasts of one to three groups, with others that one view alone shows."""
    rng = np.random.default_rng(0)
    there = right = made = false = false_paired = 0
    for _ in range(120):
        first, second = draw_breast(rng, true=int(rng.integers(1, 4)))
        a, b = first["truth"].to_numpy(), second["truth"].to_numpy()
        there += len(set(a[a > 0]) & set(b[b > 0]))
        found = pairs(first, second)
        made += len(found)
        right += sum(a[i] == b[j] > 0 for i, j in found)
        false += int((a == 0).sum() + (b == 0).sum())
        false_paired += sum(int(a[i] == 0) + int(b[j] == 0) for i, j in found)
    assert right / there > 0.88
    assert right / made > 0.80
    assert false_paired / false < 0.30


# ------------------------------------------------------------------------------------------- tables


def image(
    file: str, side: str, view: str, *rows: dict[str, object], study: str = "s", special: bool = False
) -> ViewImage:
    return ViewImage(file, study, side, view, special, groups(*rows))


def examination() -> list[ViewImage]:
    """Return four views: left one group in both and one in one, right one in a single view."""
    return [
        image("a.dcm", "L", "CC", {}, {"nipple_distance_mm": 80.0, "score": 0.7}),
        image("b.dcm", "L", "MLO", {"nipple_distance_mm": 43.0, "score": 0.85}),
        image("c.dcm", "R", "CC", {"flagged": False, "score": 0.2}),
        image("d.dcm", "R", "MLO"),
        image("e.dcm", "L", "MLO", {}, study="t"),
    ]


def test_what_is_seen_where() -> None:
    tables = study_tables(examination())
    found, studies = tables["findings"], tables["studies"]
    assert list(found.columns) == [column.name for column in FINDINGS]
    assert list(studies.columns) == [column.name for column in STUDIES]
    assert found["seen_in"].tolist() == [BOTH, ONE, ONE, NOT_COMPARED]
    assert found["study"].tolist() == [1, 1, 1, 2]
    assert found["finding_id"].tolist() == [1, 2, 3, 1]
    both = found.iloc[0]
    assert (both["file"], both["other_file"], both["laterality"]) == ("b.dcm", "a.dcm", "L")
    assert both["distance_difference_mm"] == 3.0
    assert both["two_view_score"] > 0.85 > both["other_score"]
    alone = found[found["seen_in"] != BOTH]
    assert (alone["two_view_score"] == alone["score"]).all()
    assert (alone["other_file"] == "").all()
    row = studies.iloc[0]
    assert row["views"] == "L CC, L MLO, R CC, R MLO"
    assert row["missing_views"] == ""
    assert (row["n_images"], row["n_clusters"], row["n_flagged"], row["n_findings"]) == (4, 4, 3, 2)
    assert (row["n_both_views"], row["n_one_view"], row["n_not_compared"]) == (1, 1, 0)
    assert (row["best_laterality"], row["best_finding_id"]) == ("L", 1)
    assert row["best_score"] == both["two_view_score"]
    assert studies.iloc[1]["missing_views"] == "L CC"
    assert studies["files"].tolist() == ["a.dcm; b.dcm; c.dcm; d.dcm", "e.dcm"]


def test_the_order_of_images_does_not_matter() -> None:
    images = examination()
    expected = study_tables(images)
    for order in ([4, 3, 2, 1, 0], [2, 0, 4, 1, 3]):
        found = study_tables([images[k] for k in order])
        for name in expected:
            pd.testing.assert_frame_equal(found[name], expected[name])


def test_nothing_at_all() -> None:
    tables = study_tables([])
    assert [len(table) for table in tables.values()] == [0, 0]
    assert study_tables([image("a", "", "")])["findings"].empty


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1.5))
def test_a_group_seen_twice_gains(score: float, other: float, mismatch: float) -> None:
    found = two_view_score(score, other, mismatch, 1.5)
    assert max(score, other) - 1e-9 <= found <= 1.0
    assert found == two_view_score(other, score, mismatch, 1.5)
    assert found <= two_view_score(score, other, 0.0, 1.5) + 1e-12


def test_usual_views_are_compared() -> None:
    images = [
        image("1", "L", "XCCL", {}),
        image("2", "L", "CC", {}),
        image("3", "L", "CC", {}, special=True),
        image("4", "L", "ML", {}),
        image("5", "L", "AT", {}),
    ]
    found = study_tables(images)["findings"]
    both = found[found["seen_in"] == BOTH]
    assert both[["file", "other_file"]].to_numpy().tolist() == [["2", "4"]]
    assert (found["seen_in"] == NOT_COMPARED).sum() == 3
    unknown = [image("1", "", "CC", {}), image("2", "", "MLO", {})]
    assert (study_tables(unknown)["findings"]["seen_in"] == NOT_COMPARED).all()


def test_how_images_are_grouped() -> None:
    def files(images: list[ViewImage], by: str = "auto") -> list[list[str]]:
        return [[i.file for i in group] for group in group_images(images, by)]

    named = [image("x/1", "L", "CC", study="s"), image("y/2", "L", "MLO", study="s"), image("x/3", "R", "CC")]
    assert files(named) == [["x/1", "x/3", "y/2"]]
    assert files(named, "folder") == [["x/1", "x/3"], ["y/2"]]
    plain = [image(f"{p}/{s}{v}.png", s, v, study="") for p in "ab" for s in "LR" for v in ("CC", "MLO")]
    assert [len(group) for group in group_images(plain)] == [4, 4]
    crowd = [dataclasses.replace(i, file=f"all/{k}.png") for k, i in enumerate(plain)]
    assert [len(group) for group in group_images(crowd)] == [1] * 8  # two patients in one folder
    assert [len(group) for group in group_images(crowd, "folder")] == [8]
    with pytest.raises(ValueError, match="by must be"):
        group_images(plain, "patient")


# --------------------------------------------------------------------------------- detect, end to end


def test_the_pseudonym_tells_examinations_apart(tmp_path: Path) -> None:
    def study(name: str, **elements: object) -> str:
        return read_mammogram(write_dicom(tmp_path / name, **elements)).study

    one = study("a.dcm")
    assert len(one) == 64
    assert study("b.dcm", ViewPosition="MLO") == one
    assert study("c.dcm", StudyInstanceUID="1.2.3.5") != one
    assert study("d.dcm", PatientID="someone else") != one
    assert study("e.dcm", StudyInstanceUID=None) == ""
    assert one not in repr(read_mammogram(tmp_path / "a.dcm"))


def test_detect_writes_examinations_and_the_score_of_a_model(tmp_path: Path) -> None:
    for view in ("CC", "MLO"):
        write_dicom(tmp_path / "in" / f"{view}.dcm", ViewPosition=view, StudyInstanceUID="1.22.333.4444")
    model = {
        "format": "mcdetect cluster model 1",
        "kind": "logistic",
        "target": "malignant",
        "features": ["n_calcifications"],
        "logistic": {
            "medians": [5.0], "means": [5.0], "scales": [1.0], "coefficients": [0.5], "intercept": 0.1
        },
        "calibration": {"method": "sigmoid", "slope": 2.0, "intercept": -1.0},
        "about": {},
    }  # fmt: skip
    file = tmp_path / "model.json"
    file.write_text(json.dumps(model))
    out = tmp_path / "out"
    args = ["detect", str(tmp_path / "in"), "-o", str(out), "--no-overlay", "--jobs", "1"]
    found = CliRunner().invoke(app, [*args, "--model", str(file)])
    assert found.exit_code == 0, found.output
    for suffix in ("csv", "parquet"):
        read = pd.read_csv if suffix == "csv" else pd.read_parquet
        clusters = read(out / f"clusters.{suffix}")
        assert list(clusters.columns[-2:]) == ["model_score", "probability"]
        log_odds = 0.5 * (clusters["n_calcifications"] - 5) + 0.1
        assert clusters["model_score"].to_numpy() == pytest.approx(1 / (1 + np.exp(-log_odds)), rel=1e-5)
        assert clusters["probability"].to_numpy() == pytest.approx(
            1 / (1 + np.exp(1 - 2 * log_odds)), rel=1e-5
        )
    record = json.loads((out / "run.json").read_text())
    assert len(record["options"]["model"]["sha256"]) == 64
    assert record["options"]["model"]["calibrated"] is True
    studies, findings = pd.read_csv(out / "studies.csv"), pd.read_csv(out / "findings.csv")
    assert studies["views"].tolist() == ["L CC, L MLO"]
    assert findings["seen_in"].iloc[0] == BOTH
    assert findings["two_view_score"].iloc[0] >= findings["score"].iloc[0]
    pseudonym = read_mammogram(tmp_path / "in" / "CC.dcm").study
    for path in out.iterdir():
        content = path.read_bytes()
        for secret in (NAME, NAME.split("^")[0], PATIENT_ID, BIRTH_DATE, "1.22.333.4444", pseudonym):
            assert secret.encode() not in content, path.name


def test_a_model_that_does_not_fit_stops_detect_before_it_begins(tmp_path: Path) -> None:
    file = tmp_path / "model.json"
    file.write_text("{}")
    args = ["detect", str(tmp_path), "-o", str(tmp_path / "out"), "--model", str(file)]
    found = CliRunner().invoke(app, args)
    assert found.exit_code == 2
    assert "--model: model.json: it is no model of clusters" in found.output
    assert not (tmp_path / "out").exists()


# ------------------------------------------------------------------------------------ magnification views


def magnified(file: str, side: str, view: str, *rows: dict[str, object]) -> ViewImage:
    return dataclasses.replace(image(file, side, view, *rows, special=True), magnified=True)


def test_magnified_groups_are_looked_for_in_the_full_view() -> None:
    images = [
        image("cc", "L", "CC", {"flagged": False}, {"nipple_distance_mm": 80.0, "n_calcifications": 40}),
        image("mlo", "L", "MLO", {"nipple_distance_mm": 43.0}),
        magnified("mag", "L", "CC", {"score": 0.6}),
        magnified("other side", "R", "CC", {}),
    ]
    found = study_tables(images)["findings"]
    assert set(found["seen_in"]) == {BOTH, ONE, NOT_COMPARED}
    both = found[found["seen_in"] == BOTH].iloc[0]
    assert (both["magnified_file"], both["magnified_cluster_id"], both["magnified_view"]) == ("mag", 1, "CC")
    assert both["magnified_score"] == 0.6
    assert both["magnified_n_calcifications"] == 10
    assert both["flagged"]
    assert both["magnified_mismatch"] == pytest.approx(np.sqrt(3 / 7))  # the constellation is not known
    alone = found[found["seen_in"] == ONE].iloc[0]
    assert (alone["magnified_file"], alone["magnified_cluster_id"]) == ("", 0)
    assert study_tables(images[::-1])["findings"].equals(found)


def test_a_group_that_only_magnification_shows() -> None:
    tables = study_tables([image("cc", "L", "CC"), magnified("mag", "L", "", {})])
    assert tables["findings"]["seen_in"].tolist() == [MAGNIFIED_ONLY]
    assert tables["studies"]["n_findings"].tolist() == [1]
    assert tables["studies"]["missing_views"].tolist() == ["L MLO"]


def test_the_full_view_that_fits() -> None:
    """The direction of the magnified view is not known, or not among the full views."""
    odd = {"n_calcifications": 60, "extent_mm": 30.0}
    for view in ("", "CC"):
        full = (
            [image("mlo", "L", "MLO", {})]
            if view
            else [
                image("cc", "L", "CC", odd),
                image("mlo", "L", "MLO", {}),
            ]
        )
        found = study_tables([*full, magnified("mag", "L", view, {})])["findings"]
        assert found.loc[found["magnified_file"] == "mag", "file"].tolist() == ["mlo"]


def test_of_two_magnified_views_the_better_counts() -> None:
    images = [
        image("cc", "L", "CC", {}),
        magnified("m1", "L", "CC", {"n_calcifications": 15}),
        magnified("m2", "L", "CC", {}),
        magnified("m3", "L", "CC", {"n_calcifications": 16}),
    ]
    found = study_tables(images)["findings"]
    assert found["magnified_file"].tolist() == ["m2"]


def test_magnified_views_do_not_make_a_folder_doubtful() -> None:
    images = [image("x/1", "L", "CC", study=""), magnified("x/2", "L", "CC"), magnified("x/3", "L", "CC")]
    images = [dataclasses.replace(i, study="") for i in images]
    assert len(group_images(images)) == 1
    assert len(group_images(images[1:])) == 2
