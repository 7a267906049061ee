"""What each stage is worth: the detector with one stage at a time switched off.

    python -m benchmarks ablation --models DIR [--record]

Individual score: the fit of the benchmark spot_model is repeated without the stage, on the largest
pixel size of every background (two insertions each), and scored on backgrounds held out; sensitivity for
SNR of at least 5 at 0.1 and 0.4 false marks per cm2, each candidate by its looks alone. "Individual score
off" ranks candidates by their SNR. Whole detector: the insertion study (`insertion --quick`) with
context off, and with the score of groups replaced by their number of members; calcifications at the same
rates, groups flagged at the default operating point and found at 0.05 and 0.2 false ones per image.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt

import mcdetect
from benchmarks.common.backgrounds import Choice
from benchmarks.common.command import Command, choice_of, finish
from benchmarks.common.fold_models import FoldModels
from benchmarks.common.record import Recorder
from benchmarks.detection import insertion
from benchmarks.detection.insertion_cases import KINDS, study_backgrounds
from benchmarks.fit import spot_model
from benchmarks.fit.spot_model import Item
from mcdetect.pipeline import searching
from mcdetect.spots import find as spots
from mcdetect.spots.appearance import FEATURE_NAMES
from mcdetect.validation.evaluation import FALSE_MARK, Evaluation

LINE_FEATURES = ("roundness", "stretch", "line", "arm", "uneven")
OBSERVER_FEATURES = ("body",)


@dataclasses.dataclass
class _Plain:
    """What is left of `equalise`: an image of one noise level."""

    pixels: npt.NDArray[np.float32]


def _without_equalisation(
    pixels: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_], *_: Any, **__: Any
) -> object:
    """One noise level for the whole image instead of one for each grey level."""
    inside = pixels[1:][mask[1:]] - pixels[:-1][mask[1:]]
    noise = 1.4826 * float(np.median(np.abs(inside - np.median(inside)))) / np.sqrt(2.0)
    noise = max(noise, 1e-3 * float(np.ptp(pixels[mask])), 1e-6)

    return _Plain(np.ascontiguousarray(pixels / np.float32(noise), np.float32))


@contextmanager
def no_equalisation() -> Iterator[None]:
    """Switch noise equalisation off."""
    with mock.patch.object(searching, "equalise", _without_equalisation):
        yield


@contextmanager
def no_local_normalisation() -> Iterator[None]:
    """Give every tile the median spread of its band."""
    real: Callable[..., npt.NDArray[np.float32]] = spots.band_spread

    def flat(*args: object) -> npt.NDArray[np.float32]:
        spread = real(*args)
        return np.full_like(spread, np.median(spread))

    with mock.patch.object(spots, "band_spread", flat):
        yield


def _masked(items: list[Item], names: tuple[str, ...]) -> list[Item]:
    """Features without those whose name begins with one of `names`: they become constant."""
    gone = [k for k, name in enumerate(FEATURE_NAMES) if name.startswith(names)]
    out = []
    for background, spots_ in items:
        features = spots_.features.copy()
        features[:, gone] = 0.0
        out.append((background, dataclasses.replace(spots_, features=features)))
    return out


def individual_score(recorder: Recorder, kinds: Sequence[str], choice: Choice, trees: int) -> None:
    """Add the sensitivity of every variant, by kind of background."""
    backgrounds = list(choice.of(study_backgrounds(tuple(kinds), quick=True)))

    def fitted(name: str, given: list[Item]) -> None:
        ranked(name, given, spot_model.held_out(given, trees)[0])

    def ranked(name: str, given: list[Item], scores: list[npt.NDArray[np.float64]]) -> None:
        figures = spot_model.held_out_figures(given, scores)
        spot_model.add_held_out(recorder, figures, variant=name)

    items = spot_model.gather(2, backgrounds)
    fitted("full", items)
    fitted("line rejection off", _masked(items, LINE_FEATURES))
    fitted("covariance of the bands off", _masked(items, OBSERVER_FEATURES))
    ranked("individual score off", items, [s.snr for _, s in items])
    for stage, switched_off in (
        ("noise equalisation", no_equalisation),
        ("local normalisation", no_local_normalisation),
    ):
        with switched_off():
            other = spot_model.gather(2, backgrounds)
        fitted(f"{stage} off", other)
        ranked(f"{stage} and individual score off", other, [s.snr for _, s in other])


def whole_detector(recorder: Recorder, models: FoldModels, kinds: Sequence[str], choice: Choice) -> None:
    """Add calcifications and groups found, and false groups per image without any, of every variant."""
    config, given = mcdetect.Config(), tuple(kinds)
    alone = config.replace(context_weight=0.0)
    full = insertion.detected(models, given, config, quick=True, choice=choice)
    counted = full["clusters"].assign(score=full["clusters"]["n_calcifications"])
    variants = {
        "full": full,
        "context off": insertion.detected(models, given, alone, quick=True, choice=choice),
        "score of groups off": {**full, "clusters": counted},
    }
    for name, tables in variants.items():
        for kind in tables["images"]["kind"].unique():
            single, group = insertion.calcifications(tables, kind, 0), insertion.groups(tables, kind, 0)
            images = tables["images"]
            images = images[(images["kind"] == kind) & (images["content"] != "groups")]
            false = group.marks[group.marks["flagged"] & (group.marks["status"] == FALSE_MARK)]
            rating = group.lesions.loc[group.lesions["counted"], "rating"]
            labels = {"variant": name, "kind": str(kind)}
            for rate in (0.1, 0.4):
                share = _sensitivity(single, "cm2", rate)
                recorder.add("calcifications found", share, "share", labels=labels, at=rate)
            recorder.add("groups flagged", float((rating > -np.inf).mean()), "share", labels=labels)
            wrong = float(false["image"].isin(images["image"]).sum() / len(images))
            recorder.add("false groups", wrong, "per image", labels=labels)
            for rate in (0.05, 0.2):
                recorder.add(
                    "groups found", _sensitivity(group, "image", rate), "share", labels=labels, at=rate
                )


def _sensitivity(found: Evaluation, unit: str, at: float) -> float:
    return found.value(at=at, unit=unit, pool="normal")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("ablation", __doc__, models=True)
    command.trial_option("--kinds", nargs="+", choices=KINDS, default=KINDS, help="of image")
    command.choose_backgrounds()
    command.trial_option("--trees", type=int, default=spot_model.TREES, help="of each model")
    options, recorder = command.parse(arguments)
    models = FoldModels(options.models)
    individual_score(recorder, options.kinds, choice_of(options), options.trees)
    whole_detector(recorder, models, options.kinds, choice_of(options))
    finish(recorder, options)


if __name__ == "__main__":
    main()
