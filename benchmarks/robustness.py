"""What other makers' processing costs: the same insertions under each display, noise and blur.

    python benchmarks/fit_spot_model.py --report --folds DIR
    python benchmarks/robustness.py --models DIR [--record]

Groups and singles are inserted as in the fit, with seeds of their own, into the real films at 0.07 mm, the
digital exam and the phantoms; every image is scored by the model that did not see its background (the
models do see other images under random displays), each candidate by its looks alone. Sensitivity for SNR
of at least 5 at 0.1 and 0.4 false marks per cm2 of the same display, and both at the default operating
point: the second says whether the threshold still means what it says. SNR is that before the display.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from backgrounds import digital, films, phantoms
from displays import (
    Display,
    Exposure,
    blurrier,
    curve,
    flattened,
    local_histogram,
    lossy,
    noisier,
    sharpened,
    shown,
    sigmoid,
)
from fit_spot_model import Item, sensitivity_at, without_native
from insertion_cases import kind_of
from record import recorded
from study_models import StudyModels
from training_spots import insert_at_random, label_spots

from mcdetect import Config, Mammogram
from mcdetect.pipeline import search

SEED = 77
DISPLAYS: dict[str, Display | None] = {
    "as it is": None,
    "power 0.5": curve(0.5),
    "power 2": curve(2.0),
    "S-curve": sigmoid(5.0),
    "sharpened 0.3 mm": sharpened(1.0, 0.3),
    "sharpened 0.6 mm": sharpened(2.0, 0.6),
    "sharpened 2 mm": sharpened(1.0, 2.0),
    "multi-scale": flattened(0.5, 1.5, 2.0),
    "CLAHE": local_histogram(2.0),
    "JPEG 90": lossy(90),
}
EXPOSURES: dict[str, Exposure] = {
    "noise doubled": noisier(1.7),
    "blur 0.08 mm": blurrier(0.08),
}


def study(models: StudyModels) -> pd.DataFrame:
    """Figures of every display by kind of image."""
    backgrounds = [*(b.at(0.07) for b in films()), *digital(), *phantoms()]
    config = Config()
    regions = [
        search(Mammogram.from_array(b.pixels, b.spacing_mm), config).breast.searched for b in backgrounds
    ]
    rows = []
    for name in (*DISPLAYS, *EXPOSURES):
        items: list[Item] = []
        scores = []
        for k, (background, searched) in enumerate(zip(backgrounds, regions, strict=True)):
            rng = np.random.default_rng([SEED, k])
            source = background
            if name in EXPOSURES:
                pixels = EXPOSURES[name](
                    background.pixels, background.spacing_mm, searched, np.random.default_rng([SEED, k, 1])
                )
                source = replace(background, pixels=pixels)
            image, truth = insert_at_random(source, searched, rng, groups=4, singles=40)
            display = DISPLAYS.get(name)
            if display is not None:
                pixels = shown(image.pixels, background.spacing_mm, searched, display)
                image = Mammogram.from_array(pixels, background.spacing_mm, source=background.name)
            found = search(image, config)
            items.append(
                (background, without_native(background, label_spots(found, truth, background.spacing_mm)))
            )
            scores.append(models.for_background(background.name).log_odds(found.features))
        rows += _rows(name, items, scores)
        print(pd.DataFrame(rows[-3:]).to_string(header=len(rows) <= 3, index=False), flush=True)
    return pd.DataFrame(rows)


def _rows(name: str, items: list[Item], scores: list[np.ndarray]) -> list[dict[str, object]]:
    rows = []
    for kind in dict.fromkeys(kind_of(b) for b, _ in items):
        chosen = [i for i, (b, _) in enumerate(items) if kind_of(b) == kind]
        part, values = [items[i] for i in chosen], [scores[i] for i in chosen]
        (low, _), (high, _) = sensitivity_at(part, values, (0.1, 0.4))
        found, false, area = [], 0, 0.0
        for (_, spots), value in zip(part, values, strict=True):
            spot = spots.truth.loc[spots.truth["snr"] >= 5, "spot"].to_numpy()
            found.append(np.where(spot >= 0, value[np.maximum(spot, 0)], -np.inf) > 0)
            false += int(((value > 0) & (spots.label == 0)).sum())
            area += spots.area_cm2
        rows.append(
            {
                "display": name,
                "kind": kind,
                "at 0.1": round(low, 3),
                "at 0.4": round(high, 3),
                "default": round(float(np.concatenate(found).mean()), 3),
                "false per cm2": round(false / area, 3),
                "area cm2": round(area / len(part)),
            }
        )
    return rows


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, required=True, help="folder of fit_spot_model.py --folds")
    parser.add_argument("--record", action="store_true", help="keep what is printed in results/")
    options = parser.parse_args()
    with recorded("robustness", keep=options.record):
        study(StudyModels(options.models))


if __name__ == "__main__":
    main()
