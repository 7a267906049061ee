"""Labelled spots of real mammograms: calcifications that readers marked, and everything else found there.

The images are those in which readers marked every calcification, and normal ones without any
(../shared/data/real/inbreast).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.common.backgrounds import Background
from benchmarks.common.real import REAL, annotated_images, near_truth, read_points, real_images
from benchmarks.fit.training_spots import LabelledSpots
from mcdetect.pipeline import Searched, search
from mcdetect.readers.image_file import ImageFile

__all__ = ["KIND", "label_marked", "read_spots", "real_backgrounds"]

KIND = "real mammogram"
BESIDE_MM = 0.5
"""Spots so near beside a calcification count neither way."""


def real_backgrounds() -> list[Background]:
    """Return the images to fit on, without their pixels; empty where the data are absent."""
    if not REAL.is_dir():
        return []
    images = real_images()
    known = images.file.isin(annotated_images()) | (images.normal & (images.set == "inbreast"))
    nothing = np.zeros((1, 1), np.float32)
    return [
        Background(row["file"], row["woman"], KIND, nothing, row["spacing_mm"], (0.0, 0.0), 1.0)
        for row in images[known].sort_values(["woman", "file"]).to_dict("records")
    ]


def read_spots(background: Background) -> LabelledSpots:
    """Search a real mammogram and label what is found."""
    name, points = background.name, read_points()
    found = search(ImageFile(REAL / "inbreast" / name, name, background.spacing_mm).read())
    return label_marked(found, points[points.image == name], background.spacing_mm)


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
