"""The look of a digitised film: characteristic curve, grain, dust, scratches and film border."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.phantom.exposure import blur_mm

__all__ = ["FilmLook", "add_film_defects", "film_brightness"]

_Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class FilmLook:
    """What film and digitiser add.

    Parameters
    ----------
    dust_specks : int
        Specks that block light in the digitiser: bright, 1 to 3 pixels, sharper than any system blur.
    scratches : int
        Thin straight lines.
    border_mm : float
        Width in mm of the unexposed, clear (bright) margin; 0 for none.
    grain : float
        Standard deviation of the grain at one pixel of 0.05 mm, in optical density.
    """

    dust_specks: int = 60
    scratches: int = 3
    border_mm: float = 2.5
    grain: float = 0.02


def film_brightness(
    quanta: _Array,
    reference_quanta: float,
    spacing_mm: tuple[float, float],
    look: FilmLook,
    rng: np.random.Generator,
) -> _Array:
    """Develop and digitise: brightness 0 (black, most exposed) to 1 (clear film).

    Parameters
    ----------
    quanta : (rows, cols) float32 array
        Recorded quanta per pixel.
    reference_quanta : float
        Quanta per pixel that give the middle of the characteristic curve.
    """
    exposure = np.log10(np.maximum(quanta, 1.0) / np.float32(reference_quanta))
    base, top, slope = 0.2, 3.8, 3.6
    density = base + (top - base) / (1 + np.exp(-np.float32(slope) * exposure))
    grain = blur_mm(rng.standard_normal(quanta.shape, dtype=np.float32), spacing_mm, 0.02)
    area = math.sqrt(0.05**2 / (spacing_mm[0] * spacing_mm[1]))
    density += np.float32(look.grain * area) * grain * np.sqrt(density)
    return np.asarray(np.clip((top - density) / (top - 0.1), 0, 1), dtype=np.float32)


def add_film_defects(
    brightness: _Array, spacing_mm: tuple[float, float], look: FilmLook, rng: np.random.Generator
) -> _Array:
    """Add dust, scratches and the film border to a digitised film, in units of brightness (0 to 1)."""
    out = brightness.copy()
    rows, cols = out.shape
    for _ in range(look.dust_specks):
        row, col = int(rng.integers(0, rows)), int(rng.integers(0, cols))
        height, width = (int(n) for n in rng.integers(1, 4, 2))
        patch = out[row : row + height, col : col + width]
        keep = rng.random(patch.shape) < 0.8
        keep[0, 0] = True
        patch += np.where(keep, np.float32(rng.uniform(0.08, 0.45)), np.float32(0))
    for _ in range(look.scratches):
        line = np.zeros((rows, cols), np.uint8)
        steep = rng.random() < 0.7
        at, lean = rng.uniform(0.05, 0.95), rng.normal(0, 0.01)
        first, last = sorted(rng.uniform(-0.1, 1.1, 2))
        ends = [(at + lean * first, first), (at + lean * last, last)]
        points = [
            (int(a * cols), int(b * rows)) if steep else (int(b * cols), int(a * rows)) for a, b in ends
        ]
        cv2.line(line, points[0], points[1], 255, 1, cv2.LINE_AA)
        out += line.astype(np.float32) * np.float32(rng.choice([-1, 1]) * rng.uniform(0.03, 0.12) / 255)
    if look.border_mm > 0:
        _clear_border(out, spacing_mm, look.border_mm, rng)
    return np.asarray(np.clip(out, 0, 1), dtype=np.float32)


def _clear_border(
    image: _Array, spacing_mm: tuple[float, float], width_mm: float, rng: np.random.Generator
) -> None:
    """Brighten a slightly oblique margin on each side but the chest wall (first column), in place."""
    rows, cols = image.shape
    row = (np.arange(rows, dtype=np.float32) + 0.5) * np.float32(spacing_mm[0])
    col = (np.arange(cols, dtype=np.float32) + 0.5) * np.float32(spacing_mm[1])
    tilt = rng.normal(0, 0.006, 3).astype(np.float32)
    height, width = rows * spacing_mm[0], cols * spacing_mm[1]
    margin = width_mm * rng.uniform(0.6, 1.4, 3)
    top = row[:, None] - (margin[0] + tilt[0] * (col[None, :] - width / 2))
    bottom = (height - row)[:, None] - (margin[1] + tilt[1] * (col[None, :] - width / 2))
    side = (width - col)[None, :] - (margin[2] + tilt[2] * (row[:, None] - height / 2))
    inside = np.minimum(np.minimum(top, bottom), side)
    share = np.clip(-inside / np.float32(0.15) + np.float32(0.5), 0, 1)
    image += share * (np.float32(0.93) - image)
