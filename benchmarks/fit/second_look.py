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
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

import mcdetect
from benchmarks.common.backgrounds import Background
from benchmarks.common.command import Command, finish
from benchmarks.common.fold_models import SECOND_INDEX, FoldModels
from benchmarks.common.real import REAL, real_images
from benchmarks.fit import real_spots, spot_model
from benchmarks.fit.training_spots import LabelledSpots
from mcdetect.config import Config
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.pipeline.scoring import candidates_on_edges, rows_of_second_look
from mcdetect.spots.context import in_context
from mcdetect.spots.edges import ON_EDGE_LOG_ODDS
from mcdetect.spots.score import DigitalScore
from mcdetect.spots.second_look import SHARE, Net, SecondLook, asked_again

MODELS = Path(mcdetect.__file__).parent / "models"
RATE_PER_CM2 = 0.06
"""False marks per cm2 at score 0.5 by the second look alone, where readers marked all: with the first look
they are as many as by that."""
LONG = 20
"""Calcifications that are drawn to be long, inserted into an image beside those of the first look's fit."""
MARKED_WEIGHT, INSERTED_WEIGHT = 8.0, 0.1
"""Of a calcification that readers marked, and of all in an image with insertions: these lie anywhere in the
breast, and are many."""
HIDDEN, NETS, PASSES = (32, 16), 3, 10
SETTINGS = {
    "alpha": 0.01,
    "batch_size": 512,
    "learning_rate_init": 0.002,
    "tol": 0.0,
    "n_iter_no_change": 1000,
}
_TAILS, _BEYOND = (0.01, 0.99), 0.2  # values are cut so much of the span of these quantiles beyond them


@dataclass(frozen=True)
class Item:
    """Spots of one image.

    Parameters
    ----------
    background : Background
    spots : LabelledSpots
        All of them, without their features.
    first : (n,) float64 array
        Score of all by the first look, in context.
    asked : (m,) int array
        Those that get a second look.
    rows : (m, columns) float32 array
        What it is made of.
    fold : int
    """

    background: Background
    spots: LabelledSpots
    first: npt.NDArray[np.float64]
    asked: npt.NDArray[np.intp]
    rows: npt.NDArray[np.float32]
    fold: int

    @property
    def label(self) -> npt.NDArray[np.int64]:
        """Labels of those that get a second look."""
        return self.spots.label[self.asked]


def gather(background: Background, models: FoldModels) -> list[Item]:
    """Search an image, as it is and with insertions; label and describe what is found."""
    score = models.for_background(background.name)
    if not isinstance(score, DigitalScore):
        raise SystemExit(f"no model of spot_model_digital held out {background.name}")
    spacing = PixelSpacing(background.spacing_mm, background.spacing_mm)
    items = []
    for kind, found, spots in real_spots.real_searches(background, long=LONG):
        looks, edge = score.log_odds(found.features), candidates_on_edges(found, spacing, processed=True)
        own = np.where(edge, np.minimum(looks, ON_EDGE_LOG_ODDS), looks)
        place = spots.row_mm, spots.col_mm
        first = in_context(*place, own, spots.snr, found.area_cm2, Config().calcifications)
        asked = asked_again(own)
        rows = rows_of_second_look(found, spacing, score, looks, edge, asked)
        bare = dataclasses.replace(spots, features=np.zeros((0, 0), np.float32))
        items.append(Item(kind, bare, first, asked, rows, models.digital_fold(background.name)))
    return items


