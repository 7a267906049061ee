"""One small mammogram, drawn by hand so that the truth of every column is known.

Pixels are wider than high, padding lies above the breast and in a patch on it, the breast begins away
from the first row and the first column, its upper corner is muscle. There are three groups that a disc
of 1 cm2 holds, and a bright chain that none holds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from mcdetect import Mammogram
from mcdetect.image.mammogram import Intent

ROW_MM, COL_MM = 0.1, 0.13
SIZE_MM = (92.0, 78.0)
TOP_MM = 10.0  # padding above
PATCH_MM = (66.0, 69.0, 50.0, 53.0)  # padding on the breast: first row, end row, first column, end column

SPECK_MM = 0.4
# (row, col) in mm. Ranked in this order, which is neither that of place nor that of number; the first three
# are flagged.
DENSE = tuple(
    (17.0 + 2.3 * (k // 3) + 0.2 * (k % 3), 63.0 + 2.4 * (k % 3) - 0.4 * (k // 3)) for k in range(6)
)
LARGE = tuple(
    (50.5 + 3.0 * (k // 3) + 0.3 * (k % 3), 59.0 + 3.7 * (k % 3) - 0.4 * (k // 3)) for k in range(9)
)
SPARSE = ((54.0, 40.0), *((54.0 + 3.7 * np.sin(a), 40.0 + 3.7 * np.cos(a)) for a in np.arange(6) * np.pi / 3))
CHAIN = tuple((38.0 + 1.1 * (k % 2), 32.5 + 4.4 * k) for k in range(9))  # no disc holds more than three
LONE = (70.0, 38.0)
ROD = (77.0, 62.0)  # one body with two knobs, on which several spots are found
KNOB_MM = (0.35, 0.175)  # from its middle to either

HEIGHTS = {DENSE: 220.0, LARGE: 110.0, SPARSE: 60.0, CHAIN: 500.0, (LONE,): 300.0}


@dataclass(frozen=True)
class Scene:
    """Grey levels, the mammogram made of them, and where the breast and the muscle truly are."""

    mammogram: Mammogram
    breast: npt.NDArray[np.bool_]
    muscle: npt.NDArray[np.bool_]
    padding: npt.NDArray[np.bool_]


def draw(spacing_mm: tuple[float, float] = (ROW_MM, COL_MM), seed: int = 5) -> Scene:
    """Draw the scene at any pixel spacing."""
    rows, cols = (round(size / step) for size, step in zip(SIZE_MM, spacing_mm, strict=True))
    row = np.arange(rows)[:, None] * spacing_mm[0]
    col = np.arange(cols)[None, :] * spacing_mm[1]
    away = SIZE_MM[1] - col  # from the chest wall, which is the last column
    outer = np.hypot((row - 50.0) / 38.0, away / 56.0)
    breast = (outer < 1.0) | ((row < 50.0) & (away < 40.0 + 0.4 * (row - TOP_MM)))
    muscle = breast & ((row - TOP_MM) / 45.0 + away / 24.0 < 1.0)
    level = np.where(muscle, 2600.0, 1500.0 + 60.0 * np.sin(row / 7.0) * np.sin(col / 9.0))
    pixels = 120.0 + np.where(breast, level, 0.0)
    rng = np.random.default_rng(seed)
    noise = rng.normal(0.0, 14.0 * 0.1 / np.sqrt(spacing_mm[0] * spacing_mm[1]), (rows, cols))
    pixels += noise

    def window(place: tuple[float, float]) -> tuple[slice, slice]:
        """Return the part of the picture within 1 mm of a place."""
        middle = [round(at / step) for at, step in zip(place, spacing_mm, strict=True)]
        reach = [round(1.0 / step) for step in spacing_mm]
        rows, cols = (slice(m - r, m + r + 1) for m, r in zip(middle, reach, strict=True))
        return rows, cols

    def disc(place: tuple[float, float], part: tuple[slice, slice]) -> npt.NDArray[np.float64]:
        away = np.hypot(row[part[0]] - place[0], col[:, part[1]] - place[1])
        return np.asarray(expit((SPECK_MM / 2.0 - away) / 0.03))

    for places, height in HEIGHTS.items():
        for place in places:
            pixels[window(place)] += height * disc(place, window(place))
    part = window(ROD)
    rod = np.zeros_like(pixels[part])
    for share in np.linspace(-1.0, 1.0, 21):
        height = 600.0 if abs(share) == 1.0 else 530.0
        along = (ROD[0] + share * KNOB_MM[0], ROD[1] + share * KNOB_MM[1])
        rod = np.maximum(rod, height * disc(along, part))
    pixels[part] += rod
    padding = np.broadcast_to(row < TOP_MM, pixels.shape).copy()
    first, end, left, right = PATCH_MM
    padding |= (row >= first) & (row < end) & (col >= left) & (col < right)
    pixels[padding] = np.nan
    image = Mammogram.from_array(
        pixels.astype(np.float32), spacing_mm, view="MLO", laterality="R", source="drawn"
    )
    # as film: of white noise alone the score for digital images lets a mark or two pass
    image = replace(image, intent=Intent.FILM)
    return Scene(image, breast & (row >= TOP_MM), muscle & (row >= TOP_MM), padding)
