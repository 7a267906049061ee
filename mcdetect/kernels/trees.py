"""Sum of the leaves that a boosted ensemble of decision trees gives to each row."""

from __future__ import annotations

import numba as nb

__all__ = ["sum_leaves"]


@nb.njit(cache=True, nogil=True, parallel=True)  # pragma: no cover - compiled
def sum_leaves(rows, roots, feature, threshold, left, right, value, out):  # type: ignore[no-untyped-def]
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
    for i in nb.prange(rows.shape[0]):
        total = 0.0
        for tree in range(roots.size):
            node = roots[tree]
            while feature[node] >= 0:
                node = left[node] if rows[i, feature[node]] <= threshold[node] else right[node]
            total += value[node]
        out[i] = total
