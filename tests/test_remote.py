"""Images behind addresses: an S3 server and a web server of this machine, and memory."""

from __future__ import annotations

import functools
import gzip
import http.server
import pickle
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from detector_standin import install, write
from dicom_factory import write_dicom

import mcdetect
from mcdetect.errors import MissingLibraryError, UnreadableFileError
from mcdetect.output.files import signed_png
from mcdetect.readers.image_file import ImageFile
from mcdetect.readers.remote import RemoteFile, basename, is_address, only_here, plain_address
from mcdetect.runs import ClusterError, find_inputs, run_batch
from mcdetect.runs.worker import Task, process

fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed (extra cluster)")

SECRET = "s3cret"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcdetect.readers.remote._PAUSES_S", (0.0, 0.0))


@pytest.fixture
def memory() -> Iterator[Any]:
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    """A bucket of an S3 server on this machine."""
    pytest.importorskip("s3fs", reason="s3fs is not installed (extra cluster)")
    server_module = pytest.importorskip("moto.server", reason="moto's server is not installed (extra test)")
    with pytest.MonkeyPatch.context() as patch:
        server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        try:
            system = fsspec.filesystem("s3")
            system.mkdir("bucket")
            yield system
        finally:
            server.stop()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("s3://bucket/a.dcm", True),
        ("memory://a", True),
        ("simplecache::s3://bucket/a.dcm", True),
        ("zip://a.dcm::s3://bucket/a.zip", True),
        ("C:/images", False),
        ("c://images", False),
        ("a::b.dcm", False),
        ("folder/a.dcm", False),
        (Path("s3://bucket/a.dcm"), False),
    ],
)
def test_addresses_are_told_from_paths(text: str | Path, address: bool) -> None:
    assert is_address(text) is address


@pytest.mark.parametrize(
    ("address", "plain", "name"),
    [
        ("s3://bucket/study 1/a.dcm", "s3://bucket/study 1/a.dcm", "a.dcm"),
        ("s3://key:s3cret@bucket/a@b.dcm", "s3://bucket/a@b.dcm", "a@b.dcm"),
        ("https://u:s3cret@host/x/a%20b.dcm?sig=s3cret#z", "https://host/x/a%20b.dcm", "a b.dcm"),
        ("https://host/x/", "https://host/x/", "x"),
        ("https://host", "https://host", "host"),
        ("simplecache::https://u:s3cret@host/a?b", "simplecache::https://host/a", "a"),
        ("memory://", "memory://", "input"),
    ],
)
def test_nothing_secret_is_in_names(address: str, plain: str, name: str) -> None:
    assert plain_address(address) == plain
    assert basename(address) == name
    file = RemoteFile.at(address)
    assert SECRET not in str(file)
    sent = pickle.loads(pickle.dumps(file))
    assert (sent, sent.address) == (file, address)


def test_a_folder_is_listed_as_a_local_one_is(memory: Any, tmp_path: Path) -> None:
    dicom = write_dicom(tmp_path / "a.dcm").read_bytes()
    picture = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
    contents = {
        "top.DCM": b"taken without a look",
        "b/IM1": dicom,
        "b/IM0.dcm": dicom,
        "b/1.2.840.1": dicom,
        "a/film.png": picture,
        "a/drawn.png": signed_png(picture),
        "a/notes.txt": b"nothing",
        "a/empty": b"",
        ".hidden/x.dcm": dicom,
        "DICOMDIR": dicom,
        "b/packed.dcm.gz": gzip.compress(dicom),
    }
    local = tmp_path / "local"
    for name, content in contents.items():
        (local / name).parent.mkdir(parents=True, exist_ok=True)
        (local / name).write_bytes(content)
        memory.pipe_file(f"/study/{name}", content)
    here, there = find_inputs([local]), find_inputs(["memory://study"])
    assert [item.file for item in there.inputs] == [item.file for item in here.inputs]
    folder, hidden = (".hidden", "it is hidden"), (".hidden/x.dcm", "it is hidden")
    assert there.passed_over == tuple(hidden if entry == folder else entry for entry in here.passed_over)
    assert there.skipped == 5
    assert [item.path.read_bytes() for item in there.inputs] == [
        item.path.read_bytes() for item in here.inputs
    ]
    pattern = find_inputs(["memory://study/*/IM*"])
    assert [item.file for item in pattern.inputs] == ["b/IM0.dcm", "b/IM1"]
    twice = find_inputs(["memory://study", "memory://study/b/IM0.dcm"])
    assert twice.duplicates == 1


def test_what_is_not_there_is_told(memory: Any) -> None:
    memory.pipe_file("/empty/notes.txt", b"x")
    found = find_inputs(["memory://missing", "memory://empty/", "nonsense://x", "memory://missing.dcm"])
    causes = [error.cause for _, error in found.problems]
    assert causes == [
        "the file does not exist",
        "no mammogram was found in the folder",
        "nonsense:// is no kind of address that fsspec knows",
    ]
    (late,) = found.inputs
    outcome = process(Task(ImageFile(late.path, late.file), late.file))
    assert str(outcome.failure) == "the file does not exist; check the address"


def test_what_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(MissingLibraryError, match=r"pip install .*\[cluster\]"):
        find_inputs(["s3://bucket/folder"])
    outcome = process(Task(ImageFile(RemoteFile.at("s3://bucket/a.dcm"), "a.dcm"), "a.dcm"))
    assert outcome.failure is not None
    assert "[cluster]" in outcome.failure.remedy
    assert outcome.failure.error == "UnreadableFileError"


