"""Fit the second look at spots of digital images and write mcdetect/models/second_look.json.

    python -m benchmarks second_look --models DIR            # fit, report, write the model
    python -m benchmarks second_look --models DIR --report   # held-out figures only

On what the first look lets pass in real digital mammograms (real_spots.py), as readers marked them and
with insertions. DIR holds the models of the folds of `spot_model_digital`: what is let pass is told by the
one that never saw the woman, and the women are dealt out to the same folds. The models of these folds are
written there too. Each figure comes from models that never saw the woman.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier

import mcdetect
from benchmarks.common.backgrounds import Background
from benchmarks.common.command import Command, finish
from benchmarks.common.fold_models import SECOND_INDEX, FoldModels
from benchmarks.common.real import REAL, real_images
from benchmarks.fit import real_spots, spot_model
from benchmarks.fit.training_spots import LabelledSpots
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.pipeline.scoring import candidates_on_edges
from mcdetect.spots.score import SHARE, DigitalScore, SecondLook, asked_again, second_look_rows

MODELS = Path(mcdetect.__file__).parent / "models"
RATE_PER_CM2 = 0.06
"""False marks per cm2 at score 0.5, where readers marked all: as many as the first look lets pass."""
LONG = 20
"""Calcifications that are drawn to be long, inserted into an image beside those of the first look's fit."""
TREES = 200
SETTINGS = {
    "learning_rate": 0.06,
    "max_leaf_nodes": 12,
    "max_features": 0.3,
    "min_samples_leaf": 60,
    "l2_regularization": 5.0,
    "early_stopping": False,
    "random_state": 0,
}


@dataclass(frozen=True)
class Item:
    """Spots of one image.

    Parameters
    ----------
    background : Background
    spots : LabelledSpots
        All of them, without their features.
    first : (n,) float64 array
        Score of the first look at all of them.
    asked : (m,) int array
        Those that get a second look.
    rows : (m, features) float32 array
        What it is made of.
    fold : int
    """

    background: Background
    spots: LabelledSpots
    first: npt.NDArray[np.float64]
    asked: npt.NDArray[np.intp]
    rows: npt.NDArray[np.float32]
    fold: int


def gather(background: Background, models: FoldModels) -> list[Item]:
    """Search an image, as it is and with insertions; label and describe what is found."""
    score = models.for_background(background.name)
    if not isinstance(score, DigitalScore):
        raise SystemExit(f"no model of spot_model_digital held out {background.name}")
    spacing = PixelSpacing(background.spacing_mm, background.spacing_mm)
    items = []
    for kind, found, spots in real_spots.real_searches(background, long=LONG):
        first, general = score.log_odds(found.features), score.general.log_odds(found.features)
        asked = asked_again(first)
        edge = candidates_on_edges(found, spacing, processed=True)
        place = spots.row_mm, spots.col_mm
        rows = second_look_rows(found.features, general, first, *place, edge, asked)
        bare = dataclasses.replace(spots, features=np.zeros((0, 0), np.float32))
        items.append(Item(kind, bare, first, asked, rows, models.digital_fold(background.name)))
    return items


def fit(items: Sequence[Item], trees: int = TREES) -> HistGradientBoostingClassifier:
    """Fit the ensemble on the spots that get a second look and whose label is known."""
    rows = np.concatenate([item.rows for item in items])
    label = np.concatenate([item.spots.label[item.asked] for item in items])
    marked = np.concatenate(
        [np.full(item.asked.size, item.background.kind == real_spots.KIND) for item in items]
    )
    weight = np.where(marked & (label == 1), spot_model.MARKED_WEIGHT, 1.0)
    known = label >= 0
    ensemble = HistGradientBoostingClassifier(**SETTINGS, max_iter=trees)
    return ensemble.fit(rows[known], label[known], sample_weight=weight[known])


def second_scores(item: Item, model: HistGradientBoostingClassifier) -> npt.NDArray[np.float64]:
    """Return the scores of both looks together, before they are shifted to the operating point."""
    out = item.first.copy()
    if item.asked.size:
        out[item.asked] = SHARE * model.decision_function(item.rows) + (1.0 - SHARE) * out[item.asked]
    return out


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("second_look", __doc__, models=True)
    command.parser.add_argument("--report", action="store_true", help="do not write the model of the package")
    command.trial_option("--women", type=int, metavar="N", help="the first N women of each kind only")
    command.trial_option("--trees", type=int, default=TREES, help="of each model")
    options, recorder = command.parse(arguments)
    if not REAL.is_dir():
        raise SystemExit(f"needs the real mammograms in {REAL.name} of ../shared/data")
    start = time.time()
    models = FoldModels(options.models)
    items: list[Item] = []
    for background in _chosen(real_spots.real_backgrounds(), options.women):
        items += gather(background, models)
        print(f"  {background.name}: {items[-1].asked.size} asked again", file=sys.stderr)
    of_fold = {
        fold: fit([item for item in items if item.fold != fold], options.trees)
        for fold in sorted({item.fold for item in items})
    }
    pairs = [(item.background, item.spots) for item in items]
    before = spot_model.held_out_figures(pairs, [item.first for item in items])
    scores = [second_scores(item, of_fold[item.fold]) for item in items]
    figures = spot_model.held_out_figures(pairs, scores)
    spot_model.add_held_out(recorder, before, look="first")
    spot_model.add_held_out(recorder, figures, look="both")
    marked = [k for k, item in enumerate(items) if item.background.kind == real_spots.KIND]
    ((_, threshold),) = spot_model.sensitivity_at(
        [pairs[k] for k in marked], [scores[k] for k in marked], (RATE_PER_CM2,)
    )
    shift = threshold / SHARE
    recorder.add("log-odds at the operating point", threshold)
    recorder.add("rate at the operating point", RATE_PER_CM2, "per cm²")
    _write_folds(options.models, of_fold, shift, models)
    if not options.report and not command.is_trial(options):
        about: dict[str, object] = {
            "made by": "python -m benchmarks second_look",
            "mcdetect": mcdetect.__version__,
            "images": len(items),
            "held out": {
                kind: {f"{part} at {rate:g}": round(value, 3) for (part, rate), value in row.items()}
                for kind, row in figures.items()
            },
            "operating point": f"{RATE_PER_CM2} false marks per cm2, held out, real images",
        }
        text = spot_model.export(fit(items, options.trees), shift, about, SecondLook.MEASURED)
        (MODELS / "second_look.json").write_text(text, encoding="utf-8")
    recorder.add("seconds", time.time() - start, "s")
    finish(recorder, options)


def _chosen(backgrounds: list[Background], women: int | None) -> list[Background]:
    """Return those of so many women of each kind."""
    some = {
        kind: list(dict.fromkeys(b.patient for b in backgrounds if b.kind == kind))[:women]
        for kind in {b.kind for b in backgrounds}
    }
    return [b for b in backgrounds if b.patient in some[b.kind]]


def _write_folds(
    folder: Path, of_fold: dict[int, HistGradientBoostingClassifier], shift: float, models: FoldModels
) -> None:
    """Write the models of the folds, and which of them is for which image."""
    for fold, model in of_fold.items():
        about: dict[str, object] = {"made by": "python -m benchmarks second_look", "fold": fold}
        text = spot_model.export(model, shift, about, SecondLook.MEASURED)
        (folder / f"fold_second{fold}.json").write_text(text, encoding="utf-8")
    folds = {name: models.digital_fold(name) for name in real_images().file}
    index = {name: f"fold_second{fold}.json" for name, fold in folds.items() if fold in of_fold}
    (folder / SECOND_INDEX).write_text(json.dumps(index, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
