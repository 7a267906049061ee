"""A drawn scene against its truth, column by column; the same scene at another pixel shape."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from drawn_scene import (
    CHAIN,
    COL_MM,
    DENSE,
    KNOB_MM,
    LARGE,
    LONE,
    ROD,
    ROW_MM,
    SIZE_MM,
    SPARSE,
    SPECK_MM,
    TOP_MM,
    Scene,
    draw,
)
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from mcdetect import Config, Result, detect
from mcdetect.errors import UnusableImageError
from mcdetect.pipeline import detection, search
from mcdetect.shapes.outlines import Shapes, measure_shapes

GROUPS = (DENSE, LARGE, SPARSE, CHAIN)  # by rank
BODIES = np.array([*(place for group in GROUPS for place in group), LONE, ROD])
CLUSTER = np.array([*(k + 1 for k, group in enumerate(GROUPS) for _ in group), 0, 0])
TURNED = (COL_MM, ROW_MM)  # pixels higher than wide


@cache
def scene(turned: bool = False) -> Scene:
    return draw(TURNED if turned else (ROW_MM, COL_MM))


def result(turned: bool = False) -> Result:
    """Detect anew for every test: so each is known to run the detector when that is mutated."""
    return detect(scene(turned).mammogram)


def place_mm(table: pd.DataFrame, found: Result) -> npt.NDArray[np.float64]:
    spacing = found.mammogram.spacing
    place: npt.NDArray[np.float64] = table[["row_px", "col_px"]].to_numpy() * (spacing.row_mm, spacing.col_mm)
    return place


def in_order_of_truth(found: Result) -> pd.DataFrame:
    """Return the calcifications in the order of `BODIES`; every body was found once, and nothing else."""
    calcifications = found.calcifications
    distance, nearest = cKDTree(BODIES).query(place_mm(calcifications, found))
    assert sorted(nearest) == list(range(len(BODIES)))
    assert distance[nearest != len(BODIES) - 1].max() < 0.25
    return calcifications.iloc[np.argsort(nearest)].reset_index(drop=True)


def at(image: npt.NDArray[np.generic], place: npt.NDArray[np.float64]) -> npt.NDArray[np.generic]:
    row, col = np.rint(place / (ROW_MM, COL_MM)).astype(int).T
    return image[row, col]


@cache
def skin_mm() -> npt.NDArray[np.float64]:
    """True distance to air; what lies outside the picture and padding above is none."""
    drawn = scene()
    not_air = np.pad(drawn.breast | drawn.padding, 9, constant_values=True)
    distance: npt.NDArray[np.float64] = distance_transform_edt(not_air, sampling=(ROW_MM, COL_MM))[9:-9, 9:-9]
    return distance


def test_calcifications_are_the_drawn_ones() -> None:
    whole = result()
    found = in_order_of_truth(whole)
    place = place_mm(found, whole)
    specks = slice(0, -1)
    np.testing.assert_allclose(place[specks], BODIES[specks], atol=0.2)
    assert found["cluster_id"].tolist() == CLUSTER.tolist()
    assert found["in_pectoral"].tolist() == [k < len(DENSE) for k in range(len(BODIES))]
    np.testing.assert_allclose(found["diameter_mm"][specks], SPECK_MM, rtol=0.2)
    np.testing.assert_allclose(found["area_mm2"][specks], np.pi / 4 * SPECK_MM**2, rtol=0.35)
    np.testing.assert_allclose(2.0 * np.sqrt(2.0) * found["scale_mm"][specks], 0.64, rtol=0.15)
    apart = cdist(BODIES, BODIES)
    np.fill_diagonal(apart, np.inf)
    np.testing.assert_allclose(found["nearest_mm"], apart.min(axis=1), atol=0.45)
    np.testing.assert_allclose(found["skin_distance_mm"], at(skin_mm(), place), atol=1.2)
    assert set(found["file"]) == {"drawn"}
    assert sorted(found["calcification_id"]) == list(range(1, len(BODIES) + 1))


def test_a_body_with_two_knobs_counts_once_and_lies_as_drawn() -> None:
    found = result()
    rod = in_order_of_truth(found).iloc[-1]
    away = place_mm(pd.DataFrame([rod]), found)[0] - ROD
    along = np.array(KNOB_MM) / np.hypot(*KNOB_MM)
    assert abs(away @ along) < 0.5
    assert abs(away @ (along[::-1] * (1, -1))) < 0.2
    # counter-clockwise from the rows as displayed: rows are counted downwards
    assert rod["orientation_deg"] == pytest.approx(-np.degrees(np.arctan2(*KNOB_MM)), abs=4.0)
    # the axis is that of the ellipse of equal second moments, which is longer than the rod itself
    x, y = np.meshgrid(np.linspace(-1.0, 1.0, 801), np.linspace(-1.0, 1.0, 801))
    inside = np.hypot(np.maximum(abs(x) - np.hypot(*KNOB_MM), 0.0), y) <= SPECK_MM / 2.0
    assert rod["major_axis_mm"] == pytest.approx(4.0 * x[inside].std(), rel=0.15)
    assert rod["minor_axis_mm"] == pytest.approx(SPECK_MM, rel=0.2)


def test_candidates_carry_the_groups_of_their_calcifications() -> None:
    found = result()
    candidates, calcifications = found.candidates, found.calcifications
    both = candidates.merge(calcifications, on=["row_px", "col_px"], how="left", suffixes=("", "_called"))
    assert both["calcification_id"].notna().sum() == len(calcifications)
    assert both["cluster_id"].tolist() == both["cluster_id_called"].fillna(0).astype(int).tolist()
    called = both[both["calcification_id"].notna()]
    for name in ("snr", "score", "own_score", "scale_mm", "file"):
        assert called[name].tolist() == called[f"{name}_called"].tolist()
    assert candidates["candidate_id"].tolist() == list(range(1, len(candidates) + 1))
    assert candidates["score"].is_monotonic_decreasing
    assert calcifications["score"].is_monotonic_decreasing
    assert (candidates["score"] >= candidates["own_score"]).all()
    np.testing.assert_allclose(candidates["diameter_mm"], np.sqrt(8.0) * candidates["scale_mm"])
    # the knobs of the rod stay candidates
    assert (np.hypot(*(place_mm(candidates, found) - ROD).T) < 0.6).sum() >= 2


def test_a_mark_that_is_left_out_is_in_no_group_however_strong(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = detection.one_mark_per_body

    def but_two(*given: Any) -> npt.NDArray[np.bool_]:
        kept = whole(*given)
        kept[np.flatnonzero(kept)[:2]] = False
        return kept

    monkeypatch.setattr(detection, "one_mark_per_body", but_two)
    found = result()
    assert len(found.calcifications) == len(BODIES) - 2
    called = found.calcifications[["row_px", "col_px", "cluster_id"]]
    both = found.candidates.merge(called, on=["row_px", "col_px"], how="left", suffixes=("", "_called"))
    assert both["cluster_id"].tolist() == both["cluster_id_called"].fillna(0).astype(int).tolist()
    assert both["cluster_id"].tolist()[:2] == [0, 0]


def test_clusters_are_the_drawn_ones_flagged_ones_first() -> None:
    found = result()
    clusters, spacing = found.clusters, np.array([ROW_MM, COL_MM])
    assert clusters["cluster_id"].tolist() == [1, 2, 3, 4]
    assert clusters["n_calcifications"].tolist() == [len(group) for group in GROUPS]
    assert clusters["max_in_window"].tolist() == [len(DENSE), len(LARGE), len(SPARSE), 3]
    assert clusters["flagged"].tolist() == [True, True, True, False]
    score = clusters["score"].to_numpy()
    assert score[0] > score[1] > score[2]
    assert score[3] > score[2] + 0.001  # which does not help it: it is not flagged
    for k, group in enumerate(np.array(places) for places in GROUPS):
        row = clusters.iloc[k]
        for name, place in (
            ("", group.mean(axis=0)),
            ("min_", group.min(axis=0)),
            ("max_", group.max(axis=0)),
        ):
            measured = row[[f"{name}row_px", f"{name}col_px"]].to_numpy(float) * spacing
            np.testing.assert_allclose(measured, place, atol=0.2, err_msg=f"{name} of {k + 1}")
        assert row["extent_mm"] == pytest.approx(cdist(group, group).max(), abs=0.4)
    assert clusters["in_pectoral"].tolist() == [True, False, False, False]
    centre = clusters[["row_px", "col_px"]].to_numpy() * spacing
    np.testing.assert_allclose(clusters["skin_distance_mm"], at(skin_mm(), centre), atol=1.2)
    nipple = np.array(found.breast.nipple_px) * spacing
    np.testing.assert_allclose(nipple, (50.0, SIZE_MM[1] - 56.0), atol=1.5)
    np.testing.assert_allclose(clusters["nipple_distance_mm"], np.hypot(*(centre - nipple).T))
    wall = SIZE_MM[1] - centre[:, 1]
    normal = np.hypot(1 / 45.0, 1 / 24.0)
    muscle = ((centre[:, 0] - TOP_MM) / 45.0 + wall / 24.0 - 1.0) / normal
    np.testing.assert_allclose(clusters["chest_distance_mm"], np.minimum(wall, muscle).clip(0.0), atol=2.0)
    skin, chest = clusters["skin_distance_mm"], clusters["chest_distance_mm"]
    np.testing.assert_allclose(clusters["depth_fraction"], skin / (skin + chest))
    assert set(clusters["file"]) == {"drawn"}
    assert found.scatter_distribution == found.summary().loc[0, "scatter_distribution"] != ""


def test_areas_and_counts_of_the_summary() -> None:
    drawn, found = scene(), result()
    line = found.summary().iloc[0]
    cm2 = ROW_MM * COL_MM / 100.0
    assert line["breast_area_cm2"] == pytest.approx(drawn.breast.sum() * cm2, rel=0.02)
    assert line["pectoral_area_cm2"] == pytest.approx(drawn.muscle.sum() * cm2, rel=0.15)
    assert line["searched_area_cm2"] == pytest.approx(found.breast.searched.sum() * cm2)
    inner = drawn.breast & (skin_mm() > Config().breast.skin_mm) & ~drawn.padding
    inner[: round((TOP_MM + 1.5) / ROW_MM)] = False
    inner[:, -round(1.5 / COL_MM) :] = False
    assert line["searched_area_cm2"] == pytest.approx(inner.sum() * cm2, rel=0.02)
    names = ("n_candidates", "n_calcifications", "n_clusters", "n_flagged")
    assert [line[name] for name in names] == [len(found.candidates), len(BODIES), 4, 3]
    assert (line["row_spacing_mm"], line["col_spacing_mm"]) == (ROW_MM, COL_MM)
    assert (line["rows"], line["cols"]) == drawn.padding.shape


def test_padding_is_not_searched() -> None:
    found = result()
    assert not (found.breast.searched & scene().padding).any()
    assert (found.breast.mask & scene().padding).any()  # the patch lies on the breast
    assert not at(scene().padding, place_mm(found.candidates, found)).any()


def test_regions_are_described_by_their_members_and_the_breast() -> None:
    found = result()
    clusters, calcifications = found.clusters, found.calcifications
    assert clusters["n_foci"].tolist() == [1, 2, 2, 1]  # two flagged groups lie near each other
    assert clusters["region_id"].tolist() == [1, 2, 2, 3]
    region = calcifications["cluster_id"].map(dict(zip(range(1, 5), clusters["region_id"], strict=True)))
    place = calcifications[["row_px", "col_px"]].to_numpy()
    nipple = np.hypot(*((place - found.breast.nipple_px) * (ROW_MM, COL_MM)).T)
    for name, of_member in (
        ("skin", calcifications["skin_distance_mm"]),
        ("chest", pd.Series(found.breast.chest_distance_at(*place.T))),
        ("nipple", pd.Series(nipple)),
    ):
        nearest = of_member.groupby(region).min()[clusters["region_id"]].to_numpy()
        np.testing.assert_allclose(clusters[f"region_{name}_distance_mm"], nearest, atol=1e-6)
    share = clusters["distribution_breast_share"] * found.summary().loc[0, "breast_area_cm2"] * 100.0
    hull = clusters["hull_area_mm2"]
    assert ((share > hull) & (share < 3.0 * hull)).all()  # a pattern is its hull, and some more around
    assert clusters[["tissue_density", "depth_fraction"]][1:].notna().all(axis=None)
    assert clusters["tissue_density"].isna().tolist() == [True, False, False, False]  # not of muscle
    assert (clusters["suspicion"].between(0, 100)).all()
    assert clusters["distribution"].tolist() == ["grouped", "grouped", "grouped", "linear"]


def test_the_search_is_of_the_part_that_holds_the_breast() -> None:
    found = search(scene().mammogram)
    rows, cols = np.nonzero(found.breast.mask)
    margin = np.array([20, 16])  # 2 mm
    first = np.array([rows.min(), cols.min()]) - margin
    end = np.minimum(np.array([rows.max(), cols.max()]) + margin + 1, scene().padding.shape)
    assert found.origin_px == tuple(first)
    assert min(found.origin_px) > 50
    assert found.equalised.shape == tuple(end - first)
    assert found.area_cm2 == pytest.approx(found.breast.searched.sum() * ROW_MM * COL_MM / 100.0)
    place = np.stack([found.spots.row_px, found.spots.col_px], axis=1) * (ROW_MM, COL_MM)
    assert np.sort(cKDTree(place).query(BODIES)[0])[:-1].max() < 0.25


def test_pixels_of_another_shape_give_the_same_measures() -> None:
    """Every column in mm, and every share, of the same scene with pixels higher than wide."""
    one, other = result(), result(turned=True)
    wide, high = in_order_of_truth(one), in_order_of_truth(other)
    specks = slice(0, -1)
    np.testing.assert_allclose(place_mm(high, other)[specks], place_mm(wide, one)[specks], atol=0.3)
    for name in ("cluster_id", "in_pectoral"):
        assert high[name].tolist() == wide[name].tolist()
    for name in ("diameter_mm", "area_mm2", "perimeter_mm", "scale_mm", "snr", "contrast", "rim_ratio"):
        np.testing.assert_allclose(high[name], wide[name], rtol=0.4, err_msg=name)
        assert high[name].median() == pytest.approx(wide[name].median(), rel=0.12), name
    for name in ("n_calcifications", "max_in_window", "flagged", "in_pectoral", "distribution", "n_foci"):
        assert other.clusters[name].tolist() == one.clusters[name].tolist(), name
    lengths = [name for name in one.clusters if name.endswith(("distance_mm", "extent_mm"))]
    lengths += ["nn_distance_mm_mean", "nn_distance_mm_max", "mst_mean_mm", "hull_perimeter_mm"]
    assert len(lengths) > 6
    for name in lengths:
        np.testing.assert_allclose(other.clusters[name], one.clusters[name], atol=0.5, err_msg=name)
    for name in ("hull_area_mm2", "distribution_breast_share", "region_area_mm2", "density_per_cm2"):
        np.testing.assert_allclose(other.clusters[name], one.clusters[name], rtol=0.05, err_msg=name)
    for name in ("depth_fraction", "tissue_density"):
        np.testing.assert_allclose(other.clusters[name], one.clusters[name], atol=0.02, err_msg=name)
    np.testing.assert_allclose(other.clusters["axis_deg"][[1, 3]], one.clusters["axis_deg"][[1, 3]], atol=6.0)
    assert other.scatter_distribution == one.scatter_distribution
    for name, share in (("breast_area_cm2", 0.01), ("searched_area_cm2", 0.01), ("pectoral_area_cm2", 0.06)):
        assert other.summary().loc[0, name] == pytest.approx(one.summary().loc[0, name], rel=share), name


def test_options_reach_their_stages() -> None:
    few = detect(scene().mammogram, config=Config().replace(min_count=7, min_score=0.9))
    assert few.clusters["flagged"].tolist() == [True, True, False, False]
    assert few.calcifications["score"].min() >= 0.9
    assert few.config.groups.min_count == 7


usual_result = cache(result)


@pytest.mark.parametrize(
    ("option", "value", "change"),
    [
        ("contour_fraction", 0.3, "area_mm2"),
        ("blur_mm", 0.1, "diameter_mm"),
        ("tophat_mm", 0.6, "area_mm2"),
        ("tile_mm", 20.0, "snr"),
        ("border_mm", 4.0, "searched_area_cm2"),
        ("min_snr", 6.0, "n_candidates"),
        ("bins", 8, "snr"),
        ("context_weight", 0.0, "score"),
    ],
)
def test_every_stage_has_its_options(option: str, value: float, change: str) -> None:
    usual, other = usual_result(), detect(scene().mammogram, config=Config().replace(**{option: value}))
    if change in usual.summary():
        assert other.summary().loc[0, change] < usual.summary().loc[0, change]
    else:
        one, two = (
            found.calcifications.merge(found.candidates[["row_px", "col_px"]], on=["row_px", "col_px"])
            for found in (usual, other)
        )
        assert len(two) >= len(BODIES) - 3
        assert not np.array_equal(one[change].sort_values(), two[change].sort_values())


def test_a_model_of_spots_may_be_given() -> None:
    from mcdetect.spots.score import default_spot_model

    class Twice:
        def log_odds(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
            odds: npt.NDArray[np.float64] = 2.0 * default_spot_model().log_odds(features)
            return odds

    usual, other = (result().calcifications, detect(scene().mammogram, spot_model=Twice()).calcifications)  # type: ignore[arg-type]
    both = usual.merge(other, on=["row_px", "col_px"], suffixes=("", "_twice"))
    assert len(both) == len(BODIES)
    odds, twice = (np.log(both[name] / (1.0 - both[name])) for name in ("own_score", "own_score_twice"))
    np.testing.assert_allclose(twice, 2.0 * odds, rtol=1e-6)


def test_stages_are_timed() -> None:
    stages = {
        "breast",
        "noise",
        "spots",
        "appearance",
        "score",
        "bodies",
        "vessels",
        "outlines",
        "groups",
        "total",
    }
    seconds = result().seconds
    assert set(seconds) == stages
    assert all(value >= 0.0 for value in seconds.values())
    assert seconds["total"] >= sum(seconds[name] for name in stages - {"total"})


def test_what_a_body_holds_does_not_depend_on_the_top_hat() -> None:
    """Outlines are drawn in the top-hat, which takes some off; size and content are fitted to the image."""
    narrow = detect(scene().mammogram, config=Config().replace(tophat_mm=0.4)).calcifications
    both = narrow.merge(result().calcifications, on=["row_px", "col_px"], suffixes=("_narrow", ""))
    assert len(both) == len(BODIES)
    ratio = both["integrated_contrast_mm2_narrow"] / both["integrated_contrast_mm2"]
    assert ratio.median() == pytest.approx(1.0, abs=0.01)


def test_nothing_that_is_sure_enough_gives_empty_tables() -> None:
    found = detect(scene().mammogram, config=Config().replace(min_score=1.0))
    usual = result()
    assert len(found.calcifications) == len(found.clusters) == len(found.flagged) == 0
    assert found.calcifications.dtypes.to_dict() == usual.calcifications.dtypes.to_dict()
    assert found.clusters.dtypes.to_dict() == usual.clusters.dtypes.to_dict()
    assert len(found.candidates) == len(usual.candidates)
    assert set(found.candidates["cluster_id"]) == {0}
    assert found.scatter_distribution == ""
    assert found.summary().loc[0, "n_flagged"] == 0


def test_a_score_that_just_reaches_the_least_is_enough() -> None:
    least = usual_result().calcifications["score"].min()
    found = detect(scene().mammogram, config=Config().replace(min_score=least))
    assert found.calcifications["score"].min() == least


def test_what_has_no_outline_has_the_size_of_its_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_the_second(*given: Any, **options: Any) -> Shapes:
        values = measure_shapes(*given, **options).as_dict()
        gone = np.arange(len(values["area_mm2"])) == 1
        return Shapes({name: np.where(gone, np.nan, value) for name, value in values.items()})

    monkeypatch.setattr("mcdetect.pipeline.detection.measure_shapes", without_the_second)
    found = result().calcifications
    assert found["area_mm2"].isna().tolist() == [k == 1 for k in range(len(BODIES))]
    assert found.loc[1, "diameter_mm"] == pytest.approx(np.sqrt(8.0) * found.loc[1, "scale_mm"])
    assert found.loc[0, "diameter_mm"] != pytest.approx(np.sqrt(8.0) * found.loc[0, "scale_mm"])


def test_lines_of_the_image_reach_the_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    """How much a calcification lies on a line tells vessels from ducts."""
    from mcdetect.clusters.descriptors import describe_clusters
    from mcdetect.spots.appearance import FEATURE_NAMES

    measures: list[dict[str, npt.NDArray[np.float64]]] = []

    def described(label: Any, row_mm: Any, col_mm: Any, given: Any, *rest: Any, **options: Any) -> Any:
        measures.append({**given, "row_mm": row_mm})
        return describe_clusters(label, row_mm, col_mm, given, *rest, **options)

    monkeypatch.setattr("mcdetect.pipeline.detection.describe_clusters", described)
    found, searched = result().calcifications, search(scene().mammogram)
    (given,) = measures
    near = cKDTree(np.stack([searched.spots.row_px, searched.spots.col_px], axis=1))
    _, own = near.query(found[["row_px", "col_px"]].to_numpy())
    np.testing.assert_array_equal(given["line"], searched.features[own, FEATURE_NAMES.index("line_near")])
    assert given["line"].dtype == np.float64
    for name in ("skin_distance_mm", "diameter_mm", "snr"):
        np.testing.assert_array_equal(given[name], found[name])


@pytest.mark.parametrize("empty", [("mask", "searched"), ("searched",)])
def test_a_breast_of_which_nothing_is_left(monkeypatch: pytest.MonkeyPatch, empty: tuple[str, ...]) -> None:
    usual = result().breast
    nothing = np.zeros_like(usual.mask)
    left = dataclasses.replace(usual, **dict.fromkeys(empty, nothing))
    monkeypatch.setattr("mcdetect.pipeline.searching.find_breast", lambda *_: left)
    if "mask" in empty:
        with pytest.raises(UnusableImageError) as caught:
            detect(scene().mammogram)
        assert caught.value.cause == "no breast was found in the image"
        assert caught.value.remedy == "check that it is a mammogram"
    else:
        found = detect(scene().mammogram)
        assert len(found.candidates) == 0
        assert found.summary().loc[0, "searched_area_cm2"] == 0.0


def test_a_breast_that_fills_the_picture_is_searched_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    image = scene().mammogram
    everywhere = dataclasses.replace(result().breast, mask=np.ones(image.shape, bool))
    monkeypatch.setattr("mcdetect.pipeline.searching.find_breast", lambda *_: everywhere)
    found = search(image)
    assert found.origin_px == (0, 0)
    assert found.equalised.shape == image.shape


def test_linear_raw_images_are_equalised_by_their_signal() -> None:
    """Noise that grows with the root of the signal is known to do so; without its zero only a curve is."""
    image = scene().mammogram
    signal = np.random.default_rng(0).poisson((6000.0 - image.pixels).clip(1.0)).astype(np.float32)
    raw = dataclasses.replace(image, pixels=-signal, zero_exposure_level=0.0)
    found = search(raw)
    curve = search(dataclasses.replace(raw, zero_exposure_level=None)).equalised
    top, left = found.origin_px
    rows, cols = found.equalised.shape
    within = (scene().breast & ~scene().padding)[top : top + rows, left : left + cols]
    root = np.sqrt(signal[top : top + rows, left : left + cols][within].astype(float))
    assert np.corrcoef(root, found.equalised[within].astype(float))[0, 1] < -0.9999
    assert np.abs(found.equalised - curve)[within].max() > 0.5
