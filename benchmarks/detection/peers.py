"""mcdetect beside general spot detectors, on the same images and search mask, in one run.

    python -m benchmarks peers --models DIR [--data fda insertions] [--record] [--cache DIR]

fda: 25 simulated mammograms that nothing here was fitted on (the benchmark fda_p0); unmatched marks in
the padded box of a cluster count neither way. insertions: the insertion study
(insertion_cases.py) at the largest pixel size of every background, scored by models that did
not see it (DIR from `spot_model --folds DIR`). Matching, curves and intervals are those of
`mcdetect.validation.evaluation` (rule hdogreg, SNR of at least 5 where an SNR is known). False positives
are counted on all images. Intervals of paired differences: 1,000 bootstrap samples of backgrounds (fda: of
images). `--cache` keeps the peers' marks, which take nearly all the time.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

import mcdetect
from benchmarks.common.backgrounds import Choice
from benchmarks.common.command import Command, finish
from benchmarks.common.fold_models import FoldModels
from benchmarks.common.record import RESULTS, Recorder
from benchmarks.detection.fda_p0 import simulated
from benchmarks.detection.insertion_cases import KINDS, study_cases
from benchmarks.detection.peer_detectors import PEERS
from mcdetect import Mammogram
from mcdetect.breast import find_breast
from mcdetect.validation.evaluation import Evaluation, evaluate

RATES = (0.05, 0.1, 0.2, 0.4, 1.0, 2.0, 5.0)
GAIN_RATES = (0.4, 1.0)
MIN_SNR = 5.0
Image = tuple[str, str, str, Mammogram, pd.DataFrame]
"""Data, name, unit of resampling, image, truth."""


def fda_images(limit: int | None) -> Iterator[Image]:
    """Give the simulated mammograms with their truth."""
    for image in simulated(limit):
        yield "fda", image.name, image.name, image.mammogram, image.calcifications


def inserted_images(limit: int | None) -> Iterator[Image]:
    """Give the images of the insertion study."""
    for case in study_cases(KINDS[:3], quick=True, choice=Choice(limit)):
        yield case.kind, case.name, case.background, case.mammogram, case.truth


def marks_of(
    name: str, image: Mammogram, searched: npt.NDArray[np.bool_], cache: Path | None
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("peers", __doc__)
    sets = ("fda", "insertions")
    command.trial_option("--data", nargs="+", choices=sets, default=sets)
    command.trial_option("--limit", type=int, metavar="N", help="the first N images or backgrounds only")
    command.trial_option("--marks-only", action="store_true", help="only fill the cache")
    add = command.parser.add_argument
    add("--models", type=Path, metavar="DIR", help="models of spot_model --folds DIR (insertions)")
    add("--cache", type=Path, metavar="DIR", help="keep the peers' marks here")
    add("--samples", type=int, default=1000, help="bootstrap samples")
    options, recorder = command.parse(arguments)
    if "insertions" in options.data and not options.models and not options.marks_only:
        command.parser.error(
            "insertions need --models DIR; `python -m benchmarks spot_model --report --folds DIR` makes it"
        )
    measure(recorder, options)
    if not options.marks_only:
        finish(recorder, options)


def measure(recorder: Recorder, options: argparse.Namespace) -> None:
    """Detect and evaluate."""
    models = FoldModels(options.models) if options.models else None
    if options.cache:
        options.cache.mkdir(parents=True, exist_ok=True)
    marks: dict[str, dict[str, list[pd.DataFrame]]] = {}
    truths: dict[str, list[pd.DataFrame]] = {}
    images: dict[str, list[dict[str, object]]] = {}
    for given in options.data:
        source = fda_images if given == "fda" else inserted_images
        for data, name, unit, image, truth in source(options.limit):
            found: dict[str, pd.DataFrame] = {}
            if options.marks_only:
                searched = find_breast(image, mcdetect.Config().breast).searched
            else:
                model = models.for_background(unit) if models and data != "fda" else None
                start = time.perf_counter()
                result = mcdetect.detect(image, spot_model=model)
                spent = time.perf_counter() - start
                searched = result.breast.searched
                own = result.candidates.rename(columns={"row_px": "y", "col_px": "x"})
                found["mcdetect"] = own[["y", "x", "score"]].assign(seconds=spent)
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
        curves = add_figures(
            recorder,
            data,
            {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()},
            pd.concat(truths[data], ignore_index=True),
            pd.DataFrame(images[data]),
            options.samples,
        )
        if options.record:
            _plot(data, curves, RESULTS / f"peers_{data.replace(' ', '_')}.png")


def add_figures(
    recorder: Recorder,
    data: str,
    marks: dict[str, pd.DataFrame],
    truth: pd.DataFrame,
    images: pd.DataFrame,
    samples: int,
) -> dict[str, pd.DataFrame]:
    """Add sensitivity, time and paired differences; return the curves by detector."""
    truth = truth.assign(ignore=truth.get("ignore", 0)).fillna({"ignore": 0})
    curves: dict[str, pd.DataFrame] = {}
    recorder.add("images", len(images), "count", data=data)
    for name, table in marks.items():
        own = name == "mcdetect"
        found = evaluate(
            marks["mcdetect"],
            truth,
            images,
            versus=None if own else table,
            names=("mcdetect", "other" if own else name),
            min_snr=MIN_SNR,
            rates_per_cm2=RATES,
            samples=samples,
        )
        if own:
            recorder.add("calcifications", int(found.lesions["counted"].sum()), "count", data=data)
            recorder.add("area", float(images["area_cm2"].sum()), "cm²", data=data)
        curve = found.froc[(found.froc["pool"] == "all") & (found.froc["unit"] == "cm2")]
        curves[name] = curve[curve["detector"] == name]
        for rate in RATES:
            value = found.value(at=rate, detector=name)
            recorder.add("sensitivity", value, "share", data=data, detector=name, at=rate)
        seconds = float(table.groupby("image")["seconds"].first().median())
        recorder.add("seconds per image", seconds, "s", data=data, detector=name)
        if not own:
            _add_gain(recorder, data, name, found)
    return curves


def _add_gain(recorder: Recorder, data: str, name: str, found: Evaluation) -> None:
    table = found.differences
    assert table is not None
    table = table[(table["pool"] == "all") & (table["unit"] == "cm2") & (table["measure"] == "sensitivity")]
    for row in table[(table["by"] == "") & table["at"].isin(GAIN_RATES)].to_dict("records"):
        recorder.add(
            "gain",
            row["difference"],
            "share",
            low=row["low"],
            high=row["high"],
            data=data,
            detector=name,
            at=row["at"],
        )


def _plot(data: str, curves: dict[str, pd.DataFrame], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
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
