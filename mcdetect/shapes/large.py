"""Large bodies: calcifications wider than a speck, each outlined whole, so that it carries one mark."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.image.mammogram import PixelSpacing
from mcdetect.kernels.growth import border_slopes, grow
from mcdetect.kernels.threads import in_parts
from mcdetect.shapes.bright import bright_regions, over_tissue
from mcdetect.shapes.figures import (
    LEAST_SOLIDITY,
    Figure,
    axes_mm,
    border_step,
    close_gaps,
    ellipse,
    is_solid,
    join,
    on_its_box,
    paint,
    shared_px,
    solidity,
)
from mcdetect.shapes.loops import find_rings
from mcdetect.shapes.steep import Outlined, outline_region
from mcdetect.shapes.whole import body_kind, is_wire, measure_body

__all__ = ["LEAST_MM", "LargeBody", "find_large_bodies", "one_mark_per_large_body"]

_Floats = npt.NDArray[np.float64]
_Image = npt.NDArray[np.float32]
_Places = npt.NDArray[np.intp]
_Ints = npt.NDArray[np.int64]
_Mask = npt.NDArray[np.bool_]

# Judged: on the pieces into which real rings, rods and popcorn fell, against groups of real fine
# calcifications, which must stay apart. Smaller or looser bounds take dense groups for bodies, larger ones
# leave pieces.
LEAST_MM = 0.8
"""Diameter of the disc of equal area from which a body counts as large."""
LEAST_SLOPE = 40.0
"""Least mean slope of its border, in SD of the noise per mm: tissue is less steep."""
LEAST_EDGE = 1.5
"""Least of that slope over the body's height, per mm: calcium has a sharp border at every size."""
LEAST_STEP = 12.0
"""Least by which the median just inside the border exceeds that just outside, in SD of the noise."""
LEAST_SHARE = 0.3
"""Least of that step over the body's height: a haze around a bright speck has a low border."""
BENT_SLOPE, BENT_STEP, MOST_LEFT = 100.0, 20.0, 0.05
"""Least slope and step of one that is bent or forked, and most of what surrounds it that may be as bright:
ends and crossings of vessels and ligaments go on beyond their border."""
LEAST_EVIDENCE, SURE_EVIDENCE = 2.0, 5.0
"""Least evidence (`mcdetect.shapes.steep`) of a body with and without a certain mark."""
UNLIKELY = -3.0
"""Log-odds up to which a mark is no evidence itself; from there to 0 less and less is asked of the border."""
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
SMALL_MM, SMALL_SOLIDITY = 1.2, 0.88
"""Below this diameter a body has at least this solidity: specks that touch are as large."""
_SAME = 0.2  # share of the smaller of two bodies that lies on the other, from which both are one

# Standard: what BI-RADS, 5th edition, calls coarse, rim and rod reaches from 1 mm to over 1 cm.
_MOST_MM = 12.0  # diameter of the largest body
_REACH_MM = 12.0  # from the summit to the border of what is looked at
_LEAST_PX = 6.0  # and of the smallest: on fewer pixels specks that touch look alike
_FIRST_MM = 3.0, 4.0  # the same two for a first look, which is enough where growth leaks by then

