"""What other makers' processing costs: the same insertions under each display, noise and blur.

    python -m benchmarks spot_model --report --folds DIR
    python -m benchmarks robustness --models DIR [--record]

Groups and singles are inserted as in the fit, with seeds of their own, into the real films at 0.07 mm, the
digital exam and the phantoms; every image is scored by the model that did not see its background (the
models do see other images under random displays), each candidate by its looks alone. Sensitivity for SNR
of at least 5 at 0.1 and 0.4 false marks per cm2 of the same display, and both at the default operating
point: the second says whether the threshold still means what it says. SNR is that before the display.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
import numpy.typing as npt

from benchmarks.common.backgrounds import EVERY, Background, Choice, digital, films, kind_of, phantoms
from benchmarks.common.command import Command, choice_of, finish
from benchmarks.common.displays import (
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
from benchmarks.common.fold_models import FoldModels
from benchmarks.common.record import Recorder
from benchmarks.fit.spot_model import Item, sensitivity_at, without_native
from benchmarks.fit.training_spots import insert_at_random, label_spots
from mcdetect import Config, Mammogram
from mcdetect.pipeline import search

SEED = 77
RATES = (0.1, 0.4)
KINDS = ("film", "digital", "phantom")
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


def study_backgrounds(kinds: Sequence[str]) -> Iterator[Background]:
    """Give the backgrounds of the kinds asked for."""
    sources = {"film": lambda: (b.at(0.07) for b in films()), "digital": digital, "phantom": phantoms}
    return chain.from_iterable(source() for kind, source in sources.items() if kind in kinds)


def study(
    recorder: Recorder,
    models: FoldModels,
    *,
    kinds: Sequence[str] = KINDS,
    names: Sequence[str] = (*DISPLAYS, *EXPOSURES),
    choice: Choice = EVERY,
) -> None:
    """Add the figures of every display by kind of image."""
    backgrounds = list(choice.of(study_backgrounds(kinds)))
    config = Config()
    regions = [
        search(Mammogram.from_array(b.pixels, b.spacing_mm), config).breast.searched for b in backgrounds
    ]
    for name in names:
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
        _add(recorder, name, items, scores)
        print(f"  {name}", file=sys.stderr)


def _add(recorder: Recorder, name: str, items: list[Item], scores: list[npt.NDArray[np.float64]]) -> None:
    for kind in dict.fromkeys(kind_of(b) for b, _ in items):
        chosen = [i for i, (b, _) in enumerate(items) if kind_of(b) == kind]
        part, values = [items[i] for i in chosen], [scores[i] for i in chosen]
        for rate, (sensitivity, _) in zip(RATES, sensitivity_at(part, values, RATES), strict=True):
            recorder.add("sensitivity", sensitivity, "share", display=name, kind=kind, at=rate)
        found, false, area = [], 0, 0.0
        for (_, spots), value in zip(part, values, strict=True):
            spot = spots.truth.loc[spots.truth["snr"] >= 5, "spot"].to_numpy()
            found.append(np.where(spot >= 0, value[np.maximum(spot, 0)], -np.inf) > 0)
            false += int(((value > 0) & (spots.label == 0)).sum())
            area += spots.area_cm2
        share = float(np.concatenate(found).mean())
        recorder.add("sensitivity at score 0.5", share, "share", display=name, kind=kind)
        recorder.add("false marks", false / area, "per cm²", display=name, kind=kind)
        recorder.add("area", area / len(part), "cm²", display=name, kind=kind)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    every = (*DISPLAYS, *EXPOSURES)
    command = Command("robustness", __doc__, models=True)
    command.trial_option("--kinds", nargs="+", choices=KINDS, default=KINDS, help="of image")
    command.trial_option(
        "--displays", nargs="+", choices=every, default=every, metavar="NAME", help=", ".join(every)
    )
    command.choose_backgrounds()
    options, recorder = command.parse(arguments)
    study(
        recorder,
        FoldModels(options.models),
        kinds=options.kinds,
        names=options.displays,
        choice=choice_of(options),
    )
    finish(recorder, options)


if __name__ == "__main__":
    main()
