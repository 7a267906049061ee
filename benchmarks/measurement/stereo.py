"""Stereotactic pairs: how well depths are measured on projected phantoms.

    python -m benchmarks stereo [--pairs 10] [--seed 100] [--record]

Two groups per pair, 25 to 60 mm over the detector, exposed at -15 and 15 degrees, or at 0 and 15; about a
centre of rotation at the detector or 45 mm over it; along rows or columns. Both images go through the
detector.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from benchmarks.common.command import Command, finish
from benchmarks.common.record import Recorder
from mcdetect import detect
from mcdetect.exams.stereo import measure_stereo, stereo_geometry
from mcdetect.phantom import StereoGroup, draw_stereo


def measure(recorder: Recorder, pairs: int, seed: int) -> None:
    """Draw, detect, measure; add the figures."""
    by_group: list[float] = []
    by_mark: list[float] = []
    drawn_marks = flagged = 0
    for number in range(seed, seed + pairs):
        rng = np.random.default_rng(number)
        groups = [StereoGroup(45, 25, rng.uniform(25, 60), 10), StereoGroup(75, 35, rng.uniform(25, 60), 8)]
        phantom = draw_stereo(
            groups,
            seed=number,
            angles_deg=(-15.0, 15.0) if number % 2 else (0.0, 15.0),
            pivot_mm=45.0 if number % 3 == 0 else 0.0,
            along="rows" if number % 4 < 2 else "cols",
        )
        one, two = (detect(image.to_mammogram()) for image in (phantom.first, phantom.second))
        if phantom.first.beam is None or phantom.second.beam is None:
            raise RuntimeError("a drawn pair tells its geometry")
        found = measure_stereo(one, two, stereo_geometry(phantom.first.beam, phantom.second.beam))
        tree = cKDTree(phantom.first.truth[["row_px", "col_px"]].to_numpy())
        height, label = phantom.truth["height_mm"].to_numpy(), phantom.truth["group_id"].to_numpy()
        for row in found.groups[found.groups["flagged"]].to_dict("records"):
            own = label == label[tree.query([row["row_px"], row["col_px"]])[1]]
            error = row["height_mm"] - float(np.median(height[own]))
            by_group.append(error)
            flagged += 1
        matched = found.marks[found.marks["other_calcification_id"] > 0]
        away, which = tree.query(matched[["row_px", "col_px"]].to_numpy())
        by_mark += (matched["height_mm"].to_numpy() - height[which])[away < 3].tolist()
        drawn_marks += len(height)
        print(f"  pair {number}: {by_group[-1]:+.2f} mm", file=sys.stderr)
    for of, errors in (("groups", by_group), ("single marks", by_mark)):
        recorder.add("error, root mean square", float(np.sqrt(np.mean(np.square(errors)))), "mm", what=of)
        recorder.add("largest error", float(np.abs(errors).max()), "mm", what=of)
        recorder.add("within 1 mm", float((np.abs(errors) < 1.0).mean()), "share", what=of)
    recorder.add("measured", flagged / (2 * pairs), "share", what="groups")
    recorder.add("measured", len(by_mark) / drawn_marks, "share", what="single marks")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("stereo", __doc__)
    command.parser.add_argument("--seed", type=int, default=100, help="of the first pair")
    command.trial_option("--pairs", type=int, default=10, help="pairs drawn")
    options, recorder = command.parse(arguments)
    measure(recorder, options.pairs, options.seed)
    finish(recorder, options)


if __name__ == "__main__":
    main()
