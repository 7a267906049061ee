"""What all data sets share: shapes on pixels, the registry, tables and workbooks, folders."""

from __future__ import annotations

import datetime as dt
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from dataset_standins import blob, write_xlsx
from dicom_factory import breast_image, write_dicom
from hypothesis import given
from hypothesis import strategies as st
from skimage.draw import polygon2mask

from mcdetect.errors import UnreadableFileError, UnusableImageError, install_hint
from mcdetect.readers.dicom.glance import glance, stored_values
from mcdetect.validation.datasets import (
    Box,
    Case,
    Circle,
    Dot,
    Finding,
    Kind,
    MaskFile,
    Outline,
    Region,
    Runs,
    TruthStatus,
    describe,
    open_dataset,
)
from mcdetect.validation.datasets.base import files_under
from mcdetect.validation.datasets.shapes import Shape
from mcdetect.validation.datasets.tables import normal, read_rows, read_table

SHAPE = (50, 60)


def case_of(*shapes: Shape, grid: tuple[int, int] | None = None) -> Case:
    findings = tuple(Finding(Kind.GROUP, shape, grid=grid) for shape in shapes)
    return Case("set", "image", "patient", Path("image.dcm"), TruthStatus.LOCATED, findings)


def drawn(shape: Shape, size: tuple[int, int] = SHAPE) -> np.ndarray:
    (region,) = case_of(shape).regions(size)
    return region.full_mask(size)


# --- shapes ------------------------------------------------------------------------------------------


@given(row=st.floats(-5, 55), col=st.floats(-5, 65), radius=st.floats(0.75, 30))
def test_circles_equal_their_definition(row: float, col: float, radius: float) -> None:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    expected = (y - row) ** 2 + (x - col) ** 2 <= radius**2 + 1e-9
    if expected.any():
        np.testing.assert_array_equal(drawn(Circle(row, col, radius)), expected)
    else:
        with pytest.raises(UnusableImageError, match="outside the image"):
            drawn(Circle(row, col, radius))


@given(row=st.floats(0, 49), col=st.floats(0, 59), radius=st.floats(0, 0.7))
def test_the_smallest_circle_has_a_pixel(row: float, col: float, radius: float) -> None:
    assert 1 <= drawn(Circle(row, col, radius)).sum() <= 4


@given(top=st.floats(-20, 45), left=st.floats(-20, 55), height=st.floats(1, 60), width=st.floats(1, 70))
def test_boxes_hold_the_pixels_whose_centres_they_hold(
    top: float, left: float, height: float, width: float
) -> None:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    expected = (y >= top) & (y < top + height) & (x >= left) & (x < left + width)
    if expected.any():
        np.testing.assert_array_equal(drawn(Box(top, left, top + height, left + width)), expected)


@given(
    corners=st.lists(st.tuples(st.integers(0, 49), st.integers(0, 59)), min_size=3, max_size=8),
    shift=st.tuples(st.integers(-60, 60), st.integers(-60, 60)),
)
def test_outlines_hold_their_inside_and_corners(
    corners: list[tuple[int, int]], shift: tuple[int, int]
) -> None:
    mask = drawn(Outline(tuple((float(r), float(c)) for r, c in corners)))
    inside = polygon2mask(SHAPE, np.array(corners))
    assert all(mask[r, c] for r, c in corners)
    # Even-odd and border rules differ between libraries for crossing polygons only on the border.
    assert not (mask & ~_hull(corners)).any()
    if len(set(corners)) == 3:
        assert not (inside & ~mask).any()
    moved = Outline(tuple((float(r + shift[0]), float(c + shift[1])) for r, c in corners))
    expected = np.zeros((200, 200), dtype=bool)
    expected[60 : 60 + SHAPE[0], 60 : 60 + SHAPE[1]] = mask
    expected = np.roll(expected, shift, axis=(0, 1))[60 : 60 + SHAPE[0], 60 : 60 + SHAPE[1]]
    if expected.any():
        np.testing.assert_array_equal(drawn(moved), expected)


