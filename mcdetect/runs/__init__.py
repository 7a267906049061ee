"""Many mammograms in, tables and pictures out; one bad file never stops the others."""

from mcdetect.runs.dask import ClusterError, LostClusterError
from mcdetect.runs.discovery import Discovery, Input, find_inputs
from mcdetect.runs.report import BatchReport, ImageReport, Observer
from mcdetect.runs.run import run_batch
from mcdetect.runs.worker import Failure

__all__ = [
    "BatchReport",
    "ClusterError",
    "Discovery",
    "Failure",
    "ImageReport",
    "Input",
    "LostClusterError",
    "Observer",
    "find_inputs",
    "run_batch",
]
