"""Marks and letters on RGB pictures, anti-aliased, at sub-pixel positions."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

__all__ = [
    "FAINT",
    "INK",
    "PAPER",
    "Colour",
    "Picture",
    "circle",
    "fit_text",
    "outline",
    "round_length_mm",
    "scale_bar",
    "text",
    "text_width",
]

Picture = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

PAPER: Colour = (18, 18, 20)
INK: Colour = (225, 225, 225)
FAINT: Colour = (150, 150, 150)

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SHIFT = 4
_ONE = 1 << _SHIFT


def _fixed(value: float) -> int:
    return round(value * _ONE)


def circle(
    picture: Picture, row: float, col: float, radius: float, colour: Colour, thickness: int = 1
) -> None:
    """Draw a circle; the position and the radius are in px of the picture."""
    centre = (_fixed(col), _fixed(row))
    cv2.circle(picture, centre, _fixed(radius), colour, thickness, cv2.LINE_AA, _SHIFT)


def outline(
    picture: Picture,
    points: npt.NDArray[np.float64],
    padding: float,
    colour: Colour,
    thickness: int = 1,
) -> npt.NDArray[np.float64]:
    """Draw the convex hull of points, grown by `padding` with round corners.

    Parameters
    ----------
    picture : (rows, cols, 3) uint8 array
        Drawn on in place.
    points : (n, 2) float64 array
        Rows and columns, in px of the picture.
    padding : float
        Distance between the points and the line, in px.

    Returns
    -------
    (k, 2) float64 array
        The corners of the line, as rows and columns.
    """
    angles = np.linspace(0.0, 2.0 * math.pi, 48, endpoint=False)
    ring = padding * np.stack([np.sin(angles), np.cos(angles)], axis=1)
    grown = (points[:, None, :] + ring[None, :, :]).reshape(-1, 2)
    hull = np.asarray(cv2.convexHull(grown[:, ::-1].astype(np.float32))).reshape(-1, 2)
    line = np.rint(hull * _ONE).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(picture, [line], True, colour, thickness, cv2.LINE_AA, _SHIFT)
    return hull[:, ::-1].astype(np.float64)


def text(
    picture: Picture,
    words: str,
    row: int,
    col: int,
    colour: Colour,
    *,
    height: int = 12,
    bold: bool = False,
) -> None:
    """Write words with their base line at `row`, starting at `col`; `height` is that of capitals in px."""
    cv2.putText(picture, _plain(words), (col, row), _FONT, _scale(height), colour, 1 + int(bold), cv2.LINE_AA)


def text_width(words: str, *, height: int = 12, bold: bool = False) -> int:
    """Return the width of words in px."""
    (width, _), _ = cv2.getTextSize(_plain(words), _FONT, _scale(height), 1 + int(bold))
    return int(width)


def fit_text(words: str, width: int, *, height: int = 12) -> str:
    """Return words shortened in the middle until they are at most `width` px wide."""
    if text_width(words, height=height) <= width:
        return words
    for keep in range(len(words) - 1, 1, -1):
        head = keep // 2
        shorter = f"{words[:head]}...{words[len(words) - (keep - head) :]}"
        if text_width(shorter, height=height) <= width:
            return shorter
    return ""


def _scale(height: int) -> float:
    return height / 22.0


def _plain(words: str) -> str:
    """Return words in the letters that the font has."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in words)


def round_length_mm(longest_mm: float) -> float:
    """Return the largest of 1, 2, 5, 10, 20, 50 ... mm (or tenths) that is not longer."""
    power = 10.0 ** math.floor(math.log10(longest_mm))
    return max(step * power for step in (1.0, 2.0, 5.0) if step * power <= longest_mm * (1 + 1e-9))


def scale_bar(
    picture: Picture, row: int, right: int, px_per_mm: float, longest: int, colour: Colour, *, height: int
) -> int:
    """Draw a scale bar with its length in mm, ending at column `right`.

    Parameters
    ----------
    row : int
        Base line of the letters, in px.
    longest : int
        Longest bar, in px.

    Returns
    -------
    int
        Column at which the bar or its label starts.
    """
    length_mm = round_length_mm(longest / px_per_mm)
    length = round(length_mm * px_per_mm)
    label = f"{length_mm:g} mm"
    start = right - text_width(label, height=height)
    text(picture, label, row, start, colour, height=height)
    end = start - 8
    middle, tick = row - height // 2, max(3, height // 3)
    cv2.line(picture, (end - length, middle), (end, middle), colour, 1, cv2.LINE_8)
    for col in (end - length, end):
        cv2.line(picture, (col, middle - tick), (col, middle + tick), colour, 1, cv2.LINE_8)
    return end - length
