"""Radiographs of specimens whose truth is known: a lump, or cores, cut out of a magnified phantom."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.ndimage import gaussian_filter

from mcdetect.image.mammogram import Mammogram
from mcdetect.phantom import Calcifications, Group, PhantomMammogram, draw_magnified

GROUP = Group(10, 5.0, calcifications=Calcifications(diameter_mm=(0.2, 0.45), snr=(8, 20)))
AIR = 100.0


def draw_specimen(seed: int, kind: str = "lump") -> tuple[PhantomMammogram, Mammogram]:
    """Return a drawn view and the image of a specimen around its group; kind "lump" or "cores"."""
    drawn = draw_magnified(
        (1400, 1100), 0.1, factor=1.8, seed=seed, groups=[GROUP], collimation="open", field_mm=(60.0, 60.0)
    )
    step = drawn.spacing.row_mm
    row, col = (np.mgrid[: drawn.pixels.shape[0], : drawn.pixels.shape[1]] + 0.5) * step
    middle = drawn.clusters.iloc[0]
    y, x = row - (middle["row_px"] + 0.5) * step, col - (middle["col_px"] + 0.5) * step
    if kind == "lump":
        angle = np.arctan2(y, x)
        radius = 15 + 2 * np.sin(3 * angle + 1) + 1.5 * np.sin(5 * angle)
        thick = np.sqrt(np.clip(1 - (np.hypot(y, x) / radius) ** 2, 0, None))
    else:
        thick = np.zeros_like(y)
        for core in range(-2, 3):
            across = (y - core * 2.5 - 0.5 * np.sin(x / 4 + core)) / 1.1
            thick = np.maximum(thick, np.sqrt(np.clip(1 - across**2, 0, None)) * (np.abs(x) < 9))
    noise = np.random.default_rng(seed).normal(0, 8, thick.shape)
    pixels = drawn.pixels.astype(np.float64)
    tissue = gaussian_filter(pixels, 0.6 / step)
    # the tissue thins out towards the border; what lies in it keeps its contrast
    values = AIR + (tissue - AIR) * gaussian_filter(thick, 1) + (pixels - tissue) * (thick > 0.05) + noise
    return drawn, dataclasses.replace(
        drawn.to_mammogram(),
        pixels=np.clip(values, 0, 4095).astype(np.float32),
        flags=("specimen", "magnification view"),
    )
