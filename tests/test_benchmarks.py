"""The benchmarks: what a run keeps, how it is shown, the pages made of it, and a small run of each."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
import math
import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.catalogue import BENCHMARKS
from benchmarks.common import record
from benchmarks.common.command import Command
from benchmarks.common.record import RESULTS, Figure, Recorder, Run, load_runs, state_of
from benchmarks.common.shared import DATA, ROOT
from benchmarks.common.views import Across, Column, View, to_markdown, to_text
from benchmarks.pages import make
from benchmarks.pages.measured import BLOCKS, OutOfDate

NOW = {"detector": "d", "benchmark": "b", "answers": "a"}


def hand(*figures: Figure, code: dict[str, str | None] | None = None) -> Run:
    return Run(
        "pairs", "python -m benchmarks pairs", "2026-01-02", {"mcdetect": "1"}, code or dict(NOW), figures
    )


# ---------------------------------------------------------------- what a run keeps


def test_a_run_comes_back_from_json_as_it_was() -> None:
    run = hand(
        Figure("found", 0.25, "share", {"kind": "film 0.2 mm", "at": 0.4}, 0.1, 0.5, 40),
        Figure("named", "round"),
        Figure("images", 25, "count"),
        code={"detector": "d", "benchmark": None, "answers": "a"},
    )
    again = Run.from_json(run.to_json())
    assert again == run
    assert json.loads(run.to_json())["figures"][2] == {"name": "images", "value": 25, "unit": "count"}
    with pytest.raises(ValueError, match="format"):
        Run.from_json('{"format": "another", "figures": []}')


def test_figures_are_found_by_name_and_labels() -> None:
    run = hand(*(Figure("found", v, "share", {"at": at}) for at, v in ((0.1, 0.5), (0.4, 0.75))))
    assert run.value("found", at=0.4) == 0.75
    assert run.labelled("found", "at") == (0.1, 0.4)
    with pytest.raises(KeyError, match="0 figures"):
        run.figure("found")
    with pytest.raises(KeyError, match="2 figures"):
        dataclasses.replace(run, figures=run.figures * 2).figure("found", at=0.1)


def test_a_recorder_keeps_plain_numbers_and_leaves_out_what_is_none() -> None:
    import numpy as np

    recorder = Recorder("pairs")
    recorder.add("found", np.float64(1 / 3), "share", low=math.nan, high=0.5, at=np.float64(0.1))
    recorder.add("lost", math.nan, "share")
    recorder.add("number", np.int64(7), "count", labels={"kind": "film"})
    run = recorder.run()
    assert run.figures == (
        Figure("found", 0.333333, "share", {"at": 0.1}, None, 0.5),
        Figure("number", 7, "count", {"kind": "film"}),
    )
    assert run.environment["mcdetect"]
    assert run.environment["threads"] >= 1
    assert all(len(str(digest)) == 64 for digest in run.code.values())


def test_no_folder_of_this_machine_is_written_down(tmp_path: Path) -> None:
    given = ["--models", "my models", "--out", str(tmp_path), "--json", "x.json", "--kinds", "film 0.2 mm"]
    shown = record.shown_command("insertion", given, [Path("my models")])
    assert shown == 'python -m benchmarks insertion --models DIR --out DIR --kinds "film 0.2 mm"'


def test_the_digest_of_the_benchmarks_changes_with_their_code_and_tables(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "benchmarks", tmp_path / "0", ignore=shutil.ignore_patterns("results"))
    seen = {record.benchmark_digest(tmp_path / "0")}
    changed = ("detection/insertion.py", "common/native_calcifications.csv", "pages/make.py", "catalogue.py")
    for number, name in enumerate(changed, start=1):
        home = shutil.copytree(tmp_path / "0", tmp_path / str(number))
        (home / name).write_text((home / name).read_text(encoding="utf-8") + "\n", encoding="utf-8")
        seen.add(record.benchmark_digest(home))
    assert len(seen) == 3, "code and tables count; pages and what only shows figures do not"


def test_the_digest_of_answers_changes_with_what_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    import mcdetect

    before = record.answers_digest.__wrapped__()
    assert record.answers_digest.__wrapped__() == before
    found = mcdetect.detect
    other = mcdetect.Config().replace(min_score=0.99999)
    monkeypatch.setattr(mcdetect, "detect", lambda image: found(image, config=other))
    assert record.answers_digest.__wrapped__() != before


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (NOW, "this code"),
        ({**NOW, "benchmark": None}, "this code"),
        ({**NOW, "detector": "other"}, "other code, same answers"),
        ({**NOW, "benchmark": "other"}, "other code, same answers"),
        ({**NOW, "detector": "other", "answers": "other"}, "other code"),
        ({"detector": "other", "benchmark": None, "answers": None}, "other code"),
        ({"detector": None, "benchmark": None, "answers": None}, "code not recorded"),
    ],
)
def test_a_run_tells_whether_it_was_made_by_this_code(code: dict[str, str | None], state: str) -> None:
    assert state_of(hand(code=code), NOW) == state


# ---------------------------------------------------------------- how figures are shown


def shown_run() -> Run:
    figures = [
        Figure("found", 0.5, "share", {"kind": "film", "at": 0.1}, 0.4, 0.625),
        Figure("found", 0.75, "share", {"kind": "film", "at": 0.4}),
        Figure("found", 0.25, "share", {"kind": "digital", "at": 0.1}),
        Figure("called", 0.775, "share", of=40),
        Figure("images", 8668, "count"),
        Figure("word", "a | b"),
    ]
    return hand(*figures)


def test_a_view_puts_figures_in_rows_and_columns() -> None:
    view = View("Title", (Across("found", "at", heading="at {}"), Column("none", "missing")), down=("kind",))
    assert view.table(shown_run()) == [
        ["kind", "at 0.1", "at 0.4"],
        ["film", "0.500 (0.400 to 0.625)", "0.750"],
        ["digital", "0.250", ""],
    ]
    assert to_text(view, shown_run()).splitlines() == [
        "Title",
        "kind                     at 0.1  at 0.4",
        "film     0.500 (0.400 to 0.625)   0.750",
        "digital                   0.250",
    ]
    turned = dataclasses.replace(view, turned=True)
    assert turned.table(shown_run())[0] == ["kind", "film", "digital"]


def test_single_figures_are_shown_as_a_list() -> None:
    view = View(
        "", (Column("called", "called"), Column("images", "images"), Column("w", "word")), turned=True
    )
    assert to_markdown(view, shown_run()).splitlines() == [
        "|  | figure |",
        "|---|---:|",
        "| called | 31/40 = 77.5% |",
        "| images | 8,668 |",
        r"| w | a \| b |",
    ]
    assert not View("", (Column("x", "missing"),)).fits(shown_run())


def test_the_catalogue_is_whole() -> None:
    recorded = {path.stem for path in RESULTS.glob("*.json")}
    assert recorded <= set(BENCHMARKS)
    assert set(load_runs()) == recorded
    for name, benchmark in BENCHMARKS.items():
        assert importlib.util.find_spec(benchmark.module) is not None
        assert benchmark.module.rsplit(".", 1)[1] == name
        for picture in benchmark.pictures if name in recorded else ():
            assert (RESULTS / picture).is_file()


@pytest.mark.parametrize("name", sorted(path.stem for path in RESULTS.glob("*.json")))
def test_every_recorded_figure_is_on_the_page(name: str) -> None:
    run = load_runs()[name]
    without = {"size_accuracy": {"diameter CV", "measured"}, "stability": {"ICC"}}.get(name, set())
    for figure in run.figures:
        alone = dataclasses.replace(run, figures=(figure,))
        if figure.name not in without:
            assert any(view.fits(alone) for view in BENCHMARKS[name].views), figure


# ---------------------------------------------------------------- pages


def test_the_pages_say_what_the_recorded_runs_say() -> None:
    assert make.out_of_step() == [], "run: python -m benchmarks pages"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the pages and of the recorded runs."""
    shutil.copytree(RESULTS, tmp_path / "benchmarks" / "results")
    for name in (make.PAGE, *BLOCKS):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def change(project: Path, benchmark: str, name: str, value: float, **labels: str | float) -> None:
    file = project / "benchmarks" / "results" / f"{benchmark}.json"
    run = Run.from_json(file.read_text(encoding="utf-8"))
    old = run.figure(name, **labels)
    new = dataclasses.replace(old, value=value)
    figures = tuple(new if figure == old else figure for figure in run.figures)
    file.write_text(dataclasses.replace(run, figures=figures).to_json(), encoding="utf-8")


