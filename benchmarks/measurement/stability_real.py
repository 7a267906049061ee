"""How stable every feature is on real mammograms (../shared/data/real): changed pictures, and two views.

Each image is searched as it is; twice with as much noise again as it has, drawn anew (so that the two differ
as two exposures do); shifted by half a pixel in both directions; and, where its pixels are 0.1 mm or finer,
resampled to coarser ones. What was found in the first picture of a pair is looked for in the second: a
calcification at most 0.35 mm away, a flagged group by where at least half of its members are. Flagged groups
that the CC and MLO view of a breast both show are pairs, too.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import cKDTree

import mcdetect
from benchmarks.common.real import REAL, real_images
from mcdetect.config import NoiseConfig, StudyConfig
from mcdetect.exams.studies import match_views
from mcdetect.image.mammogram import Mammogram, PixelSpacing
from mcdetect.readers.read import read_mammogram
from mcdetect.result import Result
from mcdetect.spots.noise import equalise

__all__ = ["REAL_CHANGES", "gather_real"]

REAL_CHANGES = ("noise", "shift", "resampling", "views")
COARSER = 1.25
FINE_MM = 0.1
MATCH_MM = 0.35
_AGAIN = 0.5
"""Share of a group's members that must be found again, in one group, for it to be the same."""

Tables = dict[str, tuple[pd.DataFrame, pd.DataFrame]]


def _white(
    shape: tuple[int, int], spacing: PixelSpacing, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """White noise whose spread is 1 in the band in which noise is measured."""
    white = rng.standard_normal(shape, dtype=np.float32)
    part = white[:512, :512].copy()
    measured = equalise(part, np.ones(part.shape, np.bool_), spacing, NoiseConfig())
    return white / np.float32(np.median(measured.noise))


def noisier(image: Mammogram, breast: npt.NDArray[np.bool_], seed: int) -> Mammogram:
    """Return the image with as much noise again as it has at each grey level."""
    known = equalise(image.pixels, breast, image.spacing, NoiseConfig())
    sigma = np.interp(image.pixels, known.levels, known.noise).astype(np.float32)
    added = sigma * _white(image.shape, image.spacing, np.random.default_rng(seed))
    pixels = np.where(breast, image.pixels + added, image.pixels).astype(np.float32)
    return dataclasses.replace(image, pixels=pixels)


def shifted(image: Mammogram) -> Mammogram:
    """Return the image moved by half a pixel down and to the right (Lanczos interpolation)."""
    rows, cols = image.shape
    move = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]])
    pixels = cv2.warpAffine(
        image.pixels, move, (cols, rows), flags=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE
    )
    return dataclasses.replace(image, pixels=np.ascontiguousarray(pixels, np.float32))


def coarser(image: Mammogram) -> Mammogram:
    """Return the image on pixels 1.25 times as wide, each the mean of what it covers."""
    rows, cols = (round(n / COARSER) for n in image.shape)
    pixels = cv2.resize(image.pixels, (cols, rows), interpolation=cv2.INTER_AREA)
    valid = None
    if image.valid is not None:
        valid = cv2.resize(image.valid.astype(np.uint8), (cols, rows), interpolation=cv2.INTER_NEAREST) > 0
    was = image.spacing
    spacing = PixelSpacing(was.row_mm * image.shape[0] / rows, was.col_mm * image.shape[1] / cols)
    return dataclasses.replace(image, pixels=np.ascontiguousarray(pixels), valid=valid, spacing=spacing)


def _places(found: Result, moved_px: float) -> npt.NDArray[np.float64]:
    table, spacing = found.calcifications, found.mammogram.spacing
    place = table[["row_px", "col_px"]].to_numpy(np.float64) + 0.5 - moved_px
    return np.asarray(place * (spacing.row_mm, spacing.col_mm))


