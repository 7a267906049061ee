"""Which images belong to one examination, without knowing whose it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BOX_COLUMNS", "CRANIOCAUDAL", "GROUPINGS", "OBLIQUE", "ViewImage", "family", "group_images"]

GROUPINGS = ("auto", "folder")

BOX_COLUMNS = ("min_row_px", "min_col_px", "max_row_px", "max_col_px")
"""Columns of the clusters that tell where a group lies."""

CRANIOCAUDAL = ("CC", "XCCL", "XCCM", "XCC", "FB")
"""Views along the body axis, the usual one first."""

OBLIQUE = ("MLO", "ML", "LM", "LMO", "SIO", "ISO")
"""Oblique and lateral views, the usual one first."""


@dataclass(frozen=True, eq=False)
class ViewImage:
    """What is kept of an image to make examinations of images.

    Parameters
    ----------
    file : str
        Its name in the tables.
    study : str
        Pseudonym of the examination from the header (`mcdetect.image.mammogram.Mammogram.study`); empty when
        unknown. It serves to tell examinations apart; no table, log or picture
        holds it, the store of a run a salted hash of it.
    laterality, view : str
        Empty when unknown.
    special : bool
        A magnification, spot, specimen or other view in which distances do not hold.
    clusters : DataFrame
        Its groups, with the columns of `mcdetect.schema.CLUSTERS` or some of them.
    exposure : int
        Number of the exposure, from `mcdetect.exams.studies.find_exposures`; 0 when copies were not told.
    intent : str
        What its grey levels were made for.
    spacing_mm : (float, float)
        Pixel spacing, (row, column).
    magnified : bool
        A magnification or spot view, whose groups are looked for in the full views of the breast.
    marks : DataFrame, optional
        The calcifications of its groups: cluster_id, row_mm, col_mm and score.
    """

    file: str
    study: str
    laterality: str
    view: str
    special: bool
    clusters: pd.DataFrame
    exposure: int = 0
    intent: str = ""
    spacing_mm: tuple[float, float] = (1.0, 1.0)
    magnified: bool = False
    marks: pd.DataFrame | None = None


def family(view: str) -> tuple[str, ...]:
    """Return the views that show a breast in the same direction; empty when unknown."""
    return next((views for views in (CRANIOCAUDAL, OBLIQUE) if view in views), ())


def group_images(images: Sequence[ViewImage], by: str = "auto") -> list[list[ViewImage]]:
    """Group images into examinations.

    Parameters
    ----------
    images : sequence of ViewImage
    by : {"auto", "folder"}
        "auto": images whose header names the same examination of the same patient belong together. Images
        without that (pictures, stripped headers) belong together when they lie in one folder in which no
        breast is shown twice in the same full view; otherwise each is an examination of its own. Copies of
        one exposure count as one there, and lie with the first of them. "folder": the images of a folder
        belong together, whatever the headers say.

    Returns
    -------
    list of list of ViewImage
        Each sorted by file name, and all by that of their first image, whatever the order of `images`.
    """
    if by not in GROUPINGS:
        raise ValueError(f"by must be one of {', '.join(GROUPINGS)}, got {by!r}")
    groups: dict[tuple[str, str], list[ViewImage]] = {}
    first: dict[int, str] = {}
    for image in sorted(images, key=lambda image: image.file):
        folder = str(PurePosixPath(image.file).parent)
        if by == "auto" and image.exposure and not image.study:
            folder = first.setdefault(image.exposure, folder)
        known = by == "auto" and bool(image.study)
        groups.setdefault(("study", image.study) if known else ("folder", folder), []).append(image)
    found: list[list[ViewImage]] = []
    for (kind, _), members in groups.items():
        exposures = _one_of_each(members)
        sides = [(image.laterality, image.view) for image in exposures if not image.magnified]
        doubtful = len(set(sides)) < len(sides) or any(not (side and view) for side, view in sides)
        doubtful = doubtful or not sides
        if by == "auto" and kind == "folder" and doubtful:
            found += [
                [
                    image
                    for image in members
                    if image is one or (one.exposure and image.exposure == one.exposure)
                ]
                for one in exposures
            ]
        else:
            found.append(members)
    return sorted(found, key=lambda members: members[0].file)


def _one_of_each(images: Sequence[ViewImage]) -> list[ViewImage]:
    """Return the first image of each exposure, and all whose copies were not told."""
    first: dict[int, ViewImage] = {}
    return [
        image for image in images if not image.exposure or first.setdefault(image.exposure, image) is image
    ]


def _is_copy(image: ViewImage, one: ViewImage) -> bool:
    return image is one or (one.exposure > 0 and image.exposure == one.exposure)
