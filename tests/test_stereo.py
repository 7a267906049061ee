"""Stereotactic pairs: depth from the shift between two exposures, on projected phantoms."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pydicom
import pytest
from dicom_factory import breast_image, write_dicom
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from typer.testing import CliRunner

import mcdetect
from mcdetect.cli import app
from mcdetect.errors import InputFileError, NotComparableError
from mcdetect.exams.stereo import Stereo, measure_stereo, pair_marks, stereo_geometry
from mcdetect.image.beam import Beam, BeamFacts, height_mm
from mcdetect.phantom import StereoGroup, StereoPhantom, draw_stereo
from mcdetect.phantom import write_dicom as write_phantom
from mcdetect.readers.dicom.beam import read_beam
from mcdetect.schema import STEREO_GROUPS, STEREO_MARKS

FACTS = BeamFacts(
    1200,
    1000,
    (0.1, 0.1),
    (15.0, 0.0),
    source_detector_mm=660.0,
    source_pivot_mm=660.0,
    source_support_mm=640.0,
)
OTHER = dataclasses.replace(FACTS, tilt_deg=(-15.0, 0.0))


# ------------------------------------------------------------------------------------------ geometry


@given(
    st.floats(-200, 200),
    st.floats(0, 120),
    st.tuples(st.floats(-30, 30), st.floats(-30, 30)).filter(lambda a: abs(a[0] - a[1]) > 3),
    st.floats(500, 800),
    st.floats(0, 60),
)
def test_a_point_is_where_both_rays_meet(
    along: float, height: float, angles: tuple[float, float], source: float, pivot: float
) -> None:
    one, two = (Beam(angle, source, pivot, (40.0, 60.0)) for angle in angles)
    (u, v), (w, x) = one.project(along, 10.0, height), two.project(along, 10.0, height)
    assert height_mm(one, two, u, w) == pytest.approx(height, abs=1e-6)
    # the ray from the source through the point, worked out by hand
    share = height / one.above_mm
    assert u * (1 - share) + one.along_mm * share == pytest.approx(along, abs=1e-6)
    if abs(angles[0] + angles[1]) < 1e-12:
        assert v == pytest.approx(x)


def test_known_heights() -> None:
    """Source at 600 mm, 30 degrees apart, about a pivot at the detector."""
    one, two = Beam(-15.0, 600.0), Beam(15.0, 600.0)
    base, above = 2 * 600 * np.sin(np.radians(15)), 600 * np.cos(np.radians(15))
    for shift in (0.0, 10.0, 40.0):
        assert height_mm(one, two, shift, 0.0) == pytest.approx(shift * above / (base + shift))
    # far away sources: by the tangent
    far = height_mm(Beam(-10.0, 1e7), Beam(10.0, 1e7), 5.0, 0.0)
    assert far == pytest.approx(5.0 / (2 * np.tan(np.radians(10))), rel=1e-4)


def test_what_is_not_known_widens_the_error() -> None:
    known = stereo_geometry(FACTS, OTHER).centred((1200, 1000), "rows")
    u, w = known.first.project(60.0, 50.0, 40.0)[0], known.second.project(60.0, 50.0, 40.0)[0]
    assert known.heights(u, w) == pytest.approx(40.0)
    sd = known.height_sd_mm(float(u), float(w))
    angle = abs(_height(known, u, w, angle_deg=known.first.angle_deg + known.angle_sd_deg) - 40.0)
    assert angle * 1.3 < sd < 0.6
    loose = stereo_geometry(*(dataclasses.replace(f, source_pivot_mm=None) for f in (FACTS, OTHER)))
    loose = loose.centred((1200, 1000), "rows")
    assert loose.assumed == ("centre of rotation at the detector",)
    assert loose.height_sd_mm(float(u), float(w)) > 2 * sd


def _height(geometry: Any, u: Any, w: Any, **change: Any) -> float:
    return float(height_mm(dataclasses.replace(geometry.first, **change), geometry.second, u, w))


def test_where_angles_come_from() -> None:
    found = stereo_geometry(FACTS, OTHER)
    assert (found.first.angle_deg, found.second.angle_deg) == (-15.0, 15.0)
    assert (found.along, found.signed, found.assumed) == ("rows", True, ())
    assert (found.support_mm, found.first.pivot_mm) == (20.0, 0.0)
    given = stereo_geometry(FACTS, OTHER, angles_deg=(-10.0, 10.0), source_detector_mm=700.0, pivot_mm=30.0)
    assert (given.first.angle_deg, given.along, given.signed) == (-10.0, None, False)
    assert (given.first.source_detector_mm, given.first.pivot_mm) == (700.0, 30.0)
    across = [dataclasses.replace(FACTS, tilt_deg=(0.0, tilt)) for tilt in (12.0, -12.0)]
    assert stereo_geometry(*across).along == "cols"
    gantry = [dataclasses.replace(FACTS, tilt_deg=None, gantry_deg=angle) for angle in (30.0, 60.0)]
    found = stereo_geometry(*gantry)
    assert (found.first.angle_deg, found.second.angle_deg) == (-15.0, 15.0)
    assert found.assumed == ("both angles equally far from the normal of the detector",)
    bare = BeamFacts(1200, 1000)
    found = stereo_geometry(bare, bare, angles_deg=(-15.0, 15.0), detector_mm=0.05)
    assert found.detector_mm == (0.05, 0.05)
    assert len(found.assumed) == 2
    assert np.isnan([found.support_mm, found.thickness_mm]).all()


@pytest.mark.parametrize(
    ("first", "second", "options", "message"),
    [
        (FACTS, FACTS, {}, "differ by 0.0 degrees"),
        (FACTS, OTHER, {"angles_deg": (5.0, 6.0)}, "differ by 1.0"),
        (FACTS, OTHER, {"angles_deg": (-45.0, 45.0)}, "differ by 90.0"),
        (FACTS, dataclasses.replace(OTHER, cols=900), {}, "1200 x 900"),
        (BeamFacts(9, 9), BeamFacts(9, 9), {}, "do not tell the angles"),
        (BeamFacts(9, 9), BeamFacts(9, 9), {"angles_deg": (-9.0, 9.0)}, "Imager Pixel Spacing"),
    ],
)
def test_no_pair(first: BeamFacts, second: BeamFacts, options: dict[str, Any], message: str) -> None:
    with pytest.raises(NotComparableError, match=message):
        stereo_geometry(first, second, **options)


# ------------------------------------------------------------------------------------------- pairing


def marks(places: npt.NDArray[np.float64], label: npt.ArrayLike, sizes: npt.ArrayLike = 0.3) -> pd.DataFrame:
    table = pd.DataFrame(places / 0.1 - 0.5, columns=["row_px", "col_px"])
    return table.assign(cluster_id=label, diameter_mm=sizes, contrast=8.0)


def seen(points: npt.NDArray[np.float64], beam: Beam) -> npt.NDArray[np.float64]:
    return np.column_stack(beam.project(points[:, 0], points[:, 1], points[:, 2]))


def test_groups_one_over_the_other_are_told_apart() -> None:
    """Two groups at one place of the first image, 20 mm apart in height."""
    rng = np.random.default_rng(1)
    geometry = stereo_geometry(FACTS, OTHER).centred((1200, 1000), "rows")
    low = np.column_stack([rng.uniform(50, 56, 12), rng.uniform(40, 46, 12), rng.uniform(24, 26, 12)])
    high = np.column_stack([rng.uniform(70, 76, 8), rng.uniform(40, 46, 8), rng.uniform(44, 46, 8)])
    points = np.vstack([low, high])
    label = np.repeat([1, 2], [12, 8])
    first = marks(seen(points, geometry.first), label)
    second = marks(seen(points, geometry.second) + rng.normal(0, 0.03, (20, 2)), label)
    order = rng.permutation(20)
    found = pair_marks(first, second.iloc[order].reset_index(drop=True), geometry, (1200, 1000))
    assert (order[found.second] == found.first).mean() >= 0.9
    right = order[found.second] == found.first
    np.testing.assert_allclose(found.height_mm[right], points[found.first[right], 2], atol=0.4)
    assert len(found.first) >= 18


def test_marks_that_only_one_image_shows_stay_alone() -> None:
    geometry = stereo_geometry(FACTS, OTHER).centred((1200, 1000), "rows")
    points = np.array([[60.0, 30.0, 30.0], [60.0, 50.0, 40.0], [60.0, 70.0, 35.0]])
    first = marks(seen(points, geometry.first)[:2], 0)
    second = marks(seen(points, geometry.second)[1:], 0)
    found = pair_marks(first, second, geometry, (1200, 1000))
    assert (found.first.tolist(), found.second.tolist()) == ([1], [0])
    assert found.height_mm == pytest.approx([40.0], abs=0.01)
    nothing = pair_marks(first.iloc[:0], second, geometry, (1200, 1000))
    assert len(nothing.first) == len(nothing.height_mm) == 0


def test_two_possible_partners_are_none() -> None:
    geometry = stereo_geometry(FACTS, OTHER).centred((1200, 1000), "rows")
    points = np.array([[60.0, 50.0, 30.0], [60.0, 50.0, 45.0]])  # beneath the beam
    first = marks(seen(points, geometry.first)[:1], 0)
    assert len(pair_marks(first, marks(seen(points, geometry.second), 0), geometry, (1200, 1000)).first) == 0
    # of another size it is told apart
    second = marks(seen(points, geometry.second), 0, [0.3, 0.9])
    assert pair_marks(first, second, geometry, (1200, 1000)).height_mm == pytest.approx([30.0], abs=0.01)


# ------------------------------------------------------------------------------- through the detector


def check(phantom: StereoPhantom, found: Stereo, least: float = 0.85) -> None:
    """Heights of groups and of single marks are right within 1 mm."""
    truth = phantom.first.truth[["row_px", "col_px"]].to_numpy(np.float64)
    height = phantom.truth["height_mm"].to_numpy()
    label = phantom.truth["group_id"].to_numpy()
    flagged = found.groups[found.groups["flagged"]]
    assert len(flagged) == len(np.unique(label))
    for _, row in flagged.iterrows():
        number = label[cKDTree(truth).query([row["row_px"], row["col_px"]])[1]]
        own = height[label == number]
        assert abs(row["height_mm"] - np.median(own)) < 1.0
        assert abs(row["height_mm"] - np.median(own)) < 3 * row["height_sd_mm"] < 3.0
        assert row["n_matched"] >= least * len(own)
        assert abs(row["extent_depth_mm"] - np.ptp(own)) < 1.0
    matched = found.marks[found.marks["other_calcification_id"] > 0]
    away, which = cKDTree(truth).query(matched[["row_px", "col_px"]].to_numpy(np.float64))
    error = np.abs(matched["height_mm"].to_numpy() - height[which])[away < 3]
    assert len(error) >= least * len(height)
    assert (error < 1.0).mean() >= 0.95


def scene(seed: int) -> list[StereoGroup]:
    rng = np.random.default_rng(seed)
    return [StereoGroup(45, 25, rng.uniform(25, 60), 10), StereoGroup(75, 35, rng.uniform(25, 60), 8)]


@pytest.mark.parametrize(
    ("seed", "options"),
    [
        (3, {"along": "cols"}),
        (4, {"along": "rows", "pivot_mm": 45.0}),
        (5, {"along": "rows", "angles_deg": (0.0, 15.0)}),
        (6, {"along": "cols", "angles_deg": (10.0, -10.0), "source_detector_mm": 700.0}),
    ],
)
def test_depths_of_projected_phantoms(seed: int, options: dict[str, Any]) -> None:
    phantom = draw_stereo(scene(seed), seed=seed, **options)
    results = [mcdetect.detect(drawn.to_mammogram()) for drawn in (phantom.first, phantom.second)]
    assert phantom.first.beam is not None
    assert phantom.second.beam is not None
    facts = phantom.first.beam, phantom.second.beam
    found = measure_stereo(results[0], results[1], stereo_geometry(*facts))
    check(phantom, found)
    assert [c.name for c in STEREO_GROUPS] == list(found.groups.columns)
    assert [c.name for c in STEREO_MARKS] == list(found.marks.columns)
    np.testing.assert_allclose(found.marks["above_support_mm"], found.marks["height_mm"] - 20.0)
    np.testing.assert_allclose(found.marks["below_paddle_mm"], 70.0 - found.marks["height_mm"])
    assert all(result.breast.is_part for result in results)
    if sum(facts[0].tilt_deg or ()) == -sum(facts[1].tilt_deg or ()):
        # direction and sides are found where the header tells the gantry's angles only
        gantry = [dataclasses.replace(f, tilt_deg=None, gantry_deg=sum(f.tilt_deg or ())) for f in facts]
        again = measure_stereo(results[0], results[1], stereo_geometry(*gantry))
        assert again.geometry.along == phantom.along
        check(phantom, again)
    # the second image given first
    check(
        dataclasses.replace(phantom, first=phantom.second, second=phantom.first),
        measure_stereo(results[1], results[0], stereo_geometry(facts[1], facts[0])),
    )


def test_nothing_found() -> None:
    phantom = draw_stereo([], seed=9, shape=(800, 700))
    results = [mcdetect.detect(drawn.to_mammogram()) for drawn in (phantom.first, phantom.second)]
    assert phantom.first.beam is not None
    assert phantom.second.beam is not None
    found = measure_stereo(results[0], results[1], stereo_geometry(phantom.first.beam, phantom.second.beam))
    assert not found.groups["flagged"].any()
    assert found.groups.dtypes.astype(str).to_dict().keys() == {c.name for c in STEREO_GROUPS}


# -------------------------------------------------------------------------------------- files and verb


def test_what_a_header_tells(tmp_path: Path) -> None:
    path = write_dicom(
        tmp_path / "a.dcm",
        DetectorPrimaryAngle="-15",
        DetectorSecondaryAngle="2",
        PositionerPrimaryAngle="45",
        DistanceSourceToDetector="660",
        DistanceSourceToPatient="640",
        BodyPartThickness="52",
    )
    assert read_beam(path) == BeamFacts(160, 128, (0.07, 0.07), (-2.0, -15.0), 45.0, 660.0, 640.0, None, 52.0)
    bare = write_dicom(tmp_path / "b.dcm", ImagerPixelSpacing=None, DistanceSourceToDetector="0")
    assert read_beam(bare) == BeamFacts(160, 128)
    with pytest.raises(InputFileError, match=r"c\.dcm"):
        read_beam(tmp_path / "c.dcm")


def run(*args: str) -> Any:
    return CliRunner().invoke(app, ["stereo", *args])


def test_the_verb(tmp_path: Path) -> None:
    phantom = draw_stereo(scene(4), seed=4)
    files = [str(tmp_path / name) for name in ("a.dcm", "b.dcm")]
    for drawn, file in zip((phantom.first, phantom.second), files, strict=True):
        write_phantom(drawn, file)
        assert "stereotactic image" in mcdetect.read_mammogram(file).flags
    out = tmp_path / "out"
    shown = run(*files, "-o", str(out))
    assert shown.exit_code == 0, shown.output
    assert "2 flagged groups" in shown.output
    groups = pd.read_csv(out / "stereo_groups.csv")
    check(phantom, Stereo(groups, pd.read_csv(out / "stereo_marks.csv"), None), 0.7)  # type: ignore[arg-type]
    assert json.loads((out / "run.json").read_text())["status"] == "complete"
    printed = json.loads(run(*files, "--json").stdout)
    assert printed["angles_deg"] == [-15.0, 15.0]
    assert printed["moves_along"] == "rows"
    assert [g["height_mm"] for g in printed["stereo_groups"]] == pytest.approx(groups["height_mm"], rel=1e-4)
    # without what tells the angles they are asked for, and can be given
    for file in files:
        header = pydicom.dcmread(file)
        del header.DetectorPrimaryAngle, header.DetectorSecondaryAngle
        header.save_as(file)
    asked = run(*files)
    assert asked.exit_code == 1
    assert "--angles" in asked.output
    given = json.loads(run(*files, "--json", "--angles", "-15", "15").stdout)
    assert given["moves_along"] == "rows"
    assert given["stereo_groups"][0]["height_mm"] == pytest.approx(printed["stereo_groups"][0]["height_mm"])


def test_files_that_are_no_pair(tmp_path: Path) -> None:
    angle = {"DetectorPrimaryAngle": "15", "DistanceSourceToDetector": "660"}
    one = write_dicom(tmp_path / "a.dcm", breast_image(400, 320), **angle)
    right = write_dicom(
        tmp_path / "b.dcm",
        breast_image(400, 320),
        **{**angle, "DetectorPrimaryAngle": "-15"},
        ImageLaterality="R",
    )
    for args, code, words in (
        ((str(one), str(one)), 1, "differ by 0.0"),
        ((str(one), str(right)), 1, "different breasts"),
        ((str(one), str(tmp_path / "none.dcm")), 1, "does not exist"),
        ((str(one), str(right), "--pivot", "900"), 2, "--pivot"),
    ):
        shown = run(*args)
        assert shown.exit_code == code, shown.output
        assert words in shown.output
