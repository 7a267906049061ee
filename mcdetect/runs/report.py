"""What became of a batch and of each image in it, and who is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mcdetect.runs.worker import Failure

__all__ = ["BatchReport", "ImageReport", "Observer"]


@dataclass(frozen=True)
class ImageReport:
    """What became of one input, in brief.

    Parameters
    ----------
    file : str
        Its name in the tables.
    row : dict of str to object
        Its row of ``images.csv``; empty when it could not be processed.
    best_score : float
        Highest score of its flagged groups; not-a-number when there is none.
    failure : Failure or None
        What went wrong.
    skipped : str
        Why it was passed over; empty when it was not.
    reused : bool
        Its results were there already.
    """

    file: str
    row: dict[str, Any] = field(default_factory=dict)
    best_score: float = float("nan")
    failure: Failure | None = None
    reused: bool = False
    skipped: str = ""


@dataclass
class BatchReport:
    """What a batch did.

    Parameters
    ----------
    images : list of ImageReport
        What became of each input.
    passed_over : list of (str, str)
        Files that are no images, or no mammograms that are searched, and why.
    duplicates : int
        Files met more than once.
    interrupted : bool
        It was stopped before its end.
    signal : int or None
        Number of the signal that stopped it.
    """

    images: list[ImageReport] = field(default_factory=list)
    passed_over: list[tuple[str, str]] = field(default_factory=list)
    duplicates: int = 0
    interrupted: bool = False
    signal: int | None = None

    @property
    def skipped(self) -> int:
        """Files that were passed over."""
        return len(self.passed_over)

    @property
    def reused(self) -> int:
        """Images whose results an earlier run had found."""
        return sum(image.reused for image in self.images)

    @property
    def failed(self) -> list[ImageReport]:
        """The inputs with which something went wrong."""
        return [image for image in self.images if image.failure is not None]

    @property
    def processed(self) -> list[ImageReport]:
        """The images that have results."""
        return [image for image in self.images if image.row]


class Observer:
    """Is told how a batch gets on; every method may be overridden."""

    def started(self, images: int, jobs: int) -> None:
        """Called once, before the first image."""

    def finished(self, image: ImageReport) -> None:
        """Called after each input, in input order."""

    def stopping(self) -> None:
        """Called when the batch was asked to stop and finishes the images under way."""