def _hull(corners: list[tuple[int, int]]) -> np.ndarray:
    """Return the bounding box of the corners as a mask."""
    rows, cols = zip(*corners, strict=True)
    mask = np.zeros(SHAPE, dtype=bool)
    mask[min(rows) : max(rows) + 1, min(cols) : max(cols) + 1] = True
    return mask


def test_tiny_outlines_do_not_vanish() -> None:
    assert drawn(Outline(((3.0, 4.0),))).sum() == 1
    assert drawn(Outline(((3.0, 4.0), (3.0, 9.0)))).sum() == 6
    (region,) = case_of(Outline(((3.2, 4.1), (3.3, 4.2), (2.9, 3.8)))).regions(SHAPE)
    assert region.is_dot


def test_regions_know_their_place() -> None:
    (region,) = case_of(Box(10, 20, 14, 26)).regions(SHAPE)
    assert isinstance(region, Region)
    assert (region.row, region.col, region.area_px, region.is_dot) == (11.5, 22.5, 24, False)
    assert region.contains(10, 20)
    assert region.contains(13.4, 25.4)
    assert not region.contains(13.6, 25)
    assert not region.contains(-5, -5)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (Dot(5, 6), (20, 24)),
        (Circle(5, 6, 2), (21.5, 25.5)),
        (Box(4, 6, 8, 10), (23.5, 31.5)),
        (Outline(((5.0, 6.0), (5.0, 9.0), (9.0, 9.0), (9.0, 6.0))), (29.5, 31.5)),
    ],
)
def test_truth_of_a_smaller_grid_is_scaled(shape: Shape, expected: tuple[float, float]) -> None:
    case = case_of(shape, grid=(50, 60))
    (region,) = case.regions((200, 240))
    centre = (region.row, region.col)
    assert np.allclose(centre, expected, atol=2.0)
    assert "truth scaled" in region.remarks[0]
    assert case.regions((50, 60))[0].remarks == ()


def test_findings_outside_and_impossible_numbers() -> None:
    for shape in (Dot(50, 0), Box(0, 60, 5, 70), Circle(-10, 5, 3), Outline(((70.0, 70.0), (80.0, 80.0)))):
        with pytest.raises(UnusableImageError, match=r"image\.dcm: a finding lies outside the image"):
            case_of(shape).regions(SHAPE)
    for build in (
        lambda: Dot(float("nan"), 0),
        lambda: Circle(0, 0, -1),
        lambda: Circle(0, 0, float("inf")),
        lambda: Box(0, 0, 0, 5),
        lambda: Outline(()),
        lambda: Runs((5, -1), 2, 2),
        lambda: Runs((), 2, 2),
    ):
        with pytest.raises(UnreadableFileError):
            build()


def test_masks_as_pictures(tmp_path: Path) -> None:
    import cv2

    mask = blob(*SHAPE, 5, 8, 10)
    for suffix in ("png", "bmp", "tif", "pgm"):
        path = tmp_path / f"mask.{suffix}"
        cv2.imwrite(str(path), mask)
        np.testing.assert_array_equal(drawn(MaskFile((path,))), mask > 0)
    lossy = tmp_path / "mask.jpg"
    cv2.imwrite(str(lossy), mask)
    assert abs(int(drawn(MaskFile((lossy,))).sum()) - 100) < 10
    coloured = tmp_path / "red.png"
    cv2.imwrite(str(coloured), np.dstack([mask * 0, mask * 0, mask]))
    np.testing.assert_array_equal(drawn(MaskFile((coloured,))), mask > 0)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(UnreadableFileError, match="no image that can be read"):
        drawn(MaskFile((tmp_path / "text.png",)))
    with pytest.raises(UnreadableFileError, match="No such file"):
        drawn(MaskFile((tmp_path / "gone.png",)))


