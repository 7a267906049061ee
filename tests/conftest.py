"""What every test starts from."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# No test depends on how fast or busy the machine is: no deadline, and slow data is no fault. Every run
# draws the same examples, so that what fails was broken by the change at hand, in a new clone too;
# `pytest --hypothesis-profile=explore` looks for new ones.
settings.register_profile(
    "steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", settings.get_profile("steady"), derandomize=False)
settings.load_profile("steady")


@pytest.fixture(autouse=True)
def package_logger_as_imported() -> Iterator[None]:
    """Give each test the logger of an importing program: the command line configures its own."""
    package, kernels = logging.getLogger("mcdetect"), logging.getLogger("mcdetect.kernels")
    before = list(package.handlers), package.propagate, package.level
    package.handlers[:], package.propagate = [], True
    package.setLevel(logging.NOTSET)
    kernels.setLevel(logging.NOTSET)
    yield
    package.handlers[:], package.propagate = before[0], before[1]
    package.setLevel(before[2])
