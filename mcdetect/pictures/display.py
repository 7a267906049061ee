"""Grey levels for the eye: windows for whole mammograms and for crops; never for detection."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.image.mammogram import Mammogram

__all__ = ["shrink", "take_crop", "window_whole"]

Grey = npt.NDArray[np.uint8]
Levels = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


def shrink(mammogram: Mammogram, shape: tuple[int, int]) -> Grey:
    """Return the whole mammogram as a small 8-bit picture.

    Parameters
    ----------
    mammogram : Mammogram
        The image; linear raw ones are shown on a logarithmic scale.
    shape : (int, int)
        Rows and columns of the picture.

    Returns
    -------
    (rows, cols) uint8 array
    """
    rows, cols = shape
    source_rows, source_cols = mammogram.shape
    smaller = rows <= source_rows and cols <= source_cols
    way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    levels = np.asarray(cv2.resize(mammogram.pixels, (cols, rows), interpolation=way), dtype=np.float32)
    if mammogram.valid is None:
        valid = np.ones(shape, dtype=np.bool_)
    else:
        share = cv2.resize(mammogram.valid.view(np.uint8), (cols, rows), interpolation=cv2.INTER_NEAREST)
        valid = np.asarray(share) > 0
    levels = _for_the_eye(levels, mammogram)
    low, high = window_whole(mammogram, levels, valid)
    return np.where(valid, _stretch(levels, low, high), np.uint8(0)).astype(np.uint8)


def window_whole(mammogram: Mammogram, levels: Levels, valid: Mask) -> tuple[float, float]:
    """Return the grey levels to draw black and white.

    The window that came with the image is used when there is one and it fits the image;
    otherwise robust percentiles of the breast, the largest part above Otsu's threshold.

    Parameters
    ----------
    mammogram : Mammogram
        The image.
    levels : (rows, cols) float32 array
        The image, shrunk, on the scale on which it is shown.
    valid : (rows, cols) bool array
        False on padding.
    """
    if not valid.any():
        return 0.0, 1.0
    if mammogram.display_window is not None:
        ends = _for_the_eye(np.asarray([mammogram.display_window], dtype=np.float32), mammogram)[0]
        low, high = float(ends.min()), float(ends.max())
        if np.count_nonzero(valid & (levels > low) & (levels < high)) > 0.05 * valid.sum():
            return low, high
    seen = levels[valid]
    air, full = np.percentile(seen, [0.5, 99.9])
    if not full > air:
        return float(air), float(air) + 1.0
    grey = _stretch(levels, float(air), float(full))
    threshold, _ = cv2.threshold(grey[valid].reshape(1, -1), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    breast = levels[_largest(valid & (grey > 0.5 * threshold))]
    if breast.size < 0.01 * seen.size:
        breast = seen
    low, high = np.percentile(breast, [1.0, 99.7])
    low -= 0.15 * (high - low)
    return float(low), float(max(high, low + 1e-6 * max(1.0, abs(low))))


def _largest(mask: Mask) -> Mask:
    """Return the largest connected part of a mask: the breast, without labels."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
    areas = np.asarray(stats)[1:, cv2.CC_STAT_AREA]
    if areas.size == 0:
        return mask
    return np.asarray(np.asarray(parts) == 1 + int(np.argmax(areas)))


def take_crop(mammogram: Mammogram, centre: tuple[float, float], side_mm: float, size_px: int) -> Grey:
    """Return a square part of the mammogram, magnified, with its own contrast.

    Parameters
    ----------
    mammogram : Mammogram
        The image.
    centre : (float, float)
        Row and column of the crop's centre, in px.
    side_mm : float
        Side of the crop, in mm.
    size_px : int
        Side of the picture, in px.

    Returns
    -------
    (size_px, size_px) uint8 array
        Black outside the image.
    """
    spacing = mammogram.spacing
    step_row = side_mm / spacing.row_mm / size_px
    step_col = side_mm / spacing.col_mm / size_px
    first_row = int(np.floor(centre[0] - 0.5 * size_px * step_row)) - 2
    first_col = int(np.floor(centre[1] - 0.5 * size_px * step_col)) - 2
    last_row = int(np.ceil(centre[0] + 0.5 * size_px * step_row)) + 3
    last_col = int(np.ceil(centre[1] + 0.5 * size_px * step_col)) + 3
    rows, cols = mammogram.shape
    if min(last_row, last_col) <= 0 or first_row >= rows or first_col >= cols:
        return np.zeros((size_px, size_px), np.uint8)
    part = np.s_[max(0, first_row) : min(rows, last_row), max(0, first_col) : min(cols, last_col)]
    levels = _for_the_eye(mammogram.pixels[part], mammogram)
    valid = np.ones(levels.shape, np.uint8)
    if mammogram.valid is not None:
        valid = mammogram.valid[part].astype(np.uint8)
    seen = levels[valid > 0]
    low, high = (0.0, 1.0) if seen.size == 0 else np.percentile(seen, [2.0, 99.9])
    # Shrinking is by area first, so that fine detail is averaged and not dropped.
    shrink_row, shrink_col = max(1.0, step_row), max(1.0, step_col)
    if max(shrink_row, shrink_col) > 1.0:
        small = (max(1, round(levels.shape[1] / shrink_col)), max(1, round(levels.shape[0] / shrink_row)))
        shrink_row, shrink_col = levels.shape[0] / small[1], levels.shape[1] / small[0]
        levels = np.asarray(cv2.resize(levels, small, interpolation=cv2.INTER_AREA))
        valid = np.asarray(cv2.resize(valid, small, interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
    top, left = max(0, first_row), max(0, first_col)
    # Pixel (i, j) of the crop shows the image at centre + (i + 0.5 - size / 2) * step.
    to_row = centre[0] + (0.5 - 0.5 * size_px) * step_row
    to_col = centre[1] + (0.5 - 0.5 * size_px) * step_col
    matrix = np.array(
        [
            [step_col / shrink_col, 0.0, (to_col - left + 0.5) / shrink_col - 0.5],
            [0.0, step_row / shrink_row, (to_row - top + 0.5) / shrink_row - 0.5],
        ]
    )
    size = (size_px, size_px)
    cubic = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    nearest = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    drawn = cv2.warpAffine(levels, matrix, size, flags=cubic, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(
        valid,
        matrix,
        size,
        flags=nearest,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(0.0,),
    )
    grey = _stretch(np.asarray(drawn, dtype=np.float32), float(low), float(high))
    return np.where(np.asarray(inside) > 0, grey, np.uint8(0)).astype(np.uint8)


def _for_the_eye(levels: Levels, mammogram: Mammogram) -> Levels:
    """Return levels on the scale on which they are shown: logarithmic for linear raw images."""
    zero = mammogram.zero_exposure_level
    if zero is None:
        return levels
    signal = np.float32(zero) - levels
    floor = max(float(np.percentile(signal, 99.0)) * 1e-4, 1e-6)
    return np.asarray(-np.log(np.maximum(signal, np.float32(floor))), dtype=np.float32)


def _stretch(levels: Levels, low: float, high: float) -> Grey:
    scale = 255.0 / max(high - low, 1e-12)
    return np.asarray(np.clip(np.rint((levels - low) * scale), 0, 255), dtype=np.uint8)
