"""How the cost grows with the image, the candidates, the members of a group, and the images of a run.

    python -m benchmarks scaling [--only pixels candidates members images] [--record]

Processor time over sizes that span two decades or more, the shortest of some repetitions. The line
``seconds = start + slope * size ** exponent`` is fitted to their logarithms; the exponent is the figure. A
cost of n log n shows as 1.1 to 1.2 over such a span. With `--record` the picture is drawn anew.

Pixels: a drawn breast, larger and larger, at pixels of 0.05 mm. Candidates: places at random in
one image, described and scored. Members: points of one density that make up one group, grouped, measured
and named. Images: files of a small drawn breast, from the list to the tables.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from benchmarks.common.command import Command, finish
from benchmarks.common.record import RESULTS, Recorder
from mcdetect import detect
from mcdetect.clusters.descriptors import describe_clusters
from mcdetect.clusters.features import build_features
from mcdetect.clusters.rule import find_groups
from mcdetect.config import Config, GroupConfig
from mcdetect.image.mammogram import Mammogram
from mcdetect.phantom import PhantomMammogram, draw_mammogram
from mcdetect.phantom.dicom_writer import write_dicom
from mcdetect.pipeline.searching import search
from mcdetect.runs import run_batch
from mcdetect.schema import SHAPE_MEASURES
from mcdetect.spots.appearance import describe_spots
from mcdetect.spots.context import in_context
from mcdetect.spots.score import default_spot_model

__all__ = ["WORK", "Growth", "Line", "fit", "main"]

_Floats = npt.NDArray[np.float64]

LARGE_SPACING_MM = 0.05  # Judged: at which the largest image still holds a breast that could be
TALL = 1.25  # Standard: height over width of films and detectors
SPACING_MM = 0.1  # Judged: of the image in which candidates are scored
PER_CM2 = 30.0  # Judged: members of a group, dense enough that all are one group


@dataclass(frozen=True)
class Growth:
    """What grows: makes the work for a size; sizes; repetitions; what the exponent may be.

    Attributes
    ----------
    work : callable
        Takes the size, returns what is timed.
    sizes : tuple of int
    repeats : int
    low, high : float
    """

    work: Callable[[int], Callable[[], object]]
    sizes: tuple[int, ...]
    repeats: int
    low: float
    high: float


def of_pixels(megapixels: int) -> Callable[[], object]:
    """Detection in one image."""
    cols = round(float(np.sqrt(1e6 * megapixels / TALL)))
    image = draw_mammogram((round(TALL * cols), cols), LARGE_SPACING_MM, seed=5).pixels
    return lambda: detect(image, pixel_spacing_mm=LARGE_SPACING_MM)


def of_candidates(n: int) -> Callable[[], object]:
    """Description and score of candidates."""
    mammogram = Mammogram.from_array(
        draw_mammogram((1500, 1200), SPACING_MM, seed=5).pixels, (SPACING_MM, SPACING_MM)
    )
    config = Config()
    found = search(mammogram, config)
    rng = np.random.default_rng(4)
    kept = rng.integers(found.spots.snr.size, size=n)
    shift = rng.uniform(-20.0, 20.0, (2, n))
    rows, cols = found.equalised.shape
    place = found.spots.row_px - found.origin_px[0], found.spots.col_px - found.origin_px[1]
    row, col = (
        np.clip(p[kept] + s, 0.0, side - 1.0) for p, s, side in zip(place, shift, (rows, cols), strict=True)
    )
    spots = replace(
        found.spots, row_px=row, col_px=col, snr=found.spots.snr[kept], band=found.spots.band[kept]
    )
    model = default_spot_model()

    def work() -> object:
        looks = model.log_odds(describe_spots(found.equalised, spots, mammogram.spacing))
        row_mm, col_mm = row * SPACING_MM, col * SPACING_MM
        return in_context(row_mm, col_mm, looks, spots.snr, found.area_cm2, config.calcifications)

    return work


def of_members(n: int) -> Callable[[], object]:
    """Grouping, features and words of one group."""
    rng = np.random.default_rng(2)
    side = 10.0 * float(np.sqrt(n / PER_CM2))
    row, col = rng.uniform(0.0, side, (2, n))
    names = (*SHAPE_MEASURES, "orientation_deg", "diameter_mm", "snr", "skin_distance_mm", "line")
    measures: dict[str, _Floats] = {name: rng.uniform(0.2, 0.8, n) for name in (*names, "chest_distance_mm")}

    def work() -> object:
        groups = find_groups(row, col, GroupConfig())
        depth, muscle = np.full(len(groups), 20.0), np.zeros(n, np.bool_)
        build_features(groups.label, row, col, measures, depth, muscle)
        return describe_clusters(groups.label, row, col, measures, 0.07)

    return work


def of_images(n: int) -> Callable[[], object]:
    """A run over files, in this process."""

    def work() -> object:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            (folder / "images").mkdir()
            for number in range(n):
                shutil.copy(_small(), folder / "images" / f"{number:06}.dcm")
            report = run_batch([folder / "images"], folder / "out", overlay=False, jobs=1)
            if len(report.images) != n:
                raise RuntimeError(f"{len(report.images)} of {n} images were searched")
            return report

    return work


@cache
def _small() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="mcdetect-scaling-"))
    drawn: PhantomMammogram = draw_mammogram((300, 240), 0.2, seed=5)
    write_dicom(drawn, folder / "small.dcm")
    return folder / "small.dcm"


WORK: dict[str, Growth] = {
    "pixels": Growth(of_pixels, (1, 2, 4, 8, 16, 32, 64), 2, 0.9, 1.1),
    "candidates": Growth(of_candidates, (10, 100, 1000, 10_000, 30_000, 100_000), 5, 0.0, 1.2),
    "members": Growth(of_members, (5, 20, 100, 500, 2000, 5000, 20_000), 3, 0.0, 1.2),
    "images": Growth(of_images, (1, 3, 10, 30, 100, 300, 1000), 1, 0.0, 1.1),
}
"""By name; pixels in millions."""


@dataclass(frozen=True)
class Line:
    """``seconds = start + slope * size ** exponent``."""

    start: float
    slope: float
    exponent: float

    def at(self, size: _Floats) -> _Floats:
        """Return the seconds at sizes."""
        seconds: _Floats = self.start + self.slope * size**self.exponent
        return seconds


def fit(sizes: Sequence[float], seconds: Sequence[float]) -> Line:
    """Fit a line to the logarithms; what every size pays alike is the start."""
    n, t = np.asarray(sizes, np.float64), np.asarray(seconds, np.float64)
    log_n = np.log(n / n[-1])

    def off(parameters: _Floats) -> _Floats:
        start, last, exponent = np.exp(parameters[0]), np.exp(parameters[1]), parameters[2]
        difference: _Floats = np.log(start + last * np.exp(exponent * log_n)) - np.log(t)
        return difference

    tries = [
        least_squares(off, [np.log(share * t.min()), np.log(t.max()), exponent])
        for share in (1e-3, 0.5)
        for exponent in (0.8, 1.0, 1.5)
    ]
    best = min(tries, key=lambda one: float(one.cost))
    start, last, exponent = float(np.exp(best.x[0])), float(np.exp(best.x[1])), float(best.x[2])
    return Line(start, last / float(n[-1]) ** exponent, exponent)


def shortest(work: Callable[[], object], repeats: int) -> float:
    """Return the shortest processor time; with several repetitions the first one more does not count."""
    if repeats > 1:
        work()
    taken = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("scaling", __doc__)
    command.trial_option("--only", nargs="+", choices=list(WORK), default=list(WORK), help="some of them")
    command.trial_option("--most", type=int, default=0, help="leave out sizes beyond")
    options, recorder = command.parse(arguments)
    _small()
    of_images(1)()
    lines: dict[str, Line] = {}
    for name in options.only:
        growth = WORK[name]
        sizes = [size for size in growth.sizes if not options.most or size <= options.most]
        seconds = [shortest(growth.work(size), growth.repeats) for size in sizes]
        for size, value in zip(sizes, seconds, strict=True):
            recorder.add("seconds", value, "s", what=name, size=size)
        if len(sizes) > 3:
            lines[name] = fit(sizes, seconds)
            add(recorder, name, lines[name])
    if options.record:
        draw(recorder, lines, RESULTS / "scaling.png")
    finish(recorder, options)


def add(recorder: Recorder, name: str, line: Line) -> None:
    """Add what was fitted."""
    growth = WORK[name]
    recorder.add("exponent", line.exponent, what=name)
    recorder.add(
        "may be", f"{growth.low:g} to {growth.high:g}" if growth.low else f"up to {growth.high:g}", what=name
    )
    recorder.add("start", line.start, "s", what=name)
    recorder.add("seconds at the largest", float(line.at(np.array([growth.sizes[-1]]))[0]), "s", what=name)


def draw(recorder: Recorder, lines: dict[str, Line], path: Path) -> None:
    """Draw times and lines, one panel each."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.0, 3.0), layout="constrained")
    run = recorder.run()
    for axes, (name, line) in zip(figure.subplots(1, len(lines)), lines.items(), strict=True):
        points = [
            (float(f.labels["size"]), float(f.value))
            for f in run.figures
            if f.name == "seconds" and f.labels["what"] == name
        ]
        size = np.geomspace(points[0][0], points[-1][0], 50)
        axes.loglog(size, line.at(size), color="0.7")
        axes.loglog(*zip(*points, strict=True), "o", color="C0")
        axes.set(
            title=f"{name}: exponent {line.exponent:.2f}", xlabel="millions" if name == "pixels" else "number"
        )
        axes.grid(visible=True, which="major", color="0.92")
    figure.axes[0].set_ylabel("processor seconds")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