def test_a_page_that_lags_behind_a_run_is_found(project: Path) -> None:
    results = project / "benchmarks" / "results"
    assert make.out_of_step(results, project) == []
    change(project, "fda_p0", "calcifications found", 0.5, at=0.1)
    assert make.out_of_step(results, project) == ["benchmarks/RESULTS.md", "README.md"]
    change(project, "pairs", "called", 0.5, truth="lost", verdict="gone")
    assert make.out_of_step(results, project) == ["benchmarks/RESULTS.md", "README.md", "docs/compare.md"]
    made = make.pages(results, project)["README.md"]
    assert "| 50.0 % / " in made


def test_a_new_day_alone_makes_the_page_lag(project: Path) -> None:
    file = project / "benchmarks" / "results" / "large_image.json"
    run = Run.from_json(file.read_text(encoding="utf-8"))
    file.write_text(dataclasses.replace(run, date="2031-01-01").to_json(), encoding="utf-8")
    made = make.pages(project / "benchmarks" / "results", project)
    assert "2031-01-01" in made["README.md"]
    assert "2031-01-01" in made["benchmarks/RESULTS.md"]


def test_words_that_are_no_longer_true_stop_the_page(project: Path) -> None:
    change(project, "peers", "sensitivity", 0.1, data="fda", detector="mcdetect", at=0.4)
    with pytest.raises(OutOfDate, match="above all five"):
        make.pages(project / "benchmarks" / "results", project)


