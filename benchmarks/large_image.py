"""Time and memory of `detect` on a drawn 4096 x 3328 mammogram, stage by stage.

    python benchmarks/large_image.py [--runs 7]

The kernels are compiled first, by searching a part of the image. Memory is what the process holds
at its peak beyond what it held before, sampled every 2 ms. The time to copy the image is printed
beside it, for comparison between machines.
"""

from __future__ import annotations

import argparse
import os
import platform
import threading
import time

import numba
import numpy as np
import psutil
from record import recorded

from mcdetect import detect
from mcdetect.phantom import draw_mammogram

SHAPE, SPACING_MM = (4096, 3328), 0.07


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--record", action="store_true", help="keep what is printed in results/")
    options = parser.parse_args()
    with recorded("large_image", keep=options.record):
        run(options)


def run(options: argparse.Namespace) -> None:
    """Detect, measure and print."""
    image = draw_mammogram(SHAPE, SPACING_MM, seed=5).pixels
    part = detect(image[:1500, :1500], pixel_spacing_mm=SPACING_MM)
    assert len(part.candidates) > 100, "the part searched first holds no tissue"
    process = psutil.Process(os.getpid())
    before = process.memory_info().rss
    peak, done = [before], threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            peak[0] = max(peak[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    seconds, stages = [], []
    for _ in range(options.runs):
        start = time.perf_counter()
        result = detect(image, pixel_spacing_mm=SPACING_MM)
        seconds.append(time.perf_counter() - start)
        stages.append(result.seconds)
    done.set()
    watcher.join()
    copies = []
    target = np.empty(SHAPE, np.float32)
    for _ in range(options.runs):
        start = time.perf_counter()
        np.copyto(target, image)
        copies.append(time.perf_counter() - start)
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {numba.get_num_threads()} threads, numba {numba.__version__}")
    row = result.summary().iloc[0]
    print(
        f"{SHAPE[0]} x {SHAPE[1]}, breast {row['breast_area_cm2']:.0f} cm2, {row['n_candidates']} candidates"
    )
    print(f"detect: median {np.median(seconds):.2f} s, fastest {min(seconds):.2f} s of {options.runs}")
    for stage in stages[0]:
        print(f"  {stage:12s} {np.median([s[stage] for s in stages]):.3f} s")
    added = (peak[0] - before) / 2**20
    print(f"memory added: {added:.0f} MiB; copying the image: {1e3 * np.median(copies):.1f} ms")


if __name__ == "__main__":
    main()
