"""Things on the breast that are none of it: marker balls, burnt-in labels, saturated patches."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.breast.bright import BrightPlaces
from mcdetect.breast.grid import disc

__all__ = ["find_clips", "find_markers", "find_saturated"]

FloatImage = npt.NDArray[np.float32]
Spacing = tuple[float, float]
BoolImage = npt.NDArray[np.bool_]

# Judged: sizes of the markers in use. They trade marks that stay, as false spots, against tissue masked.
MARKER_MM = (0.9, 4.0)
"""Least and greatest diameter of a marker ball."""
MARKER_CONTRAST = 0.6
"""Its contrast, as a share of the range from air to the brightest tissue."""
MARKER_SKIN_MM = 10.0
"""Markers lie on the skin, nearer than this to its outline."""
MARGIN_MM = 1.0  # masked about a marker or a saturated patch
SATURATED_MM = 2.0
"""Saturated patches of at least this width are excluded; small ones may be calcifications."""


# Judged: on real mammograms with clips, rods and coarse calcifications. Rods of calcium reach a fill of 0.75
# where the display saturates, and get narrower towards their top where it does not.
CLIP_MM = (2.5, 0.4, 2.0)
"""Least length, and least and greatest width, of a surgical clip or a piece of wire."""
CLIP_ASPECT = 2.5  # length over width, at least
CLIP_FILL = 0.77  # share of the smallest rectangle around it that it fills
CLIP_LEVELS = (0.75, 0.88)
"""Metal is this bright, as a share of the range from the breast's median to its brightest pixel."""
CLIP_PLATEAU = 0.8  # width at the second level over that at the first: flat on top, steep at its sides
CLIP_MARGIN_MM = 2.0  # masked about a clip: processing leaves a halo


def find_clips(bright: BrightPlaces, spacing_mm: Spacing) -> BoolImage:
    """Find surgical clips and pieces of wire: the brightest there is, straight, and flat on top.

    Parameters
    ----------
    bright : BrightPlaces
        What reaches the first of `CLIP_LEVELS` at least.
    spacing_mm : (float, float)
        Row and column spacing in mm.

    Returns
    -------
    (rows, cols) bool array
        True on them and about them.
    """
    found = np.zeros(bright.pixels.shape, np.bool_)
    low, high = map(bright.levels.level, CLIP_LEVELS)
    parts = bright.parts(low)
    area = parts.area * (spacing_mm[0] * spacing_mm[1])
    least, most = CLIP_MM[0] * CLIP_MM[1] * CLIP_FILL, 4.0 * CLIP_MM[0] * CLIP_MM[2]
    across = np.hypot(parts.height * spacing_mm[0], parts.width * spacing_mm[1])  # none is longer
    for part in np.flatnonzero((area >= least) & (area <= most) & (across >= CLIP_MM[0])):
        whole, up, left = parts.mask(int(part)), int(parts.top[part]), int(parts.left[part])
        box = np.s_[up : up + whole.shape[0], left : left + whole.shape[1]]
        length, width, fill = _rectangle(whole, spacing_mm)
        if length < max(CLIP_MM[0], CLIP_ASPECT * width) or fill < CLIP_FILL:
            continue
        core = whole & (bright.pixels[box] >= np.float32(high))
        if CLIP_MM[1] <= width <= CLIP_MM[2] and _rectangle(core, spacing_mm)[1] >= CLIP_PLATEAU * width:
            found[box] |= whole
    if found.any():
        near = cv2.dilate(found.view(np.uint8), disc(CLIP_MARGIN_MM, spacing_mm))
        found = np.asarray(near, np.uint8).view(np.bool_)
    return found


def _rectangle(part: BoolImage, spacing_mm: Spacing) -> tuple[float, float, float]:
    """Length and width of the smallest rectangle around a part, in mm, and the share of it that it fills."""
    rows = np.flatnonzero(part.any(axis=1))
    if rows.size == 0:
        return 0.0, 0.0, 0.0
    # First and last pixels of rows tell the rectangle; their corners, so that one of pixels fills its own.
    first, last = part[rows].argmax(axis=1), part.shape[1] - 1 - part[rows, ::-1].argmax(axis=1)
    place = np.concatenate([np.column_stack([rows, first]), np.column_stack([rows, last])])
    corners = (place[:, None] + np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]])).reshape(-1, 2)
    _, sides, _ = cv2.minAreaRect((corners * spacing_mm).astype(np.float32))
    area = int(np.count_nonzero(part)) * spacing_mm[0] * spacing_mm[1]
    return max(sides), min(sides), area / max(sides[0] * sides[1], 1e-9)


def find_markers(share: FloatImage, skin_distance_mm: FloatImage, step_mm: tuple[float, float]) -> BoolImage:
    """Find bright round balls near the skin line (nipple and skin markers).

    Parameters
    ----------
    share : (grid rows, grid cols) float32 array
        Grey level as a share of the range from air (0) to tissue (1).
    skin_distance_mm : (grid rows, grid cols) float32 array
        Distance to the skin line in mm.
    step_mm : (float, float)
        Size of a cell along rows and columns, in mm.

    Returns
    -------
    (grid rows, grid cols) bool array
    """
    tophat = cv2.morphologyEx(share, cv2.MORPH_TOPHAT, disc(0.5 * MARKER_MM[1] + 0.4, step_mm))
    inside = skin_distance_mm > 0
    brightest = float(np.percentile(share[inside], 99.5)) if inside.any() else 1.0
    bright = (tophat > MARKER_CONTRAST * brightest).view(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(bright, connectivity=8)
    keep = np.zeros(count, np.bool_)
    for label in range(1, count):
        left, top, width, height, area = stats[label]
        long_mm, short_mm = width * step_mm[1], height * step_mm[0]
        if short_mm > long_mm:
            long_mm, short_mm = short_mm, long_mm
        if not (short_mm >= MARKER_MM[0] and long_mm <= MARKER_MM[1]):
            continue
        if long_mm > 1.7 * short_mm or area < 0.55 * width * height:
            continue
        here = labels[top : top + height, left : left + width] == label
        near = skin_distance_mm[top : top + height, left : left + width][here]
        keep[label] = 0.0 < near.max() <= MARKER_SKIN_MM
    if not keep.any():
        return np.zeros(share.shape, np.bool_)
    found = keep[labels].view(np.uint8)
    return np.asarray(cv2.dilate(found, disc(MARGIN_MM, step_mm)), np.uint8).view(np.bool_)


def find_saturated(
    pixels: FloatImage, level: float, shape: tuple[int, int], step_mm: tuple[float, float]
) -> BoolImage:
    """Find patches where the grey scale saturates, such as labels laid over the breast.

    Parameters
    ----------
    pixels : (rows, cols) float32 array
        Grey levels.
    level : float
        Grey level from which on they are saturated.
    shape : (int, int)
        Size of the coarse grid.
    step_mm : (float, float)
        Size of a cell along rows and columns, in mm.

    Returns
    -------
    (grid rows, grid cols) bool array
    """
    full = np.greater_equal(pixels, np.float32(level)).view(np.uint8) * np.uint8(255)
    share = cv2.resize(full, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    patch = cv2.morphologyEx((share > 127).view(np.uint8), cv2.MORPH_OPEN, disc(0.5 * SATURATED_MM, step_mm))
    return np.asarray(cv2.dilate(patch, disc(MARGIN_MM, step_mm)), np.uint8).view(np.bool_)
