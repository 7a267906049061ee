"""A look at files and folders before a study: a row for each file, and what they have in common."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcdetect.errors import InputFileError, NotEligibleError
from mcdetect.runs.discovery import Discovery, find_inputs
from mcdetect.schema import DICOM_COLUMNS, INSPECTION, make_table

if TYPE_CHECKING:
    import pandas as pd

    from mcdetect.readers.inspection import Inspection

__all__ = ["FilesInspection", "inspect_files"]

_SIZE = re.compile(r"(\d+) x (\d+) pixels")
_SPACING = re.compile(r"([\d.e-]+) x ([\d.e-]+) mm \(rows x columns\), (.*)")


@dataclass(frozen=True)
class FilesInspection:
    """What a look at files tells.

    Parameters
    ----------
    table : DataFrame
        Columns `mcdetect.schema.INSPECTION`, a row for each file: what cannot be opened, the inputs in the
        order of a run, then files that are no images.
    duplicates : int
        Files met more than once; they have no further row.
    """

    table: pd.DataFrame
    duplicates: int = 0

    def summary(self) -> dict[str, Any]:
        """Return numbers of files by what matters before a study; each largest first.

        Reasons, and views, makers, spacings and remarks of the files that would be processed. Spacings are
        rounded to a micrometre.
        """
        fit = self.table[self.table["processed"]]
        unfit = self.table[~self.table["processed"]]
        spacing = [f"{v:.3f} mm" if v == v else "unknown" for v in fit["row_spacing_mm"].tolist()]
        flags = [flag for flags in fit["flags"] for flag in flags.split("; ") if flag]
        return {
            "files": len(self.table),
            "processed": len(fit),
            "passed_over": int(unfit["passed_over"].sum()),
            "failed": int((~unfit["passed_over"]).sum()),
            "duplicates": self.duplicates,
            "studies": int(self.table.loc[self.table["study"] > 0, "study"].nunique()),
            "reasons": _counts(reason.split(" | ")[0].split("; ")[0] for reason in unfit["reason"]),
            "views": _counts(_joined(fit, "laterality", "view")),
            "makers": _counts(_joined(fit, "manufacturer", "model")),
            "spacings": _counts(spacing),
            "intents": _counts(fit["intent"]),
            "flags": _counts(flags),
        }


def inspect_files(
    paths: Sequence[str | Path],
    *,
    pixel_spacing_mm: float | None = None,
    force: bool = False,
    magnification: float | None = None,
    specimens: bool = False,
    pixels: bool = True,
    dicom_columns: bool = False,
    told: Callable[[int, int], None] | None = None,
) -> FilesInspection:
    """Look at files and folders as `run_batch` would take them.

    Parameters
    ----------
    paths : sequence of path-like
        Files and folders, in any mix; folders are searched recursively.
    pixel_spacing_mm, force, magnification, specimens
        As they would be given to `run_batch`.
    pixels : bool, default True
        False looks at the headers of DICOM files only: quick, but damaged and blank pixels are not seen.
    dicom_columns : bool, default False
        Add the UIDs (`mcdetect.schema.DICOM_COLUMNS`).
    told : callable, optional
        Is called with the number of files done and of all.

    Returns
    -------
    FilesInspection
    """
    from mcdetect.readers.inspection import inspect

    found: Discovery = find_inputs(paths)
    studies: dict[str, int] = {}
    rows = [_failed(name, error) for name, error in found.problems]
    for number, item in enumerate(found.inputs, start=1):
        try:
            seen = inspect(
                item.path,
                pixel_spacing_mm,
                force,
                magnification=magnification,
                specimens=specimens,
                pixels=pixels,
                member=item.member,
            )
        except InputFileError as error:
            rows.append(_failed(item.file, error) | {"passed_over": isinstance(error, NotEligibleError)})
        else:
            study = studies.setdefault(seen.study, len(studies) + 1) if seen.study else 0
            rows.append(_row(item.file, study, seen))
        if told is not None:
            told(number, len(found.inputs))
    rows += [{"file": name, "passed_over": True, "reason": why} for name, why in found.passed_over]
    columns = (*INSPECTION, *(c for c in DICOM_COLUMNS if c.name.endswith("_uid") and dicom_columns))
    nothing = {"str": "", "float64": float("nan"), "int64": 0, "bool": False}
    table = make_table(
        columns, {c.name: [row.get(c.name, nothing[c.dtype]) for row in rows] for c in columns}
    )
    return FilesInspection(table, found.duplicates)


def _failed(file: str, error: InputFileError) -> dict[str, Any]:
    return {"file": file, "processed": False, "reason": f"{error.cause}; {error.remedy}"}


def _row(file: str, study: int, seen: Inspection) -> dict[str, Any]:
    facts = seen.facts
    row: dict[str, Any] = {
        **seen.header,
        "file": file,
        "study": study,
        "processed": seen.eligible,
        "passed_over": seen.passed_over,
        "reason": " | ".join(seen.reasons[:1] if seen.passed_over else seen.reasons),
        "laterality": _known(facts.get("laterality", "")),
        "view": _known(facts.get("view", "")),
        "intent": facts.get("intent", ""),
        "format": facts.get("format", ""),
        "modality": facts.get("modality", ""),
        "sop_class": facts.get("SOP class", ""),
        "frames": int(facts.get("frames", 1)),
        "bits": facts.get("bits", ""),
        "photometric": facts.get("photometric interpretation", ""),
        "transfer_syntax": facts.get("transfer syntax", ""),
        "flags": "; ".join(seen.flags),
    }
    if size := _SIZE.match(facts.get("size", "")):
        row |= {"rows": int(size[1]), "cols": int(size[2])}
    if spacing := _SPACING.match(facts.get("pixel spacing", "")):
        row |= {"row_spacing_mm": float(spacing[1]), "col_spacing_mm": float(spacing[2])}
        row["spacing_source"] = spacing[3]
    return row


def _known(text: str) -> str:
    """Return a fact without its source; empty when it is unknown."""
    value = text.partition(" (")[0]
    return "" if value == "unknown" else value


def _joined(table: pd.DataFrame, first: str, second: str) -> list[str]:
    return [f"{a} {b}".strip() or "unknown" for a, b in zip(table[first], table[second], strict=True)]


def _counts(values: Any) -> dict[str, int]:
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))
