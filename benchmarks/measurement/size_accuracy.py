"""How well sizes are measured: drawn calcifications of known size, by diameter and signal-to-noise ratio.

    python -m benchmarks size_accuracy [--spacing 0.05 0.07 0.1] [--diameter MM ...] [--snr ...]
        [--blur MM ...] [--sites 144] [--seed 0] [--record] [--out FILE.csv]

Backgrounds are correlated noise over a power-law texture (1 / f^3, as in breasts: Burgess 2001,
doi:10.1118/1.1355308) on which noise grows with the signal. Calcifications of `mcdetect.phantom`, far
apart, are drawn into them; then the whole chain runs (noise equalisation, spot detector, top-hat, outlines).
Whether a spot is accepted as a calcification does not matter here: every candidate within 0.3 mm of a
drawn one is measured. The signal-to-noise ratio is that of `mcdetect.phantom.insertion`.

Measured, for one irregular grain repeated ("equal") and for grains that all differ: bias of the mean diameter
and coefficient of variation (CV) of the area.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from benchmarks.common.command import Command, finish
from benchmarks.common.record import Recorder
from mcdetect import Config, Mammogram, detect
from mcdetect.phantom import CalcificationSpec, insert_calcifications

PITCH_MM = 4.5
MARGIN_MM = 6.0
MATCH_MM = 0.3
DIAMETERS_MM = (0.15, 0.2, 0.25, 0.35, 0.5, 0.7)
SNRS = (5.0, 8.0, 12.0, 20.0, 40.0)


def background(
    side_mm: float, spacing_mm: float, blur_mm: float, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Texture and noise; grey levels near 1000, noise of about 10 that grows as the root of the signal."""
    n = round(side_mm / spacing_mm)
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(n, spacing_mm), np.fft.rfftfreq(n, spacing_mm), indexing="ij"))
    f[0, 0] = np.inf
    wave = f**-1.5 * np.exp(-2.0 * (np.pi * blur_mm * f) ** 2)
    tissue = np.fft.irfft2(wave * np.fft.rfft2(rng.normal(size=(n, n))), s=(n, n))
    tissue = 1000.0 + 80.0 * tissue / tissue.std()
    # Quanta are blurred as the signal is, electronics are not.
    quantum = gaussian_filter(rng.normal(size=(n, n)), blur_mm / spacing_mm)
    noise = 0.9 * quantum / quantum.std() + 0.45 * rng.normal(size=(n, n))
    grown = np.sqrt(np.maximum(tissue, 100.0) / 1000.0)
    return np.asarray(tissue + 10.0 * grown * noise, np.float32)


def measured(
    diameter_mm: float,
    snr: float,
    spacing_mm: float,
    *,
    sites: int = 144,
    irregularity: float = 0.3,
    elongation: float = 1.2,
    blur_mm: float = 0.05,
    same: bool = False,
    seed: int = 0,
    config: Config | None = None,
) -> pd.DataFrame:
    """Draw calcifications of one size and strength and measure them.

    Parameters
    ----------
    diameter_mm, snr, spacing_mm
        What is drawn, on which pixels.
    sites : int
        How many are drawn.
    irregularity, elongation
        Shape of the grains, see `mcdetect.phantom.draw_calcification`.
    blur_mm : float
        Blur of the simulated x-ray system.
    same : bool
        Draw one and the same grain everywhere, turned at random: spread is then error alone.
    seed : int
        Seed of everything random.
    config : Config, optional
        Options of the detector.

    Returns
    -------
    DataFrame
        The columns of the detector's calcifications, one row per drawn one; NaN where no candidate lies near.
    """
    rng = np.random.default_rng([seed, round(1000 * diameter_mm), round(10 * snr), round(1000 * spacing_mm)])
    across = int(np.ceil(np.sqrt(sites)))
    side = 2 * MARGIN_MM + PITCH_MM * across
    image = background(side, spacing_mm, blur_mm, rng)
    grid = (MARGIN_MM + PITCH_MM * (np.arange(across) + 0.5)) / spacing_mm
    place = np.stack(np.meshgrid(grid, grid, indexing="ij"), -1).reshape(-1, 2)
    place = place + rng.uniform(-0.5, 0.5, place.shape)
    filled = image.copy()
    half = round(8.0 / spacing_mm)
    for k, (row, col) in enumerate(place):
        top, left = max(int(row) - half, 0), max(int(col) - half, 0)
        part = slice(top, int(row) + half), slice(left, int(col) + half)
        spec = CalcificationSpec(
            row_px=row - top,
            col_px=col - left,
            diameter_mm=diameter_mm,
            snr=snr,
            irregularity=irregularity,
            elongation=elongation,
            orientation=float(rng.uniform(0, np.pi)),
        )
        shapes = np.random.default_rng([seed, 0 if same else k])
        drawn, _ = insert_calcifications(image[part], spacing_mm, [spec], rng=shapes, blur=blur_mm)
        filled[part] += drawn - image[part]
    config = (config or Config()).replace(min_score=0.0)
    table = detect(Mammogram.from_array(filled, spacing_mm), config=config).calcifications
    spots = table[["row_px", "col_px"]].to_numpy() * spacing_mm
    distance, nearest = cKDTree(spots).query(place * spacing_mm)
    rows = table.iloc[nearest].reset_index(drop=True)
    rows = rows.select_dtypes("number").astype(float)
    rows.loc[distance > MATCH_MM] = np.nan
    return rows


