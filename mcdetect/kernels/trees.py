"""Sum of the leaves that a boosted ensemble of decision trees gives to each row.

Trees are not walked. Every comparison that fails crosses out the leaves it leads away from, as bits of a
word; the first leaf left in a tree is the one a walk ends in (the QuickScorer of C. Lucchese et al.,
SIGIR 2015, doi:10.1145/2766462.2767733). Comparisons are made feature by feature, for several rows at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.jit import kernel
from mcdetect.kernels.threads import in_parts

__all__ = ["MOST_LEAVES", "Comparisons", "compare_by_feature", "sum_leaves"]

_Ints = npt.NDArray[np.int32]
_Floats = npt.NDArray[np.float64]

MOST_LEAVES = 32
"""Technical: leaves of a tree, which are the bits of a word."""

_LEAST_ROWS = 64  # Technical: fewest rows that are worth a thread
_LANES = 32  # Technical: rows at once: whole vectors, and the words of 350 trees in the first-level cache
_ALL_LEAVES = np.uint32(0xFFFFFFFF)  # Technical: no leaf crossed out

# Technical: the number of the lowest bit of a word, by the 5 bits that a de Bruijn sequence shifts up.
_SEQUENCE = np.uint32(0x077CB531)
_BIT = np.zeros(32, np.int64)
_BIT[[(int(_SEQUENCE) << bit & 0xFFFFFFFF) >> 27 for bit in range(32)]] = np.arange(32)


@dataclass(frozen=True)
class Comparisons:
    """The comparisons of an ensemble, feature by feature, each by rising threshold.

    Parameters
    ----------
    first : (features + 1,) int32 array
        First comparison of each feature, and their number.
    threshold : (comparisons,) float32 array
        A row whose value is not at most this goes right,
    tree : (comparisons,) int32 array
        in this tree,
    leaves : (comparisons,) uint32 array
        which leaves it these, as bits from left to right.
    value : (trees, MOST_LEAVES) float64 array
        Values of the leaves, from left to right.
    """

    first: _Ints
    threshold: npt.NDArray[np.float32]
    tree: _Ints
    leaves: npt.NDArray[np.uint32]
    value: _Floats


def compare_by_feature(
    roots: _Ints, feature: _Ints, threshold: _Floats, left: _Ints, right: _Ints, value: _Floats, features: int
) -> Comparisons:
    """Return the comparisons of an ensemble of trees.

    Parameters
    ----------
    roots : (trees,) int32 array
        First node of every tree.
    feature : (nodes,) int32 array
        Column a node looks at; -1 in a leaf.
    threshold : (nodes,) float64 array
        A row goes left when its value is at most this.
    left, right : (nodes,) int32 arrays
        Next nodes, behind their parent.
    value : (nodes,) float64 array
        Value of a leaf.
    features : int
        Columns of a row.

    Returns
    -------
    Comparisons

    Raises
    ------
    ValueError
        When a tree has more than `MOST_LEAVES` leaves.
    """
    values = np.zeros((len(roots), MOST_LEAVES))
    made: list[tuple[int, float, int, int]] = []
    for tree, root in enumerate(roots):
        count = 0

        def number(node: int, tree: int = tree) -> tuple[int, int]:
            """Number the leaves below a node from left to right; return the first and the last, plus one."""
            nonlocal count
            if feature[node] < 0:
                if count == MOST_LEAVES:
                    raise ValueError(f"a tree has more than {MOST_LEAVES} leaves")
                values[tree, count] = value[node]
                count += 1
                return count - 1, count
            begin, middle = number(int(left[node]))
            end = number(int(right[node]))[1]
            crossed_out = (1 << middle) - (1 << begin)
            made.append((int(feature[node]), float(threshold[node]), tree, 0xFFFFFFFF ^ crossed_out))
            return begin, end

        number(int(root))
    made.sort()
    column = np.array([one[0] for one in made], np.int64)
    exact = np.array([one[1] for one in made], np.float64)
    # For float32 rows, x <= t is x <= the largest float32 that is no larger than t.
    single = exact.astype(np.float32)
    single = np.where(single > exact, np.nextafter(single, np.float32(-np.inf)), single)
    return Comparisons(
        first=np.searchsorted(column, np.arange(features + 1)).astype(np.int32),
        threshold=single.astype(np.float32),
        tree=np.array([one[2] for one in made], np.int32),
        leaves=np.array([one[3] for one in made], np.uint32),
        value=values,
    )


def sum_leaves(rows: npt.NDArray[np.float32], comparisons: Comparisons, out: _Floats) -> None:
    """Add up the values of the leaves that every row reaches, tree by tree.

    Parameters
    ----------
    rows : (n, features) float32 array
        What is no number goes right everywhere.
    comparisons : Comparisons
    out : (n,) float64 array
        Written.
    """
    made = comparisons
    in_parts(
        lambda first, last: _sum_leaves(
            rows[first:last],
            made.first,
            made.threshold,
            made.tree,
            made.leaves,
            made.value,
            _LANES,
            out[first:last],
        ),
        rows.shape[0],
        least=_LEAST_ROWS,
    )


@kernel  # pragma: no cover - compiled
def _sum_leaves(rows, first, threshold, tree, leaves, value, lanes, out):  # type: ignore[no-untyped-def]
    # `lanes` is no constant to the compiler, which would unroll these loops and not vectorise them.
    left = np.empty((value.shape[0], lanes), np.uint32)
    column = np.empty(lanes, np.float32)
    total = np.empty(lanes, np.float64)
    for start in range(0, rows.shape[0], lanes):
        here = min(lanes, rows.shape[0] - start)
        left[:] = _ALL_LEAVES
        for feature in range(first.size - 1):
            for lane in range(lanes):
                column[lane] = rows[start + min(lane, here - 1), feature]
            for k in range(first[feature], first[feature + 1]):
                limit, kept, words = threshold[k], leaves[k], left[tree[k]]
                for lane in range(lanes):
                    words[lane] &= _ALL_LEAVES if column[lane] <= limit else kept
        total[:] = 0.0
        for number in range(value.shape[0]):
            for lane in range(lanes):
                word = left[number, lane]
                lowest = np.uint32(word & (~word + np.uint32(1)))
                total[lane] += value[number, _BIT[np.uint32(lowest * _SEQUENCE) >> np.uint32(27)]]
        for lane in range(here):
            out[start + lane] = total[lane]
