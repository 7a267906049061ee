"""What a run costs beside the search: memory, processor time of the parent, export, start, and its pace.

    python -m benchmarks runs [--images 100 10000] [--rows 1000000] [--paths 100000] [--record]

A stand-in takes the place of the search. Times are those of the processor, so that they say the same on a
busy machine. What two workers gain is told in two ways, for images that burn a fixed amount of work: by the
processor time of parent and workers for each image, which on free cores is what it takes; and by the clock,
which is true when nothing else runs.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common.command import Command, finish
from benchmarks.common.record import Recorder
from benchmarks.endurance.standin import StandInResult, work, write_file, write_files
from mcdetect.output.folder import STORE_FILE
from mcdetect.runs import Observer, run_batch
from mcdetect.runs.exporting import export_run
from mcdetect.runs.ledger import Ledger, RunFacts
from mcdetect.runs.results import STORED, RunResults
from mcdetect.runs.store import Store
from mcdetect.runs.worker import Outcome, Task

__all__ = ["main"]

PROJECT = Path(__file__).resolve().parents[2]
ROWS_PER_IMAGE = 100
BURN = 2000
"""Rounds of hashing for each image of the two rates: some 60 ms."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("runs", __doc__)
    command.trial_option("--images", type=int, nargs=2, default=(100, 10_000))
    command.trial_option("--rows", type=int, default=1_000_000)
    command.trial_option("--paths", type=int, default=100_000)
    command.trial_option("--paced", type=int, default=200, help="images of the two rates")
    command.parser.add_argument("--part", help=argparse.SUPPRESS)
    command.parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options, recorder = command.parse(arguments)
    if options.part:
        print(json.dumps(_PARTS[options.part](options)))
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(recorder, options, Path(folder))
    finish(recorder, options)


