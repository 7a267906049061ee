"""Sum of the leaves that a boosted ensemble of decision trees gives to each row."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.jit import kernel
from mcdetect.kernels.threads import in_parts

__all__ = ["sum_leaves"]


_Ints = npt.NDArray[np.int32]
_Floats = npt.NDArray[np.float64]

_LEAST_ROWS = 64  # Technical: fewest rows that are worth a thread


def sum_leaves(
    rows: npt.NDArray[np.float32],
    roots: _Ints,
    feature: _Ints,
    threshold: _Floats,
    left: _Ints,
    right: _Ints,
    value: _Floats,
    out: _Floats,
) -> None:
    """Follow every row down every tree and add up the values of the leaves.

    Parameters
    ----------
    rows : (n, features) float32 array
    roots : (trees,) int32 array
        First node of every tree.
    feature : (nodes,) int32 array
        Column a node looks at; -1 in a leaf.
    threshold : (nodes,) float64 array
        A row goes left when its value is at most this.
    left, right : (nodes,) int32 arrays
        Next nodes.
    value : (nodes,) float64 array
        Value of a leaf.
    out : (n,) float64 array
        Written.
    """
    in_parts(
        lambda first, last: _sum_leaves(
            rows[first:last], roots, feature, threshold, left, right, value, out[first:last]
        ),
        rows.shape[0],
        least=_LEAST_ROWS,
    )


@kernel
def _sum_leaves(rows, roots, feature, threshold, left, right, value, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    for i in range(rows.shape[0]):
        total = 0.0
        for tree in range(roots.size):
            node = roots[tree]
            while feature[node] >= 0:
                node = left[node] if rows[i, feature[node]] <= threshold[node] else right[node]
            total += value[node]
        out[i] = total
