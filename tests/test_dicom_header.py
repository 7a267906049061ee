"""Pixel spacing, view and laterality, eligibility: what is read from the header."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from dicom_factory import breast_image, code_item, make_dataset, write_dicom
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from mcdetect.errors import MissingSpacingError, NotEligibleError
from mcdetect.image.mammogram import Intent, PixelSpacing, Plane
from mcdetect.image.views import parse_view_name
from mcdetect.readers.dicom.eligibility import eligibility_problem
from mcdetect.readers.dicom.geometry import find_spacing
from mcdetect.readers.dicom.identity import identify
from mcdetect.readers.read import read_mammogram

ROW_COL = [0.07, 0.08]
GIVEN = PixelSpacing(0.05, 0.06)


def header(**attributes: Any) -> Dataset:
    return make_dataset(**{"ImagerPixelSpacing": None, **attributes})


@pytest.mark.parametrize(
    ("attributes", "row_mm", "col_mm", "source", "plane"),
    [
        ({"ImagerPixelSpacing": ROW_COL}, 0.07, 0.08, "Imager Pixel Spacing", Plane.DETECTOR),
        (
            {"ImagerPixelSpacing": ROW_COL, "EstimatedRadiographicMagnificationFactor": 1.6},
            0.07 / 1.6,
            0.05,
            "Imager Pixel Spacing / Estimated Radiographic Magnification Factor of 1.6",
            Plane.OBJECT,
        ),
        (
            {"ImagerPixelSpacing": ROW_COL, "DistanceSourceToDetector": 660, "DistanceSourceToPatient": 600},
            0.07 / 1.1,
            0.08 / 1.1,
            "Imager Pixel Spacing / (Distance Source to Detector / Distance Source to Patient)",
            Plane.OBJECT,
        ),
        (
            {"ImagerPixelSpacing": ROW_COL, "EstimatedRadiographicMagnificationFactor": 0},
            0.07,
            0.08,
            "Imager Pixel Spacing",
            Plane.DETECTOR,
        ),
        (
            {"ImagerPixelSpacing": ROW_COL, "DistanceSourceToDetector": 660, "DistanceSourceToPatient": 0},
            0.07,
            0.08,
            "Imager Pixel Spacing",
            Plane.DETECTOR,
        ),
        ({"PixelSpacing": ROW_COL}, 0.07, 0.08, "Pixel Spacing", Plane.UNKNOWN),
        ({"NominalScannedPixelSpacing": ROW_COL}, 0.07, 0.08, "Nominal Scanned Pixel Spacing", Plane.FILM),
        (
            {"PixelSpacing": ROW_COL, "NominalScannedPixelSpacing": ROW_COL},
            0.07,
            0.08,
            "Nominal Scanned Pixel Spacing",
            Plane.FILM,
        ),
        (
            {
                "PixelSpacing": ROW_COL,
                "ImagerPixelSpacing": [0.1, 0.1],
                "PixelSpacingCalibrationType": "GEOMETRY",
                "EstimatedRadiographicMagnificationFactor": 1.5,
            },
            0.07,
            0.08,
            "Pixel Spacing (calibrated, GEOMETRY; differs from Imager Pixel Spacing)",
            Plane.OBJECT,
        ),
        (
            {"PixelSpacing": ROW_COL, "ImagerPixelSpacing": [0.1, 0.1]},
            0.07,
            0.08,
            "Pixel Spacing (differs from Imager Pixel Spacing)",
            Plane.UNKNOWN,
        ),
        (
            {"PixelSpacing": ROW_COL, "ImagerPixelSpacing": ROW_COL},
            0.07,
            0.08,
            "Imager Pixel Spacing",
            Plane.DETECTOR,
        ),
    ],
)
def test_where_the_spacing_comes_from(
    attributes: dict[str, Any], row_mm: float, col_mm: float, source: str, plane: Plane
) -> None:
    spacing, _ = find_spacing(header(**attributes), GIVEN)
    assert (spacing.row_mm, spacing.col_mm) == pytest.approx((row_mm, col_mm))
    assert spacing.source == source
    assert spacing.plane is plane


def test_differing_spacings_without_calibration_are_flagged() -> None:
    _, flags = find_spacing(header(PixelSpacing=ROW_COL, ImagerPixelSpacing=[0.1, 0.1]))
    assert flags == ["Pixel Spacing differs from Imager Pixel Spacing without a calibration type"]


def test_functional_groups_hold_the_spacing_of_stacks() -> None:
    def group(row_mm: float) -> Dataset:
        measures, holder = Dataset(), Dataset()
        measures.PixelSpacing = [row_mm, 0.1]
        holder.PixelMeasuresSequence = Sequence([measures])
        return holder

    shared = header(SharedFunctionalGroupsSequence=Sequence([group(0.09)]))
    assert find_spacing(shared)[0].row_mm == 0.09
    frames = header(PerFrameFunctionalGroupsSequence=Sequence([group(0.08), group(0.06)]))
    assert find_spacing(frames, frame=1)[0].row_mm == 0.06


def test_detector_element_spacing_is_never_used() -> None:
    with pytest.raises(MissingSpacingError, match="--pixel-spacing"):
        find_spacing(header(DetectorElementSpacing=[0.05, 0.05]))


def test_given_spacing_serves_images_without_one_and_the_header_wins() -> None:
    assert find_spacing(header(), GIVEN)[0] is GIVEN
    assert find_spacing(header(PixelSpacing=ROW_COL), GIVEN)[0].row_mm == 0.07


@pytest.mark.parametrize(
    "values",
    [b"0\\0 ", b"-0.07\\-0.07 ", b"NaN\\NaN ", b"abc\\def ", b"0.07", b"7\\7 ", b"inf\\inf ", b"1e-9\\0.1 "],
)
@pytest.mark.parametrize("tag", [0x00181164, 0x00280030])
def test_impossible_spacing_names_the_tag_and_the_remedy(tmp_path: Path, values: bytes, tag: int) -> None:
    ds = header(StudyID="x")
    path = tmp_path / "a.dcm"
    placeholder = "0" * (len(values) + len(values) % 2)
    ds.add_new(tag, "DS", [placeholder[: len(values)].strip()[:14] or "0"])
    from dicom_factory import save

    save(ds, path)
    data = path.read_bytes()
    head = bytes((tag >> 16 & 0xFF, tag >> 24, tag & 0xFF, tag >> 8 & 0xFF)) + b"DS"
    start = data.index(head)
    length = int.from_bytes(data[start + 6 : start + 8], "little")
    padded = values + b" " * (len(values) % 2)
    path.write_bytes(
        data[: start + 6] + len(padded).to_bytes(2, "little") + padded + data[start + 8 + length :]
    )
    name = "Imager Pixel Spacing" if tag == 0x00181164 else "Pixel Spacing"
    with pytest.raises(MissingSpacingError, match=rf"a\.dcm: {name} in the header .*--pixel-spacing"):
        read_mammogram(path)
    image = read_mammogram(path, pixel_spacing_mm=0.07)
    assert image.spacing.row_mm == 0.07
    assert f"impossible {name}: the given spacing is used" in image.flags


def test_impossible_spacing_beside_a_good_one_is_passed_over() -> None:
    spacing, flags = find_spacing(header(ImagerPixelSpacing=[0, 0], PixelSpacing=ROW_COL))
    assert spacing.source == "Pixel Spacing"
    assert flags == ["impossible Imager Pixel Spacing ignored"]


def test_cbis_films_are_told_the_two_digitisers() -> None:
    with pytest.raises(MissingSpacingError, match=r"0\.0435.*0\.05"):
        find_spacing(header(StudyID="DDSM"))
    with pytest.raises(MissingSpacingError) as caught:
        find_spacing(header(StudyID="1"))
    assert "0.0435" not in str(caught.value)


@pytest.mark.parametrize("value", [0.0, -0.1, math.nan, math.inf, 0.9, (0.1,), (0.1, "x")])
def test_impossible_given_spacing_is_a_value_error(tmp_path: Path, value: Any) -> None:
    with pytest.raises(ValueError, match="pixel_spacing_mm"):
        read_mammogram(write_dicom(tmp_path / "a.dcm"), pixel_spacing_mm=value)


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
