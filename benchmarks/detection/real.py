"""Real mammograms of known outcome: false groups, the suspicion index, single calcifications, kinds.

    python -m benchmarks real --models DIR [--record] [--write-index]
    python -m benchmarks real   # by the models of the package, whose fit saw these images

Data: ../shared/data/real (screening of women without cancer; diagnostic images with BI-RADS; women chosen
since something was flagged in them count for the kinds only). The index of each woman comes from
coefficients fitted on the other women, with --models (folds of `spot_model` and `spot_model_digital`) the
individual score, too. Intervals: 95 %, over women. --write-index writes mcdetect/models/suspicion.json,
fitted on all women.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

import mcdetect
from benchmarks.common.command import Command, finish
from benchmarks.common.fold_models import FoldModels
from benchmarks.common.real import REAL, RealSet, near_truth, search_real
from benchmarks.common.record import Recorder
from benchmarks.detection.real_kinds import LOOK_AGAIN, add_bodies, add_kinds
from benchmarks.fit.suspicion import fit_index, held_out_index

RATES_PER_CM2 = (0.05, 0.1, 0.2, 0.4, 1.0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("real", __doc__)
    command.trial_option("--limit", type=int, metavar="N", help="the first N women of each set only")
    command.parser.add_argument("--samples", type=int, default=500, help="bootstrap samples of women")
    command.parser.add_argument("--models", type=Path, metavar="DIR", help="models of the folds")
    command.parser.add_argument("--write-index", action="store_true", help="write the coefficients")
    options, recorder = command.parse(arguments)
    if not REAL.is_dir():
        raise SystemExit(f"needs the real mammograms in {REAL.name} of ../shared/data")
    found = search_real(options.limit, models=FoldModels(options.models) if options.models else None)
    groups, fitted_on = _with_outcome(found)
    groups["index"] = held_out_index(
        groups, groups.suspicious.to_numpy(), groups.woman.to_numpy(str), fitted_on
    )
    images = _highest(found, groups)
    add_images(recorder, images, options.samples)
    add_calcifications(recorder, found)
    add_kinds(recorder, found, groups)
    add_bodies(recorder, found)
    recorder.add("seconds per image", float(found.images.seconds.median()), "s")
    if options.write_index and not command.is_trial(options):
        clear = groups[fitted_on]
        index = fit_index(clear, clear.suspicious.to_list(), clear.woman.to_list())
        index.to_json(Path(mcdetect.__file__).parent / "models" / "suspicion.json")
    finish(recorder, options)


def _with_outcome(found: RealSet) -> tuple[pd.DataFrame, npt.NDArray[np.bool_]]:
    """Return the flagged groups with woman and outcome, and which of them are clear enough to fit on."""
    known = found.images[["file", "woman", "birads", "calc_suspicious", "set"]]
    groups = found.groups.merge(known.rename(columns={"calc_suspicious": "suspicious"}), on="file")
    clear = groups.suspicious | groups.birads.isin(["1", "2"]) | (groups.set == "dutch")
    return groups, clear.to_numpy(dtype=np.bool_)


def _highest(found: RealSet, groups: pd.DataFrame) -> pd.DataFrame:
    by_image = groups.groupby("file")
    return found.images.assign(
        flagged=found.images.file.map(by_image.size()).fillna(0),
        index_=found.images.file.map(by_image["index"].max()).fillna(0.0),
        score=found.images.file.map(by_image["score"].max()).fillna(0.0),
    )


def _over_women(
    images: pd.DataFrame, figure: Callable[[pd.DataFrame], float], samples: int
) -> tuple[float, float, float]:
    """Return a figure and its interval from samples of women."""
    rng = np.random.default_rng(0)
    by_woman = [part for _, part in images.groupby("woman")]
    values = [
        figure(pd.concat([by_woman[k] for k in rng.integers(len(by_woman), size=len(by_woman))]))
        for _ in range(samples)
    ]
    known = [value for value in values if np.isfinite(value)]
    low, high = np.quantile(known, (0.025, 0.975)) if known else (np.nan, np.nan)
    return figure(images), float(low), float(high)


def _area(images: pd.DataFrame, column: str) -> float:
    """Area under the ROC curve of suspicious images against the others."""
    above = images[images.calc_suspicious][column].to_numpy()[:, None]
    below = images[~images.calc_suspicious][column].to_numpy()
    if above.size == 0 or below.size == 0:
        return float("nan")
    return float((above > below).mean() + 0.5 * (above == below).mean())


def add_images(recorder: Recorder, images: pd.DataFrame, samples: int) -> None:
    """Add what is flagged in images of each kind, and how the index discriminates."""
    screening = images[(images.set == "dutch") & ~images.chosen]
    coded = screening.file.str.endswith(".dcm")
    kinds = {
        "screening, DICOM": screening[coded],
        "screening, JPEG": screening[~coded],
        "BI-RADS 1, no calcifications": images[(images.set == "inbreast") & images.normal],
        "BI-RADS 2": images[images.birads == "2"],
        "suspicious calcifications": images[images.calc_suspicious],
    }
    figures: dict[str, tuple[Callable[[pd.DataFrame], float], str]] = {
        "flagged groups": (lambda part: float(part.flagged.mean()), "per image"),
        "with a flagged group": (lambda part: float((part.flagged > 0).mean()), "share"),
        "index of 50 or more": (lambda part: float((part.index_ >= LOOK_AGAIN).mean()), "share"),
    }
    for kind, part in kinds.items():
        if part.empty:
            continue
        recorder.add("images", len(part), "count", kind=kind)
        for name, (figure, unit) in figures.items():
            value, low, high = _over_women(part, figure, samples)
            recorder.add(name, value, unit, low=low, high=high, kind=kind)
    judged = images[images.calc_suspicious | images.birads.isin(["1", "2"])]
    for name, column in (("index", "index_"), ("score", "score")):
        value, low, high = _over_women(judged, lambda part, c=column: _area(part, c), samples)  # type: ignore[misc]
        recorder.add("area under the ROC curve", value, "share", low=low, high=high, of_what=name)


def add_calcifications(recorder: Recorder, found: RealSet) -> None:
    """Add how many of the calcifications that readers marked are found, by false marks per cm2."""
    facts = found.images.set_index("file")
    hit: list[float] = []
    false: list[float] = []
    cm2 = 0.0
    for name in sorted(found.annotated):
        marks = found.candidates[found.candidates.file == name]
        truth = found.points[found.points.image == name]
        cm2 += facts.searched_area_cm2[name]
        place = marks.row_px.to_numpy(), marks.col_px.to_numpy()
        near = near_truth(*place, truth, facts.spacing_mm[name])
        score = marks.score.to_numpy()
        false += list(score[~near.any(axis=1)])
        hit += [score[near[:, k]].max() if near[:, k].any() else -1.0 for k in range(len(truth))]
    if not hit:
        return
    found_at, rank = np.array(hit), np.sort(false)[::-1]
    recorder.add("calcifications", len(hit), "count")
    for rate in RATES_PER_CM2:
        k = int(rate * cm2)
        threshold = rank[k] if k < len(rank) else 0.0
        recorder.add("calcifications found", float((found_at > threshold).mean()), "share", at=rate)
    recorder.add("among the candidates", float((found_at >= 0).mean()), "share")


if __name__ == "__main__":
    main()
