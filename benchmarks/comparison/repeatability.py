"""Measure how much unchanged groups differ between two pictures, and write it for `mcdetect.compare`.

Pairs of phantoms without any change (as in `pairs.py`: other noise, dose, grey scale, spacing and
compression, tissue moved by up to 10 mm) are compared; the spread of the changes found is the repeatability.

    python -m benchmarks repeatability [--pairs 60] [--write]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import nnls

import mcdetect
from benchmarks.common.command import Command, finish
from benchmarks.common.record import Recorder
from benchmarks.comparison.pairs import SHAPE, SPACING_MM, random_pair
from mcdetect.exams.comparison.repeatability import Repeatability
from mcdetect.phantom import called_verdicts

TARGET = Path(mcdetect.__file__).parent / "models" / "repeatability.json"
MEASURES = {"hull_area": "hull_area_mm2", "density": "density_per_cm2", "heterogeneity": "area_mm2_cv"}
SEED = 9000


def winsorised_sd(values: npt.NDArray[np.float64]) -> float:
    """Root mean square with the largest 2.5 % drawn in: one lost grain must not widen all."""
    size = np.abs(values[np.isfinite(values)])
    return float(np.sqrt(np.mean(np.minimum(size, np.quantile(size, 0.975)) ** 2)))


def fit_number(change: npt.NDArray[np.float64], members: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Fit variance = first + second * members, both not negative, to squared changes."""
    size = np.minimum(np.abs(change), np.quantile(np.abs(change), 0.975))
    design = np.stack([np.ones_like(members), members], axis=1)
    fit, _ = nnls(design, size**2)
    # A change of one is always possible: half a count of rounding either way.
    return max(float(fit[0]), 1.0 / 6.0), float(fit[1])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("repeatability", __doc__)
    command.parser.add_argument("--pairs", type=int, default=60)
    command.parser.add_argument("--write", action="store_true", help=f"replace {TARGET.name}")
    options, recorder = command.parse(arguments)
    found = measured(recorder, options.pairs)
    finish(recorder, options)
    if options.write:
        TARGET.write_text(found.to_json(), encoding="utf-8")


def measured(recorder: Recorder, pairs: int) -> Repeatability:
    """Compare pairs without changes; add the spreads and return them."""
    rows, members = [], []
    for k in range(pairs):
        pair = random_pair(SEED + k, changed=False, unchanged=4)
        found = mcdetect.compare(pair.prior, pair.current)
        called = called_verdicts(pair, found.changes, found.members)
        table = found.changes[found.changes["change_id"].isin(called["change_id"])]
        rows.append(table[table["verdict"].isin(["stable", "grown"])])
        both = (found.members["seen_prior"] == "called") & (found.members["seen_current"] == "called")
        members.append(found.members[both & found.members["change_id"].isin(table["change_id"])])
        print(f"  pair {k}: {called['verdict'].tolist()}", file=sys.stderr)
    groups, grains = pd.concat(rows), pd.concat(members)
    number = 0.5 * (groups["number_prior"] + groups["number_current"]).to_numpy()
    change = groups["number_change"].to_numpy()
    relative = {}
    for name, column in MEASURES.items():
        middle = 0.5 * (groups[f"{column}_prior"] + groups[f"{column}_current"])
        relative[name] = winsorised_sd(
            (groups[f"{column}_change"] / middle).to_numpy() * np.sqrt(np.maximum(number, 2.0) / 10.0)
        )
    middle = 0.5 * (grains["diameter_mm_prior"] + grains["diameter_mm_current"])
    found_values = Repeatability(
        tuple(round(v, 4) for v in fit_number(change, number)),  # type: ignore[arg-type]
        **{name: round(value, 4) for name, value in relative.items()},
        diameter=round(winsorised_sd((grains["diameter_mm_change"] / middle).to_numpy()), 4),
        about={
            "made_by": "python -m benchmarks repeatability",
            "pairs": pairs,
            "groups": len(groups),
            "calcifications": len(grains),
            "seed": SEED,
            "pixels": f"{SHAPE[0]} x {SHAPE[1]} of {SPACING_MM} mm, part of them resampled",
            "displacement_mm": 10.0,
            "mean_number_change": round(float(change.mean()), 3),
            "version": mcdetect.__version__,
        },
    )
    z = change / np.array([found_values.number_sd(n) for n in number])
    recorder.add("pairs", pairs, "count")
    recorder.add("groups", len(groups), "count")
    recorder.add("calcifications", len(grains), "count")
    for name in (*MEASURES, "diameter"):
        recorder.add("spread", getattr(found_values, name), measure=name)
    recorder.add("spread", found_values.number_variance[0], measure="number, constant variance")
    recorder.add("spread", found_values.number_variance[1], measure="number, variance per member")
    recorder.add("SD of z", float(z.std()))
    recorder.add("z above 2.5", float((z > 2.5).mean()), "share")
    return found_values


if __name__ == "__main__":
    main()
