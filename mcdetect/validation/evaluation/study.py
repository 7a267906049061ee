"""Detections against truth: the whole evaluation."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mcdetect.validation.evaluation.bootstrap import patient_weights
from mcdetect.validation.evaluation.cases import (
    Images,
    Marks,
    Points,
    Regions,
    build_images,
    build_marks,
    build_truth,
)
from mcdetect.validation.evaluation.cluster_matching import match_clusters, true_clusters
from mcdetect.validation.evaluation.hints import doubled_rows, misfit
from mcdetect.validation.evaluation.matching import FALSE, TRUE, Matching, match_calcifications
from mcdetect.validation.evaluation.measures import curve_table, differences_table, figures, summary_table
from mcdetect.validation.evaluation.names import misnamed
from mcdetect.validation.evaluation.options import Options
from mcdetect.validation.evaluation.readers import TableError, standardise
from mcdetect.validation.evaluation.result import Evaluation
from mcdetect.validation.evaluation.subsets import Subset, subsets_of_clusters, subsets_of_points
from mcdetect.validation.evaluation.tally import Tally

__all__ = ["FALSE_MARK", "TRUE_MARK", "evaluate"]

logger = logging.getLogger(__name__)

# A column of "true" and "false" would be read as yes and no, and one with a third word as text.
TRUE_MARK, FALSE_MARK = "true mark", "false mark"
_STATUS = {TRUE: TRUE_MARK, FALSE: FALSE_MARK}


def evaluate(
    detections: pd.DataFrame,
    truth: pd.DataFrame,
    images: pd.DataFrame | None = None,
    *,
    members: pd.DataFrame | None = None,
    versus: pd.DataFrame | None = None,
    versus_members: pd.DataFrame | None = None,
    names: tuple[str, str] = ("detector", "other"),
    columns: Mapping[str, str] | None = None,
    truth_columns: Mapping[str, str] | None = None,
    options: Options | None = None,
    **changes: Any,
) -> Evaluation:
    """Measure how well detections agree with the truth.

    Parameters
    ----------
    detections : DataFrame
        One row per mark: image (or file), x and y in pixels (column and row of the centre, 0 at the centre
        of the first pixel; or col_px and row_px), score; optionally diameter_mm, for clusters also cluster
        (or cluster_id), x_min, y_min, x_max, y_max and flagged. The tables of ``mcdetect detect`` are
        understood as they are.
    truth : DataFrame
        Points (image, x, y, and where known diameter_mm, snr, cluster), boxes (x_min, y_min, x_max, y_max)
        and circles (x, y, radius, all in pixels), in any mix; ``ignore`` marks what does not count. A row
        with nothing but an image names an image without findings.
    images : DataFrame, optional
        One row per image evaluated: image, row_spacing_mm, col_spacing_mm (or spacing_mm), area_cm2 (or
        searched_area_cm2, breast_area_cm2), patient, normal. Images without findings must stand here, or
        false positives per image come out too high.
    members : DataFrame, optional
        For clusters: the detected calcifications, with image, x, y and cluster.
    versus : DataFrame, optional
        Detections of another detector on the same images, for paired differences.
    versus_members : DataFrame, optional
        Its calcifications.
    names : tuple of str
        What to call the two detectors.
    columns, truth_columns : mapping of str to str, optional
        Our name of a column to its name in the detections, or in the truth. Of several tables of
        detections, a name applies to those that have the column.
    options : Options, optional
        What to compute.
    **changes
        Single options, by the names of `Options`.

    Returns
    -------
    Evaluation
        Tables of figures, curves and differences.

    Examples
    --------
    >>> import pandas as pd
    >>> truth = pd.DataFrame({"image": ["a", "a"], "x": [10, 90], "y": [10, 90]})
    >>> marks = pd.DataFrame({"image": ["a", "a"], "x": [11, 50], "y": [10, 50], "score": [0.9, 0.4]})
    >>> found = evaluate(marks, truth, spacing_mm=0.1, samples=0)
    >>> found.lesions["rating"].tolist()
    [0.9, -inf]
    """
    options = (options or Options()).replace(**changes)
    if versus is not None and names[0] == names[1]:
        raise ValueError(f"the two detectors need different names, not {names[0]!r} twice")
    needed = ("image", "x", "y", "score")
    given = [detections] if versus is None else [detections, versus]
    tables = [
        standardise(table, what=what, required=needed, columns=_present(columns, table, given))
        for table, what in zip(given, ("detections", "other detections"), strict=False)
    ]
    known = standardise(truth, what="truth", required=("image",), columns=truth_columns)
    listed = None if images is None else standardise(images, what="images", required=("image",))
    frame = build_images(listed, known, tables, spacing_mm=options.spacing_mm, name_match=options.name_match)
    notes = list(frame.notes)
    weight = patient_weights(frame.n_patients, options.samples, options.seed)
    if frame.n_patients < 2 and options.samples:
        notes.append("one patient only: there is nothing to resample, so there are no intervals")
        weight = weight[:, :0]
    summaries, curves, found, tallies = [], [], [], []
    lesions = marks = pd.DataFrame()
    for number, table in enumerate(tables):
        if options.target == "clusters" and options.flagged_only and "flagged" in table:
            dropped = int((~table["flagged"]).sum())
            table = table[table["flagged"]].reset_index(drop=True)
            if dropped:
                notes.append(f"{names[number]}: {dropped} groups that are not flagged are left out")
        own = build_marks(table, frame)
        whose = (members, versus_members)[number]
        matching, tally, parts, described = _match(own, whose, known, frame, options, columns)
        if number == 0:
            lesions = described.assign(rating=matching.rating, counted=matching.counted)
            marks = table.loc[own.row].reset_index(drop=True)
            marks["status"] = [_STATUS.get(int(s), "not counted") for s in matching.status]
            notes += _remarks(tally, own, options)
            notes += _doubts(own, known, frame, images)
        results = figures(tally, parts, weight, options)
        found.append(results)
        tallies.append(tally)
        summaries.append(summary_table(results, names[number], options.confidence))
        curves.append(curve_table(tally, weight, options, names[number]))
    return Evaluation(
        options=options,
        names=names if versus is not None else names[:1],
        summary=pd.concat(summaries, ignore_index=True),
        froc=pd.concat(curves, ignore_index=True),
        differences=differences_table(found[0], found[1], options.confidence) if versus is not None else None,
        denominators=_denominators(frame),
        lesions=lesions,
        marks=marks,
        images=pd.DataFrame({"image": frame.names, "normal": frame.normal, "patient": frame.patient}),
        tallies=tuple(tallies),
        notes=tuple(dict.fromkeys(notes)),
    )


def _without_points(points: Points, regions: Regions) -> Regions:
    """Turn regions that hold no point into don't-cares: their calcifications were not marked one by one.

    Other regions only outline groups, which single calcifications have no use for.
    """
    if len(regions) > int(regions.ignore.sum()) and not len(points):
        raise TableError(
            "boxes and circles of the truth tell of regions, not of single calcifications",
            "evaluate clusters (target='clusters', --target clusters), or mark them with ignore = 1",
        )
    ignore = regions.ignore.copy()
    for number in np.flatnonzero(~regions.ignore):
        own = points.image == regions.image[number]
        place, box = points.place_mm[own], regions.box_mm[number]
        inside = ((place >= box[:2]) & (place <= box[2:])).all(axis=1)
        name = regions.cluster[number]
        ignore[number] = not (inside.any() or (name != "" and (points.cluster[own] == name).any()))
    return dataclasses.replace(regions, ignore=ignore)


def _present(
    columns: Mapping[str, str] | None, table: pd.DataFrame, tables: list[pd.DataFrame]
) -> dict[str, str]:
    """Return the names that concern a table: a name may be meant for another of the tables, but for one."""
    return {
        name: column
        for name, column in (columns or {}).items()
        if column in table.columns or not any(column in other.columns for other in tables)
    }


def _match(
    own: Marks,
    members: pd.DataFrame | None,
    truth: pd.DataFrame,
    frame: Images,
    options: Options,
    columns: Mapping[str, str] | None,
) -> tuple[Matching, Tally, list[Subset], pd.DataFrame]:
    """Match one detector's marks; return also the parts of the truth and a table of its lesions."""
    points, regions = build_truth(truth, frame)
    if options.target == "calcifications":
        regions = _without_points(points, regions)
        if options.min_snr is not None:
            with np.errstate(invalid="ignore"):
                weak = points.snr < options.min_snr
            points = dataclasses.replace(points, ignore=points.ignore | weak)
        matching = match_calcifications(own, points, regions, options.rule_name)
        parts = subsets_of_points(points, frame)
        image = points.image
        described = pd.DataFrame(
            {
                "image": [frame.names[i] for i in image],
                "row_mm": points.place_mm[:, 0],
                "col_mm": points.place_mm[:, 1],
                "diameter_mm": points.diameter_mm,
                "snr": points.snr,
                "cluster": points.cluster,
            }
        )
    else:
        inside = None
        if members is not None:
            names = {n: c for n, c in (columns or {}).items() if c in members.columns}
            table = standardise(
                members, what="members", required=("image", "x", "y", "cluster"), columns=names
            )
            inside = build_marks(table[table["cluster"] != ""].reset_index(drop=True), frame, "members")
        clusters = true_clusters(points, regions, min_members=options.min_members, min_snr=options.min_snr)
        matching = match_clusters(own, inside, clusters, regions, options.rule_name)
        parts = subsets_of_clusters(clusters)
        image = np.array([cluster.image for cluster in clusters], dtype=np.int64)
        centre = np.array([cluster.centre_mm for cluster in clusters]).reshape(-1, 2)
        described = pd.DataFrame(
            {
                "image": [frame.names[i] for i in image],
                "row_mm": centre[:, 0],
                "col_mm": centre[:, 1],
                "members": [len(cluster.members) for cluster in clusters],
            }
        )
    tally = Tally.of(matching, own.score, own.image, image, frame)
    parts = [Subset(p.by, p.bin, p.lesions[matching.counted]) for p in parts]
    return matching, tally, [p for p in parts if p.lesions.any()], described


