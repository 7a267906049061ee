"""The front door: `python -m benchmarks NAME [options]`.

    python -m benchmarks --list            every benchmark, what it measures, and the day it was recorded
    python -m benchmarks --state           whether each recorded run was made by the code that now stands
    python -m benchmarks NAME --help       what it measures and its options
    python -m benchmarks NAME              run it: prints the figures, keeps them in benchmark-runs/NAME.json
    python -m benchmarks NAME --record     the same, kept in benchmarks/results/ for the pages
    python -m benchmarks pages [--check]   make RESULTS.md and the figures of README.md and docs/ from these
    python -m benchmarks equal_tables ...  tables of two versions of the detector, column by column

Every benchmark is a module, too: `python -m benchmarks.detection.insertion --help`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from benchmarks.catalogue import BENCHMARKS

TOOLS = {"pages": "benchmarks.pages.make", "equal_tables": "benchmarks.comparison.equal_tables"}
"""What is no benchmark, but helps to work with them."""


def _listed(*, state: bool) -> str:
    """Return a line for each benchmark; with `state`, what `state_of` says instead of the title."""
    from benchmarks.common.record import code_now, load_runs, state_of

    runs, now = load_runs(), code_now() if state else {}
    lines = []
    for name, benchmark in BENCHMARKS.items():
        day = runs[name].date if name in runs else "not yet   "
        about = benchmark.title if not state else state_of(runs[name], now) if name in runs else ""
        lines.append(f"{name:14s} {day}  {about}".rstrip())
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a benchmark by its name, list them, or make the pages."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    name = given[0] if given else "--help"
    if name in ("-h", "--help"):
        print(__doc__)
        return
    if name in ("--list", "--state"):
        print(_listed(state=name == "--state"))
        return
    modules = TOOLS | {n: b.module for n, b in BENCHMARKS.items()}
    if name not in modules:
        raise SystemExit(f"there is no benchmark {name!r}; there are {', '.join(modules)}")
    try:
        module = importlib.import_module(modules[name])
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] in ("benchmarks", "mcdetect"):
            raise
        raise SystemExit(f"{name} needs {error.name}: pip install -e '.[bench]'") from error
    module.main(given[1:])


if __name__ == "__main__":
    main()