# Technical: how finely is looked.
_SMOOTHING_MM = 0.06  # SD of the Gaussian ahead of the growth
_CLIMB_MM = 0.2  # from a mark to the summit it means
_LEAST_FILLED = 0.2  # share of a body that its bright part fills, below which no ring is closed
_RING = 1.25  # area with holes filled over that without, from which it is a ring
_MOST_CLOSED = 1.2  # area with gaps closed over that without
_AS_STEEP = 0.8  # least slope of a border over the steepest: a haze round several specks is flatter
_LEAST_PART = 0.5  # of LEAST_MM: diameter of a part with a steeper border, from which the whole may be larger
_COARSER = 2.5  # area over that with the steepest border, from which that was of a part of the body
_SHARES = (0.6, 0.5, 0.43, 0.36, 0.3, 0.25, 0.2, 0.16, 0.12)  # levels between summit and surroundings


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
    sigma = _SMOOTHING_MM / spacing.col_mm, _SMOOTHING_MM / spacing.row_mm
    smooth = np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma[0], sigmaY=sigma[1]), dtype=np.float32)
    label = np.zeros(pixels.shape, np.int32)
    figures: list[Figure] = []
    row, col = (np.rint(place).astype(np.intp) for place in (row_px, col_px))
    sure = np.flatnonzero(certain)
    sure = sure[np.argsort(-strength[sure], kind="stable")]
    inside = np.ones(pixels.shape, np.bool_) if searched is None else searched
    likely = _likely_marks(row, col, strength, certain)
    steep, usual = _steep_all_around(pixels, smooth, inside, likely, spacing)
    for figure in steep:
        _add(figures, figure, label, spacing)
    bare = sure[label[row[sure], col[sure]] == 0]
    for figure in find_rings(smooth, (row_px, col_px), strength, bare, usual, spacing):
        _add(figures, figure, label, spacing)
    tried: set[tuple[int, int]] = set()
    for k in sure:
        summit = _summit(smooth, int(row[k]), int(col[k]), spacing)
        if label[row[k], col[k]] or summit in tried:
            continue
        tried.add(summit)
        grown = _figure(smooth, *summit, spacing)
        if grown is not None:
            _add(figures, grown, label, spacing)
    on = label[row, col]
    halo = np.zeros(label.shape, np.int32)  # only what is painted takes memory
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
    least = LEAST_EVIDENCE + share * (SURE_EVIDENCE - LEAST_EVIDENCE)
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
    tissue = over_tissue(pixels, spacing)
    regions = bright_regions(pixels, tissue, searched, spacing)
    outlined: list[Outlined | None] = [None] * len(regions)

    def look(first: int, last: int) -> None:
        for k, region in enumerate(regions[first:last], start=first):
            row, col = marks.row, marks.col
            near = (row >= region.top) & (row < region.bottom) & (col >= region.left) & (col < region.right)
            least = float(marks.least_evidence[near].min(initial=SURE_EVIDENCE))
            one = outline_region(smooth, tissue, region, spacing, least)
            if one is not None and _is_steep_body(one, smooth, marks, spacing):
                outlined[k] = one

    in_parts(look, len(regions))
    found = [
        one for one in outlined if one and _share_around(searched, one.figure, spacing) >= LEAST_SEARCHED
    ]
    found.sort(key=lambda one: -one.evidence)
    usual = float(np.median([region.usual for region in regions])) if regions else 1.0
    return [outlined.figure for outlined in found], usual


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
    least_mm = max(LEAST_MM, _LEAST_PX * max(spacing.row_mm, spacing.col_mm))
    if not least_mm <= outlined.diameter_mm <= _MOST_MM:
        return False
    if not is_solid(figure.mask, spacing):
        return outlined.evidence >= STRONG_EVIDENCE and is_wire(figure, smooth, spacing)
    if outlined.diameter_mm < SMALL_MM and solid < SMALL_SOLIDITY:
        return False
    if (solid < LEAST_SOLIDITY or outlined.cut) and outlined.evidence < STRONG_EVIDENCE:
        return False
    long_mm, wide_mm = axes_mm(figure.mask, spacing)
    if outlined.cut and long_mm > LIGAMENT_ASPECT * wide_mm and outlined.evidence < LIGAMENT_EVIDENCE:
        return False  # a piece between two crossings
    if long_mm > _MOST_MM or long_mm > MOST_ASPECT * wide_mm:
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


def _figure(smooth: _Image, row: int, col: int, spacing: PixelSpacing) -> Figure | None:
    """Return the large body under a summit, or None."""
    if not _reaches(smooth, row, col, spacing):
        return None
    pixel_mm2 = spacing.row_mm * spacing.col_mm
    window, top, left, place, level = _grown(smooth, row, col, spacing, *_FIRST_MM)
    around = _background(window)
    if level[-1] > around + _SHARES[-1] * (level[0] - around):
        window, top, left, place, level = _grown(smooth, row, col, spacing, _MOST_MM, _REACH_MM)
    summit = float(np.sort(window.ravel()[place[: max(4, round(0.15 / pixel_mm2))]])[-3:].mean())
    leak = float(level[-1])
    height = summit - leak
    if height <= 0.0:
        return None
    wanted = np.array([leak + share * height for share in _SHARES], np.float32)
    counts = np.unique(np.searchsorted(-level, -wanted, side="right"))
    counts = counts[
        (counts < place.size) & (counts * pixel_mm2 >= _LEAST_FILLED * math.pi / 4.0 * LEAST_MM**2)
    ]
    slopes = border_slopes(window, place, counts.astype(np.int64), spacing.row_mm, spacing.col_mm)
    if counts.size == 0:
        return None
    steepest, least = counts[np.argmax(slopes)], math.pi / 4.0 * (_LEAST_PART * LEAST_MM) ** 2 / pixel_mm2
    for k in np.argsort(-slopes, kind="stable"):
        if slopes[k] < max(LEAST_SLOPE, LEAST_EDGE * height, _AS_STEEP * slopes.max()):
            break
        part, r0, c0 = on_its_box(place[: counts[k]], window.shape[1])
        closed, mask, (down, across) = close_gaps(part, spacing)
        if closed > _MOST_CLOSED * counts[k]:
            continue  # specks side by side, with gaps between them
        area = int(np.count_nonzero(mask))
        ring, coarser = area >= _RING * counts[k], steepest >= least and area >= _COARSER * steepest
        if counts[k] != steepest and not (ring or coarser):
            continue  # another level of the same border, or what lies around a speck
        figure = Figure(mask, top + r0 - down, left + c0 - across, height, leak, float(slopes[k]))
        if _is_body(figure, smooth, spacing):
            return figure
    return None