def measure(recorder: Recorder, options: argparse.Namespace, folder: Path) -> None:
    """Run every part in a process of its own, and add its figures."""
    found = []
    for name, count in zip(("small", "large"), options.images, strict=True):
        write_files(folder / f"in {name}", count, broken=0.0, seed=count)
        run = _part("search", folder / f"in {name}")
        found.append(run)
        recorder.add("images", count, "count", run=name)
        recorder.add("memory of the parent", run["memory"], "MB", run=name)
        recorder.add("seconds in all", run["wall"], "s", run=name)
    small, large = found
    more = options.images[1] - options.images[0]
    recorder.add("memory added", large["memory"] - small["memory"], "MB")
    recorder.add("time per image", 1e3 * (large["cpu"] - small["cpu"]) / more, "ms")
    again = _part("search", folder / "in large")
    recorder.add("time per known image", 1e3 * (again["cpu"] - small["cpu"]) / more, "ms")
    export = _part("export", folder / "rows", options.rows)
    recorder.add("rows exported", export["rows"], "count")
    recorder.add("seconds of export", export["cpu"], "s")
    recorder.add("memory of the export", export["memory"], "MB")
    write_many(folder / "paths", options.paths)
    start = _part("start", folder / "paths")
    recorder.add("paths listed", start["paths"], "count")
    recorder.add("seconds to start", start["cpu"], "s")
    spent = []
    few = max(options.paced // 4, 1)
    for count in (few, options.paced):
        (folder / f"paced {count}").mkdir()
        for k in range(count):
            content = {"seed": k, "study": "", "side": "L", "view": "CC", "rows": 3, "burn": BURN}
            write_file(folder / f"paced {count}" / f"{k}.dcm", **content)
    for name, jobs in (("one worker", 1), ("two workers", 2)):
        small, large = (_part(f"pace {jobs}", folder / f"paced {n}") for n in (few, options.paced))
        per_image = {k: (large[k] - small[k]) / (options.paced - few) for k in ("cpu", "workers")}
        spent.append(sum(per_image.values()))
        recorder.add("processor time of workers per image", 1e3 * per_image["workers"], "ms", run=name)
        recorder.add("processor time of the parent per image", 1e3 * per_image["cpu"], "ms", run=name)
        recorder.add("rate", large["rate"], "per s", run=name)
    recorder.add("speed-up of two workers", 2.0 * spent[0] / spent[1], "ratio")


def write_many(folder: Path, count: int) -> None:
    """Write so many small files, a thousand in each folder."""
    for k in range(count):
        if k % 1000 == 0:
            (folder / str(k // 1000)).mkdir(parents=True)
        write_file(folder / str(k // 1000) / f"{k}.dcm", seed=k)


def _part(name: str, folder: Path, rows: int = 0) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.endurance.runs", "--part", name, "--folder", str(folder)]
    command += ["--rows", str(rows)] * bool(rows)
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=PROJECT)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _cpu(who: int = resource.RUSAGE_SELF) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def _search(options: argparse.Namespace) -> dict[str, Any]:
    start, wall = _cpu(), time.perf_counter()
    out = options.folder.with_name(f"out of {options.folder.name}")
    run_batch([options.folder], out, jobs=2, timeout_s=300.0, candidates=True, work=work)
    return {"cpu": _cpu() - start, "wall": time.perf_counter() - wall, "memory": _peak()}


def _export(options: argparse.Namespace) -> dict[str, Any]:
    """Fill a store with so many calcifications, and export them in a fresh count of time."""
    options.folder.mkdir()
    count = options.rows // ROWS_PER_IMAGE
    names = [f"{k // 4}/{k % 4}.dcm" for k in range(count)]
    with Store(options.folder / STORE_FILE, STORED) as store:
        facts = RunFacts({"studies_by": "auto"}, {}, list(enumerate(names)))
        results = RunResults(Ledger.begin(store, facts), Observer())
        with store.transaction():
            for k, name in enumerate(names):
                content = {"seed": k, "study": "", "side": "L", "view": "CC", "rows": ROWS_PER_IMAGE}
                found = StandInResult(name, content)
                tables = {
                    "images": found.summary(),
                    "calcifications": found.calcifications,
                    "clusters": found.clusters,
                }
                results.take(Outcome(name, "k", tables=tables, outputs={"tables": ()}))
        results.ledger.finish("complete")
    start = _cpu()
    rows = export_run(options.folder)
    return {"cpu": _cpu() - start, "rows": rows["calcifications"], "memory": _peak()}


class _Begun(Exception):
    """The first image was given to a worker."""


def _first(task: Task) -> Outcome:
    raise _Begun


def _start(options: argparse.Namespace) -> dict[str, Any]:
    paths = [str(path) for path in options.folder.rglob("*.dcm")]
    start = _cpu()
    try:
        run_batch(paths, options.folder.with_name("out of start"), jobs=1, work=_first, listed=True)
    except _Begun:
        return {"cpu": _cpu() - start, "paths": len(paths)}
    raise AssertionError("nothing was begun")


class _Paced(Observer):
    def __init__(self) -> None:
        self.times: list[float] = []

    def finished(self, image: object) -> None:
        self.times.append(time.perf_counter())


def _pace(options: argparse.Namespace, jobs: int) -> dict[str, Any]:
    observer = _Paced()
    start, children = _cpu(), _cpu(resource.RUSAGE_CHILDREN)
    out = options.folder.with_name(f"out of {options.folder.name}, {jobs} workers")
    run_batch([options.folder], out, jobs=jobs, timeout_s=300.0, overlay=False, work=work, observer=observer)
    steady = observer.times[len(observer.times) // 5 :]  # all workers are at work by then
    return {
        "rate": (len(steady) - 1) / (steady[-1] - steady[0]),
        "cpu": _cpu() - start,
        "workers": _cpu(resource.RUSAGE_CHILDREN) - children,
    }


_PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "search": _search,
    "export": _export,
    "start": _start,
    "pace 1": lambda options: _pace(options, 1),
    "pace 2": lambda options: _pace(options, 2),
}


if __name__ == "__main__":
    main()
