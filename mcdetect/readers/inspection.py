"""What the loader understands of a file, for people to read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mcdetect.readers.read import examine

__all__ = ["Inspection", "inspect"]


@dataclass(frozen=True)
class Inspection:
    """Report on one file.

    Parameters
    ----------
    facts : dict of str to str
        View, laterality, intent, transfer syntax, size, pixel spacing with its source and plane,
        grey-scale handling and more, in reading order; never patient name, id, date or UID.
    flags : tuple of str
        Remarks that the user should know.
    eligible : bool
        Whether `detect` would process the file.
    reasons : tuple of str
        Why not, each with its remedy; empty when eligible.
    """

    facts: dict[str, str]
    flags: tuple[str, ...]
    eligible: bool
    reasons: tuple[str, ...]

    def rows(self) -> list[tuple[str, str]]:
        """Return (name, value) pairs for a table of two columns."""
        table = [(name[:1].upper() + name[1:], value) for name, value in self.facts.items()]
        table.append(("Flags", "; ".join(self.flags) or "none"))
        table.append(("Would be processed", "yes" if self.eligible else "no"))
        table += [("Because" if index == 0 else "Also", reason) for index, reason in enumerate(self.reasons)]
        return table


def inspect(
    path: str | Path,
    pixel_spacing_mm: float | tuple[float, float] | None = None,
    force: bool = False,
) -> Inspection:
    """Report what the loader understands of a file, also when it would be refused.

    Parameters
    ----------
    path : path-like
        The file.
    pixel_spacing_mm : float or (float, float), optional
        Pixel spacing in mm for images whose header has none.
    force : bool, default False
        As for `mcdetect.read_mammogram`.

    Returns
    -------
    Inspection

    Raises
    ------
    UnreadableFileError
        If the file is missing or cannot be parsed at all.
    """
    found = examine(path, pixel_spacing_mm=pixel_spacing_mm, force=force, thorough=True)
    reasons = tuple(f"{problem.cause}; {problem.remedy}" for problem in found.problems)
    return Inspection(found.facts, found.flags, not reasons and found.image is not None, reasons)
