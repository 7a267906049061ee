"""Memory that worker processes may take: of the machine, and of the container they run in."""

from __future__ import annotations

import math
from pathlib import Path

import psutil

__all__ = ["available_memory"]

_CGROUP = Path("/sys/fs/cgroup")
_VERSIONS = (
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    (
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        "total_inactive_file",
    ),
)
"""Files of both versions of control groups: limit, use, statistics; and the cache that can be given back."""


def available_memory() -> float:
    """Return the memory that can be had without swapping, in bytes.

    It is that of the machine, or what the limit of the control group (a container, a batch queue) leaves,
    whichever is less.
    """
    return min(float(psutil.virtual_memory().available), _room_in_group(_CGROUP))


def _room_in_group(folder: Path) -> float:
    """Return what the limit of the control group leaves, in bytes; infinite where there is none."""
    for limit, use, statistics, cache in _VERSIONS:
        try:
            most = float((folder / limit).read_text(encoding="ascii"))
            used = float((folder / use).read_text(encoding="ascii"))
            lines = (folder / statistics).read_text(encoding="ascii").splitlines()
            spare = float(dict(line.split(maxsplit=1) for line in lines)[cache])
        except (OSError, ValueError, KeyError):  # no such version, or "max": no limit
            continue
        return max(0.0, most - used + spare)
    return math.inf
