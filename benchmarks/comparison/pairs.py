"""How well `mcdetect.compare` tells new, grown, stable and gone: pairs of phantoms of known truth.

Each pair is one breast drawn twice, its tissue moved smoothly by up to 10 mm in between, with another
noise, grey scale (raw, processed, film), dose, spacing and compression. In each pair two groups are
unchanged, most pairs have one that grew, one that was added and one that was lost; every fifth has none.

    python -m benchmarks pairs [--pairs 50] [--seed 1000] [--out pairs.csv]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.common.command import Command, finish
from benchmarks.common.record import Recorder
from mcdetect import Intent, compare
from mcdetect.phantom import (
    Acquisition,
    Calcifications,
    Group,
    GroupKind,
    PhantomPair,
    Scatter,
    Storage,
    Tissue,
    called_verdicts,
    draw_pair,
)

SHAPE = (1500, 1150)
SPACING_MM = 0.1
VERDICTS = {
    "added": ("new",),
    "unchanged": ("new", "gone", "grown", "uncertain"),
    "grown": ("grown", "new"),
    "lost": ("gone",),
}
"""True change to the verdicts that are counted."""
INTENTS = (Intent.FOR_PRESENTATION, Intent.FOR_PRESENTATION, Intent.FOR_PROCESSING, Intent.FILM)
KINDS = (GroupKind.ROUND, GroupKind.ROUND, GroupKind.SEGMENTAL, GroupKind.LINEAR)


def random_storage(rng: np.random.Generator) -> Storage:
    """Draw how one picture was made and kept."""
    intent = INTENTS[int(rng.integers(len(INTENTS)))]
    lossy = intent is not Intent.FOR_PROCESSING and rng.uniform() < 0.35
    return Storage(
        intent,
        acquisition=Acquisition(quanta_per_mm2=float(rng.uniform(6e6, 1.1e7))),
        jpeg_quality=int(rng.integers(75, 96)) if lossy else None,
        pixel_spacing_mm=float(rng.uniform(0.085, 0.12)) if rng.uniform() < 0.4 else None,
    )


def random_pair(
    seed: int, *, largest_mm: float = 10.0, changed: bool = True, unchanged: int = 2
) -> PhantomPair:
    """Draw a pair; without changes only unchanged groups."""
    rng = np.random.default_rng([seed, 50])

    def group(least: int = 6, most: int = 14) -> Group:
        n = int(rng.integers(least, most + 1))
        look = Calcifications(diameter_mm=(0.22, 0.5), snr=(8.0, 20.0))
        kind = KINDS[int(rng.integers(len(KINDS)))]
        return Group(n=n, extent_mm=float(rng.uniform(0.55, 0.75)) * n + 2.0, kind=kind, calcifications=look)

    before, after = random_storage(rng), random_storage(rng)
    fixed = [group() for _ in range(unchanged)]
    grown, added, lost = ([group(14, 16)], [group()], [group()]) if changed else ([], [], [])
    for attempt in range(20):
        try:
            return draw_pair(
                SHAPE,
                SPACING_MM,
                seed=seed + 100_000 * attempt,
                unchanged=fixed,
                grown=grown,
                added=added,
                lost=lost,
                grown_by=8,
                scatter=Scatter(n=int(rng.integers(0, 7))),
                largest_mm=largest_mm,
                view=("CC", "MLO")[seed % 2],
                laterality=("L", "R")[seed // 2 % 2],
                prior=before,
                current=after,
                tissue=Tissue(density=float(rng.uniform(0.1, 0.85))),
            )
        except ValueError as error:
            if "does not fit" not in str(error):
                raise
    raise RuntimeError(f"no breast holds the groups of pair {seed}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("pairs", __doc__)
    add = command.parser.add_argument
    add("--pairs", type=int, default=50)
    add("--seed", type=int, default=1000)
    add("--displacement-mm", type=float, default=10.0)
    add("--out", type=Path, metavar="FILE", help="CSV file of every group")
    options, recorder = command.parse(arguments)
    table, runs = compared(options.pairs, options.seed, options.displacement_mm)
    if options.out is not None:
        table.merge(runs, on="seed").to_csv(options.out, index=False)
    recorder.add("displacement", options.displacement_mm, "mm")
    add_figures(recorder, table, runs)
    finish(recorder, options)


def in_words(called: pd.DataFrame) -> str:
    """Return what became of the groups of a pair, for the line that shows progress."""
    words = called["verdict"].replace("", "not found")
    return ", ".join(f"{truth} {verdict}" for truth, verdict in zip(called["truth"], words, strict=True))


def compared(pairs: int, first_seed: int, largest_mm: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare the pairs; return what each true group was called, and one row for each pair."""
    tables, quality = [], []
    for k in range(pairs):
        seed = first_seed + k
        pair = random_pair(seed, largest_mm=largest_mm, changed=k % 5 != 4)
        found = compare(pair.prior, pair.current)
        called = called_verdicts(pair, found.changes, found.members)
        false_new = found.changes[
            (found.changes["verdict"] == "new")
            & found.changes["current_flagged"]
            & ~found.changes["change_id"].isin(called["change_id"])
        ]
        summary = found.summary()
        tables.append(called.assign(seed=seed))
        quality.append(
            {
                "seed": seed,
                "registered": summary["registered"],
                "agreement": summary["agreement"],
                "uncertainty_mm": summary["uncertainty_mm"],
                "false_new": len(false_new),
                "seconds": found.seconds["register"] + found.seconds["match"],
            }
        )
        verdicts = in_words(called)
        print(f"{seed}: agreement {summary['agreement']:.2f}; {verdicts}", file=sys.stderr)
    return pd.concat(tables, ignore_index=True), pd.DataFrame(quality)


def add_figures(recorder: Recorder, table: pd.DataFrame, runs: pd.DataFrame) -> None:
    """Add what was called what, and how well the pairs register."""
    recorder.add("pairs", len(runs), "count")
    recorder.add("registered", float(runs["registered"].mean()), "share", of=len(runs))
    recorder.add("agreement", float(runs["agreement"].median()))
    recorder.add("agreement, least", float(runs["agreement"].min()))
    recorder.add("uncertainty", float(runs["uncertainty_mm"].median()), "mm")
    for truth, verdicts in VERDICTS.items():
        rows = table[table["truth"] == truth]
        for verdict in verdicts if len(rows) else ():
            share = float((rows["verdict"] == verdict).mean())
            recorder.add("called", share, "share", of=len(rows), truth=truth, verdict=verdict)
    recorder.add("others called new", int(runs["false_new"].sum()), "count")
    recorder.add("seconds per pair", float(runs["seconds"].median()), "s")


if __name__ == "__main__":
    main()
