"""Composes the breast region: frame, outline, skin distance, marks, scan lines, pectoral muscle."""

from __future__ import annotations

import dataclasses
import logging
import math

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.breast.air import air_unevenness
from mcdetect.breast.bright import bright_places, grey_range
from mcdetect.breast.frame import find_frame
from mcdetect.breast.grid import CoarseImage, coarsen, disc, refine
from mcdetect.breast.implant import MARGIN_MM, find_implant
from mcdetect.breast.landmarks import chest_distance, density_rank, find_nipple
from mcdetect.breast.letters import LEVELS, find_letters
from mcdetect.breast.lines import find_scan_lines
from mcdetect.breast.marks import CLIP_LEVELS, find_clips, find_markers, find_saturated
from mcdetect.breast.outline import find_air, trace_breast
from mcdetect.breast.part import find_specimen, shows_skin
from mcdetect.breast.pectoral import chest_wall_side, find_pectoral
from mcdetect.breast.region import BreastRegion
from mcdetect.breast.several import count_breasts, further_breasts
from mcdetect.config import BreastConfig
from mcdetect.errors import UnusableImageError
from mcdetect.image.mammogram import MIN_SIDE_PX, Mammogram
from mcdetect.image.plausible import check_area

__all__ = ["find_breast"]

FloatImage = npt.NDArray[np.float32]
BoolImage = npt.NDArray[np.bool_]
_Box = tuple[slice, slice]

logger = logging.getLogger(__name__)

# Judged: a smaller CROP_MM cuts tissue off crops as film border, a larger one leaves borders on small films.
CROP_MM = 60.0
"""Images without air and with a side shorter than this are crops: their border is no film border."""
SMALLEST_BREAST_MM2 = 500.0  # what is smaller, and less than 20 % of the image, is no breast
OBJECT_MARGIN_MM, OBJECT_MARGIN_PX = 4.0, 8  # Technical: around what is bright: as far as objects are masked
LINE_MARGIN_MM = 0.2  # not searched on either side of a scan line
NO_SKIN_MM = 200.0
"""Distance to the skin line where the image shows none: farther than any point of a breast lies from it."""


