"""Compiled kernels on disk: never stale, found without a home, unharmed by many processes."""

from __future__ import annotations

import ast
import logging
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import mcdetect
from mcdetect.kernels import cache
from mcdetect.kernels.cache import KEPT, KernelCache, cache_folder
from mcdetect.kernels.jit import kernel, sources_digest
from mcdetect.kernels.sources import _digest_of

PACKAGE = Path(mcdetect.__file__).parent
NOBODY = 54321
"""Number of no user: without a home, whatever the system says."""

USE = """
import logging, sys
logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
import numpy as np
from mcdetect.kernels.polygons import polygon_geometry
square = np.array([[0.0, 0.0], [0.0, 2.0], [2.0, 2.0], [2.0, 0.0]])
print(polygon_geometry(square)[7], sum(polygon_geometry.stats.cache_hits.values()))
"""
"""Prints the area of a hull, which a callee measures, and how often the cache served."""


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    cache.version_folder.cache_clear()
    yield
    cache.version_folder.cache_clear()


@pytest.fixture
def install(tmp_path: Path) -> Path:
    """Copy what compiled kernels need to a place of its own."""
    package = tmp_path / "site" / "mcdetect"
    shutil.copytree(PACKAGE / "kernels", package / "kernels", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__init__.py").touch()
    return package.parent


def run(code: str, install: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("MCDETECT_CACHE_DIR", "NUMBA_CACHE_DIR")}
    # Python itself takes a source of the same size and time of change for the same: not what is tested here.
    environment = {**kept, "PYTHONPATH": str(install), "PYTHONDONTWRITEBYTECODE": "1", **settings}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=install, capture_output=True, text=True, check=True
    )


def test_a_changed_callee_is_compiled_anew(install: Path, tmp_path: Path) -> None:
    place = {"MCDETECT_CACHE_DIR": str(tmp_path / "kept")}
    assert run(USE, install, **place).stdout.split() == ["4.0", "0"]
    assert run(USE, install, **place).stdout.split() == ["4.0", "1"]
    source = install / "mcdetect" / "kernels" / "polygons.py"
    before = source.stat()
    text = source.read_text(encoding="utf-8")
    assert text.count("return abs(0.5 * twice)") == 1
    # As an upgrade leaves it: the size and the time of change may be what they were.
    source.write_text(text.replace("return abs(0.5 * twice)", "return abs(0.7 * twice)"), encoding="utf-8")
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert run(USE, install, **place).stdout.split() == ["5.6", "0"]


def test_a_callee_in_another_file_counts(install: Path, tmp_path: Path) -> None:
    code = """
import numpy as np
from mcdetect.kernels.windows import ring_level
print(*ring_level(np.ones((21, 21), np.float32), np.full((21, 21), LABEL, np.int8)))
""".replace("LABEL", "-1")
    place = {"MCDETECT_CACHE_DIR": str(tmp_path / "kept")}
    assert run(code, install, **place).stdout == "nan nan\n"
    other = install / "mcdetect" / "kernels" / "regions.py"
    text = other.read_text(encoding="utf-8")
    assert text.count("BARRED, OWN, FOREIGN = -1, 1, 2") == 1
    other.write_text(
        text.replace("BARRED, OWN, FOREIGN = -1, 1, 2", "BARRED, OWN, FOREIGN = -2, 1, 2"), encoding="utf-8"
    )
    assert run(code, install, **place).stdout == "1.0 0.0\n"


def test_every_compiled_function_has_the_decorator() -> None:
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        names |= {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "numba"
            for alias in node.names
        }
        compilers = names & {"njit", "jit", "vectorize", "guvectorize", "stencil", "cfunc", "prange"}
        assert compilers == ({"njit"} if path.relative_to(PACKAGE).as_posix() == "kernels/jit.py" else set())
        given = {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword)}
        assert "parallel" not in given, "such kernels compile several times longer"
        uses = any(
            isinstance(node, ast.ImportFrom)
            and node.module == "mcdetect.kernels.jit"
            and "kernel" in ast.dump(node)
            for node in ast.walk(tree)
        )
        assert not uses or path.parent == PACKAGE / "kernels", "its source would not be in the digest"


