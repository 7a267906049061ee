"""Is the detector as quick as its filters: ratios to OpenCV and scikit-image in one run, memory, batches.

    python -m benchmarks speed [--repeats 31] [--only ratios memory batch cold] [--record]

A drawn mammogram of 4096 x 3328 pixels. Four contestants are timed in turn, in one order and then in the
other, so that what else the machine does meets all of them alike; each ratio is the median of the ratios
within one repetition. Before anything is timed, OpenCV's chain of filters must find the same maxima as the
stage ("spots"). Times of the wall clock are those of both cores; processor time is given beside it, for a
machine that does other things as well. Memory is what a fresh process adds at its peak; a batch and a cold
start are runs of the command line.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, maximum_filter

from benchmarks.common.command import Command, finish
from benchmarks.common.record import Recorder
from benchmarks.measurement import speed_processes
from benchmarks.measurement.large_image import SHAPE, SPACING_MM
from benchmarks.measurement.opencv_chain import Chain, agreement, typical_gains
from mcdetect import detect
from mcdetect.config import Config
from mcdetect.image.mammogram import Mammogram
from mcdetect.phantom import draw_mammogram
from mcdetect.pipeline.searching import Searched, search
from mcdetect.spots.find import find_spots
from mcdetect.spots.observer import LEVELS_MM

__all__ = ["BARS", "Bar", "Contest", "Scene", "blobs_like", "contest", "main"]

PARTS = ("ratios", "memory", "batch", "cold")


@dataclass(frozen=True)
class Bar:
    """What a figure was at first, and what it must and should be.

    Attributes
    ----------
    today, must, aim : float
    more_is_better : bool
    """

    today: float
    must: float
    aim: float
    more_is_better: bool = False

    def met(self, value: float) -> str:
        """Return which of the bars a value reaches."""
        sign = 1.0 if self.more_is_better else -1.0
        reached = [word for word in ("aim", "must") if sign * value >= sign * getattr(self, word)]
        return reached[0] if reached else "no"


SPOTS, DETECT = "spots / OpenCV chain", "detect / (OpenCV chain + top-hat)"
BLOBS = "blob_dog / spots"
MEMORY, BATCH = "memory added, bytes per pixel", "batch, images per second"
COLD = "cold start, CPU s"

BARS: dict[str, Bar] = {
    SPOTS: Bar(1.6, 0.5, 0.33),
    DETECT: Bar(3.4, 1.0, 0.7),
    BLOBS: Bar(18.0, 50.0, 80.0, more_is_better=True),
    MEMORY: Bar(24.0, 8.0, 6.0),
    BATCH: Bar(2.2, 5.0, 8.0, more_is_better=True),
    COLD: Bar(41.0, 12.0, 8.0),
}
"""Judged: where the detector stood when these figures were first taken, and what is asked of it."""


@dataclass(frozen=True)
class Scene:
    """One image ready for all contestants: what each of them takes, made before anything is timed."""

    mammogram: Mammogram
    config: Config
    found: Searched
    searched: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, image: npt.NDArray[np.uint16], spacing_mm: float) -> Scene:
        """Search an image; the kernels are compiled afterwards."""
        mammogram, config = Mammogram.from_array(image, spacing_mm), Config()
        found = search(mammogram, config)
        (top, left), (rows, cols) = found.origin_px, found.equalised.shape
        searched = np.ascontiguousarray(found.breast.searched[top : top + rows, left : left + cols])
        return cls(mammogram, config, found, searched)

    def chain(self) -> Chain:
        """Return OpenCV's chain on the part that holds the breast."""
        return Chain(self.found.equalised, self.searched, self.mammogram.spacing, self.config.spots)

    def contestants(self) -> dict[str, Callable[[], object]]:
        """Return what is timed, by name."""
        spacing, chain = self.mammogram.spacing, self.chain()
        pixels = self.found.equalised
        spots = find_spots(pixels, self.searched, spacing, self.config.spots)
        gains = typical_gains(spots)
        sides = [2 * max(1, round(0.5 * self.config.spots.tophat_mm / s)) + 1 for s in _steps(self)]
        rectangle = np.ones(sides, np.uint8)
        return {
            "OpenCV chain": lambda: chain.run(gains),
            "top-hat": lambda: cv2.morphologyEx(pixels, cv2.MORPH_TOPHAT, rectangle),
            "spots": lambda: find_spots(pixels, self.searched, spacing, self.config.spots),
            "detect": lambda: detect(self.mammogram, config=self.config),
        }

    def validate(self) -> tuple[float, float]:
        """Return the shares of maxima that both find; raise where they differ."""
        spots = find_spots(self.found.equalised, self.searched, self.mammogram.spacing, self.config.spots)
        same = agreement(spots, self.chain())
        if not same.holds:
            raise RuntimeError(f"OpenCV's chain finds other maxima ({same}): nothing is timed")
        return same.ours_there, same.theirs_there


