"""How even the air beside the breast is: a detector's is, a film's is not."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.image.mammogram import Intent

__all__ = ["MOST_UNEVEN", "air_unevenness", "is_digital"]

# Judged: on eight CBIS-DDSM and sixteen mini-MIAS films, and on digital images of three makers.
FAR_MM = 5.0  # from the breast, where neither scatter nor the skin's glow reach
UNEVEN = 0.01  # of the step from air to tissue, what counts as another grey level
LEAST_MM2 = 500.0  # of air to tell by
MOST_UNEVEN = 0.03
"""Share of uneven air of a digital image, at most. Of 210 images the most even film has 0.038, the least even
digital one 0.024, by its labels."""


def air_unevenness(
    share: npt.NDArray[np.float32],
    mask: npt.NDArray[np.bool_],
    exposed: npt.NDArray[np.bool_],
    step_mm: tuple[float, float],
) -> float:
    """Return the share of the air whose grey level is not that of most air.

    Software of digital detectors sets the air to one grey level; what deviates are labels. On scanned film
    the air has grain, dust, scratches, and the shadow of the film's edge.

    Parameters
    ----------
    share : (grid rows, grid cols) float32 array
        Grey levels on the coarse grid, 0 for air and 1 for tissue.
    mask, exposed : (grid rows, grid cols) bool arrays
        The breast; what is no padding.
    step_mm : (float, float)
        Steps of the grid in mm.

    Returns
    -------
    float
        0 to 1; NaN where there is too little air to tell.
    """
    cell_mm2 = step_mm[0] * step_mm[1]
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    air = share[(away * np.float32(math.sqrt(cell_mm2)) > FAR_MM) & exposed]
    if air.size * cell_mm2 < LEAST_MM2:
        return math.nan
    return float(np.mean(np.abs(air - np.median(air)) > UNEVEN))


def is_digital(intent: Intent, unevenness: float) -> bool:
    """Tell whether an image is of a digital detector.

    Parameters
    ----------
    intent : Intent
        What the header says that the grey levels were made for.
    unevenness : float
        `air_unevenness`, which decides where the header says nothing.
    """
    if intent is not Intent.UNKNOWN:
        return intent is not Intent.FILM
    return unevenness < MOST_UNEVEN