def test_the_digest_is_that_of_all_sources(tmp_path: Path) -> None:
    assert len(sources_digest()) == 64
    folder = tmp_path / "kernels"
    shutil.copytree(PACKAGE / "kernels", folder)
    assert _digest_of(folder) == sources_digest()
    for path in folder.glob("*.py"):
        text = path.read_bytes()
        path.write_bytes(text + b"# changed\n")
        assert _digest_of(folder) != sources_digest(), path.name
        path.write_bytes(text)
    (folder / "polygons.py").rename(folder / "polygon.py")
    assert _digest_of(folder) != sources_digest()
    assert _digest_of(tmp_path / "nowhere") == ""


def test_old_versions_go_and_those_in_use_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCDETECT_CACHE_DIR", str(tmp_path))
    for age in range(KEPT + 3):
        old = tmp_path / f"kernels-{age:016x}"
        old.mkdir()
        os.utime(old, (1e9 - age, 1e9 - age))
    (tmp_path / "not-ours").mkdir()

    @kernel
    def doubled(x):  # type: ignore[no-untyped-def]
        return 2 * x

    assert doubled(2) == 4
    left = {path.name for path in tmp_path.iterdir()}
    own = Path(str(doubled._cache.cache_path)).name
    assert left == {"not-ours", own, *(f"kernels-{age:016x}" for age in range(KEPT - 1))}


def test_a_damaged_file_is_compiled_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCDETECT_CACHE_DIR", str(tmp_path))

    def tripled(x):  # type: ignore[no-untyped-def]
        return 3 * x

    assert kernel(tripled)(2) == 6
    (file,) = tmp_path.glob("kernels-*/*")
    whole = file.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"not a pickle"):
        file.write_bytes(damaged)
        again = kernel(tripled)
        assert again(2) == 6
        assert not again.stats.cache_hits
    loaded = kernel(tripled)
    assert loaded(2) == 6
    assert sum(loaded.stats.cache_hits.values()) == 1


