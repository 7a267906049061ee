"""Detector and evaluation over a public data set in one go: resumable, in parallel, with a results page."""

from mcdetect.validation.benchmark.report import BenchmarkError, BenchmarkReport
from mcdetect.validation.benchmark.run import run_benchmark

__all__ = ["BenchmarkError", "BenchmarkReport", "run_benchmark"]
