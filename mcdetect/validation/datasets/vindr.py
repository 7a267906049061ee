"""VinDr-Mammo: 20,000 full-field digital images with boxes around findings that are not benign."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from mcdetect.errors import InputFileError, UnreadableFileError
from mcdetect.validation.datasets.base import (
    Case,
    Dataset,
    DatasetInfo,
    Finding,
    Kind,
    TruthStatus,
    plain_name,
)
from mcdetect.validation.datasets.shapes import Box
from mcdetect.validation.datasets.tables import number, read_table

__all__ = ["VindrMammo"]

_COLUMNS = ("study id", "image id", "laterality", "view position", "finding categories")
_SIDES = ("ymin", "xmin", "ymax", "xmax")


class VindrMammo(Dataset):
    """The VinDr-Mammo data set.

    The set has no patient identifiers; its studies are of different patients, so that the study
    stands for the patient. Boxes are kept as they are and cut to the image when they are drawn,
    since some begin at negative coordinates.

    Parameters
    ----------
    root : path-like
        Folder that holds the set.
    split : {"training", "test"}, optional
        Take only this part.
    """

    info = DatasetInfo(
        name="vindr-mammo",
        title="VinDr-Mammo",
        home="https://physionet.org/content/vindr-mammo/1.0.0/",
        licence="PhysioNet restricted health data licence: registration and a data use agreement",
        reference="https://doi.org/10.1038/s41597-023-02100-7",
        layout="finding_annotations.csv and images/<study_id>/<image_id>.dicom",
        truth="boxes around suspicious calcifications and other findings of BI-RADS 3 to 5; benign "
        "calcifications are not marked, so they count as false marks",
        spacing="header",
    )

    def __init__(self, root: str | Path, *, split: str | None = None) -> None:
        super().__init__(root)
        if split not in (None, "training", "test"):
            raise ValueError(f"split must be 'training' or 'test', got {split!r}")
        self._split = split
        self._table = self._find("finding_annotations.csv", what="finding_annotations.csv")[0]

    def _entries(self) -> Iterator[Case | InputFileError]:
        by_image: dict[tuple[str, str], list[dict[str, str]]] = {}
        for row in read_table(self._table, [*_COLUMNS, *_SIDES]):
            if self._split is None or row.get("split") == self._split:
                by_image.setdefault((row["study id"], row["image id"]), []).append(row)
        for (study, image), rows in by_image.items():
            try:
                yield self._case(study, image, rows)
            except InputFileError as error:
                yield error if error.path else error.with_path(self._table)

    def _case(self, study: str, image: str, rows: list[dict[str, str]]) -> Case:
        if plain_name(study) != study or plain_name(image) != image:
            raise UnreadableFileError("a study or image identifier is no plain name", "obtain it again")
        folder = self._table.parent / "images" / study
        path = next((p for s in ("dicom", "dcm") if (p := folder / f"{image}.{s}").is_file()), None)
        if path is None:
            raise self._missing(f"images/{study}/{image}.dicom", folder / f"{image}.dicom")
        try:
            findings = tuple(found for row in rows if (found := _finding(row)) is not None)
        except InputFileError as error:
            raise type(error)(f"{error.cause} (image {image})", error.remedy, self._table) from error
        marked = any(finding.kind is Kind.GROUP for finding in findings)
        first = rows[0]
        labels = {
            "birads": first.get("breast birads", "").removeprefix("BI-RADS").strip(),
            "density": first.get("breast density", "").removeprefix("DENSITY").strip(),
            "split": first.get("split", ""),
        }
        return Case(
            dataset=self.info.name,
            name=image,
            patient=study,
            path=path,
            status=TruthStatus.LOCATED if marked else TruthStatus.NEGATIVE,
            findings=findings,
            view=first["view position"] or None,
            laterality=first["laterality"] or None,
            labels={label: value for label, value in labels.items() if value},
        )


def _finding(row: dict[str, str]) -> Finding | None:
    categories = _categories(row["finding categories"])
    if categories == ["No Finding"]:
        return None
    top, left, bottom, right = (number(row[side]) for side in _SIDES)
    if top is None or left is None or bottom is None or right is None:
        raise UnreadableFileError("a finding has no box", "obtain the table again")
    height, width = number(row.get("height")), number(row.get("width"))
    labels = {
        "name": ", ".join(categories),
        "birads": row.get("finding birads", "").removeprefix("BI-RADS").strip(),
    }
    return Finding(
        Kind.GROUP if any("calcification" in name.lower() for name in categories) else Kind.OTHER,
        Box(top, left, bottom, right),
        {label: value for label, value in labels.items() if value},
        (int(height), int(width)) if height and width else None,
    )


def _categories(text: str) -> list[str]:
    """Return the names in a cell such as "['Mass', 'Suspicious Calcification']"."""
    try:
        names = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise UnreadableFileError(
            "a cell of finding_categories is no list of names", "obtain the table again"
        ) from error
    if not isinstance(names, list) or not names:
        raise UnreadableFileError("a cell of finding_categories is empty", "obtain the table again")
    return [str(name) for name in names]
