"""CBIS-DDSM: digitised films whose groups of calcifications are outlined by masks."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mcdetect.errors import InputFileError, McdetectWarning, MissingSpacingError, UnreadableFileError
from mcdetect.image.mammogram import PixelSpacing, Plane
from mcdetect.validation.datasets.base import Case, Dataset, DatasetInfo, Finding, Kind, TruthStatus, walk
from mcdetect.validation.datasets.shapes import MaskFile
from mcdetect.validation.datasets.tables import number, read_table

__all__ = ["SCANNER_SPACING_MM", "CbisDdsm"]

# Standard: the digitisers of DDSM, as its documentation gives them.
SCANNER_SPACING_MM = {"DBA": 0.042, "HOWTEK": 0.0435, "LUMISYS": 0.05}
"""Pixel spacing of the digitisers of DDSM, in mm."""

_DICOM = (".dcm", ".dicom")
_PICTURES = (".jpg", ".jpeg", ".png")
_DEFAULT_MM = SCANNER_SPACING_MM["HOWTEK"]
_COLUMNS = ("patient id", "left or right breast", "image view", "image file path")
_CASE_FOLDER = re.compile(r"(?:Calc|Mass)-(?:Training|Test)_P_\d+_(?:LEFT|RIGHT)_(?:CC|MLO)(?:_\d+)?")
_LABELS = {
    "pathology": "pathology",
    "birads": "assessment",
    "morphology": "calc type",
    "distribution": "calc distribution",
    "subtlety": "subtlety",
    "name": "abnormality type",
}


class CbisDdsm(Dataset):
    """The calcification part of CBIS-DDSM.

    Every layout of the archive's downloader is understood: folders named by series UID alone, the older
    ``<case>/<study UID>/<series UID>`` and the descriptive ``<case>/<date>/<number>-ROI mask images-...``. So
    are JPEG copies in ``jpeg/<series UID>``, as Kaggle has them; they serve where there is no DICOM file, and
    the case says so. Which of the files of an abnormality is the mask is decided by content when the truth is
    drawn, since masks and crops are swapped in some series.

    Parameters
    ----------
    root : path-like
        Folder that holds the set.
    spacing_table : path-like, optional
        CSV or .xlsx with a column "image" (``Calc-Test_P_00038_LEFT_CC``) or "patient"
        (``P_00038``), and "pixel_spacing_mm" or "scanner" (DBA, Howtek, Lumisys). The films carry no
        pixel spacing; without the table 0.0435 mm (Howtek, the commonest) is assumed with a warning.
    split : {"train", "test"}, optional
        Take only this part.
    """

    info = DatasetInfo(
        name="cbis-ddsm",
        title="CBIS-DDSM (Curated Breast Imaging Subset of DDSM), calcifications",
        home="https://www.cancerimagingarchive.net/collection/cbis-ddsm/",
        licence="CC BY 3.0",
        reference="https://doi.org/10.7937/K9/TCIA.2016.7O02S9CY",
        layout="calc_case_description_train_set.csv and/or calc_case_description_test_set.csv, and the "
        "DICOM folders as the archive's downloader wrote them, anywhere under the root; or Kaggle's copy "
        "with jpeg/<series UID>/*.jpg",
        truth="one mask per abnormality, which outlines a group and not single calcifications",
        spacing="not in the files; a table by scanner, else 0.0435 mm is assumed",
    )

    def __init__(
        self, root: str | Path, *, spacing_table: str | Path | None = None, split: str | None = None
    ) -> None:
        super().__init__(root)
        if split not in (None, "train", "test"):
            raise ValueError(f"split must be 'train' or 'test', got {split!r}")
        pattern = f"calc_case_description_{split or '*'}_set.csv"
        self._tables = self._find(pattern, what=pattern)
        self._spacing = {} if spacing_table is None else _read_spacing(Path(spacing_table))
        if spacing_table is None:
            warnings.warn(
                f"CBIS-DDSM states no pixel spacing: {_DEFAULT_MM} mm (Howtek) is assumed for every film; "
                "give a table of scanners or spacings for exact sizes",
                McdetectWarning,
                stacklevel=2,
            )

    def _entries(self) -> Iterator[Case | InputFileError]:
        files = _Files(self.root)
        for table in self._tables:
            split = "test" if "_test_" in table.name else "train"
            try:
                rows = read_table(table, _COLUMNS)
            except InputFileError as error:
                yield error
                continue
            by_image: dict[str, list[dict[str, str]]] = {}
            for row in rows:
                case = row["image file path"].replace("\\", "/").partition("/")[0]
                by_image.setdefault(case, []).append(row)
            for name, group in by_image.items():
                try:
                    yield self._case(name, group, split, files)
                except InputFileError as error:
                    yield error if error.path else error.with_path(table)

    def _case(self, name: str, rows: list[dict[str, str]], split: str, files: _Files) -> Case:
        if not _CASE_FOLDER.fullmatch(name):
            raise UnreadableFileError("an image file path does not begin with its case", "obtain it again")
        images = files.of(rows[0]["image file path"])
        if not images:
            raise self._missing(f"the image of {name}")
        findings = []
        for row in rows:
            candidates = tuple(
                dict.fromkeys(
                    path
                    for column in ("roi mask file path", "cropped image file path")
                    for path in files.of(row.get(column, ""))
                    if path not in images
                )
            )
            if not candidates:
                raise self._missing(f"the mask of {name}, abnormality {row.get('abnormality id', '?')}")
            labels = {label: row[column] for label, column in _LABELS.items() if row.get(column)}
            findings.append(Finding(Kind.GROUP, MaskFile(candidates), labels))
        first = rows[0]
        spacing, remark = self._spacing_of(name, first["patient id"])
        return Case(
            dataset=self.info.name,
            name=name,
            patient=first["patient id"],
            path=images[0],
            status=TruthStatus.LOCATED,
            findings=tuple(findings),
            view=first["image view"].upper() or None,
            laterality=first["left or right breast"][:1].upper() or None,
            spacing=spacing,
            labels={"density": first.get("breast density", ""), "split": split},
            remarks=tuple(filter(None, (remark, _picture_remark(images[0])))),
        )

    def _spacing_of(self, name: str, patient: str) -> tuple[PixelSpacing, str]:
        for key in (name.lower(), patient.lower()):
            if key in self._spacing:
                value, source = self._spacing[key]
                return PixelSpacing(value, value, source, Plane.FILM), ""
        source = "assumed: Howtek digitiser of DDSM"
        return (
            PixelSpacing(_DEFAULT_MM, _DEFAULT_MM, source, Plane.FILM),
            f"pixel spacing of {_DEFAULT_MM} mm assumed",
        )


def _picture_remark(path: Path) -> str:
    return "" if path.suffix.lower() in _DICOM else "an 8-bit JPEG copy, not the DICOM file"


class _Files:
    """Where the files are, by series and by case, whatever the layout; DICOM before pictures."""

    def __init__(self, root: Path) -> None:
        self._by_folder: dict[str, list[Path]] = {}
        self._by_case: dict[str, list[Path]] = {}
        for folder, names in walk(root):
            files = [folder / name for name in names if name.lower().endswith(_DICOM)]
            files = files or [folder / name for name in names if name.lower().endswith(_PICTURES)]
            if not files:
                continue
            self._by_folder.setdefault(folder.name, []).extend(files)
            case = next((part for part in reversed(folder.parts) if _CASE_FOLDER.fullmatch(part)), None)
            if case is not None:
                self._by_case.setdefault(case, []).extend(files)

    def of(self, cell: str) -> list[Path]:
        """Return the files of the series, or else of the case, that a path of the tables names."""
        parts = PurePosixPath(cell.replace("\\", "/")).parts
        if len(parts) < 2:
            return []
        # A series UID is long and unique; the case folder serves the descriptive layout.
        by_series = self._by_folder.get(parts[-2], []) if "." in parts[-2] else []
        files = by_series or self._by_case.get(parts[0], [])
        return [path for path in files if path.suffix.lower() in _DICOM] or files


def _read_spacing(path: Path) -> dict[str, tuple[float, str]]:
    """Return (pixel spacing in mm, source) by image or patient, in lower case."""
    remedy = "give the columns image or patient, and pixel_spacing_mm or scanner"
    found: dict[str, tuple[float, str]] = {}
    for row in read_table(path, ()):
        key = (row.get("image") or row.get("patient") or "").lower()
        value, source = number(row.get("pixel spacing mm")), "table of pixel spacings"
        scanner = row.get("scanner", "").upper()
        if value is None and scanner:
            value = next((mm for name, mm in SCANNER_SPACING_MM.items() if name in scanner), None)
            source = f"table of scanners: {scanner.title()}"
        if not key or value is None:
            raise UnreadableFileError("a row names no image or patient, or no known spacing", remedy, path)
        try:
            PixelSpacing(value, value, source)
        except MissingSpacingError as error:
            raise error.with_path(path) from None
        found[key] = (value, source)
    if not found:
        raise UnreadableFileError("the table of pixel spacings is empty", remedy, path)
    return found
