"""The only place that composes stages: `search` finds candidates, `detect` makes a result of them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from mcdetect.breast import BreastRegion, find_breast
from mcdetect.clusters.descriptors import describe_clusters
from mcdetect.clusters.features import build_features
from mcdetect.clusters.rule import find_groups
from mcdetect.clusters.scoring import default_scorer, score_groups
from mcdetect.config import Config
from mcdetect.errors import UnusableImageError
from mcdetect.image.mammogram import Mammogram, PixelSpacing
from mcdetect.result import Result
from mcdetect.schema import CALCIFICATIONS, CANDIDATES, CLUSTERS, SHAPE_MEASURES, make_table
from mcdetect.shapes.outlines import Shapes, measure_shapes
from mcdetect.shapes.tophat import tophat_image
from mcdetect.spots.appearance import FEATURE_NAMES, describe_spots, refined_scale_mm
from mcdetect.spots.context import in_context, nearest_mm
from mcdetect.spots.duplicates import one_mark_per_body
from mcdetect.spots.find import Spots, find_spots
from mcdetect.spots.noise import equalise
from mcdetect.spots.score import SpotModel, default_spot_model

__all__ = ["Searched", "detect", "search"]

_MARGIN_MM = 2.0  # around the breast's bounding box, for the filters' reach
_SCALE_TO_DIAMETER = 2.0 * np.sqrt(2.0)  # of a disc whose response is strongest at that scale


@dataclass(frozen=True)
class Searched:
    """Candidates of one mammogram and what they look like, before any is called a calcification.

    Parameters
    ----------
    breast : BreastRegion
        Where was searched.
    spots : Spots
        Candidates, strongest first; positions in pixels of the whole image.
    features : (n, features) float32 array
        Columns `mcdetect.spots.appearance.FEATURE_NAMES`.
    equalised : (rows, cols) float32 array
        Noise-equalised part of the image that holds the breast.
    origin_px : (int, int)
        Row and column of the image at which that part begins.
    area_cm2 : float
        Area searched.
    """

    breast: BreastRegion
    spots: Spots
    features: npt.NDArray[np.float32]
    equalised: npt.NDArray[np.float32]
    origin_px: tuple[int, int]
    area_cm2: float


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start


def search(mammogram: Mammogram, config: Config | None = None, clock: _Clock | None = None) -> Searched:
    """Find and describe every candidate.

    Parameters
    ----------
    mammogram : Mammogram
        The image.
    config : Config, optional
        Options.

    Returns
    -------
    Searched
    """
    config = config or Config()
    clock = clock or _Clock()
    with clock.stage("breast"):
        breast = find_breast(mammogram, config.breast)
        part = _bounding_box(breast.mask, mammogram)
        pixels = np.ascontiguousarray(mammogram.pixels[part])
        searched = np.ascontiguousarray(breast.searched[part])
        mask = searched if searched.any() else np.ascontiguousarray(breast.mask[part])
    spacing = mammogram.spacing
    with clock.stage("noise"):
        equal = equalise(pixels, mask, spacing, config.noise, mammogram.zero_exposure_level)
    del pixels
    area = float(np.count_nonzero(searched)) * spacing.row_mm * spacing.col_mm / 100.0
    with clock.stage("spots"):
        spots = find_spots(equal.pixels, searched, spacing, config.spots, config.noise)
    with clock.stage("appearance"):
        features = describe_spots(equal.pixels, spots, spacing)
    top, left = part[0].start, part[1].start
    spots = dataclasses.replace(spots, row_px=spots.row_px + top, col_px=spots.col_px + left)
    return Searched(breast, spots, features, equal.pixels, (top, left), area)


def _bounding_box(mask: npt.NDArray[np.bool_], mammogram: Mammogram) -> tuple[slice, slice]:
    sides = []
    for axis, step in ((1, mammogram.spacing.row_mm), (0, mammogram.spacing.col_mm)):
        there = np.flatnonzero(mask.any(axis=axis))
        if there.size == 0:
            raise UnusableImageError("no breast was found in the image", "check that it is a mammogram")
        margin = int(np.ceil(_MARGIN_MM / step))
        sides.append(
            slice(max(0, int(there[0]) - margin), min(mask.shape[1 - axis], int(there[-1]) + margin + 1))
        )
    return sides[0], sides[1]


def detect(
    image: Mammogram | npt.ArrayLike,
    pixel_spacing_mm: float | tuple[float, float] | None = None,
    config: Config | None = None,
    *,
    spot_model: SpotModel | None = None,
) -> Result:
    """Find calcifications and flag the groups of them.

    Parameters
    ----------
    image : Mammogram or (rows, cols) array
        A mammogram as `read_mammogram` gives it, or grey levels with calcifications bright.
    pixel_spacing_mm : float or (float, float), optional
        Pixel spacing in mm, or (row spacing, column spacing); needed for an array.
    config : Config, optional
        Options; the defaults serve film and digital images at 0.03 to 0.2 mm.
    spot_model : SpotModel, optional
        Individual score of spots, instead of the one that comes with the package.

    Returns
    -------
    Result
        Its tables have the columns of `mcdetect.schema`.
    """
    mammogram = _as_mammogram(image, pixel_spacing_mm)
    config = config or Config()
    clock = _Clock()
    with clock.stage("total"):
        found = search(mammogram, config, clock)
        with clock.stage("score"):
            own_log_odds = (spot_model or default_spot_model()).log_odds(found.features)
            row_mm = found.spots.row_px * mammogram.spacing.row_mm
            col_mm = found.spots.col_px * mammogram.spacing.col_mm
            log_odds = in_context(
                row_mm, col_mm, own_log_odds, found.spots.snr, found.area_cm2, config.calcifications
            )
            order = np.argsort(-log_odds, kind="stable")
            chosen = order[expit(log_odds[order]) >= config.calcifications.min_score]
            top, left = found.origin_px
            chosen = chosen[
                one_mark_per_body(
                    found.equalised,
                    found.spots.row_px[chosen] - top,
                    found.spots.col_px[chosen] - left,
                    log_odds[chosen],
                    mammogram.spacing,
                )
            ]
        with clock.stage("outlines"):
            shapes = _outline(found, chosen, mammogram, config)
        with clock.stage("groups"):
            candidates, calcifications, clusters, scatter = _tables(
                found, shapes, order, chosen, own_log_odds, log_odds, mammogram, config
            )
    return Result(
        mammogram=mammogram,
        breast=found.breast,
        candidates=candidates,
        calcifications=calcifications,
        clusters=clusters,
        config=config,
        scatter_distribution=scatter,
        seconds=clock.seconds,
    )


def _as_mammogram(
    image: Mammogram | npt.ArrayLike, pixel_spacing_mm: float | tuple[float, float] | None
) -> Mammogram:
    if isinstance(image, Mammogram):
        if pixel_spacing_mm is not None:
            raise ValueError("a Mammogram has its own spacing; pixel_spacing_mm is for arrays")
        return image
    if pixel_spacing_mm is None:
        raise ValueError("give pixel_spacing_mm (in mm) with an array: sizes mean nothing without it")
    return Mammogram.from_array(image, pixel_spacing_mm)


def _outline(found: Searched, chosen: npt.NDArray[np.int64], mammogram: Mammogram, config: Config) -> Shapes:
    """Outline the chosen spots in the top-hat of the equalised image."""
    top, left = found.origin_px
    tophat = tophat_image(found.equalised, mammogram.spacing, config.spots.tophat_mm)
    return measure_shapes(
        tophat,
        found.spots.row_px[chosen] - top,
        found.spots.col_px[chosen] - left,
        mammogram.spacing,
        contour_fraction=config.calcifications.contour_fraction,
        blur_mm=config.calcifications.blur_mm,
        scale_mm=_scale_mm(found)[chosen],
        pixels=found.equalised,
    )


def _scale_mm(found: Searched) -> npt.NDArray[np.float64]:
    return refined_scale_mm(found.features, found.spots.band, found.spots.levels_mm)


def _tables(
    found: Searched,
    shapes: Shapes,
    order: npt.NDArray[np.int64],
    chosen: npt.NDArray[np.int64],
    own_log_odds: npt.NDArray[np.float64],
    log_odds: npt.NDArray[np.float64],
    mammogram: Mammogram,
    config: Config,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, str]:
    """Group and describe the calcifications: tables of candidates, calcifications, clusters; scatter."""
    spots, spacing, breast = found.spots, mammogram.spacing, found.breast
    scale = _scale_mm(found)
    outlined = np.isfinite(shapes.area_mm2)
    row = spots.row_px[chosen]
    col = spots.col_px[chosen]
    diameter = np.where(outlined, shapes.diameter_mm, _SCALE_TO_DIAMETER * scale[chosen])
    row_mm, col_mm = row * spacing.row_mm, col * spacing.col_mm
    groups = find_groups(row_mm, col_mm, config.groups)
    group_score = score_groups(groups.label, log_odds[chosen], config.groups.min_count)
    rank = np.lexsort((-groups.n_members, -group_score, ~groups.flagged))
    number = np.zeros(len(groups) + 1, np.int64)
    number[rank + 1] = np.arange(1, len(groups) + 1)
    label = number[groups.label]
    skin = breast.skin_distance_at(row, col)
    pectoral = breast.pectoral[np.rint(row).astype(np.intp), np.rint(col).astype(np.intp)]
    measures = shapes.as_dict() | {"diameter_mm": diameter, "snr": spots.snr[chosen]}
    centre_row, centre_col = groups.row_mm[rank] / spacing.row_mm, groups.col_mm[rank] / spacing.col_mm
    nipple_mm = _nipple_mm(breast, spacing)
    features = build_features(
        label,
        row_mm,
        col_mm,
        measures,
        breast.skin_distance_at(centre_row, centre_col),
        pectoral,
        nipple_mm=nipple_mm,
        chest_distance_mm=breast.chest_distance_at(centre_row, centre_col),
        depth_fraction=breast.depth_fraction_at(centre_row, centre_col),
        tissue_density=breast.density_rank_at(centre_row, centre_col),
    )
    described = describe_clusters(
        label,
        row_mm,
        col_mm,
        measures
        | {
            "skin_distance_mm": skin,
            "chest_distance_mm": breast.chest_distance_at(row, col),
            "line": found.features[chosen, FEATURE_NAMES.index("line_near")],
        },
        max(spacing.row_mm, spacing.col_mm),
        flagged=groups.flagged[rank],
        nipple_mm=nipple_mm,
        breast_area_mm2=float(np.count_nonzero(breast.mask)) * spacing.row_mm * spacing.col_mm,
    )
    calcifications = make_table(
        CALCIFICATIONS,
        {
            **{name: measures[name] for name in (*SHAPE_MEASURES, "orientation_deg")},
            "file": mammogram.source,
            "calcification_id": np.arange(1, chosen.size + 1),
            "row_px": row,
            "col_px": col,
            "score": expit(log_odds[chosen]),
            "own_score": expit(own_log_odds[chosen]),
            "cluster_id": label,
            "scale_mm": scale[chosen],
            "nearest_mm": nearest_mm(row_mm, col_mm),
            "skin_distance_mm": skin,
            "in_pectoral": pectoral,
            "vascular": described.vessels.grade,
        },
    )
    cluster_of = np.zeros(spots.snr.size, np.int64)
    cluster_of[chosen] = label
    candidates = make_table(
        CANDIDATES,
        {
            "file": mammogram.source,
            "candidate_id": np.arange(1, order.size + 1),
            "row_px": spots.row_px[order],
            "col_px": spots.col_px[order],
            "diameter_mm": _SCALE_TO_DIAMETER * scale[order],
            "scale_mm": scale[order],
            "snr": spots.snr[order],
            "score": expit(log_odds[order]),
            "own_score": expit(own_log_odds[order]),
            "cluster_id": cluster_of[order],
        },
    )
    words = described.columns()
    scored = default_scorer().score({**features, **words})
    clusters = make_table(
        CLUSTERS,
        {
            "file": mammogram.source,
            "cluster_id": np.arange(1, len(groups) + 1),
            "n_calcifications": groups.n_members[rank],
            "max_in_window": groups.max_in_window[rank],
            "flagged": groups.flagged[rank],
            "row_px": centre_row,
            "col_px": centre_col,
            "min_row_px": groups.min_row_mm[rank] / spacing.row_mm,
            "min_col_px": groups.min_col_mm[rank] / spacing.col_mm,
            "max_row_px": groups.max_row_mm[rank] / spacing.row_mm,
            "max_col_px": groups.max_col_mm[rank] / spacing.col_mm,
            "score": group_score[rank],
            **features,
            **words,
            **{str(name): scored[name].to_numpy() for name in scored},
        },
    )
    scatter = described.scatter.best if described.scatter else ""
    return candidates, calcifications, clusters, scatter


def _nipple_mm(breast: BreastRegion, spacing: PixelSpacing) -> tuple[float, float] | None:
    """Return where the nipple is, in mm from the first pixel, as positions of calcifications are measured."""
    if breast.nipple_px is None:
        return None
    return breast.nipple_px[0] * spacing.row_mm, breast.nipple_px[1] * spacing.col_mm
