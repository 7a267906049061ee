"""How well `mcdetect.compare` tells new, grown, stable and gone: pairs of phantoms of known truth.

Each pair is one breast drawn twice, its tissue moved smoothly by up to 10 mm in between, with another
noise, grey scale (raw, processed, film), dose, spacing and compression. In each pair two groups are
unchanged, most pairs have one that grew, one that was added and one that was lost; every fifth has none.

    python benchmarks/compare_pairs.py [--pairs 50] [--seed 1000] [--out pairs.csv]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from record import recorded

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


def share(table: pd.DataFrame, truth: str, verdict: str) -> str:
    """Return the share of true groups of a kind that were called so, with their number."""
    rows = table[table["truth"] == truth]
    hits = int((rows["verdict"] == verdict).sum())
    return f"{hits}/{len(rows)} = {hits / max(len(rows), 1):.1%}"


def main() -> None:
    """Compare the pairs and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--displacement-mm", type=float, default=10.0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--record", action="store_true", help="keep what is printed in results/")
    options = parser.parse_args()
    with recorded("compare_pairs", keep=options.record):
        run(options)


def run(options: argparse.Namespace) -> None:
    """Compare and print."""
    tables, quality = [], []
    for k in range(options.pairs):
        seed = options.seed + k
        pair = random_pair(seed, largest_mm=options.displacement_mm, changed=k % 5 != 4)
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
        verdicts = ", ".join(f"{row.truth} {row.verdict or 'not found'}" for row in called.itertuples())
        print(f"{seed}: agreement {summary['agreement']:.2f}; {verdicts}", file=sys.stderr)
    table, runs = pd.concat(tables, ignore_index=True), pd.DataFrame(quality)
    if options.out is not None:
        table.merge(runs, on="seed").to_csv(options.out, index=False)
    print(f"\n{len(runs)} pairs, displacement up to {options.displacement_mm} mm")
    print(f"registered            {int(runs['registered'].sum())}/{len(runs)}")
    print(f"agreement             {runs['agreement'].median():.2f} (least {runs['agreement'].min():.2f})")
    print(f"uncertainty           {runs['uncertainty_mm'].median():.2f} mm")
    print(f"added called new      {share(table, 'added', 'new')}")
    print(f"unchanged called new  {share(table, 'unchanged', 'new')}")
    print(f"unchanged called gone {share(table, 'unchanged', 'gone')}")
    print(f"unchanged called grown {share(table, 'unchanged', 'grown')}")
    print(f"unchanged uncertain   {share(table, 'unchanged', 'uncertain')}")
    print(f"grown called grown    {share(table, 'grown', 'grown')}")
    print(f"grown called new      {share(table, 'grown', 'new')}")
    print(f"lost called gone      {share(table, 'lost', 'gone')}")
    print(f"other flagged groups called new: {int(runs['false_new'].sum())}")
    print(f"register and match    {runs['seconds'].median():.2f} s a pair")


if __name__ == "__main__":
    main()
