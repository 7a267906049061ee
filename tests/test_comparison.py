"""The same breast at two dates: from pairs whose change is known to verdicts, tables, picture and command."""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from cli_files import NAME, PATIENT_ID, write_dicom
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from typer.testing import CliRunner

from benchmarks.comparison.pairs import random_pair
from mcdetect import Comparison, Intent, Mammogram, Result, compare, detect
from mcdetect.cli import app
from mcdetect.errors import NotComparableError
from mcdetect.exams.comparison.matching import match_points
from mcdetect.exams.comparison.picture import VERDICT_COLOURS
from mcdetect.exams.comparison.points import Points
from mcdetect.exams.comparison.registration import Registration, _to_mm, _to_pixels
from mcdetect.exams.comparison.repeatability import Repeatability, default_repeatability
from mcdetect.exams.comparison.texture import STEP_MM, make_sheet
from mcdetect.phantom import (
    Calcifications,
    Group,
    PhantomPair,
    Storage,
    called_verdicts,
    deform_image,
    draw_pair,
    random_deformation,
)
from mcdetect.schema import CHANGES, MEMBERS

SHAPE, SPACING_MM = (1000, 800), 0.13
LOOK = Calcifications(diameter_mm=(0.3, 0.5), snr=(10.0, 20.0))


@cache
def pair() -> PhantomPair:
    """Two groups unchanged, one added, one lost; processed digital before, raw after."""
    return draw_pair(
        SHAPE,
        SPACING_MM,
        seed=21,
        unchanged=[Group(9, 7.0, calcifications=LOOK), Group(7, 6.0, calcifications=LOOK)],
        added=[Group(9, 7.0, calcifications=LOOK)],
        lost=[Group(8, 7.0, calcifications=LOOK)],
        prior=Storage(jpeg_quality=90),
        current=Storage(Intent.FOR_PROCESSING, pixel_spacing_mm=0.12),
    )


@cache
def results() -> tuple[Result, Result]:
    return detect(pair().prior), detect(pair().current)


@cache
def comparison() -> Comparison:
    return compare(*results())


@cache
def stranger() -> Mammogram:
    return draw_pair(SHAPE, SPACING_MM, seed=77).prior


def test_each_group_gets_its_verdict() -> None:
    found = comparison()
    assert found.registered
    called = called_verdicts(pair(), found.changes, found.members)
    assert called.groupby("truth")["verdict"].agg(set).to_dict() == {
        "added": {"new"},
        "lost": {"gone"},
        "unchanged": {"stable"},
    }
    stable = found.changes[found.changes["verdict"] == "stable"]
    assert (stable["n_matched"] >= 5).all()
    assert (stable["number_change"].abs() <= 2 * stable["number_change_sd"]).all()
    counts = found.summary()["flagged_groups"]
    assert counts["new"] >= 1
    assert counts["gone"] >= 1


def test_the_map_is_right_and_knows_its_error() -> None:
    found, truth = comparison().registration, pair()
    points = (np.argwhere(results()[1].breast.mask[::25, ::25]) * 25 + 0.5) * 0.12
    true = points + truth.deformation.at(points)
    shown = ((true > 3) & (true < np.array(SHAPE) * SPACING_MM - 3)).all(axis=1)
    off = np.hypot(*(found.to_prior(points) - true).T)[shown]
    assert truth.deformation.largest_mm == pytest.approx(10.0, abs=0.01)
    assert np.median(off) < 0.5
    assert np.percentile(off, 90) < 1.5
    assert np.mean(off > 3 * found.error_at(points)[shown]) < 0.03
    back = found.to_current(found.to_prior(points[shown]))
    assert np.abs(back - points[shown]).max() < 0.05


def test_tables_follow_the_schema_and_agree() -> None:
    found = comparison()
    for table, schema in ((found.changes, CHANGES), (found.members, MEMBERS)):
        assert list(table.columns) == [column.name for column in schema]
        assert {c.name: str(table[c.name].dtype) for c in schema} == {c.name: c.dtype for c in schema}
    prior, current = results()
    for name, result in (("prior", prior), ("current", current)):
        called = found.members.loc[found.members[f"seen_{name}"] == "called", f"{name}_calcification_id"]
        assert sorted(called) == sorted(result.calcifications["calcification_id"])
    assert set(found.changes["current_cluster_id"]) - {0} == set(current.clusters["cluster_id"])
    linked = {int(k) for ids in found.changes["prior_cluster_ids"] for k in ids.split(";") if k}
    assert linked == set(prior.clusters["cluster_id"])
    paired = found.members[found.members["distance_mm"].notna()]
    assert (paired["distance_mm"] < 2.0).all()


