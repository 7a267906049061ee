"""The outline of the breast against air, from the histogram and the stability of the outline."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.breast.grid import disc
from mcdetect.kernels.threads import in_parts

__all__ = ["AirLevel", "find_air", "trace_breast"]

FloatImage = npt.NDArray[np.float32]
BoolImage = npt.NDArray[np.bool_]

# Judged: the shape. Larger lengths smooth away letters and glow, and the nipple and thin breast too.
OPENING_MM = 6.0
"""Whatever is thinner than twice this (strokes of letters, border glow) is no breast."""
REGROWTH_MM = 5.0
"""How far the outline may grow back after the opening, to take in the nipple."""
BORDER_REGROWTH_MM = 2.0
"""The same within `OPENING_MM` of the border, where film glows."""
SMOOTHING_MM = 1.2  # radius of the disc that closes and opens the finished outline
HOLE_SHARE = 0.2
"""Dark patches enclosed by tissue are filled up to this share of the image; a film edge encloses more."""
LOST_SHARE = 0.25
"""An outline that holds less than this share of what it holds with dark patches filled lost the breast."""

# Judged: the glow of film borders. More depth or a higher level takes glow away, and tissue too.
GLOW_MM = 25.0
"""Glow of the film border is looked for down to this depth."""
GLOW_PERCENTILE = 5.0  # of a line parallel to the border: what nearly all of the line exceeds is glow
GLOW_SHARE = 0.15
"""Glow is fainter than this share of the range from air to tissue."""

# Judged: what air is. Wider limits find air on hazy films, and take dark fat for air.
NARROW = 0.3
"""Air spans less than this share of the range from air to tissue."""
VERY_NARROW = 0.08  # so narrow a range is air, however rough it is
SMOOTH = 0.5
"""Gradient in air over gradient in tissue, below which a dark region is air."""
FAINT = 0.02
"""Levels between the first threshold and this one are rare where air is of one grey level."""
FAINT_SHARE = 0.05
"""Rarer than this share of the air."""

# Judged: the thresholds tried. Finer ones cost time, coarser ones miss the level at which the outline rests.
LEVELS = np.geomspace(0.0025, 0.4, 23)
"""Thresholds tried, as shares of the range from air to tissue."""
STABLE_RATIO = np.log(1.6)
"""The outline must depend little on the threshold up to this factor, in natural logarithm."""
GLOWING_FROM = 6
"""Where air is not of one grey level, the thresholds from this index (0.01) on are tried."""


@dataclass(frozen=True)
class AirLevel:
    """Typical grey levels of air and of tissue."""

    air: float
    tissue: float


def find_air(level: FloatImage) -> AirLevel | None:
    """Tell air from tissue by the histogram; None when the image shows tissue only.

    Otsu's threshold splits the grey levels; the dark part is air when its levels lie close
    together compared with the distance to the bright part, and when it is smooth. Otherwise the
    dark part is split again, since air may be a small share of the image.

    Parameters
    ----------
    level : (grid rows, grid cols) float32 array
        Grey levels, any scale.

    Returns
    -------
    AirLevel or None

    References
    ----------
    N. Otsu, IEEE Trans. Syst. Man Cybern. 9 (1979) 62, doi:10.1109/TSMC.1979.4310076.
    """
    low, high = np.percentile(level, [0.05, 99.5])
    if not high > low:
        return None
    slope = _gradient(level)
    values = np.clip(level, low, high)
    part = np.ones(level.shape, np.bool_)
    for _ in range(3):
        threshold = _otsu(values[part])
        dark = part & (values <= threshold)
        bright = values > threshold
        if dark.mean() < 0.01 or not bright.any():
            return None
        first, air, third = np.percentile(values[dark], [25.0, 50.0, 75.0])
        tissue = float(np.median(values[bright]))
        nearest = float(np.median(values[part & bright]))
        width = float(third - first) / (nearest - float(air))
        roughness = float(np.median(slope[dark])) / max(float(np.median(slope[bright])), 1e-12)
        if width < VERY_NARROW or (width < NARROW and roughness < SMOOTH):
            return AirLevel(float(air), tissue)
        part = dark
    return None


def trace_breast(share: FloatImage, step_mm: tuple[float, float]) -> BoolImage:
    """Outline the breast in an image of air and tissue.

    A threshold divides air from breast. Too low, it takes in the glow of the film and scatter; too high, it
    cuts off the border, where the breast gets thin. In both ranges the outline moves with the threshold. So
    the threshold is taken between them, where the outline moves least (as for maximally stable extremal
    regions, doi:10.1016/j.imavis.2004.02.006).

    Parameters
    ----------
    share : (grid rows, grid cols) float32 array
        Grey level as a share of the range from air (0) to tissue (1).
    step_mm : (float, float)
        Size of a cell along rows and columns, in mm.

    Returns
    -------
    (grid rows, grid cols) bool array
        All False when there is nothing but air.
    """
    flat = _is_flat_air(share)
    share = _remove_glow(share, step_mm)
    threshold = _stable_threshold(share, step_mm, LEVELS[::2] if flat else LEVELS[GLOWING_FROM:])
    above, element = (share > threshold).view(np.uint8), disc(OPENING_MM, step_mm)
    body = above if flat else _largest_open(above, element)
    # Dark tissue inside a skin line is tissue, however black the display shows it.
    if flat or np.count_nonzero(body) < LOST_SHARE * share.size:
        filled = _fill_holes(above, HOLE_SHARE)
        if flat or np.count_nonzero(body) < LOST_SHARE * np.count_nonzero(filled):
            whole = _largest_open(filled, element)
            if flat or np.count_nonzero(body) < LOST_SHARE * np.count_nonzero(whole):
                above, body = filled, whole
    if not body.any():
        return body.view(np.bool_)
    body = _regrow(body, above, step_mm)
    body = _largest(_fill_holes(body))
    smooth = disc(SMOOTHING_MM, step_mm)
    edge = smooth.shape[0] + smooth.shape[1]
    padded = cv2.copyMakeBorder(body, edge, edge, edge, edge, cv2.BORDER_REPLICATE)
    padded = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, smooth)
    padded = cv2.morphologyEx(padded, cv2.MORPH_OPEN, smooth)
    rows, cols = share.shape
    return np.ascontiguousarray(padded[edge : edge + rows, edge : edge + cols]).view(np.bool_)


def _is_flat_air(share: FloatImage) -> bool:
    """Whether air has one grey level, as detectors deliver it, without the glow of film and scatter."""
    air = np.count_nonzero(np.abs(share) <= LEVELS[0])
    faint = np.count_nonzero((share > LEVELS[0]) & (share < FAINT))
    return bool(air > 0 and faint < FAINT_SHARE * air)


def _remove_glow(share: FloatImage, step_mm: tuple[float, float]) -> FloatImage:
    """Subtract the glow along each border: light leaks into film cassettes and scanners.

    The glow is what nearly all of a line parallel to the border exceeds; where that is more than
    a faint level, the line is tissue and stays as it is.
    """
    glow = np.zeros_like(share)
    for level, into, step in ((share, glow, step_mm[0]), (share.T, glow.T, step_mm[1])):
        depth = min(round(GLOW_MM / step), level.shape[0] // 4)
        if depth == 0:
            continue
        for near, out in ((level[:depth], into[:depth]), (level[-depth:], into[-depth:])):
            base = np.percentile(near, GLOW_PERCENTILE, axis=1).astype(np.float32)
            base[(base < 0) | (base > GLOW_SHARE)] = 0
            np.maximum(out, base[:, None], out=out)
    return share - glow


def _stable_threshold(
    share: FloatImage, step_mm: tuple[float, float], levels: npt.NDArray[np.float64]
) -> float:
    rows, cols = share.shape
    half = cv2.resize(share, ((cols + 1) // 2, (rows + 1) // 2), interpolation=cv2.INTER_AREA)
    half_step = (step_mm[0] * rows / half.shape[0], step_mm[1] * cols / half.shape[1])
    element = disc(OPENING_MM, half_step)
    areas = np.zeros(levels.size)

    def measure(first: int, last: int) -> None:
        for k in range(first, last):
            areas[k] = _largest_area(_open((half > levels[k]).view(np.uint8), element))

    in_parts(measure, levels.size)
    if not areas.any():
        return float(levels[0])
    reach = round(STABLE_RATIO / np.log(levels[1] / levels[0]))
    log_area = np.log(np.maximum(areas, 1.0))
    drift = log_area[: -2 * reach] - log_area[2 * reach :]
    drift += 0.02 * np.arange(drift.size) / drift.size  # of equal ones, the lowest threshold
    return float(levels[int(np.argmin(drift)) + reach])


def _regrow(
    body: npt.NDArray[np.uint8], above: npt.NDArray[np.uint8], step_mm: tuple[float, float]
) -> npt.NDArray[np.uint8]:
    """Grow within `above`, by less near the border."""
    rounds = 5
    whole = above
    ring = disc(REGROWTH_MM / rounds, step_mm)
    deep_row, deep_col = (round(OPENING_MM / step) for step in step_mm)
    early = round(BORDER_REGROWTH_MM / REGROWTH_MM * rounds)
    for turn in range(rounds):
        if turn == early:
            above = above.copy()
            for strip in (
                np.s_[:deep_row],
                np.s_[-deep_row:],
                np.s_[:, :deep_col],
                np.s_[:, -deep_col:],
            ):
                above[strip] = body[strip]
        body = np.asarray(cv2.dilate(body, ring), np.uint8) & above
    for rows in (np.s_[:deep_row], np.s_[-deep_row:]):
        for cols in (np.s_[:deep_col], np.s_[-deep_col:]):
            # the disc cannot reach into a corner of the frame that is all breast
            if whole[rows, cols].mean() > 0.95 and body[rows, cols].mean() > 0.5:
                body[rows, cols] |= whole[rows, cols]
    return body


def _otsu(values: FloatImage) -> float:
    low, high = float(values.min()), float(values.max())
    if not high > low:
        return low
    counts, edges = np.histogram(values, bins=256, range=(low, high))
    centres = 0.5 * (edges[:-1] + edges[1:])
    weight = np.cumsum(counts)[:-1].astype(np.float64)
    mass = np.cumsum(counts * centres)
    rest = values.size - weight
    with np.errstate(invalid="ignore", divide="ignore"):
        between = weight * rest * (mass[:-1] / weight - (mass[-1] - mass[:-1]) / rest) ** 2
    return float(edges[1 + int(np.nanargmax(between))])


def _gradient(level: FloatImage) -> FloatImage:
    across = cv2.Sobel(level, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(level, cv2.CV_32F, 0, 1)
    return np.asarray(cv2.magnitude(across, down), np.float32)


def _open(mask: npt.NDArray[np.uint8], element: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return what remains of a mask on its own box after opening; beyond the image is nothing."""
    col, row, wide, high = cv2.boundingRect(mask)
    box = np.ascontiguousarray(mask[row : row + high, col : col + wide])
    if box.size == 0:
        return box
    opened = cv2.morphologyEx(box, cv2.MORPH_OPEN, element, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(opened, np.uint8)


def _largest_open(mask: npt.NDArray[np.uint8], element: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the largest part of what remains of a mask after opening."""
    col, row, wide, high = cv2.boundingRect(mask)
    whole = np.zeros_like(mask)
    if wide > 0:
        whole[row : row + high, col : col + wide] = _largest(_open(mask, element))
    return whole


def _largest_area(mask: npt.NDArray[np.uint8]) -> int:
    if mask.size == 0:
        return 0
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    return int(stats[1:, cv2.CC_STAT_AREA].max(initial=0))


def _largest(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    if count <= 1:
        return np.zeros_like(mask)
    biggest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return np.equal(labels, biggest).view(np.uint8)


def _fill_holes(mask: npt.NDArray[np.uint8], largest_share: float = 1.0) -> npt.NDArray[np.uint8]:
    """Fill background that is enclosed, also where the chest-wall border of the image closes it.

    Background that reaches the border counts as enclosed when it does so along one side only and is
    less than half of that side: what the display clips to black beside the chest wall, not air.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats((mask == 0).view(np.uint8), connectivity=4)
    lines = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
    contact = np.stack([np.bincount(line, minlength=count) / line.size for line in lines])
    corner = np.zeros(count, np.bool_)
    corner[labels[[0, 0, -1, -1], [0, -1, 0, -1]]] = True
    outside = ((contact > 0).sum(axis=0) > 1) | (contact.max(axis=0) > 0.5) | corner
    outside |= stats[:, cv2.CC_STAT_AREA] > largest_share * mask.size
    outside[0] = False
    inside: BoolImage = ~outside[labels]
    return inside.view(np.uint8)
