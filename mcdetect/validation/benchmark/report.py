"""What a benchmark did and found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcdetect.config import Config
from mcdetect.errors import McdetectError
from mcdetect.runs.worker import Failure
from mcdetect.validation.datasets import Dataset

if TYPE_CHECKING:
    import pandas as pd

    from mcdetect.validation.evaluation import Evaluation

__all__ = ["BenchmarkError", "BenchmarkReport"]


class BenchmarkError(McdetectError):
    """A benchmark cannot be run as asked."""


@dataclass
class BenchmarkReport:
    """What a benchmark did and found.

    Attributes
    ----------
    dataset : Dataset
    options : dict
        What the data set was opened with.
    config : Config
    jobs : int
        Worker processes.
    status : Counter of str
        Cases of the set by status.
    split, limit
        Which part of the cases that can be evaluated was asked for.
    chosen : int
        Cases of that part.
    reused, processed : int
        Cases whose results were there, and those worked on now with success.
    failed : dict of str to Failure
        Cases without results, and entries of the set that are no cases.
    notes : list of str
        What was assumed, with the number of cases.
    seconds : DataFrame
        Wall time of each stage in s, one row per case with results.
    evaluations : dict of str to Evaluation
        By the name of their folder.
    interrupted : bool
        Stopped early; nothing was evaluated.
    signal : int or None
        Number of the signal that stopped it.
    """

    dataset: Dataset
    options: dict[str, Any]
    config: Config
    jobs: int
    status: Counter[str]
    split: str | None = None
    limit: int | None = None
    chosen: int = 0
    reused: int = 0
    processed: int = 0
    failed: dict[str, Failure] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: pd.DataFrame | None = None
    evaluations: dict[str, Evaluation] = field(default_factory=dict)
    interrupted: bool = False
    signal: int | None = None
