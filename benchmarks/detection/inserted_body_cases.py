"""Backgrounds with large bodies of exact outlines: which are inserted, and where.

Everything follows from fixed seeds. Bodies lie 2 mm and more inside the searched part of the breast, and so
far from each other that no disc of 1 cm2 touches two of them; they keep clear of what the backgrounds are
known to have of their own. Sites do not depend on what a detector finds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.common.backgrounds import Background, digital, films, native_calcifications, phantoms
from benchmarks.common.real import REAL
from benchmarks.detection.insertion_cases import BLUR_MM
from mcdetect import Config, Mammogram, read_mammogram
from mcdetect.breast import find_breast
from mcdetect.phantom import BodyForm, BodySpec, BodyStamp, draw_body, insert_bodies, random_body

KINDS = ("film", "digital", "phantom", "real")
SEED = 20261127
SPACING_MM = 0.07  # to which films are brought; others keep theirs
SIZES_MM = ((1.0, 2.0), (2.0, 4.0), (4.0, 10.0))
MOST_MM = {BodyForm.DYSTROPHIC: 5.0}  # where a form does not reach the last end of `SIZES_MM`
FEWER = 10  # real images of each source
BODIES = 9  # of an image at most, beside its tram track
CLEAR_MM, INSIDE_MM = 12.0, 2.0
TRIES = 200


@dataclass(frozen=True)
class BodyCase:
    """One image with bodies; `truth` has the columns of `mcdetect.phantom.bodies`, `stamps` the outlines."""

    name: str
    kind: str
    background: str
    mammogram: Mammogram
    truth: pd.DataFrame
    stamps: tuple[BodyStamp, ...]


@dataclass(frozen=True)
class Place:
    """A background as the detector would read it."""

    name: str
    kind: str
    mammogram: Mammogram
    blur_mm: tuple[float, float]
    limits: tuple[float, float]


def _from_study(background: Background, kind: str) -> Place:
    spacing, pixels = background.spacing_mm, background.pixels
    image = Mammogram.from_array(pixels, spacing, source=background.name)
    return Place(background.name, kind, image, BLUR_MM[background.kind], background.limits)


def _real() -> Iterator[Place]:
    """Real images without calcifications or findings; those of chosen women are left out."""
    if not REAL.is_dir():
        return
    for folder in ("inbreast", "dutch"):
        table = pd.read_csv(REAL / folder / "images.csv")
        some = table[table.normal & ~table.woman.str.match("nld1")].head(FEWER)
        for row in some.to_dict("records"):
            # The screening images are 0.07 mm, which their JPEG do not say (README of the data).
            spacing = float(row.get("spacing_mm", SPACING_MM))
            image = read_mammogram(REAL / folder / row["file"], pixel_spacing_mm=spacing)
            image = dataclasses.replace(image, source=str(row["image"]))
            limits = (float(image.pixels.min()), float(image.pixels.max()))
            yield Place(str(row["image"]), "real", image, BLUR_MM["digital"], limits)


def places(kinds: tuple[str, ...] = KINDS) -> Iterator[Place]:
    """Give the backgrounds of the kinds; real ones only where their folder is."""
    for kind, source in (("film", films), ("digital", digital), ("phantom", phantoms)):
        if kind in kinds:
            for background in source():
                fine = background.spacing_mm < SPACING_MM and kind == "film"
                yield _from_study(background.at(SPACING_MM) if fine else background, kind)
    if "real" in kinds:
        yield from _real()


def _near(mask: npt.NDArray[np.bool_], spacing_mm: float) -> npt.NDArray[np.float32]:
    """Return the distance to the nearest True, in mm."""
    outside = np.asarray(~mask, dtype=np.uint8)
    return np.asarray(cv2.distanceTransform(outside, cv2.DIST_L2, 5) * np.float32(spacing_mm))


def _free(place: Place, searched: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    spacing = place.mammogram.spacing.mean_mm
    free: npt.NDArray[np.bool_] = (
        _near(np.pad(~searched, 1, constant_values=True), spacing)[1:-1, 1:-1] > INSIDE_MM
    )
    own = np.zeros(searched.shape, np.uint8)
    for row in native_calcifications(place.name).to_dict("records"):
        at = (round(row["col_mm"] / spacing), round(row["row_mm"] / spacing))
        cv2.circle(own, at, max(1, round(row["radius_mm"] / spacing)), 1, -1)
    return free & (_near(own > 0, spacing) > INSIDE_MM) if own.any() else free


def _wanted(rng: np.random.Generator) -> list[tuple[BodyForm, tuple[float, float] | None]]:
    """Return forms and ranges of size in the order in which an image gets them: its tram track first."""
    others: list[tuple[BodyForm, tuple[float, float] | None]] = [(BodyForm.CLIP, None)]
    for form in (BodyForm.ROD, BodyForm.POPCORN, BodyForm.RIM, BodyForm.DYSTROPHIC):
        others += [(form, (low, min(high, MOST_MM.get(form, high)))) for low, high in SIZES_MM]
    return [(BodyForm.TRAM_TRACK, None), *(others[k] for k in rng.permutation(len(others)))]


def body_case(place: Place, turn: int) -> BodyCase:
    """Insert bodies into a background."""
    rng = np.random.default_rng([SEED, turn, *place.name.encode()])
    image, spacing = place.mammogram, place.mammogram.spacing.mean_mm
    searched = find_breast(image, Config().breast).searched
    blur = float(rng.uniform(*place.blur_mm))
    free = _free(place, searched)
    specs: list[BodySpec] = []
    for form, size in _wanted(rng):
        if len(specs) > BODIES:
            break
        spec = random_body(form, rng, row_px=float(rng.uniform()), col_px=float(rng.uniform()), size_mm=size)
        stamp = draw_body(spec, image.spacing, blur=blur)
        covered = np.argwhere(stamp.coverage > 0) + stamp.first
        sites = np.flatnonzero(free)
        for site in rng.choice(sites, TRIES) if sites.size else ():
            shift = np.array(divmod(int(site), free.shape[1]))
            at = covered + shift
            if (at < 0).any() or (at >= free.shape).any() or not free[at[:, 0], at[:, 1]].all():
                continue
            specs.append(spec.moved(*shift.tolist()))
            taken = np.zeros(free.shape, np.bool_)
            taken[at[:, 0], at[:, 1]] = True
            free &= _near(taken, spacing) > CLEAR_MM
            break
    inserted = insert_bodies(
        image.pixels,
        image.spacing,
        specs,
        rng=rng,
        blur=blur,
        mask=searched,
        limits=place.limits,
        grey_step=1.0,
    )
    name = f"{place.name} bodies {turn}"
    drawn = dataclasses.replace(image, pixels=inserted.pixels, source=name)
    return BodyCase(name, place.kind, place.name, drawn, inserted.truth, inserted.stamps)
