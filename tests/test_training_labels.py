"""Labels: by number, by place, from a data set; and the command ``mcdetect train``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from dataset_standins import COLS, ROWS, Cbis, blob
from training_examples import clusters
from typer.testing import CliRunner

from mcdetect.cli import app
from mcdetect.errors import install_hint
from mcdetect.schema import CLUSTERS
from mcdetect.training import (
    ClusterModel,
    join_labels,
    label_dataset,
    label_regions,
    read_clusters,
    read_labels,
    train_files,
)
from mcdetect.training.tables import as_label, by_key, feature_columns
from mcdetect.validation.evaluation import TableError

QUICK = {"samples": 50, "stability_samples": 2, "permutations": 2, "repeats": 1, "plots": False}


def write(folder: Path, **tables: pd.DataFrame) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    return folder


@pytest.fixture
def keyed(tmp_path: Path) -> tuple[Path, Path]:
    table, labels = clusters(40, 1)
    write(tmp_path, clusters=table, labels=labels)
    return tmp_path / "clusters.csv", tmp_path / "labels.csv"


# ------------------------------------------------------------------------------------------- by number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (1, 1), ("1.0", 1), (True, 1), ("MALIGNANT", 1), (" malignant ", 1), ("yes", 1), ("dcis", 1),
        (0, 0), (0.0, 0), (False, 0), ("benign", 0), ("BENIGN_WITHOUT_CALLBACK", 0), ("normal", 0),
        ("", None), (None, None), (float("nan"), None), (pd.NA, None),
    ],
)  # fmt: skip
def test_labels_as_people_write_them(text: object, value: int | None) -> None:
    assert as_label(text, positive="DCIS") == value


def test_other_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="neither positive"):
        as_label("maybe")
    path = write(tmp_path, labels=pd.DataFrame({"file": ["a", "b"], "label": [1, 2]})) / "labels.csv"
    with pytest.raises(TableError, match=r"labels\.csv: line 3: .*--positive"):
        read_labels(path)


def test_labels_by_number(keyed: tuple[Path, Path]) -> None:
    tables, labels = read_clusters(keyed[0]), read_labels(keyed[1])
    found = join_labels(tables, by_key(labels, keyed[1]))
    assert found.clusters.shape == tables.clusters.shape
    assert found.label.tolist() == pd.read_csv(keyed[1])["label"].tolist()
    assert sorted(found.patient) == list(range(40))
    shuffled = labels.sample(frac=1, random_state=0).head(30)
    less = join_labels(tables, by_key(shuffled, keyed[1]))
    assert len(less.clusters) == 30
    assert less.notes == ("30 of 40 clusters have a label",)
    more = join_labels(tables, by_key(shuffled, keyed[1]), group="folder", unmatched="negative")
    assert len(more.clusters) == 30  # the other images have no label at all


def test_unmatched_clusters_of_labelled_images(tmp_path: Path) -> None:
    table, labels = clusters(20, 2)
    path = write(tmp_path, clusters=table, labels=labels[labels["cluster_id"] == 1]) / "labels.csv"
    tables, given = read_clusters(tmp_path), by_key(read_labels(path), path)
    assert len(join_labels(tables, given).label) == 20
    found = join_labels(tables, given, unmatched="negative")
    assert len(found.label) == 40
    assert found.label[table["cluster_id"] == 2].max() == 0
    assert np.array_equal(found.patient, np.repeat(np.arange(20), 2))


def test_tables_that_cannot_be_joined(keyed: tuple[Path, Path], tmp_path: Path) -> None:
    tables, labels = read_clusters(keyed[0]), read_labels(keyed[1])
    with pytest.raises(TableError, match="name no patients"):
        join_labels(tables, labels.drop(columns="patient"))
    with pytest.raises(TableError, match="no cluster has a label"):
        join_labels(tables, labels.assign(file=labels["file"] + "x"))
    with pytest.raises(TableError, match="two labels"):
        by_key(pd.concat([labels, labels.assign(label=1 - labels["label"])]), keyed[1])
    with pytest.raises(ValueError, match="group must be"):
        join_labels(tables, labels, group="hospital")
    bad = write(
        tmp_path / "bad", clusters=pd.DataFrame({"file": ["a"]}), labels=pd.DataFrame({"file": ["a"]})
    )
    with pytest.raises(TableError, match=r"clusters\.csv: it has no column 'cluster_id'"):
        read_clusters(bad)
    with pytest.raises(TableError, match=r"labels\.csv: it has no column 'label'"):
        read_labels(bad / "labels.csv")
    twice = pd.DataFrame({"file": ["a", "a"], "cluster_id": [1, 1]})
    with pytest.raises(TableError, match="there twice"):
        read_clusters(write(tmp_path / "twice", clusters=twice))
    with pytest.raises(TableError, match="no such file"):
        read_clusters(tmp_path / "nothing.csv")


def test_what_is_a_feature() -> None:
    row = {c.name: ["a" if c.dtype == "str" else 1] for c in CLUSTERS}
    more = {"model_score": [0.5], "probability": [0.5], "suspicion_index": [50.0], "morphology": ["round"]}
    found = feature_columns(pd.DataFrame(row | more))
    assert "density_per_cm2" in found
    assert "in_pectoral" in found
    assert not {"file", "cluster_id", "row_px", "max_col_px", "flagged", "score", *more} & set(found)
    assert feature_columns(pd.DataFrame(row), ["score", "density_per_cm2"], ["score"]) == ["density_per_cm2"]


# -------------------------------------------------------------------------------------------- by place


def placed(tmp_path: Path, *, members: bool = True, images: bool = True) -> Path:
    """Write an output folder with two clusters of an image: about (50, 50) and about (200, 120)."""
    centre = np.array([[50.0, 50.0], [200.0, 120.0]])
    table = pd.DataFrame(
        {
            "file": "x.png",
            "cluster_id": [1, 2],
            "min_row_px": centre[:, 0] - 10,
            "max_row_px": centre[:, 0] + 10,
            "min_col_px": centre[:, 1] - 10,
            "max_col_px": centre[:, 1] + 10,
        }
    )
    points = np.concatenate([c + np.array([[-10, -10], [10, 10], [0, 3], [4, 0]]) for c in centre])
    calcifications = pd.DataFrame(
        {
            "file": "x.png",
            "cluster_id": np.repeat([1, 2], 4),
            "row_px": points[:, 0],
            "col_px": points[:, 1],
        }
    )
    write(tmp_path, clusters=table)
    if members:
        write(tmp_path, calcifications=calcifications)
    if images:
        write(tmp_path, images=pd.DataFrame({"file": ["x.png"], "rows": [ROWS], "cols": [COLS]}))
    return tmp_path


@pytest.mark.parametrize("members", [True, False])
@pytest.mark.parametrize("images", [True, False])
@pytest.mark.parametrize(
    "place",
    [
        {"x": 118.0, "y": 205.0, "radius": 25.0},
        {"x_min": 100, "y_min": 180, "x_max": 140, "y_max": 230},
        {"mask": "mask.png"},
    ],
    ids=["circle", "box", "mask"],
)
def test_labels_by_place(tmp_path: Path, members: bool, images: bool, place: dict[str, object]) -> None:
    folder = placed(tmp_path, members=members, images=images)
    cv2.imwrite(str(tmp_path / "mask.png"), blob(ROWS, COLS, 180, 100))
    far = {"file": "y.png", "label": "benign", "patient": "p2"}
    rows = pd.DataFrame([{"file": "x.png", "label": "malignant", "patient": "p1"} | place, far | place])
    path = write(tmp_path, labels=rows) / "labels.csv"
    tables = read_clusters(folder)
    if "mask" in place and not images:
        with pytest.raises(TableError, match=r"images\.csv"):
            label_regions(tables, read_labels(path), path)
        return
    found, notes = label_regions(tables, read_labels(path), path)
    assert found.to_dict("records") == [{"file": "x.png", "cluster_id": 2, "label": 1, "patient": "p1"}]
    assert notes == ["2 labelled places, 1 clusters lie in one"]


def test_the_region_with_most_members_wins(tmp_path: Path) -> None:
    folder = placed(tmp_path)
    rows = pd.DataFrame(
        {
            "file": "x.png",
            "label": [1, 0, 1, 0],
            "x": [50.0, 50.0, 120.0, 120.0],
            "y": [50.0, 50.0, 200.0, 200.0],
            "radius": [30.0, 6.0, 6.0, 2.0],
        }
    )
    path = write(tmp_path, labels=rows) / "labels.csv"
    found, _ = label_regions(read_clusters(folder), read_labels(path), path)
    # cluster 2: half of its members lie in the third region, none in the fourth
    assert found[["cluster_id", "label"]].to_numpy().tolist() == [[1, 1], [2, 1]]
    rows.loc[[0, 1], "radius"] = 30.0  # equal shares, different labels
    write(tmp_path, labels=rows)
    found, _ = label_regions(read_clusters(folder), read_labels(path), path)
    assert found["cluster_id"].tolist() == [2]


def test_places_that_make_no_sense(tmp_path: Path) -> None:
    folder = placed(tmp_path)
    for place, message in (
        ({}, "line 2: it states no place"),
        ({"x": "here", "y": 1, "radius": 1}, "line 2: a position is no number"),
        ({"x": 1e5, "y": 1, "radius": 1}, "line 2: a finding lies outside"),
        ({"mask": "no.png"}, "line 2: no mask was found"),
    ):
        rows = pd.DataFrame([{"file": "x.png", "label": 1} | place])
        path = write(tmp_path, labels=rows) / "labels.csv"
        with pytest.raises(TableError, match=message):
            label_regions(read_clusters(folder), read_labels(path), path)


# -------------------------------------------------------------------------------------- CBIS-DDSM


@pytest.fixture(scope="module")
def cbis(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    """Return a stand-in with 12 patients, and clusters on every abnormality and one beside them."""
    root = tmp_path_factory.mktemp("cbis")
    build = Cbis(root, "nested")
    rows = []
    rng = np.random.default_rng(0)
    for number in range(12):
        case = f"Calc-Training_P_{number + 1:05d}_LEFT_CC"
        image = build.image(case)
        pathology = ("MALIGNANT", "BENIGN", "BENIGN_WITHOUT_CALLBACK")[number % 3]
        build.abnormality(
            case, image, 1, blob(ROWS, COLS, 60, 80), pathology=pathology, swapped=number % 2 == 0
        )
        series = image.split("/")[1:3]
        file = "/".join(["CBIS-DDSM", case, *series, "1-1.dcm"])
        malignant = pathology == "MALIGNANT"
        for cluster_id, (row, col) in enumerate(((80, 100), (300, 200)), start=1):
            rows.append(
                {
                    "file": file,
                    "cluster_id": cluster_id,
                    "min_row_px": row - 8,
                    "max_row_px": row + 8,
                    "min_col_px": col - 8,
                    "max_col_px": col + 8,
                    "density_per_cm2": rng.normal(10 + 8 * malignant * (cluster_id == 1)),
                }
            )
    return build.finish(), pd.DataFrame(rows)


def test_cbis_labels_come_from_its_tables(cbis: tuple[Path, pd.DataFrame], tmp_path: Path) -> None:
    root, table = cbis
    out = write(tmp_path / "out", clusters=table)
    found = train_files(out, tmp_path / "model.json", dataset="cbis-ddsm", root=root, folds=3, **QUICK)
    assert found.examples.label.tolist() == [int(n % 3 == 0) for n in range(12)]
    assert sorted(found.examples.patient) == list(range(12))
    assert found.examples.clusters["cluster_id"].unique().tolist() == [1]
    assert "12 images with clusters, 12 findings with a pathology, 12 clusters in one" in found.notes
    assert found.measures["auc"].value > 0.9
    assert ClusterModel.load(tmp_path / "model.json").digest == found.model.digest
    everything = train_files(
        out, tmp_path / "all.json", dataset="cbis-ddsm", root=root, unmatched="negative", folds=3, **QUICK
    )
    assert everything.examples.label.sum() == 4
    assert len(everything.examples.label) == 24


@pytest.mark.parametrize("start", ["case", "below", "beside"])
def test_images_are_known_by_other_names(cbis: tuple[Path, pd.DataFrame], start: str, tmp_path: Path) -> None:
    from mcdetect.validation.datasets import open_dataset

    root, table = cbis
    named = {
        "case": lambda name: name.split("/")[1],
        "below": lambda name: name.partition("/")[2],
        "beside": lambda name: f"input2/{name}",
    }[start]
    table = table.assign(file=table["file"].map(named))
    tables = read_clusters(write(tmp_path, clusters=table))
    with pytest.warns(match="0.0435"):
        dataset = open_dataset("cbis-ddsm", root)
    found, _ = label_dataset(tables, dataset)
    assert len(found) == 12
    assert set(found["file"]) == set(table["file"])
    other = read_clusters(write(tmp_path / "other", clusters=table.assign(file="1-1.dcm").head(1)))
    with pytest.raises(TableError, match="none of its images belongs to CBIS-DDSM"):
        label_dataset(other, dataset)


# ------------------------------------------------------------------------------------------- command


def run(*args: object) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["train", *map(str, args)])
    return found.exit_code, found.output


def test_the_command(keyed: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "new" / "model.json"
    base = (
        "--features",
        keyed[0],
        "--labels",
        keyed[1],
        "-o",
        out,
        "--samples",
        20,
        "--stability-samples",
        2,
        "--permutations",
        5,
        "--repeats",
        2,
    )
    code, text = run(*base, "--leave-out", "noise_0,noise_1", "--no-plots", "--folds", 2)
    assert code == 0, text
    assert "auc: 0." in text
    assert text.count("; shuffled labels ") == 7
    assert ", reached by " in text
    assert "training: 100 %" in text
    assert text.count("training: ") == 9  # 9 steps: each tenth at most once
    assert "40 of 40 clusters have a label" in text
    model = ClusterModel.load(out)
    assert model.kind == "logistic"
    assert not {"noise_0", "noise_1"} & set(model.features)
    assert model.calibration is not None
    written = sorted(path.name for path in (tmp_path / "new" / "model_report").iterdir())
    assert written == ["predictions.csv", "report.html", "report.json", "results.sqlite", "stability.csv"]
    everything = out.read_text() + "".join(
        path.read_bytes().decode("latin-1") for path in (out.parent / "model_report").iterdir()
    )
    assert "SECRET" not in everything
    assert str(tmp_path) not in everything
    assert json.loads(out.read_text())["about"]["patients"] == 40


def test_wrong_usage(keyed: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "no" / "model.json"
    base = ("--features", keyed[0], "-o", out, "--no-plots")
    for extra, message in (
        ((), "either a table of labels or a data set"),
        (("--dataset", "cbis-ddsm"), "--root"),
        (("--dataset", "nothing", "--root", tmp_path), "unknown data set"),
        (("--labels", tmp_path / "none.csv"), "no such file"),
        (("--labels", keyed[1], "--use", "height"), "no column 'height'"),
        (("--labels", keyed[1], "--covariates", tmp_path / "none.csv"), "no such file"),
        (("--labels", keyed[1], "--changes", keyed[1]), "give the changes.csv of mcdetect compare"),
        (("--labels", keyed[1], "--level", "image", "--model", "boosting"), "for logistic models"),
        (("--dataset", "cbis-ddsm", "--root", tmp_path, "--level", "image"), "a data set labels groups"),
    ):
        code, text = run(*base, *extra)
        assert code == 2, text
        assert message in text
        assert "Traceback" not in text
    monkeypatch.setitem(sys.modules, "sklearn", None)
    code, text = run(*base, "--labels", keyed[1])
    assert code == 2
    assert install_hint("train") in text
    assert not out.parent.exists()


def test_the_command_on_labels_of_images(tmp_path: Path) -> None:
    table, labels = clusters(40, 2, shift=2.0)
    images = labels.drop(columns="cluster_id").drop_duplicates()
    path = write(tmp_path, clusters=table, labels=images) / "labels.csv"
    base = ("--features", tmp_path, "--labels", path, "-o", tmp_path / "model.json", "--no-plots")
    few = ("--permutations", 2, "--repeats", 1, "--stability-samples", 1, "--samples", 10)
    code, text = run(*base, *few, "--level", "image", "--pooling", "log-sum")
    assert code == 0, text
    assert "40 labelled images, 40 with clusters" in text
    model = ClusterModel.load(tmp_path / "model.json")
    assert (model.pooled.level, model.pooled.by) == ("image", "log-sum")
    assert "labels of images" in (tmp_path / "model_report" / "report.html").read_text()
    code, text = run(*base, *few, "--level", "image", "--quiet")
    assert code == 0
    assert all(line.startswith("warning: ") for line in text.splitlines())
