"""The whole way, from a mammogram to a result."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from mcdetect.breast import BreastRegion, is_digital
from mcdetect.clusters.depth import extents_mm, middles
from mcdetect.clusters.descriptors import count_suspicious, describe_clusters
from mcdetect.clusters.features import build_features
from mcdetect.clusters.scoring import default_scorer, score_groups
from mcdetect.config import Config
from mcdetect.image.mammogram import Mammogram, PixelSpacing
from mcdetect.image.volume import Volume
from mcdetect.pipeline.bodies import find_bodies, measured_whole
from mcdetect.pipeline.clock import Clock
from mcdetect.pipeline.plausibility import TOO_MANY, implausibly_many
from mcdetect.pipeline.scoring import looked_at_twice, score_candidates
from mcdetect.pipeline.searching import Searched, search
from mcdetect.pipeline.slabs import cut_slabs
from mcdetect.pipeline.vessels import find_groups_and_vessels, follow_vessels, measure_vessels
from mcdetect.pipeline.volume import Score, search_volume
from mcdetect.result import Calcifications, Clusters, Marks, Result
from mcdetect.result.result import Stack
from mcdetect.result.tables import calcification_table, candidate_table, cluster_table
from mcdetect.shapes.large import LargeBody
from mcdetect.shapes.outlines import measure_shapes, outline_reach_mm
from mcdetect.shapes.tophat import tophat_around
from mcdetect.spots.context import nearest_mm
from mcdetect.spots.duplicates import one_mark_per_body
from mcdetect.spots.score import DigitalScore, SpotModel, default_spot_model, digital_score
from mcdetect.spots.slice_score import PlainScore, slice_score

__all__ = ["detect"]

_ALIKE_MM = 2.0  # Judged: depth over which the noise of neighbouring slices is alike


def detect(
    image: Mammogram | Volume | npt.ArrayLike,
    pixel_spacing_mm: float | tuple[float, float] | None = None,
    config: Config | None = None,
    *,
    spot_model: SpotModel | DigitalScore | None = None,
) -> Result:
    """Find calcifications and flag the groups of them.

    Parameters
    ----------
    image : Mammogram, Volume or (rows, cols) array
        A mammogram as `read_mammogram` gives it, a stack of slices as `read_volume` gives it, or grey levels
        with calcifications bright.
    pixel_spacing_mm : float or (float, float), optional
        Pixel spacing in mm, or (row spacing, column spacing); needed for an array.
    config : Config, optional
        Options; the defaults serve film and digital images at 0.03 to 0.2 mm.
    spot_model : SpotModel or DigitalScore, optional
        Individual score of spots, instead of the one that comes with the package.

    Returns
    -------
    Result
        Its tables have the columns of `mcdetect.schema`.
    """
    config = config or Config()
    clock = Clock()
    with clock.stage("total"):
        if isinstance(image, Volume):
            found, mammogram = search_volume(image, _score_of_slices(image, spot_model), config, clock)
        else:
            mammogram = _as_mammogram(image, pixel_spacing_mm)
            found = search(mammogram, config, clock)
        with clock.stage("score"):
            digital = found.focus is not None or is_digital(mammogram.intent, found.breast.air_unevenness)
            model = spot_model or (digital_score() if digital else default_spot_model())
            candidates = score_candidates(found, mammogram.spacing, model, config, processed=digital)
            likely = _accept(candidates, found, mammogram.spacing, config)
        with clock.stage("bodies"):
            accepted, bodies = likely, list[LargeBody]()
            if not mammogram.shows_specimen:  # whose pieces of tissue have steep borders of their own
                candidates, accepted, bodies = find_bodies(
                    candidates, likely, found, mammogram.spacing, config
                )
        with clock.stage("vessels"):
            candidates, accepted = follow_vessels(
                candidates,
                accepted,
                found,
                mammogram.spacing,
                config,
                twice=looked_at_twice(model, found),
            )
        with clock.stage("outlines"):
            calcifications = _measure(candidates.take(accepted), bodies, found, mammogram.spacing, config)
        with clock.stage("groups"):
            clusters = _group(calcifications, found, mammogram.spacing, config)
            cluster_id = np.zeros(len(candidates), np.int64)
            cluster_id[accepted] = clusters.groups.label
            where = found.slices(candidates.row_px, candidates.col_px)
            candidate_rows = candidate_table(mammogram, candidates, cluster_id, where)
            calcification_rows = calcification_table(mammogram, calcifications, clusters)
            cluster_rows = cluster_table(mammogram, clusters)
        slabs, stack = {}, None
        if isinstance(image, Volume):
            with clock.stage("slabs"):
                slabs, stack = cut_slabs(image, calcification_rows, cluster_rows), Stack.of(image)
    marks = calcifications.marks
    if implausibly_many(marks.row_mm, marks.col_mm, found.area_cm2):
        mammogram = dataclasses.replace(mammogram, flags=(*mammogram.flags, TOO_MANY))
    return Result(
        mammogram=mammogram,
        breast=found.breast,
        candidates=candidate_rows,
        calcifications=calcification_rows,
        clusters=cluster_rows,
        config=config,
        scatter_distribution=clusters.scatter_distribution,
        seconds=clock.seconds,
        slabs=slabs,
        stack=stack,
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


def _score_of_slices(volume: Volume, model: SpotModel | DigitalScore | None) -> Score:
    """Return the score of slices, or one of plain mammograms with as many chances as there are slices."""
    if model is None:
        return dataclasses.replace(slice_score(), half_angle_deg=volume.half_angle_deg)
    alike = len(volume) * volume.slice_spacing_mm / _ALIKE_MM
    return PlainScore(model, -math.log(max(1.0, alike)))


def _accept(
    candidates: Marks, found: Searched, spacing: PixelSpacing, config: Config
) -> npt.NDArray[np.int64]:
    """Return which candidates are calcifications: enough score, and one for each body."""
    likely = np.flatnonzero(candidates.score >= config.calcifications.min_score)
    marks = candidates.take(likely)
    row, col = found.in_part(marks)
    return likely[one_mark_per_body(found.equalised, row, col, marks.log_odds, spacing)]


def _measure(
    marks: Marks, bodies: list[LargeBody], found: Searched, spacing: PixelSpacing, config: Config
) -> Calcifications:
    """Outline the calcifications in the top-hat of the equalised image, and say where in the breast
    they lie."""
    row, col = found.in_part(marks)
    shapes = measure_shapes(
        tophat_around(
            found.equalised,
            spacing,
            config.spots.tophat_mm,
            row,
            col,
            outline_reach_mm(spacing, marks.scale_mm),
        ),
        row,
        col,
        spacing,
        contour_fraction=config.calcifications.contour_fraction,
        blur_mm=config.calcifications.blur_mm,
        scale_mm=marks.scale_mm,
        pixels=found.equalised,
    )
    outlined = np.isfinite(shapes.area_mm2)
    diameter_mm = np.where(outlined, shapes.diameter_mm, marks.scale_diameter_mm)
    measures, kind = measured_whole(
        marks, bodies, {**shapes.as_dict(), "diameter_mm": diameter_mm, "snr": marks.snr}
    )
    kind[(kind == "object") & (marks.vessel > 0)] = "rod"  # long and dense, in the wall of an artery
    breast = found.breast
    frame, depth_mm = found.slices(marks.row_px, marks.col_px)
    in_skin = breast.in_skin_at(marks.row_px, marks.col_px)
    return Calcifications(
        marks=marks,
        kind=np.where(in_skin & (kind == ""), "skin", kind),
        measures=measures,
        nearest_mm=nearest_mm(marks.row_mm, marks.col_mm),
        skin_distance_mm=breast.known_skin_distance_at(marks.row_px, marks.col_px),
        chest_distance_mm=breast.chest_distance_at(marks.row_px, marks.col_px),
        in_pectoral=breast.pectoral[
            np.rint(marks.row_px).astype(np.intp), np.rint(marks.col_px).astype(np.intp)
        ],
        slice=frame,
        depth_mm=depth_mm,
    )


def _group(
    calcifications: Calcifications, found: Searched, spacing: PixelSpacing, config: Config
) -> Clusters:
    """Group the calcifications; measure, name and score the groups."""
    breast = found.breast
    marks, measures = calcifications.marks, calcifications.measures
    apart = np.isin(calcifications.kind, ("object", "skin"))
    depth_mm = None if found.focus is None else calcifications.depth_mm
    groups = find_groups_and_vessels(marks, apart, config.groups, depth_mm)
    score = score_groups(groups.label, marks.log_odds, config.groups.min_count)
    rank = np.lexsort((-groups.n_members, -score, ~groups.flagged))
    groups, score = groups.in_order(rank), score[rank]
    row_px, col_px = groups.row_mm / spacing.row_mm, groups.col_mm / spacing.col_mm
    nipple_mm = _nipple_mm(breast, spacing)
    features = build_features(
        groups.label,
        marks.row_mm,
        marks.col_mm,
        measures,
        breast.known_skin_distance_at(row_px, col_px),
        calcifications.in_pectoral,
        nipple_mm=nipple_mm,
        chest_distance_mm=breast.chest_distance_at(row_px, col_px),
        depth_fraction=breast.depth_fraction_at(row_px, col_px),
        tissue_density=breast.density_rank_at(row_px, col_px),
    )
    described = describe_clusters(
        groups.label,
        marks.row_mm,
        marks.col_mm,
        {
            **measures,
            "skin_distance_mm": calcifications.skin_distance_mm,
            "chest_distance_mm": calcifications.chest_distance_mm,
            "line": marks.line,
        },
        max(spacing.row_mm, spacing.col_mm),
        flagged=groups.flagged,
        nipple_mm=nipple_mm,
        breast_area_mm2=float(np.count_nonzero(breast.mask)) * spacing.row_mm * spacing.col_mm,
        arterial=marks.vessel > 0,
    )
    columns = {
        **features,
        **described.columns(),
        **measure_vessels(groups.label, marks, measures["area_mm2"]),
        **_in_depth(groups.label, calcifications),
    }
    columns["suspicious_in_window"] = count_suspicious(groups.max_in_window, columns["benign_share"])
    scored = default_scorer().score(columns)
    clusters = Clusters(
        groups=groups,
        score=score,
        columns={**columns, **{str(name): scored[name].to_numpy() for name in scored}},
        vascular=described.vessels.grade,
        scatter_distribution=described.scatter.best if described.scatter else "",
    )
    return clusters.benign_last(hidden=config.groups.hide_benign)


def _in_depth(
    label: npt.NDArray[np.int64], calcifications: Calcifications
) -> dict[str, npt.NDArray[np.float64]]:
    """Return slice, depth and extent in depth of each group; NaN in a plain mammogram."""
    middle = middles(label, calcifications.depth_mm)
    return {
        "slice": calcifications.slice[middle],
        "depth_mm": calcifications.depth_mm[middle],
        "extent_depth_mm": extents_mm(label, calcifications.depth_mm),
    }


def _nipple_mm(breast: BreastRegion, spacing: PixelSpacing) -> tuple[float, float] | None:
    """Return where the nipple is, in mm from the first pixel, as positions of calcifications are measured."""
    if breast.nipple_px is None:
        return None
    return breast.nipple_px[0] * spacing.row_mm, breast.nipple_px[1] * spacing.col_mm
