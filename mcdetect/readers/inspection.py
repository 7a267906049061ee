"""What the loader understands of a file, for people to read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mcdetect.errors import NotEligibleError
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
    passed_over : bool
        It is a kind of file that is not searched, and no damage: a run would pass it over.
    header : dict of str to (str or float)
        Identifiers, maker and exposure, see `mcdetect.schema.DICOM_COLUMNS`. They are in no table that is not
        asked for.
    study : str
        Pseudonym of the examination, empty when unknown; in no table.
    """

    facts: dict[str, str]
    flags: tuple[str, ...]
    eligible: bool
    reasons: tuple[str, ...]
    header: dict[str, str | float] = field(default_factory=dict, repr=False)
    study: str = field(default="", repr=False)
    passed_over: bool = False

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
    *,
    magnification: float | None = None,
    specimens: bool = False,
    pixels: bool = True,
    member: str | None = None,
) -> Inspection:
    """Report what the loader understands of a file, also when it would be refused.

    Parameters
    ----------
    path : path-like
        The file.
    pixel_spacing_mm : float or (float, float), optional
        Pixel spacing in mm for images whose header has none.
    force : bool, default False
    magnification : float, optional
    specimens : bool, default False
        As for `mcdetect.read_mammogram`.
    pixels : bool, default True
        False looks at the headers of DICOM files only: quick, but damaged and blank pixels are not seen.
    member : str, optional
        Name of a file within a zip archive; by default its only image.

    Returns
    -------
    Inspection

    Raises
    ------
    UnreadableFileError
        If the file is missing or cannot be parsed at all.
    """
    found = examine(
        path,
        pixel_spacing_mm=pixel_spacing_mm,
        force=force,
        thorough=True,
        magnification=magnification,
        specimens=specimens,
        pixels=pixels,
        member=member,
    )
    reasons = tuple(f"{problem.cause}; {problem.remedy}" for problem in found.problems)
    complete = not reasons and (found.image is not None or not pixels)
    other = bool(found.problems) and isinstance(found.problems[0], NotEligibleError)
    flags = found.flags
    if several := found.facts.get("breasts"):  # a run flags what it finds; here nothing is searched
        flags = (*flags, several)
    return Inspection(found.facts, flags, complete, reasons, found.header, found.study, other)
