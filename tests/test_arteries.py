"""Calcified arteries: one finding each, found before groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tissue_scenes import STEP_MM, add_band, add_specks, course, tissue, tram_track

from mcdetect import Config, detect
from mcdetect.clusters.arteries import find_arteries
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.spots.bands import find_bands
from mcdetect.spots.coarse import coarsen


class Straight:
    """A band wherever it is looked for."""

    def __init__(self, share: float = 1.0, height: float = 4.0) -> None:
        self.answer = share, height

    def along(self, start_mm, end_mm):
        n = len(start_mm)
        return np.full(n, self.answer[0]), np.full((n, 2), self.answer[1])


def row_of(n: int, step_mm: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    col = np.arange(n) * step_mm
    return 20.0 + 0.4 * (-1.0) ** np.arange(n), 10.0 + col


def test_a_row_along_a_band_is_one_artery() -> None:
    row, col = row_of(20)
    found = find_arteries(row, col, np.full(20, 30.0), Straight())
    assert len(found) == 1
    assert (found.label == 1).all()
    assert found.beside(np.array([20.0, 25.0]), np.array([15.0, 15.0])).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("n", "step_mm", "skin_mm", "band"),
    [
        (9, 1.0, 30.0, Straight()),  # too short: a ductal row
        (20, 1.0, 2.0, Straight()),  # the skin
        (20, 1.0, 30.0, Straight(share=0.5)),  # no band runs along it
        (20, 1.0, 30.0, Straight(height=0.5)),  # none that stands out
        (20, 1.0, 30.0, Straight(height=40.0)),  # a fold, an implant
        (7, 6.0, 30.0, Straight()),  # chance: too sparse
    ],
)
def test_what_is_no_artery(n: int, step_mm: float, skin_mm: float, band: Straight) -> None:
    row, col = row_of(n, step_mm)
    found = find_arteries(row, col, np.full(n, skin_mm), band)
    assert len(found) == 0
    assert not found.label.any()


def test_a_crowd_is_no_artery() -> None:
    rng = np.random.default_rng(3)
    row, col = rng.uniform(0.0, 15.0, (2, 60))
    assert len(find_arteries(row, col, np.full(60, 30.0), Straight())) == 0


@pytest.mark.parametrize("n", [0, 1, 5])
def test_few_calcifications(n: int) -> None:
    row, col = row_of(n)
    assert len(find_arteries(row, col, np.full(n, 30.0), Straight())) == 0


def test_bands_answer_along_the_vessel_only() -> None:
    image = tissue() * 0.0 + 1000.0
    add_band(image, 5.0, 70.0, 40.0)
    coarse = coarsen(
        image, (0, 0), PixelSpacing(STEP_MM, STEP_MM, "given"), lambda r, c: np.full(r.size, 200.0)
    )
    bands = find_bands(coarse)
    here = np.array([[float(course(np.array(30.0))), 30.0]])
    ahead = np.array([[float(course(np.array(40.0))), 40.0]])
    aside = here + np.array([[10.0, 0.0]])
    share, height = bands.along(np.vstack([here, here]), np.vstack([ahead, aside]))
    assert share[0] > 0.9 > 0.5 > share[1]
    assert height[0, 0] > height[1, 0]


def drawn():
    image = tissue()
    add_band(image, 8.0, 70.0, 45.0)
    add_specks(image, tram_track(10.0, 66.0, (30.0, 37.0)), 110.0)
    rng = np.random.default_rng(1)
    group = np.column_stack([rng.uniform(0.0, 5.0, 9) + 47.0, rng.uniform(0.0, 5.0, 9) + 34.0])
    add_specks(image, group, 110.0)
    return image


@pytest.fixture(scope="module")
def scene():
    return detect(drawn(), STEP_MM, Config())


def test_a_tram_track_with_a_gap_is_one_finding(scene) -> None:
    vessels = scene.clusters[scene.clusters.vascular_length_mm > 0]
    assert len(vessels) == 1
    vessel = vessels.iloc[0]
    assert 45.0 < vessel.vascular_length_mm < 65.0
    assert vessel.vascular_area_mm2 > 1.0
    assert vessel.flagged
    assert vessel.benign_kind == "vascular"
    assert vessel.suspicion < 20.0
    summary = scene.summary().iloc[0]
    assert summary.n_vessels == 1
    assert summary.vascular_length_mm == pytest.approx(vessel.vascular_length_mm)


def test_a_group_beside_it_stays_its_own(scene) -> None:
    others = scene.clusters[scene.clusters.flagged & (scene.clusters.vascular_length_mm == 0)]
    assert len(others) == 1
    assert others.iloc[0].n_calcifications >= 7
    assert others.iloc[0].benign_kind != "vascular"
    assert others.iloc[0].vascular_area_mm2 == 0.0


def test_a_vessel_has_the_last_number_and_can_be_hidden(scene) -> None:
    flagged = scene.clusters[scene.clusters.flagged]
    assert flagged.benign_kind.tolist() == ["", "vascular"]
    assert flagged.cluster_id.tolist() == [1, 2]
    members = scene.calcifications[scene.calcifications.cluster_id == 2]
    assert (members.vascular == 1.0).all()
    summary = scene.summary().iloc[0]
    assert (summary.n_flagged, summary.n_flagged_not_benign, summary.n_benign) == (2, 1, 1)

    hidden = detect(drawn(), STEP_MM, Config().replace(hide_benign=True))
    assert hidden.clusters.flagged.tolist() == [
        flagged and kind == ""
        for flagged, kind in zip(scene.clusters.flagged, scene.clusters.benign_kind, strict=True)
    ]
    summary = hidden.summary().iloc[0]
    assert (summary.n_flagged, summary.n_flagged_not_benign, summary.n_benign) == (1, 1, 1)
    same = [name for name in scene.clusters if name != "flagged"]
    pd.testing.assert_frame_equal(hidden.clusters[same], scene.clusters[same])


def test_doubtful_spots_help_but_do_not_count() -> None:
    row, col = row_of(20)
    sure = np.arange(20) % 2 == 0
    found = find_arteries(row, col, np.full(20, 30.0), Straight(), sure)
    assert len(found) == 1
    assert ((found.label == 1) == sure).all()
    few = np.arange(20) < 5
    assert len(find_arteries(row, col, np.full(20, 30.0), Straight(), few)) == 0
