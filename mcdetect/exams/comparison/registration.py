"""Registration of two mammograms of one view: outline, then affine, then smooth, with its own error."""

from __future__ import annotations

import dataclasses
import logging
import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.exams.comparison.blocks import Matches, match_blocks, smooth_field, trusted
from mcdetect.exams.comparison.texture import STEP_MM, Sheet, chest_side

__all__ = ["Registration", "register"]

_log = logging.getLogger(__name__)

_Floats = npt.NDArray[np.float32]
_Doubles = npt.NDArray[np.float64]

# Judged: on drawn pairs. Large blocks find large shifts and miss small ones; smoothing resists false ones.
_OUTLINE_STEP_MM = 2.0  # grid on which the outlines are aligned
_WIDE = (24.0, 16.0, 6.0)  # block, reach, distance in mm: the first look, for the affine part
_STAGES = (  # the same and the smoothing
    (24.0, 10.0, 6.0, 100.0),
    (20.0, 7.0, 6.0, 30.0),
    (14.0, 4.0, 5.0, 30.0),
    (10.0, 2.5, 4.0, 15.0),
)
_CHECK = (9.0, 3.0, 3.5)  # independent blocks that measure what is left

# Judged: which blocks steer. Stricter limits lose true blocks, laxer ones let false ones bend the field.
_LEAST_SIMILARITY = 0.25  # of a block that may steer
_FEWEST = 6  # blocks that carry an affine map
_STRAY = 3.0  # blocks farther off the field than so many medians do not steer it
_STRAY_MM = 0.7  # but blocks nearer than this do
_OUTLINE_WEIGHT = 0.5  # of a point of the skin line, against 1 for a block of perfect similarity
_BORDER_MM = 3.0  # skin line nearer than this to the image border does not steer

# Judged: when two images register. Unrelated phantoms agree by up to 0.26, one breast by at least 0.57.
_LEAST_AGREEMENT = 0.4  # share of blocks that agree on one affine map
_LEAST_OVERLAP = 0.75  # Dice coefficient of the outlines
_PLENTY = 0.8  # agreement from which on no further start is tried

# Judged: the position error. Larger values make more verdicts uncertain, smaller ones promise too much.
_NOISE_FLOOR_MM = 0.15  # least error, however well the blocks agree
_FAR_MM = 12.0  # error where nothing is known
_VOLUME = (0.4, 2.5)  # of the Jacobian determinant; beyond, the field is not to be believed
_DOUBT_MM = 5.0  # nor this near to such a place


@dataclass(frozen=True)
class Registration:
    """How the current image maps to the prior one, and how well.

    Parameters
    ----------
    field_mm : (rows, cols, 2) float32 array
        On a grid of 0.5 mm over the current image: what lies at p lies at ``p + field(p)`` in the
        prior image, (row, col) in mm from the corner of each image.
    error_mm : (rows, cols) float32 array
        Standard error of the mapped position along each axis, in mm, from blocks that did not take
        part in the fit.
    linear : (2, 2) float64 array
        Linear part of the map.
    similarity : float
        Median normalised correlation of the two textures after mapping, -1 to 1.
    agreement : float
        Share of blocks of 24 mm, each looked for over 16 mm each way, that agree to 4 mm on one affine
        map, before anything flexible is fitted: about 0.2 for unrelated breasts, 0.6 to 1 for two
        pictures of one.
    overlap : float
        Dice coefficient of the two breast outlines after mapping.
    mirrored : bool
        One of the images is stored mirrored.
    uncertainty_mm : float
        Median of `error_mm` over the breast.
    registered : bool
        Whether the two images show the same breast in the same view as far as can be told.
    """

    field_mm: _Floats
    error_mm: _Floats
    linear: _Doubles
    similarity: float
    agreement: float
    overlap: float
    mirrored: bool
    uncertainty_mm: float = _FAR_MM
    registered: bool = False

    def error_at(self, points_mm: _Doubles) -> _Doubles:
        """Return the standard error along each axis at (n, 2) points of the current image, in mm."""
        return _look_up(self.error_mm[..., None], points_mm)[:, 0]

    def to_prior(self, points_mm: _Doubles) -> _Doubles:
        """Map (n, 2) points of the current image to the prior one, in mm from the corner."""
        return np.asarray(points_mm + _look_up(self.field_mm, points_mm), dtype=np.float64)

    def to_current(self, points_mm: _Doubles) -> _Doubles:
        """Map (n, 2) points of the prior image to the current one, in mm from the corner.

        Where images do not register the map may have no inverse: places end beside the image at the latest.
        """
        if not len(points_mm):
            return np.empty((0, 2))
        back = np.linalg.inv(self.linear)
        extent = np.array(self.field_mm.shape[:2]) * STEP_MM
        middle = extent / 2
        start = middle + (points_mm - self.to_prior(middle[None])) @ back.T
        for _ in range(40):
            start = np.clip(start + 0.8 * (points_mm - self.to_prior(start)) @ back.T, -extent, 2.0 * extent)
        return np.asarray(start, dtype=np.float64)

    def warp(self, image: _Floats, row_mm: float, col_mm: float, fill: float = 0.0) -> _Floats:
        """Return the prior image as the current one shows it, on the grid of 0.5 mm.

        Parameters
        ----------
        image : (rows, cols) float32 array
            A picture over the field of view of the prior image.
        row_mm, col_mm : float
            Its pixel spacing.
        fill : float
            What to put where the prior image shows nothing.
        """
        return _warp(image, self.field_mm, row_mm, col_mm, fill)


