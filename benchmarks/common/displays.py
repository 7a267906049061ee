"""What makers do to a mammogram before anyone sees it: curves, enhancement, noise, blur, lossy coding.

Used by the fit (random displays of the training images) and by the benchmark robustness (each one at a
fixed strength). `Display` works on the finished image; `Exposure` on the background, before
calcifications are inserted, since noise and blur change what their SNR refers to.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float32]
Display = Callable[[Image, float], Image]
"""From grey levels (0 air to about 1 brightest tissue) and pixel size in mm to grey levels as shown."""
Exposure = Callable[[Image, float, npt.NDArray[np.bool_], np.random.Generator], Image]
"""The same with a mask of the breast, for the noise measured there."""

QUALITY = (75, 96)
"""Of lossy JPEG, as images are kept with it."""
LOSSY_SHARE = 0.2
"""Of the random displays."""


def smooth(pixels: Image, sigma_mm: float, spacing_mm: float) -> Image:
    """Blur with a Gaussian of `sigma_mm`."""
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma_mm / spacing_mm), np.float32)


def curve(power: float) -> Display:
    """Return a power law: below 1 dark tissue is spread, above 1 bright tissue."""
    return lambda share, _: np.maximum(share, 0.0) ** np.float32(power)


def sigmoid(steepness: float) -> Display:
    """Return an S-shaped curve, as film has and VOI LUTs imitate."""

    def show(share: Image, _: float) -> Image:
        low, high = (1.0 / (1.0 + np.exp(-steepness * (end - 0.5))) for end in (0.0, 1.0))
        return np.asarray((1.0 / (1.0 + np.exp(-steepness * (share - 0.5))) - low) / (high - low), np.float32)

    return show


def sharpened(amount: float, sigma_mm: float) -> Display:
    """Return edge enhancement: details below about `sigma_mm` raised by `amount`."""
    return lambda share, mm: np.clip(
        share + np.float32(amount) * (share - smooth(share, sigma_mm, mm)), 0, 1.3
    )


def flattened(large: float, middle: float, fine: float) -> Display:
    """Return multi-scale enhancement: a gain each for what is above 6 mm, 1 to 6 mm, and below 1 mm."""

    def show(share: Image, mm: float) -> Image:
        wide, near = smooth(share, 6.0, mm), smooth(share, 1.0, mm)
        raised = 0.3 + large * wide + middle * (near - wide) + fine * (share - near)
        # Air goes to black at the skin line, but without a step: one would make speckle of the noise of
        # a film's dark base.
        inside = np.clip(near / 0.05, 0.0, 1.0)
        return np.asarray(inside * np.clip(raised, 0.02, 1.5), np.float32)

    return show


def local_histogram(limit: float) -> Display:
    """Return histogram equalisation in tiles (CLAHE)."""

    def show(share: Image, _: float) -> Image:
        grey = np.clip(share * 50000.0, 0, 65535).astype(np.uint16)
        return np.asarray(cv2.createCLAHE(limit, (8, 8)).apply(grey), np.float32) / np.float32(50000.0)

    return show


def lossy(quality: int) -> Display:
    """Return 8-bit JPEG."""

    def show(share: Image, _: float) -> Image:
        grey = np.clip(share * 220.0, 0, 255).astype(np.uint8)
        coded = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.float32) / np.float32(220.0)

    return show


def noisier(factor: float) -> Exposure:
    """Return noise of `factor` times that of the image, white and of one strength everywhere."""

    def expose(
        pixels: Image, spacing_mm: float, breast: npt.NDArray[np.bool_], rng: np.random.Generator
    ) -> Image:
        rest = (pixels - cv2.blur(pixels, (3, 3)))[breast]
        spread = 1.4826 * float(np.median(np.abs(rest - np.median(rest))))
        noise = np.float32(factor * spread) * rng.standard_normal(pixels.shape, np.float32) * breast
        # No tissue is darker than air.
        return np.asarray(np.maximum(pixels + noise, pixels.min()), np.float32)

    return expose


def blurrier(sigma_mm: float) -> Exposure:
    """Return blur by a Gaussian of `sigma_mm`."""
    return lambda pixels, spacing_mm, breast, rng: smooth(pixels, sigma_mm, spacing_mm)


def shown(
    pixels: Image, spacing_mm: float, breast: npt.NDArray[np.bool_], display: Display, *, top: float = 4095.0
) -> Image:
    """Apply a display to an image of any grey levels; the result is rounded to steps of one."""
    low, high = float(pixels.min()), float(np.percentile(pixels[breast], 99.8))
    share = (pixels - np.float32(low)) / np.float32(high - low)
    return np.asarray(np.rint(np.float32(top / 1.5) * display(share, spacing_mm)), np.float32)


def random_display(rng: np.random.Generator) -> Display:
    """Draw a display as makers use them, some of them kept as lossy JPEG."""
    display = _random_processing(rng)
    if display is None:
        return lossy(int(rng.integers(*QUALITY)))
    if rng.uniform() < LOSSY_SHARE:
        coding = lossy(int(rng.integers(*QUALITY)))
        return lambda share, mm: coding(display(share, mm), mm)
    return display


def _random_processing(rng: np.random.Generator) -> Display | None:
    kind = rng.integers(6)
    if kind == 0:
        return curve(float(np.exp(rng.uniform(np.log(0.5), np.log(2.0)))))
    if kind == 1:
        return sigmoid(float(rng.uniform(2.0, 6.0)))
    if kind == 2:
        return sharpened(float(rng.uniform(0.4, 2.5)), float(rng.uniform(0.15, 2.5)))
    if kind == 3:
        return flattened(
            float(rng.uniform(0.3, 1.0)), float(rng.uniform(0.8, 2.0)), float(rng.uniform(0.8, 2.5))
        )
    if kind == 4:
        first, second = (
            sharpened(float(rng.uniform(0.3, 1.5)), float(rng.uniform(0.2, 1.5))),
            curve(float(rng.uniform(0.7, 1.5))),
        )
        return lambda share, mm: second(first(share, mm), mm)
    return None


def random_exposure(rng: np.random.Generator) -> Exposure:
    """Draw more noise or more blur."""
    if rng.uniform() < 0.6:
        return noisier(float(rng.uniform(0.3, 2.0)))
    return blurrier(float(rng.uniform(0.03, 0.1)))
