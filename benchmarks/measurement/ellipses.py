"""Axes, aspect and direction of small bodies of known shape, through the whole detector.

    python -m benchmarks ellipses [--pixel 0.07 ...] [--snr 10 20] [--minor MM ...] [--bodies 100]
        [--seed 0] [--record] [--out FILE.csv]

Bodies are drawn by code of their own, which shares nothing with `mcdetect.phantom`: flat ellipses, and
crescents (a disc less a smaller one), from 64 points per pixel, behind a Gaussian blur of 0.05 mm and the
pixel's aperture. They lie far apart on white noise, and on noise over a texture as breasts have it (1 / f^3,
noise partly blurred). Signal-to-noise ratio: response to the body, with its picture as the filter, over the
SD of the response to the noise, texture apart. In white noise that is the ideal observer's: the root of the
sum of the squared signal over the SD of the noise of a pixel.

A mark within 0.3 mm of a body (or a third of its length) is its mark. Given for each body: medians and
quartiles of measured over true axes, of the aspect, of the error of direction, and the share with an
outline. For crescents: circularity over the true one.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve
from scipy.spatial import cKDTree

from benchmarks.common.command import Command, finish
from benchmarks.common.record import Recorder
from mcdetect import Config, Mammogram, detect

BLUR_MM = 0.05
FINE = 8  # points along a pixel
PITCH_MM, MARGIN_MM, MATCH_MM = 4.5, 6.0, 0.3
PIXELS_MM = ((0.05, 0.05), (0.07, 0.07), (0.1, 0.1), (0.07, 0.1))
ASPECTS = (1.0, 1.5, 2.0, 3.0, 4.0)
MINORS_MM = (0.15, 0.2, 0.3, 0.4)
LONGEST_MM = 1.2
SNRS = (10.0, 20.0)
UNITS = {"found": "share", "outlined": "share", "twice as long": "share", "direction": "degrees"}

Inside = Callable[[npt.NDArray[np.floating], npt.NDArray[np.floating]], npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class Body:
    """A flat body.

    Parameters
    ----------
    major_mm, minor_mm : float
        Axes of the ellipse of equal second moments.
    circularity : float
        4 pi area / perimeter^2.
    inside : callable
        Of places along and across the long axis, in mm.
    reach_mm : float
        Greatest distance from the centre.
    """

    major_mm: float
    minor_mm: float
    circularity: float
    inside: Inside
    reach_mm: float


def ellipse(major_mm: float, minor_mm: float) -> Body:
    """Return an ellipse."""
    a, b = 0.5 * major_mm, 0.5 * minor_mm
    turn = np.linspace(0.0, 2.0 * math.pi, 4001)
    around = float(np.hypot(np.diff(a * np.cos(turn)), np.diff(b * np.sin(turn))).sum())
    return Body(
        major_mm,
        minor_mm,
        4.0 * math.pi * math.pi * a * b / around**2,
        lambda x, y: (x / a) ** 2 + (y / b) ** 2 <= 1,
        a,
    )


def crescent(width_mm: float, hollow: float = 0.7, shift: float = 0.6) -> Body:
    """Return a disc less another one.

    Parameters
    ----------
    width_mm : float
        Diameter of the disc.
    hollow, shift : float
        Radius of the other disc, and its distance, over the radius of the first.
    """
    radius = 0.5 * width_mm
    r, d = hollow * radius, shift * radius
    # Half angles at which the circles cross, seen from either centre.
    outer = math.acos((radius**2 + d**2 - r**2) / (2.0 * radius * d))
    inner = math.acos((r**2 + d**2 - radius**2) / (2.0 * r * d))
    lens = radius**2 * (outer - math.sin(outer) * math.cos(outer)) + r**2 * (
        inner - math.sin(inner) * math.cos(inner)
    )
    area = math.pi * radius**2 - lens
    around = 2.0 * radius * (math.pi - outer) + 2.0 * r * inner

    def inside(x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
        return np.asarray((x**2 + y**2 <= radius**2) & (x**2 + (y - d) ** 2 > r**2))

    place = (np.arange(800) + 0.5) / 400.0 * radius - radius
    y, x = np.nonzero(inside(place[None, :], place[:, None]))
    axes = 4.0 * np.sqrt(np.linalg.eigvalsh(np.cov(place[x], place[y])))
    return Body(float(axes[1]), float(axes[0]), 4.0 * math.pi * area / around**2, inside, radius)


def draw(
    body: Body, pixel_mm: tuple[float, float], degrees: float, off_px: tuple[float, float]
) -> npt.NDArray[np.float64]:
    """Draw a body behind blur and pixels, height 1 without blur.

    Parameters
    ----------
    body : Body
    pixel_mm : (float, float)
        Spacing of rows and columns.
    degrees : float
        Direction of the long axis from rising columns towards falling rows.
    off_px : (float, float)
        Place of the centre from that of the middle pixel, in pixels (row, col).
    """
    half = [math.ceil((body.reach_mm + 5.0 * BLUR_MM) / pitch) + 1 for pitch in pixel_mm]
    y, x = (
        (((np.arange((2 * n + 1) * FINE) + 0.5) / FINE - 0.5 - n) - off) * pitch
        for n, pitch, off in zip(half, pixel_mm, off_px, strict=True)
    )
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    down, right = y[:, None], x[None, :]
    figure = body.inside(right * cos - down * sin, right * sin + down * cos).astype(np.float64)
    figure = gaussian_filter(figure, [BLUR_MM * FINE / pitch for pitch in pixel_mm], mode="constant")
    return np.asarray(figure.reshape(2 * half[0] + 1, FINE, 2 * half[1] + 1, FINE).mean(axis=(1, 3)))


def background(
    shape: tuple[int, int], pixel_mm: tuple[float, float], tissue: bool, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return what is even or textured, near 1000, and noise of SD 10, white or partly blurred."""
    white = rng.normal(size=shape)
    if not tissue:
        # The detector refuses what holds nothing but noise: a slope, as of the breast's thickness.
        return np.broadcast_to(1000.0 + np.linspace(-150.0, 150.0, shape[1]), shape), 10.0 * white
    f = np.hypot(
        np.fft.fftfreq(shape[0], pixel_mm[0])[:, None], np.fft.rfftfreq(shape[1], pixel_mm[1])[None, :]
    )
    f[0, 0] = np.inf
    wave = f**-1.5 * np.exp(-2.0 * (math.pi * BLUR_MM * f) ** 2)
    texture = np.fft.irfft2(wave * np.fft.rfft2(rng.normal(size=shape)), s=shape)
    quanta = gaussian_filter(rng.normal(size=shape), [BLUR_MM / pitch for pitch in pixel_mm])
    noise = 0.8 * quanta / quanta.std() + 0.6 * white
    return 1000.0 + 80.0 * texture / texture.std(), 10.0 * noise / noise.std()