def find_breast(mammogram: Mammogram, config: BreastConfig) -> BreastRegion:
    """Find the breast, the part of it to search, its skin line and its pectoral muscle.

    Nothing is assumed about the side or the corner at which the breast lies; view and laterality
    are used only to decide whether a pectoral muscle can be seen and to warn of contradictions.
    Thresholds come from the image itself, so that gain, offset and number type do not matter.

    Parameters
    ----------
    mammogram : Mammogram
        The image, calcification bright.
    config : BreastConfig
        Grid and strips, in mm.

    Returns
    -------
    BreastRegion
        An image that shows tissue only (a crop) is breast throughout.

    Raises
    ------
    UnusableImageError
        If the image is too small, blank, mere noise, or shows no breast.
    """
    rows, cols = mammogram.shape
    if min(rows, cols) < MIN_SIDE_PX:
        raise UnusableImageError(
            f"the image has only {rows} x {cols} pixels",
            f"give images of at least {MIN_SIDE_PX} pixels a side",
        )
    coarse = coarsen(mammogram, config.grid_mm)
    _refuse_blank(mammogram, coarse)
    values = coarse.values
    if not coarse.exposed.all():
        floor = values[coarse.exposed].min()
        values = np.where(coarse.exposed, values, floor)
    first_guess = find_air(values)
    low, high = (
        (first_guess.air, first_guess.tissue) if first_guess else np.percentile(values, [2.0, 98.0]).tolist()
    )
    scaled = (values - np.float32(low)) / np.float32(max(high - low, 1e-12))
    top, bottom, left, right = find_frame(scaled, coarse.exposed, coarse.step_mm)
    window = np.s_[top:bottom, left:right]
    uncut = (bottom - top, right - left) == values.shape
    air = first_guess if uncut else find_air(np.ascontiguousarray(values[window]))
    shape = (values.shape[0], values.shape[1])
    is_small = min(coarse.step_mm[0] * shape[0], coarse.step_mm[1] * shape[1]) < CROP_MM
    mask: BoolImage = np.zeros(shape, np.bool_)
    share = scaled
    part = mammogram.shows_part
    if air is not None and mammogram.shows_specimen:
        share = (values - np.float32(air.air)) / np.float32(air.tissue - air.air)
        mask[window] = find_specimen(np.ascontiguousarray(share[window]), coarse.step_mm)
    elif air is not None:
        share = (values - np.float32(air.air)) / np.float32(air.tissue - air.air)
        mask[window] = trace_breast(np.ascontiguousarray(share[window]), coarse.step_mm)
        whole_mm2 = mask.size * coarse.cell_mm2
        if mask.sum() * coarse.cell_mm2 < min(SMALLEST_BREAST_MM2, 0.2 * whole_mm2):
            if not is_small:
                raise UnusableImageError(
                    "no breast was found in the image", "check that it is a mammogram and how it was windowed"
                )
            air = None
    breasts = 1
    if air is None:
        mask[window] = True
    elif not is_small and not part:
        breasts = _add_others(mask, share, window, coarse)
    skin_mm = _skin_distance(mask, (top, bottom, left, right), coarse)
    side = chest_wall_side(mask[window]) if air is not None and breasts == 1 and not part else None
    _cross_check(mammogram, side)
    pectoral = np.zeros_like(mask)
    if side is not None:
        inner = np.ascontiguousarray(share[window])
        pectoral[window] = find_pectoral(inner, mask[window], side, mammogram.view, coarse.step_mm)
    searched = mask.copy()
    if air is not None or not is_small:
        searched &= _border_distance((top, bottom, left, right), shape, coarse) > config.border_mm
    if air is not None:
        searched &= skin_mm > config.skin_mm
        searched &= ~find_markers(share, skin_mm, coarse.step_mm)
    implant = np.zeros_like(mask) if part else find_implant(values, mask, coarse.step_mm)
    if implant.any():
        searched &= ~cv2.dilate(implant.view(np.uint8), disc(MARGIN_MM, coarse.step_mm)).view(np.bool_)
    saturated = np.zeros_like(mask)
    if mammogram.saturation_level is not None:
        saturated = find_saturated(mammogram.pixels, mammogram.saturation_level, shape, coarse.step_mm)
        saturated &= searched
        searched &= ~saturated
    frame = (top, bottom, left, right)
    if part and not shows_skin(mask, frame, coarse.step_mm):
        skin_mm = np.where(mask, np.float32(NO_SKIN_MM), np.float32(0.0))
    wall = None if is_small else side
    tip = find_nipple(mask, frame, wall, coarse.step_mm)
    full_mask = refine(mask, (rows, cols))
    full_searched = refine(searched, (rows, cols))
    left_px, top_px, wide_px, high_px = cv2.boundingRect(full_mask.view(np.uint8))
    box = np.s_[top_px : top_px + high_px, left_px : left_px + wide_px]
    _remove_scan_lines(full_searched, full_mask, box, mammogram)
    hidden = refine(saturated, (rows, cols)) if saturated.any() else None
    hidden = _remove_objects(full_searched, hidden, full_mask, box, mammogram)
    if mammogram.valid is not None:
        full_searched &= mammogram.valid
        if hidden is not None:
            hidden &= mammogram.valid
    known_air = coarse.exposed if air is not None else np.zeros_like(mask)
    uneven = air_unevenness(share, mask, known_air, coarse.step_mm)
    return BreastRegion(
        mask=full_mask,
        searched=full_searched,
        hidden=hidden if hidden is not None and hidden.any() else None,
        pectoral=refine(pectoral, (rows, cols)),
        skin_distance_mm=skin_mm,
        grid_step_px=coarse.step_px,
        nipple_px=None if tip is None else coarse.to_pixels(*tip),
        chest_distance_mm=chest_distance(mask, pectoral, frame, wall, coarse.step_mm),
        density_rank=density_rank(values, mask, pectoral, skin_mm, coarse.step_mm),
        is_part=part,
        has_skin=bool((skin_mm < NO_SKIN_MM)[mask].any()),
        air_unevenness=uneven,
        n_breasts=breasts,
        implant_mm2=float(np.count_nonzero(implant)) * coarse.cell_mm2,
    )


def _add_others(mask: BoolImage, share: FloatImage, window: tuple[slice, slice], coarse: CoarseImage) -> int:
    """Add further breasts to the mask; return how many there are, and refuse more than could be."""
    first, part = mask[window].copy(), np.ascontiguousarray(share[window])
    all_of_them = [first, *further_breasts(part, first, coarse.step_mm)]
    for other in all_of_them[1:]:
        mask[window] |= other
    count = 0
    for one in all_of_them:
        here = count_breasts(one, coarse.step_mm)
        check_area(np.count_nonzero(one) * coarse.cell_mm2 / 100.0, 0, whole=False, breasts=here)
        count += here
    return count


