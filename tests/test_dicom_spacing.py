"""Pixel spacing: which attribute holds it, what is made of it, and what is said when there is none."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from dicom_factory import make_dataset, save, write_dicom
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from mcdetect.errors import MissingSpacingError
from mcdetect.image.mammogram import PixelSpacing, Plane
from mcdetect.readers.dicom.geometry import find_spacing
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


def holder(*spacing: Any) -> Dataset:
    """Return an item of functional groups with a Pixel Spacing."""
    measures, group = Dataset(), Dataset()
    measures.PixelSpacing = list(spacing)
    group.PixelMeasuresSequence = Sequence([measures])
    return group


def test_only_the_frame_asked_for_counts() -> None:
    frames = Sequence([holder(7, 7), holder(0.08, 0.09), holder(0.06, 0.06)])
    stack = header(PerFrameFunctionalGroupsSequence=frames)
    with pytest.raises(MissingSpacingError, match="Pixel Spacing in the header is not a number"):
        find_spacing(stack)
    assert find_spacing(stack, frame=1)[0].row_mm == 0.08
    both = header(
        SharedFunctionalGroupsSequence=Sequence([holder(7, 7)]), PerFrameFunctionalGroupsSequence=frames
    )
    spacing, flags = find_spacing(both, frame=2)
    assert spacing.row_mm == 0.06
    assert flags == ["impossible Pixel Spacing ignored"]
    shared = header(SharedFunctionalGroupsSequence=Sequence([holder(0.09, 0.1)]))
    shared.PerFrameFunctionalGroupsSequence = frames
    assert find_spacing(shared, frame=2)[0].row_mm == 0.09


@pytest.mark.parametrize(
    ("reference", "differs"),
    [
        ([0.0703, 0.0803], False),  # by 0.4 %: written with other digits
        ([0.0704, 0.08], True),
        ([0.07, 0.0805], True),
        ([0.0701, 0.0801], False),
    ],
)
@pytest.mark.parametrize("keyword", ["ImagerPixelSpacing", "NominalScannedPixelSpacing"])
@pytest.mark.parametrize("kind", [None, "GEOMETRY", "FIDUCIAL"])
def test_spacings_that_differ_by_half_a_percent_differ(
    reference: list[float], differs: bool, keyword: str, kind: str | None
) -> None:
    name = {"ImagerPixelSpacing": "Imager Pixel Spacing"}.get(keyword, "Nominal Scanned Pixel Spacing")
    attributes = {"PixelSpacing": ROW_COL, keyword: reference, "PixelSpacingCalibrationType": kind}
    spacing, flags = find_spacing(header(**attributes))
    if not differs:
        assert (spacing.row_mm, spacing.source, flags) == (reference[0], name, [])
    elif kind is None:
        assert (spacing.row_mm, spacing.source) == (0.07, f"Pixel Spacing (differs from {name})")
        assert spacing.plane is Plane.UNKNOWN
        assert flags == [f"Pixel Spacing differs from {name} without a calibration type"]
    else:
        assert spacing.source == f"Pixel Spacing (calibrated, {kind}; differs from {name})"
        assert (spacing.row_mm, spacing.plane, flags) == (0.07, Plane.OBJECT, [])


FACTOR = "EstimatedRadiographicMagnificationFactor"


@pytest.mark.parametrize(
    ("attributes", "factor", "flags"),
    [
        ({FACTOR: 1}, 1.0, []),
        ({FACTOR: 2.5}, 2.5, []),
        ({FACTOR: 2.51}, None, ["impossible Estimated Radiographic Magnification Factor ignored"]),
        ({FACTOR: 0.99}, None, ["impossible Estimated Radiographic Magnification Factor ignored"]),
        ({"DistanceSourceToDetector": 600, "DistanceSourceToPatient": 600}, 1.0, []),
        ({"DistanceSourceToDetector": 650, "DistanceSourceToPatient": 260}, 2.5, []),
        ({"DistanceSourceToDetector": 651, "DistanceSourceToPatient": 260}, None, []),
        ({"DistanceSourceToDetector": 599, "DistanceSourceToPatient": 600}, None, []),
        ({"DistanceSourceToDetector": 0.66, "DistanceSourceToPatient": 0.6}, 1.1, []),  # in metres
        ({"DistanceSourceToDetector": -660, "DistanceSourceToPatient": -600}, None, []),
        ({"DistanceSourceToDetector": 660}, None, []),
    ],
)
def test_magnification_between_one_and_two_and_a_half_is_believed(
    attributes: dict[str, Any], factor: float | None, flags: list[str]
) -> None:
    spacing, found = find_spacing(header(ImagerPixelSpacing=[0.1, 0.2], **attributes))
    assert found == flags
    assert (spacing.row_mm, spacing.col_mm) == pytest.approx((0.1 / (factor or 1), 0.2 / (factor or 1)))
    assert spacing.plane is (Plane.DETECTOR if factor is None else Plane.OBJECT)


def test_magnification_never_makes_pixels_impossibly_small() -> None:
    attributes = {FACTOR: 2}
    least, flags = find_spacing(header(ImagerPixelSpacing=[0.02, 0.03], **attributes))
    assert (least.row_mm, least.col_mm, flags) == (0.01, 0.015, [])
    spacing, flags = find_spacing(header(ImagerPixelSpacing=[0.03, 0.019], **attributes))
    assert spacing == PixelSpacing(0.03, 0.019, "Imager Pixel Spacing", Plane.DETECTOR)
    assert flags == ["magnification ignored: it would make the pixels impossibly small"]


def test_every_impossible_spacing_is_named() -> None:
    bad: dict[str, Any] = {"ImagerPixelSpacing": [0, 0], "NominalScannedPixelSpacing": [9, 9]}
    both = "Imager Pixel Spacing and Nominal Scanned Pixel Spacing"
    assert find_spacing(header(PixelSpacing=ROW_COL, **bad))[1] == [f"impossible {both} ignored"]
    spacing, flags = find_spacing(header(**bad), GIVEN)
    assert (spacing, flags) == (GIVEN, [f"impossible {both}: the given spacing is used"])
    with pytest.raises(MissingSpacingError) as caught:
        find_spacing(header(**bad))
    assert caught.value.cause == f"{both} in the header is not a number from 0.01 to 0.5 mm"
    with pytest.raises(MissingSpacingError) as caught:
        find_spacing(header())
    assert caught.value.cause == "the header has no pixel spacing"


@pytest.mark.parametrize(
    ("tag", "kind", "value", "known"),
    [
        (0x00131010, "LO", "CBIS-DDSM", True),
        (0x00131010, "UN", b"CBIS-DDSM ", True),
        (0x00131010, "LO", "TCGA-BRCA", False),
        (0x00131011, "LO", "CBIS-DDSM", False),
    ],
)
def test_cbis_films_are_known_by_the_private_element_too(
    tag: int, kind: str, value: str | bytes, known: bool
) -> None:
    ds = header(StudyID="1")
    ds.add_new(tag, kind, value)
    with pytest.raises(MissingSpacingError) as caught:
        find_spacing(ds)
    assert ("0.0435" in caught.value.remedy) is known


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


@pytest.mark.parametrize("keyword", ["SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"])
@pytest.mark.parametrize("spacing", [[0.14, 0.14], [0.085, 0.09]])
def test_spacing_of_frame_properties(keyword: str, spacing: list[float]) -> None:
    properties, group, header = Dataset(), Dataset(), Dataset()
    properties.ImagerPixelSpacing = spacing
    group.FramePixelDataPropertiesSequence = Sequence([properties])
    setattr(header, keyword, Sequence([group]))
    header.EstimatedRadiographicMagnificationFactor = "1.25"
    found, flags = find_spacing(header)
    assert (found.row_mm, found.col_mm) == pytest.approx((spacing[0] / 1.25, spacing[1] / 1.25))
    assert not flags
