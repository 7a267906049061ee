"""A digest of all that compiled kernels are made of."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

__all__ = ["sources_digest"]


@lru_cache(maxsize=1)
def sources_digest() -> str:
    """Return a SHA-256, in hexadecimal, of the source of every kernel; empty when there is no source.

    Kernels call each other across files and import nothing else of the package; so the machine code of each
    depends on these files, on numba and on the processor alone.
    """
    return _digest_of(Path(__file__).parent)


def _digest_of(folder: Path) -> str:
    state = hashlib.sha256()
    sources = sorted(folder.rglob("*.py"))
    for path in sources:
        state.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return state.hexdigest() if sources else ""
