"""Labelled spots of real digital mammograms: what readers marked, insertions, and all else found there.

The images (../shared/data/real) are those in which readers marked every calcification, normal ones, and
screening images of women without cancer. In the last, what the general model calls a calcification counts
neither way: nobody marked what they have of their own.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterator

import numpy as np
import pandas as pd

from benchmarks.common.backgrounds import Background
from benchmarks.common.real import REAL, annotated_images, near_truth, read_points, real_images
from benchmarks.fit.training_spots import LabelledSpots, insert_at_random, label_spots
from mcdetect.pipeline import Searched, search
from mcdetect.readers.read import read_mammogram
from mcdetect.spots.score import default_spot_model

__all__ = [
    "INSERTED",
    "KIND",
    "KINDS",
    "SCREENING",
    "label_marked",
    "real_backgrounds",
    "real_items",
    "real_searches",
]

KIND = "real mammogram"
SCREENING = "screening mammogram"
INSERTED = "real mammogram with insertions"
KINDS = (KIND, SCREENING, INSERTED)
"""Of images whose calcifications readers marked; of images in which nobody did; of both with insertions."""
BESIDE_MM = 0.5
"""Spots so near beside a calcification count neither way."""
ROUNDS = {KIND: 2, SCREENING: 1}
"""Insertions into each image: of screening there are more images."""


def real_backgrounds() -> list[Background]:
    """Return the images to fit on, without their pixels; empty where the data are absent."""
    if not REAL.is_dir():
        return []
    images = real_images()
    marked = images.file.isin(annotated_images()) | (images.normal & (images.set == "inbreast"))
    kind = np.where(marked, KIND, np.where(images.set == "dutch", SCREENING, ""))
    nothing = np.zeros((1, 1), np.float32)
    return [
        Background(row["file"], row["woman"], row["kind"], nothing, row["spacing_mm"], (0.0, 0.0), 1.0)
        for row in images.assign(kind=kind)[kind != ""].sort_values(["woman", "file"]).to_dict("records")
    ]


def real_items(background: Background) -> Iterator[tuple[Background, LabelledSpots]]:
    """Search a real mammogram and label what is found, as it is and with insertions."""
    for kind, _, spots in real_searches(background):
        yield kind, spots


def real_searches(
    background: Background, *, long: int = 0
) -> Iterator[tuple[Background, Searched, LabelledSpots]]:
    """Give what `real_items` does, with so many more long calcifications inserted, and each search."""
    name, spacing_mm = background.name, background.spacing_mm
    folder = REAL / ("inbreast" if background.kind == KIND else "dutch")
    image = read_mammogram(folder / name, pixel_spacing_mm=spacing_mm)
    found = search(image)
    if background.kind == KIND:
        points = read_points()
        points = points[points.image == name].reset_index(drop=True)
        own = label_marked(found, points, spacing_mm)
    else:
        points = _unsure(found)
        own = label_marked(found, points, spacing_mm)
        own = dataclasses.replace(own, label=np.minimum(own.label, 0) - (own.label == 1), truth=own.truth[:0])
    yield background, found, own
    limits = (float(image.pixels.min()), float(image.pixels.max()))
    whole = dataclasses.replace(background, kind="digital", pixels=image.pixels, limits=limits)
    for turn in range(ROUNDS[background.kind]):
        rng = np.random.default_rng([2, zlib.crc32(name.encode()), turn])
        changed, truth = insert_at_random(whole, found.breast.searched, rng, groups=4, singles=40, long=long)
        drawn = search(dataclasses.replace(image, pixels=changed.pixels))
        spots = label_spots(drawn, truth, spacing_mm)
        place = drawn.spots.row_px, drawn.spots.col_px
        near = near_truth(*place, points, spacing_mm, beside_mm=BESIDE_MM).any(axis=1)
        label = np.where(near & (spots.label == 0), -1, spots.label)
        yield dataclasses.replace(background, kind=INSERTED), drawn, dataclasses.replace(spots, label=label)


def _unsure(found: Searched) -> pd.DataFrame:
    """Return what the general model calls a calcification, as `label_marked` takes what readers marked."""
    likely = default_spot_model().log_odds(found.features) > 0.0
    place = {"row_px": found.spots.row_px[likely], "col_px": found.spots.col_px[likely]}
    return pd.DataFrame({**place, "width_px": 0.0, "height_px": 0.0})


def label_marked(found: Searched, points: pd.DataFrame, spacing_mm: float) -> LabelledSpots:
    """Label spots by readers' marks: of those on a mark, the strongest is the calcification.

    Parameters
    ----------
    found : Searched
    points : DataFrame
        row_px, col_px, width_px and height_px of what readers marked in this image.
    spacing_mm : float
    """
    spots = found.spots
    truth = points.reset_index(drop=True).assign(snr=np.inf, group_id=0, spot=-1)
    label = np.zeros(spots.row_px.size, np.int64)
    label[near_truth(spots.row_px, spots.col_px, truth, spacing_mm, beside_mm=BESIDE_MM).any(axis=1)] = -1
    near = near_truth(spots.row_px, spots.col_px, truth, spacing_mm)
    for k in np.flatnonzero(near.any(axis=0)):
        on = np.flatnonzero(near[:, k])
        truth.loc[k, "spot"] = on[np.argmax(spots.snr[on])]
    label[truth["spot"][truth["spot"] >= 0]] = 1
    unknown = np.full(spots.row_px.size, np.nan)
    place = spots.row_px * spacing_mm, spots.col_px * spacing_mm
    single = np.zeros(spots.row_px.size, bool)
    return LabelledSpots(found.features, spots.snr, label, unknown, single, truth, *place, found.area_cm2)
