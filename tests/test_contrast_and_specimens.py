"""Contrast-enhanced mammography: which images are searched. Specimens: on request, as crops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dicom_factory import breast_image, code_item, write_dicom
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from scipy.spatial import cKDTree
from specimens import draw_specimen
from typer.testing import CliRunner

import mcdetect
from mcdetect.breast.part import find_specimen
from mcdetect.cli import app
from mcdetect.errors import NotEligibleError
from mcdetect.image.views import PART_VIEWS
from mcdetect.phantom import Group, draw_mammogram
from mcdetect.phantom import write_dicom as write_phantom
from mcdetect.readers.inspection import inspect

IMAGE = breast_image(400, 320)
KINDS = {"contrast-enhanced", "low-energy image", "high-energy image", "recombined image", *PART_VIEWS}
AGENT = {"ContrastBolusAgent": "Iohexol 350"}


def subtracted() -> Dataset:
    return code_item("113062", "DCM", "Pixel by pixel subtraction")


@pytest.mark.parametrize(
    "attributes",
    [
        {"ImageType": ["ORIGINAL", "PRIMARY", "", "LOW_ENERGY"]},
        {"ImageType": ["DERIVED", "PRIMARY", "LOW ENERGY"], **AGENT},
        {"SeriesDescription": "L CC CESM low-energy"},
        {"SeriesDescription": "CEDM R MLO LE", "KVP": "29"},
        {"KVP": "31", **AGENT},
        {"AcquisitionDeviceProcessingDescription": "TiCEM_LE"},
    ],
)
def test_low_energy_images_are_searched(tmp_path: Path, attributes: dict[str, object]) -> None:
    image = mcdetect.read_mammogram(write_dicom(tmp_path / "a.dcm", IMAGE, **attributes))
    assert KINDS.intersection(image.flags) == {"contrast-enhanced", "low-energy image"}
    assert not image.shows_part


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"ImageType": ["DERIVED", "PRIMARY", "", "RECOMBINED"]}, "recombined"),
        ({"ImageType": ["DERIVED", "PRIMARY", "SUBTRACTION"], **AGENT}, "recombined"),
        ({"SeriesDescription": "CESM L MLO Recombined"}, "recombined"),
        ({"SeriesDescription": "L CC CONTRAST ENHANCED SUB"}, "recombined"),
        ({"DerivationCodeSequence": Sequence([subtracted()]), **AGENT}, "recombined"),
        ({"DerivationDescription": "Subtracted image of two energies", **AGENT}, "recombined"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "", "HIGH_ENERGY"]}, "high-energy"),
        ({"KVP": "49", **AGENT}, "high-energy"),
    ],
)
def test_recombined_and_high_energy_images_are_passed_over(
    tmp_path: Path, attributes: dict[str, object], kind: str
) -> None:
    path = write_dicom(tmp_path / "a.dcm", IMAGE, **attributes)
    with pytest.raises(NotEligibleError, match=f"the {kind} image of a contrast-enhanced") as caught:
        mcdetect.read_mammogram(path)
    assert "low-energy image is searched" in caught.value.remedy
    assert f"{kind} image" in mcdetect.read_mammogram(path, force=True).flags


def test_contrast_of_an_unknown_kind_is_searched_and_flagged(tmp_path: Path) -> None:
    image = mcdetect.read_mammogram(write_dicom(tmp_path / "a.dcm", IMAGE, **AGENT))
    assert KINDS.intersection(image.flags) == {"contrast-enhanced"}


@pytest.mark.parametrize(
    "attributes",
    [
        {"SeriesDescription": "L CC Intelligent 2D"},
        {"SeriesDescription": "SEIN GAUCHE LE CC"},
        {"DerivationDescription": "noise subtracted"},
        {"KVP": "49"},
        {"ContrastBolusAgent": "NONE"},
    ],
)
def test_images_without_contrast_are_plain(tmp_path: Path, attributes: dict[str, object]) -> None:
    image = mcdetect.read_mammogram(write_dicom(tmp_path / "a.dcm", IMAGE, **attributes))
    assert KINDS.isdisjoint(image.flags)


# ------------------------------------------------------------------------------------------ specimens


@pytest.mark.parametrize(
    "attributes",
    [
        {"ViewCodeSequence": Sequence([code_item("127457009", "SCT")])},
        {"SeriesDescription": "Specimen radiograph"},
        {"BodyPartExamined": "SPECIMEN", "Modality": "DX"},
        {"ImageType": ["ORIGINAL", "PRIMARY", "SPECIMEN"], "Modality": "CR", "BodyPartExamined": None},
    ],
)
def test_specimens_on_request(tmp_path: Path, attributes: dict[str, object]) -> None:
    path = write_dicom(tmp_path / "a.dcm", IMAGE, **attributes)
    with pytest.raises(NotEligibleError):
        mcdetect.read_mammogram(path)
    assert not inspect(path).eligible
    image = mcdetect.read_mammogram(path, specimens=True)
    assert KINDS.intersection(image.flags) == {"specimen"}
    assert image.shows_part
    assert image.shows_specimen
    assert inspect(path, specimens=True).eligible


def test_a_chest_is_no_specimen(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", IMAGE, Modality="DX", BodyPartExamined="CHEST", ViewPosition="AP")
    with pytest.raises(NotEligibleError):
        mcdetect.read_mammogram(path, specimens=True)


@pytest.mark.parametrize(("kind", "least"), [("lump", 9), ("cores", 5)])
def test_a_group_in_a_specimen_is_found(kind: str, least: int) -> None:
    for seed in (5, 6):
        drawn, image = draw_specimen(seed, kind)
        result = mcdetect.detect(image)
        step = image.spacing.row_mm
        found = result.calcifications[["row_px", "col_px"]].to_numpy(np.float64) * step
        truth = drawn.truth[["row_px", "col_px"]].to_numpy(np.float64) * step
        assert (cKDTree(found).query(truth)[0] < 0.3).sum() >= least
        assert (cKDTree(truth).query(found)[0] > 0.5).sum() <= 4
        assert len(result.flagged) == 1
        assert result.breast.nipple_px is None
        assert not result.breast.has_skin
        assert result.calcifications["skin_distance_mm"].isna().all()
        assert result.summary()["breast_area_cm2"].iloc[0] < 12.0


def test_pieces_of_tissue() -> None:
    share = np.zeros((100, 100), np.float32)
    share[20:60, 30:34] = 0.4  # a core
    share[80, 80] = 1.0  # a spot of dirt
    found = find_specimen(share, (0.4, 0.4))
    assert found[20:60, 30:34].all()
    assert found.sum() == 160
    assert find_specimen(np.zeros((20, 20), np.float32), (0.4, 0.4)).all()


def test_the_command_line_takes_specimens(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    drawn = draw_mammogram((900, 700), 0.14, seed=3, groups=[Group(8, 6.0)])
    write_phantom(drawn, folder / "a.dcm")
    import pydicom

    header = pydicom.dcmread(folder / "a.dcm")
    header.SeriesDescription = "Specimen"
    header.save_as(folder / "a.dcm")
    run = CliRunner().invoke(
        app, ["detect", str(folder), "-o", str(tmp_path / "o"), "--specimens", "--no-overlay", "--jobs", "1"]
    )
    assert run.exit_code == 0, run.output
    images = pd.read_csv(tmp_path / "o" / "images.csv")
    assert "specimen" in images["flags"].iloc[0].split("; ")
    bad = CliRunner().invoke(app, ["detect", str(folder), "-o", str(tmp_path / "p"), "--magnification", "9"])
    assert bad.exit_code == 2
    assert "--magnification" in bad.output
