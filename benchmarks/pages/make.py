"""Make the page of results, and the figures that README.md and docs/ quote, from the recorded runs.

python -m benchmarks pages            write them
python -m benchmarks pages --check    only tell which are out of step; exit code 1 when any is
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common.record import RESULTS, load_runs
from benchmarks.common.shared import ROOT
from benchmarks.pages.measured import BLOCKS
from benchmarks.pages.results import results_page

__all__ = ["main", "out_of_step", "pages"]

PAGE = "benchmarks/RESULTS.md"


def pages(results: Path = RESULTS, root: Path = ROOT) -> dict[str, str]:
    """Return what every page should be, by its path in the project.

    Parameters
    ----------
    results : Path
        Folder of the recorded runs.
    root : Path
        The project, whose pages hold the blocks.

    Raises
    ------
    ValueError
        When a page lacks a block, or has one that nothing fills.
    """
    runs = load_runs(results)
    made = {PAGE: results_page(runs)}
    for name, blocks in BLOCKS.items():
        text = (root / name).read_text(encoding="utf-8")
        marked = re.findall(r"<!-- python -m benchmarks pages: ([\w ]+) -->", text)
        if sorted(marked) != sorted(blocks):
            raise ValueError(f"{name} has the blocks {sorted(marked)}, not {sorted(blocks)}")
        for block, fill in blocks.items():
            begin, end = f"<!-- python -m benchmarks pages: {block} -->", f"<!-- end of {block} -->"
            before, rest = text.split(begin)
            _, after = rest.split(end)
            text = f"{before}{begin}\n{fill(runs)}\n{end}{after}"
        made[name] = text
    return made


def out_of_step(results: Path = RESULTS, root: Path = ROOT) -> list[str]:
    """Return the pages that differ from what the recorded runs say."""
    found = []
    for name, text in pages(results, root).items():
        file = root / name
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            found.append(name)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks pages",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args(arguments)
    stale = out_of_step()
    if options.check:
        if stale:
            raise SystemExit(f"out of step with benchmarks/results: {', '.join(stale)}")
        print("every page is in step with benchmarks/results")
        return
    made = pages()
    for name in stale:
        (ROOT / name).write_text(made[name], encoding="utf-8")
    print(f"wrote {', '.join(stale)}" if stale else "nothing to write")


if __name__ == "__main__":
    main()