def test_an_image_against_itself_has_not_changed() -> None:
    result = results()[1]
    found = compare(result, result)
    assert set(found.changes.loc[found.changes["current_flagged"], "verdict"]) == {"stable"}
    assert (found.changes["number_change"] == 0).all()
    flagged = found.changes[found.changes["current_flagged"]]
    assert flagged["hull_area_mm2_change"].abs().max() == 0
    assert set(found.members.loc[found.members["change_id"].isin(flagged["change_id"]), "verdict"]) == {
        "stable"
    }
    assert found.members["distance_mm"].max() < 0.3


@pytest.mark.parametrize(("more", "verdict"), [(3, "stable"), (4, "grown")])
def test_growth_is_told_from_two_and_a_half_standard_deviations_on(more: int, verdict: str) -> None:
    """The innermost members of one group are taken out of the prior image, so that its extent stays."""
    current = results()[1]
    group = int(current.clusters["cluster_id"].iloc[0])
    table = current.calcifications
    members = table[table["cluster_id"] == group]
    away = np.hypot(*(members[axis] - members[axis].mean() for axis in ("row_px", "col_px")))
    lacking = members.loc[away.sort_values().index[:more]]
    prior = dataclasses.replace(
        current,
        calcifications=table.drop(lacking.index),
        candidates=current.candidates[~current.candidates["row_px"].isin(lacking["row_px"])],
    )
    found = compare(prior, current).changes
    row = found[found["current_cluster_id"] == group].iloc[0]
    assert row["number_change"] == more
    assert bool(more / row["number_change_sd"] > 2.5) == (verdict == "grown")
    assert 2.0 < more / row["number_change_sd"] < 3.0
    assert row["verdict"] == verdict


def test_strangers_do_not_register() -> None:
    found = compare(stranger(), results()[1])
    assert not found.registered
    assert set(found.changes["verdict"]) == {"uncertain"}
    assert set(found.members["verdict"]) == {"uncertain"}
    assert found.changes["number_change"].isna().all()
    assert found.picture().shape[2] == 3


@pytest.mark.parametrize("turns", [1, 3])
def test_a_turned_prior_does_not_register_and_is_drawn(turns: int) -> None:
    prior = pair().prior
    turned = dataclasses.replace(
        prior, pixels=np.ascontiguousarray(np.rot90(prior.pixels, turns)), valid=None
    )
    found = compare(turned, results()[1])
    assert not found.registered
    assert set(found.changes["verdict"]) == {"uncertain"}
    places = found.registration.to_current(np.argwhere(np.ones((20, 20))) * 5.0)
    assert np.abs(places).max() <= 3 * max(SHAPE) * SPACING_MM
    assert found.picture().shape[2] == 3


def test_a_mirrored_prior_is_recognised() -> None:
    prior = pair().prior
    flipped = dataclasses.replace(prior, pixels=np.ascontiguousarray(prior.pixels[:, ::-1]))
    found = compare(flipped, results()[1])
    assert found.registered
    assert found.registration.mirrored
    called = called_verdicts(pair(), found.changes, found.members).set_index("truth")["verdict"]
    assert called["added"] == "new"
    assert set(called["unchanged"]) == {"stable"}


@pytest.mark.parametrize(("change", "word"), [({"laterality": "R"}, "breast"), ({"view": "MLO"}, "view")])
def test_other_breasts_and_views_are_refused(change: dict[str, str], word: str) -> None:
    prior, current = results()
    other = dataclasses.replace(prior, mammogram=dataclasses.replace(prior.mammogram, **change))
    with pytest.raises(NotComparableError, match=word):
        compare(other, current)
    assert compare(other, current, force=True).registered


def test_arrays_are_refused_with_what_is_wanted() -> None:
    array, mammogram = np.zeros((100, 100)), pair().current
    for both in ((array, mammogram), (mammogram, array)):
        with pytest.raises(TypeError, match=r"compare takes two mammograms, .* got ndarray"):
            compare(*both)  # type: ignore[arg-type]


def test_picture_shows_every_verdict() -> None:
    picture = comparison().picture(width_px=1200)
    assert picture.dtype == np.uint8
    assert picture.shape[1] == 1200
    for verdict in ("new", "stable", "gone"):
        near = np.abs(picture.astype(int) - VERDICT_COLOURS[verdict]).max(axis=2) < 12
        assert near.sum() > 100, verdict
    with pytest.raises(ValueError, match="width_px"):
        comparison().picture(width_px=300)


