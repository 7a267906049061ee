"""Labelled spots: calcifications inserted into real backgrounds, and everything else found there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from backgrounds import Background
from scipy.spatial import cKDTree

from mcdetect import Config, Mammogram
from mcdetect.phantom import group_positions_mm, insert_calcifications, random_specs
from mcdetect.pipeline import Searched, search

MATCH_MM = 0.35
DIAMETER_MM = (0.12, 1.0)
SNR = (3.0, 60.0)
BLUR_MM = {"film": (0.03, 0.09), "digital": (0.02, 0.08)}


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
) -> tuple[Mammogram, pd.DataFrame]:
    """Insert groups of 5 to 20 members in 3 to 12 mm and scattered singles into the searched region."""
    sp = background.spacing_mm
    sites = np.argwhere(searched)
    specs = []
    for group in range(1, groups + 1):
        kind = str(rng.choice(["round", "linear", "segmental"]))
        n = int(rng.integers(5, 21))
        extent = float(rng.uniform(max(3.0, 1.2 * np.sqrt(n)), 12.0))
        centre = sites[rng.integers(len(sites))]
        place = centre + np.asarray(group_positions_mm(n, extent, kind, rng)) / sp
        low, high = np.sort(rng.uniform(np.log(SNR[0]), np.log(SNR[1]), 2))
        specs += random_specs(
            _inside(place, searched),
            rng,
            diameter_mm=DIAMETER_MM,
            snr=(np.exp(low), np.exp(high) + 0.1),
            group_id=group,
            kind=kind,
        )
    spots = sites[rng.integers(len(sites), size=singles)] + rng.uniform(-0.5, 0.5, (singles, 2))
    specs += random_specs(_inside(spots, searched), rng, diameter_mm=DIAMETER_MM, snr=SNR)
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
        distance, nearest = tree.query(place)
        for i in np.argsort(-found.spots.snr, kind="stable"):
            k = nearest[i]
            if distance[i] > max(radius[k], 0.6):
                continue
            if distance[i] <= radius[k] and spot_of[k] < 0:
                spot_of[k], label[i] = i, 1
                true_snr[i], single[i] = truth["snr"].iloc[k], truth["group_id"].iloc[k] == 0
            else:
                label[i] = -1
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


def labelled_images(
    backgrounds: list[Background], *, rounds: int, seed: int, groups: int = 4, singles: int = 40
) -> Iterator[tuple[Background, LabelledSpots]]:
    """Insert into every background, search it and label what is found."""
    config = Config()
    for k, background in enumerate(backgrounds):
        plain = Mammogram.from_array(background.pixels, background.spacing_mm)
        searched = search(plain, config).breast.searched
        for turn in range(rounds):
            rng = np.random.default_rng([seed, k, turn])
            image, truth = insert_at_random(background, searched, rng, groups=groups, singles=singles)
            yield background, label_spots(search(image, config), truth, background.spacing_mm)
