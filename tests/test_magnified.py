"""Magnification and spot views: sizes in the breast, nothing that is not known, matched with full views."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dicom_factory import breast_image, code_item, write_dicom
from pydicom.sequence import Sequence
from scipy.spatial import cKDTree

import mcdetect
from mcdetect.breast import find_breast
from mcdetect.breast.part import shows_skin
from mcdetect.config import BreastConfig
from mcdetect.errors import MissingSpacingError
from mcdetect.image.mammogram import Plane
from mcdetect.image.views import PART_VIEWS
from mcdetect.phantom import Calcifications, Group, draw_magnified, draw_mammogram
from mcdetect.phantom import write_dicom as write_phantom
from mcdetect.readers.inspection import inspect
from mcdetect.runs import run_batch

MODIFIER = {"ViewModifierCodeSequence": Sequence([code_item("399163009", "SCT", "Magnification")])}
IMAGE = breast_image(400, 320)
GROUP = Group(14, 8.0, calcifications=Calcifications(diameter_mm=(0.2, 0.45), snr=(8, 20)))
FULL_SHAPE, PITCH_MM = (1400, 1100), 0.1


# ---------------------------------------------------------------------------------- spacing by the header


@pytest.mark.parametrize(
    ("attributes", "spacing_mm"),
    [
        ({"EstimatedRadiographicMagnificationFactor": "1.75"}, 0.04),
        ({"DistanceSourceToDetector": "660", "DistanceSourceToPatient": "330", **MODIFIER}, 0.035),
        # the spacing is that of a detector only after multiplication: it holds in the breast already
        (
            {
                "ImagerPixelSpacing": None,
                "PixelSpacing": ["0.04666667", "0.04666667"],
                "EstimatedRadiographicMagnificationFactor": "1.5",
            },
            0.04666667,
        ),
        # ... or it is that of a detector as it stands
        (
            {
                "ImagerPixelSpacing": None,
                "PixelSpacing": ["0.07", "0.07"],
                "EstimatedRadiographicMagnificationFactor": "1.5",
            },
            0.07 / 1.5,
        ),
        ({"PixelSpacing": ["0.05", "0.05"], "PixelSpacingCalibrationType": "GEOMETRY", **MODIFIER}, 0.05),
    ],
)
def test_sizes_are_those_in_the_breast(
    tmp_path: Path, attributes: dict[str, object], spacing_mm: float
) -> None:
    image = mcdetect.read_mammogram(write_dicom(tmp_path / "a.dcm", IMAGE, **attributes))
    assert image.spacing.row_mm == pytest.approx(spacing_mm)
    assert image.spacing.plane is Plane.OBJECT
    assert "magnification view" in image.flags
    assert image.shows_part


@pytest.mark.parametrize(
    "attributes",
    [
        MODIFIER,
        {"PaddleDescription": "MAG SPOT 10CM"},
        {"ViewPosition": "CC MAG"},
        {"SeriesDescription": "RMCC"},
        {"SeriesDescription": "L ML Magnification"},
        {"EstimatedRadiographicMagnificationFactor": "1.0", **MODIFIER},  # what contact views are given
        {"ImagerPixelSpacing": None, "PixelSpacing": ["0.06", "0.06"], **MODIFIER},
        # either plane has a detector's pitch
        {
            "ImagerPixelSpacing": None,
            "PixelSpacing": ["0.05", "0.05"],
            "EstimatedRadiographicMagnificationFactor": "2.0",
            **MODIFIER,
        },
    ],
)
def test_without_a_magnification_it_is_asked_for(tmp_path: Path, attributes: dict[str, object]) -> None:
    path = write_dicom(tmp_path / "a.dcm", IMAGE, **attributes)
    with pytest.raises(MissingSpacingError, match="magnification view") as caught:
        mcdetect.read_mammogram(path)
    assert "--magnification" in caught.value.remedy
    plain = inspect(path, magnification=1.6)
    assert plain.eligible
    spacing = mcdetect.read_mammogram(path, magnification=1.6).spacing
    assert spacing.plane is Plane.OBJECT
    assert "given magnification of 1.6" in spacing.source
    stated = 0.07 if "ImagerPixelSpacing" not in attributes else float(attributes["PixelSpacing"][0])  # type: ignore[index]
    assert spacing.row_mm == pytest.approx(stated / 1.6)


@pytest.mark.parametrize(
    "attributes",
    [
        {"SeriesDescription": "L MLO"},
        {"SeriesDescription": "LMLO"},
        {"SeriesDescription": "RML", "ViewPosition": "ML"},
        {"EstimatedRadiographicMagnificationFactor": "1.07"},
        {"DistanceSourceToDetector": "650", "DistanceSourceToPatient": "620"},
        {"SeriesDescription": "IMAGE OF L CC"},
    ],
)
def test_contact_views_are_none(tmp_path: Path, attributes: dict[str, object]) -> None:
    image = mcdetect.read_mammogram(write_dicom(tmp_path / "a.dcm", IMAGE, **attributes), magnification=1.8)
    assert not image.shows_part
    assert image.spacing.row_mm > 0.06


def test_what_the_user_gives(tmp_path: Path) -> None:
    stated = write_dicom(tmp_path / "a.dcm", IMAGE, EstimatedRadiographicMagnificationFactor="1.5")
    assert mcdetect.read_mammogram(stated, magnification=2.0).spacing.row_mm == pytest.approx(0.07 / 1.5)
    bare = write_dicom(tmp_path / "b.dcm", IMAGE, ImagerPixelSpacing=None, **MODIFIER)
    with pytest.raises(MissingSpacingError, match="no pixel spacing"):
        mcdetect.read_mammogram(bare)
    image = mcdetect.read_mammogram(bare, pixel_spacing_mm=0.04)
    assert image.spacing.row_mm == 0.04
    assert any("taken as that in the magnified breast" in flag for flag in image.flags)
    assert mcdetect.read_mammogram(bare, pixel_spacing_mm=0.07, magnification=2.0).spacing.row_mm == 0.035
    for wrong in (0.9, 2.6, float("nan"), True, "2"):
        with pytest.raises(ValueError, match="magnification"):
            mcdetect.read_mammogram(stated, magnification=wrong)  # type: ignore[arg-type]
    tiny = write_dicom(tmp_path / "c.dcm", IMAGE, ImagerPixelSpacing=["0.015", "0.015"], **MODIFIER)
    with pytest.raises(MissingSpacingError, match=r"would be 0\.0075"):
        mcdetect.read_mammogram(tiny, magnification=2.0)


def test_spot_compression_in_contact_is_no_magnification(tmp_path: Path) -> None:
    image = mcdetect.read_mammogram(write_dicom(tmp_path / "a.dcm", IMAGE, PaddleDescription="SPOT 9X9"))
    assert PART_VIEWS.intersection(image.flags) == {"spot compression view"}
    assert image.spacing.row_mm == 0.07
    assert image.shows_part


# --------------------------------------------------------------------------------------- what is known


@pytest.mark.parametrize(
    ("collimation", "centre_mm", "skin"),
    [
        ("open", (70, 25), False),  # tissue only
        ("straight", (70, 25), False),  # blades all around
        ("round", (70, 40), False),
        ("round", (90, 55), False),  # air beside a round field: in doubt there is none
        ("open", (90, 55), True),
        ("straight", (90, 55), True),
        ("straight", (70, 70), True),
    ],
)
def test_the_edge_of_a_field_is_no_skin(collimation: str, centre_mm: tuple[int, int], skin: bool) -> None:
    drawn = draw_magnified(
        FULL_SHAPE,
        PITCH_MM,
        collimation=collimation,  # type: ignore[arg-type]
        seed=5,
        centre_mm=centre_mm,
        field_mm=(50, 45),
    )
    region = find_breast(drawn.to_mammogram(), BreastConfig())
    assert region.has_skin is skin
    assert region.is_part
    assert region.nipple_px is None
    assert not region.pectoral.any()
    assert region.chest_distance_mm is None or np.isnan(region.chest_distance_mm).all()
    place = np.array([drawn.pixels.shape[0] / 2]), np.array([drawn.pixels.shape[1] / 4])
    assert np.isfinite(region.known_skin_distance_at(*place))[0] == skin


def test_outlines_of_known_shape() -> None:
    step = (0.4, 0.4)
    row, col = np.mgrid[:200, :150] * 0.4
    whole = (0, 200, 0, 150)
    assert shows_skin(np.hypot(row - 40, col) < 45, whole, step)  # skin of a radius of 45 mm
    assert shows_skin(np.hypot(row - 40, col + 40) < 90, whole, step)
    assert not shows_skin(np.hypot(row - 40, col - 30) < 25, whole, step)  # closed: a round paddle
    assert not shows_skin(col - 0.2 * row < 30, whole, step)  # a blade, oblique
    assert not shows_skin((col < 30) & (row < 50), whole, step)  # two blades
    assert not shows_skin(np.ones((200, 150), bool), whole, step)
    assert not shows_skin(np.zeros((200, 150), bool), whole, step)
    assert not shows_skin(np.hypot(row, col) > 8, whole, step)  # hardly any outline


# ---------------------------------------------------------------------------- from the phantom to the tables


@pytest.mark.parametrize(("seed", "factor"), [(5, 1.8), (6, 1.5)])
def test_a_magnified_group_is_found_and_measured(seed: int, factor: float) -> None:
    drawn = draw_magnified(FULL_SHAPE, PITCH_MM, factor=factor, seed=seed, groups=[GROUP])
    assert drawn.spacing.row_mm == pytest.approx(PITCH_MM / factor)
    result = mcdetect.detect(drawn.to_mammogram())
    found = result.calcifications[["row_px", "col_px"]].to_numpy(np.float64) * drawn.spacing.row_mm
    truth = drawn.truth[["row_px", "col_px"]].to_numpy(np.float64) * drawn.spacing.row_mm
    assert len(truth) == 14
    assert (cKDTree(found).query(truth)[0] < 0.3).sum() >= 13
    assert len(found) <= 18
    assert len(result.flagged) == 1
    extent = np.hypot(*(truth[:, None] - truth[None]).reshape(-1, 2).T).max()
    assert result.flagged["extent_mm"].iloc[0] == pytest.approx(extent, rel=0.2)
    diameters = drawn.truth["diameter_mm"].mean()
    assert result.flagged["diameter_mm_mean"].iloc[0] == pytest.approx(diameters, rel=0.35)
    row = result.summary().iloc[0]
    assert np.isnan([row["nipple_row_px"], row["nipple_col_px"], row["pectoral_area_cm2"]]).all()
    assert result.clusters["nipple_distance_mm"].isna().all()
    assert result.clusters["chest_distance_mm"].isna().all()


def test_no_skin_measure_where_it_cannot_be_known() -> None:
    drawn = draw_magnified(FULL_SHAPE, PITCH_MM, seed=5, groups=[GROUP], collimation="round")
    result = mcdetect.detect(drawn.to_mammogram())
    assert len(result.flagged) == 1
    for name in ("skin_distance_mm", "depth_fraction", "region_skin_distance_mm"):
        assert result.clusters[name].isna().all(), name
    assert result.calcifications["skin_distance_mm"].isna().all()


def test_places_are_those_of_the_full_view() -> None:
    full = draw_mammogram(FULL_SHAPE, PITCH_MM, seed=5, groups=[GROUP])
    part = draw_magnified(FULL_SHAPE, PITCH_MM, seed=5, groups=[GROUP], collimation="open")
    apart = [
        drawn.truth[["row_px", "col_px"]].diff().dropna().to_numpy() * drawn.spacing.row_mm
        for drawn in (full, part)
    ]
    np.testing.assert_allclose(apart[0], apart[1], atol=1e-9)
    with pytest.raises(ValueError, match="centre_mm"):
        draw_magnified(FULL_SHAPE, PITCH_MM, seed=5)
    with pytest.raises(ValueError, match="outside"):
        draw_magnified(FULL_SHAPE, PITCH_MM, seed=5, centre_mm=(500.0, 500.0))


def test_groups_of_a_magnification_view_are_those_of_the_full_view(tmp_path: Path) -> None:
    """Two groups in the full view; the field holds one of them."""
    other = dataclasses.replace(GROUP, n=8, extent_mm=4.0)
    folder = tmp_path / "in"
    folder.mkdir()
    full = draw_mammogram(FULL_SHAPE, PITCH_MM, seed=7, groups=[GROUP, other])
    part = draw_magnified(FULL_SHAPE, PITCH_MM, seed=7, groups=[GROUP, other], field_mm=(30.0, 30.0))
    write_phantom(full, folder / "full.dcm")
    write_phantom(part, folder / "mag.dcm")
    report = run_batch([folder], tmp_path / "out", overlay=False, jobs=1)
    assert not report.failed
    findings = pd.read_csv(tmp_path / "out" / "findings.csv")
    clusters = pd.read_csv(tmp_path / "out" / "clusters.csv").set_index(["file", "cluster_id"])
    first = full.clusters.iloc[0]
    flagged = findings[findings["flagged"]]
    assert len(flagged) == 2
    shown = flagged[flagged["magnified_file"].notna()]
    assert len(shown) == 1
    row = shown.iloc[0]
    assert (row["file"], row["magnified_file"], row["magnified_view"]) == ("full.dcm", "mag.dcm", "CC")
    there = clusters.loc["full.dcm", row["cluster_id"]]
    assert np.hypot(there["row_px"] - first["row_px"], there["col_px"] - first["col_px"]) < 10
    magnified = clusters.loc["mag.dcm", row["magnified_cluster_id"]]
    assert row["magnified_n_calcifications"] == magnified["n_calcifications"] >= 13
    assert row["magnified_morphology"] == magnified["morphology"]
    assert 0 <= row["magnified_mismatch"] < 1.4
    images = pd.read_csv(tmp_path / "out" / "images.csv").set_index("file")
    assert images.loc["mag.dcm", "row_spacing_mm"] == pytest.approx(PITCH_MM / 1.8, rel=1e-4)
    assert "Magnification Factor of 1.8" in images.loc["mag.dcm", "spacing_source"]


def test_a_view_without_its_factor_costs_one_row(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_dicom(folder / "a.dcm", IMAGE, **MODIFIER)
    report = run_batch([folder], tmp_path / "out", overlay=False, jobs=1)
    assert str(report.failed[0].failure).startswith("it is a magnification view")
    report = run_batch([folder], tmp_path / "out", overlay=False, jobs=1, magnification=1.8)
    assert not report.failed
