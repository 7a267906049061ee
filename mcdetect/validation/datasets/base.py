"""One interface to every data set: cases, their truth, and how to read them."""

from __future__ import annotations

import logging
import math
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from mcdetect.errors import InputFileError, UnreadableFileError, UnusableImageError
from mcdetect.image.mammogram import Mammogram, PixelSpacing
from mcdetect.readers.read import read_mammogram
from mcdetect.validation.datasets.shapes import ASPECT_TOLERANCE, Shape, aspect_difference

__all__ = ["Case", "Dataset", "DatasetInfo", "Finding", "Kind", "Region", "TruthStatus"]

_log = logging.getLogger(__name__)
_LOGGED = 20  # Technical: problems logged one by one; the rest are counted


class Kind(StrEnum):
    """What a finding marks."""

    CALCIFICATION = "calcification"
    """One calcification."""
    GROUP = "group"
    """A region that holds calcifications, which are not marked one by one."""
    OTHER = "other"
    """Anything else: masses, distortions, unnamed marks."""


class TruthStatus(StrEnum):
    """What the findings of a case mean for an evaluation."""

    LOCATED = "located"
    """Every calcification or group that the set annotates is among the findings."""
    NEGATIVE = "negative"
    """The set says that there is none of what it annotates."""
    UNLOCATED = "unlocated"
    """Calcifications are there, but nobody says where: neither hits nor false marks can be counted."""
    UNKNOWN = "unknown"
    """The set does not say whether there are any."""


@dataclass(frozen=True)
class Finding:
    """One annotation of an image.

    Parameters
    ----------
    kind : Kind
    shape : Dot, Circle, Box, Outline, Runs or MaskFile
        Where it lies, in pixels of the annotated grid. A mask file is opened only when it is drawn.
    labels : dict of str to str
        What the set says about it, by these names where it applies: "pathology", "birads",
        "morphology", "distribution", "subtlety", "name".
    grid : (int, int), optional
        Rows and columns of the image that was annotated, when the set states them.
    slices : (float, float), optional
        First and last frame of the file, from 0, that it spans, when the set states them.
    """

    kind: Kind
    shape: Shape
    labels: dict[str, str] = field(default_factory=dict)
    grid: tuple[int, int] | None = None
    slices: tuple[float, float] | None = None