def height_for(snr: float, stamp: npt.NDArray[np.float64], noise: npt.NDArray[np.float64]) -> float:
    """Return by how much a picture is multiplied for a signal-to-noise ratio."""
    answers = fftconvolve(noise, stamp[::-1, ::-1], mode="valid")
    return snr * float(np.std(answers) / np.sum(stamp**2))


def measured(
    body: Body,
    pixel_mm: tuple[float, float],
    snr: float,
    *,
    tissue: bool = False,
    bodies: int = 100,
    seed: int = 0,
    config: Config | None = None,
) -> pd.DataFrame:
    """Draw one body many times, turned and shifted at random, and measure it.

    Parameters
    ----------
    body : Body
        What is drawn.
    pixel_mm : (float, float)
        Spacing of rows and columns.
    snr : float
        Signal-to-noise ratio.
    tissue : bool
        Over a texture, with correlated noise.
    bodies : int
        How many.
    seed : int
        Of everything random.
    config : Config, optional
        Options of the detector; by default the usual ones.

    Returns
    -------
    DataFrame
        The columns of the detector's calcifications, one row for each body, NaN where it has no mark;
        `found`; and `off_deg`, the error of the direction.
    """
    rng = np.random.default_rng([seed, round(1e4 * body.major_mm), round(1e4 * body.minor_mm), round(snr)])
    across = math.ceil(math.sqrt(bodies))
    shape = tuple(round((2 * MARGIN_MM + PITCH_MM * across) / pitch) for pitch in pixel_mm)
    level, noise = background((shape[0], shape[1]), pixel_mm, tissue, rng)
    image = level + noise
    grid = MARGIN_MM + PITCH_MM * (np.arange(across) + 0.5)
    place = np.stack(np.meshgrid(grid, grid, indexing="ij"), -1).reshape(-1, 2)[:bodies]
    place = place + rng.uniform(-0.3, 0.3, place.shape)
    turned = rng.uniform(0.0, 180.0, bodies)
    height = height_for(snr, draw(body, pixel_mm, 30.0, (0.0, 0.0)), noise)
    for centre, degrees in zip(place / pixel_mm, turned, strict=True):
        middle = np.rint(centre).astype(int)
        off = centre - middle
        stamp = draw(body, pixel_mm, float(degrees), (float(off[0]), float(off[1])))
        stamp *= height
        top, left = middle - np.array(stamp.shape) // 2
        image[top : top + stamp.shape[0], left : left + stamp.shape[1]] += stamp
    mammogram = Mammogram.from_array(image.astype(np.float32), pixel_mm)
    table = detect(mammogram, config=config).calcifications
    if not len(table):
        return pd.DataFrame({"found": np.zeros(bodies, np.bool_)})
    marks = table[["row_px", "col_px"]].to_numpy() * pixel_mm
    distance, nearest = cKDTree(marks).query(place)
    rows = table.iloc[nearest].select_dtypes("number").astype(float).reset_index(drop=True)
    found = distance <= max(MATCH_MM, body.major_mm / 3.0)
    rows[~found] = np.nan
    turn = (rows["orientation_deg"] - turned) % 180.0
    return rows.assign(found=found, off_deg=np.minimum(turn, 180.0 - turn), turned_deg=turned)