def test_many_processes_at_once(install: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(install), "MCDETECT_CACHE_DIR": str(tmp_path / "kept")}
    started = [
        subprocess.Popen([sys.executable, "-c", USE], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [process.communicate()[0].split()[0] for process in started] == ["4.0"] * 4
    assert not list((tmp_path / "kept").rglob(".part-*"))
    assert run(USE, install, MCDETECT_CACHE_DIR=str(tmp_path / "kept")).stdout.split() == ["4.0", "1"]


def test_it_is_said_once_and_only_when_the_cache_is_empty(install: Path, tmp_path: Path) -> None:
    place = {"MCDETECT_CACHE_DIR": str(tmp_path / "kept")}
    assert run(USE, install, **place).stderr.count("compiling kernels, once") == 1
    assert run(USE, install, **place).stderr == ""


def test_a_filled_folder_need_not_be_writable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MCDETECT_CACHE_DIR", str(tmp_path / "image"))
    (tmp_path / "image" / "kernels-0").mkdir(parents=True)
    monkeypatch.setattr(cache, "_is_writable", lambda folder: folder != tmp_path / "image")
    monkeypatch.setattr(cache, "_user_folder", lambda: tmp_path / "user")
    assert cache_folder("kernels-0") == tmp_path / "image"
    assert not caplog.records
    assert cache_folder("kernels-1") == tmp_path / "user"
    assert "MCDETECT_CACHE_DIR" in caplog.text


def test_the_order_of_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mcdetect.kernels")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    monkeypatch.setenv("MCDETECT_CACHE_DIR", str(tmp_path / "given"))
    monkeypatch.setattr(cache, "_user_folder", lambda: tmp_path / "user")
    monkeypatch.setattr(cache, "_private_folder", lambda: tmp_path / "private")
    assert cache_folder("v") == tmp_path / "given"
    monkeypatch.delenv("MCDETECT_CACHE_DIR")
    assert cache_folder("v") == tmp_path / "numba" / "mcdetect"
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    assert cache_folder("v") == tmp_path / "user"
    assert not caplog.records
    monkeypatch.setattr(cache, "_is_writable", lambda folder: False)
    assert cache_folder("v") == tmp_path / "private"
    monkeypatch.setattr(cache, "_private_folder", lambda: None)
    assert cache_folder("v") is None
    assert len(caplog.records) == 2
    assert "for this run only" in caplog.messages[1]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="folders of Linux")
def test_the_users_folder_on_linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/does/not/count")
    assert cache._user_folder() == tmp_path / ".cache" / "mcdetect"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache._user_folder() == tmp_path / "xdg" / "mcdetect"
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # no home at all
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache._user_folder() is None


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="users are told apart by number on POSIX only")
def test_the_temporary_folder_must_be_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    folder = tmp_path / f"mcdetect-{os.geteuid()}"
    assert cache._private_folder() == folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert cache._private_folder() == folder
    folder.chmod(0o777)  # another may have put something in
    assert cache._private_folder() is None
    folder.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "elsewhere")
    assert cache._private_folder() is None
    folder.unlink()
    folder.mkdir(mode=0o700)
    own = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    folder.rename(tmp_path / f"mcdetect-{own + 1}")  # made by another, in our name
    assert cache._private_folder() is None


def test_nothing_is_kept_when_there_is_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "cache_folder", lambda version: None)

    @kernel
    def halved(x):  # type: ignore[no-untyped-def]
        return x / 2

    assert halved(3.0) == 1.5
    assert halved._cache.cache_path is None
    assert isinstance(halved._cache, KernelCache)


def another_user() -> list[str]:
    """Return the command that runs another as a user who owns nothing, but may read all that root may."""
    if not (hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("setpriv")):
        pytest.skip("only root, with setpriv, can run a process as another user")
    command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    command += ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("a process cannot be run as another user here")
    return command


def test_a_read_only_install_without_a_home(install: Path) -> None:
    """The user has no home and may write among the temporary files only."""
    command = another_user()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        place = Path(folder)
        place.chmod(0o755)
        shutil.copytree(install / "mcdetect", place / "site" / "mcdetect")
        (place / "tmp").mkdir()
        (place / "tmp").chmod(0o1777)
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": str(place / "site"),
            "TMPDIR": str(place / "tmp"),
        }

        def as_nobody() -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [*command, sys.executable, "-c", USE],
                env=environment,
                cwd=place,
                capture_output=True,
                text=True,
                check=False,
            )

        first = as_nobody()
        assert first.returncode == 0, first.stderr
        assert first.stdout.split() == ["4.0", "0"]
        assert first.stderr.count("among the temporary files") == 1
        assert as_nobody().stdout.split() == ["4.0", "1"]
        assert not list((place / "site").rglob("*.pyc")), "it was not read-only"
        assert stat.S_IMODE((place / "tmp" / f"mcdetect-{NOBODY}").stat().st_mode) == 0o700


def test_kernels_do_not_hold_pythons_garbage_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    import gc

    monkeypatch.setattr(cache, "cache_folder", lambda version: None)
    before = gc.get_threshold()

    @kernel
    def added(x):  # type: ignore[no-untyped-def]
        return x + np.float32(1)

    @kernel
    def wrong(x):  # type: ignore[no-untyped-def]
        return x.no_such_attribute

    added(1.0)
    assert gc.get_threshold() == before
    with pytest.raises(Exception, match="no_such_attribute"):
        wrong(1.0)
    assert gc.get_threshold() == before