def points(
    place: Any, *, called: Any = True, cluster: Any = 0, trace: Any = False, error_mm: float = 0.5
) -> Points:
    here = np.asarray(place, dtype=np.float64).reshape(-1, 2)
    n = len(here)

    def full(value: Any, dtype: type) -> Any:
        return np.broadcast_to(np.asarray(value, dtype), n).copy()

    gap = np.full(n, 0.3)
    number = np.arange(1, n + 1)
    return Points(
        here, here, full(called, bool), full(trace, bool), number, full(cluster, int), gap, gap,
        np.ones(n, bool), np.full(n, error_mm),
    )  # fmt: skip


GROUP = np.random.default_rng(4).uniform(0, 7, (9, 2)) + 50


def test_a_group_is_met_after_its_own_shift() -> None:
    jitter = np.random.default_rng(5).normal(0, 0.1, GROUP.shape)
    match = match_points(points(GROUP + np.array([1.2, -0.8]) + jitter, cluster=1), points(GROUP, cluster=1))
    assert match.prior_of.tolist() == list(range(9))
    assert match.shift_mm[1] == pytest.approx((1.2, -0.8), abs=0.15)


def test_a_group_beside_an_old_one_is_not_the_old_one() -> None:
    other = np.random.default_rng(6).uniform(0, 7, (9, 2)) + np.array([50, 62])
    match = match_points(
        points(GROUP, cluster=1), points(np.concatenate([GROUP, other]), cluster=[1] * 9 + [2] * 9)
    )
    assert match.prior_of[:9].tolist() == list(range(9))
    assert (match.prior_of[9:] < 0).all()


def test_faint_members_are_seen() -> None:
    called = np.arange(9) < 4
    match = match_points(points(GROUP + 0.3, called=called, cluster=called), points(GROUP, cluster=1))
    assert (match.prior_of >= 0).all()
    nothing = match_points(points(GROUP + 0.3, called=False, trace=True), points(GROUP, cluster=1))
    assert (nothing.prior_of < 0).all()
    guided = match_points(
        points(GROUP + 0.3, called=called, cluster=called, trace=np.arange(9) == 8), points(GROUP, cluster=1)
    )
    assert guided.prior_of[8] == 8


@given(
    arrays.arrays(np.float64, st.tuples(st.integers(0, 12), st.just(2)), elements=st.floats(0, 60)),
    arrays.arrays(np.float64, st.tuples(st.integers(0, 12), st.just(2)), elements=st.floats(0, 60)),
)
def test_pairs_are_one_to_one(one: np.ndarray, two: np.ndarray) -> None:
    match = match_points(points(one, cluster=1), points(two, cluster=1))
    for k, partner in enumerate(match.prior_of):
        assert partner < 0 or match.current_of[partner] == k
    for k, partner in enumerate(match.current_of):
        assert partner < 0 or match.prior_of[partner] == k


@given(arrays.arrays(np.float64, (2, 3), elements=st.floats(-3, 3)))
def test_affine_maps_survive_the_change_of_units(matrix: np.ndarray) -> None:
    prior_mm, current_mm = np.array([2.0, 1.7]), np.array([1.9, 2.2])
    warp = _to_pixels(matrix, prior_mm, current_mm)
    assert _to_mm(warp, prior_mm, current_mm) == pytest.approx(matrix, abs=1e-9)
    row, col = 3.0, 5.0
    x, y = warp @ (col, row, 1.0)
    place = matrix @ ((row + 0.5) * 1.9, (col + 0.5) * 2.2, 1.0)
    assert ((y + 0.5) * 2.0, (x + 0.5) * 1.7) == pytest.approx(tuple(place), abs=1e-9)


def test_a_map_and_its_inverse() -> None:
    linear = np.array([[1.02, 0.05], [-0.04, -0.97]])
    row, col = np.mgrid[:120, :90] * STEP_MM + STEP_MM / 2
    place = np.stack([row, col], axis=-1)
    field = (place @ linear.T + (1.0, 44.0) - place).astype(np.float32)
    found = Registration(field, field[..., 0], linear, 1.0, 1.0, 1.0, True)
    inside = np.array([[20.0, 20.0], [40.5, 10.25]])
    assert found.to_prior(inside) == pytest.approx(inside @ linear.T + (1.0, 44.0), abs=1e-4)
    assert found.to_current(found.to_prior(inside)) == pytest.approx(inside, abs=1e-3)


def test_texture_does_not_depend_on_the_grey_scale() -> None:
    image, breast = results()[0].mammogram, results()[0].breast
    other = dataclasses.replace(image, pixels=(5000 * (image.pixels / 255) ** 0.6).astype(np.float32))
    one, two = make_sheet(image, breast), make_sheet(other, breast)
    inner = one.depth_mm > 5
    assert np.corrcoef(one.texture[inner], two.texture[inner])[0, 1] > 0.95
    assert not one.texture[~one.mask].any()