def _warp(image: _Floats, field_mm: _Floats, row_mm: float, col_mm: float, fill: float) -> _Floats:
    rows, cols = field_mm.shape[:2]
    row = (np.arange(rows, dtype=np.float32)[:, None] + np.float32(0.5)) * np.float32(STEP_MM)
    col = (np.arange(cols, dtype=np.float32)[None, :] + np.float32(0.5)) * np.float32(STEP_MM)
    row_map = (row + field_mm[..., 0]) / np.float32(row_mm) - np.float32(0.5)
    col_map = (col + field_mm[..., 1]) / np.float32(col_mm) - np.float32(0.5)
    found = cv2.remap(
        image,
        np.ascontiguousarray(col_map, dtype=np.float32),
        np.ascontiguousarray(row_map, dtype=np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(fill,),
    )
    return np.asarray(found, dtype=np.float32)


def _look_up(field: _Floats, points_mm: _Doubles) -> _Doubles:
    """Bilinear values of a (rows, cols, k) grid of `STEP_MM` at points, constant beyond its border."""
    rows, cols = field.shape[:2]
    place = points_mm / STEP_MM - 0.5
    row, col = place[:, 0].clip(0, rows - 1), place[:, 1].clip(0, cols - 1)
    i = np.minimum(row.astype(np.intp), max(rows - 2, 0))
    j = np.minimum(col.astype(np.intp), max(cols - 2, 0))
    u, v = (row - i)[:, None], (col - j)[:, None]
    values = (
        (1 - u) * (1 - v) * field[i, j]
        + (1 - u) * v * field[i, np.minimum(j + 1, cols - 1)]
        + u * (1 - v) * field[np.minimum(i + 1, rows - 1), j]
        + u * v * field[np.minimum(i + 1, rows - 1), np.minimum(j + 1, cols - 1)]
    )
    return np.asarray(values, dtype=np.float64)


def register(prior: Sheet, current: Sheet) -> Registration:
    """Find where each point of the current image lies in the prior one.

    Parameters
    ----------
    prior, current : Sheet
        The two images on the coarse grid.

    Notes
    -----
    1. Affine, on the distance to the outline: enhanced correlation coefficient (Evangelidis and
       Psarakis 2008, doi:10.1109/TPAMI.2008.113).
    2. Affine, on the texture: blocks matched by normalised correlation over 16 mm each way, RANSAC.
    3. Smooth, on the texture: blocks matched from 20 mm to 10 mm, those that contradict their
       neighbours left out, thin-plate smoothing spline through the others.
    4. Other, smaller blocks measure what is left; that is the error.
    """
    sides = chest_side(prior.mask), chest_side(current.mask)
    mirrored = None not in sides and sides[0] != sides[1]
    matrix, agreement = np.eye(2, 3), -1.0
    for start in _starts(prior, current, mirrored):
        for outline in (_align_outlines(prior, current, start), start):
            better, share = _align_textures(prior, current, outline)
            if share > agreement:
                matrix, agreement = better, share
            if agreement > _PLENTY:
                break
    field = _affine_field(matrix, current.mask.shape)
    blank = np.full(current.mask.shape, _FAR_MM, np.float32)
    now = Registration(field, blank, matrix[:, :2], 0.0, max(agreement, 0.0), 0.0, mirrored)
    for block, reach, every, smoothing in _STAGES:
        now = _improve(prior, current, now, block, reach, every, smoothing)
    return _judge(prior, current, now)


def _starts(prior: Sheet, current: Sheet, mirrored: bool) -> list[_Doubles]:
    """Affine maps (row, col in mm) to start from: centroid on centroid, and corner on corner."""
    centres = []
    for sheet in (prior, current):
        there = np.argwhere(sheet.mask)
        centres.append((there.mean(axis=0) + 0.5) * STEP_MM if len(there) else np.zeros(2))
    linear = np.diag([1.0, -1.0 if mirrored else 1.0])
    starts = [np.column_stack([linear, centres[0] - linear @ centres[1]])]
    width = prior.mask.shape[1] * STEP_MM
    edge = np.array([centres[0][0] - centres[1][0], width if mirrored else 0.0])
    if not mirrored and chest_side(current.mask) == "right":
        edge[1] = width - current.mask.shape[1] * STEP_MM
    starts.append(np.column_stack([linear, edge]))
    return starts


def _align_outlines(prior: Sheet, current: Sheet, start: _Doubles) -> _Doubles:
    """Refine an affine map on the distance to the outline."""
    pictures, factors = [], []
    for sheet in (prior, current):
        rows, cols = sheet.mask.shape
        size = (
            max(8, round(cols * STEP_MM / _OUTLINE_STEP_MM)),
            max(8, round(rows * STEP_MM / _OUTLINE_STEP_MM)),
        )
        small = cv2.resize(sheet.depth_mm.clip(-20, 25), size, interpolation=cv2.INTER_AREA)
        pictures.append(np.asarray(small, dtype=np.float32))
        factors.append(np.array([rows * STEP_MM / size[1], cols * STEP_MM / size[0]]))
    warp = _to_pixels(start, factors[0], factors[1]).astype(np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 200, 1e-5)
    try:
        ones = np.ones_like(pictures[1], np.uint8)
        _, warp_found = cv2.findTransformECC(
            pictures[1], pictures[0], warp, cv2.MOTION_AFFINE, criteria, ones, 3
        )
    except cv2.error:
        return start
    found = _to_mm(np.asarray(warp_found, dtype=np.float64), factors[0], factors[1])
    stretch = np.linalg.svd(found[:, :2], compute_uv=False)
    if stretch.min() < 0.7 or stretch.max() > 1.4:
        return start
    return found


def _to_pixels(matrix: _Doubles, prior_mm: _Doubles, current_mm: _Doubles) -> _Doubles:
    """Take an affine map of (row, col) in mm to one of (x, y) in px, pixel centres at (i + 0.5) * step."""
    linear = matrix[:, :2] * current_mm[None, :] / prior_mm[:, None]
    shift = (matrix[:, :2] @ (0.5 * current_mm) + matrix[:, 2]) / prior_mm - 0.5
    return np.column_stack([linear[::-1, ::-1], shift[::-1]])


def _to_mm(warp: _Doubles, prior_mm: _Doubles, current_mm: _Doubles) -> _Doubles:
    """Undo `_to_pixels`."""
    linear = warp[::-1, 1::-1] * prior_mm[:, None] / current_mm[None, :]
    shift = (warp[::-1, 2] + 0.5) * prior_mm - linear @ (0.5 * current_mm)
    return np.column_stack([linear, shift])


def _affine_field(matrix: _Doubles, shape: tuple[int, ...]) -> _Floats:
    row = (np.arange(shape[0]) + 0.5)[:, None] * STEP_MM
    col = (np.arange(shape[1]) + 0.5)[None, :] * STEP_MM
    field = np.empty((shape[0], shape[1], 2), np.float32)
    for axis, own in enumerate((row, col)):
        field[..., axis] = matrix[axis, 0] * row + matrix[axis, 1] * col + matrix[axis, 2] - own
    return field


def _warped(prior: Sheet, field: _Floats) -> tuple[_Floats, npt.NDArray[np.bool_]]:
    """Return the prior texture and mask as the current image shows them."""
    texture = _warp(prior.texture, field, STEP_MM, STEP_MM, 0.0)
    mask = _warp(prior.mask.astype(np.float32), field, STEP_MM, STEP_MM, 0.0) > 0.5
    return texture, mask


def _align_textures(prior: Sheet, current: Sheet, matrix: _Doubles) -> tuple[_Doubles, float]:
    """Correct an affine map by what most blocks of texture say; also return the share that say it."""
    texture, _ = _warped(prior, _affine_field(matrix, current.mask.shape))
    block, reach, every = _WIDE
    found = match_blocks(
        current.texture, texture, current.mask, block_mm=block, reach_mm=reach, every_mm=every
    )
    good = trusted(found, _LEAST_SIMILARITY)
    if good.sum() < _FEWEST:
        return matrix, 0.0
    # Fitted to (row, col) as they are; OpenCV does not mind which is called x.
    fit, inliers = cv2.estimateAffine2D(
        found.points_mm[good].astype(np.float32),
        (found.points_mm + found.shift_mm)[good].astype(np.float32),
        method=cv2.RANSAC,
        ransacReprojThreshold=4.0,
        maxIters=4000,
        confidence=0.999,
    )
    agree = int(np.count_nonzero(inliers)) if fit is not None else 0
    share = agree / len(good)
    if agree < _FEWEST:
        return matrix, share
    stretch = np.linalg.svd(np.asarray(fit)[:, :2], compute_uv=False)
    if stretch.min() < 0.75 or stretch.max() > 1.33:
        return matrix, 0.0
    whole = np.vstack([matrix, [0, 0, 1]]) @ np.vstack([fit, [0, 0, 1]])
    return np.asarray(whole[:2], dtype=np.float64), share


def _improve(
    prior: Sheet,
    current: Sheet,
    now: Registration,
    block_mm: float,
    reach_mm: float,
    every_mm: float,
    smoothing: float,
) -> Registration:
    """Add what one scale of block matching finds to the field."""
    texture, _ = _warped(prior, now.field_mm)
    found = match_blocks(
        current.texture, texture, current.mask, block_mm=block_mm, reach_mm=reach_mm, every_mm=every_mm
    )
    good = trusted(found, _LEAST_SIMILARITY)
    if good.sum() < 6:
        return now
    skin, to_skin = _outline_shifts(prior, current, now, every_mm, reach_mm)

    def fit(use: npt.NDArray[np.bool_]) -> _Floats:
        return smooth_field(
            np.concatenate([found.points_mm[use], skin]),
            np.concatenate([found.shift_mm[use], to_skin]),
            np.concatenate([found.similarity[use] ** 4, np.full(len(skin), _OUTLINE_WEIGHT)]),
            (current.mask.shape[0], current.mask.shape[1]),
            every_mm=every_mm,
            smoothing=smoothing,
        )

    step = fit(good)
    off = np.hypot(*(found.shift_mm - _look_up(step, found.points_mm)).T)
    kept = good & (off <= max(_STRAY * float(np.median(off[good])), _STRAY_MM))
    if kept.sum() >= 6:
        step = fit(kept)
    limit = np.float32(reach_mm)
    # The prior texture was looked at through the field: shifts compose.
    moved = _compose(now.field_mm, step.clip(-limit, limit))
    return dataclasses.replace(now, field_mm=moved)


def _outline_shifts(
    prior: Sheet, current: Sheet, now: Registration, every_mm: float, reach_mm: float
) -> tuple[_Doubles, _Doubles]:
    """Return points of the skin line and how they must move to fall on that of the prior image."""
    contours, _ = cv2.findContours(current.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return np.empty((0, 2)), np.empty((0, 2))
    line = np.asarray(max(contours, key=len)).reshape(-1, 2)[:, ::-1]
    rows, cols = current.mask.shape
    margin = round(_BORDER_MM / STEP_MM)
    inner = (line >= margin).all(axis=1) & (line < np.array([rows, cols]) - margin).all(axis=1)
    points = np.asarray(line[inner][:: max(1, round(every_mm / STEP_MM))] + 0.5, dtype=np.float64) * STEP_MM
    there = now.to_prior(points)
    # The depth is flat far outside and far inside; between, its slope points to the skin line.
    smooth = np.asarray(cv2.GaussianBlur(prior.depth_mm, (0, 0), sigmaX=2.0), dtype=np.float32)
    slopes = np.stack([np.gradient(smooth, STEP_MM, axis=k) for k in (0, 1)], axis=-1)
    depth = _look_up(prior.depth_mm[..., None], there)[:, 0]
    slope = _look_up(slopes.astype(np.float32), there)
    steep = np.hypot(slope[:, 0], slope[:, 1])
    size = np.array(prior.mask.shape) * STEP_MM
    known = ((there > _BORDER_MM) & (there < size - _BORDER_MM)).all(axis=1)
    use = known & (steep > 0.5) & (np.abs(depth) < reach_mm + 3.0)
    shift = -(depth / np.maximum(steep, 0.5) ** 2)[:, None] * slope
    return points[use], (shift @ np.linalg.inv(now.linear).T)[use]


def _compose(outer: _Floats, step: _Floats) -> _Floats:
    rows, cols = outer.shape[:2]
    row = np.arange(rows, dtype=np.float32)[:, None] + step[..., 0] / np.float32(STEP_MM)
    col = np.arange(cols, dtype=np.float32)[None, :] + step[..., 1] / np.float32(STEP_MM)
    beyond = cv2.remap(outer, col, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(np.asarray(beyond) + step, dtype=np.float32)


def _judge(prior: Sheet, current: Sheet, now: Registration) -> Registration:
    """Measure similarity, overlap and the local error of a finished field."""
    texture, mask = _warped(prior, now.field_mm)
    block, reach, every = _CHECK
    found = match_blocks(
        current.texture, texture, current.mask & mask, block_mm=block, reach_mm=reach, every_mm=every
    )
    both = int(np.count_nonzero(mask & current.mask))
    overlap = 2.0 * float(both) / max(int(np.count_nonzero(mask) + np.count_nonzero(current.mask)), 1)
    if not len(found.points_mm):
        return dataclasses.replace(now, overlap=overlap)
    _log.debug("agreement %.2f, overlap %.2f", now.agreement, overlap)
    error = np.maximum(_local_error(found, now.field_mm.shape[:2]), _where_folded(now.field_mm))
    return dataclasses.replace(
        now,
        error_mm=error,
        uncertainty_mm=float(np.median(error[current.mask])),
        similarity=float(np.median(found.unmoved)),
        overlap=overlap,
        registered=bool(now.agreement >= _LEAST_AGREEMENT and overlap >= _LEAST_OVERLAP),
    )


def _where_folded(field: _Floats) -> _Floats:
    """Return `_FAR_MM` within `_DOUBT_MM` of where the field folds, presses or stretches, else 0."""
    rr, rc = (np.gradient(field[..., 0], STEP_MM, axis=k) for k in (0, 1))
    cr, cc = (np.gradient(field[..., 1], STEP_MM, axis=k) for k in (0, 1))
    volume = np.abs((1 + rr) * (1 + cc) - rc * cr)
    bad = ((volume < _VOLUME[0]) | (volume > _VOLUME[1])).astype(np.uint8)
    size = 2 * round(_DOUBT_MM / STEP_MM) + 1
    wide = cv2.dilate(bad, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    return np.asarray(np.asarray(wide) * np.float32(_FAR_MM), dtype=np.float32)


def _local_error(found: Matches, shape: tuple[int, ...]) -> _Floats:
    """Return the local root mean square of what independent blocks still find, along each axis."""
    square = 0.5 * (found.shift_mm**2).sum(axis=1)
    every = _CHECK[2]
    size = max(2, math.ceil(shape[0] * STEP_MM / every)), max(2, math.ceil(shape[1] * STEP_MM / every))
    total, weight = np.zeros(size, np.float32), np.zeros(size, np.float32)
    i = np.minimum((found.points_mm[:, 0] / every).astype(np.intp), size[0] - 1)
    j = np.minimum((found.points_mm[:, 1] / every).astype(np.intp), size[1] - 1)
    np.add.at(total, (i, j), square.astype(np.float32))
    np.add.at(weight, (i, j), np.float32(1))
    total = np.asarray(cv2.GaussianBlur(total, (0, 0), sigmaX=2.0), dtype=np.float32)
    weight = np.asarray(cv2.GaussianBlur(weight, (0, 0), sigmaX=2.0), dtype=np.float32)
    # Where no block says anything, the error is what the field may wander.
    far = np.float32(0.5 * _CHECK[1] ** 2)
    prior_weight = np.float32(0.05)
    mean = (total + prior_weight * far) / (weight + prior_weight)
    error = np.sqrt(mean + np.float32(_NOISE_FLOOR_MM**2))
    full = cv2.resize(error, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(full, dtype=np.float32)
