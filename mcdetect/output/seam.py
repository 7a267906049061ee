"""The seam of the outputs: what each does when a run opens, for each image, and at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

if TYPE_CHECKING:
    import pandas as pd

    from mcdetect.result import Result
    from mcdetect.schema import Column

__all__ = ["Output", "Piece", "Results"]


@dataclass(frozen=True)
class Piece:
    """What an output has of one image.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Rows to be kept, by table.
    files : sequence of str
        Files that were written, relative to the output folder, with "/" between folders.
    """

    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    files: Sequence[str] = ()


class Results(Protocol):
    """What a run found, image by image, when an output closes."""

    @property
    def files(self) -> Sequence[str]:
        """Images that have results, by their names in the tables, in input order."""

    def rows(self, table: str, file: str) -> pd.DataFrame:
        """Return the rows of one image in one of the tables that its pieces hold."""

    def whole(self, table: str) -> pd.DataFrame | None:
        """Return a table of the run as a whole (studies, failures, ...), or None where there is none."""

    def batches(self, table: str, columns: Sequence[Column]) -> Iterator[Sequence[tuple[Any, ...]]]:
        """Yield the rows of all images, or of a table of the run as a whole, in order, some at a time."""


class Output:
    """One kind of result file.

    `open` and `close` run in the process that owns the folder; `add` runs where the image was searched, which
    may be a worker process, so an output must be picklable and keeps nothing between images.
    """

    name: ClassVar[str]
    """What it is called on the command line and in stored results."""
    files: ClassVar[tuple[str, ...]] = ()
    """Names of the files of the whole run that it writes into the output folder."""

    def open(self, folder: Path) -> None:
        """Make ready, before the first image."""

    def for_file(self, file: str) -> Self:
        """Return what a worker needs of this output for one image, by default all of it."""
        return self

    def add(self, folder: Path, file: str, result: Result) -> Piece:
        """Take one image; `file` is its name in the tables."""
        return Piece()

    def close(self, folder: Path, results: Results) -> Mapping[str, int]:
        """Finish, also when the run was stopped early; return the rows written, by table."""
        return {}
