"""Covariates of patients, new and grown groups: read, joined, weighed, and absent when a model is used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from training_examples import clusters, examples
from typer.testing import CliRunner

from mcdetect.cli import app
from mcdetect.models.cluster_model import ClusterModel
from mcdetect.training import Examples, join_labels, read_clusters, read_labels, train, train_files
from mcdetect.training.design import make_design
from mcdetect.training.fitting import Recipe
from mcdetect.training.joins import join_changes, read_covariates
from mcdetect.training.tables import ClusterTables, by_key
from mcdetect.validation.evaluation import TableError

QUICK = {"samples": 20, "stability_samples": 2, "permutations": 3, "repeats": 1}


def write(path: Path, **columns: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


# ------------------------------------------------------------------------------------------ covariates


def test_covariates_as_people_write_them(tmp_path: Path) -> None:
    path = write(
        tmp_path / "patients.csv",
        Patient=[1, 2, 3, 4],
        age=[51, None, "63.5", "unknown"],
        family_history=["yes", "No", "", "TRUE"],
        breast_density=["a", "D", "c", "NA"],
    )
    table = read_covariates(path).table
    assert table.index.tolist() == ["1", "2", "3", "4"]
    nan = float("nan")
    assert table["age"].tolist() == pytest.approx([51, nan, 63.5, nan], nan_ok=True)
    assert table["family_history"].tolist() == pytest.approx([1, 0, nan, 1], nan_ok=True)
    assert table["breast_density"].tolist() == pytest.approx([1, 4, 3, nan], nan_ok=True)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"woman": ["a"], "age": [1]}, r"patients\.csv: it has no column 'patient'"),
        ({"patient": ["a", "a"], "age": [1, 2]}, "a patient is there twice"),
        ({"patient": ["a"]}, "no column beside the patient"),
        ({"patient": ["a", "b"], "gene": ["BRCA1", "no"]}, "the column 'gene' holds text"),
        ({"patient": ["a", "b"], "gene": ["yes", "d"]}, "the column 'gene' holds text"),
    ],
)
def test_covariates_that_make_no_sense(tmp_path: Path, columns: dict[str, list], message: str) -> None:
    with pytest.raises(TableError, match=message):
        read_covariates(write(tmp_path / "patients.csv", **columns))


@pytest.fixture
def tables(tmp_path: Path) -> tuple[ClusterTables, pd.DataFrame]:
    table, labels = clusters(30, 2)
    table.to_csv(tmp_path / "clusters.csv", index=False)
    labels.to_csv(tmp_path / "labels.csv", index=False)
    return read_clusters(tmp_path), by_key(read_labels(tmp_path / "labels.csv"), "labels.csv")


def test_covariates_are_joined_by_patient(tmp_path: Path, tables: tuple[ClusterTables, pd.DataFrame]) -> None:
    names = [f"SECRET-{number}" for number in range(30, 4, -1)]
    path = write(tmp_path / "patients.csv", patient=names, age=range(30, 4, -1))
    found = join_labels(*tables, covariates=read_covariates(path))
    assert found.joined == ("age",)
    assert found.notes[-1] == "25 of 30 patients are in the table of covariates"
    expected = np.where(found.patient >= 5, found.patient, np.nan)
    assert found.clusters["age"].to_numpy() == pytest.approx(expected, nan_ok=True)
    assert "patient" not in found.clusters
    other = write(tmp_path / "other.csv", patient=["x"], age=[1])
    with pytest.raises(TableError, match="knows none of the patients"):
        join_labels(*tables, covariates=read_covariates(other))
    same = write(tmp_path / "same.csv", patient=names, good_0=1)
    with pytest.raises(TableError, match="'good_0' is one of the clusters'"):
        join_labels(*tables, covariates=read_covariates(same))


def test_the_share_of_covariates_is_told(tmp_path: Path) -> None:
    """Age tells as much as both features of the image together."""
    given = examples(100, 2, shift=1.0)
    rng = np.random.default_rng(0)
    age = (rng.normal(size=100) + 2.0**0.5 * given.label[::2])[given.patient]
    joined = Examples(given.clusters.assign(age=age), given.label, given.patient, joined=("age",))
    found = train(joined, candidates=[Recipe("logistic", 0, 1.0)], **QUICK)
    by_source = found.shares.groupby("source")["share"].sum()
    assert by_source.sum() == pytest.approx(1.0)
    assert by_source["patient"] == pytest.approx(0.5, abs=0.12)
    assert found.shares["feature"].iloc[0] == "age"
    assert (found.shares["share"].diff().dropna() <= 0).all()
    assert found.model.joined == ("age",)
    # Where a patient's age is not known, the model takes the middle one.
    alone = found.model.log_odds(given.clusters)
    median = found.fitted.rule.medians[found.model.features.index("age")]  # type: ignore[union-attr]
    assert alone == pytest.approx(found.model.log_odds(given.clusters.assign(age=median)))
    without = train(given, candidates=[Recipe("logistic", 0, 1.0)], **QUICK)
    assert found.measures["auc"].value > without.measures["auc"].value + 0.03


def test_covariates_weigh_less_the_fewer_patients() -> None:
    """In six positive patients anything can be found."""
    rng = np.random.default_rng(2)
    given = examples(30, 2)
    table = given.clusters.assign(
        suspicion=50.0 + given.clusters["good_0"], age=rng.normal(size=30)[given.patient]
    )
    label = (given.patient < 6).astype(np.int64)
    design = make_design(Examples(table, label, given.patient, joined=("age",)))
    assert design.names == ("suspicion", "age")
    assert design.fixed == (0, 1)
    assert design.rows.freedom.tolist() == [1.0, 0.3]
    assert design.rows.prior.tolist() == [0.5, 0.0]
    many = make_design(Examples(table, (given.patient % 2).astype(np.int64), given.patient, joined=("age",)))
    assert many.rows.freedom[many.names.index("age")] == 0.75


# ------------------------------------------------------------------------------------------ comparison


def changes(path: Path, verdicts: list[str]) -> Path:
    count = len(verdicts)
    return write(
        path,
        current_file=[f"case{number // 2}/a.dcm" for number in range(count)],
        current_cluster_id=[number % 2 + 1 for number in range(count)],
        verdict=verdicts,
    )


def test_new_and_grown_are_features(tmp_path: Path, tables: tuple[ClusterTables, pd.DataFrame]) -> None:
    first = changes(tmp_path / "one" / "changes.csv", ["new", "grown", "stable", "uncertain"])
    gone = write(
        tmp_path / "gone.csv", current_file=["case5/a.dcm"], current_cluster_id=[0], verdict=["gone"]
    )
    joined, notes = join_changes(tables[0], [first.parent, gone])
    assert notes == ["3 of 60 clusters were compared with an earlier image"]
    nan = float("nan")
    assert joined.clusters["change_new"][:5].tolist() == pytest.approx([1, 0, 0, nan, nan], nan_ok=True)
    assert joined.clusters["change_grown"][:5].tolist() == pytest.approx([0, 1, 0, nan, nan], nan_ok=True)
    assert joined.clusters["change_new"].isna().sum() == 57
    with pytest.raises(TableError, match="none of the clusters was compared"):
        join_changes(tables[0], [gone])
    with pytest.raises(TableError, match="it has no column 'current_cluster_id'"):
        join_changes(tables[0], [write(tmp_path / "bad.csv", current_file=["x"])])


def test_both_through_files(tmp_path: Path) -> None:
    table, labels = clusters(40, 1)
    table.to_csv(tmp_path / "clusters.csv", index=False)
    labels.to_csv(tmp_path / "labels.csv", index=False)
    rng = np.random.default_rng(0)
    verdicts = np.where(rng.random(40) < 0.2 + 0.6 * labels["label"], "new", "stable")
    groups = {"current_file": table["file"], "current_cluster_id": table["cluster_id"]}
    write(tmp_path / "changes.csv", **groups, verdict=verdicts)
    patients = write(tmp_path / "patients.csv", patient=labels["patient"], age=rng.normal(60, 9, 40))
    found = train_files(
        tmp_path / "clusters.csv",
        tmp_path / "model.json",
        labels=tmp_path / "labels.csv",
        covariates=patients,
        changes=[tmp_path / "changes.csv"],
        plots=False,
        **QUICK,
    )
    assert {"change_new", "age"} <= set(found.model.features)
    assert "change_grown" not in found.features  # it never varies
    assert set(found.shares["source"]) >= {"patient", "comparison"}
    new = found.shares.set_index("feature").loc["change_new"]
    assert new["coefficient"] > 0.3
    page = (tmp_path / "model_report" / "report.html").read_text()
    assert "comparison with an earlier image" in page
    assert "the group is new since the earlier image" in page
    assert "SECRET" not in page
    model = ClusterModel.load(tmp_path / "model.json", reads=list(table.columns))
    assert np.isfinite(model.score(table)).all()


def test_detect_says_what_the_model_lacks(tmp_path: Path) -> None:
    given = examples(30, 2)
    table = given.clusters[["file", "cluster_id"]].assign(
        extent_mm=given.clusters["good_0"] + 9.0, age=given.clusters["good_1"]
    )
    found = train(Examples(table, given.label, given.patient, joined=("age",)), **QUICK)
    (tmp_path / "model.json").write_text(found.model.to_json())
    out = tmp_path / "out"
    args = ["detect", str(tmp_path / "none.png"), "-o", str(out), "--model", str(tmp_path / "model.json")]
    result = CliRunner().invoke(app, args)
    assert "note: the model takes a middle value for what images do not tell: age" in result.output
    quiet = CliRunner().invoke(app, [*args, "--quiet"])
    assert "note:" not in quiet.output
