"""Any folder of images with a CSV table or a COCO JSON file beside them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mcdetect.errors import InputFileError, UnreadableFileError
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.image.views import parse_view_name
from mcdetect.readers.examination import given_spacing
from mcdetect.validation.datasets.base import (
    Case,
    Dataset,
    DatasetInfo,
    Finding,
    Kind,
    TruthStatus,
    plain_name,
    walk,
)
from mcdetect.validation.datasets.coco import read_coco
from mcdetect.validation.datasets.shapes import Box, Circle, Dot, MaskFile, Shape
from mcdetect.validation.datasets.tables import number, read_table

__all__ = ["Generic"]

_TRUTH_NAMES = ("truth.csv", "truth.xlsx", "annotations.csv", "annotations.json", "truth.json")
_POSITION = frozenset(
    ("row", "col", "x", "y", "radius", "xmin", "ymin", "xmax", "ymax", "width", "height", "mask")
)
_PLAIN = frozenset(("image", "patient", "view", "laterality", "kind", "label", "pixel spacing mm"))
_IMAGE_LABELS = frozenset(("density", "split", "pathology", "birads"))
_LONG = 1000  # Technical: characters of a path; no system takes many more
_GROUP_WORDS = ("cluster", "group", "region")


class Generic(Dataset):
    """Your own images: one row, or one COCO annotation, for every finding.

    Parameters
    ----------
    root : path-like
        Folder that holds the images.
    truth : path-like, optional
        The CSV, .xlsx or COCO JSON file; by default the only one of ``truth.csv``,
        ``annotations.csv``, ``annotations.json``, ... in the root.
    pixel_spacing_mm : float or (float, float), optional
        Pixel spacing of images whose header and row have none, in mm.
    kind : Kind or str, default "calcification"
        What findings without a kind or label are.
    """

    info = DatasetInfo(
        name="generic",
        title="your own images with a CSV table or COCO JSON",
        home="your own",
        licence="your own",
        reference="https://cocodataset.org/#format-data (for JSON)",
        layout="images in any folders and truth.csv (columns: image; row, col or x, y; radius; xmin, ymin, "
        "xmax, ymax; mask; kind; patient, view, laterality, pixel_spacing_mm) or annotations.json (COCO)",
        truth="points, circles, boxes, masks or polygons; an image without any is negative",
        spacing="header, else the table, else the one given",
    )

    def __init__(
        self,
        root: str | Path,
        *,
        truth: str | Path | None = None,
        pixel_spacing_mm: float | tuple[float, float] | None = None,
        kind: Kind | str = Kind.CALCIFICATION,
    ) -> None:
        super().__init__(root)
        self._kind = Kind(kind)
        self._spacing = given_spacing(pixel_spacing_mm)
        if truth is None:
            found = [self.root / name for name in _TRUTH_NAMES if (self.root / name).is_file()]
            if len(found) != 1:
                raise UnreadableFileError(
                    f"it holds {'several truth files' if found else 'no truth file'}",
                    f"name the file, or keep one of {', '.join(_TRUTH_NAMES)} in the folder",
                    self.root,
                )
            self._truth = found[0]
        else:
            self._truth = Path(truth)

    def _entries(self) -> Iterator[Case | InputFileError]:
        find = _ImageFiles(self.root, self._truth.parent)
        if self._truth.suffix.lower() == ".json":
            for name, entry in read_coco(self._truth).items():
                if isinstance(entry, InputFileError):
                    yield entry
                    continue
                row = {"image": name, **entry.facts}
                yield from self._guarded(row, entry.findings(self._kind_of), find)
            return
        by_image: dict[str, list[dict[str, str]]] = {}
        for row in read_table(self._truth, ("image",)):
            by_image.setdefault(row["image"], []).append(row)
        for rows in by_image.values():
            try:
                findings = tuple(found for row in rows if (found := self._finding(row, find)) is not None)
            except InputFileError as error:
                name = plain_name(PurePosixPath(rows[0]["image"]).name)
                yield type(error)(f"{name}: {error.cause}", error.remedy, self._truth)
                continue
            yield from self._guarded(rows[0], findings, find)

    def _guarded(
        self, row: dict[str, str], findings: tuple[Finding, ...], find: _ImageFiles
    ) -> Iterator[Case | InputFileError]:
        try:
            yield self._case(row, findings, find)
        except InputFileError as error:
            yield error if error.path else error.with_path(self._truth)

    def _case(self, row: dict[str, str], findings: tuple[Finding, ...], find: _ImageFiles) -> Case:
        path = find(row["image"], "image")
        side, view = parse_view_name(path.stem)
        value = number(row.get("pixel spacing mm"))
        if row.get("pixel spacing mm") and value is None:
            raise UnreadableFileError(f"the pixel spacing of {path.name} is no number", "correct it")
        spacing = self._spacing
        if value is not None:
            spacing = PixelSpacing(value, value, f"table {self._truth.name}")
        relative = os.path.relpath(path, self.root)
        marked = any(finding.kind is not Kind.OTHER for finding in findings)
        return Case(
            dataset=self.info.name,
            name=plain_name(str(PurePosixPath(*Path(relative).with_suffix("").parts)).replace("/", "_")),
            patient=row.get("patient") or path.stem,
            path=path,
            status=TruthStatus.LOCATED if marked else TruthStatus.NEGATIVE,
            findings=findings,
            view=row.get("view", "").upper() or view,
            laterality=row.get("laterality", "")[:1].upper() or side,
            spacing=spacing,
            labels={label: row[label] for label in sorted(_IMAGE_LABELS) if row.get(label)},
            remarks=() if row.get("patient") else ("no patient named: the image stands for one",),
        )

    def _finding(self, row: dict[str, str], find: _ImageFiles) -> Finding | None:
        shape = _shape(row, find)
        if shape is None:
            return None
        name = row.get("kind") or row.get("label") or ""
        known = _PLAIN | _POSITION
        labels = {column: value for column, value in row.items() if value and column not in known}
        return Finding(self._kind_of(name), shape, labels | ({"name": name} if name else {}))

    def _kind_of(self, name: str) -> Kind:
        """Return what a label means: clusters and calcifications by their names, other words "other"."""
        lower = name.strip().lower()
        if not lower:
            return self._kind
        if lower in {kind.value for kind in Kind}:
            return Kind(lower)
        if "calc" in lower or lower == "mc":
            return Kind.GROUP if any(word in lower for word in _GROUP_WORDS) else Kind.CALCIFICATION
        return Kind.GROUP if lower.startswith("cluster") else Kind.OTHER


def _shape(row: dict[str, str], find: _ImageFiles) -> Shape | None:
    """Return where a row places its finding; None when the row only names an image."""
    if not any(row.get(column) for column in _POSITION):
        return None
    if row.get("mask"):
        return MaskFile((find(row["mask"], "mask"),))

    def need(*columns: str) -> list[float]:
        values = [number(row.get(column)) for column in columns]
        if any(value is None for value in values):
            raise UnreadableFileError(f"a row lacks a number in {', '.join(columns)}", "correct the row")
        return [value for value in values if value is not None]

    if any(row.get(column) for column in ("xmin", "ymin", "xmax", "ymax")):
        return Box(*need("ymin", "xmin", "ymax", "xmax"))
    if row.get("width") or row.get("height"):
        x, y, width, height = need("x", "y", "width", "height")
        return Box(y, x, y + height, x + width)
    row_px, col_px = need("row", "col") if row.get("row") or row.get("col") else need("y", "x")
    return Circle(row_px, col_px, *need("radius")) if row.get("radius") else Dot(row_px, col_px)


class _ImageFiles:
    """Finds files by the names that a table uses: a path, a file name, or a name without suffix."""

    def __init__(self, root: Path, beside: Path) -> None:
        self._root, self._beside = root, beside
        self._by_name: dict[str, list[Path]] | None = None

    def __call__(self, name: str, what: str) -> Path:
        relative = PurePosixPath(name.replace("\\", "/"))
        impossible = relative.is_absolute() or ".." in relative.parts or ":" in name or len(name) > _LONG
        if not name.strip() or impossible or not name.isprintable():
            raise UnreadableFileError(
                f"the {what} of a row is no path under the folder", "give paths relative to the folder"
            )
        for base in (self._root, self._beside):
            with contextlib.suppress(OSError):  # a name that the system refuses is no file
                if (base / relative).is_file():
                    return base / relative
        found = self._index().get(relative.name, [])
        if len(found) == 1:
            return found[0]
        state = "is missing" if not found else "fits several files"
        raise UnreadableFileError(
            f"the {what} {plain_name(relative.name)} {state}", "give its path relative to the folder"
        )

    def _index(self) -> dict[str, list[Path]]:
        if self._by_name is None:
            self._by_name = {}
            for folder, names in walk(self._root):
                for name in names:
                    for key in {name, PurePosixPath(name).stem}:
                        self._by_name.setdefault(key, []).append(folder / name)
        return self._by_name
