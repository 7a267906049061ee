"""The tables of examinations and of findings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mcdetect.config import StudyConfig
from mcdetect.exams.studies.grouping import (
    BOX_COLUMNS,
    CRANIOCAUDAL,
    OBLIQUE,
    ViewImage,
    family,
    group_images,
)
from mcdetect.exams.studies.magnified import match_magnified
from mcdetect.exams.studies.matching import match_views
from mcdetect.schema import FINDINGS, STUDIES, make_table

__all__ = [
    "BOTH",
    "MAGNIFIED_ONLY",
    "NOT_COMPARED",
    "ONE",
    "study_tables",
    "tables_of_groups",
    "two_view_score",
]

_RAW_LAST = {"FOR PRESENTATION": 0, "FOR PROCESSING": 2}  # Technical: order
_MARGIN_MM = 2.0  # Judged: by which the box of one group may miss that of the same group in a copy

BOTH, ONE, NOT_COMPARED = "both views", "one of two views", "not compared"
MAGNIFIED_ONLY = "magnification view only"


def two_view_score(score: float, other: float, mismatch: float, limit: float) -> float:
    """Return the score of a group that both views show.

    It starts from the higher of the two and gains up to one unit of log-odds, the more alike the two are;
    so it is never lower than that of either view.

    Parameters
    ----------
    score, other : float
        Scores in either view, 0 to 1.
    mismatch : float
        From `mcdetect.exams.studies.matching.match_views`.
    limit : float
        The mismatch at which a pair is no longer accepted.
    """
    higher = min(max(score, other, 1e-12), 1.0 - 1e-12)
    gain = 1.0 - (mismatch / limit) ** 2
    return float(1.0 / (1.0 + (1.0 - higher) / higher * np.exp(-gain)))


def study_tables(
    images: Sequence[ViewImage], config: StudyConfig | None = None, *, by: str = "auto"
) -> dict[str, pd.DataFrame]:
    """Make the tables of examinations and findings.

    Parameters
    ----------
    images : sequence of ViewImage
        In any order; the tables do not depend on it.
    config : StudyConfig, optional
        Limits of the matching.
    by : {"auto", "folder"}
        How images are grouped, see `mcdetect.exams.studies.group_images`.

    Returns
    -------
    dict of str to DataFrame
        "studies" and "findings", with the columns of `mcdetect.schema.STUDIES` and `FINDINGS`. Examinations
        are numbered from 1; nothing of the header but laterality and view is in them.
    """
    return tables_of_groups(group_images(images, by), config)


def tables_of_groups(
    groups: Sequence[Sequence[ViewImage]], config: StudyConfig | None = None, *, first: int = 1
) -> dict[str, pd.DataFrame]:
    """Make the tables of some examinations, so that many need not be held at once.

    Parameters
    ----------
    groups : sequence of sequence of ViewImage
        As `group_images` returns them, or a part of it.
    config : StudyConfig, optional
        Limits of the matching.
    first : int
        Number of the first examination.

    Returns
    -------
    dict of str to DataFrame
        As `study_tables`.
    """
    config = config or StudyConfig()
    studies: list[dict[str, Any]] = []
    findings: list[dict[str, Any]] = []
    for number, members in enumerate(groups, start=first):
        found: list[dict[str, Any]] = []
        for side in sorted({image.laterality for image in members}):
            found += _findings_of_breast([image for image in members if image.laterality == side], config)
        found = _once_each(found, members)
        found.sort(key=lambda row: (-row["two_view_score"], row["file"], row["cluster_id"]))
        for finding_id, row in enumerate(found, start=1):
            findings.append({"study": number, "finding_id": finding_id} | row)
        studies.append({"study": number} | _summary(members, found))
    return {"studies": _table(STUDIES, studies), "findings": _table(FINDINGS, findings)}


def _table(columns: Any, rows: list[dict[str, Any]]) -> pd.DataFrame:
    return make_table(columns, {column.name: [row[column.name] for row in rows] for column in columns})


def _findings_of_breast(images: list[ViewImage], config: StudyConfig) -> list[dict[str, Any]]:
    first, second = _representative(images, CRANIOCAUDAL), _representative(images, OBLIQUE)
    comparable = bool(first and second and images[0].laterality)
    rows: list[dict[str, Any]] = []
    paired: set[tuple[str, int]] = set()
    if first is not None and second is not None and comparable:
        pairing = match_views(first.clusters, second.clusters, config)
        for i, j, mismatch, difference in zip(
            pairing.first, pairing.second, pairing.mismatch, pairing.distance_difference_mm, strict=True
        ):
            one, two = _seen(first, int(i)), _seen(second, int(j))
            paired |= {(one["file"], one["cluster_id"]), (two["file"], two["cluster_id"])}
            leading, other = (one, two) if one["score"] >= two["score"] else (two, one)
            rows.append(
                leading
                | {f"other_{name}": other[name] for name in _OTHER}
                | {
                    "flagged": one["flagged"] or two["flagged"],
                    "seen_in": BOTH,
                    "mismatch": float(mismatch),
                    "distance_difference_mm": abs(float(difference)),
                    "two_view_score": two_view_score(
                        one["score"], two["score"], float(mismatch), config.max_mismatch
                    ),
                }
            )
    magnified = [image for image in images if image.magnified]
    full = [image for image in (first, second) if image is not None and image.laterality]
    for image in images:
        if image in magnified:
            continue
        compared = comparable and (image is first or image is second)
        for index in range(len(image.clusters)):
            row = _seen(image, index)
            if (row["file"], row["cluster_id"]) not in paired:
                rows.append(
                    row
                    | {f"other_{name}": value for name, value in _OTHER.items()}
                    | {
                        "seen_in": ONE if compared else NOT_COMPARED,
                        "mismatch": np.nan,
                        "distance_difference_mm": np.nan,
                        "two_view_score": row["score"],
                    }
                )
    return _with_magnified(rows, full, magnified, config)


def _with_magnified(
    rows: list[dict[str, Any]], full: list[ViewImage], magnified: list[ViewImage], config: StudyConfig
) -> list[dict[str, Any]]:
    """Add to the findings what magnification views show of them, and what these alone show."""
    nothing = {f"magnified_{name}": value for name, value in _MAGNIFIED.items()}
    rows = [row | nothing | {"magnified_mismatch": np.nan} for row in rows]
    at = {(row[f"{who}file"], row[f"{who}cluster_id"]): row for row in rows for who in ("", "other_")}
    paired: set[tuple[str, int]] = set()
    for pair in match_magnified(full, magnified, config):
        seen, shown = _seen(*pair.full), _seen(*pair.magnified)
        paired.add((shown["file"], shown["cluster_id"]))
        row = at[seen["file"], seen["cluster_id"]]
        row["flagged"] = row["flagged"] or shown["flagged"]
        if not pair.mismatch >= row["magnified_mismatch"]:  # the first, or a better one
            image, index = pair.magnified
            row |= {f"magnified_{name}": value for name, value in _shape(image, index, shown).items()}
            row["magnified_mismatch"] = pair.mismatch
    for image in magnified:
        for index in range(len(image.clusters)):
            row = _seen(image, index)
            if (row["file"], row["cluster_id"]) not in paired:
                rows.append(
                    row
                    | {f"other_{name}": value for name, value in _OTHER.items()}
                    | nothing
                    | {
                        "seen_in": MAGNIFIED_ONLY if full else NOT_COMPARED,
                        "mismatch": np.nan,
                        "distance_difference_mm": np.nan,
                        "two_view_score": row["score"],
                        "magnified_mismatch": np.nan,
                    }
                )
    return rows


_MAGNIFIED: dict[str, Any] = {
    "file": "",
    "cluster_id": 0,
    "view": "",
    "score": np.nan,
    "n_calcifications": 0,
    "morphology": "",
}


def _shape(image: ViewImage, index: int, seen: dict[str, Any]) -> dict[str, Any]:
    """Return what a magnification view shows of a group."""
    cluster = image.clusters.iloc[index]
    return {
        **{name: seen[name] for name in ("file", "cluster_id", "view", "score")},
        "n_calcifications": int(cluster["n_calcifications"]),
        "morphology": str(cluster.get("morphology", "")),
    }


_OTHER: dict[str, Any] = {
    "file": "",
    "cluster_id": 0,
    "view": "",
    "score": np.nan,
    "nipple_distance_mm": np.nan,
}


def _seen(image: ViewImage, index: int) -> dict[str, Any]:
    """Return what a finding states of a group in one view."""
    clusters: Any = image.clusters
    return {
        "laterality": image.laterality,
        "file": image.file,
        "cluster_id": int(clusters["cluster_id"].iat[index]),
        "view": image.view,
        "flagged": bool(clusters["flagged"].iat[index]),
        "score": float(clusters["score"].iat[index]),
        "nipple_distance_mm": float(clusters["nipple_distance_mm"].iat[index]),
    }


def _representative(images: list[ViewImage], views: tuple[str, ...]) -> ViewImage | None:
    """Return the image to compare of those that show the breast in one direction."""
    fit = [image for image in images if image.view in views and not image.special]
    return min(fit, key=lambda image: (views.index(image.view), *_rank(image)), default=None)


def _rank(image: ViewImage) -> tuple[bool, int, str]:
    """Order the copies of an exposure: those of known view first, of them what is made to be looked at."""
    return not image.view, _RAW_LAST.get(image.intent, 1), image.file


def _once_each(findings: list[dict[str, Any]], images: Sequence[ViewImage]) -> list[dict[str, Any]]:
    """Leave out what is found in a copy of an exposure where its leading image shows a group, too.

    A group that is flagged in any copy is flagged, and has the highest of the scores.
    """
    of = {image.file: image for image in images}
    leading: dict[int, ViewImage] = {}
    for image in sorted(images, key=_rank):
        if image.exposure:
            leading.setdefault(image.exposure, image)
    kept = [row for row in findings if _leads(of[row["file"]], leading)]
    for row in findings:
        image = of[row["file"]]
        if _leads(image, leading):
            continue
        same = [other for other in kept if _shows(other, image, row["cluster_id"], of)]
        if not same:
            kept.append(row)
            continue
        same[0]["flagged"] = same[0]["flagged"] or row["flagged"]
        same[0]["two_view_score"] = max(same[0]["two_view_score"], row["two_view_score"])
    return kept


def _leads(image: ViewImage, leading: dict[int, ViewImage]) -> bool:
    return leading.get(image.exposure, image) is image


def _shows(finding: dict[str, Any], image: ViewImage, cluster: int, of: dict[str, ViewImage]) -> bool:
    """Tell whether a finding is that of a group in a copy of one of its images."""
    seen = ((finding["file"], finding["cluster_id"]), (finding["other_file"], finding["other_cluster_id"]))
    return any(
        file and of[file].exposure == image.exposure and _overlap(of[file], own, image, cluster)
        for file, own in seen
    )


def _overlap(one: ViewImage, cluster: int, two: ViewImage, other: int) -> bool:
    """Tell whether the boxes of two groups overlap, each a little enlarged."""
    first, second = _box_mm(one, cluster), _box_mm(two, other)
    if first is None or second is None:
        return False
    return all(
        first[axis] - _MARGIN_MM <= second[axis + 2] and second[axis] - _MARGIN_MM <= first[axis + 2]
        for axis in (0, 1)
    )


def _box_mm(image: ViewImage, cluster: int) -> list[float] | None:
    rows = image.clusters[image.clusters["cluster_id"] == cluster]
    if rows.empty or not set(BOX_COLUMNS) <= set(rows.columns):
        return None
    return [float(rows[name].iloc[0]) * image.spacing_mm[k % 2] for k, name in enumerate(BOX_COLUMNS)]


def _summary(images: Sequence[ViewImage], findings: list[dict[str, Any]]) -> dict[str, Any]:
    flagged = [row for row in findings if row["flagged"]]
    sides = sorted({image.laterality for image in images if image.laterality})
    there = {(image.laterality, family(image.view)) for image in images if not image.special}
    lacking = [
        f"{side} {views[0]}"
        for side in sides
        for views in (CRANIOCAUDAL, OBLIQUE)
        if (side, views) not in there
    ]
    best = max(flagged, key=lambda row: row["two_view_score"], default=None)
    seen = [row["seen_in"] for row in flagged]
    return {
        "n_images": len(images),
        "views": ", ".join(
            sorted(f"{image.laterality} {image.view}".strip() or "unknown" for image in images)
        ),
        "missing_views": ", ".join(lacking),
        "n_clusters": sum(len(image.clusters) for image in images),
        "n_flagged": sum(int(image.clusters["flagged"].sum()) for image in images),
        "n_findings": len(flagged),
        "n_both_views": seen.count(BOTH),
        "n_one_view": seen.count(ONE),
        "n_not_compared": seen.count(NOT_COMPARED),
        "best_score": np.nan if best is None else best["two_view_score"],
        "best_laterality": "" if best is None else best["laterality"],
        "best_finding_id": 0 if best is None else findings.index(best) + 1,
        "files": "; ".join(image.file for image in images),
    }
