"""The tree of bright regions of an image, and how steep the border of each is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.jit import kernel

__all__ = ["best_regions", "region_tree"]

_Singles = npt.NDArray[np.float32]
_Places = npt.NDArray[np.int32]


@kernel
def region_tree(
    values: _Singles, scale: _Singles, order: _Places, row_mm: float, col_mm: float, steep: float
) -> tuple[_Places, _Places, _Singles, _Singles]:
    """Take the pixels of an image from the brightest to the darkest, and join those that touch.

    Each pixel stands for the region that holds it when it is taken: all that is as bright and touches, also
    at corners. Numbers of regions that join are added (the max-tree by union and find: C. Berger et al.,
    ICIP 2007), and so are the falls across their borders.

    Parameters
    ----------
    values : (rows, cols) float32 array
        Grey levels.
    scale : (rows, cols) float32 array
        Usual difference between neighbours there, per mm.
    order : (n,) int32 array
        Pixels to take, as row * cols + col, by falling value; none on the border of the image.
    row_mm, col_mm : float
        Pixel spacing, in mm.
    steep : float
        A step counts as steep from so many times the usual difference.

    Returns
    -------
    parent : (rows * cols,) int32 array
        The pixel whose region is the next larger one; itself for the last; -1 for pixels not taken.
    area : (rows * cols,) int32 array
        Pixels of each region.
    fall : (rows * cols,) float32 array
        Mean step from a pixel inside to one of its four neighbours outside, over the usual difference.
    sharp : (rows * cols,) float32 array
        Share of these steps that is steep.
    """
    rows, cols = values.shape
    size = rows * cols
    level, usual = values.ravel(), scale.ravel()
    root = np.full(size, -1, np.int32)
    parent = np.full(size, -1, np.int32)
    area, border, many = np.zeros(size, np.int32), np.zeros(size, np.int32), np.zeros(size, np.int32)
    fall = np.zeros(size, np.float32)
    for here in order:
        root[here] = parent[here] = here
        own_area, own_border, own_many, own_fall = 1, 0, 0, np.float32(0.0)
        for down in range(-1, 2):
            for right in range(-1, 2):
                if down == 0 and right == 0:
                    continue
                there = here + down * cols + right
                joined = root[there] >= 0
                if joined:
                    top = there
                    while root[top] != top:
                        top = root[top]
                    while root[there] != top:
                        root[there], there = top, root[there]
                    if top != here:
                        root[top] = parent[top] = here
                        own_area += area[top]
                        own_border += border[top]
                        own_many += many[top]
                        own_fall += fall[top]
                if down == 0 or right == 0:
                    there = here + down * cols + right
                    step = abs(level[here] - level[there]) / (row_mm if right == 0 else col_mm)
                    step *= 2.0 / (usual[here] + usual[there])
                    sign = -1 if joined else 1
                    own_border += sign
                    own_fall += sign * step
                    if step >= steep:
                        own_many += sign
        area[here], border[here], many[here], fall[here] = own_area, own_border, own_many, own_fall
    sharp = np.zeros(size, np.float32)
    for here in order:
        fall[here] /= max(border[here], 1)
        sharp[here] = many[here] / max(border[here], 1)
    return parent, area, fall, sharp


@kernel
def best_regions(order: _Places, parent: _Places, score: _Singles, share: float) -> _Places:
    """Choose regions of a tree that do not overlap.

    Parameters
    ----------
    order, parent : int32 arrays
        As for `region_tree`, and as it returns them.
    score : (rows * cols,) float32 array
        How good each region is; 0 for those that are not to be chosen.
    share : float
        A region is preferred to those inside it from this share of the best of their scores.

    Returns
    -------
    (k,) int32 array
        The largest regions that are preferred to what is inside.
    """
    best = np.zeros(score.size, np.float32)
    good = np.zeros(score.size, np.bool_)
    for here in order:
        if score[here] > 0.0 and score[here] >= share * best[here]:
            good[here] = True
            best[here] = max(best[here], score[here])
        if parent[here] != here:
            best[parent[here]] = max(best[parent[here]], best[here])
    chosen = np.empty(order.size, np.int32)
    count = 0
    inside = np.zeros(score.size, np.bool_)
    for k in range(order.size - 1, -1, -1):
        here = order[k]
        if parent[here] != here and inside[parent[here]]:
            inside[here] = True
        elif good[here]:
            inside[here] = True
            chosen[count] = here
            count += 1
    return chosen[:count]
