"""View and laterality, eligibility: what is read from the header."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dicom_factory import breast_image, code_item, make_dataset, write_dicom
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from mcdetect.errors import NotEligibleError
from mcdetect.image.mammogram import Intent
from mcdetect.image.views import parse_view_name
from mcdetect.readers.dicom.eligibility import eligibility_problem
from mcdetect.readers.dicom.identity import identify
from mcdetect.readers.read import read_mammogram


def header(**attributes: Any) -> Dataset:
    return make_dataset(**{"ImagerPixelSpacing": None, **attributes})


@pytest.mark.parametrize(
    ("attributes", "view", "source"),
    [
        ({"ViewPosition": "MLO"}, "MLO", "View Position"),
        ({"ViewPosition": "xccl"}, "XCCL", "View Position"),
        ({"ViewPosition": "CC SPOT"}, "CC", "View Position"),
        (
            {"ViewPosition": "CC", "ViewCodeSequence": Sequence([code_item("R-10226", "SRT")])},
            "MLO",
            "View Code Sequence",
        ),
        (
            {"ViewPosition": None, "ViewCodeSequence": Sequence([code_item("399162004", "SCT")])},
            "CC",
            "View Code Sequence",
        ),
        ({"ViewPosition": None, "PatientOrientation": "MLO"}, "MLO", "Patient Orientation"),
        ({"ViewPosition": None, "PatientOrientation": ["A", "F"]}, None, ""),
        ({"ViewPosition": None, "SeriesDescription": "R CC Breast"}, "CC", "Series Description"),
        ({"ViewPosition": "AP"}, None, ""),
        ({"ViewPosition": None}, None, ""),
    ],
)
def test_view(attributes: dict[str, Any], view: str | None, source: str) -> None:
    found = identify(header(**attributes))
    assert (found.view, found.view_source) == (view, source)


def test_laterality() -> None:
    assert identify(header(ImageLaterality="R", Laterality="L")).laterality == "R"
    assert identify(header(ImageLaterality=None, Laterality="L")).laterality_source == "Laterality"
    anatomy, group = Dataset(), Dataset()
    anatomy.FrameLaterality = "R"
    group.FrameAnatomySequence = Sequence([anatomy])
    stack = header(ImageLaterality=None, SharedFunctionalGroupsSequence=Sequence([group]))
    assert identify(stack).laterality_source == "Frame Laterality"
    assert identify(header(ImageLaterality="B")).flags == ("both breasts in one image",)
    assert identify(header(ImageLaterality="X")).laterality is None


@pytest.mark.parametrize(
    ("attributes", "flag"),
    [
        ({"ViewModifierCodeSequence": Sequence([code_item("399163009", "SCT")])}, "magnification view"),
        (
            {
                "ViewCodeSequence": Sequence(
                    [
                        code_item(
                            "R-10242", "SRT", ViewModifierCodeSequence=Sequence([code_item("R-102D7", "SRT")])
                        )
                    ]
                )
            },
            "spot compression view",
        ),
        ({"PaddleDescription": "10CM MAG"}, "magnification view"),
        ({"PaddleDescription": "SPT CMP"}, "spot compression view"),
        ({"ViewPosition": "CC spot"}, "spot compression view"),
        ({"ViewModifierCodeSequence": Sequence([code_item("R-102D5", "SRT")])}, "implant displaced"),
        ({"SeriesDescription": "L CC C-View"}, "synthetic 2D image"),
        ({"ImageType": ["DERIVED", "PRIMARY", "", "GENERATED_2D"]}, "synthetic 2D image"),
        ({"ContrastBolusAgent": "Iohexol"}, "contrast-enhanced"),
        ({"ImageType": ["DERIVED", "PRIMARY", "", "STEREOTACTIC"]}, "stereotactic image"),
        ({"BreastImplantPresent": "YES"}, "breast implant"),
        ({"PartialView": "YES"}, "partial view"),
        ({"BurnedInAnnotation": "YES"}, "burned-in annotation"),
    ],
)
def test_special_images_are_flagged(attributes: dict[str, Any], flag: str) -> None:
    ds = header(**attributes)
    found = identify(ds)
    assert found.flags == (flag,)
    assert eligibility_problem(ds, found) is None


@pytest.mark.parametrize(
    ("attributes", "intent"),
    [
        ({}, Intent.FOR_PRESENTATION),
        ({"PresentationIntentType": "FOR PROCESSING"}, Intent.FOR_PROCESSING),
        (
            {
                "PresentationIntentType": None,
                "SOPClassUID": uid.DigitalMammographyXRayImageStorageForProcessing,
            },
            Intent.FOR_PROCESSING,
        ),
        (
            {"PresentationIntentType": None, "SOPClassUID": uid.SecondaryCaptureImageStorage},
            Intent.FILM,
        ),
        ({"DetectorType": "FILM"}, Intent.FILM),
        ({"PresentationIntentType": None, "SOPClassUID": None}, Intent.UNKNOWN),
    ],
)
def test_intent(attributes: dict[str, Any], intent: Intent) -> None:
    assert identify(header(**attributes)).intent is intent


BARE = {"BodyPartExamined": None, "ViewPosition": None, "SOPClassUID": uid.SecondaryCaptureImageStorage}


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"SOPClassUID": uid.SecondaryCaptureImageStorage},
        {"Modality": None},
        {"Modality": "CR", "SOPClassUID": uid.ComputedRadiographyImageStorage},
        {**BARE, "Modality": "RG", "ViewPosition": "MLO"},
        {**BARE, "Modality": "DX", "AnatomicRegionSequence": Sequence([code_item("76752008", "SCT")])},
        {**BARE, "Modality": "OT", "ViewCodeSequence": Sequence([code_item("R-10242", "SRT")])},
        {**BARE, "Modality": "CR", "PositionerType": "MAMMOGRAPHIC"},
    ],
)
def test_mammograms_are_eligible(attributes: dict[str, Any]) -> None:
    ds = header(**attributes)
    assert eligibility_problem(ds, identify(ds)) is None


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"Modality": "CT", "SOPClassUID": uid.CTImageStorage}, "a CT image"),
        ({"Modality": "MR"}, "an MR image"),
        ({"Modality": "SR"}, "a structured report"),
        ({"Modality": "ES"}, "of modality ES"),
        ({"Modality": None, "SOPClassUID": uid.UltrasoundImageStorage}, "of class Ultrasound Image Storage"),
        ({**BARE, "Modality": "DX"}, "Modality DX"),
        ({**BARE, "Modality": "DX", "BodyPartExamined": "CHEST", "ViewPosition": "AP"}, "Modality DX"),
        ({"NumberOfFrames": "60"}, "60 frames"),
        ({"SeriesDescription": "ROI mask images"}, "region-of-interest mask"),
        ({"QualityControlImage": "YES"}, "quality control"),
        ({"ViewCodeSequence": Sequence([code_item("G-8310", "SRT")])}, "specimen"),
        ({"SOPClassUID": uid.MediaStorageDirectoryStorage}, "DICOMDIR"),
    ],
)
def test_what_is_passed_over_and_why(attributes: dict[str, Any], message: str) -> None:
    ds = header(**attributes)
    problem = eligibility_problem(ds, identify(ds))
    assert isinstance(problem, NotEligibleError)
    assert message in problem.cause
    assert problem.remedy


def test_force_overrides_and_is_flagged(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "ct.dcm", Modality="CT", SOPClassUID=uid.CTImageStorage)
    with pytest.raises(NotEligibleError, match=r"ct\.dcm: it is a CT image, not a mammogram; use --force"):
        read_mammogram(path)
    image = read_mammogram(path, force=True)
    assert "forced: it is a CT image, not a mammogram" in image.flags


def test_stacks_are_refused_and_read_frame_by_frame_when_forced(tmp_path: Path) -> None:
    import numpy as np

    frames = np.stack([breast_image(seed=seed) for seed in range(3)])
    path = write_dicom(tmp_path / "a.dcm", frames, NumberOfFrames=3, Rows=160, Columns=128)
    with pytest.raises(NotEligibleError, match="3 frames"):
        read_mammogram(path)
    for index in range(3):
        image = read_mammogram(path, force=True, frame=index)
        np.testing.assert_array_equal(image.pixels, frames[index])
    with pytest.raises(ValueError, match="frame"):
        read_mammogram(path, force=True, frame=-1)
    from mcdetect.errors import UnreadableFileError

    with pytest.raises(UnreadableFileError, match="frame 3"):
        read_mammogram(path, force=True, frame=3)


def test_compressed_stacks_are_read_frame_by_frame(tmp_path: Path) -> None:
    import numpy as np
    from dicom_factory import encode

    images = [breast_image(seed=seed) for seed in range(3)]
    for syntax in (uid.RLELossless, uid.JPEGLSLossless):
        path = write_dicom(
            tmp_path / "a.dcm",
            images[0],
            syntax,
            [encode(image, syntax) for image in images],
            NumberOfFrames=3,
        )
        for index, image in enumerate(images):
            np.testing.assert_array_equal(read_mammogram(path, force=True, frame=index).pixels, image)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("1_R_CC", ("R", "CC")),
        ("20586908_6c613a14_MG_L_ML_ANON", ("L", "ML")),
        ("LMLO", ("L", "MLO")),
        ("patient Right XCCL", ("R", "XCCL")),
        ("A_0001_1.LEFT_MLO", ("L", "MLO")),
        ("CC-left", ("L", "CC")),
        ("mlo", (None, "MLO")),
        ("L_CC and R_CC", (None, None)),
        ("accept", (None, None)),
        ("mdb003", (None, None)),
        ("", (None, None)),
    ],
)
def test_views_in_names(name: str, expected: tuple[str | None, str | None]) -> None:
    assert parse_view_name(name) == expected


def test_laterality_is_checked_against_the_chest_wall(tmp_path: Path) -> None:
    image = read_mammogram(write_dicom(tmp_path / "a.dcm", ImageLaterality="R"))
    assert image.laterality == "R"
    assert "the chest wall is on the side usual for L, not R" in image.flags
    image = read_mammogram(write_dicom(tmp_path / "b.dcm", ImageLaterality=None))
    assert image.laterality == "L"
    assert "laterality taken from the side of the chest wall" in image.flags
    image = read_mammogram(write_dicom(tmp_path / "c.dcm", PatientOrientation=["P", "L"]))
    assert "the chest wall is not where Patient Orientation says" in image.flags
    assert read_mammogram(write_dicom(tmp_path / "d.dcm", PatientOrientation=["A", "R"])).flags == ()
