"""Letters and digits burnt into an image: flat, thin strokes with edges sharper than any detector's."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph

from mcdetect.breast.bright import BrightParts, BrightPlaces
from mcdetect.breast.grid import disc

__all__ = ["find_letters"]

FloatImage = npt.NDArray[np.float32]
BoolImage = npt.NDArray[np.bool_]
Spacing = tuple[float, float]

# Judged: on letters of two fonts drawn into real mammograms, none of whose calcifications may be taken.
LEVELS, LETTERS = (0.97, 0.8), (2, 3)
"""Letters are this bright, as a share of the range from the breast's median to its brightest pixel; thin
strokes on large pixels are less so. They are told only where so many stand side by side: a bent clip or a
forked rod that saturates looks like one."""
HEIGHT = 0.15  # over what is around, as a share of the same range, at least
SIZE_MM = (1.0, 8.0)  # longer side of a letter
STROKE_MM = (0.1, 1.6)  # greatest width of its strokes
THIN = 0.45  # of the longer side, at most
FILL = 0.75  # of its convex hull, at most: rods fill more, and what does beside a letter belongs to its word
WORD_MM = 3.0  # from a letter to the next of its word
MARGIN_MM = 1.0  # masked about a letter

# Physics: what x-rays draw is blurred by the detector over some 0.2 mm; ink that a computer draws is not.
_SHARP = 0.06
"""Of the height of a letter, what is left two pixels outside its bright part, at most."""

_MOST = 5000  # Technical: bright parts that are looked at, the first; it bounds the time
_MANY = 1000  # Technical: of which it is not told which lie side by side
_RING_PX = (5, 7)  # Technical: from a letter to what is taken as its background


def find_letters(bright: BrightPlaces, spacing_mm: Spacing) -> BoolImage:
    """Find letters and digits that were drawn into the image, not recorded.

    Parameters
    ----------
    bright : BrightPlaces
        What reaches the least of `LEVELS` at least.
    spacing_mm : (float, float)
        Row and column spacing in mm.

    Returns
    -------
    (rows, cols) bool array
        True on them and about them.
    """
    found = np.zeros(bright.pixels.shape, np.bool_)
    for share, least in zip(LEVELS, LETTERS, strict=True):
        letters = _letters(bright, spacing_mm, bright.levels.level(share), least)
        if letters is not None:
            found |= letters
    if found.any():
        near = cv2.dilate(found.view(np.uint8), disc(MARGIN_MM, spacing_mm))
        found = np.asarray(near, np.uint8).view(np.bool_)
    return found


def _letters(bright: BrightPlaces, spacing_mm: Spacing, level: float, least: int) -> BoolImage | None:
    """Find the letters of words of so many at least that reach a level; None where there is none."""
    least_height = HEIGHT * (bright.levels.top - bright.levels.median)
    parts = bright.parts(level)
    longer = _longer_mm(parts, spacing_mm)
    tried = np.flatnonzero((longer >= SIZE_MM[0]) & (longer <= SIZE_MM[1]))[:_MOST]
    places = []
    for part in tried[_among_others(parts, tried, spacing_mm, least)]:
        letter, up, left = parts.mask(int(part)), int(parts.top[part]), int(parts.left[part])
        if _is_letter(bright.pixels, letter, up, left, float(longer[part]), level, least_height, spacing_mm):
            places.append((up, left, letter))
    if not places:
        return None
    found = np.zeros(bright.pixels.shape, np.bool_)
    for up, left, letter in places:
        found[up : up + letter.shape[0], left : left + letter.shape[1]] |= letter
    word = cv2.dilate(found.view(np.uint8), disc(0.5 * WORD_MM, spacing_mm))
    number = np.asarray(cv2.connectedComponents(word)[1])
    of_word = np.array([number[up, left:][np.argmax(letter[0])] for up, left, letter in places])
    found &= (np.bincount(of_word, minlength=int(number.max()) + 1) >= least)[number]
    if not found.any():
        return None
    _add_rest_of_words(found, parts, spacing_mm)
    return found


def _among_others(
    parts: BrightParts, which: npt.NDArray[np.int64], spacing_mm: Spacing, least: int
) -> BoolImage:
    """Tell of which parts the boxes lie among so many that they may be of one word."""
    if which.size < least or which.size > _MANY:
        return np.full(which.size, which.size >= least)
    side_by_side = np.ones((which.size, which.size), np.bool_)
    reach = [n + 1 for n in disc(0.5 * WORD_MM, spacing_mm).shape]
    for first, length, far in ((parts.top, parts.height, reach[0]), (parts.left, parts.width, reach[1])):
        begin, end = first[which], first[which] + length[which]
        side_by_side &= begin[:, None] - end <= far
        side_by_side &= begin - end[:, None] <= far
    _, word = csgraph.connected_components(sparse.csr_array(side_by_side.view(np.uint8)), directed=False)
    enough: BoolImage = np.bincount(word)[word] >= least
    return enough


def _longer_mm(parts: BrightParts, spacing_mm: Spacing) -> npt.NDArray[np.float64]:
    """Return the longer side of each part."""
    longer: npt.NDArray[np.float64] = np.maximum(parts.height * spacing_mm[0], parts.width * spacing_mm[1])
    return longer


def _add_rest_of_words(found: BoolImage, parts: BrightParts, spacing_mm: Spacing) -> None:
    """Add bright parts that stand beside a letter: an I, a dot, pieces of thin strokes."""
    near = cv2.dilate(found.view(np.uint8), disc(WORD_MM, spacing_mm)).view(np.bool_)
    of_pixels = parts.of_pixels()
    close = np.zeros(parts.area.size, np.bool_)
    close[of_pixels[near[parts.row, parts.col]]] = True
    close &= _longer_mm(parts, spacing_mm) <= SIZE_MM[1]
    there = close[of_pixels]
    found[parts.row[there], parts.col[there]] = True


def _is_letter(
    pixels: FloatImage,
    letter: BoolImage,
    up: int,
    left: int,
    longer_mm: float,
    level: float,
    least_height: float,
    spacing_mm: Spacing,
) -> bool:
    inside = np.pad(letter.view(np.uint8), 1)
    pitch = float(np.sqrt(spacing_mm[0] * spacing_mm[1]))
    stroke = 2.0 * pitch * float(cv2.distanceTransform(inside, cv2.DIST_L2, 5).max())
    if not (STROKE_MM[0] <= stroke <= min(STROKE_MM[1], THIN * longer_mm)):
        return False
    if _filled(letter) > FILL:
        return False
    pad = _RING_PX[1]
    top, first = max(0, up - pad), max(0, left - pad)
    window = pixels[top : up + letter.shape[0] + pad, first : left + letter.shape[1] + pad]
    whole = np.zeros(window.shape, np.uint8)
    whole[up - top : up - top + letter.shape[0], left - first : left - first + letter.shape[1]] = letter
    rings = [
        (_grown(whole, far) > 0) & (_grown(whole, far - wide) == 0) & (window < level)
        for far, wide in ((2, 1), (_RING_PX[1], _RING_PX[1] - _RING_PX[0] + 1))
    ]
    if not (rings[0].any() and rings[1].any()):
        return False
    beside, around = float(np.median(window[rings[0]])), float(np.median(window[rings[1]]))
    height = float(window[whole > 0].mean()) - around
    return height >= least_height and beside - around <= _SHARP * height


def _grown(part: npt.NDArray[np.uint8], by_px: int) -> npt.NDArray[np.uint8]:
    square = np.ones((2 * by_px + 1, 2 * by_px + 1), np.uint8)
    return np.asarray(cv2.dilate(part, square), np.uint8)


def _filled(letter: BoolImage) -> float:
    """Share of its convex hull that a part fills."""
    place = np.argwhere(letter)[:, None, ::-1].astype(np.int32)
    hull = cv2.convexHull(place)
    drawn = np.zeros(letter.shape, np.uint8)
    cv2.fillConvexPoly(drawn, hull, 1)
    return float(np.count_nonzero(letter)) / max(int(np.count_nonzero(drawn)), 1)
