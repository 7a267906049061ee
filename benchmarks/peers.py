"""mcdetect beside general spot detectors, on the same images and search mask, in one run.

    python benchmarks/peers.py --models DIR [--data fda insertions] [--record] [--cache DIR]

fda: 25 simulated mammograms that nothing here was fitted on (benchmarks/fda_p0.py); unmatched marks in
the padded box of a cluster count neither way. insertions: the insertion study
(benchmarks/insertion_cases.py) at the largest pixel size of every background, scored by models that did
not see it (DIR from `fit_spot_model.py --folds DIR`). Matching, curves and intervals are those of
`mcdetect.validation.evaluation` (rule hdogreg, SNR of at least 5 where an SNR is known). False positives
are counted on all images. Intervals of paired differences: 1,000 bootstrap samples of backgrounds (fda:
of images).
`--cache` keeps the peers' marks, which take nearly all the time.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import fda_p0
import numpy as np
import pandas as pd
from insertion_cases import KINDS, study_cases
from peer_detectors import PEERS
from record import RESULTS, recorded
from study_models import StudyModels

import mcdetect
from mcdetect import Mammogram
from mcdetect.breast import find_breast
from mcdetect.validation.evaluation import evaluate

RATES = (0.05, 0.1, 0.2, 0.4, 1.0, 2.0, 5.0)
Image = tuple[str, str, str, Mammogram, pd.DataFrame]  # data, name, unit of resampling, image, truth


def fda_images() -> Iterator[Image]:
    """Give the simulated mammograms with their truth."""
    truth, boxes = pd.read_csv(fda_p0.DATA / "calcs.csv"), pd.read_csv(fda_p0.DATA / "clusters.csv")
    for name in pd.read_csv(fda_p0.DATA / "images.csv")["image"]:
        pixels = cv2.imread(str(fda_p0.DATA / name), cv2.IMREAD_UNCHANGED)
        own, box = truth[truth["image"] == name], boxes[boxes["image"] == name]
        table = pd.concat(
            [
                own[["x", "y"]].assign(ignore=0),
                pd.DataFrame(
                    {
                        "x_min": box["x0"] - fda_p0.PAD_PX,
                        "y_min": box["y0"] - fda_p0.PAD_PX,
                        "x_max": box["x1"] + fda_p0.PAD_PX,
                        "y_max": box["y1"] + fda_p0.PAD_PX,
                        "ignore": 1,
                    }
                ),
            ],
            ignore_index=True,
        )
        image = Mammogram.from_array(pixels, fda_p0.SPACING_MM, source=name)
        yield "fda", name, name, image, table.assign(image=name)


def inserted_images() -> Iterator[Image]:
    """Give the images of the insertion study."""
    for case in study_cases(KINDS[:3], quick=True):
        yield case.kind, case.name, case.background, case.mammogram, case.truth


def marks_of(
    name: str, image: Mammogram, searched: np.ndarray, cache: Path | None
) -> dict[str, pd.DataFrame]:
    """Run every peer on an image, or read what it marked before."""
    tables = {}
    for peer, find in PEERS.items():
        file = cache / f"{peer} {name}.csv".replace("/", "_") if cache else None
        if file is not None and file.exists():
            tables[peer] = pd.read_csv(file)
            continue
        start = time.perf_counter()
        marks = find(image.pixels, searched, image.spacing.row_mm)
        table = pd.DataFrame(marks, columns=["y", "x", "score"])
        table = table.nlargest(3000, "score").assign(seconds=time.perf_counter() - start)
        if file is not None:
            table.to_csv(file, index=False, float_format="%.6g")
        tables[peer] = table
    return tables


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=("fda", "insertions"), default=("fda", "insertions"))
    parser.add_argument("--models", type=Path, help="models of fit_spot_model.py --folds (insertions)")
    parser.add_argument("--record", action="store_true", help="keep what is printed, and plots, in results/")
    parser.add_argument("--cache", type=Path, help="keep the peers' marks here")
    parser.add_argument("--marks-only", action="store_true", help="only fill the cache")
    options = parser.parse_args()
    if "insertions" in options.data and not options.models and not options.marks_only:
        parser.error(
            "insertions need --models DIR; `python benchmarks/fit_spot_model.py --folds DIR` makes it"
        )
    with recorded("peers", keep=options.record):
        run(options)


def run(options: argparse.Namespace) -> None:
    """Detect, evaluate and report."""
    models = StudyModels(options.models) if options.models else None
    if options.cache:
        options.cache.mkdir(parents=True, exist_ok=True)
    marks: dict[str, dict[str, list[pd.DataFrame]]] = {}
    truths: dict[str, list[pd.DataFrame]] = {}
    images: dict[str, list[dict[str, object]]] = {}
    for given in options.data:
        for data, name, unit, image, truth in fda_images() if given == "fda" else inserted_images():
            searched = find_breast(image, mcdetect.Config().breast).searched if options.marks_only else None
            if searched is None:
                model = models.for_background(unit) if models and data != "fda" else None
                start = time.perf_counter()
                result = mcdetect.detect(image, spot_model=model)
                spent = time.perf_counter() - start
                searched = result.breast.searched
                own = result.candidates.rename(columns={"row_px": "y", "col_px": "x"})
                found = {"mcdetect": own[["y", "x", "score"]].assign(seconds=spent)}
            else:
                found = {}
            found |= marks_of(name, image, searched, options.cache)
            print(f"  {name}: " + ", ".join(f"{k} {len(v)}" for k, v in found.items()), file=sys.stderr)
            area = float(np.count_nonzero(searched)) * image.spacing.row_mm**2 / 100.0
            images.setdefault(data, []).append(
                {"image": name, "patient": unit, "spacing_mm": image.spacing.row_mm, "area_cm2": area}
            )
            truths.setdefault(data, []).append(truth)
            for detector, table in found.items():
                marks.setdefault(data, {}).setdefault(detector, []).append(table.assign(image=name))
    if options.marks_only:
        return
    for data, tables in marks.items():
        report(
            data,
            {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()},
            pd.concat(truths[data], ignore_index=True),
            pd.DataFrame(images[data]),
            RESULTS if options.record else None,
        )


def report(
    data: str, marks: dict[str, pd.DataFrame], truth: pd.DataFrame, images: pd.DataFrame, out: Path | None
) -> None:
    """Print sensitivity, time and paired differences; write them with the curves."""
    truth = truth.assign(ignore=truth.get("ignore", 0)).fillna({"ignore": 0})
    curves, rows = {}, []
    first = marks["mcdetect"]
    for name, table in marks.items():
        found = evaluate(
            first,
            truth,
            images,
            versus=None if name == "mcdetect" else table,
            names=("mcdetect", name if name != "mcdetect" else "other"),
            min_snr=5.0,
            rates_per_cm2=RATES,
        )
        curve = found.froc[(found.froc["pool"] == "all") & (found.froc["unit"] == "cm2")]
        curves[name] = curve[curve["detector"] == name]
        row: dict[str, object] = {"detector": name}
        part = found.summary[
            (found.summary["detector"] == name)
            & (found.summary["pool"] == "all")
            & (found.summary["unit"] == "cm2")
            & (found.summary["measure"] == "sensitivity")
            & (found.summary["by"] == "")
        ]
        row |= {f"{at:g}": value for at, value in zip(part["at"], part["value"], strict=True)}
        row["s/image"] = float(table.groupby("image")["seconds"].first().median())
        if found.differences is not None:
            gap = found.differences
            gap = gap[(gap["pool"] == "all") & (gap["unit"] == "cm2") & (gap["measure"] == "sensitivity")]
            gap = gap[gap["by"] == ""].set_index("at")
            for at in (0.4, 1.0):
                row[f"gain at {at:g}"] = f"{gap.loc[at, 'low']:+.4f} to {gap.loc[at, 'high']:+.4f}"
        rows.append(row)
    table = pd.DataFrame(rows).fillna("")
    counted = int(((truth["ignore"] == 0) & truth["x"].notna() & ~(truth.get("snr", 99.0) < 5.0)).sum())
    print(f"\n{data}: {len(images)} images, {counted} calcifications, {images['area_cm2'].sum():.0f} cm2")
    print(table.to_string(index=False, float_format=lambda v: f"{v:.3f}"), flush=True)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        stem = f"peers_{data.replace(' ', '_')}"
        _plot(data, curves, out / f"{stem}.png")


def _plot(data: str, curves: dict[str, pd.DataFrame], path: Path) -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 5), layout="constrained")
    for name, table in curves.items():
        own = name == "mcdetect"
        axes.step(
            table["false_positives"], table["sensitivity"], where="post", label=name, lw=2.5 if own else 1.2
        )
    axes.set(xscale="log", xlim=(0.02, 10), ylim=(0, 1), ylabel="sensitivity", title=data)
    axes.set_xlabel("false positives per cm²")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
