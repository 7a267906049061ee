"""Outline of a compressed breast: skin line, nipple, thickness roll-off and pectoral muscle."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator
from scipy.spatial import cKDTree

__all__ = ["BreastShape", "compressed_thickness_mm", "draw_outline", "skin_path_mm", "upsample"]

# Technical: how finely outlines are drawn.
GRID_STEP_MM = 0.5  # grid of the distance to the skin line
_CONTOUR_STEP_MM = 0.1  # between points of a contour


@dataclass(frozen=True)
class BreastShape:
    """Where the breast lies, chest wall along the first column.

    Parameters
    ----------
    depth_mm : (rows, cols) float32 array
        Distance to the skin line in mm, positive inside the breast, negative in air. Chest wall
        and image border are no skin line.
    pectoral_mm : (rows, cols) float32 array, optional
        Distance to the edge of the pectoral muscle in mm, positive on the muscle; None on CC views.
    nipple_mm : (float, float)
        Position of the nipple, (row, col) in mm from the corner of the image.
    """

    depth_mm: npt.NDArray[np.float32]
    pectoral_mm: npt.NDArray[np.float32] | None
    nipple_mm: tuple[float, float]


def upsample(coarse: npt.NDArray[np.float32], shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Enlarge a smooth grid of cells over the same field of view to (rows, cols), by cubic convolution."""
    out = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(out, dtype=np.float32)


def _cc_contour(height: float, width: float, rng: np.random.Generator) -> tuple[npt.NDArray[np.float64], int]:
    """Skin line of a CC view as (n, 2) points (row, col) in mm, and the index of the nipple."""
    angle = np.linspace(-math.pi / 2, math.pi / 2, 1601)
    centre = height * rng.uniform(0.46, 0.54)
    reach = np.where(angle < 0, height * rng.uniform(0.36, 0.42), height * rng.uniform(0.36, 0.42))
    depth = width * rng.uniform(0.62, 0.74)
    square_row, square_col = rng.uniform(0.88, 1.0), rng.uniform(1.05, 1.3)
    row = centre + reach * np.sign(angle) * np.abs(np.sin(angle)) ** square_row
    col = depth * np.cos(angle).clip(0) ** square_col
    col *= 1 + 0.02 * np.sin(3 * angle + rng.uniform(0, 6)) * np.cos(angle)
    return np.stack([row, col], axis=1), int(np.argmax(col))


def _mlo_contour(
    height: float, width: float, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float64], int]:
    """Skin line of an MLO view: axilla at the top edge, fold below, as in `_cc_contour`."""
    depth = width * rng.uniform(0.66, 0.78)
    knots = np.array([-0.02, 0.18, 0.38, 0.56, 0.68, 0.80, 0.875, 0.92, 0.96, 1.02])
    reach = np.array([0.46, 0.63, 0.86, 1.0, 0.975, 0.76, 0.48, 0.28, 0.20, 0.17])
    reach[1:-3] += rng.normal(0, 0.012, reach.size - 4)
    knots[1:-1] += rng.normal(0, 0.006, knots.size - 2)
    row = np.linspace(-0.02, 1.02, 2001)
    col = PchipInterpolator(knots, reach)(row) * depth
    kernel = np.hanning(121)
    padded = np.pad(col, 60, mode="edge")
    col = np.convolve(padded, kernel / kernel.sum(), mode="valid")
    return np.stack([row * height, col], axis=1), int(np.argmax(col))


def _add_nipple(contour: npt.NDArray[np.float64], index: int, size_mm: float) -> npt.NDArray[np.float64]:
    bulge = size_mm * np.exp(-0.5 * ((contour[:, 0] - contour[index, 0]) / (0.75 * size_mm)) ** 4)
    return np.stack([contour[:, 0], contour[:, 1] + 0.8 * bulge], axis=1)


