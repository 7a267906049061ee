"""Files and a comparison that stand in for mammograms of two dates, so that hundreds take a minute."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.endurance.standin import SEARCHED, template
from mcdetect.errors import UnreadableFileError
from mcdetect.output.overlays import OVERLAY_FOLDER, write_png
from mcdetect.runs.pairs import work as pairs
from mcdetect.runs.pairs.work import ChangeTables, Comparisons, PairOutcome, PairTask
from mcdetect.runs.worker import Outcome, Task

__all__ = ["compare", "write_pair_file", "write_pairs"]

_HEAD = bytes(128) + b"PAIR"  # no DICOM: side and view are taken from the name
_VIEWS = ("LCC", "LMLO", "RCC", "RMLO")
_VERDICTS = ("new", "grown", "stable", "gone", "uncertain")


def write_pair_file(path: Path, **content: Any) -> None:
    """Write a file that says what the stand-in finds in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_HEAD + json.dumps(content).encode())


def write_pairs(prior: Path, current: Path, count: int, *, broken: float, seed: int) -> None:
    """Write so many pairs, in folders of patients, and as many tenths of images without partner in both.

    Parameters
    ----------
    prior, current : Path
        The folders; made anew.
    count : int
        How many pairs.
    broken : float
        Share of them whose current image cannot be read, meets a bug, kills its process or never ends.
    seed : int
        What is drawn follows from it.
    """
    rng = np.random.default_rng(seed)
    bad = rng.permutation(count)[: round(broken * count)]
    kinds = dict.fromkeys(bad.tolist(), "broken")
    for k, kind in zip(bad.tolist(), ("hang", "kill", "bug", "bug", "bug"), strict=False):
        kinds[k] = kind
    for k in range(count):
        name = f"patient {k // 4}/{_VIEWS[k % 4]}.png"
        write_pair_file(prior / name, seed=k)
        write_pair_file(current / name, seed=k, rows=int(rng.integers(6)), kind=kinds.get(k, ""))
    for k in range(count // 10):
        write_pair_file(prior / f"gone {k}" / "LCC.png", seed=k)
        write_pair_file(current / f"first {k}" / "LCC.png", seed=k, rows=1)


def compare(task: Task) -> Outcome:
    """Do what a worker does with a pair, with the stand-in for the comparison."""
    pairs._compare = _compare  # no code of the search is ever loaded
    return pairs.work(task)


def _compare(task: PairTask, prior: Any, current: Any) -> Outcome:
    if log := os.environ.get(SEARCHED):
        with Path(log).open("ab") as stream:
            stream.write(task.file.encode() + b"\n")
    then, now = (json.loads(source.path.read_bytes()[len(_HEAD) :]) for source in (prior, current))
    kind = now.get("kind", "")
    if kind == "broken":
        raise UnreadableFileError("the file is broken", "get a new copy", current.path)
    if kind == "bug":
        raise KeyError("bug")
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "hang":
        threading.Event().wait()
    rows = int(now["rows"])
    outputs: dict[str, tuple[str, ...]] = {ChangeTables.name: ()}
    if task.picture:
        write_png(
            task.folder / OVERLAY_FOLDER / task.picture, np.full((8, 8, 3), now["seed"] % 256, np.uint8)
        )
        outputs[Comparisons.name] = (f"{OVERLAY_FOLDER}/{task.picture}",)
    names = {"prior_file": [prior.name] * rows, "current_file": [current.name] * rows}
    tables = {name: template(name, rows).assign(**names) for name in ("changes", "members")}
    seconds = {"total": 0.5}
    return PairOutcome(
        task.file, tables=tables, outputs=dict(outputs), seconds=seconds, facts=_facts(then, now, rows)
    )


def _facts(then: Mapping[str, Any], now: Mapping[str, Any], rows: int) -> dict[str, Any]:
    return {
        "registered": rows != 5,
        "agreement": round(then["seed"] / (then["seed"] + 7.0), 4),
        "similarity": 0.5,
        "overlap": 0.9,
        "uncertainty_mm": 0.25,
        "mirrored": False,
        "flagged_groups": {name: (rows + k) % 3 for k, name in enumerate(_VERDICTS)},
    }
