"""CMMD, the Chinese Mammography Database, with the outlines that TOMPEI-CMMD adds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
from mcdetect.validation.datasets.shapes import Outline
from mcdetect.validation.datasets.tables import read_rows, read_table, tabulate

__all__ = ["Cmmd"]

_PATIENT = re.compile(r"D[12]-\d{4}")
_ANNOTATION = re.compile(r"(D[12]-\d{4})_([A-Z]+)_([LR])_AnnotationFile", re.IGNORECASE)
_OTHER_SIDE = {"L": "R", "R": "L"}
_MAX_JSON = 50_000_000  # Technical: bytes; larger annotation files are refused unread


@dataclass(frozen=True)
class _Tompei:
    """What TOMPEI-CMMD adds.

    Parameters
    ----------
    outlines : dict
        Annotation file by (patient, view, side).
    classes : dict
        Class of each breast ("Malignant", "Benign", "Normal", "Invisible", "Exclusion") by
        (patient, side).
    reversed_patients : set of str
        Patients whose two sides are swapped in the headers.
    """

    outlines: dict[tuple[str, str, str], Path] = field(default_factory=dict)
    classes: dict[tuple[str, str], str] = field(default_factory=dict)
    reversed_patients: frozenset[str] = frozenset()


class Cmmd(Dataset):
    """The CMMD collection, for presentation, with or without TOMPEI-CMMD.

    Without TOMPEI-CMMD no finding is located. With it, oblique views carry outlines; sides that its
    workbook calls reversed are corrected, and said to be.

    Parameters
    ----------
    root : path-like
        Folder that holds the collection.
    tompei : path-like, optional
        Folder that holds TOMPEI-CMMD; by default it is looked for under the root.
    """

    info = DatasetInfo(
        name="cmmd",
        title="CMMD (Chinese Mammography Database), with TOMPEI-CMMD",
        home="https://www.cancerimagingarchive.net/collection/cmmd/ and "
        "https://www.cancerimagingarchive.net/analysis-result/tompei-cmmd/",
        licence="CC BY 4.0 (CMMD); for TOMPEI-CMMD see its page",
        reference="https://doi.org/10.7937/tcia.eqde-4b16",
        layout="CMMD_clinicaldata_revision.xlsx (or .csv) and the folders D1-0001 ... D2-0749 of DICOM "
        "files; for truth also TOMPEI-CMMD: D1-0001_MLO_R_AnnotationFile.json ... and "
        "TOMPEI-CMMD_clinical_data_*.xlsx",
        truth="CMMD: whether a breast holds calcifications, a mass or both, not where; TOMPEI-CMMD: "
        "outlines of regions in oblique views, and classes of breasts",
        spacing="header, else 0.094 mm",
    )

    def __init__(self, root: str | Path, *, tompei: str | Path | None = None) -> None:
        super().__init__(root)
        found = [p for s in ("xlsx", "csv") for p in files_under(self.root, f"CMMD_clinicaldata*.{s}")]
        if not found:
            raise self._missing("CMMD_clinicaldata_revision.xlsx")
        self._table = found[0]
        self._tompei_root = self.root if tompei is None else Path(tompei)
        if not self._tompei_root.is_dir():
            raise UnreadableFileError(
                "there is no such folder", "give the folder that holds TOMPEI-CMMD", self._tompei_root
            )

    def _entries(self) -> Iterator[Case | InputFileError]:
        clinical = {
            (row["id1"].upper(), row["leftright"][:1].upper()): row
            for row in read_table(self._table, ("id1", "leftright", "abnormality", "classification"))
        }
        tompei, problems = _read_tompei(self._tompei_root)
        yield from problems
        unused = dict(tompei.outlines)
        absent = {patient for patient, _ in [*clinical, *tompei.classes] if _PATIENT.fullmatch(patient)}
        for path in files_under(self.root, "*.dcm"):
            patient = next((part for part in reversed(path.parts) if _PATIENT.fullmatch(part)), None)
            if patient is None:
                yield UnreadableFileError(
                    "it lies in no patient's folder (D1-0001 ...)", "keep the folders of the archive", path
                )
                continue
            absent.discard(patient)
            try:
                yield self._case(path, patient, clinical, tompei, unused)
            except InputFileError as error:
                # The archive calls many files 1-1.dcm, so that the name alone tells nothing.
                yield type(error)(f"{error.cause} (patient {patient})", error.remedy, error.path or path)
        for patient in sorted(absent):
            yield self._missing(f"the folder of patient {patient}", self.root / patient)
        for path in unused.values():
            yield UnreadableFileError("its image is missing", "complete the download of CMMD", path)

    def _case(
        self,
        path: Path,
        patient: str,
        clinical: dict[tuple[str, str], dict[str, str]],
        tompei: _Tompei,
        unused: dict[tuple[str, str, str], Path],
    ) -> Case:
        from mcdetect.readers.dicom.glance import glance  # pydicom is slow to import

        header = glance(path)
        side, view = header.laterality, header.view
        if side is None or view is None:
            raise UnreadableFileError(
                "its header tells no side or view, so that its labels cannot be found", "obtain it again"
            )
        remarks: list[str] = []
        if patient in tompei.reversed_patients:
            side = _OTHER_SIDE[side]
            remarks.append("left and right are reversed in the header (TOMPEI-CMMD): corrected")
        row = clinical.get((patient, side), {})
        columns = {"pathology": "classification", "abnormality": "abnormality", "subtype": "subtype"}
        labels = {label: row[column].lower() for label, column in columns.items() if row.get(column)}
        breast = tompei.classes.get((patient, side), "")
        if breast:
            labels["tompei class"] = breast
        findings: tuple[Finding, ...] = ()
        outlined = unused.pop((patient, view, side), None)
        if outlined is not None:
            findings = read_annotation(outlined, (header.rows, header.cols))
        return Case(
            dataset=self.info.name,
            name=f"{patient}_{side}_{view}",
            patient=patient,
            path=path,
            status=_status(labels.get("abnormality", ""), breast, outlined is not None, findings),
            findings=findings,
            view=view,
            laterality=side,
            spacing=PixelSpacing(0.094, 0.094, "stated by CMMD", Plane.DETECTOR),
            labels=labels,
            remarks=tuple(remarks),
        )


def _status(abnormality: str, breast: str, outlined: bool, findings: tuple[Finding, ...]) -> TruthStatus:
    """Return what is known about calcifications in an image."""
    if any(finding.kind is Kind.GROUP for finding in findings):
        return TruthStatus.LOCATED
    if outlined or breast == "normal":
        return TruthStatus.NEGATIVE
    if abnormality in ("calcification", "both"):
        return TruthStatus.UNLOCATED
    return TruthStatus.UNKNOWN


def _read_tompei(root: Path) -> tuple[_Tompei, list[InputFileError]]:
    problems: list[InputFileError] = []
    outlines: dict[tuple[str, str, str], Path] = {}
    for path in files_under(root, "*_AnnotationFile.json"):
        match = _ANNOTATION.fullmatch(path.stem)
        if match is None:
            problems.append(
                UnreadableFileError("its name tells no patient, view and side", "restore its name", path)
            )
        else:
            outlines[match[1].upper(), match[2].upper(), match[3].upper()] = path
    classes: dict[tuple[str, str], str] = {}
    swapped: set[str] = set()
    for path in files_under(root, "TOMPEI-CMMD_clinical*.xlsx"):
        try:
            sheets = read_rows(path)
        except InputFileError as error:
            problems.append(error)
            continue
        for rows in sheets.values():
            for row in _breasts(rows):
                patient = (row.get("id") or row.get("id1") or "").upper()
                if not _PATIENT.fullmatch(patient):
                    continue  # a second row of column names
                if row.get("classification"):
                    classes[patient, row["leftright"][:1].upper()] = row["classification"].lower()
                if any("revers" in cell.lower() for cell in row.values()):
                    swapped.add(patient)
    return _Tompei(outlines, classes, frozenset(swapped)), problems


def _breasts(rows: list[list[str]]) -> list[dict[str, str]]:
    return tabulate(rows, ("id", "leftright")) or tabulate(rows, ("id1", "leftright")) or []


def read_annotation(path: Path, grid: tuple[int, int] | None) -> tuple[Finding, ...]:
    """Return the outlines in one annotation file of TOMPEI-CMMD.

    Raises
    ------
    UnreadableFileError
        If the file is damaged.
    """
    again = "obtain the file again"
    try:
        if path.stat().st_size > _MAX_JSON:
            raise UnreadableFileError("it is absurdly large for an annotation", again, path)
        lesions = json.loads(path.read_bytes())
        return tuple(_finding(lesion, grid) for lesion in lesions)
    except InputFileError as error:
        raise error.with_path(path) from error
    except (
        ArithmeticError,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
        RecursionError,
        OSError,
    ) as error:
        raise UnreadableFileError(
            f"it is no list of outlines ({type(error).__name__})", again, path
        ) from error


def _finding(lesion: dict[str, Any], grid: tuple[int, int] | None) -> Finding:
    label = str(lesion["label"]).strip()  # some end with a blank
    points = tuple((float(point["y"]), float(point["x"])) for point in lesion["cgPoints"])
    kind = Kind.GROUP if label.lower().startswith("calc") else Kind.OTHER
    return Finding(kind, Outline(points), {"name": label}, grid)