def test_deformations_have_no_folds_and_move_points_as_pixels() -> None:
    moved = random_deformation((90.0, 70.0), np.random.default_rng(3), largest_mm=8.0)
    place = np.random.default_rng(1).uniform(15, 55, (30, 2))
    there = moved.forward(place)
    assert there + moved.at(there) == pytest.approx(place, abs=1e-3)
    image = np.zeros((900, 700), np.float32)
    cv2.circle(image, (300, 400), 6, 1.0, -1)
    after = deform_image(image, 0.1, moved)
    row, col = (np.mgrid[:900, :700] * after).sum(axis=(1, 2)) / after.sum()
    expected = moved.forward(np.array([[40.05, 30.05]]))[0] / 0.1 - 0.5
    assert (row, col) == pytest.approx(tuple(expected), abs=0.5)
    with pytest.raises(ValueError, match="folds"):
        random_deformation((90.0, 70.0), np.random.default_rng(3), largest_mm=60.0, smoothness_mm=8.0)


def test_repeatability_is_read_and_written_as_data() -> None:
    values = default_repeatability()
    assert Repeatability.from_json(values.to_json()) == values
    assert values.number_sd(20) >= values.number_sd(5) > 0
    assert values.relative_sd("hull_area", 40) == pytest.approx(values.relative_sd("hull_area", 10) / 2)
    with pytest.raises(ValueError, match="format"):
        Repeatability.from_json("{}")
    broken = json.loads(values.to_json()) | {"density": -1.0}
    with pytest.raises(ValueError, match="negative"):
        Repeatability.from_json(json.dumps(broken))
    with pytest.raises(ValueError, match="no repeatability"):
        values.relative_sd("score", 10)


def run(*words: object) -> Any:
    return CliRunner().invoke(app, ["compare", *map(str, words)], env={"COLUMNS": "200"})


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    image = pair().current
    pixels = (65535 * (image.pixels - image.pixels.min()) / np.ptp(image.pixels)).astype(np.uint16) // 16
    spacing = [image.spacing.row_mm, image.spacing.col_mm]
    prior = write_dicom(tmp_path / "a" / "IM1.dcm", pixels, ImagerPixelSpacing=spacing)
    return prior, write_dicom(tmp_path / "b" / "IM1.dcm", pixels + 1, ImagerPixelSpacing=spacing)


def test_the_command_writes_a_folder(files: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run(*files, "-o", out)
    assert done.exit_code == 0, done.output
    assert "registered" in done.output
    assert "stable" in done.output
    names = {"changes.csv", "changes.parquet", "members.csv", "members.parquet", "comparison.png", "run.json"}
    assert {path.name for path in out.iterdir()} == names
    changes = pd.read_csv(out / "changes.csv")
    assert set(changes["prior_file"]) == {"prior/IM1.dcm"}
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert record["status"] == "complete"
    assert record["comparison"]["registered"] is True
    assert record["options"]["command"] == "compare"
    everything = done.output + "".join(p.read_text() for p in out.iterdir() if p.suffix in (".csv", ".json"))
    for secret in (NAME, PATIENT_ID, "QUIXOTTERMANN", str(tmp_path / "a")):
        assert secret not in everything.replace(f"results in {out}", "")


def test_the_command_fails_by_name(files: tuple[Path, Path], tmp_path: Path) -> None:
    done = run(files[0], tmp_path / "none.dcm", "-o", tmp_path / "o1")
    assert done.exit_code == 1
    assert "none.dcm" in done.output
    other = write_dicom(tmp_path / "right.dcm", ImageLaterality="R")
    done = run(files[0], other, "-o", tmp_path / "o2")
    assert done.exit_code == 1
    assert "breast" in done.output
    assert "force" in done.output
    foreign = tmp_path / "o3"
    foreign.mkdir()
    (foreign / "changes.csv").write_text("mine\n")
    done = run(*files, "-o", foreign)
    assert done.exit_code == 2
    assert (foreign / "changes.csv").read_text() == "mine\n"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1000, 1003, 1008])
def test_pairs_of_every_kind(seed: int) -> None:
    drawn = random_pair(seed)
    found = compare(drawn.prior, drawn.current)
    called = called_verdicts(drawn, found.changes, found.members).set_index("truth")["verdict"]
    assert called["added"] == "new"
    assert called["lost"] == "gone"
    assert "new" not in set(called["unchanged"])
    assert "gone" not in set(called["unchanged"])