def _remarks(tally: Tally, own: Marks, options: Options) -> list[str]:
    notes = []
    if not len(tally.rating):
        notes.append("the truth holds nothing that counts: there is no sensitivity")
    if not len(own):
        notes.append("there are no detections")
    if not tally.images.normal.any():
        notes.append("no image is normal: false positives are counted on images with findings too, no JAFROC")
    if "cm2" in options.units and not (tally.images.area_cm2 > 0).all():
        notes.append("the breast area of some images is not known: no false positives per cm²")
    for note in notes:
        logger.warning(note)
    return notes


def _doubts(own: Marks, truth: pd.DataFrame, frame: Images, images: pd.DataFrame | None) -> list[str]:
    """Return what a truth that fits badly looks like."""
    notes = [doubled_rows(truth)]
    points, regions = build_truth(truth, frame)
    true_images = np.unique(np.concatenate([points.image, regions.image]))
    marked = np.unique(own.image)
    if len(true_images) and len(marked) and not np.isin(true_images, marked).any():
        how = misnamed([frame.names[i] for i in true_images], [frame.names[i] for i in marked])
        if how:
            notes.append(
                f"no image with truth has a detection, and their names differ {how}: compare names without "
                "folder and extension (name_match='stem', --names stem), or correct them"
            )
    notes.append(misfit(own, points, regions, frame, _sizes(images)))
    notes = [note for note in notes if note]
    for note in notes:
        logger.warning(note)
    return notes


def _sizes(images: pd.DataFrame | None) -> npt.NDArray[np.float64] | None:
    """Return rows and columns of the images where their table tells them, as images.csv does."""
    if images is None or not {"rows", "cols"} <= set(images.columns):
        return None
    sides = [pd.to_numeric(images[name], errors="coerce") for name in ("rows", "cols")]
    return np.column_stack(sides).astype(np.float64)


def _denominators(frame: Images) -> pd.DataFrame:
    rows = []
    for pool, inside in (("all", np.ones(len(frame.names), dtype=bool)), ("normal", frame.normal)):
        rows.append(
            {
                "pool": pool,
                "images": int(inside.sum()),
                "area_cm2": float(frame.area_cm2[inside].sum()),
                "patients": len(np.unique(frame.patient[inside])),
            }
        )
    return pd.DataFrame(rows)
