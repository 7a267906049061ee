"""``mcdetect evaluate`` as a user meets it."""

from __future__ import annotations

import builtins
import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from evaluation_tables import small_study
from typer.testing import CliRunner

from mcdetect.cli import app
from mcdetect.errors import install_hint


@pytest.fixture
def study(tmp_path: Path) -> Path:
    marks, truth, images = small_study(7)
    folder = tmp_path / "out"
    folder.mkdir()
    ours = marks.rename(columns={"image": "file", "x": "col_px", "y": "row_px"}).assign(cluster_id=0)
    ours.to_csv(folder / "candidates.csv", index=False)
    images.rename(columns={"image": "file", "area_cm2": "searched_area_cm2"}).to_csv(
        folder / "images.csv", index=False
    )
    other = marks.rename(columns={"x": "cx", "y": "cy", "score": "p"}).assign(p=-marks["score"])
    other.to_csv(tmp_path / "other.csv", index=False)
    truth.to_csv(tmp_path / "truth.csv", index=False)
    return tmp_path


def run(*words: object) -> Any:
    return CliRunner().invoke(app, ["evaluate", *map(str, words)], env={"COLUMNS": "240"})


def test_an_output_folder_against_truth(study: Path) -> None:
    done = run(study / "out", "--truth", study / "truth.csv", "-o", study / "eval", "--samples", 30)
    assert done.exit_code == 0, done.output
    assert "hdogreg" in done.output
    assert "false positives per cm² on all images, divided by" in done.output
    assert "false positives per image on all images, divided by 12 images" in done.output
    assert "normal images only" not in done.output
    assert "false positives, normal images  divided by 4 images" in done.output
    assert "JAFROC figure of merit" in done.output
    results = json.loads((study / "eval" / "results.json").read_text(encoding="utf-8"))
    assert results["options"]["rule"] == "hdogreg"
    assert {row["pool"] for row in results["summary"]} == {"all", "normal"}
    assert (study / "eval" / "froc_per_cm2_all_images.svg").is_file()
    assert not (study / "eval" / "marks.csv").exists()


def test_options_reach_the_evaluation(study: Path) -> None:
    words = ["--rule", "lenient", "--rates-per-image", "0.7,3", "--min-snr", 5, "--samples", 0, "--quiet"]
    done = run(study / "out", "-t", study / "truth.csv", "-o", study / "e", "--no-plots", "--matches", *words)
    assert done.exit_code == 0, done.output
    assert done.output == ""
    results = json.loads((study / "e" / "results.json").read_text(encoding="utf-8"))
    assert results["options"]["rule"] == "lenient"
    assert results["options"]["min_snr"] == 5
    lesions = pd.read_csv(study / "e" / "lesions.csv")
    assert (lesions.loc[lesions["snr"] < 5, "counted"] == False).all()  # noqa: E712
    assert set(pd.read_csv(study / "e" / "marks.csv")["status"]) <= {"true mark", "false mark", "not counted"}
    assert not list((study / "e").glob("*.png"))
    at = {r["at"] for r in results["summary"] if r["unit"] == "image" and r["measure"] == "sensitivity"}
    assert at == {0.7, 3.0}


def test_two_detectors_with_foreign_columns(study: Path) -> None:
    images = ["--images", study / "out" / "images.csv", "--columns", "x=cx,y=cy", "--columns", "score=p"]
    again = study / "again.csv"
    pd.read_csv(study / "other.csv").assign(p=0.5).to_csv(again, index=False)
    done = run(
        study / "other.csv", "-t", study / "truth.csv", *images, "--versus", again, "--samples", 20,
        "--false-positives", "both",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "difference" in done.output
    assert "again" in done.output
    assert "normal images only" in done.output
    ours = run(study / "out", "-t", study / "truth.csv", *images, "--versus", again, "--samples", 0)
    assert ours.exit_code == 0, ours.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--truth", "nowhere.csv"], "nowhere.csv: there is no such file"),
        (["--rule", "nearest"], "hdogreg, calcdet, lenient"),
        (["--rates-per-image", "a,b"], "write numbers with commas"),
        (["--columns", "x"], "NAME=COLUMN"),
        (["--target", "clusters"], "clusters"),
        (["--samples", "-1"], "samples must not be negative"),
    ],
)
def test_wrong_usage_is_told_in_a_line(study: Path, words: list[str], message: str) -> None:
    done = run(study / "out", "-t", study / "truth.csv", *words)
    assert done.exit_code == 2
    assert message in done.output
    assert "Traceback" not in done.output


def test_without_xlsxwriter_the_user_is_told(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [study / "out", "-t", study / "truth.csv", "-o", study / "e", "--samples", 0, "--no-plots"]
    assert "left out" not in run(*words).output
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    done = run(*words)
    assert done.exit_code == 0
    assert "rjafroc.xlsx is left out" in done.output
    assert install_hint("excel") in done.output


def test_without_matplotlib_the_remedy_is_named(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.split(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    words = [study / "out", "-t", study / "truth.csv", "-o", study / "e", "--samples", 0]
    done = run(*words)
    assert done.exit_code == 2
    assert install_hint("plot") in done.output
    assert not (study / "e").exists()
    assert run(*words, "--no-plots").exit_code == 0
