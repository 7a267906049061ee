"""What the results of an image depend on, as one key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import mcdetect
from mcdetect.output.run_record import LIBRARIES, library_versions

__all__ = ["detector_digest", "digest_of", "result_key"]

_UNRELATED = frozenset({"cli", "exams", "output", "phantom", "runs", "training"})
"""Parts of the package on which neither detections nor truth depend."""
_SUFFIXES = (".py", ".json")
_WRITING = frozenset({"pandas", "pyarrow"})
"""Libraries that write tables of what was found, and do not change it."""


@lru_cache(maxsize=1)
def detector_digest() -> str:
    """Return a SHA-256 of the code, the kernels and the models on which detections and truth depend.

    The version alone would let figures of changed code pass for those of the release.
    """
    return digest_of(Path(mcdetect.__file__).parent)


def digest_of(package: Path) -> str:
    """Return the digest of the package in a folder."""
    state = hashlib.sha256()
    for path in sorted(p for p in package.rglob("*") if p.suffix in _SUFFIXES and p.is_file()):
        relative = path.relative_to(package)
        if relative.parts[0] not in _UNRELATED:
            state.update(relative.as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return state.hexdigest()


@lru_cache(maxsize=1)
def _libraries() -> dict[str, str]:
    """Return the versions of the libraries whose results may differ in the last digit, or by more."""
    return library_versions([name for name in LIBRARIES if name not in _WRITING])


def result_key(content: str, parts: Sequence[str]) -> str:
    """Return a key that changes with whatever the results of an image depend on.

    Parameters
    ----------
    content : str
        SHA-256 of the bytes of the image's file.
    parts : sequence of str
        What else they depend on: configuration, spacing given, the user's model, truth. The version,
        `detector_digest` and the versions of the libraries that read and compute count, too.
    """
    everything = [mcdetect.__version__, detector_digest(), _libraries(), content, *parts]
    return hashlib.sha256(json.dumps(everything).encode()).hexdigest()