def test_of_several_masks_the_one_of_the_right_size_is_taken(tmp_path: Path) -> None:
    import cv2

    small, full = tmp_path / "a.png", tmp_path / "b.png"
    cv2.imwrite(str(small), blob(20, 20, 2, 2, 5))
    cv2.imwrite(str(full), blob(*SHAPE, 5, 8, 10))
    (region,) = case_of(MaskFile((small, full))).regions(SHAPE)
    assert (region.top, region.left) == (5, 8)
    assert "several files look like masks" in region.remarks[0]


# --- the registry ------------------------------------------------------------------------------------


NEWER = ("embed", "rsna", "bcs-dbt")


def test_every_set_says_what_it_needs() -> None:
    sets = {info.name: info for info in describe()}
    assert list(sets) == ["cbis-ddsm", "inbreast", "vindr-mammo", "cmmd", *NEWER, "mini-mias", "generic"]
    for info in sets.values():
        assert all(
            (info.title, info.home, info.licence, info.reference, info.layout, info.truth, info.spacing)
        )
        if info.name != "generic":
            assert info.home.startswith("http")


def test_unknown_names_and_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown data set 'ddsm'; known are cbis-ddsm"):
        open_dataset("ddsm", tmp_path)
    with pytest.raises(ValueError, match="mini-mias has no option 'split'; it has none"):
        open_dataset("mini-mias", tmp_path, split="test")
    with pytest.raises(ValueError, match="no option 'spacing'; known are spacing_table, split"):
        open_dataset("cbis-ddsm", tmp_path, spacing=1)


