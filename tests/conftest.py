"""What every test starts from."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def package_logger_as_imported() -> Iterator[None]:
    """Give each test the logger of an importing program: the command line configures its own."""
    package = logging.getLogger("mcdetect")
    before = list(package.handlers), package.propagate, package.level
    package.handlers[:], package.propagate = [], True
    package.setLevel(logging.NOTSET)
    yield
    package.handlers[:], package.propagate = before[0], before[1]
    package.setLevel(before[2])
