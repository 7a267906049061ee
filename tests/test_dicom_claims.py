"""Side and view from every attribute that names them; what contradicts, and what the picture shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_factory import breast_image, code_item, make_dataset, write_dicom
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from mcdetect.readers.dicom.claims import side_claims, view_claims
from mcdetect.readers.dicom.identity import identify
from mcdetect.readers.read import read_mammogram

NONE: dict[str, Any] = {"ImageLaterality": None, "ViewPosition": None}


def header(**attributes: Any) -> Dataset:
    return make_dataset(**{**NONE, **attributes})


def region(*modifiers: Dataset, code: str = "76752008", meaning: str = "Breast") -> Sequence:
    item = code_item(code, "SCT", meaning)
    if modifiers:
        item.AnatomicRegionModifierSequence = Sequence(list(modifiers))
    return Sequence([item])


@pytest.mark.parametrize(
    ("written", "side", "view"),
    [
        ("RIGHT MLO", "R", "MLO"),
        ("LEFT CC", "L", "CC"),
        ("LCC", "L", "CC"),
        ("RMLO", "R", "MLO"),
        ("R-XCCL", "R", "XCCL"),
        ("MLO_L", "L", "MLO"),
        ("Rt ML", "R", "ML"),
        ("CC SPOT", None, "CC"),
        ("CRANIO-CAUDAL", None, "CC"),
        ("AP", None, None),
        ("MLO CC", None, None),
    ],
)
def test_view_position_may_name_the_side(written: str, side: str | None, view: str | None) -> None:
    found = identify(header(ViewPosition=written))
    assert (found.laterality, found.view) == (side, view)
    assert found.laterality_source == ("View Position" if side else "")
    assert found.view_source == ("View Position" if view else "")


@pytest.mark.parametrize(
    ("meaning", "view"),
    [
        ("cranio-caudal", "CC"),
        ("Craniocaudal", "CC"),
        ("kraniokaudal", "CC"),
        ("Cráneo-caudal", "CC"),
        ("medio-lateral oblique", "MLO"),
        ("Oblicua mediolateral", "MLO"),
        ("oblique médio-latérale", "MLO"),
        ("mediolateral schräg", "MLO"),
        ("medio-lateral", "ML"),
        ("latero-medial", "LM"),
        ("latero-medial oblique", "LMO"),
        ("cranio-caudal exaggerated laterally", "XCCL"),
        ("cranio-caudal exaggerated medially", "XCCM"),
        ("caudo-cranial (from below)", "FB"),
        ("superolateral to inferomedial oblique", "SIO"),
        ("inferomedial to superolateral oblique", "ISO"),
        ("antero-posterior", None),
    ],
)
def test_local_codes_are_read_by_their_meaning(meaning: str, view: str | None) -> None:
    found = identify(header(ViewCodeSequence=Sequence([code_item("V1", "99LOCAL", meaning)])))
    assert found.view == view
    assert found.view_source == ("meaning of the View Code" if view else "")
    assert not found.flags


def test_a_local_code_may_name_both() -> None:
    found = identify(header(ViewCodeSequence=Sequence([code_item("RCC", "99LOCAL", "right cranio-caudal")])))
    assert (found.laterality, found.view, found.flags) == ("R", "CC", ())


@pytest.mark.parametrize("written", ["MLO", "R MLO", "RMLO", "RIGHT MLO"])
def test_fujifilm_writes_the_view_elsewhere(written: str) -> None:
    found = identify(header(AcquisitionDeviceProcessingDescription=written))
    assert found.view == "MLO"
    assert found.view_source == "Acquisition Device Processing Description"
    assert found.laterality == ("R" if written.startswith("R") else None)


@pytest.mark.parametrize(
    ("regions", "side", "source"),
    [
        (region(code_item("24028007", "SCT", "Right")), "R", "Anatomic Region Modifier"),
        (region(code_item("G-A101", "SRT", "Left")), "L", "Anatomic Region Modifier"),
        (region(code_item("99", "99LOCAL", "left")), "L", "Anatomic Region Modifier"),
        (region(code="80248007", meaning="x"), "L", "Anatomic Region"),
        (region(code="T-04020", meaning="x"), "R", "Anatomic Region"),
        (region(code_item("51440002", "SCT", "Right and left")), None, ""),
    ],
)
def test_side_of_the_anatomic_region(regions: Sequence, side: str | None, source: str) -> None:
    found = identify(header(AnatomicRegionSequence=regions))
    assert (found.laterality, found.laterality_source) == (side, source)


@pytest.mark.parametrize(
    ("attributes", "remark"),
    [
        ({"ImageLaterality": "L", "Laterality": "R"}, "Laterality says R, but Image Laterality L"),
        (
            {"ImageLaterality": "L", "SeriesDescription": "R MLO", "ViewPosition": "MLO"},
            "Series Description says R, but Image Laterality L",
        ),
        (
            {"ImageLaterality": "R", "AnatomicRegionSequence": region(code_item("7771000", "SCT", "Left"))},
            "Anatomic Region Modifier says L, but Image Laterality R",
        ),
        (
            {"ViewPosition": "LEFT CC", "AcquisitionDeviceProcessingDescription": "R CC"},
            "Acquisition Device Processing Description says R, but View Position L",
        ),
        (
            {"ViewPosition": "CC", "ViewCodeSequence": Sequence([code_item("R-10226", "SRT")])},
            "View Position says CC, but View Code Sequence MLO",
        ),
        (
            {"ViewPosition": "MLO", "SeriesDescription": "L CC"},
            "Series Description says CC, but View Position MLO",
        ),
        ({"ViewPosition": "CC", "ProtocolName": "L MLO"}, "Protocol Name says MLO, but View Position CC"),
    ],
)
def test_contradictions_are_flagged_and_the_first_is_believed(
    attributes: dict[str, Any], remark: str
) -> None:
    found = identify(header(**attributes))
    assert remark in found.flags
    assert found.laterality in (None, *(claim.value for claim in side_claims(header(**attributes))[:1]))
    assert found.view in (None, *(claim.value for claim in view_claims(header(**attributes))[:1]))


@pytest.mark.parametrize(
    "attributes",
    [
        {"ImageLaterality": "L", "Laterality": "L", "SeriesDescription": "L MLO", "ViewPosition": "MLO"},
        {"ViewPosition": "XCCL", "SeriesDescription": "R CC"},
        {"ViewPosition": "CC", "SeriesDescription": "L CC and R CC, MLO"},
        {"ImageLaterality": "B", "ViewPosition": "CC", "SeriesDescription": "Screening"},
    ],
)
def test_what_agrees_is_not_flagged(attributes: dict[str, Any]) -> None:
    assert not [flag for flag in identify(header(**attributes)).flags if "says" in flag]


def test_the_picture_is_asked_too(tmp_path: Path) -> None:
    mirrored = np.ascontiguousarray(breast_image()[:, ::-1])
    path = write_dicom(tmp_path / "a.dcm", mirrored, ImageLaterality=None, ViewPosition="LEFT MLO")
    image = read_mammogram(path)
    assert image.laterality == "L"
    assert "the chest wall is on the side usual for R, not L" in image.flags
    for turns, wall in ((3, "top"), (1, "bottom")):
        turned = np.ascontiguousarray(np.rot90(breast_image(160, 128), turns))
        image = read_mammogram(write_dicom(tmp_path / "b.dcm", turned))
        assert f"the chest wall is at the {wall}: the image is turned" in image.flags
        assert image.details["chest wall"] == wall
    assert read_mammogram(write_dicom(tmp_path / "c.dcm")).flags == ()
