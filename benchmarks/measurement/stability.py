"""Measure how stable every feature is, on drawn and on real mammograms, and write it for the dictionary.

Each phantom is detected four times: as drawn, exposed again (other noise), without its first row and
column (a shift by one pixel), and resampled to coarser pixels. Calcifications and groups are matched
through the truth; the figure is the intra-class correlation ICC(2,1) between the first and each other. Real
images: benchmarks/measurement/stability_real.py. Where they are absent the figures that the file holds stay.

    python -m benchmarks stability                          writes mcdetect/clusters/features/stability.json
    python -m benchmarks stability --out x.json --phantoms 4 --real 0
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import cKDTree

import mcdetect
from benchmarks.common.command import Command, finish
from benchmarks.common.real import REAL
from benchmarks.common.record import Recorder
from benchmarks.measurement.stability_real import COARSER as COARSER_REAL
from benchmarks.measurement.stability_real import REAL_CHANGES, Tables, gather_real
from mcdetect.clusters.features import feature_dictionary
from mcdetect.clusters.features.dictionary import LEAST_STABLE, STABILITY_FILE, Level
from mcdetect.clusters.features.stability import intraclass_correlation
from mcdetect.phantom import Calcifications, Group, GroupKind, PhantomMammogram, draw_mammogram

SPACING_MM = 0.07
SHAPE = (1600, 1320)
COARSER = 1.25
MATCH_MM = 0.35
CHANGES = ("noise", "shift", "resampling")
LEVELS: tuple[Level, ...] = ("calcification", "cluster")
AXES = ("orientation_deg", "axis_deg")
"""Angles of which -90 and 90 degrees are one."""


def draw(number: int, noise_seed: int | None = None) -> PhantomMammogram:
    """Draw a small breast with three groups, uniform and heterogeneous ones of every distribution."""
    rng = np.random.default_rng([20, number])
    kinds = list(GroupKind)
    groups = []
    for k in range(3):
        kind = kinds[(number + k) % len(kinds)]
        size = rng.uniform(0.22, 0.42)
        uniform = rng.random() < 0.5
        groups.append(
            Group(
                n=int(rng.integers(6, 19)),
                extent_mm=float(rng.uniform(6, 11)),
                kind=kind,
                calcifications=Calcifications(
                    diameter_mm=(0.92 * size, 1.08 * size) if uniform else (0.2, 0.6),
                    snr=(7.0, 25.0),
                    irregularity=(0.1, 0.3) if uniform else (0.2, 0.9),
                    elongation=(1.0, 1.2) if uniform else (1.0, 2.5),
                ),
                min_distance_mm=0.8,
            )
        )
    return draw_mammogram(
        SHAPE,
        SPACING_MM,
        seed=900 + number,
        view=("CC", "MLO")[number % 2],
        laterality="LR"[number // 2 % 2],
        groups=groups,
        noise_seed=noise_seed,
    )


def measure(
    pixels: npt.NDArray[np.float32], phantom: PhantomMammogram, offset_px: float, factor: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Detect, and return the features of each true calcification and group; missing rows are NaN."""
    result = mcdetect.detect(
        mcdetect.Mammogram.from_array(
            pixels, SPACING_MM * factor, view=phantom.view, laterality=phantom.laterality
        )
    )
    found, clusters = result.calcifications, result.clusters.set_index("cluster_id")
    truth = phantom.truth
    # cell centres: (p + 0.5) * spacing is the place that both grids share
    there = (np.column_stack([truth["row_px"], truth["col_px"]]) - offset_px + 0.5) * SPACING_MM
    here = (np.column_stack([found["row_px"], found["col_px"]]) + 0.5) * SPACING_MM * factor
    match = np.full(len(truth), -1)
    if len(found):
        distance, index = cKDTree(here).query(there)
        match = np.where(distance <= MATCH_MM, index, -1)
    members = found.reindex(match).reset_index(drop=True)
    members["group_id"] = truth["group_id"].to_numpy()
    ids = [
        g["cluster_id"][g["cluster_id"] > 0].mode().iloc[:1].tolist() or [-1]
        for _, g in members.groupby("group_id")
    ]
    return members.drop(columns="group_id"), clusters.reindex([i[0] for i in ids]).reset_index(drop=True)


