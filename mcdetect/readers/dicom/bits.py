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

# Judged: a step to the neighbour below a quarter of the stated range is an ordinary one.
_SMALL = 0.25

# Judged: what tells that values wrap around. Fewer pairs are labels, or pixels that failed.
_END = 8
"""Values within one part in so many of an end of the range are near it."""
_LEAST_PAIRS = 64  # neighbours of which one is near the low end and the other near the high end
_RATIO = 4.0  # as many times more than if the sign were the other
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
    large = _SMALL * (1 << bits)
    steps = [
        np.count_nonzero(np.abs(_read(first, count, signed) - _read(second, count, signed)) >= large)
        for count in range(bits, width + 1)
    ]
    return bits + int(np.argmin(steps))


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
    part = max(1, (1 << bits) // _END)
    half = 1 << (bits - 1)
    as_unsigned = ((words >= (1 << bits) - part), (words < part))
    as_signed = ((words >= half - part) & (words < half), (words >= half) & (words < half + part))
    stated, other = (as_signed, as_unsigned) if signed else (as_unsigned, as_signed)
    if not (stated[0].any() and stated[1].any()):
        return signed
    rows, cols = _meetings(*stated)
    if rows.size < _LEAST_PAIRS or rows.size < _RATIO * _meetings(*other)[0].size:
        return signed
    here = words[np.clip(rows, 0, words.shape[0] - 1), np.clip(cols, 0, words.shape[1] - 1)]
    around = [
        np.unique(words[np.clip(rows + up, 0, words.shape[0] - 1), np.clip(cols + on, 0, words.shape[1] - 1)])
        for up, on in ((0, 1), (1, 0))
    ]
    met = np.unique(np.concatenate([here, *around]))
    sides = [np.count_nonzero(_near(met, bits, signed, low=low)) for low in (True, False)]
    if min(sides) < _LEVELS or _along_a_line(rows, words.shape[0]) or _along_a_line(cols, words.shape[1]):
        return signed
    return not signed


def _near(words: npt.NDArray[Any], bits: int, signed: bool, *, low: bool) -> npt.NDArray[np.bool_]:
    """Tell which words are near the low or the high end of the range."""
    value = _read(words.astype(np.int64), bits, signed)
    least = -(1 << (bits - 1)) if signed else 0
    part = max(1, (1 << bits) // _END)
    return value < least + part if low else value >= least + (1 << bits) - part


def _meetings(
    high: npt.NDArray[np.bool_], low: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return rows and columns of pixels of which one is in the first set and its next one in the second."""
    across = (high[:, :-1] & low[:, 1:]) | (low[:, :-1] & high[:, 1:])
    down = (high[:-1] & low[1:]) | (low[:-1] & high[1:])
    found = [np.nonzero(across), np.nonzero(down)]
    return np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found])


def _along_a_line(at: npt.NDArray[np.intp], length: int) -> bool:
    """Tell whether nearly all positions lie in two narrow strips."""
    counts = np.bincount(at * _BINS // length, minlength=_BINS)
    return bool(np.sort(counts)[-2:].sum() > _LINE_SHARE * at.size)
