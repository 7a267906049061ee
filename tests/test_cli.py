"""The command line: what it accepts, what it prints, its exit codes, and that it starts at once."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import tomllib
import warnings
from pathlib import Path

import cv2
import pandas as pd
import pytest
from cli_files import BIRTH_DATE, NAME, PATIENT_ID, breast_pixels, write_bad_files, write_dicom
from typer.testing import CliRunner

from mcdetect import __version__
from mcdetect.cli import app, main
from mcdetect.config import Config

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "sample_data"


def run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the program as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "mcdetect", *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        timeout=600,
        check=False,
    )


def call(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the program in this process: all but its start, which takes longer than most of what it does."""
    argv, code = ["mcdetect", *map(str, arguments)], 0
    out, err = io.StringIO(), io.StringIO()
    with (
        warnings.catch_warnings(),
        contextlib.chdir(cwd or Path()),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(sys, "argv", argv)
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return subprocess.CompletedProcess(argv, code, out.getvalue(), err.getvalue())


def modules_of(*arguments: str) -> set[str]:
    """Return the modules that the program has imported by the time it ends."""
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['mcdetect', *{arguments!r}]\n"
        "try:\n    runpy.run_module('mcdetect', run_name='__main__')\n"
        "except SystemExit:\n    pass\n"
        "print('modules:', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("modules:")[2].split())


# ---------------------------------------------------------------- starting


@pytest.mark.parametrize("arguments", [("--help",), ("detect", "--help"), ("--version",)])
def test_help_imports_little(arguments: tuple[str, ...]) -> None:
    """A start is as quick as its imports are few: about 300 modules, of which Python itself brings 30."""
    modules = modules_of(*arguments)
    assert "mcdetect.cli" in modules
    assert len(modules) < 500
    heavy = {
        "numpy",
        "scipy",
        "skimage",
        "cv2",
        "numba",
        "pandas",
        "pyarrow",
        "pydicom",
        "PIL",
        "imagecodecs",
    }
    assert not heavy & modules


def test_help_tells_the_verbs_and_the_limits_of_use() -> None:
    text = run("--help").stdout
    for word in ("detect", "inspect", "init-config", "not a medical device"):
        assert word in text
    options = run("detect", "--help").stdout
    for option in (
        "--out", "--pixel-spacing", "--min-count", "--area-cm2", "--hide-benign", "--config", "--candidates",
        "--no-overlay", "--jobs", "--force", "--quiet", "--verbose",
    ):  # fmt: skip
        assert option in options
    assert f"[default: {Config().groups.min_count}]" in options


def test_version() -> None:
    assert run("--version").stdout == f"mcdetect {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "command"),
        (["detect"], "PATH"),
        (["detect", "x.dcm"], "--out"),
        (["detect", "x.dcm", "-o"], "requires an argument"),
        (["detect", "x.dcm", "-o", "out", "--nonsense"], "--nonsense"),
        (["detect", "x.dcm", "-o", "out", "--pixel-spacing"], "requires an argument"),
        (["detect", "x.dcm", "-o", "out", "--pixel-spacing", "wide"], "--pixel-spacing"),
        (["detect", "x.dcm", "-o", "out", "--pixel-spacing", "nan"], "--pixel-spacing"),
        (["detect", "x.dcm", "-o", "out", "--pixel-spacing", "0"], "0.01 to 0.5"),
        (["detect", "x.dcm", "-o", "out", "--pixel-spacing", "7"], "0.01 to 0.5"),
        (["detect", "x.dcm", "-o", "out", "--min-count", "1"], "min_count"),
        (["detect", "x.dcm", "-o", "out", "--min-count", "2.5"], "--min-count"),
        (["detect", "x.dcm", "-o", "out", "--area-cm2", "-1"], "area_cm2"),
        (["detect", "x.dcm", "-o", "out", "--area-cm2", "inf"], "area_cm2"),
        (["detect", "x.dcm", "-o", "out", "--jobs", "0"], "jobs"),
        (["detect", "x.dcm", "-o", "out", "--config", "missing.toml"], "missing.toml"),
        (["detect", "", "-o", "out"], "the name is empty"),
        (["detect", "x.dcm", "-o", ""], "the name is empty"),
        (["compare", "a.dcm", "b.dcm", "-o", ""], "the name is empty"),
        (["benchmark", "nope"], "known are cbis-ddsm, inbreast"),
        (["inspect"], "PATH"),
        (["nonsense"], "nonsense"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2, result.output
    assert words in result.output
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_configuration_key_is_an_error_in_one_line(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text("[spots]\nmin_snrr = 4.0\n")
    result = call("detect", "x.dcm", "-o", tmp_path / "out", "--config", config)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert "c.toml" in result.stderr
    assert "spots.min_snrr" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_an_output_that_cannot_be_written_is_wrong_usage(tmp_path: Path, out: str) -> None:
    (tmp_path / "file").write_text("mine")
    result = call("detect", "x.dcm", "-o", tmp_path / out)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert (tmp_path / "file").read_text() == "mine"


# ---------------------------------------------------------------- init-config


def test_init_config_writes_every_option_with_unit_and_default(tmp_path: Path) -> None:
    assert run("init-config", cwd=tmp_path).returncode == 0
    text = (tmp_path / "mcdetect.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text) == Config().as_dict()
    assert Config.from_toml(tmp_path / "mcdetect.toml") == Config()
    for section in ("breast", "noise", "spots", "calcifications", "groups"):
        for name, item in type(getattr(Config(), section)).__dataclass_fields__.items():
            line = next(line for line in text.splitlines() if item.metadata["help"] in line)
            assert f"default {item.default!r}".lower() in line.lower(), name
            assert item.metadata["unit"] in line
    assert call("init-config", "-").stdout == text


def test_init_config_overwrites_only_when_told(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text("mine")
    result = call("init-config", file)
    assert result.returncode == 2
    assert "--force" in result.stderr
    assert file.read_text() == "mine"
    assert call("init-config", file, "--force").returncode == 0
    assert Config.from_toml(file) == Config()
    assert call("init-config", tmp_path / "no" / "where.toml").returncode == 2


# ---------------------------------------------------------------- inspect


def test_inspect_tells_what_was_understood(tmp_path: Path) -> None:
    result = run("inspect", write_dicom(tmp_path / "a.dcm"))
    assert result.returncode == 0
    for word in (
        "CC",
        "L",
        "FOR PRESENTATION",
        "Explicit VR Little Endian",
        "0.1",
        "Imager Pixel Spacing",
        "yes",
    ):
        assert word in result.stdout
    for private in (NAME, PATIENT_ID, "20200101", str(tmp_path)):
        assert private not in result.stdout + result.stderr


def test_inspect_tells_why_a_file_would_not_be_processed(tmp_path: Path) -> None:
    write_bad_files(tmp_path)
    for name, word in (("ct.dcm", "--force"), ("nospacing.dcm", "--pixel-spacing"), ("text.dcm", "text")):
        result = call("inspect", tmp_path / name)
        assert result.returncode == 1
        assert word in result.stdout + result.stderr
    assert call("inspect", tmp_path / "ct.dcm", "--force").returncode == 0
    assert call("inspect", tmp_path / "nospacing.dcm", "--pixel-spacing", "0.1").returncode == 0
    assert call("inspect", tmp_path / "missing.dcm").returncode == 1
    assert call("inspect", tmp_path / "nospacing.dcm", "--pixel-spacing", "9").returncode == 2


# ---------------------------------------------------------------- detect, end to end


@pytest.fixture(scope="module")
def mixed(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, dict[str, str], subprocess.CompletedProcess[str]]:
    """One run over a good file, bad files and a missing one, in a folder and named one by one."""
    root = tmp_path_factory.mktemp("mixed")
    words = write_bad_files(root / "in")
    write_dicom(root / "in" / "good.dcm")
    (root / "in" / "README.txt").write_text("no image")
    words["missing.dcm"] = "does not exist"
    result = run("detect", root / "missing.dcm", root / "in", "-o", root / "out", "--candidates")
    return root, words, result


def test_bad_input_costs_one_line_each_and_no_other_file(
    mixed: tuple[Path, dict[str, str], subprocess.CompletedProcess[str]],
) -> None:
    root, every, result = mixed
    words = dict(every)
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    assert len(lines) == len(words) - 1, result.stderr
    skipped = pd.read_csv(root / "out" / "skipped.csv").set_index("file")["reason"]
    assert set(skipped.index) == {"README.txt", "ct.dcm"}
    assert words.pop("ct.dcm") in skipped["ct.dcm"]
    failures = pd.read_csv(root / "out" / "failures.csv").set_index("file")
    assert set(failures.index) == set(words)
    for file, word in words.items():
        (line,) = [line for line in lines if line.startswith(f"failed {file}: ")]
        assert word in line
        assert failures.loc[file, "cause"] in line
        assert failures.loc[file, "remedy"] in line
        assert len(failures.loc[file, "remedy"]) > 5
        assert failures.loc[file, "error"].endswith("Error")
        assert "unexpected" not in line
    images = pd.read_csv(root / "out" / "images.csv")
    assert list(images["file"]) == ["good.dcm"]
    assert (root / "out" / "overlays" / "good.png").is_file()
    assert cv2.imread(str(root / "out" / "overlays" / "good.png")) is not None
    assert "1 image processed" in result.stdout


def test_nothing_written_tells_who_the_patient_is(
    mixed: tuple[Path, dict[str, str], subprocess.CompletedProcess[str]],
) -> None:
    root, _, result = mixed
    secrets = [NAME, PATIENT_ID, BIRTH_DATE, "20200101", str(root), "QUIXOTTERMANN"]
    written = [path for path in (root / "out").rglob("*") if path.is_file()]
    assert len(written) > 9
    for path in written:
        data = path.read_bytes()
        assert not [secret for secret in secrets if secret.encode() in data], path.name
        assert not [secret for secret in secrets if secret in path.name]
    assert not [secret for secret in secrets[:-2] if secret in result.stdout + result.stderr]


def test_a_good_file_alone_is_exit_code_0(tmp_path: Path) -> None:
    file = write_dicom(tmp_path / "in" / "good.dcm")
    result = call("detect", file, "-o", tmp_path / "out", "--no-overlay", "-q")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert not (tmp_path / "out" / "overlays").exists()
    record = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert {"read", "total"} <= set(record["inputs"][0]["seconds"])


def test_plain_images_need_a_spacing(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    cv2.imwrite(str(tmp_path / "in" / "a.png"), breast_pixels() * 16)
    without = call("detect", tmp_path / "in", "-o", tmp_path / "out")
    assert without.returncode == 1
    assert "--pixel-spacing" in without.stderr
    given = call("detect", tmp_path / "in", "-o", tmp_path / "out", "--pixel-spacing", "0.1", "--no-overlay")
    assert given.returncode == 0, given.stderr
    images = pd.read_csv(tmp_path / "out" / "images.csv")
    assert images.loc[0, "row_spacing_mm"] == 0.1
    assert images.loc[0, "spacing_source"] == "given by the user"


def test_the_rule_can_be_changed(tmp_path: Path) -> None:
    file = write_dicom(tmp_path / "in" / "good.dcm")
    flagged = {}
    for count in (2, 1000):
        out = tmp_path / str(count)
        assert call("detect", file, "-o", out, "--no-overlay", "--min-count", str(count)).returncode == 0
        clusters = pd.read_csv(out / "clusters.csv")
        flagged[count] = int(clusters["flagged"].sum())
        record = json.loads((out / "run.json").read_text(encoding="utf-8"))
        assert record["config"]["groups"]["min_count"] == count
    assert flagged[2] >= 1
    assert flagged[1000] == 0


def test_two_jobs_give_what_one_gives(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_dicom(tmp_path / "in" / f"{name}.dcm")
    tables = []
    for jobs in ("1", "2"):
        out = tmp_path / jobs
        assert call("detect", tmp_path / "in", "-o", out, "--jobs", jobs).returncode == 0
        tables.append((out / "calcifications.csv").read_bytes())
        assert json.loads((out / "run.json").read_text(encoding="utf-8"))["jobs"] == int(jobs)
        assert len(list((out / "overlays").iterdir())) == 3
    assert tables[0] == tables[1]


def test_verbose_says_more_without_secrets(tmp_path: Path) -> None:
    file = write_dicom(tmp_path / "in" / "good.dcm")
    result = call("detect", file, "-o", tmp_path / "out", "--no-overlay", "-vv")
    assert "good.dcm: 1000 x 800 px" in result.stderr
    for private in (NAME, PATIENT_ID, "20200101"):
        assert private not in result.stderr


# ---------------------------------------------------------------- the sample data


@pytest.fixture(scope="module")
def sample_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The README's first command, without the installation."""
    out = tmp_path_factory.mktemp("samples") / "mcdetect-out"
    result = run("detect", SAMPLES, "-o", out)
    assert result.returncode == 0, result.stderr
    return out


def test_every_true_cluster_of_the_sample_data_is_flagged_and_nothing_else(sample_run: Path) -> None:
    truth = pd.read_csv(SAMPLES / "truth_clusters.csv")
    found = pd.read_csv(sample_run / "clusters.csv")
    found = found[found["flagged"]]
    images = pd.read_csv(sample_run / "images.csv")
    assert set(images["file"]) == {path.name for path in SAMPLES.glob("*.dcm")}
    assert len(truth) > 0
    margin = 30.0
    matched = set()
    for _, cluster in truth.iterrows():
        hits = found[
            (found["file"] == cluster["file"])
            & (found["min_row_px"] <= cluster["max_row_px"] + margin)
            & (found["max_row_px"] >= cluster["min_row_px"] - margin)
            & (found["min_col_px"] <= cluster["max_col_px"] + margin)
            & (found["max_col_px"] >= cluster["min_col_px"] - margin)
        ]
        assert len(hits) >= 1, f"a true cluster of {cluster['file']} is not flagged"
        matched |= set(hits.index)
    assert matched == set(found.index), "a flagged cluster is no true one"


def test_there_is_a_picture_of_every_sample(sample_run: Path) -> None:
    for path in SAMPLES.glob("*.dcm"):
        picture = cv2.imread(str(sample_run / "overlays" / f"{path.stem}.png"))
        assert picture is not None
        assert picture.shape[1] >= 800


def test_readme_and_ci_agree_on_the_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^python3 -m venv .*$", readme, flags=re.MULTILINE)
    assert len(commands) == 2
    assert "mcdetect detect sample_data" in commands[0]
    assert "pytest" in commands[1]
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "grep" in script.read_text(encoding="utf-8")
