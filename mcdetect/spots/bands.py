"""Soft bands of tissue, 1 to 4 mm wide: what a vessel looks like between its calcifications."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.spots.coarse import Coarse

__all__ = ["Bands", "find_bands"]

_Floats = npt.NDArray[np.float64]
_Image = npt.NDArray[np.float32]

# Physics: a vessel seen in a mammogram is 1 to 4 mm wide.
SCALES_MM = (0.7, 1.2)
"""SD of the Gaussians in whose curvature bands of that width show."""

# Judged: a path may leave the straight line by what a vessel bends over 1 cm.
SIDE_MM = 1.0
"""How far to either side of a straight path its band is looked for."""

# Technical: how finely paths are sampled, and how many at a time.
_SAMPLES, _SIDES = 12, 5
_AT_ONCE = 1024  # paths, so that memory does not grow with their number


@dataclass(frozen=True)
class Bands:
    """Curvature of the coarse image at each scale, from which bands along any path are read.

    Parameters
    ----------
    coarse : Coarse
        The image.
    bend : (scales, 3, rows, cols) float32 array
        Second derivatives along rows, along columns and mixed, times the variance of the scale.
    clutter : float
        Usual height of the bands that tissue shows anywhere in the image, in SD of the noise.
    """

    coarse: Coarse
    bend: _Image
    clutter: float

    def along(self, start_mm: _Floats, end_mm: _Floats) -> tuple[_Floats, _Floats]:
        """Return how far straight paths follow a band.

        Parameters
        ----------
        start_mm, end_mm : (n, 2) float64 arrays
            Ends of each path, (row, col) in mm from the centre of the image's first pixel.

        Returns
        -------
        share : (n,) float64 array
            Curvature across the path over the largest in any direction, mean along it: 1 on a band that runs
            along the path, 0 without one.
        height : (n, 2) float64 array
            Curvature across the path over the image's clutter: median and lower fifth along it.
        """
        parts = range(0, max(len(start_mm), 1), _AT_ONCE)
        read = [self._along(start_mm[k : k + _AT_ONCE], end_mm[k : k + _AT_ONCE]) for k in parts]
        return np.concatenate([share for share, _ in read]), np.concatenate([height for _, height in read])

    def _along(self, start_mm: _Floats, end_mm: _Floats) -> tuple[_Floats, _Floats]:
        way = end_mm - start_mm
        ahead = way / np.maximum(np.hypot(way[:, 0], way[:, 1]), 1e-9)[:, None]
        aside = np.column_stack([-ahead[:, 1], ahead[:, 0]])
        at = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
        path = start_mm[:, None] + way[:, None] * at[None, :, None]
        side = np.linspace(-SIDE_MM, SIDE_MM, _SIDES)
        place = path[:, :, None] + aside[:, None, None] * side[None, None, :, None]
        cells = self.coarse.cells(place[..., 0], place[..., 1])
        bend = self.bend[(slice(None), slice(None), *cells)].astype(np.float64)
        bend = bend[:, :, None] if bend.ndim == 2 else bend
        down, right, mixed = bend[:, 0], bend[:, 1], bend[:, 2]

        def against(direction: _Floats) -> _Floats:
            row, col = (direction[:, k][:, None, None] for k in (0, 1))
            value: _Floats = -(row * row * down + col * col * right + 2.0 * row * col * mixed)
            return value

        across, parallel = against(aside), against(ahead)
        most = np.hypot(0.5 * (down - right), mixed) - 0.5 * (down + right)
        across, parallel, most = _at_largest(across, across, parallel, most, axis=0)
        across, parallel, most = _at_largest(across, across, parallel, most, axis=-1)
        line = np.maximum(np.maximum(across, 0.0) - np.maximum(parallel, 0.0), 0.0)
        share = line.mean(axis=1) / np.maximum(np.maximum(most, 0.0).mean(axis=1), 1e-6)
        height = np.column_stack([np.median(across, axis=1), np.quantile(across, 0.2, axis=1)]) / self.clutter
        return share, height


def _at_largest(by: _Floats, *values: _Floats, axis: int) -> tuple[_Floats, ...]:
    """Take values where `by` is largest along an axis, which goes."""
    best = np.expand_dims(np.argmax(by, axis=axis), axis)
    return tuple(np.take_along_axis(value, best, axis).squeeze(axis) for value in values)


def find_bands(coarse: Coarse) -> Bands:
    """Measure the curvature that bands are read from.

    Parameters
    ----------
    coarse : Coarse
        The image.

    Returns
    -------
    Bands
    """
    row_mm, col_mm = coarse.step_mm
    bend = np.empty((len(SCALES_MM), 3, *coarse.values.shape), np.float32)
    for k, sd in enumerate(SCALES_MM):
        smooth = np.asarray(
            cv2.GaussianBlur(
                coarse.values,
                (0, 0),
                sigmaX=sd / col_mm,
                sigmaY=sd / row_mm,
                borderType=cv2.BORDER_REPLICATE,
            ),
            np.float32,
        )
        bend[k, 0] = _derivative(_derivative(smooth, 0, row_mm), 0, row_mm) * sd**2
        bend[k, 1] = _derivative(_derivative(smooth, 1, col_mm), 1, col_mm) * sd**2
        bend[k, 2] = _derivative(_derivative(smooth, 0, row_mm), 1, col_mm) * sd**2
    most = np.hypot(0.5 * (bend[:, 0] - bend[:, 1]), bend[:, 2]) - 0.5 * (bend[:, 0] + bend[:, 1])
    best = most.max(axis=0)
    there = best > 0.0
    return Bands(coarse, bend, float(np.median(best[there])) if there.any() else 1.0)


def _derivative(image: _Image, axis: int, step_mm: float) -> _Image:
    if image.shape[axis] < 2:
        return np.zeros_like(image)
    return np.asarray(np.gradient(image, step_mm, axis=axis), np.float32)
