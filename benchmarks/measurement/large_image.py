"""Time and memory of `detect` on a drawn 4096 x 3328 mammogram, stage by stage.

    python -m benchmarks large_image [--runs 7] [--record]

The kernels are compiled first, by searching a part of the image. Memory is what the process holds
at its peak beyond what it held before, sampled every 2 ms. The time to copy the image is printed
beside it, for comparison between machines.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence

import numpy as np
import psutil

from benchmarks.common.command import Command, finish
from benchmarks.common.record import Recorder
from mcdetect import detect
from mcdetect.phantom import draw_mammogram

SHAPE, SPACING_MM = (4096, 3328), 0.07


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("large_image", __doc__)
    command.parser.add_argument("--runs", type=int, default=7)
    options, recorder = command.parse(arguments)
    measure(recorder, options.runs)
    finish(recorder, options)


def measure(recorder: Recorder, runs: int) -> None:
    """Detect, and add time and memory."""
    image = draw_mammogram(SHAPE, SPACING_MM, seed=5).pixels
    part = detect(image[:1500, :1500], pixel_spacing_mm=SPACING_MM)
    assert len(part.candidates) > 100, "the part searched first holds no tissue"
    process = psutil.Process(os.getpid())
    before = process.memory_info().rss
    peak, done = [int(before)], threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            peak[0] = max(peak[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    seconds, stages = [], []
    for _ in range(runs):
        start = time.perf_counter()
        result = detect(image, pixel_spacing_mm=SPACING_MM)
        seconds.append(time.perf_counter() - start)
        stages.append(result.seconds)
    done.set()
    watcher.join()
    copies = []
    target = np.empty(SHAPE, np.float32)
    for _ in range(runs):
        start = time.perf_counter()
        np.copyto(target, image)
        copies.append(time.perf_counter() - start)
    row = result.summary().iloc[0]
    recorder.add("breast area", float(row["breast_area_cm2"]), "cm²")
    recorder.add("candidates", int(row["n_candidates"]), "count")
    recorder.add("runs", runs, "count")
    recorder.add("seconds", float(np.median(seconds)), "s")
    recorder.add("seconds, fastest", min(seconds), "s")
    for stage in stages[0]:
        recorder.add("seconds of a stage", float(np.median([s[stage] for s in stages])), "s", stage=stage)
    recorder.add("memory added", (peak[0] - before) / 2**20, "MiB")
    recorder.add("copying the image", 1e3 * float(np.median(copies)), "ms")


if __name__ == "__main__":
    main()
