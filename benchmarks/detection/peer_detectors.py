"""General spot detectors as their users would call them, with physical sizes and thresholds from the noise.

Each takes grey levels (bright = dense), the search mask and the pixel size, and gives rows, columns and
strengths of its marks inside the mask. The threshold is low (2.5 robust standard deviations of its own
response in the mask, at the scale where that is largest), so that ranking the marks by strength sweeps
it; that is the fairest sweep we know of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import sep
import trackpy
from scipy.ndimage import gaussian_filter, gaussian_laplace, maximum_filter
from skimage.feature import blob_dog, blob_log

__all__ = ["PEERS"]

SIGMA_MM = (0.07, 0.35)
RATIO = 1.6
THRESHOLD_SD = 2.5

Image = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Marks = npt.NDArray[np.float64]  # (n, 3): row, column, strength


def _scaled(image: Image, mask: Mask) -> Image:
    """Grey levels of the breast brought to 0 to 1; outside the mask its mean, so that no edge shows."""
    inside = image[mask]
    low, high = np.percentile(inside, [0.1, 99.9])
    scaled = np.clip((image - low) / max(high - low, 1e-6), -0.5, 3.0).astype(np.float32)
    near = np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((9, 9)))) > 0
    middle = np.float32(inside.mean() - low) / max(high - low, 1e-6)
    return np.asarray(np.where(near, scaled, middle), np.float32)


def _spread(values: npt.NDArray[Any]) -> float:
    middle = np.median(values)
    return 1.4826 * float(np.median(np.abs(values - middle)))


def _inside(marks: Marks, mask: Mask) -> Marks:
    index = np.rint(marks[:, :2]).astype(int)
    index = np.clip(index, 0, np.array(mask.shape) - 1)
    return np.asarray(marks[mask[index[:, 0], index[:, 1]]])


def skimage_dog(image: Image, mask: Mask, spacing_mm: float) -> Marks:
    """`skimage.feature.blob_dog`, ranked by its scale-normalised response."""
    low, high = SIGMA_MM[0] / spacing_mm, SIGMA_MM[1] / spacing_mm

    def response(sigma: float) -> Image:
        return (gaussian_filter(image, sigma) - gaussian_filter(image, sigma * RATIO)) / (RATIO - 1)

    threshold = THRESHOLD_SD * max(_spread(response(s)[mask]) for s in np.geomspace(low, high, 4))
    found = blob_dog(image, low, high, sigma_ratio=RATIO, threshold=threshold)  # type: ignore[no-untyped-call]
    return _ranked(found, response)


def skimage_log(image: Image, mask: Mask, spacing_mm: float) -> Marks:
    """`skimage.feature.blob_log`, ranked by its scale-normalised response."""
    low, high = SIGMA_MM[0] / spacing_mm, SIGMA_MM[1] / spacing_mm

    def response(sigma: float) -> Image:
        return -gaussian_laplace(image, sigma) * sigma**2

    threshold = THRESHOLD_SD * max(_spread(response(s)[mask]) for s in np.geomspace(low, high, 4))
    found = blob_log(image, low, high, num_sigma=6, threshold=threshold)  # type: ignore[no-untyped-call]
    return _ranked(found, response)


def _ranked(found: Marks, response: Callable[[float], Image]) -> Marks:
    strength = np.zeros(len(found))
    for sigma in np.unique(found[:, 2]):
        own = found[:, 2] == sigma
        strength[own] = response(float(sigma))[tuple(found[own, :2].astype(int).T)]
    return np.column_stack([found[:, :2], strength])


def trackpy_locate(image: Image, mask: Mask, spacing_mm: float) -> Marks:
    """`trackpy.locate` with a diameter of 0.6 mm, ranked by mass."""
    diameter = 2 * max(1, round(0.3 / spacing_mm)) + 1
    table = trackpy.locate(255.0 * image, diameter=diameter, minmass=0, percentile=64, preprocess=True)
    return np.asarray(table[["y", "x", "mass"]], np.float64)


def sep_extract(image: Image, mask: Mask, spacing_mm: float) -> Marks:
    """`sep.extract` over its own background (2.7 mm boxes) and noise, ranked by peak."""
    data = np.ascontiguousarray(image, np.float32)
    box = max(8, round(2.7 / spacing_mm))
    background = sep.Background(data, mask=~mask, bw=box, bh=box)
    sep.set_extract_pixstack(3_000_000)
    noise = np.maximum(background.rms(), 1e-6)
    found = sep.extract(data - background, 1.0, err=noise, mask=~mask, minarea=2)
    place = found["ypeak"].astype(int), found["xpeak"].astype(int)
    return np.column_stack([found["y"], found["x"], found["peak"] / noise[place]])


def opencv_tophat(image: Image, mask: Mask, spacing_mm: float) -> Marks:
    """White top-hat of 1 mm on a slightly smoothed image, ranked by height at local maxima."""
    smooth = cv2.GaussianBlur(image, (0, 0), SIGMA_MM[0] / spacing_mm)
    side = 2 * round(0.5 / spacing_mm) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    height = np.asarray(cv2.morphologyEx(smooth, cv2.MORPH_TOPHAT, kernel))
    middle = np.median(height[mask])
    peak = (
        (height == maximum_filter(height, 5))
        & (height > middle + THRESHOLD_SD * _spread(height[mask]))
        & mask
    )
    place = np.argwhere(peak)
    return np.column_stack([place, height[peak]])


def _prepared(run: Callable[[Image, Mask, float], Marks]) -> Callable[[Image, Mask, float], Marks]:
    def find(image: Image, mask: Mask, spacing_mm: float) -> Marks:
        return _inside(run(_scaled(image, mask), mask, spacing_mm), mask)

    find.__doc__ = run.__doc__
    return find


PEERS: dict[str, Callable[[Image, Mask, float], Marks]] = {
    "skimage blob_dog": _prepared(skimage_dog),
    "skimage blob_log": _prepared(skimage_log),
    "trackpy locate": _prepared(trackpy_locate),
    "sep extract": _prepared(sep_extract),
    "OpenCV top-hat": _prepared(opencv_tophat),
}
"""Name to ``find(image, mask, spacing_mm)``; image (rows, cols) float32, mask (rows, cols) bool."""