def _is_body(figure: Figure, smooth: _Image, spacing: PixelSpacing) -> bool:
    """Tell whether a figure is wide and solid enough, and its border that of calcium."""
    pixel_mm2 = spacing.row_mm * spacing.col_mm
    least_mm = max(LEAST_MM, _LEAST_PX * max(spacing.row_mm, spacing.col_mm))
    diameter_mm = math.sqrt(4.0 * float(np.count_nonzero(figure.mask)) * pixel_mm2 / math.pi)
    if diameter_mm < least_mm or not is_solid(figure.mask, spacing):
        return False
    solid = solidity(figure.mask)
    if diameter_mm < SMALL_MM and solid < SMALL_SOLIDITY:
        return False  # specks that touch
    step, left_share = border_step(smooth, figure.mask, figure.top, figure.left, spacing)
    if step < max(LEAST_STEP, LEAST_SHARE * figure.height):
        return False
    return solid >= LEAST_SOLIDITY or (
        left_share <= MOST_LEFT and step >= BENT_STEP and figure.slope >= BENT_SLOPE
    )


def _reaches(smooth: _Image, row: int, col: int, spacing: PixelSpacing) -> bool:
    """Tell quickly whether what a summit belongs to may be large: it is no isolated speck."""
    turn = np.linspace(0.0, 2.0 * math.pi, 16, endpoint=False)
    rings = []
    for reach_mm in (0.45 * LEAST_MM, 1.5 * LEAST_MM):
        at_row = np.clip(np.rint(row + reach_mm / spacing.row_mm * np.sin(turn)), 0, smooth.shape[0] - 1)
        at_col = np.clip(np.rint(col + reach_mm / spacing.col_mm * np.cos(turn)), 0, smooth.shape[1] - 1)
        rings.append(smooth[at_row.astype(np.intp), at_col.astype(np.intp)])
    around = float(np.median(rings[1]))
    return bool(rings[0].max() - around >= _SHARES[-1] * (smooth[row, col] - around))


def _grown(
    smooth: _Image,
    row: int,
    col: int,
    spacing: PixelSpacing,
    most_mm: float,
    reach_mm: float,
) -> tuple[_Image, int, int, _Ints, _Image]:
    """Return a window around a summit, where it begins, and the growth in it."""
    down, across = (round(reach_mm / step) for step in (spacing.row_mm, spacing.col_mm))
    top, left = max(0, row - down), max(0, col - across)
    window = np.ascontiguousarray(smooth[top : row + down + 1, left : col + across + 1])
    most = min(window.size, round(math.pi / 4.0 * most_mm**2 / (spacing.row_mm * spacing.col_mm)))
    place, level = grow(window, (row - top) * window.shape[1] + col - left, most)
    return window, top, left, place, level


def _background(window: _Image) -> float:
    """Return the middle grey level along the border of a window."""
    return float(np.median(np.concatenate([window[0], window[-1], window[:, 0], window[:, -1]])))


def _summit(smooth: _Image, row: int, col: int, spacing: PixelSpacing) -> tuple[int, int]:
    down, across = (max(1, int(_CLIMB_MM / step)) for step in (spacing.row_mm, spacing.col_mm))
    top, left = max(0, row - down), max(0, col - across)
    part = smooth[top : row + down + 1, left : col + across + 1]
    r, c = np.unravel_index(int(np.argmax(part)), part.shape)
    return top + int(r), left + int(c)


def _add(figures: list[Figure], figure: Figure, label: npt.NDArray[np.int32], spacing: PixelSpacing) -> None:
    """Add a figure to the list and to the image of their numbers, or join it to the one that it lies on."""
    for number, other in enumerate(figures, start=1):
        shared = shared_px(figure, other)
        if shared > _SAME * min(np.count_nonzero(figure.mask), np.count_nonzero(other.mask)):
            figures[number - 1] = joined = join(figure, other)
            paint(label, joined, number, SKIRT_MM, spacing)
            return
    figures.append(figure)
    paint(label, figure, len(figures), SKIRT_MM, spacing)
