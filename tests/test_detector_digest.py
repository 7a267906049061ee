"""Stored results are of the code at hand: compiled, plain and fitted alike."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import mcdetect
from mcdetect.runs.keys import detector_digest, digest_of

PACKAGE = Path(mcdetect.__file__).parent


@pytest.fixture
def package(tmp_path: Path) -> Path:
    kept = shutil.ignore_patterns("__pycache__", "*.pyc")
    return Path(shutil.copytree(PACKAGE, tmp_path / "mcdetect", ignore=kept))


def test_every_kernel_and_every_model_counts(package: Path) -> None:
    assert digest_of(package) == detector_digest()
    sources = [*(package / "kernels").rglob("*.py"), *package.rglob("*.json")]
    assert len(sources) > 15
    for path in sources:
        text = path.read_bytes()
        path.write_bytes(text + b" ")
        assert digest_of(package) != detector_digest(), path.name
        path.write_bytes(text)
    assert digest_of(package) == detector_digest()


def test_the_command_line_does_not_count(package: Path) -> None:
    (package / "cli" / "compile.py").write_text("# otherwise\n")
    assert digest_of(package) == detector_digest()
