"""``mcdetect benchmark`` on small stand-ins of the data sets."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cli_files import breast_pixels, write_dicom
from dataset_standins import Cbis, blob
from typer.testing import CliRunner

from mcdetect.cli import app
from mcdetect.config import Config
from mcdetect.runs import ImageReport, Observer
from mcdetect.validation.benchmark import BenchmarkError, BenchmarkReport, run_benchmark
from mcdetect.validation.datasets import describe, open_dataset
from mcdetect.validation.evaluation import evaluate

ROWS, COLS = 700, 450
SPECKS = [(350 + dr, 180 + dc) for dr, dc in ((0, 0), (30, 5), (-20, 25), (15, -30), (-35, -10), (5, 40))]


def quiet_pixels() -> np.ndarray:
    """Return the breast of `breast_pixels` with its specks replaced by tissue from below them."""
    pixels = breast_pixels(ROWS, COLS)
    pixels[290:410, 130:240] = pixels[410:530, 130:240]
    return pixels


def build(root: Path) -> Path:
    """Write a folder of three images: one with a group, one without, one that is no image."""
    write_dicom(root / "images" / "full_L_CC.dcm", breast_pixels(ROWS, COLS))
    write_dicom(root / "images" / "empty_L_CC.dcm", quiet_pixels())
    (root / "images" / "broken_L_CC.dcm").write_text("this is no image\n" * 20)
    lines = ["image,row,col,xmin,ymin,xmax,ymax,kind,patient,split"]
    lines += [f"images/full_L_CC.dcm,{row},{col},,,,,calcification,A,test" for row, col in SPECKS]
    lines += ["images/full_L_CC.dcm,,,145,310,226,386,cluster,A,test"]
    lines += ["images/empty_L_CC.dcm,,,,,,,,B,train", "images/broken_L_CC.dcm,,,,,,,,C,test"]
    (root / "truth.csv").write_text("\n".join(lines) + "\n")
    return root


def run(root: Path, out: Path, **options: Any) -> BenchmarkReport:
    settings: dict[str, Any] = {"jobs": 1, "samples": 0, "plots": False} | options
    return run_benchmark("generic", root, out, **settings)


def invoke(*words: object) -> Any:
    return CliRunner().invoke(app, ["benchmark", *map(str, words)], env={"COLUMNS": "200"})


def test_from_the_command_line(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("generic", "--root", build(tmp_path / "set"), "-o", out, "--samples", 5, "--jobs", 1)
    done = invoke(*words, "--rule", "lenient")
    assert done.exit_code == 1, done.output  # one image is broken
    assert "images_broken_L_CC" in done.output
    assert "cases: 1 located, 2 negative; 2 processed; 0 done before; 1 failed" in done.output
    failures = pd.read_csv(out / "failures.csv")
    assert failures["file"].tolist() == ["images_broken_L_CC"]
    assert failures["remedy"].str.len().min() > 0

    page = (out / "RESULTS.md").read_text()
    assert f"| configuration | SHA-256 `{Config().digest}` |" in page
    assert "| located | 1 |" in page
    assert "| negative | 2 |" in page
    assert "| cases evaluated | 2 of 3 (1 failed) |" in page
    assert "## Calcifications, rule lenient" in page
    assert "## Clusters, rule kallergi1999" in page
    assert "divided by 2 images" in page
    assert "| images_broken_L_CC |" in page
    assert str(tmp_path) not in page + (out / "benchmark.json").read_text()
    for target in page.split("](")[1:]:
        assert (out / target.partition(")")[0]).is_file()
    assert page.count("![") == 3  # two for calcifications, one for clusters

    record = json.loads((out / "benchmark.json").read_text())
    assert record["status"] == "complete"
    assert record["cases"]["by_status"] == {"located": 1, "negative": 2}
    assert record["seconds"]["total"]["median"] > 0
    assert sorted(record["evaluations"]) == ["calcifications_lenient", "clusters_kallergi1999"]


def test_the_figures_are_those_of_the_detector(tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = run(build(tmp_path / "set"), out)
    clusters = report.evaluations["clusters_kallergi1999"]
    assert clusters.value(at=0.05, unit="image") == 1.0
    assert clusters.denominators["images"].tolist() == [2, 1]
    assert clusters.denominators["patients"].tolist() == [2, 1]
    singles = report.evaluations["calcifications_hdogreg"]
    assert len(singles.lesions) == 6
    assert singles.value("sensitivity", at=0.4) >= 5 / 6
    # The tables beside the page give the same figures to `mcdetect evaluate`.
    again = evaluate(
        pd.read_csv(out / "detections" / "candidates.csv"),
        pd.read_csv(out / "truth.csv"),
        pd.read_csv(out / "detections" / "images.csv"),
        samples=0,
    )
    same = ("measure", "bin", "pool", "unit", "at", "lesions")
    left, right = (found.summary[[*same, "value"]] for found in (singles, again))
    pd.testing.assert_frame_equal(left, right, rtol=1e-4)
    assert again.denominators["patients"].tolist() == [2, 1]


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    root, out = build(tmp_path / "set"), tmp_path / "out"
    first = run(root, out)
    assert (first.processed, first.reused, len(first.failed)) == (2, 0, 1)
    second = run(root, out)
    assert (second.processed, second.reused, len(second.failed)) == (0, 2, 1)  # failures are tried again
    for name, found in first.evaluations.items():
        pd.testing.assert_frame_equal(found.summary, second.evaluations[name].summary)
    assert second.seconds is not None
    assert len(second.seconds) == 2

    write_dicom(root / "images" / "broken_L_CC.dcm", quiet_pixels())
    third = run(root, out)
    assert (third.processed, third.reused, third.failed) == (1, 2, {})
    assert pd.read_csv(out / "failures.csv").empty

    table = root / "truth.csv"
    table.write_text(table.read_text().replace("full_L_CC.dcm,350,", "full_L_CC.dcm,353,"))
    moved = run(root, out)
    assert (moved.processed, moved.reused) == (1, 2)
    assert 353.0 in pd.read_csv(out / "truth.csv")["y"].to_list()

    assert run(root, out, config=Config().replace(min_count=4)).processed == 3
    assert run(root, out, limit=1, restart=True).processed == 1
    assert (out / "results" / "clusters_kallergi1999").is_dir()
    assert run(root, out, rules=["centroid"], limit=1).processed == 0
    assert not (out / "results" / "clusters_kallergi1999").exists()  # no figures but those of the page
    assert run(root, out).processed == 0  # what other options gave is still there


def test_a_damaged_store_is_made_anew(tmp_path: Path) -> None:
    root, out = build(tmp_path / "set"), tmp_path / "out"
    run(root, out, limit=1)
    (out / "results.sqlite").write_bytes(b"no database\n" * 500)
    assert run(root, out, limit=1).processed == 1
    assert run(root, out, limit=1).reused == 1


def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path) -> None:
    class Impatient(Observer):
        def finished(self, image: ImageReport) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    root, out = build(tmp_path / "set"), tmp_path / "out"
    stopped = run(root, out, observer=Impatient())
    assert (stopped.interrupted, stopped.signal) == (True, signal.SIGINT)
    assert stopped.processed == 1
    assert not stopped.evaluations
    assert not (out / "RESULTS.md").exists()
    assert json.loads((out / "benchmark.json").read_text())["status"] == "interrupted"
    rest = run(root, out)
    assert (rest.processed, rest.reused) == (1, 1)
    assert (out / "RESULTS.md").is_file()


@pytest.mark.slow
def test_workers_find_the_same(tmp_path: Path) -> None:
    root = build(tmp_path / "set")
    alone = run(root, tmp_path / "alone")
    together = run(root, tmp_path / "together", jobs=2)
    assert (together.jobs, together.processed) == (2, 2)
    assert {name: str(failure) for name, failure in together.failed.items()} == {
        name: str(failure) for name, failure in alone.failed.items()
    }
    for name, found in alone.evaluations.items():
        pd.testing.assert_frame_equal(found.summary, together.evaluations[name].summary)


def test_cbis_ddsm_says_what_it_assumes(tmp_path: Path) -> None:
    cbis = Cbis(tmp_path / "set", "flat")
    pixels = breast_pixels()
    for case in ("Calc-Training_P_00007_LEFT_CC", "Calc-Training_P_00009_LEFT_CC"):
        mask = np.zeros(pixels.shape, dtype=np.uint8)
        mask[450:545, 140:235] = 255
        cbis.abnormality(case, cbis.image(case, pixels), 1, mask)
    third = "Calc-Test_P_00011_LEFT_CC"
    cbis.abnormality(third, cbis.image(third, pixels), 1, blob(400, 250, 50, 40), split="test")
    root, out = cbis.finish(), tmp_path / "out"
    done = invoke("cbis-ddsm", "--root", root, "-o", out, "--samples", 0, "--no-plots", "--split", "train")
    assert done.exit_code == 0, done.output
    page = (out / "RESULTS.md").read_text()
    assert "0.0435 mm (Howtek) is assumed for every film" in page
    assert "pixel spacing of 0.0435 mm assumed (2 of 2 cases)" in page
    assert "## Clusters, rule kallergi1999" in page
    assert "## Calcifications" not in page  # masks outline groups only
    assert "| located | 2 |" in page
    assert not (out / "detections" / "candidates.csv").exists()
    whole = run_benchmark("cbis-ddsm", root, out, samples=0, plots=False, jobs=1)
    assert list(whole.failed) == [third]  # its mask fits no image
    assert whole.reused == 2


def test_mini_mias_leaves_out_what_is_not_located(tmp_path: Path) -> None:
    root = tmp_path / "set"
    root.mkdir()
    pixels = np.zeros((1024, 1024), dtype=np.uint8)
    pixels[:1000, :800] = breast_pixels() // 9
    for number in (3, 216, 226, 240):
        (root / f"mdb{number:03d}.pgm").write_bytes(b"P5\n1024 1024\n255\n" + pixels.tobytes())
    table = "mdb003 D NORM\nmdb216 D CALC M *NOTE 3*\nmdb226 D CALC B 180 524 50\nmdb240 D CALC B 643 614\n"
    (root / "Info.txt").write_text(table)
    report = run_benchmark("mini-mias", root, tmp_path / "out", samples=0, plots=False, jobs=1)
    assert report.status == {"negative": 1, "unlocated": 1, "located": 1}
    assert (report.chosen, report.processed) == (2, 2)
    (failure,) = report.failed.values()
    assert "the line of mdb240 lacks x, y or radius" in failure.cause
    (found,) = report.evaluations.values()
    assert found.options.target == "clusters"
    assert sorted(found.images["image"]) == ["mdb003", "mdb226"]
    assert "| unlocated | 1 |" in (tmp_path / "out" / "RESULTS.md").read_text()


def test_negative_images_alone_give_false_positives(tmp_path: Path) -> None:
    root = tmp_path / "set"
    write_dicom(root / "one.dcm")
    (root / "truth.csv").write_text("image\none.dcm\n")
    (found,) = run(root, tmp_path / "out", samples=0).evaluations.values()
    assert found.options.target == "clusters"
    assert found.value("end_false_positives", unit="image") == 1.0
    assert "there is no sensitivity" in (tmp_path / "out" / "RESULTS.md").read_text()


def test_part_of_a_set_whose_adapter_knows_no_parts(tmp_path: Path) -> None:
    root = build(tmp_path / "set")
    report = run(root, tmp_path / "out", split="train")
    assert (report.chosen, report.processed, report.failed) == (1, 1, {})
    with pytest.raises(BenchmarkError, match="generic, split nonsense: no case was found"):
        run(root, tmp_path / "out", split="nonsense")


def test_the_list_tells_of_every_set() -> None:
    done = invoke("--list")
    assert done.exit_code == 0
    text = " ".join(done.output.split())
    for info in describe():
        assert f"{info.name}: {info.title}" in text
        assert info.home.split()[0] in done.output
        assert info.licence.split(",")[0] in text
    assert "spacing_table, split" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--rule", "nonsense"), "no matching rule 'nonsense'; known are hdogreg"),
        (("--option", "colour=red"), "generic has no option 'colour'"),
        (("--option", "colour"), "write NAME=VALUE"),
        (("--pixel-spacing", "-1"), "-1"),
        (("--config", "absent.toml"), "absent.toml"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_done(
    tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    root, out = build(tmp_path / "set"), tmp_path / "out"
    done = invoke("generic", "--root", root, "-o", out, *words)
    assert done.exit_code == 2
    assert message in done.output
    assert not out.exists()


def test_an_unknown_set_is_told_before_what_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise AssertionError("asked for matplotlib first")

    monkeypatch.setattr("mcdetect.validation.evaluation.plots.require_matplotlib", missing)
    with pytest.raises(ValueError, match=r"unknown data set .nope.; known are cbis-ddsm, inbreast"):
        run_benchmark("nope", tmp_path, tmp_path / "out")
    done = invoke("nope", "--root", tmp_path, "-o", tmp_path / "out")
    assert (done.exit_code, "known are cbis-ddsm" in done.output) == (2, True)
    assert not (tmp_path / "out").exists()


def test_sets_and_folders_that_cannot_be_used(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = invoke("nonsense", "--root", tmp_path, "-o", out)
    assert (done.exit_code, "unknown data set 'nonsense'" in done.output) == (2, True)
    done = invoke("inbreast", "--root", tmp_path / "absent", "-o", out)
    assert (done.exit_code, "there is no such folder" in done.output) == (2, True)
    done = invoke("mini-mias", "--root", tmp_path, "-o", out, "--pixel-spacing", 0.2)
    assert (done.exit_code, "mini-mias has no option 'pixel_spacing_mm'" in done.output) == (2, True)
    root = build(tmp_path / "set")
    out.mkdir()
    (out / "RESULTS.md").write_text("my own page")
    done = invoke("generic", "--root", root, "-o", out)
    assert (done.exit_code, "RESULTS.md, which no benchmark wrote" in done.output) == (2, True)
    assert (out / "RESULTS.md").read_text() == "my own page"
    with pytest.raises(ValueError, match="limit = 0"):
        run(root, tmp_path / "other", limit=0)
    (root / "images" / "empty_L_CC.dcm").write_text("no image either\n" * 20)
    with pytest.raises(BenchmarkError, match="none of 1 cases could be processed"):
        run(root, tmp_path / "other", split="train")
    assert len(list(open_dataset("generic", root))) == 3
