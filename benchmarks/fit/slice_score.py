"""Fit the individual score of spots in tomosynthesis slices and write mcdetect/models/slice_score.json.

    python -m benchmarks slice_score            # fit, report held-out figures, write the weights
    python -m benchmarks slice_score --report   # held-out figures only

On drawn tomosynthesis: narrow and wide sweeps, 9 to 25 projections, doses, densities and pixels. A spot is
true where it lies within 0.5 mm of a calcification, in a slice at most 2 mm from it. Logistic regression over
`SLICE_FEATURES`, each bent at two knots. Each held-out figure comes from weights that never saw the volume,
without context.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from sklearn.linear_model import LogisticRegression

import mcdetect
from benchmarks.common.command import Command, finish
from benchmarks.common.tomosynthesis_cases import draw_case
from mcdetect.models.linear import Linear
from mcdetect.pipeline.volume import search_volume
from mcdetect.spots.score import digital_score
from mcdetect.spots.slice_score import FORMAT, SLICE_FEATURES, PlainScore, bent, slice_features

MODELS = Path(mcdetect.__file__).parent / "models"
TARGET = MODELS / "slice_score.json"
SEEDS = range(5000, 5060)
FOLDS = 5
RATE_PER_CM2 = 0.07
"""False marks per cm2 at score 0.5, without context; groups add some."""
_LEAST = -9.0  # log-odds by the score of plain mammograms; lower ones are no use
_NEAR_MM, _NEAR_DEPTH_MM = 0.5, 2.0
_TAILS = 0.5  # per cent beyond which values count as the last within
_KNOTS = (33.0, 67.0)  # per cent of the values below the knots of a feature
_FREEDOM = 0.02  # inverse strength of the penalty of weights
_BY_MAMMOGRAMS = [SLICE_FEATURES.index("general"), SLICE_FEATURES.index("digital")]
_MOST_LIKELY, _ONE_OF = 30_000, 10  # spots, by these two; of all others one of so many is taken, for them


@dataclass(frozen=True)
class Item:
    """Spots of one volume.

    Parameters
    ----------
    values : (n, features) float64 array
    of : (n,) int64 array
        Calcification of the truth that each is, -1 for none.
    snr, group : (m,) arrays
        Of the calcifications of the truth.
    area_cm2 : float
        Searched.
    """

    values: npt.NDArray[np.float64]
    of: npt.NDArray[np.int64]
    snr: npt.NDArray[np.float64]
    group: npt.NDArray[np.int64]
    area_cm2: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("slice_score", __doc__)
    command.trial_option("--volumes", type=int, default=len(SEEDS), help="the first so many only")
    command.parser.add_argument("--report", action="store_true", help="do not write the weights")
    options, recorder = command.parse(arguments)
    items = [gather(seed) for seed in SEEDS[: options.volumes]]
    scores = [np.zeros(0)] * len(items)
    for fold in range(FOLDS):
        knots, weights = fit([item for k, item in enumerate(items) if k % FOLDS != fold])
        for k in range(fold, len(items), FOLDS):
            scores[k] = weights.log_odds(bent(items[k].values, knots))
    recorder.add("volumes", len(items), "count")
    recorder.add("searched", sum(item.area_cm2 for item in items), "cm²")
    for rate in (0.1, 0.4):
        threshold = _threshold(items, scores, rate)
        for part, wanted in (("all", None), ("singles", False), ("groups", True)):
            recorder.add("sensitivity", _found(items, scores, threshold, wanted), "share", part=part, at=rate)
    if not options.report:
        TARGET.write_text(written(items, _threshold(items, scores, RATE_PER_CM2)), encoding="utf-8")
    finish(recorder, options)


def written(items: Sequence[Item], shift: float) -> str:
    """Fit on all volumes; return the file, in which a spot of held-out score `shift` has log-odds 0."""
    knots, weights = fit(items)
    data = weights.as_dict() | {"knots": knots.tolist(), "intercept": weights.intercept - shift}
    about = {"made_by": "python -m benchmarks slice_score", "volumes": len(items)}
    text = json.dumps({"format": FORMAT, "about": about, "features": list(SLICE_FEATURES), **data}, indent=1)
    return text + "\n"


def gather(seed: int) -> Item:
    """Draw a volume, find the spots in it, and label them."""
    phantom = draw_case(seed)
    looks = digital_score()
    found, _ = search_volume(phantom.to_volume(), PlainScore(looks), least_log_odds=_LEAST)
    assert found.near is not None
    assert found.focus is not None
    row, col = found.spots.row_px, found.spots.col_px
    truth = phantom.truth
    pixel = np.array([phantom.spacing.row_mm, phantom.spacing.col_mm])
    tree = cKDTree(truth[["row_px", "col_px"]].to_numpy() * pixel)
    away, nearest = tree.query(np.stack([row, col], axis=1) * pixel)
    depth = np.asarray(found.focus.depth_mm)[found.focus.index]
    true = (away < _NEAR_MM) & (np.abs(depth - truth["depth_mm"].to_numpy()[nearest]) <= _NEAR_DEPTH_MM)
    return Item(
        slice_features(found.features, found.near, looks, phantom.sweep.half_angle_deg),
        np.where(true, nearest, -1),
        truth["snr"].to_numpy(),
        truth["group_id"].to_numpy(),
        found.area_cm2,
    )


def fit(items: Sequence[Item]) -> tuple[npt.NDArray[np.float64], Linear]:
    """Fit knots and weights; of the spots without hope only some count, each for many."""
    values = np.concatenate([item.values for item in items])
    true = np.concatenate([item.of >= 0 for item in items])
    likely = values[:, _BY_MAMMOGRAMS].mean(axis=1)
    count = min(_MOST_LIKELY, int(np.count_nonzero(~true)))
    least = np.sort(likely[~true])[-count]
    hopeless = ~true & (likely < least)
    kept = ~hopeless
    kept[np.flatnonzero(hopeless)[::_ONE_OF]] = True
    weight = np.where(hopeless, float(_ONE_OF), 1.0)[kept]
    values, true = values[kept], true[kept]
    lows, highs = np.percentile(values, [_TAILS, 100.0 - _TAILS], axis=0)
    highs = np.maximum(highs, np.percentile(values[true], 100.0 - _TAILS, axis=0))
    cut = np.clip(values, lows, highs)
    knots = np.percentile(cut, _KNOTS, axis=0)
    scales = np.maximum(cut.std(axis=0), 1e-6)
    parts = 1 + len(_KNOTS)
    table = bent(cut, knots) / np.tile(scales, parts)
    table -= table.mean(axis=0)
    model = LogisticRegression(C=_FREEDOM, max_iter=400).fit(table, true, sample_weight=weight)
    lows_bent, highs_bent = (bent(edge[None], knots)[0] for edge in (lows, highs))
    middle = bent(cut, knots)
    return knots, Linear(
        medians=np.median(middle, axis=0),
        means=middle.mean(axis=0),
        scales=np.tile(scales, parts),
        coefficients=model.coef_[0],
        intercept=float(model.intercept_[0]),
        lows=lows_bent,
        highs=highs_bent,
    )


def _threshold(items: Sequence[Item], scores: Sequence[npt.NDArray[np.float64]], rate: float) -> float:
    false = np.concatenate([s[item.of < 0] for item, s in zip(items, scores, strict=True)])
    allowed = int(rate * sum(item.area_cm2 for item in items))
    return float(np.sort(false)[::-1][min(allowed, false.size - 1)])


def _found(
    items: Sequence[Item],
    scores: Sequence[npt.NDArray[np.float64]],
    threshold: float,
    grouped: bool | None,
) -> float:
    """Return the share of the calcifications of SNR 5 and more above a threshold."""
    hits = []
    for item, score in zip(items, scores, strict=True):
        over = np.unique(item.of[(score > threshold) & (item.of >= 0)])
        asked = item.snr >= 5.0
        if grouped is not None:
            asked &= (item.group > 0) == grouped
        hits.append(np.isin(np.flatnonzero(asked), over))
    return float(np.concatenate(hits).mean())


if __name__ == "__main__":
    main()
