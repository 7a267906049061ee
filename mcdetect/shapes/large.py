"""Large bodies: calcifications wider than a speck, each outlined whole, so that it carries one mark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.image.mammogram import PixelSpacing
from mcdetect.kernels.threads import in_parts
from mcdetect.shapes.bright import BrightRegion, bright_regions, over_tissue
from mcdetect.shapes.figures import (
    LEAST_SOLIDITY,
    Figure,
    axes_mm,
    ellipse,
    is_solid,
    join,
    paint,
    shared_px,
    smoothed,
)
from mcdetect.shapes.grown import (
    LEAST_MM,
    LEAST_PX,
    MOST_MM,
    SMALL_MM,
    SMALL_SOLIDITY,
    grown_body,
    summit_of,
)
from mcdetect.shapes.loops import find_rings
from mcdetect.shapes.rounds import find_rounds
from mcdetect.shapes.steep import Outlined, outline_region
from mcdetect.shapes.whole import body_kind, is_wire, measure_body

__all__ = ["LEAST_MM", "LargeBody", "find_large_bodies", "one_mark_per_large_body"]

_Floats = npt.NDArray[np.float64]
_Image = npt.NDArray[np.float32]
_Places = npt.NDArray[np.intp]
_Ints = npt.NDArray[np.int64]
_Mask = npt.NDArray[np.bool_]

# Judged: on bodies inserted into real images and on real ones, against what is steep all around in normal
# tissue. Less evidence finds fainter bodies, and takes skin, folds and crossings of ligaments for such.
WIDE_MM = {13.0: 1.0, 3.0: 0.7}
"""Bodies are looked for above what is left of the tissue without all that is narrower, and how much their
evidence counts when two lie on each other. The first is wider than the largest body; above the second, small
bodies and shells on a slope stand by themselves."""
LEAST_EVIDENCE, LIKELY_EVIDENCE, SURE_EVIDENCE = 2.0, 5.0, 6.0
"""Least evidence (`mcdetect.shapes.steep`) of a body with a certain mark, with a likely one, and without."""
UNLIKELY = -3.0
"""Log-odds up to which a mark is no evidence itself; from there to 0 less and less is asked of the border."""
FORKED_SOLIDITY, FORKED_EVIDENCE = 0.78, 10.0
"""The same for one from which strands were cut and which is not more solid: a crossing of ligaments."""
STRONG_EVIDENCE = 7.0
"""The same for one that is bent or forked, or from which strands were cut: these may cross."""
LIGAMENT_ASPECT, LIGAMENT_EVIDENCE = 6.0, 10.0
"""The same for one from which strands were cut, and which is so long over its width: it may be a ligament."""
MOST_ASPECT, LEAST_SEARCHED = 14.0, 0.8
"""Greatest length over width of such a body: ligaments are longer; and least share of what surrounds it that
was searched: beside the film's and the image's border tissue, too, ends sharply."""
SKIRT_MM = 0.2
"""What lies so near to a large body belongs to it: that is blur."""
HALO_MM, HALO_HEIGHT = 1.0, 0.15
"""What lies so near and is no higher than this share of the body belongs to it, too: processing and lossy
coding leave rings beside what is very bright."""
_MOST_PART = 0.5  # of a round body that is more than a piece of it
_SAME = 0.2  # share of the smaller of two bodies that lies on the other, from which both are one

# Technical: SD of the Gaussian ahead of all, in mm.
_SMOOTHING_MM = 0.06


@dataclass(frozen=True)
class LargeBody:
    """One large calcification.

    Parameters
    ----------
    marks : (k,) int64 array
        The marks that lie on it or in its skirt.
    row_px, col_px : float
        Centroid, in pixels.
    measures : dict of str to float
        Of the whole body, by the names of `mcdetect.schema.MEASURES`.
    kind : str
        One of `BODY_KINDS`.
    """

    marks: _Ints
    row_px: float
    col_px: float
    measures: Mapping[str, float]
    kind: str


def find_large_bodies(
    pixels: _Image,
    row_px: _Floats,
    col_px: _Floats,
    strength: _Floats,
    certain: _Mask,
    spacing: PixelSpacing,
    searched: _Mask | None = None,
) -> list[LargeBody]:
    """Outline the large bodies of an image.

    First those whose border is steep all around, whether marks lie on them or not: the filters for specks see
    little of a large body. Then from the summit under each certain mark off these, pixels are taken downhill
    until the growth leaks into the tissue; of the levels between summit and leak that one is the border whose
    mean slope is steepest. Small gaps are closed and holes filled, so that a ring is one body. A body is
    large when it is wide, solid and has a border as sharp as calcium's. Marks on it or in its skirt belong
    to it. More is asked of the border where no mark is certain.

    Parameters
    ----------
    pixels : (rows, cols) float32 array
        Noise-equalised grey levels (noise of unit SD).
    row_px, col_px : (n,) float64 arrays
        Marks, in pixels.
    strength : (n,) float64 array
        Their log-odds. Marks are taken from the strongest to the weakest.
    certain : (n,) bool array
        Marks that were accepted as calcifications.
    spacing : PixelSpacing
        Pixel spacing in mm.
    searched : (rows, cols) bool array, optional
        Where bodies without a certain mark are looked for; everywhere when not given.

    Returns
    -------
    list of LargeBody
        Each mark lies on one at most; a body may be without.
    """
    smooth = smoothed(pixels, _SMOOTHING_MM, spacing)
    figures: list[Figure] = []
    row, col = (np.rint(place).astype(np.intp) for place in (row_px, col_px))
    sure = np.flatnonzero(certain)
    sure = sure[np.argsort(-strength[sure], kind="stable")]
    inside = np.ones(pixels.shape, np.bool_) if searched is None else searched
    likely = _likely_marks(row, col, strength, certain)
    steep, usual = _steep_all_around(pixels, smooth, inside, likely, spacing)
    label = np.zeros(pixels.shape, np.int32)
    for figure in steep:
        _add(figures, figure, label, spacing)
    bare = sure[label[row[sure], col[sure]] == 0]
    for figure in find_rings(smooth, (row_px, col_px), strength, bare, usual, spacing):
        _add(figures, figure, label, spacing)
    tried: set[tuple[int, int]] = set()
    for k in sure:
        summit = summit_of(smooth, int(row[k]), int(col[k]), spacing)
        if label[row[k], col[k]] or summit in tried:
            continue
        tried.add(summit)
        grown = grown_body(smooth, *summit, spacing)
        if grown is not None:
            _add(figures, grown, label, spacing)
    on = label[row, col]
    del label
    halo = np.zeros(pixels.shape, np.int32)  # only what is painted takes memory
    for number, figure in enumerate(figures, start=1):
        paint(halo, figure, number, HALO_MM, spacing)
        faint = smooth[row, col] - figure.surroundings < HALO_HEIGHT * figure.height
        on[(on == 0) & (halo[row, col] == number) & faint] = number
    return [
        _body(np.flatnonzero(on == number), figure, smooth, spacing)
        for number, figure in enumerate(figures, start=1)
    ]


@dataclass(frozen=True)
class _Likely:
    """Marks that are evidence: where they are, in px, and what is then still asked of a border."""

    row: _Places
    col: _Places
    least_evidence: _Floats


def _likely_marks(row: _Places, col: _Places, log_odds: _Floats, certain: _Mask) -> _Likely:
    share = np.clip(log_odds / UNLIKELY, 0.0, 1.0)
    least = LIKELY_EVIDENCE + share * (SURE_EVIDENCE - LIKELY_EVIDENCE)
    least = np.where(certain, LEAST_EVIDENCE, least)
    which = np.flatnonzero(least < SURE_EVIDENCE)
    return _Likely(row[which], col[which], least[which])


def _steep_all_around(
    pixels: _Image,
    smooth: _Image,
    searched: _Mask,
    marks: _Likely,
    spacing: PixelSpacing,
) -> tuple[list[Figure], float]:
    """Return the figures whose border is steep all around, the surest first; and the usual step, per mm."""
    found: list[tuple[float, Outlined]] = []
    usual: list[float] = []
    for wide_mm, weight in WIDE_MM.items():
        tissue = over_tissue(pixels, wide_mm, spacing)
        regions = bright_regions(pixels, tissue, searched, spacing)
        usual += [region.usual for region in regions]
        outlined: list[Outlined | None] = [None] * len(regions)
        floor = 0.0 if weight == 1.0 else LIKELY_EVIDENCE
        look = partial(_look, regions, outlined, (smooth, tissue), marks, floor, spacing)
        in_parts(look, len(regions))
        found += [(weight * one.evidence, one) for one in outlined if one]
    rounds = [
        (one.evidence, one)
        for one in find_rounds(pixels, smooth, searched, spacing)
        if _is_steep_body(one, smooth, marks, spacing)
    ]
    figures: list[Figure] = []
    for figure in _surest_first(found, searched, spacing):
        if not any(_overlap(figure, other) for other in figures):
            figures.append(figure)
    for figure in _surest_first(rounds, searched, spacing):
        on = [other for other in figures if _overlap(figure, other)]
        if any(_MOST_PART * np.count_nonzero(figure.mask) <= np.count_nonzero(other.mask) for other in on):
            continue
        figures = [other for other in figures if not any(other is one for one in on)]
        figures.append(figure)
    return figures, float(np.median(usual)) if usual else 1.0


def _surest_first(
    found: list[tuple[float, Outlined]], searched: _Mask, spacing: PixelSpacing
) -> list[Figure]:
    """Return the figures around which enough was searched, by falling evidence."""
    some = [one for one in found if _share_around(searched, one[1].figure, spacing) >= LEAST_SEARCHED]
    return [one.figure for _, one in sorted(some, key=lambda one: -one[0])]


def _look(
    regions: list[BrightRegion],
    outlined: list[Outlined | None],
    images: tuple[_Image, _Image],
    marks: _Likely,
    floor: float,
    spacing: PixelSpacing,
    first: int,
    last: int,
) -> None:
    """Outline some of the regions, in the smoothed image over its tissue; keep those that are bodies."""
    for k, region in enumerate(regions[first:last], start=first):
        row, col = marks.row, marks.col
        near = (row >= region.top) & (row < region.bottom) & (col >= region.left) & (col < region.right)
        least = max(floor, float(marks.least_evidence[near].min(initial=SURE_EVIDENCE)))
        one = outline_region(*images, region, spacing, least)
        if one is not None and one.evidence >= floor and _is_steep_body(one, images[0], marks, spacing):
            outlined[k] = one


def _overlap(one: Figure, other: Figure) -> bool:
    """Tell whether two figures lie on each other."""
    smaller = min(np.count_nonzero(one.mask), np.count_nonzero(other.mask))
    return bool(shared_px(one, other) > _SAME * smaller)


def _share_around(searched: _Mask, figure: Figure, spacing: PixelSpacing) -> float:
    """Return how much of what surrounds a figure within its skirt was searched, and lies on the image."""
    down, across = (max(1, round(SKIRT_MM / step)) for step in (spacing.row_mm, spacing.col_mm))
    inside = np.pad(figure.mask, ((down, down), (across, across))).view(np.uint8)
    ring = np.asarray(cv2.dilate(inside, ellipse(down, across).view(np.uint8))) > inside
    row, col = np.nonzero(ring)
    row, col = row + figure.top - down, col + figure.left - across
    there = (row >= 0) & (row < searched.shape[0]) & (col >= 0) & (col < searched.shape[1])
    return float(np.count_nonzero(searched[row[there], col[there]])) / row.size


def _is_steep_body(outlined: Outlined, smooth: _Image, marks: _Likely, spacing: PixelSpacing) -> bool:
    """Tell whether what is steep all around is wide, solid and steep enough for a body."""
    figure, solid = outlined.figure, outlined.solidity
    least_mm = max(LEAST_MM, LEAST_PX * max(spacing.row_mm, spacing.col_mm))
    if not least_mm <= outlined.diameter_mm <= MOST_MM:
        return False
    if not is_solid(figure.mask, spacing):
        return outlined.evidence >= STRONG_EVIDENCE and is_wire(figure, smooth, spacing)
    if outlined.diameter_mm < SMALL_MM and solid < SMALL_SOLIDITY:
        return False
    if (solid < LEAST_SOLIDITY or outlined.cut) and outlined.evidence < STRONG_EVIDENCE:
        return False
    if outlined.cut and solid < FORKED_SOLIDITY and outlined.evidence < FORKED_EVIDENCE:
        return False
    long_mm, wide_mm = axes_mm(figure.mask, spacing)
    if outlined.cut and long_mm > LIGAMENT_ASPECT * wide_mm and outlined.evidence < LIGAMENT_EVIDENCE:
        return False  # a piece between two crossings
    if long_mm > MOST_MM or long_mm > MOST_ASPECT * wide_mm:
        return False  # ligaments and folds
    return outlined.evidence >= _least_evidence(figure, marks)


def _least_evidence(figure: Figure, marks: _Likely) -> float:
    """Return how much evidence is asked of a border, by the likeliest mark on the figure."""
    row, col = marks.row - figure.top, marks.col - figure.left
    there = (row >= 0) & (row < figure.mask.shape[0]) & (col >= 0) & (col < figure.mask.shape[1])
    on = np.flatnonzero(there)[figure.mask[row[there], col[there]]]
    return float(marks.least_evidence[on].min(initial=SURE_EVIDENCE))


def _body(marks: _Ints, figure: Figure, smooth: _Image, spacing: PixelSpacing) -> LargeBody:
    row_px, col_px, measures = measure_body(figure, smooth, spacing)
    return LargeBody(marks, row_px, col_px, measures, body_kind(figure, smooth, measures, spacing))


def one_mark_per_large_body(
    bodies: list[LargeBody], strength: _Floats, certain: _Mask
) -> tuple[_Mask, _Ints]:
    """Keep one mark of each body, the strongest of the certain ones, and the certain marks off bodies.

    Parameters
    ----------
    bodies : list of LargeBody
        As `find_large_bodies` returns them.
    strength : (n,) float64 array
        Strength of each mark.
    certain : (n,) bool array
        Marks that were accepted as calcifications.

    Returns
    -------
    keep : (n,) bool array
        The marks to keep.
    body : (n,) int64 array
        Number of the body of each mark, from 0; -1 for none.
    """
    keep = certain.copy()
    body = np.full(strength.size, -1, np.int64)
    for number, found in enumerate(bodies):
        if found.marks.size == 0:
            continue
        body[found.marks] = number
        keep[found.marks] = False
        keep[found.marks[np.lexsort((strength[found.marks], certain[found.marks]))[-1]]] = True
    return keep, body


def _add(figures: list[Figure], figure: Figure, label: npt.NDArray[np.int32], spacing: PixelSpacing) -> None:
    """Add a figure to the list and to the image of their numbers, or join it to the one that it lies on."""
    for number, other in enumerate(figures, start=1):
        if _overlap(figure, other):
            figures[number - 1] = joined = join(figure, other)
            paint(label, joined, number, SKIRT_MM, spacing)
            return
    figures.append(figure)
    paint(label, figure, len(figures), SKIRT_MM, spacing)
