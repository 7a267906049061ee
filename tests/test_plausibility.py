"""Hundreds of marks all over are told; many marks in few places are not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from dicom_factory import SHARED

import mcdetect
from mcdetect.phantom import draw_mammogram
from mcdetect.pipeline.plausibility import LEAST, SHARE, TOO_MANY, implausibly_many

AREA_CM2 = 64.0
SIDE_MM = 80.0


def places(
    n: int, share: float = 1.0, seed: int = 0
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    row, col = np.random.default_rng(seed).uniform(0.0, SIDE_MM, (2, n))
    return row * share, col


@pytest.mark.parametrize(
    ("n", "share", "told"),
    [
        (400, 1.0, True),
        (LEAST, 1.0, True),
        (LEAST - 1, 1.0, False),
        (5000, 1.0, True),
        (400, SHARE - 0.15, False),  # all in a part of the breast
        (400, SHARE + 0.15, True),
        (0, 1.0, False),
    ],
)
def test_many_marks_all_over_are_implausible(n: int, share: float, told: bool) -> None:
    assert implausibly_many(*places(n, share), AREA_CM2) is told


def test_a_large_breast_may_have_more() -> None:
    assert implausibly_many(*places(300), AREA_CM2)
    assert not implausibly_many(*places(300), 4.0 * AREA_CM2)


def test_an_artery_and_a_dense_group_are_plausible() -> None:
    along = np.linspace(0.0, SIDE_MM, 250)
    assert not implausibly_many(along, 40.0 + np.sin(along), AREA_CM2)
    assert not implausibly_many(*(0.2 * place for place in places(900)), AREA_CM2)


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["specks", "grid", "sign"])
def test_what_is_no_breast_is_flagged(wrong: str) -> None:
    drawn = draw_mammogram((1100, 800), 0.1, seed=2)
    pixels = drawn.pixels.astype(np.int64)
    rng = np.random.default_rng(0)
    if wrong == "specks":
        rows, cols = rng.integers(0, 1097, 3000), rng.integers(0, 797, 3000)
        for k in range(9):
            pixels[rows + k // 3, cols + k % 3] += 900
    elif wrong == "grid":
        pixels[::25, ::25] += 1500
        pixels[1::25, ::25] += 1500
    else:
        middle = int(np.median(pixels[drawn.breast]))
        pixels = (pixels - middle) % 4096  # 12 bits that wrap about the middle of the tissue
    found = mcdetect.detect(pixels.astype(np.float32), pixel_spacing_mm=0.1)
    assert (TOO_MANY in found.mammogram.flags) == (len(found.calcifications) >= LEAST)
    assert len(found.calcifications) >= LEAST
    assert TOO_MANY in found.summary()["flags"].iloc[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "signed_by_mistake.dcm",
        "A22_bits16_values12.dcm",
        "A18_bits_stored_says_10_values_12.dcm",
    ],
)
def test_the_image_that_never_finished(name: str) -> None:
    path = SHARED / "cases" / name
    if not path.is_file():
        pytest.skip("the small inputs that went wrong (shared/data/cases) are not here")
    found = mcdetect.detect(mcdetect.read_mammogram(path))
    if not name.startswith("A"):  # by now the loader may see what is wrong
        assert TOO_MANY in found.mammogram.flags or len(found.calcifications) < LEAST
    else:
        assert TOO_MANY not in found.mammogram.flags