def correlation(name: str, first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float:
    """Return the intra-class correlation; of an axis, the mean over both components of the doubled angle."""
    if name in AXES:
        parts = [
            intraclass_correlation(np.column_stack([turn(np.radians(2 * v)) for v in (first, second)]))
            for turn in (np.cos, np.sin)
        ]
        return float(np.mean(parts))
    return intraclass_correlation(np.column_stack([first, second]))


def gather(phantoms: int) -> dict[str, dict[str, pd.DataFrame]]:
    """Return the measures of every picture: change, then level, to a table of matched rows."""
    began = time.perf_counter()
    tables: dict[str, dict[str, list[pd.DataFrame]]] = {
        n: {"calcification": [], "cluster": []} for n in ("drawn", *CHANGES)
    }
    for number in range(phantoms):
        once, again = draw(number), draw(number, 5000 + number)
        size = round(SHAPE[1] / COARSER), round(SHAPE[0] / COARSER)
        coarse = cv2.resize(once.pixels.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        runs = {
            "drawn": (once.pixels, 0.0, 1.0),
            "noise": (again.pixels, 0.0, 1.0),
            "shift": (np.ascontiguousarray(once.pixels[1:, 1:]), 1.0, 1.0),
            "resampling": (coarse, 0.0, SHAPE[0] / coarse.shape[0]),
        }
        for name, (pixels, offset, factor) in runs.items():
            members, clusters = measure(pixels.astype(np.float32), once, offset, factor)
            tables[name]["calcification"].append(members)
            tables[name]["cluster"].append(clusters)
        spent = time.perf_counter() - began
        print(f"  phantom {number + 1} of {phantoms}: {spent:.0f} s", file=sys.stderr)
    return {n: {level: pd.concat(parts) for level, parts in t.items()} for n, t in tables.items()}


def correlations(
    whole: dict[str, dict[str, pd.DataFrame]], level: Level
) -> dict[str, dict[str, float | None]]:
    """Return the intra-class correlation of every feature of a level, by change; None where there is none."""
    entries: dict[str, dict[str, float | None]] = {}
    for feature in feature_dictionary(level):
        base = whole["drawn"][level][feature.name].to_numpy(dtype=float, na_value=np.nan)
        values: dict[str, float | None] = {}
        for name in CHANGES:
            other = whole[name][level][feature.name].to_numpy(dtype=float, na_value=np.nan)
            icc = correlation(feature.name, base, other)
            values[name] = None if math.isnan(icc) else round(icc, 3)
        entries[feature.name] = values
    return entries


def correlations_real(pairs: dict[str, Tables]) -> dict[str, Any]:
    """Return the same of real images, with how many were found again of how many, by level and change."""
    found: dict[str, Any] = {"resampled_by": COARSER_REAL, "found_again": {}}
    for level in LEVELS:
        found[level] = {feature.name: {} for feature in feature_dictionary(level)}
        for change in REAL_CHANGES:
            if change not in pairs or level not in pairs[change]:
                continue
            first, second = pairs[change][level]
            again = int(second["score"].notna().sum())
            found["found_again"].setdefault(level, {})[change] = [again, len(first)]
            for name, values in found[level].items():
                icc = correlation(
                    name, *(t[name].to_numpy(dtype=float, na_value=np.nan) for t in (first, second))
                )
                values[change] = None if math.isnan(icc) else round(icc, 3)
    index = {change: [t["suspicion"].to_numpy(float) for t in pairs[change]["cluster"]] for change in pairs}
    found["index"] = {
        change: None if math.isnan(icc := correlation("suspicion", *both)) else round(icc, 3)
        for change, both in index.items()
    }
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("stability", __doc__)
    default = Path(mcdetect.__file__).parent / "clusters" / "features" / STABILITY_FILE
    command.parser.add_argument(
        "--out", type=Path, metavar="FILE", default=default, help="JSON file to write"
    )
    command.parser.add_argument(
        "--phantoms", type=int, default=24, help="mammograms drawn, three groups in each"
    )
    command.trial_option(
        "--real", type=int, metavar="N", help="real images of each set; 0 for none [default: all]"
    )
    given, recorder = command.parse(arguments)
    whole = gather(given.phantoms)
    report: dict[str, Any] = {
        "about": "intra-class correlation ICC(2,1) of every feature on drawn mammograms, "
        "between a first picture and one with other noise, shifted by a pixel, and resampled",
        "made_by": "python -m benchmarks stability",
        "spacing_mm": SPACING_MM,
        "resampled_to_mm": SPACING_MM * COARSER,
        "phantoms": given.phantoms,
        "calcifications": len(whole["drawn"]["calcification"]),
        "clusters": len(whole["drawn"]["cluster"]),
    }
    for level in LEVELS:
        report[level] = correlations(whole, level)
        add_figures(recorder, level, pd.DataFrame(report[level]).T.astype(float), whole)
    if given.real != 0 and REAL.exists():
        report["real"] = correlations_real(gather_real(given.real))
    elif default.is_file():
        report["real"] = json.loads(default.read_text(encoding="utf-8")).get("real", {})
    for level in LEVELS if report.get("real") else ():
        add_real_figures(recorder, level, report["real"])
    given.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {given.out.name}", file=sys.stderr)
    finish(recorder, given)


def add_figures(
    recorder: Recorder, level: Level, table: pd.DataFrame, whole: dict[str, dict[str, pd.DataFrame]]
) -> None:
    """Add the median and every correlation, and the share of the true ones that were found."""
    for name in CHANGES:
        recorder.add("median ICC", float(table[name].median()), level=level, change=name)
        for feature, value in table[name].items():
            recorder.add("ICC", float(value), level=level, feature=str(feature), change=name)
        low = [str(feature) for feature in table.index[table[name] < LEAST_STABLE]]
        print(f"  {level}, {name}: below 0.5: {', '.join(low) or 'none'}", file=sys.stderr)
    for name in ("drawn", *CHANGES):
        seen = float(whole[name][level]["score"].notna().mean())
        recorder.add("found", seen, "share", level=level, change=name)


def add_real_figures(recorder: Recorder, level: Level, real: dict[str, Any]) -> None:
    """Add the median of the correlations on real images, and the share that was found again."""
    table = pd.DataFrame(real[level]).T.astype(float)
    for change, (again, first) in real["found_again"][level].items():
        recorder.add("median ICC, real", float(table[change].median()), level=level, change=change)
        recorder.add(
            "found again, real", again / max(first, 1), "share", of=first, level=level, change=change
        )
        if level == "cluster" and real["index"][change] is not None:
            recorder.add("ICC of the index, real", real["index"][change], change=change)
        low = [str(feature) for feature in table.index[table[change] < LEAST_STABLE]]
        print(f"  {level}, real, {change}: below 0.5: {', '.join(low) or 'none'}", file=sys.stderr)


if __name__ == "__main__":
    main()