def test_a_page_without_its_block_is_refused(project: Path) -> None:
    text = (project / "README.md").read_text(encoding="utf-8")
    (project / "README.md").write_text(text.replace("pages: measured -->", "pages: other -->"), "utf-8")
    with pytest.raises(ValueError, match=r"README\.md has the blocks"):
        make.pages(project / "benchmarks" / "results", project)


# ---------------------------------------------------------------- command lines


def test_a_trial_run_is_not_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    def parse(*given: str) -> argparse.Namespace:
        command = Command("pairs", "About.")
        command.trial_option("--limit", type=int)
        command.trial_option("--kinds", nargs="+", default=("a", "b"))
        return command.parse(given)[0]

    assert parse("--record").record
    assert parse("--record", "--kinds", "a", "b").record
    assert parse("--limit", "3").limit == 3
    for given in (("--limit", "3"), ("--kinds", "a")):
        with pytest.raises(SystemExit):
            parse(*given, "--record")
        assert "trial run" in capsys.readouterr().err


def test_the_front_door_lists_and_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--list"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(BENCHMARKS)
    (line,) = (line for line in lines if line.startswith("insertion "))
    assert load_runs()["insertion"].date in line
    main([])
    assert "--list" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="no benchmark 'insertions'"):
        main(["insertions"])


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_says_what_it_measures(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    needed(name)
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    out = capsys.readouterr().out
    assert end.value.code == 0
    assert out.startswith(f"usage: python -m benchmarks {name}")
    assert f"python -m benchmarks {name}" in out[out.index("\n\n") :], "an example"
    assert "--record" in out


def test_a_fit_on_a_part_does_not_replace_the_model(capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarks.fit import spot_model

    with pytest.raises(SystemExit):
        spot_model.main(["--kinds", "phantom"])
    assert "needs --report, or --out" in capsys.readouterr().err


# ---------------------------------------------------------------- a small run of each


NEEDED = {"peers": ("trackpy", "sep"), "large_image": ("psutil",), "tomosynthesis": ("psutil",)}
NEEDED |= {"cluster": ("distributed",), "speed": ("psutil", "skimage")}


def needed(name: str) -> None:
    """Skip where a benchmark needs a library that the tests do not bring."""
    for library in NEEDED.get(name, ()):
        pytest.importorskip(library, reason=f"{name} needs the extra bench")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Models of two folds, each fitted on one small phantom."""
    folder = tmp_path_factory.mktemp("models")
    given = ["--kinds", "phantom", "--least-mm", "0.08", "--rounds", "1", "--jobs", "1", "--trees", "40"]
    main(
        [
            "spot_model",
            *given,
            "--out",
            str(folder / "m.json"),
            "--folds",
            str(folder),
            "--json",
            str(folder / "run"),
        ]
    )
    return folder


@pytest.mark.slow
def test_a_small_fit_gives_a_model_and_those_of_the_folds(models: Path) -> None:
    from mcdetect.spots.score import SpotModel

    run = Run.from_json((models / "run").read_text(encoding="utf-8"))
    assert run.value("sensitivity", kind="phantom", part="all", at=0.4) > 0.7
    folds = json.loads((models / "folds.json").read_text(encoding="utf-8"))
    assert set(folds) == {"phantom-103", "phantom-104"}
    assert len(set(folds.values())) == 2
    for file in ("m.json", *folds.values()):
        assert SpotModel.from_json((models / file).read_text(encoding="utf-8")).log_odds is not None


def digital_folds(folder: Path) -> Path:
    """Write models of two folds of real mammograms, both the one of the package."""
    from benchmarks.common.real import real_images

    text = resources.files("mcdetect.models").joinpath("spot_model_digital.json").read_text(encoding="utf-8")
    for fold in range(2):
        (folder / f"fold_digital{fold}.json").write_text(text, encoding="utf-8")
    files = {row.file: f"fold_digital{int(row.set == 'dutch')}.json" for row in real_images().itertuples()}
    (folder / "folds_digital.json").write_text(json.dumps(files), encoding="utf-8")
    return folder


SMALL: dict[str, tuple[str, ...]] = {
    "fda_p0": ("--limit", "1"),
    "real": ("--limit", "1", "--samples", "5"),
    "insertion": ("--kinds", "phantom", "--least-mm", "0.1", "--samples", "10"),
    "spot_model_digital": (
        *("--kinds", "phantom", "--least-mm", "0.08", "--rounds", "1"),
        *("--jobs", "1", "--trees", "20", "--report"),
    ),
    "second_look": ("--women", "1", "--report"),
    "inserted_bodies": ("--kinds", "phantom", "--limit", "1", "--turns", "1", "--jobs", "1"),
    "robustness": (
        "--kinds",
        "phantom",
        "--least-mm",
        "0.1",
        "--displays",
        "as it is",
        "JPEG 90",
        "blur 0.08 mm",
    ),
    "ablation": ("--kinds", "phantom", "--least-mm", "0.08", "--trees", "5"),
    "peers": ("--data", "fda", "--limit", "1", "--samples", "10"),
    "mini_mias": ("--limit", "5"),
    "slice_score": ("--volumes", "5", "--report"),
    "tomosynthesis": ("--volumes", "1", "--stack", "1000", "800", "16"),
    "large_image": ("--runs", "1"),
    "scaling": ("--only", "candidates", "members", "--most", "1000"),
    "speed": ("--repeats", "1", "--images", "2", "--shape", "1500", "1200"),
    "cluster": ("--images", "4", "--workers", "1"),
    "fuzz": ("--inputs", "70"),
    "runs": ("--images", "12", "40", "--rows", "2000", "--paths", "30", "--paced", "10"),
    "soak": ("--files", "60", "--strikes", "8"),
    "stage_cost": ("--only", "groups of points"),
    "magnified": ("--breasts", "1"),
    "stereo": ("--pairs", "1"),
    "size_accuracy": ("--spacing", "0.1", "--diameter", "0.35", "--snr", "12", "--sites", "9"),
    "ellipses": ("--pixel", "0.1", "--snr", "20", "--minor", "0.3", "--aspect", "3", "--bodies", "9"),
    "descriptors": ("--images", "1"),
    "stability": ("--phantoms", "1", "--real", "0", "--out", "stability.json"),
    "pairs": ("--pairs", "1"),
    "films": ("--limit", "1", "--times", "1"),
    "repeatability": ("--pairs", "1"),
}
NOT_IN_SMALL = ("large bodies", "model size")
"""Of images that no small run has; of a model that is written."""
FOLDERS = {
    "real": "real",
    "second_look": "real",
    "fda_p0": "fda_p0",
    "peers": "fda_p0",
    "mini_mias": "mini_mias",
}


def test_every_benchmark_has_a_small_run() -> None:
    assert {*SMALL, "spot_model"} == set(BENCHMARKS)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")
@pytest.mark.parametrize("name", SMALL)
def test_a_small_run(
    name: str,
    models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    needed(name)
    if name in FOLDERS and not (DATA / FOLDERS[name]).exists():
        pytest.skip(f"needs ../shared/data/{FOLDERS[name]}")
    monkeypatch.chdir(tmp_path)
    extra = ("--models", str(models)) if name in ("insertion", "robustness", "ablation") else ()
    if name == "second_look":
        extra = ("--models", str(digital_folds(tmp_path)))
    capsys.readouterr()
    main([name, *SMALL[name], *extra])
    run = Run.from_json((tmp_path / "benchmark-runs" / f"{name}.json").read_text(encoding="utf-8"))
    assert run.benchmark == name
    assert str(tmp_path) not in run.to_json()
    printed = capsys.readouterr().out
    for view in BENCHMARKS[name].views:
        if view.fits(run):
            assert to_text(view, run) in printed
    shares = [f.value for f in run.figures if f.unit == "share" and f.name not in ("gain", "bias")]
    assert shares or name in ("large_image", "stage_cost", "films", "fuzz", "cluster", "runs", "scaling")
    assert all(0 <= float(share) <= 1 for share in shares if isinstance(share, float))
    recorded = load_runs().get(name)
    if recorded is not None:  # the same names, so that the page can be made from a new run
        names = {f.name for f in recorded.figures if not f.name.startswith(NOT_IN_SMALL)}
        assert names <= {f.name for f in run.figures}
