"""Tomosynthesis: slices read one by one, in order, searched, joined in depth; what is not read is named."""

from __future__ import annotations

import dataclasses
import gzip
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from dicom_factory import SHARED, breast_image, save, write_dicom
from pydicom import dcmread, uid
from pydicom.dataset import Dataset
from scipy.spatial import cKDTree

import mcdetect
from mcdetect.clusters.depth import find_groups_in_depth
from mcdetect.config import GroupConfig
from mcdetect.errors import InputFileError, NotEligibleError, UnreadableFileError
from mcdetect.image.volume import Volume
from mcdetect.phantom import (
    Calcifications,
    Encoding,
    Group,
    PhantomTomosynthesis,
    Scatter,
    Sweep,
    draw_tomosynthesis,
    write_projections,
    write_tomosynthesis,
)
from mcdetect.pipeline import detect_file
from mcdetect.readers.image_file import ImageFile
from mcdetect.readers.inspection import inspect
from mcdetect.readers.read import read_mammogram, read_volume
from mcdetect.runs import run_batch
from mcdetect.spots.slices import join_in_depth

CAPTURE = "1.2.840.10008.5.1.4.1.1.7.3"


@pytest.fixture(scope="module")
def small() -> PhantomTomosynthesis:
    return draw_tomosynthesis(
        (420, 360), 0.12, seed=11, slices=8, slice_spacing_mm=5.0, view="MLO", laterality="R"
    )


@pytest.fixture(scope="module")
def drawn() -> PhantomTomosynthesis:
    """A breast with two groups and single calcifications that stand out well."""
    look = Calcifications(snr=(9.0, 20.0))
    return draw_tomosynthesis(
        (1000, 700),
        0.1,
        seed=3,
        slices=36,
        groups=(Group(n=9, calcifications=look),) * 2,
        scatter=Scatter(8, calcifications=look),
    )


@pytest.fixture(scope="module")
def found(drawn: PhantomTomosynthesis) -> mcdetect.Result:
    return mcdetect.detect(drawn.to_volume())


def changed(path: Path, target: Path, **attributes: Any) -> Path:
    """Write a copy of a file with some attributes changed; None deletes."""
    header = dcmread(path)
    for keyword, value in attributes.items():
        if value is None:
            if keyword in header:
                delattr(header, keyword)
        else:
            setattr(header, keyword, value)
    header.save_as(target)
    return target


# Reading.


@pytest.mark.parametrize(
    "encoding", [Encoding.EXPLICIT, Encoding.JPEG_LOSSLESS, Encoding.JPEG_LS, Encoding.JPEG_2000], ids=str
)
@pytest.mark.parametrize("reverse", [False, True])
def test_slices_come_in_the_order_of_depth(
    small: PhantomTomosynthesis, tmp_path: Path, encoding: Encoding, reverse: bool
) -> None:
    path = tmp_path / "a.dcm"
    write_tomosynthesis(small, path, encoding=encoding, reverse=reverse, per_frame_spacing=reverse)
    volume = read_volume(path)
    assert volume.frames == tuple(range(8))[:: -1 if reverse else 1]
    assert volume.depth_mm == tuple(5.0 * k for k in range(8))
    assert (volume.view, volume.laterality, volume.half_angle_deg) == ("MLO", "R", 7.5)
    assert (volume.spacing.row_mm, volume.spacing.col_mm) == (0.12, 0.12)
    assert volume.spacing.plane == "object"
    for k in range(8):
        np.testing.assert_array_equal(volume.stored(k), small.slice(k))
    np.testing.assert_array_equal(volume.mammogram(3).pixels, small.slice(3).astype(np.float32))


def test_order_falls_back_to_the_stack_and_then_to_the_file(
    small: PhantomTomosynthesis, tmp_path: Path
) -> None:
    path = tmp_path / "a.dcm"
    write_tomosynthesis(small, path, reverse=True, positions=False)
    volume = read_volume(path)
    assert volume.frames == tuple(range(7, -1, -1))
    assert "In-Stack Position Number" in volume.details["slices"]
    bare = read_volume(changed(path, tmp_path / "b.dcm", PerFrameFunctionalGroupsSequence=None))
    assert bare.frames == tuple(range(8))
    assert "slices taken in the order of the file" in bare.flags


