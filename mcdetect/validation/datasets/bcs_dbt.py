"""BCS-DBT: tomosynthesis of 5,060 patients, with boxes around biopsied masses and distortions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from mcdetect.errors import InputFileError, UnreadableFileError
from mcdetect.image.volume import Volume
from mcdetect.readers.read import read_volume
from mcdetect.validation.datasets.base import (
    Case,
    Dataset,
    DatasetInfo,
    Finding,
    Kind,
    TruthStatus,
    files_under,
    plain_name,
    walk,
)
from mcdetect.validation.datasets.shapes import Box
from mcdetect.validation.datasets.tables import number, read_table

__all__ = ["BcsDbt", "StackCase"]

_KEY = ("patientid", "studyuid", "view")
_PATHS = ("descriptive path", "classic path")
_BOX = ("slice", "x", "y", "width", "height", "volumeslices")
_GROUPS = ("cancer", "benign", "actionable", "normal")
_SPLITS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}
_YES, _NO = ("true", "yes", "1"), ("false", "no", "0", "")

_TURNED = "slices turned by 180 degrees, as the boxes are: positions are those of the turned slices"

# Standard: the DBTex challenge (Konz et al., JAMA Netw. Open 2023, doi:10.1001/jamanetworkopen.2023.0524).
_SPAN = 0.25
"""Share of all slices that a box spans to either side of its own."""


@dataclass(frozen=True)
class StackCase(Case):
    """A stack of slices of a set, turned as its boxes are."""

    def read(self) -> Volume:  # type: ignore[override]
        """Read the stack.

        The set's view tells on which side the breast belongs. Where it lies at the other border, the slices
        are turned by 180 degrees, as the boxes ask for.

        Raises
        ------
        InputFileError
            If the file cannot be read; the message names it, the cause and the remedy.
        """
        try:
            volume = read_volume(self.path)
            turned = self.laterality is not None and _side(volume) not in ("", self.laterality)
        except InputFileError as error:
            raise self._named(error) from error.__cause__
        flags = volume.flags
        if self.laterality and volume.laterality and self.laterality != volume.laterality:
            flags = (
                *flags,
                f"laterality {self.laterality} of the data set, {volume.laterality} of the header",
            )
        if turned:
            valid = None if volume.valid is None else np.ascontiguousarray(volume.valid[::-1, ::-1])
            volume = replace(volume, read=_Turned(volume), valid=valid)
            flags = (*flags, _TURNED)
        return replace(
            volume,
            view=self.view or volume.view,
            laterality=self.laterality or volume.laterality,
            source=self.name,
            flags=flags,
        )


@dataclass(frozen=True)
class _Turned:
    """Reads frames of a volume turned by 180 degrees."""

    volume: Volume

    def __call__(self, frame: int) -> npt.NDArray[Any]:
        return np.ascontiguousarray(self.volume.read(frame)[::-1, ::-1])


def _side(volume: Volume) -> str:
    """Return the side whose breast lies at the border at which this one lies; empty where both are alike."""
    levels = volume.levels(volume.stored(len(volume) // 2))
    left, right = float(levels[:, 0].mean()), float(levels[:, -1].mean())
    return "" if left == right else "L" if left > right else "R"


class BcsDbt(Dataset):
    """Breast Cancer Screening - Digital Breast Tomosynthesis.

    A case is one view of one study. Boxes were drawn in one slice; they count as spanning a quarter of all
    slices to either side of it, as in the challenge of the set. Side in the header, or the slices as a whole,
    are wrong for some: see `StackCase.read`.

    Parameters
    ----------
    root : path-like
        Folder that holds the set.
    split : {"train", "validation", "test"}, optional
        Take only this part.
    as_groups : bool, optional
        Count the boxes as groups to be found. They surround masses and distortions, most of which hold no
        calcification: what is found of them is no sensitivity.
    """

    info = DatasetInfo(
        name="bcs-dbt",
        title="Breast Cancer Screening - Digital Breast Tomosynthesis",
        home="https://www.cancerimagingarchive.net/collection/breast-cancer-screening-dbt/",
        licence="not commercial, see the page of its owner",
        reference="https://doi.org/10.7937/E4WT-CD02",
        layout="BCS-DBT file-paths, labels and boxes tables (*.csv) and the folders that the paths name",
        truth="boxes around biopsied masses and distortions, in one slice each; no calcification is marked: "
        "the groups flagged in normal views count as false",
        spacing="header",
    )

    def __init__(self, root: str | Path, *, split: str | None = None, as_groups: bool | str = False) -> None:
        super().__init__(root)
        if split not in (None, *_SPLITS.values()):
            raise ValueError(f"split must be 'train', 'validation' or 'test', got {split!r}")
        self._split = split
        self._kind = Kind.GROUP if _truth(as_groups) else Kind.OTHER
        self._tables = self._find("*file-paths*.csv", "*file_paths*.csv", what="the table of file paths")
        self._labels = files_under(self.root, "*labels*.csv")
        self._boxes = files_under(self.root, "*boxes*.csv")

    def _entries(self) -> Iterator[Case | InputFileError]:
        labels = {_key(row): row for path in self._labels for row in read_table(path, (*_KEY, "normal"))}
        boxes: dict[tuple[str, ...], list[dict[str, str]]] = {}
        for path in self._boxes:
            for row in read_table(path, (*_KEY, *_BOX)):
                boxes.setdefault(_key(row), []).append(row)
        bases = self._bases()
        for table in self._tables:
            part = _split_of(table.name)
            if self._split is not None and part != self._split:
                continue
            for row in read_table(table, _KEY):
                try:
                    yield self._case(row, part, labels.get(_key(row), {}), boxes.get(_key(row), []), bases)
                except InputFileError as error:
                    yield error if error.path else error.with_path(table)

    def _bases(self) -> list[Path]:
        """Return the folders that paths of the tables may start from: those with the collection's folder."""
        name = "breast-cancer-screening-dbt"
        found = [folder.parent for folder, _ in walk(self.root) if folder.name.lower() == name]
        return list(dict.fromkeys([self.root, *found, *(table.parent for table in self._tables)]))

    def _case(
        self,
        row: dict[str, str],
        part: str,
        labels: dict[str, str],
        boxes: list[dict[str, str]],
        bases: list[Path],
    ) -> Case:
        patient, study, view = row["patientid"], row["studyuid"], row["view"]
        side, projection = view[:1].upper(), view[1:].upper().rstrip("0123456789")
        group = next((name for name in _GROUPS if _yes(labels.get(name, ""))), "")
        findings = tuple(self._finding(box) for box in boxes)
        status = TruthStatus.LOCATED if findings else TruthStatus.UNKNOWN
        if not findings and group == "normal":
            status = TruthStatus.NEGATIVE
        told = {"group": group, "split": part, "study": study}
        return StackCase(
            dataset=self.info.name,
            name=plain_name(f"{patient}_{study}_{view}"),
            patient=patient,
            path=self._path(row, bases),
            status=status,
            findings=findings,
            view=projection if projection in ("CC", "MLO") else None,
            laterality=side if side in ("L", "R") else None,
            labels={name: value for name, value in told.items() if value},
        )

    def _path(self, row: dict[str, str], bases: list[Path]) -> Path:
        """Return the file of a row; where its folder holds one file of another name, that one."""
        named = [row[name].replace("\\", "/") for name in _PATHS if row.get(name)]
        if any(PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts for name in named):
            raise UnreadableFileError("a path of the table leaves the folder of the set", "correct it")
        places = [base / name for name in named for base in bases]
        found = next((place for place in places if place.is_file()), None)
        if found is not None:
            return found
        for place in places:
            inside = sorted(place.parent.glob("*.dcm")) if place.parent.is_dir() else []
            if len(inside) == 1 and place.parent not in bases:
                return inside[0]
        raise self._missing(f"the view {row['view']} of {row['studyuid']}", places[0] if places else None)

    def _finding(self, row: dict[str, str]) -> Finding:
        middle, left, top, width, height, count = (number(row[name]) for name in _BOX)
        if middle is None or left is None or top is None or width is None or height is None or not count:
            raise UnreadableFileError("a box has no slice, place or size", "obtain the table again")
        if not 0 <= middle < count:
            raise UnreadableFileError(
                f"a box lies in slice {middle:g} of {count:g}", "obtain the table again"
            )
        labels = {"pathology": row.get("class", ""), "slice": f"{middle:g}", "slices": f"{count:g}"}
        if _yes(row.get("ad", "")):
            labels["name"] = "architectural distortion"
        return Finding(
            self._kind,
            Box(top, left, top + height, left + width),
            {name: value for name, value in labels.items() if value},
            slices=(middle - _SPAN * count, middle + _SPAN * count),
        )


def _key(row: dict[str, str]) -> tuple[str, ...]:
    return tuple(row[name].lower() for name in _KEY)


def _yes(cell: str) -> bool:
    value = number(cell)
    return value is not None and value > 0


def _truth(value: bool | str) -> bool:
    word = str(value).strip().lower()
    if word not in (*_YES, *_NO):
        raise ValueError(f"as_groups must be true or false, got {value!r}")
    return word in _YES


def _split_of(name: str) -> str:
    words = name.lower().replace("_", "-").replace(".", "-").replace(" ", "-").split("-")
    return next((_SPLITS[word] for word in words if word in _SPLITS), "")
