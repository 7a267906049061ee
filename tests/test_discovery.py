"""Which files a batch works on, and what each is called."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from mcdetect.errors import UnreadableFileError
from mcdetect.output.files import SOFTWARE
from mcdetect.runs import find_inputs

DICOM = b"\0" * 128 + b"DICM" + b"\0" * 64


def make(path: Path, data: bytes = DICOM) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def found(*paths: Path) -> list[str]:
    return [item.file for item in find_inputs(paths).inputs]


def test_folders_are_searched_and_sorted(tmp_path: Path) -> None:
    for name in ("b.dcm", "a.DCM", "sub/deep/c.dicom", "sub/d.png", "sub/IM0001", "1.2.840.1"):
        make(tmp_path / name)
    assert found(tmp_path) == ["1.2.840.1", "a.DCM", "b.dcm", "sub/IM0001", "sub/d.png", "sub/deep/c.dicom"]


def test_what_is_no_image_is_passed_over_and_counted(tmp_path: Path) -> None:
    make(tmp_path / "a.dcm")
    make(tmp_path / "README.txt", b"text")
    make(tmp_path / "notes", b"no extension, no magic")
    make(tmp_path / "DICOMDIR")
    make(tmp_path / "index.dcm", DICOM + b"1.2.840.10008.1.3.10\0")
    make(tmp_path / ".hidden.dcm")
    make(tmp_path / ".git" / "x.dcm")
    result = find_inputs([tmp_path])
    assert [item.file for item in result.inputs] == ["a.dcm"]
    assert result.skipped == 6
    assert result.problems == ()


def test_a_text_file_called_dcm_is_an_input(tmp_path: Path) -> None:
    make(tmp_path / "fake.dcm", b"hello")
    assert found(tmp_path) == ["fake.dcm"]


def test_files_without_preamble_are_known_by_their_first_element(tmp_path: Path) -> None:
    make(tmp_path / "explicit", b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100")
    make(tmp_path / "other", b"\x08\x00")
    assert found(tmp_path) == ["explicit"]


def test_a_file_named_explicitly_always_counts(tmp_path: Path) -> None:
    path = make(tmp_path / "README.txt", b"text")
    hidden = make(tmp_path / ".hidden")
    assert found(path, hidden) == ["README.txt", ".hidden"]


def test_duplicates_count_once(tmp_path: Path) -> None:
    path = make(tmp_path / "in" / "a.dcm")
    (tmp_path / "in" / "again.dcm").symlink_to(path)
    result = find_inputs([path, tmp_path / "in", tmp_path / "in"])
    assert [item.file for item in result.inputs] == ["a.dcm"]
    assert result.duplicates == 4


def test_symbolic_link_loops_end(tmp_path: Path) -> None:
    make(tmp_path / "a" / "x.dcm")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "a" / "self.dcm").symlink_to(tmp_path / "a" / "self.dcm")
    assert found(tmp_path) == ["a/self.dcm", "a/x.dcm"]


def test_names_that_clash_carry_the_position_of_their_argument(tmp_path: Path) -> None:
    one, two = make(tmp_path / "p1" / "IM1.dcm"), make(tmp_path / "p2" / "IM1.dcm")
    assert found(one, two) == ["input1/IM1.dcm", "input2/IM1.dcm"]
    assert found(tmp_path / "p1", two) == ["input1/IM1.dcm", "input2/IM1.dcm"]
    assert found(tmp_path) == ["p1/IM1.dcm", "p2/IM1.dcm"]
    make(tmp_path / "p3" / "other.dcm")
    assert found(one, tmp_path / "p3") == ["IM1.dcm", "other.dcm"]


def test_names_never_hold_the_path_outside_the_input(tmp_path: Path) -> None:
    make(tmp_path / "secret" / "in" / "x" / "a.dcm")
    for name in found(tmp_path / "secret" / "in", tmp_path / "secret" / "in" / ".." / "in" / "x"):
        assert "secret" not in name
        assert not name.startswith(("/", ".."))


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.sampled_from("pqr"), st.sampled_from(["a.dcm", "b.dcm", "s/a.dcm", "input1/a.dcm"])),
        unique=True,
        min_size=1,
        max_size=8,
    ),
    st.lists(st.sampled_from("pqr"), unique=True, min_size=1),
)
def test_names_are_unique_whatever_is_given(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[str, str]], given_folders: list[str]
) -> None:
    root = tmp_path_factory.mktemp("n")
    for folder in "pqr":
        (root / folder).mkdir()
    for folder, name in files:
        make(root / folder / name)
    names = found(*[root / folder for folder in given_folders])
    assert len(set(names)) == len(names) == sum(folder in given_folders for folder, _ in files)


def test_missing_paths_and_empty_folders_are_problems(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = find_inputs([tmp_path / "nothing.dcm", tmp_path / "empty", make(tmp_path / "a.dcm")])
    assert [item.file for item in result.inputs] == ["a.dcm"]
    assert [name for name, _ in result.problems] == ["nothing.dcm", "empty"]
    assert "does not exist" in result.problems[0][1].cause
    assert "no mammogram" in result.problems[1][1].cause


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_special_files_are_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    make(tmp_path / "a.dcm")
    assert found(tmp_path) == ["a.dcm"]
    assert "regular" in find_inputs([tmp_path / "pipe"]).problems[0][1].cause


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names of arbitrary bytes")
def test_names_that_are_no_utf8_are_escaped(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"a\xff.dcm")).write_bytes(DICOM)
    assert found(tmp_path) == ["a\\xff.dcm"]


# ------------------------------------------------------------------------------------------ to the word


def test_problems_of_paths_are_told_to_the_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "in" / "locked").mkdir(parents=True)
    (tmp_path / "in" / "a.dcm").write_bytes(DICOM)
    (tmp_path / "shut").mkdir()
    original = os.scandir

    def scandir(path: Any) -> Any:
        if Path(path).name in ("locked", "shut"):
            raise PermissionError(13, "Permission denied")
        return original(path)

    monkeypatch.setattr(os, "scandir", scandir)
    paths = [tmp_path / name for name in ("missing.dcm", "empty", "in", "shut")]
    found = find_inputs(paths)
    assert [item.file for item in found.inputs] == ["a.dcm"]
    told = [(name, error.cause, error.remedy) for name, error in found.problems]
    nothing = (
        "no mammogram was found in the folder",
        "give a folder with DICOM files, or name the files one by one",
    )
    assert told == [
        ("missing.dcm", "the file does not exist", "check the path"),
        ("empty", *nothing),
        ("locked", "the folder cannot be read", "check its permissions"),
        ("shut", "the folder cannot be read", "check its permissions"),
    ]
    assert all(type(error) is UnreadableFileError for _, error in found.problems)
    assert (found.skipped, found.duplicates) == (0, 0)


def test_a_path_that_the_system_refuses_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = os.lstat

    def refuse(path: Any, *given: Any, **options: Any) -> Any:
        name = Path(path).name
        if name.startswith("odd"):
            raise OSError if name == "odd2" else OSError(5, "Input/Output Error")
        return original(path, *given, **options)

    monkeypatch.setattr(os, "lstat", refuse)
    found = find_inputs([tmp_path / "odd1", tmp_path / "odd2"])
    assert [(name, error.cause, error.remedy) for name, error in found.problems] == [
        ("odd1", "cannot be opened (input/output error)", "check the path and its permissions"),
        ("odd2", "cannot be opened (oserror)", "check the path and its permissions"),
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_refused_to_the_word(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.dcm")
    ((name, error),) = find_inputs([tmp_path / "pipe.dcm"]).problems
    assert (name, error.cause, error.remedy) == (
        "pipe.dcm",
        "not a regular file or folder",
        "name a file or a folder",
    )


def test_every_suffix_of_ours_is_known_in_any_case(tmp_path: Path) -> None:
    pictures = [".bmp", ".jp2", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".tif", ".tiff"]
    names = [f"x{suffix}" for suffix in [*pictures, ".dcm", ".dicom", ".dic", ".ima", ".dcm30"]]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
        (tmp_path / name.upper().replace("X", "Y", 1)).write_bytes(b"x")
    (tmp_path / "x.raw").write_bytes(b"x")
    (tmp_path / "late").write_bytes(b"\0" * 129 + b"DICM")
    (tmp_path / "dicomdir").write_bytes(DICOM)
    (tmp_path / "index.dcm").write_bytes(DICOM + b"1.2.840.10008.1.3.10\0")
    (tmp_path / "like.dcm").write_bytes(DICOM + b"1.2.840.10008.1.3.100")
    (tmp_path / "bare.raw").write_bytes(b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100")  # by its content
    found = find_inputs([tmp_path])
    assert len(found.inputs) == 2 * len(names) + 2
    assert found.skipped == 4


def test_a_file_that_cannot_be_looked_into_is_judged_by_its_suffix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.dcm", "b", "c.png"):
        (tmp_path / name).write_bytes(DICOM)
    original = Path.open

    def refuse(path: Path, *given: Any, **options: Any) -> Any:
        if path.parent == tmp_path:
            raise PermissionError(13, "Permission denied")
        return original(path, *given, **options)

    monkeypatch.setattr(Path, "open", refuse)
    found = find_inputs([tmp_path])
    assert [item.file for item in found.inputs] == ["a.dcm", "c.png"]
    assert found.skipped == 0
    assert [(name, error.cause) for name, error in found.problems] == [
        ("b", "cannot be opened (permission denied)")
    ]


def test_dead_links_are_inputs_by_their_suffix_only(tmp_path: Path) -> None:
    for name in ("a.dcm", "b.PNG", "c.txt", "d"):
        (tmp_path / name).symlink_to(tmp_path / f"nowhere-{name}")
    found = find_inputs([tmp_path])
    assert [item.file for item in found.inputs] == ["a.dcm", "b.PNG"]
    assert found.skipped == 2


def test_pictures_of_an_earlier_run_are_passed_over(tmp_path: Path) -> None:
    for folder in ("out", "mine"):
        (tmp_path / folder / "overlays").mkdir(parents=True)
        (tmp_path / folder / "overlays" / "a.png").write_bytes(b"x")
        (tmp_path / folder / "b.png").write_bytes(b"x")
    (tmp_path / "out" / "run.json").write_text('{"program": "mcdetect"}')
    (tmp_path / "mine" / "run.json").write_text('{"program": "another"}')
    found = find_inputs([tmp_path])
    assert [item.file for item in found.inputs] == ["mine/b.png", "mine/overlays/a.png", "out/b.png"]
    assert found.skipped == 2  # the two records


def test_the_folder_here_is_called_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert [name for name, _ in find_inputs(["."]).problems] == ["here"]
    assert [name for name, _ in find_inputs(["nothing"]).problems] == ["nothing"]


def test_the_root_of_all_folders_has_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcdetect.runs.discovery._images_in", lambda root, walk: iter(()))
    ((name, _),) = find_inputs([Path(Path.cwd().anchor)]).problems
    assert name == "input"


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names of arbitrary bytes")
def test_names_that_print_alike_are_numbered(tmp_path: Path) -> None:
    for name in (b"a\\xff.dcm", b"a\xff.dcm", b"a\\xff.dcm (2)", b"b.dcm"):
        (tmp_path / os.fsdecode(name)).write_bytes(DICOM)
    inputs = find_inputs([tmp_path]).inputs
    # "a\\xff.dcm (2)" is a file of its own, so that the number goes on.
    assert sorted(item.file for item in inputs) == [
        "a\\xff.dcm",
        "a\\xff.dcm (2)",
        "a\\xff.dcm (3)",
        "b.dcm",
    ]
    assert len({item.path for item in inputs}) == 4
    other = make(tmp_path.with_name(tmp_path.name + "-2") / "b.dcm")
    assert [item.file for item in find_inputs([tmp_path, other]).inputs] == [
        *(f"input1/{item.file}" for item in inputs),
        "input2/b.dcm",
    ]


def test_pictures_of_ours_are_no_mammograms_wherever_they_lie(tmp_path: Path) -> None:
    from mcdetect.output.overlays import write_png

    write_png(tmp_path / "moved.png", np.zeros((30, 20, 3), np.uint8))
    figure = Figure()
    figure.savefig(tmp_path / "curve.PNG", metadata={"Software": SOFTWARE})
    figure.savefig(tmp_path / "theirs.png")
    cv2.imwrite(str(tmp_path / "image.png"), np.zeros((30, 20), np.uint8))
    (tmp_path / "note.tif").write_bytes((tmp_path / "moved.png").read_bytes()[8:])  # no PNG
    result = find_inputs([tmp_path])
    assert [item.file for item in result.inputs] == ["image.png", "note.tif", "theirs.png"]
    assert result.skipped == 2
    assert found(tmp_path / "moved.png") == ["moved.png"]  # whoever names it wants it


def test_a_comparison_of_an_earlier_version_is_passed_over(tmp_path: Path) -> None:
    """It does not say yet who drew it, but its folder does."""
    make(tmp_path / "out" / "comparison.png", b"x")
    make(tmp_path / "other" / "comparison.png", b"x")
    (tmp_path / "out" / "run.json").write_text('{"program": "mcdetect"}')
    assert found(tmp_path) == ["other/comparison.png"]


@pytest.mark.parametrize("paths", ["in", Path("in")])
def test_one_path_is_no_list_of_paths(paths: Any) -> None:
    with pytest.raises(TypeError, match=r"^paths must be a list of files and folders; write \['in'\]$"):
        find_inputs(paths)


def test_an_empty_path_is_not_the_folder_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(make(tmp_path / "a.dcm").parent)
    with pytest.raises(ValueError, match=r"^a path is empty; name a file or a folder$"):
        find_inputs([""])
    assert [item.file for item in find_inputs(["."]).inputs] == ["a.dcm"]
