"""How truth is drawn: dots, circles, boxes, outlines, runs and mask files, put on the pixels of an image.

Rows and columns are 0-based and hold at pixel centres, so that a dot at (3, 5) is the pixel
``image[3, 5]``. Boxes alone give edges: the corner of the first pixel is 0, as in COCO.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mcdetect.errors import UnreadableFileError, UnusableImageError
from mcdetect.readers.examination import MAX_PIXELS
from mcdetect.validation.datasets.masks import find_mask

__all__ = ["ASPECT_TOLERANCE", "Box", "Circle", "Dot", "MaskFile", "Outline", "Patch", "Runs", "Shape"]

# Judged: wider than rounding of rows and columns, narrower than another cut of the image.
ASPECT_TOLERANCE = 0.02
"""A mask or annotation grid is stretched onto its image when their aspects differ by no more."""

# Technical: a bound on input.
_LARGEST = 1e6  # pixels; coordinates beyond are a damaged table


@dataclass(frozen=True)
class Patch:
    """A shape on the pixel grid of its image.

    Parameters
    ----------
    top, left : int
        Image row and column of ``mask[0, 0]``.
    mask : (rows, cols) bool array
        True on the shape; no larger than its bounding box.
    remarks : tuple of str
        What had to be done to bring the shape onto the image.
    """

    top: int
    left: int
    mask: npt.NDArray[np.bool_]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dot:
    """One pixel, in pixels."""

    row: float
    col: float

    def __post_init__(self) -> None:
        _check(self.row, self.col)

    def scaled(self, row_factor: float, col_factor: float) -> Dot:
        """Return the dot on a grid that many times as fine."""
        return Dot(_centre(self.row, row_factor), _centre(self.col, col_factor))

    def draw(self, shape: tuple[int, int]) -> Patch:
        """Return the dot on an image of `shape` (rows, cols)."""
        row, col = math.floor(self.row + 0.5), math.floor(self.col + 0.5)
        if not (0 <= row < shape[0] and 0 <= col < shape[1]):
            raise _outside()
        return Patch(row, col, np.ones((1, 1), dtype=np.bool_))


@dataclass(frozen=True)
class Circle:
    """A disc, in pixels."""

    row: float
    col: float
    radius: float

    def __post_init__(self) -> None:
        _check(self.row, self.col, self.radius)
        if self.radius < 0:
            raise UnreadableFileError("a circle has a negative radius", "correct the annotation")

    def scaled(self, row_factor: float, col_factor: float) -> Circle:
        """Return the disc on a grid that many times as fine."""
        mean = math.sqrt(row_factor * col_factor)
        return Circle(_centre(self.row, row_factor), _centre(self.col, col_factor), self.radius * mean)

    def draw(self, shape: tuple[int, int]) -> Patch:
        """Return the disc on an image of `shape` (rows, cols); at least its central pixel."""
        radius = max(self.radius, math.sqrt(0.5))  # some pixel centre lies this near
        reach = radius + 1e-6  # no pixel may be lost to rounding
        top, bottom = _span(self.row - reach, self.row + reach, shape[0])
        left, right = _span(self.col - reach, self.col + reach, shape[1])
        y = np.arange(top, bottom, dtype=np.float64)[:, None] - self.row
        x = np.arange(left, right, dtype=np.float64)[None, :] - self.col
        return _trim(top, left, y * y + x * x <= radius * radius + 1e-9)


@dataclass(frozen=True)
class Box:
    """A rectangle between pixel edges, in pixels: it holds the pixels whose centres lie inside."""

    top: float
    left: float
    bottom: float
    right: float

    def __post_init__(self) -> None:
        _check(self.top, self.left, self.bottom, self.right)
        if self.bottom <= self.top or self.right <= self.left:
            raise UnreadableFileError("a box has no area", "correct the annotation")

    def scaled(self, row_factor: float, col_factor: float) -> Box:
        """Return the rectangle on a grid that many times as fine."""
        return Box(
            self.top * row_factor, self.left * col_factor, self.bottom * row_factor, self.right * col_factor
        )

    def draw(self, shape: tuple[int, int]) -> Patch:
        """Return the rectangle on an image of `shape` (rows, cols); at least one pixel."""
        first_row, first_col = math.ceil(self.top - 0.5), math.ceil(self.left - 0.5)
        last_row = max(first_row, math.ceil(self.bottom - 0.5) - 1)
        last_col = max(first_col, math.ceil(self.right - 0.5) - 1)
        top, bottom = _span(first_row, last_row, shape[0])
        left, right = _span(first_col, last_col, shape[1])
        return Patch(top, left, np.ones((bottom - top, right - left), dtype=np.bool_))


@dataclass(frozen=True)
class Outline:
    """A closed polygon with its border, in pixels.

    Parameters
    ----------
    points : tuple of (row, col)
        Corners in order; one or two are allowed.
    """

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if not self.points:
            raise UnreadableFileError("an outline has no points", "correct the annotation")
        for point in self.points:
            _check(*point)

    def scaled(self, row_factor: float, col_factor: float) -> Outline:
        """Return the polygon on a grid that many times as fine."""
        return Outline(
            tuple((_centre(row, row_factor), _centre(col, col_factor)) for row, col in self.points)
        )

    def draw(self, shape: tuple[int, int]) -> Patch:
        """Return the polygon on an image of `shape` (rows, cols)."""
        import cv2

        corners = np.floor(np.array(self.points, dtype=np.float64) + 0.5).astype(np.int32)
        (top, left), (bottom, right) = corners.min(axis=0), corners.max(axis=0)
        first_row, end_row = _span(float(top), float(bottom), shape[0])
        first_col, end_col = _span(float(left), float(right), shape[1])
        window = np.array([[first_row, first_col], [end_row, end_col]])
        # Drawn whole where that is affordable, since clipping may move its border by a pixel.
        height, width = int(bottom - top) + 1, int(right - left) + 1
        if height * width <= 4 * shape[0] * shape[1]:
            first, size = np.array([top, left]), (height, width)
        else:
            first, size = window[0], (end_row - first_row, end_col - first_col)
        canvas = np.zeros(size, dtype=np.uint8)
        cv2.fillPoly(canvas, [np.ascontiguousarray((corners - first)[:, ::-1], dtype=np.int32)], 1)
        (y, x), (y_end, x_end) = window - first
        canvas = canvas[y:y_end, x:x_end]
        return _trim(first_row, first_col, canvas.astype(np.bool_))


@dataclass(frozen=True)
class Runs:
    """A mask as run lengths in column order, background first (COCO's uncompressed form).

    Parameters
    ----------
    counts : tuple of int
        Lengths of the runs.
    rows, cols : int
        Size of the mask in pixels.
    """

    counts: tuple[int, ...]
    rows: int
    cols: int

    def __post_init__(self) -> None:
        if self.rows * self.cols > MAX_PIXELS:
            raise UnreadableFileError("a mask is absurdly large", "correct the annotation")
        if min(self.counts, default=-1) < 0 or sum(self.counts) != self.rows * self.cols:
            raise UnreadableFileError("run lengths do not fill their mask", "correct the annotation")

    def scaled(self, row_factor: float, col_factor: float) -> Runs:
        """Return the runs as they are: `draw` brings them to the size of the image."""
        return self

    def draw(self, shape: tuple[int, int]) -> Patch:
        """Return the mask on an image of `shape` (rows, cols)."""
        filled = np.arange(len(self.counts)) % 2 == 1
        mask = np.repeat(filled, self.counts).reshape(self.cols, self.rows).T
        return _stretch(mask, shape, "the mask")


@dataclass(frozen=True)
class MaskFile:
    """A mask kept in a file, told from other candidates by its content.

    Parameters
    ----------
    candidates : tuple of Path
        Files of which one is the mask: it has two values and the size nearest to the image's.
    """

    candidates: tuple[Path, ...]

    def scaled(self, row_factor: float, col_factor: float) -> MaskFile:
        """Return the file as it is: `draw` brings it to the size of the image."""
        return self

    def draw(self, shape: tuple[int, int]) -> Patch:
        """Read the mask and return it on an image of `shape` (rows, cols)."""
        path, mask, remarks = find_mask(self.candidates, shape)
        try:
            patch = _stretch(mask, shape, f"the mask {path.name}")
        except UnusableImageError as error:
            raise error.with_path(path) from None
        return Patch(patch.top, patch.left, patch.mask, remarks + patch.remarks)


Shape = Dot | Circle | Box | Outline | Runs | MaskFile


def _check(*values: float) -> None:
    if not all(math.isfinite(value) and abs(value) <= _LARGEST for value in values):
        raise UnreadableFileError("a coordinate is no usable number", "correct the annotation")


def _centre(value: float, factor: float) -> float:
    return (value + 0.5) * factor - 0.5


def _outside() -> UnusableImageError:
    return UnusableImageError(
        "a finding lies outside the image", "check that annotation and image belong together"
    )


def _span(first: float, last: float, size: int) -> tuple[int, int]:
    """Return the half-open range of pixels between two positions, within the image."""
    start, end = max(math.ceil(first), 0), min(math.floor(last) + 1, size)
    if start >= end:
        raise _outside()
    return start, end


def _trim(top: int, left: int, mask: npt.NDArray[np.bool_], remarks: tuple[str, ...] = ()) -> Patch:
    """Cut a mask to its bounding box."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        raise _outside()
    tight = mask[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    return Patch(top + int(rows[0]), left + int(cols[0]), np.ascontiguousarray(tight), remarks)


def aspect_difference(shape: tuple[int, int], other: tuple[int, int]) -> float:
    """Return by how much the ratio of rows to columns differs, as a fraction."""
    ratio = (shape[0] * other[1]) / (shape[1] * other[0])
    return max(ratio, 1.0 / ratio) - 1.0


def _stretch(mask: npt.NDArray[np.bool_], shape: tuple[int, int], what: str) -> Patch:
    """Bring a whole-image mask onto an image, by the nearest pixel."""
    rows, cols = mask.shape
    if (rows, cols) == shape:
        return _trim(0, 0, mask)
    sizes = f"{rows} x {cols} pixels, its image {shape[0]} x {shape[1]}"
    difference = aspect_difference((rows, cols), shape)
    if difference > ASPECT_TOLERANCE:
        raise UnusableImageError(
            f"{what} has {sizes}: their aspects differ by {100 * difference:.1f} %",
            "leave the image out, or obtain both files again",
        )
    row_of = ((np.arange(shape[0]) + 0.5) * rows / shape[0]).astype(np.intp)
    col_of = ((np.arange(shape[1]) + 0.5) * cols / shape[1]).astype(np.intp)
    return _trim(0, 0, mask[np.ix_(row_of, col_of)], (f"{what} has {sizes}: resized",))
