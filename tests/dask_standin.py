"""Work for Dask workers in tests, and what they load so that the stand-in of the detector is theirs, too."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from detector_standin import install

from mcdetect.image.mammogram import Mammogram
from mcdetect.runs.worker import Outcome, Task


def dask_setup(worker: Any) -> None:
    """Called by a Dask worker when it starts, and when it is started again."""
    stand_in = install(pytest.MonkeyPatch())
    pytest.MonkeyPatch().setattr("mcdetect.runs.compiling.fill_cache", lambda config: None)

    def read(path: Path, **options: Any) -> Mammogram:
        if path.read_text() == "kill":
            os._exit(9)
        return stand_in.read_mammogram(path, **options)

    pytest.MonkeyPatch().setattr("mcdetect.readers.read.read_image", read)


def name_only(task: Task) -> Outcome:
    """Return where it was done."""
    return Outcome(task.file, sha256=str(os.getpid()))


def name_or_die(task: Task) -> Outcome:
    """Return where it was done; some files kill their process, some leave it when it is too late."""
    if task.file.startswith("kill"):
        os._exit(9)
    if task.file.startswith("hang"):
        while True:
            pass
    return name_only(task)


def no_disk(task: Task) -> Outcome:
    """Fail outside of what is searched."""
    raise OSError(28, "No space left on device")


def a_bug(task: Task) -> Outcome:
    """Fail as no work should."""
    raise ZeroDivisionError


def no_library(task: Task) -> Outcome:
    """Fail as on a worker without the package."""
    raise ModuleNotFoundError("No module named 'mcdetect'", name="mcdetect")
