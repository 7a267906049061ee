"""Forms of drawn calcifications: position, size, form, and the walls of an artery."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mcdetect.phantom import CalcificationSpec, draw_member, insert_calcifications, vessel_walls_mm

SPACING = 0.05


def moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centroid in px from the middle and covariance in mm2."""
    at = [np.arange(size) - size // 2 for size in values.shape]
    grid = np.stack(np.meshgrid(*at, indexing="ij"), axis=-1).reshape(-1, 2)
    weight = values.ravel() / values.sum()
    centre = weight @ grid
    return centre, ((grid - centre).T * weight) @ (grid - centre) * SPACING**2


@pytest.mark.parametrize("form", ["rod", "branch", "rim"])
@pytest.mark.parametrize("offset", [(0.0, 0.0), (0.4, -0.3)])
def test_the_centroid_lies_where_it_was_asked_for(form: str, offset: tuple[float, float]) -> None:
    stamp = draw_member(
        0.6, SPACING, form=form, orientation=0.7, offset_px=offset, rng=np.random.default_rng(1)
    )
    centre, _ = moments(stamp.values)
    assert centre == pytest.approx(offset, abs=0.02)
    assert stamp.values.max() == 1.0
    assert stamp.values[[0, -1]].max() < 1e-3


@pytest.mark.parametrize("form", ["rod", "branch"])
def test_rods_and_branches_are_long_along_their_direction(form: str) -> None:
    angle = 0.6
    stamp = draw_member(
        0.6,
        SPACING,
        form=form,
        elongation=5.0,
        orientation=angle,
        irregularity=0.0,
        rng=np.random.default_rng(2),
    )
    _, spread = moments(stamp.values)
    sizes, axes = np.linalg.eigh(spread)
    turn = math.atan2(axes[0, 1], axes[1, 1]) - angle
    assert abs(math.sin(turn)) < (0.05 if form == "rod" else 0.35)
    assert sizes[1] / sizes[0] > (10 if form == "rod" else 3)


def test_a_rod_has_the_area_asked_for() -> None:
    stamp = draw_member(
        0.6, 0.01, form="rod", elongation=4.0, irregularity=0.0, blur=0.0, rng=np.random.default_rng(0)
    )
    area = np.count_nonzero(stamp.values > 0) * 0.01**2
    assert area == pytest.approx(math.pi * 0.3**2, rel=0.08)


def test_a_rim_has_a_lucent_centre() -> None:
    stamp = draw_member(1.2, SPACING, form="rim", rng=np.random.default_rng(0))
    middle = stamp.values.shape[0] // 2
    profile = stamp.values[middle]
    assert profile[middle] < 0.75 * profile.max()
    wide = np.ptp(np.flatnonzero(profile > 0.5)) * SPACING
    assert wide == pytest.approx(1.1, abs=0.15)


def test_forms_are_inserted_like_grains() -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(100, 1, (200, 200)).astype(np.float32)
    specs = [
        CalcificationSpec(60.3, 70.0, 0.6, contrast=40.0, elongation=5.0, form="rod"),
        CalcificationSpec(140.0, 120.0, 1.0, contrast=40.0, form="rim"),
    ]
    out, truth = insert_calcifications(image, SPACING, specs, rng=rng)
    assert (out - image)[60, 60:80].max() == pytest.approx(40.0, rel=0.1)
    assert truth["diameter_mm"].tolist() == [0.6, 1.0]


@pytest.mark.parametrize(
    ("change", "words"),
    [({"form": "star"}, "star"), ({"diameter_mm": 0.0}, "diameter_mm"), ({"elongation": 0.5}, "elongation")],
)
def test_wrong_arguments(change: dict, words: str) -> None:
    usual = {"diameter_mm": 0.5, "spacing": 0.1, "form": "rod", "rng": np.random.default_rng(0)}
    with pytest.raises(ValueError, match=words):
        draw_member(**(usual | change))


def test_walls_of_an_artery_keep_their_distance() -> None:
    points, direction = vessel_walls_mm(40.0, 1.5, np.random.default_rng(3), heading=0.5)
    assert np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1)).max() == pytest.approx(
        40.0, rel=0.1
    )
    normal = np.stack([np.cos(direction), -np.sin(direction)], axis=1)
    away = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    other = np.argmin(
        np.where(np.abs(((points[:, None] - points[None]) * normal[:, None]).sum(-1)) > 0.8, away, 99), 1
    )
    across = np.abs(((points - points[other]) * normal).sum(axis=1))
    assert np.median(across) == pytest.approx(1.5, abs=0.15)
    with pytest.raises(ValueError, match="positive"):
        vessel_walls_mm(0.0, 1.0, np.random.default_rng(0))
