"""Every benchmark by name: its module, what it measures, and how its figures are shown."""

from __future__ import annotations

from benchmarks.pages.benchmark import Benchmark
from benchmarks.pages.of_cost import COST
from benchmarks.pages.of_detection import DETECTION
from benchmarks.pages.of_measurement import MEASUREMENT

__all__ = ["BENCHMARKS", "Benchmark"]

BENCHMARKS: dict[str, Benchmark] = DETECTION | COST | MEASUREMENT
"""By the name that ``python -m benchmarks NAME`` takes, in the order of the page."""
