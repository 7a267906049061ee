"""One run per output folder: who holds it is told, and a dead run holds nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from detector_standin import install, write

from mcdetect.output import lock
from mcdetect.output.lock import LOCK_FILE, OutputError, holder, locked
from mcdetect.runs import run_batch

HOLD = """
import sys
from pathlib import Path
from mcdetect.output.lock import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Let another process hold a folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_another_run_is_refused_with_the_process_and_start_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = install(monkeypatch)
    source, out = write(tmp_path / "in", a="good"), tmp_path / "out"
    run_batch([source], out, overlay=False)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    detector.read.clear()
    with another_process(out) as process:
        told = rf"^out: another run works in it \(process {process.pid} on \S+, started \d{{4}}-\S+\); wait"
        with pytest.raises(OutputError, match=told):
            run_batch([source], out, overlay=False)
        found = holder(out)
        assert found is not None
        assert found["pid"] == process.pid
    assert detector.read == []
    after = {path.name: path.read_bytes() for path in out.iterdir() if path.name != LOCK_FILE}
    assert after == before


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs signals of Unix")
def test_a_dead_run_leaves_no_lock_behind(tmp_path: Path) -> None:
    with another_process(tmp_path) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert (tmp_path / LOCK_FILE).exists()
        assert holder(tmp_path) is None
        with locked(tmp_path):
            assert holder(tmp_path) == lock._read(tmp_path)
            assert lock._read(tmp_path)["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_file_that_was_taken_away_meanwhile_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run ends between our opening of its file and our locking it: two would hold different files."""
    original, calls = lock._lock, []

    def slow(stream: object) -> bool:
        if not calls:
            (tmp_path / LOCK_FILE).unlink()
        calls.append(stream)
        return original(stream)  # type: ignore[arg-type]

    monkeypatch.setattr(lock, "_lock", slow)
    with locked(tmp_path):
        assert len(calls) == 2
        monkeypatch.undo()
        with pytest.raises(OutputError, match=re.escape(f"process {os.getpid()} on")), locked(tmp_path):
            pass


def test_what_a_lock_file_says_may_be_anything(tmp_path: Path) -> None:
    for content in (b"", b"[1]", b"\xff", b'{"pid": 1}'):
        (tmp_path / LOCK_FILE).write_bytes(content)
        assert lock._who(tmp_path) == ""
