"""The command line that all benchmarks have in common."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.catalogue import BENCHMARKS
from benchmarks.common.backgrounds import Choice
from benchmarks.common.record import RESULTS, RUNS, Recorder, Run
from benchmarks.common.views import to_text

__all__ = ["Command", "choice_of", "finish"]


class Command:
    """Options of a benchmark, and the record of its run.

    Parameters
    ----------
    benchmark : str
        Its name in the catalogue.
    about : str or None
        The docstring of its module, shown by ``--help``.
    models : bool
        It needs the models of the folds (``--models``).
    """

    def __init__(self, benchmark: str, about: str | None, *, models: bool = False) -> None:
        self.benchmark = benchmark
        self.parser = argparse.ArgumentParser(
            prog=f"python -m benchmarks {benchmark}",
            description=about,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if models:
            self.parser.add_argument(
                "--models", type=Path, metavar="DIR", required=True, help="models of spot_model --folds DIR"
            )
        self._trials: list[str] = []

    def trial_option(self, name: str, **how: object) -> None:
        """Add an option that makes the run smaller, so that it cannot be recorded."""
        self.parser.add_argument(name, **how)  # type: ignore[arg-type]
        self._trials.append(name)

    def choose_backgrounds(self) -> None:
        """Add the options that `choice_of` reads."""
        self.trial_option("--limit", type=int, metavar="N", help="the first N backgrounds only")
        self.trial_option(
            "--least-mm",
            type=float,
            default=0.0,
            metavar="MM",
            help="only those with pixels at least so large",
        )

    def is_trial(self, options: argparse.Namespace) -> bool:
        """Tell whether any option makes the run smaller."""
        for name in self._trials:
            dest = name.lstrip("-").replace("-", "_")
            value, usual = getattr(options, dest), self.parser.get_default(dest)
            if value != (list(usual) if isinstance(value, list) else usual):
                return True
        return False

    def parse(self, arguments: Sequence[str] | None) -> tuple[argparse.Namespace, Recorder]:
        """Parse the command line; return the options, and a recorder of figures.

        Parameters
        ----------
        arguments : sequence of str or None
            None for those of the process.
        """
        where = self.parser.add_mutually_exclusive_group()
        where.add_argument("--record", action="store_true", help="keep the run for the pages of results")
        where.add_argument("--json", type=Path, metavar="FILE", help=f"keep it here, not in {RUNS}/")
        given = list(sys.argv[1:] if arguments is None else arguments)
        options = self.parser.parse_args(given)
        if options.record and self.is_trial(options):
            words = ", ".join(self._trials)
            self.parser.error(f"this is a trial run ({words} make one); --record would put it on the pages")
        paths = [value for value in vars(options).values() if isinstance(value, Path)]
        return options, Recorder(self.benchmark, given, paths=paths)


def choice_of(options: argparse.Namespace) -> Choice:
    """Return which backgrounds were asked for, by the options of `Command.choose_backgrounds`."""
    return Choice(options.limit, options.least_mm)


def finish(recorder: Recorder, options: argparse.Namespace) -> Run:
    """Print the tables of a run, write its JSON, and return it."""
    run = recorder.run()
    print("\n\n".join(to_text(view, run) for view in BENCHMARKS[run.benchmark].views if view.fits(run)))
    target: Path = RESULTS / f"{run.benchmark}.json" if options.record else RUNS / f"{run.benchmark}.json"
    target = options.json or target
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(run.to_json(), encoding="utf-8")
    print(f"\nfigures in {target.name}", file=sys.stderr)
    return run
