"""How much memory workers may take: the least of the machine's and the container's."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from mcdetect.runs import memory
from mcdetect.runs.memory import _room_in_group, available_memory

GIB = 2**30


def group(folder: Path, version: int, limit: str, use: int, cache: int) -> Path:
    """Lay out the files of a control group of version 1 or 2."""
    names, word = {
        1: (("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"), "total_"),
        2: (("memory.max", "memory.current", "memory.stat"), ""),
    }[version]
    stat = f"anon 12\n{word}inactive_file {cache}\n{word}active_file 7\n"
    for name, text in zip(names, (limit, str(use), stat), strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{text.strip()}\n", encoding="ascii")
    return folder


@pytest.mark.parametrize("version", [1, 2])
def test_the_limit_of_a_container_counts(version: int, tmp_path: Path) -> None:
    folder = group(tmp_path, version, str(4 * GIB), 3 * GIB, GIB)
    assert _room_in_group(folder) == 2 * GIB
    assert _room_in_group(group(tmp_path, version, str(4 * GIB), 9 * GIB, GIB)) == 0


def test_without_a_limit_the_machine_alone_counts(tmp_path: Path) -> None:
    assert _room_in_group(tmp_path / "none") == math.inf
    assert _room_in_group(group(tmp_path, 2, "max", GIB, GIB)) == math.inf


def test_the_lesser_of_machine_and_container_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_CGROUP", group(tmp_path, 2, str(4 * GIB), GIB, 0))
    for free, expected in ((8 * GIB, 3 * GIB), (2 * GIB, 2 * GIB)):
        answer = SimpleNamespace(available=free)
        monkeypatch.setattr(memory.psutil, "virtual_memory", lambda answer=answer: answer)
        assert available_memory() == expected


def test_memory_is_finite_on_every_system() -> None:
    """It once counted as infinite wherever there is no /proc/meminfo."""
    assert 0 < available_memory() < 2**50
