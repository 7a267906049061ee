"""A small picture of the texture of a breast, by which two versions of one exposure know each other."""

from __future__ import annotations

import base64
from functools import lru_cache

import numpy as np
import numpy.typing as npt

__all__ = ["likeness", "sketch"]

# Judged: cells of some 3 mm keep the tissue that every processing shows; finer ones differ by processing.
SIDE = 64
"""Rows and columns of the sketch."""
_SMOOTH = 3.0  # cells: SD of the Gaussian beyond which tissue is shape, which all breasts share
_EDGE = 3  # cells: how far from the border of the breast the texture is looked at

_LEAST = 50  # Technical: cells that two sketches must share


def sketch(pixels: npt.NDArray[np.float32], breast: npt.NDArray[np.bool_]) -> str:
    """Return the texture of a breast in coarse cells, as text.

    Parameters
    ----------
    pixels : (rows, cols) float32 array
        Grey levels.
    breast : (rows, cols) bool array
        Where the breast is.

    Returns
    -------
    str
        `SIDE` x `SIDE` signed bytes in base64, 0 outside and at the border of the breast.
    """
    import cv2  # here, as it takes long to import
    from scipy import ndimage

    small = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float64)
    inside = cv2.resize(breast.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA) > 0.999
    inside = ndimage.binary_erosion(inside, iterations=_EDGE)
    weight = ndimage.gaussian_filter(inside.astype(np.float64), _SMOOTH)
    around = ndimage.gaussian_filter(np.where(inside, small, 0.0), _SMOOTH) / np.maximum(weight, 1e-9)
    texture = np.where(inside, small - around, 0.0)
    scale = float(texture[inside].std()) if inside.any() else 0.0
    cells = np.clip(np.rint(texture * (32.0 / scale)), -127, 127) if scale > 0.0 else texture * 0.0
    cells[inside & (cells == 0)] = 1
    return base64.b64encode(cells.astype(np.int8).tobytes()).decode("ascii")


@lru_cache(maxsize=1024)
def _cells(text: str) -> npt.NDArray[np.float64]:
    return np.frombuffer(base64.b64decode(text), np.int8).astype(np.float64)


def likeness(one: str, two: str) -> float:
    """Return the correlation of two sketches where both show breast, -1 to 1; 0 without enough."""
    first, second = _cells(one), _cells(two)
    if first.size != SIDE**2 or second.size != SIDE**2:
        return 0.0
    shared = (first != 0) & (second != 0)
    if np.count_nonzero(shared) < _LEAST:
        return 0.0
    a, b = first[shared] - first[shared].mean(), second[shared] - second[shared].mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0.0 else 0.0