def test_a_network_that_fails_now_and_then_is_tried_again(
    memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.pipe_file("/a.dcm", b"bytes")
    errors = [ConnectionResetError(104, SECRET), TimeoutError(SECRET)]
    kept = type(memory).cat_file

    def cat_file(self: Any, path: str, **options: Any) -> Any:
        if errors:
            raise errors.pop()
        return kept(self, path, **options)

    monkeypatch.setattr(type(memory), "cat_file", cat_file)
    file = RemoteFile.at("memory://a.dcm")
    assert file.read_bytes() == b"bytes"
    with file.open("rb") as stream:
        assert stream.read() == b"bytes"
    errors += [ConnectionResetError(104, SECRET)] * 3
    with pytest.raises(UnreadableFileError, match="cannot be fetched") as caught:
        file.read_bytes()
    assert SECRET not in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)


def test_memory_is_read_by_this_process_only(
    memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)
    for number in range(10):
        memory.pipe_file(f"/many/{number}.dcm", b"good")
    assert only_here("memory://many")
    report = run_batch(["memory://many"], tmp_path / "out", overlay=False)
    assert len(report.processed) == 10
    with pytest.raises(ClusterError, match="memory://"):
        run_batch(["memory://many"], tmp_path / "out", dask="local")


def test_tables_of_a_bucket_are_those_of_a_folder(
    bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)
    source = write(tmp_path / "in", a="good", b="bad", c="study X", none="good")
    for path in source.iterdir():
        bucket.pipe_file(f"bucket/study/{path.name}", path.read_bytes())
    bucket.pipe_file("bucket/study/notes.txt", b"nothing")
    reports = [
        run_batch([place], tmp_path / out, candidates=True)
        for place, out in ((source, "here"), ("s3://bucket/study", "there"), ("s3://bucket/study/", "there"))
    ]
    assert [report.reused for report in reports] == [0, 0, 3]
    for name in ("images", "calcifications", "clusters", "candidates", "studies", "findings", "failures"):
        assert (tmp_path / "there" / f"{name}.csv").read_bytes() == (
            tmp_path / "here" / f"{name}.csv"
        ).read_bytes()
    for path in (tmp_path / "there").iterdir():
        assert path.is_dir() or b"bucket" not in path.read_bytes()
        assert path.is_dir() or SECRET.encode() not in path.read_bytes()
    missing = run_batch(["s3://bucket/study/none-such.dcm", "s3://none-such/x"], tmp_path / "missing")
    assert [report.failure.cause for report in missing.failed if report.failure] == [
        "the file does not exist"
    ] * 2


def test_what_is_hashed_is_what_is_read(bucket: Any, tmp_path: Path) -> None:
    """The file changes between two reads; only one takes place."""
    content = write_dicom(tmp_path / "a.dcm").read_bytes()
    bucket.pipe_file("bucket/changing.dcm", content)
    file = RemoteFile.at("s3://bucket/changing.dcm")
    fetched = []

    class Counting(type(file)):  # type: ignore[misc]
        def read_bytes(self) -> bytes:
            fetched.append(file.read_bytes())
            bucket.pipe_file("bucket/changing.dcm", b"other")
            return fetched[-1]

    outcome = process(Task(ImageFile(Counting(file), "a.dcm", force=True), "a.dcm"))
    assert fetched == [content]
    assert outcome.size_bytes == len(content)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web server with an index of a folder."""
    folder = tmp_path / "web"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", folder
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_images_of_the_web(web: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("aiohttp", reason="aiohttp is not installed (extra cluster)")
    install(monkeypatch)
    address, folder = web
    write(folder / "a b", one="good", two="good")
    (folder / "a b" / "notes.txt").write_text("x")
    assert [item.file for item in find_inputs([f"{address}/"]).inputs] == ["a b/one.dcm", "a b/two.dcm"]
    report = run_batch(
        [f"{address}/a%20b/one.dcm?token={SECRET}", f"{address}/a%20b/gone.dcm"], tmp_path / "out"
    )
    assert [image.file for image in report.processed] == ["one.dcm"]
    assert [str(image.failure) for image in report.failed] == ["the file does not exist; check the address"]
    for path in (tmp_path / "out").iterdir():
        assert path.is_dir() or SECRET.encode() not in path.read_bytes()


def test_a_real_file_of_a_bucket_is_read(bucket: Any, tmp_path: Path) -> None:
    local = write_dicom(tmp_path / "a.dcm")
    bucket.pipe_file("bucket/real/a.dcm", local.read_bytes())
    here = ImageFile(local, "a.dcm").read()
    there = ImageFile(RemoteFile.at("s3://bucket/real/a.dcm"), "a.dcm").read()
    assert np.array_equal(here.pixels, there.pixels)
    assert there.source == "a.dcm"
    assert "bucket" not in str(there)
    assert mcdetect.read_mammogram("s3://bucket/real/a.dcm").source == "a.dcm"
    bucket.pipe_file("bucket/real/b.dcm.gz", gzip.compress(local.read_bytes()))
    packed = ImageFile(RemoteFile.at("s3://bucket/real/b.dcm.gz"), "b.dcm.gz").read()
    assert np.array_equal(here.pixels, packed.pixels)
