"""INbreast: 410 full-field digital images with every calcification outlined."""

from __future__ import annotations

import plistlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from mcdetect.errors import InputFileError, UnreadableFileError
from mcdetect.image.mammogram import PixelSpacing, Plane
from mcdetect.validation.datasets.base import (
    Case,
    Dataset,
    DatasetInfo,
    Finding,
    Kind,
    TruthStatus,
    files_under,
)
from mcdetect.validation.datasets.shapes import Dot, Outline
from mcdetect.validation.datasets.tables import read_table

__all__ = ["Inbreast"]

_NAME = re.compile(
    r"(?P<id>\d+)_(?P<patient>[0-9a-z]+)_MG_(?P<side>[LR])_(?P<view>[A-Z]+)_ANON", re.IGNORECASE
)
_NUMBER = re.compile(r"[0-9]{1,20}")
_POINT = re.compile(r"\(\s*([^,()\s]+)\s*,\s*([^,()\s]+)\s*\)")
_AGAIN = "obtain the file again"
_MAX_XML = 50_000_000  # Technical: bytes; larger annotation files are refused unread


class Inbreast(Dataset):
    """The INbreast database.

    Outlines are (x, y) in pixels from the top left corner. A mark of one point becomes a `Dot`; the
    set has many of them, beside outlines that cover a single pixel (`Region.is_dot`). Images without
    an XML file are negative when the table gives BI-RADS 1 or there is no table.
    """

    info = DatasetInfo(
        name="inbreast",
        title="INbreast",
        home="https://medicalresearch.inescporto.pt/breastresearch/index.php/Get_INbreast_Database",
        licence="research only, by agreement with its owner (Centro Hospitalar de S. Joao, Porto)",
        reference="https://doi.org/10.1016/j.acra.2011.09.014",
        layout="<id>_<patient>_MG_<L|R>_<CC|ML>_ANON.dcm (AllDICOMs), <id>.xml (AllXML) and INbreast.csv "
        "(or the .xls saved as .xlsx or CSV; without it labels are missing), anywhere under the root",
        truth="outline or point of every calcification, outlines of clusters and other findings",
        spacing="header, else 0.07 mm",
    )

    def __init__(self, root: str | Path) -> None:
        super().__init__(root)
        self._images = self._find("*_MG_*.dcm", what="the DICOM files")
        self._xml = {path.stem: path for path in self._find("*.xml", what="the XML files (AllXML)")}

    def _entries(self) -> Iterator[Case | InputFileError]:
        table: dict[str, dict[str, str]] = {}
        try:
            table = self._table()
        except InputFileError as error:
            yield error
        found = set()
        for path in self._images:
            match = _NAME.fullmatch(path.stem)
            if match is None:
                yield UnreadableFileError(
                    "its name is not of the kind <id>_<patient>_MG_<L|R>_<view>_ANON.dcm",
                    "restore the name that the set gave it",
                    path,
                )
                continue
            found.add(match["id"])
            try:
                yield self._case(path, match, table.get(match["id"]))
            except InputFileError as error:
                yield error if error.path else error.with_path(path)
        for number in sorted({*self._xml, *table} - found):
            if _NUMBER.fullmatch(number):
                yield self._missing(f"image {number}", self.root / number)

    def _table(self) -> dict[str, dict[str, str]]:
        """Return the rows of the table of labels by image; none when there is no table."""
        files = [
            path
            for suffix in ("csv", "xlsx", "xls")
            for path in files_under(self.root, f"inbreast*.{suffix}")
        ]
        if not files:
            return {}
        rows = read_table(files[0], ["file name", "bi rads"])
        return {re.sub(r"\.0*$", "", row.get("file name", "")): row for row in rows}

    def _case(self, path: Path, match: re.Match[str], row: dict[str, str] | None) -> Case:
        number = match["id"]
        labels: dict[str, str] = {}
        view = match["view"].upper()
        if row is not None:
            for label, column in (("birads", "bi rads"), ("density", "acr")):
                if row.get(column):
                    labels[label] = row[column]
            view = row.get("view") or view
        remarks: list[str] = []
        findings: tuple[Finding, ...] = ()
        xml = self._xml.get(number)
        if xml is not None:
            findings, empty = read_outlines(xml)
            if empty:
                remarks.append(f"{empty} marks without points passed over")
        marked = any(finding.kind is not Kind.OTHER for finding in findings)
        status = TruthStatus.LOCATED if marked else TruthStatus.NEGATIVE
        if xml is None and labels.get("birads", "1") != "1":
            status = TruthStatus.UNKNOWN
            remarks.append(f"BI-RADS {labels['birads']} without annotation")
        return Case(
            dataset=self.info.name,
            name=number,
            patient=match["patient"],
            path=path,
            status=status,
            findings=findings,
            view="MLO" if view == "ML" else view,  # the set has only CC and MLO views, and calls these ML
            laterality=match["side"].upper(),
            spacing=PixelSpacing(0.07, 0.07, "stated by INbreast", Plane.DETECTOR),
            labels=labels,
            remarks=tuple(remarks),
        )


def read_outlines(path: Path) -> tuple[tuple[Finding, ...], int]:
    """Return the marks in an OsiriX property list, and how many had no points.

    Raises
    ------
    UnreadableFileError
        If the file is no such list or a point cannot be read.
    """
    try:
        if path.stat().st_size > _MAX_XML:
            raise UnreadableFileError("it is absurdly large for an annotation", _AGAIN, path)
        content = plistlib.loads(path.read_bytes())
        marks = [mark for image in content["Images"] for mark in image["ROIs"]]
        findings = [_finding(mark) for mark in marks]
    except InputFileError as error:
        raise error.with_path(path) from error
    except (
        plistlib.InvalidFileException,
        ExpatError,
        AttributeError,
        KeyError,
        IndexError,
        TypeError,
        ValueError,
        OverflowError,
        OSError,
    ) as error:
        raise UnreadableFileError(
            f"it is no property list of outlines ({type(error).__name__})", _AGAIN, path
        ) from error
    kept = tuple(finding for finding in findings if finding is not None)
    return kept, len(findings) - len(kept)


def _finding(mark: dict[str, Any]) -> Finding | None:
    points = [_point(text) for text in mark.get("Point_px") or ()]
    if not points:
        return None
    name = str(mark.get("Name", "")).strip()
    lower = name.lower()
    kind = Kind.OTHER
    if lower.startswith("calc"):
        kind = Kind.CALCIFICATION
    elif lower.startswith("cluster"):
        kind = Kind.GROUP
    shape = Dot(*points[0]) if len(points) == 1 else Outline(tuple(points))
    return Finding(kind, shape, {"name": name})


def _point(text: str) -> tuple[float, float]:
    """Return (row, col) of a point written "(x, y)"."""
    match = _POINT.fullmatch(text.strip())
    if match is None:
        raise UnreadableFileError("a point is not written as (x, y)", _AGAIN)
    return float(match[2]), float(match[1])
