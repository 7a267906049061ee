"""Labelled spots: calcifications inserted into real backgrounds, and everything else found there."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import cKDTree

from benchmarks.common.backgrounds import Background
from benchmarks.common.displays import random_display, random_exposure, shown
from mcdetect import Config, Mammogram
from mcdetect.phantom import group_positions_mm, insert_calcifications, random_specs
from mcdetect.pipeline import Searched, search

MATCH_MM = 0.35
DIAMETER_MM = (0.10, 1.0)
SNR = (3.0, 60.0)
BLUR_MM = {"film": (0.03, 0.09), "digital": (0.02, 0.08)}
MEMBERS = (5, 36)
"""Of a group, log-uniform."""
APART_MM = (0.35, 0.8)
"""Least distance between the members of a group."""
GRAINS, RODS = (1.0, 1.8), (1.0, 4.5)
"""Elongation of most calcifications, and of one group and one single in three."""
LONG, LONG_WIDTH_MM, LONG_SNR = (2.0, 4.0), (0.15, 0.3), (5.0, 40.0)
"""Elongation, width and signal-to-noise ratio of those drawn to be long."""
BESIDE_MM = 0.6
"""Spots nearer to a calcification, to the axis of a long one, are no false ones."""


@dataclass(frozen=True)
class LabelledSpots:
    """Spots of one image: features and label (1 inserted, 0 not, -1 don't care)."""

    features: npt.NDArray[np.float32]
    snr: npt.NDArray[np.float64]
    label: npt.NDArray[np.int64]
    true_snr: npt.NDArray[np.float64]  # of the matched calcification, else NaN
    single: npt.NDArray[np.bool_]  # the matched calcification belongs to no group
    truth: pd.DataFrame  # all inserted ones, with the index of their spot or -1
    row_mm: npt.NDArray[np.float64]
    col_mm: npt.NDArray[np.float64]
    area_cm2: float


def insert_at_random(
    background: Background,
    searched: npt.NDArray[np.bool_],
    rng: np.random.Generator,
    *,
    groups: int,
    singles: int,
    long: int = 0,
) -> tuple[Mammogram, pd.DataFrame]:
    """Insert groups of 5 to 35 members in 2 to 14 mm, scattered singles, and `long` more of these that are
    two to four times as long as wide, into the searched region.
    """
    sp = background.spacing_mm
    sites = np.argwhere(searched)
    specs = []
    for group in range(1, groups + 1):
        sizes = _sizes(rng)
        kind, place = _group(rng, sizes[1])
        low, high = np.sort(rng.uniform(np.log(SNR[0]), np.log(SNR[1]), 2))
        specs += random_specs(
            _inside(sites[rng.integers(len(sites))] + place / sp, searched),
            rng,
            diameter_mm=sizes,
            snr=(np.exp(low), np.exp(high) + 0.1),
            elongation=RODS if rng.uniform() < 1 / 3 else GRAINS,
            group_id=group,
            kind=kind,
        )
    middle = sites[rng.integers(len(sites), size=singles)].astype(np.float64)
    spots = middle + rng.uniform(-0.5, 0.5, (singles, 2))
    for part, elongation in ((spots[: singles // 3], RODS), (spots[singles // 3 :], GRAINS)):
        specs += random_specs(
            _inside(part, searched), rng, diameter_mm=DIAMETER_MM, snr=SNR, elongation=elongation
        )
    for site in sites[rng.integers(len(sites), size=long)].astype(np.float64):
        width, aspect = float(rng.uniform(*LONG_WIDTH_MM)), float(rng.uniform(*LONG))
        size = width * math.sqrt(aspect)
        specs += random_specs(
            _inside(site[None], searched),
            rng,
            diameter_mm=(size, 1.01 * size),
            snr=LONG_SNR,
            elongation=(aspect, 1.01 * aspect),
        )
    image, truth = insert_calcifications(
        background.pixels,
        sp,
        specs,
        rng=rng,
        blur=float(rng.uniform(*BLUR_MM[background.kind])),
        mask=searched,
        limits=background.limits,
        grey_step=background.grey_step,
    )
    return Mammogram.from_array(image, sp, source=background.name), truth


def _group(rng: np.random.Generator, largest_mm: float) -> tuple[str, npt.NDArray[np.float64]]:
    """Draw the kind of a group and where its members lie, in mm about its centre."""
    while True:
        kind = str(rng.choice(["round", "linear", "segmental"]))
        few, many = np.log(MEMBERS)
        n = int(np.exp(rng.uniform(float(few), float(many))))
        apart = max(float(rng.uniform(*APART_MM)), 0.8 * largest_mm)
        extent = float(rng.uniform(max(2.0, 1.4 * apart * np.sqrt(n)), 14.0))
        try:
            return kind, np.asarray(
                group_positions_mm(n, extent, kind, rng, min_distance_mm=apart), np.float64
            )
        except ValueError:  # so many do not fit a line as short as that
            continue


def _sizes(rng: np.random.Generator) -> tuple[float, float]:
    """Draw the range of diameters of one group: members resemble each other."""
    least, most = np.log(DIAMETER_MM)
    low, high = np.sort(rng.uniform(float(least), float(most), 2))
    return float(np.exp(low)), float(np.exp(high)) * 1.01


def _inside(place: npt.NDArray[np.float64], searched: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    index = np.rint(place).astype(int)
    ok = np.all((index >= 0) & (index < searched.shape), axis=1)
    ok[ok] = searched[index[ok, 0], index[ok, 1]]
    return place[ok]


def label_spots(found: Searched, truth: pd.DataFrame, spacing_mm: float) -> LabelledSpots:
    """Match spots to the truth one to one, strongest first, within 0.35 mm or the grain's radius."""
    place = np.stack([found.spots.row_px, found.spots.col_px], axis=1) * spacing_mm
    true = truth[["row_px", "col_px"]].to_numpy() * spacing_mm
    radius = np.maximum(MATCH_MM, 0.5 * truth["diameter_mm"].to_numpy())
    label = np.zeros(len(place), np.int64)
    true_snr, single = np.full(len(place), np.nan), np.zeros(len(place), bool)
    spot_of = np.full(len(true), -1)
    if len(true) and len(place):
        tree = cKDTree(true)
        distance, nearest = (np.asarray(found) for found in tree.query(place))
        for i in np.argsort(-found.spots.snr, kind="stable"):
            k = nearest[i]
            if distance[i] > max(radius[k], BESIDE_MM):
                continue
            if distance[i] <= radius[k] and spot_of[k] < 0:
                spot_of[k], label[i] = i, 1
                true_snr[i], single[i] = truth["snr"].iloc[k], truth["group_id"].iloc[k] == 0
            else:
                label[i] = -1
        label[(label == 0) & _on_rods(place, truth, spacing_mm)] = -1
    return LabelledSpots(
        found.features,
        found.spots.snr,
        label,
        true_snr,
        single,
        truth.assign(spot=spot_of),
        place[:, 0],
        place[:, 1],
        found.area_cm2,
    )


def _on_rods(place: npt.NDArray[np.float64], truth: pd.DataFrame, spacing_mm: float) -> npt.NDArray[np.bool_]:
    """Tell which places (n, 2), in mm, lie on or beside a long calcification, however far from its centre."""
    on = np.zeros(len(place), bool)
    rods = truth[truth["elongation"] > GRAINS[1]]
    columns = ["row_px", "col_px", "diameter_mm", "elongation", "orientation"]
    for row_px, col_px, diameter_mm, elongation, orientation in rods[columns].to_numpy(float):
        half = 0.5 * diameter_mm * np.sqrt(elongation)
        row, col = (place - np.array([row_px, col_px]) * spacing_mm).T
        cos, sin = np.cos(orientation), np.sin(orientation)
        along, across = col * cos + row * sin, row * cos - col * sin
        on |= np.hypot(np.maximum(np.abs(along) - half, 0.0), across) < BESIDE_MM
    return on


def labelled_turns(
    background: Background,
    *,
    rounds: int,
    seed: int,
    groups: int = 4,
    singles: int = 40,
    displays: bool = True,
) -> Iterator[LabelledSpots]:
    """Insert into a background, search it and label what is found, `rounds` times.

    With `displays`, every second round goes through a random display, and half of those through more
    noise or blur before that. Every background has random numbers of its own.
    """
    config = Config()
    plain = Mammogram.from_array(background.pixels, background.spacing_mm)
    searched = search(plain, config).breast.searched
    own = zlib.crc32(f"{background.name} {background.spacing_mm:.4f}".encode())
    for turn in range(rounds):
        rng = np.random.default_rng([seed, own, turn])
        changed, source = displays and turn % 2 == 1, background
        if changed and rng.uniform() < 0.5:
            pixels = random_exposure(rng)(background.pixels, background.spacing_mm, searched, rng)
            source = replace(background, pixels=pixels)
        image, truth = insert_at_random(source, searched, rng, groups=groups, singles=singles)
        if changed:
            pixels = shown(image.pixels, background.spacing_mm, searched, random_display(rng))
            image = Mammogram.from_array(pixels, background.spacing_mm, source=background.name)
        yield label_spots(search(image, config), truth, background.spacing_mm)
