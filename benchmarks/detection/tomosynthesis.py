"""Drawn tomosynthesis: what is found, in which slice, how often; time and memory of a whole stack.

    python -m benchmarks tomosynthesis [--volumes 30] [--no-cost] [--record]

Small breasts of 40 slices (see `benchmarks/common/tomosynthesis_cases.py`; seeds that nothing was fitted on),
calcifications of SNR 5 to 20 in their sharpest slice. A calcification is found by a mark within 0.5 mm in the
plane; every further mark there is a false one. Time and memory: 60 slices of 2457 x 1890 as a file, plain and
in JPEG lossless, beside one drawn mammogram of that size as such a file.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil
from scipy.spatial import cKDTree

from benchmarks.common.command import Command, finish
from benchmarks.common.record import Recorder
from benchmarks.common.tomosynthesis_cases import SWEEPS, draw_case
from mcdetect import Config, detect
from mcdetect.phantom import (
    Encoding,
    Group,
    PhantomTomosynthesis,
    Scatter,
    draw_mammogram,
    draw_tomosynthesis,
    write_dicom,
    write_tomosynthesis,
)
from mcdetect.pipeline import detect_file
from mcdetect.readers.image_file import ImageFile
from mcdetect.result import Result

FIRST_SEED = 7000
NEAR_MM = 0.5
LEAST_SCORE = 0.05  # marks below it are not looked at
BINS = ((5.0, 6.5), (6.5, 10.0), (10.0, 20.0), (6.0, 20.0))
SHAPE, SLICES, SPACING_MM = (2457, 1890), 60, 0.1


@dataclass(frozen=True)
class Matched:
    """Marks of one volume against its truth.

    Parameters
    ----------
    score : (m,) float64 array
        Of each mark.
    first : (m,) int64 array
        Calcification that the mark is the first, by score, to find; -1 for false ones and further ones.
    of : (m,) int64 array
        Calcification within reach of each mark, -1 for none.
    off : (m,) float64 array
        Slices between mark and calcification.
    snr, group : (n,) arrays
        Of the truth.
    area_cm2 : float
    """

    score: npt.NDArray[np.float64]
    first: npt.NDArray[np.int64]
    of: npt.NDArray[np.int64]
    off: npt.NDArray[np.float64]
    snr: npt.NDArray[np.float64]
    group: npt.NDArray[np.int64]
    area_cm2: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("tomosynthesis", __doc__)
    command.trial_option("--volumes", type=int, default=30, help="how many are searched")
    command.trial_option("--no-cost", action="store_true", help="leave out time and memory")
    stack = (*SHAPE, SLICES)
    words = "size of the stack that is timed"
    command.trial_option(
        "--stack", type=int, nargs=3, default=stack, metavar=("ROWS", "COLS", "SLICES"), help=words
    )
    options, recorder = command.parse(arguments)
    quality(recorder, options.volumes)
    if not options.no_cost:
        cost(recorder, (options.stack[0], options.stack[1]), options.stack[2])
    finish(recorder, options)


def quality(recorder: Recorder, volumes: int) -> None:
    """Search drawn volumes, and add what was found."""
    matched, sweeps, flagged, drawn, false_groups = [], [], 0, 0, 0
    low = Config().replace(min_score=LEAST_SCORE)
    for seed in range(FIRST_SEED, FIRST_SEED + volumes):
        phantom = draw_case(seed, least_snr=5.0)
        matched.append(match(phantom, detect(phantom.to_volume(), config=low)))
        sweeps.append(seed % len(SWEEPS))
        found, false = _groups(phantom, detect(phantom.to_volume()))
        flagged, drawn, false_groups = flagged + found, drawn + len(phantom.clusters), false_groups + false
    area = sum(one.area_cm2 for one in matched)
    recorder.add("volumes", volumes, "count")
    recorder.add("calcifications", sum(one.snr.size for one in matched), "count")
    recorder.add("searched", area, "cm²")
    for rate in (0.1, 0.4):
        threshold = _threshold(matched, rate)
        for part, asked in _parts(matched).items():
            recorder.add("sensitivity", _sensitivity(matched, threshold, asked), "share", part=part, at=rate)
    usual = 0.5
    recorder.add("sensitivity at score 0.5", _sensitivity(matched, usual, _parts(matched)["all"]), "share")
    false = sum(int(np.count_nonzero((m.first < 0) & (m.score >= usual))) for m in matched)
    recorder.add("false marks at score 0.5", false / area, "1/cm²")
    for number in sorted(set(sweeps)):
        own = [one for one, sweep in zip(matched, sweeps, strict=True) if sweep == number]
        name = f"{2 * SWEEPS[number].half_angle_deg:g} degrees, {SWEEPS[number].projections} projections"
        share = _sensitivity(own, _threshold(matched, 0.1), [np.ones(one.snr.size, np.bool_) for one in own])
        recorder.add("sensitivity of a sweep", share, "share", sweep=f"{name} ({number + 1})")
    off = np.concatenate([m.off[(m.first >= 0) & (m.score >= usual)] for m in matched])
    recorder.add("slice exact", float(np.mean(off == 0)), "share")
    recorder.add("slice right within one", float(np.mean(off <= 1)), "share")
    marks = sum(int(np.count_nonzero((m.of >= 0) & (m.score >= usual))) for m in matched)
    recorder.add("marks per calcification found", marks / max(off.size, 1), "")
    recorder.add("groups flagged", flagged / max(drawn, 1), "share")
    recorder.add("false flagged groups", false_groups / volumes, "1/volume")


def match(phantom: PhantomTomosynthesis, result: Result) -> Matched:
    """Assign the marks, by falling score, to the calcifications that they find."""
    truth, marks = phantom.truth, result.calcifications
    pixel = np.array([phantom.spacing.row_mm, phantom.spacing.col_mm])
    place = marks[["row_px", "col_px"]].to_numpy() * pixel
    away, nearest = cKDTree(truth[["row_px", "col_px"]].to_numpy() * pixel).query(place)
    of = np.where(away <= NEAR_MM, nearest, -1)
    first, seen = np.full(of.size, -1), set()
    for k in np.argsort(-marks["score"].to_numpy(), kind="stable"):
        if of[k] >= 0 and of[k] not in seen:
            seen.add(of[k])
            first[k] = of[k]
    off = np.abs(marks["slice"].to_numpy() - truth["slice"].to_numpy()[nearest])
    area = float(result.summary()["searched_area_cm2"].iloc[0])
    return Matched(
        marks["score"].to_numpy(),
        first,
        of,
        off,
        truth["snr"].to_numpy(),
        truth["group_id"].to_numpy(),
        area,
    )


def _parts(matched: Sequence[Matched]) -> dict[str, list[npt.NDArray[np.bool_]]]:
    """Return which calcifications of each volume count, by name."""
    parts = {
        "all": [m.snr > 0 for m in matched],
        "singles": [m.group == 0 for m in matched],
        "groups": [m.group > 0 for m in matched],
    }
    for low, high in BINS:
        parts[f"SNR {low:g} to {high:.3g}"] = [(m.snr >= low) & (m.snr <= high + 1e-6) for m in matched]
    return parts


def _threshold(matched: Sequence[Matched], rate: float) -> float:
    false = np.sort(np.concatenate([m.score[m.first < 0] for m in matched]))[::-1]
    allowed = int(rate * sum(m.area_cm2 for m in matched))
    return float(false[allowed]) if allowed < false.size else 0.0


def _sensitivity(
    matched: Sequence[Matched], threshold: float, asked: Sequence[npt.NDArray[np.bool_]]
) -> float:
    hits = [
        np.isin(np.flatnonzero(which), m.first[m.score > threshold])
        for m, which in zip(matched, asked, strict=True)
    ]
    return float(np.concatenate(hits).mean())


def _groups(phantom: PhantomTomosynthesis, result: Result) -> tuple[int, int]:
    """Return how many drawn groups are flagged at their place and depth, and how many flagged are none."""
    hits: set[int] = set()
    false = 0
    truth = phantom.truth
    for _, group in result.flagged.iterrows():
        hit = 0
        for number, members in truth[truth["group_id"] > 0].groupby("group_id"):
            rows, cols = members["row_px"], members["col_px"]
            in_plane = (
                rows.min() <= group["row_px"] <= rows.max() and cols.min() <= group["col_px"] <= cols.max()
            )
            if in_plane and abs(members["depth_mm"].mean() - group["depth_mm"]) <= 5.0:
                hit = int(str(number))
        hits |= {hit} if hit else set()
        false += hit == 0
    return len(hits), false


def cost(recorder: Recorder, shape: tuple[int, int], slices: int) -> None:
    """Search a whole stack as a file, and one mammogram of its size."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        phantom = draw_tomosynthesis(
            shape, SPACING_MM, seed=5, slices=slices, groups=(Group(extent_mm=5.0),) * 2, scatter=Scatter(8)
        )
        plain = draw_mammogram(
            shape, SPACING_MM, seed=5, groups=(Group(extent_mm=5.0),) * 2, scatter=Scatter(8)
        )
        files = {}
        for encoding in (Encoding.EXPLICIT, Encoding.JPEG_LOSSLESS):
            files[encoding] = folder / f"{encoding.name}.dcm", folder / f"plain_{encoding.name}.dcm"
            write_tomosynthesis(phantom, files[encoding][0], encoding=encoding)
            write_dicom(plain, files[encoding][1], encoding=encoding)
        del phantom, plain
        for encoding, (stack, single) in files.items():
            _search(single)
            one = float(np.median([_timed(partial(_search, single))[0] for _ in range(3)]))
            seconds, memory = _timed(partial(_search, stack))
            words = encoding.name.lower().replace("_", " ")
            recorder.add("seconds of a mammogram", one, "s", syntax=words)
            recorder.add("seconds of a stack", seconds, "s", syntax=words)
            recorder.add("stack over mammogram", seconds / one, "", syntax=words)
            recorder.add("memory added", memory, "MiB", syntax=words)


def _search(path: Path) -> Result:
    return detect_file(ImageFile(path, path.name))


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return seconds, and the most memory in MiB that was held beyond what was held before."""
    process = psutil.Process(os.getpid())
    before = int(process.memory_info().rss)
    peak, done = [before], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], int(process.memory_info().rss))

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    return seconds, (peak[0] - before) / 2**20


if __name__ == "__main__":
    main()
