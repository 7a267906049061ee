"""The outline of the breast does not depend on how the display processed the image."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from breast_phantom import overlap

from mcdetect.breast import find_breast
from mcdetect.config import BreastConfig
from mcdetect.image.mammogram import Mammogram
from mcdetect.phantom import draw_mammogram

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
SPACING_MM = 0.14


def _steep(share: np.ndarray) -> np.ndarray:
    return share**2


def _flat(share: np.ndarray) -> np.ndarray:
    return np.sqrt(share)


def _sigmoid(share: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-8.0 * (share - 0.5))) - 1.0 / (1.0 + np.exp(4.0))


def _sharpened(share: np.ndarray) -> np.ndarray:
    wide = cv2.GaussianBlur(share, (0, 0), 0.6 / SPACING_MM)
    return np.clip(share + 2.0 * (share - wide), 0.0, 1.0)


def _flattened(share: np.ndarray) -> np.ndarray:
    """Enhance structures, clip what falls below black: fat beside dense tissue becomes as dark as air."""
    wide = cv2.GaussianBlur(share, (0, 0), 2.0 / SPACING_MM)
    return np.clip(share + (share - wide), 0.0, 1.0)


def _equalised(share: np.ndarray) -> np.ndarray:
    """Strong large structures halved, small ones raised, air kept black."""
    wide, middle = (cv2.GaussianBlur(share, (0, 0), mm / SPACING_MM) for mm in (6.0, 1.0))
    raised = 0.3 + 0.5 * wide + 1.5 * (middle - wide) + 2.0 * (share - middle)
    return np.where(share > 0.004, np.maximum(raised, 0.02), 0.0)


DISPLAYS = (_steep, _flat, _sigmoid, _sharpened, _flattened, _equalised)


@cache
def digital(name: str) -> np.ndarray:
    """Grey levels from 0 to 1 at 0.14 mm."""
    if name == "phantom":
        pixels = draw_mammogram((1080, 820), SPACING_MM, seed=11).to_mammogram().pixels
    else:
        path = SHARED / "nyu_1" / name
        if not path.exists():
            pytest.skip("the shared test data is absent")
        whole = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        size = (whole.shape[1] // 2, whole.shape[0] // 2)
        pixels = cv2.resize(whole, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    low, high = float(pixels.min()), float(np.percentile(pixels, 99.8))
    return np.clip((pixels - low) / (high - low), 0.0, 1.1)


@pytest.mark.parametrize("display", DISPLAYS, ids=lambda display: display.__name__.strip("_"))
@pytest.mark.parametrize("name", ["phantom", "1_L_CC.png", "1_R_CC.png"])
def test_outline_is_that_of_the_plain_image(name: str, display: Callable[[np.ndarray], np.ndarray]) -> None:
    share = digital(name)
    plain, shown = (
        find_breast(Mammogram.from_array(4095.0 * pixels, SPACING_MM), BreastConfig()).mask
        for pixels in (share, np.asarray(display(share), np.float32))
    )
    assert overlap(shown, plain) > 0.97


def test_a_halo_about_the_breast_does_not_lose_it() -> None:
    """Air in grey, a lighter halo, and a dark band between halo and skin line."""
    share = digital("phantom") + 0.06
    wide, middle = (cv2.GaussianBlur(share, (0, 0), mm / SPACING_MM) for mm in (6.0, 1.0))
    raised = 0.3 + 0.5 * wide + 2.0 * (middle - wide) + 2.5 * (share - middle)
    halo = np.clip(wide / 0.08, 0.0, 1.0) * np.maximum(raised, 0.02)
    plain, found = (
        find_breast(Mammogram.from_array(4095.0 * pixels, SPACING_MM), BreastConfig()).mask
        for pixels in (share, np.asarray(halo, np.float32))
    )
    assert (found & plain).sum() > 0.97 * plain.sum()
