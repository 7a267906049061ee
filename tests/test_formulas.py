"""Text that a spreadsheet would take for a formula: guarded in every CSV file, and read as it was."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from detector_standin import install, write
from training_examples import clusters
from typer.testing import CliRunner

from benchmarks.endurance.standin_pairs import compare, write_pair_file
from mcdetect.cli import app
from mcdetect.output.csv import as_text, csv_text
from mcdetect.runs import run_batch
from mcdetect.runs.pairs import compare_folders
from mcdetect.runs.pairs import work as pair_work
from mcdetect.training import train_files
from mcdetect.training.tables import read_clusters
from mcdetect.validation.evaluation.readers import read_table

PACKAGE = Path(__file__).resolve().parents[1] / "mcdetect"
NAMES = ("=cmd|' C'!A0", "+1", "-2", "@x", "'=y")


def formulas(folder: Path) -> list[tuple[str, str]]:
    """Return the fields of CSV files that a spreadsheet would compute."""
    found = []
    for path in folder.rglob("*.csv"):
        with path.open(newline="", encoding="utf-8") as stream:
            fields = [field for row in csv.reader(stream) for field in row]
        found += [(path.name, one) for one in fields if re.match(r"[=+\-@\t\r]", one) and not number(one)]
    return found


def number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def names_in(path: Path, column: str) -> set[str]:
    return set(read_table(path)[column])


def test_a_run_writes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    source = write(tmp_path / "in", **dict.fromkeys(NAMES, "study =1"), **{"=bad": "bad"})
    (source / "=notes.txt").write_text("x")
    run_batch([source], tmp_path / "out", jobs=1, candidates=True)
    assert formulas(tmp_path / "out") == []
    tables = (
        "images",
        "calcifications",
        "clusters",
        "candidates",
        "studies",
        "findings",
        "failures",
        "skipped",
    )
    for name in tables:
        with (tmp_path / "out" / f"{name}.csv").open(encoding="utf-8") as stream:
            assert len(stream.readlines()) > 1, name
    assert names_in(tmp_path / "out" / "clusters.csv", "file") == {f"{name}.dcm" for name in NAMES}
    assert names_in(tmp_path / "out" / "failures.csv", "file") == {"=bad.dcm"}
    assert names_in(tmp_path / "out" / "skipped.csv", "file") == {"=notes.txt"}


def test_a_comparison_writes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair_work, "_compare", pair_work._compare)
    for k, name in enumerate(NAMES):
        for side in ("then", "now"):
            write_pair_file(tmp_path / side / f"{name}.png", seed=k, rows=2)
    for side in ("then", "now"):
        write_pair_file(tmp_path / side / "=z.png", seed=1, rows=1, kind="broken")
    compare_folders(tmp_path / "then", tmp_path / "now", tmp_path / "out", jobs=1, work=compare)
    assert formulas(tmp_path / "out") == []
    for name in ("changes", "members"):
        assert names_in(tmp_path / "out" / f"{name}.csv", "current_file") == {f"{name}.png" for name in NAMES}
    assert len(read_table(tmp_path / "out" / "pairs.csv")) == len(NAMES) + 1


def test_training_reads_names_as_they_were_and_writes_none(tmp_path: Path) -> None:
    found, labels = clusters(30, informative=2, noise=2)
    for table in (found, labels):
        table["file"] = [f"={name}" for name in table["file"]]
    (tmp_path / "clusters.csv").write_text(csv_text(found, header=True))
    assert "\n'=case0/a.dcm," in (tmp_path / "clusters.csv").read_text()
    assert set(read_clusters(tmp_path / "clusters.csv").clusters["file"]) == set(found["file"])
    settings: dict[str, Any] = {
        "permutations": 3,
        "stability_samples": 2,
        "samples": 5,
        "repeats": 1,
        "plots": False,
    }
    for guard in (True, False):  # labels that were saved from a guarded table, and others
        path = tmp_path / f"labels {guard}.csv"
        path.write_text(csv_text(labels, header=True) if guard else labels.to_csv(index=False))
        model = tmp_path / f"{guard}.json"
        training = train_files(tmp_path / "clusters.csv", model, labels=path, **settings)
        assert len(training.examples.clusters) == len(found)
        assert formulas(tmp_path / f"{guard}_report") == []


def test_an_evaluation_writes_none(tmp_path: Path) -> None:
    marks = pd.DataFrame(
        {"image": ["=a", "=a", "=b"], "x": [1.0, 50, 9], "y": [1.0, 50, 9], "score": [0.9, 0.5, 0.7]}
    )
    truth = pd.DataFrame({"image": ["=a", "=b"], "x": [1.0, 9], "y": [1.0, 9], "patient": ["=p", "=q"]})
    marks.to_csv(tmp_path / "marks.csv", index=False)
    truth.to_csv(tmp_path / "truth.csv", index=False)
    words = ["evaluate", str(tmp_path / "marks.csv"), "-t", str(tmp_path / "truth.csv")]
    words += ["-o", str(tmp_path / "out"), "--pixel-spacing", "0.1", "--no-plots", "--matches"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert formulas(tmp_path / "out") == []
    assert names_in(tmp_path / "out" / "marks.csv", "image") == {"=a", "=b"}


def test_no_table_passes_by_the_guard() -> None:
    """Tables are written by `mcdetect.output`, or are `as_text`."""
    for path in PACKAGE.rglob("*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        for line in (line for line in lines if ".to_csv(" in line):
            assert "as_text(" in line or path.name == "csv.py", f"{path.name}: {line}"
        assert not any(re.search(r"csv\.(Dict)?writer\(", line) for line in lines), path.name


def test_texts_are_guarded_and_numbers_stay() -> None:
    table = pd.DataFrame({"text": ["=1", "a", None], "number": [-1.0, 2.0, 3.0]})
    found = as_text(table)
    assert found["text"].tolist()[:2] == ["'=1", "a"]
    assert found["number"].tolist() == [-1.0, 2.0, 3.0]
