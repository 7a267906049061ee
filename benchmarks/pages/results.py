"""RESULTS.md: every recorded run, with its figures and what made them."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.catalogue import BENCHMARKS
from benchmarks.common.record import Run
from benchmarks.common.views import to_markdown

__all__ = ["results_page"]

HEAD = """# Results

Made by `python -m benchmarks pages` from the recorded runs in `results/*.json`, and by nothing else. Each
section gives the command (run with `../shared/data` in place), the day, the versions, and the first digits of
the digests of the code that made its figures: of the detector with its models, of the benchmark, and of what
the detector answers on one drawn image. `python -m benchmarks --state` compares them with the code as it
stands. `DIR` of the models: `python -m benchmarks spot_model --report --folds DIR`. Times drift between
machines; ratios within one run hold."""
DIGITS = 12


def results_page(runs: Mapping[str, Run]) -> str:
    """Return the page."""
    parts = [HEAD]
    for name, benchmark in BENCHMARKS.items():
        if name not in runs:
            continue
        run = runs[name]
        parts += [f"## {benchmark.title}", benchmark.about, origin(run)]
        parts += [run.note] if run.note else []
        parts += [to_markdown(view, run) for view in benchmark.views if view.fits(run)]
        parts += [f"![{benchmark.title}](results/{picture})" for picture in benchmark.pictures]
    return "\n\n".join(parts) + "\n"


def origin(run: Run) -> str:
    """Return what made the figures of a run: command, day, versions and digests."""
    threads = run.environment["threads"]
    versions = [f"mcdetect {run.environment['mcdetect']}"]
    versions += [f"{name} {run.environment[name]}" for name in ("numpy", "numba") if name in run.environment]
    where = f"{threads} thread{'s' if threads != 1 else ''}, {run.environment['machine']}"
    code = ", ".join(f"{name} {(digest or 'not recorded')[:DIGITS]}" for name, digest in run.code.items())
    return f"`{run.command}`  \n{run.date}; {', '.join(versions)}; {where}; code: {code}"
