"""The truth of a case beside its detections, and what both depend on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from mcdetect.config import Config
from mcdetect.output.seam import Output, Piece
from mcdetect.validation.datasets.base import Case
from mcdetect.validation.datasets.shapes import MaskFile

if TYPE_CHECKING:
    from mcdetect.result import Result

__all__ = ["TruthRows", "case_parts"]


@dataclass(frozen=True)
class TruthRows(Output):
    """The findings of one case on the pixels of its image.

    Parameters
    ----------
    case : Case
        The image and its truth.
    """

    name: ClassVar[str] = "truth"
    case: Case

    def add(self, folder: Path, file: str, result: Result) -> Piece:
        """Return the truth of the case as a table."""
        from mcdetect.validation.datasets.export import truth_table

        return Piece({"truth": truth_table(self.case, result.mammogram)})


def case_parts(case: Case, config: Config) -> tuple[str, ...]:
    """Return what the results of a case depend on besides the bytes of its image and the code.

    Parameters
    ----------
    case : Case
        Its set, name, spacing, findings and the files of these (size and time of change).
    config : Config
        Options of the detector.
    """
    named = (case.dataset, case.name, case.patient, repr(case.spacing), repr(case.view))
    drawn = (repr(case.laterality), repr(case.findings), *map(_state, _mask_files(case)))
    return (config.digest, *named, *drawn)


def _mask_files(case: Case) -> Iterator[Path]:
    for finding in case.findings:
        if isinstance(finding.shape, MaskFile):
            yield from finding.shape.candidates


def _state(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return "missing"
    return f"{found.st_size} {found.st_mtime_ns}"
