"""Large bodies of exact outlines in backgrounds: is each marked once, measured and named as what it is?

    python -m benchmarks inserted_bodies [--turns 2] [--kinds film digital phantom real] [--record]

What is inserted, and where: inserted_body_cases.py (fixed seeds). Nothing was fitted on such bodies. The
backgrounds served the individual score's fit; with --models DIR (folds of `spot_model` and
`spot_model_digital`) each is scored by models that did not see it.

A mark is of a body when its centre lies within 0.5 mm of its hull, of a tram track within 1 mm of one of its
plaques; beside it up to 3 mm away, as processing leaves some round what is very bright. Errors of size are
those of its largest mark. What it is named: the benign kind of its marks where the detector gives one, or of
their groups; a tram track by its group. A tram track is one finding when all its marks are in one flagged
group or one artery (which the rule need not flag: five plaques in 1 cm2), or it has one mark.
Intervals: 95 %, over bodies.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

import mcdetect
from benchmarks.common.command import Command, finish
from benchmarks.common.fold_models import FoldModels
from benchmarks.common.record import Label, Recorder
from benchmarks.detection.inserted_body_cases import KINDS, SIZES_MM, BodyCase, Place, body_case, places
from mcdetect.phantom import BodyForm, BodyStamp

Labels = Mapping[str, Label]
REACH_MM = 0.5
TRACK_REACH_MM = 1.0
BESIDE_MM = 3.0
LOOK_AGAIN = 50.0
SAME = 0.1
TRACK = str(BodyForm.TRAM_TRACK)
SAMPLES = 1000


def distance_mm(
    stamp: BodyStamp, marks: pd.DataFrame, spacing_mm: tuple[float, float], *, hull: bool
) -> npt.NDArray[np.float64]:
    """Return how far marks lie from a body's outline or its convex hull: 0 inside, inf beyond `BESIDE_MM`."""
    pads = [math.ceil(BESIDE_MM / pitch) + 2 for pitch in spacing_mm]
    inside = np.pad((stamp.coverage >= 0.5).astype(np.uint8), [(pad, pad) for pad in pads])
    if hull:
        points = np.argwhere(inside)[:, ::-1].astype(np.int32)
        cv2.fillConvexPoly(inside, cv2.convexHull(points), 1)
    away = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5) * math.sqrt(spacing_mm[0] * spacing_mm[1])
    at = np.rint(marks[["row_px", "col_px"]].to_numpy(np.float64)).astype(np.int64)
    at += np.subtract(pads, stamp.first)
    within = ((at >= 0) & (at < away.shape)).all(axis=1)
    distance = np.full(len(marks), np.inf)
    distance[within] = away[at[within, 0], at[within, 1]]
    return np.where(distance <= BESIDE_MM, distance, np.inf)


def _names(marks: pd.DataFrame, groups: pd.DataFrame, track: bool) -> set[str]:
    """Return the benign kinds that marks are named as: as bodies, or else by their groups, as plaques are."""
    own = set() if track else set(marks["kind"].fillna("")) - {"", "object"}
    return own or set(groups["benign_kind"].fillna("")) - {""}


def _nameable(truth: Mapping[Any, Any]) -> bool:
    """Tell whether a body has a kind that can be seen: white that saturates hides the centre of a rim."""
    return bool(truth["kind"]) and not (truth["form"] == str(BodyForm.RIM) and truth["clipped"])


