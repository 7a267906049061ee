"""Inputs that were once misread: polarity, bits, identity and geometry, each beside the image read right."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from dicom_factory import SHARED

from mcdetect import compare, detect
from mcdetect.errors import UnusableImageError
from mcdetect.image.mammogram import Mammogram
from mcdetect.readers.read import read_mammogram
from mcdetect.result import Result

CASES = SHARED / "cases"
REFERENCE = "A22_bits16_values12.dcm"
AGAINST = "air was brighter than the breast: inverted against the header"

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="needs ../shared/data/cases")


def case(start: str) -> Path:
    found = sorted(CASES.glob(f"{start}*"))
    if len(found) != 1:
        pytest.skip(f"needs {CASES / start}*")
    return found[0]


def read(start: str, spacing_mm: float | None = None) -> Mammogram:
    return read_mammogram(case(start), pixel_spacing_mm=spacing_mm)


@cache
def reference() -> Result:
    return detect(read("A22"))


def agrees(image: Mammogram) -> bool:
    """Tell whether the 13 calcifications of the reference, its one group and nothing else are found."""
    found, true = detect(image), reference()
    places = [table.calcifications[["row_px", "col_px"]].to_numpy() for table in (found, true)]
    apart = np.abs(places[0][:, None] - places[1][None]).max(axis=2)
    return (
        len(places[0]) == len(places[1]) == 13
        and bool((apart.min(axis=0) < 2.0).all())
        and int(found.clusters["flagged"].sum()) == 1
    )


@pytest.mark.parametrize(
    ("start", "flags"),
    [
        ("A01", ("bits above Bits Stored hold something else: dropped",)),
        ("A04b", ()),
        ("A05", ("bits above Bits Stored hold something else: dropped",)),
        ("A18", ("pixel values exceed Bits Stored",)),
        ("A23", ("Pixel Representation says unsigned, but the pixels are signed",)),
        ("A11b", (AGAINST,)),
        ("B01", ()),
        ("C03", ()),
        ("C12", ()),
        ("C02c", ("the chest wall is on the side usual for L, not R",)),
        (
            "C05",
            (
                "Laterality says R, but Image Laterality L",
                "Series Description says R, but Image Laterality L",
            ),
        ),
    ],
)
def test_read_as_the_reference(start: str, flags: tuple[str, ...]) -> None:
    image = read(start)
    assert image.flags == flags
    assert image.spacing.row_mm == image.spacing.col_mm == 0.14
    assert agrees(image)


def test_white_border_and_black_frame() -> None:
    for start, spacing in (("G01c", None), ("pictures/G01d", 0.14)):
        image = read(start, spacing)
        assert (AGAINST in image.flags) is False
        found = detect(image)
        assert len(found.calcifications) == 13
        assert int(found.clusters["flagged"].sum()) == 1
        assert not any("cm2" in flag for flag in image.flags)
    assert "air was brighter than the breast: inverted" in read("pictures/G01d", 0.14).flags


def test_saturated_chest_wall() -> None:
    image = read("G02c")
    assert not any("inverted" in flag for flag in image.flags)
    mirrored = Mammogram.from_array(image.pixels[:, ::-1], 0.14)
    assert len(detect(image).calcifications) == len(detect(mirrored).calcifications)
    assert image.pixels[:, :40].mean() > image.pixels[:, -40:].mean()


def test_sides_and_views() -> None:
    known = {start: (read(start).laterality, read(start).view) for start in ("C02c", "C03", "C12", "C05")}
    assert known == {"C02c": ("R", "MLO"), "C03": ("L", "CC"), "C12": ("L", "MLO"), "C05": ("L", "MLO")}


def test_two_breasts() -> None:
    image = read("C06c")
    found = detect(image)
    assert image.laterality is None
    columns = found.calcifications["col_px"]
    assert (columns < 540).sum() >= 13
    assert (columns > 540).sum() >= 13
    assert "several breasts in one image" in found.summary()["flags"][0]


def test_spacing_of_a_screen() -> None:
    with pytest.raises(UnusableImageError, match=r"1\d\d\d cm2, more than any detector.*--pixel-spacing MM"):
        read("spacing_of_96_dpi")
    image = read("spacing_of_96_dpi", 0.0941)
    assert image.spacing.row_mm == 0.0941
    assert any("the given one is used" in flag for flag in image.flags)
    assert int(detect(image).clusters["flagged"].sum()) == 2


def test_signed_by_mistake() -> None:
    image = read("signed_by_mistake")
    assert image.flags == ("Pixel Representation says signed, but the pixels are unsigned",)
    assert image.pixels.min() >= 0
    found = detect(image)
    assert len(found.calcifications) < 60
    assert int(found.clusters["flagged"].sum()) == 2


def test_a_turned_prior_does_not_register() -> None:
    turned = read("C07")
    assert "the chest wall is at the top: the image is turned" in turned.flags
    found = compare(turned, reference())
    assert not found.registered
    assert set(found.changes["verdict"]) == {"uncertain"}
    assert found.picture().shape[2] == 3
