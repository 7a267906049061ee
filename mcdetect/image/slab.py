"""A few slices of a stack in one picture, about one place."""

from __future__ import annotations

from dataclasses import dataclass

from mcdetect.image.mammogram import Mammogram

__all__ = ["Slab"]


@dataclass(frozen=True)
class Slab:
    """The brightest value, over a few slices, of each place of a part of the image.

    Parameters
    ----------
    image : Mammogram
        That part.
    origin_px : (int, int)
        Where it begins in the whole image.
    first, last : int
        Frames of the file between which it was taken.
    """

    image: Mammogram
    origin_px: tuple[int, int]
    first: int
    last: int
