"""A file that is read once: small ones are held, large ones stay on their disk, and may not change."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from detector_standin import install, write

from mcdetect.errors import UnreadableFileError
from mcdetect.readers import held as module
from mcdetect.readers.held import HeldFile, held
from mcdetect.readers.remote import RemoteFile
from mcdetect.runs import run_batch


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LARGE", 100)
    monkeypatch.setattr(module, "_PIECE", 64)


@pytest.mark.usefixtures("large")
def test_a_large_file_is_hashed_in_pieces_and_read_from_its_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(1000)
    (tmp_path / "a").write_bytes(data)
    whole = Path.read_bytes

    def refuse(path: Path) -> bytes:
        raise AssertionError("it is held whole")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with held(tmp_path / "a") as (path, digest, size):
        assert type(path) is type(tmp_path)
        assert whole(path) == data
    assert (digest, size) == (hashlib.sha256(data).hexdigest(), 1000)


def test_a_small_file_is_what_it_was(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"before")
    with held(tmp_path / "a") as (path, digest, size):
        (tmp_path / "a").write_bytes(b"after")
        assert isinstance(path, HeldFile)
        assert path.read_bytes() == b"before"
    assert (digest, size) == (hashlib.sha256(b"before").hexdigest(), 6)


def change(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def replace(path: Path) -> None:
    path.with_name("new").write_bytes(path.read_bytes())
    path.with_name("new").replace(path)


def remove(path: Path) -> None:
    path.unlink()


def grow(path: Path) -> None:
    with path.open("ab") as stream:
        stream.write(b"x")


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("how", [change, replace, remove, grow])
@pytest.mark.parametrize("fails", [False, True])
def test_a_large_file_that_changes_is_refused(tmp_path: Path, how: Any, fails: bool) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(1000))

    def use() -> None:
        with held(path):
            how(path)
            if fails:
                raise UnreadableFileError("the file is damaged", "get a new copy", path)

    with pytest.raises(UnreadableFileError, match="it changed while it was searched") as caught:
        use()
    assert isinstance(caught.value.__cause__, OSError)  # it is tried again by the next run


@pytest.mark.usefixtures("large")
def test_what_no_disk_holds_is_fetched_whole() -> None:
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed (extra cluster)")
    fsspec.filesystem("memory").pipe_file("/held/a", bytes(1000))
    with held(RemoteFile.at("memory://held/a")) as (path, _, size):
        assert isinstance(path, HeldFile)
        assert size == 1000


@pytest.mark.usefixtures("large")
def test_a_run_over_large_files_gives_the_same_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = install(monkeypatch)
    source = write(tmp_path / "in", a="study " + "x" * 200, b="good")
    assert len(run_batch([source], tmp_path / "out", jobs=1).processed) == 2
    monkeypatch.setattr(module, "_LARGE", 10**9)
    assert run_batch([source], tmp_path / "out", jobs=1).reused == 2
    assert len(detector.detected) == 2


@pytest.mark.usefixtures("large")
def test_a_large_file_that_changes_in_a_run_is_searched_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = install(monkeypatch)
    source = write(tmp_path / "in", a="study " + "x" * 200)
    read = detector.read_mammogram

    def meanwhile(path: Path, **options: Any) -> Any:
        grow(source / "a.dcm")
        return read(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr("mcdetect.readers.read.read_image", meanwhile)
        (failed,) = run_batch([source], tmp_path / "out", jobs=1).failed
    assert failed.failure is not None
    assert failed.failure.cause == "it changed while it was searched"
    assert len(run_batch([source], tmp_path / "out", jobs=1).processed) == 1
