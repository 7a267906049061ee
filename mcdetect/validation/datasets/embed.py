"""EMBED, the Emory breast imaging data set: full-field digital images, boxes of findings, and reports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mcdetect.errors import InputFileError, UnreadableFileError
from mcdetect.validation.datasets.base import (
    Case,
    Dataset,
    DatasetInfo,
    Finding,
    Kind,
    TruthStatus,
    walk,
)
from mcdetect.validation.datasets.shapes import Box
from mcdetect.validation.datasets.tables import number, read_table

__all__ = ["Embed"]

_COLUMNS = ("empi anon", "acc anon", "anon dicom path", "imagelateralityfinal", "viewposition")
_CLINICAL = ("empi anon", "acc anon", "side", "asses")
_BIRADS = {"A": "0", "N": "1", "B": "2", "P": "3", "S": "4", "M": "5", "K": "6"}
_SEVERITY = {"0": "malignant", "1": "malignant", "2": "high risk", "3": "borderline", "4": "benign"}


class Embed(Dataset):
    """The open part of EMBED.

    Boxes are linked to no row of the reports. Those of a breast are of groups of calcifications when every
    finding that its report describes is of calcifications, and otherwise of kind `other`.

    Parameters
    ----------
    root : path-like
        Folder that holds the set.
    synthetic : bool, default False
        Take the synthetic 2D images (C-View), too.
    """

    info = DatasetInfo(
        name="embed",
        title="EMBED (Emory Breast Imaging Dataset), open data",
        home="https://registry.opendata.aws/emory-breast-imaging-dataset-embed/",
        licence="by agreement with Emory University, not for commercial use",
        reference="https://doi.org/10.1148/ryai.220047",
        layout="EMBED_OpenData_metadata.csv and EMBED_OpenData_clinical.csv (or their _reduced "
        "forms), and the images under <cohort>/<patient>/<examination>/",
        truth="boxes that radiologists drew around what they called back, on some images; reports of breasts",
        spacing="header",
    )

    def __init__(self, root: str | Path, *, synthetic: bool | str = False) -> None:
        super().__init__(root)
        self._metadata = self._find("EMBED_OpenData_metadata*.csv", what="EMBED_OpenData_metadata.csv")[0]
        self._clinical = self._find("EMBED_OpenData_clinical*.csv", what="EMBED_OpenData_clinical.csv")[0]
        self._synthetic = str(synthetic).lower() in ("true", "yes", "1")

    def _entries(self) -> Iterator[Case | InputFileError]:
        files = self._files()
        reports: dict[tuple[str, str], list[dict[str, str]]] = {}
        for row in read_table(self._clinical, _CLINICAL):
            for side in {"B": "LR", "": "LR"}.get(row["side"].upper(), row["side"].upper()):
                reports.setdefault((row["acc anon"], side), []).append(row)
        for row in read_table(self._metadata, _COLUMNS):
            kind = row.get("finalimagetype", "2D").lower()
            if kind != "2d" and not (self._synthetic and kind in ("cview", "c-view")):
                continue
            try:
                yield self._case(row, reports, files)
            except InputFileError as error:
                yield error if error.path else error.with_path(self._metadata)

    def _files(self) -> dict[str, list[Path]]:
        """Return the images by their names."""
        found: dict[str, list[Path]] = {}
        for folder, names in walk(self.root):
            for name in names:
                if name.lower().endswith(".dcm"):
                    found.setdefault(name, []).append(folder / name)
        return found

    def _case(
        self,
        row: dict[str, str],
        reports: dict[tuple[str, str], list[dict[str, str]]],
        files: dict[str, list[Path]],
    ) -> Case:
        written = PurePosixPath(row["anon dicom path"].replace("\\", "/"))
        # Paths of the table begin with folders of its makers; what is left of them tells namesakes apart.
        path = max(files.get(written.name, []), key=lambda p: _common(p, written), default=None)
        if path is None:
            raise self._missing(f"the image {'/'.join(written.parts[-3:])}")
        side = row["imagelateralityfinal"][:1].upper()
        rows = reports.get((row["acc anon"], side), [])
        boxes = _boxes(row.get("roi coords", ""), path)
        calcified = [bool(r.get("calcfind") or r.get("calcdistri")) for r in rows]
        masses = [bool(r.get("massshape") or r.get("massmargin")) for r in rows]
        only = any(calcified) and not any(masses)
        kind = Kind.GROUP if only else Kind.OTHER
        described = {
            "morphology": _first(rows, "calcfind"),
            "distribution": _first(rows, "calcdistri"),
            "pathology": _SEVERITY.get(_first(rows, "path severity").partition(".")[0], ""),
        }
        labels = {
            "birads": _BIRADS.get(_first(rows, "asses").upper(), ""),
            "density": _first(rows, "tissueden").partition(".")[0],
            "special view": "yes" if number(row.get("spot mag")) else "",
            **described,
        }
        assessed = {r["asses"].upper() for r in rows}
        if boxes and only:
            status = TruthStatus.LOCATED
        elif any(calcified):
            status = TruthStatus.UNLOCATED
        else:
            status = TruthStatus.NEGATIVE if assessed == {"N"} else TruthStatus.UNKNOWN
        return Case(
            dataset=self.info.name,
            name=f"{row['empi anon']}_{written.stem}",
            patient=row["empi anon"],
            path=path,
            status=status,
            findings=tuple(
                Finding(kind, box, {name: value for name, value in described.items() if value})
                for box in boxes
            ),
            view=row["viewposition"].upper() or None,
            laterality=side or None,
            labels={name: value for name, value in labels.items() if value},
        )


def _common(path: Path, written: PurePosixPath) -> int:
    """Return how many parts two paths share at their ends."""
    pairs = zip(reversed(path.parts), reversed(written.parts), strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(path.parts), len(written.parts)))


def _first(rows: list[dict[str, str]], name: str) -> str:
    return next((row[name] for row in rows if row.get(name)), "")


def _boxes(text: str, path: Path) -> list[Box]:
    """Return the boxes in a cell such as "[[ymin, xmin, ymax, xmax], ...]"."""
    if not text:
        return []
    try:
        listed = ast.literal_eval(text.replace("(", "[").replace(")", "]"))
        return [Box(*(float(side) for side in box)) for box in listed if len(box) == 4]
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise UnreadableFileError(
            "its ROI_coords are no list of boxes", "obtain the table again", path
        ) from error