def _steps(scene: Scene) -> tuple[float, float]:
    return scene.mammogram.spacing.row_mm, scene.mammogram.spacing.col_mm


@dataclass(frozen=True)
class Contest:
    """Seconds of each contestant in each repetition, by the wall clock and of the processor."""

    wall: Mapping[str, npt.NDArray[np.float64]]
    processor: Mapping[str, npt.NDArray[np.float64]]

    def ratio(self, above: str, *below: str, processor: bool = False) -> float:
        """Return the median over the repetitions of one contestant over the sum of others."""
        times = self.processor if processor else self.wall
        return float(np.median(times[above] / np.sum([times[name] for name in below], axis=0)))


def contest(contestants: Mapping[str, Callable[[], object]], repeats: int) -> Contest:
    """Time contestants in turn, every other time in reverse order; the first round does not count."""
    names = list(contestants)
    wall: dict[str, list[float]] = {name: [] for name in names}
    processor: dict[str, list[float]] = {name: [] for name in names}
    for repeat in range(-1, repeats):
        for name in names if repeat % 2 else reversed(names):
            began, spent = time.perf_counter(), time.process_time()
            contestants[name]()
            if repeat >= 0:
                wall[name].append(time.perf_counter() - began)
                processor[name].append(time.process_time() - spent)
    return Contest(
        {name: np.array(values) for name, values in wall.items()},
        {name: np.array(values) for name, values in processor.items()},
    )


def blobs_like(pixels: npt.NDArray[np.float32], scene: Scene, wanted: int) -> Callable[[], int]:
    """Return `skimage.feature.blob_dog` with the scales of ours and a threshold for about as many blobs."""
    from skimage.feature import blob_dog

    spacing = scene.mammogram.spacing.mean_mm
    step = float(LEVELS_MM[1] / LEVELS_MM[0])
    scales = {"min_sigma": LEVELS_MM[0] / spacing, "max_sigma": LEVELS_MM[-2] / spacing, "sigma_ratio": step}

    def run(threshold: float) -> int:
        return len(blob_dog(pixels, threshold=threshold, **scales))  # type: ignore[no-untyped-call]

    # Maxima of its own differences, strongest first: as many as wanted lie above the threshold.
    levels = [gaussian_filter(pixels, s / spacing) for s in LEVELS_MM]
    cube = np.stack([(a - b) / (step - 1.0) for a, b in pairwise(levels)], axis=-1)
    del levels
    peaks = np.sort(cube[cube == maximum_filter(cube, 3)])[::-1]
    del cube
    many = wanted
    for _ in range(3):  # overlapping ones are pruned
        threshold = float(peaks[min(many, peaks.size) - 1])
        got = run(threshold)
        if 0.9 <= got / wanted <= 1.1 or many >= peaks.size:
            break
        many = round(many * wanted / max(1, got))
    return lambda: run(threshold)


