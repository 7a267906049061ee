"""Damaged inputs of every kind: the reader never crashes, never hangs, and raises our errors only."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from benchmarks.reading import inputs
from mcdetect.readers.read import examine

pytestmark = pytest.mark.skipif(
    not (hasattr(os, "fork") and hasattr(signal, "setitimer")), reason="needs children that the system limits"
)

if sys.platform != "win32":
    from benchmarks.reading import fuzz
    from benchmarks.reading.fuzz import Verdict, read_damaged

EACH = 20
"""Damaged inputs of each kind that the tests read; `python -m benchmarks fuzz` reads many more."""


@pytest.mark.parametrize("kind", inputs.KINDS)
def test_every_whole_input_is_read(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a").write_bytes(inputs.whole(kind))
    found = examine(tmp_path / "a", pixel_spacing_mm=inputs.SPACING_MM)
    assert found.mammogram is not None
    assert found.mammogram.shape == (96, 80)


def test_an_input_is_always_the_same() -> None:
    for kind in ("explicit", "TIFF LZW", "zip"):
        made = [inputs.damaged(kind, number) for number in range(30)]
        assert made == [inputs.damaged(kind, number) for number in range(30)]
        assert len(set(made)) > 25


def test_what_goes_wrong_is_told_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def verdict_on(kind: str, number: int, folder: Path) -> Verdict:
        while number == 1:
            pass
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return Verdict(kind, number, "wrong error" if number == 4 else "read")

    monkeypatch.setattr(fuzz, "verdict_on", verdict_on)
    monkeypatch.setattr(fuzz, "SECONDS", 1)
    assert [(v.number, v.what) for v in read_damaged(["PGM"], 0, 6)] == [
        (0, "read"),
        (1, "hang"),
        (2, "read"),
        (3, "crash"),
        (4, "wrong error"),
        (5, "read"),
    ]


def test_errors_of_others_are_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr(fuzz, "examine", refuse)
    found = fuzz.verdict_on("PGM", 0, tmp_path)
    assert found.what == "wrong error"
    assert found.detail.startswith("KeyError in refuse")


@pytest.mark.slow
@pytest.mark.parametrize("kind", inputs.KINDS)
def test_damaged_inputs_are_read_or_refused(kind: str) -> None:
    bad = [v for v in read_damaged([kind], 0, EACH) if v.what not in ("read", "refused")]
    assert bad == [], f"python -m benchmarks fuzz --again {kind!r} NUMBER"
