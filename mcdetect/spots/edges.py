"""Long edges of tissue: the pectoral muscle, folds, implants. Marks that are part of one are none."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.kernels.threads import in_parts
from mcdetect.spots.coarse import Coarse

__all__ = ["least_contrast", "lowered_on_edges", "on_edge"]

_Floats = npt.NDArray[np.float64]
_Image = npt.NDArray[np.float32]

# Judged: on real mammograms with every calcification marked, and on insertions into films. Smaller shares
# keep more marks on edges, larger ones give up faint calcifications beside them.
REACH_MM = (2.0, 3.5)
"""How far an edge reaches, and its halo: processing leaves some dark millimetres, in which noise grows."""
SHARE = (0.2, 0.1)
"""What stands out less than this share of the step, within either reach, is part of the edge."""
LEAST_STEP = (30.0, 40.0)
"""Step of such an edge, in SD of the noise: that of the muscle is some 50, of tissue and vessels up to 20."""
MUSCLE_REACH_MM = 2.5
"""So near to the edge of the pectoral muscle, where it is known,"""
MUSCLE_SHARE, MUSCLE_STEP = 0.6, 12.0
"""what stands out less than this share of the step, of this height at least, is part of it: fibres that end
there, and noise in its halo, score like calcifications of such a height."""
MUSCLE_MOST = 35.0
"""But no more than this, in SD of the noise: fibres and noise do not stand out so far, whatever the step."""
ON_EDGE_LOG_ODDS = -6.0
"""Score of a mark on an edge, at most: it vouches for no neighbour, and no neighbours lift it."""

# Judged: a shorter or less smooth edge is the border of a body, or tissue.
ACROSS_MM = 0.8  # SD of the filter across the edge
ALONG_MM = 2.5  # SD along it: a stretch of some 8 mm
FLANK_MM = 4.0  # to either side, where what falls as steeply is a slope of the breast and taken off
SHIFT_MM = 7.0  # from a stretch to the next before and behind, one of which must show the step, too

# Technical: how finely directions are tried.
_DIRECTIONS = 12


def least_contrast(
    coarse: Coarse, row_mm: _Floats, col_mm: _Floats, at_muscle: npt.NDArray[np.bool_] | None = None
) -> _Floats:
    """Return how far a mark must stand out at places, in SD of the noise, to be no part of a long edge.

    An edge is long when two of three stretches in a row, together some 15 mm, show the step to one side.

    Parameters
    ----------
    coarse : Coarse
        The image.
    row_mm, col_mm : (n,) float64 arrays
        Places, in mm from the centre of the image's first pixel.
    at_muscle : (n,) bool array, optional
        Which of them lie within `MUSCLE_REACH_MM` of the edge of the pectoral muscle.

    Returns
    -------
    (n,) float64 array
        A share of the step of the edge; 0 where there is none.
    """
    steps = _long_steps(coarse)
    least = np.zeros(steps.shape, np.float32)
    for reach, share, least_step in zip(REACH_MM, SHARE, LEAST_STEP, strict=True):
        near = _largest_within(steps, reach, coarse.step_mm)
        np.maximum(least, np.where(near >= least_step, np.float32(share) * near, 0.0), out=least)
    cells = coarse.cells(row_mm, col_mm)
    at_places = np.asarray(least[cells], np.float64)
    if at_muscle is not None:
        at_edge = at_muscle & (near[cells] >= MUSCLE_STEP)
        share = np.minimum(MUSCLE_SHARE * near[cells], MUSCLE_MOST)
        at_places = np.where(at_edge, np.maximum(at_places, share), at_places)
    return at_places


def _largest_within(steps: _Image, reach_mm: float, step_mm: tuple[float, float]) -> _Image:
    down, across = (max(0, math.floor(reach_mm / step)) for step in step_mm)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * across + 1, 2 * down + 1))
    return np.asarray(cv2.dilate(steps, disc), np.float32)


def on_edge(contrast: _Floats, least: _Floats) -> npt.NDArray[np.bool_]:
    """Tell which marks are part of an edge; see `lowered_on_edges`."""
    part: npt.NDArray[np.bool_] = (least > 0.0) & (contrast < least)
    return part


def lowered_on_edges(log_odds: _Floats, contrast: _Floats, least: _Floats) -> _Floats:
    """Return individual scores, those of marks that are part of an edge too low to count.

    Parameters
    ----------
    log_odds : (n,) float64 array
        How much each looks like a calcification, 0 at the operating point.
    contrast : (n,) float64 array
        Height of each mark above what is around it, in SD of the noise.
    least : (n,) float64 array
        As `least_contrast` returns it.
    """
    part = on_edge(contrast, least)
    lowered: _Floats = np.where(part, np.minimum(log_odds, ON_EDGE_LOG_ODDS), log_odds)
    return lowered


def _long_steps(coarse: Coarse) -> _Image:
    angles = np.arange(_DIRECTIONS) * math.pi / _DIRECTIONS
    best = np.zeros((_DIRECTIONS, *coarse.values.shape), np.float32)

    def measure(first: int, last: int) -> None:
        for k in range(first, last):
            _measure_steps(coarse, float(angles[k]), best[k])

    in_parts(measure, _DIRECTIONS)
    return np.asarray(best.max(axis=0), np.float32)


def _measure_steps(coarse: Coarse, angle: float, out: _Image) -> None:
    """Write the step of the long edges in a direction, 0 where there is none."""
    weight = _step_filter(angle, coarse.step_mm)
    stretch = np.asarray(
        cv2.filter2D(coarse.values, cv2.CV_32F, weight, borderType=cv2.BORDER_REPLICATE), np.float32
    )
    ahead = SHIFT_MM * math.sin(angle), SHIFT_MM * math.cos(angle)
    before, behind = (_shifted(stretch, ahead, way, coarse.step_mm) for way in (1.0, -1.0))
    low, high = np.minimum(before, behind), np.maximum(before, behind)
    # the second largest of the three
    middle = np.asarray(np.maximum(low, np.minimum(high, stretch)), np.float32)
    aside = FLANK_MM * math.cos(angle), -FLANK_MM * math.sin(angle)
    slope = 0.5 * sum(_shifted(middle, aside, way, coarse.step_mm) for way in (1.0, -1.0))
    alone = np.minimum(np.abs(middle), np.sign(middle) * (middle - slope))
    np.maximum(alone, 0.0, out=out)


def _shifted(image: _Image, by_mm: tuple[float, float], way: float, step_mm: tuple[float, float]) -> _Image:
    """Return an image moved by (row, col) in mm, forth (1) or back (-1)."""
    move = np.array([[1, 0, way * by_mm[1] / step_mm[1]], [0, 1, way * by_mm[0] / step_mm[0]]], np.float32)
    size = (image.shape[1], image.shape[0])
    return np.asarray(cv2.warpAffine(image, move, size, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _step_filter(angle: float, step_mm: tuple[float, float]) -> _Image:
    """Derivative of a long Gaussian; answers to a step of 1 along `angle` (from columns to rows) with 1."""
    reach = [math.ceil(2.2 * ALONG_MM / step) for step in step_mm]
    row, col = np.mgrid[-reach[0] : reach[0] + 1, -reach[1] : reach[1] + 1].astype(np.float64)
    row, col = row * step_mm[0], col * step_mm[1]
    along = col * math.cos(angle) + row * math.sin(angle)
    across = row * math.cos(angle) - col * math.sin(angle)
    weight = across * np.exp(-0.5 * ((along / ALONG_MM) ** 2 + (across / ACROSS_MM) ** 2))
    return np.asarray(weight / (0.5 * np.abs(weight).sum()), np.float32)