def _signed_distance(
    contour: npt.NDArray[np.float64],
    size_mm: tuple[float, float],
    outside_beyond_ends: bool,
) -> npt.NDArray[np.float32]:
    """Distance in mm to a contour that has one column for each row, positive towards the first column."""
    steps = np.hypot(*np.diff(contour, axis=0).T)
    along = np.concatenate([[0], np.cumsum(steps)])
    even = np.arange(0, along[-1], _CONTOUR_STEP_MM)
    points = np.stack([np.interp(even, along, contour[:, k]) for k in (0, 1)], axis=1)
    n_rows, n_cols = (max(8, math.ceil(size / GRID_STEP_MM)) for size in size_mm)
    row = (np.arange(n_rows) + 0.5) * size_mm[0] / n_rows
    col = (np.arange(n_cols) + 0.5) * size_mm[1] / n_cols
    grid = np.stack(np.meshgrid(row, col, indexing="ij"), axis=-1)
    nearest = np.asarray(cKDTree(points, leafsize=64).query(grid.reshape(-1, 2))[0])
    distance = nearest.reshape(n_rows, n_cols)
    beyond = -1.0 if outside_beyond_ends else contour[-1, 1]
    before = -1.0 if outside_beyond_ends else contour[0, 1]
    edge = np.interp(row, contour[:, 0], contour[:, 1], left=before, right=beyond)
    return np.where(col[None, :] < edge[:, None], distance, -distance).astype(np.float32)


def draw_outline(
    shape: tuple[int, int], spacing_mm: tuple[float, float], view: str, rng: np.random.Generator
) -> BreastShape:
    """Draw the outline of a compressed breast, chest wall along the first column.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    spacing_mm : (float, float)
        Pixel spacing (row, column) in mm. The breast is scaled to the field of view.
    view : {"CC", "MLO"}
        The view; MLO has the axilla and the pectoral muscle at the top.
    rng : numpy.random.Generator
        Source of the shape.
    """
    size = shape[0] * spacing_mm[0], shape[1] * spacing_mm[1]
    if view not in ("CC", "MLO"):
        raise ValueError(f"view must be 'CC' or 'MLO', got {view!r}")
    contour, nipple = (_cc_contour if view == "CC" else _mlo_contour)(*size, rng)
    nipple_size = min(rng.uniform(4.5, 6.5), 0.05 * size[0])
    contour = _add_nipple(contour, nipple, nipple_size)
    depth = upsample(_signed_distance(contour, size, outside_beyond_ends=view == "CC"), shape)
    position = (float(contour[nipple, 0]), float(contour[nipple, 1]))
    if view == "CC":
        return BreastShape(depth, None, position)
    foot = size[0] * rng.uniform(0.50, 0.66)
    head = 0.75 * contour[0, 1] * rng.uniform(0.85, 1.05)
    bow = rng.uniform(1.05, 1.5)
    row = np.linspace(-2.0, foot + 2.0, 600)
    share = np.clip(row / foot, 0, None)
    muscle = np.stack([row, head * (1 - share**bow)], axis=1)
    pectoral = upsample(_signed_distance(muscle, size, outside_beyond_ends=False), shape)
    return BreastShape(depth, pectoral, position)


def compressed_thickness_mm(
    depth_mm: npt.NDArray[np.float32], thickness_mm: float, roll_off_mm: float
) -> npt.NDArray[np.float32]:
    """Return the thickness in mm at a distance from the skin line: a quarter ellipse, then flat.

    Parameters
    ----------
    depth_mm : float32 array
        Distance to the skin line in mm, negative in air.
    thickness_mm : float
        Compressed thickness away from the edge.
    roll_off_mm : float
        Distance over which the thickness falls to zero, about half the compressed thickness.
    """
    share = np.clip(depth_mm / np.float32(roll_off_mm), 0, 1)
    return np.asarray(np.float32(thickness_mm) * np.sqrt(share * (2 - share)), dtype=np.float32)


def skin_path_mm(
    depth_mm: npt.NDArray[np.float32], thickness_mm: float, roll_off_mm: float, skin_mm: float
) -> npt.NDArray[np.float32]:
    """Return the path through skin in mm: between the outer surface and one `skin_mm` further in."""
    outer = compressed_thickness_mm(depth_mm, thickness_mm, roll_off_mm)
    inner = compressed_thickness_mm(
        depth_mm - np.float32(skin_mm), thickness_mm - 2 * skin_mm, roll_off_mm - skin_mm
    )
    return np.asarray(outer - inner, dtype=np.float32)