def measure_ratios(recorder: Recorder, image: npt.NDArray[np.uint16], repeats: int) -> None:
    """Validate, time, and add ratios and times."""
    cv2.setNumThreads(cv2.getNumberOfCPUs())
    scene = Scene.of(image, SPACING_MM)
    ours, theirs = scene.validate()
    recorder.add("ours that the chain finds", ours, "share")
    recorder.add("maxima of the chain that ours finds", theirs, "share")
    recorder.add("share of the frame searched", float(scene.searched.sum()) / image.size, "share")
    contestants = scene.contestants()
    times = contest(contestants, repeats)
    recorder.add("repetitions", repeats, "count")
    for what, ratio in ((SPOTS, ("spots", "OpenCV chain")), (DETECT, ("detect", "OpenCV chain", "top-hat"))):
        add(recorder, what, times.ratio(*ratio))
        recorder.add("ratio of processor time", times.ratio(*ratio, processor=True), what=what)
    wanted = int(scene.found.spots.snr.size)
    blob_dog = blobs_like(scene.found.equalised, scene, wanted)
    slow = contest({"blob_dog": blob_dog, "spots": contestants["spots"]}, max(1, repeats // 6))
    add(recorder, BLOBS, slow.ratio("blob_dog", "spots"))
    recorder.add("ratio of processor time", slow.ratio("blob_dog", "spots", processor=True), what=BLOBS)
    recorder.add("candidates", wanted, "count")
    recorder.add("blobs", blob_dog(), "count")
    for result in (times, slow):
        for name in result.wall:
            if result is times or name == "blob_dog":
                recorder.add("ms", 1e3 * float(np.median(result.wall[name])), "ms", contestant=name)
                spent = 1e3 * float(np.median(result.processor[name]))
                recorder.add("processor ms", spent, "ms", contestant=name)


def add(recorder: Recorder, what: str, value: float) -> None:
    """Add a figure beside its bars."""
    bar = BARS[what]
    for column in ("today", "must", "aim"):
        recorder.add(column, float(getattr(bar, column)), what=what)
    recorder.add("now", value, what=what)
    recorder.add("reached", bar.met(value) if math.isfinite(value) else "no", what=what)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("speed", __doc__)
    command.trial_option("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts of it")
    command.trial_option("--repeats", type=int, default=31, help="of each contestant")
    command.trial_option("--images", type=int, default=100, help="of the batch")
    command.trial_option("--shape", type=int, nargs=2, default=list(SHAPE), metavar=("ROWS", "COLS"))
    options, recorder = command.parse(arguments)
    image = draw_mammogram(tuple(options.shape), SPACING_MM, seed=5)
    if "ratios" in options.only:
        measure_ratios(recorder, image.pixels, options.repeats)
    if "memory" in options.only:
        memory = speed_processes.memory_added(image.pixels, SPACING_MM)
        add(recorder, MEMORY, memory.resident / image.pixels.size)
        recorder.add("traced bytes per pixel", memory.traced / image.pixels.size)
    if "cold" in options.only:
        for name, start in zip(("python", "command"), speed_processes.starts(image), strict=True):
            if name == "python":
                add(recorder, COLD, start.cold_s)
            recorder.add("cold start, CPU", start.cold_s, "s", by=name)
            recorder.add("warm start, CPU", start.warm_s, "s", by=name)
    if "batch" in options.only:
        for jobs in (1, 2):
            batch = speed_processes.batch(options.images, jobs)
            if jobs == 2:
                add(recorder, BATCH, batch.images / batch.wall_s)
            recorder.add("images per second", batch.images / batch.wall_s, jobs=jobs)
            recorder.add("processor seconds per image", batch.processor_s / batch.images, "s", jobs=jobs)
            recorder.add("memory of a worker", batch.worker_mib, "MiB", jobs=jobs)
    finish(recorder, options)


if __name__ == "__main__":
    main()
