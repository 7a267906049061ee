"""Real tissue in a digital detector's noise: films without their grain and dust, exposed anew.

There is one real digital exam to fit on. Tissue does not change with the detector, so films lend theirs:
medians take grain and dust away, and noise as detectors make it is added: nearly white, of a strength that
depends on the exposure, in a ratio to the tissue's texture that spans that of low and high doses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.common.backgrounds import Background, films

SIZES_MM = ((0.07, 0.1), (0.085, 0.07), (0.1, 0.085), (0.07, 0.1))
"""Pixel sizes of successive films."""
TEXTURE_RATIO = (1.3, 2.2)
"""Of the spread at 0.35 mm (texture) to that at 0.07 mm (noise)."""
NOISE_BLUR_PX = (0.2, 0.7)
EXPOSURE_POWER = (-0.5, 0.5)
"""Power of the local grey level to which the noise is proportional."""

_SMOOTH_MM = 0.05
_BAND_RATIO = 1.383
_NOISE_MM, _TEXTURE_MM = 0.069, 0.25


def relit_films() -> Iterator[Background]:
    """Every film at two pixel sizes, relit."""
    for k, film in enumerate(films()):
        for turn, size in enumerate(SIZES_MM[k % len(SIZES_MM)]):
            yield relit(film.at(size), np.random.default_rng([77, 10 * k + turn]))


def relit(film: Background, rng: np.random.Generator) -> Background:
    """Take grain and dust from a film and add a digital detector's noise."""
    mm = film.spacing_mm
    clean = np.clip(film.pixels, 0, 65535).astype(np.uint16)
    tissue = cv2.medianBlur(cv2.medianBlur(clean, 5), 5).astype(np.float32)
    tissue = np.asarray(cv2.GaussianBlur(tissue, (0, 0), _SMOOTH_MM / mm), np.float32)
    breast = tissue > np.percentile(tissue, 20)
    inner = cv2.erode(breast.astype(np.uint8), np.ones((61, 61), np.uint8)) > 0
    noise = np.asarray(
        cv2.GaussianBlur(
            rng.standard_normal(tissue.shape, np.float32), (0, 0), float(rng.uniform(*NOISE_BLUR_PX))
        ),
        np.float32,
    )
    texture = _spread(_band(tissue, _TEXTURE_MM, mm)[inner])
    wanted = texture / float(rng.uniform(*TEXTURE_RATIO))
    there = _spread(_band(tissue, _NOISE_MM, mm)[inner])
    lacking = np.sqrt(max(wanted**2 - there**2, (0.3 * wanted) ** 2))
    level = cv2.GaussianBlur(tissue, (0, 0), 1.0 / mm)
    strength = np.clip(level / np.median(level[inner]), 0.3, 3.0) ** np.float32(rng.uniform(*EXPOSURE_POWER))
    strength *= np.float32(lacking / _spread(_band(noise, _NOISE_MM, mm)))
    pixels = np.rint(np.clip(tissue + strength * noise * breast, *film.limits)).astype(np.float32)
    return replace(film, pixels=pixels, kind="digital", name=f"{film.name} relit")


def _band(image: npt.NDArray[np.float32], sigma_mm: float, mm: float) -> npt.NDArray[np.float32]:
    finer, coarser = (cv2.GaussianBlur(image, (0, 0), s / mm) for s in (sigma_mm, sigma_mm * _BAND_RATIO))
    return np.asarray(finer - coarser, np.float32)


def _spread(values: npt.NDArray[np.float32]) -> float:
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))