def _remove_objects(
    searched: BoolImage, hidden: BoolImage | None, mask: BoolImage, breast: _Box, mammogram: Mammogram
) -> BoolImage | None:
    """Take clips and burnt-in words off what is searched, both are bright; return what is hidden, with
    what clips hide.
    """
    spacing_mm = mammogram.spacing.row_mm, mammogram.spacing.col_mm
    pixels, mask = mammogram.pixels[breast], mask[breast]
    levels = grey_range(pixels, mask)
    if levels is None:
        return hidden
    bright = bright_places(pixels, mask, levels, min(*CLIP_LEVELS, *LEVELS))
    down, across = (max(math.ceil(OBJECT_MARGIN_MM / step), OBJECT_MARGIN_PX) for step in spacing_mm)
    first = breast[0].start, breast[1].start
    whole = dataclasses.replace(
        bright, pixels=mammogram.pixels, row=bright.row + first[0], col=bright.col + first[1]
    )
    box = whole.box((down, across))
    bright = whole.within(box)
    clips, letters = find_clips(bright, spacing_mm), find_letters(bright, spacing_mm)
    if clips.any():
        hidden = np.zeros_like(searched) if hidden is None else hidden
        hidden[box] |= clips & searched[box]
        searched[box] &= ~clips
    if letters.any():
        searched[box] &= ~letters
        if hidden is not None:
            hidden[box] &= ~letters
    return hidden


def _refuse_blank(mammogram: Mammogram, coarse: CoarseImage) -> None:
    known = coarse.values[coarse.exposed]
    if known.size == 0:
        raise UnusableImageError("every pixel is padding", "check the pixel padding value of the file")
    if not known.max() > known.min():
        raise UnusableImageError("the image is blank", "check that the file holds an exposed image")
    # white noise: neighbouring cells do not resemble each other
    values = coarse.values - np.float32(known.mean())
    pairs = ((values[:, 1:], values[:, :-1]), (values[1:], values[:-1]))
    power = float(np.mean(np.square(values)))
    likeness = [float(np.mean(a * b)) / power for a, b in pairs if a.size]
    if known.size >= 100 and likeness and max(likeness) < 0.2:
        raise UnusableImageError("the image holds nothing but noise", "check that it is an exposed image")


def _skin_distance(mask: BoolImage, frame: tuple[int, int, int, int], coarse: CoarseImage) -> FloatImage:
    """Distance to air in mm; whatever lies outside the frame is no air (`NO_SKIN_MM` without air)."""
    top, bottom, left, right = frame
    not_air = np.ones(mask.shape, np.uint8)
    not_air[top:bottom, left:right] = mask[top:bottom, left:right]
    if not_air.all():
        return np.where(mask, np.float32(NO_SKIN_MM), np.float32(0.0))
    cells = cv2.distanceTransform(not_air, cv2.DIST_L2, cv2.DIST_MASK_5)
    # the outline runs half a cell before the first cell of air
    distance = np.maximum((cells - np.float32(0.5)) * np.float32(coarse.cell_mm), np.float32(0.0))
    return np.where(mask, distance, np.float32(0.0)).astype(np.float32, copy=False)


def _border_distance(
    frame: tuple[int, int, int, int], shape: tuple[int, int], coarse: CoarseImage
) -> FloatImage:
    """Distance of cell centres to the border of the frame in mm, negative outside."""
    top, bottom, left, right = frame
    row = np.arange(shape[0], dtype=np.float32) + np.float32(0.5)
    col = np.arange(shape[1], dtype=np.float32) + np.float32(0.5)
    down = np.minimum(row - top, bottom - row) * np.float32(coarse.step_mm[0])
    across = np.minimum(col - left, right - col) * np.float32(coarse.step_mm[1])
    return np.asarray(np.minimum(down[:, None], across[None, :]), np.float32)


def _remove_scan_lines(searched: BoolImage, mask: BoolImage, box: _Box, mammogram: Mammogram) -> None:
    spacing = mammogram.spacing
    line_rows, line_cols = find_scan_lines(mammogram.pixels[box], mask[box], (spacing.row_mm, spacing.col_mm))
    margin = max(1, round(LINE_MARGIN_MM / spacing.row_mm))
    for row in line_rows + box[0].start:
        searched[max(0, row - margin) : row + margin + 1] = False
    margin = max(1, round(LINE_MARGIN_MM / spacing.col_mm))
    for col in line_cols + box[1].start:
        searched[:, max(0, col - margin) : col + margin + 1] = False
    if line_rows.size or line_cols.size:
        logger.debug("%d rows and %d columns hold scan lines", line_rows.size, line_cols.size)


def _cross_check(mammogram: Mammogram, side: str | None) -> None:
    """Say so when the breast lies at the side where the other breast is usually shown."""
    usual = {"L": "left", "R": "right"}.get(mammogram.laterality or "")
    if usual and side in ("left", "right") and side != usual:
        logger.info(
            "%s: laterality %s, but the chest wall is at the %s edge",
            mammogram.source,
            mammogram.laterality,
            side,
        )
