"""Runs with the stand-in for the search, and what they write; fixtures that put all back."""

from __future__ import annotations

import importlib
import logging
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.endurance.standin import work, write_files
from mcdetect.runs import BatchReport, ImageReport, Observer, run_batch


@pytest.fixture(autouse=True)
def pipeline_comes_back() -> Any:
    """Take the stand-in away, which `work` puts in the place of the pipeline when it runs in this process."""
    importlib.import_module("mcdetect.pipeline.files")
    before = sys.modules["mcdetect.pipeline"]
    yield
    sys.modules["mcdetect.pipeline"] = before


@pytest.fixture(autouse=True)
def logging_comes_back() -> Any:
    """Commands set the log of the package up."""
    package = logging.getLogger("mcdetect")
    before = package.handlers, package.propagate, package.level
    yield
    package.handlers, package.propagate = before[0], before[1]
    package.setLevel(before[2])


def files(folder: Path, count: int = 24, broken: float = 0.0) -> Path:
    write_files(folder, count, broken=broken, seed=count)
    return folder


def exported(folder: Path) -> dict[str, bytes]:
    """Return all that a run is for: tables and pictures."""
    found = [*folder.glob("*.csv"), *folder.glob("*.parquet"), *(folder / "overlays").glob("*.png")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def run(source: Path, out: Path, **options: Any) -> BatchReport:
    return run_batch([source], out, **{"work": work, "candidates": True, "jobs": 1, **options})


class Stopping(Observer):
    """Presses Ctrl-C after so many images."""

    def __init__(self, after: int) -> None:
        self.left = after

    def finished(self, image: ImageReport) -> None:
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)
