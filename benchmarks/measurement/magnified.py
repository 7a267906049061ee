"""Magnification views: what is found in them, and which group of the full view each of their groups is.

    python -m benchmarks magnified [--breasts 8] [--factor 1.8] [--seed 40] [--record]

Breasts with three groups that measure alike are drawn in full, and each group once more magnified, the breast
placed anew (tissue moves by up to 6 mm) and the field collimated. Everything goes through the detector.
Members count as found within 0.3 mm.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from benchmarks.common.command import Command, finish
from benchmarks.common.record import Recorder
from mcdetect import Result, detect
from mcdetect.exams.studies import ViewImage, match_magnified
from mcdetect.phantom import (
    Calcifications,
    Group,
    PhantomMammogram,
    draw_magnified,
    draw_mammogram,
    random_deformation,
)

SHAPE, SPACING_MM = (1400, 1100), 0.1
LOOKS = Calcifications(diameter_mm=(0.2, 0.45), snr=(7.0, 18.0))
GROUPS = tuple(Group(n, extent, calcifications=LOOKS) for n, extent in ((10, 7.0), (12, 8.0), (10, 8.0)))
FIELD_MM = (34.0, 34.0)
NEAR_MM, FAR_MM = 0.3, 0.5
_Floats = npt.NDArray[np.float64]


def places(table: object, step_mm: float) -> _Floats:
    """Return the places of a table in mm."""
    found: _Floats = table[["row_px", "col_px"]].to_numpy(np.float64) * step_mm  # type: ignore[index]
    return found


def as_view(name: str, result: Result, *, magnified: bool) -> ViewImage:
    """Return what the examination needs of a result."""
    marks = result.calcifications[result.calcifications["cluster_id"] > 0]
    placed = places(marks, result.mammogram.spacing.row_mm)
    table = marks[["cluster_id", "score"]].assign(row_mm=placed[:, 0], col_mm=placed[:, 1])
    return ViewImage(name, "s", "L", "CC", magnified, result.clusters, magnified=magnified, marks=table)


def true_group(drawn: PhantomMammogram, row_px: float, col_px: float) -> int:
    """Return the drawn group nearest to a place."""
    nearest = int(cKDTree(drawn.truth[["row_px", "col_px"]].to_numpy()).query([row_px, col_px])[1])
    return int(drawn.truth["group_id"].to_numpy()[nearest])


def score(recorder: dict[str, list[float]], view: str, drawn: PhantomMammogram, result: Result) -> None:
    """Add what was found in one view."""
    step = drawn.spacing.row_mm
    truth, found = places(drawn.truth, step), places(result.calcifications, step)
    seen = np.asarray(cKDTree(found).query(truth)[0]) < NEAR_MM
    false = np.asarray(cKDTree(truth).query(found)[0]) > FAR_MM
    area = float(result.summary()["searched_area_cm2"].iloc[0])
    for name, values in (("found", seen), ("false", false)):
        recorder.setdefault(f"{view} {name}", []).extend(values.astype(float).tolist())
    recorder.setdefault(f"{view} area", []).append(area)


def measure(recorder: Recorder, breasts: int, factor: float, seed: int) -> None:
    """Draw, detect, match; add the figures."""
    sums: dict[str, list[float]] = {}
    right = wrong = none = 0
    for number in range(seed, seed + breasts):
        full = draw_mammogram(SHAPE, SPACING_MM, seed=number, groups=GROUPS)
        whole = detect(full.to_mammogram())
        score(sums, "full", full, whole)
        for group in range(1, len(GROUPS) + 1):
            moved = random_deformation(
                (SHAPE[0] * SPACING_MM, SHAPE[1] * SPACING_MM),
                np.random.default_rng([number, group]),
                largest_mm=6.0,
            )
            middle = full.clusters.set_index("group_id").loc[group, ["row_px", "col_px"]].to_numpy(np.float64)
            centre = moved.forward((middle[None, :] + 0.5) * SPACING_MM)[0]
            part = draw_magnified(
                SHAPE,
                SPACING_MM,
                factor=factor,
                seed=number,
                groups=GROUPS,
                centre_mm=(float(centre[0]), float(centre[1])),
                field_mm=FIELD_MM,
                deformation=moved,
                noise_seed=10 * number + group,
            )
            shown = detect(dataclasses.replace(part.to_mammogram(), source="magnified"))
            score(sums, "magnified", part, shown)
            pairs = match_magnified(
                [as_view("full", whole, magnified=False)], [as_view("magnified", shown, magnified=True)]
            )
            by_row = {pair.magnified[1]: pair.full[1] for pair in pairs}
            for row, cluster in enumerate(shown.clusters.to_dict("records")):
                if not cluster["flagged"]:
                    continue
                if row not in by_row:
                    none += 1
                    continue
                other = whole.clusters.iloc[by_row[row]]
                same = true_group(part, cluster["row_px"], cluster["col_px"]) == true_group(
                    full, other["row_px"], other["col_px"]
                )
                right, wrong = right + same, wrong + (not same)
        print(f"  breast {number}: {right} right, {wrong} wrong, {none} alone", file=sys.stderr)
    for view in ("full", "magnified"):
        recorder.add("members found", float(np.mean(sums[f"{view} found"])), "share", view=view)
        rate = float(np.sum(sums[f"{view} false"]) / np.sum(sums[f"{view} area"]))
        recorder.add("false marks per cm2", rate, "1/cm2", view=view)
    recorder.add("groups given to their own", right / max(right + wrong + none, 1), "share", view="magnified")
    recorder.add("groups given to another", wrong / max(right + wrong + none, 1), "share", view="magnified")
    recorder.add("magnified groups", float(right + wrong + none), "", view="magnified")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("magnified", __doc__)
    add = command.parser.add_argument
    add("--factor", type=float, default=1.8, help="geometric magnification")
    add("--seed", type=int, default=40, help="of the first breast")
    command.trial_option("--breasts", type=int, default=8, help="breasts drawn")
    options, recorder = command.parse(arguments)
    measure(recorder, options.breasts, options.factor, options.seed)
    finish(recorder, options)


if __name__ == "__main__":
    main()
