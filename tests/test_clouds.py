"""Google's storage, faked on this machine, and the scripts for clusters that the documents show."""

from __future__ import annotations

import ast
import http.server
import importlib
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

import pandas as pd
import pytest
from detector_standin import install, write

from mcdetect.runs import find_inputs, run_batch

DOCS = Path(__file__).resolve().parents[1] / "docs" / "scale.md"
FILES = ("p1/LCC.dcm", "p1/LMLO.dcm", "p2/RCC.dcm")


def example(name: str) -> dict[str, Any]:
    """Return the arguments with which a script of the documents makes its cluster."""
    for block in re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                return {str(word.arg): ast.literal_eval(word.value) for word in node.keywords}
    raise AssertionError(f"{DOCS.name} makes no {name}")


def test_the_script_for_slurm_makes_a_job() -> None:
    jobqueue = pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed (extra bench)")
    with jobqueue.SLURMCluster(**example("SLURMCluster")) as cluster:
        script = cluster.job_script()
        assert cluster.scheduler_address.startswith("tcp://")
    for line in ("#SBATCH --cpus-per-task=32", "#SBATCH --requeue", "#SBATCH -t 24:00:00"):
        assert line in script
    assert "--nworkers 32" in script


def test_the_script_for_kubernetes_makes_a_specification() -> None:
    operator = pytest.importorskip("dask_kubernetes.operator", reason="dask-kubernetes is not installed")
    found = operator.make_cluster_spec(**example("KubeCluster"))
    (worker,) = found["spec"]["worker"]["spec"]["containers"]
    assert found["spec"]["worker"]["replicas"] == 250
    assert worker["image"] == "registry/mcdetect:1"


def test_addresses_of_google_are_paths_like_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By way of the file system in memory, under the name of Google's."""
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed (extra cluster)")
    from fsspec.implementations.memory import MemoryFileSystem

    class Fake(MemoryFileSystem):
        protocol = "gs"
        store: ClassVar[dict[str, Any]] = {}
        pseudo_dirs: ClassVar[list[str]] = [""]

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return str(MemoryFileSystem._strip_protocol(path.removeprefix("gs://")))

    monkeypatch.setitem(importlib.import_module("fsspec.registry")._registry, "gs", Fake)
    install(monkeypatch)
    system = fsspec.filesystem("gs")
    for name in FILES:
        system.pipe_file(f"bucket/in/{name}", b"good")
    found = find_inputs(["gs://bucket/in"])
    assert [item.file for item in found.inputs] == list(FILES)
    for name in FILES:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
    write(tmp_path / "in" / "p1", LCC="good", LMLO="good")
    write(tmp_path / "in" / "p2", RCC="good")
    for source, out in (("gs://bucket/in/", "far"), (tmp_path / "in", "near")):
        report = run_batch([source], tmp_path / out, jobs=1, overlay=False)
        assert len(report.processed) == 3
    names = [set(pd.read_csv(tmp_path / out / "images.csv")["file"]) for out in ("far", "near")]
    assert names[0] == names[1] == set(FILES)


class _Storage(http.server.BaseHTTPRequestHandler):
    """The part of the JSON interface of Google's storage that listing and reading need."""

    objects: ClassVar[dict[str, bytes]] = {}

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(place.query).items()}
        _, _, name = place.path.partition("/o/")
        name = unquote(name)
        if not name:
            prefix, apart = query.get("prefix", ""), query.get("delimiter", "")
            there = [key for key in self.objects if key.startswith(prefix)]
            items = [key for key in there if not apart or apart not in key[len(prefix) :]]
            folders = {
                prefix + key[len(prefix) :].partition(apart)[0] + apart for key in there if key not in items
            }
            self._send({"items": list(map(self._facts, items)), "prefixes": sorted(folders)})
        elif name not in self.objects:
            self._send({"error": {"code": 404, "message": "Not Found"}}, 404)
        elif query.get("alt") == "media":
            data = self.objects[name]
            if span := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
                data = data[int(span[1]) : int(span[2]) + 1 if span[2] else None]
            self._send(data)
        else:
            self._send(self._facts(name))

    def _facts(self, name: str) -> dict[str, Any]:
        size = len(self.objects[name])
        when = "2020-01-01T00:00:00.000Z"
        return {"name": name, "bucket": "bucket", "size": str(size), "updated": when, "timeCreated": when}

    def _send(self, content: Any, code: int = 200) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Storage]]:
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed (extra cluster)")
    # Read when it is imported; else it asks, in another protocol, what kind of bucket it is.
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    gcsfs = pytest.importorskip("gcsfs", reason="gcsfs is not installed (extra cluster)")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Storage)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
    for name in ("gs", "gcs"):
        monkeypatch.setitem(fsspec.config.conf, name, {"token": "anon"})
    gcsfs.GCSFileSystem.clear_instance_cache()
    try:
        yield _Storage
    finally:
        gcsfs.GCSFileSystem.clear_instance_cache()
        _Storage.objects.clear()
        server.shutdown()
        server.server_close()


def test_images_in_a_bucket_of_google_are_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, storage: type[_Storage]
) -> None:
    install(monkeypatch)
    storage.objects |= {f"in/{name}": b"good" for name in FILES} | {"in/notes.txt": b"hello"}
    report = run_batch(["gs://bucket/in/"], tmp_path / "out", jobs=1, overlay=False)
    assert [image.file for image in report.processed] == list(FILES)
    assert [name for name, _ in report.passed_over] == ["notes.txt"]
    again = run_batch(["gs://bucket/in/*/LCC.dcm"], tmp_path / "some", jobs=1, overlay=False)
    assert len(again.processed) == 1