def summary(rows: pd.DataFrame, body: Body) -> dict[str, float]:
    """Return medians and quartiles of what was measured over the truth."""
    figures = {"found": float(rows["found"].mean())}
    if "major_axis_mm" not in rows:
        return figures
    figures["outlined"] = float(rows["major_axis_mm"].notna().sum() / max(rows["found"].sum(), 1))
    for name, values in (
        ("major", rows["major_axis_mm"] / body.major_mm),
        ("minor", rows["minor_axis_mm"] / body.minor_mm),
        ("aspect", rows["aspect"]),
        ("circularity", rows["circularity"] / body.circularity),
    ):
        for share, quartile in ((0.25, "25 %"), (0.5, "median"), (0.75, "75 %")):
            figures[f"{name}, {quartile}"] = float(values.quantile(share))
    figures["direction"] = float(rows["off_deg"].median())
    figures["twice as long"] = float((rows["aspect"] >= 2.0).sum() / max(rows["aspect"].notna().sum(), 1))
    return figures


def cells(options: argparse.Namespace) -> list[tuple[str, Body]]:
    """Return the bodies that are drawn, by their names."""
    drawn = [
        (f"{minor * aspect:.2g} x {minor:.2g}", ellipse(minor * aspect, minor))
        for minor, aspect in product(options.minor, options.aspect)
        if minor * aspect <= LONGEST_MM + 1e-9
    ]
    return drawn + ([] if options.no_crescents else [(f"crescent {w:g}", crescent(w)) for w in (0.6, 0.8)])


def measure(recorder: Recorder, options: argparse.Namespace) -> pd.DataFrame:
    """Add the figures of every cell; return them as a table."""
    lines = []
    for row_mm, snr, tissue in product(options.pixel, options.snr, (False, True)):
        pixel = next((p for p in PIXELS_MM if abs(p[0] - row_mm) < 1e-9 and p[0] == p[1]), (row_mm, row_mm))
        for spacing in [pixel, *(p for p in PIXELS_MM if p[0] == row_mm and p[1] != row_mm)]:
            for name, body in cells(options):
                rows = measured(body, spacing, snr, tissue=tissue, bodies=options.bodies, seed=options.seed)
                figures = summary(rows, body)
                labels = {
                    "body": name,
                    "pixel mm": f"{spacing[0]:g} x {spacing[1]:g}",
                    "SNR": snr,
                    "background": "tissue" if tissue else "white",
                }
                for figure, value in figures.items():
                    if math.isfinite(value):
                        recorder.add(figure, value, UNITS.get(figure, ""), **labels)
                lines.append({**labels, **figures})
            print(f"  {spacing}, SNR {snr:g}, {'tissue' if tissue else 'white'}", file=sys.stderr)
    return pd.DataFrame(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("ellipses", __doc__)
    command.trial_option(
        "--pixel", type=float, nargs="+", default=[0.05, 0.07, 0.1], help="mm; 0.07 takes 0.07 x 0.1 with it"
    )
    command.trial_option("--snr", type=float, nargs="+", default=list(SNRS))
    command.trial_option("--minor", type=float, nargs="+", default=list(MINORS_MM), help="mm")
    command.trial_option("--aspect", type=float, nargs="+", default=list(ASPECTS))
    command.trial_option("--bodies", type=int, default=100, help="drawn in each cell")
    command.trial_option("--no-crescents", action="store_true", default=False)
    command.parser.add_argument("--seed", type=int, default=0, help="of everything random")
    command.parser.add_argument("--out", type=Path, metavar="FILE", help="CSV file")
    options, recorder = command.parse(arguments)
    table = measure(recorder, options)
    finish(recorder, options)
    if options.out:
        table.to_csv(options.out, index=False)


if __name__ == "__main__":
    main()
