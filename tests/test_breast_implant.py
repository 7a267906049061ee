"""A breast implant is told from muscle, masses and dense tissue, and is not searched."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from breast_phantom import Phantom, draw_breast
from scipy.ndimage import gaussian_filter

from mcdetect import detect

Box = tuple[float, float, float, float]
IMPLANTS: list[Box] = [(80.0, 20.0, 36.0, 32.0), (85.0, 30.0, 34.0, 28.0), (75.0, 18.0, 35.0, 30.0)]
"""Middle row and column, and half the height and width, in mm: cut off at the chest wall, or whole."""


def inside(drawn: Phantom, box: Box) -> npt.NDArray[np.bool_]:
    row = (np.arange(drawn.pixels.shape[0])[:, None] + 0.5) * drawn.spacing_mm[0] - box[0]
    col = (np.arange(drawn.pixels.shape[1])[None, :] + 0.5) * drawn.spacing_mm[1] - box[1]
    return (row / box[2]) ** 2 + (col / box[3]) ** 2 < 1.0


def with_implant(
    drawn: Phantom, box: Box, level: float = 3300.0, texture: float = 0.0
) -> npt.NDArray[np.bool_]:
    """Draw an implant into a breast; return where it lies."""
    rng = np.random.default_rng(5)
    shape = inside(drawn, box)
    cloud = gaussian_filter(rng.normal(size=shape.shape), 3.0 / drawn.spacing_mm[0])
    value = level + texture * cloud / cloud.std() + rng.normal(0.0, 12.0, shape.shape)
    edge = gaussian_filter(shape.astype(float), 0.5 / drawn.spacing_mm[0])
    drawn.pixels[:] = (drawn.pixels * (1.0 - edge) + value * edge).astype(np.float32)
    return shape


@pytest.mark.parametrize(("box", "muscle"), [*((box, None) for box in IMPLANTS), (IMPLANTS[1], (60.0, 30.0))])
def test_an_implant_is_measured_and_not_searched(box: Box, muscle: tuple[float, float] | None) -> None:
    drawn = draw_breast(muscle_mm=muscle)
    before = drawn.region()
    shape = with_implant(drawn, box)
    region = drawn.region()
    area = shape.sum() * drawn.spacing_mm[0] * drawn.spacing_mm[1]
    assert region.implant_mm2 == pytest.approx(area, rel=0.2)
    assert not region.searched[shape].any()
    assert region.mask[shape].mean() > 0.99
    away = cv2.dilate(shape.astype(np.uint8), np.ones((61, 61), np.uint8)) == 0
    # what lies more than 6 mm beside it is searched as before
    assert region.searched[away].sum() >= 0.9 * before.searched[away].sum()


@pytest.mark.parametrize("spacing_mm", [(0.2, 0.2), (0.15, 0.25)])
def test_it_does_not_depend_on_grey_scale_side_or_spacing(spacing_mm: tuple[float, float]) -> None:
    drawn = draw_breast(spacing_mm)
    shape = with_implant(drawn, IMPLANTS[0])
    area = shape.sum() * spacing_mm[0] * spacing_mm[1]
    for pixels in (drawn.pixels, 0.25 * drawn.pixels + 500.0, drawn.pixels[::-1, ::-1]):
        turned = Phantom(np.ascontiguousarray(pixels, np.float32), drawn.breast, spacing_mm)
        assert turned.region().implant_mm2 == pytest.approx(area, rel=0.2)


def test_no_implant_is_seen_without_one() -> None:
    for muscle in (None, (60.0, 30.0), (90.0, 45.0)):
        for seed in range(3):
            assert draw_breast(muscle_mm=muscle, seed=seed).region().implant_mm2 == 0.0


@pytest.mark.parametrize(
    ("box", "level", "texture"),
    [
        ((80.0, 30.0, 20.0, 18.0), 3300.0, 0.0),  # a large mass
        ((80.0, 28.0, 36.0, 24.0), 2600.0, 250.0),  # a dense breast
        ((80.0, 28.0, 36.0, 24.0), 1600.0, 0.0),  # without a step there is nothing to tell
    ],
)
def test_masses_and_dense_tissue_are_searched(box: Box, level: float, texture: float) -> None:
    drawn = draw_breast()
    shape = with_implant(drawn, box, level, texture)
    region = drawn.region()
    assert region.implant_mm2 == 0.0
    assert region.searched[shape].mean() > 0.5


def test_calcifications_in_front_of_it_do_not_hide_it() -> None:
    drawn = draw_breast((0.1, 0.1))
    shape = with_implant(drawn, IMPLANTS[1])
    rng = np.random.default_rng(3)
    row, col = np.nonzero(shape)
    for k in rng.integers(0, row.size, 12):
        cv2.circle(drawn.pixels, (int(col[k]), int(row[k])), 2, 3900.0, -1)
    result = detect(drawn.mammogram())
    marks = result.calcifications
    at = shape[np.rint(marks.row_px).astype(int), np.rint(marks.col_px).astype(int)]
    assert not at.any()
    assert result.summary()["implant_area_cm2"].iloc[0] == pytest.approx(shape.sum() * 0.0001, rel=0.2)
