"""Which bits of the stored words are the pixel's value, and whether they have a sign.

Headers say so, and are wrong now and then: spare bits hold overlays, text or leftovers of a codec, detectors
deliver more bits than are stated, and signs are written for what has none. Pictures are continuous: from one
pixel to the next the value changes little, unless bits are read that are none of it, or left out that are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Values", "settle_bits"]

Words = npt.NDArray[np.int64]

# Technical: to be quick.
_MOST_PAIRS = 1_000_000  # neighbours that are looked at
_THIN = 4  # every so many rows are looked at first

# Judged: a step to the neighbour of a quarter of the range is none of an ordinary picture.
_LARGE = 0.25

# Judged: what tells that values wrap around. Fewer pairs are labels, or pixels that failed.
_LEAST_PAIRS = 64  # neighbours of which one is near the low end and the other near the high end
_RATIO = 2.0  # as many times more than if the sign were the other
_LEVELS = 8  # different values on either side, at least: a burnt-in label has fewer
_BINS = 32
_LINE_SHARE = 0.8
"""In two of 32 strips lie at most as many of the pairs; edges of a white border lie in one or two."""


@dataclass(frozen=True)
class Values:
    """Pixel values, freed from what else the words hold.

    Parameters
    ----------
    values : (rows, cols) integer array
    bits : int
        Bits that hold the value.
    signed : bool
    padding : (rows, cols) bool array or None
        Where the words are padding that lies outside of the value's range.
    steps, flags : tuple of str
        What was done, and remarks.
    """

    values: npt.NDArray[Any]
    bits: int
    signed: bool
    padding: npt.NDArray[np.bool_] | None
    steps: tuple[str, ...]
    flags: tuple[str, ...]


def settle_bits(
    stored: npt.NDArray[Any],
    bits: int,
    signed: bool,
    *,
    padding: tuple[int, int] | None = None,
    has_overlay: bool = False,
) -> Values:
    """Mask what lies above the value, and decide on its sign.

    Parameters
    ----------
    stored : (rows, cols) integer array, native-endian
        Words with the value in the lowest bits.
    bits : int
        Bits Stored.
    signed : bool
        Pixel Representation.
    padding : (int, int), optional
        Pixel Padding Value and Range Limit.
    has_overlay : bool
        Whether the header says that an overlay lies in spare bits.

    Returns
    -------
    Values

    Notes
    -----
    DICOM PS3.5, 8.1.1: bits that are not of the value may hold anything.
    """
    width = 8 * stored.dtype.itemsize
    words = stored.view(np.dtype(f"u{stored.dtype.itemsize}"))
    steps: list[str] = []
    flags: list[str] = []
    padded = _padding_outside(words, width, bits, signed, padding)
    kept = bits
    if bits < width and not _fits(stored, words, bits, signed, padded):
        kept = _bits_in_use(words, width, bits, signed, padded)
        if kept > bits:
            flags.append("pixel values exceed Bits Stored")
        elif has_overlay:
            steps.append(f"bits above Bits Stored {bits} (overlay) dropped")
        else:
            steps.append(f"bits above Bits Stored {bits} dropped")
            flags.append("bits above Bits Stored hold something else: dropped")
    low = words & words.dtype.type((1 << kept) - 1)
    has_sign = _has_sign(low, kept, signed)
    if has_sign != signed:
        stated, found = ("signed", "unsigned") if signed else ("unsigned", "signed")
        flags.append(f"Pixel Representation says {stated}, but the pixels are {found}")
    values = _with_sign(low, kept) if has_sign else low
    if has_sign and kept < width and (has_sign != signed or not np.array_equal(values, stored)):
        steps.append(f"sign extended from {kept} bits")
    if padded is not None:
        values = np.where(padded, values[~padded].min() if not padded.all() else 0, values).astype(
            values.dtype
        )
    return Values(values, kept, has_sign, padded, tuple(steps), tuple(flags))


def _with_sign(words: npt.NDArray[Any], bits: int) -> npt.NDArray[Any]:
    spare = 8 * words.dtype.itemsize - bits
    signed = words.view(np.dtype(f"i{words.dtype.itemsize}"))
    return (signed << spare) >> spare if spare else signed


def _padding_outside(
    words: npt.NDArray[Any], width: int, bits: int, signed: bool, padding: tuple[int, int] | None
) -> npt.NDArray[np.bool_] | None:
    """Return where words are padding outside of the range of the stated bits; such words are no values."""
    if padding is None or bits >= width:
        return None
    least, most = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    if any(least <= value <= most or not -(1 << width) < value < (1 << width) for value in padding):
        return None
    ends = sorted(value % (1 << width) for value in padding)
    found = (words >= ends[0]) & (words <= ends[1])
    return found if found.any() else None


def _fits(
    stored: npt.NDArray[Any],
    words: npt.NDArray[Any],
    bits: int,
    signed: bool,
    padded: npt.NDArray[np.bool_] | None,
) -> bool:
    """Tell whether the words hold nothing but values of the stated bits."""
    if padded is not None:
        if padded.all():
            return True
        stored, words = stored[~padded], words[~padded]
    if int(words.max()) < 1 << bits:
        return True
    half = 1 << (bits - 1)
    return signed and stored.dtype.kind == "i" and -half <= int(stored.min()) and int(stored.max()) < half


def _bits_in_use(
    words: npt.NDArray[Any],
    width: int,
    bits: int,
    signed: bool,
    padded: npt.NDArray[np.bool_] | None,
) -> int:
    """Return how many bits the values have: as many as leave the fewest large steps, rather few than many."""
    first, second = _unusual_neighbours(words, bits, padded)
    used = int(np.bitwise_or.reduce(first) | np.bitwise_or.reduce(second)) if first.size else 0
    counts = [bits, *(count for count in range(bits + 1, width + 1) if used >> (count - 1) & 1)]
    steps = [
        np.count_nonzero(
            np.abs(_read(first, count, signed) - _read(second, count, signed)) >= _LARGE * 2**count
        )
        for count in counts
    ]
    return counts[int(np.argmin(steps))]


def _unusual_neighbours(
    words: npt.NDArray[Any], bits: int, padded: npt.NDArray[np.bool_] | None
) -> tuple[Words, Words]:
    """Return pairs of neighbours of which one at least has bits above the stated ones."""
    high = (words >> bits) != 0
    pairs: list[tuple[Words, Words]] = []
    for one, two in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        look = high[one] | high[two]
        if padded is not None:
            look &= ~(padded[one] | padded[two])
        at = np.flatnonzero(look)
        at = at[:: max(1, at.size // _MOST_PAIRS)]
        pairs.append(
            (words[one].reshape(-1)[at].astype(np.int64), words[two].reshape(-1)[at].astype(np.int64))
        )
    return np.concatenate([pair[0] for pair in pairs]), np.concatenate([pair[1] for pair in pairs])


def _read(words: Words, bits: int, signed: bool) -> Words:
    low = words & ((1 << bits) - 1)
    return low - ((low >> (bits - 1)) << bits) if signed else low


def _has_sign(words: npt.NDArray[Any], bits: int, signed: bool) -> bool:
    """Return whether values have a sign: as stated, unless they wrap around and would not with the other."""
    if bits < 2 or not _may_wrap(words[::_THIN], bits, signed):
        return signed
    stated = _wraps(words, bits, signed)
    if (
        stated.rows.size < _LEAST_PAIRS
        or stated.rows.size < _RATIO * _wraps(words, bits, not signed).rows.size
    ):
        return signed
    few = min(np.unique(stated.low).size, np.unique(stated.high).size) < _LEVELS
    shape = words.shape
    if few or _along_a_line(stated.rows, shape[0]) or _along_a_line(stated.cols, shape[1]):
        return signed
    return not signed


def _may_wrap(words: npt.NDArray[Any], bits: int, signed: bool) -> bool:
    """Tell quickly whether values of the lowest and of the highest quarter of the range lie side by side."""
    quarter, half, top = 1 << (bits - 2), 1 << (bits - 1), (1 << bits) - 1
    placed = (words + words.dtype.type(half)) & words.dtype.type(top) if signed else words
    low, high = placed < quarter, placed > top - quarter
    meet = np.count_nonzero(low[:, :-1] & high[:, 1:]) + np.count_nonzero(high[:, :-1] & low[:, 1:])
    return bool(meet * 2 * _THIN >= _LEAST_PAIRS)


@dataclass(frozen=True)
class _Wraps:
    """Neighbours of which one is near the low and one near the high end of the range."""

    rows: npt.NDArray[np.intp]
    cols: npt.NDArray[np.intp]
    low: npt.NDArray[Any]
    high: npt.NDArray[Any]


def _wraps(words: npt.NDArray[Any], bits: int, signed: bool) -> _Wraps:
    """Find neighbours that are far apart as read, and near each other across the ends of the range.

    Pixels at the ends of what occurs are left out: they are saturated, burnt in, or air.
    """
    # Read with its sign, the range begins in the middle of the words.
    half, top = 1 << (bits - 1), (1 << bits) - 1
    placed = (words + words.dtype.type(half)) & words.dtype.type(top) if signed else words
    near = int(_LARGE * (1 << bits)) // 2
    inner = (
        (words != words.min()) & (words != words.max()) & (placed != placed.min()) & (placed != placed.max())
    )
    low, high = (placed < near) & inner, (placed > top - near) & inner
    found = []
    for one, two, step in ((np.s_[:, :-1], np.s_[:, 1:], (0, 1)), (np.s_[:-1], np.s_[1:], (1, 0))):
        for first, second in ((low, high), (high, low)):
            meet = first[one] & second[two]
            rows, cols = np.divmod(np.flatnonzero(meet), meet.shape[1])  # ten times quicker than np.nonzero
            values = placed[rows, cols], placed[rows + step[0], cols + step[1]]
            found.append((rows, cols, *(values if first is low else values[::-1])))
    return _Wraps(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _along_a_line(at: npt.NDArray[np.intp], length: int) -> bool:
    """Tell whether nearly all positions lie in two narrow strips."""
    counts = np.bincount(at * _BINS // length, minlength=_BINS)
    return bool(np.sort(counts)[-2:].sum() > _LINE_SHARE * at.size)