@dataclass(frozen=True)
class Region:
    """A finding on the pixels of its image.

    Parameters
    ----------
    finding : Finding
    row, col : float
        Centroid, in pixels.
    top, left : int
        Image row and column of ``mask[0, 0]``.
    mask : (rows, cols) bool array
        The finding, cut to its bounding box.
    remarks : tuple of str
        What had to be done to bring it onto the image.
    """

    finding: Finding
    row: float
    col: float
    top: int
    left: int
    mask: npt.NDArray[np.bool_]
    remarks: tuple[str, ...] = ()

    @property
    def area_px(self) -> int:
        """Number of pixels."""
        return int(np.count_nonzero(self.mask))

    @property
    def is_dot(self) -> bool:
        """Whether it is a single pixel; such marks are reported apart."""
        return self.area_px == 1

    def contains(self, row: float, col: float) -> bool:
        """Return whether the pixel nearest to a position belongs to the finding."""
        r, c = math.floor(row + 0.5) - self.top, math.floor(col + 0.5) - self.left
        inside = 0 <= r < self.mask.shape[0] and 0 <= c < self.mask.shape[1]
        return inside and bool(self.mask[r, c])

    def full_mask(self, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """Return the finding as a mask of the whole image."""
        out = np.zeros(shape, dtype=np.bool_)
        rows, cols = self.mask.shape
        out[self.top : self.top + rows, self.left : self.left + cols] = self.mask
        return out


@dataclass(frozen=True)
class Case:
    """One image of a data set with its truth; no pixels are read before they are asked for.

    Parameters
    ----------
    dataset : str
        Name of the set.
    name : str
        Name of the image, unique within the set.
    patient : str
        The set's own pseudonym of the patient; resample and split by it.
    path : Path
        The image file.
    status : TruthStatus
        What the findings mean.
    findings : tuple of Finding
    view : str or None
    laterality : {"L", "R"} or None
    spacing : PixelSpacing or None
        Pixel spacing that the set states, used where the header has none. None when the header
        is relied on.
    labels : dict of str to str
        What the set says about the image: "density", "birads", "pathology", "split", ...
    remarks : tuple of str
        What was assumed or corrected.
    """

    dataset: str
    name: str
    patient: str
    path: Path
    status: TruthStatus
    findings: tuple[Finding, ...] = ()
    view: str | None = None
    laterality: str | None = None
    spacing: PixelSpacing | None = None
    labels: dict[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def read(self) -> Mammogram:
        """Read the image.

        View and laterality are those of the case where it states them; the header fills the rest.

        Raises
        ------
        InputFileError
            If the file cannot be read; the message names it, the cause and the remedy.
        """
        given = None if self.spacing is None else (self.spacing.row_mm, self.spacing.col_mm)
        try:
            image = read_mammogram(self.path, pixel_spacing_mm=given)
        except InputFileError as error:
            raise self._named(error) from error.__cause__
        spacing = image.spacing
        if self.spacing is not None and spacing.source == "given by the user":
            spacing = self.spacing
        flags = image.flags
        if self.laterality and image.laterality and self.laterality != image.laterality:
            flags = (
                *flags,
                f"laterality {self.laterality} of the data set, {image.laterality} of the header",
            )
        return replace(
            image,
            spacing=spacing,
            view=self.view or image.view,
            laterality=self.laterality or image.laterality,
            source=self.name,
            flags=flags,
        )

    def regions(self, shape: tuple[int, int]) -> tuple[Region, ...]:
        """Put the findings on the pixels of the image, in their order; mask files are read now.

        Parameters
        ----------
        shape : (int, int)
            Rows and columns of the image that was read.

        Raises
        ------
        InputFileError
            If a mask cannot be read or belongs to another image. The truth of the case is then
            incomplete, so the whole case should be left out.
        """
        found = []
        for finding in self.findings:
            try:
                found.append(_place(finding, shape))
            except InputFileError as error:
                raise self._named(error) from error.__cause__
        for region in found:
            for remark in region.remarks:
                _log.warning("%s: %s", self.name, remark)
        return tuple(found)

    def _named(self, error: InputFileError) -> InputFileError:
        """Return an error that also names the case, since some sets call every file 1-1.dcm."""
        path = error.path or self.path
        cause = error.cause if self.name in path.stem else f"{error.cause} (image {self.name})"
        return type(error)(cause, error.remedy, path)


def _place(finding: Finding, shape: tuple[int, int]) -> Region:
    drawn: Shape = finding.shape
    remarks: tuple[str, ...] = ()
    if finding.grid is not None and finding.grid != shape:
        rows, cols = finding.grid
        sizes = f"{rows} x {cols} pixels were annotated, the image has {shape[0]} x {shape[1]}"
        if min(rows, cols) < 1 or aspect_difference(finding.grid, shape) > ASPECT_TOLERANCE:
            raise UnusableImageError(sizes, "give the image that was annotated")
        drawn = drawn.scaled(shape[0] / rows, shape[1] / cols)
        remarks = (f"{sizes}: truth scaled",)
    patch = drawn.draw(shape)
    rows_in, cols_in = np.nonzero(patch.mask)
    return Region(
        finding=finding,
        row=patch.top + float(rows_in.mean()),
        col=patch.left + float(cols_in.mean()),
        top=patch.top,
        left=patch.left,
        mask=patch.mask,
        remarks=remarks + patch.remarks,
    )


@dataclass(frozen=True)
class DatasetInfo:
    """What a user must know before downloading a set.

    Parameters
    ----------
    name : str
        Name by which `mcdetect.validation.datasets.open_dataset` knows it.
    title : str
    home : str
        Where its owner publishes it.
    licence : str
    reference : str
        DOI of the paper or the release.
    layout : str
        What must be under the root folder.
    truth : str
        What is annotated, and what is not.
    spacing : str
        Where the pixel spacing comes from.
    """

    name: str
    title: str
    home: str
    licence: str
    reference: str
    layout: str
    truth: str
    spacing: str


class Dataset(ABC):
    """Cases of one data set on disk.

    Iterating yields `Case` objects in a fixed order, one at a time. An entry that cannot become a
    case (missing image, impossible annotation) never stops the iteration: it is logged, kept in
    `problems` and passed over. Errors of the pixels themselves are raised by `Case.read`.

    Parameters
    ----------
    root : path-like
        Folder that holds the set.

    Attributes
    ----------
    info : DatasetInfo
        What the set is.
    problems : list of InputFileError
        Entries passed over by the latest iteration.

    Raises
    ------
    UnreadableFileError
        If the folder, or a table without which nothing can be read, is missing.
    """

    info: ClassVar[DatasetInfo]

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self.problems: list[InputFileError] = []
        if not self.root.is_dir():
            raise UnreadableFileError(
                "there is no such folder", f"give the folder that holds {self.info.title}", self.root
            )

    def __iter__(self) -> Iterator[Case]:
        self.problems = []
        seen: set[str] = set()
        for entry in self._entries():
            if isinstance(entry, Case):
                name = _unique(entry.name, seen)
                yield entry if name == entry.name else replace(entry, name=name)
                continue
            self.problems.append(entry)
            if len(self.problems) <= _LOGGED:
                _log.warning("%s: %s", self.info.name, entry)
        if len(self.problems) > _LOGGED:
            _log.warning("%s: %d entries were passed over", self.info.name, len(self.problems))

    @abstractmethod
    def _entries(self) -> Iterator[Case | InputFileError]:
        """Yield every case, or what prevented it."""

    def _missing(self, what: str, path: Path | None = None) -> UnreadableFileError:
        """Return the error of an incomplete download."""
        return UnreadableFileError(
            f"{what} is missing", f"complete the download; needed: {self.info.layout}", path or self.root
        )

    def _find(self, *patterns: str, what: str) -> list[Path]:
        """Return the files under the root that match a pattern, sorted; raise when there is none."""
        found = [path for pattern in patterns for path in files_under(self.root, pattern)]
        if not found:
            raise self._missing(what)
        return sorted(set(found))


def files_under(root: Path, pattern: str) -> list[Path]:
    """Return the files under a folder whose name matches a glob pattern, without regard to case.

    Symbolic links are followed, each folder once; hidden files and the copies that macOS leaves in
    archives are passed over.
    """
    found = []
    for folder, names in walk(root):
        found += [folder / name for name in names if fnmatchcase(name.lower(), pattern.lower())]
    return sorted(found)


def walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield every folder under `root`, itself included, with the names of its files."""
    seen: set[str] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__MACOSX")
        yield Path(folder), sorted(name for name in names if not name.startswith("."))


def _unique(name: str, seen: set[str]) -> str:
    candidate, number = name, 1
    while candidate in seen:
        number += 1
        candidate = f"{name}_{number}"
    seen.add(candidate)
    return candidate


def plain_name(text: str) -> str:
    """Return a name that is safe in tables and file names."""
    return re.sub(r"[^\w.+-]+", "_", text).strip("._") or "image"
