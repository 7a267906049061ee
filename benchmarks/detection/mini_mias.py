"""Real calcified films of mini-MIAS flagged at their place, and groups flagged on normal ones.

    python -m benchmarks mini_mias [--record]

Data: ../shared/data/mini_mias (0.2 mm, 8 bit). This is `mcdetect benchmark mini-mias`, with the rules
centroid (the centre of a flagged group lies in the circle drawn) and kallergi1999.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.common.command import Command, finish
from benchmarks.common.record import Recorder
from benchmarks.common.shared import DATA
from mcdetect.validation.benchmark import run_benchmark

FOLDER = DATA / "mini_mias"
RULES = ("centroid", "kallergi1999")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("mini_mias", __doc__)
    command.parser.add_argument("--root", type=Path, metavar="DIR", default=FOLDER, help="the data set")
    command.parser.add_argument("--out", type=Path, metavar="DIR", help="keep the whole benchmark here")
    command.trial_option("--limit", type=int, metavar="N", help="the first N films only")
    options, recorder = command.parse(arguments)
    if not options.root.exists():
        raise SystemExit(f"{options.root} is not there; it holds the films that this needs")
    with tempfile.TemporaryDirectory() as scratch:
        measure(recorder, options.root, options.out or Path(scratch), options.limit)
    finish(recorder, options)


def measure(recorder: Recorder, root: Path, out: Path, limit: int | None) -> None:
    """Detect in every film, and add what was found by each rule."""
    report = run_benchmark("mini-mias", root, out, limit=limit, rules=RULES, jobs=1, samples=0, plots=False)
    if report.failed:
        raise SystemExit(f"{len(report.failed)} films failed")
    for rule in RULES:
        found = report.evaluations[f"clusters_{rule}"]
        lesions = found.lesions[found.lesions["counted"]]
        share = float((lesions["rating"] > -np.inf).mean()) if len(lesions) else np.nan
        recorder.add("circles found", share, "share", of=len(lesions), rule=rule)
    names = found.images.loc[found.images["normal"], "image"]
    recorder.add("normal films", len(names), "count")
    groups = int(found.marks["image"].isin(names).sum()) if len(found.marks) else 0
    recorder.add("flagged groups on normal films", groups, "count")
    flagged = set(found.marks["image"]) - set(names) if len(found.marks) else set()
    others = len(found.images) - len(names)
    if others:
        recorder.add("films flagged", len(flagged) / others, "share", of=others)


if __name__ == "__main__":
    main()