def test_equal_plane_positions_are_not_believed(small: PhantomTomosynthesis, tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    write_tomosynthesis(small, path)
    header = dcmread(path)
    for group in header.PerFrameFunctionalGroupsSequence:
        group.PlanePositionSequence[0].ImagePositionPatient = [0, 0, 0]
    header.save_as(path)
    volume = read_volume(path)
    assert volume.frames == tuple(range(8))
    assert "impossible plane positions ignored" in volume.flags


def test_unknown_distance_of_slices_is_flagged(small: PhantomTomosynthesis, tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    write_tomosynthesis(small, path, positions=False)
    header = dcmread(path)
    measures = header.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    del measures.SliceThickness, measures.SpacingBetweenSlices
    header.save_as(path)
    assert any("distance of the slices unknown" in flag for flag in read_volume(path).flags)


def test_slices_come_out_of_an_archive(small: PhantomTomosynthesis, tmp_path: Path) -> None:
    path, packed = tmp_path / "a.dcm", tmp_path / "a.dcm.gz"
    write_tomosynthesis(small, path)
    packed.write_bytes(gzip.compress(path.read_bytes(), 1))
    volume = read_volume(packed)
    np.testing.assert_array_equal(volume.stored(4), small.slice(4))


def test_one_slice_is_read_as_an_image(small: PhantomTomosynthesis, tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    write_tomosynthesis(small, path)
    np.testing.assert_array_equal(read_mammogram(path, frame=5).pixels, small.slice(5).astype(np.float32))
    with pytest.raises(NotEligibleError, match=r"8 slices of tomosynthesis.*read_volume"):
        read_mammogram(path)
    report = inspect(path)
    assert report.eligible
    assert report.facts["slices"].startswith("8, 5 mm apart")


def test_projections_are_read_one_by_one(small: PhantomTomosynthesis, tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    write_projections(small, path)
    image = read_mammogram(path, frame=7)
    assert image.intent == "FOR PROCESSING"
    assert image.zero_exposure_level is not None
    middle = small.projection(7).astype(np.float32)
    np.testing.assert_array_equal(image.pixels - image.pixels.max(), middle.min() - middle)
    with pytest.raises(NotEligibleError, match=r"15 projection images.*frame=0"):
        detect_file(ImageFile(path, "a.dcm"))


def test_inverted_slices_are_bright_where_they_are_dense(small: PhantomTomosynthesis, tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    write_tomosynthesis(small, path)
    header = dcmread(path)
    header.PhotometricInterpretation = "MONOCHROME1"
    header.PixelData = (4095 - header.pixel_array).astype("<u2").tobytes()
    header.save_as(path)
    volume = read_volume(path)
    assert not volume.rising
    np.testing.assert_array_equal(volume.mammogram(2).pixels, small.slice(2).astype(np.float32))


@pytest.mark.parametrize(
    ("attributes", "read"),
    [
        ({"ImageType": ["DERIVED", "SECONDARY", "TOMOSYNTHESIS"]}, True),
        ({"SliceThickness": "1"}, True),
        ({}, False),
    ],
)
def test_captures_of_several_frames(tmp_path: Path, attributes: dict[str, Any], read: bool) -> None:
    frames = np.stack([breast_image(seed=seed) for seed in range(4)])
    path = write_dicom(
        tmp_path / "a.dcm", frames, SOPClassUID=CAPTURE, NumberOfFrames=4, Rows=160, Columns=128, **attributes
    )
    if read:
        assert len(read_volume(path)) == 4
    else:
        with pytest.raises(NotEligibleError, match=r"4 frames.*Breast Tomosynthesis Image Storage"):
            read_volume(path)


def test_private_tomosynthesis_is_named(tmp_path: Path) -> None:
    header = Dataset()
    header.SOPClassUID, header.SOPInstanceUID, header.Modality = (
        uid.SecondaryCaptureImageStorage,
        "1.2.3",
        "MG",
    )
    block = header.private_block(0x7E01, "HOLOGIC, Inc.", create=True)
    block.add_new(0x10, "OB", b"\0" * 64)
    path = tmp_path / "a.dcm"
    save(header, path)
    with pytest.raises(NotEligibleError, match=r"HOLOGIC.*Breast Tomosynthesis Image Storage"):
        read_volume(path)


def test_the_private_case_of_the_shared_files_is_named() -> None:
    path = SHARED / "cases" / "pacs_export" / "private_tomo_sc.dcm"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    with pytest.raises(NotEligibleError, match="HOLOGIC"):
        read_volume(path)


@pytest.mark.parametrize("encoding", [Encoding.EXPLICIT, Encoding.JPEG_LOSSLESS], ids=str)
def test_cut_files_are_refused(small: PhantomTomosynthesis, tmp_path: Path, encoding: Encoding) -> None:
    path = tmp_path / "a.dcm"
    write_tomosynthesis(small, path, encoding=encoding)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(InputFileError) as error:
        detect_file(ImageFile(path, "a.dcm"))
    assert error.value.cause
    assert error.value.remedy


def test_a_damaged_frame_is_named(small: PhantomTomosynthesis, tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    write_tomosynthesis(small, path, encoding=Encoding.JPEG_LOSSLESS)
    volume = read_volume(path)
    data = bytearray(path.read_bytes())
    starts = [found.end() for found in re.finditer(rb"\xfe\xff\x00\xe0....(?=\xff\xd8)", data, re.DOTALL)]
    assert len(starts) == 8
    data[starts[6] : starts[6] + 400] = b"\0" * 400
    path.write_bytes(data)
    assert volume.stored(5).shape == (420, 360)
    with pytest.raises(UnreadableFileError, match="frame 6"):
        volume.stored(6)


# Searching.


def test_calcifications_are_found_once_and_in_their_slice(
    drawn: PhantomTomosynthesis, found: mcdetect.Result
) -> None:
    truth, marks = drawn.truth, found.calcifications
    tree = cKDTree(truth[["row_px", "col_px"]].to_numpy())
    away, nearest = tree.query(marks[["row_px", "col_px"]].to_numpy())
    true = away <= 5.0
    hits = np.bincount(nearest[true], minlength=len(truth))
    assert (hits > 0).mean() >= 0.95
    assert hits.max() == 1
    off = np.abs(marks["slice"].to_numpy()[true] - truth["slice"].to_numpy()[nearest[true]])
    assert (off <= 1).mean() >= 0.9
    assert np.count_nonzero(~true) <= 0.25 * float(found.summary()["searched_area_cm2"].iloc[0])
    np.testing.assert_array_equal(marks["slice"], marks["depth_mm"])  # slices are 1 mm apart, in file order


def test_groups_have_a_depth(drawn: PhantomTomosynthesis, found: mcdetect.Result) -> None:
    flagged = found.flagged
    assert len(flagged) == 2
    for number, members in drawn.truth[drawn.truth["group_id"] > 0].groupby("group_id"):
        near = np.hypot(
            flagged["row_px"] - members["row_px"].mean(), flagged["col_px"] - members["col_px"].mean()
        )
        group = flagged.loc[near.idxmin()]
        assert near.min() < 20.0, number
        assert abs(group["depth_mm"] - members["depth_mm"].median()) <= 1.5
        assert abs(group["extent_depth_mm"] - np.ptp(members["depth_mm"])) <= 2.0


def test_pictures_show_the_slab_of_each_group(found: mcdetect.Result) -> None:
    assert sorted(found.slabs) == [1, 2]
    for number, slab in found.slabs.items():
        own = found.calcifications.loc[found.calcifications["cluster_id"] == number, "slice"]
        assert (slab.first, slab.last) == (own.min(), own.max())
    plain = dataclasses.replace(found, slabs={})
    assert found.overlay().shape == plain.overlay().shape
    assert (found.overlay() != plain.overlay()).any()


def test_the_table_of_images_tells_stacks_from_mammograms(found: mcdetect.Result) -> None:
    row = found.summary().iloc[0]
    assert (row["n_slices"], row["slice_spacing_mm"]) == (36, 1.0)
    plain = mcdetect.detect(np.asarray(breast_image(400, 320), np.float32), 0.2)
    assert plain.summary()["n_slices"].iloc[0] == 1
    assert np.isnan(plain.summary()["slice_spacing_mm"].iloc[0])
    assert plain.candidates["slice"].isna().all()


def test_reversed_files_give_the_same_places(drawn: PhantomTomosynthesis, tmp_path: Path) -> None:
    paths = tmp_path / "a.dcm", tmp_path / "b.dcm"
    write_tomosynthesis(drawn, paths[0])
    write_tomosynthesis(drawn, paths[1], reverse=True)
    ahead, back = (detect_file(ImageFile(path, "x")) for path in paths)
    assert len(ahead.calcifications) > 15
    columns = ["row_px", "col_px", "depth_mm", "score"]
    np.testing.assert_allclose(ahead.calcifications[columns], back.calcifications[columns])
    np.testing.assert_array_equal(ahead.calcifications["slice"], 35 - back.calcifications["slice"])


def test_a_spot_model_of_ones_own_serves_slices_too(drawn: PhantomTomosynthesis) -> None:
    from mcdetect.spots.score import default_spot_model

    result = mcdetect.detect(drawn.to_volume(), spot_model=default_spot_model())
    assert len(result.calcifications) > 15


def test_two_groups_one_above_the_other_stay_two() -> None:
    rng = np.random.default_rng(0)
    place = rng.uniform(0, 6, (16, 2))
    depth = np.where(np.arange(16) < 8, 5.0, 30.0)
    groups = find_groups_in_depth(place[:, 0], place[:, 1], depth, GroupConfig())
    assert len(groups) == 2
    assert groups.flagged.all()
    assert len(set(groups.label[:8])) == len(set(groups.label[8:])) == 1
    flat = find_groups_in_depth(place[:, 0], place[:, 1], np.zeros(16), GroupConfig())
    assert len(flat) == 1


def test_ghosts_belong_to_their_source() -> None:
    row = np.array([0.0, 1.0, 1.0, 0.0, 0.0])
    col = np.array([0.0, 0.0, 1.0, 0.0, 5.0])
    depth = np.array([10.0, 15.0, 15.0, 11.0, 10.0])
    strength = np.array([30.0, 6.0, 6.0, 15.0, 8.0])
    kept = join_in_depth(row, col, depth, strength, 15.0)
    # the ghost within the sweep goes, that in another column stays; the next slice shows the same one
    assert kept.tolist() == [True, False, True, False, True]
    assert join_in_depth(row[:0], col[:0], depth[:0], strength[:0], None).size == 0


def test_ghosts_do_not_swallow_what_is_too_strong_for_one() -> None:
    kept = join_in_depth(np.zeros(2), np.zeros(2), np.array([5.0, 20.0]), np.array([20.0, 14.0]), 25.0)
    assert kept.all()


def test_wide_sweeps_draw_ghosts_and_narrow_ones_smear() -> None:
    look = Calcifications(snr=(40.0, 41.0), diameter_mm=(0.3, 0.31))
    ranges = {}
    for half in (6.0, 25.0):
        phantom = draw_tomosynthesis(
            (500, 400),
            0.1,
            seed=2,
            slices=20,
            scatter=Scatter(1, calcifications=look),
            sweep=Sweep(9, half),
        )
        one = phantom.truth.iloc[0]
        row, col = round(one["row_px"]), round(one["col_px"])
        heights = []
        for k in range(20):
            part = phantom.slice(k)[row - 1 : row + 2, col - 1 : col + 2].astype(float).mean()
            ring = np.median(phantom.slice(k)[row - 20 : row + 21, col - 20 : col + 21])
            heights.append(part - ring)
        assert abs(int(np.argmax(heights)) - one["slice"]) <= 1
        ranges[half] = np.count_nonzero(np.array(heights) > 0.5 * max(heights))
    assert ranges[25.0] < ranges[6.0]


def test_volumes_of_arrays() -> None:
    stack = np.zeros((3, 40, 50), np.uint8)
    volume = Volume.from_array(stack, (0.1, 0.2), 2.0)
    assert (len(volume), volume.shape, volume.slice_spacing_mm) == (3, (40, 50), 2.0)
    with pytest.raises(ValueError, match="uint16"):
        Volume.from_array(stack.astype(np.float32), 0.1)
    with pytest.raises(ValueError, match="order"):
        dataclasses.replace(volume, depth_mm=(0.0, 2.0, 1.0))


def test_a_folder_with_tomosynthesis_just_works(drawn: PhantomTomosynthesis, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    write_tomosynthesis(drawn, folder / "tomo.dcm")
    write_projections(drawn, folder / "projections.dcm")
    run_batch([folder], out, jobs=1)
    images = pd.read_csv(out / "images.csv")
    assert images["file"].tolist() == ["tomo.dcm"]
    assert images["n_slices"].tolist() == [36]
    marks = pd.read_csv(out / "calcifications.csv")
    assert marks["slice"].between(0, 35).all()
    assert (out / "overlays" / "tomo.png").exists()