def fit(items: Sequence[Item]) -> SecondLook:
    """Fit the networks on the spots that get a second look and whose label is known."""
    rows = np.concatenate([item.rows for item in items]).astype(np.float64)
    label = np.concatenate([item.label for item in items])
    kind = np.repeat([item.background.kind for item in items], [item.asked.size for item in items])
    weight = np.where(kind == real_spots.INSERTED, INSERTED_WEIGHT, 1.0)
    weight[(kind == real_spots.KIND) & (label == 1)] = MARKED_WEIGHT
    medians = np.nanmedian(np.where(np.isfinite(rows), rows, np.nan), axis=0)
    rows = np.where(np.isfinite(rows), rows, medians)
    low, high = np.quantile(rows, _TAILS, axis=0)
    lows, highs = low - _BEYOND * (high - low), high + _BEYOND * (high - low)
    cut = np.clip(rows, lows, highs)
    means, scales = cut.mean(axis=0), cut.std(axis=0) + 1e-6
    values = ((cut - means) / scales).astype(np.float32)
    known = label >= 0
    nets: list[Net] = []
    for seed in range(NETS):
        net = MLPClassifier(HIDDEN, max_iter=PASSES, random_state=seed, **SETTINGS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # so many passes, and no more
            net.fit(values[known], label[known], sample_weight=weight[known])
        nets.append(tuple(zip(net.coefs_, net.intercepts_, strict=True)))
    return SecondLook(medians, lows, highs, means, scales, tuple(nets), 0.0, {})


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("second_look", __doc__, models=True)
    command.parser.add_argument("--report", action="store_true", help="do not write the model of the package")
    command.trial_option("--women", type=int, metavar="N", help="the first N women of each kind only")
    options, recorder = command.parse(arguments)
    if not REAL.is_dir():
        raise SystemExit(f"needs the real mammograms in {REAL.name} of ../shared/data")
    start = time.time()
    models = FoldModels(options.models, second=False)
    items: list[Item] = []
    for background in _chosen(real_spots.real_backgrounds(), options.women):
        items += gather(background, models)
        print(f"  {background.name}: {items[-1].asked.size} asked again", file=sys.stderr)
    folds = sorted({item.fold for item in items})
    of_fold = {fold: fit([item for item in items if item.fold != fold]) for fold in folds}
    second = [of_fold[item.fold].log_odds(item.rows) for item in items]
    shift = _threshold(items, second)
    scores = []
    for item, again in zip(items, second, strict=True):
        scores.append(item.first.copy())
        scores[-1][item.asked] = SHARE * (again - shift) + (1.0 - SHARE) * item.first[item.asked]
    pairs = [(item.background, item.spots) for item in items]
    before = spot_model.held_out_figures(pairs, [item.first for item in items])
    figures = spot_model.held_out_figures(pairs, scores)
    spot_model.add_held_out(recorder, before, look="first")
    spot_model.add_held_out(recorder, figures, look="both")
    recorder.add("log-odds at the operating point", shift)
    recorder.add("rate at the operating point", RATE_PER_CM2, "per cm²")
    of_fold = {fold: dataclasses.replace(model, shift=shift) for fold, model in of_fold.items()}
    _write_folds(options.models, of_fold, models)
    if not options.report and not command.is_trial(options):
        about = {
            "made by": "python -m benchmarks second_look",
            "mcdetect": mcdetect.__version__,
            "images": len(items),
            "held out": {
                kind: {f"{part} at {rate:g}": round(value, 3) for (part, rate), value in row.items()}
                for kind, row in figures.items()
            },
            "operating point": f"{RATE_PER_CM2} false marks per cm2, held out, real images",
        }
        model = dataclasses.replace(fit(items), shift=shift, about=about)
        (MODELS / "second_look.json").write_text(model.to_json(), encoding="utf-8")
    recorder.add("seconds", time.time() - start, "s")
    finish(recorder, options)


def _threshold(items: Sequence[Item], second: Sequence[npt.NDArray[np.float64]]) -> float:
    """Return the log-odds at the operating point."""
    marked = [k for k, item in enumerate(items) if item.background.kind == real_spots.KIND]
    false = np.concatenate([second[k][items[k].label == 0] for k in marked])
    allowed = int(RATE_PER_CM2 * sum(items[k].spots.area_cm2 for k in marked))
    return float(np.sort(false)[::-1][min(allowed, false.size - 1)])


def _chosen(backgrounds: list[Background], women: int | None) -> list[Background]:
    """Return those of so many women of each kind."""
    some = {
        kind: list(dict.fromkeys(b.patient for b in backgrounds if b.kind == kind))[:women]
        for kind in {b.kind for b in backgrounds}
    }
    return [b for b in backgrounds if b.patient in some[b.kind]]


def _write_folds(folder: Path, of_fold: dict[int, SecondLook], models: FoldModels) -> None:
    """Write the models of the folds, and which of them is for which image."""
    for fold, model in of_fold.items():
        about = {"made by": "python -m benchmarks second_look", "fold": fold}
        text = dataclasses.replace(model, about=about).to_json()
        (folder / f"fold_second{fold}.json").write_text(text, encoding="utf-8")
    folds = {name: models.digital_fold(name) for name in real_images().file}
    index = {name: f"fold_second{fold}.json" for name, fold in folds.items() if fold in of_fold}
    (folder / SECOND_INDEX).write_text(json.dumps(index, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