def found_again(first: Result, second: Result, moved_px: float = 0.0) -> Tables:
    """Return calcifications and groups of the first picture with what the second shows in their place.

    Parameters
    ----------
    first, second : Result
        Of two pictures of one image.
    moved_px : float
        By how much the second is moved.

    Returns
    -------
    dict of str to (DataFrame, DataFrame)
        By level; a row of not-a-number where nothing was found again.
    """
    match = np.full(len(first.calcifications), -1)
    if len(first.calcifications) and len(second.calcifications):
        distance, index = cKDTree(_places(second, moved_px)).query(_places(first, 0.0))
        match = np.where(distance <= MATCH_MM, index, -1)
    label = second.calcifications["cluster_id"].to_numpy()
    there = np.where(match >= 0, label[match] if label.size else 0, 0)
    ids = []
    groups = first.flagged.reset_index(drop=True)
    for group in groups["cluster_id"]:
        members = there[(first.calcifications["cluster_id"] == group).to_numpy()]
        count = np.bincount(members[members > 0], minlength=1)
        ids.append(int(count.argmax()) if count.max() >= _AGAIN * members.size else -1)
    again = second.clusters.set_index("cluster_id").reindex(ids).reset_index()
    return {
        "calcification": (first.calcifications, second.calcifications.reindex(match).reset_index(drop=True)),
        "cluster": (groups, again),
    }


def _two_views(found: dict[str, Result], images: pd.DataFrame) -> list[Tables]:
    pairs = []
    for _, breast in images[images.file.isin(found)].groupby(["woman", "laterality"]):
        sides = {view: found[file] for view, file in zip(breast["view"], breast.file, strict=True)}
        if {"CC", "MLO"} <= set(sides):
            one, two = (sides[view].flagged.reset_index(drop=True) for view in ("CC", "MLO"))
            paired = match_views(one, two, StudyConfig())
            first, second = paired.first, paired.second
            pairs.append({"cluster": (one.iloc[first], two.iloc[second])})
    return pairs


def gather_real(limit: int | None = None) -> dict[str, Tables]:
    """Return the measures of every pair of pictures: change, then level, to two tables of matched rows.

    Parameters
    ----------
    limit : int, optional
        Only so many images of each set.
    """
    began = time.perf_counter()
    images = real_images()
    views = pd.read_csv(REAL / "inbreast" / "images.csv")[["file", "view", "laterality"]]
    images = images.merge(views, on="file", how="left")
    if limit is not None:
        images = images.groupby("set").head(limit)
    parts: dict[str, list[Tables]] = {name: [] for name in REAL_CHANGES}
    diagnostic: dict[str, Result] = {}
    for number, row in enumerate(images.itertuples()):
        file = str(row.file)
        spacing = float(str(row.spacing_mm))
        image = read_mammogram(Path(REAL) / str(row.set) / file, pixel_spacing_mm=spacing)
        plain = mcdetect.detect(image)
        if row.set == "inbreast":
            diagnostic[file] = plain
        if len(plain.calcifications):
            one, two = (mcdetect.detect(noisier(image, plain.breast.mask, 2 * number + k)) for k in (0, 1))
            parts["noise"].append(found_again(one, two))
            parts["shift"].append(found_again(plain, mcdetect.detect(shifted(image)), 0.5))
            if spacing <= FINE_MM:
                parts["resampling"].append(found_again(plain, mcdetect.detect(coarser(image))))
        spent = time.perf_counter() - began
        print(f"  real image {number + 1} of {len(images)}: {spent:.0f} s", file=sys.stderr)
    parts["views"] = _two_views(diagnostic, images)
    return {name: _joined(tables) for name, tables in parts.items() if tables}


def _joined(tables: list[Tables]) -> Tables:
    return {
        level: (
            pd.concat([pair[level][0] for pair in tables], ignore_index=True),
            pd.concat([pair[level][1] for pair in tables], ignore_index=True),
        )
        for level in tables[0]
    }
