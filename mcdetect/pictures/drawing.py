"""Marks and letters on RGB pictures, anti-aliased, at sub-pixel positions."""

from __future__ import annotations

import io
import math
import unicodedata
from functools import cache
from importlib import resources

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

__all__ = [
    "FAINT",
    "INK",
    "MOST_PANELS",
    "OUTLINE_MM",
    "PAPER",
    "Colour",
    "Picture",
    "circle",
    "fit_text",
    "outline",
    "readable",
    "round_length_mm",
    "scale_bar",
    "text",
    "text_width",
]

Picture = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

# Judged: by eye. Colours are red, green and blue, 0 to 255.
PAPER: Colour = (18, 18, 20)  # the ground
INK: Colour = (225, 225, 225)  # letters
FAINT: Colour = (150, 150, 150)  # letters of less weight
MOST_PANELS = 6
"""Groups that a picture shows magnified, at most."""
OUTLINE_MM = 2.0
"""Distance of the line about a group from its outermost calcifications, in mm."""

# Technical: letters and OpenCV's fixed-point coordinates.
_CAPITALS = 0.729  # height of capitals over the size of the font
_NO_LETTER = "\U0010ffff"
_SHIFT = 4  # bits behind the point
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
    """Write words with their base line at `row`, starting at `col`; `height` is that of capitals in px.

    Letters that the font does not have are written as escapes, such as \\u4e2d. What lies outside the picture
    is left out.
    """
    font, words = _font(height), readable(words)
    left, top, right, bottom = (math.floor(side) for side in font.getbbox(words, anchor="ls"))
    ink = Image.new("L", (right - left + 2, bottom - top + 1))
    brush = ImageDraw.Draw(ink)
    brush.text((-left, -top), words, fill=255, font=font, anchor="ls")
    cover = np.asarray(ink, np.float32) / 255.0
    if bold:
        cover = np.maximum(cover, np.roll(cover, 1, axis=1))
    first, start = row + top, col + left
    rows = slice(max(first, 0), max(first + cover.shape[0], 0))
    cols = slice(max(start, 0), max(start + cover.shape[1], 0))
    paper = picture[rows, cols]
    cover = cover[rows.start - first :, cols.start - start :][: paper.shape[0], : paper.shape[1], None]
    paper[:] = np.rint(paper + cover * (np.array(colour, np.float32) - paper))


def text_width(words: str, *, height: int = 12, bold: bool = False) -> int:
    """Return the width of words in px."""
    return math.ceil(_font(height).getlength(readable(words))) + int(bold)


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


def readable(words: str) -> str:
    """Return words with escapes for what cannot be drawn: letters that the font lacks, control characters."""
    return "".join(letter if _drawn(letter) else letter.encode("unicode_escape").decode() for letter in words)


@cache
def _font(height: int) -> ImageFont.FreeTypeFont:
    """Return the font whose capitals are so many px high."""
    data = resources.files("mcdetect.pictures.fonts").joinpath("DejaVuSans.ttf").read_bytes()
    return ImageFont.truetype(io.BytesIO(data), height / _CAPITALS, layout_engine=ImageFont.Layout.BASIC)


@cache
def _drawn(letter: str) -> bool:
    """Tell whether the font has a letter: what it lacks looks as a letter that is none does."""
    if unicodedata.category(letter).startswith("C"):
        return False
    looks = [_font(24).getmask(shape) for shape in (letter, _NO_LETTER)]
    return looks[0].size != looks[1].size or bytes(looks[0]) != bytes(looks[1])


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