def summary(rows: pd.DataFrame, diameter_mm: float) -> dict[str, float]:
    """Share measured, bias of the mean diameter, and CV of diameter and area."""
    known = rows.dropna(subset=["diameter_mm"])
    return {
        "measured": len(known) / len(rows),
        "bias": known["diameter_mm"].mean() / diameter_mm - 1.0,
        "diameter_cv": known["diameter_mm"].std() / known["diameter_mm"].mean(),
        "area_cv": known["area_mm2"].std() / known["area_mm2"].mean(),
    }


def measure(recorder: Recorder, options: argparse.Namespace) -> pd.DataFrame:
    """Add the figures of every cell; return them as a table, of equal and of varied grains."""
    lines = []
    for spacing, blur, diameter, snr in product(options.spacing, options.blur, options.diameter, options.snr):
        labels = {"pixel mm": spacing, "blur mm": blur, "diameter mm": diameter, "SNR": snr}
        for grains, same in (("equal", True), ("varied", False)):
            rows = measured(
                diameter,
                snr,
                spacing,
                sites=options.sites,
                blur_mm=blur,
                same=same,
                seed=options.seed,
                irregularity=0.3 if same else 0.6,
                elongation=1.2 if same else 1.5,
            )
            found = summary(rows, diameter)
            for name, figure in (
                ("measured", "measured"),
                ("bias", "bias"),
                ("diameter_cv", "diameter CV"),
                ("area_cv", "area CV"),
            ):
                recorder.add(figure, found[name], "share", **labels, grains=grains)
            lines.append({**labels, "grains": grains, **found})
        print(f"  {spacing:g} mm, blur {blur:g} mm, {diameter:g} mm, SNR {snr:g}", file=sys.stderr)
    return pd.DataFrame(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("size_accuracy", __doc__)
    add = command.parser.add_argument
    add("--spacing", type=float, nargs="+", default=[0.05, 0.07, 0.1], help="mm")
    add("--diameter", type=float, nargs="+", default=list(DIAMETERS_MM), help="mm")
    add("--snr", type=float, nargs="+", default=list(SNRS))
    add("--blur", type=float, nargs="+", default=[0.05], help="of the simulated system, mm")
    add("--seed", type=int, default=0, help="of everything random")
    add("--out", type=Path, metavar="FILE", help="CSV file")
    command.trial_option("--sites", type=int, default=144, help="calcifications drawn in each cell")
    options, recorder = command.parse(arguments)
    table = measure(recorder, options)
    finish(recorder, options)
    if options.out:
        table.to_csv(options.out, index=False)


if __name__ == "__main__":
    main()