def judged(case: BodyCase, result: mcdetect.Result) -> pd.DataFrame:
    """Return what became of each body of an image, beside its truth."""
    spacing = (case.mammogram.spacing.row_mm, case.mammogram.spacing.col_mm)
    rows: list[dict[str, Any]] = []
    for truth, stamp in zip(case.truth.to_dict("records"), case.stamps, strict=True):
        track = truth["form"] == TRACK
        away = distance_mm(stamp, result.calcifications, spacing, hull=not track)
        near = away <= (TRACK_REACH_MM if track else REACH_MM)
        marks = result.calcifications[near]
        groups = result.clusters[result.clusters["cluster_id"].isin(marks["cluster_id"])]
        flagged = groups[groups["flagged"]]
        found = groups[groups["flagged"] | (groups["vascular_length_mm"] > 0)]
        alone = int((~marks["cluster_id"].isin(found["cluster_id"])).sum())
        row = {
            "image": case.name,
            "background": case.kind,
            "marks": len(marks),
            "beside": int((np.isfinite(away) & ~near).sum()),
            "flagged": len(flagged),
            "suspicious": int((flagged["suspicion"] >= LOOK_AGAIN).sum()),
            "findings": alone + len(found),
            "right": truth["kind"] in _names(marks, groups, track) if _nameable(truth) else np.nan,
        }
        if len(marks):
            whole = marks.iloc[int(marks["diameter_mm"].argmax())]
            for name in ("diameter_mm", "major_axis_mm"):
                row[f"{name} error"] = whole[name] / truth[name] - 1.0
        rows.append({**{str(name): value for name, value in truth.items()}, **row})
    wanted = ("diameter_mm error", "major_axis_mm error")
    return pd.DataFrame(rows).reindex(columns=[*case.truth, *_JUDGED, *wanted])


_JUDGED = ("image", "background", "marks", "beside", "flagged", "suspicious", "findings", "right")


def _search(job: tuple[Place, int, Path | None]) -> pd.DataFrame:
    place, turn, folder = job
    case = body_case(place, turn)
    model = None
    if folder is not None:
        model = FoldModels(folder).for_background(place.name)
    return judged(case, mcdetect.detect(case.mammogram, spot_model=model))


def _searched(tasks: Iterable[tuple[Place, int, Path | None]], jobs: int) -> Iterator[pd.DataFrame]:
    """Search every image, few at a time in memory."""
    if jobs == 1:
        yield from map(_search, tasks)
        return
    queue = iter(tasks)
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting: list[Future[pd.DataFrame]] = [pool.submit(_search, job) for job in islice(queue, 2 * jobs)]
        while waiting:
            yield waiting.pop(0).result()
            waiting += [pool.submit(_search, job) for job in islice(queue, 1)]


def _add_figure(recorder: Recorder, name: str, values: pd.Series[Any], how: str, labels: Labels) -> None:
    """Add the mean or median of a number per body, with its interval from samples of bodies."""
    array = values.to_numpy(np.float64)
    drawn = array[np.random.default_rng(0).integers(array.size, size=(SAMPLES, array.size))]
    figure = np.mean if how == "mean" else np.median
    low, high = np.quantile(figure(drawn, axis=1), (0.025, 0.975))
    unit = "per body" if how == "mean" else ""
    recorder.add(name, float(figure(array)), unit, low=float(low), high=float(high), labels=labels)


def _add_share(recorder: Recorder, name: str, yes: pd.Series[Any], labels: Labels) -> None:
    """Add a share with its interval by Wilson, which does not shrink to nothing at none or all."""
    n, p, z = len(yes), float(yes.mean()), 1.96
    middle, half = p + z**2 / (2 * n), z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    low, high = (max(middle - half, 0.0) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n))
    recorder.add(name, p, "share", low=low, high=min(high, 1.0), labels=labels)


def _size(size_mm: float) -> str:
    low, high = next(ends for ends in SIZES_MM if size_mm < ends[1] or ends is SIZES_MM[-1])
    return f"{low:g} to {high:g} mm"


def _parts(bodies: pd.DataFrame) -> Iterator[tuple[Labels, pd.DataFrame]]:
    """Give the bodies of each form by size, and all of the form."""
    sizes = bodies["size_mm"].map(_size)
    for form in BodyForm:
        of_form = bodies["form"] == str(form)
        chosen = sorted(sizes[of_form].unique())
        for size in chosen if len(chosen) > 1 else ():
            yield {"form": str(form), "size": size}, bodies[of_form & (sizes == size)]
        if chosen:
            yield {"form": str(form), "size": "all"}, bodies[of_form]


