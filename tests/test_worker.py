"""One file to one outcome: what is passed on, logged and told, to the word; with a stand-in detector."""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
import tifffile
from cli_files import breast_pixels, write_dicom
from detector_standin import Detector, install
from pydicom.uid import DeflatedExplicitVRLittleEndian

from mcdetect.config import Config
from mcdetect.errors import UnreadableFileError
from mcdetect.output.overlays import Overlays
from mcdetect.output.seam import Output, Piece
from mcdetect.output.tables import Candidates, Tables
from mcdetect.readers.held import HeldFile
from mcdetect.readers.image_file import ImageFile
from mcdetect.result import Result
from mcdetect.runs import worker as worker_module
from mcdetect.runs.worker import REPORT_BUG, Outcome, Task, process


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> Detector:
    return install(monkeypatch)


def outcome(
    tmp_path: Path,
    text: str,
    *outputs: Output,
    pixel_spacing_mm: float | None = None,
    force: bool = False,
    config: Config | None = None,
) -> Outcome:
    path, name = tmp_path / "a.dcm", "sub/a.dcm"
    path.write_text(text)
    source = ImageFile(path, name, pixel_spacing_mm, force)
    for output in outputs:
        output.open(tmp_path)
    return process(Task(source, name, tmp_path, config or Config(), outputs))


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("bad", ("UnreadableFileError", "the file is broken", "get a new copy")),
        (
            "memory",
            (
                "MemoryError",
                "there is not enough memory for this image",
                "use fewer --jobs, or a machine with more memory",
            ),
        ),
        ("gone", ("UnreadableFileError", "cannot be read (no such file)", "check the file")),
        ("odd", ("UnreadableFileError", "cannot be read (oserror)", "check the file")),
        ("bug", ("KeyError", "unexpected KeyError", REPORT_BUG)),
    ],
)
def test_what_goes_wrong_is_told_to_the_word(
    tmp_path: Path, detector: Detector, text: str, failure: tuple[str, str, str]
) -> None:
    found = outcome(tmp_path, text)
    assert found.failure is not None
    assert (found.failure.error, found.failure.cause, found.failure.remedy) == failure
    assert str(found.failure) == f"{failure[1]}; {failure[2]}"
    assert found.file == "sub/a.dcm"
    assert found.tables == {}
    assert found.size_bytes == len(text)
    assert found.sha256 is not None
    assert len(found.sha256) == 64


def test_bugs_are_logged_by_place_without_their_text(
    tmp_path: Path, detector: Detector, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="mcdetect"):
        outcome(tmp_path, "bug")
    (message,) = [record.getMessage() for record in caplog.records if record.levelno == logging.DEBUG]
    assert message.startswith("sub/a.dcm: unexpected KeyError\n  File ")
    assert "read_mammogram" in message
    assert "DOE^" not in caplog.text
    assert message == message.rstrip()
    assert all(line.startswith("  ") for line in message.splitlines()[1:])


def test_a_file_that_cannot_be_opened_has_no_hash(tmp_path: Path, detector: Detector) -> None:
    found = process(Task(ImageFile(tmp_path / "missing.dcm", "missing.dcm"), "missing.dcm"))
    assert (found.sha256, found.size_bytes) == (None, None)
    assert found.failure is not None
    assert found.failure.cause == "cannot be read (no such file or directory)"
    assert detector.read == []


def test_options_reach_reader_and_detector(
    tmp_path: Path, detector: Detector, caplog: pytest.LogCaptureFixture
) -> None:
    config = Config().replace(min_count=7)
    with caplog.at_level(logging.INFO, logger="mcdetect"):
        found = outcome(
            tmp_path, "good", Tables(), Candidates(), config=config, pixel_spacing_mm=0.07, force=True
        )
    assert detector.read == [("a.dcm", {"pixel_spacing_mm": 0.07, "force": True})]
    assert detector.detected == [("sub/a.dcm", config)]
    assert set(found.tables) == {"images", "calcifications", "clusters", "candidates"}
    assert set(found.tables["images"]["file"]) == {"sub/a.dcm"}
    assert [len(found.tables[name]) for name in ("images", "calcifications", "clusters")] == [1, 13, 2]
    assert set(found.seconds) == {"read", "spots", "total", "tables", "candidates"}
    assert all(0.0 <= found.seconds[name] < 60.0 for name in ("read", "tables", "candidates"))
    assert found.outputs == {"tables": (), "candidates": ()}
    assert (found.study, found.known, found.failure) == ("", False, None)
    assert "sub/a.dcm: 600 x 400 px, 0.1 mm (given by the user)" in caplog.messages
    plain = outcome(tmp_path, "study 7", Tables())
    assert plain.study == "7"
    assert detector.read[1] == ("a.dcm", {"pixel_spacing_mm": None, "force": False})
    assert set(plain.tables) == {"images", "calcifications", "clusters"}


def test_only_our_own_warnings_are_passed_on(
    tmp_path: Path, detector: Detector, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="mcdetect"):
        assert outcome(tmp_path, "warn").failure is None
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert told == ["sub/a.dcm: something is odd", "sub/a.dcm: a.dcm is odd"]


