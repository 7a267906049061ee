"""What stages that once were quadratic cost, and how it grows when there is twice as much to do.

    python -m benchmarks stage_cost [--record]

For each: processor time for n and for 2 n, fastest of five, and their ratio: about 2 when the cost is
linear, 4 when it is quadratic. Figures of one run belong together; a busy machine changes the times, but
hardly the ratios.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.ndimage import gaussian_filter

from benchmarks.common.command import Command, finish
from mcdetect.clusters.descriptors import describe_clusters
from mcdetect.clusters.features import build_features
from mcdetect.clusters.rule import find_groups
from mcdetect.config import GroupConfig
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.schema import SHAPE_MEASURES
from mcdetect.shapes.outlines import measure_shapes
from mcdetect.validation.evaluation import evaluate

Work = Callable[[], object]


def of_groups(n: int) -> Work:
    """Points of one density, so that a disc holds as many whatever their number."""
    rng = np.random.default_rng(1)
    row, col = rng.uniform(0, 200 * n / 5000, n), rng.uniform(0, 80, n)
    return lambda: find_groups(row, col, GroupConfig())


def of_shapes(n: int) -> Work:
    """Spots of a smoothed noise image."""
    rng = np.random.default_rng(0)
    image = gaussian_filter(rng.normal(size=(1000, 1000)), 1).astype(np.float32)
    row, col = rng.uniform(0, 999, (2, n))
    return lambda: measure_shapes(image, row, col, PixelSpacing(0.07, 0.07), scale_mm=0.12)


def _grouped(
    n: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], dict[str, npt.NDArray[np.float64]]]:
    """Groups of 25 members: labels, places in mm, measures."""
    rng = np.random.default_rng(2)
    label = np.repeat(np.arange(1, n // 25 + 1), 25)
    places = rng.uniform(0, 150, (n // 25, 2))[label - 1] + rng.normal(0, 3, (label.size, 2))
    names = (*SHAPE_MEASURES, "orientation_deg", "diameter_mm", "snr", "skin_distance_mm", "line")
    measures = {name: rng.uniform(0.2, 0.8, label.size) for name in (*names, "chest_distance_mm")}
    return label, places, measures


def of_features(n: int) -> Work:
    """Features of groups of 25."""
    label, places, measures = _grouped(n)
    depth = np.full(n // 25, 20.0)
    muscle = np.zeros(label.size, np.bool_)
    row, col = places.T
    return lambda: build_features(label, row, col, measures, depth, muscle)


def of_descriptors(n: int) -> Work:
    """Words for groups of 25."""
    label, places, measures = _grouped(n)
    row, col = places.T
    return lambda: describe_clusters(label, row, col, measures, 0.07)


def of_evaluation(n: int) -> Work:
    """Images with fifty marks each, half of them with four lesions; intervals from 1000 samples."""
    rng = np.random.default_rng(0)
    names = np.array([f"case{k:05d}.dcm" for k in range(n)])
    of_mark, of_lesion = np.repeat(np.arange(n), 50), np.repeat(np.arange(n // 2), 4)
    marks = pd.DataFrame({"image": names[of_mark], "score": rng.normal(size=of_mark.size)})
    truth = pd.DataFrame({"image": names[of_lesion], "diameter_mm": 0.4})
    for table in (marks, truth):
        table["x"], table["y"] = rng.uniform(0, 3000, (2, len(table)))
    images = pd.DataFrame(
        {"image": names, "spacing_mm": 0.07, "area_cm2": 150.0, "patient": np.arange(n) // 4}
    )
    return lambda: evaluate(marks, truth, images, samples=1000)


STAGES: dict[str, tuple[Callable[[int], Work], int]] = {
    "groups of points": (of_groups, 5000),
    "outlines": (of_shapes, 1000),
    "features of groups": (of_features, 500),
    "descriptors of groups": (of_descriptors, 500),
    "evaluation of images": (of_evaluation, 500),
}
"""Name, maker of the work for a number, and the smaller number."""


def fastest(work: Work, times: int = 5) -> float:
    """Shortest processor time, in s; the first call compiles and does not count."""
    work()
    taken = []
    for _ in range(times):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("stage_cost", __doc__)
    command.trial_option("--only", choices=list(STAGES), help="one of the stages")
    options, recorder = command.parse(arguments)
    for name, (maker, n) in STAGES.items():
        if options.only not in (None, name):
            continue
        once, twice = fastest(maker(n)), fastest(maker(2 * n))
        recorder.add("seconds for n", once, "s", work=name, n=n)
        recorder.add("seconds for 2 n", twice, "s", work=name, n=n)
        recorder.add("ratio", twice / once, work=name, n=n)
    finish(recorder, options)


if __name__ == "__main__":
    main()