def test_the_list_is_quick_to_make() -> None:
    code = (
        "import sys; from mcdetect.validation.datasets import describe; describe();"
        "print(*{'pydicom', 'cv2', 'pandas', 'numba'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == ""


def test_cases_can_be_sent_to_workers() -> None:
    case = case_of(Box(1, 2, 3, 4), MaskFile((Path("mask.png"),)))
    assert pickle.loads(pickle.dumps(case)) == case


# --- tables ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inline", [False, True])
def test_workbooks(tmp_path: Path, inline: bool) -> None:
    path = write_xlsx(
        tmp_path / "book.xlsx",
        {
            "First": [["nothing"]],
            "Second & last": [["title"], [], ["Patient_ID", "", "Age"], ["A<B", "x", 4.5]],
        },
        inline=inline,
    )
    assert read_table(path, ["patient id", "age"]) == [{"patient id": "A<B", "age": "4.5"}]
    with pytest.raises(UnreadableFileError, match=r"book\.xlsx: .*columns 'weight'"):
        read_table(path, ["weight"])


def test_cells_come_as_they_are_stored(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["name", "value", "when", "seen", "sum"])
    sheet.append([" a ", 3.0, dt.date(2010, 2, 1), True, "=1+1"])
    sheet.append(["b", 0.125, dt.datetime(2010, 2, 1, 12), False, None])
    sheet.append([None, 1e20, 12, None, None])
    book.save(tmp_path / "cells.xlsx")
    assert read_rows(tmp_path / "cells.xlsx")["Sheet"] == [
        ["name", "value", "when", "seen", "sum"],
        ["a", "3", "40210", "1", ""],
        ["b", "0.125", "40210.5", "0"],
        ["", "1e+20", "12"],
    ]


def test_without_openpyxl_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_xlsx(tmp_path / "book.xlsx", {"First": [["a"], ["b"]]})
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(UnreadableFileError) as error:
        read_table(path, ["a"])
    assert error.value.path == path
    assert install_hint("excel") in error.value.remedy
    assert "save the sheet as CSV" in error.value.remedy


def repacked(path: Path, part: str, change: Callable[[bytes], bytes]) -> None:
    """Write a workbook again with one part of it changed."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts[part] = change(parts[part])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


SHEET = "xl/worksheets/sheet1.xml"
DOCTYPE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize(
    ("part", "change"),
    [
        pytest.param("xl/workbook.xml", lambda data: DOCTYPE.encode() + data, id="entities"),
        pytest.param(
            SHEET, lambda data: (DOCTYPE + data.decode()).encode("utf-16"), id="entities in two-byte letters"
        ),
        pytest.param(SHEET, lambda data: b" " * 210_000_000 + data, id="a bomb"),
        pytest.param(SHEET, lambda data: data.replace(b'r="B2"', b'r="XFD2"'), id="far columns"),
        pytest.param(SHEET, lambda data: data.replace(b'<row r="2"', b'<row r="2000000000"'), id="far rows"),
        pytest.param(SHEET, lambda data: data.replace(b"<v>0</v>", b"<v>99</v>"), id="no such text"),
        pytest.param(SHEET, lambda data: data[:-20], id="cut off"),
        pytest.param("xl/workbook.xml", lambda data: b"<a", id="no XML"),
        pytest.param("xl/_rels/workbook.xml.rels", lambda data: b"", id="empty"),
    ],
)
def test_hostile_workbooks_are_refused(part: str, change: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "book.xlsx", {"First": [["a", "b"], ["c", "d"]]})
    assert read_table(path, ["a"]) == [{"a": "c", "b": "d"}]
    repacked(path, part, change)
    with pytest.raises(UnreadableFileError, match=r"book\.xlsx: the workbook is damaged or unusual"):
        read_table(path, ["a"])


def test_a_sheet_is_not_believed_about_its_size(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "book.xlsx", {"First": [["a", "b"], ["c", "d"]]})
    size = b'<dimension ref="A1:XFD1048576"/><sheetData>'
    repacked(path, SHEET, lambda data: data.replace(b"<sheetData>", size))
    assert read_rows(path) == {"First": [["a", "b"], ["c", "d"]]}


def test_damaged_workbooks_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with pytest.raises(UnreadableFileError, match="does not exist"):
        read_table(path, ["a"])
    path.write_bytes(b"PK but no archive")
    with pytest.raises(UnreadableFileError, match="no Excel workbook"):
        read_table(path, ["a"])
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/other.xml", "")
    with pytest.raises(UnreadableFileError, match="damaged or unusual"):
        read_table(path, ["a"])


def test_csv_dialects(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    for text in (
        "a_b,c\n1,2\n",
        "A B;C\r\n1;2\r\n\r\n",
        "A-B\tC\n1\t2\n",
        '"a b" ,c\n"1\n",2\n',
        "\ufeffa b,c\n1,2",
    ):
        path.write_text(text, encoding="utf-8")
        assert read_table(path, ["a b"]) == [{"a b": "1", "c": "2"}]
    assert normal(" ROI_mask  file-path\n") == "roi mask file path"
    path.write_bytes(b"a,b\n\x00\x01")
    with pytest.raises(UnreadableFileError, match=r"table\.csv: it is no text file"):
        read_table(path, ["a"])
    path.write_bytes(b"")
    with pytest.raises(UnreadableFileError, match="no header row"):
        read_table(path, ["a"])


def test_folders_are_walked_once_and_without_litter(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "X.DCM").touch()
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "y.dcm").touch()
    (tmp_path / "._z.dcm").touch()
    outside = tmp_path.parent / f"{tmp_path.name}_outside"
    outside.mkdir()
    (outside / "linked.dcm").touch()
    (tmp_path / "link").symlink_to(outside, target_is_directory=True)
    assert files_under(tmp_path, "*.dcm") == [tmp_path / "a" / "X.DCM", tmp_path / "link" / "linked.dcm"]


# --- a glance at DICOM -------------------------------------------------------------------------------


def test_a_glance_reads_no_pixels(tmp_path: Path) -> None:
    pixels = breast_image()
    path = write_dicom(tmp_path / "image.dcm", pixels)
    np.testing.assert_array_equal(stored_values(path), pixels)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    seen = glance(path)
    assert (seen.rows, seen.cols, seen.laterality, seen.view) == (*pixels.shape, "L", "CC")
    with pytest.raises(UnreadableFileError, match=r"image\.dcm"):
        stored_values(path)
    path.write_bytes(b"\x00" * 200)
    with pytest.raises(UnreadableFileError, match=r"image\.dcm"):
        glance(path)
