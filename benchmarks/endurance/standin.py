"""Files and a detector that stand in for mammograms and the search, so that thousands take a minute."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from mcdetect.errors import UnreadableFileError
from mcdetect.runs.worker import Outcome, Task, process_in_worker
from mcdetect.schema import CALCIFICATIONS, CANDIDATES, CHANGES, CLUSTERS, IMAGES, MEMBERS, Column, make_table

__all__ = ["SEARCHED", "StandInResult", "template", "work", "write_file", "write_files"]

SEARCHED = "MCDETECT_STANDIN_LOG"
"""Variable of the environment that names a file, to which the name of each searched image is added."""

_HEAD = bytes(128) + b"DICM"  # so that a file is taken for DICOM
_PIXELS = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
_VIEWS = (("L", "CC"), ("L", "MLO"), ("R", "CC"), ("R", "MLO"))
_WORDS = ("", "round", "punctate", "amorphous")


def write_file(path: Path, **content: Any) -> None:
    """Write a file that says what the stand-in finds in it."""
    path.write_bytes(_HEAD + json.dumps(content).encode())


def write_files(folder: Path, count: int, *, broken: float, seed: int, rows: int = 6) -> None:
    """Write files in folders of patients, four views each.

    Parameters
    ----------
    folder : Path
        Where to; made anew.
    count : int
        How many.
    broken : float
        Share of them that cannot be read, meet a bug, kill their process or never end.
    seed : int
        What is drawn follows from it.
    rows : int
        Calcifications of each image, at most.
    """
    rng = np.random.default_rng(seed)
    bad = rng.permutation(count)[: round(broken * count)]
    kinds = dict.fromkeys(bad.tolist(), "broken")
    for k, kind in zip(bad.tolist(), ("hang", "kill", "bug", "bug", "bug"), strict=False):
        kinds[k] = kind
    for k in range(count):
        patient = folder / f"site {k // 400}" / f"patient {k // 4}"
        if k % 4 == 0:
            patient.mkdir(parents=True, exist_ok=True)
        side, view = _VIEWS[k % 4]
        study = f"1.2.{k // 4}" if k % 8 < 4 else ""  # some headers name no examination
        content = {"seed": k, "study": study, "side": side, "view": view, "rows": int(rng.integers(rows + 1))}
        if k in kinds:
            content["kind"] = kinds[k]
        write_file(patient / f"{side}{view}.dcm", **content)


def work(task: Task) -> Outcome:
    """Do what a worker does, with the stand-in for the search."""
    module = sys.modules.get("mcdetect.pipeline")
    if not hasattr(module, "stands_in"):  # set before it is imported: the search itself is never loaded
        stand_in = ModuleType("mcdetect.pipeline")
        stand_in.__dict__.update(detect_file=_detect_file, stands_in=True)
        sys.modules["mcdetect.pipeline"] = stand_in
    return process_in_worker(task)


def _detect_file(source: Any, config: Any = None) -> StandInResult:
    content = json.loads(source.path.read_bytes()[len(_HEAD) :])
    if log := os.environ.get(SEARCHED):
        with Path(log).open("ab") as stream:
            stream.write(source.name.encode() + b"\n")
    kind = content.get("kind", "")
    if kind == "broken":
        raise UnreadableFileError("the file is broken", "get a new copy", source.path)
    if kind == "bug":
        raise KeyError("bug")
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "hang":
        threading.Event().wait()
    if burn := content.get("burn"):
        state = bytes(64)
        for _ in range(burn):
            state = hashlib.sha256(state * 1000).digest()
    return StandInResult(source.name, content)


@functools.cache
def template(name: str, rows: int) -> pd.DataFrame:
    """Return a table of so many rows, drawn at random but always the same."""
    columns: tuple[Column, ...] = _COLUMNS[name]
    rng = np.random.default_rng(rows)
    drawn: dict[str, Callable[[], Any]] = {
        "str": lambda: rng.choice(_WORDS, rows).tolist(),
        "float64": lambda: np.where(rng.random(rows) < 0.1, np.nan, rng.normal(10.0, 5.0, rows)),
        "int64": lambda: rng.integers(1, 9, rows),
        "bool": lambda: rng.random(rows) < 0.5,
    }
    return make_table(columns, {column.name: drawn[column.dtype]() for column in columns})


_COLUMNS = {
    "calcifications": CALCIFICATIONS,
    "candidates": CANDIDATES,
    "clusters": CLUSTERS,
    "changes": CHANGES,
    "members": MEMBERS,
}


class StandInResult:
    """What the stand-in finds: tables in the form of a `Result`, the same whenever the same is asked.

    Parameters
    ----------
    name : str
        Of the image.
    content : dict
        Of its file.
    """

    def __init__(self, name: str, content: dict[str, Any]) -> None:
        self.name, self.content = name, content
        self.seconds = {"total": 0.5}
        self.mammogram = SimpleNamespace(
            study=content["study"],
            shape=_PIXELS.shape,
            spacing=SimpleNamespace(row_mm=0.1, col_mm=0.1),
            pixels=_PIXELS + np.float32(content["seed"]),
            origin=SimpleNamespace(instance=name, sources=(), event=""),
        )
        self.breast = SimpleNamespace(mask=np.ones(_PIXELS.shape, bool))
        rows = int(content["rows"])
        rng = np.random.default_rng(content["seed"])
        groups = min(2, rows // 3)
        self.calcifications = self._table("calcifications", rows).assign(
            score=rng.random(rows), cluster_id=np.arange(rows) % (groups + 1)
        )
        self.candidates = self._table("candidates", 2 * rows)
        scores = rng.random(groups)
        self.clusters = self._table("clusters", groups).assign(
            cluster_id=np.arange(1, groups + 1), score=scores, flagged=scores > 0.5
        )

    def _table(self, name: str, rows: int) -> pd.DataFrame:
        return template(name, rows).assign(file=[self.name] * rows)

    def summary(self) -> pd.DataFrame:
        """Return the row of the image."""
        row: dict[str, Any] = {
            column.name: {"str": "", "float64": 1.5, "int64": 7, "bool": False}[column.dtype]
            for column in IMAGES
        }
        row |= {"file": [self.name], "laterality": self.content["side"], "view": self.content["view"]}
        row |= {"n_flagged": int(self.clusters["flagged"].sum()), "seconds": self.seconds["total"]}
        return make_table(IMAGES, row)

    def overlay(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Return a small picture."""
        return np.full((8, 8, 3), self.content["seed"] % 256, np.uint8)
