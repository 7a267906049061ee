"""Areas that no breast has, and several breasts in one image."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from dicom_factory import write_dicom

from mcdetect.breast import find_breast
from mcdetect.breast.several import count_breasts
from mcdetect.config import BreastConfig
from mcdetect.errors import UnusableImageError
from mcdetect.image.mammogram import Mammogram
from mcdetect.image.plausible import check_area
from mcdetect.phantom import draw_mammogram
from mcdetect.readers.polarity import judge_polarity
from mcdetect.readers.read import examine, read_mammogram

SPACING_MM = 0.4


@cache
def drawn(view: str, laterality: str, seed: int = 3) -> npt.NDArray[np.float32]:
    phantom = draw_mammogram((500, 420), SPACING_MM, seed=seed, view=view, laterality=laterality, label=False)
    return phantom.pixels.astype(np.float32)


def write(path: Path, image: npt.NDArray[np.float32], **attributes: Any) -> Path:
    return write_dicom(path, np.rint(image).astype(np.uint16), ImageLaterality=None, **attributes)


def test_limits_of_the_area() -> None:
    assert check_area(150.0, 1e6, whole=True) == ""
    assert "implausibly large breast (650 cm2)" in check_area(650.0, 1e6, whole=True)
    assert check_area(650.0, 1e6, whole=True, breasts=2) == ""
    assert "implausibly small breast (6.0 cm2)" in check_area(6.0, 1e6, whole=True)
    assert check_area(6.0, 1e6, whole=False) == ""
    assert check_area(6.0, 1e4, whole=True) == ""
    for area in (800.0, 0.8):
        with pytest.raises(UnusableImageError, match=r"--pixel-spacing MM"):
            check_area(area, 1e6, whole=True)


@pytest.mark.parametrize("view", ["CC", "MLO"])
@pytest.mark.parametrize(
    ("area_cm2", "outcome"),
    [(30, ""), (300, ""), (660, "large"), (900, "refused"), (6, "small"), (0.8, "refused")],
)
def test_header_spacings_that_cannot_be_true(
    tmp_path: Path, view: str, area_cm2: float, outcome: str
) -> None:
    spacing = SPACING_MM * (area_cm2 / {"CC": 146, "MLO": 178}[view]) ** 0.5
    fine = cv2.resize(drawn(view, "L"), None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    path = write(tmp_path / "a.dcm", np.asarray(fine), ImagerPixelSpacing=[spacing / 2, spacing / 2])
    found = examine(path, thorough=True)
    flags = [flag for flag in found.flags if "implausibly" in flag]
    assert [flag.split()[1] for flag in flags] == ([outcome] if outcome in ("small", "large") else [])
    assert bool(found.problems) is (outcome == "refused")
    if outcome == "refused":
        with pytest.raises(UnusableImageError, match=r"cm2.*--pixel-spacing MM"):
            read_mammogram(path)
        given = read_mammogram(path, pixel_spacing_mm=0.2)
        assert given.spacing.row_mm == 0.2
        assert "the header's pixel spacing is impossible for a breast: the given one is used" in given.flags
        with pytest.raises(UnusableImageError, match="cm2"):
            read_mammogram(path, pixel_spacing_mm=spacing / 2)


def test_given_spacings_of_pictures_that_cannot_be_true(tmp_path: Path) -> None:
    fine = cv2.resize(drawn("CC", "R"), None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    cv2.imwrite(str(tmp_path / "a.png"), np.rint(np.asarray(fine)).astype(np.uint16))
    assert not [
        flag for flag in read_mammogram(tmp_path / "a.png", pixel_spacing_mm=0.2).flags if "cm2" in flag
    ]
    with pytest.raises(UnusableImageError, match="cm2"):
        read_mammogram(tmp_path / "a.png", pixel_spacing_mm=0.47)


def test_arrays_of_breasts_that_do_not_exist_are_refused() -> None:
    image = cv2.resize(drawn("CC", "L"), None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    with pytest.raises(UnusableImageError, match="cm2"):
        find_breast(Mammogram.from_array(image, 0.48), BreastConfig())


def layouts() -> dict[str, tuple[npt.NDArray[np.float32], int]]:
    left = {view: drawn(view, "L") for view in ("CC", "MLO")}
    right = {view: drawn(view, "R", 4) for view in ("CC", "MLO")}
    rows = {view: np.hstack([left[view], right[view]]) for view in left}
    backs = {view: np.hstack([right[view], left[view]]) for view in left}
    gap = np.full((12, left["CC"].shape[1]), left["CC"].min(), np.float32)
    return {
        "facing CC": (rows["CC"], 2),
        "facing MLO": (rows["MLO"], 2),
        "back to back CC": (backs["CC"], 2),
        "back to back MLO": (backs["MLO"], 2),
        "one above the other": (np.vstack([left["CC"], gap, left["MLO"]]), 2),
        "four facing": (np.vstack([rows["CC"], rows["MLO"]]), 4),
        "four back to back": (np.vstack([backs["CC"], backs["MLO"]]), 4),
    }


@pytest.mark.parametrize("layout", list(layouts()))
def test_several_breasts_are_each_searched(tmp_path: Path, layout: str) -> None:
    image, count = layouts()[layout]
    found = find_breast(Mammogram.from_array(image, SPACING_MM), BreastConfig())
    assert 2 <= found.n_breasts <= count
    assert "several breasts in one image" in found.remarks()[0]
    assert found.nipple_px is None
    assert not found.pectoral.any()
    rows, cols = (2 if count == 4 or "above" in layout else 1), (1 if "above" in layout else 2)
    for part in np.split(found.searched[: image.shape[0] // rows * rows], rows):
        for tile in np.array_split(part, cols, axis=1):
            assert tile.mean() > 0.15
    read = read_mammogram(write(tmp_path / "a.dcm", image, ImagerPixelSpacing=[SPACING_MM, SPACING_MM]))
    if "above" not in layout:
        assert read.laterality is None
    assert not any("turned" in flag or "cm2" in flag for flag in read.flags)
    assert judge_polarity(image.max() - image).brighter is True


@pytest.mark.parametrize("view", ["CC", "MLO"])
@pytest.mark.parametrize("turns", range(4))
def test_one_breast_is_one(view: str, turns: int) -> None:
    for laterality in ("L", "R"):
        image = np.ascontiguousarray(np.rot90(drawn(view, laterality), turns))
        found = find_breast(Mammogram.from_array(image, SPACING_MM), BreastConfig())
        assert found.n_breasts == 1
        assert found.remarks() == ()
        assert (
            judge_polarity(image).side
            == {
                "L": ["right", "top", "left", "bottom"],
                "R": ["left", "bottom", "right", "top"],
            }[laterality][turns]
        )


def test_nothing_is_no_pair() -> None:
    assert count_breasts(np.zeros((20, 20), np.bool_), (1.0, 1.0)) == 1
    assert count_breasts(np.ones((20, 20), np.bool_), (1.0, 1.0)) == 1
