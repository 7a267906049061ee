"""Sensitivity on 25 simulated mammograms that no part of mcdetect was fitted on.

    python -m benchmarks fda_p0 [--out DIR] [--record]

Data: ../shared/data/fda_p0 (one breast phantom, Monte Carlo x-ray simulation, 0.085 mm, 8 bit).
Matching is that of `mcdetect.validation.evaluation`. Calcifications by the rule hdogreg (nearest free one
within 0.35 mm, highest score first, one to one); an unmatched mark inside a cluster's box padded by 8 px
counts neither way; any other is a false positive, per cm2 of searched breast over all images. A cluster is
found when the centre of a flagged group lies in its padded box; a group whose centre lies in none is false.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from benchmarks.common.command import Command, finish
from benchmarks.common.record import Recorder
from benchmarks.common.shared import DATA, read_picture
from mcdetect import Config, Mammogram, detect
from mcdetect.validation.evaluation import FALSE_MARK, Evaluation, evaluate

FOLDER = DATA / "fda_p0"
SPACING_MM = 0.085
PAD_PX = 8
RATES_PER_CM2 = (0.05, 0.1, 0.2, 0.4, 1.0, 2.0)
RATES_PER_IMAGE = (0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True)
class Simulated:
    """A simulated mammogram with its truth.

    `calcifications` has a point each (image, x, y) and the clusters' padded boxes as regions to be ignored;
    `clusters` has the boxes alone (image, x_min, y_min, x_max, y_max).
    """

    name: str
    mammogram: Mammogram
    calcifications: pd.DataFrame
    clusters: pd.DataFrame


def simulated(limit: int | None = None) -> Iterator[Simulated]:
    """Give the images, or the first `limit` of them.

    Raises
    ------
    SystemExit
        When the data are not there.
    """
    if not FOLDER.exists():
        raise SystemExit(f"{FOLDER} is not there; it holds the simulated mammograms that this needs")
    points, boxes = pd.read_csv(FOLDER / "calcs.csv"), pd.read_csv(FOLDER / "clusters.csv")
    for name in pd.read_csv(FOLDER / "images.csv")["image"][:limit]:
        pixels = read_picture(FOLDER / name)
        own, box = points[points["image"] == name], boxes[boxes["image"] == name]
        padded = pd.DataFrame(
            {
                "image": name,
                "x_min": box["x0"] - PAD_PX,
                "y_min": box["y0"] - PAD_PX,
                "x_max": box["x1"] + PAD_PX,
                "y_max": box["y1"] + PAD_PX,
            }
        )
        table = pd.concat(
            [own[["image", "x", "y"]].assign(ignore=0), padded.assign(ignore=1)], ignore_index=True
        )
        yield Simulated(name, Mammogram.from_array(pixels, SPACING_MM, source=name), table, padded)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("fda_p0", __doc__)
    command.parser.add_argument(
        "--out", type=Path, metavar="DIR", help="also write overlays and evaluations here"
    )
    command.trial_option("--limit", type=int, metavar="N", help="the first N images only")
    options, recorder = command.parse(arguments)
    measure(recorder, limit=options.limit, out=options.out)
    finish(recorder, options)


def measure(recorder: Recorder, *, limit: int | None, out: Path | None) -> None:
    """Detect in every image and evaluate."""
    tables: dict[str, list[pd.DataFrame]] = {"marks": [], "groups": [], "points": [], "boxes": []}
    images, seconds = [], []
    for image in simulated(limit):
        start = time.perf_counter()
        result = detect(image.mammogram)
        seconds.append(time.perf_counter() - start)
        area = float(np.count_nonzero(result.breast.searched)) * SPACING_MM**2 / 100.0
        images.append(
            {"image": image.name, "patient": image.name, "spacing_mm": SPACING_MM, "area_cm2": area}
        )
        tables["marks"].append(result.candidates[["file", "row_px", "col_px", "score"]])
        tables["groups"].append(result.clusters)
        tables["points"].append(image.calcifications)
        tables["boxes"].append(image.clusters)
        if out:
            out.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(out / image.name), result.overlay()[:, :, ::-1])
    joined = {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}
    listed = pd.DataFrame(images)
    single = evaluate(
        joined["marks"], joined["points"], listed, rates_per_cm2=RATES_PER_CM2, rates_per_image=(), samples=0
    )
    group = evaluate(
        joined["groups"],
        joined["boxes"],
        listed,
        target="clusters",
        rule="centroid_many",
        rates_per_image=RATES_PER_IMAGE,
        samples=0,
    )
    _add(recorder, single, group, listed)
    recorder.add("seconds per image", float(np.median(seconds)), "s")
    if out:
        single.save(out / "calcifications", plots=False)
        group.save(out / "clusters", plots=False)


def _add(recorder: Recorder, single: Evaluation, group: Evaluation, images: pd.DataFrame) -> None:
    area = float(images["area_cm2"].sum())
    recorder.add("images", len(images), "count")
    recorder.add("calcifications", len(single.lesions), "count")
    recorder.add("clusters", len(group.lesions), "count")
    recorder.add("searched", area, "cm²")
    for rate in RATES_PER_CM2:
        recorder.add("calcifications found", single.value(at=rate), "share", at=rate)
    least = Config().calcifications.min_score
    found = float((single.lesions["rating"] >= least).mean())
    false = int(((single.marks["status"] == FALSE_MARK) & (single.marks["score"] >= least)).sum())
    recorder.add("calcifications found at score 0.5", found, "share")
    recorder.add("false marks at score 0.5", false / area, "per cm²")
    for rate in RATES_PER_IMAGE:
        recorder.add("clusters found", group.value(at=rate, unit="image"), "share", at=rate)
    recorder.add("clusters flagged", float((group.lesions["rating"] > -np.inf).mean()), "share")
    recorder.add("false groups", int((group.marks["status"] == FALSE_MARK).sum()) / len(images), "per image")


if __name__ == "__main__":
    main()