def test_a_picture_is_written_or_its_failure_told(
    tmp_path: Path, detector: Detector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    outputs = (Overlays({"sub/a.dcm": "p.png"}), Tables())
    good = outcome(tmp_path, "good", *outputs)
    assert (good.outputs, good.failure) == ({"overlays": ("overlays/p.png",), "tables": ()}, None)
    assert (tmp_path / "overlays" / "p.png").read_bytes().startswith(b"\x89PNG")
    assert 0.0 <= good.seconds["overlays"] < 60.0

    def fails(error: Exception) -> Outcome:
        def write_png(path: Path, picture: Any) -> None:
            assert path.name == "p.png"
            assert picture.ndim == 3
            raise error

        monkeypatch.setattr("mcdetect.output.overlays.write_png", write_png)
        return outcome(tmp_path, "good", *outputs)

    for error, reason in ((OSError(28, "No space left"), "no space left"), (OSError(), "oserror")):
        full = fails(error)
        assert full.failure is not None
        assert full.failure.error == "OutputError"
        assert full.failure.cause == f"its overlays could not be written ({reason})"
        assert full.failure.remedy == "make room and run it again, or leave them out"
        assert full.outputs == {"tables": ()}
        assert len(full.tables["clusters"]) == 2  # what comes after it is made all the same
        assert {"overlays", "tables"} <= set(full.seconds)
    with caplog.at_level(logging.DEBUG, logger="mcdetect"):
        bug = fails(ZeroDivisionError("PatientName"))
    assert bug.failure is not None
    assert bug.failure.error == "ZeroDivisionError"
    assert bug.failure.cause == "its overlays could not be made (unexpected ZeroDivisionError)"
    assert bug.failure.remedy == REPORT_BUG
    assert any("sub/a.dcm: unexpected ZeroDivisionError" in message for message in caplog.messages)
    assert "PatientName" not in caplog.text
    refused = fails(UnreadableFileError("it is too odd to be drawn", "leave it out"))
    assert refused.failure is not None
    assert refused.failure.cause == "it is too odd to be drawn"
    assert refused.tables == {}


class Broken(Output):
    """An output that fails, each time in another way."""

    name = "broken"

    def add(self, folder: Path, file: str, result: Result) -> Piece:
        raise ValueError


def test_of_several_failures_the_first_is_told(
    tmp_path: Path, detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left")

    monkeypatch.setattr("mcdetect.output.overlays.write_png", full)
    pictures = Overlays({"sub/a.dcm": "p.png"})
    for outputs, error in (
        ((Broken(), pictures, Tables()), "ValueError"),
        ((pictures, Broken()), "OutputError"),
    ):
        found = outcome(tmp_path, "good", *outputs)
        assert found.failure is not None
        assert found.failure.error == error


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs signals of Unix")
@pytest.mark.parametrize("holding", [False, True])
def test_a_worker_ends_with_its_parent_however_that_ends(tmp_path: Path, holding: bool) -> None:
    """The worker has the parent's output open, so that it is read to its end when both are gone.

    It hangs, with `holding` in a library that does not let go of the interpreter, so that no thread can look.
    """
    code = f"""
import ctypes, os, signal, sys
from mcdetect.readers.held import HeldFile
from mcdetect.readers.image_file import ImageFile
from mcdetect.runs.pool import Limits, run_tasks
from mcdetect.runs.worker import Outcome, Task

def work(task):
    print("searching", flush=True)
    os.kill(os.getppid(), signal.SIGKILL)
    if {holding} and sys.platform == "linux":
        ctypes.PyDLL(None).pause()
    import threading
    threading.Event().wait()

if __name__ == "__main__":
    list(run_tasks([Task(ImageFile(None, "a"), "a")], work=work, limits=Limits()))
"""
    script = tmp_path / "parent.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.stdout == "searching\n", done.stderr
    assert done.returncode == -signal.SIGKILL


def test_the_bytes_that_are_hashed_are_the_bytes_that_are_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that changes while it is read has the results of what was hashed, under that hash."""
    path = write_dicom(tmp_path / "a.dcm")
    before = path.read_bytes()
    told: list[str] = []

    def change(key: str, digest: str, size: int) -> None:
        told.append(digest)
        path.write_bytes(b"something else")

    monkeypatch.setattr(worker_module, "_began", change)
    found = process(Task(ImageFile(path, "a.dcm"), "a.dcm", tmp_path, outputs=[Tables()]))
    assert found.failure is None
    assert len(found.tables["images"]) == 1
    assert told == [found.sha256] == [hashlib.sha256(before).hexdigest()]


@pytest.mark.parametrize("kind", ["dcm", "deflated", "png", "tiff", "pgm"])
def test_every_reader_reads_bytes_that_are_held(tmp_path: Path, kind: str) -> None:
    pixels = breast_pixels(200, 150)
    path = tmp_path / f"a.{kind}"
    if kind == "dcm":
        write_dicom(path, pixels)
    elif kind == "deflated":
        write_dicom(path, pixels)
        ds = pydicom.dcmread(path)
        ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        ds.save_as(path, enforce_file_format=True)
    elif kind == "pgm":
        path.write_bytes(b"P5 150 200 4095\n" + pixels.astype(">u2").tobytes())
    elif kind == "png":
        path.write_bytes(imagecodecs.png_encode(pixels))
    else:
        tifffile.imwrite(path, pixels)
    plain = ImageFile(path, "a", 0.1, force=True).read()
    held = HeldFile.of(path, path.read_bytes())
    path.unlink()
    again = ImageFile(held, "a", 0.1, force=True).read()
    np.testing.assert_array_equal(plain.pixels, again.pixels)