def add_bodies(recorder: Recorder, bodies: pd.DataFrame) -> None:
    """Add what became of bodies other than tram tracks by form and size, and by background."""
    for labels, part in _parts(bodies):
        recorder.add("bodies", len(part), "count", labels=labels)
        _add_share(recorder, "not marked", part["marks"] == 0, labels)
        _add_share(recorder, "exactly one mark", part["marks"] == 1, labels)
        _add_figure(recorder, "further marks", (part["marks"] - 1).clip(lower=0), "mean", labels)
        _add_figure(recorder, "marks beside", part["beside"], "mean", labels)
        if part["kind"].ne("").any():
            named = part[part["right"].notna()]
            if len(named):
                _add_share(recorder, "kind right", named["right"].eq(True), labels)
        _add_figure(recorder, "flagged groups", part["flagged"], "mean", labels)
        _add_share(recorder, "index of 50 or more", part["suspicious"] > 0, labels)
        for name, column in (("diameter", "diameter_mm error"), ("long axis", "major_axis_mm error")):
            error = part[column].dropna()
            if len(error):
                _add_figure(recorder, f"{name} error", error, "median", labels)
                _add_share(recorder, f"{name} within 10 %", error.abs() <= SAME, labels)
    for kind, part in bodies.groupby("background", sort=False):
        where: Labels = {"background": str(kind)}
        recorder.add("bodies by background", len(part), "count", labels=where)
        _add_share(recorder, "not marked by background", part["marks"] == 0, where)
        _add_share(recorder, "exactly one mark by background", part["marks"] == 1, where)
        _add_figure(recorder, "flagged groups by background", part["flagged"], "mean", where)


def add_tracks(recorder: Recorder, tracks: pd.DataFrame) -> None:
    """Add what became of tram tracks."""
    if tracks.empty:
        return
    recorder.add("tracks", len(tracks), "count")
    _add_share(recorder, "tracks not marked", tracks["marks"] == 0, {})
    _add_share(recorder, "tracks with one finding", tracks["findings"] == 1, {})
    _add_figure(recorder, "marks per track", tracks["marks"], "mean", {})
    _add_figure(recorder, "flagged groups per track", tracks["flagged"], "mean", {})
    _add_share(recorder, "tracks named vascular", tracks["right"].eq(True), {})
    _add_share(recorder, "tracks with an index of 50 or more", tracks["suspicious"] > 0, {})


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("inserted_bodies", __doc__)
    command.trial_option("--kinds", nargs="+", choices=KINDS, default=KINDS, help="of background")
    command.trial_option("--limit", type=int, metavar="N", help="the first N backgrounds only")
    command.trial_option("--turns", type=int, default=2, metavar="N", help="insertions into each background")
    command.parser.add_argument("--models", type=Path, metavar="DIR", help="models of spot_model --folds DIR")
    command.parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes")
    command.parser.add_argument("--table", type=Path, metavar="FILE", help="write every body here, as CSV")
    options, recorder = command.parse(arguments)
    chosen = islice(places(tuple(options.kinds)), options.limit)
    tasks = ((place, turn, options.models) for place in chosen for turn in range(1, options.turns + 1))
    found = list(_searched(tasks, options.jobs))
    if not found:
        raise SystemExit(f"there are no backgrounds of the kinds {', '.join(options.kinds)}")
    every = pd.concat(found, ignore_index=True)
    if options.table is not None:
        every.to_csv(options.table, index=False)
    recorder.add("images", len(found), "count")
    track = every["form"] == TRACK
    add_bodies(recorder, every[~track])
    add_tracks(recorder, every[track])
    finish(recorder, options)


if __name__ == "__main__":
    main()
