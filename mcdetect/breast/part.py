"""Parts of the breast: whether their outline is skin or the edge of the field, and where a specimen lies."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["find_specimen", "shows_skin"]

FloatImage = npt.NDArray[np.float32]
BoolImage = npt.NDArray[np.bool_]
Frame = tuple[int, int, int, int]

# Physics: skin is curved; blades of a collimator and the rims of paddles are straight, or round and closed.
RUN_MM = 30.0
"""Length of outline over which it is judged."""
SAGITTA_MM = 0.8
"""An outline that leaves its chord by less over `RUN_MM` is straight; skin, whose radius is below 140 mm,
leaves it by more."""

# Judged: less outline tells nothing; a round field that a paddle leaves may touch the border of the image.
LEAST_MM = 15.0
"""Outline against air shorter than this is not judged, and called none."""
OPEN_MM = 15.0
"""The breast meets the border of the image over more than this, wherever air is truly air."""
STRAIGHT_SHARE = 0.5
"""Share of the outline that may be straight."""


SPECIMEN_LEVEL = 0.15
"""Judged: share of the range from air to tissue from which on a specimen is there; less takes in the dish."""
SPECIMEN_MM2 = 2.0
"""Judged: what is smaller is no piece of tissue."""


def find_specimen(share: FloatImage, step_mm: tuple[float, float]) -> BoolImage:
    """Find the pieces of tissue in the radiograph of a specimen, cores of a few millimetres among them.

    Parameters
    ----------
    share : (rows, cols) float32 array
        Grey level as a share of the range from air (0) to tissue (1).
    step_mm : (float, float)
        Size of a cell along rows and columns, in mm.

    Returns
    -------
    (rows, cols) bool array
        Everywhere True when there is nothing that stands out.
    """
    tissue = (share > SPECIMEN_LEVEL).astype(np.uint8)
    closed = cv2.morphologyEx(tissue, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    _, label, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] * step_mm[0] * step_mm[1] >= SPECIMEN_MM2
    large[0] = False
    found = np.asarray(large[label])
    return found if found.any() else np.ones_like(found)


def shows_skin(mask: BoolImage, frame: Frame, step_mm: tuple[float, float]) -> bool:
    """Tell whether the outline of the breast in a view of a part of it is the skin line.

    Such views are collimated, so that what is dark beside the breast may be air, or field that was not
    exposed. Skin is curved, and a breast always goes on beyond the border of the image. The edge of a field
    is straight, or closed around the breast.

    Parameters
    ----------
    mask : (grid rows, grid cols) bool array
        The breast.
    frame : tuple of int
        First row, end row, first column, end column of the exposed part.
    step_mm : (float, float)
        Size of a cell along rows and columns, in mm.

    Returns
    -------
    bool
        False when in doubt.
    """
    top, bottom, left, right = frame
    inside = np.ascontiguousarray(mask[top:bottom, left:right])
    if not inside.any() or inside.all():
        return False
    rows, cols = inside.shape
    along = step_mm[0] * (inside[:, 0].sum() + inside[:, -1].sum())
    across = step_mm[1] * (inside[0].sum() + inside[-1].sum())
    if along + across < OPEN_MM:
        return False
    found, _ = cv2.findContours(inside.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(found, key=len)[:, 0, ::-1].astype(np.int64)  # (row, col), in order around
    free = np.all((outline > 0) & (outline < np.array([rows - 1, cols - 1])), axis=1)
    places = outline * np.asarray(step_mm)
    length = np.hypot(*(places - np.roll(places, 1, axis=0)).T)
    total = float(length[free].sum())
    if total < LEAST_MM:
        return False
    straight = _straight(places, length, free)
    return float(length[straight].sum()) <= STRAIGHT_SHARE * total


def _straight(
    places: npt.NDArray[np.float64], length: npt.NDArray[np.float64], free: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Tell which points of an outline lie on a straight run of `RUN_MM` (or all there is, if less)."""
    straight = np.zeros(len(places), np.bool_)
    if free.all():
        runs = [np.arange(len(places))]
    else:
        start = int(np.flatnonzero(~free)[0])
        order = np.roll(np.arange(len(places)), -start)
        edges = np.flatnonzero(np.diff(free[order].astype(np.int8)))
        runs = [run for run in np.split(order, edges + 1) if free[run[0]]]
    for run in runs:
        way = np.cumsum(length[run])
        first = 0
        for last in range(1, len(run)):
            while way[last] - way[first + 1] >= RUN_MM:
                first += 1
            if way[last] - way[first] < min(RUN_MM, way[-1] - way[0]):
                continue
            part = run[first : last + 1]
            chord = places[part[-1]] - places[part[0]]
            span = float(np.hypot(*chord))
            if span == 0.0:
                continue
            off = (places[part] - places[part[0]]) @ (np.array([-chord[1], chord[0]]) / span)
            limit = SAGITTA_MM * min(1.0, (span / RUN_MM) ** 2)
            if np.abs(off).max() <= max(limit, 0.3):
                straight[part] = True
    return straight
