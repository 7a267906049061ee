"""The images of the insertion study: every background plain, with groups, and with singles.

Everything follows from fixed seeds that no fit uses. Groups: 5 to 20 members in 3 to 12 mm, round, linear
and segmental. Singles: scattered so that no disc of 1 cm2 ever holds more than three; they must not be
flagged. Shapes are irregular, diameters 0.1 to 0.7 mm, SNR (as `mcdetect.phantom.insertion` defines it) 3
to 60, both log-uniform. The plain image is the negative.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.common.backgrounds import (
    EVERY,
    Background,
    Choice,
    coarse_films,
    digital,
    films,
    kind_of,
    native_calcifications,
    phantoms,
)
from mcdetect import Config, Mammogram
from mcdetect.breast import find_breast
from mcdetect.phantom import (
    CalcificationSpec,
    group_positions_mm,
    insert_calcifications,
    random_specs,
    scattered_positions_mm,
)

SEED = 20261122
DIAMETER_MM = (0.1, 0.7)
SNR = (3.0, 60.0)
BLUR_MM = {"film": (0.03, 0.09), "digital": (0.02, 0.08)}
GROUPS, SINGLES = 4, 40
CLEAR_MM = 15.0
"""Least distance between the centres of two groups: what is two in the truth must not be one by the rule."""
KINDS = ("film", "film 0.2 mm", "digital", "phantom")
TURNS = {"film": 1, "film 0.2 mm": 1, "digital": 4, "phantom": 2}
"""Insertions of each content per background: more where backgrounds are few."""


@dataclass(frozen=True)
class Case:
    """One image of the study.

    `truth` has the columns image, x, y, diameter_mm, snr, cluster (empty for singles), radius and ignore: the
    inserted calcifications, and circles round the background's own that count neither way.
    """

    name: str
    kind: str
    background: str
    patient: str
    content: str  # "plain", "groups" or "singles"
    mammogram: Mammogram
    truth: pd.DataFrame


def study_backgrounds(kinds: tuple[str, ...] = KINDS, *, quick: bool = False) -> Iterator[Background]:
    """Give the backgrounds at every pixel size of the study; `quick` keeps one coarser size of each."""
    sizes = {"film": (0.0435, 0.07, 0.1), "digital": (0.07, 0.1, 0.14)}
    for kind, source in (("film", films), ("digital", digital)):
        if kind in kinds:
            for background in source():
                for size in sizes[kind][-1:] if quick else sizes[kind]:
                    yield background.at(size)
    if "film 0.2 mm" in kinds:
        yield from coarse_films()
    if "phantom" in kinds:
        yield from phantoms()


def study_cases(
    kinds: tuple[str, ...] = KINDS, *, quick: bool = False, choice: Choice = EVERY
) -> Iterator[Case]:
    """Give the images of every background: plain once, groups and singles once or more (`TURNS`).

    Parameters
    ----------
    kinds : tuple of str
        Of `KINDS`.
    quick : bool
        One pixel size of each real background, the largest.
    choice : Choice
        Which of the backgrounds, for a trial.
    """
    for background in choice.of(study_backgrounds(kinds, quick=quick)):
        own = native_calcifications(background.name)
        plain = Mammogram.from_array(background.pixels, background.spacing_mm)
        searched = find_breast(plain, Config().breast).searched
        turns = range(1, TURNS[kind_of(background)] + 1)
        contents = [("plain", 1), *((content, turn) for content in ("groups", "singles") for turn in turns)]
        for content, turn in contents:
            number = ("plain", "groups", "singles").index(content)
            name = f"{background.name} {background.spacing_mm:g} mm {content}"
            key = [SEED, round(1e4 * background.spacing_mm), number, *background.name.encode()]
            if turn > 1:
                name, key = f"{name} {turn}", [*key, turn]
            rng = np.random.default_rng(key)
            pixels, truth = background.pixels, None
            if content != "plain":
                specs = (
                    _groups(background, searched, rng) if number == 1 else _singles(background, searched, rng)
                )
                pixels, truth = insert_calcifications(
                    background.pixels,
                    background.spacing_mm,
                    specs,
                    rng=rng,
                    blur=float(rng.uniform(*BLUR_MM[background.kind])),
                    mask=searched,
                    limits=background.limits,
                    grey_step=background.grey_step,
                )
            yield Case(
                name=name,
                kind=kind_of(background),
                background=background.name,
                patient=background.patient,
                content=content,
                mammogram=Mammogram.from_array(pixels, background.spacing_mm, source=name),
                truth=_truth(name, truth, own, background.spacing_mm),
            )


def _truth(name: str, truth: pd.DataFrame | None, native: pd.DataFrame, spacing_mm: float) -> pd.DataFrame:
    circles = pd.DataFrame(
        {
            "x": native["col_mm"] / spacing_mm,
            "y": native["row_mm"] / spacing_mm,
            "radius": native["radius_mm"] / spacing_mm,
            "ignore": 1,
        }
    )
    parts = [circles] if len(circles) else []
    if truth is not None:
        group = truth["group_id"]
        parts.append(
            pd.DataFrame(
                {
                    "x": truth["col_px"],
                    "y": truth["row_px"],
                    "diameter_mm": truth["diameter_mm"],
                    "snr": truth["snr"],
                    "cluster": np.where(group > 0, name + " " + group.astype(str), ""),
                    "ignore": 0,
                }
            )
        )
    if not parts:
        return pd.DataFrame({"image": [name]})
    return pd.concat(parts, ignore_index=True).assign(image=name)


def _inside(place: npt.NDArray[np.float64], searched: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    index = np.rint(place).astype(int)
    ok: npt.NDArray[np.bool_] = np.all((index >= 0) & (index < searched.shape), axis=1)
    ok[ok] = searched[index[ok, 0], index[ok, 1]]
    return ok


def _groups(
    background: Background, searched: npt.NDArray[np.bool_], rng: np.random.Generator
) -> list[CalcificationSpec]:
    spacing, sites = background.spacing_mm, np.argwhere(searched)
    specs: list[CalcificationSpec] = []
    centres: list[npt.NDArray[np.float64]] = []
    for _ in range(400):
        if len(centres) == GROUPS:
            break
        n = int(rng.integers(5, 21))
        extent = float(rng.uniform(max(3.0, 1.2 * np.sqrt(n)), 12.0))
        kind = str(rng.choice(["round", "linear", "segmental"]))
        centre = sites[rng.integers(len(sites))].astype(float)
        if any(np.hypot(*(centre - c)) * spacing < CLEAR_MM for c in centres):
            continue
        try:
            place = centre + np.asarray(group_positions_mm(n, extent, kind, rng)) / spacing
        except ValueError:
            continue  # so many do not fit a line as short as that
        place = place[_inside(place, searched)]
        if len(place) < 5:
            continue
        centres.append(centre)
        # Members of one group resemble each other: their SNR spans a part of the range.
        low, high = np.sort(rng.uniform(np.log(SNR[0]), np.log(SNR[1]), 2))
        specs += random_specs(
            place,
            rng,
            diameter_mm=DIAMETER_MM,
            snr=(float(np.exp(low)), float(np.exp(high)) + 0.1),
            group_id=len(centres),
            kind=kind,
        )
    return specs


def _singles(
    background: Background, searched: npt.NDArray[np.bool_], rng: np.random.Generator
) -> list[CalcificationSpec]:
    spacing = background.spacing_mm

    def allowed(row_mm: float, col_mm: float) -> bool:
        return bool(_inside(np.array([[row_mm, col_mm]]) / spacing, searched)[0])

    size = (searched.shape[0] * spacing, searched.shape[1] * spacing)
    number = min(SINGLES, int(np.count_nonzero(searched) * spacing**2 / 100.0))
    place = scattered_positions_mm(number, size, rng, inside=allowed, min_distance_mm=3.0, max_in_disc=3)
    return random_specs(place / spacing, rng, diameter_mm=DIAMETER_MM, snr=SNR)
