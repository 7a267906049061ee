"""Drawn pairs of views, detected and matched: groups at stated distances to the nipple."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from two_view_breasts import Group3D, project

import mcdetect
from mcdetect.exams.studies import ViewImage, study_tables
from mcdetect.exams.studies.tables import BOTH, ONE
from mcdetect.phantom import CalcificationSpec, draw_mammogram, insert_calcifications
from mcdetect.phantom.breast_outline import draw_outline

SHAPE, SPACING_MM = (1700, 1400), 0.1
PLACES = {"near": (30.0, 8.0, 12.0), "deep": (60.0, -18.0, -10.0), "alone": (42.0, 26.0, 0.0)}
"""Centres of the groups: depth behind the nipple, to the side, upwards, in mm."""
OFF_MM = 5.0
"""Most that a measured distance to the nipple, estimated as it is, may be off."""


def nipple_mm(view: str, seed: int) -> tuple[float, float]:
    """Return where the phantom of that seed has its nipple."""
    stream = np.random.default_rng(np.random.SeedSequence(seed).spawn(8)[0])
    return draw_outline(SHAPE, (SPACING_MM, SPACING_MM), view, stream).nipple_mm


def make_group(
    place: tuple[float, float, float], n: int, size_mm: float, rng: np.random.Generator
) -> Group3D:
    directions = rng.normal(size=(n, 3))
    directions *= (rng.random((n, 1)) ** (1 / 3)) / np.linalg.norm(directions, axis=1, keepdims=True)
    return Group3D(np.array(place) + size_mm * directions, rng.uniform(0.25, 0.45, n), rng.uniform(12, 25, n))


def detect_view(groups: list[Group3D], view: str, seed: int) -> tuple[ViewImage, list[float]]:
    """Draw a view with groups, detect, and return the result with the true distances to the nipple."""
    drawn = draw_mammogram(SHAPE, SPACING_MM, seed=seed, view=view)
    row_mm, col_mm = nipple_mm(view, seed)
    specs, distances = [], []
    for number, group in enumerate(groups, start=1):
        across, behind = project(group, view).T
        row, col = row_mm + across, col_mm - behind
        distances.append(float(np.hypot(row.mean() - row_mm, col.mean() - col_mm)))
        specs += [
            CalcificationSpec(r / SPACING_MM - 0.5, c / SPACING_MM - 0.5, d, snr=s, group_id=number)
            for r, c, d, s in zip(row, col, group.diameter_mm, group.contrast, strict=True)
        ]
    mammogram = drawn.to_mammogram()
    pixels, _ = insert_calcifications(
        mammogram.pixels, SPACING_MM, specs, rng=np.random.default_rng(seed), mask=drawn.breast, grey_step=1.0
    )
    result = mcdetect.detect(dataclasses.replace(mammogram, pixels=pixels, source=f"{view}.dcm"))
    return ViewImage(f"{view}.dcm", "one", "L", view, False, result.clusters), distances


def found_at(images: dict[str, ViewImage], row: pd.Series, view: str) -> float:
    """Return the distance to the nipple of a finding in one view."""
    prefix = "" if row["view"] == view else "other_"
    clusters = images[view].clusters.set_index("cluster_id")
    return float(clusters.loc[row[f"{prefix}cluster_id"], "nipple_distance_mm"])


@pytest.mark.slow
@pytest.mark.parametrize("seed", [11, 12])
def test_groups_of_a_drawn_pair(seed: int) -> None:
    rng = np.random.default_rng(seed)
    near = make_group(PLACES["near"], 14, 5.0, rng)
    deep = make_group(PLACES["deep"], 8, 2.5, rng)
    alone = make_group(PLACES["alone"], 10, 4.0, rng)
    first, cc_mm = detect_view([near, deep, alone], "CC", seed)
    second, mlo_mm = detect_view([near, deep], "MLO", seed + 100)
    findings = study_tables([second, first])["findings"]
    flagged = findings[findings["flagged"]]
    images = {"CC": first, "MLO": second}
    for number in range(2):
        chosen = [
            row
            for _, row in flagged[flagged["seen_in"] == BOTH].iterrows()
            if abs(found_at(images, row, "CC") - cc_mm[number]) < OFF_MM
        ]
        assert len(chosen) == 1
        assert abs(found_at(images, chosen[0], "MLO") - mlo_mm[number]) < OFF_MM
        assert chosen[0]["two_view_score"] > chosen[0]["score"]
    lone = flagged[(flagged["seen_in"] == ONE) & (flagged["view"] == "CC")]
    assert np.abs(lone["nipple_distance_mm"] - cc_mm[2]).min() < OFF_MM
