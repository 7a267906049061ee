"""Kernels compiled ahead: all of them, once, said in one line; and no more than an image can wait for."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

import mcdetect
from mcdetect.cli import app
from mcdetect.runs import compiling

SAMPLES = Path(__file__).resolve().parents[1] / "sample_data"
KERNELS = Path(mcdetect.__file__).parent / "kernels"

MOST_FUNCTIONS = 50
MOST_NODES = 27_800
"""Compiled functions and nodes of their syntax trees: how long a first image takes hangs on these."""

SAYS = "compiling kernels, once"


def run(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MCDETECT_CACHE_DIR": str(folder)}
    command = [sys.executable, "-m", "mcdetect", *map(str, words)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("kernels")
    return folder, run(folder, "compile")


def compiled(folder: Path) -> list[str]:
    """Return the kernels that are there, ``file.function``, once for each signature."""
    return [path.name.rpartition("-")[0] for path in folder.glob("kernels-*/*")]


def test_compiling_is_said_once_in_one_line(
    filled: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, first = filled
    assert [SAYS in line for line in first.stderr.splitlines()] == [True]
    assert re.fullmatch(
        rf"compiled kernels are in {re.escape(str(folder))}.kernels-[0-9a-f]+\n", first.stdout
    )
    again = run(folder, "compile")
    assert (again.stderr, again.stdout) == ("", first.stdout)


def test_nothing_is_left_to_compile_for_an_image(
    filled: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    folder, _ = filled
    before = sorted(compiled(folder))
    for path in folder.rglob("*"):  # as in an image of a container that another user runs
        path.chmod(0o555 if path.is_dir() else 0o444)
    done = run(folder, "detect", SAMPLES, "-o", tmp_path, "--jobs", 1, "--no-overlay")
    assert SAYS not in done.stderr  # on a busy machine it tells how far it is
    assert sorted(compiled(folder)) == before


def test_a_first_image_waits_for_few_functions(
    filled: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    functions = Counter(compiled(filled[0]))
    assert set(functions.values()) == {1}, "compiled for two signatures"
    assert len(functions) <= MOST_FUNCTIONS
    nodes = 0
    for path in KERNELS.glob("*.py"):
        for item in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(item, ast.FunctionDef) and any(
                "kernel" in ast.dump(d) for d in item.decorator_list
            ):
                inlined = any("inline" in ast.dump(d) for d in item.decorator_list)
                if inlined or f"{path.stem}.{item.name}" in functions:
                    nodes += sum(1 for _ in ast.walk(item))
    assert nodes <= MOST_NODES


def test_without_a_place_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "fill_cache", lambda: None)
    result = CliRunner().invoke(app, ["compile"])
    assert result.exit_code == 1
    assert "MCDETECT_CACHE_DIR" in result.stderr


def test_what_goes_wrong_ahead_stops_no_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(config: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(compiling, "fill_cache", fail)
    compiling.compile_kernels.__wrapped__(mcdetect.Config())


@pytest.mark.slow
def test_the_first_run_gives_the_numbers_of_all_later_ones(tmp_path: Path) -> None:
    """Code that has just been compiled and code from the disk round alike."""
    sample = SAMPLES / "cluster_raw_L_MLO.dcm"
    tables = []
    for name in ("first", "second"):
        done = run(
            tmp_path / "kernels", "detect", sample, "-o", tmp_path / name, "--candidates", "--no-overlay"
        )
        assert (SAYS in done.stderr) == (name == "first")
        tables.append((tmp_path / name / "candidates.csv").read_bytes())
    assert tables[0] == tables[1]
    assert len(tables[0].splitlines()) > 1000
