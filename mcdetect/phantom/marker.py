"""The view label: block letters beside the breast, as lead markers and vendors leave them."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["draw_label"]

_GLYPHS = {
    "A": ("01110", "10001", "10001", "11111", "10001", "10001", "10001"),
    "C": ("01110", "10001", "10000", "10000", "10000", "10001", "01110"),
    "H": ("10001", "10001", "10001", "11111", "10001", "10001", "10001"),
    "L": ("10000", "10000", "10000", "10000", "10000", "10000", "11111"),
    "M": ("10001", "11011", "10101", "10101", "10001", "10001", "10001"),
    "N": ("10001", "11001", "10101", "10011", "10001", "10001", "10001"),
    "O": ("01110", "10001", "10001", "10001", "10001", "10001", "01110"),
    "P": ("11110", "10001", "10001", "11110", "10000", "10000", "10000"),
    "R": ("11110", "10001", "10001", "11110", "10100", "10010", "10001"),
    "T": ("11111", "00100", "00100", "00100", "00100", "00100", "00100"),
    " ": ("000", "000", "000", "000", "000", "000", "000"),
}


def draw_label(text: str, height_mm: float, spacing_mm: tuple[float, float]) -> npt.NDArray[np.float32]:
    """Return block letters, 0 to 1, each `height_mm` high.

    Parameters
    ----------
    text : str
        Letters of "ACHLMNOPRT" and blanks.
    height_mm : float
        Height of the letters in mm.
    spacing_mm : (float, float)
        Pixel spacing (row, column) in mm.
    """
    unknown = sorted(set(text) - set(_GLYPHS))
    if unknown or not text:
        raise ValueError(f"no glyphs for {unknown}" if unknown else "the label must not be empty")
    columns = []
    for letter in text:
        glyph = np.array([[int(bit) for bit in line] for line in _GLYPHS[letter]], np.float32)
        columns += [glyph, np.zeros((7, 1), np.float32)]
    bitmap = np.pad(np.concatenate(columns[:-1], axis=1), 1)
    fine = cv2.resize(bitmap, None, fx=16, fy=16, interpolation=cv2.INTER_NEAREST)
    # Blur and threshold: rounded strokes instead of steps.
    fine = (cv2.GaussianBlur(fine, (0, 0), sigmaX=6.0) > 0.42).astype(np.float32)
    dot = height_mm / 7
    rows = max(1, round(bitmap.shape[0] * dot / spacing_mm[0]))
    cols = max(1, round(bitmap.shape[1] * dot / spacing_mm[1]))
    return np.asarray(cv2.resize(fine, (cols, rows), interpolation=cv2.INTER_AREA), dtype=np.float32)
