"""Whether two sets of points are one constellation: seen again turned, stretched, incompletely."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Alike", "shared_points"]

_Floats = npt.NDArray[np.float64]

# Judged: how differently a breast is placed for a second exposure of one direction. More lets chance in.
_TURNS_DEG = np.arange(-24.0, 25.0, 4.0)
_STRETCHES = (0.93, 0.965, 1.0, 1.035, 1.07)
_CELL_MM = (
    0.8  # moves in a cell of this side are one: turning and stretching by steps, and tissue, spread them
)
_SHIFTS = tuple(np.array([row, col]) for row in (0.0, 0.5) for col in (0.0, 0.5))  # of the grid of cells
_MOST = 24  # Technical: points of either set that are compared, the first ones


@dataclass(frozen=True)
class Alike:
    """What two sets of points share.

    Parameters
    ----------
    shared : int
        Points with a partner, each once.
    share : float
        Of those of the smaller set.
    """

    shared: int
    share: float


def shared_points(first: npt.ArrayLike, second: npt.ArrayLike) -> Alike:
    """Count the points that two sets share when one is moved onto the other.

    It is moved by any distance, turned by at most 24 degrees and stretched by at most 7 %. Either set may
    lack points of the other.

    Parameters
    ----------
    first, second : (n, 2) array-like of float
        Positions in mm, the most certain ones first.

    Returns
    -------
    Alike
        Nothing for sets of fewer than three points, which chance makes alike.
    """
    one, two = (np.asarray(points, np.float64).reshape(-1, 2)[:_MOST] for points in (first, second))
    least = min(len(one), len(two))
    if least < 3:
        return Alike(0, 0.0)
    best = 0
    for turn in np.radians(_TURNS_DEG):
        way = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        for stretch in _STRETCHES:
            best = max(best, _best_move(one @ way.T * stretch, two))
            if best == least:
                return Alike(best, 1.0)
    return Alike(best, best / least)


def _best_move(one: _Floats, two: _Floats) -> int:
    """Return how many points coincide under the best move: each point counts once, on either side."""
    moves = (two[None, :, :] - one[:, None, :]).reshape(-1, 2)
    i, j = np.divmod(np.arange(len(moves)), len(two))
    best = 0
    for shift in _SHIFTS:
        cell = np.floor(moves / _CELL_MM + shift).astype(np.int64)
        _, which, counts = np.unique(
            cell[:, 0] * 1_000_003 + cell[:, 1], return_inverse=True, return_counts=True
        )
        alike = np.flatnonzero(which == int(np.argmax(counts)))
        best = max(best, min(len(np.unique(i[alike])), len(np.unique(j[alike]))))
    return best
