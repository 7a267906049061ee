"""From attenuation to grey levels: quanta, detector blur, and the pictures made of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect.phantom.calcifications import SystemBlur

__all__ = ["Acquisition", "blur_mm", "expected_quanta", "heel_effect", "record", "to_presentation", "to_raw"]

_Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Acquisition:
    """How the picture is taken.

    Parameters
    ----------
    quanta_per_mm2 : float
        Detected quanta per mm2 in air, beside the breast. A 55 mm breast passes about 4 %.
    blur : SystemBlur
        Point spread of the system; calcifications are drawn with it.
    noise_blur_mm : float
        Sigma in mm of the detector's blur of the quantum noise, which makes it correlated.
    electronic_quanta : float
        Standard deviation per pixel of the electronic noise, in quanta.
    thickness_mm : float
        Compressed thickness of the breast.
    fat_per_mm, gland_per_mm, calcification_per_mm : float
        Effective linear attenuation in 1/mm, at about 20 keV, scatter included.
    heel : float
        Relative loss of exposure from the chest wall to the far edge.
    """

    quanta_per_mm2: float = 8.0e6
    blur: SystemBlur = field(default_factory=lambda: SystemBlur(0.05))
    noise_blur_mm: float = 0.035
    electronic_quanta: float = 20.0
    thickness_mm: float = 52.0
    fat_per_mm: float = 0.047
    gland_per_mm: float = 0.080
    calcification_per_mm: float = 1.6
    heel: float = 0.10

    def __post_init__(self) -> None:
        positive = (self.quanta_per_mm2, self.thickness_mm, self.fat_per_mm, self.gland_per_mm)
        if not all(math.isfinite(value) and value > 0 for value in positive):
            raise ValueError("quanta, thickness and attenuation must be finite and positive")
        if self.noise_blur_mm < 0 or self.electronic_quanta < 0 or not 0 <= self.heel < 1:
            raise ValueError("noise_blur_mm and electronic_quanta must not be negative; heel within [0, 1)")


def blur_mm(image: _Array, spacing_mm: tuple[float, float], sigma_mm: float) -> _Array:
    """Blur by a Gaussian of a sigma in mm; nothing happens below a twentieth of a pixel."""
    sigma_row, sigma_col = sigma_mm / spacing_mm[0], sigma_mm / spacing_mm[1]
    if max(sigma_row, sigma_col) < 0.05:
        return image
    size = (2 * math.ceil(4 * sigma_col) + 1, 2 * math.ceil(4 * sigma_row) + 1)
    blurred = cv2.GaussianBlur(image, size, sigmaX=sigma_col, sigmaY=max(sigma_row, 1e-3))
    return np.asarray(blurred, dtype=np.float32)


def heel_effect(shape: tuple[int, int], acquisition: Acquisition) -> _Array:
    """Relative exposure without a breast, (rows, cols): falls away from the chest wall and the middle."""
    across = np.linspace(0, 1, shape[1], dtype=np.float32)[None, :]
    down = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    return np.asarray((1 - acquisition.heel * across**2) * (1 - 0.3 * acquisition.heel * down**2))


def expected_quanta(
    attenuation: _Array, spacing_mm: tuple[float, float], acquisition: Acquisition, field_: _Array
) -> _Array:
    """Return the expected quanta per pixel behind an attenuation (dimensionless, mu times thickness)."""
    per_pixel = acquisition.quanta_per_mm2 * spacing_mm[0] * spacing_mm[1]
    return np.asarray(np.float32(per_pixel) * field_ * np.exp(-attenuation), dtype=np.float32)


def record(
    quanta: _Array, spacing_mm: tuple[float, float], acquisition: Acquisition, rng: np.random.Generator
) -> _Array:
    """Add quantum noise, blurred by the detector, and electronic noise.

    The number of quanta per pixel is large, so the Poisson distribution is drawn as a normal one
    of the same variance. Variance after the blur is the signal times the sum of the squared kernel.

    Parameters
    ----------
    quanta : (rows, cols) float32 array
        Expected quanta per pixel.
    rng : numpy.random.Generator
        Drawn from in a fixed order: the same state gives the same noise for two exposures.
    """
    noise = rng.standard_normal(quanta.shape, dtype=np.float32) * np.sqrt(quanta)
    noise = blur_mm(noise, spacing_mm, acquisition.noise_blur_mm)
    noise += np.float32(acquisition.electronic_quanta) * rng.standard_normal(quanta.shape, dtype=np.float32)
    return np.asarray(quanta + noise, dtype=np.float32)


def to_raw(quanta: _Array, full_scale_quanta: float, bits: int, offset: int) -> npt.NDArray[np.uint16]:
    """Linear grey levels: `offset` without exposure, 90 % of the range at full scale.

    Parameters
    ----------
    quanta : (rows, cols) float32 array
    full_scale_quanta : float
        Expected quanta per pixel in air.
    bits : int
        Bits stored.
    """
    top = 2**bits - 1
    gain = (0.9 * top - offset) / full_scale_quanta
    levels = np.clip(np.rint(quanta * np.float32(gain) + offset), 0, top)
    return np.asarray(levels, dtype=np.uint16)


def to_presentation(
    quanta: _Array,
    depth_mm: _Array,
    thickness_mm: _Array,
    spacing_mm: tuple[float, float],
    acquisition: Acquisition,
    bits: int,
) -> npt.NDArray[np.uint16]:
    """Logarithm with equalised thickness, dense bright, air black.

    What the thinner periphery lacks in attenuation is mostly given back (from a smoothed
    thickness, as a vendor would estimate it), so the skin line shows; then a soft S-curve.

    Parameters
    ----------
    quanta : (rows, cols) float32 array
        Recorded quanta per pixel.
    depth_mm, thickness_mm : (rows, cols) float32 arrays
        Distance to the skin line (negative in air) and thickness, in mm.
    bits : int
        Bits stored.
    """
    air = acquisition.quanta_per_mm2 * spacing_mm[0] * spacing_mm[1]
    density = -np.log(np.maximum(quanta, 1.0) / np.float32(air))
    missing = np.float32(acquisition.thickness_mm) - thickness_mm
    density += np.float32(0.80 * acquisition.fat_per_mm) * _coarse_blur(missing, spacing_mm, 2.0)
    inner = depth_mm > min(3.0, 0.3 * float(depth_mm.max()))
    low, high = np.quantile(density[inner][::7], (0.02, 0.995)) if inner.any() else (0.0, 1.0)
    share = (density - np.float32(low)) / np.float32(max(high - low, 1e-3))
    curve = 1 / (1 + np.exp(np.float32(-4.2) * (share - np.float32(0.58))))
    fade = np.clip((depth_mm + np.float32(0.4)) / np.float32(0.8), 0, 1)
    return np.asarray(np.rint(curve * fade * np.float32(0.98 * (2**bits - 1))), dtype=np.uint16)


def _coarse_blur(image: _Array, spacing_mm: tuple[float, float], sigma_mm: float) -> _Array:
    """Blur much wider than a pixel, on a coarser grid."""
    step = sigma_mm / 4
    rows = max(2, round(image.shape[0] * spacing_mm[0] / step))
    cols = max(2, round(image.shape[1] * spacing_mm[1] / step))
    small = cv2.resize(image, (cols, rows), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigmaX=4.0, sigmaY=4.0)
    return np.asarray(cv2.resize(small, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR))
