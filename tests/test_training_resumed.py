"""Trainings that are killed and go on, and folders of mammograms that are searched first."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from threading import Event
from typing import Any

import pandas as pd
import pytest
from detector_standin import install, write
from training_examples import clusters
from typer.testing import CliRunner

from mcdetect.cli import app
from mcdetect.output.lock import OutputError, locked
from mcdetect.training import TrainingError, train_files
from mcdetect.training import null as null_module
from mcdetect.training.memo import Memo

ROOT = Path(__file__).resolve().parents[1]
FEW = ["--permutations", "12", "--stability-samples", "8", "--samples", "20", "--repeats", "1", "--no-plots"]
SETTINGS: dict[str, Any] = {"permutations": 12, "stability_samples": 8, "samples": 20, "repeats": 1}


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path]:
    found, labels = clusters(30, informative=2, noise=3, shift=1.0)
    found.to_csv(tmp_path / "clusters.csv", index=False)
    labels.to_csv(tmp_path / "labels.csv", index=False)
    return tmp_path / "clusters.csv", tmp_path / "labels.csv"


def written(model: Path) -> dict[str, bytes]:
    """Return what a training is for."""
    files = [model, *model.with_name(f"{model.stem}_report").glob("*")]
    kept = [path for path in files if not path.name.startswith("results.sqlite")]
    return {path.name: path.read_bytes().replace(model.name.encode(), b"model") for path in kept}


def steps(report: Path) -> int:
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(report)) as store:
        return int(store.execute("SELECT count(*) FROM entries").fetchone()[0])
    return 0


def test_steps_are_done_once(
    tables: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, alone = tmp_path / "model.json", tmp_path / "alone" / "model.json"

    def go(model: Path, **more: Any) -> None:
        train_files(tables[0], model, labels=tables[1], plots=False, **SETTINGS | more)

    real, done = Memo.keep, []

    def keep(self: Memo, step: str, value: Any) -> None:
        real(self, step, value)
        done.append(step)
        if len(done) == 15:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Memo, "keep", keep)
        with pytest.raises(KeyboardInterrupt):
            go(out)
    assert done[:12] == [f"shuffling {k}" for k in range(12)]
    assert not out.exists()
    asked: list[int] = []
    shuffled = null_module._shuffled

    def shuffle(*given: Any) -> Any:
        asked.append(given[2])
        return shuffled(*given)

    monkeypatch.setattr(null_module, "_shuffled", shuffle)
    go(out)
    assert asked == []  # all shufflings were there
    go(alone)
    assert asked == list(range(12))
    assert written(out) == written(alone)
    asked.clear()
    go(out, seed=1)  # another training: nothing of the first counts
    assert asked == list(range(12))
    assert steps(tmp_path / "model_report" / "results.sqlite") <= 12 + 36


def test_one_training_at_a_time(tables: tuple[Path, Path], tmp_path: Path) -> None:
    report = tmp_path / "model_report"
    report.mkdir()
    with locked(report), pytest.raises(OutputError, match="another run works in it"):
        train_files(tables[0], tmp_path / "model.json", labels=tables[1], plots=False, **SETTINGS)


def test_a_full_disk_does_not_end_a_training(
    tables: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mcdetect.runs.store.Store.put", full)
    train_files(tables[0], tmp_path / "model.json", labels=tables[1], plots=False, **SETTINGS)
    assert (tmp_path / "model.json").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_a_killed_training_gives_the_files_of_an_undisturbed_one(
    tables: tuple[Path, Path], tmp_path: Path
) -> None:
    model = tmp_path / "model.json"
    words = ["train", "-f", str(tables[0]), "--labels", str(tables[1]), *FEW]
    command = [sys.executable, "-m", "mcdetect", *words, "-o", str(model)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    store = tmp_path / "model_report" / "results.sqlite"
    while process.poll() is None and steps(store) < 5:
        Event().wait(0.01)
    process.kill()
    process.wait()
    assert steps(store) >= 5
    assert not model.exists()
    for out in (model, tmp_path / "alone" / "model.json"):
        done = CliRunner().invoke(app, [*words, "-o", str(out)])
        assert done.exit_code == 0, done.output
    assert "training: 50 %" in done.output
    assert written(model) == written(tmp_path / "alone" / "model.json")


def test_a_folder_of_mammograms_is_searched_first_and_only_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = install(monkeypatch)
    source = tmp_path / "in"
    for k in range(12):
        (source / f"p{k}").mkdir(parents=True)
        write(source / f"p{k}", a="good")
    (tmp_path / "labels.csv").write_text("file,cluster_id,label,patient\n")
    words = ["train", "-f", str(source), "--labels", str(tmp_path / "labels.csv")]
    words += ["-o", str(tmp_path / "m.json"), "--timeout", "0", "--jobs", "1"]
    given: list[Any] = []

    def train(tables: Path, out: Path, **options: Any) -> None:
        given.append((tables, out, options["images"]))
        raise TrainingError("that is all")

    monkeypatch.setattr("mcdetect.training.train_files", train, raising=False)
    for _ in range(2):
        done = CliRunner().invoke(app, words)
        assert (done.exit_code, "that is all" in done.output) == (2, True), repr(done)
        assert len(detector.detected) == 12
    assert given == [(tmp_path / "m_search", tmp_path / "m.json", [source])] * 2
    assert pd.read_csv(tmp_path / "m_search" / "clusters.csv")["file"].nunique() == 12
    with locked(tmp_path / "m_search"):
        done = CliRunner().invoke(app, words)
    assert (done.exit_code, "another run works in it" in done.output) == (2, True)


def test_a_folder_without_tables_and_mammograms_is_told(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "labels.csv").write_text("file,label\n")
    words = ["train", "-f", str(tmp_path / "in"), "--labels", str(tmp_path / "labels.csv")]
    done = CliRunner().invoke(app, [*words, "-o", str(tmp_path / "m.json")])
    assert done.exit_code == 2
    assert "no clusters.csv" in done.output
