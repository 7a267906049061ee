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
    """

    file: str
    row: dict[str, Any] = field(default_factory=dict)
    best_score: float = float("nan")
    failure: Failure | None = None


@dataclass
class BatchReport:
    """What a batch did."""

    images: list[ImageReport] = field(default_factory=list)
    skipped: int = 0
    duplicates: int = 0
    interrupted: bool = False

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
